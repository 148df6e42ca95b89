"""HTTP itself at a node: keep-alive, pipelining, HEAD, 100-continue, chunked bodies."""

import threading

from hustlib.http import chunked, request_bytes


def test_keep_alive(node):
    with node.client() as client:
        for number in range(300):
            answer = client.request("GET", f"/hustdb/put?key=http:keep&val={number}")
            assert answer.status == 200 and answer.keeps_alive
            assert client.request("GET", "/hustdb/get?key=http:keep").body == b"%d" % number


def test_an_error_keeps_the_connection(node):
    with node.client() as client:
        first = client.connect().socket
        for target, status in (("/hustdb/get", 400), ("/nothing", 404), ("/hustdb/get?key=n", 404),
                               ("/hustdb/hget?tb=http:none&key=n", 412)):
            answer = client.request("GET", target)
            assert answer.status == status and answer.keeps_alive
        assert client.request("DELETE", "/hustdb/get?key=k").status == 405
        assert client.socket is first


def test_connection_close(node):
    with node.client() as client:
        client.send(request_bytes("GET", "/hustdb/get?key=none", [("Connection", "close")]))
        answer = client.receive()
        assert answer.status == 404 and not answer.keeps_alive
        assert client.receive_all() == b""


def test_pipelined_answers_come_in_order(node):
    requests = []
    for number in range(60):
        requests += [
            ("PUT", f"/hustdb/put?key=http:pipe:{number}", b"value %d" % number),
            ("GET", f"/hustdb/get?key=http:pipe:{number}", None),
            ("GET", "/hustdb/get?key=", None),
            ("HEAD", f"/hustdb/get?key=http:pipe:{number}", None),
            ("GET", "/hustdb/get?key=http:pipe:none", None),
            ("POST", f"/hustdb/zadd?tb=http:pipe&score={number}", b"member"),
            ("POST", "/hustdb/zscore?tb=http:pipe", b"member"),
        ]
    with node.client() as client:
        client.send(b"".join(request_bytes(method, target, body=body)
                             for method, target, body in requests))
        answers = [client.receive(method) for method, _, _ in requests]
        assert client.is_idle()
    for number in range(60):
        value = b"value %d" % number
        got = [(answer.status, answer.body) for answer in answers[7 * number:7 * number + 7]]
        assert got[2][0] == 400
        assert got[:2] + got[3:] == [(200, b""), (200, value), (200, b""), (404, b""),
                                     (200, b"%d" % number), (200, b"%d" % number)]


def test_100_continue(node):
    with node.client() as client:
        client.send(b"PUT /hustdb/put?key=http:continue HTTP/1.1\r\nHost: x\r\n"
                    b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert client.receive_interim() == 100
        client.send(b"12345")
        assert client.receive().status == 200
    assert node.call("get", key=b"http:continue").body == b"12345"


def test_chunked_body_byte_by_byte(node):
    value = b"one byte at a time"
    body = chunked([bytes([byte]) for byte in value])
    with node.client() as client:
        client.send(b"PUT /hustdb/put?key=http:chunked HTTP/1.1\r\nHost: x\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n")
        for index in range(len(body)):
            client.send(body[index:index + 1])
        assert client.receive().status == 200
    assert node.call("get", key=b"http:chunked").body == value


def test_a_request_byte_by_byte(node):
    node.call("put", key=b"http:slow", val=b"v")
    with node.client() as client:
        for byte in b"GET /hustdb/get?key=http:slow HTTP/1.1\r\nHost: x\r\n\r\n":
            client.send(bytes([byte]))
        assert client.receive().body == b"v"


def test_every_answer_has_a_length(node):
    node.call("put", key=b"http:length", val=b"v")
    for target in ("get?key=http:length", "exist?key=http:length", "get?key=http:none", "get",
                   "nothing", "put?key=http:length&val=w", "put?key=http:length&val=w&ver=9",
                   "del?key=http:length", "del?key=http:length", "hget?tb=http:none&key=k",
                   "stat", "stat_all", "file_count"):
        answer = node.request("GET", "/hustdb/" + target)
        assert answer["Content-Length"] == str(len(answer.body)), target


def test_clients_that_do_not_wait_for_their_answers(node):
    node.call("put", key=b"http:left", val=b"right")
    for number in range(300):
        with node.client() as client:
            client.send(b"PUT /hustdb/put?key=http:gone HTTP/1.1\r\nHost: x\r\n"
                        b"Content-Length: 3\r\n\r\n%03d"
                        b"GET /hustdb/get?key=http:left HTTP/1.1\r\nHost: x\r\n\r\n" % number)
    assert node.call("get", key=b"http:left").body == b"right"


def test_concurrent_clients(node):
    wrong = []

    def use(name):
        with node.client() as client:
            for number in range(150):
                value = f"{name}:{number}"
                client.request("GET", f"/hustdb/put?key=http:own:{name}&val={value}")
                answer = client.request("GET", f"/hustdb/get?key=http:own:{name}")
                if answer.body != value.encode():
                    wrong.append((value, str(answer)))

    threads = [threading.Thread(target=use, args=(name,)) for name in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_concurrent_increments(node):
    sums = []

    def increment():
        for _ in range(100):
            sums.append(int(node.call("hincrby", tb="http:incr", key=b"f", val=1).body))

    threads = [threading.Thread(target=increment) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sums) == list(range(1, 801))

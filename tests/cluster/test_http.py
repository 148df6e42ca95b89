"""HTTP itself at HA: keep-alive, pipelining, HEAD, 100-continue, chunked bodies."""

from hustlib.http import chunked, request_bytes


def test_keep_alive(cluster):
    with cluster.ha.client() as client:
        for number in range(300):
            answer = client.request("GET", f"/put?key=http:keep&val={number}")
            assert answer.status == 200 and answer.keeps_alive
            answer = client.request("GET", "/get2?key=http:keep")
            assert answer.body == b"%d" % number and answer.keeps_alive


def test_connection_close(cluster):
    with cluster.ha.client() as client:
        client.send(request_bytes("GET", "/get?key=http:none", [("Connection", "close")]))
        answer = client.receive()
        assert answer.status == 404 and not answer.keeps_alive
        assert client.receive_all() == b""


def test_pipelined_answers_come_in_order(cluster):
    """Reads, writes, comparisons, errors and HEAD, all sent before any answer is read."""
    requests = []
    for number in range(40):
        requests += [
            ("PUT", f"/put?key=http:pipe:{number}", b"value %d" % number),
            ("GET", f"/get?key=http:pipe:{number}", None),
            ("GET", f"/get2?key=http:pipe:{number}", None),
            ("GET", "/get?key=", None),
            ("HEAD", f"/get?key=http:pipe:{number}", None),
            ("GET", "/get?key=http:pipe:none", None),
            ("GET", f"/put?key=http:pipe:shared&val={number}", None),
            ("GET", "/get?key=http:pipe:shared", None),
            ("POST", f"/zadd?tb=http:pipe&score={number}", b"member"),
            ("POST", "/zscore2?tb=http:pipe", b"member"),
        ]
    with cluster.ha.client() as client:
        client.send(b"".join(request_bytes(method, target, body=body)
                             for method, target, body in requests))
        answers = [client.receive(method) for method, _, _ in requests]
        assert client.is_idle()
    for number in range(40):
        value = b"value %d" % number
        got = [(answer.status, answer.body) for answer in answers[10 * number:10 * number + 10]]
        assert got[3][0] == 400
        assert got[:3] + got[4:] == [
            (200, b""), (200, value), (200, value), (200, b""), (404, b""), (200, b""),
            (200, b"%d" % number), (200, b"%d" % number), (200, b"%d" % number)]


def test_100_continue(cluster):
    with cluster.ha.client() as client:
        client.send(b"PUT /put?key=http:continue HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                    b"Expect: 100-continue\r\n\r\n")
        assert client.receive_interim() == 100
        client.send(b"12345")
        assert client.receive().status == 200
    assert cluster.ha.call("get", key=b"http:continue").body == b"12345"


def test_chunked_body_byte_by_byte(cluster):
    value = b"one byte at a time"
    body = chunked([bytes([byte]) for byte in value])
    with cluster.ha.client() as client:
        client.send(b"PUT /put?key=http:chunked HTTP/1.1\r\nHost: x\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n")
        for index in range(len(body)):
            client.send(body[index:index + 1])
        assert client.receive().status == 200
    assert cluster.ha.call("get", key=b"http:chunked").body == value


def test_an_empty_chunked_body_is_the_empty_value(cluster):
    with cluster.ha.client() as client:
        client.send(b"PUT /put?key=http:chunked0 HTTP/1.1\r\nHost: x\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        assert client.receive().status == 200
    answer = cluster.ha.call("get2", key=b"http:chunked0")
    assert (answer.status, answer.body, answer["Content-Length"]) == (200, b"", "0")


def test_a_request_byte_by_byte(cluster):
    cluster.ha.call("put", key=b"http:slow", val=b"v")
    with cluster.ha.client() as client:
        for byte in b"GET /get2?key=http:slow HTTP/1.1\r\nHost: x\r\n\r\n":
            client.send(bytes([byte]))
        assert client.receive().body == b"v"


def test_every_answer_has_a_length(cluster):
    cluster.ha.call("put", key=b"http:length", val=b"v")
    for target in ("/get?key=http:length", "/get2?key=http:length", "/exist?key=http:length",
                   "/get?key=http:none", "/get2?key=http:none", "/get", "/nothing", "/version",
                   "/status.html", "/peer_count", "/put?key=http:length&val=w",
                   "/put?key=http:length&val=w&ver=9", "/del?key=http:length",
                   "/del?key=http:length"):
        answer = cluster.ha.request("GET", target)
        assert answer["Content-Length"] == str(len(answer.body)), target


def test_http_1_0(cluster):
    cluster.ha.call("put", key=b"http:old", val=b"v")
    with cluster.ha.client() as client:
        client.send(b"GET /get2?key=http:old HTTP/1.0\r\n\r\n")
        answer = client.receive()
        assert (answer.status, answer.body) == (200, b"v")
        assert client.receive_all() == b""


def test_clients_that_do_not_wait_for_their_answers(cluster):
    """Gone before the answer: no crash, no leak (looked for after the test), nothing mixed up."""
    cluster.ha.call("put", key=b"http:left", val=b"right")
    for number in range(200):
        with cluster.ha.client() as client:
            client.send(b"GET /get2?key=http:left HTTP/1.1\r\nHost: x\r\n\r\n"
                        b"PUT /put?key=http:gone HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
                        b"%03d" % number)
    for _ in range(50):
        assert cluster.ha.call("get", key=b"http:left").body == b"right"

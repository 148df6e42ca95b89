"""The matrix of bad input, for anything that offers the calls: a node ("/hustdb/") or HA ("/").

The tests in api/test_bad_input.py and cluster/test_bad_input.py are thin; what is refused, and
how, is here once.
"""

from hustlib.calls import METHODS


def path(prefix, call, query=b""):
    return (prefix + call.name).encode() + (b"?" + query if query else b"")


def assert_one_line(answer, names):
    """One line of text/plain that names the parameter first, with its length."""
    assert answer["Content-Type"].split(";")[0] == "text/plain", answer
    assert answer["Content-Length"] == str(len(answer.body)), answer
    assert answer.body.endswith(b"\n") and answer.body.count(b"\n") == 1, answer
    assert answer.text.startswith(names), f"expected {names!r} to be named: {answer}"


def refused(program, method, target, parameter, body=None):
    answer = program.request(method, target, body=body)
    assert answer.status == 400, (method, target[:200], answer)
    assert_one_line(answer, parameter)


def missing(program, prefix, call):
    for parameter in call.required:
        refused(program, "GET", path(prefix, call, call.query(without=[parameter])), parameter)
        # A parameter whose name only begins or ends alike is another one.
        for name in (parameter + "x", "x" + parameter, parameter.upper()):
            refused(program, "GET",
                    path(prefix, call, call.query(without=[parameter], raw=[(name, b"1")])),
                    parameter)


def malformed(program, prefix, call):
    for parameter in call.parameters:
        for bad in call.bad_values(parameter):
            query = call.query(without=[parameter], raw=[(parameter, bad)])
            refused(program, "GET", path(prefix, call, query), parameter)


def duplicate(program, prefix, call):
    for parameter in call.parameters:
        for second in (b"1", b""):
            query = call.query(without=[parameter], raw=[(parameter, b"1"), (parameter, second)])
            refused(program, "GET", path(prefix, call, query), parameter)


def valueless(program, prefix, call):
    """`?key` and `?key=` are the same: an empty value, where that is not legal."""
    for parameter in call.parameters:
        if parameter == "val" and call.name != "hincrby":
            continue
        query = call.query(without=[parameter])
        query = query + b"&" + parameter.encode() if query else parameter.encode()
        refused(program, "GET", path(prefix, call, query), parameter)


def body_and_query(program, prefix, call):
    for method in call.body_methods:
        refused(program, method, path(prefix, call, call.query()), call.by_body, body=b"x")


def empty_body(program, prefix, call):
    """An empty body is no body, except where it is the empty value."""
    for method in call.body_methods:
        target = path(prefix, call, call.query(without=[call.by_body]))
        if call.by_body == "val":
            assert program.request(method, target, body=b"").status == 200
        else:
            refused(program, method, target, call.by_body, body=b"")
            refused(program, method, target, call.by_body)


def body_of_a_get_is_ignored(program, prefix, call):
    query = call.query(without=[call.by_body] if call.by_body else ())
    if call.by_body:
        refused(program, "GET", path(prefix, call, query), call.by_body, body=b"x")
    answer = program.request("GET", path(prefix, call, call.query()), body=b"not looked at")
    assert answer.status in (200, 404, 412), answer


def wrong_method(program, prefix, call):
    for method in METHODS:
        if method in call.methods:
            continue
        answer = program.request(method, path(prefix, call, call.query()),
                                 body=b"" if method in ("POST", "PUT", "PATCH") else None)
        assert answer.status == 405, (method, answer)
        allowed = sorted(word.strip() for word in answer["Allow"].split(","))
        assert allowed == sorted(call.methods), (method, answer)
        if method != "HEAD":
            assert_one_line(answer, "")


CHECKS = (missing, malformed, duplicate, valueless, body_and_query, empty_body,
          body_of_a_get_is_ignored, wrong_method)

UNKNOWN_PATHS = (
    "/", "//", "/nothing", "/gett", "/ge", "/get/", "/get/x", "/GET", "/get2x", "/hustdb",
    "/hustdb/", "/hustdb/nothing", "/hustdb/gett", "/hustdb/get/", "/hustdb/GET",
    "/hustdb/hustdb/get", "/%67et2x", "/status.htm", "/status.html/x", "/versions",
)


def unknown_paths(program, paths):
    for target in paths:
        for method in ("GET", "POST", "DELETE"):
            answer = program.request(method, target + "?key=k", body=b"")
            assert (answer.status, answer.body) == (404, b""), (method, target, answer)
            assert answer["Content-Length"] == "0"


def unharmed(program, prefix, key=b"unharmed"):
    """The server goes on: a write and a read on a new connection."""
    with program.client() as client:
        target = f"{prefix}put?key={key.decode()}&val=v"
        assert client.request("GET", target).status == 200
        answer = client.request("GET", f"{prefix}get?key={key.decode()}")
        assert (answer.status, answer.body) == (200, b"v")


def too_long(program, prefix, request, statuses):
    """Refused with one of the statuses, or by a reset that overtook the answer."""
    with program.client() as client:
        client.connect()
        client.send_all(request)
        try:
            assert client.receive().status in statuses
        except ConnectionError:
            pass
    unharmed(program, prefix)


def _request(prefix, rest):
    return rest.replace("@", prefix).encode("latin-1")


def garbage(program, prefix):
    """Bytes that are no HTTP: an error or a closed connection, and the next client is served."""
    pieces = [
        b"\x00" * 100, bytes(range(256)), b"\r\n" * 50 + b"nonsense\r\n\r\n",
        b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET  /  HTTP/1.1\r\n\r\n", b"A" * 20000 + b"\r\n\r\n",
        _request(prefix, "GET @get?key=garbage HTTP/1.1\r\nHost x\r\n\r\n"),
        _request(prefix, "POST @put?key=k HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n"),
        _request(prefix, "POST @put?key=k HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
        _request(prefix, "POST @put?key=k HTTP/1.1\r\nHost: x\r\nContent-Length: "
                 "99999999999999999999999\r\n\r\n"),
        _request(prefix, "PUT @put?key=k HTTP/1.1\r\nHost: x\r\n"
                 "Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        _request(prefix, "PUT @put?key=k HTTP/1.1\r\nHost: x\r\n"
                 "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"),
    ]
    for piece in pieces:
        with program.client() as client:
            client.connect()
            try:
                client.send(piece)
                client.shutdown_send()
                said = client.receive_all()
            except OSError:
                said = b""
            assert b" 200 " not in said.split(b"\r\n")[0], (piece[:80], said)
        unharmed(program, prefix)


def half_requests(program, prefix, key="half"):
    """A client that leaves in the middle has written nothing."""
    whole = _request(prefix, f"PUT @put?key={key} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n"
                             "\r\n0123456789")
    for end in (1, 10, 30, len(whole) - 11, len(whole) - 10, len(whole) - 1):
        with program.client() as client:
            client.send(whole[:end])
        unharmed(program, prefix)
    answer = program.call("get", key=key.encode())
    assert answer.status == 404, answer

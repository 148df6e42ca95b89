"""Bad input at a node (HTTP contract 1): refused with the parameter's name, and it goes on."""

import pytest

from hustlib import refusals
from hustlib.calls import NODE_CALLS
from hustlib.http import encode_query, request_bytes

PREFIX = "/hustdb/"


@pytest.mark.parametrize("check", refusals.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("call", NODE_CALLS, ids=str)
def test_matrix(node, call, check):
    check(node, PREFIX, call)


def test_unknown_paths(node):
    refusals.unknown_paths(node, refusals.UNKNOWN_PATHS)
    # The calls of HA are not offered here.
    refusals.unknown_paths(node, ["/get", "/put", "/hustdb/get2", "/get2", "/peer_count",
                                  "/get_table", "/hustdb/status.html"])


def test_garbage(node):
    refusals.garbage(node, PREFIX)


def test_half_requests(node):
    refusals.half_requests(node, PREFIX)


def test_unknown_parameters_are_ignored(node):
    answer = node.request("GET", "/hustdb/put?x=1&key=bad:unknown&y&val=v&x=2&=&&z=%41")
    assert answer.status == 200
    assert node.request("GET", "/hustdb/get?&&key=bad:unknown&&").body == b"v"


def test_a_thousand_valueless_parameters(node):
    """More than the HTTP library's own parser survives."""
    for separator in ("&", "&&"):
        query = separator.join(f"p{number}" for number in range(1500))
        answer = node.request("GET", f"/hustdb/put?{query}&key=bad:many&val=v")
        assert answer.status == 200
    assert node.call("get", key=b"bad:many").body == b"v"


def test_only_ampersands_separate_and_a_plus_is_a_plus(node):
    assert node.request("GET", "/hustdb/put?key=bad+a;val=x&val=v+w;ttl=5").status == 200
    answer = node.call("get", key=b"bad+a;val=x")
    assert (answer.status, answer.body) == (200, b"v+w;ttl=5")


def test_a_question_mark_in_a_parameter(node):
    assert node.request("GET", "/hustdb/put?key=bad?a?b&val=c?d").status == 200
    assert node.call("get", key=b"bad?a?b").body == b"c?d"


def test_a_refused_write_changes_nothing(node):
    node.call("put", key=b"bad:unchanged", val=b"before")
    for query in ("val=after&ttl=abc", "val=after&ver=-1", "val=after&val=after", "val=%zz"):
        assert node.request("GET", f"/hustdb/put?key=bad:unchanged&{query}").status == 400
    answer = node.call("get", key=b"bad:unchanged")
    assert (answer.body, answer.ver) == (b"before", 1)


def test_a_body_too_large(make_node):
    limit = 2**20
    node = make_node(max_body_size="1M")
    assert node.call("put", "PUT", b"x" * limit, key=b"k").status == 200
    # Up to twice the limit is drained, so that the client can read its answer.
    for size in (limit + 1, 2 * limit):
        with node.client() as client:
            client.send(request_bytes("PUT", "/hustdb/put?key=k", body=b"y" * size))
            answer = client.receive()
            assert answer.status == 413 and answer.body.endswith(b"\n")
            assert client.receive_all() == b"", "then the connection closes"
    refusals.too_long(node, PREFIX, request_bytes("PUT", "/hustdb/put?key=k",
                                                  body=b"z" * (8 * limit)), (413,))
    answer = node.call("get", key=b"k")
    assert answer.body == b"x" * limit and answer.ver == 1


def test_a_chunked_body_too_large(make_node):
    limit = 2**20
    node = make_node(max_body_size="1M")
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    request = (b"PUT /hustdb/put?key=k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
               + chunk * (limit // 65536 + 1) + b"0\r\n\r\n")
    with node.client() as client:
        client.connect()
        client.send_all(request)
        assert client.receive().status == 413
    refusals.unharmed(node, PREFIX)
    assert node.call("get", key=b"k").status == 404


def test_a_line_too_long(node):
    """24 KiB of request line and headers are taken, much more is refused."""
    query = encode_query({"key": b"k" * 23_000, "val": b"v"})
    assert node.request("GET", f"/hustdb/put?{query}").status == 200
    for size in (40_000, 100_000, 300_000):
        refusals.too_long(node, PREFIX, request_bytes("GET", "/hustdb/get?key=" + "k" * size),
                          (400, 413, 414, 431))


def test_headers_too_large(node):
    for headers in ([("X", "y" * 60_000)], [(f"X-{number}", "y" * 100) for number in range(900)]):
        refusals.too_long(node, PREFIX, request_bytes("GET", "/hustdb/get?key=k", headers),
                          (400, 413, 414, 431))


def test_bodies_that_stand_for_nothing_are_ignored(node):
    answer = node.call("del", "POST", b"a body", key=b"bad:none")
    assert (answer.status, answer.ver) == (404, 0)
    answer = node.call("hincrby", "POST", b"a body", tb="bad:incr", key=b"f", val=2)
    assert (answer.status, answer.body) == (200, b"2")

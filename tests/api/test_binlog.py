"""binlog: remember, durably, that an element must be brought to a host (HTTP contract 4)."""

import pytest

from hustlib import Node, batch, target, until, watch
from hustlib.kinds import HASH, KV, SET, ZSET

PEER = "127.0.0.1:1"
METHODS = {1: KV, 2: KV, 3: HASH, 4: HASH, 5: SET, 6: SET, 7: ZSET, 8: ZSET}


@pytest.fixture(scope="module")
def node():
    with watch.running(Node(replicated=True, peers=[PEER])) as node:
        yield node


def ask(node, body=None, http=None, **params):
    """`method` is a parameter of the query here."""
    return node.request(http or ("GET" if body is None else "POST"),
                        target("/hustdb/binlog", **params), body=body)


def binlog(node, number, key, http="GET"):
    kind = METHODS[number]
    where = {"tb": b"binlog" + kind.type} if kind.has_table else {}
    return ask(node, http=http, host=PEER, method=number, key=key, **where)


@pytest.mark.parametrize("number", METHODS)
def test_a_hint_is_durable(make_node, number):
    node = make_node(replicated=True, peers=[PEER])
    kind = METHODS[number]
    tb = b"binlog" + kind.type
    kind.put(node, b"k", tb=tb)
    assert not kind.held(node, b"k", tb).flags & batch.HINTED
    assert binlog(node, number, b"k").status == 200
    node.kill()
    node.start()
    held = kind.held(node, b"k", tb)
    assert held.flags & batch.HINTED
    assert (held.status, held.version, held.value) == (200, 1, kind.value(1)), "nothing else"


@pytest.mark.parametrize("number", METHODS)
def test_the_element_need_not_be_there(node, number):
    kind = METHODS[number]
    assert binlog(node, number, b"absent", "POST").status == 200
    assert kind.exist(node, b"absent", tb=b"binlog" + kind.type).status in (404, 412)


@pytest.mark.parametrize("number", METHODS)
def test_the_key_may_be_the_body(node, number):
    kind = METHODS[number]
    where = {"tb": b"binlog" + kind.type} if kind.has_table else {}
    kind.put(node, b"a&b", tb=b"binlog" + kind.type)
    assert ask(node, host=PEER, method=number, body=b"a&b", **where).status == 200
    assert kind.held(node, b"a&b", b"binlog" + kind.type).flags & batch.HINTED


def test_a_host_that_is_no_peer(node):
    for host in ("127.0.0.1:2", "localhost:1", "127.0.0.2:1", "127.0.0.1:10"):
        answer = ask(node, host=host, method=1, key=b"k")
        assert answer.status == 403, host
        assert answer.body.endswith(b"\n")


def test_bad_input(node):
    good = {"host": PEER, "method": 3, "tb": "t", "key": b"k"}
    for name in good:
        answer = ask(node, **{key: value for key, value in good.items() if key != name})
        assert answer.status == 400 and answer.text.startswith(name), answer
    for name, values in (("method", ("0", "9", "-1", "x", "", "1.0")), ("tb", ("", "a b")),
                         ("key", ("",)), ("host", ("", "127.0.0.1", ":1", "127.0.0.1:", "127.0.0.1:x"))):
        for value in values:
            answer = ask(node, **{**good, name: value})
            assert answer.status == 400 and answer.text.startswith(name), (name, value, answer)


def test_hints_are_counted_by_target(node):
    """Every reply of a batch says how many elements wait for whom, each counted once."""
    keys = [b"count:%d" % number for number in range(5)]
    for _ in range(3):
        for key in keys:
            assert ask(node, host=PEER, method=1, key=key).status == 200

    def backlog():
        answer = node.call("batch", "POST", batch.encode_request([]))
        return batch.decode_reply(answer.body).backlogs.get(PEER, 0)

    until(lambda: backlog() >= 5, "the hints are old enough to be counted", 4)
    before = backlog()
    for key in keys:
        ask(node, host=PEER, method=1, key=key)
    assert backlog() == before

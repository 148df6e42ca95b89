"""The read class (HTTP contract 3.2) while both masters are up. What happens when one is not is in
test_down_read.py."""

import pytest

from hustlib import until
from hustlib.kinds import HASH, KINDS, KV, SET, TYPE_PAIRS, VALUED, ZSET


def named(kind, what):
    return b"read:" + what.encode(), b"read:" + kind.name.encode() + b":" + what.encode()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_master1_answers(cluster, kind):
    """With its own value, version and tag, whatever master2 has."""
    key, tb = named(kind, "master1")
    kind.put(cluster.node1, key, kind.value(1), tb=tb)
    kind.put(cluster.node2, key, kind.value(2), tb=tb)
    kind.put(cluster.node2, key, kind.value(3), tb=tb)
    answer = kind.get(cluster.ha, key, tb=tb)
    assert (answer.status, answer.body, answer.ver) == (200, kind.value(1), 1)
    if kind.has_value:
        assert answer["ETag"] == kind.get(cluster.node1, key, tb=tb)["ETag"]
        assert answer["Content-Type"] == "text/plain"
    answer = kind.exist(cluster.ha, key, tb=tb)
    assert (answer.status, answer.body, answer.ver) == (200, b"", 1)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_only_master2_has_is_found(cluster, kind):
    key, tb = named(kind, "master2")
    # First the table is missing on master1, then only the element.
    for number in (1, 2):
        kind.put(cluster.node2, key, tb=tb)
        answer = kind.get(cluster.ha, key, tb=tb)
        assert (answer.status, answer.body, answer.ver) == (200, kind.value(1), number)
        answer = kind.exist(cluster.ha, key, tb=tb)
        assert (answer.status, answer.ver) == (200, number)
        kind.put(cluster.node1, b"another", tb=tb)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_master1_knows_to_be_deleted_is_absent_at_once(cluster, kind):
    key, tb = named(kind, "tombstone")
    kind.put(cluster.ha, key, tb=tb)
    kind.delete(cluster.node1, key, tb=tb)
    assert kind.exist(cluster.node2, key, tb=tb).status == 200
    for answer in (kind.get(cluster.ha, key, tb=tb), kind.exist(cluster.ha, key, tb=tb)):
        assert (answer.status, answer.ver, answer.body) == (404, 0, b"")


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_master1_knows_to_be_expired_is_absent_at_once(cluster, kind):
    key, tb = named(kind, "expired")
    kind.put(cluster.node1, key, tb=tb, ttl=1)
    kind.put(cluster.node2, key, tb=tb)
    until(lambda: kind.get(cluster.ha, key, tb=tb).status == 404, "master1's has expired", 2)
    assert kind.exist(cluster.node2, key, tb=tb).status == 200


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_absent_on_both(cluster, kind):
    key, tb = named(kind, "absent")
    for _ in range(2):
        for answer in (kind.get(cluster.ha, key, tb=tb), kind.exist(cluster.ha, key, tb=tb)):
            assert (answer.status, answer.ver, answer.body) == (404, 0, b"")
            assert answer["Content-Length"] == "0"
        kind.put(cluster.ha, b"another", tb=tb)


@pytest.mark.parametrize("there, asked", TYPE_PAIRS, ids=str)
def test_another_type(cluster, there, asked):
    tb = b"read:type:" + there.name.encode() + b"." + asked.name.encode()
    there.put(cluster.ha, b"k", tb=tb)
    answer = asked.get(cluster.ha, b"k", tb=tb)
    assert (answer.status, answer.ver) == (412, 0)
    assert asked.exist(cluster.ha, b"k", tb=tb).status == 412


def test_refused_by_master1_is_asked_of_master2(cluster):
    """The table is a set on master1 and a hash on master2: the second one's answer counts."""
    tb = b"read:refused"
    cluster.node1.call("sadd", tb=tb, key=b"k")
    cluster.node2.call("hset", tb=tb, key=b"k", val=b"v")
    answer = cluster.ha.call("hget", tb=tb, key=b"k")
    assert (answer.status, answer.body, answer.ver) == (200, b"v", 1)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_head(cluster, kind):
    key, tb = named(kind, "head")
    kind.put(cluster.ha, key, tb=tb)
    for ask in (kind.get, kind.exist):
        got, head = ask(cluster.ha, key, tb=tb), ask(cluster.ha, key, tb=tb, method="HEAD")
        assert (head.status, head.body, head.ver) == (200, b"", 1)
        assert head["Content-Length"] == got["Content-Length"] == str(len(got.body))
        assert head.header("ETag") == got.header("ETag")
    assert kind.get(cluster.ha, b"none", tb=tb, method="HEAD").status == 404


@pytest.mark.parametrize("kind", (SET, ZSET), ids=str)
def test_the_member_may_be_the_body(cluster, kind):
    _, tb = named(kind, "body")
    member = b"\x00&=%+#;? member"
    kind.put(cluster.ha, member, tb=tb)
    for call in (kind.get_call, kind.exist_call):
        answer = cluster.ha.call(call, tb=tb, body=member)
        assert (answer.status, answer.ver) == (200, 1), call


@pytest.mark.parametrize("kind", VALUED, ids=str)
def test_conditions(cluster, kind):
    key, tb = named(kind, "conditions")
    tag = kind.put(cluster.ha, key, tb=tb)["ETag"]
    other = '"0123456789abcdef01234567"'

    def ask(name, value, **more):
        return kind.get(cluster.ha, key, tb=tb, headers=[(name, value)], **more)

    for match in (tag, f"{other}, {tag}", "*", f"W/{tag}"):
        answer = ask("If-None-Match", match)
        assert (answer.status, answer.body, answer["ETag"]) == (304, b"", tag), match
        assert answer.ver == 1
    answer = ask("If-None-Match", tag, method="HEAD")
    assert answer.status == 304
    answer = ask("If-None-Match", other)
    assert (answer.status, answer.body) == (200, kind.value(1))
    assert ask("If-Match", tag).status == 200
    assert ask("If-Match", other).status == 412
    # Once it is written again the old tag is good for nothing.
    kind.put(cluster.ha, key, tb=tb)
    assert ask("If-None-Match", tag).status == 200
    assert ask("If-Match", tag).status == 412


@pytest.mark.parametrize("kind", (KV, HASH), ids=str)
@pytest.mark.parametrize("size", (262_144, 262_145, 1_048_576), ids=str)
def test_large_values(cluster, kind, size):
    """Around the limit above which a batch leaves values out."""
    key, tb = named(kind, f"large{size}")
    value = bytes(index * 7 % 256 for index in range(1024)) * (size // 1024 + 1)
    value = value[:size]
    where = {"tb": tb, "key": key} if kind.has_table else {"key": key}
    assert cluster.ha.call(kind.put_call, "PUT", value, **where).status == 200
    answer = kind.get(cluster.ha, key, tb=tb)
    assert answer.status == 200 and answer.body == value and answer.ver == 1
    head = kind.get(cluster.ha, key, tb=tb, method="HEAD")
    assert (head.status, head["Content-Length"]) == (200, str(size))
    answer = kind.get(cluster.ha, key, tb=tb, headers=[("If-None-Match", answer["ETag"])])
    assert answer.status == 304


def test_a_large_value_that_only_master2_has(cluster):
    value = b"x" * 700_000
    cluster.node2.call("put", "PUT", value, key=b"read:large2")
    answer = cluster.ha.call("get", key=b"read:large2")
    assert answer.status == 200 and answer.body == value


def test_a_client_that_leaves_in_the_middle_of_a_large_value(cluster):
    value = b"y" * 8_000_000
    assert cluster.ha.call("put", "PUT", value, key=b"read:left").status == 200
    for _ in range(5):
        with cluster.ha.client() as client:
            client.send(b"GET /get?key=read:left HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.socket.recv(1000)
    assert cluster.ha.call("get", key=b"read:left").body == value

"""read2 (HTTP contract 3.1): what both masters hold, compared."""

import threading
import time

import pytest

from hustlib import batch, next_instant, until
from hustlib.kinds import HASH, KINDS, KV, SET, TYPE_PAIRS, VALUED, ZSET

COMPARISON = {"Version", "Version1", "Version2", "Val-Offset", "Newer", "Sync-Pending",
              "Unreachable", "ETag"}


def named(kind, what):
    """A key and a table of this test alone."""
    return b"read2:" + what.encode(), b"read2:" + kind.name.encode() + b":" + what.encode()


def special(answer):
    return {name: value for name, value in answer.headers if name in COMPARISON}


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_equal(cluster, kind):
    key, tb = named(kind, "equal")
    assert kind.put(cluster.ha, key, tb=tb).status == 200
    answer = kind.read2(cluster.ha, key, tb=tb)
    assert (answer.status, answer.body) == (200, kind.value(1))
    stamp = kind.held(cluster.node1, key, tb)
    expected = {"Version": "1"}
    if kind.has_value:
        expected["ETag"] = stamp.etag
        assert answer["Content-Type"] == "text/plain"
    got = special(answer)
    if not kind.has_value:
        got.pop("ETag", None)
    assert got == expected


@pytest.mark.parametrize("kind", VALUED, ids=str)
def test_equal_value_and_version_of_different_writes(cluster, kind):
    """The stamps differ, so there is no ETag that both masters would agree to."""
    key, tb = named(kind, "twins")
    for node in cluster.nodes:
        assert kind.put(node, key, tb=tb).status == 200
    answer = kind.read2(cluster.ha, key, tb=tb)
    assert (answer.status, answer.body, answer.ver) == (200, kind.value(1), 1)
    assert "ETag" not in answer and "Val-Offset" not in answer


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_versions_differ(cluster, kind):
    key, tb = named(kind, "versions")
    assert kind.put(cluster.node2, key, tb=tb).status == 200
    assert kind.put(cluster.node2, key, tb=tb).status == 200
    next_instant()
    assert kind.put(cluster.node1, key, tb=tb).status == 200
    answer = kind.read2(cluster.ha, key, tb=tb)
    # Equal values are 200; a set has only presence and version to compare.
    assert answer.status == (200 if kind.has_value else 409)
    assert answer.body == (kind.value(1) if kind.has_value else b"")
    assert special(answer) == {"Version1": "1", "Version2": "2", "Newer": "1"}


@pytest.mark.parametrize("later", (1, 2))
@pytest.mark.parametrize("kind", VALUED, ids=str)
def test_values_differ(cluster, kind, later):
    """`Newer` names the master with the later write, whatever the versions say."""
    key, tb = named(kind, f"values{later}")
    first, second = cluster.nodes if later == 2 else reversed(cluster.nodes)
    one, two = kind.value(1), kind.value(123)
    by_node = {cluster.node1: one, cluster.node2: two}
    assert kind.put(first, key, by_node[first], tb=tb).status == 200
    next_instant()
    assert kind.put(second, key, by_node[second], tb=tb).status == 200
    answer = kind.read2(cluster.ha, key, tb=tb)
    assert (answer.status, answer.body) == (409, one + two)
    assert special(answer) == {"Version": "1", "Val-Offset": str(len(one)), "Newer": str(later)}
    assert answer["Content-Length"] == str(len(one + two))
    assert answer["Content-Type"] == "text/plain"


@pytest.mark.parametrize("kind", VALUED, ids=str)
def test_values_and_versions_differ(cluster, kind):
    key, tb = named(kind, "both")
    one, two = kind.value(7), kind.value(4567)
    assert kind.put(cluster.node2, key, two, tb=tb).status == 200
    next_instant()
    for value in (kind.value(3), kind.value(5), one):
        assert kind.put(cluster.node1, key, value, tb=tb).status == 200
    answer = kind.read2(cluster.ha, key, tb=tb)
    assert (answer.status, answer.body) == (409, one + two)
    assert special(answer) == {"Version1": "3", "Version2": "1", "Val-Offset": str(len(one)),
                               "Newer": "1"}


def test_an_empty_value_differs_from_another(cluster):
    cluster.node1.call("put", key=b"read2:empty", val=b"")
    cluster.node2.call("put", key=b"read2:empty", val=b"full")
    answer = cluster.ha.call("get2", key=b"read2:empty")
    assert (answer.status, answer.body, answer["Val-Offset"]) == (409, b"full", "0")
    cluster.node1.call("put", key=b"read2:empty2", val=b"full")
    cluster.node2.call("put", key=b"read2:empty2", val=b"")
    answer = cluster.ha.call("get2", key=b"read2:empty2")
    assert (answer.status, answer.body, answer["Val-Offset"]) == (409, b"full", "4")


@pytest.mark.parametrize("master", (1, 2))
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_present_on_one_only(cluster, kind, master):
    key, tb = named(kind, f"one{master}")
    node = cluster.nodes[master - 1]
    value = kind.value(1)
    assert kind.put(node, key, tb=tb).status == 200
    assert kind.put(node, key, tb=tb).status == 200
    answer = kind.read2(cluster.ha, key, tb=tb)
    assert (answer.status, answer.body) == (409, value)
    expected = {"Version1": "0", "Version2": "0", f"Version{master}": "2", "Newer": str(master)}
    if kind.has_value:
        expected["Val-Offset"] = str(len(value)) if master == 1 else "0"
    assert special(answer) == expected


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_deleted_on_one_only(cluster, kind):
    """The deletion is a write like others: it is the newer one."""
    key, tb = named(kind, "deleted")
    assert kind.put(cluster.ha, key, tb=tb).status == 200
    next_instant()
    assert kind.delete(cluster.node1, key, tb=tb).status == 200
    answer = kind.read2(cluster.ha, key, tb=tb)
    assert answer.status == 409
    assert (answer["Version1"], answer["Version2"], answer["Newer"]) == ("0", "1", "1")


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_absent_on_both(cluster, kind):
    key, tb = named(kind, "absent")
    # First without the table, then in a table that exists.
    for _ in range(2):
        answer = kind.read2(cluster.ha, key, tb=tb)
        assert (answer.status, answer.body) == (404, b"")
        assert special(answer) == {"Version": "0"}
        assert answer["Content-Length"] == "0"
        assert kind.put(cluster.ha, b"another", tb=tb).status == 200


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_deleted_on_both(cluster, kind):
    key, tb = named(kind, "gone")
    kind.put(cluster.ha, key, tb=tb)
    kind.delete(cluster.ha, key, tb=tb)
    answer = kind.read2(cluster.ha, key, tb=tb)
    assert (answer.status, special(answer)) == (404, {"Version": "0"})


@pytest.mark.parametrize("there, asked", TYPE_PAIRS, ids=str)
def test_another_type(cluster, there, asked):
    tb = b"read2:type:" + there.name.encode()
    there.put(cluster.ha, b"k", tb=tb)
    for answer in (asked.read2(cluster.ha, b"k", tb=tb), asked.exist2(cluster.ha, b"k", tb=tb)):
        assert (answer.status, answer.ver) == (412, 0)
        assert answer["Content-Type"] == "text/plain"
        assert answer.body.endswith(b"\n") and answer.body.count(b"\n") == 1


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_presence_calls(cluster, kind):
    """exist2, hexist2, sismember2 and zismember2 compare presence and version, not values."""
    key, tb = named(kind, "presence")
    answer = kind.exist2(cluster.ha, key, tb=tb)
    assert (answer.status, special(answer)) == (404, {"Version": "0"})
    kind.put(cluster.node1, key, kind.value(1), tb=tb)
    answer = kind.exist2(cluster.ha, key, tb=tb)
    assert answer.status == 409
    assert special(answer) == {"Version1": "1", "Version2": "0", "Newer": "1"}
    kind.put(cluster.node2, key, kind.value(2), tb=tb)
    answer = kind.exist2(cluster.ha, key, tb=tb)
    assert (answer.status, answer.ver, answer.body) == (200, 1, b"")
    assert not {"Version1", "Version2", "Val-Offset"} & set(special(answer))
    next_instant()
    kind.put(cluster.node2, key, kind.value(2), tb=tb)
    answer = kind.exist2(cluster.ha, key, tb=tb)
    assert (answer.status, answer.body, answer["Content-Length"]) == (409, b"", "0")
    assert special(answer) == {"Version1": "1", "Version2": "2", "Newer": "2"}


@pytest.mark.parametrize("kind", (SET, ZSET), ids=str)
def test_the_member_may_be_the_body(cluster, kind):
    _, tb = named(kind, "body")
    member = b"a member & = % + \x00 body"
    kind.put(cluster.ha, member, tb=tb)
    for call in (kind.read2_call, kind.exist2_call):
        answer = cluster.ha.call(call, tb=tb, body=member)
        assert (answer.status, answer.ver) == (200, 1), call


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_head(cluster, kind):
    """The same headers as GET, and no body."""
    key, tb = named(kind, "head")
    kind.put(cluster.node1, key, kind.value(1), tb=tb)
    kind.put(cluster.node2, key, kind.value(2), tb=tb)
    got, head = kind.read2(cluster.ha, key, tb=tb), kind.read2(cluster.ha, key, tb=tb,
                                                               method="HEAD")
    assert head.status == got.status and head.body == b""
    assert special(head) == special(got)
    assert head["Content-Length"] == got["Content-Length"] == str(len(got.body))


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_read_changes_nothing(cluster, kind):
    key, tb = named(kind, "unchanged")
    kind.put(cluster.node1, key, kind.value(1), tb=tb)
    kind.put(cluster.node2, key, kind.value(2), tb=tb)
    before = [kind.held(node, key, tb) for node in cluster.nodes]
    for _ in range(5):
        kind.read2(cluster.ha, key, tb=tb)
        kind.get(cluster.ha, key, tb=tb)
    assert [kind.held(node, key, tb) for node in cluster.nodes] == before


@pytest.mark.parametrize("kind", VALUED, ids=str)
def test_if_none_match(cluster, kind):
    key, tb = named(kind, "conditional")
    tag = kind.put(cluster.ha, key, tb=tb)["ETag"]
    answer = kind.read2(cluster.ha, key, tb=tb, headers=[("If-None-Match", tag)])
    assert (answer.status, answer.body, answer["ETag"]) == (304, b"", tag)
    other = '"000000000000000000000001"'
    answer = kind.read2(cluster.ha, key, tb=tb, headers=[("If-None-Match", other)])
    assert (answer.status, answer.body) == (200, kind.value(1))
    answer = kind.read2(cluster.ha, key, tb=tb, headers=[("If-Match", other)])
    assert answer.status == 412


def test_a_difference_without_hints_is_waited_for_at_most_50_ms(cluster):
    """Two records that only a write on its way explains: it is answered in the end."""
    key = b"read2:on its way"
    cluster.node1.batch([batch.put(key, b"new")])
    began = time.monotonic()
    answer = cluster.ha.call("get2", key=key)
    took = time.monotonic() - began
    assert (answer.status, answer["Version1"], answer["Version2"]) == (409, "1", "0")
    assert answer["Newer"] == "1"
    assert took >= 0.04, "the other master was given time"

    # The write arrives while the comparison waits: what both hold then is the answer.
    put = batch.put(b"read2:arrives", b"new")
    cluster.node1.batch([put])
    with cluster.ha.client() as client:
        client.send(b"GET /get2?key=read2:arrives HTTP/1.1\r\nHost: x\r\n\r\n")
        cluster.node2.batch([put])
        answer = client.receive()
    assert (answer.status, answer.body, answer.ver) == (200, b"new", 1)
    assert answer["ETag"] == batch.etag(put.stamp)


@pytest.mark.parametrize("write, read", (
    ("put?key=read2:busy&val=%d", "/get2?key=read2:busy"),
    ("hincrby?tb=read2:busy&key=n&val=1", "/hget2?tb=read2:busy&key=n"),
    ("zadd?tb=read2:busy.z&key=m&score=2&opt=1", "/zscore2?tb=read2:busy.z&key=m"),
), ids=("plain", "hincrby", "zadd"))
def test_busy_keys_do_not_look_like_conflicts(cluster, write, read):
    """Comparisons beside a stream of writes of the same key: always 200."""
    stop = threading.Event()
    failures = []

    def send(client, number):
        target = "/" + (write % number if "%d" in write else write)
        answer = client.request("GET", target)
        if answer.status != 200 or "Sync" in answer:
            failures.append(str(answer))

    def keep_writing():
        number = 1
        with cluster.ha.client() as client:
            while not stop.is_set():
                send(client, number)
                number += 1

    with cluster.ha.client() as client:
        send(client, 0)
        writer = threading.Thread(target=keep_writing)
        writer.start()
        try:
            statuses = [client.request("GET", read).status for _ in range(300)]
        finally:
            stop.set()
            writer.join()
    assert not failures
    assert set(statuses) == {200}


def test_busy_counters_do_not_look_like_conflicts(cluster):
    """The same beside deciding writes, which one master has a moment before the other."""
    stop = threading.Event()
    failures = []

    def increment():
        with cluster.ha.client() as client:
            while not stop.is_set():
                answer = client.request("GET", "/hincrby?tb=read2:counter&key=f&val=1")
                if answer.status != 200 or "Sync" in answer:
                    failures.append(str(answer))

    assert cluster.ha.call("hincrby", tb="read2:counter", key=b"f", val=1).status == 200
    writer = threading.Thread(target=increment)
    writer.start()
    try:
        statuses = [cluster.ha.call("hget2", tb="read2:counter", key=b"f").status
                    for _ in range(300)]
    finally:
        stop.set()
        writer.join()
    assert not failures
    assert set(statuses) == {200}


@pytest.mark.parametrize("kind", (KV, HASH), ids=str)
@pytest.mark.parametrize("sizes", ((300_000, 300_000), (1, 2_000_000), (3_000_000, 10)),
                         ids=str)
def test_large_values_differ(cluster, kind, sizes):
    key, tb = named(kind, "large %d %d" % sizes)
    tb = tb.replace(b" ", b".")
    values = [bytes([64 + index]) * size for index, size in enumerate(sizes)]
    call = {"kv": "put", "hash": "hset"}[kind.name]
    where = {"tb": tb, "key": key} if kind.has_table else {"key": key}
    for node, value in zip(cluster.nodes, values):
        assert node.call(call, "POST", value, **where).status == 200
    answer = kind.read2(cluster.ha, key, tb=tb)
    assert answer.status == 409 and answer.ver == 1
    assert answer["Val-Offset"] == str(sizes[0]) and answer.body == values[0] + values[1]
    head = kind.read2(cluster.ha, key, tb=tb, method="HEAD")
    assert (head.status, head["Content-Length"]) == (409, str(sum(sizes)))


def test_large_values_equal_or_on_one_only(cluster):
    value = bytes(range(256)) * 4096
    assert cluster.ha.call("put", "PUT", value, key=b"read2:large").status == 200
    answer = cluster.ha.call("get2", key=b"read2:large")
    assert answer.status == 200 and answer.body == value and answer.ver == 1
    for number, node in enumerate(cluster.nodes, 1):
        key = b"read2:large:%d" % number
        assert node.call("put", "PUT", value, key=key).status == 200
        answer = cluster.ha.call("get2", key=key)
        assert answer.status == 409 and answer.body == value
        assert answer["Val-Offset"] == (str(len(value)) if number == 1 else "0")


def test_the_tag_of_the_answer_is_good_for_a_write(cluster):
    key = b"read2:tag"
    cluster.ha.call("put", key=key, val=b"1")
    tag = cluster.ha.call("get2", key=key)["ETag"]
    answer = cluster.ha.call("put", key=key, val=b"2", headers=[("If-Match", tag)])
    assert answer.status == 200 and answer["ETag"] != tag
    answer = cluster.ha.call("put", key=key, val=b"3", headers=[("If-Match", tag)])
    assert answer.status == 412
    assert cluster.ha.call("get2", key=key).body == b"2"


def test_expiry_is_one_instant_for_both(cluster):
    """While it lives it is 200, then it is 404: at no moment do the masters disagree."""
    key = b"read2:ttl"
    assert cluster.ha.call("put", key=key, val=b"v", ttl=1).status == 200
    seen = []

    def gone():
        seen.append(cluster.ha.call("get2", key=key).status)
        return seen[-1] != 200

    until(gone, "the key has expired", 2)
    assert set(seen) <= {200, 404}
    assert cluster.ha.call("get2", key=key).ver == 0

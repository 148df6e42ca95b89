"""Writes while a master is away, refuses or says nothing (HTTP contract 3.3)."""

import pytest

from hustlib import batch
from hustlib.kinds import HASH, KINDS, KV, SET, TABLED, VALUED, ZSET

QUICK = "hustdb_ha_connect_timeout 200ms; hustdb_ha_timeout 300ms;"


@pytest.fixture
def cluster(make_cluster):
    cluster = make_cluster(ha_options={"http": QUICK})
    for kind in KINDS:
        assert kind.put(cluster.ha, b"k", tb=table(kind)).status == 200
    return cluster


def table(kind):
    return b"down:" + kind.name.encode()


def pair(cluster, away):
    """(the master that goes away, the one that stays)"""
    return cluster.nodes[away - 1], cluster.nodes[2 - away]


@pytest.mark.parametrize("master", (1, 2))
@pytest.mark.parametrize("how", ("kill", "pause"))
def test_a_plain_write_is_on_the_survivor_with_a_hint(cluster, master, how):
    away, there = pair(cluster, master)
    getattr(away, how)()
    for kind in KINDS:
        tb = table(kind)
        # Of a key that was there, then of a new one, then again.
        for key, number, version in ((b"k", 2, 2), (b"new", 1, 1), (b"new", 2, 2)):
            answer = kind.put(cluster.ha, key, kind.value(number), tb=tb)
            assert (answer.status, answer.ver) == (200, version), (kind, answer)
            assert answer["Sync"] == away.address
            held = kind.held(there, key, tb)
            assert (held.status, held.value, held.version) == (200, kind.value(number), version)
            assert held.flags & batch.HINTED, "the hint is durable before the client hears 200"
    away.resume()


@pytest.mark.parametrize("master", (1, 2))
def test_the_hint_survives_a_crash_of_the_survivor(cluster, master):
    away, there = pair(cluster, master)
    away.kill()
    for kind in KINDS:
        assert kind.put(cluster.ha, b"k", tb=table(kind))["Sync"] == away.address
        assert kind.delete(cluster.ha, b"gone", tb=table(kind))["Sync"] == away.address
    there.kill()
    there.start()
    for kind in KINDS:
        held = kind.held(there, b"k", table(kind))
        assert held.version == 2 and held.flags & batch.HINTED, kind
        assert kind.held(there, b"gone", table(kind)).flags & batch.HINTED, kind


@pytest.mark.parametrize("master", (1, 2))
@pytest.mark.parametrize("how", ("kill", "pause"))
def test_a_delete_is_a_write_like_others(cluster, master, how):
    away, there = pair(cluster, master)
    getattr(away, how)()
    for kind in KINDS:
        tb = table(kind)
        answer = kind.delete(cluster.ha, b"k", tb=tb)
        assert (answer.status, answer.ver, answer["Sync"]) == (200, 1, away.address), kind
        assert kind.exist(cluster.ha, b"k", tb=tb).status == 404
        # Nobody who answers has it, but the other one may: a hint all the same.
        for key in (b"k", b"never"):
            answer = kind.delete(cluster.ha, key, tb=tb)
            assert (answer.status, answer.ver, answer["Sync"]) == (404, 0, away.address), kind
    away.resume()


@pytest.mark.parametrize("master", (1, 2))
def test_a_refusal_is_no_missed_write(cluster, master):
    away, there = pair(cluster, master)
    away.kill()
    for kind in KINDS:
        answer = kind.put(cluster.ha, b"k", kind.value(2), tb=table(kind), ver=7)
        assert (answer.status, answer.ver, answer["VerError"]) == (401, 1, "true")
        assert "Sync" not in answer
        held = kind.held(there, b"k", table(kind))
        assert held.version == 1 and not held.flags & batch.HINTED
    for asked in TABLED:
        for tabled in TABLED:
            if asked is not tabled:
                answer = asked.put(cluster.ha, b"k", tb=table(tabled))
                assert answer.status == 412 and "Sync" not in answer


@pytest.mark.parametrize("master", (1, 2))
def test_deciding_writes_with_one_master_known_to_be_down(cluster, master):
    """The other one decides; what it decided waits for the one that is away."""
    away, there = pair(cluster, master)
    away.kill()
    for kind in KINDS:
        answer = kind.put(cluster.ha, b"k", kind.value(2), tb=table(kind), ver=1)
        assert (answer.status, answer.ver, answer["Sync"]) == (200, 2, away.address), kind
        assert kind.held(there, b"k", table(kind)).flags & batch.HINTED
    for kind in VALUED:
        tag = kind.get(cluster.ha, b"k", tb=table(kind))["ETag"]
        answer = kind.put(cluster.ha, b"k", kind.value(3), tb=table(kind),
                          headers=[("If-Match", tag)])
        assert (answer.status, answer.ver, answer["Sync"]) == (200, 3, away.address), kind
    answer = cluster.ha.call("hincrby", tb=table(HASH), key=b"n", val=5)
    assert (answer.status, answer.body, answer["Sync"]) == (200, b"5", away.address)
    answer = cluster.ha.call("zadd", tb=table(ZSET), key=b"n", score=5, opt=1)
    assert (answer.status, answer.body, answer["Sync"]) == (200, b"5", away.address)
    answer = KV.delete(cluster.ha, b"k", ver=3)
    assert (answer.status, answer.ver, answer["Sync"]) == (200, 3, away.address)


def deciding_writes(cluster):
    yield KV, b"k", lambda: KV.put(cluster.ha, b"k", b"decided", ver=1)
    yield HASH, b"n", lambda: cluster.ha.call("hincrby", tb=table(HASH), key=b"n", val=1)
    yield ZSET, b"n", lambda: cluster.ha.call("zadd", tb=table(ZSET), key=b"n", score=1, opt=1)


@pytest.mark.parametrize("index", (0, 1, 2))
def test_a_deciding_write_of_unknown_fate_is_not_sent_elsewhere(cluster, index):
    """master1 is silent: it may have executed, so nobody else does."""
    kind, key, write = list(deciding_writes(cluster))[index]
    before = kind.held(cluster.node2, key, table(kind))
    cluster.node1.pause()
    answer = write()
    assert answer.status == 503
    assert answer.body.endswith(b"\n") and answer["Content-Type"].startswith("text/plain")
    assert kind.held(cluster.node2, key, table(kind)) == before
    cluster.node1.resume()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_versions_go_on_from_the_survivor(cluster, kind):
    tb = table(kind)
    cluster.node1.kill()
    for number in (2, 3, 4):
        assert kind.put(cluster.ha, b"k", kind.value(number), tb=tb).ver == number
    cluster.node1.start()
    cluster.wait_up()
    answer = kind.put(cluster.ha, b"k", kind.value(5), tb=tb)
    assert (answer.status, answer.ver) == (200, 5), "the larger of the two"
    assert kind.get(cluster.ha, b"k", tb=tb).body == kind.value(5)


@pytest.mark.parametrize("missed", (1, 2))
def test_a_master_that_refuses_what_the_other_stored_missed_it(make_cluster, missed):
    """The name is a table of another type there: 200 with Sync, not 412."""
    cluster = make_cluster()
    other, there = pair(cluster, missed)
    tb = b"down:conflict"
    assert other.call("zadd", tb=tb, key=b"x", score=1).status == 200
    for kind in (HASH, SET):
        if kind is SET:
            there.call("hdel", tb=tb, key=b"k")
        answer = kind.put(cluster.ha, b"k", tb=tb)
        assert (answer.status, answer.ver, answer["Sync"]) == (200, 1, other.address)
        assert kind.held(there, b"k", tb).flags & batch.HINTED
        assert kind.get(cluster.ha, b"k", tb=tb).status == 200


def test_a_master_that_comes_back_gets_every_write_again(cluster):
    cluster.node2.kill()
    assert "Sync" in KV.put(cluster.ha, b"k", b"2")
    cluster.node2.start()
    cluster.wait_up()
    for kind in KINDS:
        answer = kind.put(cluster.ha, b"after", tb=table(kind))
        assert answer.status == 200 and "Sync" not in answer
        assert kind.read2(cluster.ha, b"after", tb=table(kind)).status == 200


def test_an_acknowledged_write_survives_a_crash_of_both_masters(cluster):
    """200 means stable storage of both, also when everything dies at once."""
    for number in range(50):
        for kind in KINDS:
            answer = kind.put(cluster.ha, b"crash:%d" % number, tb=table(kind))
            assert answer.status == 200 and "Sync" not in answer
    for node in cluster.nodes:
        node.kill()
    cluster.ha.kill()
    for node in cluster.nodes:
        node.start()
    cluster.ha.start()
    for number in range(50):
        for kind in KINDS:
            answer = kind.read2(cluster.ha, b"crash:%d" % number, tb=table(kind))
            assert (answer.status, answer.body, answer.ver) == (200, kind.value(1), 1)

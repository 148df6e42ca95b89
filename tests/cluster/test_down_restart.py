"""What HA must know although it was not there when it happened: restarts, reloads, a second HA
(HTTP contract 3.2: a master that is catching up is asked last)."""

import pytest

from hustlib import Ha, batch, until
from hustlib.kinds import KINDS, KV

QUICK = "hustdb_ha_connect_timeout 200ms; hustdb_ha_timeout 300ms;"


def table(kind):
    return b"restart:" + kind.name.encode()


@pytest.fixture
def cluster(make_cluster):
    """master1 has missed writes, and is back. The hints are old enough to be told to everybody:
    a young one may belong to a write that is still under way."""
    cluster = make_cluster(ha_options={"http": QUICK})
    for kind in KINDS:
        assert kind.put(cluster.ha, b"k", kind.value(1), tb=table(kind)).status == 200
    cluster.node1.kill()
    for kind in KINDS:
        for key in (b"k", b"missed"):
            answer = kind.put(cluster.ha, key, kind.value(2), tb=table(kind))
            assert answer["Sync"] == cluster.node1.address
    cluster.node1.start()
    cluster.wait_up()
    until(lambda: backlog(cluster.node2, cluster.node1) >= 2 * len(KINDS),
          "the hints are counted", 4)
    return cluster


def backlog(node, missed):
    """How many elements a node says it keeps for another one."""
    answer = node.call("batch", "POST", batch.encode_request([]))
    return batch.decode_reply(answer.body).backlogs.get(missed.address, 0)


def assert_fresh(ha, times=20):
    """No stale value and no believed absence, on new connections, so from every worker."""
    for _ in range(times):
        for kind in KINDS:
            for key in (b"k", b"missed"):
                answer = kind.get(ha, key, tb=table(kind))
                assert (answer.status, answer.body) == (200, kind.value(2)), (kind, key, answer)
        ha.close_clients()


def test_after_a_restart_of_ha(cluster):
    for _ in range(3):
        cluster.ha.kill()
        cluster.ha.start()
        assert_fresh(cluster.ha)


def test_after_a_reload(cluster):
    for _ in range(3):
        cluster.ha.reload()
        assert_fresh(cluster.ha)


def test_after_a_restart_of_the_master_that_holds_the_hints(cluster):
    cluster.node2.kill()
    cluster.node2.start()
    cluster.wait_up()
    assert_fresh(cluster.ha)


def test_a_second_ha(cluster):
    """It has never seen the outage; the masters know."""
    with Ha(cluster.table_path, "second", http=QUICK) as second:
        assert_fresh(second)
        answer = KV.read2(second, b"k")
        if answer.status == 409:  # not delivered yet
            assert (answer["Newer"], answer["Sync-Pending"]) == ("2", cluster.node1.address)
        else:
            assert (answer.status, answer.body) == (200, KV.value(2))
        second.check_log()


def test_a_second_ha_that_was_idle_during_the_outage(make_cluster):
    """It never talks to master2 by itself, as long as master1 answers: it must ask all the same."""
    cluster = make_cluster(ha_options={"http": QUICK})
    with Ha(cluster.table_path, "second", http=QUICK) as second:
        KV.put(cluster.ha, b"k", b"old")
        assert KV.get(second, b"k").body == b"old"
        cluster.node1.kill()
        assert KV.put(cluster.ha, b"k", b"new")["Sync"] == cluster.node1.address
        cluster.node1.start()
        cluster.wait_up()
        until(lambda: KV.get(second, b"k").body == b"new", "the second HA has heard of it", 4)
        for _ in range(50):
            assert KV.get(second, b"k").body == b"new"
            second.close_clients()
        second.check_log()


def test_the_version_goes_on_after_a_restart_of_ha(cluster):
    """Deciding writes are not decided by a master that missed something."""
    cluster.ha.kill()
    cluster.ha.start()
    for kind in KINDS:
        answer = kind.put(cluster.ha, b"k", kind.value(3), tb=table(kind), ver=2)
        assert (answer.status, answer.ver) == (200, 3), kind
        assert kind.get(cluster.ha, b"k", tb=table(kind)).body == kind.value(3)


def test_only_the_section_of_the_dead_masters_suffers(make_cluster):
    cluster = make_cluster(pairs=2, ha_options={"http": QUICK})
    keys = [b"section:%d" % number for number in range(40)]
    for key in keys:
        assert cluster.ha.call("put", key=key, val=key).status == 200
    for node in cluster.nodes[:2]:
        node.kill()
    for key in keys:
        dead = cluster.masters(key)[0] is cluster.node1
        assert cluster.ha.call("get", key=key).status == (503 if dead else 200)
        assert cluster.ha.call("get2", key=key).status == (503 if dead else 200)
        answer = cluster.ha.call("put", key=key, val=b"new")
        assert answer.status == (503 if dead else 200) and "Sync" not in answer

"""Reads and comparisons while a master is away (HTTP contract 3.1 and 3.2)."""

import pytest

from hustlib import until
from hustlib.kinds import KINDS, VALUED

# Short, so that silence is noticed soon.
QUICK = "hustdb_ha_connect_timeout 200ms; hustdb_ha_timeout 300ms;"

ABSENT = b"down:absent"


@pytest.fixture
def cluster(make_cluster):
    cluster = make_cluster(ha_options={"http": QUICK})
    for kind in KINDS:
        assert kind.put(cluster.ha, b"k", tb=table(kind)).status == 200
    return cluster


def table(kind):
    return b"down:" + kind.name.encode()


def is_503(answer):
    """503 with one line of text."""
    return (answer.status == 503 and answer["Content-Type"].startswith("text/plain")
            and answer.body.endswith(b"\n") and answer.body.count(b"\n") == 1)


@pytest.mark.parametrize("master", (1, 2))
@pytest.mark.parametrize("how", ("kill", "pause"))
def test_read_fails_over(cluster, master, how):
    away = cluster.nodes[master - 1]
    getattr(away, how)()
    for kind in KINDS:
        for ask in (kind.get, kind.exist):
            answer = ask(cluster.ha, b"k", tb=table(kind))
            assert (answer.status, answer.ver) == (200, 1), (kind, answer)
        assert kind.get(cluster.ha, b"k", tb=table(kind)).body == kind.value(1)
    away.resume()


@pytest.mark.parametrize("master", (1, 2))
@pytest.mark.parametrize("how", ("kill", "pause"))
def test_comparison_is_impossible(cluster, master, how):
    away = cluster.nodes[master - 1]
    getattr(away, how)()
    for kind in KINDS:
        for key in (b"k", ABSENT):
            for ask in (kind.read2, kind.exist2):
                answer = ask(cluster.ha, key, tb=table(kind))
                assert is_503(answer), (kind, answer)
                assert answer["Unreachable"] == away.address
                assert int(answer["Retry-After"]) >= 0
                assert not {"Version", "Version1", "Val-Offset", "ETag"} & \
                    {name for name, _ in answer.headers}
    away.resume()


@pytest.mark.parametrize("master", (1, 2))
def test_absent_and_one_master_down(cluster, master):
    """The one that answers is up to date, so it is believed."""
    cluster.nodes[master - 1].kill()
    for kind in KINDS:
        for ask in (kind.get, kind.exist):
            answer = ask(cluster.ha, ABSENT, tb=table(kind))
            assert (answer.status, answer.ver, answer.body) == (404, 0, b""), kind
        answer = kind.get(cluster.ha, b"k", tb=b"down:no:such:table")
        assert answer.status == (200 if not kind.has_table else 404)


def test_both_masters_down(cluster):
    for node in cluster.nodes:
        node.kill()
    for kind in KINDS:
        tb = table(kind)
        for answer in (kind.get(cluster.ha, b"k", tb=tb), kind.exist(cluster.ha, b"k", tb=tb),
                       kind.put(cluster.ha, b"k", tb=tb), kind.delete(cluster.ha, b"k", tb=tb),
                       kind.put(cluster.ha, b"k", tb=tb, ver=1)):
            assert is_503(answer), answer
        for answer in (kind.read2(cluster.ha, b"k", tb=tb), kind.exist2(cluster.ha, b"k", tb=tb)):
            assert is_503(answer), answer
            assert "Retry-After" in answer and "Unreachable" in answer
    assert cluster.ha.call("status.html").body == b"ok"
    assert cluster.ha.call("peer_count").body == b"2"
    for node in cluster.nodes:
        node.start()
    cluster.wait_up()
    for kind in KINDS:
        assert kind.get(cluster.ha, b"k", tb=table(kind)).status == 200


def test_ha_starts_before_its_nodes(make_cluster):
    cluster = make_cluster(ha_options={"http": QUICK})
    cluster.ha.stop()
    for node in cluster.nodes:
        node.stop()
    cluster.ha.start()
    assert is_503(cluster.ha.call("get", key=b"k"))
    for node in cluster.nodes:
        node.start()
    cluster.wait_up()
    assert cluster.ha.call("get", key=b"k").status == 404
    assert cluster.ha.call("get2", key=b"k").status == 404


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_master_that_missed_writes_is_asked_last(cluster, kind):
    """Whatever it held is stale now, and is not served at any moment after its return."""
    tb = table(kind)
    cluster.node1.kill()
    fresh = b"down:fresh"
    assert kind.put(cluster.ha, b"k", kind.value(2), tb=tb)["Sync"] == cluster.node1.address
    assert kind.put(cluster.ha, fresh, kind.value(3), tb=tb)["Sync"] == cluster.node1.address
    cluster.node1.spawn()

    def still_right():
        answer = kind.get(cluster.ha, b"k", tb=tb)
        assert (answer.status, answer.body, answer.ver) == (200, kind.value(2), 2)
        answer = kind.get(cluster.ha, fresh, tb=tb)
        assert (answer.status, answer.body, answer.ver) == (200, kind.value(3), 1)

    def both_compared():
        still_right()
        return kind.read2(cluster.ha, b"k", tb=tb).status != 503

    until(both_compared, "the master is back", 4)
    cluster.node1.wait_ready()
    cluster.wait_up()
    for _ in range(200):
        still_right()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_absent_on_a_master_that_missed_writes_is_not_believed(cluster, kind):
    """It may be exactly what it missed: nobody knows while the other master is away."""
    tb = table(kind)
    cluster.node1.kill()
    assert "Sync" in kind.put(cluster.ha, b"missed", tb=tb)
    cluster.node1.start()
    cluster.wait_up()
    assert kind.get(cluster.ha, b"missed", tb=tb).status == 200
    cluster.node2.kill()
    answer = kind.get(cluster.ha, b"missed", tb=tb)
    assert is_503(answer), answer
    assert is_503(kind.exist(cluster.ha, ABSENT, tb=tb))
    # What it has is better than nothing.
    assert kind.get(cluster.ha, b"k", tb=tb).status == 200


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("missed", (1, 2))
def test_what_is_waiting_for_a_master_is_named(cluster, kind, missed):
    """Sync-Pending, after a master missed a write; Newer names the other one."""
    tb = table(kind)
    away, there = cluster.nodes[missed - 1], cluster.nodes[2 - missed]
    away.kill()
    assert kind.put(cluster.ha, b"k", kind.value(2), tb=tb)["Sync"] == away.address
    away.start()
    cluster.wait_up()
    answer = kind.read2(cluster.ha, b"k", tb=tb)
    assert answer.status == 409
    assert answer["Sync-Pending"] == away.address
    assert answer["Newer"] == str(3 - missed)
    versions = ("1", "2") if missed == 1 else ("2", "1")
    assert (answer["Version1"], answer["Version2"]) == versions
    # The hint is durable: it is there after a crash as well.
    there.kill()
    there.start()
    cluster.wait_up()
    assert kind.read2(cluster.ha, b"k", tb=tb)["Sync-Pending"] == away.address


@pytest.mark.parametrize("kind", VALUED, ids=str)
def test_a_deletion_that_a_master_missed(cluster, kind):
    tb = table(kind)
    cluster.node1.kill()
    answer = kind.delete(cluster.ha, b"k", tb=tb)
    assert (answer.status, answer.ver, answer["Sync"]) == (200, 1, cluster.node1.address)
    cluster.node1.spawn()

    def gone():
        assert kind.get(cluster.ha, b"k", tb=tb).status == 404
        return kind.read2(cluster.ha, b"k", tb=tb).status != 503

    until(gone, "the master is back", 4)
    cluster.node1.wait_ready()
    cluster.wait_up()
    for _ in range(100):
        assert kind.get(cluster.ha, b"k", tb=tb).status == 404
    answer = kind.read2(cluster.ha, b"k", tb=tb)
    assert answer.status == 409
    assert (answer["Version1"], answer["Version2"], answer["Newer"]) == ("1", "0", "2")
    assert answer["Sync-Pending"] == cluster.node1.address

"""The shortest proof that everything is there: two masters, HA, one write, one comparison."""

import pytest

from hustlib.kinds import KINDS


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_write_reaches_both_masters(cluster, kind):
    key = b"smoke"
    tb = b"smoke:" + kind.name.encode()
    answer = kind.put(cluster.ha, key, tb=tb)
    assert answer.status == 200 and answer.ver == 1
    for program in (cluster.ha, *cluster.nodes):
        got = kind.get(program, key, tb=tb)
        assert (got.status, got.body, got.ver) == (200, kind.value(1), 1)
    both = kind.read2(cluster.ha, key, tb=tb)
    assert (both.status, both.body, both.ver) == (200, kind.value(1), 1)
    assert kind.delete(cluster.ha, key, tb=tb).status == 200
    assert kind.exist(cluster.ha, key, tb=tb).status == 404
    for node in cluster.nodes:
        # On a node the table went with its last element.
        assert kind.exist(node, key, tb=tb).status == (412 if kind.has_table else 404)
    assert kind.read2(cluster.ha, key, tb=tb).status == 404


def test_with_several_sections(make_cluster):
    cluster = make_cluster(pairs=2)
    for number in range(64):
        key = b"section:%d" % number
        assert cluster.ha.call("put", key=key, val=key).status == 200
        owners = cluster.masters(key)
        for node in cluster.nodes:
            assert node.call("get", key=key).status == (200 if node in owners else 404)
        assert cluster.ha.call("get2", key=key).body == key


def test_a_sorted_set_lives_whole_in_the_bucket_of_its_table(make_cluster):
    cluster = make_cluster(pairs=2)
    tb = b"board"
    members = [b"%d:member" % number for number in range(32)]
    assert len({cluster.masters(member) for member in members}) == 2
    owners = cluster.masters(b"", tb=tb, sorted_set=True)
    for member in members:
        assert cluster.ha.call("zadd", tb=tb, key=member, score=5).status == 200
        for node in cluster.nodes:
            expected = 200 if node in owners else 412
            assert node.call("zscore", tb=tb, key=member).status == expected


def test_elements_of_a_hash_and_a_set_live_in_the_bucket_of_their_key(make_cluster):
    cluster = make_cluster(pairs=2)
    for number in range(32):
        key = b"field:%d" % number
        assert cluster.ha.call("hset", tb="h", key=key, val=b"v").status == 200
        assert cluster.ha.call("sadd", tb="s", key=key).status == 200
        owners = cluster.masters(key)
        for node in cluster.nodes:
            held = node in owners
            assert (node.call("hget", tb="h", key=key).status == 200) == held
            assert (node.call("sismember", tb="s", key=key).status == 200) == held

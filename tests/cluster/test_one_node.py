"""The calls that ask one node, named by `peer` (HTTP contract 3)."""

import json

import pytest

from hustlib import refusals

NAMES = ("stat", "stat_all", "file_count")


@pytest.mark.parametrize("peer", (0, 1))
def test_the_node_of_that_number_is_asked(make_cluster, peer):
    cluster = make_cluster()
    node = cluster.nodes[peer]
    node.call("put", key=b"k", val=b"12345")
    node.call("hset", tb="h", key=b"k", val=b"12345")
    for index in (0, 1):
        answer = cluster.ha.call("stat", peer=index)
        assert answer.status == 200
        assert answer["Content-Type"].split(";")[0] == "application/json"
        count = json.loads(answer.body)["TOTALIZE"]["KVPAIR"]["count"]
        assert count == (1 if index == peer else 0)
    for name in NAMES:
        answer = cluster.ha.call(name, peer=peer)
        assert (answer.status, answer.body) == (200, node.call(name).body)
    assert cluster.ha.call("stat", peer=peer, tb="h").body == node.call("stat", tb="h").body
    assert cluster.ha.call("stat", peer=1 - peer, tb="h").status == 412


@pytest.mark.parametrize("name", NAMES)
def test_bad_input(cluster, name):
    for query in ("", "?peer=", "?peer=2", "?peer=x", "?peer=-1", "?peer=%2B1", "?peer=0&peer=1",
                  "?peer=99999999999999999999", "?peer"):
        answer = cluster.ha.request("GET", f"/{name}{query}")
        assert answer.status == 400, query
        refusals.assert_one_line(answer, "peer")
    answer = cluster.ha.call(name, "POST", peer=0)
    assert (answer.status, answer["Allow"]) == (405, "GET")


def test_bad_input_of_the_call_itself(cluster):
    for bad in ("", "a%20b", "x" * 65):
        answer = cluster.ha.request("GET", f"/stat?peer=0&tb={bad}")
        assert answer.status == 400
        refusals.assert_one_line(answer, "tb")


@pytest.mark.parametrize("how", ("kill", "pause"))
def test_a_node_that_is_down(make_cluster, how):
    cluster = make_cluster(ha_options={
        "http": "hustdb_ha_connect_timeout 200ms; hustdb_ha_timeout 300ms;"})
    getattr(cluster.node1, how)()
    for name in NAMES:
        assert cluster.ha.call(name, peer=0).status == 503
        assert cluster.ha.call(name, peer=1).status == 200
    cluster.node1.resume()

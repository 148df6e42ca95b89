"""Bad input at HA (HTTP contract 1): refused with the parameter's name, and HA goes on."""

import pytest

from hustlib import refusals
from hustlib.calls import HA_CALLS
from hustlib.http import request_bytes


@pytest.mark.parametrize("check", refusals.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("call", HA_CALLS, ids=str)
def test_matrix(cluster, call, check):
    check(cluster.ha, "/", call)


def test_unknown_paths(cluster):
    refusals.unknown_paths(cluster.ha, refusals.UNKNOWN_PATHS)
    # The calls of nodes are not offered under their long names.
    refusals.unknown_paths(cluster.ha, ["/hustdb/get", "/hustdb/put", "/hustdb/batch", "/batch",
                                        "/binlog"])


def test_garbage(cluster):
    refusals.garbage(cluster.ha, "/")


def test_half_requests(cluster):
    refusals.half_requests(cluster.ha, "/")


def test_a_refused_write_changes_nothing(cluster):
    cluster.ha.call("put", key=b"bad:unchanged", val=b"before")
    for target in ("/put?key=bad:unchanged&val=after&ttl=abc",
                   "/put?key=bad:unchanged&val=after&ver=-1",
                   "/put?key=bad:unchanged&val=after&val=after"):
        assert cluster.ha.request("GET", target).status == 400
    assert cluster.ha.call("del", "POST", key=b"bad:unchanged", ver=b"x").status == 400
    answer = cluster.ha.call("get2", key=b"bad:unchanged")
    assert (answer.status, answer.body, answer.ver) == (200, b"before", 1)


def test_unknown_parameters_are_ignored(cluster):
    answer = cluster.ha.request("GET", "/put?x=1&key=bad:unknown&y&val=v&x=2&=&&z=%41")
    assert answer.status == 200
    assert cluster.ha.request("GET", "/get2?&&key=bad:unknown&&").body == b"v"


def test_only_ampersands_separate_and_a_plus_is_a_plus(cluster):
    assert cluster.ha.request("GET", "/put?key=bad+a;val=x&val=v+w;ttl=5").status == 200
    answer = cluster.ha.call("get2", key=b"bad+a;val=x")
    assert (answer.status, answer.body) == (200, b"v+w;ttl=5")


def test_a_question_mark_in_a_parameter(cluster):
    """The original cut keys at it."""
    assert cluster.ha.request("GET", "/put?key=bad?a?b&val=c?d").status == 200
    answer = cluster.ha.call("get2", key=b"bad?a?b")
    assert (answer.status, answer.body) == (200, b"c?d")


@pytest.mark.parametrize("value", ("*, *", '"0', "0", '"zz"', "", '"", ""'))
def test_a_malformed_condition_of_a_write(cluster, value):
    key = b"bad:condition"
    cluster.ha.call("put", key=key, val=b"v")
    before = cluster.ha.call("get2", key=key).headers
    answer = cluster.ha.call("put", key=key, val=b"w", headers=[("If-Match", value)])
    assert answer.status in (400, 412), answer
    assert dict(cluster.ha.call("get2", key=key).headers)["Version"] == dict(before)["Version"]


def test_a_body_too_large(make_cluster):
    cluster = make_cluster(ha_options={"body_maximum": "1m"})
    limit = 2**20
    assert cluster.ha.call("put", "PUT", b"x" * limit, key=b"k").status == 200
    answer = cluster.ha.call("put", "PUT", b"x" * (limit + 1), key=b"k")
    assert answer.status == 413
    assert cluster.ha.call("get", key=b"k").body == b"x" * limit


def test_a_body_larger_than_the_nodes_take(make_cluster):
    """HA lets more through than its nodes do: still 413, on no master, and no missed write."""
    cluster = make_cluster(node_options={"max_body_size": "1M"})
    assert cluster.ha.call("put", key=b"k", val=b"v").status == 200
    answer = cluster.ha.call("put", "PUT", b"x" * (3 * 2**20), key=b"k")
    assert answer.status == 413 and "Sync" not in answer
    answer = cluster.ha.call("get2", key=b"k")
    assert (answer.status, answer.body, answer.ver) == (200, b"v", 1)


def test_a_line_too_long(cluster):
    for size in (90_000, 200_000):
        refusals.too_long(cluster.ha, "/", request_bytes("GET", "/get?key=" + "k" * size),
                          (400, 414))


def test_headers_too_large(cluster):
    refusals.too_long(cluster.ha, "/",
                      request_bytes("GET", "/get?key=k", [("X", "y" * 90_000)]), (400, 431))

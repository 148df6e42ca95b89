"""hustdb_ha_legacy_status (HTTP contract 3.5): what the original did not have becomes its 404."""

import pytest

from hustlib import Cluster, until, watch

QUICK = "hustdb_ha_connect_timeout 200ms; hustdb_ha_timeout 300ms;"
MODERN = "location /modern/ { hustdb_ha; hustdb_ha_legacy_status off; }"


@pytest.fixture(scope="module")
def both():
    """A cluster that is legacy at / and not at /modern/."""
    with watch.running(Cluster(ha_options={
            "http": QUICK, "server": "hustdb_ha_legacy_status on;", "locations": MODERN})) as made:
        yield made


def compare(cluster, path, modern, legacy, method="GET", headers=(), body=None):
    """The answers of both locations to a request that changes nothing."""
    new = cluster.ha.request(method, "/modern" + path, headers, body)
    old = cluster.ha.request(method, path, headers, body)
    assert (new.status, old.status) == (modern, legacy), (path, new, old)
    if modern == legacy:
        assert old.body == new.body
    else:
        assert old.body == b"" and old["Content-Length"] == "0", old
    return new, old


def test_what_is_kept(both):
    for path in ("/put?key=l&val=v", "/hset?tb=l:h&key=l&val=x"):
        assert both.ha.request("GET", path).status == 200
    both.node2.call("put", key=b"apart", val=b"two")
    both.node1.call("put", key=b"apart", val=b"one")
    for path, status in (
            ("/get?key=l", 200), ("/get2?key=l", 200), ("/get?key=absent", 404),
            ("/put?key=l&val=w&ver=9", 401), ("/hincrby?tb=l:h&key=l&val=1", 403),
            ("/get2?key=apart", 409), ("/sadd?tb=l:h&key=l", 412), ("/nothing", 404)):
        compare(both, path, status, status)
    compare(both, "/get?key=l", 405, 405, method="PUT", body=b"")
    compare(both, "/put?key=l&val=w", 412, 412, headers=[("If-Match", '"%s"' % ("0" * 24))])


def test_what_is_folded(both):
    stored = both.ha.request("GET", "/put?key=f&val=v")
    compare(both, "/put?key=f", 400, 404)
    compare(both, "/get", 400, 404)
    compare(both, "/stat?peer=7", 400, 404)
    compare(both, "/get?key=f", 304, 404, headers=[("If-None-Match", stored["ETag"])])


def test_a_master_that_is_away(make_cluster):
    cluster = make_cluster(ha_options={
        "http": QUICK, "server": "hustdb_ha_legacy_status on;", "locations": MODERN})
    assert cluster.ha.call("put", key=b"k", val=b"v").status == 200
    cluster.node2.kill()
    until(lambda: "Sync" in cluster.ha.call("put", key=b"k", val=b"w"), "HA notices", 2)
    _, old = compare(cluster, "/get2?key=k", 503, 404)
    assert old["Unreachable"] == cluster.node2.address
    compare(cluster, "/stat?peer=1", 503, 404)
    cluster.node1.kill()
    until(lambda: cluster.ha.call("get", key=b"k").status == 404, "HA notices", 2)
    compare(cluster, "/get?key=k", 503, 404)

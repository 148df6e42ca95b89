"""Variables for log_format: $hustdb_call, $hustdb_bucket, $hustdb_master, $hustdb_outcome."""

from hustlib import bucket, until

HTTP = ("hustdb_ha_connect_timeout 200ms; hustdb_ha_timeout 300ms; log_format hustdb "
        "'$request_uri|$status|$hustdb_call|$hustdb_bucket|$hustdb_master|$hustdb_outcome';")
SERVER = "access_log access.log hustdb;"
ELSEWHERE = 'location = /stock { return 200 "x"; }'


def make(make_cluster, more=""):
    return make_cluster(ha_options={"http": HTTP, "server": SERVER + more,
                                    "locations": ELSEWHERE})


def logged(cluster, path, method="GET"):
    """What is logged of one request: status, call, bucket, masters, outcome."""
    log = cluster.ha.directory / "access.log"
    before = log.read_text().count("\n") if log.exists() else 0
    cluster.ha.request(method, path)

    def line():
        lines = [line for line in log.read_text().split("\n")[before:]
                 if line.startswith(path + "|")]
        return lines[0] if lines else None

    return tuple(until(line, f"{path} is logged").split("|")[1:])


def test_of_every_class(make_cluster):
    cluster = make(make_cluster)
    one, two = (node.address for node in cluster.nodes)
    at = str(bucket(b"k1"))
    assert at == "294"
    status, call, place, masters, outcome = logged(cluster, "/put?key=k1&val=v")
    assert (status, call, place, outcome) == ("200", "put", at, "ok")
    assert sorted(masters.split(", ")) == sorted([one, two])
    assert logged(cluster, "/get?key=k1") == ("200", "get", at, one, "ok")
    assert logged(cluster, "/get?key=a") == ("404", "get", "97", f"{one}, {two}", "absent")
    assert logged(cluster, "/hincrby?tb=t&key=k1&val=1") == (
        "200", "hincrby", at, f"{one}, {two}", "ok")
    assert logged(cluster, "/zadd?tb=test_table&key=k1&score=1")[2] == str(bucket(b"test_table"))
    assert logged(cluster, "/put?key=k1&val=v&ver=7") == ("401", "put", at, one, "refused")
    assert logged(cluster, "/stat?peer=1") == ("200", "stat", "-", two, "ok")
    assert logged(cluster, "/put?key=k1") == ("400", "put", "-", "-", "invalid")
    assert logged(cluster, "/get?key=k1", "DELETE") == ("405", "get", "-", "-", "invalid")
    assert logged(cluster, "/version") == ("200", "version", "-", "-", "ok")
    assert logged(cluster, "/nothing") == ("404", "-", "-", "-", "absent")
    assert logged(cluster, "/stock") == ("200", "-", "-", "-", "-")
    cluster.node1.call("put", key=b"k1", val=b"other")
    status, _, _, masters, outcome = logged(cluster, "/get2?key=k1")
    assert (status, outcome, len(masters.split(", "))) == ("409", "differ", 2)


def test_with_a_master_away_and_folded_status(make_cluster):
    cluster = make(make_cluster, "hustdb_ha_legacy_status on;")
    two = cluster.node2.address
    assert cluster.ha.call("put", key=b"k1", val=b"v").status == 200
    cluster.node1.kill()
    until(lambda: "Sync" in cluster.ha.call("put", key=b"k1", val=b"w"), "HA notices", 2)
    assert logged(cluster, "/put?key=k1&val=x") == ("200", "put", "294", two, "sync")
    assert logged(cluster, "/get?key=k1") == ("200", "get", "294", two, "ok")
    # Whatever the client is told, the log knows better.
    assert logged(cluster, "/get2?key=k1")[0::4] == ("404", "unreachable")
    assert logged(cluster, "/stat?peer=0") == ("404", "stat", "-", "-", "unreachable")
    assert logged(cluster, "/put?key=k1") == ("404", "put", "-", "-", "invalid")

"""What HA answers by itself (HTTP contract 3 and 3.5): version, status, peers, table."""

import json
import re
import socket

import pytest

from hustlib import Client, Ha, free_port, until


def test_version(cluster):
    answer = cluster.ha.call("version")
    assert answer.status == 200
    assert re.fullmatch(r"hustdbha \d+\.\d+\.\d+\S*", answer.text)
    node = cluster.node1.request("GET", "/version")
    assert node.text == answer.text.replace("hustdbha", "hustdb"), "one release"


def test_status(cluster):
    answer = cluster.ha.request("GET", "/status.html")
    assert (answer.status, answer.body) == (200, b"ok")


def test_peer_count(cluster):
    answer = cluster.ha.call("peer_count")
    assert (answer.status, answer.body) == (200, b"2")


def test_peer_count_of_distinct_nodes(make_cluster):
    assert make_cluster(pairs=3).ha.call("peer_count").body == b"6"


@pytest.mark.parametrize("pairs", (1, 3))
def test_get_table(make_cluster, pairs):
    cluster = make_cluster(pairs=pairs)
    answer = cluster.ha.call("get_table")
    assert answer.status == 200
    assert answer["Content-Type"].split(";")[0] == "application/json"
    assert json.loads(answer.body) == cluster.table()


def test_admin_is_off_by_default(make_cluster):
    cluster = make_cluster(ha_options={"admin": False})
    for method in ("GET", "POST"):
        answer = cluster.ha.call("get_table", method)
        assert (answer.status, answer.body) == (404, b"")


def test_admin_where_it_is_on(make_cluster):
    """On in one location, off in another."""
    cluster = make_cluster(ha_options={
        "admin": False,
        "locations": "location = /get_table { hustdb_ha; hustdb_ha_admin on; }"})
    assert cluster.ha.call("get_table").status == 200


def test_admin_answers_loopback_only(make_cluster):
    """The same server on another address of this machine: nobody but loopback is answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket sends nothing: it only chooses an address of ours.
            probe.connect(("192.0.2.1", 9))
            address = probe.getsockname()[0]
        except OSError:
            pytest.skip("this machine has no address but loopback")
    if address.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    port = free_port()
    cluster = make_cluster(ha_options={"server": f"listen {address}:{port};"})
    assert cluster.ha.call("get_table").status == 200
    with Client(port, host=address) as client:
        assert client.request("GET", "/status.html").body == b"ok"
        assert client.request("GET", "/get_table").status in (403, 404)


def test_sync_alive(cluster):
    answer = cluster.ha.call("sync_alive")
    assert (answer.status, answer.body) == (200, b"ok")


def test_wrong_methods(cluster):
    for name in ("version", "status.html", "peer_count", "get_table", "sync_alive"):
        for method in ("POST", "PUT", "DELETE"):
            answer = cluster.ha.call(name, method)
            assert answer.status == 405, (name, method)
            assert "GET" in answer["Allow"]


TABLES = {
    "no file": None,
    "no json": "{",
    "no table": "{}",
    "empty": '{"table":[]}',
    "gap": '[[0,500],[501,1024]]',
    "overlap": '[[0,513],[512,1024]]',
    "starts late": '[[1,1024]]',
    "ends early": '[[0,1023]]',
    "beyond": '[[0,1025]]',
    "backwards": '[[0,1024],[1024,1024]]',
    "strings": '[["0",1024]]',
}


def assert_refused(directory, text):
    """nginx -t says what is wrong with the table; without a file there is a reason as well."""
    table = directory / "table.json"
    if text is not None:
        table.write_text(text)
    ha = Ha(table)
    try:
        status, said = ha.check_config()
    finally:
        ha.close()
    assert status != 0 and "[emerg]" in said and str(table) in said


@pytest.mark.parametrize("what", TABLES)
def test_a_wrong_table_refuses_to_start(tmp_path, what):
    text = TABLES[what]
    if text is not None and text.startswith("["):
        text = json.dumps({"table": [
            {"item": {"key": key, "val": ["127.0.0.1:1", "127.0.0.1:2"]}}
            for key in json.loads(text)]})
    assert_refused(tmp_path, text)


@pytest.mark.parametrize("val", (["127.0.0.1:1"], ["127.0.0.1:1", "127.0.0.1:1"],
                                 ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"],
                                 ["127.0.0.1:1", "127.0.0.1"], ["127.0.0.1:1", "127.0.0.1:0"],
                                 ["127.0.0.1:1", "127.0.0.1:65536"], ["127.0.0.1:1", ":2"],
                                 ["127.0.0.1:1", 2], ["127.0.0.1:1", ""]), ids=str)
def test_a_wrong_pair_refuses_to_start(tmp_path, val):
    assert_refused(tmp_path, json.dumps({"table": [{"item": {"key": [0, 1024], "val": val}}]}))


def test_a_good_table_is_taken(tmp_path):
    """What the two tests above change is all that is wrong there."""
    (tmp_path / "table.json").write_text(json.dumps({"table": [
        {"item": {"key": [0, 512], "val": ["127.0.0.1:1", "127.0.0.1:2"]}},
        {"item": {"key": [512, 1024], "val": ["127.0.0.1:65535", "[::1]:1"]}}]}))
    ha = Ha(tmp_path / "table.json")
    try:
        assert ha.check_config()[0] == 0
    finally:
        ha.close()


def test_a_wrong_table_at_reload_changes_nothing(make_cluster):
    """nginx goes on with what it had, and says why."""
    cluster = make_cluster()
    cluster.ha.call("put", key=b"k", val=b"v")
    cluster.table_path.write_text("{")
    cluster.ha.reload(wait=False)
    until(lambda: "[emerg]" in cluster.ha.log, "the reason is logged", 2)
    cluster.ha.new_log_lines()  # this emerg is the expected one
    assert cluster.ha.call("get2", key=b"k").body == b"v"


def test_reload_keeps_serving(make_cluster):
    cluster = make_cluster()
    cluster.ha.call("put", key=b"k", val=b"v")
    for _ in range(3):
        cluster.ha.reload()
        answer = cluster.ha.call("get2", key=b"k")
        assert (answer.status, answer.body) == (200, b"v")


def test_stop_and_start(make_cluster):
    cluster = make_cluster()
    cluster.ha.call("put", key=b"k", val=b"v")
    assert cluster.ha.quit() == 0
    cluster.ha.start()
    assert cluster.ha.call("get2", key=b"k").body == b"v"
    assert cluster.ha.stop() == 0
    cluster.ha.start()
    assert cluster.ha.call("get2", key=b"k").body == b"v"

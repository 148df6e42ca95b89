"""set_table (HTTP contract 3.5): a new routing table without restart, kept over one."""

import json
import os
import threading

import pytest

from hustlib import LONG, bucket, until
from hustlib.descriptors import tcp_sockets
from hustlib.http import target
from hustload import ANY, Script, request

TURNS = 100 if LONG else 20
STATE = "hustdb_ha_state_dir state;"


def table(*sections):
    """Of (first bucket, end, master1, master2)."""
    return json.dumps({"table": [
        {"item": {"key": [first, end], "val": [one.address, two.address]}}
        for first, end, one, two in sections]})


def tables(cluster):
    """(all on the first pair, all on the second, half and half) of a cluster of two pairs."""
    one, two, three, four = cluster.nodes
    return (table((0, 1024, one, two)), table((0, 1024, three, four)),
            table((0, 512, one, two), (512, 1024, three, four)))


def set_table(cluster, text, status=200):
    answer = cluster.ha.call("set_table", body=text.encode())
    assert answer.status == status, answer
    return answer


def in_force(cluster):
    """The table as every worker has it: connections are spread over them."""
    seen = set()
    for _ in range(8 * cluster.ha.workers):
        with cluster.ha.client() as client:
            seen.add(client.request("GET", "/get_table").body)
    assert len(seen) == 1, seen
    return json.loads(seen.pop())


@pytest.fixture
def pairs(make_cluster):
    return make_cluster(pairs=2, ha_options={"http": STATE})


def test_in_force_for_every_worker_at_once(pairs):
    first, second, both = tables(pairs)
    for text in (first, second, both, both, first):
        answer = set_table(pairs, text)
        assert answer.body == b""
        assert in_force(pairs) == json.loads(text)
        assert pairs.ha.call("peer_count").body == b"%d" % (4 if text == both else 2)


def test_elements_are_where_the_table_says(pairs):
    first, second, _ = tables(pairs)
    for text, masters, others in ((first, pairs.nodes[:2], pairs.nodes[2:]),
                                  (second, pairs.nodes[2:], pairs.nodes[:2])):
        set_table(pairs, text)
        key = b"moved:%s" % masters[0].address.encode()
        assert pairs.ha.call("put", key=key, val=b"v").status == 200
        assert [node.call("get", key=key).status for node in masters] == [200, 200]
        assert [node.call("get", key=key).status for node in others] == [404, 404]
        assert pairs.ha.call("get2", key=key).body == b"v"


def test_a_wrong_table_changes_nothing(pairs):
    first, _, _ = tables(pairs)
    one, two, three, _ = pairs.nodes
    set_table(pairs, first)
    kept = (pairs.ha.directory / "state" / "routing.json").read_bytes()
    for text, reason in (
            ("", "body is empty"), ("{", "table: "), ("{}", "table"),
            (table((0, 512, one, two), (513, 1024, one, three)), "section 1: item.key"),
            (table((0, 512, one, two)), "end at 512"),
            (table((0, 1024, one, one)), "section 0: item.val"),
            (first.replace(two.address, "no.such.host.invalid:1"), "no.such.host.invalid")):
        answer = set_table(pairs, text, 400)
        assert reason in answer.text and answer.text.startswith("table: "), answer
        assert answer.text.count("\n") == 1
        assert in_force(pairs) == json.loads(first)
    assert set_table(pairs, " " * (1 << 20) + first, 413).text == "table: larger than 1 MiB\n"
    assert in_force(pairs) == json.loads(first)
    assert (pairs.ha.directory / "state" / "routing.json").read_bytes() == kept


def test_without_a_state_directory(make_cluster):
    cluster = make_cluster()
    answer = set_table(cluster, json.dumps(cluster.table()), 403)
    assert answer.text == "set_table needs a hustdb_ha_state_dir\n"


def test_only_for_operators(make_cluster):
    cluster = make_cluster(ha_options={"admin": False, "http": STATE})
    set_table(cluster, json.dumps(cluster.table()), 404)


def test_a_state_directory_that_cannot_be_written(pairs):
    first, _, both = tables(pairs)
    set_table(pairs, first)
    state = pairs.ha.directory / "state"
    (state / "routing.json.new").mkdir()
    answer = set_table(pairs, both, 500)
    assert "hustdb_ha_state_dir" in answer.text
    pairs.ha.new_log_lines()  # the reason, as [crit]
    assert in_force(pairs) == json.loads(first)
    (state / "routing.json.new").rmdir()
    set_table(pairs, both)


def test_it_survives_reload_and_restart(pairs):
    first, second, both = tables(pairs)
    set_table(pairs, second)
    pairs.ha.reload()
    assert in_force(pairs) == json.loads(second)
    set_table(pairs, first)
    assert pairs.ha.quit() == 0
    pairs.ha.start()
    assert in_force(pairs) == json.loads(first)
    # An operator's newer file wins, and is overtaken in turn.
    pairs.table_path.write_text(both)
    pairs.ha.reload()
    assert in_force(pairs) == json.loads(both)
    set_table(pairs, second)
    assert pairs.ha.stop() == 0
    pairs.ha.start()
    assert in_force(pairs) == json.loads(second)


def test_the_newer_file_wins_at_start(pairs):
    first, second, _ = tables(pairs)
    set_table(pairs, first)
    state = pairs.ha.directory / "state" / "routing.json"
    assert pairs.ha.quit() == 0
    pairs.table_path.write_text(second)
    now = os.stat(state).st_mtime_ns
    for age, wins in ((-10**9, first), (0, first), (10**9, second)):
        os.utime(pairs.table_path, ns=(now + age, now + age))
        pairs.ha.start()
        assert in_force(pairs) == json.loads(wins), age
        assert pairs.ha.quit() == 0
    os.utime(pairs.table_path, ns=(now - 10**9, now - 10**9))
    state.write_text("{")
    status, said = pairs.ha.check_config()
    assert status != 0 and str(state) in said


def test_a_node_that_left_keeps_no_connection(pairs):
    first, second, _ = tables(pairs)
    set_table(pairs, second)
    for number in range(50):
        with pairs.ha.client() as client:
            assert client.request("GET", f"/put?key=left:{number}&val=v").status == 200
    set_table(pairs, first)
    in_force(pairs)  # every worker has had a request since
    gone = {node.port for node in pairs.nodes[2:]}

    def closed():
        held = pairs.ha.node_connections(tcp_sockets(), gone)
        return not any(held.values())

    until(closed, "connections to nodes that left are closed", 2)


def test_many_at_once(pairs):
    """One after the other or refused as busy; in force is one that was accepted, everywhere."""
    wanted = tables(pairs)
    accepted = []

    def hammer(text):
        for _ in range(10):
            with pairs.ha.client() as client:
                answer = client.request("POST", "/set_table", body=text.encode())
            assert answer.status in (200, 503), answer
            if answer.status == 200:
                accepted.append(text)
            else:
                assert answer.text == "another set_table is at work\n"

    threads = [threading.Thread(target=hammer, args=(text,)) for text in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    now = in_force(pairs)
    assert now in [json.loads(text) for text in accepted]
    state = pairs.ha.directory / "state" / "routing.json"
    assert json.loads(state.read_text()) == now


def test_there_and_back_under_load(pairs, tmp_path):
    """From one pair to two and back, again and again, with the same data on all four nodes."""
    first, second, both = tables(pairs)
    keys = [b"turn:%d" % number for number in range(400)]
    assert {bucket(key) < 512 for key in keys} == {True, False}
    value = {key: key * 30 for key in keys}
    for text in (second, first):
        set_table(pairs, text)
        for key in keys:
            assert pairs.ha.call("put", key=key, body=value[key]).status == 200
    with Script(tmp_path, "turns") as script:
        for number in range(400000 if LONG else 80000):
            key = keys[number % len(keys)]
            if number % 10 == 0:
                script.add(request("POST", target("/put", key=key), value[key]), (200,), ANY,
                           ("!Sync",))
            else:
                name = "/get2" if number % 2 else "/get"
                script.add(request("GET", target(name, key=key)), (200,), value[key],
                           ("!Newer",))
    run = script.start(pairs.ha.address, clients=32)
    turns = 0
    try:
        run.wait_for(0)
        step = script.count // (TURNS + 2)
        for turn in range(TURNS):
            for text in (both, first):
                set_table(pairs, text)
                turns += 1
            assert run.running, "the load ended before the last turn"
            run.wait_for((turn + 1) * step)
        run.wait()
    finally:
        run.kill()
    assert turns == 2 * TURNS
    assert run.clean, run.explain()
    assert in_force(pairs) == json.loads(first)

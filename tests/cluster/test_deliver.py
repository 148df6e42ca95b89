"""Hint delivery: a master that missed writes gets them by itself when it is back (HTTP contract
3.3, 3.4 and 4)."""

import json
import random

import pytest

from hustlib import LONG, batch
from hustlib.batch import Result, decode_reply, encode_request
from hustlib.fake import FakeNode, http_answer
from hustlib.http import target
from hustlib.kinds import HASH, KINDS, KV, SET, ZSET
from hustlib.wait import next_instant, until
from hustload import ANY, Script, request

QUICK = "hustdb_ha_connect_timeout 200ms; hustdb_ha_timeout 300ms;"
READ = {KV: ("get2", "get"), HASH: ("hget2", "hget"), SET: ("sismember2", "sismember"),
        ZSET: ("zscore2", "zscore")}


@pytest.fixture
def cluster(make_cluster):
    return make_cluster(ha_options={"http": QUICK})


def backlogs(node):
    """target -> hints, as the node tells HA."""
    answer = node.caller.call("batch", "POST", body=encode_request([]))
    return decode_reply(answer.body).backlogs


def sync_status(node):
    answer = node.call("sync_status")
    assert answer.status == 200 and answer["Content-Type"] == "application/json"
    return json.loads(answer.body)


def in_step(cluster, elements, expected=8, conflicts=None):
    """Wait until both masters hold the same of every (kind, tb, key), with no hint left.

    `conflicts`: a list that is to receive the elements of which both hold two sides.
    """
    left = list(elements)
    differing = []

    def done():
        while left:
            ops = [batch.get(key, kind.type, tb if kind.has_table else b"")
                   for kind, tb, key in left[-500:]]
            held = zip(*(node.batch(ops) for node in cluster.nodes))
            held = list(held)
            disputed = [element for element, pair in zip(left[-500:], held)
                        if conflicts is not None and all(one.flags & batch.CONFLICT
                                                         for one in pair)]
            differing[:] = [(op.type, op.key, *pair) for op, pair in zip(ops, held)
                            if not is_equal(*pair, disputed)]
            if differing:
                return False
            if conflicts is not None:
                conflicts.extend(disputed)
            del left[-500:]
        return True

    try:
        until(done, "the masters are equal", expected)
    except AssertionError as error:
        raise AssertionError(f"{error}: {len(differing)} are not: {differing[:3]}") from None


def is_equal(one, two, disputed=()):
    """The same is held, and no hint says otherwise. An unknown table is an absent element."""
    absent = one.status in (404, 412) and two.status in (404, 412)
    explained = batch.HINTED if disputed else batch.HINTED | batch.MARKED | batch.CONFLICT
    return (absent or one.status == two.status) and \
        (one.stamp, one.version, one.value, one.expire_at_ms) == \
        (two.stamp, two.version, two.value, two.expire_at_ms) and \
        not (one.flags | two.flags) & explained


def check_reads(cluster, elements):
    """get2 of every element is 200 or 404 and nothing is pending."""
    for kind, tb, key in elements:
        answer = kind.read2(cluster.ha, key, tb=tb)
        assert answer.status in (200, 404) and "Sync-Pending" not in answer, (kind, key, answer)


def write_all(cluster, elements, number):
    """One write of every sort for each element in turn; a dict element -> (value or None)."""
    held = {}
    for index, (kind, tb, key) in enumerate(elements):
        ttl = 3600 if index % 3 == 0 else 0
        if index % 5 == 4:
            assert kind.delete(cluster.ha, key, tb=tb).status in (200, 404)
            held[kind, tb, key] = None
        else:
            assert kind.put(cluster.ha, key, kind.value(number + index), tb=tb,
                            ttl=ttl).status == 200
            held[kind, tb, key] = kind.value(number + index)
    return held


def make_elements(count):
    return [(kind, b"deliver:" + kind.name.encode(), b"k%d" % number)
            for number in range(count) for kind in KINDS]


@pytest.mark.parametrize("how", ("kill", "pause"))
@pytest.mark.parametrize("away", (0, 1))
def test_a_master_that_was_away_gets_what_it_missed(cluster, away, how):
    gone, there = cluster.nodes[away], cluster.nodes[1 - away]
    elements = make_elements(15)
    write_all(cluster, elements[::2], 1)
    getattr(gone, how)()
    held = write_all(cluster, elements, 2)
    for _ in range(3):
        assert cluster.ha.call("hincrby", tb=b"deliver:counters", key=b"n", val=7).status == 200
        assert cluster.ha.call("zadd", tb=b"deliver:scores", key=b"n", score=7,
                               opt=1).status == 200
    elements += [(HASH, b"deliver:counters", b"n"), (ZSET, b"deliver:scores", b"n")]
    gone.start() if how == "kill" else gone.resume()
    in_step(cluster, elements)
    check_reads_settle(cluster, elements)
    for (kind, tb, key), value in held.items():
        answer = kind.get(gone, key, tb=tb)
        if value is None:
            assert answer.status in (404, 412)
        else:
            assert (answer.status, answer.body) == (200, value)
    assert cluster.ha.call("hget2", tb=b"deliver:counters", key=b"n").body == b"21"
    assert cluster.ha.call("zscore2", tb=b"deliver:scores", key=b"n").body == b"21"
    assert gone.call("stat_all").body == there.call("stat_all").body, "the counters follow"
    until(lambda: not backlogs(there), "the list is empty", 4)


def check_reads_settle(cluster, elements):
    def up():
        return all(kind.read2(cluster.ha, key, tb=tb).status != 503
                   for kind, tb, key in elements[:4])

    until(up, "HA asks both masters again", 4)
    check_reads(cluster, elements)


def test_expiry_travels_along(cluster):
    cluster.node2.kill()
    assert "Sync" in cluster.ha.call("put", key=b"soon", val=b"x", ttl=3)
    assert "Sync" in cluster.ha.call("put", key=b"late", val=b"x", ttl=3600)
    cluster.node2.start()
    in_step(cluster, [(KV, b"", b"late")])
    assert cluster.node2.call("get", key=b"late").status == 200
    until(lambda: cluster.node1.call("get", key=b"soon").status == 404, "it expires", 4)
    assert cluster.node2.call("get", key=b"soon").status == 404
    assert cluster.ha.call("get2", key=b"soon").status == 404


def test_large_values_travel_too(make_cluster):
    cluster = make_cluster(node_options={"max_body_size": "4M"}, ha_options={"http": QUICK})
    values = {b"large%d" % n: bytes([n]) * (4 * 2**20 - n) for n in range(4)}
    values.update({b"small%d" % n: b"x" * n for n in range(50)})
    cluster.node2.kill()
    for key, value in values.items():
        assert "Sync" in cluster.ha.call("put", "PUT", body=value, key=key)
    cluster.node2.start()
    in_step(cluster, [(KV, b"", key) for key in values], 15)
    for key, value in values.items():
        assert cluster.node2.call("get", key=key).body == value


def test_both_sides_of_a_large_conflict_travel(make_cluster):
    """Two values of the largest size in one record."""
    cluster = make_cluster(node_options={"max_body_size": "2M"})
    one, two = b"1" * 2**21, b"2" * 2**21
    assert cluster.node1.call("put", "PUT", body=one, key=b"k").status == 200
    next_instant()
    assert cluster.node2.call("put", "PUT", body=two, key=b"k").status == 200
    hint(cluster.node1, cluster.node2)
    wait_conflict(cluster, b"k")
    answer = cluster.ha.call("get2", key=b"k")
    assert (answer.status, answer.body) == (409, one + two)
    until(lambda: not backlogs(cluster.node1), "nothing waits", 4)


def test_the_list_and_the_state_of_the_master_are_cleared(cluster):
    """sync_status tells what is done, and HA believes the master again within a second or so."""
    gone, there = cluster.node1, cluster.node2
    assert cluster.ha.call("put", key=b"k", val=b"0").status == 200
    gone.kill()
    for number in range(20):
        assert "Sync" in cluster.ha.call("put", key=b"k%d" % number, val=b"x")
    until(lambda: backlogs(there).get(gone.address) == 20, "they are old enough to count", 4)
    status = sync_status(there)
    assert status["status"][gone.address]["pending_items"] == 20
    assert status["total_status"]["pending_items"] == 20
    until(lambda: sync_status(there)["total_status"]["oldest_pending_seconds"] >= 2,
          "the oldest is two seconds old", 4)
    gone.start()
    until(lambda: not backlogs(there), "delivered", 4)
    status = sync_status(there)
    assert status["status"][gone.address] == status["total_status"]
    assert status["total_status"]["processed_items"] >= 20
    assert status["total_status"]["synced_items"] == 20
    assert status["total_status"]["pending_items"] == 0
    assert sync_status(gone)["total_status"]["processed_items"] == 0

    # master1 decides again: a node that is catching up does not.
    def decides():
        answer = cluster.ha.call("hincrby", tb=b"t", key=b"n", val=1)
        assert answer.status in (200, 503)
        return answer.status == 200 and \
            there.batch([batch.get(b"n", batch.HASH, b"t")])[0].flags & batch.HINTED == 0

    until(decides, "master1 decides", 6)


def test_a_direct_difference_with_a_hint_becomes_a_conflict(cluster):
    """Each master accepted a write that the other never saw: both keep both sides, until a write
    decides."""
    one, two, ha = cluster.node1, cluster.node2, cluster.ha
    assert ha.call("put", key=b"k", val=b"both").status == 200
    next_instant()
    assert one.call("put", key=b"k", val=b"first").status == 200
    next_instant()
    assert two.call("put", key=b"k", val=b"second").status == 200
    two.kill()
    next_instant()
    assert "Sync" in ha.call("put", key=b"k", val=b"third")
    two.start()
    wait_conflict(cluster, b"k")
    for node in (one, two):
        assert node.call("get", key=b"k").body == b"third", "the newer one, from either master"
    answer = ha.call("get2", key=b"k")
    assert (answer.status, answer.body) == (409, b"thirdsecond")
    assert answer["Newer"] == "1" and answer["Val-Offset"] == "5"
    assert "Sync-Pending" not in answer
    until(lambda: not backlogs(one), "it is no task any more", 4)
    for node in (one, two):
        node.restart()
    cluster.wait_up()
    assert ha.call("get2", key=b"k").body == b"thirdsecond", "a conflict is durable"
    version = max(KV.held(node, b"k").version for node in (one, two))
    answer = ha.call("put", key=b"k", val=b"decided")
    assert answer.status == 200 and answer.ver >= version + 1
    answer = ha.call("get2", key=b"k")
    assert (answer.status, answer.body) == (200, b"decided")
    in_step(cluster, [(KV, b"", b"k")])


def hint(node, missed):
    """Have the node bring the key to the one that missed it."""
    result, = node.batch([batch.Op(batch.HINT, b"k", target=missed.address.encode())])
    assert result.status == 200


def wait_conflict(cluster, key):
    def both_know():
        return all(KV.held(node, key).flags & batch.CONFLICT and
                   not KV.held(node, key).flags & batch.HINTED for node in cluster.nodes)

    until(both_know, "both hold both sides", 8)


def test_a_delete_against_a_write_is_a_conflict_too(cluster):
    one, two, ha = cluster.node1, cluster.node2, cluster.ha
    assert ha.call("put", key=b"k", val=b"both").status == 200
    next_instant()
    assert one.call("del", key=b"k").status == 200
    next_instant()
    assert two.call("put", key=b"k", val=b"second").status == 200
    hint(two, one)
    wait_conflict(cluster, b"k")
    answer = ha.call("get2", key=b"k")
    assert (answer.status, answer.body, answer["Newer"]) == (409, b"second", "2")
    assert answer["Version1"] == "0"
    assert ha.call("del", key=b"k").status == 200
    assert ha.call("get2", key=b"k").status == 404


def test_a_stale_copy_with_a_mark_is_no_conflict(cluster):
    """Written directly on one master alone: the other one merely lacks it."""
    assert cluster.ha.call("put", key=b"k", val=b"both").status == 200
    next_instant()
    assert cluster.node2.call("put", key=b"k", val=b"direct").status == 200
    assert cluster.ha.call("get2", key=b"k").status == 409
    hint(cluster.node1, cluster.node2)
    in_step(cluster, [(KV, b"", b"k")])
    assert cluster.ha.call("get2", key=b"k").body == b"direct"


def misbehaving():
    """What a peer may answer to a batch of reconciliations instead of a reply."""
    def refuse(ops):
        return [Result(507, 0, 0)] * len(ops)

    yield "refuses all", lambda ops: refuse(ops)
    yield "refuses one", lambda ops: [Result(507, 0, 0)] + agree(ops[1:])
    yield "hangs up", lambda ops: None
    yield "fails", lambda ops: http_answer(b"no", "500 Internal Server Error", "text/plain")
    yield "takes one at a time", lambda ops: agree(ops) if len(ops) == 1 else http_answer(
        b"large", "413 Content Too Large", "text/plain")
    yield "says too little", lambda ops: agree(ops[1:])
    yield "says too much", lambda ops: agree(ops + ops)
    yield "is no hustdb", lambda ops: http_answer(b"<html>")
    yield "gives no record", lambda ops: [Result(200, batch.STORED, 1, b"\x01\x07")] * len(ops)


def agree(ops):
    return [Result(200, batch.STORED, 1) for _ in ops]


@pytest.mark.parametrize("behave", [pytest.param(behave, id=name)
                                    for name, behave in misbehaving()])
def test_a_peer_that_misbehaves_is_tried_again(make_node, behave):
    """No hint is dropped unless the peer says that it holds the element."""
    asked = []
    agreed = set()

    def first_badly(ops):
        asked.append(len(ops))
        answer = agree(ops) if len(asked) > 6 else behave(ops)
        if isinstance(answer, list) and len(answer) == len(ops):
            agreed.update(op.key for op, result in zip(ops, answer)
                          if result.status == 200 and not result.value)
        return answer

    peer = FakeNode(first_badly).start()
    try:
        node = make_node(replicated=True, peers=[peer.address])
        ops = [batch.put(b"k%d" % number, b"x", flags=batch.SOLO, target=peer.address.encode())
               for number in range(5)]
        node.batch(ops)
        until(lambda: asked, "the peer is asked", 4)
        until(lambda: sync_status(node)["total_status"]["synced_items"] == 5
              or len(asked) > 6, "it is asked again", 20)
        until(lambda: not backlogs(node), "in the end all are delivered", 8)
        for op in ops:
            assert op.key in agreed
            held = node.batch([batch.get(op.key)])[0]
            assert held.value == b"x" and not held.flags & batch.HINTED
    finally:
        peer.close()


def test_a_hint_is_kept_when_a_write_comes_between(make_node):
    """The peer agrees on what it was shown, which is not what is held any more."""
    asked = []

    def agree_too_late(ops):
        asked.append(ops)
        if len(asked) == 1:
            node.batch([batch.put(b"k", b"newer")])
        elif len(asked) == 2:
            held.append(node.batch([batch.get(b"k")])[0])
        return agree(ops)

    held = []
    peer = FakeNode(agree_too_late).start()
    try:
        node = make_node(replicated=True, peers=[peer.address])
        node.batch([batch.put(b"k", b"x", flags=batch.SOLO, target=peer.address.encode())])
        until(lambda: len(asked) >= 2, "it is shown again", 8)
        assert held[0].value == b"newer" and held[0].flags & batch.HINTED
        assert b"newer" in asked[1][0].value
        until(lambda: not backlogs(node), "now they agree", 4)
    finally:
        peer.close()


def outage_script(directory, name, seed, count):
    """Writes and deletes of random elements; element -> its last value is not known: they race."""
    pick = random.Random(seed)
    with Script(directory, name) as script:
        for number in range(count):
            kind = pick.choice(KINDS)
            tb = b"kills:" + kind.name.encode()
            where = {"key": b"k%d" % pick.randrange(count // 2)}
            if kind.has_table:
                where["tb"] = tb
            if kind.has_value:
                where[kind.value_param] = kind.value(number)
            if pick.random() < 0.15:
                where.pop(kind.value_param, None)
                script.add(request("GET", target("/" + kind.del_call, **where)), (200, 404, 503),
                           ANY)
            else:
                script.add(request("GET", target("/" + kind.put_call, **where)), (200, 503), ANY)
    return script


def all_elements(count):
    return [(kind, b"kills:" + kind.name.encode(), b"k%d" % number)
            for number in range(count // 2) for kind in KINDS]


@pytest.mark.parametrize("victim", (0, 1), ids=("the one that delivers", "the target"))
def test_kills_in_the_middle_of_delivery(make_cluster, tmp_path, victim):
    """kill -9 of either side, again and again, with writes going on: in the end both are equal."""
    rounds = 12 if LONG else 3
    count = 10000
    cluster = make_cluster()
    holder, gone = cluster.nodes
    script = outage_script(tmp_path, "outage", 1, count)
    load = script.start(cluster.ha.address, clients=32)
    load.wait_for(count // 10)
    gone.kill()
    load.wait()
    assert load.clean, load.explain()
    gone.start()
    during = outage_script(tmp_path, "during", 2, count).start(cluster.ha.address, clients=4)
    for number in range(rounds):
        seen = sync_status(holder)["total_status"]["processed_items"]
        until(lambda: sync_status(holder)["total_status"]["processed_items"] > seen
              or not backlogs(holder), "delivery goes on", 8)
        killed = cluster.nodes[1 - 1 if victim == 0 else 1]
        killed.kill()
        killed.start()
    during.wait()
    assert during.clean, during.explain()
    until(lambda: not backlogs(holder) and not backlogs(gone), "all hints are delivered", 20)
    conflicts = []
    in_step(cluster, all_elements(count), 20, conflicts)
    cluster.wait_up()
    # What missed the one while the other had not got its due yet was accepted by each alone.
    assert victim == 0 or not conflicts
    for kind, tb, key in conflicts:
        answer = kind.read2(cluster.ha, key, tb=tb)
        assert answer.status in (200, 404, 409), answer
        assert kind.put(cluster.ha, key, tb=tb).status == 200
        assert kind.read2(cluster.ha, key, tb=tb).status == 200
    in_step(cluster, conflicts)


def test_sync_status_of_a_node_without_peers(node):
    zeros = {"processed_items": 0, "synced_items": 0, "pending_items": 0,
             "oldest_pending_seconds": 0}
    assert sync_status(node) == {"status": {}, "total_status": zeros}
    assert node.call("sync_status", "POST").status == 405


def test_a_node_with_hints_stops_promptly(cluster):
    cluster.node2.pause()
    assert "Sync" in cluster.ha.call("put", key=b"k", val=b"x")
    until(lambda: backlogs(cluster.node1), "a hint is old", 4)
    assert cluster.node1.stop() == 0
    cluster.node1.start()
    cluster.node2.resume()
    in_step(cluster, [(KV, b"", b"k")])

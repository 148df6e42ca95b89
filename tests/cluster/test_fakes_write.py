"""Writes over stand-ins of nodes: what a real node does too seldom to be waited for."""

import queue
import struct
import threading

import pytest

from hustlib import Client, batch, env, target, until
from hustlib.batch import DEL, GET, HINT, INCR, MERGE, PUT, UNHINT, Result
from hustlib.fake import FakeCluster

QUICK = "hustdb_ha_connect_timeout 200ms; hustdb_ha_timeout 300ms;"
PATIENT = f"hustdb_ha_timeout {int(env.seconds(2))}s;"
WRITES = (PUT, DEL, INCR)

STORED = batch.STORED | batch.RESULT_HAS_STAMP | batch.RESULT_HAS_REPLACED | batch.RESULT_HAS_GEN
# What a record of an incremented number looks like to HA: it only passes it on.
NUMBER = b"5"


def stored(op, **changes):
    fields = dict(status=200, flags=STORED, version=1, stamp=op.stamp or batch.new_stamp(),
                  expire_at_ms=op.expire_at_ms, replaced=bytes(12), gen=1,
                  value=NUMBER if op.code == INCR else b"")
    fields.update(changes)
    return Result(**fields)


def storing(op):
    if op.code == GET:
        return Result(404, 0, 0)
    return stored(op)


def node(answer):
    """`answer(op)` -> Result, or None for a connection that ends without an answer."""
    def behave(ops):
        results = [answer(op) for op in ops]
        return None if None in results else results
    return behave


def refusing(status, flags=0):
    return lambda op: Result(status, flags, 0) if op.code in WRITES else storing(op)


def hanging_up(op):
    """Takes the write, and then the connection is gone: it may have been executed."""
    return None if op.code in WRITES else storing(op)


def codes(fake):
    """The codes of all operations that a stand-in has seen so far."""
    seen = []
    while True:
        try:
            seen += [op.code for op in fake.seen.get_nowait()]
        except queue.Empty:
            return seen


@pytest.mark.parametrize("master", (0, 1))
@pytest.mark.parametrize("other", (
    refusing(507), refusing(500), refusing(503), refusing(412, batch.OTHER_TYPE), hanging_up),
    ids=("507", "500", "503", "412", "hangs up"))
def test_whatever_else_happens_at_the_other_master_is_a_missed_write(master, other):
    behaviours = [node(other), node(other)]
    behaviours[master] = node(storing)
    with FakeCluster(*behaviours, http=QUICK) as cluster:
        missed = cluster.nodes[1 - master].address
        for call, more in (("put", {"val": b"v"}), ("del", {})):
            answer = cluster.ha.call(call, key=b"k", **more)
            assert answer.status == 200, (call, answer)
            assert answer["Sync"] == missed and answer.ver == 1
        seen = codes(cluster.nodes[master])
        # Each of the two is followed by its hint, unless it carried one (a known outage).
        assert HINT in seen, "remembered before the client heard 200"


def test_the_hint_is_durable_before_the_answer():
    """The survivor takes its time to make the hint durable: so long there is no 200."""
    hint_asked, go_on = threading.Event(), threading.Event()

    def slow(op):
        if op.code == HINT:
            hint_asked.set()
            go_on.wait(env.seconds(2))
        return storing(op)

    with FakeCluster(node(slow), node(refusing(507)), http=PATIENT) as cluster:
        with Client(cluster.ha.port) as client:
            client.send(b"GET /put?key=k&val=v HTTP/1.1\r\nHost: x\r\n\r\n")
            assert hint_asked.wait(env.seconds(1))
            assert client.is_idle(), "no answer yet"
            go_on.set()
            answer = client.receive()
    assert answer.status == 200 and answer["Sync"] == cluster.nodes[1].address


@pytest.mark.parametrize("request_", (
    b"GET /put?key=k&val=v HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PUT /put?key=k HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nv",
    b"GET /put?key=k&val=v HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
    b"GET /put?key=k&val=v HTTP/1.1\r\nHost: x\r\n\r\nGET /get?key=k HTTP/1.1\r\n",
), ids=("no body", "body", "half a body that means nothing", "half a request behind it"))
def test_a_write_whose_client_has_gone_is_brought_to_an_end(request_):
    """One master has it, so the other one's hint must be made although nobody listens."""
    taken, go_on = threading.Event(), threading.Event()

    def slow(op):
        if op.code == PUT:
            taken.set()
            go_on.wait(env.seconds(2))
        return storing(op)

    with FakeCluster(node(slow), node(refusing(507)), http=PATIENT) as cluster:
        with Client(cluster.ha.port) as client:
            client.send(request_)
            assert taken.wait(env.seconds(1))
        go_on.set()
        seen = []

        def hinted():
            seen.extend(codes(cluster.nodes[0]))
            return HINT in seen

        until(hinted, "the survivor is told who missed the write")


@pytest.mark.parametrize("hint", (None, 507, 500), ids=str)
def test_a_hint_that_cannot_be_made_durable_is_no_success(hint):
    """The write is on one master only and nobody would ever tell the other: not 200."""
    def forgetful(op):
        if op.code == HINT:
            return None if hint is None else Result(hint, 0, 0)
        return storing(op)

    with FakeCluster(node(forgetful), node(refusing(507)), http=QUICK) as cluster:
        answer = cluster.ha.call("put", key=b"k", val=b"v")
        assert answer.status == 503 and "Sync" not in answer


@pytest.mark.parametrize("statuses, expected", (
    ((507, 507), 507), ((412, 412), 412), ((507, 500), 503), ((500, 507), 503)), ids=str)
def test_refused_by_both(statuses, expected):
    nodes = [node(refusing(status, batch.OTHER_TYPE if status == 412 else 0))
             for status in statuses]
    with FakeCluster(*nodes, http=QUICK) as cluster:
        answer = cluster.ha.call("put", key=b"k", val=b"v")
        assert answer.status == expected and "Sync" not in answer
        for fake in cluster.nodes:
            assert HINT not in codes(fake)


DECIDING = {
    "ver": target("/put", key=b"k", val=b"v", ver=3),
    "del ver": target("/del", key=b"k", ver=3),
    "hincrby": target("/hincrby", tb="t", key=b"f", val=1),
    "zadd opt": target("/zadd", tb="t", key=b"m", score=1, opt=1),
}


@pytest.mark.parametrize("what", DECIDING)
def test_a_deciding_write_of_unknown_fate_is_never_sent_again(what):
    with FakeCluster(node(hanging_up), node(storing), http=QUICK) as cluster:
        answer = cluster.ha.request("GET", DECIDING[what])
        assert answer.status == 503 and "Sync" not in answer
        one, two = (codes(fake) for fake in cluster.nodes)
        assert len([code for code in one if code in WRITES]) == 1, "once, whatever came of it"
        assert not [code for code in two if code in WRITES + (MERGE,)]


@pytest.mark.parametrize("what", DECIDING)
def test_a_deciding_write_is_decided_by_one_and_merged_into_the_other(what):
    """The decider keeps a hint in the same commit, until the other one has the result."""
    decided = []

    def decider(op):
        decided.append(op)
        if op.code == INCR or op.flags & batch.DECIDE:
            # The record that HA is to merge into the other master.
            return stored(op, value=NUMBER if op.code == INCR else b"")
        return storing(op)

    with FakeCluster(node(decider), node(storing), http=QUICK) as cluster:
        answer = cluster.ha.request("GET", DECIDING[what])
        assert answer.status == 200 and "Sync" not in answer, answer
        other = codes(cluster.nodes[1])
    write, = [op for op in decided if op.code in WRITES]
    assert write.flags & batch.DECIDE and write.target.decode() == cluster.nodes[1].address
    assert MERGE in other and not [code for code in other if code in WRITES]


def test_a_decided_write_that_cannot_be_merged_is_a_missed_write():
    """The decider has it, with a hint for the other: 200 and Sync."""
    with FakeCluster(node(storing),
                     node(lambda op: None if op.code == MERGE else storing(op)),
                     http=QUICK) as cluster:
        answer = cluster.ha.call("put", key=b"k", val=b"v", ver=3)
        assert (answer.status, answer["Sync"]) == (200, cluster.nodes[1].address)
        assert UNHINT not in codes(cluster.nodes[0]), "the hint must stay"


def test_a_decider_that_holds_a_newer_stamp_is_asked_again():
    """It executes nothing and says so; HA moves its clock and sends again, with a larger one."""
    ahead = batch.stamp_at(batch.now_ms() + 60_000)
    stamps = []

    def decider(op):
        if op.code not in WRITES:
            return storing(op)
        stamps.append(op.stamp)
        if op.stamp <= ahead:
            return Result(200, batch.BEHIND | batch.RESULT_HAS_STAMP, 3, stamp=ahead,
                          expire_at_ms=0)
        return stored(op, version=4)

    with FakeCluster(node(decider), node(storing), http=QUICK, workers=1) as cluster:
        answer = cluster.ha.call("put", key=b"k", val=b"v", ver=3)
        assert (answer.status, answer.ver) == (200, 4)
        assert len(stamps) == 2 and stamps[0] <= ahead < stamps[1]
        # The clock stays there.
        assert cluster.ha.call("put", key=b"k", val=b"v", ver=4).status == 200
        assert len(stamps) == 3 and stamps[2] > stamps[1]


def test_a_decider_that_is_ahead_many_times():
    """Other workers write the same key all the time: nothing was executed, so it is tried again."""
    behind = []

    def decider(op):
        if op.code not in WRITES:
            return storing(op)
        behind.append(op.stamp)
        if len(behind) <= 12:
            time, writer = struct.unpack(">QI", op.stamp)
            return Result(200, batch.BEHIND | batch.RESULT_HAS_STAMP, 3, expire_at_ms=0,
                          stamp=struct.pack(">QI", time + 1, writer))
        return stored(op, version=4)

    with FakeCluster(node(decider), node(storing), http=PATIENT) as cluster:
        answer = cluster.ha.call("put", key=b"k", val=b"v", ver=3)
        assert (answer.status, answer.ver) == (200, 4)
    assert behind == sorted(behind) and len(behind) == 13


def test_a_decider_that_is_always_ahead():
    """It ends some time, and says so honestly: nothing was written anywhere."""
    def decider(op):
        if op.code not in WRITES:
            return storing(op)
        time, writer = struct.unpack(">QI", op.stamp)
        return Result(200, batch.BEHIND | batch.RESULT_HAS_STAMP, 3, expire_at_ms=0,
                      stamp=struct.pack(">QI", time + 1, writer))

    with FakeCluster(node(decider), node(storing), http=PATIENT) as cluster:
        answer = cluster.ha.call("put", key=b"k", val=b"v", ver=3)
        assert answer.status == 503 and "Sync" not in answer
        assert not [code for code in codes(cluster.nodes[1]) if code in WRITES + (MERGE,)]


def test_a_plain_write_that_both_have_superseded_is_issued_once_more():
    """Another worker's clock is ahead: a write that starts after an acknowledged one wins."""
    ahead = batch.stamp_at(batch.now_ms() + 60_000)
    tries = {0: [], 1: []}

    def holder(index):
        def answer(op):
            if op.code not in WRITES:
                return storing(op)
            tries[index].append((op.stamp, bool(op.flags & batch.AGAIN)))
            held = max(ahead, op.stamp)
            return stored(op, version=2, stamp=held, replaced=ahead)
        return node(answer)

    with FakeCluster(holder(0), holder(1), http=QUICK, workers=1) as cluster:
        answer = cluster.ha.call("put", key=b"k", val=b"v")
        assert answer.status == 200
    for seen in tries.values():
        assert [again for _, again in seen] == [False, True]
        assert seen[0][0] < ahead < seen[1][0]
        assert answer["ETag"] == batch.etag(seen[1][0])
    assert tries[0] == tries[1], "both masters get the same stamps"


def test_both_masters_get_a_plain_write_at_the_same_time():
    asked = threading.Barrier(2)

    def answer(op):
        if op.code == PUT:
            asked.wait(env.seconds(1))
        return storing(op)

    with FakeCluster(node(answer), node(answer), http=PATIENT) as cluster:
        answer = cluster.ha.call("put", key=b"k", val=b"v")
        assert answer.status == 200 and "Sync" not in answer
        ops = [fake.seen.get_nowait()[0] for fake in cluster.nodes]
    assert ops[0].stamp == ops[1].stamp and ops[0].expire_at_ms == ops[1].expire_at_ms


def test_ttl_is_fixed_once():
    with FakeCluster(node(storing), node(storing)) as cluster:
        before = batch.now_ms()
        assert cluster.ha.call("put", key=b"k", val=b"v", ttl=100).status == 200
        after = batch.now_ms()
        ops = [fake.seen.get_nowait()[0] for fake in cluster.nodes]
    assert ops[0].expire_at_ms == ops[1].expire_at_ms
    assert before + 99_000 <= ops[0].expire_at_ms <= after + 101_000

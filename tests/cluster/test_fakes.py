"""What real nodes never do: answers in a chosen order, garbage, silence in the middle."""

import threading
import time

import pytest

from hustlib import batch, env
from hustlib.fake import FakeCluster, held, http_answer

STAMP = batch.stamp_at(1_700_000_000_000)
QUICK = "hustdb_ha_connect_timeout 200ms; hustdb_ha_timeout 300ms;"


def answering(value):
    return lambda ops: [held(value, STAMP) for _ in ops]


def test_a_comparison_asks_both_masters_at_the_same_time():
    """Each answers only once both have been asked: one after the other would never end."""
    asked = threading.Barrier(2)

    def behave(ops):
        asked.wait(env.seconds(1))
        return [held(b"v", STAMP) for _ in ops]

    patient = f"hustdb_ha_timeout {int(env.seconds(2))}s;"
    with FakeCluster(behave, behave, http=patient) as cluster:
        answer = cluster.ha.call("get2", key=b"k")
        assert (answer.status, answer.body, answer.ver) == (200, b"v", 1)


def test_a_write_on_its_way_is_settled_by_a_stamp_seen_on_both():
    """master2 is always one write behind: never equal at one moment, but what one comparison saw
    on master1 the next one sees on master2, so that write had reached both."""
    rounds = [0, 0]

    def behave(index):
        def answer(ops):
            rounds[index] += 1
            number = rounds[index] - index
            return [held(b"value %d" % number, batch.stamp_at(1_700_000_000_000 + number), number)
                    for _ in ops]
        return answer

    with FakeCluster(behave(0), behave(1)) as cluster:
        answer = cluster.ha.call("get2", key=b"k")
    assert (answer.status, answer.body, answer.ver) == (200, b"value 1", 1)
    assert answer["ETag"] == batch.etag(batch.stamp_at(1_700_000_000_001))
    assert rounds == [2, 2]


def test_a_comparison_that_does_not_settle_is_answered():
    """Each master holds something else every time: the difference is the answer."""
    rounds = [0, 0]

    def behave(index):
        def answer(ops):
            rounds[index] += 1
            stamp = batch.stamp_at(1_700_000_000_000 + 2 * rounds[index] + index)
            return [held(b"%d" % index, stamp, 1) for _ in ops]
        return answer

    with FakeCluster(behave(0), behave(1)) as cluster:
        answer = cluster.ha.call("get2", key=b"k")
    assert (answer.status, answer.body, answer["Val-Offset"]) == (409, b"01", "1")
    assert answer["Newer"] == "2"


@pytest.mark.parametrize("flag", (batch.MARKED, batch.CONFLICT), ids=("mark", "two sides"))
def test_what_is_known_explains_a_difference_at_once(flag):
    """Nothing is waited for: somebody wrote directly on a node, or there is a conflict."""
    asked = []

    def behave(index):
        def answer(ops):
            asked.append(index)
            result = held(b"%d" % index, batch.stamp_at(1_700_000_000_000 + index), 2 - index)
            result.flags |= flag if index == 0 else 0
            return [result for _ in ops]
        return answer

    with FakeCluster(behave(0), behave(1)) as cluster:
        answer = cluster.ha.call("get2", key=b"k")
    assert (answer.status, answer["Version1"], answer["Version2"]) == (409, "2", "1")
    assert "Sync-Pending" not in answer
    assert sorted(asked) == [0, 1]


@pytest.mark.parametrize("holder", (0, 1))
def test_a_hint_that_waits_is_named(holder):
    """The masters differ, and one keeps a hint for the other."""
    def behave(index):
        def answer(ops):
            result = held(b"%d" % index, batch.stamp_at(1_700_000_000_000 + index), 2 - index)
            result.flags |= batch.HINTED if index == holder else 0
            return [result for _ in ops]
        return answer

    with FakeCluster(behave(0), behave(1)) as cluster:
        answer = cluster.ha.call("get2", key=b"k")
        assert answer["Sync-Pending"] == cluster.nodes[1 - holder].address
    assert (answer.status, answer["Version1"], answer["Version2"]) == (409, "2", "1")


def test_a_read_asks_one_master_only():
    with FakeCluster(answering(b"v"), answering(b"v")) as cluster:
        for _ in range(20):
            assert cluster.ha.call("get", key=b"k").body == b"v"
        assert cluster.nodes[0].seen.qsize() == 20
        assert cluster.nodes[1].seen.qsize() == 0


def test_answers_of_many_clients_are_not_mixed_up():
    """Results come in order within a batch; batches of several lanes come back as they like."""
    def behave(ops):
        time.sleep(0.001 * (len(ops) % 3))
        return [held(b"value of " + op.key, STAMP) for op in ops]

    wrong = []
    with FakeCluster(behave, behave) as cluster:
        def ask(name):
            for number in range(60):
                key = b"%d:%d" % (name, number)
                call = ("get", "get2")[number % 2]
                if cluster.ha.call(call, key=key).body != b"value of " + key:
                    wrong.append(key)

        threads = [threading.Thread(target=ask, args=(name,)) for name in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


GARBAGE = {
    "no http": b"\x00\x01\x02 nonsense\r\n\r\n",
    "status 500": http_answer(b"failed\n", "500 Internal Server Error"),
    "status 400": http_answer(b"batch: malformed\n", "400 Bad Request"),
    "empty body": http_answer(b""),
    "no reply": http_answer(b"this is no batch reply"),
    "other version": http_answer(b"HBR9" + bytes(16)),
    "too few results": http_answer(batch.encode_reply([])),
    "too many results": http_answer(batch.encode_reply([held(b"v", STAMP)] * 3)),
    "half a result": http_answer(batch.encode_reply([held(b"v" * 50, STAMP)])[:-20]),
    "bytes left over": http_answer(batch.encode_reply([held(b"v", STAMP)]) + b"x"),
    "closed early": http_answer(batch.encode_reply([held(b"v", STAMP)]))[:-3],
    "closed at once": None,
    "status out of range": http_answer(batch.encode_reply([batch.Result(7, 0, 1, b"v")])),
    "huge length": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    "endless header": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
}


def ending_after(answer):
    """An answer and then the end of the connection."""
    def behave(_ops):
        return answer
    return behave


@pytest.mark.parametrize("what", GARBAGE)
def test_a_master_that_talks_nonsense_gave_no_answer(what):
    with FakeCluster(ending_after(GARBAGE[what]), answering(b"v"), http=QUICK) as cluster:
        answer = cluster.ha.call("get", key=b"k")
        assert (answer.status, answer.body) == (200, b"v"), "the other one stands in"
        answer = cluster.ha.call("get2", key=b"k")
        assert answer.status == 503
        assert answer["Unreachable"] == cluster.nodes[0].address
        answer = cluster.ha.call("put", key=b"k", val=b"w", ver=1)
        assert answer.status in (200, 503)


def test_a_reply_in_pieces():
    """One byte per segment: no boundary is special."""
    reply = http_answer(batch.encode_reply([held(b"in pieces", STAMP, 3)]))

    def send(connection, answer):
        for index in range(len(answer)):
            connection.send(answer[index:index + 1])

    with FakeCluster(answering(b"in pieces"), lambda ops: reply) as cluster:
        cluster.nodes[1].send = send
        answer = cluster.ha.call("get2", key=b"k")
        assert (answer.status, answer.body) == (200, b"in pieces")
        assert (answer["Version1"], answer["Version2"]) == ("1", "3")

"""Large values over stand-ins: they are answered apart from batches, so something may happen
between the question how large and the bytes. Whatever does, no wrong answer."""

import pytest

from hustlib import Client, ConnectionLost, batch
from hustlib.batch import LARGE, RESULT_HAS_STAMP, WHOLE, Result
from hustlib.fake import FakeCluster, held, http_answer

QUICK = "hustdb_ha_connect_timeout 200ms; hustdb_ha_timeout 300ms;"
ONE, TWO = batch.stamp_at(1_700_000_000_000, 1), batch.stamp_at(1_700_000_000_000, 2)
SIZE = 1_000_000
VALUE = bytes(range(250)) * (SIZE // 250)
HASH = bytes(range(16))


def brief(stamp, size=SIZE, version=1, hash_=HASH):
    return Result(200, RESULT_HAS_STAMP | LARGE, version, stamp=stamp, expire_at_ms=0,
                  value_bytes=size, value_hash=hash_)


def large(whole, stamp=ONE, hash_=HASH):
    """Answers briefly, and `whole()` when the bytes are asked for."""
    def behave(ops):
        for op in ops:
            if op.flags & WHOLE:
                # Only these bytes are wanted: a real node refuses when it holds others by now.
                return whole() if op.if_match == stamp else http_answer(b"unconditional")
        return [brief(stamp, hash_=hash_) for _ in ops]
    return behave


def good(value=VALUE, stamp=ONE):
    return lambda: [held(value, stamp)]


def reply(value, stamp=ONE):
    return http_answer(batch.encode_reply([held(value, stamp)]))


def ask(cluster, call):
    """The answer, or what had come of one when the connection was lost."""
    with Client(cluster.ha.port) as client:
        try:
            return client.request("GET", f"/{call}?key=k")
        except ConnectionLost as lost:
            return lost.received


@pytest.mark.parametrize("call", ("get", "get2"))
def test_a_large_value(call):
    with FakeCluster(large(good()), large(good()), http=QUICK) as cluster:
        answer = ask(cluster, call)
        assert answer.status == 200 and answer.body == VALUE and answer.ver == 1


def test_equal_hashes_are_equal_values():
    """The value travels once: from one master only."""
    with FakeCluster(large(good(), ONE), large(good(stamp=TWO), TWO), http=QUICK) as cluster:
        answer = ask(cluster, "get2")
        assert answer.status == 200 and answer.body == VALUE and "ETag" not in answer
        asked = sum(op.flags & WHOLE != 0 for fake in cluster.nodes
                    for ops in fake.seen.queue for op in ops)
        assert asked == 1


def test_different_hashes_are_different_values():
    other = bytes(SIZE)
    with FakeCluster(large(good()), large(good(other, TWO), TWO, bytes(16)),
                     http=QUICK) as cluster:
        answer = ask(cluster, "get2")
        assert answer.status == 409 and answer["Val-Offset"] == str(SIZE)
        assert answer.body == VALUE + other


BROKEN = {
    "no answer": lambda: None,
    "cut in the head": lambda: reply(VALUE)[:100],
    "cut in the value": lambda: reply(VALUE)[:500_000],
    "cut at the end": lambda: reply(VALUE)[:-1],
    "absent by now": lambda: [Result(404, batch.DELETED, 0)],
    "condition failed": lambda: [Result(412, batch.IF_FAILED, 2)],
    "shorter than said": lambda: [held(VALUE[:-1], ONE)],
    "longer than said": lambda: [held(VALUE + b"x", ONE)],
    "status 500": lambda: http_answer(b"failed\n", "500 Internal Server Error"),
    "garbage": lambda: http_answer(b"\xff" * SIZE),
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("call", ("get", "get2"))
def test_no_wrong_answer_whatever_happens_to_the_stream(call, what):
    """An honest error, or cut short so that the client sees it: never other bytes."""
    broken = large(BROKEN[what])
    with FakeCluster(broken, broken, http=QUICK) as cluster:
        for _ in range(2):
            answer = ask(cluster, call)
            if isinstance(answer, bytes):
                body = answer.partition(b"\r\n\r\n")[2]
                assert VALUE.startswith(body)
            else:
                assert answer.status in (404, 503) and len(answer.body) < 200, answer
        # HA goes on.
        assert cluster.ha.call("peer_count").body == b"2"


def test_the_other_master_stands_in_before_the_first_byte():
    with FakeCluster(large(lambda: None), large(good()), http=QUICK) as cluster:
        answer = ask(cluster, "get")
        assert not isinstance(answer, bytes), "nothing had been sent yet"
        assert answer.status == 200 and answer.body == VALUE

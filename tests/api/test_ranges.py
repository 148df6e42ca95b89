"""zrangebyrank and zrangebyscore: order, ranks, ranges, against a plain model."""

import random
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hustlib import LONG, batch, bucket, until
from hustlib.listing import by_score, page, scored, walk

I64_MIN = -2**63
I64_MAX = 2**63 - 1
EVERYTHING = {"min": I64_MIN, "max": I64_MAX}


def add(node, tb, scores):
    """Many members at once: a batch with a write for each."""
    items = list(scores.items())
    for at in range(0, len(items), 1000):
        ops = [batch.put(member, b"%d" % score, batch.ZSET, tb)
               for member, score in items[at:at + 1000]]
        assert {result.status for result in node.batch(ops)} == {200}


def rank(node, tb, **params):
    return page(node, "zrangebyrank", tb=tb, **params)


def assert_is(node, tb, scores, steps=(1, 7, 100)):
    """The whole set by rank and by score, from both ends, in pages by offset and by cursor."""
    up, down = by_score(scores), by_score(scores, reverse=True)
    for expected, desc in ((up, 0), (down, 1)):
        for size in steps:
            found = walk(node, "zrangebyrank", size, tb=tb, desc=desc)
            assert scored(found) == expected
        for offset in range(0, len(expected) + 2, max(1, len(expected) // 9)):
            found = rank(node, tb, offset=offset, size=5, desc=desc)
            assert scored(found) == expected[offset:offset + 5], (offset, desc)
            found = page(node, "zrangebyscore", tb=tb, offset=offset, size=5, desc=desc,
                         **EVERYTHING)
            assert scored(found) == expected[offset:offset + 5], (offset, desc)


def test_order_with_ties_negative_and_extreme_scores(node):
    scores = {b"least": I64_MIN, b"least+1": I64_MIN + 1, b"-256": -256, b"-255": -255,
              b"-1": -1, b"0": 0, b"1": 1, b"256": 256, b"most-1": I64_MAX - 1, b"most": I64_MAX,
              b"\x00": 5, b"\x00\x00": 5, b"\xff": 5, b"a": 5, b"a\x00": 5, b"A": 5, b"\"": 5}
    add(node, b"order", scores)
    assert_is(node, b"order", scores)


def test_the_bytes_of_an_answer(node):
    node.call("zadd", tb="bytes", key=b"m", score=-7)
    answer = node.call("zrangebyrank", tb="bytes", offset=0, size=10)
    assert answer.body == b'[{"key":"bQ==","val":"-7","ver":1,"ttl":0}]'
    assert (answer["Keys"], answer["TotalCount"]) == ("1", "0")
    assert "Cursor" not in answer
    node.call("zadd", tb="bytes", key=b"m", score=2, opt=1, ttl=100)
    answer = node.call("zrangebyscore", tb="bytes", min=-5, max=-5, offset=0, size=10, noval=1)
    assert answer.body in (b'[{"key":"bQ==","ver":2,"ttl":100}]',
                           b'[{"key":"bQ==","ver":2,"ttl":99}]')


def test_ranges_of_scores(node):
    scores = {b"m%03d" % number: number // 3 - 20 for number in range(120)}
    add(node, b"ranges", scores)
    up = by_score(scores)
    for low, high in ((-20, 19), (-3, 3), (0, 0), (19, I64_MAX), (I64_MIN, -19), (20, 100),
                      (-100, -21), (I64_MIN, I64_MIN), (I64_MAX, I64_MAX)):
        inside = [item for item in up if low <= item[1] <= high]
        for desc, expected in ((0, inside), (1, inside[::-1])):
            assert scored(walk(node, "zrangebyscore", 4, tb="ranges", min=low, max=high,
                               desc=desc)) == expected
            for offset in (0, 1, 5, len(inside), len(inside) + 1, 2**64 - 1):
                found = page(node, "zrangebyscore", tb="ranges", min=low, max=high, desc=desc,
                             offset=offset, size=3)
                assert scored(found) == expected[offset:offset + 3]
                assert (found.cursor is not None) == (offset + 3 < len(inside))


def test_empty_pages(node):
    add(node, b"empty", {b"m": 1, b"n": 2})
    for offset in (2, 3, 10**12, 2**64 - 1):
        assert rank(node, b"empty", offset=offset, size=10).elements == []
        assert rank(node, b"empty", offset=offset, size=10, desc=1).elements == []
    for desc in (0, 1):
        found = rank(node, b"empty", offset=0, size=0, desc=desc)
        assert (found.elements, found.cursor) == ([], None)


def test_buckets(node):
    """A sorted set lives whole in the bucket of its tb."""
    add(node, b"bucket", {b"m": 1, b"n": 2})
    home = bucket(b"bucket")
    for start, end, there in ((0, 1024, True), (home, home + 1, True), (0, home, False),
                              (home + 1, 1024, False), (home, home, False), (900, 100, False)):
        found = rank(node, b"bucket", start=start, end=end, offset=0, size=10)
        assert len(found.elements) == (2 if there else 0)
        found = page(node, "zrangebyscore", tb="bucket", start=start, end=end, offset=1, size=10,
                     **EVERYTHING)
        assert len(found.elements) == (1 if there else 0)


def test_only_the_newest_score_is_there(node):
    scores = {}
    source = random.Random(3)
    for _ in range(300):
        member, score = b"%d" % source.randrange(20), source.randrange(-3, 3)
        opt = source.choice((0, 1, -1)) if member in scores else 0
        answer = node.call("zadd", tb="newest", key=member, score=score, opt=opt)
        scores[member] = scores.get(member, 0) * abs(opt) + score * (opt or 1)
        assert int(answer.body) == scores[member]
        if source.random() < 0.1:
            assert node.call("zrem", tb="newest", key=member).status == 200
            del scores[member]
    assert_is(node, b"newest", scores)


def test_a_large_set(make_node):
    """Several levels of the counted tree, and what is left of it."""
    node = make_node()
    source = random.Random(11)
    scores = {b"member %d" % number: source.randrange(-1000, 1000) for number in range(20000)}
    add(node, b"large", scores)
    assert_is(node, b"large", scores, steps=(1000,))
    node.kill()
    node.start()
    assert_is(node, b"large", scores, steps=(1000,))
    for member in source.sample(sorted(scores), 19700):
        del scores[member]
        assert node.call("zrem", tb="large", key=member).status == 200
    assert_is(node, b"large", scores)
    add(node, b"large", {b"new %d" % number: number for number in range(2000)})
    scores.update({b"new %d" % number: number for number in range(2000)})
    assert_is(node, b"large", scores, steps=(1000,))


# -- expiry


def test_expired_is_absent_and_not_counted(make_node):
    """At once, long before the sweeper comes by itself."""
    node = make_node()
    scores = {b"m%02d" % number: number for number in range(60)}
    for member, score in scores.items():
        ttl = 1 if score % 3 == 0 else 1000
        assert node.call("zadd", tb="ttl", key=member, score=score, ttl=ttl).status == 200
    until(lambda: node.call("zismember", tb="ttl", key=b"m57").status == 404, "expired", 2)
    left = {member: score for member, score in scores.items() if score % 3}
    assert scored(rank(node, b"ttl", offset=0, size=100)) == by_score(left)
    assert_is(node, b"ttl", left)
    assert node.call("stat", tb="ttl").text.count('"count":40') == 1
    assert all(999 <= element["ttl"] <= 1000
               for element in rank(node, b"ttl", offset=0, size=100).elements)
    node.call("zadd", tb="ttl", key=b"m00", score=100)
    left[b"m00"] = 100
    assert_is(node, b"ttl", left)


def test_expired_during_an_outage(make_node):
    node = make_node()
    for number in range(20):
        node.call("zadd", tb="out", key=b"m%02d" % number, score=number, ttl=1 + 999 * (number % 2))
    node.kill()
    node.start()
    until(lambda: node.call("zismember", tb="out", key=b"m18").status == 404, "expired", 2)
    assert_is(node, b"out", {b"m%02d" % number: number for number in range(1, 20, 2)})


# -- crash, concurrency


def test_exact_after_kill_9_under_load(make_node):
    """Ranks and counts are those of the members, whichever writes were acknowledged."""
    node = make_node()
    source = random.Random(17)
    for _ in range(4):
        stop = threading.Event()

        def write(seed, stop=stop):
            own = random.Random(seed)
            while not stop.is_set():
                ops = [batch.put(b"%d" % own.randrange(3000), b"%d" % own.randrange(-50, 50),
                                 batch.ZSET, b"kill") if own.random() < 0.6 else
                       batch.delete(b"%d" % own.randrange(3000), batch.ZSET, b"kill")
                       for _ in range(own.randrange(1, 200))]
                try:
                    node.batch(ops)
                except (OSError, AssertionError):
                    return

        writers = [threading.Thread(target=write, args=(source.random(),)) for _ in range(3)]
        for writer in writers:
            writer.start()
        written = node.call("stat", tb="kill").body
        until(lambda seen=written: node.call("stat", tb="kill").body != seen, "writes", 10)
        stop.wait(0.2 + source.random() / 2)  # the moment of the crash is chance
        node.kill()
        stop.set()
        for writer in writers:
            writer.join()
        node.start()
        members = {element["key"]: int(element["val"])
                   for part in range(10)
                   for element in walk(node, "keys", 1000, file=part, noval="false")}
        assert members
        assert f'"count":{len(members)},' in node.call("stat", tb="kill").text
        assert_is(node, b"kill", members, steps=(1000,))


@pytest.mark.parametrize("desc", (0, 1))
@pytest.mark.parametrize("call", ("zrangebyrank", "zrangebyscore"))
def test_what_stays_is_listed_once_while_others_write(node, call, desc):
    tb = b"%s%d" % (call.encode(), desc)
    stays = {b"stays%d" % number: number % 40 for number in range(600)}
    add(node, tb, stays)
    stop = threading.Event()

    def write(seed):
        source = random.Random(seed)
        while not stop.is_set():
            ops = [batch.put(b"moves%d" % source.randrange(500), b"%d" % source.randrange(40),
                             batch.ZSET, tb) for _ in range(20)]
            ops += [batch.delete(b"moves%d" % source.randrange(500), batch.ZSET, tb)
                    for _ in range(20)]
            node.batch(ops)

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(2)]
    for writer in writers:
        writer.start()
    more = EVERYTHING if call == "zrangebyscore" else {}
    try:
        for size in (7, 50, 500):
            found = scored(walk(node, call, size, tb=tb, desc=desc, **more))
            assert found == sorted(found, key=lambda item: (item[1], item[0]), reverse=bool(desc))
            kept = [item for item in found if item[0] in stays]
            assert kept == by_score(stays, reverse=bool(desc))
            # In one page everything is of one moment: ranks follow each other.
            whole = rank(node, tb, offset=0, size=1000, desc=desc).keys
            assert len(whole) == len(set(whole))
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def test_long_members(node):
    """Ties of members that are the same for longer than a cursor share a page."""
    members = {b"m" * 3000 + b"%d" % number: 1 for number in range(4)}
    for member in members:
        assert node.call("zadd", tb="long", score=1, body=member).status == 200
    add(node, b"long", {b"after": 2})
    first = rank(node, b"long", offset=0, size=2)
    assert scored(first) == by_score(members)
    assert scored(rank(node, b"long", cursor=first.cursor, size=2)) == [(b"after", 2)]
    assert scored(rank(node, b"long", offset=2, size=1)) == by_score(members)[2:]


# -- any sequence of calls, against the model

MEMBERS = st.sampled_from([b"a", b"b", b"ab", b"\x00", b"\xff", b"a\x00", b"\xff\xff", b"z"])
SCORES = st.one_of(st.integers(-3, 3), st.sampled_from([I64_MIN, I64_MIN + 1, I64_MAX]))
WRITES = st.lists(st.tuples(MEMBERS, st.one_of(st.none(), SCORES)), min_size=1, max_size=25)


@given(writes=WRITES, low=SCORES, high=SCORES, offset=st.integers(0, 6), size=st.integers(0, 6),
       desc=st.booleans())
@settings(max_examples=1500 if LONG else 60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_writes_and_any_page(node, writes, low, high, offset, size, desc):
    tb = b"any"
    scores = {}
    ops = [batch.delete(element["key"], batch.ZSET, tb) for element in (
        walk(node, "zrangebyrank", tb=tb) if node.call("stat", tb=tb).status == 200 else ())]
    for member, score in writes:
        if score is None:
            ops.append(batch.delete(member, batch.ZSET, tb))
            scores.pop(member, None)
        else:
            ops.append(batch.put(member, b"%d" % score, batch.ZSET, tb))
            scores[member] = score
    node.batch(ops)
    if not scores:
        assert node.call("zrangebyrank", tb=tb, offset=0, size=1).status == 412
        return
    low, high = min(low, high), max(low, high)
    expected = by_score(scores, reverse=desc)
    inside = [item for item in expected if low <= item[1] <= high]
    assert scored(rank(node, tb, offset=offset, size=size, desc=desc)) == (
        expected[offset:offset + size])
    assert scored(page(node, "zrangebyscore", tb=tb, min=low, max=high, offset=offset, size=size,
                       desc=desc)) == inside[offset:offset + size]
    assert scored(walk(node, "zrangebyscore", max(size, 1), tb=tb, min=low, max=high,
                       desc=desc)) == inside

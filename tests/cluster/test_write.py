"""The write class (HTTP contract 3.3 and 1) with both masters up."""

import threading

import pytest

from hustlib import until
from hustlib.kinds import HASH, KINDS, KV, SET, TYPE_PAIRS, VALUED, ZSET
from hustlib.wait import next_instant

TTL_MAXIMUM = 2_592_000


def named(kind, what):
    return b"write:" + what.encode(), b"write:" + kind.name.encode() + b":" + what.encode()


def assert_equal_masters(cluster, kind, key, tb, value=None, version=None):
    """Both masters hold the same value, version and stamp."""
    one, two = (kind.held(node, key, tb) for node in cluster.nodes)
    assert (one.status, one.value, one.version, one.stamp, one.expire_at_ms) == \
        (two.status, two.value, two.version, two.stamp, two.expire_at_ms)
    if value is not None:
        assert (one.status, one.value) == (200, value)
    if version is not None:
        assert one.version == version
    if kind.has_value and one.status == 200:
        # What the calls of the nodes say is the same story.
        tags = {kind.get(node, key, tb=tb)["ETag"] for node in cluster.nodes}
        assert tags == {one.etag}
    return one


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_versions_count_and_never_wrap(cluster, kind):
    """1, 2, 3 ... 200: the original's versions broke at 64."""
    key, tb = named(kind, "count")
    for number in range(1, 201):
        answer = kind.put(cluster.ha, key, kind.value(number), tb=tb)
        assert (answer.status, answer.ver) == (200, number)
        assert answer.header("VerError") in (None, "false")
        assert "Sync" not in answer
        if number in (1, 2, 63, 64, 65, 66, 128, 129, 200):
            assert_equal_masters(cluster, kind, key, tb, kind.value(number), number)
            assert kind.read2(cluster.ha, key, tb=tb).ver == number


@pytest.mark.parametrize("kind", VALUED, ids=str)
def test_the_answer_carries_the_final_tag(cluster, kind):
    key, tb = named(kind, "tag")
    answer = kind.put(cluster.ha, key, tb=tb)
    assert answer["ETag"] == kind.held(cluster.node1, key, tb).etag
    assert answer["ETag"] == kind.get(cluster.ha, key, tb=tb)["ETag"]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_delete(cluster, kind):
    key, tb = named(kind, "delete")
    for number in (1, 2, 3):
        kind.put(cluster.ha, key, kind.value(number), tb=tb)
    answer = kind.delete(cluster.ha, key, tb=tb)
    assert (answer.status, answer.ver, answer.body) == (200, 3, b"")
    assert kind.exist(cluster.ha, key, tb=tb).status == 404
    assert_equal_masters(cluster, kind, key, tb)
    answer = kind.delete(cluster.ha, key, tb=tb)
    assert (answer.status, answer.ver, answer.body) == (404, 0, b"")
    assert "Sync" not in answer
    # Deleted and put again: it starts at 1, with another stamp.
    answer = kind.put(cluster.ha, key, kind.value(4), tb=tb)
    assert (answer.status, answer.ver) == (200, 1)
    assert_equal_masters(cluster, kind, key, tb, kind.value(4), 1)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_delete_of_what_never_was(cluster, kind):
    key, tb = named(kind, "never")
    answer = kind.delete(cluster.ha, key, tb=tb)
    assert (answer.status, answer.ver) == (404, 0)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_delete_of_what_one_master_has(cluster, kind):
    """404 only if no answering master has the key."""
    key, tb = named(kind, "half")
    kind.put(cluster.node2, key, tb=tb)
    next_instant()
    answer = kind.delete(cluster.ha, key, tb=tb)
    assert (answer.status, answer.ver) == (200, 1)
    assert kind.read2(cluster.ha, key, tb=tb).status == 404


@pytest.mark.parametrize("method", ("GET", "POST", "DELETE"))
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_delete_methods(cluster, kind, method):
    key, tb = named(kind, "method" + method)
    kind.put(cluster.ha, key, tb=tb)
    answer = kind.delete(cluster.ha, key, tb=tb, method=method)
    assert (answer.status, answer.ver) == (200, 1)


@pytest.mark.parametrize("method", ("POST", "DELETE"))
@pytest.mark.parametrize("kind", (SET, ZSET), ids=str)
def test_the_member_to_delete_may_be_the_body(cluster, kind, method):
    _, tb = named(kind, "delbody" + method)
    member = b"m&=%\x00"
    kind.put(cluster.ha, member, tb=tb)
    answer = cluster.ha.call(kind.del_call, method, member, tb=tb)
    assert (answer.status, answer.ver) == (200, 1)
    assert kind.read2(cluster.ha, member, tb=tb).status == 404


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_ver_writes_only_what_is_current(cluster, kind):
    key, tb = named(kind, "ver")
    answer = kind.put(cluster.ha, key, tb=tb, ver=1)
    assert (answer.status, answer.ver, answer["VerError"]) == (401, 0, "true"), "absent"
    assert kind.exist(cluster.ha, key, tb=tb).status == 404
    kind.put(cluster.ha, key, kind.value(1), tb=tb)
    kind.put(cluster.ha, key, kind.value(2), tb=tb)
    before = assert_equal_masters(cluster, kind, key, tb, kind.value(2), 2)
    for wrong in (1, 3, 18446744073709551615):
        answer = kind.put(cluster.ha, key, kind.value(3), tb=tb, ver=wrong)
        assert (answer.status, answer.ver, answer["VerError"]) == (401, 2, "true")
        answer = kind.delete(cluster.ha, key, tb=tb, ver=wrong)
        assert (answer.status, answer.ver, answer["VerError"]) == (401, 2, "true")
    assert assert_equal_masters(cluster, kind, key, tb) == before
    answer = kind.put(cluster.ha, key, kind.value(3), tb=tb, ver=2)
    assert (answer.status, answer.ver) == (200, 3)
    assert_equal_masters(cluster, kind, key, tb, kind.value(3), 3)
    answer = kind.delete(cluster.ha, key, tb=tb, ver=3)
    assert (answer.status, answer.ver) == (200, 3)
    assert_equal_masters(cluster, kind, key, tb)
    assert kind.read2(cluster.ha, key, tb=tb).status == 404
    answer = kind.delete(cluster.ha, key, tb=tb, ver=3)
    assert (answer.status, answer.ver, answer["VerError"]) == (401, 0, "true")


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_ver_0_is_unconditional(cluster, kind):
    key, tb = named(kind, "ver0")
    for number in (1, 2):
        answer = kind.put(cluster.ha, key, tb=tb, ver=0)
        assert (answer.status, answer.ver) == (200, number)
    assert kind.delete(cluster.ha, key, tb=tb, ver=0).status == 200


@pytest.mark.parametrize("kind", VALUED, ids=str)
def test_if_match(cluster, kind):
    key, tb = named(kind, "ifmatch")
    first = kind.put(cluster.ha, key, kind.value(1), tb=tb)["ETag"]
    # Delete and put again: the version recurs, the tag does not.
    kind.delete(cluster.ha, key, tb=tb)
    second = kind.put(cluster.ha, key, kind.value(2), tb=tb)
    assert second.ver == 1 and second["ETag"] != first
    for change in (lambda headers: kind.put(cluster.ha, key, kind.value(3), tb=tb,
                                            headers=headers),
                   lambda headers: kind.delete(cluster.ha, key, tb=tb, headers=headers)):
        answer = change([("If-Match", first)])
        assert answer.status == 412
        assert_equal_masters(cluster, kind, key, tb, kind.value(2), 1)
    answer = kind.put(cluster.ha, key, kind.value(3), tb=tb,
                      headers=[("If-Match", second["ETag"])])
    assert (answer.status, answer.ver) == (200, 2)
    assert assert_equal_masters(cluster, kind, key, tb, kind.value(3), 2).etag == answer["ETag"]
    answer = kind.delete(cluster.ha, key, tb=tb, headers=[("If-Match", answer["ETag"])])
    assert (answer.status, answer.ver) == (200, 2)
    assert_equal_masters(cluster, kind, key, tb)


@pytest.mark.parametrize("kind", VALUED, ids=str)
def test_if_match_any_and_if_none_match_any(cluster, kind):
    key, tb = named(kind, "any")
    exists, absent = [("If-Match", "*")], [("If-None-Match", "*")]
    assert kind.put(cluster.ha, key, tb=tb, headers=exists).status == 412
    assert kind.exist(cluster.ha, key, tb=tb).status == 404
    answer = kind.put(cluster.ha, key, kind.value(1), tb=tb, headers=absent)
    assert (answer.status, answer.ver) == (200, 1)
    assert kind.put(cluster.ha, key, kind.value(2), tb=tb, headers=absent).status == 412
    assert_equal_masters(cluster, kind, key, tb, kind.value(1), 1)
    answer = kind.put(cluster.ha, key, kind.value(3), tb=tb, headers=exists)
    assert (answer.status, answer.ver) == (200, 2)
    assert_equal_masters(cluster, kind, key, tb, kind.value(3), 2)


def test_hincrby(cluster):
    key, tb = named(HASH, "hincrby")
    expected = 0
    for number, step in enumerate((5, -7, 0, 10**12, -(2**40)), 1):
        expected += step
        answer = cluster.ha.call("hincrby", tb=tb, key=key, val=step)
        assert (answer.status, answer.body, answer.ver) == (200, b"%d" % expected, number)
        held = assert_equal_masters(cluster, HASH, key, tb, b"%d" % expected, number)
        assert answer["ETag"] == held.etag
    answer = cluster.ha.call("hincrby", "POST", tb=tb, key=key, val=1)
    assert (answer.status, answer.body) == (200, b"%d" % (expected + 1))


def test_hincrby_is_refused_unchanged(cluster):
    key, tb = named(HASH, "refused")
    for value, step in ((b"text", 1), (b"", 1), (b"1.5", 1), (b" 1", 1),
                        (b"%d" % (2**63 - 1), 1), (b"%d" % -(2**63), -1), (b"%d" % 2**63, -1)):
        version = cluster.ha.call("hset", "POST", value, tb=tb, key=key).ver
        before = assert_equal_masters(cluster, HASH, key, tb, value, version)
        answer = cluster.ha.call("hincrby", tb=tb, key=key, val=step)
        assert (answer.status, answer.ver) == (403, version), value
        assert answer.body.count(b"\n") == 1 and answer.body.endswith(b"\n")
        assert assert_equal_masters(cluster, HASH, key, tb) == before


def test_hincrby_with_ver(cluster):
    key, tb = named(HASH, "incrver")
    assert cluster.ha.call("hincrby", tb=tb, key=key, val=1, ver=1).status == 401
    assert cluster.ha.call("hincrby", tb=tb, key=key, val=1).ver == 1
    answer = cluster.ha.call("hincrby", tb=tb, key=key, val=1, ver=9)
    assert (answer.status, answer.ver, answer["VerError"]) == (401, 1, "true")
    answer = cluster.ha.call("hincrby", tb=tb, key=key, val=1, ver=1)
    assert (answer.status, answer.ver, answer.body) == (200, 2, b"2")
    assert_equal_masters(cluster, HASH, key, tb, b"2", 2)


def test_zadd_opt(cluster):
    key, tb = named(ZSET, "opt")
    expected = 0
    for number, (opt, score) in enumerate(((1, 5), (-1, 7), (0, 100), (1, -250), (-1, -3)), 1):
        expected = score if opt == 0 else expected + opt * score
        answer = cluster.ha.call("zadd", tb=tb, key=key, score=score, opt=opt)
        assert (answer.status, answer.body, answer.ver) == (200, b"%d" % expected, number)
        held = assert_equal_masters(cluster, ZSET, key, tb, b"%d" % expected, number)
        assert answer["ETag"] == held.etag


def test_zadd_overflow_is_refused_unchanged(cluster):
    key, tb = named(ZSET, "overflow")
    low, high = -(2**63), 2**63 - 1
    for score, opt, step in ((high, 1, 1), (low, 1, -1), (low, -1, 1), (high, -1, -1),
                             (0, -1, low)):
        version = cluster.ha.call("zadd", tb=tb, key=key, score=score).ver
        answer = cluster.ha.call("zadd", tb=tb, key=key, score=step, opt=opt)
        assert (answer.status, answer.ver) == (403, version), (score, opt, step)
        assert_equal_masters(cluster, ZSET, key, tb, b"%d" % score, version)


def test_zadd_answers_the_resulting_score(cluster):
    _, tb = named(ZSET, "resulting")
    for score in (0, -1, 2**63 - 1, -(2**63)):
        answer = cluster.ha.call("zadd", tb=tb, body=b"m", score=score)
        assert (answer.status, answer.body) == (200, b"%d" % score)
        assert cluster.ha.call("zscore2", tb=tb, body=b"m").body == b"%d" % score


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_ttl(cluster, kind):
    key, tb = named(kind, "ttl")
    assert kind.put(cluster.ha, key, tb=tb, ttl=1).status == 200
    held = assert_equal_masters(cluster, kind, key, tb)
    assert held.expire_at_ms > 0, "one absolute instant, the same on both masters"
    until(lambda: kind.exist(cluster.ha, key, tb=tb).status == 404, "expired", 2)
    assert kind.get(cluster.ha, key, tb=tb).status == 404
    assert kind.read2(cluster.ha, key, tb=tb).status == 404
    assert kind.exist2(cluster.ha, key, tb=tb).status == 404
    assert kind.delete(cluster.ha, key, tb=tb).status == 404
    for node in cluster.nodes:
        assert kind.exist(node, key, tb=tb).status in ((404, 412) if kind.has_table else (404,))
    # Put after expiry it is a new key.
    answer = kind.put(cluster.ha, key, tb=tb)
    assert (answer.status, answer.ver) == (200, 1)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_an_overwrite_without_ttl_makes_permanent(cluster, kind):
    key, tb = named(kind, "permanent")
    kind.put(cluster.ha, key, tb=tb, ttl=100)
    assert assert_equal_masters(cluster, kind, key, tb).expire_at_ms > 0
    answer = kind.put(cluster.ha, key, tb=tb)
    assert (answer.status, answer.ver) == (200, 2)
    assert assert_equal_masters(cluster, kind, key, tb).expire_at_ms == 0


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_ttl_maximum(cluster, kind):
    key, tb = named(kind, "maximum")
    assert kind.put(cluster.ha, key, tb=tb, ttl=TTL_MAXIMUM).status == 200
    answer = kind.put(cluster.ha, key, tb=tb, ttl=TTL_MAXIMUM + 1)
    assert answer.status == 400 and answer.body.startswith(b"ttl")
    assert kind.held(cluster.node1, key, tb).version == 1


@pytest.mark.parametrize("there, asked", TYPE_PAIRS, ids=str)
def test_a_table_of_another_type(cluster, there, asked):
    tb = b"write:type:" + there.name.encode() + b":" + asked.name.encode()
    there.put(cluster.ha, b"k", tb=tb)
    for answer in (asked.put(cluster.ha, b"k", tb=tb), asked.delete(cluster.ha, b"k", tb=tb)):
        assert (answer.status, answer.ver) == (412, 0)
        assert answer.header("VerError") in (None, "false")
    assert there.read2(cluster.ha, b"k", tb=tb).status == 200
    # When the last element goes, the name is free.
    there.delete(cluster.ha, b"k", tb=tb)
    assert asked.put(cluster.ha, b"k", tb=tb).status == 200
    assert asked.read2(cluster.ha, b"k", tb=tb).status == 200
    assert there.read2(cluster.ha, b"k", tb=tb).status == 412


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_concurrent_writers_leave_the_masters_equal(cluster, kind):
    """Plain writes of one key over several connections (and so several workers)."""
    key, tb = named(kind, "concurrent")
    writers, writes = 6, 40
    failures = []

    def write(base):
        for number in range(writes):
            answer = kind.put(cluster.ha, key, kind.value(base + number), tb=tb)
            if answer.status != 200 or "Sync" in answer:
                failures.append(str(answer))

    threads = [threading.Thread(target=write, args=(1000 * i,)) for i in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures

    def settled():
        one, two = (kind.held(node, key, tb) for node in cluster.nodes)
        return (one.status, one.value, one.stamp) == (200, two.value, two.stamp)

    until(settled, "both masters hold one of the writes", 2)
    assert kind.read2(cluster.ha, key, tb=tb).status == 200


def test_concurrent_increments_are_all_counted(cluster):
    key, tb = named(HASH, "concurrent:incr")
    threads, steps = 6, 40
    sums = []

    def increment():
        for _ in range(steps):
            answer = cluster.ha.call("hincrby", tb=tb, key=key, val=1)
            sums.append((answer.status, answer.body))

    workers = [threading.Thread(target=increment) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    total = threads * steps
    assert {status for status, _ in sums} == {200}
    assert sorted(int(body) for _, body in sums) == list(range(1, total + 1))
    assert_equal_masters(cluster, HASH, key, tb, b"%d" % total)
    answer = cluster.ha.call("hget2", tb=tb, key=key)
    assert (answer.status, answer.body) == (200, b"%d" % total)


def test_concurrent_conditional_writes_have_one_winner(cluster):
    key, _ = named(KV, "winner")
    cluster.ha.call("put", key=key, val=b"start")
    for round_ in range(1, 11):
        statuses = []

        def write(name):
            answer = cluster.ha.call("put", key=key, val=name, ver=round_)
            statuses.append((answer.status, name))

        threads = [threading.Thread(target=write, args=(b"%d" % i,)) for i in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners = [name for status, name in statuses if status == 200]
        assert len(winners) == 1 and {status for status, _ in statuses} == {200, 401}
        assert_equal_masters(cluster, KV, key, b"", winners[0], round_ + 1)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_write_heals_masters_that_differed(cluster, kind):
    """Any ordinary write through HA supersedes what was written directly on both nodes."""
    key, tb = named(kind, "heals")
    kind.put(cluster.node1, key, kind.value(1), tb=tb)
    kind.put(cluster.node2, key, kind.value(2), tb=tb)
    next_instant()
    answer = kind.put(cluster.ha, key, kind.value(3), tb=tb)
    assert (answer.status, answer.ver) == (200, 2)
    assert_equal_masters(cluster, kind, key, tb, kind.value(3), 2)


def test_success_bodies_are_empty_unless_a_number_results(cluster):
    for kind in KINDS:
        key, tb = named(kind, "bodies")
        answer = kind.put(cluster.ha, key, tb=tb)
        assert answer.body == (b"10" if kind is ZSET else b"")
        answer = kind.exist(cluster.ha, key, tb=tb)
        assert (answer.status, answer.body, answer["Content-Length"]) == (200, b"", "0")
        answer = kind.delete(cluster.ha, key, tb=tb)
        assert (answer.status, answer.body, answer["Content-Length"]) == (200, b"", "0")

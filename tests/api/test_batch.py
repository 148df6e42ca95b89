"""POST /hustdb/batch: the format of docs/formats.md, many operations in one request."""

import random
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hustlib import LONG, batch
from hustlib.batch import Op
from hustlib.kinds import KINDS, KV, ZSET


def post(node, body):
    return node.call("batch", "POST", body)


def refused(node, body):
    answer = post(node, body)
    assert answer.status == 400, answer
    assert answer["Content-Type"].startswith("text/plain")
    assert answer.body.endswith(b"\n") and answer.body.count(b"\n") == 1


def test_results_come_in_order(node):
    """Mixed reads and writes, of all kinds, hits and misses; each sees the ones before it."""
    ops, expected = [], []
    for number in range(100):
        key = b"batch:order:%d" % number
        ops += [batch.get(key), batch.put(key, b"v%d" % number), batch.get(key),
                batch.put(key, b"w%d" % number), batch.get(key), batch.delete(key),
                batch.get(key)]
        expected += [(404, 0, b""), (200, 1, b""), (200, 1, b"v%d" % number), (200, 2, b""),
                     (200, 2, b"w%d" % number), (200, 2, b""), (404, 0, b"")]
    results = node.batch(ops)
    assert [(result.status, result.version, result.value) for result in results] == expected


def test_answer(node):
    answer = post(node, batch.encode_request([batch.get(b"none")]))
    assert answer.status == 200
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Length"] == str(len(answer.body))
    reply = batch.decode_reply(answer.body)
    assert abs((reply.clock >> 16) - batch.now_ms()) < 60_000


def test_an_empty_batch(node):
    assert node.batch([]) == []


def test_as_many_operations_as_a_batch_may_have(node):
    ops = [batch.put(b"batch:many:%d" % number, b"v") for number in range(batch.OPS_MAX)]
    assert {result.status for result in node.batch(ops)} == {200}
    ops.append(batch.get(b"batch:many:0"))
    refused(node, batch.encode_request(ops))


def test_batch_and_calls_see_the_same(node):
    for kind in KINDS:
        tb = b"batch:same" + kind.type if kind.has_table else b""
        stamp = batch.new_stamp()
        result, = node.batch([batch.put(b"batch:same", kind.value(3), kind.type, tb,
                                        stamp=stamp)])
        assert (result.status, result.version, result.stamp) == (200, 1, stamp)
        answer = kind.get(node, b"batch:same", tb=tb)
        assert (answer.status, answer.body, answer.ver) == (200, kind.value(3), 1)
        if kind.has_value:
            assert answer["ETag"] == batch.etag(stamp)


def test_writes_of_one_batch_fail_one_by_one(node):
    node.call("hset", tb="batch:one", key=b"f", val=b"text")
    results = node.batch([
        batch.put(b"batch:a", b"1"),
        batch.put(b"batch:a", b"2", ver=9),
        batch.put(b"f", b"", batch.SET, b"batch:one"),
        batch.incr(b"f", 1, tb=b"batch:one"),
        batch.delete(b"none", batch.HASH, b"batch:never"),
        batch.get(b"none", batch.ZSET, b"batch:one"),
        batch.put(b"batch:a", b"3", ver=1),
    ])
    statuses = [result.status for result in results]
    assert statuses[:4] == [200, 401, 412, 403] and statuses[6] == 200
    assert statuses[4] in (404, 412) and statuses[5] == 412
    assert results[1].version == 1 and results[6].version == 2
    assert results[5].flags & batch.OTHER_TYPE
    assert node.call("get", key=b"batch:a").body == b"3"


def test_the_larger_stamp_wins(node):
    """Plain writes apply in any order: content by stamp, versions by count."""
    now = batch.now_ms()
    older, newer = batch.stamp_at(now, 1), batch.stamp_at(now, 2)
    results = node.batch([batch.put(b"batch:stamp", b"newer", stamp=newer),
                          batch.put(b"batch:stamp", b"older", stamp=older),
                          batch.get(b"batch:stamp")])
    assert [result.version for result in results] == [1, 2, 2]
    assert results[1].stamp == newer and results[2].value == b"newer"
    results = node.batch([batch.delete(b"batch:stamp", stamp=older), batch.get(b"batch:stamp")])
    assert results[1].value == b"newer"


def test_a_stamp_far_ahead_of_the_clock_is_refused(node):
    """A single bad clock cannot poison a key."""
    ahead = batch.stamp_at(batch.now_ms() + 3600_000)
    result, = node.batch([batch.put(b"batch:ahead", b"v", stamp=ahead)])
    assert result.status == 503
    assert node.call("get", key=b"batch:ahead").status == 404
    assert node.call("put", key=b"batch:ahead", val=b"v").ver == 1


def test_the_time_of_the_operation_decides_expiry(node):
    now = batch.now_ms()
    node.batch([batch.put(b"batch:now", b"v", expire_at_ms=now + 1_000_000)])
    later, before = (node.batch([Op(batch.GET, b"batch:now", flags=batch.WHOLE, now=time)])[0]
                     for time in (now + 2_000_000, now))
    assert (before.status, before.value) == (200, b"v")
    assert (later.status, later.version) == (404, 0) and later.flags & batch.DELETED


def test_a_tombstone_is_told_from_what_never_was(node):
    for kind in KINDS:
        tb = b"batch:tomb" + kind.type if kind.has_table else b""
        node.batch([batch.put(b"batch:tomb", kind.value(1), kind.type, tb),
                    batch.put(b"batch:stays", kind.value(1), kind.type, tb),
                    batch.delete(b"batch:tomb", kind.type, tb)])
        gone, never = node.batch([batch.get(b"batch:tomb", kind.type, tb),
                                  batch.get(b"batch:never", kind.type, tb)])
        assert (gone.status, never.status) == (404, 404)
        assert gone.flags & batch.DELETED and not never.flags & batch.DELETED


def test_a_delete_stores_its_tombstone_also_over_nothing(node):
    """So that an older write which comes later does not bring the element to life."""
    now = batch.now_ms()
    results = node.batch([
        batch.delete(b"batch:first", stamp=batch.stamp_at(now, 2)),
        batch.put(b"batch:first", b"late", stamp=batch.stamp_at(now, 1)),
        batch.get(b"batch:first")])
    assert results[0].status == 404 and results[0].flags & batch.STORED
    assert results[2].status == 404 and results[2].flags & batch.DELETED


def test_a_solo_write_leaves_a_hint(make_node):
    node = make_node(replicated=True, peers=["127.0.0.1:1"])
    stored, refused = node.batch([
        batch.put(key, b"v", target=target, flags=batch.SOLO)
        for key, target in ((b"batch:solo", b"127.0.0.1:1"), (b"batch:foe", b"127.0.0.1:2"))])
    assert stored.status == 200
    assert refused.status == 403, "a host that is not a configured peer"
    assert KV.held(node, b"batch:foe").status == 404
    held = KV.held(node, b"batch:solo")
    assert held.flags & batch.HINTED
    assert not KV.held(node, b"batch:none").flags & batch.HINTED


@pytest.mark.parametrize("size", (262_144, 262_145, 1_000_000))
def test_large_values_are_left_out_unless_asked_for(node, size):
    value = random.Random(size).randbytes(size)
    node.call("put", "PUT", value, key=b"batch:large")
    whole, brief = node.batch([batch.get(b"batch:large"), Op(batch.GET, b"batch:large")])
    assert whole.value == value
    if size <= 262_144:
        assert brief.value == value and not brief.flags & batch.LARGE
    else:
        assert brief.flags & batch.LARGE and brief.value == b""
        assert brief.value_bytes == size and brief.stamp == whole.stamp


def test_numbers_may_be_subtracted(node):
    """The negative of the least number is none, so taking away is an operation of its own."""
    results = node.batch([batch.incr(b"f", -5, tb=b"batch:sub"),
                          batch.incr(b"f", -(2**63), tb=b"batch:sub", flags=batch.SUBTRACT),
                          batch.incr(b"f", -(2**63), tb=b"batch:sub", flags=batch.SUBTRACT)])
    assert [(result.status, result.value) for result in results[:2]] == \
        [(200, b"-5"), (200, b"%d" % (2**63 - 5))]
    assert results[2].status == 403


def test_equal_large_values_have_equal_hashes(node):
    value = b"x" * 300_000
    for key, content in ((b"batch:h1", value), (b"batch:h2", value), (b"batch:h3", value + b"y")):
        node.call("put", "PUT", content, key=key)
    keys = [b"batch:h%d" % number for number in (1, 2, 3)]
    one, two, three = node.batch([batch.get(key, flags=batch.OWN) for key in keys])
    assert one.value_hash == two.value_hash != three.value_hash
    # A reader who compares nothing is not made to wait for it.
    plain, = node.batch([batch.get(keys[0], flags=0)])
    assert plain.flags & batch.LARGE and plain.value_hash == bytes(16)


def test_the_value_may_be_unwanted(node):
    node.call("put", key=b"batch:exist", val=b"value")
    result, = node.batch([batch.get(b"batch:exist", flags=batch.NO_VALUE)])
    assert (result.status, result.version, result.value) == (200, 1, b"")


def test_every_key_length(node):
    lengths = (1, 2, 255, 256, 4096, 32767, 65534, 65535)
    for kind in KINDS:
        tb = b"x" * 64 if kind is ZSET else (b"batch:len" + kind.type if kind.has_table else b"")
        keys = [b"\xff" * length for length in lengths]
        node.batch([batch.put(key, kind.value(1), kind.type, tb) for key in keys])
        results = node.batch([batch.get(key, kind.type, tb) for key in keys])
        assert [(result.status, result.value) for result in results] == \
            [(200, kind.value(1))] * len(lengths)
        # Neighbours by prefix are other elements.
        result, = node.batch([batch.get(b"\xff" * 3, kind.type, tb)])
        assert result.status == 404


GOOD = [batch.put(b"batch:refused", b"value", ver=1), batch.get(b"x"),
        batch.delete(b"batch:refused"), batch.incr(b"f", 1, tb=b"t")]


def malformed():
    """(what, bytes) of batches that must be refused whole."""
    good = batch.encode_request(GOOD)
    one = batch.encode_request(GOOD[:1])
    yield "empty", b""
    yield "other magic", b"XXXX" + good[4:]
    yield "other version", b"HBQ2" + good[4:]
    yield "a reply", batch.encode_reply([])
    yield "too few operations", batch.encode_request(GOOD, count=5)
    yield "too many operations", batch.encode_request(GOOD, count=3)
    yield "no operations but bytes", batch.encode_request(GOOD, count=0)
    yield "huge count", batch.encode_request(GOOD, count=2**32 - 1)
    yield "bytes left over", good + b"x"
    for what, at, values in (
            ("length", 20, (b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x00\x00\x00\x05")),
            ("code", 24, (b"\x00", b"\x09", b"\xff")),
            ("type", 25, (b"\x00", b"X", b"H")),
            ("direct flag", 26, (b"\x05\x00",)),
            ("tb length", 36, (b"\x01", b"\xff")),
            ("spare byte", 37, (b"\x01",)),
            ("key length", 38, (b"\x00\x00", b"\xff\xff"))):
        for value in values:
            yield f"{what} {value.hex()}", one[:at] + value + one[at + len(value):]
    put = batch.put
    for what, op in (
            ("empty key", put(b"", b"v")),
            ("kv with a table", put(b"k", b"v", batch.KV, b"t")),
            ("hash without a table", put(b"k", b"v", batch.HASH, b"")),
            ("bad table", put(b"k", b"v", batch.HASH, b"a/b")),
            ("long table", put(b"k", b"v", batch.HASH, b"t" * 65)),
            ("put without a stamp", Op(batch.PUT, b"k", value=b"v")),
            ("put with no stamp", put(b"k", b"v", stamp=bytes(12))),
            ("incr without a delta", Op(batch.INCR, b"k", stamp=batch.new_stamp())),
            ("solo without a target", put(b"k", b"v", flags=batch.SOLO)),
            ("empty target", put(b"k", b"v", target=b"")),
            ("get with a value", Op(batch.GET, b"k", value=b"v")),
            ("delete with a value", batch.delete(b"k", value=b"v")),
            ("merge without a record", Op(batch.MERGE, b"k")),
            ("hint without a target", Op(batch.HINT, b"k")),
            ("unhint without a gen", Op(batch.UNHINT, b"k", target=b"h:1",
                                        stamp=batch.new_stamp()))):
        yield what, batch.encode_request([op])


MALFORMED = dict(malformed())


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed(node, what):
    refused(node, MALFORMED[what])
    assert node.call("get", key=b"batch:refused").status == 404, "nothing of it is done"


def test_nothing_of_a_batch_with_a_malformed_end_is_done(node):
    body = batch.encode_request([batch.put(b"batch:half", b"v"), Op(batch.PUT, b"k", value=b"v")])
    refused(node, body)
    assert node.call("get", key=b"batch:half").status == 404


def test_every_truncation(node):
    whole = batch.encode_request(GOOD)
    for end in range(len(whole)):
        refused(node, whole[:end])
    assert node.call("get", key=b"batch:refused").status == 404


def test_a_merge_of_a_malformed_record_is_refused(node):
    for record in (b"\x00", b"\x01\x03", b"\x01\x01", b"\x02\x00", b"\x01\x01" + bytes(33),
                   bytes(100)):
        answer = post(node, batch.encode_request([Op(batch.MERGE, b"batch:merge", value=record)]))
        if answer.status == 200:
            result, = batch.decode_reply(answer.body).results
            assert result.status >= 400
        else:
            assert answer.status == 400
        assert node.call("get", key=b"batch:merge").status == 404


def wire_record(stamp, version, value, expire_at_ms=0, deleted=False):
    return (b"\x01\x01" + stamp + struct.pack(">QQBI", version, expire_at_ms, deleted, len(value))
            + value)


def test_merge_takes_the_newer_record_as_it_is(node):
    now = batch.now_ms()
    one, two = batch.stamp_at(now, 1), batch.stamp_at(now, 2)
    for stamp, version, value, expected in (
            (two, 70, b"two", (two, 70, b"two")), (one, 99, b"one", (two, 70, b"two")),
            (two, 70, b"two", (two, 70, b"two"))):
        result, = node.batch([Op(batch.MERGE, b"batch:merged",
                                 value=wire_record(stamp, version, value))])
        assert result.status == 200
        held = KV.held(node, b"batch:merged")
        assert (held.stamp, held.version, held.value) == expected


@settings(max_examples=2000 if LONG else 150, deadline=None, database=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bytes_never_harm(node, data):
    """Any damage is answered, 400 or else results in their number, and the node goes on."""
    ops = [batch.put(b"batch:flip", b"value", target=b"h:1", flags=batch.SOLO),
           batch.get(b"batch:flip"), batch.incr(b"f", 1, tb=b"batch:flip"),
           Op(batch.MERGE, b"batch:flip2",
              value=wire_record(batch.new_stamp(), 1, b"merged"))]
    body = bytearray(batch.encode_request(ops))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    answer = post(node, bytes(body))
    assert answer.status in (200, 400)
    if answer.status == 200:
        assert len(batch.decode_reply(answer.body).results) == \
            struct.unpack(">I", body[4:8])[0]


@settings(max_examples=1000 if LONG else 60, deadline=None, database=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200), honest=st.booleans())
def test_random_bytes_never_harm(node, body, honest):
    answer = post(node, b"HBQ1" + body if honest else body)
    assert answer.status in (200, 400)


def test_a_batch_too_large(make_node):
    node = make_node(max_body_size="1M")
    ops = [batch.put(b"%d" % number, b"x" * 100_000) for number in range(40)]
    with node.client() as client:
        answer = client.request("POST", "/hustdb/batch", body=batch.encode_request(ops))
    assert answer.status == 413
    assert node.call("get", key=b"0").status == 404


def test_a_value_above_the_limit_in_a_batch(make_node):
    """A batch may be a little larger than a value, so that the largest value fits into one."""
    node = make_node(max_body_size="1M")
    limit = 2**20
    result, = node.batch([batch.put(b"k" * 65535, b"x" * limit)])
    assert result.status == 200
    assert node.batch([batch.get(b"k" * 65535)])[0].value == b"x" * limit


def test_a_value_above_the_limit_of_values_refuses_the_batch(make_node):
    """A batch may carry two of the largest values, for a conflict has two sides; a put may not."""
    node = make_node(max_body_size="1M")
    ops = [batch.put(b"small", b"x"), batch.put(b"k", b"x" * (2**20 + 1))]
    with node.client() as client:
        answer = client.request("POST", "/hustdb/batch", body=batch.encode_request(ops))
    assert answer.status == 413 and answer.body.endswith(b"\n")
    assert node.call("get", key=b"small").status == 404


def test_methods(node):
    for method in ("GET", "PUT", "DELETE", "HEAD"):
        answer = node.call("batch", method)
        assert (answer.status, answer["Allow"]) == (405, "POST")

"""keys, hkeys, smembers: order, pages, parts, values (HTTP contract 2, Listings)."""

import base64
import random
import threading

import pytest

from hustlib import bucket, until
from hustlib.kinds import HASH, KINDS, KV, SET, ZSET
from hustlib.listing import (FILE_COUNT, PAGE_MAX, by_bucket, file_range, page, page_of, pages,
                             walk)

CALLS = {HASH: "hkeys", SET: "smembers"}
BINARY = [b"\x00", b"\x00\x00", b"\xff", b"\xff\xff\x00", b"a b", b"\"\\", b"\xe4\xb8\xad", b"%",
          b"+"]


def fill(node, kind, tb, keys):
    for number, key in enumerate(keys):
        assert kind.put(node, key, kind.value(number), tb=tb).status == 200


@pytest.mark.parametrize("kind", CALLS, ids=str)
def test_order_and_pages_by_offset(node, kind):
    keys = [b"k%d" % number for number in range(120)] + BINARY
    tb = b"order" + kind.type
    fill(node, kind, tb, keys)
    expected = by_bucket(keys)
    for offset, size in ((0, 1000), (0, 1), (0, 10), (60, 10), (len(keys) - 1, 5),
                         (len(keys), 5), (10**18, 5), (2**64 - 1, 5), (5, 0), (0, 0)):
        found = page(node, CALLS[kind], tb=tb, offset=offset, size=size)
        assert found.keys == expected[offset:offset + size], (offset, size)
        assert (found.cursor is not None) == (0 < size and offset + size < len(keys))


@pytest.mark.parametrize("size", (1, 7, 1000))
@pytest.mark.parametrize("kind", CALLS, ids=str)
def test_pages_by_cursor(node, kind, size):
    keys = [b"c%d" % number for number in range(150)] + BINARY
    tb = b"cursor%d" % size + kind.type
    fill(node, kind, tb, keys)
    assert [element["key"] for element in walk(node, CALLS[kind], size, tb=tb)] == by_bucket(keys)


def test_values_versions_and_ttl(node):
    fill(node, HASH, b"values", [b"a"])
    fill(node, HASH, b"values", [b"a"])
    assert node.call("hset", tb="values", key=b"b", val=b"\x00\xff" * 400, ttl=100).status == 200
    by_key = {element["key"]: element for element in page(
        node, "hkeys", tb="values", offset=0, size=10, noval="false").elements}
    assert by_key[b"a"] == {"key": b"a", "val": base64.b64encode(HASH.value(0)).decode(),
                            "ver": 2, "ttl": 0}
    assert base64.b64decode(by_key[b"b"]["val"]) == b"\x00\xff" * 400
    assert 98 <= by_key[b"b"]["ttl"] <= 100
    for noval in ({}, {"noval": "true"}, {"noval": "1"}):
        for element in page(node, "hkeys", tb="values", offset=0, size=10, **noval).elements:
            assert set(element) == {"key", "ver", "ttl"}


def test_the_bytes_of_an_answer(node):
    node.call("hset", tb="bytes", key=b"f", val=b"v")
    answer = node.call("hkeys", tb="bytes", offset=0, size=10, noval=0)
    assert answer.body == b'[{"key":"Zg==","val":"dg==","ver":1,"ttl":0}]'
    node.call("sadd", tb="bytes:s", key=b"m")
    answer = node.call("smembers", tb="bytes:s", offset=0, size=10, noval=0)
    assert answer.body == b'[{"key":"bQ==","val":"","ver":1,"ttl":0}]'
    assert node.call("smembers", tb="bytes:s", offset=1, size=10).body == b"[]"


@pytest.mark.parametrize("kind", CALLS, ids=str)
def test_buckets(node, kind):
    keys = [b"b%d" % number for number in range(200)]
    tb = b"buckets" + kind.type
    fill(node, kind, tb, keys)
    for start, end in ((0, 1024), (0, 512), (512, 1024), (300, 301), (700, 700), (900, 100),
                       (1024, 1024), (0, 0)):
        expected = [key for key in by_bucket(keys) if start <= bucket(key) < end]
        found = walk(node, CALLS[kind], 9, tb=tb, start=start, end=end)
        assert [element["key"] for element in found] == expected
        found = page(node, CALLS[kind], tb=tb, start=start, end=end, offset=5, size=50)
        assert found.keys == expected[5:55]


def test_deleted_and_expired_are_absent(node):
    tb = b"gone"
    fill(node, HASH, tb, [b"g%d" % number for number in range(30)])
    for number in range(0, 30, 3):
        assert HASH.delete(node, b"g%d" % number, tb=tb).status == 200
    for number in range(1, 30, 3):
        assert HASH.put(node, b"g%d" % number, tb=tb, ttl=1).status == 200
    until(lambda: HASH.exist(node, b"g28", tb=tb).status == 404, "expired", 2)
    expected = by_bucket(b"g%d" % number for number in range(2, 30, 3))
    assert page(node, "hkeys", tb=tb, offset=0, size=100).keys == expected
    assert page(node, "hkeys", tb=tb, offset=4, size=3).keys == expected[4:7]


def test_tables_that_are_not_there(node):
    node.call("hset", tb="is:hash", key=b"f", val=b"v")
    for call in ("hkeys", "smembers", "zrangebyrank"):
        answer = node.call(call, tb="is:nothing", offset=0, size=1)
        assert (answer.status, answer["Version"]) == (412, "0")
        assert answer.text == "tb: does not exist\n"
    for call in ("smembers", "zrangebyrank"):
        answer = node.call(call, tb="is:hash", offset=0, size=1)
        assert (answer.status, answer["Version"]) == (412, "0")
        assert answer.text == "tb: is of another type\n"


def test_no_snapshot_yet(node):
    node.call("hset", tb="snapshot", key=b"f", val=b"v")
    for call, params in (("hkeys", {"tb": "snapshot"}), ("keys", {"file": 0}),
                         ("smembers", {"tb": "none"}), ("zrangebyrank", {"tb": "none"})):
        answer = node.call(call, offset=0, size=1, **params, **{"async": "true"})
        assert (answer.status, answer.body) == (404, b"")
    assert node.call("hkeys", tb="snapshot", offset=0, size=1, **{"async": "0"}).status == 200


def test_cursors_that_are_none(node):
    node.call("hset", tb="none", key=b"f", val=b"v")
    node.call("zadd", tb="none:z", key=b"f", score=1)
    for call, tb in (("hkeys", "none"), ("zrangebyrank", "none:z")):
        for cursor in ("x", "t", "s", "r", "!!!!", "tA", "sA", "t====", "t" + "A" * 4000,
                       "fAA", b"t\x00AA", "rAA" if call == "zrangebyrank" else "sAA"):
            answer = node.call(call, tb=tb, cursor=cursor, size=1)
            assert answer.status == 400 and answer.text.startswith("cursor:"), (cursor, answer)
            assert answer.body.count(b"\n") == 1


# -- keys: everything that a part of the node holds


def test_everything_is_in_exactly_one_part(make_node):
    node = make_node()
    keys = [b"k%d" % number for number in range(300)] + BINARY
    expected = {}
    for kind in KINDS:
        for tb in ((b"one", b"two") if kind.has_table else (b"",)):
            name = kind.type + tb
            fill(node, kind, name, keys)
            for key in keys:
                home = bucket(name) if kind is ZSET else bucket(key)
                expected[kind.type, name if tb else b"", key] = home
    node.call("hdel", tb="Hone", key=keys[0])
    del expected[b"H", b"Hone", keys[0]]
    seen = set()
    for number in range(FILE_COUNT):
        start, end = file_range(number)
        found = walk(node, "keys", 97, file=number)
        for element in found:
            where = (element.get("ty", "K").encode(), element.get("tb", "").encode(),
                     element["key"])
            assert where not in seen
            seen.add(where)
            assert start <= expected[where] < end
        order = [(element.get("ty", "K"), element.get("tb", "")) for element in found]
        assert order == sorted(order)
        assert page(node, "keys", file=number, offset=7, size=50).keys == [
            element["key"] for element in found[7:57]]
    assert seen == set(expected)


def test_what_keys_tells(make_node):
    node = make_node()
    node.call("put", key=b"k1", val=b"v")  # bucket 294
    node.call("hset", tb="t", key=b"k1", val=b"v", ttl=50)
    node.call("sadd", tb="s", key=b"k1")
    node.call("zadd", tb="k1", key=b"m", score=-7)
    answer = node.call("keys", file=2, offset=0, size=10, noval="false")
    assert answer.body == (
        b'[{"key":"azE=","tb":"t","ty":"H","val":"dg==","ver":1,"ttl":50},'
        b'{"key":"azE=","val":"dg==","ver":1,"ttl":0},'
        b'{"key":"azE=","tb":"s","ty":"S","val":"","ver":1,"ttl":0},'
        b'{"key":"bQ==","tb":"k1","ty":"Z","val":"-7","ver":1,"ttl":0}]')
    answer = node.call("keys", file=2, offset=1, size=1)
    assert answer.body == b'[{"key":"azE=","ver":1,"ttl":0}]'
    assert page(node, "keys", file=2, offset=0, size=10, start=295).keys == []
    assert len(page(node, "keys", file=2, offset=0, size=10, start=294, end=295).keys) == 4
    assert page(node, "keys", file=1, offset=0, size=10).keys == []


# -- pages while others write, and long keys


@pytest.mark.parametrize("call", ("hkeys", "keys"))
def test_what_stays_is_listed_once_while_others_write(node, call):
    """Elements that exist throughout: neither skipped nor repeated, whatever comes and goes."""
    tb = "writes" + call
    stays = {b"stays%d" % number for number in range(400)}
    fill(node, HASH, tb.encode(), stays)
    stop = threading.Event()

    def write(seed):
        source = random.Random(seed)
        while not stop.is_set():
            key = b"moves%d" % source.randrange(400)
            name = "hset" if source.random() < 0.5 else "hdel"
            params = {"val": b"v"} if name == "hset" else {}
            assert node.call(name, tb=tb, key=key, **params).status in (200, 404)
            kept = source.choice(sorted(stays)[:50])
            assert node.call("hset", tb=tb, key=kept, val=b"again").status == 200

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(3)]
    for writer in writers:
        writer.start()
    try:
        for size in (1, 13, 100):
            parts = [{"tb": tb}] if call == "hkeys" else [{"file": part} for part in range(10)]
            found = [element["key"] for params in parts
                     for element in walk(node, call, size, **params)
                     if call == "hkeys" or element.get("tb") == tb]
            assert len(found) == len(set(found))
            assert stays <= set(found)
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def test_the_end_of_a_page_may_vanish(node):
    """A cursor does not depend on the element that ended its page, nor on the next one."""
    keys = by_bucket(b"v%d" % number for number in range(60))
    fill(node, SET, b"vanish", keys)
    found = page(node, "smembers", tb="vanish", offset=0, size=20)
    for key in keys[15:25]:
        assert node.call("srem", tb="vanish", key=key).status == 200
    rest = page(node, "smembers", tb="vanish", cursor=found.cursor, size=100)
    assert rest.keys == keys[25:]
    fill(node, SET, b"vanish", keys[15:25])
    rest = page(node, "smembers", tb="vanish", cursor=found.cursor, size=100)
    assert rest.keys == keys[20:]


def long_keys(count, common):
    """Keys of one bucket that are the same for `common` bytes."""
    return [b"x" * common + b"%c%c" % (ord("a") + number, 255 - 31 * number)
            for number in range(count)]


@pytest.mark.parametrize("common", (100, 1900, 2100, 60000))
def test_long_keys(node, common):
    """Cursors stay short. Keys that are the same for too long share a page."""
    tb = "long%d" % common
    keys = long_keys(5, common)
    assert len({bucket(key[common:]) for key in keys}) == 1
    for key in keys:
        assert node.call("sadd", tb=tb, body=key).status == 200
    found = list(pages_of_any_size(node, "smembers", 2, tb=tb))
    assert [key for one in found for key in one.keys] == keys
    assert [len(one.keys) for one in found] == ([2, 2, 1] if common < 2000 else [5])
    assert all(one.cursor is None or len(one.cursor) < 2800 for one in found)


def pages_of_any_size(node, call, size, **params):
    params["offset"] = 0
    while True:
        found = page_of(node.call(call, size=size, **params))
        yield found
        if found.cursor is None:
            return
        params.pop("offset", None)
        params["cursor"] = found.cursor


def test_a_page_of_large_values_ends_early(node):
    """It does not fill the memory; the cursor goes on."""
    value = random.Random(5).randbytes(9 << 20)
    for number in range(8):
        assert node.call("hset", tb="large", key=b"k%d" % number, body=value).status == 200
    found = list(pages(node, "hkeys", PAGE_MAX, tb="large", noval="false"))
    assert [len(one.elements) for one in found] == [3, 3, 2]
    for one in found:
        for element in one.elements:
            assert base64.b64decode(element["val"]) == value


def test_listings_after_a_crash(make_node):
    node = make_node()
    fill(node, HASH, b"crash", [b"k%d" % number for number in range(50)])
    fill(node, KV, b"", [b"k%d" % number for number in range(50)])
    before = walk(node, "hkeys", 7, tb="crash"), walk(node, "keys", 7, file=3)
    node.kill()
    node.start()
    assert (walk(node, "hkeys", 7, tb="crash"), walk(node, "keys", 7, file=3)) == before

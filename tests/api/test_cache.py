"""The cache of a node, /hustcache/: every call and status, any bytes, expiry, eviction, clients at
once."""

import threading
import time

import pytest

from hustlib import SANITIZE, refusals, until
from hustlib.calls import Call

GET = ("GET",)
GET_POST_PUT = ("GET", "POST", "PUT")
CALLS = (
    Call("exist", GET, ("key",)),
    Call("get", GET, ("key",)),
    Call("ttl", GET, ("key",)),
    Call("del", GET, ("key",)),
    Call("persist", GET, ("key",)),
    Call("put", GET_POST_PUT, ("key", "val"), ("ttl",), "val"),
    Call("append", GET_POST_PUT, ("key", "val"), (), "val"),
    Call("expire", GET, ("key", "ttl")),
    Call("hexist", GET, ("tb", "key")),
    Call("hget", GET, ("tb", "key")),
    Call("hdel", GET, ("tb", "key")),
    Call("hset", GET_POST_PUT, ("tb", "key", "val"), (), "val"),
    Call("hincrby", GET, ("tb", "key", "val")),
)
ANY_BYTES = (b"\x00", b"a\x00b", bytes(range(256)), b"\xff\xfe", b"a b+c&d=e;f?g#h/%41", b"\r\n\r\n",
             "日本語".encode(), b"k" * 5000)


@pytest.mark.parametrize("check", refusals.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("call", CALLS, ids=str)
def test_matrix(node, call, check):
    node.cache("del", key=b"k")
    node.cache("del", key=b"t")
    check(node, "/hustcache/", call)


@pytest.mark.parametrize("check", (refusals.missing, refusals.duplicate, refusals.wrong_method,
                                   refusals.body_of_a_get_is_ignored),
                         ids=lambda check: check.__name__)
def test_matrix_of_hincrbyfloat(node, check):
    """Apart, as what is no number elsewhere is one here."""
    node.cache("del", key=b"t")
    check(node, "/hustcache/", Call("hincrbyfloat", GET, ("tb", "key", "val")))


def plain(answer, status, body=b""):
    """The answer is this, and says nothing of versions."""
    assert (answer.status, answer.body) == (status, body), answer
    assert answer["Content-Length"] == str(len(body))
    for name in ("Version", "VerError", "ETag"):
        assert name not in answer, answer


def refused(answer, status, begins):
    assert answer.status == status, answer
    refusals.assert_one_line(answer, begins)
    assert "Version" not in answer and "VerError" not in answer


def test_unknown_paths(node):
    refusals.unknown_paths(node, ["/hustcache", "/hustcache/", "/hustcache/sadd", "/cache/get",
                                  "/hustcache/GET", "/hustcache/get/", "/hustdb/append"])


def test_values(node):
    for call in ("get", "exist", "ttl", "del", "persist"):
        plain(node.cache(call, key=b"values"), 404)
    plain(node.cache("expire", key=b"values", ttl=5), 404)
    plain(node.cache("put", key=b"values", val=b"first"), 200)
    answer = node.cache("get", key=b"values")
    plain(answer, 200, b"first")
    assert answer["Content-Type"] == "text/plain"
    plain(node.cache("exist", key=b"values"), 200)
    plain(node.cache("put", "PUT", b"second", key=b"values"), 200)
    plain(node.cache("append", "POST", b" and third", key=b"values"), 200)
    plain(node.cache("get", key=b"values"), 200, b"second and third")
    plain(node.cache("append", key=b"values:new", val=b"appended"), 200)
    plain(node.cache("get", key=b"values:new"), 200, b"appended")
    plain(node.cache("del", key=b"values"), 200)
    plain(node.cache("get", key=b"values"), 404)


def test_the_empty_value(node):
    plain(node.cache("put", "PUT", b"", key=b"empty"), 200)
    answer = node.cache("get", key=b"empty")
    plain(answer, 200)
    assert answer["Content-Type"] == "text/plain"
    plain(node.cache("append", key=b"empty", val=b""), 200)
    plain(node.cache("hset", "POST", b"", tb="empty:t", key=b"f"), 200)
    plain(node.cache("hget", tb="empty:t", key=b"f"), 200)


@pytest.mark.parametrize("data", ANY_BYTES, ids=lambda data: repr(data[:12]))
def test_any_bytes(node, data):
    plain(node.cache("put", "PUT", data, key=b"any:" + data), 200)
    plain(node.cache("get", key=b"any:" + data), 200, data)
    plain(node.cache("put", key=data, val=data), 200)
    plain(node.cache("append", "POST", data, key=data), 200)
    plain(node.cache("get", key=data), 200, data + data)
    plain(node.cache("hset", tb="any:t", key=data, val=data), 200)
    plain(node.cache("hget", tb="any:t", key=data), 200, data)
    plain(node.cache("del", key=data), 200)
    plain(node.cache("hdel", tb="any:t", key=data), 200)


def test_cache_and_store_know_nothing_of_each_other(node):
    node.call("put", key=b"apart", val=b"stored")
    plain(node.cache("get", key=b"apart"), 404)
    node.cache("put", key=b"apart", val=b"cached")
    assert node.call("get", key=b"apart").body == b"stored"
    node.cache("del", key=b"apart")
    assert node.call("get", key=b"apart").body == b"stored"


def test_hashes(node):
    for call in ("hget", "hexist", "hdel"):
        plain(node.cache(call, tb="hashes", key=b"f"), 404)
    plain(node.cache("hset", tb="hashes", key=b"f", val=b"1"), 200)
    plain(node.cache("hset", "PUT", b"2", tb="hashes", key=b"g"), 200)
    plain(node.cache("hset", "POST", b"3", tb="hashes", key=b"f"), 200)
    plain(node.cache("hget", tb="hashes", key=b"f"), 200, b"3")
    plain(node.cache("hexist", tb="hashes", key=b"g"), 200)
    plain(node.cache("hget", tb="hashes", key=b"none"), 404)
    plain(node.cache("hget", tb="hashes:other", key=b"f"), 404)
    # The whole hash, by its name as a key.
    plain(node.cache("exist", key=b"hashes"), 200)
    plain(node.cache("ttl", key=b"hashes"), 200, b"-1")
    plain(node.cache("hdel", tb="hashes", key=b"g"), 200)
    plain(node.cache("exist", key=b"hashes"), 200)
    plain(node.cache("hdel", tb="hashes", key=b"f"), 200)
    plain(node.cache("exist", key=b"hashes"), 404)
    node.cache("hset", tb="hashes", key=b"f", val=b"1")
    plain(node.cache("del", key=b"hashes"), 200)
    plain(node.cache("hget", tb="hashes", key=b"f"), 404)


def test_another_type(node):
    node.cache("put", key=b"types:v", val=b"1")
    node.cache("hset", tb="types:t", key=b"f", val=b"1")
    refused(node.cache("get", key=b"types:t"), 412, "key: ")
    for call in ("put", "append"):
        refused(node.cache(call, key=b"types:t", val=b"x"), 412, "key: ")
    for call in ("hget", "hexist", "hdel"):
        refused(node.cache(call, tb="types:v", key=b"f"), 412, "tb: ")
    for call in ("hset", "hincrby", "hincrbyfloat"):
        refused(node.cache(call, tb="types:v", key=b"f", val=b"1"), 412, "tb: ")
    plain(node.cache("get", key=b"types:v"), 200, b"1")
    plain(node.cache("hget", tb="types:t", key=b"f"), 200, b"1")


def test_ttl(node):
    plain(node.cache("put", key=b"ttl", val=b"v", ttl=100), 200)
    assert node.cache("ttl", key=b"ttl").body in (b"100", b"99", b"98")
    plain(node.cache("expire", key=b"ttl", ttl=1000), 200)
    assert 990 <= int(node.cache("ttl", key=b"ttl").body) <= 1000
    node.cache("append", key=b"ttl", val=b"w")
    assert 990 <= int(node.cache("ttl", key=b"ttl").body) <= 1000
    plain(node.cache("persist", key=b"ttl"), 200)
    plain(node.cache("ttl", key=b"ttl"), 200, b"-1")
    plain(node.cache("persist", key=b"ttl"), 404)
    plain(node.cache("expire", key=b"ttl", ttl=0), 404)
    plain(node.cache("expire", key=b"ttl", ttl=5), 200)
    plain(node.cache("expire", key=b"ttl", ttl=0), 200)
    plain(node.cache("ttl", key=b"ttl"), 200, b"-1")
    node.cache("expire", key=b"ttl", ttl=5)
    plain(node.cache("put", key=b"ttl", val=b"for ever"), 200)
    plain(node.cache("ttl", key=b"ttl"), 200, b"-1")


def test_expiry(node):
    began = time.monotonic()
    node.cache("put", key=b"expiry", val=b"v", ttl=1)
    node.cache("hset", tb="expiry:t", key=b"f", val=b"v")
    node.cache("expire", key=b"expiry:t", ttl=1)
    plain(node.cache("ttl", key=b"expiry"), 200, b"1")
    until(lambda: node.cache("exist", key=b"expiry").status == 404, "it has expired", 2)
    assert time.monotonic() - began > 0.9
    until(lambda: node.cache("hexist", tb="expiry:t", key=b"f").status == 404, "the hash too", 2)
    for call in ("get", "ttl", "del", "persist"):
        plain(node.cache(call, key=b"expiry"), 404)
    plain(node.cache("append", key=b"expiry", val=b"new"), 200)
    plain(node.cache("get", key=b"expiry"), 200, b"new")
    plain(node.cache("ttl", key=b"expiry"), 200, b"-1")


def test_hincrby(node):
    total = 0
    for step in (3, -10, 0, 2**62, -(2**62)):
        total += step
        plain(node.cache("hincrby", tb="incr", key=b"f", val=step), 200, b"%d" % total)
        plain(node.cache("hget", tb="incr", key=b"f"), 200, b"%d" % total)


@pytest.mark.parametrize("steps", (
    ((b"0.1", b"0.1"), (b"0.2", b"0.3"), (b"-0.3", b"0"), (b"5", b"5"), (b"1e2", b"105")),
    ((b"-1.5", b"-1.5"), (b"1E-1", b"-1.4")),
    ((b"3.0e3", b"3000"), (b"-3000", b"0"))))
def test_hincrbyfloat(node, steps):
    node.cache("hdel", tb="float", key=b"f")
    for step, total in steps:
        plain(node.cache("hincrbyfloat", tb="float", key=b"f", val=step), 200, total)
        plain(node.cache("hget", tb="float", key=b"f"), 200, total)


@pytest.mark.parametrize("call", ("hincrby", "hincrbyfloat"))
@pytest.mark.parametrize("value", (b"text", b"", b" 1", b"1\n", b"1\x00", b"+1", b"nan", b"0x10"))
def test_not_a_number(node, call, value):
    node.cache("hset", "PUT", value, tb="nan", key=b"f")
    refused(node.cache(call, tb="nan", key=b"f", val=1), 403, "val: ")
    plain(node.cache("hget", tb="nan", key=b"f"), 200, value)


@pytest.mark.parametrize("call, value, step", (
    ("hincrby", b"9223372036854775807", b"1"), ("hincrby", b"-9223372036854775808", b"-1"),
    ("hincrby", b"1.5", b"1"), ("hincrbyfloat", b"1e308", b"1e308"),
    ("hincrbyfloat", b"-1.7e308", b"-1.7e308")))
def test_overflow(node, call, value, step):
    node.cache("hset", "PUT", value, tb="overflow", key=b"f")
    refused(node.cache(call, tb="overflow", key=b"f", val=step), 403, "val: ")
    plain(node.cache("hget", tb="overflow", key=b"f"), 200, value)


@pytest.mark.parametrize("value", (b"", b"x", b"+1", b" 1", b"1 ", b"nan", b"inf", b"1e999",
                                   b"0x1", b".5", b"5.", b"1,5", b"1" * 65))
def test_no_number_to_add(node, value):
    refused(node.cache("hincrbyfloat", tb="add", key=b"f", val=value), 400, "val: ")
    refused(node.cache("hincrby", tb="add", key=b"f", val=value), 400, "val: ")


def test_too_large(make_node):
    node = make_node(max_body_size="1M", cache_size="16M")
    limit = 2**20
    refused(node.cache("put", "PUT", b"x" * (limit + 1), key=b"k"), 413, "body: ")
    plain(node.cache("put", "PUT", b"x" * (limit - 1), key=b"k"), 200)
    plain(node.cache("append", key=b"k", val=b"y"), 200)
    refused(node.cache("append", key=b"k", val=b"z"), 413, "val: ")
    assert node.cache("get", key=b"k").body == b"x" * (limit - 1) + b"y"
    # Half of a shard's share, here 2 MiB, is the most that a hash may have.
    plain(node.cache("hset", "PUT", b"x" * limit, tb="t", key=b"f"), 200)
    refused(node.cache("hset", "PUT", b"x" * limit, tb="t", key=b"g"), 507, "val: ")
    plain(node.cache("hexist", tb="t", key=b"g"), 404)
    plain(node.cache("hexist", tb="t", key=b"f"), 200)


def test_an_item_too_large_for_its_share(make_node):
    node = make_node(cache_size="1M")
    plain(node.cache("put", key=b"k", val=b"before"), 200)
    refused(node.cache("put", "PUT", b"x" * 2**19, key=b"k"), 507, "val: ")
    plain(node.cache("get", key=b"k"), 200, b"before")
    plain(node.cache("put", "PUT", b"x" * 400_000, key=b"k"), 200)


def test_eviction(make_node):
    """Ten times what fits: the newest are there, the oldest are not, the one in use is."""
    node = make_node(cache_size="1M")
    node.cache("put", key=b"used", val=b"v")
    for number in range(1000):
        plain(node.cache("put", "PUT", b"%010d" % number + b"x" * 10_000, key=b"%d" % number), 200)
        if number % 20 == 0:
            plain(node.cache("get", key=b"used"), 200, b"v")
    there = [number for number in range(1000)
             if node.cache("exist", key=b"%d" % number).status == 200]
    assert there == list(range(1000 - len(there), 1000))
    assert 90 <= len(there) <= 104
    plain(node.cache("get", key=b"used"), 200, b"v")


def resident_bytes(node):
    with open(f"/proc/{node.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.skipif(SANITIZE, reason="the sanitizer keeps what has been freed")
def test_memory_does_not_grow_with_what_is_put(make_node):
    """Five times the cache, in sizes of all kinds: the process grows by the cache, and that is it."""
    node = make_node(cache_size="16M")
    empty = resident_bytes(node)
    for number in range(2500):
        size = (100, 1000, 20_000, 100_000)[number % 4]
        plain(node.cache("put", "PUT", b"x" * size, key=b"fill:%d" % number), 200)
    grown = resident_bytes(node) - empty
    assert 8 * 2**20 < grown < (16 + 8) * 2**20


def test_no_cache(make_node):
    node = make_node(cache_size="0")
    for call in CALLS:
        answer = node.request("GET", f"/hustcache/{call.name}?key=k&tb=t&val=1&ttl=1")
        assert (answer.status, answer.body) == (404, b"")
    assert node.call("put", key=b"k", val=b"v").status == 200


def test_nothing_survives_a_restart(make_node):
    node = make_node()
    node.cache("put", key=b"k", val=b"v")
    node.stop()
    node.start()
    plain(node.cache("get", key=b"k"), 404)


def in_threads(count, work):
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_increments_at_once(node):
    sums = []

    def increment(_):
        for _ in range(100):
            sums.append(int(node.cache("hincrby", tb="at:once", key=b"f", val=1).body))

    in_threads(8, increment)
    assert sorted(sums) == list(range(1, 801))


def test_appends_at_once(node):
    def append(number):
        for _ in range(100):
            assert node.cache("append", key=b"at:once", val=b"%d" % number).status == 200

    node.cache("del", key=b"at:once")
    in_threads(6, append)
    assert sorted(node.cache("get", key=b"at:once").body) == sorted(b"012345" * 100)


def test_clients_at_once_under_eviction(make_node):
    """Whoever finds a value finds the right one, whole."""
    node = make_node(cache_size="1M")
    wrong = []

    def use(number):
        for turn in range(200):
            key = b"key:%d" % (turn * 7 % 60)
            body = key + b"." * 20_000
            node.cache("put", "PUT", body, key=key)
            answer = node.cache("get", key=b"key:%d" % ((turn + number) * 11 % 60))
            if answer.status == 200:
                start = b"key:%d." % ((turn + number) * 11 % 60)
                if not answer.body.startswith(start) or len(answer.body) != len(start) + 19_999:
                    wrong.append(answer)
            elif answer.status != 404:
                wrong.append(answer)

    in_threads(6, use)
    assert not wrong

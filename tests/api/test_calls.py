"""Every single-element call of a node (HTTP contract 2)."""

import pytest

from hustlib import until
from hustlib.kinds import HASH, KINDS, KV, SET, TABLED, TYPE_PAIRS, VALUED, ZSET

TTL_MAXIMUM = 2_592_000


def named(kind, what):
    return b"calls:" + what.encode(), b"calls:" + kind.name.encode() + b":" + what.encode()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_life_of_an_element(node, kind):
    key, tb = named(kind, "life")
    for number in (1, 2, 3):
        answer = kind.put(node, key, kind.value(number), tb=tb)
        assert (answer.status, answer.ver, answer["VerError"]) == (200, number, "false")
        answer = kind.get(node, key, tb=tb)
        assert (answer.status, answer.ver, answer.body) == (200, number, kind.value(number))
        answer = kind.exist(node, key, tb=tb)
        assert (answer.status, answer.ver, answer.body) == (200, number, b"")
    answer = kind.delete(node, key, tb=tb)
    assert (answer.status, answer.ver, answer["VerError"], answer.body) == (200, 3, "false", b"")
    # A table goes with its last element.
    gone = 412 if kind.has_table else 404
    assert kind.get(node, key, tb=tb).status == gone
    answer = kind.delete(node, key, tb=tb)
    assert (answer.status, answer.ver, answer["VerError"]) == (gone, 0, "false")
    assert kind.put(node, key, tb=tb).ver == 1, "deleted and put again starts at 1"


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_absent(node, kind):
    key, tb = named(kind, "absent")
    missing = 412 if kind.has_table else 404
    for status in (missing, 404):
        for ask in (kind.get, kind.exist, kind.delete):
            answer = ask(node, key, tb=tb)
            assert (answer.status, answer.ver) == (status, 0), ask
            if status == 404:
                assert answer.body == b"" and answer["Content-Length"] == "0"
        kind.put(node, b"another", tb=tb)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_methods_of_put(node, kind):
    key, tb = named(kind, "methods")
    where = {"tb": tb, "key": key} if kind.has_table else {"key": key}
    if kind.has_value:
        where[kind.value_param] = kind.value(1)
    for number, method in enumerate(kind.put_methods, 1):
        answer = node.call(kind.put_call, method, **where)
        assert (answer.status, answer.ver) == (200, number), method


@pytest.mark.parametrize("method", ("POST", "PUT"))
@pytest.mark.parametrize("kind", (KV, HASH), ids=str)
def test_the_value_may_be_the_body(node, kind, method):
    key, tb = named(kind, "body" + method)
    where = {"tb": tb, "key": key} if kind.has_table else {"key": key}
    for value in (b"raw %41+&=", b"", b"\x00" * 1000):
        assert node.call(kind.put_call, method, value, **where).status == 200
        assert kind.get(node, key, tb=tb).body == value


@pytest.mark.parametrize("kind", (SET, ZSET), ids=str)
def test_the_member_may_be_the_body(node, kind):
    _, tb = named(kind, "member")
    member = b"raw %41+&=\x00"
    more = {"score": 10} if kind is ZSET else {}
    assert node.call(kind.put_call, tb=tb, body=member, **more).ver == 1
    for name in (kind.get_call, kind.exist_call):
        assert node.call(name, tb=tb, body=member).status == 200
        assert node.call(name, tb=tb, key=member).status == 200
    for method in ("POST", "DELETE"):
        answer = node.call(kind.del_call, method, member, tb=tb)
        assert (answer.status, answer.ver) == (200, 1)
        node.call(kind.put_call, tb=tb, body=member, **more)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_delete_methods(node, kind):
    key, tb = named(kind, "delete")
    for method in ("GET", "POST", "DELETE"):
        kind.put(node, key, tb=tb)
        assert kind.delete(node, key, tb=tb, method=method).status == 200, method


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_head(node, kind):
    key, tb = named(kind, "head")
    kind.put(node, key, tb=tb)
    for ask in (kind.get, kind.exist):
        got, head = ask(node, key, tb=tb), ask(node, key, tb=tb, method="HEAD")
        assert (head.status, head.ver, head.body) == (200, 1, b"")
        assert head["Content-Length"] == str(len(got.body))
        assert head.header("ETag") == got.header("ETag")
    assert kind.get(node, b"none", tb=tb, method="HEAD").status == 404


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_ver(node, kind):
    key, tb = named(kind, "ver")
    answer = kind.put(node, key, tb=tb, ver=1)
    assert (answer.status, answer.ver, answer["VerError"]) == (401, 0, "true")
    assert kind.exist(node, key, tb=tb).status in (404, 412)
    kind.put(node, key, kind.value(1), tb=tb)
    kind.put(node, key, kind.value(2), tb=tb, ver=0)
    for ver in (1, 3, 2**64 - 1):
        for change in (kind.put, kind.delete):
            answer = change(node, key, tb=tb, ver=ver)
            assert (answer.status, answer.ver, answer["VerError"]) == (401, 2, "true")
            assert "WWW-Authenticate" not in answer
    assert kind.get(node, key, tb=tb).body == kind.value(2)
    answer = kind.put(node, key, kind.value(3), tb=tb, ver=2)
    assert (answer.status, answer.ver, answer["VerError"]) == (200, 3, "false")
    answer = kind.delete(node, key, tb=tb, ver=3)
    assert (answer.status, answer.ver) == (200, 3)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_versions_do_not_wrap(node, kind):
    key, tb = named(kind, "wrap")
    for number in range(1, 301):
        assert kind.put(node, key, tb=tb).ver == number


@pytest.mark.parametrize("kind", VALUED, ids=str)
def test_tags(node, kind):
    key, tb = named(kind, "tags")
    answer = kind.put(node, key, kind.value(1), tb=tb)
    first = answer["ETag"]
    assert len(first) == 26 and first == f'"{int(first[1:-1], 16):024x}"', "24 hex digits"
    assert kind.get(node, key, tb=tb)["ETag"] == first
    answer = kind.get(node, key, tb=tb, headers=[("If-None-Match", first)])
    assert (answer.status, answer.body, answer["ETag"]) == (304, b"", first)
    assert kind.get(node, key, tb=tb, headers=[("If-Match", '"1"')]).status == 412
    second = kind.put(node, key, kind.value(2), tb=tb, headers=[("If-Match", first)])
    assert (second.status, second.ver) == (200, 2)
    assert second["ETag"] > first, "stamps grow"
    assert kind.put(node, key, kind.value(3), tb=tb, headers=[("If-Match", first)]).status == 412
    assert kind.delete(node, key, tb=tb, headers=[("If-Match", first)]).status == 412
    assert kind.put(node, key, tb=tb, headers=[("If-None-Match", "*")]).status == 412
    answer = kind.get(node, key, tb=tb)
    assert (answer.body, answer.ver) == (kind.value(2), 2)
    # Delete and put again: the version recurs, the tag does not.
    assert kind.delete(node, key, tb=tb, headers=[("If-Match", second["ETag"])]).status == 200
    assert kind.put(node, key, tb=tb, headers=[("If-Match", "*")]).status == 412
    third = kind.put(node, key, tb=tb, headers=[("If-None-Match", "*")])
    assert (third.status, third.ver) == (200, 1)
    assert third["ETag"] not in (first, second["ETag"])


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_ttl(node, kind):
    key, tb = named(kind, "ttl")
    kind.put(node, key, tb=tb, ttl=1)
    kind.put(node, b"stays", tb=tb)
    assert kind.get(node, key, tb=tb).status == 200
    until(lambda: kind.get(node, key, tb=tb).status == 404, "expired", 2)
    assert kind.exist(node, key, tb=tb).status == 404
    answer = kind.delete(node, key, tb=tb)
    assert (answer.status, answer.ver) == (404, 0)
    answer = kind.put(node, key, tb=tb, ver=1)
    assert (answer.status, answer.ver) == (401, 0)
    assert kind.put(node, key, tb=tb).ver == 1


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_ttl_maximum(node, kind):
    key, tb = named(kind, "maximum")
    assert kind.put(node, key, tb=tb, ttl=TTL_MAXIMUM).status == 200
    answer = kind.put(node, key, tb=tb, ttl=TTL_MAXIMUM + 1)
    assert answer.status == 400 and answer.text.startswith("ttl")


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_an_overwrite_without_ttl_makes_permanent(node, kind):
    key, tb = named(kind, "permanent")
    kind.put(node, key, tb=tb, ttl=1)
    kind.put(node, b"probe", tb=tb, ttl=1)
    kind.put(node, key, tb=tb)
    until(lambda: kind.get(node, b"probe", tb=tb).status == 404, "its neighbour has expired", 2)
    answer = kind.get(node, key, tb=tb)
    assert (answer.status, answer.ver) == (200, 2)


def test_a_configured_ttl_maximum(make_node):
    node = make_node(ttl_maximum=60)
    assert node.call("put", key=b"k", val=b"v", ttl=60).status == 200
    assert node.call("put", key=b"k", val=b"v", ttl=61).status == 400


def test_content_types(node):
    """A value is text/plain, as on the seed pages."""
    node.call("put", key=b"calls:type", val=b"<html>")
    assert node.call("get", key=b"calls:type")["Content-Type"] == "text/plain"


@pytest.mark.parametrize("there, asked", TYPE_PAIRS, ids=str)
def test_a_table_has_one_type(node, there, asked):
    tb = b"calls:type:" + there.name.encode() + b":" + asked.name.encode()
    assert there.put(node, b"a", tb=tb).status == 200
    assert there.put(node, b"b", tb=tb).status == 200
    for ask in (asked.put, asked.get, asked.exist, asked.delete):
        answer = ask(node, b"a", tb=tb)
        assert (answer.status, answer.ver) == (412, 0), ask
        assert answer["Content-Type"].startswith("text/plain") and answer.body.endswith(b"\n")
    there.delete(node, b"a", tb=tb)
    assert asked.put(node, b"a", tb=tb).status == 412
    assert there.get(node, b"b", tb=tb).status == 200
    # When its last element goes, the name is free.
    there.delete(node, b"b", tb=tb)
    assert asked.put(node, b"a", tb=tb).ver == 1
    assert there.get(node, b"b", tb=tb).status == 412


@pytest.mark.parametrize("there", TABLED, ids=str)
def test_expiry_of_the_last_element_frees_the_name(node, there):
    asked = TABLED[(TABLED.index(there) + 1) % 3]
    tb = b"calls:expiring:" + there.name.encode()
    there.put(node, b"a", tb=tb, ttl=1)
    assert asked.put(node, b"b", tb=tb).status == 412
    until(lambda: asked.put(node, b"b", tb=tb).status == 200, "the name is free", 3)
    assert there.get(node, b"a", tb=tb).status == 412


def test_types_and_the_kv_space_are_apart(node):
    node.call("put", key=b"calls:apart", val=b"v")
    assert node.call("hset", tb="calls:apart", key=b"calls:apart", val=b"h").status == 200
    assert node.call("get", key=b"calls:apart").body == b"v"


def test_hincrby(node):
    total = 0
    for number, step in enumerate((3, -10, 0, 2**62, -(2**62)), 1):
        total += step
        answer = node.call("hincrby", tb="calls:incr", key=b"f", val=step)
        assert (answer.status, answer.body, answer.ver) == (200, b"%d" % total, number)
        assert answer["VerError"] == "false"
        assert node.call("hget", tb="calls:incr", key=b"f").body == b"%d" % total
    answer = node.call("hincrby", tb="calls:incr", key=b"f", val=1, ver=1)
    assert (answer.status, answer.ver, answer["VerError"]) == (401, 5, "true")


@pytest.mark.parametrize("value, step", (
    (b"text", 1), (b"", 1), (b" 1", 1), (b"1.0", 1), (b"1\n", 1), (b"1\x00", 1), (b"+1", 1),
    (b"9223372036854775807", 1), (b"-9223372036854775808", -1), (b"9223372036854775808", -1)))
def test_hincrby_is_refused_unchanged(node, value, step):
    version = node.call("hset", "PUT", value, tb="calls:refused", key=b"f").ver
    answer = node.call("hincrby", tb="calls:refused", key=b"f", val=step)
    assert (answer.status, answer.ver) == (403, version)
    answer = node.call("hget", tb="calls:refused", key=b"f")
    assert (answer.body, answer.ver) == (value, version)


def test_zadd_opt(node):
    total = 0
    for number, (opt, score) in enumerate(((1, 4), (-1, 10), (0, 7), (1, -8), (-1, -2)), 1):
        total = score if opt == 0 else total + opt * score
        answer = node.call("zadd", tb="calls:opt", key=b"m", score=score, opt=opt)
        assert (answer.status, answer.body, answer.ver) == (200, b"%d" % total, number)
        assert node.call("zscore", tb="calls:opt", key=b"m").body == b"%d" % total


@pytest.mark.parametrize("score, opt, step", (
    (2**63 - 1, 1, 1), (-(2**63), 1, -1), (-(2**63), -1, 1), (2**63 - 1, -1, -1),
    (0, -1, -(2**63))))
def test_zadd_overflow_is_refused_unchanged(node, score, opt, step):
    version = node.call("zadd", tb="calls:overflow", key=b"m", score=score).ver
    answer = node.call("zadd", tb="calls:overflow", key=b"m", score=step, opt=opt)
    assert (answer.status, answer.ver) == (403, version)
    answer = node.call("zscore", tb="calls:overflow", key=b"m")
    assert (answer.body, answer.ver) == (b"%d" % score, version)


def test_zadd_subtracts_the_smallest_number(node):
    """Its negation is no int64, but what results may be one."""
    node.call("zadd", tb="calls:smallest", key=b"m", score=-5)
    answer = node.call("zadd", tb="calls:smallest", key=b"m", score=-(2**63), opt=-1)
    assert (answer.status, answer.body) == (200, b"%d" % (2**63 - 5))


def test_version_and_status(node):
    assert node.request("GET", "/status.html").body == b"ok"
    answer = node.request("GET", "/version")
    assert answer.status == 200 and answer.text.startswith("hustdb ")
    assert not answer.text.endswith("\n")

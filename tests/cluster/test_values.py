"""Any bytes as key, member and value: written through HA, read back everywhere, unchanged."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hustlib import LONG, SANITIZE, batch
from hustlib.http import chunked
from hustlib.kinds import HASH, KINDS, KV, SET, ZSET

ALL_BYTES = bytes(range(256))

VALUES = {
    "empty": b"",
    "one byte": b"\x00",
    "nul": b"a\x00b\x00\x00",
    "all bytes": ALL_BYTES * 3,
    "line ends": b"\r\n\r\n\n\r",
    "looks like a query": b"key=other&val=%00+;#?",
    "1 MiB": (ALL_BYTES[::-1] * 4096)[:2**20],
    "20 MiB": (ALL_BYTES + b"!") * (20 * 2**20 // 257) + b"x" * (20 * 2**20 % 257),
}

KEYS = {
    **{f"only {character}": character.encode() for character in "%?+;&=# /\\\"'<>|~^"},
    "nul": b"\x00", "nul inside": b"a\x00b", "chinese": "中".encode(),
    "invalid utf-8": b"\xff\xfe\xc3\x28", "all bytes": ALL_BYTES,
    "percent code": b"%41%00", "query": b"a&key=b;c=d?e#f+g h",
    "dots": b"../../etc/passwd", "line ends": b"\r\nX: y\r\n\r\n",
    "4 KiB": b"k" * 4096,
}

# Too long for a request line, in a body and in a batch they fit.
LONG_KEYS = {"65535": b"\xe4\xb8\xad" * 21845, "65535 zeros": bytes(65535),
             "30000": b"?" * 30000}


def tb_of(kind, what):
    return b"values:" + kind.name.encode() + b":" + what.encode()


def assert_everywhere(cluster, kind, key, value, tb, by_body=False):
    """Every way to read gives `value`: HA, its comparison, and both nodes."""
    for program in (cluster.ha, *cluster.nodes):
        names = [kind.get_call, kind.exist_call]
        if program is cluster.ha:
            names += [kind.read2_call, kind.exist2_call]
        for name in names:
            if by_body:
                answer = program.call(name, tb=tb, body=key)
            else:
                where = {"tb": tb, "key": key} if kind.has_table else {"key": key}
                answer = program.call(name, **where)
            assert answer.status == 200, (name, answer)
            if "exist" not in name and "ismember" not in name:
                assert answer.body == value, name
                assert answer["Content-Length"] == str(len(value))
    held = [kind.held(node, key, tb) for node in cluster.nodes]
    assert held[0].value == held[1].value == value
    assert held[0].stamp == held[1].stamp


@pytest.mark.parametrize("what, method", [
    (what, method) for what in VALUES for method in ("POST", "PUT")
    # The largest ones take their time: one method will do.
    if LONG or method == "PUT" or len(VALUES[what]) <= 2**20])
@pytest.mark.parametrize("kind", (KV, HASH), ids=str)
def test_values_in_a_body(cluster, kind, method, what):
    value = VALUES[what]
    tb = tb_of(kind, "body")
    where = {"tb": tb, "key": b"k"} if kind.has_table else {"key": b"values:body"}
    answer = cluster.ha.call(kind.put_call, method, value, **where)
    assert answer.status == 200
    assert_everywhere(cluster, kind, where["key"], value, tb)


@pytest.mark.parametrize("what", [what for what in VALUES if "MiB" not in what])
@pytest.mark.parametrize("kind", (KV, HASH), ids=str)
def test_values_in_the_query(cluster, kind, what):
    tb = tb_of(kind, "query")
    where = {"tb": tb, "key": b"k"} if kind.has_table else {"key": b"values:query"}
    answer = cluster.ha.call(kind.put_call, val=VALUES[what], **where)
    assert answer.status == 200
    assert_everywhere(cluster, kind, where["key"], VALUES[what], tb)


@pytest.mark.parametrize("what", KEYS)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_keys_in_the_query(cluster, kind, what):
    key = KEYS[what]
    tb = tb_of(kind, "keys")
    answer = kind.put(cluster.ha, key, tb=tb)
    assert (answer.status, answer.ver) == (200, 1)
    assert_everywhere(cluster, kind, key, kind.value(1), tb)
    answer = kind.delete(cluster.ha, key, tb=tb)
    assert (answer.status, answer.ver) == (200, 1)
    assert kind.read2(cluster.ha, key, tb=tb).status == 404


@pytest.mark.parametrize("what", [*KEYS, *LONG_KEYS])
@pytest.mark.parametrize("kind", (SET, ZSET), ids=str)
def test_members_in_a_body(cluster, kind, what):
    member = {**KEYS, **LONG_KEYS}[what]
    tb = tb_of(kind, "members")
    more = {"score": 10} if kind is ZSET else {}
    answer = cluster.ha.call(kind.put_call, tb=tb, body=member, **more)
    assert (answer.status, answer.ver) == (200, 1)
    assert_everywhere(cluster, kind, member, kind.value(1), tb, by_body=True)
    answer = cluster.ha.call(kind.del_call, "DELETE", member, tb=tb)
    assert (answer.status, answer.ver) == (200, 1)
    assert cluster.ha.call(kind.read2_call, tb=tb, body=member).status == 404


@pytest.mark.parametrize("what", LONG_KEYS)
@pytest.mark.parametrize("kind", (KV, HASH), ids=str)
def test_long_keys_in_a_batch(cluster, kind, what):
    """A key of put or hset comes in the line; what does not fit travels in a batch."""
    key = LONG_KEYS[what]
    tb = tb_of(kind, "long") if kind.has_table else b""
    write = batch.put(key, ALL_BYTES, kind.type, tb)
    for node in cluster.nodes:
        result, = node.batch([write])
        assert (result.status, result.version) == (200, 1)
    for node in cluster.nodes:
        result, = node.batch([batch.get(key, kind.type, tb)])
        assert (result.status, result.value, result.stamp) == (200, ALL_BYTES, write.stamp)


@pytest.mark.parametrize("kind", (KV, HASH), ids=str)
def test_a_key_as_long_as_the_line_of_ha_takes(cluster, kind):
    """80 KiB of line at HA: 65,535 plain bytes fit, and from there they travel in batches."""
    key = b"k" * 65535
    tb = tb_of(kind, "line")
    assert kind.put(cluster.ha, key, tb=tb).status == 200
    for name in (kind.get_call, kind.read2_call, kind.exist2_call):
        where = {"tb": tb, "key": key} if kind.has_table else {"key": key}
        assert cluster.ha.call(name, **where).status == 200, name
    for node in cluster.nodes:
        assert kind.held(node, key, tb).value == kind.value(1)


def test_a_key_one_byte_too_long(cluster):
    for kind in (SET, ZSET):
        more = {"score": 1} if kind is ZSET else {}
        for program in (cluster.ha, *cluster.nodes):
            answer = program.call(kind.put_call, tb="t", body=b"k" * 65536, **more)
            assert answer.status == 400 and answer.body.startswith(b"key"), kind
    answer = cluster.ha.call("put", key=b"k" * 65536, val=b"v")
    assert answer.status == 400 and answer.body.startswith(b"key")


@pytest.mark.parametrize("kind", (KV, HASH), ids=str)
def test_chunked_bodies(cluster, kind):
    value = ALL_BYTES * 50
    tb = tb_of(kind, "chunked")
    query = f"tb={tb.decode()}&key=chunked" if kind.has_table else "key=chunked"
    for program, prefix in ((cluster.ha, "/"), (cluster.node1, "/hustdb/"),
                            (cluster.node2, "/hustdb/")):
        with program.client() as client:
            client.send(f"PUT {prefix}{kind.put_call}?{query} HTTP/1.1\r\nHost: x\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n".encode()
                        + chunked([value[:1], value[1:5000], value[5000:]]))
            assert client.receive().status == 200
        assert kind.get(program, b"chunked", tb=tb).body == value


@pytest.mark.parametrize("score", (0, 1, -1, 60, 2**63 - 1, -(2**63)))
def test_scores(cluster, score):
    tb = b"values:scores"
    assert cluster.ha.call("zadd", tb=tb, score=score, body=b"m").body == b"%d" % score
    assert_everywhere(cluster, ZSET, b"m", b"%d" % score, tb)


def test_table_names(cluster):
    """1..64 of 0-9 a-z A-Z _ : . -"""
    names = ["a", "Z", "0", "_", ":", ".", "-", "..", "x" * 64, "aZ09_:.-"]
    for kind in (HASH, SET, ZSET):
        for name in names:
            tb = name.encode() if kind is HASH else name.encode()[:60] + b"." + kind.type
            assert kind.put(cluster.ha, b"k", tb=tb).status == 200, tb
            assert_everywhere(cluster, kind, b"k", kind.value(1), tb)


def test_elements_of_different_kinds_and_tables_are_apart(cluster):
    """The same key as KV and in several tables: nobody sees another's value."""
    key = b"values:apart"
    tables = [b"values:a", b"values:ab", b"values:a:b"]
    cluster.ha.call("put", key=key, val=b"kv")
    for tb in tables:
        cluster.ha.call("hset", tb=tb, key=key, val=tb)
    assert cluster.ha.call("get2", key=key).body == b"kv"
    for tb in tables:
        assert cluster.ha.call("hget2", tb=tb, key=key).body == tb
    cluster.ha.call("hdel", tb=tables[0], key=key)
    assert cluster.ha.call("get2", key=key).status == 200
    for tb in tables[1:]:
        assert cluster.ha.call("hget2", tb=tb, key=key).body == tb


EXAMPLES = settings(
    max_examples=1000 if LONG else (40 if SANITIZE else 120), deadline=None, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

raw_keys = st.binary(min_size=1, max_size=300)
raw_values = st.one_of(st.binary(max_size=200), st.binary(max_size=70000))


@EXAMPLES
@given(key=raw_keys, value=raw_values, by_body=st.booleans(),
       kind=st.sampled_from((KV, HASH)))
def test_random_bytes(cluster, kind, key, value, by_body):
    """Random keys and values, in query or body, through HA and then directly on a node."""
    tb = tb_of(kind, "random")
    if len(value) > 5000:
        by_body = True
    where = {"tb": tb, "key": key} if kind.has_table else {"key": key}
    for program in (cluster.ha, cluster.node1):
        if by_body:
            assert program.call(kind.put_call, "PUT", value, **where).status == 200
        else:
            assert program.call(kind.put_call, val=value, **where).status == 200
        assert program.call(kind.get_call, **where).body == value
    assert cluster.ha.call(kind.read2_call, **where).body == value


@EXAMPLES
@given(member=raw_keys, score=st.integers(-(2**63), 2**63 - 1), by_body=st.booleans(),
       kind=st.sampled_from((SET, ZSET)))
def test_random_members(cluster, kind, member, score, by_body):
    tb = tb_of(kind, "random")
    more = {"score": score} if kind is ZSET else {}
    where = {"body": member} if by_body else {"key": member}
    assert cluster.ha.call(kind.put_call, tb=tb, **where, **more).status == 200
    expected = b"%d" % score if kind is ZSET else b""
    for program in (cluster.ha, *cluster.nodes):
        answer = program.call(kind.get_call, tb=tb, **where)
        assert (answer.status, answer.body) == (200, expected)
    assert cluster.ha.call(kind.read2_call, tb=tb, **where).status == 200
    assert cluster.ha.call(kind.del_call, tb=tb, key=member).status == 200

"""stat: exact counts and sizes, also after overwrites, deletions, expiry and a crash."""

import json

import pytest

from hustlib import until
from hustlib.kinds import HASH, KINDS, KV, TABLED, ZSET


def stat(node, **params):
    answer = node.call("stat", **params)
    assert answer.status == 200
    assert answer["Content-Type"].split(";")[0] == "application/json"
    return json.loads(answer.body)


def capacity(size):
    return (size + 1023) // 1024 * 1024


class Model:
    """What a node should count: element -> (kind, tb, key + value bytes)."""

    def __init__(self, node):
        self.node = node
        self.sizes = {}

    def put(self, kind, key, value=None, tb=b"t", **params):
        value = kind.value(1) if value is None else value
        answer = kind.put(self.node, key, value, tb=tb, **params)
        assert answer.status == 200, answer
        self.sizes[kind, tb if kind.has_table else b"", key] = len(key) + len(value)

    def delete(self, kind, key, tb=b"t"):
        assert kind.delete(self.node, key, tb=tb).status == 200
        self.forget(kind, key, tb)

    def forget(self, kind, key, tb=b"t"):
        del self.sizes[kind, tb if kind.has_table else b"", key]

    def counted(self, wanted):
        sizes = [size for element, size in self.sizes.items() if wanted(element)]
        return {"count": len(sizes), "size": sum(sizes),
                "capacity": sum(capacity(size) for size in sizes)}

    def assert_exact(self):
        total = stat(self.node)["TOTALIZE"]
        for kind in KINDS:
            expected = self.counted(lambda element, kind=kind: element[0] is kind)
            assert total[kind.stat_name] == expected, kind
        for kind, tb in {element[:2] for element in self.sizes if element[1]}:
            expected = self.counted(lambda element, at=(kind, tb): element[:2] == at)
            assert stat(self.node, tb=tb) == {"table": tb.decode(),
                                              "type": kind.type.decode(), **expected}


@pytest.fixture
def model(make_node):
    return Model(make_node())


def test_empty(model):
    model.assert_exact()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_exact_through_a_life(model, kind):
    tb = b"life"
    for number in range(20):
        model.put(kind, b"k%d" % number, tb=tb)
    model.assert_exact()
    for number in range(10):
        model.put(kind, b"k%d" % number, kind.value(1000 + number), tb=tb)
    model.assert_exact()
    for number in range(5, 15):
        model.delete(kind, b"k%d" % number, tb=tb)
    model.assert_exact()
    for number in range(8, 12):
        model.put(kind, b"k%d" % number, tb=tb)
    model.assert_exact()


@pytest.mark.parametrize("kind", (KV, HASH), ids=str)
def test_capacity_rounds_each_element_up(model, kind):
    for size in (0, 1, 1019, 1020, 1021, 1024, 2043, 2044, 2045, 5000):
        model.put(kind, b"%04d" % size, b"x" * size, tb=b"capacity")
    model.assert_exact()
    # Larger to smaller and back.
    model.put(kind, b"5000", b"", tb=b"capacity")
    model.assert_exact()
    model.put(kind, b"0000", b"y" * 5000, tb=b"capacity")
    model.assert_exact()


def test_all_kinds_and_several_tables(model):
    for kind in KINDS:
        for tb in (b"one", b"two", b"one:more"):
            tb = kind.type + tb
            for number in range(7):
                model.put(kind, b"%d" % number, tb=tb)
    model.assert_exact()
    for kind in TABLED:
        for number in range(7):
            model.delete(kind, b"%d" % number, tb=kind.type + b"two")
    model.assert_exact()
    assert model.node.call("stat", tb="Htwo").status == 412, "gone with its last element"


def test_refused_writes_do_not_count(model):
    model.put(HASH, b"f", b"text", tb=b"h")
    model.put(KV, b"k", b"v")
    node = model.node
    assert node.call("hincrby", tb="h", key=b"f", val=1).status == 403
    assert node.call("put", key=b"k", val=b"longer", ver=9).status == 401
    assert node.call("sadd", tb="h", key=b"f").status == 412
    assert node.call("del", key=b"k", ver=9).status == 401
    assert node.call("del", key=b"none").status == 404
    model.assert_exact()


def test_numbers_change_the_size(model):
    node = model.node
    for value, expected in ((99, b"99"), (1, b"100"), (-200, b"-100")):
        assert node.call("hincrby", tb="h", key=b"f", val=value).body == expected
        assert node.call("zadd", tb="z", key=b"m", score=value, opt=1).body == expected
        model.sizes[HASH, b"h", b"f"] = model.sizes[ZSET, b"z", b"m"] = 1 + len(expected)
        model.assert_exact()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_expiry(model, kind):
    """Whatever counts first sweeps what has expired."""
    for number in range(10):
        model.put(kind, b"stays%d" % number, tb=b"ttl")
        model.put(kind, b"goes%d" % number, tb=b"ttl", ttl=1)
    node = model.node
    until(lambda: kind.exist(node, b"goes9", tb=b"ttl").status == 404, "expired", 2)
    for number in range(10):
        model.forget(kind, b"goes%d" % number, tb=b"ttl")
    model.assert_exact()
    # Made permanent in time, or put again after its end.
    model.put(kind, b"goes1", tb=b"ttl")
    model.put(kind, b"stays1", tb=b"ttl", ttl=100)
    model.put(kind, b"stays1", tb=b"ttl")
    model.assert_exact()


def test_exact_after_a_crash(model):
    for round_ in range(3):
        for kind in KINDS:
            for number in range(30):
                model.put(kind, b"%d" % (round_ * 20 + number), tb=b"crash" + kind.type)
            for number in range(round_ * 20, round_ * 20 + 10):
                model.delete(kind, b"%d" % number, tb=b"crash" + kind.type)
        model.assert_exact()
        model.node.kill()
        model.node.start()
        model.assert_exact()


def test_exact_after_expiry_during_an_outage(model):
    for kind in KINDS:
        model.put(kind, b"stays", tb=b"out" + kind.type)
        model.put(kind, b"goes", tb=b"out" + kind.type, ttl=1)
    model.node.kill()
    model.node.start()
    for kind in KINDS:
        until(lambda kind=kind: kind.exist(model.node, b"goes", tb=b"out" + kind.type).status
              == 404, "expired", 2)
        model.forget(kind, b"goes", tb=b"out" + kind.type)
    model.assert_exact()


def test_stat_of_an_unknown_table(node):
    assert node.call("stat", tb="stat:unknown").status == 412
    for bad in (b"", b"a b", b"x" * 65):
        answer = node.call("stat", tb=bad)
        assert answer.status == 400 and answer.text.startswith("tb")


def test_stat_all(make_node):
    node = make_node()
    for tb in ("b", "a", "c:1"):
        node.call("hset", tb=tb, key=b"k", val=b"v")
    node.call("zadd", tb="aa", key=b"m", score=1)
    node.call("sadd", tb="B", key=b"m")
    node.call("put", key=b"k", val=b"v")
    answer = node.call("stat_all")
    assert answer.status == 200
    total, *tables = json.loads(answer.body)
    assert total == stat(node)
    assert [table["table"] for table in tables] == ["B", "a", "aa", "b", "c:1"], "by name"
    for table in tables:
        assert table == stat(node, tb=table["table"])


def test_file_count(node):
    answer = node.call("file_count")
    assert (answer.status, answer.body) == (200, b"10")


def test_no_white_space_in_json(node):
    assert b" " not in node.call("stat").body and b"\n" not in node.call("stat").body

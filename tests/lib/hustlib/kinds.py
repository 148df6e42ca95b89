"""The four kinds of elements, so that one test can speak about all of them."""

from dataclasses import dataclass

from hustlib import batch


@dataclass(frozen=True)
class Kind:
    """Names of the calls that do the same for one kind of element.

    A set has no values: its `get` is `exist`, and the value of a member is empty.
    """

    name: str
    put_call: str
    get_call: str
    exist_call: str
    del_call: str
    has_table: bool
    value_param: str  # "" for sets
    put_methods: tuple
    type: bytes
    stat_name: str

    def __str__(self):
        return self.name

    @property
    def read2_call(self):
        return self.get_call + "2"

    @property
    def exist2_call(self):
        return self.exist_call + "2"

    @property
    def has_value(self):
        return bool(self.value_param)

    def _where(self, key, tb):
        return {"tb": tb, "key": key} if self.has_table else {"key": key}

    def value(self, number):
        """The number-th of many different values of this kind."""
        if not self.has_value:
            return b""
        return b"%d" % (number * 10) if self.value_param == "score" else b"value %d" % number

    def put(self, program, key, value=None, tb=b"t", headers=(), **params):
        """Write; `value`: bytes, None for the 1st of value()."""
        value = self.value(1) if value is None else value
        fields = self._where(key, tb)
        if self.has_value:
            fields[self.value_param] = value
        return program.call(self.put_call, headers=headers, **fields, **params)

    def get(self, program, key, tb=b"t", **more):
        return program.call(self.get_call, **self._where(key, tb), **more)

    def exist(self, program, key, tb=b"t", **more):
        return program.call(self.exist_call, **self._where(key, tb), **more)

    def delete(self, program, key, tb=b"t", **more):
        return program.call(self.del_call, **self._where(key, tb), **more)

    def read2(self, ha, key, tb=b"t", **more):
        return ha.call(self.read2_call, **self._where(key, tb), **more)

    def exist2(self, ha, key, tb=b"t", **more):
        return ha.call(self.exist2_call, **self._where(key, tb), **more)

    def held(self, node, key, tb=b"t"):
        """What a node holds: the result of a batch with one read."""
        return node.batch([batch.get(key, self.type, tb if self.has_table else b"")])[0]


KV = Kind("kv", "put", "get", "exist", "del", False, "val", ("GET", "POST", "PUT"), batch.KV,
          "KVPAIR")
HASH = Kind("hash", "hset", "hget", "hexist", "hdel", True, "val", ("GET", "POST", "PUT"),
            batch.HASH, "HASHTABLE")
SET = Kind("set", "sadd", "sismember", "sismember", "srem", True, "", ("GET", "POST"), batch.SET,
           "SET")
ZSET = Kind("zset", "zadd", "zscore", "zismember", "zrem", True, "score", ("GET", "POST"),
            batch.ZSET, "ZSET")

KINDS = (KV, HASH, SET, ZSET)
VALUED = (KV, HASH, ZSET)
TABLED = (HASH, SET, ZSET)
# Two different types of tables.
TYPE_PAIRS = tuple((one, two) for one in TABLED for two in TABLED if one is not two)

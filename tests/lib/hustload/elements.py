"""Elements of all four kinds and the requests that write and read them."""

from dataclasses import dataclass

from hustlib.batch import HASH, KV, SET, ZSET
from hustlib.http import target
from hustload.script import request

_WRITES = {KV: "put", HASH: "hset", ZSET: "zadd", SET: "sadd"}
_DELETES = {KV: "del", HASH: "hdel", ZSET: "zrem", SET: "srem"}
_READS = {KV: "get", HASH: "hget", ZSET: "zscore", SET: "sismember"}


@dataclass(frozen=True)
class Element:
    """One element and the value it is to have (of a sorted set: the score, of a set: empty)."""

    kind: bytes
    tb: bytes
    key: bytes
    value: bytes

    def write(self):
        """The request that writes it at HA."""
        name = "/" + _WRITES[self.kind]
        if self.kind == KV:
            return request("POST", target(name, key=self.key), self.value)
        if self.kind == HASH:
            return request("PUT", target(name, tb=self.tb, key=self.key), self.value)
        if self.kind == ZSET:
            return request("POST", target(name, tb=self.tb, score=self.value), self.key)
        return request("POST", target(name, tb=self.tb), self.key)

    def written(self):
        """The body of the answer to the write."""
        return self.value if self.kind == ZSET else b""

    def delete(self):
        """The request that deletes it at HA."""
        name = "/" + _DELETES[self.kind]
        where = {"tb": self.tb} if self.tb else {}
        return request("DELETE", target(name, **where, key=self.key))

    def read(self, prefix="/", suffix=""):
        """The request that reads it; "2" compares, the prefix "/hustdb/" asks a node."""
        name = prefix + _READS[self.kind] + suffix
        if self.kind == KV:
            return request("GET", target(name, key=self.key))
        if self.kind == HASH:
            return request("GET", target(name, tb=self.tb, key=self.key))
        return request("POST", target(name, tb=self.tb), self.key)

"""The calls of the API and their parameters, from the HTTP contract: what the matrices of bad
input are generated from."""

from dataclasses import dataclass

from hustlib.http import encode_query

GET = ("GET",)
GET_HEAD = ("GET", "HEAD")
GET_POST = ("GET", "POST")
GET_POST_HEAD = ("GET", "HEAD", "POST")
GET_POST_PUT = ("GET", "POST", "PUT")
GET_POST_DELETE = ("DELETE", "GET", "POST")

# A good value of each parameter.
GOOD = {"tb": b"t", "key": b"k", "val": b"1", "score": b"1", "ttl": b"0", "ver": b"0",
        "opt": b"0", "peer": b"0", "offset": b"0", "size": b"10", "start": b"0", "end": b"1024",
        "noval": b"true", "async": b"false", "desc": b"0", "min": b"-5", "max": b"5", "file": b"0"}

_U64_TOO_BIG = b"18446744073709551616"
_I64_TOO_BIG = b"9223372036854775808"
_I64_TOO_SMALL = b"-9223372036854775809"
# No number at all, raw as in the query.
_NO_NUMBER = (b"", b"abc", b"1.5", b"+1", b"%2B1", b"%201", b"1%20", b"0x10", b"1e3", b"--1",
              b"-", b"1%00", b"%D9%A1", b"9" * 30)
_UNSIGNED = (*_NO_NUMBER, b"-1", b"-0", _U64_TOO_BIG)
_BOOLEAN = (b"", b"2", b"yes", b"TRUE", b"True", b"01", b"-0", b"true%20", b"false%00")
_SIGNED = (*_NO_NUMBER, _I64_TOO_BIG, _I64_TOO_SMALL)

# What is refused, by parameter, percent-encoded as it is sent.
BAD = {
    "tb": (b"", b"a%20b", b"a/b", b"a%00", b"t%C3%A9", b"%25", b"a+b", b"x" * 65, b"a;b", b"a%zz"),
    "key": (b"", b"%", b"%4", b"a%zz", b"%g0"),
    "val": (b"%", b"a%2", b"%xy"),
    "number": _SIGNED,  # val of hincrby
    "score": _SIGNED,
    "ttl": (*_UNSIGNED, b"2592001"),
    "ver": _UNSIGNED,
    "opt": (*_SIGNED, b"2", b"-2"),
    "peer": (*_UNSIGNED, b"2", b"1000000"),
    "offset": _UNSIGNED,
    "size": (*_UNSIGNED, b"1001"),
    "start": (*_UNSIGNED, b"1025"),
    "end": (*_UNSIGNED, b"1025"),
    "noval": _BOOLEAN,
    "async": _BOOLEAN,
    "desc": _BOOLEAN,
    "min": (*_SIGNED, b"6"),
    "max": _SIGNED,
    "file": (*_UNSIGNED, b"10"),
    "cursor": (b"", b"AAAA"),  # there is an offset, too
}


@dataclass(frozen=True)
class Call:
    name: str
    methods: tuple
    required: tuple
    optional: tuple = ()
    by_body: str = ""  # the parameter that a body may stand for
    at_node: bool = True
    at_ha: bool = True

    def __str__(self):
        return self.name

    @property
    def parameters(self):
        return self.required + self.optional

    @property
    def body_methods(self):
        """Methods whose body stands for a parameter."""
        if not self.by_body:
            return ()
        return tuple(method for method in self.methods if method in ("POST", "PUT", "DELETE"))

    def bad_values(self, parameter):
        return BAD["number" if parameter == "val" and self.name == "hincrby" else parameter]

    def query(self, without=(), raw=()):
        """A good query without some parameters, then raw (name, bytes) pairs."""
        good = encode_query({name: GOOD[name] for name in self.required if name not in without})
        parts = [good.encode()] if good else []
        return b"&".join(parts + [name.encode() + b"=" + value for name, value in raw])


_WRITE = ("ttl", "ver")
_PAGE = ("offset", "size")
_PAGE_MORE = ("start", "end", "noval", "cursor")

CALLS = (
    Call("put", GET_POST_PUT, ("key", "val"), _WRITE, "val"),
    Call("get", GET_HEAD, ("key",)),
    Call("exist", GET_HEAD, ("key",)),
    Call("del", GET_POST_DELETE, ("key",), ("ver",)),
    Call("hset", GET_POST_PUT, ("tb", "key", "val"), _WRITE, "val"),
    Call("hget", GET_HEAD, ("tb", "key")),
    Call("hexist", GET_HEAD, ("tb", "key")),
    Call("hdel", GET_POST_DELETE, ("tb", "key"), ("ver",)),
    Call("hincrby", GET_POST, ("tb", "key", "val"), _WRITE),
    Call("sadd", GET_POST, ("tb", "key"), _WRITE, "key"),
    Call("srem", GET_POST_DELETE, ("tb", "key"), ("ver",), "key"),
    Call("sismember", GET_POST_HEAD, ("tb", "key"), (), "key"),
    Call("zadd", GET_POST, ("tb", "key", "score"), ("opt", *_WRITE), "key"),
    Call("zrem", GET_POST_DELETE, ("tb", "key"), ("ver",), "key"),
    Call("zscore", GET_POST_HEAD, ("tb", "key"), (), "key"),
    Call("zismember", GET_POST_HEAD, ("tb", "key"), (), "key"),
    Call("keys", GET, ("file", *_PAGE), (*_PAGE_MORE, "async"), at_ha=False),
    Call("hkeys", GET, ("tb", *_PAGE), (*_PAGE_MORE, "async"), at_ha=False),
    Call("smembers", GET, ("tb", *_PAGE), (*_PAGE_MORE, "async"), at_ha=False),
    Call("zrangebyrank", GET, ("tb", *_PAGE), (*_PAGE_MORE, "async", "desc"), at_ha=False),
    Call("zrangebyscore", GET, ("tb", "min", "max", *_PAGE), (*_PAGE_MORE, "desc"),
         at_ha=False),
    Call("get2", GET_HEAD, ("key",), at_node=False),
    Call("exist2", GET_HEAD, ("key",), at_node=False),
    Call("hget2", GET_HEAD, ("tb", "key"), at_node=False),
    Call("hexist2", GET_HEAD, ("tb", "key"), at_node=False),
    Call("sismember2", GET_POST_HEAD, ("tb", "key"), (), "key", at_node=False),
    Call("zscore2", GET_POST_HEAD, ("tb", "key"), (), "key", at_node=False),
    Call("zismember2", GET_POST_HEAD, ("tb", "key"), (), "key", at_node=False),
)

NODE_CALLS = tuple(call for call in CALLS if call.at_node)
HA_CALLS = tuple(call for call in CALLS if call.at_ha)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")

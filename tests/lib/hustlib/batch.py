"""The batch format (docs/formats.md): many operations in one request, results in order.

All integers are big-endian. A request is

    "HBQ1"  u32 count  u64 epoch  u32 0            then `count` operations:
    u32 length of the rest  u8 code  u8 type  u16 flags  u64 now_ms  u8 tb bytes  u8 0
    u16 key bytes  tb  key  [stamp 12  u64 expire_at_ms]  [u64 ver]  [if_match 12]  [u64 delta]
    [base 12]  [u8 bytes, target]  [u64 gen]  value

and a reply

    "HBR1"  u32 count  u64 clock  u32 backlogs  {u64 hints, u8 bytes, target}  then `count` results:
    u32 length of the rest  u16 status  u16 flags  u64 version
    [stamp 12  u64 expire_at_ms]  [replaced 12]  [u64 gen]  [u64 value bytes  hash 16]  value

with the fields in brackets present as the flags say.
"""

import struct
import time
from dataclasses import dataclass, field

REQUEST_MAGIC = b"HBQ1"
REPLY_MAGIC = b"HBR1"
OPS_MAX = 1024

GET, PUT, DEL, INCR, MERGE, HINT, UNHINT, RECONCILE = range(1, 9)

KV, HASH, SET, ZSET = b"K", b"H", b"S", b"Z"

# Flags of operations.
NO_VALUE, OWN, WHOLE, AGAIN, SOLO, IF_EXISTS, IF_ABSENT, DECIDE, SUBTRACT = (
    1 << bit for bit in range(9))
HAS_STAMP, HAS_VER, HAS_IF_MATCH, HAS_DELTA, HAS_BASE, HAS_TARGET, HAS_GEN = (
    1 << bit for bit in range(9, 16))

# Flags of results.
DELETED, NO_TABLE, OTHER_TYPE, HINTED, MARKED, BEHIND, STORED, CONFLICT, IF_FAILED = (
    1 << bit for bit in range(9))
RESULT_HAS_STAMP, RESULT_HAS_REPLACED, RESULT_HAS_GEN, LARGE = (
    1 << bit for bit in range(9, 13))

# The writer part of the stamps that tests issue.
_WRITER = 0x7E577E57
_last_time = 0


def now_ms():
    return time.time_ns() // 1000000


def new_stamp():
    """A stamp of the present, later than any this function returned before: 12 bytes."""
    global _last_time
    _last_time = max(_last_time + 1, now_ms() << 16)
    return struct.pack(">QI", _last_time, _WRITER)


def stamp_at(milliseconds, counter=0, writer=_WRITER):
    return struct.pack(">QI", milliseconds << 16 | counter, writer)


def etag(stamp):
    return f'"{stamp.hex()}"'


@dataclass
class Op:
    """One operation. Optional fields that are not None set their HAS_ flag by themselves."""

    code: int
    key: bytes
    type: bytes = KV
    tb: bytes = b""
    value: bytes = b""
    flags: int = 0
    now: int = None  # milliseconds; None: the present
    stamp: bytes = None
    expire_at_ms: int = 0
    ver: int = None
    if_match: bytes = None
    delta: int = None
    base: bytes = None
    target: bytes = None
    gen: int = None

    def encode(self):
        fields = b""
        flags = self.flags
        if self.stamp is not None:
            flags |= HAS_STAMP
            fields += self.stamp + struct.pack(">Q", self.expire_at_ms)
        if self.ver is not None:
            flags |= HAS_VER
            fields += struct.pack(">Q", self.ver)
        if self.if_match is not None:
            flags |= HAS_IF_MATCH
            fields += self.if_match
        if self.delta is not None:
            flags |= HAS_DELTA
            fields += struct.pack(">q", self.delta)
        if self.base is not None:
            flags |= HAS_BASE
            fields += self.base
        if self.target is not None:
            flags |= HAS_TARGET
            fields += bytes([len(self.target)]) + self.target
        if self.gen is not None:
            flags |= HAS_GEN
            fields += struct.pack(">Q", self.gen)
        now = now_ms() if self.now is None else self.now
        rest = (struct.pack(">BcHQBBH", self.code, self.type, flags, now, len(self.tb), 0,
                            len(self.key))
                + self.tb + self.key + fields + self.value)
        return struct.pack(">I", len(rest)) + rest


def get(key, type=KV, tb=b"", flags=WHOLE):
    return Op(GET, key, type, tb, flags=flags)


def put(key, value, type=KV, tb=b"", **fields):
    fields.setdefault("stamp", new_stamp())
    return Op(PUT, key, type, tb, value, **fields)


def delete(key, type=KV, tb=b"", **fields):
    fields.setdefault("stamp", new_stamp())
    return Op(DEL, key, type, tb, **fields)


def incr(key, delta, type=HASH, tb=b"", **fields):
    fields.setdefault("stamp", new_stamp())
    return Op(INCR, key, type, tb, delta=delta, **fields)


def encode_request(ops, epoch=0, count=None):
    """`count`: what the head says; None: the truth."""
    head = struct.pack(">4sIQI", REQUEST_MAGIC, len(ops) if count is None else count, epoch, 0)
    return head + b"".join(op.encode() for op in ops)


@dataclass
class Result:
    status: int
    flags: int
    version: int
    value: bytes = b""
    stamp: bytes = None
    expire_at_ms: int = None
    replaced: bytes = None
    gen: int = None
    value_bytes: int = None  # of a value that was left out (LARGE)
    value_hash: bytes = None

    def encode(self):
        rest = struct.pack(">HHQ", self.status, self.flags, self.version)
        if self.flags & RESULT_HAS_STAMP:
            rest += self.stamp + struct.pack(">Q", self.expire_at_ms)
        if self.flags & RESULT_HAS_REPLACED:
            rest += self.replaced
        if self.flags & RESULT_HAS_GEN:
            rest += struct.pack(">Q", self.gen)
        if self.flags & LARGE:
            rest += struct.pack(">Q", self.value_bytes) + self.value_hash
        rest += self.value
        return struct.pack(">I", len(rest)) + rest

    @property
    def etag(self):
        return None if self.stamp is None else etag(self.stamp)


@dataclass
class Reply:
    clock: int
    backlogs: dict = field(default_factory=dict)  # target -> number of hints for it
    results: list = field(default_factory=list)


class _Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        assert self.at + count <= len(self.data), "input ends too early"
        taken = self.data[self.at:self.at + count]
        self.at += count
        return taken

    def unpack(self, layout):
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def number(self, layout=">Q"):
        return self.unpack(layout)[0]

    def rest(self):
        return self.take(len(self.data) - self.at)

    def ended(self):
        return self.at == len(self.data)


def _decode_result(data):
    reader = _Reader(data)
    result = Result(*reader.unpack(">HHQ"))
    if result.flags & RESULT_HAS_STAMP:
        result.stamp = reader.take(12)
        result.expire_at_ms = reader.number()
    if result.flags & RESULT_HAS_REPLACED:
        result.replaced = reader.take(12)
    if result.flags & RESULT_HAS_GEN:
        result.gen = reader.number()
    if result.flags & LARGE:
        result.value_bytes = reader.number()
        result.value_hash = reader.take(16)
    result.value = reader.rest()
    return result


def decode_reply(data):
    """A whole reply; fails on anything malformed."""
    reader = _Reader(data)
    magic, count, clock, backlog_count = reader.unpack(">4sIQI")
    assert magic == REPLY_MAGIC, magic
    reply = Reply(clock)
    for _ in range(backlog_count):
        hints, length = reader.unpack(">QB")
        reply.backlogs[reader.take(length).decode()] = hints
    for _ in range(count):
        reply.results.append(_decode_result(reader.take(reader.number(">I"))))
    assert reader.ended(), "bytes after the last result"
    return reply


def encode_reply(results, clock=None, backlogs=()):
    """What a node would answer: for stand-ins of nodes."""
    clock = now_ms() << 16 if clock is None else clock
    head = struct.pack(">4sIQI", REPLY_MAGIC, len(results), clock, len(backlogs))
    for target, hints in backlogs:
        head += struct.pack(">QB", hints, len(target)) + target
    return head + b"".join(result.encode() for result in results)


def _decode_op(data):
    reader = _Reader(data)
    code, type_, flags, now, tb_bytes, spare, key_bytes = reader.unpack(">BcHQBBH")
    assert spare == 0
    op = Op(code, b"", type_, reader.take(tb_bytes), now=now, flags=flags)
    op.key = reader.take(key_bytes)
    if flags & HAS_STAMP:
        op.stamp = reader.take(12)
        op.expire_at_ms = reader.number()
    if flags & HAS_VER:
        op.ver = reader.number()
    if flags & HAS_IF_MATCH:
        op.if_match = reader.take(12)
    if flags & HAS_DELTA:
        op.delta = reader.number(">q")
    if flags & HAS_BASE:
        op.base = reader.take(12)
    if flags & HAS_TARGET:
        op.target = reader.take(reader.number(">B"))
    if flags & HAS_GEN:
        op.gen = reader.number()
    op.value = reader.rest()
    return op


def decode_request(data):
    """(operations, epoch) of a whole request: for stand-ins of nodes."""
    reader = _Reader(data)
    magic, count, epoch, _ = reader.unpack(">4sIQI")
    assert magic == REQUEST_MAGIC, magic
    ops = [_decode_op(reader.take(reader.number(">I"))) for _ in range(count)]
    assert reader.ended(), "bytes after the last operation"
    return ops, epoch

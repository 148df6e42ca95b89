"""The script files of `replay` (layout: tests/tools/script.h)."""

import struct
from pathlib import Path

from hustlib.http import request_bytes
from hustload.replay import Replay

ANY = None  # an expected body that may be anything

_MAGIC = b"HUSTSCR1"
_ENTRY = struct.Struct("<IIIHH4H")
_ANY_BODY = 0xFFFFFFFF
_HEAD = 1


class Fault:
    """The numbers of tests/tools/exchange.h: FAULT_MAP."""

    (NONE, STATUS, BODY, HEADER, MALFORMED, EXTRA, CLOSED, RESET, CUT, TIMEOUT,
     REFUSED) = range(11)


def request(method, target, body=None, headers=()):
    """The bytes of a request; a body that is not None is sent with its Content-Length."""
    return request_bytes(method, target, headers, body)


class Script:
    """Writes a script; `with` closes the file, after which it can be run."""

    def __init__(self, directory, name="script"):
        self.path = Path(directory) / f"{name}.bin"
        self.count = 0
        self._file = None

    def __enter__(self):
        self._file = open(self.path, "wb", buffering=1 << 20)
        self._file.write(_MAGIC + bytes(8))
        return self

    def __exit__(self, *_):
        self._file.seek(len(_MAGIC))
        self._file.write(struct.pack("<Q", self.count))
        self._file.close()
        self._file = None

    def add(self, request_, statuses, body=ANY, headers=(), head=False, if_repeated=0):
        """One exchange.

        `statuses`: accepted, at most four; `body` and `headers` are what must come with the first
        of them. A header is "Name: value" (equal), "Name" (there) or "!Name" (not there).
        `if_repeated`: a status that is right as well if the request had been sent before.
        Returns its number.
        """
        assert 1 <= len(statuses) <= 4
        rules = "".join(f"{header}\n" for header in headers).encode()
        padded = tuple(statuses) + (0,) * (4 - len(statuses))
        self._file.write(_ENTRY.pack(len(request_), _ANY_BODY if body is ANY else len(body),
                                     len(rules), _HEAD if head else 0, if_repeated, *padded))
        self._file.write(request_)
        self._file.write(body or b"")
        self._file.write(rules)
        self.count += 1
        return self.count - 1

    def start(self, address, **options):
        """Begin to run it against host:port; see Replay for the options."""
        assert self._file is None, "the script is still being written"
        return Replay(self, address, **options)

    def replay(self, address, **options):
        """Run it to its end."""
        return self.start(address, **options).wait()

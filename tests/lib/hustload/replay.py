"""Running the `replay` program and reading what it found."""

import json
import mmap
import os
import struct
import subprocess
from collections import namedtuple

from hustlib import env
from hustlib.wait import until

_RESULT = struct.Struct("<HBBIII")

LOST_CLOSED, LOST_RESET, WAS_REFUSED, SYNC = (1 << bit for bit in range(4))


class Result(namedtuple("Result", "status fault flags attempts latency_us finished")):
    """Of one exchange."""

    @property
    def good(self):
        return self.finished and self.fault == 0

    @property
    def sync(self):
        return bool(self.flags & SYNC)


class Replay:
    """A run of a script.

    `clients`, `depth` (pipelining), `per_connection` (requests per connection, 0 = no end),
    `attempts` (sends of one request whose connection ends before any byte of the answer),
    `deadline` and `total` in seconds.
    """

    def __init__(self, script, address, clients=64, depth=1, per_connection=0, attempts=1,
                 deadline=10, total=600):
        self.script = script
        self.summary = None
        self.results_path = script.path.with_suffix(".results")
        self.results_path.unlink(missing_ok=True)
        words = {
            "script": script.path, "address": address, "results": self.results_path,
            "clients": clients, "depth": depth, "per-connection": per_connection,
            "attempts": attempts, "deadline-ms": int(1000 * deadline),
            "total-ms": int(1000 * total),
        }
        command = [env.BUILD / "tests" / "tools" / "replay"]
        for name, value in words.items():
            command += [f"--{name}", str(value)]
        self._popen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._view = None

    # -- while it runs

    @property
    def running(self):
        return self._popen.poll() is None

    def _map(self):
        if self._view is None and self.results_path.exists() \
                and os.path.getsize(self.results_path) == _RESULT.size * self.script.count:
            with open(self.results_path, "rb") as file:
                self._view = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        return self._view

    def finished(self, number):
        """Whether exchange `number` is over."""
        view = self._map()
        return bool(view) and _RESULT.unpack_from(view, number * _RESULT.size)[5] == 1

    def wait_for(self, number, expected=30.0):
        """Wait until exchange `number` is over, and so about that many are."""
        def reached():
            if self.finished(number):
                return True
            assert self.running, f"replay ended early: {self.wait().explain()}"
            return False

        until(reached, f"exchange {number} is over", expected)

    # -- afterwards

    def wait(self):
        """Wait for its end (it ends by itself, see `total`)."""
        output, errors = self._popen.communicate()
        self.status = self._popen.returncode
        self.errors = errors.decode("utf-8", "replace")
        assert self.status in (0, 1, 3), f"replay: {self.status}: {self.errors}"
        self.summary = json.loads(output)
        return self

    def kill(self):
        if self.running:
            self._popen.kill()
            self._popen.communicate()

    @property
    def clean(self):
        """Every exchange was answered as expected."""
        return self.status == 0

    def explain(self):
        """Text for an assertion."""
        return f"{self.errors}{json.dumps(self.summary, indent=1)}"

    def results(self):
        """A Result per exchange, in the script's order."""
        data = self.results_path.read_bytes()
        return [Result._make(fields) for fields in _RESULT.iter_unpack(data)]

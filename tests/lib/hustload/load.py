"""Running the `load` program (tests/tools/load.c)."""

import json
import subprocess

from hustlib import env


class Load:
    """Timed, self-checking load: see load.c for what the clients do.

    `what`: "ha" or "stock" (GET of `path` only, answered with `body`).
    """

    def __init__(self, address, clients, seconds, what="ha", seed=1, attempts=3, deadline=10):
        words = {
            "address": address, "clients": clients, "ms": int(1000 * seconds), "what": what,
            "seed": seed, "attempts": attempts, "deadline-ms": int(1000 * deadline),
        }
        command = [env.BUILD / "tests" / "tools" / "load"]
        for name, value in words.items():
            command += [f"--{name}", str(value)]
        self._popen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.summary = None

    @property
    def running(self):
        return self._popen.poll() is None

    def wait(self):
        """Wait for its end; the summary."""
        output, errors = self._popen.communicate()
        self.status = self._popen.returncode
        self.errors = errors.decode("utf-8", "replace")
        assert self.status in (0, 1, 3), f"load: {self.status}: {self.errors}"
        self.summary = json.loads(output)
        return self

    def kill(self):
        if self.running:
            self._popen.kill()
            self._popen.communicate()

    @property
    def clean(self):
        """Every exchange was answered, and rightly."""
        return self.status == 0

    def explain(self):
        return f"{self.errors}{json.dumps(self.summary, indent=1)}"

"""A program under test: its directory, its output, its life and death."""

import atexit
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from hustlib import env
from hustlib.wait import until

SANITIZER = re.compile(
    rb"AddressSanitizer|LeakSanitizer|ThreadSanitizer|MemorySanitizer|runtime error:")

_alive = {}


def _lives_in_group(pid, group):
    try:
        state, _, its_group = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:3]
    except OSError:
        return False
    return int(its_group) == group and state not in "ZX"


def _kill_group(popen):
    """Kill a program with all its workers, and return when nothing of them is left."""
    try:
        os.killpg(popen.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    popen.wait()
    # Workers of nginx are no children of ours; until they are gone they hold its port.
    until(lambda: not any(_lives_in_group(pid, popen.pid)
                          for pid in os.listdir("/proc") if pid.isdigit()),
          f"the process group {popen.pid} is gone")
    _alive.pop(popen.pid, None)


@atexit.register
def _kill_leftovers():
    for popen in list(_alive.values()):
        _kill_group(popen)


def scratch_directory(name):
    """A new directory of our own under the system's temporary directory."""
    return Path(tempfile.mkdtemp(prefix=f"hust-test-{name}-"))


class Program:
    """One program that can be started, stopped, killed, paused and restarted.

    Its standard output and error are appended to `output_path` over all its lives. It leads its
    own process group, so that nothing of it survives.
    """

    def __init__(self, name, directory=None):
        self.name = name
        self.own_directory = directory is None
        self.directory = Path(directory) if directory else scratch_directory(name)
        self.output_path = self.directory / "output.log"
        self.popen = None
        self.paused = False
        self.exit_status = None  # of the last life, once it has ended by our doing
        self._looked_at = {}

    # -- for the subclasses to define

    def command(self):
        raise NotImplementedError

    def is_ready(self):
        raise NotImplementedError

    def log_paths(self):
        return [self.output_path]

    # -- life

    @property
    def pid(self):
        return self.popen.pid if self.popen else None

    @property
    def running(self):
        return self.popen is not None and self.popen.poll() is None

    def spawn(self):
        """Start without waiting for readiness."""
        assert not self.running, f"{self.name} is running already"
        command = [str(word) for word in self.command()]
        with open(self.output_path, "ab") as output:
            self.popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                cwd=self.directory, start_new_session=True,
                env=env.program_environment(command[0], leaks=self.reports_leaks()))
        _alive[self.popen.pid] = self.popen
        self.exit_status = None
        return self

    def reports_leaks(self):
        return True

    def wait_ready(self):
        def ready():
            if not self.running:
                raise AssertionError(
                    f"{self.name} ended with {self.popen.returncode} at start:\n{self.tail()}")
            return self.is_ready()

        try:
            until(ready, f"{self.name} answers", 4)
        except AssertionError:
            self.kill()
            raise
        self.started()
        return self

    def started(self):
        """Called once per life, when it first answers."""

    def start(self):
        return self.spawn().wait_ready()

    def _reap(self):
        status = self.popen.wait()
        # Workers of nginx outlive a master that was killed: end the whole group.
        _kill_group(self.popen)
        self.popen = None
        self.paused = False
        self.exit_status = status
        return status

    def kill(self):
        """SIGKILL, as a power cut to the process; returns when it is gone."""
        if self.popen is None:
            return
        _kill_group(self.popen)
        self._reap()

    def stop(self, expected=4.0):
        """SIGTERM; returns the exit status when it is gone."""
        assert self.running, f"{self.name} is not running"
        self.resume()
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(env.seconds(expected))
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within "
                                 f"{env.seconds(expected):g} s of SIGTERM") from None
        return self._reap()

    def wait_exit(self, expected=4.0):
        """The exit status of a program that is to end by itself."""
        try:
            self.popen.wait(env.seconds(expected))
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end by itself") from None
        return self._reap()

    def restart(self):
        if self.popen is not None:
            self.stop()
        return self.start()

    def signal(self, number):
        self.popen.send_signal(number)

    def pause(self):
        """SIGSTOP to the whole group: it is silent but its connections stay."""
        os.killpg(self.popen.pid, signal.SIGSTOP)
        self.paused = True
        # The signal is on its way when kill returns: wait until no thread runs any more.
        until(lambda: set(self._thread_states()) == {"T"}, f"{self.name} stands still")

    def _thread_states(self):
        for task in Path(f"/proc/{self.popen.pid}/task").iterdir():
            yield (task / "stat").read_text().rpartition(")")[2].split()[0]

    def resume(self):
        if self.paused:
            os.killpg(self.popen.pid, signal.SIGCONT)
            self.paused = False

    def close(self):
        """The end: kill it and remove its directory."""
        self.kill()
        if self.own_directory and not env.KEEP:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self.start() if not self.running else self

    def __exit__(self, *_):
        self.close()

    # -- what it says

    @property
    def log(self):
        """Everything it has written so far, as text."""
        return b"".join(path.read_bytes() for path in self.log_paths() if path.exists()).decode(
            "utf-8", "replace")

    def tail(self, lines=40):
        return "\n".join(self.log.splitlines()[-lines:])

    def new_log_lines(self):
        """Lines written since the last call, over all its logs."""
        fresh = []
        for path in self.log_paths():
            if not path.exists():
                continue
            with open(path, "rb") as log:
                log.seek(self._looked_at.get(path, 0))
                text = log.read()
                # An unfinished line is looked at next time.
                whole = text[:text.rfind(b"\n") + 1]
                self._looked_at[path] = self._looked_at.get(path, 0) + len(whole)
            fresh += whole.splitlines()
        return fresh

    # -- the implicit checks

    def bad_log_line(self, line):
        """True for a line that no test may cause."""
        return bool(SANITIZER.search(line))

    def check_log(self):
        bad = [line.decode("utf-8", "replace") for line in self.new_log_lines()
               if self.bad_log_line(line)]
        assert not bad, f"{self.name} logged:\n" + "\n".join(bad)

    def check_alive(self):
        assert self.popen is None or self.running, \
            f"{self.name} ended by itself with {self.popen.returncode}:\n{self.tail()}"

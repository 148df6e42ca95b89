"""How much of the machine others use: a measurement beside them says nothing."""

import os
import resource
import time

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def _machine_seconds():
    """CPU time of all programs so far, that stolen by other guests of the host included."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) * _TICK_S


def _family_seconds(pid):
    """CPU time of a process and its children."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = file.read().split()
    except OSError:
        return 0.0
    own = (int(fields[11]) + int(fields[12])) * _TICK_S
    return own + sum(_family_seconds(child) for child in children)


def _own_seconds():
    """CPU time of this program and of children that have ended."""
    return sum(usage.ru_utime + usage.ru_stime
               for usage in map(resource.getrusage,
                                (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


class Watch:
    """Compares what the machine did with what the programs `pids` and this one did.

    Linux counts the network's interrupts to the program that they interrupt, which on loopback is
    mostly the right one; what its own threads do for ours counts as foreign.
    """

    def __init__(self, pids):
        self.pids = pids
        self.restart()

    def _ours(self):
        return _own_seconds() + sum(map(_family_seconds, self.pids))

    def restart(self):
        self._start = time.monotonic()
        self._foreign = _machine_seconds() - self._ours()

    def foreign_share(self):
        """Share of all cores that others used since restart(), 0..1."""
        cores_s = (time.monotonic() - self._start) * os.cpu_count()
        return max(0.0, (_machine_seconds() - self._ours() - self._foreign) / cores_s)

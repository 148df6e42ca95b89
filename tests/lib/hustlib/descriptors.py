"""The descriptors of a process, sorted by what they are."""

import os
from dataclasses import dataclass, field
from pathlib import Path

_LISTEN = "0A"


@dataclass
class Descriptors:
    """`connections`: (local port, remote port) of TCP sockets that do not listen."""

    files: list = field(default_factory=list)
    connections: list = field(default_factory=list)
    others: list = field(default_factory=list)


def _tcp_sockets():
    """inode -> (local port, remote port, listens)"""
    sockets = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            local, remote = (int(fields[i].rsplit(":", 1)[1], 16) for i in (1, 2))
            sockets[fields[9]] = (local, remote, fields[3] == _LISTEN)
    return sockets


def descriptors(pid, tcp=None):
    """What `pid` has open; an empty answer if it is gone."""
    if tcp is None:
        tcp = _tcp_sockets()
    found = Descriptors()
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except FileNotFoundError:
        return found
    for name in names:
        try:
            link = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue
        if link.startswith("/") and not link.startswith("/dev/"):
            found.files.append(link)
            continue
        inode = link[len("socket:["):-1] if link.startswith("socket:[") else None
        if inode in tcp and not tcp[inode][2]:
            found.connections.append(tcp[inode][:2])
        else:
            # A socket in no table is one that was never connected, or an accepted one whose
            # peer has gone: it stays here until the program closes it.
            found.others.append("socket" if inode and inode not in tcp else link.split(":")[0])
    return found


def tcp_sockets():
    """A snapshot to pass to several calls of descriptors()."""
    return _tcp_sockets()

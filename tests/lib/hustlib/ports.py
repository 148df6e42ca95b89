"""Ports that nobody else takes while this test process lives."""

import random
import socket

# Below the ephemeral range, so that no outgoing connection takes one while a program restarts.
_FIRST, _LAST = 20000, 32000

_held = []


def free_port():
    """A free loopback port, reserved among all test processes of this machine.

    The reservation is an abstract socket that is named after the port: it leaves no file behind
    and ends with the process.
    """
    while True:
        port = random.SystemRandom().randint(_FIRST, _LAST)
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            holder.bind(f"\0hust-test-port-{port}")
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            holder.close()
            continue
        _held.append(holder)
        return port

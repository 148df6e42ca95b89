"""The test harness: real programs, started in temporary directories on free loopback ports.

    from hustlib import Cluster

    with Cluster() as cluster:
        assert cluster.ha.call("put", key=b"k", val=b"v").status == 200
        assert cluster.node1.call("get", key=b"k").body == b"v"

What the harness promises every test: whatever it started is dead at the end, also after a
failure; and `check()` (called by conftest.py after every test) fails it for an alert in nginx's
log, a sanitizer's line anywhere, a process that died by itself, or a leaked descriptor.
"""

from hustlib.batch import Op, Result
from hustlib.bucket import bucket
from hustlib.cluster import Cluster
from hustlib.env import LONG, SANITIZE, seconds
from hustlib.ha import Ha
from hustlib.http import Client, ConnectionLost, Response, encode_query, target
from hustlib.node import Node
from hustlib.ports import free_port
from hustlib.wait import next_instant, until

__all__ = [
    "Client", "Cluster", "ConnectionLost", "Ha", "LONG", "Node", "Op", "Response", "Result",
    "SANITIZE", "bucket", "encode_query", "free_port", "next_instant", "seconds", "target",
    "until",
]

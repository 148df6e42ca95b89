"""Nodes, replicated in pairs, and HA in front of them."""

import json
import shutil

from hustlib import env
from hustlib.bucket import BUCKETS, bucket
from hustlib.descriptors import tcp_sockets
from hustlib.ha import Ha
from hustlib.node import Node
from hustlib.process import scratch_directory
from hustlib.wait import until


class Cluster:
    """Two nodes and HA, or `pairs` * 2 nodes with a section of the buckets per pair.

        with Cluster() as cluster: cluster.ha, cluster.node1, cluster.node2, cluster.nodes

    `node_options` go to every Node, `ha_options` to Ha.
    """

    def __init__(self, pairs=1, node_options=None, ha_options=None):
        self.directory = scratch_directory("cluster")
        self.nodes = []
        node_options = dict({"replicated": True}, **(node_options or {}))
        for index in range(2 * pairs):
            name = f"node{index + 1}"
            directory = self.directory / name
            directory.mkdir()
            self.nodes.append(Node(name, directory=directory, **node_options))
        self.sections = []  # (first bucket, end, master1, master2)
        for index in range(pairs):
            one, two = self.nodes[2 * index:2 * index + 2]
            one.peers, two.peers = [two.address], [one.address]
            self.sections.append((index * BUCKETS // pairs, (index + 1) * BUCKETS // pairs,
                                  one, two))
        for node in self.nodes:
            node.write_config()
        self.table_path = self.directory / "table.json"
        self.table_path.write_text(json.dumps(self.table(), indent=1))
        ha_directory = self.directory / "ha"
        ha_directory.mkdir()
        self.ha = Ha(self.table_path, directory=ha_directory, **(ha_options or {}))

    def table(self):
        """The routing table as a JSON value."""
        return {"table": [
            {"item": {"key": [first, end], "val": [one.address, two.address]}}
            for first, end, one, two in self.sections]}

    node1 = property(lambda self: self.nodes[0])
    node2 = property(lambda self: self.nodes[1])

    @property
    def programs(self):
        return [*self.nodes, self.ha]

    # -- life

    def start(self):
        try:
            for node in self.nodes:
                node.spawn()
            for node in self.nodes:
                node.wait_ready()
            self.ha.start()
        except BaseException:
            self.close()
            raise
        return self

    def close(self):
        for program in self.programs:
            program.close_clients()
            program.close()
        if not env.KEEP:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # -- use

    def masters(self, key, tb=None, sorted_set=False):
        """(master1, master2) of an element; a sorted set lives in the bucket of its tb."""
        at = bucket(tb if sorted_set else key)
        for first, end, one, two in self.sections:
            if first <= at < end:
                return one, two
        raise AssertionError("sections leave a gap")

    def _probe_keys(self):
        """One key per section, for writes that matter to nobody."""
        keys = {}
        number = 0
        while len(keys) < len(self.sections):
            key = b"hustlib:probe:%d" % number
            keys.setdefault(self.masters(key), key)
            number += 1
        return list(keys.values())

    def wait_up(self):
        """Wait until HA writes to every node again (after a restart or a pause).

        Every worker has its own connections, so HA must do well several times in a row.
        """
        def all_up():
            for key in self._probe_keys():
                for _ in range(4 * self.ha.workers):
                    with self.ha.client() as client:
                        answer = client.request("GET", f"/put?key={key.decode()}&val=x")
                    if answer.status != 200 or "Sync" in answer:
                        return False
            return True

        until(all_up, "HA writes to every node", 6)

    def close_clients(self):
        for program in self.programs:
            program.close_clients()

    # -- the implicit checks

    def leaked(self):
        tcp = tcp_sockets()
        ports = {node.port for node in self.nodes}
        owned = {local for locals_ in self.ha.node_connections(tcp, ports).values()
                 for local in locals_}
        return "\n".join(filter(None, [self.ha.leaked(tcp, ports),
                                       *(node.leaked(tcp, owned) for node in self.nodes)]))

    def check(self, descriptors=True):
        """Fail if anything went wrong that no test may cause."""
        check(self.programs, self.leaked if descriptors else None)


def check(programs, leaked):
    """Logs, life and descriptors; the last by polling, as closing takes its time."""
    for program in programs:
        program.check_log()
        program.check_alive()
    if leaked is None:
        return
    for program in programs:
        program.close_clients()
    found = [""]

    def settled():
        found[0] = leaked()
        return not found[0]

    try:
        until(settled, "descriptors are back to those of the start", 2)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{found[0]}") from None


def check_node(node):
    """The same for a node that stands alone."""
    check([node], lambda: node.leaked(tcp_sockets(), set()))

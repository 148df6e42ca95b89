"""What HA makes of the hints that nodes say they hold (HTTP contract 3.2 and 3.3)."""

import queue

from hustlib import batch
from hustlib.batch import Result
from hustlib.fake import FakeCluster, FakeNode, http_answer
from hustlib.wait import until


class Holder(FakeNode):
    """Says in every reply for whom it holds how many hints; `probes`: batches of no operations."""

    def __init__(self, behave):
        super().__init__(behave)
        self.backlogs = []
        self.probes = queue.Queue()

    def _answer(self, head, body):
        if b"/hustdb/batch" not in head.split(b"\r\n")[0]:
            return super()._answer(head, body)
        ops, _ = batch.decode_request(body)
        if ops:
            self.seen.put(ops)
        results = self.behave(ops) if ops else []
        return http_answer(batch.encode_reply(results, backlogs=self.backlogs))

    def send(self, connection, answer):
        super().send(connection, answer)
        if not batch.decode_reply(answer.partition(b"\r\n\r\n")[2]).results:
            self.probes.put(answer)


def absent(ops):
    return [Result(404, 0, 0)] * len(ops)


def with_holders():
    cluster = FakeCluster(absent, absent, workers=1)
    for index, node in enumerate(cluster.nodes):
        holder = Holder(absent)
        holder.port = node.port
        cluster.nodes[index] = holder
    return cluster


def asked_first(cluster):
    """Which node a read goes to first: 0 or 1."""
    for node in cluster.nodes:
        while not node.seen.empty():
            node.seen.get()
    cluster.ha.call("get", key=b"k")
    return 0 if not cluster.nodes[0].seen.empty() and cluster.nodes[1].seen.empty() else 1


def test_a_master_is_behind_until_its_partner_has_delivered():
    """HA learns of the end without any request: it asks by itself."""
    with with_holders() as cluster:
        one, two = cluster.nodes
        one.behave = lambda ops: [Result(404, batch.DELETED, 0)] * len(ops)  # it knows: 404 at once
        assert asked_first(cluster) == 0
        two.backlogs = [(one.address.encode(), 3)]
        assert cluster.ha.call("get2", key=b"k").status == 404  # brings the news
        assert asked_first(cluster) == 1
        while not two.probes.empty():
            two.probes.get()
        for _ in range(2):
            until(lambda: not two.probes.empty(), "HA asks the holder of the hints", 2)
            two.probes.get()
        two.backlogs = []
        while not two.probes.empty():
            two.probes.get()
        until(lambda: not two.probes.empty(), "HA asks once more", 2)
        assert asked_first(cluster) == 0

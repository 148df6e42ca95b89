"""/metrics of HA: Prometheus' text format, counted over all workers."""

import os
import signal
import threading

import pytest

from hustlib import until
from hustlib.descriptors import tcp_sockets
from hustlib.prometheus import Metrics

REQUESTS = "hustdb_ha_requests_total"
LATENCY = "hustdb_ha_request_duration_seconds"
BATCH = "hustdb_ha_node_batch_operations"
QUICK = "hustdb_ha_connect_timeout 200ms; hustdb_ha_timeout 300ms;"


def metrics(ha):
    answer = ha.call("metrics")
    assert answer.status == 200
    assert answer["Content-Type"] == "text/plain; version=0.0.4"
    return Metrics(answer.text)


def test_it_can_be_read(cluster):
    cluster.ha.call("put", key=b"m:read", val=b"v")
    page = metrics(cluster.ha)
    assert page.types == {
        REQUESTS: "counter", LATENCY: "histogram", "hustdb_ha_node_up": "gauge",
        "hustdb_ha_node_catching_up": "gauge", "hustdb_ha_node_lanes_open": "gauge",
        "hustdb_ha_node_lanes_busy": "gauge", BATCH: "histogram",
        "hustdb_ha_node_failures_total": "counter"}


def test_requests_by_call_and_status(make_cluster):
    """Every request is counted once, whichever worker had it, also over a reload."""
    cluster = make_cluster()
    ha = cluster.ha
    plan = ((20, "2xx", "put", "/put?key=m&val=v"), (30, "2xx", "get2", "/get2?key=m"),
            (7, "4xx", "get", "/get?key=absent"), (5, "4xx", "put", "/put?key=m"),
            (3, "4xx", "unknown", "/nothing"), (4, "2xx", "peer_count", "/peer_count"))
    for reloads in (1, 2):
        for count, _, _, path in plan:
            for _ in range(count):
                with ha.client() as client:
                    client.request("GET", path)

        def counted():
            page = metrics(ha)
            return all(page.value(REQUESTS, call=call, status=status) == reloads * count
                       for count, status, call, _ in plan)

        # A request is counted after its answer has been sent.
        until(counted, "all are counted, and none twice")
        page = metrics(ha)
        assert page.value(LATENCY + "_count", **{"class": "read2"}) == reloads * 30
        assert page.value(LATENCY + "_count", **{"class": "write"}) == reloads * 25
        assert page.value(LATENCY + "_bucket", le="5", **{"class": "write"}) == reloads * 25
        ha.reload()


def test_batches(make_cluster):
    """One operation after the other: each is a batch of one."""
    cluster = make_cluster()
    before = metrics(cluster.ha)
    for number in range(10):
        assert cluster.ha.call("put", key=b"b%d" % number, val=b"v").status == 200
    page = metrics(cluster.ha)
    for node in cluster.nodes:
        labels = {"node": node.address}
        for name in (BATCH + "_count", BATCH + "_sum"):
            assert page.value(name, **labels) - before.value(name, **labels) == 10, name
        assert page.value(BATCH + "_bucket", le="1", **labels) == \
            page.value(BATCH + "_count", **labels)


def test_batches_grow_under_load(make_cluster):
    cluster = make_cluster(ha_options={
        "workers": 1, "http": "hustdb_ha_write_lanes 1; hustdb_ha_read_lanes 1;"})

    def write(name):
        with cluster.ha.client() as client:
            for number in range(40):
                assert client.request("GET", f"/put?key=g{name}:{number}&val=v").status == 200

    threads = [threading.Thread(target=write, args=(name,)) for name in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    page = metrics(cluster.ha)
    for node in cluster.nodes:
        assert page.value(BATCH + "_sum", node=node.address) == 640
        assert page.value(BATCH + "_count", node=node.address) < 640
        assert page.value("hustdb_ha_node_lanes_open", node=node.address) == 1
        assert page.value("hustdb_ha_node_lanes_busy", node=node.address) == 0


@pytest.mark.parametrize("how", ("quit", "kill"))
def test_lanes_are_those_that_are_open(make_cluster, how):
    """Also when workers have gone, well or badly."""
    cluster = make_cluster()
    for _ in range(3):
        for _ in range(20):
            with cluster.ha.client() as client:
                assert client.request("GET", "/put?key=l&val=v").status == 200
        if how == "quit":
            cluster.ha.reload()
        else:
            kill_a_worker(cluster.ha)

    def agree():
        page = metrics(cluster.ha)
        for node in cluster.nodes:
            held = cluster.ha.node_connections(tcp_sockets(), {node.port})
            said = page.value("hustdb_ha_node_lanes_open", node=node.address)
            if said != sum(len(ports) for ports in held.values()):
                return False
        return page.total("hustdb_ha_node_lanes_busy") == 0

    until(agree, "lanes are counted rightly", 4)


def kill_a_worker(ha):
    before = set(ha.worker_pids())
    os.kill(min(before), signal.SIGKILL)
    until(lambda: len(set(ha.worker_pids()) - before) == 1
          and len(ha.worker_pids()) == ha.workers, "nginx has replaced the worker", 4)
    ha.new_log_lines()  # nginx says [alert] of the one that was killed


def test_a_node_that_is_away(make_cluster):
    cluster = make_cluster(ha_options={"http": QUICK})
    ha, away = cluster.ha, cluster.node1
    assert ha.call("put", key=b"a", val=b"v").status == 200
    page = metrics(ha)
    for node in cluster.nodes:
        assert page.value("hustdb_ha_node_up", node=node.address) == 1
        assert page.value("hustdb_ha_node_catching_up", node=node.address) == 0
        assert page.total("hustdb_ha_node_failures_total", node=node.address) == 0
    away.kill()
    until(lambda: "Sync" in ha.call("put", key=b"a", val=b"w"), "HA notices", 2)
    page = metrics(ha)
    assert page.value("hustdb_ha_node_up", node=away.address) == 0
    assert page.value("hustdb_ha_node_up", node=cluster.node2.address) == 1
    assert page.total("hustdb_ha_node_failures_total", node=away.address) >= 1
    assert page.total("hustdb_ha_node_failures_total", node=cluster.node2.address) == 0
    away.start()
    until(lambda: metrics(ha).value("hustdb_ha_node_up", node=away.address) == 1, "it is up", 4)
    assert metrics(ha).value("hustdb_ha_node_catching_up", node=away.address) == 1

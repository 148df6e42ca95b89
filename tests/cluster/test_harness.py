"""The checks that run after every test can fail: each is shown what it must find."""

import os
import signal
import socket

import pytest

from hustlib import Cluster, Node, batch, bucket, until
from hustlib.cluster import check_node
from hustlib.descriptors import tcp_sockets


@pytest.fixture
def cluster():
    """Not watched by conftest.py: what is done to it is no failure of this test."""
    with Cluster() as cluster:
        yield cluster


@pytest.mark.parametrize("line", (
    "2026/01/01 00:00:00 [alert] 1#1: worker process 2 exited on signal 11",
    "2026/01/01 00:00:00 [crit] 1#1: open() failed", "2026/01/01 00:00:00 [emerg] 1#1: no memory",
    "==1==ERROR: AddressSanitizer: heap-use-after-free", "x.c:1:2: runtime error: overflow"))
def test_a_bad_line_in_the_log_of_nginx(cluster, line):
    cluster.check()
    with open(cluster.ha.error_log, "a") as log:
        log.write(line + "\n")
    with pytest.raises(AssertionError, match="logged"):
        cluster.check()
    cluster.check()


def test_a_sanitizer_line_of_a_node(cluster):
    with open(cluster.node2.output_path, "a") as log:
        log.write("SUMMARY: LeakSanitizer: 8 byte(s) leaked in 1 allocation(s).\n")
    with pytest.raises(AssertionError, match="node2 logged"):
        cluster.check()


def test_a_program_that_ended_by_itself(cluster):
    os.kill(cluster.node1.pid, signal.SIGKILL)
    until(lambda: not cluster.node1.running, "it is dead")
    with pytest.raises(AssertionError, match="node1 ended by itself"):
        cluster.check()


def test_a_worker_that_died(cluster):
    os.kill(cluster.ha.worker_pids()[0], signal.SIGKILL)
    until(lambda: "exited on signal 9" in cluster.ha.log, "nginx noticed")
    with pytest.raises(AssertionError, match="alert"):
        cluster.check()


def test_a_connection_that_stays_open(cluster):
    until(lambda: not cluster.leaked(), "nothing is leaked at first")
    for program in cluster.nodes[0], cluster.ha:
        with socket.create_connection(("127.0.0.1", program.port)):
            until(lambda program=program: f"{program.name}: " in cluster.leaked()
                  and "connections of nobody" in cluster.leaked(), "it is noticed")
        until(lambda: not cluster.leaked(), "it is gone")


def test_a_failed_start_is_told_with_its_reason():
    node = Node(sync="never")
    try:
        with pytest.raises(AssertionError, match="ended with 1 at start(.|\n)*sync"):
            node.start()
    finally:
        node.close()


def test_nothing_is_left_behind():
    node = Node()
    with node:
        pid = node.pid
        check_node(node)
        assert not node.leaked(tcp_sockets(), set())
    assert not os.path.exists(f"/proc/{pid}") and not node.directory.exists()


def test_a_paused_node_says_nothing(cluster):
    cluster.node1.pause()
    with cluster.node1.client(timeout=0.05) as client:
        with pytest.raises(TimeoutError):
            client.request("GET", "/status.html")
    cluster.node1.resume()
    assert cluster.node1.request("GET", "/status.html").body == b"ok"


def test_buckets_of_the_contract():
    vectors = {b"a": 97, b"abc": 98, b"k1": 294, b"test_key": 306, b"test_table": 481,
               b"hustdbhakey": 282, b"user:1001": 687, b"\xe4\xb8\xad": 729}
    assert {key: bucket(key) for key in vectors} == vectors


def test_the_batch_codec_reads_what_it_writes():
    ops = [batch.put(b"k", b"v", ver=3, target=b"h:1", flags=batch.SOLO, gen=9),
           batch.incr(b"f", -4, tb=b"t", base=bytes(range(12))), batch.get(b"x"),
           batch.delete(b"m", batch.ZSET, b"t", if_match=bytes(12))]
    data = batch.encode_request(ops, 7)
    decoded, epoch = batch.decode_request(data)
    assert epoch == 7 and batch.encode_request(decoded, 7) == data
    assert [op.key for op in decoded] == [b"k", b"f", b"x", b"m"]
    results = [batch.Result(200, batch.RESULT_HAS_STAMP | batch.RESULT_HAS_GEN, 3, b"x",
                            batch.new_stamp(), 5, gen=2),
               batch.Result(200, batch.LARGE, 1, value_bytes=9, value_hash=bytes(16))]
    reply = batch.decode_reply(batch.encode_reply(results, 77, [(b"h:1", 4)]))
    assert (reply.clock, reply.backlogs, reply.results) == (77, {"h:1": 4}, results)

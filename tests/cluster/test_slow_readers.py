"""Clients that take their time over large values keep nobody else from being served."""

import socket

import pytest

VALUE = bytes(range(256)) * (8 << 12)  # 8 MiB: more than the buffers of any socket
READERS = 40


@pytest.fixture
def slow_readers(cluster):
    """Connections that have asked for the large value and read nothing of it."""
    assert cluster.ha.call("put", "PUT", VALUE, key=b"slow:large").status == 200
    readers = []
    for _ in range(READERS):
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", cluster.ha.port))
        reader.sendall(b"GET /get?key=slow:large HTTP/1.1\r\nHost: x\r\n\r\n")
        readers.append(reader)
    for reader in readers:
        reader.settimeout(60)
        assert reader.recv(12) == b"HTTP/1.1 200"
    yield readers
    for reader in readers:
        reader.close()


def test_others_are_served_meanwhile(cluster, slow_readers):
    assert cluster.ha.call("put", key=b"slow:small", val=b"v").status == 200
    assert cluster.ha.call("get2", key=b"slow:small").body == b"v"
    answer = cluster.ha.call("put", "PUT", VALUE[::-1], key=b"slow:other")
    assert answer.status == 200 and "Sync" not in answer
    assert cluster.ha.call("get", key=b"slow:other").body == VALUE[::-1]
    assert cluster.ha.call("get2", key=b"slow:other").body == VALUE[::-1]
    assert cluster.ha.call("stat", peer=b"0").status == 200
    assert "is down" not in cluster.ha.log


def test_a_slow_reader_gets_all_of_it_in_the_end(cluster, slow_readers):
    reader = slow_readers[0]
    received = b""
    while len(received) < len(VALUE):
        piece = reader.recv(1 << 20)
        assert piece
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    while len(body) < len(VALUE):
        body += reader.recv(1 << 20)
    assert body == VALUE

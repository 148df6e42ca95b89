"""What was acknowledged is there after any death of the process; a node ends cleanly."""

import os
import signal
import threading

import pytest

from hustlib import Node, env, until
from hustlib.kinds import KINDS, KV


def test_acknowledged_writes_survive_a_kill(make_node):
    node = make_node()
    for number in range(40):
        for kind in KINDS:
            assert kind.put(node, b"%d" % number, kind.value(number), tb=kind.type).status == 200
    for number in range(0, 40, 4):
        for kind in KINDS:
            assert kind.delete(node, b"%d" % number, tb=kind.type).status == 200
    before = {(kind, number): kind.held(node, b"%d" % number, kind.type)
              for kind in KINDS for number in range(40)}
    for _ in range(2):
        node.kill()
        node.start()
        for (kind, number), held in before.items():
            assert kind.held(node, b"%d" % number, kind.type) == held
            assert (kind.exist(node, b"%d" % number, tb=kind.type).status == 200) == \
                (number % 4 != 0)


def test_kill_under_load(make_node):
    """Several clients write; the node dies; nothing that was acknowledged is lost."""
    node = make_node()
    for round_ in range(4 if not env.LONG else 40):
        acknowledged = []
        enough = threading.Event()

        def write(name):
            with node.client() as client:
                for number in range(100000):
                    key = f"{round_}:{name}:{number}"
                    try:
                        answer = client.request("PUT", f"/hustdb/put?key={key}",
                                                body=key.encode() * 20)
                    except OSError:
                        return
                    assert answer.status == 200
                    acknowledged.append(key)
                    if len(acknowledged) >= 300:
                        enough.set()

        threads = [threading.Thread(target=write, args=(name,)) for name in range(6)]
        for thread in threads:
            thread.start()
        assert enough.wait(env.seconds(5))
        node.kill()
        for thread in threads:
            thread.join()
        node.start()
        for key in acknowledged:
            answer = node.call("get", key=key)
            assert (answer.status, answer.body) == (200, key.encode() * 20), key


def test_stop_ends_with_0_and_keeps_everything(make_node):
    node = make_node()
    for kind in KINDS:
        kind.put(node, b"k", tb=kind.type)
    tag = node.call("get", key=b"k")["ETag"]
    assert node.stop() == 0
    node.start()
    for kind in KINDS:
        assert kind.get(node, b"k", tb=kind.type).ver == 1
    assert node.call("get", key=b"k")["ETag"] == tag


def test_stop_under_load_answers_what_it_took(make_node):
    """SIGTERM drains: a write is either acknowledged and there, or its connection ends."""
    node = make_node()
    acknowledged = []
    enough = threading.Event()

    def write(name):
        with node.client() as client:
            for number in range(100000):
                key = f"{name}:{number}"
                try:
                    answer = client.request("GET", f"/hustdb/put?key={key}&val=v")
                except OSError:
                    return
                if answer.status == 200:
                    acknowledged.append(key)
                if len(acknowledged) >= 200:
                    enough.set()

    threads = [threading.Thread(target=write, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    assert enough.wait(env.seconds(5))
    assert node.stop() == 0
    for thread in threads:
        thread.join()
    node.start()
    for key in acknowledged:
        assert node.call("get", key=key).status == 200


def test_stop_while_clients_knock(make_node):
    """New connections all the time wake the threads of the server just when they are to end."""
    node = make_node()
    for _ in range(400 if env.LONG else 12):
        stopped = threading.Event()

        def knock():
            while not stopped.is_set():
                try:
                    with node.client() as client:
                        client.connect()
                except OSError:
                    continue

        threads = [threading.Thread(target=knock) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            assert node.call("put", key=b"k", val=b"v").status == 200
            assert node.stop() == 0
        finally:
            stopped.set()
            for thread in threads:
                thread.join()
        node.start()


def test_stop_with_idle_and_half_open_connections(make_node):
    node = make_node()
    with node.client() as idle, node.client() as half:
        idle.request("GET", "/status.html")
        half.send(b"PUT /hustdb/put?key=half HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nab")
        assert node.stop() == 0
    node.start()
    assert node.call("get", key=b"half").status == 404


def test_stamps_grow_over_a_restart(make_node):
    node = make_node()
    tags = []
    for _ in range(4):
        for _ in range(3):
            tags.append(node.call("put", key=b"k", val=b"v")["ETag"])
        node.kill()
        node.start()
    assert tags == sorted(tags) and len(set(tags)) == len(tags)


def test_expiry_survives_a_restart(make_node):
    node = make_node()
    node.call("put", key=b"goes", val=b"v", ttl=1)
    node.call("put", key=b"stays", val=b"v", ttl=1000)
    expires = KV.held(node, b"stays").expire_at_ms
    node.kill()
    node.start()
    until(lambda: node.call("get", key=b"goes").status == 404, "expired", 2)
    assert node.call("get", key=b"stays").status == 200
    assert KV.held(node, b"stays").expire_at_ms == expires


def test_a_data_directory_in_use_is_refused(make_node):
    node = make_node()
    node.call("put", key=b"k", val=b"v")
    second = Node("second", path=node.data_path)
    try:
        second.spawn()
        assert second.wait_exit() == 1
        assert str(node.data_path) in second.log
        assert len(second.log.splitlines()) <= 3, second.log
    finally:
        second.close()
    assert node.call("get", key=b"k").body == b"v"


def test_a_port_in_use_is_refused(make_node):
    node = make_node()
    second = Node("second", port=node.port)
    try:
        second.spawn()
        assert second.wait_exit() == 1
        assert str(node.port) in second.log
    finally:
        second.close()
    assert node.call("status.html").status == 404
    assert node.request("GET", "/status.html").body == b"ok"


@pytest.mark.parametrize("sync", ("always", "everysec", "os"))
def test_every_way_to_sync_survives_a_kill_of_the_process(make_node, sync):
    """The page cache outlives the process, whatever was asked of the disk."""
    node = make_node(sync=sync)
    for number in range(50):
        assert node.call("put", key=b"%d" % number, val=b"v").status == 200
    node.kill()
    node.start()
    for number in range(50):
        assert node.call("get", key=b"%d" % number).status == 200


def test_a_damaged_data_directory_is_refused(make_node):
    """It says so and does not start with an empty store."""
    node = make_node()
    node.call("put", key=b"k", val=b"v")
    assert node.stop() == 0
    (node.data_path / "CURRENT").write_text("MANIFEST-999999\n")
    node.spawn()
    assert node.wait_exit() == 1
    assert node.log.strip()


def test_files_belong_to_the_data_directory_only(make_node):
    node = make_node()
    for number in range(100):
        node.call("put", "PUT", os.urandom(1000), key=b"%d" % number)
    found = {path.name for path in node.directory.iterdir()}
    assert found == {"hustdb.conf", "data", "output.log"}


def test_sighup_does_not_end_it(make_node):
    node = make_node()
    node.signal(signal.SIGHUP)
    for _ in range(20):
        assert node.call("put", key=b"k", val=b"v").status == 200


def test_many_connections(make_node):
    """More than one per worker at the same time, all answered."""
    node = make_node(connection_limit=300)
    clients = [node.client().connect() for _ in range(250)]
    try:
        for number, client in enumerate(clients):
            client.send(b"GET /hustdb/put?key=%d&val=v HTTP/1.1\r\nHost: x\r\n\r\n" % number)
        for client in clients:
            assert client.receive().status == 200
    finally:
        for client in clients:
            client.close()


def test_the_connection_limit_holds(make_node):
    node = make_node(connection_limit=20, worker_count=2)
    clients = [node.client(timeout=env.seconds(1)).connect() for _ in range(60)]
    served = 0
    try:
        for client in clients:
            try:
                client.send(b"GET /status.html HTTP/1.1\r\nHost: x\r\n\r\n")
                client.socket.settimeout(0.05)
                served += client.receive().status == 200
            except OSError:
                continue
    finally:
        for client in clients:
            client.close()
    assert 1 <= served <= 24
    until(lambda: node.is_ready(), "served again once they are gone", 2)


def test_idle_connections_are_closed(make_node):
    node = make_node(idle_timeout=1)
    with node.client() as client:
        assert client.request("GET", "/status.html").status == 200
        assert client.receive_all() == b""


def test_a_large_value_survives_a_kill(make_node):
    node = make_node()
    value = os.urandom(5_000_000)
    assert node.call("put", "PUT", value, key=b"k").status == 200
    node.kill()
    node.start()
    assert node.call("get", key=b"k").body == value

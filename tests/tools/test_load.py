"""The load program itself: content with a right server, and never with a wrong one.

The server here is a dictionary behind the calls of HA that load makes.
"""

import random
import socketserver
import threading
import urllib.parse

import pytest

from hustload import Load

STATUS = {200: b"200 OK", 404: b"404 Not Found", 409: b"409 Conflict"}
WRITES = ("put", "hset", "sadd", "zadd")
DELETES = ("del", "hdel", "srem", "zrem")
EXISTS = ("exist", "hexist", "sismember", "sismember2", "zismember")


class Model:
    """The right answers: call name -> (status, headers, body)."""

    def __init__(self):
        self.held = {}
        self.lock = threading.Lock()

    def answer(self, name, params, body):
        key = (params.get("tb"), params["key"])
        kind = name[0] if name[0] in "hsz" else "k"
        with self.lock:
            return self.locked(name, (kind, *key), params, body)

    def locked(self, name, key, params, body):
        if name in WRITES:
            value = params["score"].encode() if name == "zadd" else body
            version = self.held.get(key, (b"", 0))[1] + 1
            self.held[key] = (value, version)
            return 200, [("Version", version)], value if name == "zadd" else b""
        value, version = self.held.get(key, (b"", 0))
        if version == 0:
            return 404, [("Version", 0)], b""
        if name in DELETES:
            del self.held[key]
            return 200, [("Version", version)], b"%d" % version
        return 200, [("Version", version)], b"" if name in EXISTS else value


class Stale(Model):
    """Now and then forgets a write that it has acknowledged."""

    def locked(self, name, key, params, body):
        if name in WRITES and key in self.held and random.random() < 0.01:
            value = params["score"].encode() if name == "zadd" else b""
            return 200, [("Version", self.held[key][1])], value
        return super().locked(name, key, params, body)


class Lively(Model):
    """Now and then brings a deleted element back."""

    def locked(self, name, key, params, body):
        before = self.held.get(key)
        answer = super().locked(name, key, params, body)
        if name in DELETES and before and random.random() < 0.05:
            self.held[key] = before
        return answer


class Quarrelsome(Model):
    """Now and then lets a comparison show two versions."""

    def locked(self, name, key, params, body):
        status, headers, value = super().locked(name, key, params, body)
        if name.endswith("2") and status == 200 and random.random() < 0.01:
            headers = [("Version1", 1), ("Version2", 2)]
        return status, headers, value


class Degraded(Model):
    """Now and then says that a master missed the write."""

    def locked(self, name, key, params, body):
        status, headers, value = super().locked(name, key, params, body)
        if name in WRITES and random.random() < 0.01:
            headers = [*headers, ("Sync", "127.0.0.1:1")]
        return status, headers, value


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            line = self.rfile.readline()
            if not line:
                return
            headers = {}
            while (header := self.rfile.readline()) not in (b"\r\n", b""):
                name, _, value = header.decode().partition(":")
                headers[name.lower()] = value.strip()
            body = self.rfile.read(int(headers.get("content-length", 0)))
            closes = headers.get("connection") == "close"
            self.reply(line.split()[1].decode(), body, closes)
            if closes:
                return

    def reply(self, target, body, closes):
        path, _, query = target.partition("?")
        if path == "/stock":
            status, headers, value = 200, [], self.server.stock
        else:
            params = dict(urllib.parse.parse_qsl(query))
            status, headers, value = self.server.model.answer(path[1:], params, body)
        if closes:
            headers = [*headers, ("Connection", "close")]
        text = b"".join(b"%s: %s\r\n" % (name.encode(), str(value).encode())
                        for name, value in headers)
        self.wfile.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (
            STATUS[status], len(value), text, value))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128
    model = None
    stock = b"stock"

    @property
    def address(self):
        return "127.0.0.1:%d" % self.server_address[1]


@pytest.fixture
def serve():
    servers = []

    def start(model=None, stock=b"stock"):
        server = _Server(("127.0.0.1", 0), _Handler)
        server.model, server.stock = model, stock
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01},
                         daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_right_server(serve):
    load = Load(serve(Model()).address, clients=8, seconds=1).wait()
    assert load.clean, load.explain()
    assert load.summary["all"]["exchanges"] > 200
    for name in (*WRITES, *DELETES, *EXISTS, "get", "get2", "hget2", "zscore2"):
        assert load.summary["calls"][name] > 0, name
    for name in ("keepalive", "keepalive_pipelined"):
        assert load.summary[name]["connections"] == 2
    for name in ("single", "pipelined"):
        assert load.summary[name]["connections"] > 2
    assert load.summary["single"]["connections"] == load.summary["single"]["exchanges"]


@pytest.mark.parametrize("model, fault", [
    (Stale, "body"), (Lively, "status"), (Quarrelsome, "header"), (Degraded, "header"),
])
def test_a_wrong_server(serve, model, fault):
    load = Load(serve(model()).address, clients=8, seconds=1).wait()
    assert not load.clean
    assert load.summary["all"]["faults"].get(fault, 0) > 0, load.explain()
    assert load.summary["all"]["unanswered"] == 0


def test_stock(serve):
    assert Load(serve().address, clients=8, seconds=0.2, what="stock").wait().clean
    wrong = Load(serve(stock=b"stick").address, clients=8, seconds=0.2, what="stock").wait()
    faults = wrong.summary["all"]["faults"]
    assert not wrong.clean and faults == {"body": wrong.summary["all"]["exchanges"]}

"""An HTTP/1.1 client over a raw socket.

It hides nothing: a test sees the header lines in their order, can send any bytes, can pipeline,
and is told whether a lost connection had begun to answer. It never repeats a request by itself.
"""

import select
import socket
import threading
from dataclasses import dataclass, field

from hustlib import env

_UNRESERVED = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class ConnectionLost(ConnectionError):
    """The peer closed or reset the connection; `received` is what had come of the answer."""

    def __init__(self, received, cause=None):
        super().__init__(f"connection lost after {len(received)} bytes of an answer"
                         + (f": {cause}" if cause else ""))
        self.received = received


class MalformedAnswer(Exception):
    """What came is not HTTP/1.1."""


@dataclass
class Response:
    status: int
    reason: str
    headers: list  # (name, value) as sent, in order
    body: bytes
    version: str = "HTTP/1.1"
    interim: list = field(default_factory=list)  # statuses of 1xx answers before it

    def header(self, name):
        """The value of a header, None without it; sending it twice is an error."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} sent {len(values)} times: {self.headers}"
        return values[0] if values else None

    def __getitem__(self, name):
        value = self.header(name)
        assert value is not None, f"no header {name} in {self}"
        return value

    def __contains__(self, name):
        return self.header(name) is not None

    @property
    def ver(self):
        """`Version` as a number."""
        return int(self["Version"])

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def keeps_alive(self):
        return (self.header("Connection") or "").lower() != "close"

    def __str__(self):
        body = self.body if len(self.body) <= 200 else self.body[:200] + b"..."
        return f"{self.status} {self.reason} {self.headers} {body!r}"


def percent(data):
    """Percent-encode all but unreserved characters."""
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in data)


def as_bytes(value):
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode()


def encode_query(params):
    """`params`: a dict or a list of pairs; values bytes, text or numbers."""
    pairs = params.items() if isinstance(params, dict) else params
    return "&".join(f"{name}={percent(as_bytes(value))}" for name, value in pairs)


def target(path, **params):
    """target("/put", key=b"a b") -> "/put?key=a%20b" """
    return f"{path}?{encode_query(params)}" if params else path


def request_bytes(method, target_, headers=(), body=None, host="localhost"):
    """A whole request. A body that is not None is sent with its Content-Length."""
    if isinstance(target_, str):
        target_ = target_.encode("latin-1")
    lines = [method.encode() + b" " + target_ + b" HTTP/1.1", b"Host: " + host.encode()]
    for name, value in headers:
        lines.append(as_bytes(name) + b": " + as_bytes(value))
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def chunked(parts):
    """A body in chunked transfer coding."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"


class Client:
    """One connection. Not for use by several threads at once."""

    def __init__(self, port, host="127.0.0.1", timeout=None):
        self.address = (host, port)
        self.timeout = timeout if timeout is not None else env.seconds(6)
        self.socket = None
        self._buffer = bytearray()

    def connect(self):
        self.close()
        self.socket = socket.create_connection(self.address, self.timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None
        self._buffer.clear()

    def __enter__(self):
        return self if self.socket else self.connect()

    def __exit__(self, *_):
        self.close()

    def is_stale(self):
        """True if there is no connection, or the peer has closed the one there is."""
        if self.socket is None:
            return True
        readable, _, _ = select.select([self.socket], [], [], 0)
        return bool(readable)

    def request(self, method, target_, headers=(), body=None):
        """Send one request and return its answer. Reconnects first if the peer had closed."""
        if self.is_stale():
            self.connect()
        early = self.send_all(request_bytes(method, target_, headers, body))
        answer = self.receive(method)
        if early or not answer.keeps_alive:
            self.close()
        return answer

    def send_all(self, data):
        """Send; returns True if the peer stopped reading before the end (it may have answered)."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return True
        return False

    def send(self, data):
        """Send any bytes; connects first if need be."""
        if self.socket is None:
            self.connect()
        self.socket.sendall(data)

    def shutdown_send(self):
        self.socket.shutdown(socket.SHUT_WR)

    # -- receiving

    def _fill(self, received):
        try:
            data = self.socket.recv(262144)
        except ConnectionResetError as reset:
            raise ConnectionLost(bytes(received), reset) from reset
        self._buffer += data
        return bool(data)

    def _take(self, count):
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _until(self, marker):
        while marker not in self._buffer:
            if not self._fill(self._buffer):
                raise ConnectionLost(bytes(self._buffer))
        return self._take(self._buffer.index(marker) + len(marker))

    def _exactly(self, count, head):
        while len(self._buffer) < count:
            if not self._fill(head + self._buffer):
                raise ConnectionLost(head + bytes(self._buffer))
        return self._take(count)

    def _chunks(self, head):
        body = b""
        while True:
            size = int(self._until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                self._until(b"\r\n")
                return body
            body += self._exactly(size, head)
            if self._exactly(2, head) != b"\r\n":
                raise MalformedAnswer("chunk without its end")

    def _to_end(self, head):
        while self._fill(head):
            pass
        return self._take(len(self._buffer))

    def _head(self):
        head = self._until(b"\r\n\r\n")
        first, *rest = head[:-4].split(b"\r\n")
        words = first.decode("latin-1").split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
            raise MalformedAnswer(repr(first))
        headers = []
        for line in rest:
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or name != name.strip():
                raise MalformedAnswer(repr(line))
            headers.append((name, value.strip()))
        answer = Response(int(words[1]), words[2] if len(words) > 2 else "", headers, b"",
                          words[0])
        return answer, head

    def receive(self, method="GET"):
        """The next final answer on this connection; `method` is that of its request."""
        interim = []
        while True:
            answer, head = self._head()
            if answer.status >= 200:
                break
            interim.append(answer.status)
        answer.interim = interim
        length = answer.header("Content-Length")
        if method == "HEAD" or answer.status in (204, 304):
            pass
        elif "chunked" in (answer.header("Transfer-Encoding") or "").lower():
            answer.body = self._chunks(head)
        elif length is not None:
            answer.body = self._exactly(int(length), head)
        else:
            answer.body = self._to_end(head)
        return answer

    def receive_interim(self):
        """The status of the next answer, which must be one of the 1xx."""
        answer, _ = self._head()
        assert 100 <= answer.status < 200, answer
        return answer.status

    def receive_all(self):
        """Every byte until the peer closes."""
        return self._to_end(b"")

    def is_idle(self):
        """True if nothing unread has come: after an answer there must be nothing more."""
        return not self._buffer and not select.select([self.socket], [], [], 0)[0]


class Caller:
    """The calls of one program by name; one kept connection per thread.

    `prefix`: "/hustdb/" for a node, "/" for HA.
    """

    def __init__(self, port, prefix):
        self.port = port
        self.prefix = prefix
        self._local = threading.local()
        self._clients = []
        self._lock = threading.Lock()

    def client(self):
        client = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = Client(self.port)
            with self._lock:
                self._clients.append(client)
        return client

    def request(self, method, target_, headers=(), body=None):
        client = self.client()
        try:
            return client.request(method, target_, headers, body)
        except BaseException:
            # What is left on the connection belongs to nobody.
            client.close()
            raise

    def call(self, name, method=None, body=None, headers=(), **params):
        """call("put", key=b"k", body=b"v"): GET without a body, else POST, unless told."""
        if method is None:
            method = "GET" if body is None else "POST"
        if body is None and method in ("POST", "PUT"):
            body = b""
        return self.request(method, target(self.prefix + name, **params), headers, body)

    def close_clients(self):
        with self._lock:
            for client in self._clients:
                client.close()

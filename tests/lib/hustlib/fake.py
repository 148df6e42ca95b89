"""Stand-ins of nodes, for what real nodes never do: silence, garbage, a chosen order of answers.

Everything else is tested with the real program.
"""

import json
import queue
import shutil
import socket
import threading

from hustlib import batch, env
from hustlib.cluster import check
from hustlib.descriptors import tcp_sockets
from hustlib.ha import Ha
from hustlib.ports import free_port
from hustlib.process import scratch_directory


class FakeNode:
    """Speaks just enough HTTP. `behave(ops)` gets decoded operations and returns the bytes of a
    whole answer, or a list of batch.Result, or None: close without an answer. It runs in the
    thread of its connection, so it may wait. `seen`: a queue of the lists of operations.
    """

    def __init__(self, behave):
        self.behave = behave
        self.port = free_port()
        self.seen = queue.Queue()
        self._listener = None
        self._connections = []

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def close(self):
        if self._listener:
            # Wakes the thread in accept(), which close() alone does not.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        data = b""
        try:
            while True:
                while b"\r\n\r\n" not in data:
                    more = connection.recv(65536)
                    if not more:
                        return
                    data += more
                head, _, data = data.partition(b"\r\n\r\n")
                length = self._content_length(head)
                while len(data) < length:
                    more = connection.recv(65536)
                    if not more:
                        return
                    data += more
                body, data = data[:length], data[length:]
                answer = self._answer(head, body)
                if answer is None:
                    return
                self.send(connection, answer)
        except OSError:
            pass
        finally:
            connection.close()

    def send(self, connection, answer):
        """To be replaced by a test that wants the answer in pieces."""
        connection.sendall(answer)

    @staticmethod
    def _content_length(head):
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                return int(line.split(b":")[1])
        return 0

    def _answer(self, head, body):
        if b"/hustdb/batch" not in head.split(b"\r\n")[0]:
            return http_answer(b"ok", content_type="text/plain")
        ops, _ = batch.decode_request(body)
        if not ops:
            return http_answer(batch.encode_reply([]))
        self.seen.put(ops)
        answer = self.behave(ops)
        return http_answer(batch.encode_reply(answer)) if isinstance(answer, list) else answer


def http_answer(body, status="200 OK", content_type="application/octet-stream"):
    return (f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def held(value, stamp, version=1):
    """The result of a read of something that is there."""
    return batch.Result(200, batch.RESULT_HAS_STAMP, version, value, stamp, 0)


class FakeCluster:
    """Two stand-ins and a real HA; a context manager."""

    def __init__(self, behave1, behave2, **ha_options):
        self.directory = scratch_directory("fake")
        self.nodes = [FakeNode(behave1), FakeNode(behave2)]
        table = self.directory / "table.json"
        table.write_text(json.dumps({"table": [{"item": {
            "key": [0, 1024], "val": [node.address for node in self.nodes]}}]}))
        (self.directory / "ha").mkdir()
        self.ha = Ha(table, directory=self.directory / "ha", **ha_options)

    def __enter__(self):
        for node in self.nodes:
            node.start()
        try:
            self.ha.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, failure, *_):
        try:
            if failure is None:
                ports = {node.port for node in self.nodes}
                check([self.ha], lambda: self.ha.leaked(tcp_sockets(), ports))
        finally:
            self.close()

    def close(self):
        self.ha.close_clients()
        self.ha.close()
        for node in self.nodes:
            node.close()
        if not env.KEEP:
            shutil.rmtree(self.directory, ignore_errors=True)

"""The checking client itself: a server that misbehaves in every way must be caught at it."""

import socket
import threading

import pytest

from hustload import Fault, Script, request
from hustload.replay import LOST_CLOSED, LOST_RESET

GET = request("GET", "/x")
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nVersion: 1\r\n\r\nok"


class Server:
    """Answers the n-th connection as `scripts[n]` says (the last one for all further).

    A script is a list of what to do after each whole request: bytes to send, "close" or "reset".
    """

    def __init__(self, *scripts):
        self.scripts = scripts
        self.requests = []  # per connection, the requests as they came
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._threads = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            script = self.scripts[min(len(self.requests), len(self.scripts) - 1)]
            seen = []
            self.requests.append(seen)
            thread = threading.Thread(target=self._serve, args=(connection, script, seen),
                                      daemon=True)
            self._threads.append(thread)
            thread.start()

    @staticmethod
    def _serve(connection, script, seen):
        buffer = b""
        with connection:
            for action in script:
                while b"\r\n\r\n" not in buffer:
                    data = connection.recv(65536)
                    if not data:
                        return
                    buffer += data
                one, _, buffer = buffer.partition(b"\r\n\r\n")
                seen.append(one)
                if action == "close":
                    return
                if action == "reset":
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                          b"\1\0\0\0\0\0\0\0")
                    return
                connection.sendall(action)
                if b"Connection: close" in action:
                    return
            while connection.recv(65536):
                pass

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def serve():
    servers = []

    def start(*scripts):
        servers.append(Server(*scripts))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def run(server, tmp_path, count=1, expect=((200,), b"ok", ()), **options):
    with Script(tmp_path) as script:
        for _ in range(count):
            script.add(GET, *expect)
    options.setdefault("clients", 1)
    options.setdefault("total", 20)
    return script.replay(server.address, **options)


def head(status=b"200 OK", length=2, more=b""):
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n" % (status, length, more)


def test_right_answers_are_right(serve, tmp_path):
    got = run(serve([GOOD] * 5), tmp_path, count=5,
              expect=((200,), b"ok", ("Version: 1", "Content-Length", "!Sync")))
    assert got.clean, got.explain()
    assert [result.status for result in got.results()] == [200] * 5
    assert got.summary["connections"] == 1 and got.summary["lost_connections"] == {}


WRONG_ANSWERS = {
    "other body": (head() + b"no", Fault.BODY),
    "short body": (head(length=1) + b"o", Fault.BODY),
    "long body": (head(length=3) + b"ok!", Fault.BODY),
    "no body": (head(length=0), Fault.BODY),
    "404": (head(b"404 Not Found", 0), Fault.STATUS),
    "503": (head(b"503 Service Unavailable", 0), Fault.STATUS),
    "unwanted header": (head(more=b"Sync: a:1\r\n") + b"ok", Fault.HEADER),
    "no reason phrase": (head(b"200"), Fault.MALFORMED),
    "two digits": (head(b"99 OK"), Fault.MALFORMED),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", Fault.MALFORMED),
    "no length": (b"HTTP/1.1 200 OK\r\n\r\nok", Fault.MALFORMED),
    "bare LF": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\nVersion: 1\r\n\r\nok", Fault.MALFORMED),
    "blank before colon": (b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", Fault.MALFORMED),
    "length in words": (b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok", Fault.MALFORMED),
    "length twice": (head(more=b"Content-Length: 2\r\n") + b"ok", Fault.MALFORMED),
    "header twice": (head(more=b"Version: 1\r\nversion: 1\r\n") + b"ok", Fault.MALFORMED),
    "chunked": (head(more=b"Transfer-Encoding: chunked\r\n") + b"ok", Fault.MALFORMED),
    "endless head": (head(more=b"X: " + b"x" * 17000 + b"\r\n") + b"ok", Fault.MALFORMED),
    "garbage": (b"garbage without an end\r\n\r\n", Fault.MALFORMED),
}


@pytest.mark.parametrize("answer, fault", WRONG_ANSWERS.values(), ids=WRONG_ANSWERS.keys())
def test_a_wrong_answer(serve, tmp_path, answer, fault):
    got = run(serve([answer]), tmp_path, expect=((200,), b"ok", ("!Sync",)))
    assert not got.clean
    (result,) = got.results()
    assert result.fault == fault, got.explain()
    (report,) = got.summary["reports"]
    assert report["id"] == 0 and "GET /x" in report["detail"]


@pytest.mark.parametrize("rule, holds", [
    ("Version: 1", True), ("version: 1", True), ("Version", True), ("Version: 11", False),
    ("Version: ", False), ("Sync", False), ("!Sync", True), ("!Version", False),
])
def test_header_rules(serve, tmp_path, rule, holds):
    assert run(serve([GOOD]), tmp_path, expect=((200,), None, (rule,))).clean == holds


def test_body_and_headers_are_those_of_the_first_status(serve, tmp_path):
    refusal = head(b"503 Service Unavailable", 4) + b"gone"
    got = run(serve([refusal, GOOD]), tmp_path, count=2,
              expect=((200, 503), b"ok", ("Version: 1",)))
    assert got.clean, got.explain()
    assert got.summary["statuses"] == {"200": 1, "503": 1}


def test_answers_in_the_wrong_order(serve, tmp_path):
    with Script(tmp_path) as script:
        script.add(request("GET", "/1"), (200,), b"11")
        script.add(request("GET", "/2"), (200,), b"22")
    got = script.replay(serve([b"", head() + b"22" + head() + b"11"]).address, clients=1, depth=2)
    assert [result.fault for result in got.results()] == [Fault.BODY] * 2


def test_bytes_that_belong_to_no_request(serve, tmp_path):
    got = run(serve([GOOD + b"x"], [GOOD]), tmp_path, count=2)
    assert not got.clean
    assert got.summary["lost_connections"] == {"extra_bytes": 1}


def test_bytes_after_the_last_answer(serve, tmp_path):
    got = run(serve([GOOD + GOOD]), tmp_path)
    assert not got.clean and got.summary["lost_connections"] == {"extra_bytes": 1}


def test_bytes_after_connection_close(serve, tmp_path):
    closing = head(more=b"Connection: close\r\n") + b"ok"
    got = run(serve([closing + b"x"]), tmp_path, per_connection=1)
    assert not got.clean and got.summary["lost_connections"] == {"extra_bytes": 1}


def test_connection_close_that_is_ignored(serve, tmp_path):
    got = run(serve([GOOD]), tmp_path, per_connection=1)
    assert [result.fault for result in got.results()] == [Fault.MALFORMED]


@pytest.mark.parametrize("seen", [1, 12, len(GOOD) - 3, len(GOOD) - 1])
def test_an_answer_cut_short_is_never_repeated(serve, tmp_path, seen):
    server = serve([GOOD[:seen], "close"], [GOOD])
    # The second request is what makes the server close.
    got = run(server, tmp_path, count=2, depth=2, attempts=5)
    first, second = got.results()
    assert first.fault == Fault.CUT and first.attempts == 1
    assert second.good and second.attempts == 2
    assert got.summary["lost_connections"] == {"cut_short": 1}


@pytest.mark.parametrize("how, flag, text", [
    ("close", LOST_CLOSED, "closed_before_any_byte"),
    ("reset", LOST_RESET, "reset_before_any_byte"),
])
def test_a_connection_that_ends_before_any_byte(serve, tmp_path, how, flag, text):
    server = serve([GOOD, how], [GOOD] * 3)
    got = run(server, tmp_path, count=4, attempts=2)
    assert got.clean, got.explain()
    assert [result.attempts for result in got.results()] == [1, 2, 1, 1]
    assert got.results()[1].flags == flag
    assert got.summary["lost_connections"] == {text: 1}
    assert got.summary["lost_requests"] == 1 and got.summary["repeated"] == 1


def test_attempts_have_an_end(serve, tmp_path):
    server = serve(["close"])
    got = run(server, tmp_path, attempts=3)
    (result,) = got.results()
    assert result.fault == Fault.CLOSED and result.attempts == 3
    assert got.summary["unanswered"] == 1 and len(server.requests) == 3


def test_unanswered_requests_are_repeated_in_order(serve, tmp_path):
    closing = head(more=b"Connection: close\r\n") + b"ok"
    server = serve([closing], [GOOD] * 4)
    with Script(tmp_path) as script:
        for number in range(5):
            script.add(request("GET", f"/{number}"), (200,), b"ok")
    got = script.replay(server.address, clients=1, depth=5, attempts=2)
    assert got.clean, got.explain()
    assert [line.split()[1] for line in server.requests[1]] == [b"/1", b"/2", b"/3", b"/4"]


def test_a_status_for_the_repeated_request_only(serve, tmp_path):
    missing = head(b"404 Not Found", 0)
    for scripts, clean in [((["close"], [missing]), True), (([missing],), False)]:
        with Script(tmp_path) as script:
            script.add(GET, (200,), if_repeated=404)
        assert script.replay(serve(*scripts).address, clients=1, attempts=2).clean == clean


def test_silence_is_a_timeout(serve, tmp_path):
    got = run(serve([b""], [GOOD]), tmp_path, count=2, deadline=0.2, attempts=5)
    first, second = got.results()
    assert first.fault == Fault.TIMEOUT and second.good


def test_nobody_listens(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Script(tmp_path) as script:
        script.add(GET, (200,), b"ok")
    got = script.replay(f"127.0.0.1:{port}", clients=1, deadline=0.2)
    assert got.results()[0].fault == Fault.REFUSED


def test_time_runs_out(serve, tmp_path):
    got = run(serve([b""]), tmp_path, count=1, deadline=10, total=0.2)
    assert not got.clean and not got.results()[0].finished


def test_head_and_not_modified_have_no_body(serve, tmp_path):
    with Script(tmp_path) as script:
        script.add(request("HEAD", "/x"), (200,), b"", head=True)
        script.add(GET, (304,), b"")
        script.add(GET, (200,), b"ok")
    answers = [head(), b"HTTP/1.1 304 Not Modified\r\n\r\n", GOOD]
    got = script.replay(serve(answers).address, clients=1)
    assert got.clean, got.explain()


def test_each_request_on_its_own_connection(serve, tmp_path):
    closing = head(more=b"Connection: close\r\n") + b"ok"
    server = serve([closing])
    got = run(server, tmp_path, count=5, per_connection=1)
    assert got.clean, got.explain()
    assert len(server.requests) == 5
    assert all(b"\r\nConnection: close\r\n" in one for (one,) in server.requests)

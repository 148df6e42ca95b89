"""The script ./hust: it runs as a stranger would run it, without a terminal."""

import os
import re
import shlex
import signal
import socket
import subprocess

import pytest

from hustlib import env
from hustlib.http import Client
from hustlib.ports import free_port
from hustlib.wait import until

pytestmark = pytest.mark.skipif(
    env.BUILD != env.ROOT / "build", reason="./hust runs what is in build/, and this is another one")

PARTS = ("node1", "node2", "ha")


class Script:
    """./hust with a run directory and ports of its own."""

    def __init__(self, directory):
        self.run = directory / "run of a test"  # blanks are legal in a path
        self.ports = {part: free_port() for part in PARTS}
        self.environment = dict(
            os.environ, HUST_RUN=str(self.run),
            **{f"HUST_PORT_{part.upper()}": str(port) for part, port in self.ports.items()})

    def __call__(self, *words, **environment):
        return subprocess.run(
            [str(env.ROOT / "hust"), *words], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, env=dict(self.environment, **environment), start_new_session=True,
            timeout=env.seconds(20), check=False)

    def well(self, *words):
        """Run and expect success; returns what it printed."""
        answer = self(*words)
        assert answer.returncode == 0, answer
        return answer.stdout

    def badly(self, *words, **environment):
        """Run and expect failure; returns the one line that says why."""
        answer = self(*words, **environment)
        lines = [line for line in answer.stderr.splitlines() if line.startswith("hust: ")]
        assert answer.returncode != 0 and len(lines) == 1, answer
        return lines[0]

    def pid(self, part):
        return int((self.run / f"{part}.pid").read_text())

    def pids(self):
        return {part: self.pid(part) for part in PARTS}

    def answers(self, part):
        try:
            with Client(self.ports[part], timeout=env.seconds(1)) as client:
                return client.request("GET", "/status.html").body == b"ok"
        except OSError:
            return False


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    made = Script(tmp_path_factory.mktemp("hust"))
    yield made
    made("down")


@pytest.fixture
def up(script):
    script.well("up")
    return script


def test_up_answers_returns_and_down_ends_it(script):
    printed = script.well("up")
    assert all(script.answers(part) for part in PARTS)
    assert "curl" in printed
    pids = script.pids()
    # Nothing hangs on the process that ran the script: each part leads a session of its own.
    assert all(os.getsid(pid) == pid for pid in pids.values())
    script.well("down")
    assert not any(is_alive(pid) for pid in pids.values())
    assert not list(script.run.glob("*.pid"))
    script.well("down")


def test_the_curl_lines_it_prints_work(script):
    script.well("down")
    printed = script.well("up")
    lines = [line.strip() for line in printed.splitlines() if line.strip().startswith("curl ")]
    answers = [subprocess.run([*shlex.split(line), "-s"], capture_output=True, check=False).stdout
               for line in lines]
    statuses = [re.match(rb"HTTP/1.1 (\d+)", answer) for answer in answers]
    assert [match and int(match[1]) for match in statuses] == [200, 200, None, 409, 200]
    assert b"worldmoon" in answers[3] and b"Newer: 2" in answers[3]


def test_up_again_starts_only_what_is_not_running(up):
    before = up.pids()
    os.kill(before["node2"], signal.SIGKILL)
    until(lambda: not up.answers("node2"), "node2 is gone")
    assert up("status").returncode == 1
    up.well("up")
    after = up.pids()
    assert after["node2"] != before["node2"]
    assert (after["node1"], after["ha"]) == (before["node1"], before["ha"])
    assert up("status").returncode == 0


def test_one_part_alone(up):
    pids = up.pids()
    up.well("down", "node2")
    assert not is_alive(pids["node2"])
    assert is_alive(pids["node1"]) and is_alive(pids["ha"])
    status = up("status")
    assert status.returncode == 1
    assert re.search(r"node2 .*not running", status.stdout)
    up.well("up", "node2")
    assert up.answers("node2")
    assert up.pid("node1") == pids["node1"]


def test_data_outlive_down_and_up(up):
    def get(part, target):
        with Client(up.ports[part]) as client:
            return client.request("GET", target)

    assert get("ha", "/put?key=kept&val=yes").status == 200
    up.well("down")
    up.well("up")
    assert get("ha", "/get2?key=kept").body == b"yes"


def test_configuration_that_is_there_is_kept(up):
    conf = up.run / "node1.conf"
    changed = conf.read_text().replace("sync = always", "sync = everysec")
    conf.write_text(changed)
    up.well("down", "node1")
    up.well("up", "node1")
    assert conf.read_text() == changed
    asked = str(free_port())
    said = up.badly("up", HUST_PORT_NODE1=asked)
    assert asked in said and str(up.ports["node1"]) in said


def test_port_in_use(up):
    up.well("down")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", up.ports["node2"]))
        other.listen()
        said = up.badly("up")
        assert f"port {up.ports['node2']}" in said and str(os.getpid()) in said
    assert not list(up.run.glob("*.pid")), "nothing is started if something cannot be"


def test_node_that_ends_at_start(up):
    up.well("down", "node2")
    conf = up.run / "node2.conf"
    good = conf.read_text()
    conf.write_text(good + "nonsense = 1\n")
    try:
        answer = up("up", "node2")
        assert answer.returncode != 0
        assert "nonsense" in answer.stderr, "the reason is shown"
    finally:
        conf.write_text(good)
    up.well("up", "node2")


def test_ha_that_does_not_start(up):
    up.well("down", "ha")
    table = up.run / "routing.json"
    good = table.read_text()
    table.write_text(good.replace("1024", "1023"))
    try:
        answer = up("up", "ha")
        assert answer.returncode != 0
        assert "routing.json" in answer.stderr, "the reason is shown"
    finally:
        table.write_text(good)
    up.well("up", "ha")


def test_a_process_that_only_has_the_number_is_left_alone(up):
    up.well("down", "node1")
    with subprocess.Popen(["sleep", "1000"]) as other:
        try:
            (up.run / "node1.pid").write_text(f"{other.pid}\n")
            up.well("down", "node1")
            assert other.poll() is None
        finally:
            other.kill()
    up.well("up", "node1")


@pytest.mark.parametrize("words", [
    ["nonsense"], ["up", "node3"], ["down", "node1", "node2"], ["test", "--nonsense"],
    ["fuzz", "long"]])
def test_bad_words(script, words):
    assert script.badly(*words)


def test_missing_compiler(script):
    assert "no C compiler" in script.badly("build", CC="no-such-compiler")


def test_packages_cannot_be_installed(script, tmp_path):
    """No network: one line. The list of packages of a copy names one that is nowhere."""
    for name in ("hust", "packaging", "conf"):
        subprocess.run(["cp", "-r", str(env.ROOT / name), str(tmp_path)], check=True)
    with open(tmp_path / "packaging" / "debian-packages.txt", "a") as packages:
        packages.write("build no-such-package-of-hustdb\n")
    answer = subprocess.run(
        [str(tmp_path / "hust"), "build"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        env=dict(os.environ, http_proxy="http://127.0.0.1:1"), timeout=env.seconds(60), check=False)
    assert answer.returncode != 0
    assert answer.stderr.startswith("hust: ") and len(answer.stderr.splitlines()) == 1, answer
    assert "no-such-package-of-hustdb" in answer.stderr


def test_nothing_is_left_behind(script):
    pids = list(script.pids().values()) if (script.run / "ha.pid").exists() else []
    script.well("down")
    assert not any(is_alive(pid) for pid in pids)
    for part in PARTS:
        assert not script.answers(part)

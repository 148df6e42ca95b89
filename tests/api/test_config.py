"""hustdb.conf and the command line: what is wrong refuses to start and names the line."""

import re
import socket
import subprocess

import pytest

from hustlib import Client, Node, env, free_port, until

GOOD_SERVER = "[server]\nlisten = 127.0.0.1:{port}\n"


def run(*arguments):
    return subprocess.run([str(env.HUSTDB), *map(str, arguments)], capture_output=True, text=True,
                          check=False, timeout=env.seconds(4), stdin=subprocess.DEVNULL,
                          env=env.program_environment(env.HUSTDB, leaks=True))


@pytest.fixture
def directory(tmp_path):
    return tmp_path


def write_config(directory, text):
    path = directory / "hustdb.conf"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refused(directory, text, line, word):
    """Exit 1 and one line `file:line: message` that contains `word`; nothing is created."""
    text = text.format(port=free_port(), data=directory / "data")
    path = write_config(directory, text)
    for arguments in (("--config", path), ("--check", "--config", path)):
        done = run(*arguments)
        assert done.returncode == 1, (arguments, done)
        said = done.stderr.strip().splitlines()
        assert len(said) == 1, said
        assert said[0].startswith(f"{path}:{line}: "), said
        assert word in said[0], said
    assert not (directory / "data").exists()


BAD_VALUES = {
    "listen": ("", "8085", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", ":8085",
               "127.0.0.1:80 85", "300.1.1.1:x"),
    "worker_count": ("", "0", "-1", "x", "1.5", "100000", "2 3"),
    "max_body_size": ("", "x", "-1", "32X", "32MB", "1.5M", "99999999999999999999", "0"),
    "connection_limit": ("", "x", "-5", "0"),
    "idle_timeout": ("", "x", "-1"),
    "replicated": ("", "maybe", "2"),
    "peers": ("127.0.0.1", "127.0.0.1:0", "127.0.0.1:8086,", "127.0.0.1:8086;127.0.0.1:8087",
              "127.0.0.1:99999", ", ,"),
    "log_level": ("", "loud", "INFO "),
    "sync": ("", "never", "always,os"),
    "ttl_maximum": ("", "x", "-1"),
    "block_cache": ("", "lots", "-1M"),
    "memtable": ("", "x"),
    "wal_maximum": ("", "x"),
    "cache_size": ("", "x", "1K", "-1", "0M", "1025G", "off"),
}
STORE = ("sync", "ttl_maximum", "block_cache", "memtable", "wal_maximum")
CASES = [(key, value) for key, values in BAD_VALUES.items() for value in values
         if value != "INFO "]


@pytest.mark.parametrize("key, value", CASES)
def test_a_bad_value(directory, key, value):
    if key in STORE:
        text = GOOD_SERVER + "\n[store]\npath = {data}\n" + f"{key} = {value}\n"
        line = 6
    elif key == "cache_size":
        text, line = GOOD_SERVER + f"[cachedb]\n{key} = {value}\n[store]\npath = {{data}}\n", 4
    elif key == "listen":
        text, line = f"[server]\n# a comment\nlisten = {value}\n[store]\npath = {{data}}\n", 3
    else:
        text = GOOD_SERVER + f"\n# comment\n{key} = {value}\n" + "[store]\npath = {data}\n"
        line = 5
    refused(directory, text, line, key)


@pytest.mark.parametrize("section, key", (("server", "lisen"), ("server", "path"),
                                          ("store", "listen"), ("store", "Sync"),
                                          ("server", "worker-count")))
def test_an_unknown_key(directory, section, key):
    text = {"server": GOOD_SERVER + f"{key} = 1\n[store]\npath = {{data}}\n",
            "store": GOOD_SERVER + f"[store]\npath = {{data}}\n{key} = always\n"}[section]
    refused(directory, text, {"server": 3, "store": 5}[section], key)


def test_an_unknown_section(directory):
    refused(directory, GOOD_SERVER + "[store]\npath = {data}\n[storage]\nsync = always\n", 6,
            "storage")


@pytest.mark.parametrize("garbage", ("this is no line of an ini file", "[unfinished", "= value"))
def test_a_line_that_is_none(directory, garbage):
    text = GOOD_SERVER + garbage + "\n[store]\npath = {data}\n"
    path = write_config(directory, text.format(port=free_port(), data=directory / "data"))
    done = run("--config", path)
    assert done.returncode == 1
    said = done.stderr.strip().splitlines()
    assert len(said) == 1 and said[0].startswith(f"{path}:3: "), said


def test_a_file_that_cannot_be_read(directory):
    for path in (directory / "none.conf", directory):
        done = run("--config", path)
        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 1 and str(path) in done.stderr


def test_a_store_without_a_path(directory):
    path = write_config(directory, GOOD_SERVER.format(port=free_port()) + "[store]\nsync = os\n")
    done = run("--check", "--config", path)
    assert done.returncode == 1 and "path" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_path_that_cannot_be_made(directory):
    (directory / "file").write_text("in the way")
    path = write_config(directory, GOOD_SERVER.format(port=free_port())
                        + f"[store]\npath = {directory}/file/data\n")
    done = run("--config", path)
    assert done.returncode == 1 and f"{directory}/file" in done.stderr


def test_check_says_nothing_and_starts_nothing(directory):
    path = write_config(directory, GOOD_SERVER.format(port=free_port())
                        + f"[store]\npath = {directory}/data\n")
    done = run("--check", "--config", path)
    assert done.returncode == 0, done
    assert not (directory / "data").exists()


@pytest.mark.parametrize("key, value", (
    ("worker_count", "1"), ("max_body_size", "1G"), ("max_body_size", "512K"),
    ("max_body_size", "1000000"), ("connection_limit", "64"), ("idle_timeout", "5"),
    ("replicated", "true"), ("replicated", "false"), ("peers", "127.0.0.1:8086"),
    ("peers", "127.0.0.1:8086, node-2.example:8085, [::1]:8085"), ("log_level", "debug"),
    ("log_level", "error"), ("sync", "everysec"), ("sync", "os"), ("ttl_maximum", "60"),
    ("block_cache", "8M"), ("memtable", "8M"), ("wal_maximum", "64M")))
def test_good_values(directory, key, value):
    lines = {"server": "", "store": ""}
    lines["store" if key in STORE else "server"] = f"{key} = {value}\n"
    path = write_config(directory, GOOD_SERVER.format(port=free_port()) + lines["server"]
                        + f"[store]\npath = {directory}/data\n" + lines["store"])
    done = run("--check", "--config", path)
    assert done.returncode == 0, done


def test_version_and_help():
    done = run("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"hustdb \d+\.\d+\.\d+\S*\n", done.stdout)
    done = run("--help")
    assert done.returncode == 0 and "--config" in done.stdout and "--check" in done.stdout


@pytest.mark.parametrize("arguments", ((), ("--config",), ("--nothing",), ("x",),
                                       ("--config", "a", "b")), ids=str)
def test_a_wrong_command_line(arguments):
    done = run(*arguments)
    assert done.returncode != 0
    assert done.stderr.strip()


def test_the_log_file_is_used(make_node, tmp_path):
    node = make_node(log_file=tmp_path / "hustdb.log")
    assert (tmp_path / "hustdb.log").read_text().strip()
    assert node.call("put", key=b"k", val=b"v").status == 200


def test_a_log_file_that_cannot_be_opened(tmp_path):
    node = Node(log_file=tmp_path / "no" / "hustdb.log")
    try:
        node.spawn()
        assert node.wait_exit() == 1
        assert "hustdb.log" in node.log
    finally:
        node.close()


def test_listens_on_ipv6(make_node):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on this machine")
    port = free_port()
    node = Node(listen=f"[::1]:{port}")
    try:
        node.spawn()

        def answers():
            try:
                with Client(port, host="::1") as client:
                    return client.request("GET", "/status.html").body == b"ok"
            except OSError:
                return False
        until(answers, "it answers on ::1", 4)
        assert node.stop() == 0
    finally:
        node.close()

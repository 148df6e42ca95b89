"""A disk that fills up: writes are refused, nothing else happens, and room heals it."""

import os
import subprocess

import pytest

from hustlib import Node

VALUE = os.urandom(1 << 20)  # nothing that compression could shrink


def mount(directory, options):
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", directory],
                          stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        pytest.skip("no right to mount a small file system here")


@pytest.fixture
def disk(tmp_path):
    mount(tmp_path, "size=128m")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


def fill(node, bytes_each):
    """Put until it is refused; the number of what was stored."""
    for number in range(2000):
        answer = node.call("put", "PUT", VALUE[:bytes_each], key=b"%d:%d" % (bytes_each, number))
        if answer.status != 200:
            assert answer.status == 507, answer
            return number
    raise AssertionError("the disk never got full")


def test_writes_are_refused_and_all_else_goes_on(disk):
    with Node(path=disk / "data", memtable="8M", wal_maximum="16M") as node:
        stored = fill(node, len(VALUE))
        assert stored > 10
        fill(node, 4096)  # a smaller one may fit a little longer
        assert "the disk is nearly full" in node.log
        assert node.call("hset", "PUT", VALUE, tb=b"t", key=b"k").status == 507
        for number in range(stored):
            assert node.call("get", key=b"%d:%d" % (len(VALUE), number)).body == VALUE
        assert node.call("del", key=b"%d:0" % len(VALUE)).status == 200
        assert node.call("get", key=b"%d:0" % len(VALUE)).status == 404
        subprocess.run(["mount", "-o", "remount,size=512m", disk], check=True)
        assert node.call("put", "PUT", VALUE, key=b"room").status == 200
        assert "the disk has room again" in node.log
        node.kill()
        node.start()
        for key in (b"%d:1" % len(VALUE), b"4096:0", b"room"):
            assert node.call("get", key=key).status == 200
        node.check_log()

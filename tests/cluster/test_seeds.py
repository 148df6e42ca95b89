"""The three pages the project was born from: their requests sent with curl exactly as printed,
their four return values as printed, produced by writing directly to the two nodes."""

import re
import subprocess

import pytest

from hustlib import env

# The requests of the pages; only host and port are ours.
GET2 = 'curl -i -X GET "http://localhost:8082/get2?key=test_key"'
HGET2 = 'curl -i -X GET "http://localhost:8082/hget2?tb=test_table&key=test_key"'
ZSCORE2 = 'curl -i -X POST "http://localhost:8082/zscore2?tb=test_table" -d "test_key"'

# The answers of the pages. The second header of the last sample of zscore2 is printed there as
# `Version2: 1`, which contradicts its caption (both value and version are not matched).
SAMPLES = {
    "get2": (
        """\
HTTP/1.1 200 OK
Server: nginx/1.9.4
Date: Thu, 19 May 2016 10:05:31 GMT
Content-Type: text/plain
Content-Length: 13
Connection: keep-alive
Version: 1

hustdbhavalue""",
        """\
HTTP/1.1 200 OK
Server: nginx/1.9.4
Date: Thu, 19 May 2016 10:06:06 GMT
Content-Type: text/plain
Content-Length: 13
Connection: keep-alive
Version1: 1
Version2: 2

hustdbhavalue""",
        """\
HTTP/1.1 409 Conflict
Server: nginx/1.9.4
Date: Thu, 19 May 2016 10:07:01 GMT
Content-Type: text/plain
Content-Length: 26
Connection: keep-alive
Version: 1
Val-Offset: 13

hustdbhavalue0000000000000""",
        """\
HTTP/1.1 409 Conflict
Server: nginx/1.9.4
Date: Thu, 19 May 2016 10:19:04 GMT
Content-Type: text/plain
Content-Length: 26
Connection: keep-alive
Version1: 1
Version2: 2
Val-Offset: 13

hustdbhavalue0000000000000"""),
    "hget2": (
        """\
HTTP/1.1 200 OK
Server: nginx/1.12.0
Date: Tue, 18 Apr 2017 10:24:23 GMT
Content-Type: text/plain
Content-Length: 13
Connection: keep-alive
Version: 1

hustdbhavalue""",
        """\
HTTP/1.1 200 OK
Server: nginx/1.12.0
Date: Tue, 18 Apr 2017 10:25:11 GMT
Content-Type: text/plain
Content-Length: 13
Connection: keep-alive
Version1: 1
Version2: 2

hustdbhavalue""",
        """\
HTTP/1.1 409 Conflict
Server: nginx/1.12.0
Date: Tue, 18 Apr 2017 10:25:47 GMT
Content-Type: text/plain
Content-Length: 26
Connection: keep-alive
Version: 1
Val-Offset: 13

hustdbhavalue1111111111111""",
        """\
HTTP/1.1 409 Conflict
Server: nginx/1.12.0
Date: Tue, 18 Apr 2017 10:26:32 GMT
Content-Type: text/plain
Content-Length: 26
Connection: keep-alive
Version1: 1
Version2: 2
Val-Offset: 13

hustdbhavalue1111111111111"""),
    "zscore2": (
        """\
HTTP/1.1 200 OK
Server: nginx/1.12.0
Date: Tue, 18 Apr 2017 10:31:13 GMT
Content-Type: text/plain
Content-Length: 2
Connection: keep-alive
Version: 1

60""",
        """\
HTTP/1.1 200 OK
Server: nginx/1.12.0
Date: Tue, 18 Apr 2017 10:31:41 GMT
Content-Type: text/plain
Content-Length: 2
Connection: keep-alive
Version1: 1
Version2: 2

60""",
        """\
HTTP/1.1 409 Conflict
Server: nginx/1.12.0
Date: Tue, 18 Apr 2017 10:32:11 GMT
Content-Type: text/plain
Content-Length: 5
Connection: keep-alive
Version: 1
Val-Offset: 2

60100""",
        """\
HTTP/1.1 409 Conflict
Server: nginx/1.12.0
Date: Tue, 18 Apr 2017 10:33:09 GMT
Content-Type: text/plain
Content-Length: 5
Connection: keep-alive
Version1: 1
Version2: 2
Val-Offset: 2

60100"""),
}

REQUESTS = {"get2": GET2, "hget2": HGET2, "zscore2": ZSCORE2}

# What is written before each return value, as (writes on master1, writes on master2): the value
# that the page shows for master2, or the one of both, comes second where a version 2 is shown.
FIRST = {"get2": b"hustdbhavalue", "hget2": b"hustdbhavalue", "zscore2": b"60"}
OTHER = {"get2": b"0000000000000", "hget2": b"1111111111111", "zscore2": b"100"}


def writes_of(page, number):
    one, two = FIRST[page], OTHER[page]
    return {1: ([one], [one]), 2: ([one], [two, one]), 3: ([one], [two]),
            4: ([one], [one, two])}[number]


def write(node, page, value):
    if page == "get2":
        return node.call("put", key=b"test_key", val=value)
    if page == "hget2":
        return node.call("hset", tb="test_table", key=b"test_key", val=value)
    return node.call("zadd", tb="test_table", score=value, body=b"test_key")


def curl(command, ha):
    """Run the printed command by the shell; returns (status line, [(name, value)], body)."""
    command = command.replace("localhost:8082", ha.address)
    done = subprocess.run(command.replace("curl -i", "curl -s -i", 1), shell=True,
                          capture_output=True, check=True, timeout=env.seconds(5))
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return first, [tuple(line.split(": ", 1)) for line in lines], body


def parse_sample(sample):
    head, _, body = sample.partition("\n\n")
    first, *lines = head.split("\n")
    return first, [tuple(line.split(": ", 1)) for line in lines], body.encode()


def is_subsequence(few, many):
    rest = iter(many)
    return all(item in rest for item in few)


def assert_as_printed(got, sample):
    first, headers, body = got
    sample_first, sample_headers, sample_body = parse_sample(sample)
    assert first == sample_first
    names = [name for name, _ in headers]
    assert names[:2] == ["Server", "Date"], "nginx's own headers come first, as printed"
    assert dict(headers)["Server"].startswith("nginx")
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", dict(headers)["Date"])
    fixed = [pair for pair in sample_headers if pair[0] not in ("Server", "Date")]
    assert is_subsequence(fixed, headers), f"{fixed} not in this order in {headers}"
    # Nothing that only another return value has.
    for name in ("Version", "Version1", "Version2", "Val-Offset"):
        assert names.count(name) == [name for name, _ in sample_headers].count(name), headers
    assert body == sample_body


@pytest.mark.parametrize("number", (1, 2, 3, 4))
@pytest.mark.parametrize("page", sorted(REQUESTS))
def test_return_value(make_cluster, page, number):
    cluster = make_cluster()
    for node, values in zip(cluster.nodes, writes_of(page, number)):
        for value in values:
            assert write(node, page, value).status == 200
    assert_as_printed(curl(REQUESTS[page], cluster.ha), SAMPLES[page][number - 1])
    # A read changes nothing, so the same question has the same answer.
    assert_as_printed(curl(REQUESTS[page], cluster.ha), SAMPLES[page][number - 1])


@pytest.mark.parametrize("page", sorted(REQUESTS))
def test_return_value_1_after_a_write_through_ha(make_cluster, page):
    cluster = make_cluster()
    assert write(cluster.ha, page, FIRST[page]).status == 200
    got = curl(REQUESTS[page], cluster.ha)
    assert_as_printed(got, SAMPLES[page][0])
    assert "ETag" in dict(got[1]), "one write through HA gives both masters one stamp"


def test_sismember2_has_two_outcomes(make_cluster):
    """The proxy of /hustdb/sismember that compares versions only: no value, no body."""
    command = 'curl -i -X POST "http://localhost:8082/sismember2?tb=test_table" -d "test_key"'
    cluster = make_cluster()
    for node in cluster.nodes:
        assert node.call("sadd", tb="test_table", body=b"test_key").status == 200
    first, headers, body = curl(command, cluster.ha)
    assert first == "HTTP/1.1 200 OK"
    assert ("Version", "1") in headers and ("Content-Length", "0") in headers
    assert not {"Version1", "Version2", "Val-Offset"} & {name for name, _ in headers}
    assert body == b""

    assert cluster.node2.call("sadd", tb="test_table", body=b"test_key").status == 200
    first, headers, body = curl(command, cluster.ha)
    assert first == "HTTP/1.1 409 Conflict"
    assert is_subsequence([("Content-Length", "0"), ("Connection", "keep-alive"),
                           ("Version1", "1"), ("Version2", "2")], headers)
    assert not {"Version", "Val-Offset"} & {name for name, _ in headers}
    assert body == b""

#!/usr/bin/python3
"""Measure pages of a large sorted set at offset 0 and far into it, and print a Markdown table.

    bench/ranges.py [--members 1200000] [--offset 1000000] [--size 100] [--rounds 5]
                    [--requests 200]

Starts one node on a free loopback port with durable writes, adds the members with random scores in
batches of 1,000, then asks for the same page again and again on one connection, the points in turn
in each round. Figures are medians over all rounds. The offsets themselves are changed a little from
request to request, and what comes back is checked against a sorted array.
"""

import argparse
import os
import platform
import random
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "lib"))

from hustlib import Node, batch  # noqa: E402
from hustlib.listing import by_score, page_of, scored  # noqa: E402

TB = b"ranges"
BATCH = 1000


def load(node, members, seed):
    """Add the members; returns them in order and how many were added per second."""
    source = random.Random(seed)
    scores = {b"member:%08d" % number: source.randrange(-10**9, 10**9)
              for number in range(members)}
    items = list(scores.items())
    spent = 0
    for at in range(0, members, BATCH):
        ops = [batch.put(member, b"%d" % score, batch.ZSET, TB)
               for member, score in items[at:at + BATCH]]
        body = batch.encode_request(ops)
        start = time.monotonic()
        answer = node.call("batch", "POST", body=body)
        spent += time.monotonic() - start
        assert answer.status == 200, answer
    return by_score(scores), members / spent


class Point:
    def __init__(self, name, call, offset, **params):
        self.name = name
        self.call = call
        self.offset = offset
        self.params = params
        self.milliseconds = []

    def ask(self, client, size, order, number):
        offset = self.offset + number % 50
        params = {"tb": TB, "offset": offset, "size": size, **self.params}
        query = "&".join(f"{name}={value.decode() if isinstance(value, bytes) else value}"
                         for name, value in params.items())
        start = time.monotonic()
        answer = client.request("GET", f"/hustdb/{self.call}?{query}")
        self.milliseconds.append((time.monotonic() - start) * 1000)
        if number == 0:
            expected = order[::-1] if self.params.get("desc") else order
            assert scored(page_of(answer)) == expected[offset:offset + size], self.name
        assert answer.status == 200


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--members", type=int, default=1200000)
    parser.add_argument("--offset", type=int, default=1000000)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    everything = {"min": -2**63, "max": 2**63 - 1}
    points = [Point("zrangebyrank, offset 0", "zrangebyrank", 0),
              Point(f"zrangebyrank, offset {options.offset:,}", "zrangebyrank", options.offset),
              Point(f"the same from the end (desc), offset {options.offset:,}", "zrangebyrank",
                    options.offset, desc=1),
              Point(f"zrangebyscore, offset {options.offset:,}", "zrangebyscore", options.offset,
                    **everything)]
    node = Node(block_cache="256M", memtable="64M", log_level="warn")
    node.start()
    try:
        order, rate = load(node, options.members, options.seed)
        with node.client() as client:
            for number in range(options.rounds):
                for point in points[number % len(points):] + points[:number % len(points)]:
                    for request in range(options.requests):
                        point.ask(client, options.size, order, request)
    finally:
        node.stop()
    print(f"{options.members:,} members, size {options.size}, {options.rounds} rounds of "
          f"{options.requests} requests; {os.cpu_count()} cores, {platform.machine()}\n")
    print(f"Loading: {rate:,.0f} members/s in batches of {BATCH}, durable.\n")
    print("| page | median ms | 99 % ms | / offset 0 |\n|---|---|---|---|")
    first = statistics.median(points[0].milliseconds)
    for point in points:
        median = statistics.median(point.milliseconds)
        high = statistics.quantiles(point.milliseconds, n=100)[98]
        print(f"| {point.name} | {median:.2f} | {high:.2f} | {median / first:.2f} |")


if __name__ == "__main__":
    main()

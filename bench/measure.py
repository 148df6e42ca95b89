#!/usr/bin/python3
"""Measure the node and HA beside stock nginx, in one run, and print a Markdown table.

    bench/measure.py [--rounds 5] [--seconds 5] [--clients 64] [--keys 100000] [--patience 600]

Starts two nodes and nginx on free loopback ports with durable writes (sync = always), loads the
keys through HA, then measures every point once per round, the order turned by one each round.
Figures are medians over the rounds; ratios are those of things measured together. Every error
that wrk counts, every status above 399 included, ends the run, and after each point the bodies of
a sample of keys are compared. A point during which others used more than a tenth of the cores is
measured again, for --patience seconds in all; the table says if that did not suffice. Needs wrk
and the programs in build/ (or $HUST_BUILD_DIR).
"""

import argparse
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "lib"))

from hustlib import Cluster, env  # noqa: E402
from hustlib.process import scratch_directory  # noqa: E402
from hustload import Script, request  # noqa: E402
from quiet import Watch  # noqa: E402

VALUE_BYTES = 1024
VALUES = 16
WORKERS = 2
SAMPLE = 100
FOREIGN_MAX = 0.10  # share of all cores that others may use during a measurement

STOCK = """
        location = /plain {{
            return 200 "{body}";
        }}
        location = /proxy {{
            proxy_pass http://one_node/hustdb/get;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
"""
UPSTREAM = """
    upstream one_node {{
        server {address};
        keepalive 64;
    }}
"""


@dataclass(frozen=True)
class Point:
    name: str
    program: str  # "ha" or "node1"
    method: str
    target: str


POINTS = (
    Point("nginx `return 200`", "ha", "GET", "/plain?key="),
    Point("nginx `proxy_pass` to a node's get", "ha", "GET", "/proxy?key="),
    Point("node get", "node1", "GET", "/hustdb/get?key="),
    # Keys of its own: what is written on one master directly, HA would rightly call a conflict.
    Point("node put, durable", "node1", "POST", "/hustdb/put?key=direct:"),
    Point("HA get", "ha", "GET", "/get?key="),
    Point("HA get2", "ha", "GET", "/get2?key="),
    Point("HA put, durable on both masters", "ha", "POST", "/put?key="),
)
PLAIN, PROXY, NODE_GET, NODE_PUT, HA_GET, HA_GET2, HA_PUT = POINTS

# (what, numerator, denominator)
RATIOS = (
    ("node get / `return 200`", NODE_GET, PLAIN),
    ("node put, durable / `return 200`", NODE_PUT, PLAIN),
    ("HA get / `return 200`", HA_GET, PLAIN),
    ("HA get / `proxy_pass`", HA_GET, PROXY),
    ("HA get2 / HA get", HA_GET2, HA_GET),
    ("HA put, durable on both / `return 200`", HA_PUT, PLAIN),
)


class Bench:
    def __init__(self, options):
        self.options = options
        self.again = 0  # points measured again because others used the machine
        self.disturbed = 0  # points kept although they did
        self.directory = scratch_directory("bench")
        source = random.Random(options.seed)
        self.values = [source.randbytes(VALUE_BYTES) for _ in range(VALUES)]
        self.values_path = self.directory / "values.bin"
        self.values_path.write_bytes(b"".join(self.values))
        self.plain = "x" * VALUE_BYTES
        self.sync_us = sync_microseconds(self.directory)
        self.cluster = Cluster(
            node_options={"worker_count": WORKERS, "block_cache": "256M", "memtable": "64M",
                          "log_level": "warn"},
            ha_options={"workers": WORKERS, "locations": STOCK.format(body=self.plain)})
        ha = self.cluster.ha
        ha.http += UPSTREAM.format(address=self.cluster.node1.address)
        ha.write_config()

    def load(self, point):
        """Write every key once as `point` does; writes per second."""
        with Script(self.directory) as script:
            for number in range(self.options.keys):
                script.add(request("POST", f"{point.target}bench:{number:06d}",
                                   self.values[number % VALUES]), (200,), b"", ("!Sync",))
        run = script.replay(self.address(point), clients=self.options.clients)
        assert run.clean, run.explain()
        return script.count / run.summary["seconds"]

    def address(self, point):
        return getattr(self.cluster, point.program).address

    def wrk(self, point, seconds, seed):
        command = ["wrk", f"-t{WORKERS}", f"-c{self.options.clients}", f"-d{seconds}s",
                   "-s", str(ROOT / "bench" / "random_keys.lua"), f"http://{self.address(point)}",
                   "--", point.method, point.target, str(self.options.keys),
                   str(self.values_path), str(VALUE_BYTES), str(seed)]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        figures = json.loads(output.splitlines()[-1])
        errors = {name: figures[name] for name in ("connect", "read", "write", "status", "timeout")
                  if figures[name]}
        if errors or not figures["requests"]:
            raise SystemExit(f"{point.name}: {errors or 'no answers'}\n{output}")
        return figures

    def check(self, point):
        """The bodies of a sample of keys, read as the point reads them."""
        program = getattr(self.cluster, point.program)
        expected = {self.plain.encode()} if point is PLAIN else set(self.values)
        target = {NODE_PUT: "/hustdb/get?key=direct:", HA_PUT: HA_GET2.target}.get(point,
                                                                                  point.target)
        for _ in range(SAMPLE):
            number = random.randrange(self.options.keys)
            answer = program.request("GET", f"{target}bench:{number:06d}")
            assert answer.status == 200 and answer.body in expected, f"{point.name}: {answer}"

    def wait_quiet(self, watch):
        """Until others leave the machine alone, or patience is over."""
        while time.monotonic() < self.patience_ends:
            watch.restart()
            time.sleep(0.5)
            if watch.foreign_share() <= FOREIGN_MAX:
                return

    def measure_point(self, point, seed):
        watch = Watch([program.pid for program in self.cluster.programs])
        while True:
            self.wait_quiet(watch)
            watch.restart()
            got = self.wrk(point, self.options.seconds, seed)
            foreign = watch.foreign_share()
            got["rate"] = got["requests"] / (got["microseconds"] / 1e6)
            print(f"{point.name}: {got['rate']:,.0f}/s, others {foreign:.0%}", file=sys.stderr)
            if foreign <= FOREIGN_MAX:
                return got
            if time.monotonic() >= self.patience_ends:
                self.disturbed += 1
                return got
            self.again += 1

    def measure(self):
        """point -> a list of figures, one per round."""
        figures = {point: [] for point in POINTS}
        self.patience_ends = time.monotonic() + self.options.patience
        for point in POINTS:
            self.wrk(point, 1, self.options.seed)
        for round_ in range(self.options.rounds):
            turn = round_ % len(POINTS)
            for point in POINTS[turn:] + POINTS[:turn]:
                figures[point].append(self.measure_point(point, self.options.seed + round_))
                self.check(point)
        return figures


def sync_microseconds(directory, count=200):
    """What one fdatasync of 4 KiB takes there, median."""
    path = directory / "sync"
    taken = []
    with open(path, "wb", buffering=0) as file:
        for _ in range(count):
            file.write(bytes(4096))
            start = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - start)
    path.unlink()
    return 1e6 * statistics.median(taken)


def first_match(path, prefix):
    for line in Path(path).read_text().splitlines():
        if line.startswith(prefix):
            return line.split(":", 1)[1].strip()
    return "unknown"


def said(*command):
    """The first line a program says about itself."""
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return (answer.stdout + answer.stderr).splitlines()[0].strip()


def machine_facts(bench, loaded):
    options = bench.options
    fs_type = said("stat", "-f", "-c", "%T", str(bench.directory))
    build = json.loads((env.BUILD / "meson-info" / "intro-buildoptions.json").read_text())
    build_type = next(option["value"] for option in build if option["name"] == "buildtype")
    memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return [
        f"{time.strftime('%Y-%m-%d', time.gmtime())}; {os.cpu_count()} cores "
        f"({first_match('/proc/cpuinfo', 'model name')}), {memory_gib:.0f} GiB, "
        f"Linux {platform.release()}, {fs_type}; fdatasync of 4 KiB {bench.sync_us:.0f} us "
        "(median)",
        f"{said(env.HUSTDB, '--version')} (Meson buildtype {build_type}), "
        f"{said(env.NGINX, '-v')}, {said('wrk', '-v').split(' Copyright')[0]}",
        f"{options.keys:,} random keys, values of {VALUE_BYTES} bytes that do not compress, "
        f"{options.clients} clients with keep-alive, no pipelining; nodes and nginx with "
        f"{WORKERS} workers each; {options.rounds} interleaved rounds of {options.seconds} s",
        "wrk (2 threads), nginx and both nodes share the same cores: the figures are for "
        f"comparison with each other; {bench.again} measurements were repeated because other "
        f"programs used more than {FOREIGN_MAX:.0%} of the cores meanwhile, {bench.disturbed} "
        "were kept all the same",
        f"loaded through HA before, durable on both masters: {loaded:,.0f} puts/s",
    ]


def report(facts, figures):
    rate = {point: statistics.median(got["rate"] for got in rounds)
            for point, rounds in figures.items()}
    lines = [f"- {fact}" for fact in facts]
    lines += ["", "| what | requests/s | lowest .. highest | / `return 200` | p50 ms | p99 ms |",
              "|---|---:|---:|---:|---:|---:|"]
    for point, rounds in figures.items():
        rates = [got["rate"] for got in rounds]
        p50, p99 = (statistics.median(got[name] for got in rounds) / 1000
                    for name in ("p50", "p99"))
        lines.append(f"| {point.name} | {rate[point]:,.0f} | {min(rates):,.0f} .. "
                     f"{max(rates):,.0f} | {rate[point] / rate[PLAIN]:.2f} | {p50:.2f} | "
                     f"{p99:.2f} |")
    lines += ["", "| ratio | median | lowest .. highest of a round |", "|---|---:|---:|"]
    for what, above, below in RATIOS:
        each = [one["rate"] / other["rate"]
                for one, other in zip(figures[above], figures[below])]
        lines.append(f"| {what} | {statistics.median(each):.2f} | {min(each):.2f} .. "
                     f"{max(each):.2f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--keys", type=int, default=100000)
    parser.add_argument("--patience", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    bench = Bench(parser.parse_args())
    try:
        with bench.cluster:
            bench.load(NODE_PUT)
            loaded = bench.load(HA_PUT)
            figures = bench.measure()
            # nginx keeps connections for proxy_pass: no leak, but the descriptors would look it.
            bench.cluster.check(descriptors=False)
            print(report(machine_facts(bench, loaded), figures))
    finally:
        shutil.rmtree(bench.directory)


if __name__ == "__main__":
    main()

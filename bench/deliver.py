#!/usr/bin/python3
"""Measure hint delivery: how fast a master that was away gets what it missed, and what that costs
those who write meanwhile. Prints a Markdown table.

    bench/deliver.py [--rounds 5] [--seconds 4] [--clients 64] [--keys 100000]

Each round kills master2, writes every key through HA (1 KB, durable), starts master2 and measures
the time from the first element delivered to the last; then the same again with wrk writing other
keys through HA meanwhile, compared with the same wrk just before. Figures are medians over the
rounds. Needs wrk and the programs in build/ (or $HUST_BUILD_DIR).
"""

import argparse
import json
import shutil
import statistics
import sys
import time

from measure import VALUE_BYTES, VALUES, WORKERS, Bench, Point, machine_facts

from hustlib.wait import until  # noqa: E402 (measure says where)
from hustload import Script, request  # noqa: E402

MISSED = Point("missed", "ha", "POST", "/put?key=missed:")
FOREGROUND = Point("HA put", "ha", "POST", "/put?key=foreground:")
PAUSE_S = 0.01


class Delivery:
    def __init__(self, bench):
        self.bench = bench
        self.cluster = bench.cluster

    def status(self):
        answer = self.cluster.node1.call("sync_status")
        return json.loads(answer.body)["total_status"]

    def outage(self):
        """master2 misses a write of every key; it is back, and delivery is about to begin."""
        options = self.bench.options
        self.cluster.node2.kill()
        with Script(self.bench.directory) as script:
            for number in range(options.keys):
                script.add(request("POST", f"{MISSED.target}bench:{number:06d}",
                                   self.bench.values[number % VALUES]), (200,), b"", ("Sync",))
        run = script.replay(self.cluster.ha.address, clients=options.clients)
        assert run.clean, run.explain()
        until(lambda: self.status()["pending_items"] >= options.keys, "all hints are old", 4)
        self.before = self.status()["synced_items"]
        self.cluster.node2.start()

    def synced(self):
        return self.status()["synced_items"] - self.before

    def idle(self):
        """Elements per second with nothing else to do."""
        self.outage()
        while self.synced() == 0:
            time.sleep(PAUSE_S)
        start, first = time.perf_counter(), self.synced()
        while self.synced() < self.bench.options.keys:
            time.sleep(PAUSE_S)
        return (self.bench.options.keys - first) / (time.perf_counter() - start)

    def under_load(self, seed):
        """(writes per second alone, writes per second meanwhile, elements per second meanwhile)"""
        seconds = self.bench.options.seconds
        alone = self.bench.wrk(FOREGROUND, seconds, seed)
        self.outage()
        self.cluster.wait_up()
        start, first = time.perf_counter(), self.synced()
        meanwhile = self.bench.wrk(FOREGROUND, seconds, seed)
        delivered = (self.synced() - first) / (time.perf_counter() - start)
        if self.status()["pending_items"] == 0:
            print("delivery was over before the writes: more --keys", file=sys.stderr)
        until(lambda: self.status()["pending_items"] == 0, "everything is delivered", 60)
        return rate(alone), rate(meanwhile), delivered


def rate(figures):
    return figures["requests"] / (figures["microseconds"] / 1e6)


def spread(what, figures, digits=0):
    return (f"| {what} | {statistics.median(figures):,.{digits}f} | {min(figures):,.{digits}f} .. "
            f"{max(figures):,.{digits}f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--keys", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=1)
    bench = Bench(parser.parse_args())
    idle, loaded = [], []
    try:
        with bench.cluster:
            delivery = Delivery(bench)
            for round_ in range(bench.options.rounds):
                idle.append(delivery.idle())
                loaded.append(delivery.under_load(bench.options.seed + round_))
                print(f"round {round_ + 1}: idle {idle[-1]:,.0f}/s; under load "
                      + " ".join(f"{figure:,.0f}/s" for figure in loaded[-1]), file=sys.stderr)
            facts = machine_facts(bench, 0)[:3]
    finally:
        shutil.rmtree(bench.directory)
    alone, meanwhile, delivered = zip(*loaded)
    print("\n".join(f"- {fact}" for fact in facts))
    print(f"- values of {VALUE_BYTES} bytes, nodes with {WORKERS} workers each, all on the same "
          "cores\n\n| what | median | lowest .. highest |\n|---|---:|---:|")
    print(spread("delivered with nothing else to do, elements/s", idle))
    print(spread("HA puts alone, requests/s", alone))
    print(spread("HA puts during delivery, requests/s", meanwhile))
    print(spread("elements delivered meanwhile, elements/s", delivered))
    print(spread("HA puts during delivery / alone",
                 [one / other for one, other in zip(meanwhile, alone)], 2))


if __name__ == "__main__":
    main()

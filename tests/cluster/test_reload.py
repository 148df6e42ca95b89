"""Reloads of HA under load: 200 clients, keep-alive and not, pipelined and not.

nginx closes idle keep-alive connections at a reload, and a request that was just sent on one goes
unanswered: that is so with `return 200` as well, and a client repeats such a request. What must
hold of HA: nothing else goes unanswered, it happens no more often than with stock nginx, the repeat
succeeds, no answer is wrong, and nothing of the old workers stays.
"""

import random
import signal
import time

from hustlib import LONG, until
from hustlib.descriptors import descriptors, tcp_sockets
from hustload import Load

CLIENTS = 200
CLASSES = ("keepalive", "keepalive_pipelined", "single", "pipelined")
SECONDS = 300 if LONG else 20
STOCK_SECONDS = 10
STOCK = 'location = /stock { return 200 "stock"; }'

# Losses before any byte of the answer.
ALLOWED = {"closed_before_any_byte", "reset_before_any_byte"}


def reload_under(ha, load, seconds):
    """Reload every 2 to 3 s while the load runs; the number of reloads."""
    chance = random.Random(seconds)
    reloads = 0
    # The last reload leaves the load time to meet its consequences.
    end = time.monotonic() + seconds - 2
    while load.running and time.monotonic() < end:
        until_next = time.monotonic() + chance.uniform(2, 3)
        before = set(ha.worker_pids())
        ha.signal(signal.SIGHUP)
        until(lambda: len(fresh := set(ha.worker_pids()) - before) >= ha.workers
              and not before & set(ha.worker_pids()), "workers are new after a reload", 4)
        reloads += 1
        until(lambda: time.monotonic() >= min(until_next, end), "time for a reload", 4)
    return reloads


def losses(load, reloads):
    """class -> connections lost before any byte of an answer, per client and reload."""
    clients = CLIENTS / len(CLASSES)
    return {name: sum(load.summary[name]["lost_connections"].values()) / (clients * reloads)
            for name in CLASSES}


def measure(ha, what, seconds):
    """(load, losses) of a load with reloads."""
    load = Load(ha.address, clients=CLIENTS, seconds=seconds, what=what)
    try:
        reloads = reload_under(ha, load, seconds)
        load.wait()
    finally:
        load.kill()
    assert reloads >= seconds / 3 - 2
    assert load.clean, load.explain()
    for name in CLASSES:
        assert set(load.summary[name]["lost_connections"]) <= ALLOWED, load.explain()
    return load, losses(load, reloads)


def check_workers(ha, fresh):
    """Old workers are gone, and those that serve have no more open than at the first start."""
    # The keys are all workers, those that are shutting down included.
    until(lambda: len(ha.node_connections(tcp_sockets(), set())) == ha.workers,
          "old workers are gone", 4)

    def as_fresh():
        return all(len(descriptors(pid).others) <= fresh for pid in ha.worker_pids())

    until(as_fresh, "workers have closed what the load opened", 2)


def test_reload_under_load(make_cluster):
    cluster = make_cluster(ha_options={"locations": STOCK})
    ha = cluster.ha
    fresh = max(len(descriptors(pid).others) for pid in ha.worker_pids())

    _, stock = measure(ha, "stock", STOCK_SECONDS)
    load, ours = measure(ha, "ha", SECONDS)

    # A reload closes every keep-alive connection of the old workers once, whatever they serve: so
    # stock is 1 per client and reload for those, and HA cannot be much above. The slack is for a
    # client whose next connection was accepted by an old worker that had not yet seen the signal.
    # Bursts that end with Connection: close are done with `return 200` in one go and so are rarely
    # met by a reload; with HA they take their time, and are compared with keep-alive.
    assert 0.5 < stock["keepalive"] <= 1.1, stock
    for name in ("keepalive", "keepalive_pipelined", "pipelined"):
        # A pipelined connection always has requests under way, so a reload always costs it one.
        always = 1.05 if name == "keepalive_pipelined" else 0
        limit = max(1.1 * max(stock["keepalive"], stock[name]), always)
        assert ours[name] <= limit, f"{name}: {ours}, stock {stock}"
    # One request per connection: never idle, hence not lost. Three standard deviations of so rare
    # an event, counted in reloads of one client.
    unit = len(CLASSES) / CLIENTS
    assert ours["single"] <= stock["single"] + 3 * (stock["single"] * unit) ** 0.5 + unit, \
        f"{ours}, stock {stock}"
    assert load.summary["all"]["exchanges"] > 100 * SECONDS
    for name, count in load.summary["calls"].items():
        assert count > 0, name
    check_workers(ha, fresh)

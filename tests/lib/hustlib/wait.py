"""Waiting: always for a condition, always with a deadline."""

import time

from hustlib import env

_PAUSE_S = 0.005


def until(condition, what, expected=1.0):
    """Poll until `condition()` is true and return what it returned.

    `expected`: how many seconds it ordinarily takes at most; the deadline is several times that.
    `what` names the condition in the failure.
    """
    deadline = time.monotonic() + env.seconds(expected)
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {env.seconds(expected):g} s: {what}")
        time.sleep(_PAUSE_S)


def next_instant():
    """Wait until the clock's milliseconds have moved on, so that a write that follows is later
    than those before by every clock of this machine: stamps of different nodes count apart
    within one millisecond."""
    now = time.time_ns() // 1000000
    until(lambda: time.time_ns() // 1000000 > now + 1, "the clock moves on")

"""Debian's package index as elements of all four kinds: real input, and a lot of it."""

import subprocess
from dataclasses import dataclass

from hustlib.batch import HASH, KV, SET, ZSET
from hustload.elements import Element


@dataclass(frozen=True)
class Package:
    name: bytes
    record: bytes  # as in the index
    version: bytes
    section: bytes
    priority: bytes
    size: int  # Installed-Size


def _field(record, name):
    start = record.find(b"\n" + name + b": ")
    if start < 0:
        return b""
    start += len(name) + 3
    end = record.find(b"\n", start)
    return record[start:] if end < 0 else record[start:end]


def load_packages():
    """Every package of the index; of several records with one name the last."""
    index = subprocess.run(["apt-cache", "dumpavail"], stdout=subprocess.PIPE, check=True).stdout
    packages = {}
    for record in index.split(b"\n\n"):
        name = _field(b"\n" + record, b"Package")
        if name:
            packages[name] = Package(
                name, record, _field(record, b"Version"),
                # A tb may not hold a slash.
                _field(record, b"Section").replace(b"/", b":") or b"none",
                _field(record, b"Priority") or b"none",
                int(_field(record, b"Installed-Size") or 0))
    assert len(packages) > 1000, "no package index: run apt-get update"
    return list(packages.values())


def elements(packages, every=1, change=b""):
    """The packages as elements: all as KV, every n-th also as the other kinds.

    `change`: what makes the values of a second load different; a set has none to change.
    A tb has one type: those of sorted sets and sets have prefixes.
    """
    for number, package in enumerate(packages):
        yield Element(KV, b"", package.name, package.record + change)
        if number % every == 0:
            yield Element(HASH, package.section, package.name, change + package.version)
            yield Element(ZSET, b"z." + package.section, package.name,
                          b"%d" % (package.size + len(change)))
            yield Element(SET, b"p." + package.priority, package.name, b"")

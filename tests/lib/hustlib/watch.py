"""What runs at the moment, so that it can be looked at after every test.

A fixture of a test file that wants its own cluster or node writes

    @pytest.fixture(scope="module")
    def node():
        with watch.running(Node(replicated=True)) as node:
            yield node
"""

from contextlib import contextmanager

from hustlib.cluster import Cluster, check_node

_active = []


@contextmanager
def running(made):
    """Start a Cluster or Node, watch it, and end it."""
    try:
        yield start(made)
    finally:
        end(made)


def start(made):
    _active.append(made)
    return made.start()


def end(made):
    if made in _active:
        _active.remove(made)
    made.close_clients()
    made.close()


def check_all():
    """Fail if anything went wrong that no test may cause."""
    for made in _active:
        if isinstance(made, Cluster):
            made.check()
        else:
            check_node(made)


def programs():
    """Every program of every cluster and node."""
    return [program for made in _active
            for program in (made.programs if isinstance(made, Cluster) else [made])]


class Factory:
    """Makes clusters or nodes that end together."""

    def __init__(self, make):
        self._make = make
        self._made = []

    def __call__(self, *args, **kwargs):
        made = self._make(*args, **kwargs)
        self._made.append(made)
        return start(made)

    def close(self):
        for made in self._made:
            end(made)

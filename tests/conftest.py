"""Fixtures that every directory of black-box tests shares, and the checks after every test."""

import signal

import pytest

from hustlib import Cluster, Node, env, watch


@pytest.fixture(scope="module")
def cluster():
    """Two nodes and HA, shared by the tests of a module: use keys of your own."""
    with watch.running(Cluster()) as made:
        yield made


@pytest.fixture(scope="module")
def node():
    """One node, shared by the tests of a module, not replicated."""
    with watch.running(Node()) as made:
        yield made


@pytest.fixture
def make_cluster(request):
    """make_cluster(...) -> a running Cluster that ends with the test."""
    yield from _factory(Cluster, request.node)


@pytest.fixture
def make_node(request):
    """make_node(...) -> a running Node that ends with the test."""
    yield from _factory(Node, request.node)


def _factory(make, item):
    factory = watch.Factory(make)
    try:
        yield factory
        _check(item)
    finally:
        factory.close()


def _check(item):
    # What went wrong in a test is told already; a second error would only hide it.
    if not getattr(item, "hust_failed", False):
        watch.check_all()


@pytest.fixture(autouse=True)
def _nothing_went_wrong(request):
    yield
    _check(request.node)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what the programs said."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        item.hust_failed = True
        for program in watch.programs():
            report.sections.append((f"log of {program.name}", program.tail()))


def pytest_collection_modifyitems(items):
    skip = pytest.mark.skip(reason="only with HUST_LONG=1")
    for item in items:
        if item.get_closest_marker("long") and not env.LONG:
            item.add_marker(skip)


def _end(number, _frame):
    # Ends the way a failure ends, so that what was started is killed.
    raise KeyboardInterrupt(f"signal {number}")


def pytest_sessionstart():
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    if not env.HUSTDB.exists():
        pytest.exit(f"no {env.HUSTDB}: build first, or say where with HUST_BUILD_DIR", 1)


def pytest_report_header():
    return [f"hustdb: {env.HUSTDB}", f"module: {env.HA_MODULE}", f"nginx: {env.NGINX}"]

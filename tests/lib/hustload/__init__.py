"""Mass traffic for tests: scripts of checked requests, run by the C programs of tests/tools.

    from hustload import Script, request

    with Script(directory) as script:
        script.add(request("POST", "/put?key=k", b"value"), (200,), b"")
    run = script.replay(cluster.ha.address, clients=64)
    assert run.clean, run.explain()
"""

from hustload.load import Load
from hustload.replay import Replay
from hustload.script import ANY, Fault, Script, request

__all__ = ["ANY", "Fault", "Load", "Replay", "Script", "request"]

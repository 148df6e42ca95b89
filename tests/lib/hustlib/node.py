"""A storage node: the real `hustdb`."""

from hustlib import env
from hustlib.batch import decode_reply, encode_request
from hustlib.descriptors import descriptors
from hustlib.http import Caller, Client
from hustlib.ports import free_port
from hustlib.process import Program

_SERVER = {"worker_count": 2, "max_body_size": "32M", "log_level": "info"}
# Small, so that many nodes fit on a small machine; the engine behaves alike.
_STORE = {"sync": "always", "block_cache": "32M", "memtable": "16M"}
_CACHE_KEYS = ("cache_size",)
_STORE_KEYS = ("path", "sync", "ttl_maximum", "block_cache", "memtable", "wal_maximum")


class Node(Program):
    """`options` are keys of its configuration, whatever their section: Node(ttl_maximum=60)."""

    def __init__(self, name="node", replicated=False, peers=(), port=None, directory=None,
                 **options):
        super().__init__(name, directory)
        self.port = port or free_port()
        self.replicated = replicated
        self.peers = list(peers)
        self.options = options
        self.config_path = self.directory / "hustdb.conf"
        self.data_path = self.directory / "data"
        self.caller = Caller(self.port, "/hustdb/")
        self.cache_caller = Caller(self.port, "/hustcache/")
        self._baseline = None
        self.write_config()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    # -- configuration

    def sections(self):
        server = {"listen": self.address, **_SERVER,
                  "replicated": "true" if self.replicated else "false"}
        if self.peers:
            server["peers"] = ", ".join(self.peers)
        store = {"path": self.data_path, **_STORE}
        cache = {}
        for key, value in self.options.items():
            of_section = store if key in _STORE_KEYS else cache if key in _CACHE_KEYS else server
            of_section[key] = value
        return {"server": server, "store": store, "cachedb": cache}

    def write_config(self, **options):
        """Write the configuration file; `options` are changed for good."""
        self.options.update(options)
        lines = []
        for section, keys in self.sections().items():
            lines.append(f"[{section}]")
            lines += [f"{key} = {value}" for key, value in keys.items()]
        self.config_path.write_text("\n".join(lines) + "\n")

    # -- life

    def command(self):
        return [env.HUSTDB, "--config", self.config_path]

    def is_ready(self):
        try:
            with Client(self.port, timeout=env.seconds(1)) as client:
                return client.request("GET", "/status.html").body == b"ok"
        except OSError:
            return False

    def started(self):
        self._baseline = len(descriptors(self.pid).others)

    # -- use

    def client(self, timeout=None):
        """A new connection, to be closed by the caller (use `with`)."""
        return Client(self.port, timeout=timeout)

    def call(self, name, method=None, body=None, headers=(), **params):
        """A call of /hustdb/ by its name."""
        return self.caller.call(name, method, body, headers, **params)

    def request(self, method, target, headers=(), body=None):
        return self.caller.request(method, target, headers, body)

    def cache(self, name, method=None, body=None, headers=(), **params):
        """A call of /hustcache/ by its name."""
        return self.cache_caller.call(name, method, body, headers, **params)

    def batch(self, ops, epoch=0):
        """Send operations as one batch; returns the results in order."""
        answer = self.caller.call("batch", "POST", body=encode_request(ops, epoch))
        assert answer.status == 200, answer
        reply = decode_reply(answer.body)
        assert len(reply.results) == len(ops)
        return reply.results

    def close_clients(self):
        self.caller.close_clients()
        self.cache_caller.close_clients()

    # -- the implicit checks

    def leaked(self, tcp, owned_ports):
        """Text about descriptors that nobody accounts for; '' if all is well.

        `tcp`: a snapshot of the socket tables; `owned_ports`: local ports of connections that HA
        keeps to nodes.
        """
        if not self.running or self.paused or self._baseline is None:
            return ""
        now = descriptors(self.pid, tcp)
        strays = [pair for pair in now.connections if pair[1] not in owned_ports]
        foreign = [path for path in now.files
                   if not path.startswith(str(self.data_path)) and path != str(self.output_path)
                   and not path.startswith("/proc/") and path != str(self.options.get("log_file"))]
        problems = []
        if strays:
            problems.append(f"connections of nobody {strays}")
        if len(now.others) > self._baseline:
            problems.append(f"{len(now.others)} other descriptors, {self._baseline} at start: "
                            f"{sorted(now.others)}")
        if foreign:
            problems.append(f"files {foreign}")
        return f"{self.name}: " + "; ".join(problems) if problems else ""

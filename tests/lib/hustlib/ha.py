"""HA: the real nginx with our module."""

import os
import re
import signal
import subprocess

from hustlib import env
from hustlib.descriptors import descriptors
from hustlib.http import Caller, Client
from hustlib.ports import free_port
from hustlib.process import SANITIZER, Program
from hustlib.wait import until

_BAD_LEVEL = re.compile(rb"\[(alert|emerg|crit)\]")

_CONFIG = """\
load_module {module};
daemon off;
master_process on;
worker_processes {workers};
{user}
pid {directory}/nginx.pid;
error_log {directory}/error.log {log_level};
worker_rlimit_nofile 8192;
{main_extra}
events {{
    worker_connections 4096;
}}
http {{
    access_log off;
    default_type text/plain;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    large_client_header_buffers 4 80k;
    client_max_body_size {body_maximum};
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    hustdb_ha_table {table};
    {http_extra}
    server {{
        listen 127.0.0.1:{port};
        {server_extra}
        location / {{
            hustdb_ha;
            {location_extra}
        }}
        {locations}
    }}
}}
"""


class Ha(Program):
    """nginx in its own prefix directory, in the foreground.

    `table_path`: the routing table. `main`, `http`, `server`, `location`: extra directives for
    those levels (`location` is the one with `hustdb_ha;`); `locations`: whole further location
    blocks, such as 'location = /stock { return 200 "x"; }'.
    """

    # Connections that a worker may keep to a node: 4 lanes for reads, 4 for writes, and a few.
    LANES_MAX = 12

    def __init__(self, table_path, name="ha", workers=2, port=None, directory=None,
                 body_maximum="32m", log_level="notice", admin=True, main="", http="", server="",
                 location="", locations=""):
        super().__init__(name, directory)
        self.port = port or free_port()
        self.table_path = table_path
        self.workers = workers
        self.body_maximum = body_maximum
        self.log_level = log_level
        self.main, self.http, self.server = main, http, server
        self.location, self.locations = location, locations
        self.admin = admin
        self.config_path = self.directory / "nginx.conf"
        self.error_log = self.directory / "error.log"
        self.caller = Caller(self.port, "/")
        self._baseline = {}
        self.write_config()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    # -- configuration

    def write_config(self):
        admin = "hustdb_ha_admin on;\n    " if self.admin else ""
        self.config_path.write_text(_CONFIG.format(
            module=env.HA_MODULE, workers=self.workers, directory=self.directory,
            # Started by root, nginx would drop to a user that cannot enter our directory.
            user="user root;" if os.geteuid() == 0 else "",
            log_level=self.log_level, main_extra=self.main, body_maximum=self.body_maximum,
            table=self.table_path, http_extra=admin + self.http, port=self.port,
            server_extra=self.server, location_extra=self.location, locations=self.locations))

    # -- life

    def command(self):
        return [env.NGINX, "-p", self.directory, "-c", self.config_path, "-e", self.error_log]

    def check_config(self):
        """nginx -t: (exit status, what it said)."""
        command = [env.NGINX, "-p", str(self.directory), "-c", str(self.config_path),
                   "-e", "stderr", "-t"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False,
                                env=env.program_environment(command[0], leaks=False))
        return answer.returncode, answer.stderr

    def is_ready(self):
        try:
            with Client(self.port, timeout=env.seconds(1)) as client:
                return (client.request("GET", "/status.html").body == b"ok"
                        and len(self.worker_pids()) == self.workers)
        except OSError:
            return False

    def reports_leaks(self):
        # At exit nginx leaves its pools to the system.
        return False

    def log_paths(self):
        return [self.output_path, self.error_log]

    def worker_pids(self):
        """Pids of the workers that serve, those that are shutting down left out."""
        return [pid for pid, title in self._children() if "shutting down" not in title]

    def _children(self):
        if not self.running:
            return []
        children = []
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/children") as listing:
                children += [int(word) for word in listing.read().split()]
        titled = []
        for pid in children:
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as line:
                    titled.append((pid, line.read().decode("utf-8", "replace")))
            except OSError:
                continue
        return [(pid, title) for pid, title in titled if "worker process" in title]

    def started(self):
        self._measure()

    def _measure(self):
        for pid in self.worker_pids():
            found = descriptors(pid)
            self._baseline[pid] = (len(found.others), len(found.files))

    def reload(self, wait=True):
        """SIGHUP; waits for new workers (old ones may go on with what they have)."""
        before = set(self.worker_pids())
        self.signal(signal.SIGHUP)
        if wait:
            until(lambda: (fresh := set(self.worker_pids()) - before) and
                  len(fresh) >= self.workers and not before & set(self.worker_pids()),
                  "workers are new after a reload", 4)
            self._measure()

    def stop(self, expected=4.0):
        """SIGTERM ends nginx at once; its exit status."""
        return super().stop(expected)

    def quit(self, expected=4.0):
        """SIGQUIT: finish what is under way, then end."""
        self.signal(signal.SIGQUIT)
        return self.wait_exit(expected)

    # -- use

    def client(self, timeout=None):
        """A new connection, to be closed by the caller (use `with`)."""
        return Client(self.port, timeout=timeout)

    def call(self, name, method=None, body=None, headers=(), **params):
        return self.caller.call(name, method, body, headers, **params)

    def request(self, method, target, headers=(), body=None):
        return self.caller.request(method, target, headers, body)

    def close_clients(self):
        self.caller.close_clients()

    # -- the implicit checks

    def bad_log_line(self, line):
        return bool(_BAD_LEVEL.search(line) or SANITIZER.search(line))

    def node_connections(self, tcp, node_ports):
        """worker pid -> local ports of its connections to nodes."""
        return {pid: [local for local, remote in descriptors(pid, tcp).connections
                      if remote in node_ports]
                for pid, _ in self._children()}

    def leaked(self, tcp, node_ports):
        """Text about descriptors that nobody accounts for; '' if all is well."""
        problems = []
        for pid in self.worker_pids() if not self.paused else []:
            now = descriptors(pid, tcp)
            if pid not in self._baseline:
                # Began by itself (a reload without wait): it can only be compared with the others.
                continue
            others, files = self._baseline[pid]
            strays = [pair for pair in now.connections if pair[1] not in node_ports]
            lanes = len(now.connections) - len(strays)
            if strays:
                problems.append(f"worker {pid}: connections of nobody {strays}")
            if lanes > self.LANES_MAX * max(1, len(node_ports)):
                problems.append(f"worker {pid}: {lanes} connections to nodes")
            if len(now.others) > others:
                problems.append(f"worker {pid}: {len(now.others)} other descriptors, {others} at "
                                f"start: {sorted(now.others)}")
            if len(now.files) > files:
                problems.append(f"worker {pid}: files {now.files}, {files} at start")
        return f"{self.name}: " + "; ".join(problems) if problems else ""

"""What the environment says: where the programs are and how patient to be.

    HUST_BUILD_DIR   the Meson build directory (default: build/ beside tests/)
    HUST_NGINX       the nginx to run (default: Debian's)
    HUST_LONG        "1": long-running tests run at full length
    HUST_SANITIZE    "1": the programs carry sanitizers: be five times as patient
    HUST_KEEP        "1": leave the temporary directories behind for a look
"""

import os
import subprocess
from pathlib import Path


def _flag(name):
    return os.environ.get(name, "") not in ("", "0", "no", "false")


ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("HUST_BUILD_DIR") or ROOT / "build").resolve()
HUSTDB = BUILD / "src" / "node" / "hustdb"
HA_MODULE = BUILD / "src" / "ha" / "ngx_http_hustdb_ha_module.so"
NGINX = os.environ.get("HUST_NGINX") or "/usr/sbin/nginx"

LONG = _flag("HUST_LONG")
SANITIZE = _flag("HUST_SANITIZE")
KEEP = _flag("HUST_KEEP")

SLACK = 5 * (5 if SANITIZE else 1)


def seconds(expected):
    """A deadline for something that ordinarily takes at most `expected` seconds."""
    return expected * SLACK


def _links_asan(program):
    listing = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
    return "libasan" in listing.stdout


def _gcc_file(name):
    answer = subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True,
                            check=True)
    return answer.stdout.strip()


def program_environment(program, leaks):
    """The environment for a program; `leaks`: let it report what it did not free at exit."""
    environment = dict(os.environ, LC_ALL="C", TZ="UTC")
    if not SANITIZE:
        return environment
    environment["ASAN_OPTIONS"] = ":".join(filter(None, [
        f"detect_leaks={int(leaks)}", "detect_odr_violation=0", "exitcode=99",
        os.environ.get("ASAN_OPTIONS")]))
    environment["UBSAN_OPTIONS"] = ":".join(filter(None, [
        "print_stacktrace=1", os.environ.get("UBSAN_OPTIONS")]))
    if not _links_asan(program) and _links_asan(HA_MODULE) and str(program) == str(NGINX):
        # An ordinary nginx that loads a sanitized module: the runtime must come first.
        environment["LD_PRELOAD"] = _gcc_file("libasan.so")
    return environment

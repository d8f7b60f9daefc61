"""The programs that are measured: built here, or found on this machine."""

import json
import os
import shutil
import subprocess
import sys
from functools import cached_property, lru_cache
from pathlib import Path

from measure import CannotRun

ROOT = Path(__file__).resolve().parents[2]
# What `tests/run` installs.
INSTALLED = ROOT / "target/e2e/bin"
MEMBERS = ("portcullis", "portcullis-embed", "portcullis-envoy")


class Programs:
    """Each is found or built when it is asked for first."""

    @cached_property
    def built(self):
        """The daemon, the servers that allow everything, and the module for Envoy."""
        # In one call, since features of dependencies would differ otherwise.
        return build("--lib", "--bin", "portcullis", "--bench", "always_ok")

    @cached_property
    def benchmarks(self):
        return build("--lib", "--bench", "decide", "--bench", "verify")

    def daemon(self):
        return self.built["portcullis"]

    def always_ok(self):
        return self.built["always_ok"]

    def envoy_module(self):
        return self.built["portcullis_envoy"]

    @lru_cache
    def nginx_module(self):
        nginx = self.nginx()
        done = subprocess.run(
            [ROOT / "modules/nginx/build", "--release", "--locked"],
            # What cargo has built for the daemon has other features.
            env={**os.environ, "NGINX": nginx, "CARGO_TARGET_DIR": str(ROOT / "target/wire/nginx")},
            stdout=subprocess.PIPE, text=True,
        )
        if done.returncode != 0:
            raise CannotRun("nginx' module can't be built here, see above")
        return Path(done.stdout.strip())

    def envoy(self):
        return installed("envoy", "tests/run installs it")

    def nginx(self):
        return installed("nginx", "tests/run installs it")

    def haproxy(self):
        return installed("haproxy", "Debian: haproxy")

    def opa(self):
        return installed("opa-envoy", "build it from open-policy-agent/opa-envoy-plugin")


def build(*targets):
    """Executables, and libraries that programs load, in release, by their names."""
    command = ["cargo", "build", "--release", "--locked", *(f"-p{name}" for name in MEMBERS), *targets]
    done = subprocess.run(
        [*command, "--message-format", "json-render-diagnostics"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
    )
    found = {}
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message["reason"] == "compiler-artifact":
            kinds = message["target"]["kind"]
            if message["executable"] or "cdylib" in kinds:
                found[message["target"]["name"]] = Path(message["executable"] or message["filenames"][0])
    return found


def installed(name, how):
    own = INSTALLED / name
    found = own if own.exists() else shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if not found:
        raise CannotRun(f"{name} isn't installed ({how})")
    return str(found)


def needed():
    """Without these, nothing can be measured."""
    packages = {"h2load": "nghttp2-client", "taskset": "util-linux", "curl": "curl", "openssl": "openssl", "wrk": "wrk"}
    missing = [f"{name} (Debian: {package})" for name, package in packages.items() if not shutil.which(name)]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}")
    if os.cpu_count() < 2:
        sys.exit("the load needs a core beside that of the servers")


def version(command, pattern):
    """What a program says of itself, or nothing if it isn't here."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError:
        return None
    found = pattern.search(done.stdout)
    return found[1] if found else None

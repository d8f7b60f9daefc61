"""Servers that are pinned to a core, the load on them, and what that costs."""

import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Servers share the first core, and the load generator has the others.
SERVER_CORE, LOAD_CORES = "0", f"1-{os.cpu_count() - 1}"
# One request in so many is sent before the measurement: connections, caches and pages are warm then.
WARM_UP = 10
# Some for each connection.
LEAST = 640


class CannotRun(Exception):
    """A scenario that can't be measured on this machine, and why."""


def pinned(core, command):
    return ["taskset", "-c", core, *map(str, command)] if os.cpu_count() > 1 else [*map(str, command)]


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Server:
    """A running program, with its children."""

    def __init__(self, command, port, folder, environment=None):
        self.log = folder / f"{port}.log"
        self.port, self.program = port, command[0]
        self.process = subprocess.Popen(
            pinned(SERVER_CORE, command), cwd=folder, env={**os.environ, **(environment or {})},
            stdout=self.log.open("w"), stderr=subprocess.STDOUT,
        )

    def wait(self, seconds=60):
        """Until it listens."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.01)
        raise CannotRun(f"`{self.program}` doesn't listen: {self.said()}")

    def said(self):
        return self.log.read_text(errors="replace")[-1500:].strip()

    def pids(self):
        """Its own and those of its children, such as nginx' workers."""
        found = [self.process.pid]
        for pid in found:
            found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return found

    def cpu_seconds(self):
        # A process' CPU clock counts nanoseconds (clock_getcpuclockid(3)), where /proc counts ticks.
        return sum(time.clock_gettime((~pid << 3) | 2) for pid in self.pids())

    def resident_megabytes(self, figure="VmRSS"):
        status = [Path(f"/proc/{pid}/status").read_text() for pid in self.pids()]
        return sum(int(re.search(rf"{figure}:\s+(\d+)", text)[1]) for text in status) / 1024

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Load:
    """What h2load sends."""

    def __init__(self, target, headers, clients, streams=1, http1=False, body=None):
        self.target, self.headers = target, headers
        self.clients, self.streams, self.http1, self.body = clients, streams, http1, body

    def send(self, port, folder, amount):
        """Sends so many requests, or with `--rps` and so on; h2load's report, and each latency in
        microseconds, sorted."""
        # Not in the folder of the server's files: the daemon watches that one.
        away = tempfile.TemporaryDirectory()
        log = Path(away.name) / "latency.log"
        command = ["h2load", "-t1", "-c", self.clients, "-m", self.streams, f"--log-file={log}", *amount]
        if self.http1:
            command.append("--h1")
        if self.body:
            command += ["-d", self.body]
        for name, value in self.headers:
            # h2load writes `Host` itself, and only what it knows as `:authority` replaces it.
            command += ["-H", f"{':authority' if name == 'host' else name}: {value}"]
        command.append(f"http://127.0.0.1:{port}{self.target}")
        report = subprocess.run(pinned(LOAD_CORES, command), check=True, capture_output=True, text=True).stdout
        lines = [line.split("\t") for line in log.read_text().splitlines()]
        failed = [line for line in lines if line[1] != "200"]
        if failed or not lines:
            raise CannotRun(f"{len(failed)} of {len(lines)} requests failed, such as {(failed or [report])[0]}")
        return report, sorted(int(line[2]) for line in lines)


class Scenario:
    """Servers, of which the first gets the load, and what it must answer before it is measured."""

    def __init__(self, key, name, start, load, guard=None, share=1.0):
        self.key, self.name, self.start, self.load, self.guard = key, name, start, load, guard
        # Of the requests, for what is slow.
        self.share = share
        self.measured, self.skipped = [], None

    @property
    def group(self):
        return self.key.split("/")[0]

    def run(self, requests, profile=None):
        """Measures once more; or writes where the time goes to a file, by perf."""
        if self.skipped:
            return
        requests = max(int(requests * self.share), LEAST)
        with tempfile.TemporaryDirectory() as name:
            folder, servers = Path(name), []
            try:
                # The authorizer first, since a proxy may look for it.
                for server in self.start(folder):
                    servers.append(server)
                    server.wait()
                front = servers[-1]
                if self.guard:
                    self.guard(front.port)
                self.load.send(front.port, folder, ["-n", max(requests // WARM_UP, LEAST)])
                if profile:
                    self.profile(servers, front, folder, requests, profile)
                else:
                    self.measured.append(self.measure(servers, front, folder, requests))
            except CannotRun as reason:
                self.skipped = str(reason)
                print(f"{self.key} skipped: {reason}", file=sys.stderr)
            finally:
                for server in servers:
                    server.stop()

    def measure(self, servers, front, folder, requests):
        before = [server.cpu_seconds() for server in servers]
        report, latency = self.load.send(front.port, folder, ["-n", requests])
        took = [server.cpu_seconds() - was for server, was in zip(servers, before, strict=True)]
        figures = {
            "cpu": sum(took) / requests * 1e6,
            "front": took[-1] / requests * 1e6,
            "rate": requests / seconds_of(report),
            "memory": sum(server.resident_megabytes() for server in servers),
        }
        return figures | percentiles(latency)

    def profile(self, servers, front, folder, requests, written):
        pids = ",".join(str(pid) for server in servers for pid in server.pids())
        samples = folder / "perf.data"
        perf = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "-o", samples, "-p", pids])
        try:
            self.load.send(front.port, folder, ["-n", requests])
        finally:
            perf.send_signal(signal.SIGINT)
            perf.wait()
        report = ["perf", "report", "-i", samples, "--stdio", "--sort", "dso,symbol", "--percent-limit", "0.4", "-w", "20,100"]
        written.write_text(subprocess.run(report, check=True, capture_output=True, text=True).stdout)

    def median(self, figure):
        return statistics.median(run[figure] for run in self.measured)


def percentiles(latency):
    at = lambda part: latency[min(len(latency) - 1, int(len(latency) * part))] / 1000
    return {"p50": at(0.5), "p99": at(0.99), "p999": at(0.999)}


def seconds_of(report):
    took = re.search(r"finished in ([\d.]+)(us|ms|s)", report)
    return float(took[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1}[took[2]]

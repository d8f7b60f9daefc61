"""What takes longer than a scenario, or asks something else: reloads, floods, memory, large policies, and
the benchmarks within the process."""

import re
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from measure import LOAD_CORES, SERVER_CORE, CannotRun, Load, percentiles, pinned
from policy import Rules
from programs import ROOT
from scenarios import CHECK, CONNECTIONS, GRPC_HEADERS, STREAMS, daemon, guard_grpc

# Requests per second while the policy is reloaded: a core has room for both.
CALM = 4_000
SECONDS = 10


class Trial:
    """A measurement with rows of its own."""

    def __init__(self, key, measure):
        self.key, self.group, self.measure = key, key, measure
        self.measured, self.skipped = [], None

    def run(self, programs, keys, runs):
        with tempfile.TemporaryDirectory() as name:
            try:
                self.measured = self.measure(programs, keys, Path(name), runs)
            except CannotRun as reason:
                self.skipped = str(reason)


def trials():
    return [
        Trial("reload", reload), Trial("memory", memory), Trial("floods", floods),
        Trial("load", large), Trial("process", in_process),
    ]


def reload(programs, keys, folder, runs):
    """The latency at a steady rate, with and without a reload of 10,000 rules each second."""
    rules = Rules(10_000, keys)
    policy = rules.write(folder / "policies")
    body = folder / "check"
    body.write_bytes(rules.check_request(rules.allowed))
    load = Load(CHECK, GRPC_HEADERS, CONNECTIONS, STREAMS, body=body)
    measured = {"without": [], "with": []}
    server = daemon(programs, folder, policy, "grpc")
    try:
        server.wait()
        guard_grpc(rules, server.port)
        for _ in range(runs):
            for reloading in ("without", "with"):
                before = reloads(server.admin)
                stopped = threading.Event()
                writer = threading.Thread(target=rewrite, args=(rules, policy, stopped))
                if reloading == "with":
                    writer.start()
                amount = ["-n", CALM * SECONDS, "--rps", CALM // CONNECTIONS]
                _, latency = load.send(server.port, folder, amount)
                stopped.set()
                if reloading == "with":
                    writer.join()
                took = reloads(server.admin) - before
                if (took >= SECONDS - 3) != (reloading == "with"):
                    raise CannotRun(f"{took} reloads in {SECONDS} s")
                measured[reloading].append(percentiles(latency) | {"reloads": took})
    finally:
        server.stop()
    return [
        {"name": name, **{figure: statistics.median(run[figure] for run in measured[key]) for figure in measured[key][0]}}
        for key, name in (("without", "no reloads"), ("with", "a reload each second"))
    ]


def rewrite(rules, policy, stopped):
    """Another route each second: a reload that changes nothing would be none."""
    turn = 0
    while not stopped.wait(1):
        turn += 1
        also = f'    GET /turn{turn} requires scope "read:turns"\n'
        rules.replace(policy / "routes0.gate", range(rules.count), also)


def reloads(admin):
    text = urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics").read().decode()
    found = re.search(r'^portcullis_reloads_total\{result="changed"\} (\d+)', text, re.MULTILINE)
    return int(found[1]) if found else 0


def memory(programs, keys, folder, runs):
    """What the daemon keeps when nobody asks it."""
    rows = []
    policies = [("the example policy (`policies/spa`)", ROOT / "policies/spa")]
    policies += [(f"{count:,} rules", Rules(count, keys).write(folder / f"{count}")) for count in (1_000, 10_000, 100_000)]
    for name, policy in policies:
        server = daemon(programs, folder, policy, "grpc")
        try:
            server.wait()
            # What the load needed is given back.
            time.sleep(5)
            rows.append({"name": name, "memory": server.resident_megabytes(), "own": server.resident_megabytes("RssAnon")})
        finally:
            server.stop()
    return rows


# A token of its own for each request, between `start` and `end`.
DISTINCT = """
local n = 0
request = function()
  n = n + 1
  return wrk.format("GET", nil, {["host"]="127.0.0.1", ["x-original-method"]="GET", ["x-original-uri"]="%(target)s",
    ["x-original-host"]="api.example.com", ["authorization"]="Bearer %(start)s" .. string.format("%%08d", n) .. "%(end)s"})
end
"""
KNOWN = DISTINCT.replace('string.format("%%08d", n)', '""')


def floods(programs, keys, folder, runs):
    """The memory of one daemon through a flood after another, by thirds."""
    rules = Rules(1_000, keys)
    policy = rules.write(folder / "policies")
    head, _, signature = rules.allowed.rpartition(".")
    kinds = [
        ("one valid token", KNOWN % {"target": rules.target, "start": rules.allowed, "end": ""}),
        ("tokens with forged signatures", DISTINCT % {"target": rules.target, "start": f"{head}.", "end": signature[8:]}),
        ("strings that aren't tokens", DISTINCT % {"target": rules.target, "start": "opaque-", "end": ""}),
    ]
    rows = []
    server = daemon(programs, folder, policy, "http")
    try:
        server.wait()
        for at, (name, script) in enumerate(kinds):
            path = folder / f"{at}.lua"
            path.write_text(script)
            resident, sent = [server.resident_megabytes()], 0
            for _ in range(3):
                sent += wrk(path, server.port, SECONDS)
                resident.append(server.resident_megabytes())
            rows.append({"name": name, "requests": sent, "resident": resident})
    finally:
        server.stop()
    return rows


def wrk(script, port, seconds):
    command = ["wrk", "-t1", "-c64", f"-d{seconds}s", "-s", script, f"http://127.0.0.1:{port}/nginx"]
    said = subprocess.run(pinned(LOAD_CORES, command), check=True, capture_output=True, text=True).stdout
    return int(re.search(r"(\d+) requests in", said)[1])


def large(programs, keys, folder, runs):
    """How long the daemon takes to serve a large policy, and the most memory that it has until then."""
    rows = []
    for count in (10_000, 100_000, 1_000_000):
        policy = Rules(count, keys).write(folder / f"{count}")
        before = time.monotonic()
        server = daemon(programs, folder, policy, "grpc")
        try:
            server.wait(120)
            took = time.monotonic() - before
            rows.append({"name": f"{count:,} rules", "seconds": took, "cpu": server.cpu_seconds(),
                         "peak": server.resident_megabytes("VmHWM"), "memory": server.resident_megabytes()})
        except CannotRun as reason:
            said = [line for line in str(reason).splitlines() if "limit" in line or "at most" in line] or [str(reason)]
            rows.append({"name": f"{count:,} rules", "refused": said[0].strip()[:200]})
        finally:
            server.stop()
    return rows


def in_process(programs, keys, folder, runs):
    """The benchmarks of `decide` and of verifying, by Criterion."""
    rows = []
    for name in ("decide", "verify"):
        command = [programs.benchmarks[name], "--bench", "--noplot", "--warm-up-time", 1, "--measurement-time", 2]
        # Criterion writes its files below `target`.
        said = subprocess.run(pinned(SERVER_CORE, command), cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for row in re.finditer(r"^(\S[^\n]*?)\s+time:\s+\[\S+ \S+ (\S+) (\S+) ", said, re.MULTILINE):
            scale = {"ps": 1e-3, "ns": 1, "µs": 1e3, "ms": 1e6}[row[3]]
            rows.append({"name": row[1].strip(), "nanoseconds": float(row[2]) * scale})
    return rows

"""What was measured, kept in `target/wire`, as the tables of docs/performance.md."""

import json
import os
import platform
import re
import statistics
from datetime import date
from pathlib import Path

from demands import demands
from programs import ROOT, version
from scenarios import CONNECTIONS, RULES, STREAMS
from trials import CALM, SECONDS

KEPT = ROOT / "target/wire"
PAGE = ROOT / "docs/performance.md"
# What `run` doesn't write of the page: why what isn't reached isn't.
PROFILES = "## Profiles"


def keep(programs, measured, arguments):
    """One file for each group: a later run replaces what it measured again."""
    KEPT.mkdir(parents=True, exist_ok=True)
    groups = {}
    for one in measured:
        groups.setdefault(one.group, []).append(one)
    for group, members in groups.items():
        path = KEPT / f"{group}.json"
        before = json.loads(path.read_text())["rows"] if path.exists() else {}
        rows = {one.key: {"name": getattr(one, "name", one.key), "runs": one.measured, "skipped": one.skipped} for one in members}
        path.write_text(json.dumps({
            "date": date.today().isoformat(), "runs": arguments.runs, "requests": arguments.requests,
            "versions": versions(programs), "rows": before | rows,
        }, indent=1))


def kept():
    return {path.stem: json.loads(path.read_text()) for path in sorted(KEPT.glob("*.json"))}


def versions(programs):
    """Of the programs that are here."""
    found = {}
    for name, arguments, pattern in (
        ("Envoy", ["envoy", "--version"], r"/(\d+\.\d+\.\d+)/"),
        ("nginx", ["nginx", "-v"], r"nginx/(\S+)"),
        ("HAProxy", ["haproxy", "-v"], r"version (\d\S+)"),
        ("OPA", ["opa", "version"], r"Version: (\S+)"),
        ("h2load", ["h2load", "--version"], r"nghttp2/(\S+)"),
        ("Rust", ["rustc", "--version"], r"rustc (\S+)"),
    ):
        program = {"envoy": programs.envoy, "nginx": programs.nginx, "haproxy": programs.haproxy, "opa": programs.opa}.get(arguments[0])
        try:
            command = [program() if program else arguments[0], *arguments[1:]]
        except Exception:
            continue
        if said := version(command, re.compile(pattern)):
            found[name] = said
    return found


class Figures:
    """Medians, by the keys of scenarios."""

    def __init__(self, groups):
        self.groups = groups

    def rows(self, group):
        return self.groups.get(group, {"rows": {}})["rows"]

    def of(self, key, figure):
        """A median, or nothing."""
        row = self.rows(key.split("/")[0]).get(key)
        return statistics.median(run[figure] for run in row["runs"]) if row and row["runs"] else None

    def added(self, key):
        """CPU beyond that of the plain proxy."""
        cpu, plain = self.of(key, "cpu"), self.of(f"{key.split('/')[0]}/plain", "cpu")
        return cpu - plain if cpu is not None and plain is not None else None

    def trial(self, key, name):
        """A row of a trial."""
        row = self.rows(key).get(key) or {"runs": []}
        return next((one for one in row["runs"] if one["name"] == name), None)


def tables(groups):
    figures = Figures(groups)
    parts = [("## Targets", demands(figures)), ("## The daemon", direct(figures))]
    for group, title in (("envoy", "## Through Envoy"), ("nginx", "## Through nginx"), ("haproxy", "## Through HAProxy")):
        parts.append((title, through(figures, group)))
    parts += [("## Reloads", reloads(figures)), ("## Memory", memory(figures)), ("## Large policies", large(figures)),
              ("## Within the process", in_process(figures))]
    return "\n\n".join(f"{title}\n\n{text}" for title, text in parts if text)


def table(head, rows):
    """A table of Markdown, if there are rows."""
    line = lambda cells: "| " + " | ".join(cells) + " |"
    return "\n".join([line(head), line(["---"] * len(head)), *map(line, rows)]) if rows else ""


def latency(row):
    return [f"{median(row, part):.2f} ms" for part in ("p50", "p99", "p999")]


def median(row, figure):
    return statistics.median(run[figure] for run in row["runs"])


def skipped(rows):
    names = [f"- {row['name']}: {row['skipped'].splitlines()[0]}" for row in rows.values() if row.get("skipped")]
    return "\n\nNot measured:\n\n" + "\n".join(names) if names else ""


def direct(figures):
    rows = []
    for group, least in (("grpc", "grpc/tonic"), ("http", "http/axum")):
        least = figures.of(least, "cpu")
        for row in figures.rows(group).values():
            if row["runs"]:
                cpu = median(row, "cpu")
                rows.append([f"{ {'grpc': 'gRPC', 'http': 'HTTP'}[group]}: {row['name']}", f"{cpu:.1f} µs",
                             f"{cpu / least:.2f}" if least else "", f"{median(row, 'rate'):,.0f}", *latency(row),
                             f"{median(row, 'memory'):.0f} MB"])
    head = ["", "CPU per request", "against tonic or axum", "requests/s", "p50", "p99", "p99.9", "memory"]
    return table(head, rows) + skipped(figures.rows("grpc") | figures.rows("http"))


def through(figures, group):
    rows = []
    for key, row in figures.rows(group).items():
        if row["runs"]:
            rows.append([row["name"], f"{median(row, 'cpu'):.1f} µs", microseconds(figures.added(key)),
                         f"{median(row, 'front'):.1f} µs", f"{median(row, 'rate'):,.0f}", *latency(row),
                         f"{median(row, 'memory'):.0f} MB"])
    head = ["", "CPU per request", "added", "of which the proxy", "requests/s", "p50", "p99", "p99.9", "memory"]
    head[3] = "the proxy's own CPU"
    return table(head, rows) + skipped(figures.rows(group))


def microseconds(time):
    return "" if time is None else f"{time:.1f} µs"


def trial(figures, key):
    row = figures.rows(key).get(key) or {"runs": [], "skipped": None}
    return row["runs"], f"Not measured: {row['skipped']}" if row["skipped"] else ""


def reloads(figures):
    rows, missing = trial(figures, "reload")
    text = f"The daemon, general path, 10,000 rules, at {CALM:,} requests per second. Its core also does the reloading.\n\n" if rows else ""
    return text + table(["", "p50", "p99", "p99.9", "reloads"], [
        [row["name"], *(f"{row[part]:.2f} ms" for part in ("p50", "p99", "p999")), f"{row['reloads']:.0f}"] for row in rows
    ]) + missing


def memory(figures):
    idle, missing = trial(figures, "memory")
    floods, also_missing = trial(figures, "floods")
    parts = [
        table(["the daemon at rest", "resident", "without the program's own file"],
              [[row["name"], f"{row['memory']:.1f} MB", f"{row['own']:.1f} MB"] for row in idle]),
        table([f"a load of {3 * SECONDS} s", "requests", "before", *(f"after {part * SECONDS} s" for part in (1, 2, 3))], [
            [row["name"], f"{row['requests']:,}", *(f"{at:.1f} MB" for at in row["resident"])] for row in floods
        ]),
        missing, also_missing,
    ]
    return "\n\n".join(part for part in parts if part)


def large(figures):
    rows, missing = trial(figures, "load")
    return table(["", "until it serves", "CPU", "peak memory", "memory"], [
        [row["name"], "refused: " + row["refused"], "", "", ""] if "refused" in row else
        [row["name"], f"{row['seconds']:.2f} s", f"{row['cpu']:.2f} s", f"{row['peak']:.0f} MB", f"{row['memory']:.0f} MB"]
        for row in rows
    ]) + missing


def in_process(figures):
    rows, missing = trial(figures, "process")
    return table(["benchmark", "time"], [[f"`{row['name']}`", time_of(row["nanoseconds"])] for row in rows]) + missing


def time_of(nanoseconds):
    return f"{nanoseconds:.0f} ns" if nanoseconds < 10_000 else f"{nanoseconds / 1000:.1f} µs"


def write(text, groups):
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    newest = max(groups.values(), key=lambda group: group["date"])
    programs = ", ".join(f"{name} {number}" for name, number in newest["versions"].items())
    runs, requests = newest["runs"], newest["requests"]
    old = PAGE.read_text() if PAGE.exists() else ""
    profiles = old[old.index(PROFILES):] if PROFILES in old else ""
    PAGE.write_text(f"""# Performance

What authorization costs: CPU time per request, latency and memory. `benches/wire/run --write` measures it and
writes this page, except for [the profiles](#profiles).
[Ways to ask portcullis](integrations.md) compares the ways by more than their cost.

Read ratios, not absolute figures: they depend on the machine. Rows of one table were measured in turn.

## How it is measured

- **Machine:** {model[1] if model else platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, {newest["date"]}.
- **Programs:** {programs}; portcullis is a release build.
- **Cores:** the server has one core, and a proxy shares it with what it asks. The load generator has the others.
- **Figures:** medians of {runs} runs of {requests:,} requests, or half as many through a proxy, after a warm-up. CPU is that
  of the server's whole process, or of proxy and server together. *Added* is what is beyond a proxy without
  authorization.
- **Load:** as fast as the server answers. gRPC: {CONNECTIONS} connections of {STREAMS} streams. HTTP/1.1: {CONNECTIONS * STREAMS} connections.
- **Policy:** {RULES:,} routes, each with a scope of its own, if a row doesn't say otherwise; the middle one is requested. One
  claim is forwarded. The token is RS256 and the same in all requests, so caches of verified tokens have it.
- **Proxies:** the files in `deploy/`, with one worker. They answer requests themselves, without an application.
- **Guard:** before each run, a valid token has to be allowed, and a forged one and one without the scope have to be
  denied, except by servers that allow everything.

{text}

{profiles}""".rstrip() + "\n")

"""The ratios that portcullis has set itself, and whether a measurement shows them."""


def demands(figures):
    """As a table of Markdown."""
    lines = ["| | required | measured | |", "| --- | --- | --- | --- |"]
    for name, limit, measured, at_least in rows(figures):
        if measured is None:
            shown, verdict = "not measured", ""
        else:
            shown, reached = f"{measured:.2f}", measured >= limit if at_least else measured <= limit
            verdict = "reached" if reached else "**not reached**"
        lines.append(f"| {name} | {'≥' if at_least else '≤'} {limit:g} | {shown} | {verdict} |")
    return "\n".join(lines)


def rows(figures):
    """Name, limit, what was measured, and whether the limit is the least."""
    cpu = lambda key: figures.of(key, "cpu")
    seconds, gigabytes = large(figures, "seconds", 1), large(figures, "peak", 1024)
    for name, limit, measured in (
        ("CPU of a gRPC check, thin path / always-OK tonic", 0.25, ratio(cpu("grpc/thin"), cpu("grpc/tonic"))),
        ("CPU of a gRPC check, general path / always-OK tonic", 1.1, ratio(cpu("grpc/general"), cpu("grpc/tonic"))),
        ("CPU of `/nginx`, thin path / always-OK axum", 1.0, ratio(cpu("http/nginx-thin"), cpu("http/axum"))),
    ):
        yield name, limit, measured, False
    fastest = max(filter(None, (figures.of(f"envoy/{path}", "rate") for path in ("thin", "general"))), default=None)
    yield "requests/s through Envoy, ext_authz to portcullis / to always-OK tonic", 1.2, ratio(fastest, figures.of("envoy/tonic", "rate")), True
    for name, limit, measured in (
        *((f"added CPU in Envoy, module / jwt_authn and rbac, {count:,} rules", limit,
           ratio(figures.added(f"envoy/module-{count}"), figures.added(f"envoy/rbac-{count}")))
          for count, limit in ((100, 0.35), (1000, 0.1))),
        ("added CPU in nginx, module / auth_request to always-OK axum", 0.2, ratio(figures.added("nginx/module"), figures.added("nginx/axum"))),
        ("`decide` at 1,000 routes, in ns", 100, nanoseconds(figures, "decide/item/1000")),
        ("`decide`, 100,000 routes / 10 routes", 1.3, ratio(nanoseconds(figures, "decide/item/100000"), nanoseconds(figures, "decide/item/10"))),
        ("verifying RS256 / its bare signature check", 1.1, ratio(nanoseconds(figures, "verify/RS256"), nanoseconds(figures, "verify/bare/RS256"))),
        ("1,000,000 rules: seconds until they are served", 10, seconds),
        ("1,000,000 rules: peak memory in GB", 1, gigabytes),
        ("p99.9 with a reload of 10,000 rules each second / without", 1.1, moved(figures)),
        ("memory at rest with the example policy, in MB", 15, value(figures, "memory", "the example policy (`policies/spa`)", "memory")),
        ("memory at the end of a load / after its first third, at most", 1.05, growth(figures)),
    ):
        yield name, limit, measured, False


def ratio(one, other):
    return one / other if one is not None and other else None


def value(figures, trial, name, figure):
    row = figures.trial(trial, name)
    return row.get(figure) if row else None


def nanoseconds(figures, name):
    return value(figures, "process", name, "nanoseconds")


def large(figures, figure, scale):
    found = value(figures, "load", "1,000,000 rules", figure)
    return found / scale if found is not None else None


def moved(figures):
    return ratio(value(figures, "reload", "a reload each second", "p999"), value(figures, "reload", "no reloads", "p999"))


def growth(figures):
    rows = figures.rows("floods").get("floods", {"runs": []})["runs"]
    return max((row["resident"][-1] / row["resident"][1] for row in rows), default=None)

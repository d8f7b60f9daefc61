"""What is measured: each row of the page's tables, with its servers, its load and its guard."""

import subprocess

import proxies
from measure import CannotRun, Load, Scenario, Server, free_port
from policy import HOST, Rules, fields

CHECK = "/envoy.service.auth.v3.Authorization/Check"
# Four connections of sixteen streams: two Envoys with two workers each.
CONNECTIONS, STREAMS = 4, 16
# The rules of the scenarios that don't vary them.
RULES = 1000


def scenarios(programs, keys, folder):
    """All of them, in the order in which they alternate."""
    rules = {count: Rules(count, keys) for count in (100, RULES, 10_000)}
    policies = {count: rules[count].write(folder / f"{count}") for count in rules}
    make = Make(programs, rules, policies)
    return [*make.grpc(), *make.http(), *make.through_envoy(), *make.through_nginx(), *make.through_haproxy()]


class Make:
    def __init__(self, programs, rules, policies):
        self.programs, self.rules, self.policies = programs, rules, policies
        self.usual = rules[RULES]

    def grpc(self):
        body = self.policies[RULES].parent / "check"
        body.write_bytes(self.usual.check_request(self.usual.allowed))
        load = Load(CHECK, GRPC_HEADERS, CONNECTIONS, STREAMS, body=body)
        guard = lambda port: guard_grpc(self.usual, port)
        one = lambda key, name, start, guard=None: Scenario(f"grpc/{key}", name, start, load, guard)
        yield one("thin", "portcullis, thin path", lambda at: [self.daemon(at, "grpc", thin=True)], guard)
        yield one("general", "portcullis, general path", lambda at: [self.daemon(at, "grpc")], guard)
        yield one("tonic", "always OK, tonic", lambda at: [self.always_ok(at, "grpc")])
        yield one("hyper", "always OK, hyper's HTTP/2", lambda at: [self.always_ok(at, "h2")])

    def http(self):
        for key, headers in (("nginx", self.original()), ("forward", self.forwarded())):
            load = Load(f"/{key}", headers(self.usual.allowed), CONNECTIONS * STREAMS, http1=True)
            guard = lambda port, key=key, headers=headers: guard_http(self.usual, port, f"/{key}", headers)
            start = lambda thin: lambda at: [self.daemon(at, "http", thin)]
            yield Scenario(f"http/{key}-thin", f"portcullis, `/{key}`, thin path", start(True), load, guard)
            yield Scenario(f"http/{key}", f"portcullis, `/{key}`, general path", start(False), load, guard)
        load = Load("/nginx", self.original()(self.usual.allowed), CONNECTIONS * STREAMS, http1=True)
        yield Scenario("http/axum", "always OK, axum", lambda at: [self.always_ok(at, "http")], load)

    def through_envoy(self):
        ext_authz, module = "ext-authz-grpc.yaml", "module.yaml"
        envoy = lambda at, *arguments, **more: proxies.envoy(self.programs, at, *arguments, **more)

        def asking(authorizer, raw=True):
            def start(folder):
                asked = authorizer(folder)
                yield asked
                yield envoy(folder, ext_authz, asks=asked.port, raw=raw)
            return start

        yield self.proxied("envoy/plain", "no authorization", lambda at: [envoy(at, module, filters=[])])
        yield self.proxied("envoy/tonic", "ext_authz, always OK (tonic)", asking(lambda at: self.always_ok(at, "grpc")))
        for key, thin, name in (("general", False, "general path"), ("thin", True, "thin path")):
            start = asking(lambda at, thin=thin: self.daemon(at, "grpc", thin))
            yield self.proxied(f"envoy/{key}", f"ext_authz, portcullis, {name}", start, self.usual)
        yield self.proxied("envoy/opa", "ext_authz, OPA", asking(self.opa, raw=False), self.usual, share=0.2)
        for count, rules in self.rules.items():
            filters = proxies.jwt_and_rbac(rules)
            start = lambda at, filters=filters: [envoy(at, module, filters=filters)]
            yield self.proxied(f"envoy/rbac-{count}", f"jwt_authn and rbac, {count:,} rules", start, rules, share=min(1, 100 / count))
        tree = proxies.jwt_and_rbac(self.usual, tree=True)
        start = lambda at: [envoy(at, module, filters=tree)]
        yield self.proxied("envoy/tree", f"jwt_authn and rbac with a matcher tree, {RULES:,} rules", start, self.usual)
        for count, rules in self.rules.items():
            start = lambda at, count=count: [envoy(at, module, portcullis=self.configured(at, count))]
            yield self.proxied(f"envoy/module-{count}", f"portcullis' module, {count:,} rules", start, rules)

    def through_nginx(self):
        nginx = lambda at, **more: proxies.nginx(self.programs, at, **more)

        def asking(authorizer):
            def start(folder):
                asked = authorizer(folder)
                yield asked
                yield nginx(folder, asks=asked.port)
            return start

        yield self.proxied("nginx/plain", "no authorization", lambda at: [nginx(at)])
        yield self.proxied("nginx/axum", "auth_request, always OK (axum)", asking(lambda at: self.always_ok(at, "http")))
        for key, thin, name in (("thin", True, "thin path"), ("daemon", False, "general path")):
            start = asking(lambda at, thin=thin: self.daemon(at, "http", thin))
            yield self.proxied(f"nginx/{key}", f"auth_request, portcullis, {name}", start, self.usual)
        start = lambda at: [nginx(at, portcullis=self.configured(at, RULES))]
        yield self.proxied("nginx/module", "portcullis' module", start, self.usual)

    def through_haproxy(self):
        haproxy = lambda at, *rules: [proxies.haproxy(self.programs, at, *rules)]
        yield self.proxied("haproxy/plain", "no authorization", haproxy)
        yield self.proxied("haproxy/jwt", "jwt_verify, one route", lambda at: haproxy(at, self.usual), self.usual)

    def proxied(self, key, name, start, decides=None, share=1.0):
        """A proxy that gets an ordinary client's request. Without `decides`, it allows everything."""
        rules = decides or self.usual
        load = Load(rules.target, rules.headers(rules.allowed), CONNECTIONS * STREAMS, http1=True)
        guard = lambda port: guard_http(rules, port, rules.target, rules.headers)
        return Scenario(key, name, start, load, guard if decides else None, share / 2)

    def original(self):
        """The headers of nginx' question."""
        return lambda token: [
            ("x-original-method", "GET"), ("x-original-uri", self.usual.target),
            ("x-original-host", HOST), *self.usual.headers(token)[1:],
        ]

    def forwarded(self):
        """The headers of a forward-auth question."""
        return lambda token: [
            ("x-forwarded-method", "GET"), ("x-forwarded-uri", self.usual.target),
            ("x-forwarded-host", HOST), ("x-forwarded-proto", "http"), *self.usual.headers(token)[1:],
        ]

    # --- The servers.

    def configured(self, folder, count, listeners="{}"):
        path = folder / "portcullis.yaml"
        path.write_text(f"policy: {self.policies[count]}\nlisteners: {listeners}\n")
        return path

    def daemon(self, folder, listener, thin=False):
        return daemon(self.programs, folder, self.policies[RULES], listener, thin)

    def always_ok(self, folder, protocol):
        port = free_port()
        return Server([self.programs.always_ok(), protocol, f"127.0.0.1:{port}"], port, folder)

    def opa(self, folder):
        """With its cache of verified tokens."""
        port = free_port()
        (folder / "policy.rego").write_text(self.usual.rego())
        settings = {
            "plugins.envoy_ext_authz_grpc.addr": f"127.0.0.1:{port}",
            "plugins.envoy_ext_authz_grpc.path": "measured/allow",
            "caching.inter_query_builtin_value_cache.named.io_jwt.max_num_entries": 1000,
        }
        options = [f"--set={name}={value}" for name, value in settings.items()]
        command = [self.programs.opa(), "run", "--server", f"--addr=127.0.0.1:{free_port()}", "--log-level=error"]
        return Server([*command, *options, "policy.rego"], port, folder)


def daemon(programs, folder, policy, listener, thin=False, more=""):
    """The daemon with one listener, and `admin`."""
    ports = {listener: free_port(), "admin": free_port()}
    addresses = {name: "off" for name in ("grpc", "http", "pdp")} | {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    if thin:
        addresses[listener] = f"{{ address: '{addresses[listener]}', {THIN} }}"
    lines = "".join(f"  {name}: {address}\n" for name, address in addresses.items())
    (folder / "portcullis.yaml").write_text(f"policy: {policy}\nlisteners:\n{lines}{more}")
    server = Server([programs.daemon(), "serve", "--config", "portcullis.yaml"], ports[listener], folder)
    server.admin = ports["admin"]
    return server


# The option of a listener for the thin path.
THIN = "server: thin"
GRPC_HEADERS = [("content-type", "application/grpc"), ("te", "trailers")]


# --- Guards: nobody measures a server that allows everything, or nothing.


def guard_http(rules, port, target, headers):
    # Some answer 403 to a forged token, too.
    for token, expected in ((rules.allowed, "200"), (rules.forged, "401 403"), (rules.other_scope, "403")):
        arguments = [part for name, value in headers(token) for part in ("-H", f"{name}: {value}")]
        answer = curl("-o", "/dev/null", "-w", "%{http_code}", *arguments, f"http://127.0.0.1:{port}{target}")
        if answer.decode() not in expected.split():
            raise CannotRun(f"the guard expected {expected} and got {answer.decode()}")


def guard_grpc(rules, port):
    headers = [part for name, value in GRPC_HEADERS for part in ("-H", f"{name}: {value}")]
    # `ok_response` and `denied_response` of a CheckResponse.
    for token, expected in ((rules.allowed, 3), (rules.forged, 2), (rules.other_scope, 2)):
        sent = ["--http2-prior-knowledge", "--data-binary", "@-", *headers, f"http://127.0.0.1:{port}{CHECK}"]
        answer = curl(*sent, stdin=rules.check_request(token))
        if expected not in fields(answer[5:]):
            raise CannotRun(f"the guard expected field {expected} of a CheckResponse and got {answer!r}")


def curl(*arguments, stdin=None):
    done = subprocess.run(["curl", "-s", *arguments], input=stdin, capture_output=True)
    return done.stdout

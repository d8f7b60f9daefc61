"""Real proxies with the files of `deploy/`, changed where a measurement needs it.

Each answers the request itself (`direct_response`, `empty_gif`, `return`), so an application costs nothing."""

import json
import re

from measure import Server, free_port
from policy import AUDIENCE, HOST, ISSUER, Rules
from programs import ROOT


def envoy(programs, folder, deployed, *, filters=None, asks=None, raw=True, portcullis=None):
    """Envoy with one worker and a file of `deploy/envoy`.

    `filters` take the place of portcullis' own, if they are given, even none. Not everyone who is asked
    understands `raw` headers."""
    port = free_port()
    text = (ROOT / "deploy/envoy" / deployed).read_text()
    text = replaced(text, "port_value: 8000", f"port_value: {port}")
    text = replaced(text, "port_value: 9901", f"port_value: {free_port()}")
    text = replaced(text, "route: { cluster: application, timeout: 30s }", "direct_response: { status: 200 }")
    if filters is not None:
        own = re.compile(r"( +)- name: (?:portcullis|envoy\.filters\.http\.ext_authz)\n.*?(?=\1- name:)", re.DOTALL)
        lines = "".join(f"          - {json.dumps(one)}\n" for one in filters)
        text, count = own.subn(lambda _: lines, text, count=1)
        assert count == 1, "portcullis' filter isn't where it was"
    if asks:
        text = replaced(text, "port_value: 9191", f"port_value: {asks}")
        # A machine that measures is busy.
        text = replaced(text, "timeout: 0.2s", "timeout: 20s")
        text = replaced(text, "connect_timeout: 0.1s", "connect_timeout: 5s")
        if not raw:
            text = replaced(text, "encode_raw_headers: true", "encode_raw_headers: false")
    environment = {}
    if portcullis:
        text = replaced(text, "/etc/portcullis/portcullis.yaml", str(portcullis))
        environment["ENVOY_DYNAMIC_MODULES_SEARCH_PATH"] = str(programs.envoy_module().parent)
    path = folder / "envoy.yaml"
    path.write_text(text)
    command = [programs.envoy(), "--config-path", path, "--concurrency", 1, "--use-dynamic-base-id", "--log-level", "warning"]
    return Server(command, port, folder, environment)


def jwt_and_rbac(rules, tree=False):
    """Envoy's own filters with the same rules, as fast as Envoy allows: verified tokens are cached, and a
    rule compares a prefix instead of a pattern, although it then also matches longer paths."""
    provider = {
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": {"inline_string": rules.keys.set},
        "forward": True,
        "claim_to_headers": [{"header_name": "x-user-id", "claim_name": "sub"}],
        "payload_in_metadata": "jwt",
        "normalize_payload_in_metadata": {"space_delimited_claims": ["scope"]},
        "jwt_cache_config": {"jwt_cache_size": 1000, "jwt_max_token_size": 8192},
    }
    jwt_authn = typed("extensions.filters.http.jwt_authn.v3.JwtAuthentication", "envoy.filters.http.jwt_authn",
                      providers={"acme": provider},
                      rules=[{"match": {"prefix": "/"}, "requires": {"provider_name": "acme"}}])
    rbac = {"matcher": rules_as_a_tree(rules)} if tree else {"rules": rules_as_a_list(rules)}
    return [jwt_authn, typed("extensions.filters.http.rbac.v3.RBAC", "envoy.filters.http.rbac", **rbac)]


# Where jwt_authn puts the scopes.
SCOPES = {"filter": "envoy.filters.http.jwt_authn", "path": [{"key": "jwt"}, {"key": "scope"}]}


def rules_as_a_list(rules):
    """What most configurations have. Envoy tries the policies by name: in this order."""
    route = lambda at: {"and_rules": {"rules": [
        {"url_path": {"path": {"prefix": f"/things{at}/"}}},
        {"header": {"name": ":method", "string_match": {"exact": "GET"}}},
    ]}}
    scope = lambda at: {"metadata": {**SCOPES, "value": one_of(Rules.scope_of(at))}}
    return {"action": "ALLOW", "policies": {
        f"{at:07}": {"permissions": [route(at)], "principals": [scope(at)]} for at in range(rules.count)
    }}


def rules_as_a_tree(rules):
    """Envoy's newer way: it looks the path up in a trie."""
    header = lambda name: typed("type.matcher.v3.HttpRequestHeaderMatchInput", name, header_name=name)
    scopes = typed("extensions.matching.common_inputs.network.v3.DynamicMetadataInput", "scopes", **SCOPES)
    method = {"single_predicate": {"input": header(":method"), "value_match": {"exact": "GET"}}}
    scope = lambda at: {"single_predicate": {"input": scopes, "custom_match": typed(
        "extensions.matching.input_matchers.metadata.v3.Metadata", "scope", value=one_of(Rules.scope_of(at)))}}
    allow = {"action": typed("config.rbac.v3.Action", "allow", name="allow", action="ALLOW")}
    route = lambda at: {"matcher": {"matcher_list": {"matchers": [
        {"predicate": {"and_matcher": {"predicate": [method, scope(at)]}}, "on_match": allow}
    ]}}}
    return {"matcher_tree": {"input": header(":path"), "prefix_match_map": {
        "map": {f"/things{at}/": route(at) for at in range(rules.count)}
    }}}


def one_of(text):
    return {"list_match": {"one_of": {"string_match": {"exact": text}}}}


def typed(kind, name, /, **config):
    """An extension of Envoy."""
    return {"name": name, "typed_config": {"@type": f"type.googleapis.com/envoy.{kind}", **config}}


def nginx(programs, folder, *, asks=None, portcullis=None):
    """nginx with one worker: alone, with `auth_request`, or with the module."""
    port = free_port()
    text = (ROOT / "deploy/nginx" / ("nginx.conf" if asks else "module.conf")).read_text()
    text = replaced(text, "127.0.0.1:8000", f"127.0.0.1:{port}")
    text = replaced(text, "proxy_pass http://application;", "empty_gif;")
    text = replaced(text, "worker_processes auto;", "worker_processes 1;")
    if asks:
        text = replaced(text, "server 127.0.0.1:9190;", f"server 127.0.0.1:{asks};")
        for setting in ("connect", "send", "read"):
            text, _ = re.subn(rf"proxy_{setting}_timeout( +)1s", rf"proxy_{setting}_timeout\g<1>20s", text)
    elif portcullis:
        text = replaced(text, "/etc/nginx/modules/ngx_http_portcullis_module.so", str(programs.nginx_module()))
        text = replaced(text, "/etc/portcullis/portcullis.yaml", str(portcullis))
    else:
        text = re.sub(r"^(load_module| *portcullis_config) .*;$", "", text, flags=re.MULTILINE)
    # The compiled-in folders belong to the system's nginx, and those of a measurement to its user.
    places = "".join(f"    {part}_temp_path {part};\n" for part in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    text = replaced(text, "http {\n", f"http {{\n    access_log off;\n    keepalive_requests 1000000000;\n{places}", count=1)
    text = replaced(text, "keepalive 64;", "keepalive 64;\n        keepalive_requests 1000000000;")
    path = folder / "nginx.conf"
    path.write_text(f"user root;\n{text}")
    options = "daemon off; pid nginx.pid;"
    return Server([programs.nginx(), "-p", folder, "-c", path, "-g", options, "-e", "stderr"], port, folder)


def haproxy(programs, folder, rules=None):
    """HAProxy with one thread: alone, or with `jwt_verify` and one route.

    It has no cache of verified tokens."""
    port = free_port()
    checks = f"""
    http-request set-var(txn.bearer) http_auth_bearer
    http-request set-var(txn.now) date()
    http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
    http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_header_query('$.alg') -m str RS256 }}
    http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_payload_query('$.iss') -m str {ISSUER} }}
    http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_payload_query('$.aud') -m str {AUDIENCE} }}
    http-request deny deny_status 401 if {{ var(txn.exp),sub(txn.now) -m int lt 0 }}
    http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_verify("RS256","{rules.keys.public}") 1 }}
    http-request set-header x-user-id %[var(txn.bearer),jwt_payload_query('$.sub')]
    http-request deny deny_status 403 unless {{ path_beg /things{rules.asked}/ }} {{ var(txn.bearer),jwt_payload_query('$.scope') -m sub {rules.scope} }} {{ hdr(host) {HOST} }}
""" if rules else ""
    path = folder / "haproxy.cfg"
    path.write_text(f"""global
    nbthread 1

defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s

frontend api
    bind 127.0.0.1:{port}{checks}
    http-request return status 200
""")
    return Server([programs.haproxy(), "-db", "-f", path], port, folder)


def replaced(text, old, new, count=-1):
    """A file of `deploy/` may change, and then a measurement must not silently measure something else."""
    assert old in text, f"`{old}` isn't there"
    return text.replace(old, new, count)

"""The policy that is measured, its tokens, and the same rules for other authorizers."""

import base64
import json
import subprocess
import time

ISSUER, AUDIENCE, HOST = "https://issuer.example/", "https://api.example.com", "api.example.com"
# A policy file may have 8 MiB.
ROUTES_PER_FILE = 100_000


class Keys:
    """An RSA key, as most providers have it. Made by openssl, since Python has no RSA of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.private, self.public = folder / "private.pem", folder / "public.pem"
        openssl("genrsa", "-out", self.private, "2048")
        openssl("rsa", "-in", self.private, "-pubout", "-out", self.public)
        modulus = openssl("rsa", "-in", self.private, "-noout", "-modulus").decode().strip()
        number = base64url(bytes.fromhex(modulus.removeprefix("Modulus="))).decode()
        jwk = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "key", "n": number, "e": "AQAB"}
        self.set = json.dumps({"keys": [jwk]})

    def token(self, scope):
        """A token of usual size."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
            "iat": now,
            "exp": now + 86_400,
            "azp": "my_client_id",
            "scope": f"openid profile email {scope}",
            "roles": ["member", "editor", "support"],
        }
        head = {"alg": "RS256", "typ": "at+jwt", "kid": "key"}
        text = b".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
        signature = openssl("dgst", "-sha256", "-sign", self.private, stdin=text)
        return (text + b"." + base64url(signature)).decode()


class Rules:
    """So many routes, each with its own scope; the middle one is asked for.

    An engine that tries them in order has half of them before it."""

    def __init__(self, count, keys):
        self.count, self.keys, self.asked = count, keys, count // 2
        self.target, self.scope = f"/things{self.asked}/1", self.scope_of(self.asked)
        self.allowed = keys.token(f"{self.scope} write:things")
        self.other_scope = keys.token("read:nothing")
        head, _, signature = self.allowed.rpartition(".")
        changed = "A" if signature[0] != "A" else "B"
        self.forged = f"{head}.{changed}{signature[1:]}"

    @staticmethod
    def scope_of(route):
        return f"read:things{route}"

    def write(self, folder, also=""):
        """The policy as a folder of portcullis' files."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "keys.json").write_text(self.keys.set)
        (folder / "api.gate").write_text(
            f"""language 1

issuer acme {{
    url         "{ISSUER}"
    algorithms  RS256
    keys file   "keys.json"
}}

api things {{
    host      "{HOST}"
    issuer    acme
    audience  "{AUDIENCE}"
    forward   sub as "x-user-id"
}}
"""
        )
        for start in range(0, self.count, ROUTES_PER_FILE):
            routes = range(start, min(start + ROUTES_PER_FILE, self.count))
            self.replace(folder / f"routes{start // ROUTES_PER_FILE}.gate", routes, also)
        return folder

    def replace(self, file, routes, also=""):
        """Puts a file of routes in place of an older one, in one step."""
        lines = "".join(f'    GET /things{at}/{{id}} requires scope "{self.scope_of(at)}"\n' for at in routes)
        draft = file.with_suffix(".new")
        draft.write_text(f"api things {{\n{lines}{also}}}\n")
        draft.rename(file)

    def headers(self, token):
        """The headers of an ordinary client, in their order."""
        return [
            ("host", HOST),
            ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
            ("accept", "application/json"),
            ("authorization", f"Bearer {token}"),
        ]

    def check_request(self, token):
        """A CheckRequest as Envoy sends it with `encode_raw_headers`
        (envoy/service/auth/v3/attribute_context.proto), with gRPC's framing."""
        headers = {
            ":authority": HOST,
            ":method": "GET",
            ":path": self.target,
            ":scheme": "http",
            **dict(self.headers(token)[1:]),
            "x-forwarded-proto": "http",
            "x-request-id": "0f5c5f6e-3a0b-4c4e-9a5e-6d8f2f1f3c11",
        }
        entries = b"".join(
            field(1, field(1, name.encode()) + field(3, value.encode())) for name, value in headers.items()
        )
        request = (
            field(1, b"9876543210")
            + field(2, b"GET")
            + field(4, self.target.encode())
            + field(5, HOST.encode())
            + field(6, b"http")
            + field(10, b"HTTP/1.1")
            + field(13, entries)
        )
        message = field(1, field(4, field(2, request)))
        return b"\0" + len(message).to_bytes(4, "big") + message

    def rego(self):
        """The same rules for OPA."""
        rules = "\n".join(
            f'allow if {{\n\tinput.parsed_path = ["things{at}", _]\n\tmethod == "GET"\n\t"{self.scope_of(at)}" in scopes\n}}\n'
            for at in range(self.count)
        )
        return f"""package measured

default allow := false

method := input.attributes.request.http.method

token := substring(input.attributes.request.http.headers.authorization, 7, -1)

claims := payload if {{
\t[valid, _, payload] := io.jwt.decode_verify(token, {{
\t\t"cert": {json.dumps(self.keys.set)},
\t\t"iss": "{ISSUER}",
\t\t"aud": "{AUDIENCE}",
\t}})
\tvalid
}}

scopes := split(claims.scope, " ")

{rules}"""


def openssl(*arguments, stdin=b""):
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, input=stdin).stdout


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def varint(number):
    encoded = b""
    while number > 127:
        encoded, number = encoded + bytes([number & 127 | 128]), number >> 7
    return encoded + bytes([number])


def field(number, value):
    """A protobuf field of bytes."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(message):
    """The numbers of a message's fields of bytes, and what is in them; numbers are skipped."""
    found, at = {}, 0
    while at < len(message):
        tag, at = read_varint(message, at)
        value, at = read_varint(message, at)
        if tag & 7 == 2:
            found[tag >> 3] = message[at : at + value]
            at += value
    return found


def read_varint(message, at):
    number = shift = 0
    while True:
        number |= (message[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if message[at - 1] < 128:
            return number, at

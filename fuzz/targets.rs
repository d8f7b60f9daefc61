//! The fuzzer's targets, also used by the tests of the corpus: any bytes, and the properties that
//! must hold for them.

#[path = "logs.rs"]
mod logs;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::analyze;
use portcullis::check::{self, Checked, Files};
use portcullis::compile::compile;
use portcullis::engine::{self, Evidence, Policy, Request, Scheme};
use portcullis::json::Json;
use portcullis::judge::{self, Client};
use portcullis::keys::{self, KeySet, Keys, Provenance};
use portcullis::settings::{IssuerId, Tenant};
use portcullis::source::Sources;
use portcullis::text::is_unshowable;
use portcullis::token::{self, Admitted, Demands, Introspection, Sender, Shown};
use portcullis::{answer, syntax};

/// The secret of the fuzzed issuer: not secret at all, and only used here.
const SECRET: &[u8; 32] = b"a secret for the fuzzer, no more";

const NOW: f64 = 1_767_225_600.0;

const POLICY: &str = r#"
issuer acme {
    url         "https://acme.example/"
    algorithms  HS256
    keys file   "keys.json"
    keys introspect "https://acme.example/introspect"
    max age     1h
    claims {
        org_id  string
        roles   list of string  from realm_access.roles
    }
}
api orders {
    host      "api.example.com", "*.api.example.com"
    issuer    acme
    audience  "https://api.example.com"
    token in  query "access_token"
    forward   sub as "x-user-id"

    GET     /public/**            public
    GET     /orders/{id}          requires scope "read:orders"
    GET     /orgs/{org}/orders    requires claim org_id == path.org
    POST    /{any}/orders         authenticated or anonymous
    *       /internal/**          denied
    GET     /files/{name}.csv     requires query "q" present and claim roles contains "admin"
}
"#;

struct Ring(Arc<KeySet>);

impl Keys for Ring {
    fn of(&self, _: IssuerId, _: Option<&Tenant>) -> Option<Arc<KeySet>> {
        Some(Arc::clone(&self.0))
    }
}

/// The policy that paths and tokens are fuzzed against, and its issuer's key.
static WORLD: LazyLock<(Policy, Ring)> = LazyLock::new(|| {
    let jwk = format!(
        r#"{{"kty":"oct","k":"{}"}}"#,
        URL_SAFE_NO_PAD.encode(SECRET)
    );
    let set = keys::parse(jwk.as_bytes(), Provenance::File).expect("a key set");
    let (sources, checked) = checked(POLICY, jwk.as_bytes());
    let model = checked.model.expect("a policy without errors");
    (compile(model, Arc::new(sources)), Ring(Arc::new(set)))
});

/// Checks a policy; every file that it names has the same contents.
fn checked(text: &str, beside: &[u8]) -> (Sources, Checked) {
    let mut sources = Sources::new();
    let file = sources.add("policy.gate", text);
    let (document, mut diagnostics) = syntax::parse(&sources, file);
    let documents = vec![document];
    let mut files = Files::new();
    for path in check::referenced_files(&sources, &documents) {
        files.insert(path, Ok(beside.to_vec()));
    }
    let mut checked = check::check(check::Input {
        sources: &sources,
        documents,
        files: &files,
        params: &BTreeMap::new(),
    });
    assert!(checked.model.is_none() || !portcullis::diagnostic::has_errors(&diagnostics));
    diagnostics.append(&mut checked.diagnostics);
    checked.diagnostics = diagnostics;
    (sources, checked)
}

/// Any text is a policy or has errors, each of which can be shown.
pub fn policy(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (sources, checked) = checked(text, b"192.0.2.0/24\n");
    let shown =
        portcullis::diagnostic::render::human(&sources, &checked.diagnostics, false).to_string();
    match checked.model {
        Some(model) => {
            let policy = compile(model, Arc::new(sources));
            let _ = ask(&policy, "GET", b"/orders/1", &[], Evidence::Nothing);
        }
        None => assert!(!shown.is_empty(), "a policy is refused without a word"),
    }
}

/// The separator between two policies.
const BETWEEN: &str = "\n===\n";

/// The longest text of two policies: the analysis is bounded, but its limits are those of whole
/// policies, and a fuzzer needs many small ones.
const MAX_PAIR_BYTES: usize = 4 << 10;

/// Two policies are compared, or an error says why not. Reported changes are real, and appear in
/// the other direction too.
pub fn diff(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if text.len() > MAX_PAIR_BYTES {
        return;
    }
    let (old, new) = text.split_once(BETWEEN).unwrap_or((text, text));
    let compiled = |text: &str| {
        let (sources, checked) = checked(text, b"192.0.2.0/24\n");
        Some(compile(checked.model?, Arc::new(sources)))
    };
    let (Some(before), Some(after)) = (compiled(old), compiled(new)) else {
        return;
    };
    let compared = [
        analyze::diff(&before, &after, NOW),
        analyze::diff(&after, &before, NOW),
    ];
    let mut equal = Vec::new();
    for (result, from, to) in [
        (&compared[0], &before, &after),
        (&compared[1], &after, &before),
    ] {
        match result {
            Ok(difference) => {
                equal.push(difference.changes.is_empty());
                for change in &difference.changes {
                    if let Some(witness) = &change.witness {
                        assert_eq!(witness.decide(from).verdict, change.old, "{change:?}");
                        assert_eq!(witness.decide(to).verdict, change.new, "{change:?}");
                    }
                }
            }
            Err(analyze::Failure::TooComplex { .. }) => {}
            Err(mismatch) => panic!("{mismatch}"),
        }
    }
    equal.dedup();
    assert!(equal.len() < 2, "equal in one direction only");
    assert!(
        old != new || equal.first() != Some(&false),
        "a policy differs from itself"
    );
}

/// Any policy has one layout: with the same words and comments, and stable.
pub fn fmt(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let layout = |text: &str| {
        let mut sources = Sources::new();
        let file = sources.add("policy.gate", text);
        syntax::layout(&sources, file)
    };
    match layout(text) {
        Ok(laid) => {
            assert!(syntax::is_relaid(text, &laid), "{laid}");
            assert_eq!(layout(&laid).as_ref(), Ok(&laid));
        }
        Err(errors) => assert!(
            portcullis::diagnostic::has_errors(&errors),
            "no layout, and no word why"
        ),
    }
}

/// Decides one request.
fn ask(
    policy: &Policy,
    method: &str,
    target: &[u8],
    headers: &[(&str, &[u8])],
    evidence: Evidence<'_>,
) -> bool {
    let request = Request {
        method,
        target,
        scheme: Some("https"),
        host: Some("api.example.com"),
        headers,
        address: None,
        now: NOW,
        masked: false,
    };
    let routed = policy.route(&request);
    let _ = routed.token();
    let decision = engine::decide(&routed, evidence);
    let answer = answer::answer(
        &decision,
        answer::Explain::Full,
        None,
        "0",
        None,
        |status| status,
    );
    for (name, value) in &answer.headers {
        let printable = value.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
        assert!(printable, "{name}: {value}");
    }
    let _ = engine::explain(&routed, evidence);
    decision.allowed()
}

/// A token's fault quotes the token, but can be shown on a terminal and sent in a challenge.
fn can_be_told(policy: &Policy, fault: &engine::Fault) {
    let hidden = fault.hint.chars().find(|shown| is_unshowable(*shown));
    assert_eq!(hidden, None, "{:?}", fault.hint);
    assert!(!ask(
        policy,
        "GET",
        b"/orders/1",
        &[],
        Evidence::Fault(fault)
    ));
}

/// Any bytes are a request target or are refused; an ambiguous one is never allowed.
pub fn path(bytes: &[u8]) {
    let (policy, _) = &*WORLD;
    for method in ["GET", "POST", "get", "CONNECT"] {
        if ask(policy, method, bytes, &[], Evidence::Nothing) {
            let segments = only_reading(bytes);
            let shown = String::from_utf8_lossy(bytes);
            let first = segments.unwrap_or_else(|| panic!("{shown} has two readings"));
            assert_ne!(first, b"internal", "{shown}");
        }
    }
}

/// The first segment of a path, if all of it can be read in only one way. Written independently of
/// the engine's reading of paths.
fn only_reading(target: &[u8]) -> Option<Vec<u8>> {
    let path = target.split(|byte| *byte == b'?').next()?;
    let segments: Vec<&[u8]> = path
        .strip_prefix(b"/")?
        .split(|byte| *byte == b'/')
        .collect();
    let mut first = None;
    for (at, segment) in segments.iter().enumerate() {
        let mut decoded = Vec::new();
        let mut rest = segment.iter().copied();
        while let Some(byte) = rest.next() {
            let (byte, escaped) = if byte == b'%' {
                let digits = [rest.next()?, rest.next()?];
                let digits = std::str::from_utf8(&digits).ok()?;
                (u8::from_str_radix(digits, 16).ok()?, true)
            } else {
                (byte, false)
            };
            let strange = matches!(byte, 0..=0x1f | 0x7f | b'\\' | b';' | b'#')
                || (escaped && matches!(byte, b'/' | b'%' | b'?'))
                || (!escaped && byte > 0x7f);
            if strange {
                return None;
            }
            decoded.push(byte);
        }
        let last = at + 1 == segments.len();
        let text = std::str::from_utf8(&decoded).ok()?;
        // Windows drops dots and blanks at the end of a name.
        let kept = text.trim_end_matches(|end: char| end == '.' || end.is_whitespace());
        if kept != text || (text.is_empty() && !last) {
            return None;
        }
        first.get_or_insert(decoded);
    }
    first
}

/// No introspection answer passes without `active`, and none causes a panic.
pub fn introspection(bytes: &[u8]) {
    let (policy, _) = &*WORLD;
    let Some(api) = policy.apis().first() else {
        return;
    };
    if let Ok(text) = std::str::from_utf8(bytes) {
        // Any issuer, any token.
        let _ = token::whom_to_ask(text, policy, api);
    }
    let Ok(answer) = Introspection::read(bytes) else {
        return;
    };
    let json = Json::parse(bytes).expect("what was read is JSON");
    let active = json.get("active").and_then(Json::as_bool);
    assert_eq!(active, Some(answer.is_active()));
    let verified = match token::introspected(&answer, policy, api, IssuerId(0)) {
        Ok(verified) => verified,
        Err(fault) => {
            can_be_told(policy, &fault);
            return;
        }
    };
    assert_eq!(active, Some(true));
    let iss = json.get("iss").map(|iss| iss.as_str());
    assert!(matches!(iss, None | Some(Some("https://acme.example/"))));
    if token::admit(&verified, policy, api, &Sender::Assumed, NOW).is_ok() {
        let exp = json.get("exp").map(|exp| exp.as_f64());
        let in_time = |exp: Option<f64>| exp.is_some_and(|exp| exp + 60.0 > NOW);
        assert!(exp.is_none_or(in_time), "expired");
        assert!(json.get("aud").is_some(), "for nobody");
    }
    let evidence = Evidence::Token {
        facts: verified.facts(),
        kind: verified.kind(),
    };
    for target in [&b"/orders/1"[..], b"/orgs/acme/orders", b"/files/a.csv?q=1"] {
        let _ = ask(policy, "GET", target, &[], evidence);
    }
}

/// No bytes are a valid token, and no signed claims cause a panic.
pub fn token(bytes: &[u8]) {
    let (policy, keys) = &*WORLD;
    let Some(api) = policy.apis().first() else {
        return;
    };
    if let Ok(text) = std::str::from_utf8(bytes) {
        match token::verify(text, policy, api, keys) {
            Ok(_) => assert!(is_signed(text), "a forged token passed: {text}"),
            Err(fault) => can_be_told(policy, &fault),
        }
        let authorization = format!("Bearer {text}");
        let request = Request {
            method: "GET",
            target: b"/orders/1",
            scheme: Some("https"),
            host: Some("api.example.com"),
            headers: &[("authorization", authorization.as_bytes())],
            address: None,
            now: NOW,
            masked: false,
        };
        let judged = judge::judge(policy, &request, Client::default(), keys);
        assert!(!judged.decide().allowed() || is_signed(text.trim()));
    }
    // A header up to the first line end, then the claims, signed.
    let (header, claims) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (&br#"{"alg":"HS256"}"#[..], bytes),
    };
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let signature = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, SECRET),
        message.as_bytes(),
    );
    let signed = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
    let Ok(verified) = token::verify(&signed, policy, api, keys) else {
        return;
    };
    let json = Json::parse(claims).expect("what was verified is JSON");
    let iss = json.get("iss").and_then(Json::as_str);
    assert_eq!(iss, Some("https://acme.example/"));
    if token::admit(&verified, policy, api, &Sender::Assumed, NOW).is_ok() {
        let exp = json.get("exp").and_then(Json::as_f64);
        assert!(exp.is_some_and(|exp| exp + 60.0 > NOW), "expired");
    }
    let evidence = Evidence::Token {
        facts: verified.facts(),
        kind: verified.kind(),
    };
    for target in [&b"/orders/1"[..], b"/orgs/acme/orders", b"/files/a.csv?q=1"] {
        let _ = ask(policy, "GET", target, &[], evidence);
    }
}

/// Whether the fuzzer's input is a token that this target itself would sign.
fn is_signed(token: &str) -> bool {
    let Some((message, signature)) = token.rsplit_once('.') else {
        return false;
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    URL_SAFE_NO_PAD
        .decode(signature)
        .is_ok_and(|signature| hmac::verify(&key, message.as_bytes(), &signature).is_ok())
}

/// A policy that accepts bound tokens, and one bound to the target's own key.
static BOUND: LazyLock<(Policy, String)> = LazyLock::new(|| {
    let text = POLICY.replace("max age     1h", "sender      dpop");
    let (sources, checked) = checked(
        &text,
        br#"{"kty":"oct","k":"YSBzZWNyZXQgZm9yIHRoZSBmdXp6ZXIsIG5vIG1vcmU"}"#,
    );
    let model = checked.model.expect("a policy without errors");
    let claims = format!(
        r#"{{"iss":"https://acme.example/","aud":"https://api.example.com","exp":1e10,"cnf":{{"jkt":"{}"}}}}"#,
        client_thumbprint()
    );
    (compile(model, Arc::new(sources)), claims)
});

/// The client's key, no more secret than [`SECRET`].
static CLIENT: LazyLock<Ed25519KeyPair> = LazyLock::new(|| {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed of the right length")
});

fn client_jwk() -> String {
    format!(
        r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#,
        URL_SAFE_NO_PAD.encode(CLIENT.public_key().as_ref())
    )
}

fn client_thumbprint() -> keys::Thumbprint {
    let jwk = client_jwk();
    let jwk = Json::parse(jwk.as_bytes()).expect("a key");
    keys::public_key(&jwk).expect("a public key").thumbprint()
}

/// No bytes are a valid proof, except one that the client's key has signed for this request, this
/// token and this time.
pub fn proof(bytes: &[u8]) {
    if let Ok(Admitted::Once(_)) = shown(bytes) {
        let text = String::from_utf8_lossy(bytes);
        let (message, signature) = text
            .trim_matches(' ')
            .rsplit_once('.')
            .expect("three parts");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        let public = UnparsedPublicKey::new(&ED25519, CLIENT.public_key().as_ref());
        assert!(
            public.verify(message.as_bytes(), &signature).is_ok(),
            "a forged proof passed: {text}"
        );
    }
    // A header up to the first line end, then the claims, signed.
    let usual = format!(
        r#"{{"typ":"dpop+jwt","alg":"EdDSA","jwk":{}}}"#,
        client_jwk()
    );
    let (header, claims) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (usual.as_bytes(), bytes),
    };
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let signature = URL_SAFE_NO_PAD.encode(CLIENT.sign(message.as_bytes()).as_ref());
    let Ok(admitted) = shown(format!("{message}.{signature}").as_bytes()) else {
        return;
    };
    let Admitted::Once(proof) = admitted else {
        panic!("a bound token passed without its proof");
    };
    assert_eq!(proof.key(), client_thumbprint());
    let json = Json::parse(claims).expect("what was verified is JSON");
    let text = |name| json.get(name).and_then(Json::as_str).expect("a string");
    assert_eq!(text("htm"), "GET");
    let htu = text("htu").to_ascii_lowercase();
    assert!(htu.starts_with("https://api.example.com"), "{htu}");
    assert_eq!(
        text("ath"),
        URL_SAFE_NO_PAD.encode(digest(&SHA256, b"a.b.c"))
    );
    let iat = json.get("iat").and_then(Json::as_f64).expect("a number");
    assert!((NOW - iat).abs() <= 60.0, "{iat}");
}

/// The outcome for a bound token with this proof.
fn shown(proof: &[u8]) -> Result<Admitted, engine::Fault> {
    let (policy, claims) = &*BOUND;
    let api = policy.apis().first().expect("an API");
    let claims = Json::parse(claims.as_bytes()).expect("claims");
    let verified = token::from_claims(&claims, policy, api).expect("claims that pass");
    let request = Request {
        method: "GET",
        target: b"/orders/1?a=b",
        scheme: Some("https"),
        host: Some("api.example.com"),
        headers: &[("dpop", proof)],
        address: None,
        now: NOW,
        masked: false,
    };
    let sender = Sender::Shown(Shown {
        request: &request,
        token: "a.b.c",
        scheme: Scheme::Dpop,
        certificate: None,
        demands: Demands::default(),
    });
    token::admit(&verified, policy, api, &sender, NOW)
        .inspect_err(|fault| can_be_told(policy, fault))
}

/// Any bytes are a key set or have an error; no key fits an algorithm of another type.
pub fn key_set(bytes: &[u8]) {
    for provenance in [Provenance::Published, Provenance::File] {
        let Ok(set) = keys::parse(bytes, provenance) else {
            continue;
        };
        for key in set.keys() {
            for algorithm in keys::Algorithm::ALL {
                if key.fits(algorithm) {
                    assert_eq!(algorithm.key_type(), key.key_type());
                    assert!(!key.verifies(algorithm, b"message", b"signature"));
                }
                let fits = set
                    .fitting(key.id(), algorithm)
                    .any(|one| one.thumbprint() == key.thumbprint());
                assert_eq!(fits, key.fits(algorithm));
            }
            let secret = key.key_type() == keys::KeyType::Oct;
            assert!(
                !secret || provenance == Provenance::File,
                "a published secret"
            );
        }
    }
}

/// Any bytes are a line of a log or have an error; no client makes a line that is read as another
/// request.
pub fn log_line(bytes: &[u8]) {
    logs::log_line(&WORLD.0, bytes);
}

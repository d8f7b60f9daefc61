//! The console in a real browser, with the keyboard alone, in light and in dark.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::browser::Pages;
use super::caller::Request;
use super::daemon::Daemon;
use super::devtools::Browser;
use super::process::{self, Process};
use super::support::mint::{Signer, key_set};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Markup that would change the title of a page that took it for markup.
const MARKUP: &str = "<img src=x onerror=\"document.title='taken over'\"><script>document.title='taken over'</script>";

const POLICY: &str = r#"issuer acme {
    url   "https://id.example.com/"
    keys  file "keys.json"
    claims { org_id string }
}

api orders {
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"
    scopes    "read:orders", "write:orders"

    GET   /health      public
    GET   /orders      requires scope "read:orders"
    POST  /orders      requires scope "write:orders" and (claim org_id == "acme" or header "x-tier" == "gold")
    GET   /mine/{org}  requires claim org_id == path.org
}
"#;

/// A daemon whose console needs a token, and which takes a new policy only when it is asked.
struct Console {
    admin: SocketAddr,
    http: SocketAddr,
    signer: Signer,
    folder: TempDir,
    _process: Process,
}

impl Console {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let signer = Signer::new("EdDSA").kid("k1");
        let [admin, http] = [(), ()].map(|()| process::local(process::free_port()));
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("the folder can be written");
        };
        let keys = key_set(&[&signer]).to_string();
        // A name that a page must show, not take for markup.
        write("policies/<b>orders.gate", POLICY);
        write("policies/keys.json", &keys);
        write(
            "candidate/orders.gate",
            &POLICY.replace(
                r#"scope "read:orders""#,
                r#"scope all ["read:orders", "write:orders"]"#,
            ),
        );
        write("candidate/keys.json", &keys);
        write("admin.token", TOKEN);
        write(
            "portcullis.yaml",
            &format!(
                "policy: policies\ncandidate: candidate\ndeadline: 2s\nlisteners:\n  grpc: off\n  pdp: off\n  http: {http}\n  admin: {{address: \"{admin}\", token_file: admin.token}}\nreload: {{watch: false}}\n"
            ),
        );
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.args(["serve", "--config", "portcullis.yaml"]);
        command.current_dir(folder.path());
        let mut process = Process::start("portcullis", &command, folder.path());
        process.wait_for(|_| {
            let probe = Request::to_host("GET", "/readyz", "localhost").bytes();
            super::caller::exchange(admin, &probe)
                .is_ok_and(|answer| answer.status == 200)
                .then_some(())
        });
        Self {
            admin,
            http,
            signer,
            folder,
            _process: process,
        }
    }

    fn token(&self, claims: &Value) -> String {
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        let mut whole = json!({
            "iss": "https://id.example.com/", "aud": "https://api.example.com",
            "sub": MARKUP, "iat": now - 10, "exp": now + 3600, "azp": "spa",
        });
        let more = claims.as_object().expect("claims").clone();
        whole.as_object_mut().expect("an object").extend(more);
        self.signer.token(&whole)
    }

    /// A request through nginx, as nginx would pass it on.
    fn ask(&self, method: &str, target: &str, token: Option<&str>) {
        let request = Request::to_host("GET", "/nginx", "localhost")
            .header("X-Original-Method", method)
            .header("X-Original-URI", target)
            .header("X-Original-Host", "api.example.com");
        match token {
            Some(token) => request.bearer(token),
            None => request,
        }
        .send(self.http);
    }

    fn some_traffic(&self) {
        let reads = self.token(&json!({ "scope": "read:orders", "org_id": "acme" }));
        for number in 0..12 {
            self.ask("GET", "/orders", Some(&reads));
            if number % 3 == 0 {
                self.ask("GET", "/orders", None);
                self.ask("POST", "/orders", Some(&reads));
                self.ask("GET", "/mine/globex", Some(&reads));
            }
        }
        self.ask("GET", &format!("/{}", MARKUP.replace(' ', "%20")), None);
    }

    fn write_policy(&self, text: &str) {
        let path = self.folder.path().join("policies/<b>orders.gate");
        fs::write(path, text).expect("the folder can be written");
    }
}

/// Goes to a page of the console by its link.
fn go(browser: &mut Browser, page: &str) {
    browser.tab_to(&format!("it.getAttribute('href') === '#{page}'"));
    browser.press("Enter");
    let heading = "document.activeElement?.matches('h1')";
    browser.until(heading);
    browser.until(&format!(
        "document.querySelector('nav a[aria-current]')?.hash === '#{page}'"
    ));
}

/// Presses a button by its text.
fn push(browser: &mut Browser, text: &str) {
    browser.tab_to(&format!(
        "it.tagName === 'BUTTON' && it.textContent === '{text}'"
    ));
    browser.press("Enter");
}

/// Everything that makes the page hard to read or to hear: texts with little contrast, fields without a
/// label, tables without a caption, drawings without a text.
const HARD_TO_PERCEIVE: &str = r#"(() => {
    const seen = (it) => it.checkVisibility({ visibilityProperty: true }) && it.getClientRects().length > 0;
    const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
    const luminance = ([r, g, b]) => [r, g, b]
        .map((value) => value / 255)
        .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
    const ground = (it) => {
        for (; it; it = it.parentElement) {
            const colour = channels(getComputedStyle(it).backgroundColor);
            if (colour[3] === undefined || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const found = [];
    for (const it of document.querySelectorAll("body *")) {
        if (!seen(it) || it.matches(".heard, .heard *, option")) continue;
        const text = [...it.childNodes].filter((node) => node.nodeType === 3 && node.data.trim() !== "");
        if (text.length > 0) {
            const [one, other] = [channels(getComputedStyle(it).color), ground(it)].map(luminance).sort((a, b) => b - a);
            const contrast = (one + 0.05) / (other + 0.05);
            if (contrast < 4.5) found.push(`contrast ${contrast.toFixed(2)}: ${text[0].data}`);
        }
    }
    for (const it of document.querySelectorAll("input, select, textarea")) {
        if (it.labels.length === 0) found.push(`no label: ${it.id}`);
    }
    for (const it of document.querySelectorAll("table")) {
        if (!it.caption) found.push("a table without a caption");
    }
    for (const it of document.querySelectorAll("svg")) {
        if (!it.matches("[aria-hidden=true], [role=img][aria-label]")) found.push("a drawing without a text");
    }
    for (const it of document.querySelectorAll("img:not([alt])")) found.push("an image without a text");
    for (const part of ["header", "nav[aria-label]", "main", "h1"]) {
        if (!document.querySelector(part)) found.push(`no ${part}`);
    }
    if (document.documentElement.scrollWidth > document.documentElement.clientWidth) {
        const edge = document.documentElement.clientWidth;
        const wide = [...document.querySelectorAll("main *")].find((it) => it.getBoundingClientRect().right > edge && !it.closest(".scroll, .lines"));
        found.push(`the page scrolls sideways: ${wide?.tagName} ${wide?.className}`);
    }
    return found;
})()"#;

/// Looks at the page in light and in dark.
fn look(browser: &mut Browser, name: &str) {
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        let hard = browser.value(HARD_TO_PERCEIVE);
        assert_eq!(hard, json!([]), "{name}, {scheme}");
        browser.picture(&format!("console-{name}-{scheme}"));
    }
    let dark = browser.value("getComputedStyle(document.body).backgroundColor");
    browser.prefer("light");
    // As narrow as a phone, or as a window at four times the size (WCAG 2.2, criterion 1.4.10).
    browser.resize(320);
    let hard = browser.value(HARD_TO_PERCEIVE);
    assert_eq!(hard, json!([]), "{name}, narrow");
    browser.picture(&format!("console-{name}-narrow"));
    browser.resize(1280);
    assert_ne!(
        browser.value("getComputedStyle(document.body).backgroundColor"),
        dark
    );
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn an_operator_works_with_the_keyboard_alone_in_light_and_dark() {
    let console = Console::start();
    let mut browser = Browser::start();
    browser.open(&format!("http://{}/", console.admin));

    // The listener asks for its token.
    browser.until("document.activeElement?.id === 'token-of-listener'");
    look(&mut browser, "token");
    browser.insert(TOKEN);
    browser.press("Enter");
    browser.until("document.querySelector('#connection').textContent === 'ready'");

    // Decisions come while the page is open.
    go(&mut browser, "decisions");
    browser.until("document.body.textContent.includes('No decision has come yet')");
    // The daemon keeps decisions once the page has asked.
    browser.until("performance.getEntriesByType('resource').some((it) => it.name.includes('/console/decisions'))");
    console.some_traffic();
    browser.until("document.querySelectorAll('tbody tr').length > 20 && document.body.textContent.includes('onerror')");
    look(&mut browser, "decisions");
    browser.tab_to("it.id === 'filter-reason'");
    browser.insert("claim.mis");
    browser.until("[...document.querySelectorAll('main > section:not([hidden]) tbody tr')].every((row) => row.textContent.includes('claim.mismatch'))");
    browser.tab_to("it.id === 'filter-route'");
    browser.insert("/nowhere");
    browser
        .until("document.querySelectorAll('main > section:not([hidden]) tbody tr').length === 0");

    // One of them is taken over as a request to explain.
    browser.value("document.activeElement.select()");
    browser.insert("mine");
    browser
        .until("document.querySelectorAll('main > section:not([hidden]) tbody tr').length === 4");
    browser.tab_to("it.textContent === 'why?'");
    // The link keeps the focus when another decision comes.
    let focused = "document.activeElement.dataset.decision";
    let before = browser.value(focused);
    let other = console.token(&json!({ "scope": "read:orders", "org_id": "acme" }));
    console.ask("GET", "/mine/globex", Some(&other));
    browser
        .until("document.querySelectorAll('main > section:not([hidden]) tbody tr').length === 5");
    assert_eq!(browser.value(focused), before);
    browser.press("Enter");
    browser.until("location.hash === '#explain' && document.activeElement.matches('h1')");
    let taken = "document.querySelector('#explain-url').value";
    assert_eq!(
        browser.value(taken),
        json!("https://api.example.com/mine/globex")
    );

    // A request is explained.
    browser.tab_to("it.id === 'explain-method'");
    browser.value("document.activeElement.select()");
    browser.insert("POST");
    browser.tab_to("it.id === 'explain-url'");
    browser.value("document.activeElement.select()");
    browser.insert("https://api.example.com/orders");
    browser.tab_to("it.id === 'explain-token'");
    let token = console.token(&json!({ "scope": "write:orders", "org_id": MARKUP }));
    // As it is copied from a header, with a line end.
    browser.insert(&format!("Bearer {token}\n"));
    push(&mut browser, "Explain");
    browser.until("document.activeElement?.id === 'explain-result'");
    let verdict = browser.value("document.querySelector('.verdict').innerText");
    let verdict = verdict.as_str().expect("a text");
    for part in [
        "Denied 403",
        "claim.mismatch",
        "✓ true",
        "✗ false",
        "? missing",
        "requires",
        "orders.gate",
        "<img src=x",
    ] {
        assert!(verdict.contains(part), "`{part}` is not in {verdict}");
    }
    let marks = browser.value("[...document.querySelectorAll('.excerpt mark')].map((it) => it.className + ' ' + it.lastChild.data)");
    assert_eq!(
        marks,
        json!([
            r#"mark-true scope "write:orders""#,
            r#"mark-false claim org_id == "acme""#,
            r#"mark-missing header "x-tier" == "gold""#,
        ])
    );
    look(&mut browser, "explain");
    let place = browser
        .value("location.href + document.cookie + JSON.stringify([localStorage, sessionStorage])");
    assert!(!place.to_string().contains(&token[..20]), "{place}");
    // A token that is too long is refused before it is sent.
    browser.tab_to("it.id === 'explain-token'");
    browser.value("document.activeElement.select()");
    browser.insert(&"a".repeat(1 << 20));
    push(&mut browser, "Explain");
    browser.until("document.querySelector('#explain-result').textContent.includes('no token of more than 65,536 is accepted')");

    // What the candidate and the counts say.
    go(&mut browser, "overview");
    browser.until("document.querySelectorAll('main > section:not([hidden]) table').length >= 3");
    browser.tab_to("it.tagName === 'SUMMARY' && it.textContent === '2 files'");
    browser.press("Enter");
    let overview = browser.value("document.querySelector('main').innerText");
    let overview = overview.as_str().expect("a text");
    for part in [
        "GET /orders",
        "token.missing",
        "acme",
        "Candidate",
        "Denials by reason",
        "<b>orders.gate",
        "with the policy",
    ] {
        assert!(overview.contains(part), "`{part}` is not in {overview}");
    }
    look(&mut browser, "overview");

    // The files have errors.
    console.write_policy(&POLICY.replace("public", "pubic"));
    push(&mut browser, "Reload now");
    browser.until("document.querySelectorAll('.problem mark.mark-primary').length > 0");
    let marked =
        browser.value("document.querySelector('.problem mark.mark-primary').lastChild.data");
    assert_eq!(marked, "pubic");
    look(&mut browser, "errors");

    // The files have another policy.
    let looser = POLICY
        .replace(r#"requires scope "read:orders""#, "authenticated")
        .replace("GET   /health      public\n", "");
    console.write_policy(&looser);
    go(&mut browser, "difference");
    push(&mut browser, "Compare with the files");
    browser.until("document.querySelectorAll('.change').length === 2");
    let changes = browser.value("document.querySelector('#difference-result').innerText");
    let changes = changes.as_str().expect("a text");
    for part in [
        "2 changes: 1 loosened, 1 tightened",
        "GET /orders",
        "denied by scope.missing",
        "denied by request.no_route",
    ] {
        assert!(changes.contains(part), "`{part}` is not in {changes}");
    }
    browser.tab_to("it.tagName === 'SUMMARY' && it.closest('.loosened') !== null");
    browser.press("Enter");
    browser.until("document.activeElement.closest('details').open");
    look(&mut browser, "difference");

    // No character is hidden, and no link leads to another host.
    browser.value(
        "import('/console/web/components/dom.js').then((dom) => { window.dom = dom; }) && null",
    );
    browser.until("window.dom !== undefined");
    let shown = "dom.visible('a\\u{e0041}\\ufe0f\\u180e\\u202eb')";
    assert_eq!(browser.value(shown), r"a\u{e0041}\u{fe0f}\u{180e}\u{202e}b");
    let links = r##"["#a", "/a", "/", "//a", "/\\a", "/\t/a", "https://a"].map((href) => { try { dom.element("a", { href }); return true; } catch { return false; } })"##;
    assert_eq!(
        browser.value(links),
        json!([true, true, true, false, false, false, false])
    );

    // Nothing that a client, a token or a file name contained became markup, and nothing went wrong.
    assert_eq!(browser.value("document.images.length"), json!(1));
    assert_eq!(
        browser.value("document.title.includes('taken over')"),
        json!(false)
    );
    let faults: Vec<_> = browser
        .faults()
        .iter()
        // Before the page had the token, and while the policy had errors.
        .filter(|fault| !fault.contains("status of 401") && !fault.contains("status of 422"))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");

    // The page says so when the daemon is gone.
    drop(console);
    browser.until(
        "document.querySelector('#connection').textContent === 'the daemon does not answer'",
    );
}

/// A page of another origin reads nothing and changes nothing, whatever it tries.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_page_of_another_origin_gets_nothing() {
    let daemon = Daemon::start("api a { host \"a.example\"  GET / public }");
    let pages = Pages::serve();
    let mut browser = Browser::start();
    browser.open(&pages.origin("127.0.0.1"));
    browser.until("document.getElementById('seen') !== null");
    browser.value(&format!(
        "globalThis.answers = [];
        const told = (answer) => answers.push(answer), failed = () => answers.push('refused');
        const at = (path) => 'http://{}' + path;
        fetch(at('/policy')).then((it) => it.text()).then(told, failed);
        fetch(at('/reload'), {{ method: 'POST', mode: 'no-cors' }}).then((it) => told(it.type), failed);
        0",
        daemon.admin()
    ));
    browser.until("globalThis.answers?.length === 2");
    // `Cross-Origin-Resource-Policy` keeps even an opaque answer from it.
    let seen = browser.value("answers");
    assert_eq!(seen, json!(["refused", "refused"]), "it sees no answer");
    let metrics = daemon.metrics();
    assert!(
        !metrics.contains(r#"result="unchanged""#),
        "it reloads nothing: {metrics}"
    );
}

//! Traefik: the ForwardAuth middleware, for the file provider.
//!
//! Traefik passes a denial on unchanged. A name in `authResponseHeaders` is removed from the
//! client's request, and set if the response has it. portcullis refuses other spellings of the
//! name.

use std::fmt::Write;

use super::{Address, Needs, Told, capitalised};

/// The middlewares.
pub fn middlewares(needs: &Needs, told: &Told, address: &Address) -> String {
    let mut document = String::from(HEAD);
    if told.certificate.is_some() {
        document.push_str("          - portcullis-certificate\n");
    }
    document.push_str("          - portcullis-clean\n          - portcullis-ask\n");
    if needs.token_kept {
        document.push_str("          - portcullis-no-token\n");
    }
    if told.certificate.is_some() {
        document.push_str(CERTIFICATE);
    }
    document.push_str(CLEAN);
    let removed = told
        .contradicting(needs)
        .filter(|header| !SET_BY_TRAEFIK.contains(&header.name));
    for name in removed.flat_map(|header| spellings(header.name)) {
        // Writing to a string can't fail.
        let _ = writeln!(document, "          {}: \"\"", capitalised(&name));
    }
    let _ = write!(
        document,
        "    portcullis-ask:
      forwardAuth:
        address: http://{}/forward
        # Traefik sets X-Forwarded-* itself, replacing the client's.
        trustForwardHeader: false
",
        address.authority()
    );
    if !needs.forwarded.is_empty() {
        document.push_str(
            "        # The headers that the policy sets; Traefik removes the client's.\n        authResponseHeaders:\n",
        );
        for name in &needs.forwarded {
            // Writing to a string can't fail.
            let _ = writeln!(document, "          - {}", capitalised(name));
        }
    }
    if needs.token_kept {
        document.push_str(
            "    # The application doesn't get the token.\n    portcullis-no-token:\n      headers:\n        customRequestHeaders:\n",
        );
    }
    for name in needs.kept() {
        let _ = writeln!(document, "          {}: \"\"", capitalised(name));
    }
    if let Some(remark) = needs.token_remark() {
        let _ = writeln!(document, "# {remark}.");
    }
    if needs.preflights {
        document.push_str(NO_CORS);
    }
    document
}

const NO_CORS: &str = "\
# The policy has `cors`, but Traefik passes preflights on and adds no headers to allowed answers. Put
# a `headers` middleware before this chain, with accessControlAllowOriginList,
# accessControlAllowMethods, accessControlAllowHeaders and addVaryHeader, or let the application
# implement CORS (`passed on`).
";

const HEAD: &str = "\
# Dynamic configuration (file provider). On each router to protect:
#   middlewares: [portcullis]
http:
  middlewares:
    portcullis:
      chain:
        middlewares:
";

const CERTIFICATE: &str = "    # The client's certificate, replacing anything the client sent.
    portcullis-certificate:
      passTLSClientCert:
        pem: true
";

const CLEAN: &str =
    "    # If a client could send these headers, some applications would see another
    # host, path, method or client than the judged one. An empty value removes
    # the header.
    portcullis-clean:
      headers:
        customRequestHeaders:
";

/// The name, and every spelling in which some of its hyphens are underscores. Traefik can only
/// remove names one by one.
fn spellings(name: &str) -> Vec<String> {
    let mut parts = name.split('-');
    let mut ways = vec![parts.next().unwrap_or_default().to_owned()];
    for part in parts {
        ways = ways
            .iter()
            .flat_map(|way| [format!("{way}-{part}"), format!("{way}_{part}")])
            .collect();
    }
    ways
}

/// The headers that an entry point itself sets, replacing those of a client that isn't one of its
/// `trustedIPs`.
const SET_BY_TRAEFIK: [&str; 6] = [
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-real-ip",
];

#[cfg(test)]
mod tests {
    use super::spellings;

    #[test]
    fn every_spelling_of_a_header_name() {
        assert_eq!(spellings("x"), ["x"]);
        assert_eq!(
            spellings("x-user-id"),
            ["x-user-id", "x-user_id", "x_user-id", "x_user_id"]
        );
    }
}

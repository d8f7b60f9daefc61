//! Traefik: the ForwardAuth middleware, for the file provider.
//!
//! It hands a denial on whole. A name in `authResponseHeaders` is removed from what the client
//! sent and set where the answer has it; listing every spelling removes them all.

use std::fmt::Write;

use super::{Address, Needs, capitalised};

/// The middlewares.
pub fn middlewares(needs: &Needs, address: &Address) -> String {
    let mut names = needs.spelled();
    names.sort_unstable();
    let mut document = format!(
        "\
# Dynamic configuration (file provider). On each router that is to be protected:
#   middlewares: [portcullis]
http:
  middlewares:
    portcullis:
      chain:
        middlewares:
          - portcullis-ask
{}    portcullis-ask:
      forwardAuth:
        address: http://{}/forward
        # X-Forwarded-* are Traefik's own, not the client's.
        trustForwardHeader: false
",
        if needs.token_kept {
            "          - portcullis-no-token\n"
        } else {
            ""
        },
        address.authority()
    );
    if !names.is_empty() {
        document.push_str(
            "        # The names that the policy sets, however a client may write them: each is\n        # removed from what the client sent.\n        authResponseHeaders:\n",
        );
        for name in names {
            // Writing to a string cannot fail.
            let _ = writeln!(document, "          - {}", capitalised(&name));
        }
    }
    if needs.token_kept {
        document.push_str(
            "    # The policy keeps the token from the application.\n    portcullis-no-token:\n      headers:\n        customRequestHeaders:\n",
        );
    }
    for name in needs.kept() {
        let _ = writeln!(document, "          {}: \"\"", capitalised(name));
    }
    if let Some(remark) = needs.token_remark() {
        let _ = writeln!(document, "# {remark}.");
    }
    document
}

//! Sender-constrained tokens, as the daemon receives them.

mod certificate;
mod dpop;

const POLICY: &str = r#"
issuer acme {
    url  "https://id.example.com/"
    keys file "keys.json"
    sender SENDER
}

api orders {
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"
    cors      "https://app.example.com"

    GET   /health         public
    GET   /orders         authenticated
    POST  /orders         authenticated
}
"#;

const URL: &str = "https://api.example.com/orders";

fn policy(sender: &str) -> String {
    POLICY.replace("SENDER", sender)
}

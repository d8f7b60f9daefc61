//! Text to tree.

use portcullis::syntax::ast::Item;

use crate::support::policy::parse_valid;

#[test]
fn a_whole_policy_is_read() {
    let document = parse_valid(include_str!("../cases/syntax/orders.gate"));
    let kinds: Vec<&str> = document
        .items
        .iter()
        .map(|item| match item {
            Item::Issuer(_) => "issuer",
            Item::Api(_) => "api",
            Item::Guard(_) => "guard",
            Item::Let(_) => "let",
            Item::Set(_) => "set",
            Item::Param(_) => "param",
            Item::Test(_) => "test",
        })
        .collect();
    assert_eq!(
        kinds,
        ["issuer", "api", "guard", "set", "set", "let", "let", "test"]
    );
}

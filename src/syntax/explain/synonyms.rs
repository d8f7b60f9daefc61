//! Words of other languages, and their equivalents here.

/// Words for accesses. An ambiguous word gets the stricter meaning, since suggestions are often
/// applied without a second look.
pub(super) const ACCESS: &[(&str, &str)] = &[
    ("allow", "authenticated"),
    ("allowed", "authenticated"),
    ("permit", "authenticated"),
    ("anonymous", "public"),
    ("anyone", "public"),
    ("everyone", "public"),
    ("open", "public"),
    ("permitAll", "public"),
    ("auth", "authenticated"),
    ("private", "authenticated"),
    ("protected", "authenticated"),
    ("secured", "authenticated"),
    ("if", "requires"),
    ("needs", "requires"),
    ("when", "requires"),
    ("where", "requires"),
    ("unless", "requires not"),
    ("blocked", "denied"),
    ("deny", "denied"),
    ("denyAll", "denied"),
    ("forbid", "denied"),
    ("forbidden", "denied"),
    ("reject", "denied"),
];

/// Words for tests.
pub(super) const TESTS: &[(&str, &str)] = &[
    ("eq", "=="),
    ("equal", "=="),
    ("equals", "=="),
    ("is", "=="),
    ("ne", "!="),
    ("isnt", "!="),
    ("defined", "present"),
    ("exists", "present"),
    ("missing", "absent"),
    ("has", "contains"),
    ("have", "contains"),
    ("include", "contains"),
    ("includes", "contains"),
    ("oneof", "in"),
    ("one", "in"),
    ("startswith", "starts with"),
    ("startsWith", "starts with"),
    ("starts_with", "starts with"),
    ("begins", "starts with"),
    ("endswith", "ends with"),
    ("endsWith", "ends with"),
    ("ends_with", "ends with"),
];

/// Words for kinds of condition.
pub(super) const CONDITIONS: &[(&str, &str)] = &[
    ("scopes", "scope"),
    ("permission", "scope"),
    ("claims", "claim"),
    ("issuer", "token from"),
    ("iss", "token from"),
    ("ip", "address"),
    ("remote_addr", "address"),
    ("headers", "header"),
    ("verb", "method"),
];

/// Words for types.
pub(super) const TYPES: &[(&str, &str)] = &[
    ("array", "list of string"),
    ("strings", "list of string"),
    ("bool", "boolean"),
    ("date", "time"),
    ("datetime", "time"),
    ("timestamp", "time"),
    ("double", "number"),
    ("float", "number"),
    ("int", "number"),
    ("integer", "number"),
    ("str", "string"),
    ("text", "string"),
    ("ip", "address"),
    ("cidr", "address"),
];

/// Words for the expected decision of a test.
pub(super) const OUTCOMES: &[(&str, &str)] = &[
    ("allow", "allowed"),
    ("accepted", "allowed"),
    ("ok", "allowed"),
    ("permitted", "allowed"),
    ("deny", "denied"),
    ("forbidden", "denied"),
    ("refused", "denied"),
    ("rejected", "denied"),
];

/// The equivalent of a word.
pub(super) fn meant(word: &str, table: &[(&str, &'static str)]) -> Option<&'static str> {
    table
        .iter()
        .find(|(foreign, _)| *foreign == word)
        .map(|(_, here)| *here)
}

/// Words that other tools test directly, the claim with that value, and whether it is a list.
pub(super) const CLAIMS: &[(&str, &str, bool)] = &[
    ("role", "roles", true),
    ("roles", "roles", true),
    ("group", "groups", true),
    ("groups", "groups", true),
    ("entitlement", "entitlements", true),
    ("user", "sub", false),
    ("username", "sub", false),
    ("principal", "sub", false),
    ("subject", "sub", false),
    ("sub", "sub", false),
];

/// Whether other tools test such a word directly, and it is a claim here.
pub(super) fn is_claim_of_others(word: &str) -> bool {
    CLAIMS.iter().any(|(foreign, ..)| *foreign == word)
}

//! The model of the example in the language reference.

use std::collections::BTreeMap;

use portcullis::model::{
    Access, Atom, Audience, ClaimTest, Condition, ConditionKind, Demand, IssuerUrl, KeySource,
    Model, Operand, Route,
};
use portcullis::pattern::{HostPattern, MethodSet};
use portcullis::value::ClaimType;

use crate::support::policy::check_files;

fn example() -> Model {
    let policy = include_bytes!("../../cases/syntax/right/orders.gate").to_vec();
    let files = BTreeMap::from([
        ("orders.gate".to_owned(), policy),
        ("suspended.txt".to_owned(), b"mallory\n".to_vec()),
    ]);
    let set = check_files(&files, &BTreeMap::new());
    assert_eq!(set.checked.diagnostics, [], "the example is without fault");
    set.checked.model.expect("it has a model")
}

fn route<'m>(model: &'m Model, name: &str) -> &'m Route {
    let found: Vec<&Route> = model.apis[0]
        .routes
        .iter()
        .filter(|route| route.name == name)
        .collect();
    match found.as_slice() {
        [one] => one,
        others => panic!("{} routes are called {name}", others.len()),
    }
}

fn condition(route: &Route) -> &Condition {
    match &route.access {
        Access::Permitted {
            condition: Some(condition),
            ..
        } => condition,
        other => panic!("{other:?}"),
    }
}

#[test]
fn issuers_and_claims_are_what_they_are_declared() {
    let model = example();
    let [acme] = model.issuers.as_slice() else {
        panic!("one issuer");
    };
    assert_eq!(acme.name, "acme");
    assert_eq!(
        acme.url,
        IssuerUrl::Exact("https://acme.eu.auth0.com/".into())
    );
    assert!(matches!(acme.keys, KeySource::Discover));
    assert_eq!((acme.leeway, acme.max_age), (60, None));
    let claims: Vec<(&str, ClaimType)> = model
        .claims
        .iter()
        .map(|claim| (claim.name.as_str(), claim.ty))
        .collect();
    assert_eq!(
        claims,
        [
            ("amr", ClaimType::ListOfString),
            ("auth_time", ClaimType::Time),
            ("org_id", ClaimType::String),
            ("plan", ClaimType::String),
            ("roles", ClaimType::ListOfString),
            ("seats", ClaimType::Number),
            ("sub", ClaimType::String),
        ],
        "the declared ones, and the registered ones that a rule reads"
    );
    let roles = &acme.claims[4];
    assert_eq!(roles.path, ["https://acme.example/roles"]);
    assert!(!roles.keys_of);
}

#[test]
fn the_api_is_as_its_settings_say() {
    let model = example();
    let [orders] = model.apis.as_slice() else {
        panic!("one API");
    };
    let hosts: Vec<&HostPattern> = orders.hosts.iter().map(|host| &host.pattern).collect();
    assert_eq!(
        hosts,
        [
            &HostPattern::Exact("api.example.com".into()),
            &HostPattern::Label {
                suffix: "api.example.com".into()
            },
        ]
    );
    assert_eq!(
        orders.audience,
        Audience::OneOf(vec!["https://api.example.com".into()])
    );
    assert_eq!(orders.scopes.as_ref().map(Vec::len), Some(4));
    let headers: Vec<&str> = orders
        .forward
        .iter()
        .map(|forward| forward.header.as_str())
        .collect();
    assert_eq!(headers, ["x-user-id", "x-org-id"]);
}

#[test]
fn lines_become_routes_and_blocks_become_guards() {
    let model = example();
    let names: Vec<&str> = model.apis[0]
        .routes
        .iter()
        .map(|route| route.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "GET /health",
            "GET /metrics",
            "GET /articles",
            "GET /me",
            "GET /orders",
            "GET /orders/{id}",
            "POST /orders",
            "GET /orgs/{org}/orders",
            "PUT /orders/{id}",
            "PATCH /orders/{id}",
            "DELETE /orders/{id}",
            "* /internal/**",
            "GET /admin/reports/{name}.csv",
            "POST /admin/reports",
        ]
    );
    assert!(matches!(
        route(&model, "GET /articles").access,
        Access::Permitted {
            demand: Demand::Optional,
            condition: None
        }
    ));
    assert!(matches!(
        route(&model, "GET /admin/reports/{name}.csv").access,
        Access::Permitted {
            demand: Demand::Required,
            condition: None
        }
    ));
    let internal = route(&model, "* /internal/**");
    assert!(matches!(internal.access, Access::Denied));
    assert_eq!(internal.methods, MethodSet::ALL);
    let csv = &route(&model, "GET /admin/reports/{name}.csv").parameters[0];
    assert_eq!((csv.segment, csv.prefix, csv.suffix), (2, 0, 4));
    let guards: Vec<&str> = model
        .guards
        .iter()
        .map(|guard| guard.name.as_str())
        .collect();
    assert_eq!(
        guards,
        ["under /admin", "guard POST, PUT, PATCH, DELETE /**"]
    );
    assert!(
        model.guards[0].path.rest,
        "an `under` covers what is below it"
    );
}

#[test]
fn conditions_are_typed_and_lets_written_out() {
    let model = example();
    let ConditionKind::And(all) = &condition(route(&model, "GET /orgs/{org}/orders")).kind else {
        panic!("an `and`");
    };
    assert!(matches!(
        &all[0].kind,
        ConditionKind::Atom(Atom::ScopeAll(scopes)) if scopes == &["read:orders"]
    ));
    let ConditionKind::Or(any) = &all[1].kind else {
        panic!("an `or`");
    };
    assert!(matches!(
        &any[0].kind,
        ConditionKind::Atom(Atom::Claim(
            _,
            ClaimTest::Equals {
                operand: Operand::Path(0),
                negated: false
            }
        ))
    ));
    let ConditionKind::Atom(Atom::Claim(roles, ClaimTest::Contains(Operand::String(support)))) =
        &any[1].kind
    else {
        panic!("the `let`, written out");
    };
    assert_eq!(model.claims[roles.0 as usize].name, "roles");
    assert_eq!(support, "support");
}

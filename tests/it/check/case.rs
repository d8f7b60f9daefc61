//! `paths case-insensitive`: the model stores in lower case whatever is compared with a path.

use portcullis::diagnostic::Code;
use portcullis::model::{Atom, Model, Operand, TextTest};
use portcullis::pattern::SegmentPattern;

use crate::support::policy::check_text;

/// A policy of one API, with these settings and routes, and a guard.
fn policy(settings: &str, guard: &str) -> String {
    format!(
        r#"
issuer acme {{ url "https://acme.example/" }}
api shop {{
    host "shop.example"
    issuer acme
    audience "shop"
    {settings}
    GET /Admin/**  requires scope "a"
    GET /Admin/Me  authenticated
    GET /Users/U-{{id}}  requires path.id in ["Ann", "Bob"] or path.id == "Eve" or header "x" == "Eve"
}}
guard * {guard} of shop requires scope "a"
"#
    )
}

fn model(text: &str) -> Model {
    let checked = check_text(text).checked;
    checked
        .model
        .unwrap_or_else(|| panic!("{:?}", checked.diagnostics))
}

/// The literals of the routes' paths, and the texts in their conditions.
fn texts(model: &Model) -> Vec<String> {
    let api = &model.apis[0];
    let segments = api.routes.iter().flat_map(|route| &route.path.segments);
    let literals = segments.filter_map(|segment| match segment {
        SegmentPattern::Literal(literal) => Some(literal.clone()),
        SegmentPattern::Mixed { prefix, .. } => Some(prefix.clone()),
        SegmentPattern::Any => None,
    });
    let atoms = api.conditions().flat_map(|condition| condition.atoms());
    let compared = atoms.flat_map(|(_, atom)| match atom {
        Atom::Path(_, TextTest::In { any_of, .. }) => any_of.members().to_vec(),
        Atom::Path(_, TextTest::Equals { operand, .. })
        | Atom::Header(_, TextTest::Equals { operand, .. }) => match operand {
            Operand::String(text) => vec![text.clone()],
            other => panic!("{other:?}"),
        },
        _ => Vec::new(),
    });
    literals.chain(compared).collect()
}

#[test]
fn only_what_is_compared_with_a_path_is_put_into_lower_case() {
    let written = texts(&model(&policy("", "/Admin/**")));
    assert_eq!(
        written,
        [
            "Admin", "Admin", "Me", "Users", "U-", "Ann", "Bob", "Eve", "Eve"
        ]
    );
    let folded = model(&policy("paths case-insensitive", "/Admin/**"));
    assert_eq!(
        texts(&folded),
        [
            "admin", "admin", "me", "users", "u-", "ann", "bob", "eve", "Eve"
        ]
    );
    assert_eq!(
        folded.apis[0].routes[1].name, "GET /Admin/Me",
        "as it is written"
    );
}

#[test]
fn a_guard_counts_in_whatever_case_it_is_written_where_paths_have_none() {
    let weaker = |settings, guard| {
        let diagnostics = check_text(&policy(settings, guard)).checked.diagnostics;
        let codes = diagnostics.iter().map(|diagnostic| diagnostic.code);
        codes.filter(|code| *code == Code::WeakerRoute).count()
    };
    for guard in ["/Admin/**", "/admin/**", "/ADMIN/**"] {
        assert_eq!(weaker("paths case-insensitive", guard), 0, "{guard}");
    }
    assert_eq!(weaker("", "/Admin/**"), 0);
    assert_eq!(weaker("", "/admin/**"), 1);
}

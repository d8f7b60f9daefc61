//! What mutants are, over policies as texts.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::trial::Trial;
use super::{Fate, MAX_MUTANTS, rules, spread};
use crate::check::{self, Files, Input};
use crate::compile::compile;
use crate::engine::Policy;
use crate::source::Sources;
use crate::suite::Options;
use crate::syntax;

/// Crossing, broader and narrower routes, `denied`, blocks, guards, names: everything that could
/// make a reduced policy decide differently from the whole.
const POLICY: &str = r#"
issuer acme { url "https://acme.example/"  claims { org string  roles list of string } }
api a {
    host "a.example.com"
    issuer acme
    audience "https://a"
    cors "https://app.example.com"
    GET     /**             requires named
    GET     /x/{y}          requires claim org == path.y
    GET     /{x}/b          requires scope "b" and claim org present
    GET, POST /x/b          requires scope any ["b", "c"] or claim org == "o"
    *       /shut/**        denied
    GET     /open           public instead
    under /admin requires claim roles contains "admin" {
        GET /users
        under /deep { POST /users  requires scope "w" }
    }
    GET     /never/asked    requires not named
}
api b { host "b.example.com"  issuer acme  audience "https://b"  GET /open public }
guard POST /** of all requires claim org != "banned"
guard * /x/** of a requires claim org in orgs
let named = claim roles contains any ["admin", "staff"] or named_too
let named_too = scope "n"
set orgs = ["o", "p", "b"]
test "some" {
    token o = acme { org "o"  scope "b"  roles ["admin"] }
    token p = acme { org "p"  scope "n" }
    GET https://a.example.com/any  with o is allowed
    GET https://a.example.com/any  with p is allowed
    GET https://a.example.com/x/p  with p is allowed
    GET https://a.example.com/x/o  with p is denied by claim.mismatch
    GET https://a.example.com/x/b  with o is allowed
    GET https://a.example.com/q/b  with o is allowed
    GET https://a.example.com/shut/b  with o is denied by request.denied
    GET https://a.example.com/admin/users  with o is allowed
    GET https://a.example.com/admin/users  with p is denied
    POST https://a.example.com/admin/deep/users  with o is denied by scope.missing
    GET https://a.example.com/open  is allowed
    OPTIONS https://a.example.com/x/b, header "origin" "https://app.example.com", header "access-control-request-method" "POST"  is allowed
    OPTIONS https://a.example.com/shut/b, header "origin" "https://app.example.com", header "access-control-request-method" "GET"  is denied
}
"#;

fn options() -> Options<'static> {
    Options {
        now: 1_767_225_600.0,
        filter: None,
        workers: NonZeroUsize::MIN,
    }
}

fn policy(text: &str) -> Option<Policy> {
    let mut sources = Sources::new();
    let file = sources.add("a.gate", text);
    let (document, _) = syntax::parse(&sources, file);
    let checked = check::check(Input {
        sources: &sources,
        documents: vec![document],
        files: &Files::new(),
        params: &BTreeMap::new(),
    });
    assert!(checked.model.is_some(), "{:#?}", checked.diagnostics);
    Some(compile(checked.model?, Arc::new(sources)))
}

/// Reducing a policy to the rules that tests reach makes them faster, and changes nothing else.
#[test]
fn a_reduced_policy_decides_like_the_whole_one() {
    let Some(policy) = policy(POLICY) else {
        return;
    };
    let report = crate::suite::run(&policy, &options());
    assert_eq!(report.failed_tests(), 0, "{report:#?}");
    let documents = policy
        .sources()
        .iter()
        .map(|(file, _)| syntax::parse(policy.sources(), file).0)
        .collect::<Vec<_>>();
    let changes = rules::all(policy.sources(), &documents);
    let (files, params) = (Files::new(), BTreeMap::new());
    let trial = Trial::new(&policy, documents, &files, &params, &options());
    let mut fates = BTreeSet::new();
    for (change, reach) in &changes {
        let (fate, _) = trial.of(change, reach);
        assert_eq!(fate, trial.of_whole(change), "{change:#?}");
        fates.insert(format!("{fate:?}"));
    }
    assert!(changes.len() > 50, "{}", changes.len());
    assert!(fates.contains(&format!("{:?}", Fate::Noticed)));
    assert!(fates.contains(&format!("{:?}", Fate::Survived)));
}

#[test]
fn too_many_mutants_are_thinned_out_evenly() {
    for found in [0, 7, MAX_MUTANTS] {
        assert_eq!(spread((0..found).collect::<Vec<_>>()).len(), found);
    }
    for found in [MAX_MUTANTS + 1, 3 * MAX_MUTANTS - 1] {
        let taken = spread((0..found).collect::<Vec<_>>());
        assert_eq!(taken.len(), MAX_MUTANTS);
        assert_eq!(taken.first(), Some(&0));
        let gaps = taken.windows(2).map(|pair| match pair {
            [a, b] => b - a,
            _ => 0,
        });
        assert!(gaps.max().is_some_and(|gap| gap <= found / MAX_MUTANTS + 1));
        assert!(taken.last().is_some_and(|last| *last + 4 > found));
    }
}

//! The requests that a document describes, each kind once.
//!
//! For a proxy, two operations may be the same: `/orders/{id}` and `/orders/{orderId}`, a path with
//! and without its trailing slash, or paths that differ after a `#`, which requests don't contain.
//! They become one case, which requires everything that each of them requires.

use std::collections::BTreeMap;

use super::document::{Document, Operation, Security, Server};
use super::template::{self, Template};
use crate::pattern::{Method, MethodSet, PathPattern};

/// Requests in a document: a method on a path pattern at a place (`P`: which hosts).
#[derive(Debug, Clone)]
pub struct Case<'d, P> {
    /// The place.
    pub place: P,
    /// The operations, in the order of the document; never empty.
    pub operations: Vec<&'d Operation>,
    /// The method.
    pub method: Method,
    /// The methods of all its requests: `GET` includes `HEAD`.
    pub methods: MethodSet,
    /// The paths, including the path of the server's URL.
    pub pattern: PathPattern,
    /// The names in it, by segment.
    pub names: Vec<(usize, String)>,
    /// The requirements on the caller.
    pub security: Security,
}

/// An operation whose path or method no policy can express.
#[derive(Debug, Clone)]
pub struct Misfit<'d, P> {
    /// The place.
    pub place: P,
    /// The operation.
    pub operation: &'d Operation,
    /// The path, including the path of the server's URL.
    pub path: String,
    /// Why a policy can't express it.
    pub why: String,
    /// A pattern that includes its paths, if there is one.
    pub near: Option<PathPattern>,
}

/// All requests of a document.
#[derive(Debug)]
pub(super) struct Cases<'d, P> {
    pub cases: Vec<Case<'d, P>>,
    pub misfits: Vec<Misfit<'d, P>>,
    /// Unusual but unambiguous paths.
    pub notes: Vec<String>,
}

/// Sorts operations and their servers into cases.
pub(super) fn gather<'d, P: Clone + Ord>(
    document: &'d Document,
    mut places: impl FnMut(&'d Operation) -> Vec<(P, &'d Server)>,
) -> Cases<'d, P> {
    let mut gathered = Cases {
        cases: Vec::new(),
        misfits: Vec::new(),
        notes: Vec::new(),
    };
    let mut known: BTreeMap<(P, PathPattern, Method), usize> = BTreeMap::new();
    let mut cut: usize = 0;
    for operation in &document.operations {
        let mut seen: Vec<(P, String)> = Vec::new();
        for (place, server) in places(operation) {
            if seen.contains(&(place.clone(), server.base.clone())) {
                continue;
            }
            seen.push((place.clone(), server.base.clone()));
            let Some(method) = operation.method.known() else {
                gathered.misfits.push(Misfit {
                    place,
                    operation,
                    path: format!("{}{}", server.base, operation.path),
                    why: format!("no rule can name the method {}", operation.method),
                    near: None,
                });
                continue;
            };
            let template = match template::read(&server.base, &operation.path) {
                Ok(template) => template,
                Err(odd) => {
                    gathered.misfits.push(Misfit {
                        place,
                        operation,
                        path: format!("{}{}", server.base, operation.path),
                        why: odd.why,
                        near: odd.near,
                    });
                    continue;
                }
            };
            let Template {
                pattern,
                names,
                cut: was_cut,
            } = template;
            cut += usize::from(was_cut.is_some());
            let key = (place.clone(), pattern.clone(), method);
            let same = known
                .get(&key)
                .and_then(|number| gathered.cases.get_mut(*number));
            match same {
                Some(same) => {
                    same.security = same.security.and(&operation.security);
                    same.operations.push(operation);
                }
                None => {
                    known.insert(key, gathered.cases.len());
                    gathered.cases.push(Case {
                        place,
                        operations: vec![operation],
                        method,
                        methods: MethodSet::named(method),
                        pattern,
                        names,
                        security: operation.security.clone(),
                    });
                }
            }
        }
    }
    let merged: usize = gathered
        .cases
        .iter()
        .map(|case| case.operations.len() - 1)
        .sum();
    if cut > 0 {
        gathered.notes.push(format!(
            "{} of the document {} a `#` or `?`: no path of a request holds what follows it, so it is left out",
            counted(cut, "path"),
            if cut == 1 { "holds" } else { "hold" }
        ));
    }
    if merged > 0 {
        gathered.notes.push(format!(
            "{} for the same requests as another: what both ask for is taken together",
            if merged == 1 {
                "1 operation is".to_owned()
            } else {
                format!("{merged} operations are")
            }
        ));
    }
    gathered
}

/// A number with a noun.
pub(super) fn counted(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    }
}

//! The names under which an application may find a forwarded header.
//!
//! CGI and what descends from it (WSGI, Rack, PHP) make `HTTP_X_USER_ID` of `X-User-Id`, of
//! `X_User_Id` and of `X-User_Id` alike: a client that sends one of them speaks in the policy's
//! name. So all of them are removed.

use std::collections::BTreeSet;

use super::request::Request;
use crate::model::Model;

/// The most `-` and `_` of a name for which every spelling is listed: 16 of them. Longer names
/// are looked for in the request itself.
const MAX_LISTED_GAPS: usize = 4;

fn names(model: &Model) -> BTreeSet<&str> {
    model
        .apis
        .iter()
        .flat_map(|api| &api.forward)
        .map(|forward| forward.header.as_str())
        .collect()
}

fn parts(name: &str) -> Vec<&str> {
    name.split(['-', '_']).collect()
}

/// The names of all APIs, in every spelling; of long ones, as written, with `-` and with `_`
/// throughout. Sorted, each once.
pub(super) fn listed(model: &Model) -> Vec<String> {
    let all: BTreeSet<String> = names(model).into_iter().flat_map(spellings).collect();
    all.into_iter().collect()
}

fn spellings(name: &str) -> Vec<String> {
    let parts = parts(name);
    let gaps = parts.len() - 1;
    if gaps > MAX_LISTED_GAPS {
        return vec![name.to_owned(), parts.join("-"), parts.join("_")];
    }
    (0..1_u32 << gaps)
        .map(|choice| {
            let mut spelling = String::with_capacity(name.len());
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    let hyphen = choice >> (at - 1) & 1 == 0;
                    spelling.push(if hyphen { '-' } else { '_' });
                }
                spelling.push_str(part);
            }
            spelling
        })
        .collect()
}

/// The names that have more spellings than are listed, with `-` throughout.
pub(super) fn too_many(model: &Model) -> Vec<String> {
    names(model)
        .into_iter()
        .map(parts)
        .filter(|parts| parts.len() - 1 > MAX_LISTED_GAPS)
        .map(|parts| parts.join("-"))
        .collect()
}

/// The headers of a request that are a spelling of one of `names`, and not in `listed`.
pub(super) fn others<'r>(
    names: &[String],
    listed: &[String],
    request: &Request<'r>,
) -> Vec<&'r str> {
    if names.is_empty() {
        return Vec::new();
    }
    let is_other = |header: &&str| {
        header.contains('_')
            && names.contains(&header.replace('_', "-"))
            && !listed.iter().any(|name| name == header)
    };
    let headers = request.headers.iter().map(|(header, _)| *header);
    let found: BTreeSet<&str> = headers.filter(is_other).collect();
    found.into_iter().collect()
}

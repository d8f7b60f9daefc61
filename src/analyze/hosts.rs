//! Groups hosts that two policies treat alike.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Model;
use crate::pattern::HostPattern;
use crate::settings::ApiId;

use super::atoms::Label;

/// Hosts for which the same APIs are considered, in the old policy and in the new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostClass {
    /// One of the hosts, without its first label if that isn't fixed.
    pub host: String,
    /// Whether the first label isn't fixed. `host` is then the rest, after the dot.
    pub labelled: bool,
    /// The APIs of the old policy.
    pub old: Asked,
    /// The APIs of the new policy.
    pub new: Asked,
}

/// The APIs that are considered for a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asked {
    /// The APIs, and whether their rules can read the first label.
    pub members: Vec<(ApiId, bool)>,
    /// The first label.
    pub label: Label,
}

impl Asked {
    /// The first label as the rules of an API see it.
    pub fn label(&self, api: ApiId) -> &Label {
        let reads = self
            .members
            .iter()
            .any(|(member, labelled)| *member == api && *labelled);
        if reads { &self.label } else { &Label::None }
    }
}

/// A host that no pattern names. The domain is reserved (RFC 2606).
const ELSEWHERE: &str = "elsewhere.invalid";

/// All host classes.
pub fn classes(old: &Model, new: &Model) -> Vec<HostClass> {
    let patterns: BTreeSet<&HostPattern> = [old, new]
        .into_iter()
        .flat_map(|model| &model.apis)
        .flat_map(|api| &api.hosts)
        .map(|host| &host.pattern)
        .collect();
    let mut classes: BTreeMap<(Asked, Asked), HostClass> = BTreeMap::new();
    let mut add = |host: String, labelled: bool, old: Asked, new: Asked| {
        classes
            .entry((old.clone(), new.clone()))
            .or_insert(HostClass {
                host,
                labelled,
                old,
                new,
            });
    };
    for pattern in &patterns {
        match pattern {
            HostPattern::Exact(host) => {
                add(host.clone(), false, exact(old, host), exact(new, host));
            }
            HostPattern::Label { suffix } => {
                let but: Vec<String> = patterns
                    .iter()
                    .filter_map(|other| match other {
                        HostPattern::Exact(host) => host
                            .strip_suffix(suffix.as_str())
                            .and_then(|rest| rest.strip_suffix('.')),
                        _ => None,
                    })
                    .filter(|label| !label.contains('.'))
                    .map(str::to_owned)
                    .collect();
                add(
                    suffix.clone(),
                    true,
                    labelled(old, suffix, &but),
                    labelled(new, suffix, &but),
                );
            }
            HostPattern::Any => {
                add(
                    ELSEWHERE.to_owned(),
                    false,
                    asked(old, |pattern| *pattern == HostPattern::Any, Label::None),
                    asked(new, |pattern| *pattern == HostPattern::Any, Label::None),
                );
            }
        }
    }
    classes.into_values().collect()
}

/// Requests that name no host, as HTTP/1.0 allows, if the policies treat them differently: a policy
/// that tells hosts apart refuses them.
pub fn nameless(old: &Model, new: &Model) -> Option<HostClass> {
    let tells = |model: &Model| {
        let mut hosts = model.apis.iter().flat_map(|api| &api.hosts);
        hosts.any(|host| host.pattern != HostPattern::Any)
    };
    if tells(old) == tells(new) {
        return None;
    }
    let asked = |model: &Model| {
        if tells(model) {
            asked(model, |_| false, Label::None)
        } else {
            elsewhere(model)
        }
    };
    Some(HostClass {
        host: String::new(),
        labelled: false,
        old: asked(old),
        new: asked(new),
    })
}

fn asked(model: &Model, fits: impl Fn(&HostPattern) -> bool, label: Label) -> Asked {
    let mut members: Vec<(ApiId, bool)> = (0..)
        .map(ApiId)
        .zip(&model.apis)
        .flat_map(|(id, api)| {
            let fits = &fits;
            api.hosts
                .iter()
                .filter(move |host| fits(&host.pattern))
                .map(move |host| (id, host.label.is_some()))
        })
        .collect();
    members.sort_unstable();
    members.dedup();
    let label = if members.iter().any(|(_, labelled)| *labelled) {
        label
    } else {
        Label::None
    };
    Asked { members, label }
}

/// The APIs of the first of these patterns that some API has.
fn exact(model: &Model, host: &str) -> Asked {
    let own = asked(
        model,
        |pattern| matches!(pattern, HostPattern::Exact(exact) if exact == host),
        Label::None,
    );
    if !own.members.is_empty() {
        return own;
    }
    match host.split_once('.') {
        Some((label, suffix)) => with_label(model, suffix, Label::Is(label.to_owned())),
        None => elsewhere(model),
    }
}

fn labelled(model: &Model, suffix: &str, but: &[String]) -> Asked {
    with_label(model, suffix, Label::Any { but: but.to_vec() })
}

fn with_label(model: &Model, suffix: &str, label: Label) -> Asked {
    let own = asked(
        model,
        |pattern| matches!(pattern, HostPattern::Label { suffix: own } if own == suffix),
        label,
    );
    if own.members.is_empty() {
        elsewhere(model)
    } else {
        own
    }
}

fn elsewhere(model: &Model) -> Asked {
    asked(model, |pattern| *pattern == HostPattern::Any, Label::None)
}

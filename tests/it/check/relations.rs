//! The checker's messages about overlapping routes, compared with trying all requests of a small
//! world.

use std::collections::BTreeSet;

use portcullis::diagnostic::{Code, Diagnostic};
use portcullis::pattern::{Method, MethodSet, PathPattern, SegmentPattern};
use proptest::prelude::*;

use crate::support::policy::check_text;

/// A route of the small world.
#[derive(Debug, Clone)]
struct Route {
    methods: &'static str,
    path: String,
    pattern: PathPattern,
}

impl Route {
    fn name(&self) -> String {
        format!("{} {}", self.methods, self.path)
    }

    fn methods(&self) -> MethodSet {
        match Method::parse(self.methods) {
            Some(method) => MethodSet::named(method),
            None => MethodSet::ALL,
        }
    }

    fn matches(&self, method: Method, path: &[String]) -> bool {
        let lengths = if self.pattern.rest {
            path.len() >= self.pattern.segments.len()
        } else {
            path.len() == self.pattern.segments.len()
        };
        self.methods().has(method)
            && lengths
            && path
                .iter()
                .zip(&self.pattern.segments)
                .all(|(text, segment)| segment.matches(text))
    }

    fn is_within(&self, other: &Route) -> bool {
        let contains = |a: &Route, b: &Route| {
            a.methods().contains(b.methods()) && a.pattern.contains(&b.pattern)
        };
        contains(other, self) && !contains(self, other)
    }
}

/// Segments that overlap often, and in every way.
const SEGMENTS: [&str; 7] = ["a", "b", "ab", "{}", "a{}", "{}b", "ab{}"];

/// Texts that distinguish those segments: each segment has one that no other matches.
const TEXTS: [&str; 9] = ["a", "b", "ab", "q", "aq", "qb", "aqb", "abq", "abqb"];

const MAX_SEGMENTS: usize = 2;

fn route() -> impl Strategy<Value = Route> {
    let segments = prop::collection::vec(0..SEGMENTS.len(), 0..=MAX_SEGMENTS);
    let methods = prop::sample::select(vec!["GET", "HEAD", "POST", "*"]);
    (methods, segments, any::<bool>()).prop_map(|(methods, segments, rest)| {
        let mut path = String::new();
        let mut patterns = Vec::new();
        for (at, segment) in segments.into_iter().enumerate() {
            let text = SEGMENTS[segment];
            path.push('/');
            path.push_str(&text.replace("{}", &format!("{{p{at}}}")));
            patterns.push(match text.split_once("{}") {
                None => SegmentPattern::Literal(text.to_owned()),
                Some(("", "")) => SegmentPattern::Any,
                Some((prefix, suffix)) => SegmentPattern::Mixed {
                    prefix: prefix.to_owned(),
                    suffix: suffix.to_owned(),
                },
            });
        }
        if rest {
            path.push_str("/**");
        } else if path.is_empty() {
            path.push('/');
        }
        Route {
            methods,
            path,
            pattern: PathPattern {
                segments: patterns,
                rest,
            },
        }
    })
}

/// Routes for different requests.
fn routes() -> impl Strategy<Value = Vec<Route>> {
    prop::collection::vec(route(), 1..7).prop_map(|mut routes| {
        let mut seen = BTreeSet::new();
        routes.retain(|route| seen.insert((route.methods, route.pattern.clone())));
        routes
    })
}

fn paths() -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let mut longest = all.clone();
    for _ in 0..=MAX_SEGMENTS {
        longest = longest
            .iter()
            .flat_map(|path| {
                TEXTS.iter().map(|text| {
                    let mut longer = path.clone();
                    longer.push((*text).to_owned());
                    longer
                })
            })
            .collect();
        all.extend(longest.iter().cloned());
    }
    all
}

/// The routes that decide a request: those that match it, except those for which a more specific
/// one matches too.
fn answering<'r>(routes: &'r [Route], method: Method, path: &[String]) -> Vec<&'r Route> {
    let matching: Vec<&Route> = routes
        .iter()
        .filter(|route| route.matches(method, path))
        .collect();
    matching
        .iter()
        .filter(|route| !matching.iter().any(|other| other.is_within(route)))
        .copied()
        .collect()
}

fn of(diagnostics: &[Diagnostic], code: Code) -> impl Iterator<Item = &Diagnostic> {
    diagnostics
        .iter()
        .filter(move |diagnostic| diagnostic.code == code)
}

/// The texts in backticks.
fn quoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Two routes are reported as crossing exactly if both decide some request, and the message has
    /// such a request. A route is reported as never chosen exactly if it decides none.
    #[test]
    fn overlaps_are_what_trying_all_requests_finds(routes in routes()) {
        let mut text = String::from(
            "issuer acme { url \"https://acme.example/\" }\n\
             api shop { host \"shop.example.com\" issuer acme audience \"shop\"\n",
        );
        for (number, route) in routes.iter().enumerate() {
            // Accesses, none of which is weaker than another.
            text.push_str(&format!("{} requires scope \"scope{number}\"\n", route.name()));
        }
        text.push('}');
        let diagnostics = check_text(&text).checked.diagnostics;

        let mut crossing = BTreeSet::new();
        let mut chosen = BTreeSet::new();
        for path in paths() {
            for method in ["GET", "HEAD", "POST", "PUT"].into_iter().filter_map(Method::parse) {
                let answering = answering(&routes, method, &path);
                for route in &answering {
                    chosen.insert(route.name());
                    for other in &answering {
                        if route.name() < other.name() {
                            crossing.insert((route.name(), other.name()));
                        }
                    }
                }
            }
        }

        let mut said = BTreeSet::new();
        for diagnostic in of(&diagnostics, Code::CrossingRoutes) {
            let [a, b, request] = quoted(&diagnostic.message)[..] else {
                panic!("{}", diagnostic.message);
            };
            said.insert(if a < b { (a.to_owned(), b.to_owned()) } else { (b.to_owned(), a.to_owned()) });
            let (method, path) = request.split_once(' ').unwrap();
            let path: Vec<String> = path.split('/').skip(1).filter(|segment| !segment.is_empty()).map(str::to_owned).collect();
            let answering: Vec<String> = answering(&routes, Method::parse(method).unwrap(), &path)
                .into_iter()
                .map(Route::name)
                .collect();
            prop_assert!(answering.contains(&a.to_owned()) && answering.contains(&b.to_owned()), "{request} of\n{text}");
        }
        prop_assert_eq!(said, crossing, "crossing, in\n{}", text);

        let never: BTreeSet<String> = of(&diagnostics, Code::NeverChosen)
            .flat_map(|diagnostic| quoted(&diagnostic.message).into_iter().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let unchosen: BTreeSet<String> = routes
            .iter()
            .map(Route::name)
            .filter(|name| !chosen.contains(name))
            .collect();
        prop_assert_eq!(never, unchosen, "never chosen, in\n{}", text);
    }
}

/// Two guards cover one route, and one of them covers another route too: each is reported with all
/// routes that it covers, in either order.
#[test]
fn denied_guards_are_reported_in_any_order() {
    let said = |guards: [&str; 2]| {
        let text = format!(
            "issuer main {{ url \"https://issuer.example/\" }}\napi shop {{\n    host \
             \"shop.example.com\"\n    issuer main\n    audience \"shop\"\n    GET /a/b \
             authenticated\n    GET /a/c authenticated\n}}\n{}\n{}\n",
            guards[0], guards[1]
        );
        let mut messages: Vec<String> = check_text(&text)
            .checked
            .diagnostics
            .into_iter()
            .filter(|diagnostic| diagnostic.code == Code::DeniedCovers)
            .map(|diagnostic| diagnostic.message)
            .collect();
        messages.sort_unstable();
        messages
    };
    let (one, both) = (
        "guard * /a/b of shop denied",
        "guard GET /a/** of shop denied",
    );
    let messages = said([one, both]);
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert_eq!(messages, said([both, one]));
}

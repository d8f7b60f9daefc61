//! The time of the exact difference of two policies: many routes with an edit, and one condition
//! with many atoms.

#![allow(missing_docs, reason = "a benchmark is no interface")]
#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot go on should say so and stop"
)]

mod policies;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use portcullis::analyze::diff;
use portcullis::engine::Policy;

const NOW: f64 = 1_780_315_200.0;

/// Policies with this many routes: equal ones, with one route edited, and with an edit in a set
/// that the guard over half of them uses.
fn by_routes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("diff");
    group.sample_size(10);
    let texts = policies::texts(10_000);
    let edited = |from: &str, to: &str, most: usize| -> Policy {
        let mut left = most;
        let texts: Vec<String> = texts
            .iter()
            .map(|text| {
                let mut edited = text.clone();
                while left > 0 && edited.contains(from) {
                    edited = edited.replacen(from, to, 1);
                    left -= 1;
                }
                edited
            })
            .collect();
        policies::load(&texts)
    };
    let old = policies::load(&texts);
    for (name, new, is_equal) in [
        ("10000 routes/same", policies::load(&texts), true),
        (
            "10000 routes/one edited",
            edited("r500:read", "r500:view", 1),
            false,
        ),
        (
            "10000 routes/a set edited",
            edited("\"trudy\"", "\"trudy\", \"oscar\"", 1),
            false,
        ),
    ] {
        let difference = diff(&old, &new, NOW).expect("they can be compared");
        assert_eq!(difference.changes.is_empty(), is_equal, "{difference:#?}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| diff(black_box(&old), black_box(&new), NOW));
        });
    }
    group.finish();
}

/// One condition of 40 atoms, and the same by De Morgan's laws.
fn by_atoms(criterion: &mut Criterion) {
    let policy = |condition: &str| {
        policies::load(&[format!(
            "issuer main {{\n    url \"https://issuer.example\"\n    claims {{ plan string  seats \
             number }}\n}}\napi shop {{\n    host \"api.example.com\"\n    issuer main\n    audience \
             \"a\"\n    GET /a/{{x}} requires {condition}\n}}\n"
        )])
    };
    let pairs: Vec<(String, String)> = (0..20)
        .map(|number| match number % 3 {
            0 => (
                format!("scope \"s{number}\""),
                format!("claim seats < {number}"),
            ),
            1 => (
                format!("claim plan == \"p{number}\""),
                format!("scope \"t{number}\""),
            ),
            _ => (
                format!("claim seats == {number}"),
                format!("claim plan starts with \"q{number}\""),
            ),
        })
        .collect();
    let join = |parts: Vec<String>, word: &str| parts.join(word);
    let plain = join(
        pairs
            .iter()
            .map(|(a, b)| format!("({a} or not {b})"))
            .collect(),
        " and ",
    );
    let rewritten = format!(
        "not ({})",
        join(
            pairs
                .iter()
                .map(|(a, b)| format!("({b} and not {a})"))
                .collect(),
            " or "
        )
    );
    let (old, new) = (policy(&plain), policy(&rewritten));
    let difference = diff(&old, &new, NOW).expect("they can be compared");
    assert!(difference.changes.is_empty(), "{difference:#?}");
    criterion.bench_function("diff/40 atoms", |bencher| {
        bencher.iter(|| diff(black_box(&old), black_box(&new), NOW));
    });
}

criterion_group!(benches, by_routes, by_atoms);
criterion_main!(benches);

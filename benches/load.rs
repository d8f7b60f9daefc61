//! The time to load a policy: to parse, check and compile it.

#![allow(missing_docs, reason = "a benchmark is no interface")]
#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot go on should say so and stop"
)]

mod policies;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mimalloc::MiMalloc;

/// The daemon's allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn by_routes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10);
    for routes in [1_000, 10_000, 100_000] {
        let texts = policies::texts(routes);
        group.bench_function(format!("{routes}"), |bencher| {
            bencher.iter(|| policies::load(black_box(&texts)));
        });
    }
    group.finish();
}

criterion_group!(benches, by_routes);
criterion_main!(benches);

//! Parses the files of a policy, on all cores if they are large.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::ast::Document;
use super::parse;
use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Sources};

/// Below this total, in bytes, starting threads takes longer than they save.
const WORTH_THREADS: usize = 1024 * 1024;

/// Parses each file like [`super::parse`]. The results are in the order of the files, and don't depend
/// on the number of threads.
pub fn parse_all(sources: &Sources) -> Vec<(Document, Vec<Diagnostic>)> {
    let bytes: usize = sources.iter().map(|(_, source)| source.text.len()).sum();
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    parse_by(if bytes < WORTH_THREADS { 1 } else { cores }, sources)
}

fn parse_by(threads: usize, sources: &Sources) -> Vec<(Document, Vec<Diagnostic>)> {
    let files: Vec<FileId> = sources.iter().map(|(file, _)| file).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut parsed = Vec::new();
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            parsed.push((*file, parse(sources, *file)));
        }
        parsed
    };
    let mut all = thread::scope(|scope| {
        // Those that can't be started aren't needed.
        let helpers: Vec<_> = (1..threads.min(files.len()))
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut all = work();
        for helper in helpers {
            match helper.join() {
                Ok(parsed) => all.extend(parsed),
                Err(panic) => resume_unwind(panic),
            }
        }
        all
    });
    all.sort_unstable_by_key(|(file, _)| *file);
    all.into_iter().map(|(_, parsed)| parsed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let mut sources = Sources::new();
        for at in 0..20 {
            // Some have an error, so that some have diagnostics.
            let access = if at % 3 == 0 { "publik" } else { "public" };
            let text = format!("api a{at} {{\n    GET /r{at} {access}\n}}\n");
            sources.add(format!("{at}.gate"), text);
        }
        let one_by_one: Vec<_> = sources
            .iter()
            .map(|(file, _)| parse(&sources, file))
            .collect();
        assert!(one_by_one.iter().any(|(_, found)| !found.is_empty()));
        for threads in [1, 2, 3, 50] {
            let all = parse_by(threads, &sources);
            assert_eq!(format!("{all:?}"), format!("{one_by_one:?}"), "{threads}");
        }
    }
}

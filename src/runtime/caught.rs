//! Contains a panic to one piece of work.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// Runs a future to its end; `None` if it panics.
///
/// State that it shares with others must stay consistent if it stops half-way.
pub async fn caught<F: Future>(work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
            Err(_) => Poll::Ready(None),
        },
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_nothing_and_what_comes_after_it_goes_on() {
        let work = async |panics: bool| {
            tokio::task::yield_now().await;
            if panics {
                panic!("on purpose");
            }
            17
        };
        assert_eq!(caught(work(true)).await, None);
        assert_eq!(caught(work(false)).await, Some(17));
    }
}

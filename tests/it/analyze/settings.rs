//! Differences that are no route's.

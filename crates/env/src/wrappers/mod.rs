//! Changes laid around any environment.
//!
//! A wrapper is generic over what it wraps, is itself an [`Environment`](crate::Environment), and saves its own
//! state together with the inner one. Wrap typed environments for speed, or the boxed ones of
//! [`make`](crate::make).

mod time_limit;

pub use time_limit::TimeLimit;

//! Studies.
pub mod statistics;

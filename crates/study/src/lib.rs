//! Studies.
pub mod export;
pub mod machine;
pub mod statistics;
pub mod store;
pub use store::Store;

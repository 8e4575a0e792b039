//! The loops that the fast parts of Quire are made of.
//!
//! | module | what it holds |
//! |---|---|
//! | [`simd`] | one source compiled for three instruction sets, picked at run time |
//! | [`Float`] | `f32` and `f64`, and functions of them that vectorize |
//! | [`loops`] | sums in a fixed order, elementwise maps, softmax over rows |
//! | [`gemm`] | the matrix product |
//! | [`pool`] | threads that share the blocks of a job |
//! | [`once`] | generic functions compiled in their own crate only |
//!
//! No result depends on the number of threads, and the elementwise loops and sums give the same bits at every instruction set.

pub mod float;
pub mod gemm;
pub mod loops;
pub mod once;
pub mod pool;
pub mod simd;

pub use float::Float;

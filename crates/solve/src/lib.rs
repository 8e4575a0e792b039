//! Iterative solvers: one problem and one algorithm make one solution, with a reason for its end, the number of
//! iterations and the history of its residual. That an algorithm fails is a value, never a panic.
//!
//! | module | what is in it |
//! |---|---|
//! | [`solver`] | the role of all families, [`solve`](solver::solve) and [`Solution`](solver::Solution) |
//! | [`problem`] | drawn instances as problems of the registry, and their runs |
//! | [`ranking`] | family: strengths of players from the games they played |

pub mod problem;
pub mod ranking;
pub mod solver;

use quire_core::Wing;

pub use solver::{Solution, Solver, Step, solve};

/// This wing.
pub fn wing() -> Wing {
    Wing {
        name: "solve",
        summary: "iterative solvers: rankings from games",
        problems: [ranking::problems()].concat(),
        open: |_| None,
    }
}

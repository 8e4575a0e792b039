//! Iterative solvers: one problem and one algorithm make one solution, with a reason for its end, the number of
//! iterations and the history of its residual. That an algorithm fails is a value, never a panic.
//!
//! | module | what is in it |
//! |---|---|
//! | [`solver`] | the role of all families, [`solve`] and [`Solution`] |
//! | [`problem`] | drawn instances as problems of the registry, and their runs |
//! | [`learned`] | family: parameters of solvers, learnt from tasks |
//! | [`linear`] | family: sparse systems of linear equations |
//! | [`nonlinear`] | family: square systems of nonlinear equations with bounds |
//! | [`descent`] | family: descend smooth functions by their gradients |
//! | [`finite_sum`] | family: minimize the mean of many functions by gradients of a few |
//! | [`newton`] | family: minimize by Newton steps, and how long to make them |
//! | [`constrained`] | family: minimize subject to equations |
//! | [`hessian`] | family: fit the inverse of a Hessian to products with it |
//! | [`feedforward`] | family: chains of steps, computed side by side |
//! | [`fixed_point`] | family: fixed points of nonexpansive operators, or a certificate that there is none |
//! | [`sensing`] | family: low-rank matrices from linear measurements |
//! | [`stiff`] | family: stiff ordinary differential equations |
//! | [`ranking`] | family: strengths of players from the games they played |
//! | [`polar`] | family: the nearest orthogonal matrix |
//! | [`vectors`] | loops over vectors |
//! | [`quasi_newton`] | the curvature that L-BFGS remembers |

pub mod constrained;
pub mod descent;
pub mod feedforward;
pub mod finite_sum;
pub mod fixed_point;
pub mod hessian;
pub mod learned;
pub mod linear;
pub mod newton;
pub mod nonlinear;
pub mod polar;
pub mod problem;
pub mod quasi_newton;
pub mod ranking;
pub mod sensing;
pub mod solver;
pub mod stiff;
pub mod vectors;

use quire_core::Wing;

pub use solver::{Solution, Solver, Step, solve};

/// This wing.
pub fn wing() -> Wing {
    Wing {
        name: "solve",
        summary: "iterative solvers: rankings, linear and nonlinear equations, minimization, fixed points, stiff equations",
        problems: [
            ranking::problems(),
            linear::problems(),
            newton::problems(),
            constrained::problems(),
            nonlinear::problems(),
            descent::problems(),
            finite_sum::problems(),
            fixed_point::problems(),
            hessian::problems(),
            stiff::problems(),
            polar::problems(),
            feedforward::problems(),
            learned::problems(),
            sensing::problems(),
        ]
        .concat(),
        open: |name| constrained::open(name).or_else(|| finite_sum::open(name)),
    }
}

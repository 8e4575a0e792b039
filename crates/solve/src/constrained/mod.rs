//! Family: minimize f(x) subject to equations c(x) = 0.
//!
//! With multipliers λ the Lagrangian is L = f + λᵀc. A solution has ∇_x L = 0 and c = 0; the methods stop
//! once ‖(∇_x L, c)‖, the KKT residual, is small. All but one of them take Newton steps on these equations,
//! whose matrix is `[[B, Gᵀ], [G, 0]]` with the Jacobian G of c and the Hessian B of L. They differ in how
//! the step is solved for, and in what says how far to go along it.
//!
//! The unit of work is the flop (an addition or a multiplication) of solving the linear systems, whose
//! matrices are taken as dense. What all methods spend alike is left out, as in the paper: functions and
//! their derivatives, which metrics of their own count, and the eigenvalues that tell whether a Hessian is
//! modified. These cost O(n³), as much as a factorization. A solution is x, then λ.
//!
//! ```
//! use quire_core::Seeds;
//! use quire_solve::constrained::jet::Written;
//! use quire_solve::constrained::newton_kkt::{NewtonKkt, NewtonKktOptions};
//! use quire_solve::constrained::Task;
//! use quire_solve::solver::{Method, solve};
//!
//! // The point of the unit circle that is nearest to (2, 1); derivatives come by themselves.
//! let circle = Written::new(|&[x, y]| ((x - 2.0).powi(2) + (y - 1.0).powi(2), vec![x * x + y * y - 1.0]));
//! let task = Task::new(Box::new(circle), vec![1.0, 1.0], vec![0.0], Seeds::new(0))?;
//! let found = solve(&mut NewtonKkt::new(&task, NewtonKktOptions::default())?, &task, 100);
//! assert!(found.is_converged());
//! assert!((found.values[0] - 2.0 / 5.0_f64.sqrt()).abs() < 1e-5);
//! # Ok::<(), quire_core::Error>(())
//! ```
//!
//! | file | what it holds |
//! |---|---|
//! | [`sketched`] | sketched-lagrangian: the step by randomized projections, only as accurate as it has to be |
//! | [`newton_kkt`] | the same with exact steps: LU, GMRES or MINRES |
//! | [`l1_sqp`] | steps by GMRES, judged by f + μ ‖c‖₁ |
//! | [`augmented_lagrangian`] | no Newton step on both, but minimizations between updates of λ |
//! | [`merit`] | the exact augmented Lagrangian, and steps that make it fall |
//! | [`kkt`] | the functions at a point, and the system of a step |
//! | [`krylov`] | GMRES and MINRES on dense matrices |
//! | [`jet`] | numbers that carry their first and second derivatives |
//! | [`hock_schittkowski`] | small problems of a collection |
//! | [`problems`](mod@problems) | the problems |

pub mod augmented_lagrangian;
pub mod hock_schittkowski;
pub mod jet;
pub mod kkt;
pub mod krylov;
pub mod l1_sqp;
pub mod merit;
pub mod newton_kkt;
pub mod problems;
pub mod sketched;

use nalgebra::{DMatrix, DVector};
use quire_core::{About, Entry, Error, Paper, Result, Seeds};
use serde::{Deserialize, Serialize};

pub use problems::problems;

use crate::solver::{Make, entry};

/// The paper.
pub const PAPER: Paper = Paper {
    slug: "sketched-lagrangian",
    title: "Constrained Optimization via Exact Augmented Lagrangian and Randomized Iterative Sketching",
    arxiv: "2305.18379",
};

/// A function and equations, twice differentiable.
pub trait Constrained: Send + Sync {
    /// n, the length of x.
    fn unknowns(&self) -> usize;

    /// m, the length of c.
    fn constraints(&self) -> usize;

    /// f at `x`.
    fn value(&self, x: &DVector<f64>) -> f64;

    /// Its gradient.
    fn gradient(&self, x: &DVector<f64>) -> DVector<f64>;

    /// c at `x`.
    fn constraint(&self, x: &DVector<f64>) -> DVector<f64>;

    /// Its Jacobian G, m x n.
    fn jacobian(&self, x: &DVector<f64>) -> DMatrix<f64>;

    /// The Hessian of f + λᵀc at `x`, n x n.
    fn hessian(&self, x: &DVector<f64>, multipliers: &DVector<f64>) -> DMatrix<f64>;
}

/// A problem, where to begin, and where random numbers come from.
pub struct Task {
    /// f and c.
    pub problem: Box<dyn Constrained>,
    /// x_0.
    pub start: Vec<f64>,
    /// λ_0.
    pub multipliers: Vec<f64>,
    /// Random streams of the method.
    pub seeds: Seeds,
}

impl Task {
    /// Checks that the lengths agree.
    ///
    /// # Errors
    /// A start or multipliers that do not fit the problem, or more equations than unknowns.
    pub fn new(
        problem: Box<dyn Constrained>,
        start: Vec<f64>,
        multipliers: Vec<f64>,
        seeds: Seeds,
    ) -> Result<Self> {
        let (n, m) = (problem.unknowns(), problem.constraints());
        if start.len() != n || multipliers.len() != m {
            return Err(Error::Usage(format!(
                "the start has {} numbers and there are {} multipliers, where the problem has {n} unknowns and {m} equations",
                start.len(),
                multipliers.len()
            )));
        }
        if m > n {
            return Err(Error::Usage(format!(
                "{m} equations for {n} unknowns: at most as many as unknowns can be independent"
            )));
        }
        Ok(Task { problem, start, multipliers, seeds })
    }
}

/// The methods of this family.
pub const METHODS: &[Entry<Make<Task>>] = &[
    entry::<Task, sketched::SketchedLagrangian>(),
    entry::<Task, newton_kkt::NewtonKkt>(),
    entry::<Task, l1_sqp::L1Sqp>(),
    entry::<Task, augmented_lagrangian::AugmentedLagrangian>(),
];

/// What their residual is.
const RESIDUAL: &str = "KKT residual";

/// What all methods keep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Iterate {
    x: Vec<f64>,
    multipliers: Vec<f64>,
    /// α of the last step.
    step_size: f64,
    /// Work.
    flops: f64,
    /// Sketch steps or products with the matrix; for LU, factorizations.
    linear_steps: u64,
    /// Points at which f and c were evaluated.
    evaluations: u64,
}

impl Iterate {
    fn new(task: &Task) -> Self {
        Iterate {
            x: task.start.clone(),
            multipliers: task.multipliers.clone(),
            step_size: 0.0,
            flops: 0.0,
            linear_steps: 0,
            evaluations: 0,
        }
    }

    fn values(&self) -> Vec<f64> {
        [self.x.as_slice(), &self.multipliers].concat()
    }

    fn told(&self, penalty: f64) -> Vec<(&'static str, f64)> {
        vec![
            ("linear_steps", self.linear_steps as f64),
            ("evaluations", self.evaluations as f64),
            ("step_size", self.step_size),
            ("penalty", penalty),
        ]
    }
}

const fn baseline(name: &'static str, summary: &'static str, when: &'static str) -> About {
    About {
        name,
        summary,
        when,
        wing: "solve",
        family: "constrained",
        paper: None,
        is_baseline: true,
        tuned: "",
    }
}

#[cfg(test)]
mod tests;

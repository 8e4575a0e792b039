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
//! use quire_solve::constrained::{Steps, Task};
//! use quire_solve::solver::{Method, solve};
//!
//! // The point of the unit circle that is nearest to (2, 1); derivatives come by themselves.
//! let circle = Written::new(|&[x, y]| ((x - 2.0).powi(2) + (y - 1.0).powi(2), vec![x * x + y * y - 1.0]));
//! let task = Task::new(Box::new(circle), vec![1.0, 1.0], vec![0.0], Seeds::new(0))?;
//! let found = solve(&mut Steps::<NewtonKkt>::new(&task, NewtonKktOptions::default())?, &task, 100);
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
//! | [`hock_schittkowski`], [`boggs_tolle`] | small problems of two collections |
//! | [`problems`](mod@problems) | the problems |

pub mod augmented_lagrangian;
pub mod boggs_tolle;
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
use quire_core::{About, Entry, Error, Options, Paper, Result, Seeds, options, state};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use problems::{open, problems};

use self::kkt::Point;
use crate::solver::{Make, Method, Solver, Step, entry};

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
    entry::<Task, Steps<sketched::SketchedLagrangian>>(),
    entry::<Task, Steps<newton_kkt::NewtonKkt>>(),
    entry::<Task, Steps<l1_sqp::L1Sqp>>(),
    entry::<Task, Steps<augmented_lagrangian::AugmentedLagrangian>>(),
];

/// How a method makes a step of what is known at a point.
pub trait Rule: Send + Sized + 'static {
    /// The method's options.
    type Options: Options;
    /// What it remembers besides x and λ, generators included.
    type Memory: Serialize + DeserializeOwned + Send;

    /// Name, summary, source.
    const ABOUT: About;

    /// Its options' tolerance.
    fn tolerance(options: &Self::Options) -> f64;

    /// What it remembers at the start.
    fn memory(options: &Self::Options, task: &Task) -> Self::Memory;

    /// The weight of the constraints in what judges a step.
    fn penalty(memory: &Self::Memory) -> f64;

    /// What has to be done at a point before its residual is looked at.
    fn prepare(
        _options: &Self::Options,
        _memory: &mut Self::Memory,
        _iterate: &mut Iterate,
        _point: &mut Point,
    ) {
    }

    /// Moves `iterate`, which is at `point`, and counts what that takes.
    ///
    /// # Errors
    /// [`Error::Diverged`] where no step can be made.
    fn advance(
        options: &Self::Options,
        task: &Task,
        memory: &mut Self::Memory,
        iterate: &mut Iterate,
        point: &Point,
    ) -> Result<()>;
}

/// A method: steps of a rule until the KKT residual is small.
pub struct Steps<R: Rule> {
    options: R::Options,
    place: Place<R::Memory>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place<M> {
    iterate: Iterate,
    memory: M,
}

/// Where a method stands, and what that took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Iterate {
    /// x.
    pub x: Vec<f64>,
    /// λ.
    pub multipliers: Vec<f64>,
    /// α of the last step.
    pub step_size: f64,
    /// Work.
    pub flops: f64,
    /// Sketch steps or products with the matrix; for LU, factorizations.
    pub linear_steps: u64,
    /// Points at which f and c were evaluated.
    pub evaluations: u64,
}

impl Iterate {
    /// At the start.
    pub fn new(task: &Task) -> Self {
        Iterate {
            x: task.start.clone(),
            multipliers: task.multipliers.clone(),
            step_size: 0.0,
            flops: 0.0,
            linear_steps: 0,
            evaluations: 0,
        }
    }
}

impl<R: Rule> Method<Task> for Steps<R> {
    type Options = R::Options;

    const ABOUT: About = R::ABOUT;

    fn new(task: &Task, options: R::Options) -> Result<Self> {
        options::check(&options)?;
        let place = Place { iterate: Iterate::new(task), memory: R::memory(&options, task) };
        Ok(Steps { options, place })
    }
}

impl<R: Rule> Solver<Task> for Steps<R> {
    fn iterate(&mut self, task: &Task) -> Result<Step> {
        let Steps { options, place: Place { iterate, memory } } = self;
        let mut point = Point::of(task, iterate);
        iterate.evaluations += 1;
        R::prepare(options, memory, iterate, &mut point);
        let step = Step::judged(point.residual(), R::tolerance(options), "KKT residual");
        if step.done.is_none() {
            R::advance(options, task, memory, iterate, &point)?;
        }
        Ok(step)
    }

    fn values(&self) -> Vec<f64> {
        [self.place.iterate.x.as_slice(), &self.place.iterate.multipliers].concat()
    }

    fn work(&self) -> f64 {
        self.place.iterate.flops
    }

    fn told(&self) -> Vec<(&'static str, f64)> {
        let Place { iterate, memory } = &self.place;
        vec![
            ("linear_steps", iterate.linear_steps as f64),
            ("evaluations", iterate.evaluations as f64),
            ("step_size", iterate.step_size),
            ("penalty", R::penalty(memory)),
        ]
    }

    fn save(&self) -> Vec<u8> {
        state::encode(R::ABOUT.name, &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode(R::ABOUT.name, saved)?;
        Ok(())
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

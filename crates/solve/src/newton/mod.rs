//! Family: minimize a smooth function by Newton steps, and how long to make them.
//!
//! With g and H at x_k, n = H⁻¹ g is the Newton direction and ‖g‖* = sqrt(gᵀ n) its length in the local norm ‖h‖ = sqrt(hᵀ H h). A method
//! makes x_{k+1} = x_k - α n of it (or regularizes H); all that costs much, the factorization of H, is the same for all of them. H⁻¹
//! is a pseudo-inverse of the absolute eigenvalues, cut at 10⁻¹⁰ of the largest.
//!
//! | file | what it holds |
//! |---|---|
//! | [`root`] | RN: the step from a root of smoothness constants |
//! | [`universal`] | UN: the same without the constants, by backtracking |
//! | [`line_search`] | GRLS and greedy Newton on a grid; Armijo's rule |
//! | [`schedules`] | AICN, damped and constant steps |
//! | [`regularized`] | gradient-regularized and super-universal Newton |
//! | [`gradient`] | gradient descent with a doubling constant |
//! | [`local`] | the factorized Hessian at a point |
//! | [`objectives`] | the problems: polytope feasibility, logistic regression, Rosenbrock's chain |

pub mod gradient;
pub mod line_search;
pub mod local;
pub mod objectives;
pub mod regularized;
pub mod root;
pub mod schedules;
pub mod universal;

use nalgebra::{DMatrix, DVector};
use quire_core::{About, Entry, Options, Paper, Result, options, state};
use serde::{Deserialize, Serialize};

pub use local::Local;
pub use objectives::problems;

use crate::solver::{Make, Method, Solver, Step, entry};

/// The paper.
pub const PAPER: Paper = Paper {
    slug: "damped-newton",
    title: "Newton Method Revisited: Global Convergence Rates up to O(k^-3) for Stepsize Schedules and Linesearch Procedures",
    arxiv: "2405.18926",
};

/// A twice differentiable function.
pub trait Objective: Send + Sync {
    /// The number of unknowns.
    fn dimension(&self) -> usize;

    /// f at `x`.
    fn value(&self, x: &DVector<f64>) -> f64;

    /// Its gradient.
    fn gradient(&self, x: &DVector<f64>) -> DVector<f64>;

    /// Its Hessian.
    fn hessian(&self, x: &DVector<f64>) -> DMatrix<f64>;
}

/// A function and where to begin.
pub struct Minimization {
    /// f.
    pub objective: Box<dyn Objective>,
    /// x_0.
    pub start: DVector<f64>,
}

/// The methods of this family.
pub const METHODS: &[Entry<Make<Minimization>>] = &[
    entry::<Minimization, Newton<root::RootNewton>>(),
    entry::<Minimization, Newton<universal::UniversalNewton>>(),
    entry::<Minimization, Newton<line_search::Grls>>(),
    entry::<Minimization, Newton<line_search::Greedy>>(),
    entry::<Minimization, Newton<line_search::Armijo>>(),
    entry::<Minimization, Newton<schedules::Aicn>>(),
    entry::<Minimization, Newton<schedules::Damped>>(),
    entry::<Minimization, Newton<schedules::Constant>>(),
    entry::<Minimization, Newton<regularized::GradientRegularized>>(),
    entry::<Minimization, Newton<regularized::SuperUniversal>>(),
    entry::<Minimization, gradient::AdaptiveGradient>(),
];

/// What their residual is.
const DECREMENT: &str = "half the squared Newton decrement";

/// What a rule has decided on.
pub struct Decision {
    /// x_{k+1}.
    pub next: DVector<f64>,
    /// α, or for a regularized step λ.
    pub step: f64,
    /// Points at which f or its gradient was looked at.
    pub trials: u64,
}

/// How a method makes a step of what is known at a point.
pub trait Rule: Send + Sized + 'static {
    /// The method's options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// Its options' tolerance.
    fn tolerance(options: &Self::Options) -> f64;

    /// What it remembers from one iteration to the next, at the start: σ_0 or the like.
    fn memory(_options: &Self::Options) -> f64 {
        0.0
    }

    /// x_{k+1}. `memory` is what the iteration before left.
    ///
    /// # Errors
    /// A search that comes to no end.
    fn decide(
        options: &Self::Options,
        objective: &dyn Objective,
        local: &Local,
        memory: &mut f64,
    ) -> Result<Decision>;
}

/// Newton's method with a rule for its steps.
pub struct Newton<R: Rule> {
    options: R::Options,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    x: Vec<f64>,
    memory: f64,
    step: f64,
    iterations: u64,
    trials: u64,
}

impl<R: Rule> Method<Minimization> for Newton<R> {
    type Options = R::Options;

    const ABOUT: About = R::ABOUT;

    fn new(problem: &Minimization, options: R::Options) -> Result<Self> {
        options::check(&options)?;
        let place = Place {
            x: problem.start.as_slice().to_vec(),
            memory: R::memory(&options),
            step: 0.0,
            iterations: 0,
            trials: 0,
        };
        Ok(Newton { options, place })
    }
}

impl<R: Rule> Solver<Minimization> for Newton<R> {
    fn iterate(&mut self, problem: &Minimization) -> Result<Step> {
        let Newton { options, place } = self;
        let local = Local::new(&*problem.objective, DVector::from_column_slice(&place.x))?;
        place.iterations += 1;
        let step = Step::judged(0.5 * local.size * local.size, R::tolerance(options), DECREMENT);
        if step.done.is_some() {
            return Ok(step);
        }
        let decision = R::decide(options, &*problem.objective, &local, &mut place.memory)?;
        place.x.copy_from_slice(decision.next.as_slice());
        place.step = decision.step;
        place.trials += decision.trials;
        Ok(step)
    }

    fn values(&self) -> Vec<f64> {
        self.place.x.clone()
    }

    fn work(&self) -> f64 {
        self.place.iterations as f64
    }

    fn told(&self) -> Vec<(&'static str, f64)> {
        vec![("step_size", self.place.step), ("trials", self.place.trials as f64)]
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
    About { name, summary, when, wing: "solve", family: "newton", paper: None, is_baseline: true, tuned: "" }
}

const fn of_the_paper(name: &'static str, summary: &'static str, when: &'static str) -> About {
    About { paper: Some(PAPER), is_baseline: false, ..baseline(name, summary, when) }
}

#[cfg(test)]
mod tests;

//! Family: stiff ordinary differential equations y' = f(y), in a given number of equal steps.
//!
//! | file | what it holds |
//! |---|---|
//! | [`tase`] | explicit Runge-Kutta schemes whose slopes are filtered: MSRKTASE, its rivals with one operator, and with one of several factors |
//! | [`rosenbrock`] | ROS2 and ROS3 |
//! | [`implicit_euler`] | the implicit Euler method |
//! | [`equations`] | the problems |

pub mod equations;
pub mod implicit_euler;
pub mod rosenbrock;
pub mod tase;

use nalgebra::{DMatrix, DVector, Dyn, LU};
use quire_core::{About, Entry, Error, Options, Reason, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use equations::problems;

use crate::solver::{Make, Method, Solver, Step, entry};

/// An autonomous system.
pub trait Equations: Send + Sync {
    /// f(y).
    fn slope(&self, y: &DVector<f64>) -> DVector<f64>;

    /// Its Jacobian.
    fn jacobian(&self, y: &DVector<f64>) -> DMatrix<f64>;

    /// The matrix of its stiff linear part, if it has one.
    fn linear_part(&self) -> Option<DMatrix<f64>> {
        None
    }
}

/// Equations with a start and an end.
pub struct InitialValue {
    /// f.
    pub equations: Box<dyn Equations>,
    /// y(0).
    pub start: DVector<f64>,
    /// The time at the end.
    pub end: f64,
}

/// The matrix J that a step uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Jacobian {
    /// The Jacobian at the beginning of each step.
    #[default]
    Exact,
    /// The stiff linear part where the equations have one, else the Jacobian at the start; factorized once.
    Frozen,
}

/// Counts of what a run has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Evaluations of f.
    pub slopes: u64,
    /// LU factorizations.
    pub factorizations: u64,
    /// Solutions of a system with factors at hand.
    pub solves: u64,
}

/// A scheme: one step of it.
pub trait Scheme: Send + Sized + 'static {
    /// The method's options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// Steps in all, and which J.
    fn plan(options: &Self::Options) -> (u64, Jacobian);

    /// The scheme with its coefficients.
    ///
    /// # Errors
    /// Options that do not go together.
    fn new(options: &Self::Options) -> Result<Self>;

    /// The α of which factors of I - h α J are needed.
    fn shifts(&self) -> Vec<f64>;

    /// y(t + h) from y(t).
    ///
    /// # Errors
    /// A step that comes to no end.
    fn step(&self, at: &mut Stepper, y: &DVector<f64>) -> Result<DVector<f64>>;
}

/// LU factors of I - h α J.
type Factors = LU<f64, Dyn, Dyn>;

/// What a scheme is given in a step.
pub struct Stepper<'a> {
    /// f.
    pub equations: &'a dyn Equations,
    /// h.
    pub h: f64,
    /// Factors of I - h α J, in the order of [`Scheme::shifts`].
    factors: &'a [Factors],
    /// J.
    pub jacobian: &'a DMatrix<f64>,
    counts: &'a mut Counts,
}

impl Stepper<'_> {
    /// f(y).
    pub fn slope(&mut self, y: &DVector<f64>) -> DVector<f64> {
        self.counts.slopes += 1;
        self.equations.slope(y)
    }

    /// (I - h α J)⁻¹ w with the α of this number.
    ///
    /// # Errors
    /// A singular matrix.
    pub fn solve(&mut self, which: usize, w: &DVector<f64>) -> Result<DVector<f64>> {
        self.counts.solves += 1;
        self.factors[which]
            .solve(w)
            .ok_or_else(|| Error::Diverged("I - hαJ is singular: take other steps".into()))
    }
}

/// A scheme at work: `steps` equal steps from the start to the end.
pub struct Integrator<S: Scheme> {
    options: S::Options,
    scheme: S,
    place: Place,
    /// J and its factors; those of a frozen J are kept.
    factors: Option<(DMatrix<f64>, Vec<Factors>)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    y: Vec<f64>,
    steps: u64,
    counts: Counts,
}

impl<S: Scheme> Method<InitialValue> for Integrator<S> {
    type Options = S::Options;

    const ABOUT: About = S::ABOUT;

    fn new(problem: &InitialValue, options: S::Options) -> Result<Self> {
        options::check(&options)?;
        let y = problem.start.as_slice().to_vec();
        Ok(Integrator {
            scheme: S::new(&options)?,
            options,
            place: Place { y, steps: 0, counts: Counts::default() },
            factors: None,
        })
    }
}

impl<S: Scheme> Solver<InitialValue> for Integrator<S> {
    fn iterate(&mut self, problem: &InitialValue) -> Result<Step> {
        let Integrator { options, scheme, place, factors } = self;
        let (steps, kind) = S::plan(options);
        let h = problem.end / steps as f64;
        let y = DVector::from_column_slice(&place.y);
        if factors.is_none() || kind == Jacobian::Exact {
            let jacobian = match kind {
                Jacobian::Exact => problem.equations.jacobian(&y),
                Jacobian::Frozen => problem
                    .equations
                    .linear_part()
                    .unwrap_or_else(|| problem.equations.jacobian(&problem.start)),
            };
            let identity = DMatrix::identity(y.len(), y.len());
            let shifts = scheme.shifts();
            // A resumed run makes the factors of a frozen J anew; they count once.
            if kind == Jacobian::Exact || place.steps == 0 {
                place.counts.factorizations += shifts.len() as u64;
            }
            let made = shifts.iter().map(|alpha| (&identity - &jacobian * (h * alpha)).lu()).collect();
            *factors = Some((jacobian, made));
        }
        let (jacobian, factors) = factors.as_ref().expect("they were made above");
        let mut at =
            Stepper { equations: &*problem.equations, h, factors, jacobian, counts: &mut place.counts };
        let next = scheme.step(&mut at, &y)?;
        if next.iter().any(|y| !y.is_finite()) {
            return Err(Error::Diverged(format!(
                "the solution is no longer finite after {} steps",
                place.steps + 1
            )));
        }
        place.y.copy_from_slice(next.as_slice());
        place.steps += 1;
        let left = 1.0 - place.steps as f64 / steps as f64;
        let done =
            (place.steps == steps).then(|| Reason::Converged(format!("the end is reached in {steps} steps")));
        Ok(Step { residual: left, done })
    }

    fn values(&self) -> Vec<f64> {
        self.place.y.clone()
    }

    fn work(&self) -> f64 {
        self.place.counts.solves as f64
    }

    fn told(&self) -> Vec<(&'static str, f64)> {
        let counts = &self.place.counts;
        vec![("factorizations", counts.factorizations as f64), ("evaluations", counts.slopes as f64)]
    }

    fn save(&self) -> Vec<u8> {
        state::encode(S::ABOUT.name, &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode(S::ABOUT.name, saved)?;
        self.factors = None;
        Ok(())
    }
}

/// The methods of this family.
pub const METHODS: &[Entry<Make<InitialValue>>] = &[
    entry::<InitialValue, Integrator<tase::MsRkTase>>(),
    entry::<InitialValue, Integrator<tase::SinglyRkTase>>(),
    entry::<InitialValue, Integrator<tase::RkTase>>(),
    entry::<InitialValue, Integrator<rosenbrock::Rosenbrock>>(),
    entry::<InitialValue, Integrator<implicit_euler::ImplicitEuler>>(),
];

const fn baseline(name: &'static str, summary: &'static str, when: &'static str) -> About {
    About { name, summary, when, wing: "solve", family: "stiff", paper: None, is_baseline: true, tuned: "" }
}

#[cfg(test)]
mod tests;

//! Family: stiff ordinary differential equations y' = f(y), in a given number of equal steps or to a tolerance.
//!
//! | file | what it holds |
//! |---|---|
//! | [`tase`] | explicit Runge-Kutta schemes whose slopes are filtered: MSRKTASE, its rivals with one operator, and with one of several factors |
//! | [`rosenbrock`] | ROS2 and ROS3 |
//! | [`implicit_euler`] | the implicit Euler method |
//! | [`control`] | steps to a tolerance |
//! | [`equations`] | the problems |

pub mod control;
pub mod equations;
pub mod implicit_euler;
pub mod rosenbrock;
pub mod tase;

use nalgebra::{DMatrix, DVector, Dyn, LU};
use quire_core::{About, Entry, Error, Options, Reason, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use control::Tolerance;
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

/// Which steps a run takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// So many equal ones.
    pub steps: u64,
    /// Or as many as the tolerance needs.
    pub adaptive: Option<Tolerance>,
    /// J.
    pub jacobian: Jacobian,
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
    /// Steps that were too inaccurate and were done again, shorter.
    pub rejected: u64,
}

/// A scheme: one step of it.
pub trait Scheme: Send + Sized + 'static {
    /// The method's options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// Which steps.
    fn plan(options: &Self::Options) -> Plan;

    /// The scheme with its coefficients.
    ///
    /// # Errors
    /// Options that do not go together.
    fn new(options: &Self::Options) -> Result<Self>;

    /// The α of which factors of I - h α J are needed.
    fn shifts(&self) -> Vec<f64>;

    /// The order p: an error of h^(p + 1) in a step.
    fn order(&self) -> u32;

    /// y(t + h) from y(t).
    ///
    /// # Errors
    /// A step that comes to no end.
    fn step(&self, at: &mut Stepper, y: &DVector<f64>) -> Result<DVector<f64>>;

    /// y(t + h) and its difference from an embedded formula of order p - 1, if the scheme has one.
    ///
    /// # Errors
    /// As those of [`Scheme::step`].
    fn embedded(&self, _at: &mut Stepper, _y: &DVector<f64>) -> Option<Result<(DVector<f64>, DVector<f64>)>> {
        None
    }
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

/// A scheme at work, from the start to the end.
pub struct Integrator<S: Scheme> {
    plan: Plan,
    scheme: S,
    shifts: Vec<f64>,
    place: Place,
    /// J at the place, or the frozen one.
    jacobian: Option<DMatrix<f64>>,
    /// The factors of steps of some length with that J.
    factors: Option<(f64, Vec<Factors>)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    y: Vec<f64>,
    time: f64,
    /// The length of the next step that a tolerance has chosen, 0 before the first one.
    length: f64,
    /// Steps taken.
    steps: u64,
    counts: Counts,
}

impl<S: Scheme> Method<InitialValue> for Integrator<S> {
    type Options = S::Options;

    const ABOUT: About = S::ABOUT;

    fn new(problem: &InitialValue, options: S::Options) -> Result<Self> {
        options::check(&options)?;
        let scheme = S::new(&options)?;
        let y = problem.start.as_slice().to_vec();
        Ok(Integrator {
            plan: S::plan(&options),
            shifts: scheme.shifts(),
            scheme,
            place: Place { y, time: 0.0, length: 0.0, steps: 0, counts: Counts::default() },
            jacobian: None,
            factors: None,
        })
    }
}

/// A step whose error is known.
struct Estimate {
    /// y at its end.
    next: DVector<f64>,
    error: DVector<f64>,
    /// The power of the step's length that the error falls with.
    power: f64,
}

impl<S: Scheme> Integrator<S> {
    /// Makes sure that J and the factors for a step of this length are at hand.
    fn prepare(&mut self, equations: &dyn Equations, start: &DVector<f64>, y: &DVector<f64>, h: f64) {
        let Integrator { plan, shifts, place, jacobian, factors, .. } = self;
        let jacobian = jacobian.get_or_insert_with(|| match plan.jacobian {
            Jacobian::Exact => equations.jacobian(y),
            Jacobian::Frozen => equations.linear_part().unwrap_or_else(|| equations.jacobian(start)),
        });
        if factors.as_ref().is_some_and(|(of, _)| *of == h) {
            return;
        }
        // A run of equal steps that is resumed makes the factors of a frozen J anew; they count once.
        let again = plan.adaptive.is_none() && plan.jacobian == Jacobian::Frozen && place.steps > 0;
        if !again {
            place.counts.factorizations += shifts.len() as u64;
        }
        *factors = Some((h, shifts.iter().map(|alpha| shifted(jacobian, h * alpha).lu()).collect()));
    }

    /// `work` with everything that a step of this length from y needs.
    fn at<T>(
        &mut self,
        problem: &InitialValue,
        y: &DVector<f64>,
        h: f64,
        work: impl FnOnce(&S, &mut Stepper) -> T,
    ) -> T {
        self.prepare(&*problem.equations, &problem.start, y, h);
        let jacobian = self.jacobian.as_ref().expect("it was made above");
        let (_, factors) = self.factors.as_ref().expect("they were made above");
        let counts = &mut self.place.counts;
        work(&self.scheme, &mut Stepper { equations: &*problem.equations, h, factors, jacobian, counts })
    }

    /// Forgets J where it belongs to a place that was left.
    fn leave(&mut self) {
        if self.plan.jacobian == Jacobian::Exact {
            (self.jacobian, self.factors) = (None, None);
        }
    }

    /// A step of length h from y.
    fn estimate(&mut self, problem: &InitialValue, y: &DVector<f64>, h: f64) -> Result<Estimate> {
        let order = f64::from(self.scheme.order());
        // Whatever was done before, a step to a tolerance factorizes: a resumed run is to count as many.
        self.factors = None;
        if let Some(found) = self.at(problem, y, h, |scheme, at| scheme.embedded(at, y)) {
            let (next, error) = found?;
            return Ok(Estimate { next, error, power: order });
        }
        let whole = self.at(problem, y, h, |scheme, at| scheme.step(at, y))?;
        let here = self.jacobian.clone();
        let middle = self.at(problem, y, 0.5 * h, |scheme, at| scheme.step(at, y))?;
        self.leave();
        let end = self.at(problem, &middle, 0.5 * h, |scheme, at| scheme.step(at, &middle));
        // Back to J at y, should the step be done again.
        self.jacobian = here;
        let end = end?;
        let error = (&end - whole) / (order.exp2() - 1.0);
        Ok(Estimate { next: end, error, power: order + 1.0 })
    }

    /// An equal step: y at its end.
    fn equal_step(&mut self, problem: &InitialValue, y: &DVector<f64>) -> Result<DVector<f64>> {
        let h = problem.end / self.plan.steps as f64;
        let next = self.at(problem, y, h, |scheme, at| scheme.step(at, y))?;
        if next.iter().any(|y| !y.is_finite()) {
            let steps = self.place.steps + 1;
            return Err(Error::Diverged(format!("the solution is no longer finite after {steps} steps")));
        }
        self.place.time = problem.end * ((self.place.steps + 1) as f64 / self.plan.steps as f64);
        Ok(next)
    }

    /// A step to the tolerance: y at its end, or nothing if it has to be done again.
    fn adaptive_step(
        &mut self,
        problem: &InitialValue,
        y: &DVector<f64>,
        tolerance: Tolerance,
    ) -> Result<Option<DVector<f64>>> {
        if self.place.length == 0.0 {
            self.place.counts.slopes += 1;
            let slope = problem.equations.slope(y);
            self.place.length = tolerance.first_step(y, &slope, problem.end);
        }
        let left = problem.end - self.place.time;
        // No sliver is left for the last step.
        let h = if self.place.length * 1.000_001 >= left { left } else { self.place.length };
        let (length, failure) = match self.estimate(problem, y, h) {
            Ok(Estimate { next, error, power }) => {
                let norm = tolerance.norm(&error, y, &next);
                if norm <= 1.0 {
                    self.place.length = h * control::growth(norm, power);
                    self.place.time = if h == left { problem.end } else { self.place.time + h };
                    return Ok(Some(next));
                }
                (h * if norm.is_finite() { control::growth(norm, power) } else { 0.2 }, None)
            }
            Err(error) => (0.2 * h, Some(error)),
        };
        self.place.counts.rejected += 1;
        self.place.length = length;
        let time = self.place.time;
        if time + length > time {
            return Ok(None);
        }
        let why = failure.map(|error| format!(": {error}")).unwrap_or_default();
        Err(Error::Diverged(format!("no step from time {time:.6} is short enough{why}")))
    }
}

/// I - a J.
fn shifted(jacobian: &DMatrix<f64>, a: f64) -> DMatrix<f64> {
    let mut matrix = jacobian * -a;
    (0..matrix.nrows()).for_each(|i| matrix[(i, i)] += 1.0);
    matrix
}

impl<S: Scheme> Solver<InitialValue> for Integrator<S> {
    fn iterate(&mut self, problem: &InitialValue) -> Result<Step> {
        let y = DVector::from_column_slice(&self.place.y);
        let next = match self.plan.adaptive {
            None => Some(self.equal_step(problem, &y)?),
            Some(tolerance) => self.adaptive_step(problem, &y, tolerance)?,
        };
        if let Some(next) = next {
            self.place.y.copy_from_slice(next.as_slice());
            self.place.steps += 1;
            self.leave();
        }
        let steps = self.place.steps;
        let at_end = match self.plan.adaptive {
            None => steps == self.plan.steps,
            Some(_) => self.place.time >= problem.end,
        };
        let done = at_end.then(|| Reason::Converged(format!("the end is reached in {steps} steps")));
        Ok(Step { residual: 1.0 - self.place.time / problem.end, done })
    }

    fn values(&self) -> Vec<f64> {
        self.place.y.clone()
    }

    fn work(&self) -> f64 {
        self.place.counts.solves as f64
    }

    fn told(&self) -> Vec<(&'static str, f64)> {
        let counts = &self.place.counts;
        vec![
            ("factorizations", counts.factorizations as f64),
            ("evaluations", counts.slopes as f64),
            ("rejected", counts.rejected as f64),
        ]
    }

    fn save(&self) -> Vec<u8> {
        state::encode(S::ABOUT.name, &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode(S::ABOUT.name, saved)?;
        (self.jacobian, self.factors) = (None, None);
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

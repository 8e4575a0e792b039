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
    /// `out <- f(y)`.
    fn slope(&self, y: &DVector<f64>, out: &mut DVector<f64>);

    /// `out <-` the Jacobian of f at y.
    fn jacobian(&self, y: &DVector<f64>, out: &mut DMatrix<f64>);

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

    /// `next <- y(t + h)` from y = y(t), with vectors of the same length in `work` for what is in between.
    ///
    /// # Errors
    /// A step that comes to no end.
    fn step(
        &self,
        at: &mut Stepper,
        y: &DVector<f64>,
        work: &mut Work,
        next: &mut DVector<f64>,
    ) -> Result<()>;

    /// `error <-` the difference from an embedded formula of order p - 1, from what the step of length h has left in `work`; false if the scheme has
    /// none.
    fn embedded(&self, _h: f64, _work: &Work, _error: &mut DVector<f64>) -> bool {
        false
    }
}

/// Vectors that a scheme works with.
pub struct Work {
    length: usize,
    vectors: Vec<DVector<f64>>,
}

impl Work {
    /// `N` vectors, which hold whatever was left in them.
    pub fn vectors<const N: usize>(&mut self) -> &mut [DVector<f64>; N] {
        self.at_least(N).first_chunk_mut().expect("there are so many")
    }

    /// The vectors so far.
    pub fn held(&self) -> &[DVector<f64>] {
        &self.vectors
    }

    /// `count` vectors or more.
    pub fn at_least(&mut self, count: usize) -> &mut [DVector<f64>] {
        while self.vectors.len() < count {
            self.vectors.push(DVector::zeros(self.length));
        }
        &mut self.vectors
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
    /// `out <- f(y)`.
    pub fn slope(&mut self, y: &DVector<f64>, out: &mut DVector<f64>) {
        self.counts.slopes += 1;
        self.equations.slope(y, out);
    }

    /// `w <- (I - h α J)⁻¹ w` with the α of this number.
    ///
    /// # Errors
    /// A singular matrix.
    pub fn solve(&mut self, which: usize, w: &mut DVector<f64>) -> Result<()> {
        self.counts.solves += 1;
        let is_regular = self.factors[which].solve_mut(w);
        is_regular
            .then_some(())
            .ok_or_else(|| Error::Diverged("I - hαJ is singular: take other steps".into()))
    }
}

/// A scheme at work, from the start to the end.
pub struct Integrator<S: Scheme> {
    plan: Plan,
    scheme: S,
    shifts: Vec<f64>,
    place: Place,
    /// Where it stands, and after the step that is being tried.
    y: DVector<f64>,
    next: DVector<f64>,
    /// The estimate of that step's error.
    error: DVector<f64>,
    /// The end of the whole step, and the middle of the two halves.
    whole: DVector<f64>,
    middle: DVector<f64>,
    work: Work,
    /// J at the place, or the frozen one.
    jacobian: DMatrix<f64>,
    has_jacobian: bool,
    jacobian_here: DMatrix<f64>,
    /// The factors of steps of some length with that J.
    factors: Vec<Factors>,
    factors_of: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    /// Where it stands; filled in only while it is saved.
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
        let y = problem.start.clone();
        let n = y.len();
        let zeros = || DVector::zeros(n);
        Ok(Integrator {
            plan: S::plan(&options),
            shifts: scheme.shifts(),
            scheme,
            place: Place { y: Vec::new(), time: 0.0, length: 0.0, steps: 0, counts: Counts::default() },
            y,
            next: zeros(),
            error: zeros(),
            whole: zeros(),
            middle: zeros(),
            work: Work { length: n, vectors: Vec::new() },
            jacobian: DMatrix::zeros(n, n),
            has_jacobian: false,
            jacobian_here: DMatrix::zeros(n, n),
            factors: Vec::new(),
            factors_of: None,
        })
    }
}

/// Which vectors a step goes between.
#[derive(Clone, Copy)]
enum Leg {
    /// From y to `next`.
    Whole,
    /// From y to `middle`.
    FirstHalf,
    /// From `middle` to `next`.
    SecondHalf,
}

impl<S: Scheme> Integrator<S> {
    /// A step of length h, with J and the factors that it needs.
    fn step(&mut self, problem: &InitialValue, h: f64, leg: Leg) -> Result<()> {
        let Integrator { plan, shifts, place, jacobian, factors, .. } = self;
        let equations = &*problem.equations;
        let (y, next) = match leg {
            Leg::Whole => (&self.y, &mut self.next),
            Leg::FirstHalf => (&self.y, &mut self.middle),
            Leg::SecondHalf => (&self.middle, &mut self.next),
        };
        if !self.has_jacobian {
            match (plan.jacobian, equations.linear_part()) {
                (Jacobian::Exact, _) => equations.jacobian(y, jacobian),
                (Jacobian::Frozen, Some(part)) => *jacobian = part,
                (Jacobian::Frozen, None) => equations.jacobian(&problem.start, jacobian),
            }
            self.has_jacobian = true;
        }
        if self.factors_of != Some(h) {
            // A run of equal steps that is resumed makes the factors of a frozen J anew; they count once.
            let again = plan.adaptive.is_none() && plan.jacobian == Jacobian::Frozen && place.steps > 0;
            if !again {
                place.counts.factorizations += shifts.len() as u64;
            }
            factors.clear();
            factors.extend(shifts.iter().map(|alpha| shifted(jacobian, h * alpha).lu()));
            self.factors_of = Some(h);
        }
        let mut at = Stepper { equations, h, factors, jacobian, counts: &mut place.counts };
        self.scheme.step(&mut at, y, &mut self.work, next)
    }

    /// Forgets J where it belongs to a place that was left.
    fn leave(&mut self) {
        if self.plan.jacobian == Jacobian::Exact {
            (self.has_jacobian, self.factors_of) = (false, None);
        }
    }

    /// A step of length h with an estimate of its error; returns the power of h that the estimate falls with.
    fn estimated_step(&mut self, problem: &InitialValue, h: f64) -> Result<f64> {
        let order = f64::from(self.scheme.order());
        // Whatever was done before, a step to a tolerance factorizes: a resumed run is to count as many.
        self.factors_of = None;
        self.step(problem, h, Leg::Whole)?;
        if self.scheme.embedded(h, &self.work, &mut self.error) {
            return Ok(order);
        }
        self.whole.copy_from(&self.next);
        self.step(problem, 0.5 * h, Leg::FirstHalf)?;
        // J at y is kept, should the step be done again.
        self.jacobian_here.copy_from(&self.jacobian);
        self.leave();
        let end = self.step(problem, 0.5 * h, Leg::SecondHalf);
        self.jacobian.copy_from(&self.jacobian_here);
        end?;
        self.error.copy_from(&self.next);
        self.error -= &self.whole;
        self.error /= order.exp2() - 1.0;
        Ok(order + 1.0)
    }

    /// A step to the tolerance; false if it has to be done again.
    fn adaptive_step(&mut self, problem: &InitialValue, tolerance: Tolerance) -> Result<bool> {
        if self.place.length == 0.0 {
            self.place.counts.slopes += 1;
            problem.equations.slope(&self.y, &mut self.next);
            self.place.length = tolerance.first_step(&self.y, &self.next, problem.end);
        }
        let left = problem.end - self.place.time;
        // No sliver is left for the last step.
        let h = if self.place.length * 1.000_001 >= left { left } else { self.place.length };
        let (length, failure) = match self.estimated_step(problem, h) {
            Ok(power) => {
                let norm = tolerance.norm(&self.error, &self.y, &self.next);
                if norm <= 1.0 {
                    self.place.length = h * control::growth(norm, power);
                    self.place.time = if h == left { problem.end } else { self.place.time + h };
                    return Ok(true);
                }
                (h * if norm.is_finite() { control::growth(norm, power) } else { 0.2 }, None)
            }
            Err(error) => (0.2 * h, Some(error)),
        };
        self.place.counts.rejected += 1;
        self.place.length = length;
        let time = self.place.time;
        if time + length > time {
            return Ok(false);
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
        let is_taken = match self.plan.adaptive {
            None => {
                self.step(problem, problem.end / self.plan.steps as f64, Leg::Whole)?;
                if self.next.iter().any(|y| !y.is_finite()) {
                    let steps = self.place.steps + 1;
                    let problem = format!("the solution is no longer finite after {steps} steps");
                    return Err(Error::Diverged(problem));
                }
                self.place.time = problem.end * ((self.place.steps + 1) as f64 / self.plan.steps as f64);
                true
            }
            Some(tolerance) => self.adaptive_step(problem, tolerance)?,
        };
        if is_taken {
            std::mem::swap(&mut self.y, &mut self.next);
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
        self.y.as_slice().to_vec()
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
        state::encode(S::ABOUT.name, &Place { y: self.values(), ..self.place.clone() })
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode(S::ABOUT.name, saved)?;
        self.y = DVector::from_vec(std::mem::take(&mut self.place.y));
        (self.has_jacobian, self.factors_of) = (false, None);
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

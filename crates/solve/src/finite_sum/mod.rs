//! Family: minimize the mean of many functions by gradients of a few of them at a time.
//!
//! The unit of work is the pass: as many gradients of single components as there are components. A Hessian-vector product of a component
//! counts as nothing beside the gradients that it comes with, as in the papers; one iteration of a run is about one pass.
//!
//! | file | what it holds |
//! |---|---|
//! | [`shuffling`] | SGD in an order: with replacement, shuffled once or each time, forwards and backwards, or balanced (GraB) |
//! | [`ai_sarah`] | AI-SARAH: recursive gradients, and a step size from one Newton step |
//! | [`sarah`], [`svrg`] | its rivals with a fixed step |
//! | [`refined`] | SGD at a schedule made from the gradient norms of a first run, [`refined_optimizer`] Adam or another optimizer; [`scheduled`] SGD at any other |
//! | [`u_dog`], [`a_dog`] | accelerated steps without a learning rate; [`dog`], [`uni_x_grad`], [`nesterov`] as rivals |
//! | [`accelerated`] | accelerated SGD where all components are least at one point; [`mass`], [`agnes`] as rivals |
//! | [`batch_optimizer`] | any optimizer that networks are trained by |
//! | [`order`] | how orders are made |
//! | [`libsvm`] | a user's rows |
//! | [`components`] | the role of a finite sum; logistic regression, quadratics, a two-sided function |
//! | [`interpolation`] | sums that can be fitted: least squares, squared hinges, all-or-nothing gradients; a noisy quadratic |
//! | [`delayed_xor`] | a recurrent network on sequences: parameters that are matrices |
//! | [`differences`] | derivatives of sums that only tell their gradients |
//! | [`spirals`] | a perceptron on two spirals |
//! | [`problems`](mod@problems) | the problems |

pub mod a_dog;
pub mod accelerated;
pub mod agnes;
pub mod ai_sarah;
pub mod batch_optimizer;
pub mod components;
pub mod delayed_xor;
pub mod differences;
pub mod dog;
pub mod interpolation;
pub mod libsvm;
pub mod mass;
pub mod nesterov;
pub mod order;
pub mod problems;
pub mod refined;
pub mod refined_optimizer;
pub mod sarah;
pub mod scheduled;
pub mod shuffling;
pub mod spirals;
pub mod svrg;
pub mod u_dog;
pub mod uni_x_grad;

use quire_core::{About, Entry, Error, Options, Reason, Result, Seeds, options, state};
use rand::RngExt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use components::FiniteSum;
pub use problems::{open, problems};

use crate::solver::{Make, Method, Solver, Step, entry};

/// A finite sum, where to begin, and where random numbers come from.
pub struct Task {
    /// f = (1/n) Σ f_i.
    pub sum: Box<dyn FiniteSum>,
    /// x_0.
    pub start: Vec<f64>,
    /// Random streams of the method.
    pub seeds: Seeds,
}

/// The methods of this family.
pub const METHODS: &[Entry<Make<Task>>] = &[
    entry::<Task, Passes<shuffling::Shuffling>>(),
    entry::<Task, Passes<ai_sarah::AiSarah>>(),
    entry::<Task, Passes<refined::Refined>>(),
    entry::<Task, Passes<u_dog::UDog>>(),
    entry::<Task, Passes<a_dog::AcceleratedDog>>(),
    entry::<Task, Passes<accelerated::Accelerated>>(),
    entry::<Task, Passes<sarah::Sarah>>(),
    entry::<Task, Passes<svrg::Svrg>>(),
    entry::<Task, Passes<scheduled::Scheduled>>(),
    entry::<Task, Passes<dog::DistanceOverGradients>>(),
    entry::<Task, Passes<uni_x_grad::UniXGrad>>(),
    entry::<Task, Passes<nesterov::Nesterov>>(),
    entry::<Task, Passes<mass::Mass>>(),
    entry::<Task, Passes<agnes::Agnes>>(),
    entry::<Task, refined_optimizer::RefinedOptimizer>(),
    entry::<Task, batch_optimizer::BatchOptimizer>(),
];

/// What their residual is.
const NORM: &str = "norm of the estimated gradient";

/// A method as its paper writes it: one step after another.
pub trait Rule: Send + Sized + 'static {
    /// Its options.
    type Options: Options;
    /// All that changes, generators included.
    type State: Serialize + DeserializeOwned + Send;

    /// Name, summary, source.
    const ABOUT: About;

    /// At the start.
    ///
    /// # Errors
    /// Options that do not suit the sum.
    fn new(task: &Task, options: Self::Options) -> Result<(Self, Self::State)>;

    /// One step, or what leads up to steps; returns how many gradients of components it took, and why the method is done, if it is.
    ///
    /// # Errors
    /// [`quire_core::Error::Diverged`] if it breaks down.
    fn step(&mut self, task: &Task, state: &mut Self::State) -> Result<(u64, Option<Reason>)>;

    /// The point that the method would hand over.
    fn point(state: &Self::State) -> &[f64];

    /// The norm of its last estimate of the gradient.
    fn norm(&self, state: &Self::State) -> f64;
}

/// A rule, pass after pass.
pub struct Passes<R: Rule> {
    rule: R,
    state: R::State,
    taken: Taken,
}

/// Gradients of components, and whole passes.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Taken {
    gradients: u64,
    passes: u64,
    per_pass: u64,
}

impl<R: Rule> Method<Task> for Passes<R> {
    type Options = R::Options;

    const ABOUT: About = R::ABOUT;

    fn new(task: &Task, options: R::Options) -> Result<Self> {
        options::check(&options)?;
        let (rule, state) = R::new(task, options)?;
        let taken = Taken { per_pass: task.sum.len() as u64, ..Taken::default() };
        Ok(Passes { rule, state, taken })
    }
}

impl<R: Rule> Solver<Task> for Passes<R> {
    fn iterate(&mut self, task: &Task) -> Result<Step> {
        self.taken.passes += 1;
        let mut end = None;
        while self.taken.gradients < self.taken.passes * self.taken.per_pass && end.is_none() {
            let (gradients, done) = self.rule.step(task, &mut self.state)?;
            self.taken.gradients += gradients;
            end = done;
        }
        let step = Step::going_on(self.rule.norm(&self.state), NORM);
        Ok(Step { done: step.done.or(end), ..step })
    }

    fn values(&self) -> Vec<f64> {
        R::point(&self.state).to_vec()
    }

    fn work(&self) -> f64 {
        self.taken.gradients as f64 / self.taken.per_pass as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode(R::ABOUT.name, &(&self.state, self.taken))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.state, self.taken) = state::decode(R::ABOUT.name, saved)?;
        Ok(())
    }
}

/// The batches of a pass: all components in an order, `size` at a time; the last one is what is left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Batches {
    order: Vec<usize>,
    next: usize,
    size: usize,
    rng: quire_core::Rng,
}

impl Batches {
    fn new(components: usize, size: usize, rng: quire_core::Rng) -> Self {
        Batches { order: (0..components).collect(), next: components, size, rng }
    }

    /// The next batch; a new order when all components have been in one.
    fn draw(&mut self) -> &[usize] {
        if self.next >= self.order.len() {
            order::shuffle(&mut self.order, &mut self.rng);
            self.next = 0;
        }
        let first = self.next;
        self.next = (first + self.size).min(self.order.len());
        &self.order[first..self.next]
    }
}

/// Batches in a pass, the last one perhaps smaller.
fn full_batches(components: usize, size: usize) -> u64 {
    components.div_ceil(size) as u64
}

/// Batches drawn with replacement; if one would hold as many components as there are, all of them once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draws {
    components: usize,
    batch: Vec<usize>,
    is_exact: bool,
    rng: quire_core::Rng,
}

impl Draws {
    /// Batches of `size` out of `components`.
    pub fn new(components: usize, size: usize, rng: quire_core::Rng) -> Self {
        let is_exact = size >= components;
        Draws { components, batch: (0..size.min(components)).collect(), is_exact, rng }
    }

    /// The next batch.
    fn draw(&mut self) -> &[usize] {
        if !self.is_exact {
            self.batch.fill_with(|| self.rng.random_range(0..self.components));
        }
        &self.batch
    }

    /// True if gradients are exact.
    fn is_exact(&self) -> bool {
        self.is_exact
    }

    /// The growth constant of batches, from that of single components: half of a gradient's noise is gone when a batch is twice as large.
    fn growth(&self, single: f64) -> f64 {
        if self.is_exact { 1.0 } else { 1.0 + (single - 1.0) / self.batch.len() as f64 }
    }
}

/// A constant that the user gave, or that the sum knows of itself.
fn known(option: &str, given: Option<f64>, own: Option<f64>) -> Result<f64> {
    let unknown = || Error::option(option, "is not known of this problem; give it");
    given.or(own.filter(|own| *own > 0.0)).ok_or_else(unknown)
}

/// μ, for methods that cannot do without.
fn known_convexity(given: Option<f64>, own: Option<f64>) -> Result<f64> {
    known("strong_convexity", given, own)
}

/// ρ of batches; where that of components is not known, L_max/L in its place, which makes a step of 1/L_max.
fn known_growth(
    given: Option<f64>,
    constants: &components::Constants,
    smoothness: f64,
    draws: &Draws,
) -> Result<f64> {
    let own = constants.growth.or(constants.largest_smoothness.map(|largest| largest / smoothness));
    Ok(draws.growth(known("growth", given, own)?.max(1.0)))
}

/// An error with what to do if the norm of a gradient shows that a method diverges.
fn check_norm(norm: f64, remedy: &str) -> Result<()> {
    if norm < 1e100 {
        return Ok(());
    }
    let what = if norm.is_finite() { "beyond 1e100" } else { "no longer finite" };
    Err(Error::Diverged(format!("the gradient is {what}; {remedy}")))
}

#[cfg(test)]
mod stochastic_tests;
#[cfg(test)]
mod tests;

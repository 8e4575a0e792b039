//! Newton's method on the log-likelihood, whose linear systems are solved by conjugate gradients.
//!
//! > s ← s + τ I(s)^{-1} ∇L(s)
//!
//! where I is the observed information, a weighted graph Laplacian (and the prior), and τ the first of 1, 1/2, 1/4, ... whose rise of
//! L is at least 10⁻⁴ of what the slope promises. L is concave, so this converges from anywhere, at the end quadratically.
//! The systems are solved as exactly as the gradient's size asks for, by products with the games alone: no matrix is formed.

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::likelihood::{Likelihood, conjugate_gradients};
use super::{CHANGE, League, center, largest_change};
use crate::solver::{Method, Solver, Step};

/// Options of `bradley-terry-newton`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewtonOptions {
    /// Stop when no π/(π+1) changes by more. Newman's paper, for its iteration: 1e-6.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub tolerance: f64,
    /// Products with the games in one system, at most.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub products: usize,
}

impl Default for NewtonOptions {
    fn default() -> Self {
        NewtonOptions { tolerance: 1e-6, products: 1000 }
    }
}

impl Options for NewtonOptions {}

/// The method.
pub struct Newton {
    options: NewtonOptions,
    likelihood: Likelihood,
    place: Place,
    gradient: Vec<f64>,
    direction: Vec<f64>,
    trial: Vec<f64>,
}

/// Where it, or [`super::lbfgs`], begins: equal strengths, ν = 1/2, no home advantage.
pub(super) fn start(league: &League) -> Vec<f64> {
    let mut values = vec![0.0; league.length()];
    if league.model.ties == super::Ties::Davidson {
        values[league.games.players()] = 0.5_f64.ln();
    }
    values
}

/// Moves `values` along `direction`, by the first of 1, 1/2, 1/4, ... with enough of a rise (Armijo's rule), into `trial`. Returns
/// the rise and the evaluations it took; the gradient at `trial` is left in `gradient`.
pub(super) fn climb(
    likelihood: &Likelihood,
    values: &[f64],
    (value, slope): (f64, f64),
    direction: &[f64],
    trial: &mut [f64],
    gradient: &mut [f64],
) -> (f64, u64) {
    let mut step = 1.0;
    for evaluations in 1..=60 {
        trial.iter_mut().zip(values).zip(direction).for_each(|((t, x), d)| *t = x + step * d);
        let rise = likelihood.value_and_gradient(trial, gradient) - value;
        // Near the top the rise is lost in rounding: a step that loses no more than that is taken.
        if rise >= 1e-4 * step * slope - 1e-14 * value.abs() {
            return (rise, evaluations);
        }
        step *= 0.5;
    }
    trial.copy_from_slice(values);
    let same = likelihood.value_and_gradient(trial, gradient);
    (same - value, 61)
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    values: Vec<f64>,
    passes: u64,
}

impl Method<League> for Newton {
    type Options = NewtonOptions;

    const ABOUT: About = About {
        name: "bradley-terry-newton",
        summary: "Bradley-Terry strengths by Newton's method with conjugate gradients",
        when: "Where games connect players badly (chains, grids, leagues joined by few games) or a solution to many digits is \
               wanted. On well-connected games newman needs fewer passes to the usual 1e-6.",
        wing: "solve",
        family: "ranking",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(league: &League, options: NewtonOptions) -> Result<Self> {
        options::check(&options)?;
        let values = start(league);
        let zeros = vec![0.0; values.len()];
        Ok(Newton {
            options,
            likelihood: Likelihood::new(league),
            gradient: zeros.clone(),
            direction: zeros.clone(),
            trial: zeros,
            place: Place { values, passes: 0 },
        })
    }
}

impl Solver<League> for Newton {
    fn iterate(&mut self, league: &League) -> Result<Step> {
        let Newton { options, likelihood, place, gradient, direction, trial } = self;
        let value = likelihood.value_and_gradient(&place.values, gradient);
        likelihood.linearize(&place.values);
        let players = league.games.players();
        if league.is_free() {
            // The sum is 0 but for rounding, which the singular system must not see.
            center(&mut gradient[..players]);
        }
        let size = gradient.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
        let exactness = size.sqrt().min(0.1) * 1e-2;
        let products = conjugate_gradients(likelihood, gradient, exactness, options.products, direction);
        let slope = gradient.iter().zip(&*direction).map(|(g, d)| g * d).sum();
        let (_, evaluations) = climb(likelihood, &place.values, (value, slope), direction, trial, gradient);
        place.passes += 2 + products as u64 + evaluations;
        if league.is_free() {
            center(&mut trial[..players]);
        }
        let change = largest_change(&place.values, trial);
        place.values.copy_from_slice(trial);
        Ok(Step::judged(change, options.tolerance, CHANGE))
    }

    fn values(&self) -> Vec<f64> {
        self.place.values.clone()
    }

    fn work(&self) -> f64 {
        self.place.passes as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("bradley-terry-newton", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("bradley-terry-newton", saved)?;
        Ok(())
    }
}

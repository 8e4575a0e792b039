//! L-BFGS on the log-likelihood (Liu & Nocedal 1989): the inverse information is built from the last differences of values and
//! gradients, each iteration costs two passes or so.

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::likelihood::Likelihood;
use super::newton::{climb, start};
use super::{CHANGE, League, center, largest_change};
use crate::quasi_newton::Curvature;
use crate::solver::{Method, Solver, Step};
use crate::vectors::dot;

/// Options of `bradley-terry-lbfgs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LbfgsOptions {
    /// Stop when no π/(π+1) changes by more. Newman's paper, for its iteration: 1e-6.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub tolerance: f64,
    /// Differences kept. Nocedal's choice: 3 to 20.
    #[schemars(range(min = 1, max = 1000))]
    pub memory: usize,
}

impl Default for LbfgsOptions {
    fn default() -> Self {
        LbfgsOptions { tolerance: 1e-6, memory: 10 }
    }
}

impl Options for LbfgsOptions {}

/// The method.
pub struct Lbfgs {
    options: LbfgsOptions,
    likelihood: Likelihood,
    place: Place,
    trial: Vec<f64>,
    trial_gradient: Vec<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    values: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
    curvature: Curvature,
    passes: u64,
}

impl Method<League> for Lbfgs {
    type Options = LbfgsOptions;

    const ABOUT: About = About {
        name: "bradley-terry-lbfgs",
        summary: "Bradley-Terry strengths by L-BFGS on the log-likelihood",
        when: "A general-purpose rival of newman: few passes on dense leagues, but its stopping rule says less of its error.",
        wing: "solve",
        family: "ranking",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(league: &League, options: LbfgsOptions) -> Result<Self> {
        options::check(&options)?;
        let likelihood = Likelihood::new(league);
        let values = start(league);
        let mut gradient = vec![0.0; values.len()];
        let value = likelihood.value_and_gradient(&values, &mut gradient);
        let curvature = Curvature::new(options.memory);
        Ok(Lbfgs {
            options,
            likelihood,
            trial: values.clone(),
            trial_gradient: gradient.clone(),
            place: Place { values, value, gradient, curvature, passes: 1 },
        })
    }
}

impl Solver<League> for Lbfgs {
    fn iterate(&mut self, league: &League) -> Result<Step> {
        let Lbfgs { options, likelihood, place, trial, trial_gradient } = self;
        let mut direction = place.curvature.times_inverse(&place.gradient);
        let mut slope = dot(&place.gradient, &direction);
        if slope.is_nan() || slope <= 0.0 {
            place.curvature.clear();
            direction.copy_from_slice(&place.gradient);
            slope = dot(&place.gradient, &direction);
        }
        let start = (place.value, slope);
        let (rise, evaluations) = climb(likelihood, &place.values, start, &direction, trial, trial_gradient);
        place.passes += evaluations;
        let step: Vec<f64> = trial.iter().zip(&place.values).map(|(new, old)| new - old).collect();
        let fall: Vec<f64> =
            place.gradient.iter().zip(&*trial_gradient).map(|(old, new)| old - new).collect();
        place.curvature.push(step, fall);
        if league.is_free() {
            center(&mut trial[..league.games.players()]);
        }
        let change = largest_change(&place.values, trial);
        place.values.copy_from_slice(trial);
        place.gradient.copy_from_slice(trial_gradient);
        place.value += rise;
        Ok(Step::judged(change, options.tolerance, CHANGE))
    }

    fn values(&self) -> Vec<f64> {
        self.place.values.clone()
    }

    fn work(&self) -> f64 {
        self.place.passes as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("bradley-terry-lbfgs", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("bradley-terry-lbfgs", saved)?;
        Ok(())
    }
}

//! The problems `uniform-errors-*`: what estimators of a maximum make of independent errors, beside the closed form
//! (Theorem 1 of the REDQ paper, theorem 2 of the Double DQN paper).
//!
//! All A actions have the true value 0. A draw is a fresh set of tables with one estimate an action, each uniform in
//! [-1, 1], and an estimator's error is what it gives. With the minimum over a subset of M tables the expected error is
//!
//! > E[ max_a min_{i in I} Q_i(a) ] = 1 - 2 ∏_{k=1}^{A} k / (k + 1/M)
//!
//! whatever the number of tables N: above 0 for M = 1, where it is (A - 1)/(A + 1), and falling with M. The double estimate
//! has no bias.
//!
//! Sources: X. Chen et al., *Randomized ensembled double Q-learning*, ICLR 2021, arXiv:2101.05982, Theorem 1;
//! H. van Hasselt, A. Guez & D. Silver, AAAI 2016, arXiv:1509.06461, appendix. The product is our integration of the
//! distribution of the greatest of A minima.

use std::sync::Arc;

use quire_core::options::{self, NoOptions};
use quire_core::{
    About, Artefact, Direction, Entry, Error, Evaluation, MethodCard, Metric, OptionMap, Options, Problem,
    ProblemCard, Progress, Reason, Result, Rng, Run, RunSpec, Seeds, Trace, number_bytes, state,
};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{METHODS, argmax, single_estimate};
use crate::actor_critic::redq::draw_subset;

/// The numbers of actions that there is a problem for.
pub const ACTIONS: [usize; 2] = [2, 10];
/// Points of the curve in a run, at most; one [`Run::step`] makes one of them.
const RECORDS: u64 = 100;
/// The artefact's file: the means of absolute error and error over all draws, two little-endian f64.
pub const ERRORS: &str = "errors.f64";

/// Options of `subset-minimum-estimate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SubsetMinimumOptions {
    /// Tables N. REDQ: 10.
    #[schemars(range(min = 1, max = 1000))]
    pub critics: usize,
    /// Size M of the subset; m + p means m + 1 with probability p, else m. REDQ: 2.
    #[schemars(range(min = 1.0))]
    pub subset: f64,
}

impl Default for SubsetMinimumOptions {
    fn default() -> Self {
        SubsetMinimumOptions { critics: 10, subset: 2.0 }
    }
}

impl Options for SubsetMinimumOptions {
    fn validate(&self) -> Result<()> {
        if self.subset > self.critics as f64 {
            let problem =
                format!("must be at most the number of critics, {}; got {}", self.critics, self.subset);
            return Err(Error::option("subset", problem));
        }
        Ok(())
    }
}

/// What `quire show subset-minimum-estimate` says.
pub const SUBSET_MINIMUM: About = About {
    name: "subset-minimum-estimate",
    summary: "The maximum over actions of the minimum over a random subset of an ensemble's tables",
    when: "To see what REDQ's target does to errors of its estimates; for learning take redq.",
    wing: "rl",
    family: "estimation",
    paper: None,
    is_baseline: true,
    tuned: "",
};

/// max_a min_{i in `subset`} Q_i(a); `tables` is `[N, actions]`.
pub fn subset_minimum_estimate(tables: &[f64], actions: usize, subset: &[usize]) -> f64 {
    let least =
        |action| subset.iter().map(|&table| tables[table * actions + action]).fold(f64::INFINITY, f64::min);
    (0..actions).map(least).fold(f64::NEG_INFINITY, f64::max)
}

/// The expected error of the maximum over `actions` of the minimum over `subset` tables with errors uniform in [-1, 1]:
/// 1 - 2 ∏ k / (k + 1/M).
pub fn expected_error(actions: usize, subset: usize) -> f64 {
    let factor = |k: usize| k as f64 / (k as f64 + 1.0 / subset as f64);
    1.0 - 2.0 * (1..=actions).map(factor).product::<f64>()
}

/// An estimator with what it needs to know.
#[derive(Debug, Clone)]
enum Estimator {
    Single,
    Double,
    SubsetMinimum(SubsetMinimumOptions),
}

impl Estimator {
    /// The estimator of `method`, with its options.
    fn new(method: &str, options: &OptionMap) -> Result<Self> {
        if method == SUBSET_MINIMUM.name {
            return Ok(Estimator::SubsetMinimum(options::resolve(&[options])?));
        }
        options::resolve::<NoOptions>(&[options])?;
        Ok(if method == "double-estimate" { Estimator::Double } else { Estimator::Single })
    }

    /// The options that it goes by.
    fn options(&self) -> OptionMap {
        match self {
            Estimator::SubsetMinimum(options) => options::to_map(options),
            _ => OptionMap::new(),
        }
    }

    /// The tables of one draw.
    fn tables(&self) -> usize {
        match self {
            Estimator::Single => 1,
            Estimator::Double => 2,
            Estimator::SubsetMinimum(options) => options.critics,
        }
    }

    /// Fills `tables`, `[self.tables(), actions]`, with fresh errors and estimates the maximum from them.
    fn draw(&self, tables: &mut [f64], actions: usize, rng: &mut Rng) -> f64 {
        tables.iter_mut().for_each(|estimate| *estimate = rng.random_range(-1.0..1.0));
        match self {
            Estimator::Single => single_estimate(tables, |action| action),
            // The first table selects; the partner of its choice lies in the second.
            Estimator::Double => tables[actions + argmax(&tables[..actions])],
            Estimator::SubsetMinimum(options) => {
                subset_minimum_estimate(tables, actions, &draw_subset(options.subset, options.critics, rng))
            }
        }
    }
}

/// A number of actions as a problem.
pub struct UniformErrors {
    card: ProblemCard,
    methods: Vec<MethodCard>,
    actions: usize,
}

/// The problems of this file.
pub fn problems() -> impl Iterator<Item = Arc<dyn Problem>> {
    ACTIONS.into_iter().map(|actions| Arc::new(UniformErrors::new(actions)) as Arc<dyn Problem>)
}

impl UniformErrors {
    /// The problem with this number of actions.
    pub fn new(actions: usize) -> Self {
        let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
        UniformErrors {
            card: ProblemCard {
                name: format!("uniform-errors-{actions}"),
                summary: format!(
                    "estimate the greatest of {actions} values, all 0, from tables with errors uniform in [-1, 1]"
                ),
                wing: "rl",
                metrics: vec![
                    metric(
                        "absolute_error",
                        Direction::Lower,
                        "mean absolute error of the estimated maximum",
                    ),
                    metric("error", Direction::Neutral, "mean error of the estimated maximum: the bias"),
                ],
                optimum: Some(0.0),
                budget: 200_000,
                budget_unit: "draws",
                source: "Chen et al. 2021, arXiv:2101.05982, Theorem 1".to_owned(),
                tags: vec!["estimation", "bias"],
            },
            methods: Entry::cards(METHODS)
                .into_iter()
                .chain([SUBSET_MINIMUM.card::<SubsetMinimumOptions>()])
                .collect(),
            actions,
        }
    }

    fn run(&self, spec: &RunSpec) -> Result<UniformErrorsRun> {
        self.method(&spec.method)?;
        let estimator = Estimator::new(&spec.method, &spec.options)?;
        Ok(UniformErrorsRun {
            tables: vec![0.0; estimator.tables() * self.actions],
            spec: spec.clone(),
            actions: self.actions,
            estimator,
            budget: self.card.length(spec)?,
            sums: Sums {
                rng: Seeds::new(spec.seed).stream("errors"),
                draws: 0,
                error: 0.0,
                absolute_error: 0.0,
            },
        })
    }
}

impl Problem for UniformErrors {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        Ok(Box::new(self.run(spec)?))
    }

    /// Absolute errors of fresh draws.
    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        self.method(&artefact.method)?;
        if artefact.numbers(ERRORS)?.len() != 2 {
            return Err(Error::Failed(format!("{ERRORS} holds something other than two means")));
        }
        let estimator = Estimator::new(&artefact.method, &artefact.options)?;
        let mut tables = vec![0.0; estimator.tables() * self.actions];
        let mut rng = Seeds::new(seed).stream("errors");
        let scores = (0..repetitions).map(|_| estimator.draw(&mut tables, self.actions, &mut rng).abs());
        Ok(Evaluation { metric: self.card.metric().name.to_owned(), scores: scores.collect() })
    }
}

/// Averages an estimator's errors over draws.
struct UniformErrorsRun {
    spec: RunSpec,
    actions: usize,
    estimator: Estimator,
    budget: u64,
    sums: Sums,
    tables: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
struct Sums {
    rng: Rng,
    draws: u64,
    error: f64,
    absolute_error: f64,
}

impl UniformErrorsRun {
    fn kind(&self) -> String {
        self.spec.kind(self.budget, "draws")
    }
}

impl Run for UniformErrorsRun {
    fn step(&mut self, trace: &mut Trace) -> Result<Progress> {
        let Sums { rng, draws, error, absolute_error } = &mut self.sums;
        let until = self.budget.min(*draws + self.budget.div_ceil(RECORDS));
        while *draws < until {
            let estimate = self.estimator.draw(&mut self.tables, self.actions, rng);
            *error += estimate;
            *absolute_error += estimate.abs();
            *draws += 1;
        }
        trace.record(until, "absolute_error", *absolute_error / until as f64);
        trace.record(until, "error", *error / until as f64);
        Ok(if until == self.budget { Progress::Done(Reason::Budget) } else { Progress::Continue })
    }

    fn progress(&self) -> (u64, u64) {
        (self.sums.draws, self.budget)
    }

    fn save(&self) -> Vec<u8> {
        state::encode(&self.kind(), &self.sums)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.sums = state::decode(&self.kind(), saved)?;
        Ok(())
    }

    /// The estimator by name, with what was measured of it; nothing is learned.
    fn artefact(&self) -> Option<Artefact> {
        let means =
            [self.sums.absolute_error, self.sums.error].map(|sum| sum / self.sums.draws.max(1) as f64);
        let bytes = number_bytes(means);
        Some(self.spec.artefact("estimator", &self.estimator.options(), self.sums.draws, [(ERRORS, bytes)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Six decimals worked out by hand from the product.
    #[test]
    fn the_closed_form() {
        let expected = [
            (2, 1, 0.333333),
            (2, 2, -0.066667),
            (2, 3, -0.285714),
            (10, 1, 0.818182),
            (10, 2, 0.459480),
            (10, 3, 0.188762),
            (10, 5, -0.145145),
        ];
        for (actions, subset, error) in expected {
            assert!(
                (expected_error(actions, subset) - error).abs() < 5e-7,
                "{actions} actions, subset {subset}"
            );
        }
    }

    fn measured(actions: usize, method: &str, set: &[&str]) -> f64 {
        let problem = UniformErrors::new(actions);
        let options = options::parse_assignments(set).unwrap();
        let spec = RunSpec { options, ..RunSpec::new(&problem.card.name, method, 7) };
        let mut run = problem.start(&spec).unwrap();
        let mut trace = Trace::new();
        while run.step(&mut trace).unwrap() == Progress::Continue {}
        trace.points().iter().rfind(|point| point.metric == "error").unwrap().value
    }

    /// The bias depends on M and not on N. 200,000 draws have a standard error below 0.0013.
    #[test]
    fn the_bias_of_the_subset_minimum_is_the_closed_form_for_every_ensemble() {
        for actions in ACTIONS {
            for subset in [1, 2, 3, 5] {
                for critics in [5, 10, 20] {
                    let set = [format!("critics={critics}"), format!("subset={subset}")];
                    let error = measured(actions, SUBSET_MINIMUM.name, &[&set[0], &set[1]]);
                    let expected = expected_error(actions, subset);
                    assert!(
                        (error - expected).abs() < 0.006,
                        "{actions} {subset} {critics}: {error}, {expected}"
                    );
                }
            }
        }
    }

    /// (A - 1)/(A + 1) and nothing.
    #[test]
    fn the_single_estimate_is_too_high_and_the_double_is_not() {
        assert!((measured(10, "single-estimate", &[]) - 9.0 / 11.0).abs() < 0.006);
        assert!((measured(2, "single-estimate", &[]) - 1.0 / 3.0).abs() < 0.006);
        assert!(measured(10, "double-estimate", &[]).abs() < 0.006);
    }

    #[test]
    fn the_greatest_of_the_least_by_hand() {
        let tables = [1.0, 5.0, 4.0, 2.0, 3.0, 3.0];
        assert_eq!(subset_minimum_estimate(&tables, 2, &[0, 1]), 2.0);
        assert_eq!(subset_minimum_estimate(&tables, 2, &[0]), 5.0);
        assert_eq!(subset_minimum_estimate(&tables, 2, &[2, 0, 1]), 2.0);
    }

    #[test]
    fn a_subset_beyond_the_ensemble_is_refused() {
        let problem = UniformErrors::new(2);
        let options = options::parse_assignments(&["critics=2", "subset=3"]).unwrap();
        let spec = RunSpec { options, ..RunSpec::new("uniform-errors-2", SUBSET_MINIMUM.name, 0) };
        assert!(problem.start(&spec).err().unwrap().to_string().contains("`subset`"));
    }
}

//! The problems `two-state-chain-0.05` and `two-state-chain-0.01`: a chain of two states, 0 and 1, that starts in 0 and flips
//! with that probability. The long-run mean of its state is 1/2; a trajectory of N steps has the mean
//!
//! > 1/2 (1 - 1/N Σ_{t=1}^N (1 - 2 flip)^t)
//!
//! A run makes independent estimates, each from a fresh start, and scores their mean. The problems are ours.

use std::sync::Arc;

use quire_core::{
    Artefact, Direction, Entry, Error, Evaluation, MethodCard, Metric, OptionMap, Problem, ProblemCard,
    Progress, Reason, Result, Rng, Run, RunSpec, Seeds, Trace, number_bytes, state,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{METHODS, MeanEstimator};

/// The mean in the long run.
pub const STATIONARY_MEAN: f64 = 0.5;
/// Points of the curve in a run, at most; one [`Run::step`] makes one of them.
const RECORDS: u64 = 100;
/// The artefact's file with the mean of the estimates, little-endian f64.
pub const MEAN: &str = "mean.f64";

/// A problem of this role.
pub struct TwoStateChain {
    card: ProblemCard,
    methods: Vec<MethodCard>,
    flip: f64,
}

/// The problems of this role.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let problem = |flip| Arc::new(TwoStateChain::new(flip)) as Arc<dyn Problem>;
    vec![problem(0.05), problem(0.01)]
}

impl TwoStateChain {
    fn new(flip: f64) -> Self {
        let metric = |name, unit, direction, summary| Metric { name, unit, direction, summary };
        TwoStateChain {
            card: ProblemCard {
                name: format!("two-state-chain-{flip}"),
                summary: format!(
                    "estimate the long-run mean of a chain that flips with probability {flip} and starts in state 0"
                ),
                wing: "mdp",
                metrics: vec![
                    metric("bias", "", Direction::Lower, "distance of the estimates' mean from 1/2"),
                    metric("deviation", "", Direction::Lower, "standard deviation of an estimate"),
                    metric("cost", "steps", Direction::Lower, "steps of an estimate, on average"),
                ],
                optimum: Some(0.0),
                budget: 100_000,
                budget_unit: "estimates",
                source: "ours, after arXiv:2301.12083".to_owned(),
                tags: vec!["average reward", "estimation", "Markov chain"],
            },
            methods: Entry::cards(METHODS),
            flip,
        }
    }

    fn run(&self, spec: &RunSpec) -> Result<ChainRun> {
        let card = self.method(&spec.method)?;
        let entry = Entry::find(METHODS, self, &spec.method)?;
        let rng = Seeds::new(spec.seed).stream("estimates");
        Ok(ChainRun {
            options: card.options.with(&[&spec.options])?,
            estimator: (entry.make)(&spec.options)?,
            place: Place { estimates: 0, mean: 0.0, squares: 0.0, steps: 0, rng },
            spec: spec.clone(),
            budget: self.card.length(spec)?,
            flip: self.flip,
        })
    }
}

impl Problem for TwoStateChain {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        Ok(Box::new(self.run(spec)?))
    }

    /// The distance of the artefact's mean from 1/2. Nothing about it is random: all repetitions agree.
    fn evaluate(&self, artefact: &Artefact, repetitions: usize, _seed: u64) -> Result<Evaluation> {
        let mean = match artefact.numbers(MEAN)?[..] {
            [mean] if mean.is_finite() => mean,
            _ => return Err(Error::Failed(format!("{MEAN} does not hold one number"))),
        };
        let scores = vec![(mean - STATIONARY_MEAN).abs(); repetitions];
        Ok(Evaluation { metric: "bias".into(), scores })
    }
}

/// An estimator at work.
struct ChainRun {
    spec: RunSpec,
    budget: u64,
    options: OptionMap,
    flip: f64,
    estimator: Box<dyn MeanEstimator>,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    estimates: u64,
    /// Their mean, and the sum of squared distances from it (Welford).
    mean: f64,
    squares: f64,
    steps: u64,
    rng: Rng,
}

impl ChainRun {
    fn kind(&self) -> String {
        self.spec.kind(self.budget, "estimates")
    }
}

impl Run for ChainRun {
    fn step(&mut self, trace: &mut Trace) -> Result<Progress> {
        let place = &mut self.place;
        let until = self.budget.min(place.estimates + self.budget.div_ceil(RECORDS));
        while place.estimates < until {
            let mut in_one = false;
            let mut next = |rng: &mut Rng| {
                in_one ^= rng.random_bool(self.flip);
                f64::from(u8::from(in_one))
            };
            let (estimate, steps) = self.estimator.estimate(&mut next, &mut place.rng);
            place.estimates += 1;
            place.steps += steps as u64;
            let before = estimate - place.mean;
            place.mean += before / place.estimates as f64;
            place.squares += before * (estimate - place.mean);
        }
        let estimates = place.estimates as f64;
        trace.record(until, "bias", (place.mean - STATIONARY_MEAN).abs());
        trace.record(until, "deviation", (place.squares / estimates).sqrt());
        trace.record(until, "cost", place.steps as f64 / estimates);
        Ok(if until == self.budget { Progress::Done(Reason::Budget) } else { Progress::Continue })
    }

    fn progress(&self) -> (u64, u64) {
        (self.place.estimates, self.budget)
    }

    fn save(&self) -> Vec<u8> {
        state::encode(&self.kind(), &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode(&self.kind(), saved)?;
        Ok(())
    }

    fn artefact(&self) -> Option<Artefact> {
        Some(self.spec.artefact(
            "estimate",
            &self.options,
            self.place.estimates,
            [(MEAN, number_bytes([self.place.mean]))],
        ))
    }
}

#[cfg(test)]
mod tests {
    use quire_core::options::parse_assignments;

    use super::*;

    /// The last (bias, cost) of a run.
    fn ends(problem: &TwoStateChain, method: &str, set: &[&str]) -> (f64, f64) {
        let options = parse_assignments(set).unwrap();
        let spec = RunSpec { options, ..RunSpec::new(&problem.card.name, method, 1) };
        let mut run = problem.start(&spec).unwrap();
        let mut trace = Trace::new();
        while run.step(&mut trace).unwrap() == Progress::Continue {}
        (trace.last("bias").unwrap(), trace.last("cost").unwrap())
    }

    /// Closed biases, the fixed mean's and the multi-level's at a quarter of the cost.
    #[test]
    fn biases_are_the_closed_ones() {
        for (flip, bias) in [(0.05, 0.5 - 0.270866193), (0.01, 0.5 - 0.077065260)] {
            let problem = TwoStateChain::new(flip);
            let (measured, cost) = ends(&problem, "fixed-length-mean", &["length=16"]);
            // Five standard deviations of the mean of 100,000 estimates, each of deviation below 1/2.
            assert!((measured - bias).abs() < 0.008 && cost == 16.0, "{measured} {bias}");
            let (measured, cost) = ends(&problem, "multi-level-mean", &[]);
            // The deviation of an estimate is below 1.5.
            assert!((measured - bias).abs() < 0.024, "{measured} {bias}");
            assert!((cost - 4.0625).abs() < 0.05, "{cost}");
        }
    }
}

//! The problem `garnet-20`: how far from the truth are values learned on a random MDP?
//!
//! One learner walks a Garnet of 20 states, 4 actions and 4 next states, for ever and ε-greedily. Its action values are
//! compared with the optimal ones at its own discount factor, which value iteration gives to 1e-10. Next states are all the
//! noise there is, and it is enough to bias whoever takes the maximum of noisy values.

use std::sync::Arc;

use quire_core::{
    Artefact, Direction, Entry, Error, Evaluation, MethodCard, Metric, OptionMap, Problem, ProblemCard,
    Progress, Reason, Result, Rng, Run, RunSpec, Seeds, Trace, number_bytes, state,
};
use serde::{Deserialize, Serialize};

use super::run::TABLES;
use super::{METHODS, TableLearner, Transition, act, argmax_at_random};
use crate::finite::FiniteMdp;
use crate::{policy, solve, worlds};

/// Points of the curve in a run, at most; one [`Run::step`] makes one of them.
const RECORDS: u64 = 100;
/// Steps of an evaluation episode, each discounted.
const EVALUATION_STEPS: usize = 200;

/// The problem.
pub struct GarnetControl {
    card: ProblemCard,
    methods: Vec<MethodCard>,
    mdp: Arc<FiniteMdp>,
}

impl Default for GarnetControl {
    fn default() -> Self {
        Self::new()
    }
}

impl GarnetControl {
    /// The problem.
    pub fn new() -> Self {
        let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
        GarnetControl {
            card: ProblemCard {
                name: "garnet-20".to_owned(),
                summary: "learn the optimal action values of a random MDP of 20 states, 4 actions, 4 next states (seed 0)"
                    .to_owned(),
                wing: "mdp",
                metrics: vec![
                    metric("error", Direction::Lower, "mean distance of learned and optimal action values"),
                    metric("bias", Direction::Neutral, "mean of learned minus optimal action values"),
                ],
                optimum: Some(0.0),
                budget: 20_000,
                budget_unit: "steps",
                source: "Archibald, McKinnon & Thomas 1995".to_owned(),
                tags: vec!["tabular", "discounted", "bias"],
            },
            methods: Entry::cards(METHODS),
            mdp: Arc::new(worlds::garnet(20, 4, 4, 0).expect("4 next states are no more than 20")),
        }
    }

    fn run(&self, spec: &RunSpec) -> Result<GarnetRun> {
        let entry = Entry::find(METHODS, self, &spec.method)?;
        let actions = vec![self.mdp.actions(); self.mdp.states()];
        let learner = (entry.make)(1, &actions, &spec.options)?.remove(0);
        let discount = learner.discount();
        if discount >= 1.0 {
            let problem = format!("must lie below 1 on {}, which never ends; got {discount}", self.card.name);
            return Err(Error::option("discount", problem));
        }
        let optimal = solve::value_iteration(&self.mdp, discount, 1e-10, u64::MAX)?;
        let mut rng = Seeds::new(spec.seed).stream("steps");
        Ok(GarnetRun {
            spec: spec.clone(),
            budget: self.card.length(spec)?,
            options: (entry.card)().options.with(&[&spec.options])?,
            optimal: solve::action_values(&self.mdp, discount, &optimal.values),
            place: Place { step: 0, state: self.mdp.sample_start(&mut rng), rng },
            mdp: Arc::clone(&self.mdp),
            learner,
            values: Vec::new(),
        })
    }
}

impl Problem for GarnetControl {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        Ok(Box::new(self.run(spec)?))
    }

    /// Discounted returns of the greedy policy over 200 steps.
    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        let values = artefact.numbers(TABLES)?;
        let actions = self.mdp.actions();
        if values.len() != self.mdp.states() * actions {
            return Err(Error::Failed(format!("the table in {TABLES} does not fit {}", self.card.name)));
        }
        let discount = artefact.options.get("discount").and_then(|value| value.as_f64()).unwrap_or(1.0);
        let greedy =
            |state: usize, rng: &mut Rng| argmax_at_random(&values[state * actions..][..actions], rng);
        let scores =
            policy::discounted_returns(&self.mdp, discount, EVALUATION_STEPS, repetitions, seed, greedy);
        Ok(Evaluation { metric: "return".into(), scores })
    }
}

/// One learner on its walk.
struct GarnetRun {
    spec: RunSpec,
    budget: u64,
    options: OptionMap,
    mdp: Arc<FiniteMdp>,
    /// Optimal action values `[S, A]`.
    optimal: Vec<f64>,
    learner: Box<dyn TableLearner>,
    place: Place,
    values: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
struct Place {
    step: u64,
    state: usize,
    rng: Rng,
}

impl GarnetRun {
    fn kind(&self) -> String {
        self.spec.kind(self.budget, "steps")
    }

    /// The learned action values, `[S, A]`.
    fn learned(&self) -> Vec<f64> {
        let mut all = Vec::with_capacity(self.optimal.len());
        let mut row = Vec::new();
        for state in 0..self.mdp.states() {
            self.learner.values(state, &mut row);
            all.extend_from_slice(&row);
        }
        all
    }
}

impl Run for GarnetRun {
    fn step(&mut self, trace: &mut Trace) -> Result<Progress> {
        let Place { step, state, rng } = &mut self.place;
        let until = self.budget.min(*step + self.budget.div_ceil(RECORDS));
        while *step < until {
            self.learner.values(*state, &mut self.values);
            let action = act(&self.values, self.learner.epsilon(), rng);
            let next = self.mdp.sample_next(*state, action, rng);
            let reward = self.mdp.reward(*state, action);
            self.learner.observe(Transition { state: *state, action, reward, next: Some(next) }, rng);
            *state = next;
            *step += 1;
        }
        let learned = self.learned();
        let differences = || learned.iter().zip(&self.optimal).map(|(learned, optimal)| learned - optimal);
        trace.record(until, "error", differences().map(f64::abs).sum::<f64>() / learned.len() as f64);
        trace.record(until, "bias", differences().sum::<f64>() / learned.len() as f64);
        Ok(if until == self.budget { Progress::Done(Reason::Budget) } else { Progress::Continue })
    }

    fn progress(&self) -> (u64, u64) {
        (self.place.step, self.budget)
    }

    fn save(&self) -> Vec<u8> {
        state::encode(&self.kind(), &(&self.place, self.learner.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, learner): (Place, Vec<u8>) = state::decode(&self.kind(), saved)?;
        self.place = place;
        self.learner.restore(&learner)?;
        Ok(())
    }

    fn artefact(&self) -> Option<Artefact> {
        let bytes = number_bytes(self.learned());
        Some(self.spec.artefact("action-values", &self.options, self.place.step, [(TABLES, bytes)]))
    }
}

#[cfg(test)]
mod tests {
    use quire_core::options::parse_assignments;

    use super::*;

    /// The last values of (error, bias).
    fn ends(method: &str, set: &[&str], seed: u64) -> (f64, f64) {
        let problem = GarnetControl::new();
        let options = parse_assignments(set).unwrap();
        let spec = RunSpec { options, ..RunSpec::new("garnet-20", method, seed) };
        let mut run = problem.start(&spec).unwrap();
        let mut trace = Trace::new();
        while run.step(&mut trace).unwrap() == Progress::Continue {}
        let last = |metric| trace.points().iter().rfind(|point| point.metric == metric).unwrap().value;
        (last("error"), last("bias"))
    }

    /// A uniformly random walk with a small step size comes near the optimal values, whoever learns.
    #[test]
    fn every_learner_comes_near_the_optimum() {
        for method in ["q-learning", "double-q-learning", "tabular-redq"] {
            let (error, bias) = ends(method, &["discount=0.5", "epsilon=1", "learning_rate=0.05"], 0);
            assert!(error < 0.03 && bias.abs() < 0.03, "{method}: error {error}, bias {bias}");
        }
    }

    /// The larger the subset, the lower the values.
    #[test]
    fn the_bias_falls_with_the_size_of_the_subset() {
        let mean = |subset: &str| {
            let set = ["discount=0.9", "epsilon=0.5", "spread=1", "updates_per_step=2", subset];
            (0..4).map(|seed| ends("tabular-redq", &set, seed).1).sum::<f64>() / 4.0
        };
        let (one, two, ten) = (mean("subset=1"), mean("subset=2"), mean("subset=10"));
        assert!(one > two && two > ten, "{one} {two} {ten}");
    }

    #[test]
    fn a_discount_of_one_is_refused() {
        let spec = RunSpec::new("garnet-20", "q-learning", 0);
        let error = GarnetControl::new().start(&spec).err().unwrap();
        assert!(error.to_string().contains("`discount`"), "{error}");
    }
}

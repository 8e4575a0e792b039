//! The problems `garnet-sampled-backups` and `garnet-noisy-backups`: plan in a random MDP with backups that err.
//!
//! The seed draws the Garnet (30 states, 4 actions, 4 next states) and the errors; every method of a study sees the same.
//! An iteration backs up the values of all pairs at once, through one next state sampled for each pair, or exactly but with
//! normal noise of standard deviation 0.1 on each action value. The score is exact: ‖q* - q_π‖₁/‖q*‖₁ at discount 0.9.
//!
//! Source: N. Vieillard et al., arXiv:2003.14089, appendix D, for the sampled form; the noise of the other is ours.

use std::sync::Arc;

use quire_core::{
    Artefact, Direction, Entry, Evaluation, MethodCard, Metric, OptionMap, Problem, ProblemCard, Progress,
    Reason, Result, Rng, Run, RunSpec, Seeds, Trace, number_bytes, state,
};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::{Iterate, METHODS, Setting};
use crate::finite::FiniteMdp;
use crate::{policy, solve, worlds};

/// Discount factor of the problems.
pub const DISCOUNT: f64 = 0.9;
/// Standard deviation of the noise on an action value.
pub const NOISE: f64 = 0.1;
/// Points of the curve in a run, at most; one [`Run::step`] makes one of them.
const RECORDS: u64 = 100;
/// Steps of an evaluation episode, each discounted.
const EVALUATION_STEPS: usize = 200;

/// What errs in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backup {
    Sampled,
    Noisy,
}

/// A problem of this family.
pub struct BackupProblem {
    card: ProblemCard,
    methods: Vec<MethodCard>,
    backup: Backup,
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let problem = |backup| Arc::new(BackupProblem::new(backup)) as Arc<dyn Problem>;
    vec![problem(Backup::Sampled), problem(Backup::Noisy)]
}

/// The Garnet that `seed` draws.
pub fn garnet(seed: u64) -> FiniteMdp {
    worlds::garnet(30, 4, 4, seed).expect("4 next states are no more than 30")
}

impl BackupProblem {
    fn new(backup: Backup) -> Self {
        let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
        let (name, summary) = match backup {
            Backup::Sampled => (
                "garnet-sampled-backups",
                "plan in a random MDP (one a seed) through one sampled next state a pair and iteration",
            ),
            Backup::Noisy => (
                "garnet-noisy-backups",
                "plan in a random MDP (one a seed) with normal noise of 0.1 on every backup",
            ),
        };
        BackupProblem {
            card: ProblemCard {
                name: name.to_owned(),
                summary: summary.to_owned(),
                wing: "mdp",
                metrics: vec![
                    metric("error", Direction::Lower, "‖q* - q_π‖₁/‖q*‖₁ of the current policy, exact"),
                    metric("entropy", Direction::Neutral, "mean entropy of the policy over states, in nats"),
                ],
                optimum: Some(0.0),
                budget: 800,
                budget_unit: "iterations",
                source: "Vieillard et al. 2020, arXiv:2003.14089, appendix D".to_owned(),
                tags: vec!["tabular", "discounted", "planning", "noise"],
            },
            methods: Entry::cards(METHODS),
            backup,
        }
    }

    fn run(&self, spec: &RunSpec) -> Result<BackupRun> {
        let card = self.method(&spec.method)?;
        let entry = Entry::find(METHODS, self, &spec.method)?;
        let mdp = garnet(spec.seed);
        let setting = Setting {
            states: mdp.states(),
            actions: mdp.actions(),
            discount: DISCOUNT,
            greatest_reward: mdp.rewards().iter().copied().fold(0.0, f64::max),
        };
        let optimal = solve::policy_iteration(&mdp, DISCOUNT)?;
        Ok(BackupRun {
            options: card.options.with(&[&spec.options])?,
            method: (entry.make)(&setting, &spec.options)?,
            optimal: solve::action_values(&mdp, DISCOUNT, &optimal.values),
            values: vec![0.0; mdp.states()],
            q: vec![0.0; mdp.states() * mdp.actions()],
            place: Place { iteration: 0, rng: Seeds::new(spec.seed).stream("backups") },
            spec: spec.clone(),
            backup: self.backup,
            budget: self.card.length(spec)?,
            mdp,
        })
    }
}

impl Problem for BackupProblem {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        Ok(Box::new(self.run(spec)?))
    }

    /// Discounted returns of the policy over 200 steps, in the Garnet of the artefact's seed.
    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        let mdp = garnet(artefact.seed);
        let policy = policy::read(artefact, &mdp)?;
        let actions = mdp.actions();
        let act = |state: usize, rng: &mut Rng| policy::draw(&policy[state * actions..][..actions], rng);
        let scores = policy::discounted_returns(&mdp, DISCOUNT, EVALUATION_STEPS, repetitions, seed, act);
        Ok(Evaluation { metric: "return".into(), scores })
    }
}

/// A method at work.
struct BackupRun {
    spec: RunSpec,
    budget: u64,
    options: OptionMap,
    backup: Backup,
    mdp: FiniteMdp,
    /// q*, `[S, A]`.
    optimal: Vec<f64>,
    method: Box<dyn Iterate>,
    place: Place,
    values: Vec<f64>,
    q: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
struct Place {
    iteration: u64,
    rng: Rng,
}

impl BackupRun {
    fn kind(&self) -> String {
        self.spec.kind(self.budget, "iterations")
    }

    fn iterate(&mut self) {
        let BackupRun { mdp, method, place, values, q, backup, .. } = self;
        method.improve(values);
        for (pair, q) in q.iter_mut().enumerate() {
            let (state, action) = (pair / mdp.actions(), pair % mdp.actions());
            let (value, noise) = match backup {
                Backup::Sampled => (values[mdp.sample_next(state, action, &mut place.rng)], 0.0),
                Backup::Noisy => {
                    let noise = NOISE * place.rng.sample::<f64, _>(StandardNormal);
                    (mdp.expectation(state, action, values), noise)
                }
            };
            *q = mdp.reward(state, action) + DISCOUNT * value + noise;
        }
        method.observe(q);
        place.iteration += 1;
    }

    /// ‖q* - q_π‖₁/‖q*‖₁.
    fn error(&self, policy: &[f64]) -> Result<f64> {
        let values = solve::evaluate(&self.mdp, policy, DISCOUNT)?;
        let q = solve::action_values(&self.mdp, DISCOUNT, &values);
        let distance: f64 = q.iter().zip(&self.optimal).map(|(q, optimal)| (q - optimal).abs()).sum();
        Ok(distance / self.optimal.iter().map(|value| value.abs()).sum::<f64>())
    }
}

impl Run for BackupRun {
    fn step(&mut self, trace: &mut Trace) -> Result<Progress> {
        let until = self.budget.min(self.place.iteration + self.budget.div_ceil(RECORDS));
        while self.place.iteration < until {
            self.iterate();
        }
        let policy = self.method.policy();
        let entropy: f64 = policy.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum();
        trace.record(until, "error", self.error(&policy)?);
        trace.record(until, "entropy", entropy / self.mdp.states() as f64);
        Ok(if until == self.budget { Progress::Done(Reason::Budget) } else { Progress::Continue })
    }

    fn progress(&self) -> (u64, u64) {
        (self.place.iteration, self.budget)
    }

    fn save(&self) -> Vec<u8> {
        state::encode(&self.kind(), &(&self.place, self.method.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, method): (Place, Vec<u8>) = state::decode(&self.kind(), saved)?;
        self.place = place;
        self.method.restore(&method)?;
        Ok(())
    }

    fn artefact(&self) -> Option<Artefact> {
        let bytes = number_bytes(self.method.policy());
        Some(self.spec.artefact("policy", &self.options, self.place.iteration, [(policy::FILE, bytes)]))
    }
}

//! The problem `robust-ring`: plan from 20,000 logged steps of a ring with little slip, then live in rings with more.
//!
//! The ring of the official code of RFZI, "Toy-10" (14 states despite the name): rewards by state, actions that move by -1, 0 or +1,
//! a slip to either side with probability p each, discount 0.95, uniform start. The log has p = 0.05 and uniform pairs; the seed
//! draws it. The score is exact: the mean over states of V^π in the ring with p = 0.15.
//!
//! Source: official code of arXiv:2306.11626; number of steps and slips as in this project's check of it.

use std::sync::Arc;

use quire_core::{
    Artefact, Direction, Entry, Evaluation, MethodCard, Metric, OptionMap, Problem, ProblemCard, Progress,
    Reason, Result, Rng, Run, RunSpec, Seeds, Trace, number_bytes, state,
};
use quire_optim::NORMS_FILE;

use super::{Dataset, METHODS, Planner, Setting};
use crate::finite::FiniteMdp;
use crate::{policy, solve, worlds};

/// The rewards of the ring by state.
pub const REWARDS: [f64; 14] = [0.0, 0.0, -1.0, 2.0, -1.0, 0.0, 0.0, -10.0, 5.0, -10.0, 0.0, 0.9, 1.0, 0.0];
/// Discount factor per step.
pub const DISCOUNT: f64 = 0.95;
/// The slip in the log.
pub const LOGGED_SLIP: f64 = 0.05;
/// Steps of the log.
pub const LOGGED_STEPS: usize = 20_000;
/// The slips that a policy is tried with, under the names of their metrics; the first is the score.
const SLIPS: [(&str, f64, &str); 5] = [
    (
        "value_p15",
        0.15,
        "mean over states of the policy's discounted value, exact, at slip 0.15, three times the logged one",
    ),
    ("value_p00", 0.0, "the same without slip"),
    ("value_p05", 0.05, "the same at the logged slip 0.05"),
    ("value_p10", 0.1, "the same at slip 0.10"),
    ("value_p20", 0.2, "the same at slip 0.20"),
];
/// Points of the curve in a run, at most; one [`Run::step`] makes one of them.
const RECORDS: u64 = 100;
/// Steps of an evaluation episode: what follows is discounted to less than a thousandth.
const EVALUATION_STEPS: usize = 200;

/// The ring with this slip.
pub fn ring(slip: f64) -> FiniteMdp {
    worlds::ring(&REWARDS, slip).expect("14 states and a slip of at most a half")
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    vec![Arc::new(RobustRing::new())]
}

/// The problem.
pub struct RobustRing {
    card: ProblemCard,
    methods: Vec<MethodCard>,
}

impl RobustRing {
    fn new() -> Self {
        let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
        let mut metrics: Vec<Metric> =
            SLIPS.iter().map(|(name, _, summary)| metric(name, Direction::Higher, summary)).collect();
        let summary = "mean over states of the values that the method gives its policy, cautious or not";
        metrics.push(metric("estimated_value", Direction::Neutral, summary));
        let best = solve::policy_iteration(&ring(SLIPS[0].1), DISCOUNT).expect("a discount below 1").values;
        RobustRing {
            card: ProblemCard {
                name: "robust-ring".to_owned(),
                summary: "plan from 20,000 logged steps of a slippery ring (one log a seed) for a more slippery one".to_owned(),
                wing: "mdp",
                metrics,
                optimum: Some(best.iter().sum::<f64>() / best.len() as f64),
                budget: 1_000,
                budget_unit: "iterations",
                source: "official code of Zhang, Hu & Li 2024, arXiv:2306.11626, Toy-10".to_owned(),
                tags: vec!["tabular", "discounted", "offline", "robust"],
            },
            methods: Entry::cards(METHODS),
        }
    }

    fn run(&self, spec: &RunSpec) -> Result<RobustRun> {
        let card = self.method(&spec.method)?;
        let entry = Entry::find(METHODS, self, &spec.method)?;
        let seeds = Seeds::new(spec.seed);
        let data = Dataset::uniform(&ring(LOGGED_SLIP), LOGGED_STEPS, &mut seeds.stream("log"))?;
        let setting = Setting { discount: DISCOUNT, data: Arc::new(data), seeds: seeds.child("planner") };
        Ok(RobustRun {
            options: card.options.with(&[&spec.options])?,
            planner: (entry.make)(&setting, &spec.options)?,
            worlds: SLIPS.map(|(name, slip, _)| (name, ring(slip))).to_vec(),
            iteration: 0,
            spec: spec.clone(),
            budget: self.card.length(spec)?,
        })
    }
}

impl Problem for RobustRing {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        Ok(Box::new(self.run(spec)?))
    }

    /// Discounted returns of the policy over 200 steps at slip 0.15.
    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        let mdp = ring(SLIPS[0].1);
        let policy = policy::read(artefact, &mdp)?;
        let actions = mdp.actions();
        let act = |state: usize, rng: &mut Rng| policy::draw(&policy[state * actions..][..actions], rng);
        let scores = policy::discounted_returns(&mdp, DISCOUNT, EVALUATION_STEPS, repetitions, seed, act);
        Ok(Evaluation { metric: "return".into(), scores })
    }
}

/// A method at work.
struct RobustRun {
    spec: RunSpec,
    budget: u64,
    options: OptionMap,
    planner: Box<dyn Planner>,
    /// Where the policy is tried, by metric.
    worlds: Vec<(&'static str, FiniteMdp)>,
    iteration: u64,
}

impl RobustRun {
    fn kind(&self) -> String {
        self.spec.kind(self.budget, "iterations")
    }
}

impl Run for RobustRun {
    fn step(&mut self, trace: &mut Trace) -> Result<Progress> {
        let until = self.budget.min(self.iteration + self.budget.div_ceil(RECORDS));
        while self.iteration < until {
            self.planner.iterate()?;
            self.iteration += 1;
        }
        let policy = self.planner.policy();
        for (metric, world) in &self.worlds {
            let values = solve::evaluate(world, &policy, DISCOUNT)?;
            trace.record(until, metric, values.iter().sum::<f64>() / values.len() as f64);
        }
        trace.record(until, "estimated_value", self.planner.estimated_value());
        Ok(if until == self.budget { Progress::Done(Reason::Budget) } else { Progress::Continue })
    }

    fn progress(&self) -> (u64, u64) {
        (self.iteration, self.budget)
    }

    fn save(&self) -> Vec<u8> {
        state::encode(&self.kind(), &(self.iteration, self.planner.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (iteration, planner): (u64, Vec<u8>) = state::decode(&self.kind(), saved)?;
        self.iteration = iteration;
        self.planner.restore(&planner)?;
        Ok(())
    }

    fn artefact(&self) -> Option<Artefact> {
        let bytes = number_bytes(self.planner.policy());
        let norms = self.planner.gradient_norms().map(|norms| (NORMS_FILE, norms.to_csv().into_bytes()));
        let files = [(policy::FILE, bytes)].into_iter().chain(norms);
        Some(self.spec.artefact("policy", &self.options, self.iteration, files))
    }
}

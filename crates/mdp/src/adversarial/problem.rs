//! The problems: losses that flip after a quarter of the run, in three worlds.

use std::sync::Arc;

use quire_core::{
    Artefact, Direction, Entry, Error, Evaluation, MethodCard, Metric, Problem, ProblemCard, Result, Run,
    RunSpec, Seeds,
};

use super::run::{AdversarialRun, walk};
use super::worlds::{ACTIONS, HORIZON, World};
use super::{METHODS, Setting};
use crate::policy;

/// Losses that an adversary picks.
pub struct AdversarialProblem {
    card: ProblemCard,
    methods: Vec<MethodCard>,
    world: fn(u64) -> Result<World>,
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let listed = [
        AdversarialProblem::new(
            "flipping-losses",
            "two stages of 3 states and 4 actions, one feature a pair; a quarter into the run good becomes bad",
            World::one_hot,
        ),
        AdversarialProblem::new(
            "flipping-losses-dense",
            "the same with 6 features for 12 pairs, in which all action values are linear",
            World::dense,
        ),
        AdversarialProblem::new(
            "flipping-losses-linear",
            "the same in a linear MDP of two stages of 20 states and 4 actions, with 5 features",
            |seed| World::linear(20, 5, seed),
        ),
    ];
    listed.into_iter().map(|problem| Arc::new(problem) as Arc<dyn Problem>).collect()
}

impl AdversarialProblem {
    fn new(name: &str, summary: &str, world: fn(u64) -> Result<World>) -> Self {
        let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
        AdversarialProblem {
            card: ProblemCard {
                name: name.to_owned(),
                summary: format!("{summary} (one world a seed)"),
                wing: "mdp",
                metrics: vec![
                    metric(
                        "regret",
                        Direction::Lower,
                        "exact expected losses so far, minus those of the fixed policy that was best so far",
                    ),
                    metric(
                        "regret_per_root",
                        Direction::Lower,
                        "regret divided by the root of the number of episodes",
                    ),
                    metric(
                        "loss",
                        Direction::Lower,
                        "mean exact expected loss of the policies played since the last record",
                    ),
                    metric(
                        "lowest_estimate",
                        Direction::Neutral,
                        "the least estimate of an action value so far, which itself is between 0 and 2",
                    ),
                ],
                optimum: None,
                budget: 4_000,
                budget_unit: "episodes",
                source: "ours".to_owned(),
                tags: vec!["adversarial", "episodic", "linear", "bandit feedback"],
            },
            methods: Entry::cards(METHODS),
            world,
        }
    }
}

impl Problem for AdversarialProblem {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        let card = self.method(&spec.method)?;
        let entry = Entry::find(METHODS, self, &spec.method)?;
        let budget = self.card.length(spec)?;
        let world = (self.world)(spec.seed)?;
        let setting = Setting {
            states: world.transitions.states(),
            actions: ACTIONS,
            horizon: HORIZON,
            episodes: budget,
            features: Arc::clone(&world.features),
            simulator: entry.make.needs_simulator.then(|| Arc::clone(&world.transitions)),
            seeds: Seeds::new(spec.seed).child("learner"),
        };
        let learner = (entry.make.learner)(&setting, &spec.options)?;
        let options = card.options.with(&[&spec.options])?;
        Ok(Box::new(AdversarialRun::new(spec, budget, options, world, learner)))
    }

    /// Losses of episodes in the world of the artefact's seed, after the flip.
    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        let world = (self.world)(artefact.seed)?;
        let policy = artefact.numbers(policy::FILE)?;
        let losses = world.losses(1, 1);
        let is_distribution = |row: &[f64]| (row.iter().sum::<f64>() - 1.0).abs() < 1e-6;
        if policy.len() != losses.len() || !policy.chunks_exact(ACTIONS).all(is_distribution) {
            let message = format!("the policy in {} does not fit {}", policy::FILE, artefact.problem);
            return Err(Error::Failed(message));
        }
        let mut steps = Vec::new();
        let scores = (0..repetitions as u64).map(|episode| {
            let mut rng = Seeds::new(seed).nth("episode", episode).stream("dynamics");
            walk(&world, losses, &policy, &mut rng, &mut steps);
            steps.iter().map(|step| step.loss).sum()
        });
        Ok(Evaluation { metric: "loss".into(), scores: scores.collect() })
    }
}

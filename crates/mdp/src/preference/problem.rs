//! The problems: random small MDPs, and somebody who knows which trajectory is better.

use std::sync::Arc;

use quire_core::{
    Artefact, Direction, Entry, Evaluation, MethodCard, Metric, Problem, ProblemCard, Result, Run, RunSpec,
    Seeds,
};

use super::run::PreferenceRun;
use super::worlds::{SHARPNESS, World, rewards};
use super::{METHODS, Setting};
use crate::policy;

/// An MDP whose rewards are seen only through preferences.
pub struct PreferenceProblem {
    card: ProblemCard,
    methods: Vec<MethodCard>,
    world: fn(u64) -> Result<World>,
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let listed = [
        PreferenceProblem::new(
            "preference-tabular",
            "learn from preferences between trajectories in 3 stages of 3 states and 2 actions",
            World::tabular,
        ),
        PreferenceProblem::new(
            "preference-linear",
            "learn from preferences between trajectories in a linear MDP: 4 stages of 10 states, 3 actions, 5 features",
            World::linear,
        ),
        PreferenceProblem::new(
            "preference-candidates",
            "preference-tabular, with a class of 50 models and one of 50 rewards to which the truth belongs",
            World::candidates,
        ),
    ];
    listed.into_iter().map(|problem| Arc::new(problem) as Arc<dyn Problem>).collect()
}

impl PreferenceProblem {
    fn new(name: &str, summary: &str, world: fn(u64) -> Result<World>) -> Self {
        let metric = |name, unit, direction, summary| Metric { name, unit, direction, summary };
        PreferenceProblem {
            card: ProblemCard {
                name: name.to_owned(),
                summary: format!("{summary} (one world a seed)"),
                wing: "mdp",
                metrics: vec![
                    metric(
                        "regret",
                        "",
                        Direction::Lower,
                        "twice the optimal return minus the exact returns of both policies, summed over rounds",
                    ),
                    metric("queries", "", Direction::Lower, "questions asked so far"),
                    metric(
                        "suboptimality",
                        "",
                        Direction::Lower,
                        "optimal return minus that of the first policy, mean since the last record",
                    ),
                ],
                optimum: Some(0.0),
                budget: 2_000,
                budget_unit: "rounds",
                source: "ours".to_owned(),
                tags: vec!["preferences", "episodic", "exploration"],
            },
            methods: Entry::cards(METHODS),
            world,
        }
    }
}

impl Problem for PreferenceProblem {
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
        let World { mdp, features, candidates } = (self.world)(spec.seed)?;
        let setting = Setting {
            states: mdp.states(),
            actions: mdp.actions(),
            horizon: mdp.horizon(),
            rounds: budget,
            features,
            greatest_reward: SHARPNESS,
            rewards: entry.make.knows_rewards.then(|| Arc::new(rewards(&mdp))),
            candidates,
            seeds: Seeds::new(spec.seed).child("learner"),
        };
        let learner = (entry.make.learner)(&setting, &spec.options)?;
        let options = card.options.with(&[&spec.options])?;
        Ok(Box::new(PreferenceRun::new(spec, budget, options, mdp, learner)))
    }

    /// Returns of episodes of the first policy, with expected rewards, in the world of the artefact's seed.
    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        let mdp = (self.world)(artefact.seed)?.mdp;
        let policy = policy::read_staged(artefact, mdp.horizon(), mdp.states(), mdp.actions())?;
        let scores = (0..repetitions as u64).map(|episode| {
            mdp.play(&policy, &mut Seeds::new(seed).nth("episode", episode).stream("dynamics"))
        });
        Ok(Evaluation { metric: "return".into(), scores: scores.collect() })
    }
}

//! The problems of this family: plan from a log that grows.
//!
//! The seed draws the model and a log of as many episodes as the budget says, acted in by a policy that takes action 0 with
//! probability 0.6 and the other 31 evenly. The planner plans afresh from the first 1/32, 2/32, ... of the log, so that one
//! run is a curve of suboptimality over the length of the log.

use std::sync::Arc;

use quire_core::{
    Artefact, Direction, Entry, Evaluation, MethodCard, Metric, OptionMap, Problem, ProblemCard, Progress,
    Reason, Result, Run, RunSpec, Seeds, Trace, state,
};

use super::log::{Log, Rewards};
use super::worlds::{behaviour, class_around, features, linear_model, sigmoid_model};
use super::{METHODS, Plan, Planner, Setting};
use crate::policy;
use crate::staged::StagedMdp;

/// Plans in a run, at most; one [`Run::step`] makes one of them.
const PLANS: u64 = 32;
/// Episodes that a plan needs, one in each half of the log.
const LEAST: u64 = 2;

/// A model and how its log is made.
#[derive(Debug, Clone, Copy)]
enum World {
    Linear,
    Sigmoid,
}

/// A log to plan from.
pub struct OfflineProblem {
    card: ProblemCard,
    methods: Vec<MethodCard>,
    world: World,
    horizon: usize,
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let problem = |world, horizon| Arc::new(OfflineProblem::new(world, horizon)) as Arc<dyn Problem>;
    vec![problem(World::Linear, 5), problem(World::Linear, 20), problem(World::Sigmoid, 5)]
}

impl OfflineProblem {
    fn new(world: World, horizon: usize) -> Self {
        let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
        let (name, what, source) = match world {
            World::Linear => (
                format!("offline-linear-{horizon}"),
                "a linear MDP of 2 states and 32 actions",
                "the synthetic linear MDP of the offline-linear literature (Yin et al. 2022, arXiv:2203.05804), as we fix it",
            ),
            World::Sigmoid => (
                format!("offline-sigmoid-{horizon}"),
                "an MDP of 2 states and 32 actions whose optimal action values are sigmoids of linear functions",
                "ours",
            ),
        };
        OfflineProblem {
            card: ProblemCard {
                name,
                summary: format!(
                    "plan from a log of episodes of {horizon} steps in {what} (one model and log a seed)"
                ),
                wing: "mdp",
                metrics: vec![
                    metric(
                        "suboptimality",
                        Direction::Lower,
                        "optimal expected return minus the policy's, exact",
                    ),
                    metric(
                        "overestimate",
                        Direction::Neutral,
                        "what the planner takes its policy to earn, minus what it earns; below 0 if pessimistic",
                    ),
                ],
                optimum: Some(0.0),
                budget: 400,
                budget_unit: "episodes",
                source: source.to_owned(),
                tags: vec!["offline", "episodic", "linear", "pessimism"],
            },
            methods: Entry::cards(METHODS),
            world,
            horizon,
        }
    }

    fn model(&self, seed: u64) -> Result<StagedMdp> {
        match self.world {
            World::Linear => Ok(linear_model(self.horizon, seed)?.mdp),
            World::Sigmoid => sigmoid_model(self.horizon, seed),
        }
    }

    fn run(&self, spec: &RunSpec) -> Result<OfflineRun> {
        let card = self.method(&spec.method)?;
        let entry = Entry::find(METHODS, self, &spec.method)?;
        let options = card.options.with(&[&spec.options])?;
        let budget = self.card.length(spec)?;
        if budget < LEAST {
            return Err(quire_core::Error::Usage(format!(
                "a log to plan from needs at least {LEAST} episodes; give --steps a larger number"
            )));
        }
        let mdp = self.model(spec.seed)?;
        let setting = Setting {
            states: mdp.states(),
            actions: mdp.actions(),
            horizon: self.horizon,
            features: Arc::new(features()),
            class: match self.world {
                World::Linear => Some(class_around(&linear_model(self.horizon, spec.seed)?, spec.seed)),
                World::Sigmoid => None,
            },
        };
        let rewards = match self.world {
            World::Linear => Rewards::Certain,
            World::Sigmoid => Rewards::Coins,
        };
        let mut rng = Seeds::new(spec.seed).stream("log");
        Ok(OfflineRun {
            planner: (entry.make)(&setting, &spec.options)?,
            optimum: mdp.at_start(&mdp.backward_induction().values[..mdp.states()]),
            log: Log::record(&mdp, &behaviour(), rewards, budget as usize, &mut rng),
            spec: spec.clone(),
            episodes: 0,
            policy: Vec::new(),
            budget,
            options,
            mdp,
        })
    }
}

impl Problem for OfflineProblem {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        Ok(Box::new(self.run(spec)?))
    }

    /// Returns of episodes, with expected rewards, in the model of the artefact's seed.
    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        let mdp = self.model(artefact.seed)?;
        let policy = policy::read_staged(artefact, mdp.horizon(), mdp.states(), mdp.actions())?;
        let scores = (0..repetitions as u64).map(|episode| {
            mdp.play(&policy, &mut Seeds::new(seed).nth("episode", episode).stream("dynamics"))
        });
        Ok(Evaluation { metric: "return".into(), scores: scores.collect() })
    }
}

/// A planner and its log.
struct OfflineRun {
    spec: RunSpec,
    budget: u64,
    options: OptionMap,
    mdp: StagedMdp,
    optimum: f64,
    log: Log,
    planner: Box<dyn Planner>,
    /// Episodes that the last plan was made from.
    episodes: u64,
    /// Its policy, `[H, S]`.
    policy: Vec<usize>,
}

impl OfflineRun {
    fn kind(&self) -> String {
        self.spec.kind(self.budget, "episodes")
    }
}

impl Run for OfflineRun {
    fn step(&mut self, trace: &mut Trace) -> Result<Progress> {
        self.episodes = self.budget.min((self.episodes + self.budget.div_ceil(PLANS)).max(LEAST));
        let Plan { q, policy } = self.planner.plan(&self.log, self.episodes as usize)?;
        let value = self.mdp.evaluate(&policy);
        let first = super::greatest(&q[..self.mdp.states() * self.mdp.actions()], self.mdp.actions());
        self.policy = policy;
        trace.record(self.episodes, "suboptimality", self.optimum - value);
        trace.record(self.episodes, "overestimate", self.mdp.at_start(&first) - value);
        Ok(if self.episodes == self.budget { Progress::Done(Reason::Budget) } else { Progress::Continue })
    }

    fn progress(&self) -> (u64, u64) {
        (self.episodes, self.budget)
    }

    fn save(&self) -> Vec<u8> {
        state::encode(&self.kind(), &(self.episodes, &self.policy))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.episodes, self.policy) = state::decode(&self.kind(), saved)?;
        Ok(())
    }

    fn artefact(&self) -> Option<Artefact> {
        let file = (policy::STAGED_FILE, policy::staged_bytes(&self.policy));
        (!self.policy.is_empty()).then(|| self.spec.artefact("policy", &self.options, self.episodes, [file]))
    }
}

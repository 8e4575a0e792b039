//! Environments as problems: every registered environment with the methods that can act in it.

use std::sync::Arc;

use quire_core::{
    Artefact, Direction, Entry, Evaluation, MethodCard, Metric, Problem, ProblemCard, Result, Run, RunSpec,
    Wing,
};
use quire_env::wrappers::TimeLimit;
use quire_env::{EnvCard, Environment};

use crate::agent::Maker;
use crate::online::{OnlineRun, evaluate_policy};
use crate::{actor_critic, estimation, value};

/// What every run of this wing records.
fn metrics() -> Vec<Metric> {
    let metric = |name, unit, direction, summary| Metric { name, unit, direction, summary };
    vec![
        metric(
            "return",
            "",
            Direction::Higher,
            "mean undiscounted return of the greedy policy over evaluation episodes",
        ),
        metric("evaluation_length", "steps", Direction::Neutral, "mean length of the evaluation episodes"),
        metric("value", "", Direction::Neutral, "mean estimated value of the states met in evaluation"),
        metric(
            "value_bias",
            "",
            Direction::Neutral,
            "mean estimated value minus the discounted return that followed",
        ),
        metric("training_return", "", Direction::Neutral, "undiscounted return of a training episode"),
        metric("episode_length", "steps", Direction::Neutral, "length of a training episode"),
        metric(
            "temperature",
            "",
            Direction::Neutral,
            "weight of the entropy in a soft actor-critic's objective",
        ),
        metric("loss", "", Direction::Neutral, "training loss, averaged since the last record"),
    ]
}

/// An environment as a problem.
pub struct EnvironmentProblem {
    card: ProblemCard,
    methods: Vec<MethodCard>,
}

/// This wing.
pub fn wing() -> Wing {
    Wing {
        name: "rl",
        summary: "reinforcement learning with function approximation, in environments",
        problems: environments().chain(estimation::problems()).collect(),
        open: |name| Some(problem(quire_env::card(name).ok()?, name)),
    }
}

/// The listed environments.
fn environments() -> impl Iterator<Item = Arc<dyn Problem>> {
    quire_env::list().iter().map(|card| problem(card, card.id).expect("every card makes its environment"))
}

/// The methods of all families that act in environments.
fn entries() -> impl Iterator<Item = &'static Entry<Maker>> {
    value::METHODS.iter().chain(actor_critic::METHODS)
}

/// The environment `id` as a problem; `card` is its own card or that of the family it is a member of.
fn problem(card: &EnvCard, id: &str) -> Result<Arc<dyn Problem>> {
    let environment = make(id)?;
    let suits = |entry: &&Entry<Maker>| entry.make.actions.suits(environment.action_space());
    Ok(Arc::new(EnvironmentProblem {
        card: ProblemCard {
            name: id.to_owned(),
            summary: card.summary.to_owned(),
            wing: "rl",
            metrics: metrics(),
            optimum: card.optimum,
            budget: budget(id),
            budget_unit: "environment steps",
            source: card.source.to_owned(),
            tags: card.tags.to_vec(),
        },
        methods: entries().filter(suits).map(|entry| (entry.card)()).collect(),
    }))
}

/// Steps after which an episode is cut off in an environment without a time limit of its own: a greedy policy may
/// otherwise play an evaluation episode forever.
const LONGEST_EPISODE: u32 = 10_000;

/// The environment `id`, never without a time limit.
fn make(id: &str) -> Result<Box<dyn Environment>> {
    let environment = quire_env::make(id)?;
    Ok(match quire_env::card(id)?.time_limit {
        Some(_) => environment,
        None => Box::new(TimeLimit::new(environment, LONGEST_EPISODE)?),
    })
}

/// Environment steps of a run unless the user says otherwise: where RL-Zoo publishes scores, its budget for DQN or SAC.
fn budget(id: &str) -> u64 {
    match id {
        "CartPole-v0" | "CartPole-v1" => 50_000,
        "Acrobot-v1" => 100_000,
        "MountainCar-v0" => 120_000,
        "MountainCarContinuous-v0" => 50_000,
        "Pendulum-v1" => 20_000,
        "Catch-v0" => 20_000,
        _ => 100_000,
    }
}

impl EnvironmentProblem {
    fn environment(&self) -> Result<Box<dyn Environment>> {
        make(&self.card.name)
    }

    fn entry(&self, method: &str) -> Result<&'static Entry<Maker>> {
        Entry::find(entries(), self, method)
    }
}

impl Problem for EnvironmentProblem {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        let environment = self.environment()?;
        Ok(Box::new(OnlineRun::start(spec, self.card.length(spec)?, environment, self.entry(&spec.method)?)?))
    }

    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        let environment = self.environment()?;
        let entry = self.entry(&artefact.method)?;
        let scores =
            evaluate_policy(entry, environment, &artefact.options, &artefact.files, repetitions, seed)?;
        Ok(Evaluation { metric: self.card.metric().name.to_owned(), scores })
    }
}

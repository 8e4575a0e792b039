//! A run of online learning: act, observe, learn, and now and then be examined.
//!
//! Evaluation is kept apart from learning: its own episodes, its own copy of the environment, its own random streams,
//! the greedy policy. Twenty evaluations of ten episodes are spread evenly over the run, and the last one has a hundred episodes.

use std::collections::BTreeMap;

use quire_core::{
    Artefact, Entry, Error, OptionMap, Progress, Reason, Result, Rng, Run, RunSpec, Seeds, Trace, state,
};
use quire_env::{Action, Environment};
use serde::{Deserialize, Serialize};

use crate::agent::{Agent, Maker, Task};
use crate::replay::Transition;

/// Evaluations in a run.
pub const EVALUATIONS: u64 = 20;
/// Episodes of an evaluation.
pub const EPISODES: usize = 10;
/// Episodes of the last evaluation, which decides how methods compare.
pub const FINAL_EPISODES: usize = 100;
/// Greatest weight that the estimated tail of a cut episode may have in a return that values are held against.
const GREATEST_TAIL: f64 = 0.2;
/// Environment steps in one [`Run::step`].
const STEPS_AT_ONCE: u64 = 250;

/// A learner in its environment.
pub struct OnlineRun {
    spec: RunSpec,
    budget: u64,
    options: OptionMap,
    seeds: Seeds,
    environment: Box<dyn Environment>,
    examination: Box<dyn Environment>,
    agent: Box<dyn Agent>,
    discrete: bool,
    place: Place,
    next_observation: Vec<f32>,
    action: Vec<f32>,
}

/// Where a run is, apart from its environment and agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Place {
    step: u64,
    observation: Vec<f32>,
    episode_return: f64,
    episode_length: u64,
    /// Evaluations finished so far.
    evaluations: u64,
    /// The evaluation under way, if there is one.
    examined: Option<Vec<Episode>>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Episode {
    undiscounted_return: f64,
    length: u64,
    /// Sum over the episode's states of (estimated value - discounted return from there), and how many were counted.
    bias_sum: f64,
    value_sum: f64,
    counted: u64,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    place: Place,
    #[serde(with = "serde_bytes")]
    environment: Vec<u8>,
    #[serde(with = "serde_bytes")]
    agent: Vec<u8>,
}

impl OnlineRun {
    /// Starts learning with the method `entry` in `environment`.
    pub fn start(
        spec: &RunSpec,
        budget: u64,
        mut environment: Box<dyn Environment>,
        entry: &Entry<Maker>,
    ) -> Result<Self> {
        let seeds = Seeds::new(spec.seed);
        let task = task(environment.as_ref(), budget, spec.threads, seeds);
        let (agent, options) = (entry.make.agent)(&task, &spec.options)?;
        let mut observation = vec![0.0; environment.observation_space().size()];
        let examination = environment.clone();
        environment.reset(Some(seeds.key("environment")), &mut observation)?;
        Ok(OnlineRun {
            spec: spec.clone(),
            budget,
            options,
            seeds,
            discrete: environment.action_space().discrete_n().is_some(),
            next_observation: observation.clone(),
            action: vec![0.0; environment.action_space().size()],
            environment,
            examination,
            agent,
            place: Place {
                step: 0,
                observation,
                episode_return: 0.0,
                episode_length: 0,
                evaluations: 0,
                examined: None,
            },
        })
    }

    /// The step at which evaluation number `index` (from 0) is due.
    fn evaluation_due(&self, index: u64) -> u64 {
        // Rounded up, so that no evaluation is due before the first step and the last one falls on the budget.
        ((index + 1) as u128 * u128::from(self.budget)).div_ceil(u128::from(EVALUATIONS)) as u64
    }

    fn learn_one_step(&mut self, trace: &mut Trace) -> Result<()> {
        let place = &mut self.place;
        self.agent.act(&place.observation, &mut self.action);
        let outcome =
            self.environment.step(as_action(self.discrete, &self.action), &mut self.next_observation)?;
        place.step += 1;
        place.episode_return += outcome.reward;
        place.episode_length += 1;
        let transition = Transition {
            observation: &place.observation,
            action: &self.action,
            reward: outcome.reward as f32,
            steps: 1,
            next_observation: &self.next_observation,
            terminated: outcome.terminated,
            truncated: outcome.truncated,
        };
        self.agent.observe(&transition, place.step, trace)?;
        if outcome.ended() {
            trace.record(place.step, "training_return", place.episode_return);
            trace.record(place.step, "episode_length", place.episode_length as f64);
            place.episode_return = 0.0;
            place.episode_length = 0;
            self.environment.reset(None, &mut place.observation)?;
        } else {
            std::mem::swap(&mut place.observation, &mut self.next_observation);
        }
        Ok(())
    }

    /// Plays one episode of the evaluation under way, and reports it when it is complete.
    fn examine_one_episode(&mut self, trace: &mut Trace) -> Result<()> {
        let examined = self.place.examined.as_mut().expect("an evaluation is under way");
        let seeds =
            self.seeds.nth("evaluation", self.place.evaluations).nth("episode", examined.len() as u64);
        examined.push(play_episode(self.agent.as_mut(), self.examination.as_mut(), seeds)?);
        let last = self.place.evaluations + 1 == EVALUATIONS;
        if examined.len() < if last { FINAL_EPISODES } else { EPISODES } {
            return Ok(());
        }
        let step = self.place.step;
        let mean = |f: fn(&Episode) -> f64| examined.iter().map(f).sum::<f64>() / examined.len() as f64;
        trace.record(step, "return", mean(|episode| episode.undiscounted_return));
        trace.record(step, "evaluation_length", mean(|episode| episode.length as f64));
        let counted: u64 = examined.iter().map(|episode| episode.counted).sum();
        if counted > 0 {
            let total = |f: fn(&Episode) -> f64| examined.iter().map(f).sum::<f64>() / counted as f64;
            trace.record(step, "value", total(|episode| episode.value_sum));
            trace.record(step, "value_bias", total(|episode| episode.bias_sum));
        }
        self.place.examined = None;
        self.place.evaluations += 1;
        Ok(())
    }
}

impl Run for OnlineRun {
    fn step(&mut self, trace: &mut Trace) -> Result<Progress> {
        if self.place.examined.is_some() {
            self.examine_one_episode(trace)?;
        } else {
            let due = self.evaluation_due(self.place.evaluations);
            let until = due.min(self.place.step + STEPS_AT_ONCE);
            while self.place.step < until {
                match self.learn_one_step(trace) {
                    Err(Error::Diverged(place)) => return Ok(Progress::Done(Reason::Diverged(place))),
                    other => other?,
                }
            }
            if self.place.step == due && self.place.evaluations < EVALUATIONS {
                self.place.examined = Some(Vec::new());
            }
        }
        let done = self.place.evaluations == EVALUATIONS;
        Ok(if done { Progress::Done(Reason::Budget) } else { Progress::Continue })
    }

    fn progress(&self) -> (u64, u64) {
        (self.place.step, self.budget)
    }

    fn save(&self) -> Vec<u8> {
        let saved = Saved {
            place: self.place.clone(),
            environment: self.environment.save(),
            agent: self.agent.save(),
        };
        state::encode(&kind(&self.spec), &saved)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let saved: Saved = state::decode(&kind(&self.spec), saved)?;
        self.environment.restore(&saved.environment)?;
        self.agent.restore(&saved.agent)?;
        self.place = saved.place;
        Ok(())
    }

    fn artefact(&self) -> Option<Artefact> {
        Some(self.spec.artefact("policy", &self.options, self.place.step, self.agent.policy()))
    }
}

/// The undiscounted returns of `episodes` fresh episodes under a trained policy.
pub fn evaluate_policy(
    entry: &Entry<Maker>,
    mut environment: Box<dyn Environment>,
    options: &OptionMap,
    files: &BTreeMap<String, Vec<u8>>,
    episodes: usize,
    seed: u64,
) -> Result<Vec<f64>> {
    let seeds = Seeds::new(seed);
    let (mut agent, _) = (entry.make.agent)(&task(environment.as_ref(), 1, 1, seeds), options)?;
    agent.load_policy(files)?;
    (0..episodes as u64)
        .map(|index| {
            let seeds = seeds.nth("episode", index);
            Ok(play_episode(agent.as_mut(), environment.as_mut(), seeds)?.undiscounted_return)
        })
        .collect()
}

fn task(environment: &dyn Environment, budget: u64, threads: usize, seeds: Seeds) -> Task {
    Task {
        observation: environment.observation_space().clone(),
        action: environment.action_space().clone(),
        budget,
        threads,
        seeds: seeds.child("agent"),
    }
}

/// What a saved state calls itself, so that it is not resumed as another run's. The budget counts: schedules depend on it.
fn kind(spec: &RunSpec) -> String {
    let budget = spec.budget.map_or_else(|| "default budget".to_owned(), |budget| format!("budget {budget}"));
    format!("{} on {}, seed {}, {budget}", spec.method, spec.problem, spec.seed)
}

fn as_action(discrete: bool, action: &[f32]) -> Action<'_> {
    if discrete { Action::Discrete(action[0] as usize) } else { Action::Continuous(action) }
}

/// Plays one greedy episode.
fn play_episode(agent: &mut dyn Agent, environment: &mut dyn Environment, seeds: Seeds) -> Result<Episode> {
    let mut observation = vec![0.0; environment.observation_space().size()];
    let mut action = vec![0.0; environment.action_space().size()];
    let discrete = environment.action_space().discrete_n().is_some();
    let mut rng: Rng = seeds.stream("policy");
    environment.reset(Some(seeds.key("environment")), &mut observation)?;
    let (mut values, mut rewards) = (Vec::new(), Vec::new());
    let outcome = loop {
        values.extend(agent.act_greedily(&observation, &mut rng, &mut action));
        let outcome = environment.step(as_action(discrete, &action), &mut observation)?;
        rewards.push(outcome.reward);
        if outcome.ended() {
            break outcome;
        }
    };
    let tail =
        if outcome.terminated { Some(0.0) } else { agent.act_greedily(&observation, &mut rng, &mut action) };
    let (bias_sum, value_sum, counted) = match tail {
        Some(tail) => value_bias(&values, &rewards, agent.discount(), tail, outcome.terminated),
        None => (0.0, 0.0, 0),
    };
    Ok(Episode {
        undiscounted_return: rewards.iter().sum(),
        length: rewards.len() as u64,
        bias_sum,
        value_sum,
        counted,
    })
}

/// How far estimated values lie above the discounted returns that followed: sum of the differences, sum of the
/// estimates, and number of states counted.
///
/// Where a time limit cut the episode, returns go on with `tail`, the value estimated at its end. That hides a part of the
/// bias, as large as the tail's weight (discount to the power of the steps left), so only states count whose weight is
/// below [`GREATEST_TAIL`].
fn value_bias(
    values: &[f64],
    rewards: &[f64],
    discount: f64,
    tail: f64,
    terminated: bool,
) -> (f64, f64, u64) {
    let (mut bias_sum, mut value_sum, mut counted) = (0.0, 0.0, 0);
    let (mut discounted_return, mut tail_weight) = (tail, 1.0);
    for (&value, &reward) in values.iter().zip(rewards).rev() {
        discounted_return = reward + discount * discounted_return;
        tail_weight *= discount;
        if terminated || tail_weight < GREATEST_TAIL {
            bias_sum += value - discounted_return;
            value_sum += value;
            counted += 1;
        }
    }
    (bias_sum, value_sum, counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bias_compares_values_with_the_returns_that_followed() {
        // Returns with discount 1/2: 1 + (2 + 4/2)/2 = 3, 2 + 4/2 = 4, 4.
        let (bias, value, counted) = value_bias(&[3.5, 4.0, 3.0], &[1.0, 2.0, 4.0], 0.5, 0.0, true);
        assert_eq!((bias, value, counted), (-0.5, 10.5, 3));
        // Cut off after 4 steps: 0.5^3 = 0.125 < 0.2 <= 0.5^2, so the two states with at least three steps left count.
        // With a tail of 2 every return is 2: 1 + 2/2.
        let (bias, value, counted) = value_bias(&[3.0; 4], &[1.0; 4], 0.5, 2.0, false);
        assert_eq!((bias, value, counted), (2.0, 6.0, 2));
    }
}

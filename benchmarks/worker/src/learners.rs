//! Whole runs of learning, as a user of the library would write them: act, step, observe. Timed without evaluation.

use std::time::Instant;

use quire_core::{Entry, Result, Seeds, Trace};
use quire_env::{Action, Environment, make};
use quire_rl::agent::{Agent, Maker, Task};
use quire_rl::replay::Transition;
use quire_rl::{actor_critic, value};
use serde_json::{Value, json};

use crate::work::{Request, Work, processor_seconds, processor_since};

/// Greedy episodes after learning.
const EPISODES: u64 = 100;

/// The works of this file.
pub fn works() -> Vec<Work> {
    vec![
        Work {
            name: "dqn",
            summary: "DQN on CartPole-v1 with --steps environment steps, RL-Zoo's options: a step",
            run: |request| learn(request, value::METHODS, "dqn", "CartPole-v1"),
        },
        Work {
            name: "sac",
            summary: "SAC on Pendulum-v1 with --steps environment steps, RL-Zoo's options: a step",
            run: |request| learn(request, actor_critic::METHODS, "sac", "Pendulum-v1"),
        },
    ]
}

fn action(discrete: bool, numbers: &[f32]) -> Action<'_> {
    if discrete { Action::Discrete(numbers[0] as usize) } else { Action::Continuous(numbers) }
}

fn learn(request: &Request, methods: &[Entry<Maker>], method: &str, name: &str) -> Result<Value> {
    let entry = methods.iter().find(|entry| entry.name == method).expect("the table has its methods");
    let mut options = (entry.card)().tuned_for(name);
    options.extend(request.options.clone());
    let steps = request.repetitions.map_or(request.steps, |n| 1000 * n as u64);
    let mut environment = make(name)?;
    let seeds = Seeds::new(request.seed);
    let task = Task {
        observation: environment.observation_space().clone(),
        action: environment.action_space().clone(),
        budget: steps,
        threads: request.threads,
        seeds: seeds.child("agent"),
    };
    let (mut agent, _) = (entry.make.agent)(&task, &options)?;

    let discrete = environment.action_space().discrete_n().is_some();
    let mut observation = vec![0.0; environment.observation_space().size()];
    let mut next_observation = observation.clone();
    let mut chosen = vec![0.0; environment.action_space().size()];
    let mut trace = Trace::new();
    let mut episodes = Vec::new();
    let mut episode_return = 0.0;
    let (start, processor) = (Instant::now(), processor_seconds());
    environment.reset(Some(seeds.key("environment")), &mut observation)?;
    for step in 1..=steps {
        agent.act(&observation, &mut chosen);
        let outcome = environment.step(action(discrete, &chosen), &mut next_observation)?;
        episode_return += outcome.reward;
        let transition = Transition {
            observation: &observation,
            action: &chosen,
            reward: outcome.reward as f32,
            steps: 1,
            next_observation: &next_observation,
            terminated: outcome.terminated,
            truncated: outcome.truncated,
        };
        agent.observe(&transition, step, &mut trace)?;
        if outcome.ended() {
            episodes.push(json!([step, episode_return]));
            episode_return = 0.0;
            environment.reset(None, &mut observation)?;
        } else {
            std::mem::swap(&mut observation, &mut next_observation);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let processor = processor_since(processor, steps);
    if request.repetitions.is_some() {
        return Ok(json!({}));
    }
    let score = evaluate(agent.as_mut(), environment.as_mut(), seeds)?;
    Ok(json!({
        "seconds": seconds / steps as f64, "processor": processor, "return": score, "episodes": episodes,
    }))
}

/// The mean return of greedy episodes.
fn evaluate(agent: &mut dyn Agent, environment: &mut dyn Environment, seeds: Seeds) -> Result<f64> {
    let discrete = environment.action_space().discrete_n().is_some();
    let mut observation = vec![0.0; environment.observation_space().size()];
    let mut chosen = vec![0.0; environment.action_space().size()];
    let mut rng = seeds.stream("evaluation");
    environment.reset(Some(seeds.key("evaluation environment")), &mut observation)?;
    let mut total = 0.0;
    let mut left = EPISODES;
    while left > 0 {
        agent.act_greedily(&observation, &mut rng, &mut chosen);
        let outcome = environment.step(action(discrete, &chosen), &mut observation)?;
        total += outcome.reward;
        if outcome.ended() {
            left -= 1;
            environment.reset(None, &mut observation)?;
        }
    }
    Ok(total / EPISODES as f64)
}

//! How fast the environments step on one core: `cargo run --release -p quire-env --example steps_per_second`.
//!
//! Each line is the median of five rounds of about half a second, resets included, with actions drawn beforehand.

#![expect(clippy::print_stdout, reason = "a program that reports to a terminal")]

use std::hint::black_box;
use std::time::Instant;

use quire_core::{Result, Seeds};
use quire_env::classic::{CartPole, Pendulum};
use quire_env::minatar::{ActionSet, Breakout, MinAtar};
use quire_env::wrappers::TimeLimit;
use quire_env::{Action, Actions, Environment, Space, VectorEnv, list, make};
use rand::RngExt;

const ROUNDS: usize = 5;
const SECONDS: f64 = 0.5;
/// Actions drawn beforehand; a power of two, to go round cheaply.
const ACTIONS: usize = 4096;

/// Steps a second of `step`, which is told how often it was called before.
fn measure(mut step: impl FnMut(usize) -> Result<()>) -> Result<f64> {
    let mut rates = Vec::new();
    let mut time = 0;
    for _ in 0..ROUNDS {
        let (start, first) = (Instant::now(), time);
        while start.elapsed().as_secs_f64() < SECONDS {
            for _ in 0..ACTIONS {
                step(time)?;
                time += 1;
            }
        }
        rates.push((time - first) as f64 / start.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    Ok(rates[ROUNDS / 2])
}

/// Steps a second of an environment, typed or boxed.
fn steps<E: Environment>(mut environment: E) -> Result<f64> {
    let mut rng = Seeds::new(1).stream("actions");
    let actions: Vec<_> = (0..ACTIONS).map(|_| environment.action_space().sample_action(&mut rng)).collect();
    let mut observation = vec![0.0; environment.observation_space().size()];
    environment.reset(Some(1), &mut observation)?;
    measure(|time| {
        let action = match &actions[time % ACTIONS] {
            quire_env::OwnedAction::Discrete(index) => Action::Discrete(*index),
            quire_env::OwnedAction::Continuous(values) => Action::Continuous(values),
        };
        let step = environment.step(action, &mut observation)?;
        black_box(&observation);
        if step.ended() {
            environment.reset(None, &mut observation)?;
        }
        Ok(())
    })
}

fn main() -> Result<()> {
    let report = |name: &str, rate: f64| println!("{name:45} {:8.2} million steps/s", rate / 1e6);
    report("CartPole, typed", steps(CartPole::new())?);
    report("CartPole-v1, typed with its time limit", steps(TimeLimit::new(CartPole::new(), 500)?)?);
    report("CartPole-v1, Box<dyn Environment>", steps(make("CartPole-v1")?)?);
    report("Pendulum, typed", steps(Pendulum::new())?);
    report("MinAtar Breakout, typed", steps(MinAtar::<Breakout>::new(ActionSet::Minimal))?);

    let copies = 64;
    let mut vector = VectorEnv::make("CartPole-v1", copies)?;
    vector.reset(Some(1))?;
    let mut rng = Seeds::new(1).stream("actions");
    let actions: Vec<usize> = (0..ACTIONS).map(|_| rng.random_range(0..2)).collect();
    let rate = measure(|time| {
        let first = time * copies % ACTIONS;
        vector.step(Actions::Discrete(&actions[first..first + copies]))?;
        black_box(vector.observations());
        Ok(())
    })?;
    report("CartPole-v1, 64 boxed copies as a VectorEnv", rate * copies as f64);

    println!("\nby name, Box<dyn Environment>:");
    for card in list() {
        let environment = make(card.id)?;
        let kind = match environment.observation_space() {
            Space::Box { shape, .. } => format!("{} {shape:?}", card.id),
            Space::Discrete { .. } => card.id.to_owned(),
        };
        report(&kind, steps(environment)?);
    }
    Ok(())
}

//! Steps of environments, resets included, with actions drawn beforehand.

use std::hint::black_box;

use quire_core::{Result, Seeds};
use quire_env::classic::{CartPole, Pendulum};
use quire_env::{Actions, Environment, OwnedAction, VectorEnv, make};
use serde_json::Value;

use crate::work::{Request, Work};

/// Steps in one measurement, and actions drawn beforehand.
const STEPS: usize = 4096;

/// The works of this file.
pub fn works() -> Vec<Work> {
    let boxed = |name, summary, run| Work { name, summary, run };
    vec![
        Work {
            name: "CartPole typed",
            summary: "CartPole through the typed interface: a step",
            run: |request| steps(request, CartPole::new()),
        },
        Work {
            name: "Pendulum typed",
            summary: "Pendulum through the typed interface: a step",
            run: |request| steps(request, Pendulum::new()),
        },
        Work { name: "CartPole-v1 x 64", summary: "64 boxed copies stepped together: a step", run: vector },
        boxed("CartPole-v1", "made by name, boxed: a step", |r| steps(r, make("CartPole-v1")?)),
        boxed("Acrobot-v1", "made by name, boxed: a step", |r| steps(r, make("Acrobot-v1")?)),
        boxed("MountainCar-v0", "made by name, boxed: a step", |r| steps(r, make("MountainCar-v0")?)),
        boxed("Pendulum-v1", "made by name, boxed: a step", |r| steps(r, make("Pendulum-v1")?)),
        boxed("MinAtar/Asterix-v1", "made by name, boxed: a step", |r| steps(r, make("MinAtar/Asterix-v1")?)),
        boxed("MinAtar/Breakout-v1", "made by name, boxed: a step", |r| {
            steps(r, make("MinAtar/Breakout-v1")?)
        }),
        boxed("MinAtar/Freeway-v1", "made by name, boxed: a step", |r| steps(r, make("MinAtar/Freeway-v1")?)),
        boxed("MinAtar/Seaquest-v1", "made by name, boxed: a step", |r| {
            steps(r, make("MinAtar/Seaquest-v1")?)
        }),
        boxed("MinAtar/SpaceInvaders-v1", "made by name, boxed: a step", |r| {
            steps(r, make("MinAtar/SpaceInvaders-v1")?)
        }),
    ]
}

fn steps<E: Environment>(request: &Request, mut environment: E) -> Result<Value> {
    let mut rng = Seeds::new(1).stream("actions");
    let actions: Vec<OwnedAction> =
        (0..STEPS).map(|_| environment.action_space().sample_action(&mut rng)).collect();
    let mut observation = vec![0.0; environment.observation_space().size()];
    environment.reset(Some(1), &mut observation)?;
    let mut failed = None;
    let time = request.time(STEPS, || {
        for action in &actions {
            let ended = environment.step(action.borrow(), &mut observation).map(|step| step.ended());
            black_box(&observation);
            match ended {
                Ok(false) => {}
                Ok(true) => failed = environment.reset(None, &mut observation).err().or(failed.take()),
                Err(error) => failed = Some(error),
            }
        }
    });
    failed.map_or(Ok(time), Err)
}

fn vector(request: &Request) -> Result<Value> {
    const COPIES: usize = 64;
    let mut vector = VectorEnv::make("CartPole-v1", COPIES)?;
    vector.reset(Some(1))?;
    let mut rng = Seeds::new(1).stream("actions");
    let actions: Vec<usize> = (0..STEPS).map(|_| rand::RngExt::random_range(&mut rng, 0..2)).collect();
    let mut failed = None;
    let time = request.time(STEPS, || {
        for actions in actions.chunks_exact(COPIES) {
            failed = vector.step(Actions::Discrete(actions)).err().or(failed.take());
            black_box(vector.observations());
        }
    });
    failed.map_or(Ok(time), Err)
}

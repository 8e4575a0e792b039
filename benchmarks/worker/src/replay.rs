//! Sampling a batch of 256 from a million transitions.

use std::hint::black_box;

use quire_core::{Result, Seeds};
use quire_rl::replay::{Batch, Precision, Replay, Transition};
use serde_json::Value;

use crate::work::{Request, Work, noise};

const HELD: usize = 1_000_000;
const BATCH: usize = 256;

/// The works of this file.
pub fn works() -> Vec<Work> {
    vec![
        Work {
            name: "replay 4+1",
            summary: "256 of 1e6 transitions of CartPole's size (4 numbers, 1 action): a batch",
            run: |request| sample(request, 4, 1),
        },
        Work {
            name: "replay 17+6",
            summary: "256 of 1e6 transitions of HalfCheetah's size (17 numbers, 6 actions): a batch",
            run: |request| sample(request, 17, 6),
        },
    ]
}

fn sample(request: &Request, observation: usize, action: usize) -> Result<Value> {
    const TIMES: usize = 100;
    let mut replay = Replay::new(HELD, observation, action, Precision::Single);
    let numbers = noise(observation + action, 1);
    let (seen, done) = numbers.split_at(observation);
    // Counting instructions needs no misses of the cache.
    let held = if request.repetitions.is_some() { 1000 } else { HELD };
    for index in 0..held {
        replay.push(&Transition {
            observation: seen,
            action: done,
            reward: index as f32,
            steps: 1,
            next_observation: seen,
            terminated: index % 200 == 199,
            truncated: false,
        });
    }
    let mut rng = Seeds::new(1).stream("replay");
    let mut batch = Batch::default();
    Ok(request.time(TIMES, || {
        for _ in 0..TIMES {
            replay.sample(BATCH, &mut rng, &mut batch);
            black_box(&batch.rewards);
        }
    }))
}

//! The problems: computations whose steps wait for one another, and what one step after the other makes of them.
//!
//! | problem | T | numbers a state | what is computed |
//! |---|---|---|---|
//! | `rnn-backprop` | 99 | 128 | the gradient of a recurrent network's weights on a sequence of 100 |
//! | `made-sampling-64`, `made-sampling-256` | 64, 256 | 16 | 16 samples of a random masked network with 512 hidden units |
//! | `dense-network` | 32 | 24 | the layers of a densely connected network |
//! | `counting` | 100 | 1 | s_t = s_{t-1} + b_t, which hands everything on |
//! | `short-chains` | 100 | 1 | 20 chains of 5 that know nothing of each other |

use std::sync::Arc;

use quire_core::{Direction, Metric, Problem, Result, Rng, Seeds};
use rand::RngExt;

use super::systems::{DenseNetwork, Linear, Made, RnnBackpropagation};
use super::{Feedforward, METHODS, Task};
use crate::problem::{Said, SolveProblem, World};
use crate::vectors::norm;

/// Which computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Computation {
    /// Backpropagation through a recurrent network.
    Backpropagation,
    /// Samples in so many dimensions.
    Sampling(usize),
    /// A densely connected network.
    Dense,
    /// So many independent chains of sums.
    Chains(usize),
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let listed = [
        (
            "rnn-backprop",
            "propagate a gradient back through 100 steps of a recurrent network",
            Computation::Backpropagation,
        ),
        (
            "made-sampling-64",
            "draw 16 samples of 64 coordinates from a masked network",
            Computation::Sampling(64),
        ),
        (
            "made-sampling-256",
            "draw 16 samples of 256 coordinates from a masked network",
            Computation::Sampling(256),
        ),
        ("dense-network", "evaluate a network whose layers read all before them", Computation::Dense),
        ("counting", "add up a hundred numbers, one after the other", Computation::Chains(1)),
        ("short-chains", "add up twenty groups of five numbers, in a row", Computation::Chains(20)),
    ];
    let problem = |(name, summary, computation)| {
        let said = Said {
            name,
            summary,
            budget: 600,
            source: "generated, in the manner of arXiv:2002.03629",
            tags: &["triangular system", "parallel in time", "Jacobi"],
            work: "dependent steps",
        };
        Arc::new(SolveProblem::new(said, METHODS, computation)) as Arc<dyn Problem>
    };
    listed.into_iter().map(problem).collect()
}

/// What one state after the other gives.
pub struct InOrder {
    /// The states.
    pub states: Vec<f64>,
    /// What they are computed for.
    pub wanted: Vec<f64>,
}

impl InOrder {
    /// The error of `states` relative to what is wanted.
    pub fn error(&self, system: &dyn Feedforward, states: &[f64]) -> f64 {
        let mut wanted = system.wanted(states);
        wanted.iter_mut().zip(&self.wanted).for_each(|(x, exact)| *x -= exact);
        norm(&wanted) / norm(&self.wanted).max(f64::MIN_POSITIVE)
    }
}

impl World for Computation {
    type Instance = Task;
    type Truth = InOrder;

    const SCORE: &'static str = "error";

    fn draw(&self, seed: u64) -> Result<(Task, InOrder)> {
        let mut rng = Seeds::new(seed).stream("system");
        let system: Box<dyn Feedforward> = match *self {
            Computation::Backpropagation => {
                let sequence = RnnBackpropagation::pixels(100, &mut rng);
                Box::new(RnnBackpropagation::new(&sequence, 128, &mut rng))
            }
            Computation::Sampling(dimension) => Box::new(Made::new([dimension, 512, 16], &mut rng)),
            Computation::Dense => Box::new(DenseNetwork::new(32, 24, &mut rng)),
            Computation::Chains(chains) => {
                let right = (0..100).map(|_| rng.random_range(1.0..2.0)).collect();
                Box::new(Linear::chains(chains, 1.0, right))
            }
        };
        let task = Task::new(system);
        let states = task.in_order();
        let wanted = task.system.wanted(&states);
        Ok((task, InOrder { states, wanted }))
    }

    fn metrics(&self) -> Vec<Metric> {
        let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
        vec![
            metric("error", Direction::Lower, "relative error of what is wanted"),
            metric("differing", Direction::Lower, "states that differ in a bit from those computed in order"),
            metric(
                "sweeps",
                Direction::Lower,
                "the last sweep that changed a state; of one state after the other, the part of a pass",
            ),
            metric("known", Direction::Higher, "first states that are known to be final"),
            metric("evaluations", Direction::Lower, "states computed, waiting or not"),
        ]
    }

    fn measure(&self, task: &Task, truth: &InOrder, values: &[f64]) -> Vec<(&'static str, f64)> {
        let width = task.system.width();
        let bits = |x: &f64| x.to_bits();
        let pairs = values.chunks_exact(width).zip(truth.states.chunks_exact(width));
        let differing = pairs.filter(|(a, b)| !a.iter().map(bits).eq(b.iter().map(bits))).count();
        vec![("error", truth.error(&*task.system, values)), ("differing", differing as f64)]
    }

    /// The error; nothing about it is random.
    fn score(&self, task: &Task, truth: &InOrder, values: &[f64], _: &mut Rng) -> f64 {
        truth.error(&*task.system, values)
    }

    fn length(&self, task: &Task) -> usize {
        task.start.len()
    }
}

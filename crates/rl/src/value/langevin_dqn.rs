//! Langevin DQN: DQN whose optimizer is Adam with noise of its own shape (Dwaracherla & Van Roy 2020).
//!
//! > θ ← θ - lr m̂/(√v̂ + 1e-8) + s ( 2 lr/(√v̂ + 1e-8) )^½ ε
//!
//! As [`adam_lmcdqn`](super::adam_lmcdqn) without the raw gradient, with Adam's bias corrections, and with noise that is the
//! stronger, the smaller a weight's gradients have been.
//!
//! Source: V. Dwaracherla & B. Van Roy, *Langevin DQN*, 2020, arXiv:2002.07282, in the form that arXiv:2305.18246 compares
//! with.

use quire_core::{About, Result, options};
use quire_optim::LangevinAdam;

use super::adam_lmcdqn::{LangevinDqnOptions, update};
use super::deep_q::{DeepQ, DeepQLearner};
use crate::agent::{Actions, Learner, Task};

/// The learner.
pub struct LangevinDqn {
    parts: DeepQ,
    double: bool,
}

impl DeepQLearner for LangevinDqn {
    fn parts(&self) -> &DeepQ {
        &self.parts
    }

    fn parts_mut(&mut self) -> &mut DeepQ {
        &mut self.parts
    }

    fn update(&mut self) -> Result<()> {
        update(&mut self.parts, self.double)
    }
}

impl Learner for LangevinDqn {
    type Options = LangevinDqnOptions;

    const ABOUT: About = About {
        name: "langevin-dqn",
        summary: "DQN whose weights are sampled by Adam with noise in place of random actions",
        when: "The rival of adam-lmcdqn.",
        wing: "rl",
        family: "value",
        paper: None,
        is_baseline: true,
        tuned: include_str!("langevin.toml"),
    };

    const ACTIONS: Actions = Actions::Discrete;

    fn new(task: &Task, options: LangevinDqnOptions) -> Result<Self> {
        options::check(&options)?;
        let noise = task.seeds.stream("langevin");
        let rule = |len| Box::new(LangevinAdam::new(options.noise_scale, len, noise)) as Box<_>;
        let parts =
            DeepQ::new(task, options.deep_q())?.with_rule("langevin-adam", options.learning_rate, rule)?;
        Ok(LangevinDqn { parts, double: options.double })
    }
}

//! MAC: actor-critic with multi-level Monte Carlo estimates (Suttle et al. 2023).
//!
//! An iteration draws J with P(J = j) = 2^-j, j = 1, 2, ..., and goes on for N = 2^J steps with its parameters fixed, or for
//! one step if 2^J > T_max = 2^levels. Each of the estimates x of actor, critic and average reward is
//!
//! > x = x⁰ + 2^J (x^J - x^{J-1}),  x^j the mean over the first 2^j steps, x⁰ the first step
//!
//! (x⁰ alone after one step). The terms telescope: x has the mean of a trajectory of T_max steps for levels + 2^-levels steps
//! on average, so that a chain need not be known to mix slowly. Steps are AdaGrad-norm's; the state is never reset.
//!
//! Source: W. Suttle et al., *Beyond exponentially fast mixing in average-reward reinforcement learning via multi-level
//! Monte Carlo actor-critic*, ICML 2023, arXiv:2301.12083, algorithm 1; AdaGrad's form is from memory of the paper. The
//! official code draws again where the paper takes one step, and ends episodes; [`Overflow::Redraw`] is the former. Step
//! sizes are ours: with an actor's step of 10 the heavy tails of 2^J (x^J - x^{J-1}) ruin the policy.

use quire_core::{About, Options, Paper, Result, Rng, options, state};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::actor_critic::{ActorCritic, Step, StepOptions};
use super::{Agent, Method, Setting};

/// The paper of MAC.
pub const PAPER: Paper = Paper {
    slug: "mac",
    title: "Beyond Exponentially Fast Mixing in Average-Reward Reinforcement Learning via Multi-Level Monte Carlo \
            Actor-Critic",
    arxiv: "2301.12083",
};

/// Options of `mac`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MacOptions {
    /// Greatest level, log2 of the longest trajectory T_max. Official code: 4; 0 makes every trajectory one step.
    #[schemars(range(min = 0, max = 30))]
    pub levels: u32,
    /// What follows from a J above `levels`.
    pub overflow: Overflow,
    /// Step sizes.
    pub steps: StepOptions,
}

/// What follows from a J above the greatest level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Overflow {
    /// A trajectory of one step, as in the paper: the mean is that of the longest trajectory.
    OneStep,
    /// J is drawn again, as in the official code: the mean is x⁰ + (x^levels - x⁰)/(1 - 2^-levels).
    Redraw,
}

impl Default for MacOptions {
    fn default() -> Self {
        MacOptions { levels: 4, overflow: Overflow::OneStep, steps: StepOptions::default() }
    }
}

impl Options for MacOptions {}

/// The length of a trajectory: 2^J for J up to `levels`, else 1 or drawn again.
pub fn trajectory_length(levels: u32, overflow: Overflow, rng: &mut Rng) -> usize {
    loop {
        let mut level = 1;
        while level <= levels && rng.random_bool(0.5) {
            level += 1;
        }
        match overflow {
            _ if level <= levels => return 1 << level,
            Overflow::Redraw if levels > 0 => {}
            _ => return 1,
        }
    }
}

/// The weight of step `index` of a trajectory of `length` steps in x⁰ + 2^J (x^J - x^{J-1}): the second half counts 1, the
/// first -1, and the first step 1 more.
pub fn multi_level_weight(index: usize, length: usize) -> f64 {
    let level = match length {
        1 => 0.0,
        _ if index < length / 2 => -1.0,
        _ => 1.0,
    };
    level + f64::from(u8::from(index == 0))
}

/// The agent.
pub struct Mac {
    options: MacOptions,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    learner: ActorCritic,
    /// N of this iteration.
    length: usize,
    trajectory: Vec<Step>,
    /// Where lengths come from.
    lengths: Rng,
}

impl Method for Mac {
    type Options = MacOptions;

    const ABOUT: About = About {
        name: "mac",
        summary: "Actor-critic whose estimates have the mean of long trajectories at the cost of short ones",
        when: "Where a chain mixes slowly and nobody knows how slowly. Its estimates have heavy tails; where a fixed length \
               is known to do, vanilla-actor-critic with the same steps is better.",
        wing: "mdp",
        family: "average_reward",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: MacOptions) -> Result<Self> {
        options::check(&options)?;
        let mut lengths = setting.seeds.stream("lengths");
        let length = trajectory_length(options.levels, options.overflow, &mut lengths);
        let place = Place { learner: ActorCritic::new(setting), length, trajectory: Vec::new(), lengths };
        Ok(Mac { options, place })
    }
}

impl Agent for Mac {
    fn act(&mut self, state: usize) -> usize {
        self.place.learner.act(state)
    }

    fn observe(&mut self, state: usize, action: usize, reward: f64, next: usize) {
        let Place { learner, length, trajectory, lengths } = &mut self.place;
        trajectory.push(Step { state, action, reward, next });
        if trajectory.len() == *length {
            learner.update(&self.options.steps, trajectory, |index| multi_level_weight(index, *length));
            trajectory.clear();
            *length = trajectory_length(self.options.levels, self.options.overflow, lengths);
        }
    }

    fn policy(&self) -> Vec<f64> {
        self.place.learner.policy()
    }

    fn estimated_gain(&self) -> Option<f64> {
        Some(self.place.learner.gain)
    }

    fn save(&self) -> Vec<u8> {
        state::encode("mac", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("mac", saved)?;
        Ok(())
    }
}

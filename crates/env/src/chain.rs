//! N-chain: a small reward nearby, a large one at the end of a long chain.
//!
//! States s1 to sN in a row; the agent starts in s2, and each action moves it one state to the left (0) or right (1),
//! staying put at the ends. A step that ends in s1 pays 0.001, one that ends in sN pays 1, all others nothing. An episode has
//! N + 9 steps, so the best return is that of going right: N - 2 steps to get to the end, the last of which already pays, and
//! 11 more there, 12 in all. An agent that acts at random gets there about once in 2^(N-2) episodes.
//!
//! The observation is a thermometer: element i is 1 if i <= s, else 0, for states numbered from 0.
//!
//! Osband et al. 2016, "Deep exploration via bootstrapped DQN", arXiv:1602.04621, section 5.1.

use std::ops::RangeInclusive;

use quire_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::environment::{Action, Environment, Step, discrete, not_in_an_episode};
use crate::registry::EnvCard;
use crate::saved;
use crate::space::Space;

pub(crate) const CARD: EnvCard = EnvCard {
    id: "NChain-10",
    pattern: Some("NChain-<n> for a chain of n states, n from 3 to 1000"),
    summary: "walk to the end of a chain of n states, past a small reward: deep exploration",
    observation: "[n]: 1 up to the agent's state, 0 beyond",
    action: "0: left, 1: right",
    reward: "1 for each step that ends in the last state, 0.001 for each that ends in the first",
    optimum: Some(12.0),
    source: "Osband et al. 2016, arXiv:1602.04621",
    tags: &["discrete-actions", "vector-observation", "sparse-reward", "exploration"],
    ..EnvCard::EMPTY
};

const NAME: &str = "NChain";
/// Steps of an episode beyond the number of states.
const MORE_STEPS: usize = 9;
const SMALL_REWARD: f64 = 0.001;

/// The lengths a chain may have.
pub const N_CHAIN_SIZES: RangeInclusive<usize> = 3..=1000;

/// A chain.
#[derive(Debug, Clone)]
pub struct NChain {
    size: usize,
    observation_space: Space,
    state: State,
}

/// What [`Environment::save`] keeps.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct State {
    /// The agent's state, from 0.
    place: usize,
    steps: usize,
    in_episode: bool,
}

static ACTION_SPACE: Space = Space::Discrete { n: 2 };

impl NChain {
    /// A chain of `size` states.
    ///
    /// # Errors
    /// [`Error::Option`] if the size is not in [`N_CHAIN_SIZES`].
    pub fn new(size: usize) -> Result<Self> {
        if !N_CHAIN_SIZES.contains(&size) {
            let (least, most) = (N_CHAIN_SIZES.start(), N_CHAIN_SIZES.end());
            return Err(Error::option("n", format!("NChain-<n> takes n from {least} to {most}, not {size}")));
        }
        Ok(NChain {
            size,
            observation_space: Space::uniform(0.0, 1.0, &[size]),
            state: State { place: 1, steps: 0, in_episode: false },
        })
    }

    fn observe(&self, observation: &mut [f32]) {
        assert_eq!(observation.len(), self.size, "an observation of the whole chain");
        for (index, element) in observation.iter_mut().enumerate() {
            *element = f32::from(u8::from(index <= self.state.place));
        }
    }
}

impl Environment for NChain {
    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &ACTION_SPACE
    }

    fn reset(&mut self, _: Option<u64>, observation: &mut [f32]) -> Result<()> {
        self.state = State { place: 1, steps: 0, in_episode: true };
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step> {
        let action = discrete(NAME, action, 2)?;
        if !self.state.in_episode {
            return Err(not_in_an_episode(NAME));
        }
        let last = self.size - 1;
        let place = self.state.place;
        self.state.place = if action == 1 { (place + 1).min(last) } else { place.saturating_sub(1) };
        self.state.steps += 1;
        let terminated = self.state.steps == self.size + MORE_STEPS;
        self.state.in_episode = !terminated;
        self.observe(observation);
        let reward = match self.state.place {
            0 => SMALL_REWARD,
            place if place == last => 1.0,
            _ => 0.0,
        };
        Ok(Step { reward, terminated, truncated: false })
    }

    fn save(&self) -> Vec<u8> {
        saved::pack(NAME, &self.state)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let state: State = saved::unpack(NAME, saved)?;
        if state.place >= self.size {
            return Err(Error::Resume(format!("the saved chain is not one of {} states", self.size)));
        }
        self.state = state;
        Ok(())
    }

    fn clone_box(&self) -> Box<dyn Environment> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(size: usize, action: usize) -> (Vec<f64>, Vec<f32>) {
        let mut chain = NChain::new(size).unwrap();
        let mut observation = vec![0.0; size];
        chain.reset(None, &mut observation).unwrap();
        assert_eq!(observation[..3], [1.0, 1.0, 0.0]);
        let mut rewards = Vec::new();
        loop {
            let step = chain.step(Action::Discrete(action), &mut observation).unwrap();
            rewards.push(step.reward);
            if step.terminated {
                assert!(chain.step(Action::Discrete(action), &mut observation).is_err(), "after the end");
                return (rewards, observation);
            }
        }
    }

    #[test]
    fn going_right_earns_12_and_going_left_little() {
        for size in [3, 10, 25] {
            let (rewards, observation) = walk(size, 1);
            assert_eq!((rewards.len(), rewards.iter().sum::<f64>()), (size + 9, 12.0));
            assert_eq!(rewards.iter().position(|&reward| reward == 1.0), Some(size - 3));
            assert!(observation.iter().all(|&element| element == 1.0));
            let (rewards, observation) = walk(size, 0);
            assert!((rewards.iter().sum::<f64>() - 0.001 * (size + 9) as f64).abs() < 1e-12);
            assert_eq!((observation[0], observation[1]), (1.0, 0.0));
        }
        assert!(NChain::new(2).is_err());
    }
}

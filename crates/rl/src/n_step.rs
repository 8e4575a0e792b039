//! Returns of n steps: a transition waits until n rewards have come, and is then one of
//! r₀ + γ r₁ + ... + γⁿ⁻¹ rₙ₋₁ from its observation to the n-th one after it.
//!
//! Where an episode ends nothing is waited for: all that wait are handed on with the rewards that there were. If it
//! terminated, no value follows; if it was cut off, the value of its *final* observation does, with γ to the power of the
//! steps that there were - never that of the first observation of the next episode.
//!
//! Source: R. Sutton & A. Barto, *Reinforcement learning*, 2018, section 7.1.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::replay::Transition;

/// Transitions that wait for their rewards.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NStep {
    n: usize,
    discount: f64,
    observation_size: usize,
    action_size: usize,
    waiting: VecDeque<Waiting>,
    /// Buffers of transitions handed on, to be used again.
    #[serde(skip)]
    spare: Vec<Waiting>,
}

/// What a transition began with, and what it has earned so far.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Waiting {
    observation: Vec<f32>,
    action: Vec<f32>,
    reward: f64,
    steps: u32,
}

impl NStep {
    /// Of n = `n` steps with γ = `discount` a step.
    pub fn new(n: usize, discount: f64, observation_size: usize, action_size: usize) -> Self {
        assert!(n > 0, "a return has at least one step");
        NStep { n, discount, observation_size, action_size, waiting: VecDeque::new(), spare: Vec::new() }
    }

    /// True if `other` makes returns of the same kind, and no more wait in it than may.
    pub fn is_alike(&self, other: &NStep) -> bool {
        let kind = |window: &NStep| (window.n, window.observation_size, window.action_size);
        kind(self) == kind(other)
            && self.discount.to_bits() == other.discount.to_bits()
            && other.waiting.len() < self.n.max(2)
            && other.waiting.iter().all(|waiting| {
                (waiting.observation.len(), waiting.action.len()) == (self.observation_size, self.action_size)
            })
    }

    /// Takes in a transition of one step and hands on those that it completes, oldest first.
    pub fn push(&mut self, transition: &Transition<'_>, mut hand_on: impl FnMut(&Transition<'_>)) {
        if self.n == 1 {
            return hand_on(transition);
        }
        let mut newest = self.spare.pop().unwrap_or_else(|| Waiting {
            observation: vec![0.0; self.observation_size],
            action: vec![0.0; self.action_size],
            reward: 0.0,
            steps: 0,
        });
        newest.observation.copy_from_slice(transition.observation);
        newest.action.copy_from_slice(transition.action);
        (newest.reward, newest.steps) = (0.0, 0);
        self.waiting.push_back(newest);
        for waiting in &mut self.waiting {
            waiting.reward += self.discount.powi(waiting.steps as i32) * f64::from(transition.reward);
            waiting.steps += 1;
        }
        let ended = transition.terminated || transition.truncated;
        let complete = |oldest: &Waiting| ended || oldest.steps as usize == self.n;
        while self.waiting.front().is_some_and(complete) {
            let oldest = self.waiting.pop_front().expect("there is a first one");
            hand_on(&Transition {
                observation: &oldest.observation,
                action: &oldest.action,
                reward: oldest.reward as f32,
                steps: oldest.steps,
                ..*transition
            });
            self.spare.push(oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Observation, action, reward, steps, next observation, terminated, truncated.
    type Handed = (f32, f32, f32, u32, f32, bool, bool);

    /// Walks 0, 1, 2, ... with rewards of 1, 2, 4, ...; the last step ends as said.
    fn walk(
        window: &mut NStep,
        from: usize,
        length: usize,
        terminated: bool,
        truncated: bool,
    ) -> Vec<Handed> {
        let mut handed = Vec::new();
        for step in 0..length {
            let last = step + 1 == length;
            let transition = Transition {
                observation: &[(from + step) as f32],
                action: &[10.0 + step as f32],
                reward: (1 << step) as f32,
                steps: 1,
                next_observation: &[(from + step + 1) as f32],
                terminated: last && terminated,
                truncated: last && truncated,
            };
            window.push(&transition, |t| {
                let (observation, action, next) = (t.observation[0], t.action[0], t.next_observation[0]);
                handed.push((observation, action, t.reward, t.steps, next, t.terminated, t.truncated));
            });
        }
        handed
    }

    #[test]
    fn three_steps_with_a_terminal_end_by_hand() {
        let mut window = NStep::new(3, 0.5, 1, 1);
        // 1 + 2/2 + 4/4 = 3, 2 + 4/2 + 8/4 = 6; then 4 + 8/2 = 8 over two steps and 8 over one.
        let expected = [
            (0.0, 10.0, 3.0, 3, 3.0, false, false),
            (1.0, 11.0, 6.0, 3, 4.0, true, false),
            (2.0, 12.0, 8.0, 2, 4.0, true, false),
            (3.0, 13.0, 8.0, 1, 4.0, true, false),
        ];
        assert_eq!(walk(&mut window, 0, 4, true, false), expected);
        // Nothing of that episode is left over for the next.
        assert_eq!(walk(&mut window, 0, 4, true, false), expected);
    }

    #[test]
    fn a_cut_episode_bootstraps_from_its_final_observation() {
        let mut window = NStep::new(3, 0.5, 1, 1);
        let expected = [(0.0, 10.0, 2.0, 2, 2.0, false, true), (1.0, 11.0, 2.0, 1, 2.0, false, true)];
        assert_eq!(walk(&mut window, 0, 2, false, true), expected);
        // The next episode begins elsewhere; none of its rewards has gone to the one before.
        let next = walk(&mut window, 100, 3, false, false);
        assert_eq!(next, [(100.0, 10.0, 3.0, 3, 103.0, false, false)]);
    }

    #[test]
    fn an_episode_shorter_than_n_and_returns_of_one_step() {
        let mut window = NStep::new(10, 1.0, 1, 1);
        let handed = walk(&mut window, 0, 3, true, false);
        assert_eq!(handed.iter().map(|h| (h.2, h.3)).collect::<Vec<_>>(), [(7.0, 3), (6.0, 2), (4.0, 1)]);
        let mut one = NStep::new(1, 0.5, 1, 1);
        let handed = walk(&mut one, 0, 3, false, false);
        assert_eq!(
            handed.iter().map(|h| (h.2, h.3, h.4)).collect::<Vec<_>>(),
            [(1.0, 1, 1.0), (2.0, 1, 2.0), (4.0, 1, 3.0)]
        );
    }

    #[test]
    fn a_saved_window_goes_on_the_same() {
        let mut window = NStep::new(3, 0.9, 1, 1);
        walk(&mut window, 0, 4, false, false);
        let saved = quire_core::state::encode("window", &window);
        let mut restored: NStep = quire_core::state::decode("window", &saved).unwrap();
        assert!(window.is_alike(&restored) && !NStep::new(2, 0.9, 1, 1).is_alike(&restored));
        assert_eq!(walk(&mut window, 4, 2, false, true), walk(&mut restored, 4, 2, false, true));
    }
}

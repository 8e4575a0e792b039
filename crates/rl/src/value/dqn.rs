//! DQN: Q-learning with a deep network, experience replay and a target network (Mnih et al. 2015).
//!
//! A network Q(s, ·; θ) gives one value an action. Acting is ε-greedy; transitions go to a replay memory; batches
//! from it are regressed on the one-step target
//!
//! > y = r + γ (1 - terminated) max_a Q(s', a; θ⁻)
//!
//! with a copy θ⁻ of the weights that is refreshed every C steps. The maximum both selects and evaluates the next
//! action with the same noisy estimates, so values come out too high; [double DQN](super::double_dqn) mends that.
//!
//! Source: V. Mnih et al., *Human-level control through deep reinforcement learning*, Nature 518 (2015), algorithm 1.
//!
//! Pick it as the baseline; prefer `double-dqn` for use.

use quire_core::{About, Result};

use super::deep_q::{DeepQ, DeepQLearner, DeepQOptions};
use crate::agent::{Actions, Learner, Task};

/// y = r + γᵏ (1 - terminated) max_a Q(s', a; θ⁻), for transitions of k steps, whose rewards r sum up.
///
/// `next_values` is Q(s', ·; θ⁻), `[batch, actions]`; `rewards`, `terminated` (0 or 1), `discounts` (γᵏ) and `targets` are
/// `[batch]`.
pub fn dqn_targets(
    rewards: &[f32],
    terminated: &[f32],
    next_values: &[f32],
    discounts: &[f32],
    targets: &mut [f32],
) {
    let actions = next_values.len() / rewards.len();
    let rows = next_values.chunks_exact(actions);
    let singles = targets.iter_mut().zip(rewards).zip(terminated).zip(discounts);
    for ((((target, &reward), &ended), &discount), next) in singles.zip(rows) {
        let greatest = next.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        *target = reward + discount * (1.0 - ended) * greatest;
    }
}

/// The learner.
pub struct Dqn {
    parts: DeepQ,
}

impl DeepQLearner for Dqn {
    fn parts(&self) -> &DeepQ {
        &self.parts
    }

    fn parts_mut(&mut self) -> &mut DeepQ {
        &mut self.parts
    }

    fn update(&mut self) -> Result<()> {
        self.parts.sample();
        set_targets(&mut self.parts);
        self.parts.regress()
    }
}

/// Fills the targets of the batch drawn last.
pub(super) fn set_targets(parts: &mut DeepQ) {
    let batch = &parts.batch;
    let graph = parts.tape.graph();
    let next_values = graph.no_grad(|| parts.network.forward(graph, &parts.target, &batch.next_observations));
    let (rewards, terminated) = (&batch.rewards, &batch.terminated);
    dqn_targets(rewards, terminated, next_values.data(), &parts.discounts, &mut parts.targets);
}

impl Learner for Dqn {
    type Options = DeepQOptions;

    const ABOUT: About = About {
        name: "dqn",
        summary: "Deep Q-network: Q-learning with replay and a target network",
        when: "The baseline of deep value learning with discrete actions. Its values come out too high; \
               double-dqn costs one more forward pass and mends that.",
        wing: "rl",
        family: "value",
        paper: None,
        is_baseline: true,
        tuned: include_str!("deep_q.toml"),
    };

    const ACTIONS: Actions = Actions::Discrete;

    fn new(task: &Task, options: DeepQOptions) -> Result<Self> {
        Ok(Dqn { parts: DeepQ::new(task, options)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_takes_the_greatest_next_value() {
        let mut targets = [0.0; 3];
        // 1 + 0.5 * 4, 2 + 0.5 * (-1), terminated: y = r.
        let next = [4.0, 3.0, -1.0, -2.0, 9.0, 9.0];
        dqn_targets(&[1.0, 2.0, 3.0], &[0.0, 0.0, 1.0], &next, &[0.5; 3], &mut targets);
        assert_eq!(targets, [3.0, 1.5, 3.0]);
        // Of 1, 3 and 2 steps: 1 + 0.5 * 4, 2 + 0.125 * (-1), terminated.
        dqn_targets(&[1.0, 2.0, 3.0], &[0.0, 0.0, 1.0], &next, &[0.5, 0.125, 0.25], &mut targets);
        assert_eq!(targets, [3.0, 1.875, 3.0]);
    }
}

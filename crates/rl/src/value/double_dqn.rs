//! Double DQN: the online network selects the next action, the target network evaluates it (van Hasselt, Guez & Silver 2016).
//!
//! DQN's target maximizes over estimates that are noisy, so it is too high on average: if the errors of m actions have
//! mean zero and mean square C, the maximum exceeds the true value by at least √(C/(m-1)) (theorem 1). Double DQN
//! changes one line. With a* = argmax_a Q(s', a; θ),
//!
//! > y = r + γ (1 - terminated) Q(s', a*; θ⁻)
//!
//! Everything else - ε-greedy acting, replay, Huber loss, θ⁻ ← θ every C steps - is DQN.
//!
//! Source: H. van Hasselt, A. Guez & D. Silver, *Deep reinforcement learning with double Q-learning*, AAAI 2016,
//! arXiv:1509.06461.
//!
//! Pick it as the default value learner for discrete actions.

use quire_core::{About, Paper, Result};

use super::deep_q::{DeepQ, DeepQLearner, DeepQOptions, argmax};
use crate::agent::{Actions, Learner, Task};

/// y = r + γᵏ (1 - terminated) Q(s', argmax_a Q(s', a; θ); θ⁻), for transitions of k steps, whose rewards r sum up.
///
/// `selecting` is Q(s', ·; θ) and `evaluating` is Q(s', ·; θ⁻), both `[batch, actions]`; `rewards`, `terminated`
/// (0 or 1), `discounts` (γᵏ) and `targets` are `[batch]`.
pub fn double_dqn_targets(
    rewards: &[f32],
    terminated: &[f32],
    selecting: &[f32],
    evaluating: &[f32],
    discounts: &[f32],
    targets: &mut [f32],
) {
    let actions = selecting.len() / rewards.len();
    let rows = selecting.chunks_exact(actions).zip(evaluating.chunks_exact(actions));
    let singles = targets.iter_mut().zip(rewards).zip(terminated).zip(discounts);
    for ((((target, &reward), &ended), &discount), (selecting, evaluating)) in singles.zip(rows) {
        *target = reward + discount * (1.0 - ended) * evaluating[argmax(selecting)];
    }
}

/// The learner.
pub struct DoubleDqn {
    parts: DeepQ,
}

impl DeepQLearner for DoubleDqn {
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
    let values =
        |weights| graph.no_grad(|| parts.network.forward(graph, weights, &batch.next_observations).data());
    double_dqn_targets(
        &batch.rewards,
        &batch.terminated,
        values(&parts.online),
        values(&parts.target),
        &parts.discounts,
        &mut parts.targets,
    );
}

impl Learner for DoubleDqn {
    type Options = DeepQOptions;

    const ABOUT: About = About {
        name: "double-dqn",
        summary: "DQN whose online network selects the next action and whose target network evaluates it",
        when: "The default value learner for discrete actions, from a simulator or a stream of transitions. \
               For continuous actions take redq or sac.",
        wing: "rl",
        family: "value",
        paper: Some(Paper {
            slug: "double-dqn",
            title: "Deep Reinforcement Learning with Double Q-learning",
            arxiv: "1509.06461",
        }),
        is_baseline: false,
        tuned: include_str!("deep_q.toml"),
    };

    const ACTIONS: Actions = Actions::Discrete;

    fn new(task: &Task, options: DeepQOptions) -> Result<Self> {
        Ok(DoubleDqn { parts: DeepQ::new(task, options)? })
    }
}

#[cfg(test)]
mod tests {
    use super::super::dqn::dqn_targets;
    use super::*;

    #[test]
    fn the_online_network_selects_and_the_target_network_evaluates() {
        let mut targets = [0.0; 3];
        let selecting = [1.0, 2.0, 5.0, 4.0, 0.0, 0.0];
        let evaluating = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0];
        // 1 + 0.5 * 20, 2 + 0.5 * 30, terminated: y = r.
        double_dqn_targets(
            &[1.0, 2.0, 3.0],
            &[0.0, 0.0, 1.0],
            &selecting,
            &evaluating,
            &[0.5; 3],
            &mut targets,
        );
        assert_eq!(targets, [11.0, 17.0, 3.0]);
    }

    #[test]
    fn with_equal_networks_or_one_action_the_targets_are_dqns() {
        let values = [0.3, -0.7, 0.2, 0.9, 0.9, -1.0];
        let (mut double, mut single) = ([0.0; 3], [0.0; 3]);
        let (rewards, terminated) = ([1.0, -1.0, 0.5], [0.0, 0.0, 1.0]);
        double_dqn_targets(&rewards, &terminated, &values, &values, &[0.9; 3], &mut double);
        dqn_targets(&rewards, &terminated, &values, &[0.9; 3], &mut single);
        assert_eq!(double, single);
        double_dqn_targets(&rewards, &terminated, &values[3..], &values[..3], &[0.9; 3], &mut double);
        dqn_targets(&rewards, &terminated, &values[..3], &[0.9; 3], &mut single);
        assert_eq!(double, single);
    }

    /// Theorem 1: errors with mean 0 and mean square C push the maximum up by at least √(C/(m-1)); the tight case.
    #[test]
    fn theorem_1_is_tight() {
        for m in [2_usize, 3, 10, 100] {
            let c = 0.7_f64;
            let mut errors = vec![(c / (m as f64 - 1.0)).sqrt(); m];
            errors[0] = -(c * (m as f64 - 1.0)).sqrt();
            let mean = errors.iter().sum::<f64>() / m as f64;
            let square = errors.iter().map(|e| e * e).sum::<f64>() / m as f64;
            assert!(mean.abs() < 1e-12 && (square - c).abs() < 1e-12);
            let estimates: Vec<f32> = errors.iter().map(|&e| e as f32).collect();
            let mut target = [0.0];
            dqn_targets(&[0.0], &[0.0], &estimates, &[1.0], &mut target);
            assert!((f64::from(target[0]) - (c / (m as f64 - 1.0)).sqrt()).abs() < 1e-6);
            // An independent second estimate that is exact evaluates the selected action without error.
            double_dqn_targets(&[0.0], &[0.0], &estimates, &vec![0.0; m], &[1.0], &mut target);
            assert_eq!(target, [0.0]);
        }
    }
}

//! Noisy DQN: exploration by learned noise on the weights (Fortunato et al. 2018).
//!
//! Every fully connected layer has random weights, of which mean μ and deviation σ are learned:
//!
//! > y = (μ + σ ⊙ ε) x + μ_b + σ_b ⊙ ε_b,  ε_ij = f(ξᵢ) f(ζⱼ),  ε_bj = f(ζⱼ),  f(x) = sgn(x) √|x|
//!
//! with standard normal ξ and ζ, drawn anew for every action and twice for every update: for the online network, one draw for
//! the whole batch, and for the target network,
//!
//! > y = r + γ (1 - terminated) max_a Q(s', a, ε'; θ⁻)
//!
//! Actions are greedy in the network with its noise; there is no ε-greedy on top. Where noise does not pay, gradients make σ small.
//! Evaluated is the greedy policy of the means, which is ours.
//!
//! Source: M. Fortunato et al., *Noisy networks for exploration*, ICLR 2018, arXiv:1706.10295, algorithm 1 with factorised noise.
//!
//! Pick it in place of ε-greedy where nobody wants to tune a schedule of ε. It dithers less, but its noise is new at every step: it
//! does not explore as deeply as a head of [`bootstrapped_dqn`](super::bootstrapped_dqn) that is kept to for an episode.

use quire_core::{About, Options, Result, Rng, options, state};

use super::deep_q::{DeepQ, DeepQLearner, DeepQOptions, argmax, deep_q_options};
use super::{double_dqn, dqn};
use crate::agent::{Actions, Learner, Task};
use crate::network::{Form, check_widths};

deep_q_options! {
    /// Options of `noisy-dqn`. The defaults are the paper's for Atari 2600.
    NoisyDqnOptions {
        /// Initial scale σ₀: a deviation is σ₀ over the root of the layer's inputs. Paper: 0.5.
        #[schemars(range(min = 0.0))]
        noise_scale: f64 = 0.5,
        /// Whether the online network selects the next action, as in double DQN. Paper: no.
        double: bool = false,
        /// Bound on the temporal-difference error in the gradient (Huber); none is squared loss. DQN's paper: 1.
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        error_clip: Option<f64> = Some(1.0),
    } with { n_step: 1 }
}

impl Options for NoisyDqnOptions {
    fn validate(&self) -> Result<()> {
        // Deviations are weights too.
        check_widths("network.hidden", &self.network.hidden, 2)
    }
}

/// The learner.
pub struct NoisyDqn {
    parts: DeepQ,
    double: bool,
    noise: Rng,
}

impl DeepQLearner for NoisyDqn {
    fn parts(&self) -> &DeepQ {
        &self.parts
    }

    fn parts_mut(&mut self) -> &mut DeepQ {
        &mut self.parts
    }

    fn choose(&mut self, observation: &[f32]) -> usize {
        self.parts.network.draw_noise(&mut self.noise);
        argmax(self.parts.infer(observation))
    }

    fn update(&mut self) -> Result<()> {
        self.parts.sample();
        self.parts.network.draw_noise(&mut self.noise);
        if self.double {
            double_dqn::set_targets(&mut self.parts);
        } else {
            dqn::set_targets(&mut self.parts);
        }
        self.parts.network.draw_noise(&mut self.noise);
        self.parts.regress()
    }

    fn action_values(&mut self, observation: &[f32]) -> &[f32] {
        self.parts.network.silence();
        self.parts.infer(observation)
    }

    fn save_more(&self) -> Vec<u8> {
        state::encode("noise", &self.noise)
    }

    fn restore_more(&mut self, saved: &[u8]) -> Result<()> {
        self.noise = state::decode("noise", saved)?;
        Ok(())
    }
}

impl Learner for NoisyDqn {
    type Options = NoisyDqnOptions;

    const ABOUT: About = About {
        name: "noisy-dqn",
        summary: "DQN with learned noise on its weights in place of random actions",
        when: "In place of ε-greedy, where nobody wants to tune a schedule. As a rival of adam-lmcdqn.",
        wing: "rl",
        family: "value",
        paper: None,
        is_baseline: true,
        tuned: include_str!("noisy_dqn.toml"),
    };

    const ACTIONS: Actions = Actions::Discrete;

    fn new(task: &Task, options: NoisyDqnOptions) -> Result<Self> {
        options::check(&options)?;
        let form = Form { noise: Some(options.noise_scale), ..Form::default() };
        let common = DeepQOptions { error_clip: options.error_clip, ..options.deep_q() };
        let (parts, ()) = DeepQ::with_network(task, common, form, |_, _, _| ())?;
        Ok(NoisyDqn { parts, double: options.double, noise: task.seeds.stream("noise") })
    }
}

#[cfg(test)]
mod tests {
    use super::super::bootstrapped_dqn::tests::task;
    use super::*;
    use crate::network::QNetworkOptions;
    use crate::replay::Transition;

    fn learner(noise_scale: f64) -> NoisyDqn {
        let options = NoisyDqnOptions {
            noise_scale,
            replay_capacity: 10,
            network: QNetworkOptions { hidden: vec![8], ..QNetworkOptions::default() },
            ..NoisyDqnOptions::default()
        };
        let mut learner = NoisyDqn::new(&task(), options).unwrap();
        learner.parts.remember(&Transition {
            observation: &[1.0],
            action: &[0.0],
            reward: 1.0,
            steps: 1,
            next_observation: &[0.5],
            terminated: false,
            truncated: false,
        });
        learner
    }

    #[test]
    fn every_action_and_every_update_has_noise_of_its_own() {
        let mut learner = learner(5.0);
        let chosen: Vec<usize> = (0..40).map(|_| learner.choose(&[1.0])).collect();
        assert!(chosen.contains(&0) && chosen.contains(&1), "noise that strong sways actions");
        // All rows of a batch are the one transition there is, with one and the same target, which the next draw changes.
        let mut targets = Vec::new();
        for _ in 0..2 {
            learner.update().unwrap();
            assert!(learner.parts.targets.iter().all(|&target| target == learner.parts.targets[0]));
            targets.push(learner.parts.targets[0]);
        }
        assert_ne!(targets[0], targets[1]);
    }

    #[test]
    fn evaluation_is_without_noise() {
        let mut learner = learner(5.0);
        let first = learner.action_values(&[1.0]).to_vec();
        learner.choose(&[1.0]);
        assert_eq!(learner.action_values(&[1.0]), first);
        let mut quiet = self::learner(0.0);
        quiet.choose(&[1.0]);
        let noisy = quiet.parts.infer(&[1.0]).to_vec();
        assert_eq!(quiet.action_values(&[1.0]), noisy, "a deviation of 0 is no noise");
    }
}

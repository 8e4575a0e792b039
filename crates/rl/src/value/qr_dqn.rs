//! QR-DQN: Q-learning with quantiles of the returns (Dabney, Rowland, Bellemare & Munos 2018).
//!
//! The network gives, for each action, N numbers θᵢ(s, a): the quantiles of the return at the levels τᵢ = (2i - 1)/(2N). With
//!
//! > y_j = r + γ (1 - terminated) θ_j(s', a*; θ⁻),  a* = argmax_a mean_j θ_j(s', a; θ⁻)
//!
//! the loss is Σᵢ mean_j ρ(y_j - θᵢ(s, a)) with the quantile Huber loss ρ(u) = |τᵢ - 1{u < 0}| L_κ(u)/κ. Acting is ε-greedy in the
//! means.
//!
//! Source: W. Dabney, M. Rowland, M. Bellemare & R. Munos, *Distributional reinforcement learning with quantile regression*, AAAI
//! 2018, arXiv:1710.10044, algorithm 1.
//!
//! Pick it in place of [`c51`](super::c51) where nobody knows what can be earned; [`iqn`](super::iqn) learns all levels at once.

use quire_core::{About, Options, Result, options};

use super::c51::set_rows_taken;
use super::deep_q::{DeepQ, DeepQLearner, DeepQOptions, deep_q_options};
use crate::agent::{Actions, Learner, Task};
use crate::exploration::Exploration;
use crate::network::{Form, check_widths};

deep_q_options! {
    /// Options of `qr-dqn`. The defaults are the paper's for Atari 2600.
    QrDqnOptions {
        /// Quantiles N. Paper: 200.
        #[schemars(range(min = 1, max = 10_000))]
        quantiles: usize = 200,
        /// Errors κ below which the loss is square; 0 is quantile regression. Paper: 1.
        #[schemars(range(min = 0.0))]
        huber_threshold: f64 = 1.0,
        /// How ε falls while learning. Paper: to 0.01. The time it takes is ours.
        exploration: Exploration = Exploration { last: 0.01, steps: 250_000, ..Exploration::default() },
        /// Probability of a uniformly random action when evaluated. Paper: 0.001.
        #[schemars(range(min = 0.0, max = 1.0))]
        evaluation_epsilon: f64 = 0.001,
    } with {
        optimizer: quire_optim::OptimizerOptions::Adam(quire_optim::AdamOptions {
            learning_rate: 0.000_05,
            epsilon: 0.01 / 32.0,
            ..quire_optim::AdamOptions::default()
        }),
    }
}

impl Options for QrDqnOptions {
    fn validate(&self) -> Result<()> {
        let widths: Vec<usize> = self.network.hidden.iter().copied().chain([self.quantiles]).collect();
        check_widths("network.hidden", &widths, 1)
    }
}

/// y: moved quantiles of the next action with the greatest mean, `[batch, quantiles]`.
///
/// `next` are θ_j(s', a; θ⁻), `[batch, actions, quantiles]`; `rewards`, `terminated` (0 or 1) and `discounts` (γᵏ) are `[batch]`.
pub fn qr_dqn_targets(
    rewards: &[f32],
    terminated: &[f32],
    next: &[f32],
    discounts: &[f32],
    targets: &mut [f32],
) {
    let (actions, quantiles) = (next.len() / targets.len(), targets.len() / rewards.len());
    let singles = rewards.iter().zip(terminated).zip(discounts);
    let rows = next.chunks_exact(actions * quantiles).zip(targets.chunks_exact_mut(quantiles));
    for ((next, target), ((&reward, ended), discount)) in rows.zip(singles) {
        let (mut best, mut greatest) = (&next[..quantiles], f32::NEG_INFINITY);
        for action in next.chunks_exact(quantiles) {
            let sum: f32 = action.iter().sum();
            if sum > greatest {
                (best, greatest) = (action, sum);
            }
        }
        let weight = discount * (1.0 - ended);
        target.iter_mut().zip(best).for_each(|(y, quantile)| *y = reward + weight * quantile);
    }
}

/// (2i - 1)/(2N), the middles of N equal parts of the unit interval.
pub(super) fn set_midpoints(levels: &mut [f32]) {
    let count = levels.len() as f64;
    let middle = |index: usize| ((2 * index + 1) as f64 / (2.0 * count)) as f32;
    levels.iter_mut().enumerate().for_each(|(index, level)| *level = middle(index));
}

/// The learner.
pub struct QrDqn {
    parts: DeepQ,
    huber_threshold: f64,
    /// τ.
    levels: Vec<f32>,
    /// y, `[batch, quantiles]`.
    targets: Vec<f32>,
    rows: Vec<u32>,
    values: Vec<f32>,
}

impl DeepQLearner for QrDqn {
    fn parts(&self) -> &DeepQ {
        &self.parts
    }

    fn parts_mut(&mut self) -> &mut DeepQ {
        &mut self.parts
    }

    fn update(&mut self) -> Result<()> {
        self.parts.sample();
        let (actions, n) = (self.parts.actions(), self.levels.len());
        let DeepQ { tape, network, online, target, batch, discounts, gradient, .. } = &mut self.parts;
        let graph = tape.graph();
        let size = batch.len();
        let next = graph.no_grad(|| network.forward(graph, target, &batch.next_observations).data());
        qr_dqn_targets(&batch.rewards, &batch.terminated, next, discounts, &mut self.targets);
        set_rows_taken(&batch.choices, actions, &mut self.rows);
        let quantiles = network.forward(graph, online, &batch.observations).reshape(&[size * actions, n]);
        let taken = quantiles.index_select(0, &self.rows);
        let (levels, targets) =
            (graph.constant(&[n], &self.levels), graph.constant(&[size, n], &self.targets));
        let loss = taken.quantile_huber(levels, targets, self.huber_threshold).sum() * (1.0 / size as f64);
        let value = loss.item();
        loss.gradient(online, gradient);
        self.parts.descend(value)
    }

    fn action_values(&mut self, observation: &[f32]) -> &[f32] {
        let n = self.levels.len();
        let quantiles = self.parts.infer(observation).chunks_exact(n);
        let means = quantiles.map(|quantiles| quantiles.iter().sum::<f32>() / n as f32);
        self.values.iter_mut().zip(means).for_each(|(value, mean)| *value = mean);
        &self.values
    }
}

impl Learner for QrDqn {
    type Options = QrDqnOptions;

    const ABOUT: About = About {
        name: "qr-dqn",
        summary: "Q-learning with the distribution of returns, as 200 quantiles",
        when: "The distribution of returns is wanted, or values learned with it, and no bound on them is known. As a rival of \
               adam-lmcdqn.",
        wing: "rl",
        family: "value",
        paper: None,
        is_baseline: true,
        tuned: include_str!("qr_dqn.toml"),
    };

    const ACTIONS: Actions = Actions::Discrete;

    fn new(task: &Task, options: QrDqnOptions) -> Result<Self> {
        options::check(&options)?;
        let form = Form { numbers: options.quantiles, ..Form::default() };
        let common = DeepQOptions {
            exploration: options.exploration.clone(),
            evaluation_epsilon: options.evaluation_epsilon,
            ..options.deep_q()
        };
        let (parts, ()) = DeepQ::with_network(task, common, form, |_, _, _| ())?;
        let mut levels = vec![0.0; options.quantiles];
        set_midpoints(&mut levels);
        Ok(QrDqn {
            huber_threshold: options.huber_threshold,
            levels,
            targets: vec![0.0; options.batch_size * options.quantiles],
            rows: Vec::with_capacity(options.batch_size),
            values: vec![0.0; parts.actions()],
            parts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::bootstrapped_dqn::tests::{last_step, task};
    use super::*;
    use crate::network::QNetworkOptions;

    #[test]
    fn the_best_mean_is_moved_by_hand() {
        let mut targets = [0.0; 4];
        // Means 2 and 2.5; then 1 and 0, terminated.
        let next = [0.0, 4.0, 2.0, 3.0, 1.0, 1.0, 0.0, 0.0];
        qr_dqn_targets(&[1.0, -1.0], &[0.0, 1.0], &next, &[0.5, 0.5], &mut targets);
        assert_eq!(targets, [2.0, 2.5, -1.0, -1.0]);
        let mut levels = [0.0; 4];
        set_midpoints(&mut levels);
        assert_eq!(levels, [0.125, 0.375, 0.625, 0.875]);
    }

    /// Rewards 0, ..., 9 in equal shares: the quantiles at 1/8, 3/8, 5/8 and 7/8 are 1, 3, 6 and 8.
    #[test]
    fn quantiles_of_the_reward_are_learned() {
        let options = QrDqnOptions {
            quantiles: 4,
            huber_threshold: 0.0,
            batch_size: 128,
            replay_capacity: 100,
            network: QNetworkOptions { hidden: vec![16], ..QNetworkOptions::default() },
            optimizer: quire_optim::OptimizerOptions::adam(0.02),
            ..QrDqnOptions::default()
        };
        let mut learner = QrDqn::new(&task(), options).unwrap();
        for step in 0..100 {
            learner.parts.remember(&last_step(&[0.0], (step % 10) as f32));
        }
        for _ in 0..1500 {
            learner.update().unwrap();
        }
        let learned = learner.parts.infer(&[1.0])[..4].to_vec();
        for (learned, quantile) in learned.iter().zip([1.0, 3.0, 6.0, 8.0]) {
            assert!((learned - quantile).abs() < 0.6, "{learned} {quantile}");
        }
        assert!((learner.action_values(&[1.0])[0] - learned.iter().sum::<f32>() / 4.0).abs() < 1e-6);
    }
}

//! C51: Q-learning with the distribution of returns on fixed atoms (Bellemare, Dabney & Munos 2017).
//!
//! The network gives, for each action, probabilities pᵢ(s, a) of N returns z₀ < ... < z_{N-1} at equal distances Δ. An update takes
//! the next distribution of the action with the best mean, moves its atoms and brings them back to the grid,
//!
//! > T z_j = min(max(r + γ (1 - terminated) z_j, z₀), z_{N-1}),  mᵢ = Σ_j max(0, 1 - |T z_j - zᵢ|/Δ) p_j(s', a*; θ⁻),
//! > a* = argmax_a Σᵢ zᵢ pᵢ(s', a; θ⁻)
//!
//! and descends the cross entropy -Σᵢ mᵢ ln pᵢ(s, a; θ). Acting is ε-greedy in the means.
//!
//! Source: M. Bellemare, W. Dabney & R. Munos, *A distributional perspective on reinforcement learning*, ICML 2017,
//! arXiv:1707.06887, algorithm 1.
//!
//! Pick it where the least and the greatest return are known; [`qr_dqn`](super::qr_dqn) does without. Returns beyond the atoms are
//! cut off.

use quire_core::{About, Error, Options, Result, options};

use super::deep_q::{DeepQ, DeepQLearner, DeepQOptions, deep_q_options};
use crate::agent::{Actions, Learner, Task};
use crate::exploration::Exploration;
use crate::network::{Form, check_widths};

deep_q_options! {
    /// Options of `c51`. The defaults are the paper's for Atari 2600.
    C51Options {
        /// Atoms N. Paper: 51.
        #[schemars(range(min = 2, max = 10_000))]
        atoms: usize = 51,
        /// The least discounted return that can be told from smaller ones, z₀. Paper: -10.
        least_return: f64 = -10.0,
        /// The greatest discounted return that can be told from larger ones. Paper: 10.
        greatest_return: f64 = 10.0,
        /// How ε falls while learning. Paper: to 0.01. The time it takes is ours.
        exploration: Exploration = Exploration { last: 0.01, steps: 250_000, ..Exploration::default() },
        /// Probability of a uniformly random action when evaluated. Paper: 0.001.
        #[schemars(range(min = 0.0, max = 1.0))]
        evaluation_epsilon: f64 = 0.001,
    } with {
        optimizer: quire_optim::OptimizerOptions::Adam(quire_optim::AdamOptions {
            learning_rate: 0.00025,
            epsilon: 0.01 / 32.0,
            ..quire_optim::AdamOptions::default()
        }),
    }
}

impl Options for C51Options {
    fn validate(&self) -> Result<()> {
        if self.least_return.partial_cmp(&self.greatest_return) != Some(std::cmp::Ordering::Less) {
            let problem = format!("must be below greatest_return, which is {}", self.greatest_return);
            return Err(Error::option("least_return", problem));
        }
        let widths: Vec<usize> = self.network.hidden.iter().copied().chain([self.atoms]).collect();
        check_widths("network.hidden", &widths, 1)
    }
}

/// Returns at equal distances.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Atoms {
    /// N.
    pub count: usize,
    /// z₀.
    pub least: f32,
    /// Δ.
    pub distance: f32,
}

impl Atoms {
    /// zᵢ.
    pub fn at(&self, index: usize) -> f32 {
        self.least + self.distance * index as f32
    }

    /// Σᵢ zᵢ pᵢ.
    pub fn mean(&self, probabilities: &[f32]) -> f32 {
        let weighted = probabilities.iter().enumerate().map(|(index, p)| index as f32 * p).sum::<f32>();
        self.least * probabilities.iter().sum::<f32>() + self.distance * weighted
    }

    /// Adds the distribution `probabilities` of r + γ z to `projected`, each moved atom shared between its neighbors on the
    /// grid.
    pub fn project(&self, probabilities: &[f32], reward: f32, discount: f32, projected: &mut [f32]) {
        let last = self.count - 1;
        for (index, &p) in probabilities.iter().enumerate() {
            let place =
                ((reward + discount * self.at(index) - self.least) / self.distance).clamp(0.0, last as f32);
            // The last atom counts as the upper neighbor of the one before.
            let below = (place as usize).min(last - 1);
            let share = place - below as f32;
            projected[below] += p * (1.0 - share);
            projected[below + 1] += p * share;
        }
    }
}

/// m: the projected next distribution of the action with the greatest mean, `[batch, atoms]`.
///
/// `probabilities` are pᵢ(s', a; θ⁻), `[batch, actions, atoms]`; `rewards`, `terminated` (0 or 1) and `discounts` (γᵏ) are
/// `[batch]`.
pub fn c51_targets(
    atoms: &Atoms,
    rewards: &[f32],
    terminated: &[f32],
    probabilities: &[f32],
    discounts: &[f32],
    targets: &mut [f32],
) {
    let rows = probabilities.chunks_exact(probabilities.len() / rewards.len());
    let singles = rewards.iter().zip(terminated).zip(discounts);
    for ((next, target), ((&reward, ended), discount)) in
        rows.zip(targets.chunks_exact_mut(atoms.count)).zip(singles)
    {
        let (mut best, mut greatest) = (&next[..atoms.count], f32::NEG_INFINITY);
        for action in next.chunks_exact(atoms.count) {
            let mean = atoms.mean(action);
            if mean > greatest {
                (best, greatest) = (action, mean);
            }
        }
        target.fill(0.0);
        atoms.project(best, reward, discount * (1.0 - ended), target);
    }
}

/// Fills `rows` with the row of each transition's action among those of a batch, `[batch x actions]`.
pub(super) fn set_rows_taken(choices: &[u32], actions: usize, rows: &mut Vec<u32>) {
    rows.clear();
    rows.extend(choices.iter().enumerate().map(|(row, choice)| (row * actions) as u32 + choice));
}

/// The learner.
pub struct C51 {
    parts: DeepQ,
    atoms: Atoms,
    /// m, `[batch, atoms]`.
    targets: Vec<f32>,
    rows: Vec<u32>,
    values: Vec<f32>,
    probabilities: Vec<f32>,
}

impl DeepQLearner for C51 {
    fn parts(&self) -> &DeepQ {
        &self.parts
    }

    fn parts_mut(&mut self) -> &mut DeepQ {
        &mut self.parts
    }

    fn update(&mut self) -> Result<()> {
        self.parts.sample();
        let (actions, n) = (self.parts.actions(), self.atoms.count);
        let DeepQ { tape, network, online, target, batch, discounts, gradient, .. } = &mut self.parts;
        let graph = tape.graph();
        let size = batch.len();
        let next = graph.no_grad(|| {
            let logits = network.forward(graph, target, &batch.next_observations);
            logits.reshape(&[size, actions, n]).softmax().data()
        });
        c51_targets(&self.atoms, &batch.rewards, &batch.terminated, next, discounts, &mut self.targets);
        set_rows_taken(&batch.choices, actions, &mut self.rows);
        let logits = network.forward(graph, online, &batch.observations).reshape(&[size * actions, n]);
        let logs = logits.index_select(0, &self.rows).log_softmax();
        let loss = (logs * graph.constant(logs.shape(), &self.targets)).sum() * (-1.0 / size as f64);
        let value = loss.item();
        loss.gradient(online, gradient);
        self.parts.descend(value)
    }

    fn action_values(&mut self, observation: &[f32]) -> &[f32] {
        let logits = self.parts.infer(observation);
        for (value, logits) in self.values.iter_mut().zip(logits.chunks_exact(self.atoms.count)) {
            let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            self.probabilities.clear();
            self.probabilities.extend(logits.iter().map(|logit| (logit - greatest).exp()));
            let sum: f32 = self.probabilities.iter().sum();
            *value = self.atoms.mean(&self.probabilities) / sum;
        }
        &self.values
    }
}

impl Learner for C51 {
    type Options = C51Options;

    const ABOUT: About = About {
        name: "c51",
        summary: "Q-learning with the distribution of returns, as probabilities of 51 fixed ones",
        when: "A bound on returns is known, and random actions explore well enough. As a rival of adam-lmcdqn.",
        wing: "rl",
        family: "value",
        paper: None,
        is_baseline: true,
        tuned: include_str!("c51.toml"),
    };

    const ACTIONS: Actions = Actions::Discrete;

    fn new(task: &Task, options: C51Options) -> Result<Self> {
        options::check(&options)?;
        let form = Form { numbers: options.atoms, ..Form::default() };
        let common = DeepQOptions {
            exploration: options.exploration.clone(),
            evaluation_epsilon: options.evaluation_epsilon,
            ..options.deep_q()
        };
        let (parts, ()) = DeepQ::with_network(task, common, form, |_, _, _| ())?;
        let width = options.greatest_return - options.least_return;
        let atoms = Atoms {
            count: options.atoms,
            least: options.least_return as f32,
            distance: (width / (options.atoms - 1) as f64) as f32,
        };
        Ok(C51 {
            atoms,
            targets: vec![0.0; options.batch_size * options.atoms],
            rows: Vec::with_capacity(options.batch_size),
            values: vec![0.0; parts.actions()],
            probabilities: Vec::with_capacity(options.atoms),
            parts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::bootstrapped_dqn::tests::{last_step, task};
    use super::*;
    use crate::network::QNetworkOptions;

    /// Returns -2, -1, 0, 1, 2.
    const ATOMS: Atoms = Atoms { count: 5, least: -2.0, distance: 1.0 };

    fn projected(probabilities: &[f32], reward: f32, discount: f32) -> Vec<f32> {
        let mut projected = vec![0.0; 5];
        ATOMS.project(probabilities, reward, discount, &mut projected);
        projected
    }

    #[test]
    fn the_projection_by_hand() {
        let p = [0.25, 0.0, 0.5, 0.0, 0.25];
        // Nothing moves; whole steps land on atoms.
        assert_eq!(projected(&p, 0.0, 1.0), p);
        // Moved by 1: -1, 1 and 3, of which the last is cut off at 2.
        assert_eq!(projected(&p, 1.0, 1.0), [0.0, 0.25, 0.0, 0.5, 0.25]);
        // 0.25 + z/2: -0.75, 0.25, 1.25.
        let expected = [0.0, 0.25 * 0.75, 0.25 * 0.25 + 0.5 * 0.75, 0.5 * 0.25 + 0.25 * 0.75, 0.25 * 0.25];
        assert_eq!(projected(&p, 0.25, 0.5), expected);
        // Terminated: the reward alone; on the last atom, and beyond the first.
        assert_eq!(projected(&p, 2.0, 0.0), [0.0, 0.0, 0.0, 0.0, 1.0]);
        assert_eq!(projected(&p, -9.0, 0.0), [1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(projected(&p, 1.5, 0.0), [0.0, 0.0, 0.0, 0.5, 0.5]);
    }

    /// Against the formula mᵢ = Σ_j max(0, 1 - |T z_j - zᵢ|/Δ) p_j; within the atoms it keeps mass and mean.
    #[test]
    fn the_projection_is_the_formula() {
        let atoms = Atoms { count: 51, least: -10.0, distance: 0.4 };
        let raw: Vec<f32> = (0..51).map(|i| (i as f32 * 1.3).sin().powi(2) + 0.01).collect();
        let p: Vec<f32> = raw.iter().map(|x| x / raw.iter().sum::<f32>()).collect();
        for (reward, discount) in [(0.3, 0.9), (-2.0, 0.5), (7.0, 0.99), (0.0, 0.0), (-11.0, 1.0)] {
            let mut projected = vec![0.0; 51];
            atoms.project(&p, reward, discount, &mut projected);
            for (i, m) in projected.iter().enumerate() {
                let moved = |j: usize| (reward + discount * atoms.at(j)).clamp(-10.0, 10.0);
                let share = |j: usize| (1.0 - (moved(j) - atoms.at(i)).abs() / 0.4).max(0.0);
                let expected: f32 = (0..51).map(|j| share(j) * p[j]).sum();
                assert!((m - expected).abs() < 1e-4, "{i} {m} {expected}");
            }
            assert!((projected.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
        let mut moved = vec![0.0; 51];
        atoms.project(&p, 0.3, 0.9, &mut moved);
        assert!((atoms.mean(&moved) - (0.3 + 0.9 * atoms.mean(&p))).abs() < 1e-4);
    }

    #[test]
    fn the_next_action_is_the_one_with_the_best_mean() {
        let mut targets = [0.0; 10];
        // Means: 0 of both ends against 1; then 2 against -2, and terminated.
        let probabilities = [
            0.5, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 1.0, 0.0, //
            0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0,
        ];
        c51_targets(&ATOMS, &[1.0, -1.0], &[0.0, 1.0], &probabilities, &[0.5, 0.5], &mut targets);
        assert_eq!(targets, [0.0, 0.0, 0.0, 0.5, 0.5, 0.0, 1.0, 0.0, 0.0, 0.0]);
    }

    /// A reward of 0 or 1 from one state: the learned distribution is half and half, and its mean one half.
    #[test]
    fn the_distribution_is_learned_and_not_its_mean_alone() {
        let options = C51Options {
            atoms: 5,
            least_return: -2.0,
            greatest_return: 2.0,
            replay_capacity: 100,
            network: QNetworkOptions { hidden: vec![16], ..QNetworkOptions::default() },
            optimizer: quire_optim::OptimizerOptions::adam(0.01),
            ..C51Options::default()
        };
        let mut learner = C51::new(&task(), options).unwrap();
        for step in 0..100 {
            learner.parts.remember(&last_step(&[1.0], (step % 2) as f32));
        }
        for _ in 0..500 {
            learner.update().unwrap();
        }
        assert!((learner.action_values(&[1.0])[1] - 0.5).abs() < 0.1);
        let logits = &learner.parts.infer(&[1.0])[5..];
        let sum: f32 = logits.iter().map(|x| x.exp()).sum();
        let learned: Vec<f32> = logits.iter().map(|x| x.exp() / sum).collect();
        assert!((learned[2] - 0.5).abs() < 0.1 && (learned[3] - 0.5).abs() < 0.1, "{learned:?}");
    }

    #[test]
    fn atoms_in_the_wrong_order_are_refused() {
        let options = C51Options { least_return: 3.0, greatest_return: 3.0, ..C51Options::default() };
        let error = options.validate().unwrap_err().to_string();
        assert!(error.contains("`least_return`") && error.contains("greatest_return"), "{error}");
    }
}

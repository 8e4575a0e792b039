//! Bayes-UCBDQN: optimism from an ensemble that is bootstrapped with weights (Tiapkin et al. 2022), the deep form of Bayes-UCBVI.
//!
//! K heads are trained side by side. Each weighs every transition by a number of its own, w ~ Exp(1), so that the heads are
//! draws of Rubin's Bayesian bootstrap, and beside the data there are a few pseudo-observations of a return that is too good to
//! be true. The agent acts greedily in a quantile of the heads:
//!
//! > argmax_a Q^κ(s, a),  Q^κ(s, a) the ⌈κK⌉-th smallest of Q₁(s, a), ..., Q_K(s, a)
//!
//! What has hardly been tried is believed to be good by heads whose weights favor the pseudo-observations; data outweigh them.
//!
//! From the paper are the ensemble, the weights, targets that are optimistic in the prior, and the quantile. Its form for networks
//! is not published as code, and these are ours:
//!
//! - the prior: n₀ pseudo-observations of the return `prior_return` for each action, spread over the states as the agent has met
//!   them. With N transitions in memory the loss of a batch is
//!
//!   > Σₖ mean_t [ w_tk ℓ(y_tk - Qₖ(s, a)) + (n₀/N) Σ_b w_tkb ℓ(`prior_return` - Qₖ(s, b)) ]
//!
//!   where the sum is over all actions b and each has weights of its own;
//! - the return of a pseudo-observation, the numbers of heads and pseudo-observations, and the level κ;
//! - evaluated is the greedy policy of the mean over the heads.
//!
//! As in [`bootstrapped_dqn`](super::bootstrapped_dqn) weights belong to transitions, and targets are each head's own.
//!
//! Source: D. Tiapkin et al., *From Dirichlet to Rubin: Optimistic exploration in RL without bonuses*, ICML 2022, arXiv:2205.07704.
//!
//! Pick it where exploration must be deep and a bound on returns is known: `prior_return` should be above what can be earned.

use quire_core::{About, Options, Paper, Result, Seeds, options};
use rand_distr::{Distribution, Exp1};

use super::bootstrapped_dqn::{mean_over_heads, set_head_targets, set_weights};
use super::deep_q::{DeepQ, DeepQLearner, DeepQOptions, argmax, deep_q_options, residual_loss};
use crate::agent::{Actions, Learner, Task};
use crate::network::{Form, check_widths};

deep_q_options! {
    /// Options of `bayes-ucbdqn`. What the paper's experiment on Atari had is not known to us but for DQN's own settings.
    BayesUcbDqnOptions {
        /// Heads K. Ours: 10.
        #[schemars(range(min = 1, max = 1000))]
        heads: usize = 10,
        /// Level κ of the quantile over the heads. Ours: 0.8, the eighth of ten.
        #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
        quantile_level: f64 = 0.8,
        /// Pseudo-observations n₀ for each action. Ours: 10.
        #[schemars(range(min = 0.0))]
        prior_weight: f64 = 10.0,
        /// Discounted return of a pseudo-observation; above what can be earned. Ours: 10.
        prior_return: f64 = 10.0,
        /// Fully connected layers that the heads share, besides the convolutions. Ours: 0.
        shared_layers: usize = 0,
        /// Whether the online heads select the next action, as in double DQN. Ours: yes.
        double: bool = true,
        /// Bound on the temporal-difference error in the gradient (Huber); none is squared loss. DQN's paper: 1.
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        error_clip: Option<f64> = Some(1.0),
    } with { n_step: 1 }
}

impl Options for BayesUcbDqnOptions {
    fn validate(&self) -> Result<()> {
        check_widths("network.hidden", &self.network.hidden, self.heads)
    }
}

/// Fills `quantiles`, `[actions]`, with the ⌈κK⌉-th smallest of each action's values over the K heads of `values`, `[heads,
/// actions]`; `sorted` is memory to sort in.
pub fn quantile_over_heads(values: &[f32], level: f64, sorted: &mut Vec<f32>, quantiles: &mut [f32]) {
    let actions = quantiles.len();
    let heads = values.len() / actions;
    let rank = ((level * heads as f64).ceil() as usize).clamp(1, heads);
    for (action, quantile) in quantiles.iter_mut().enumerate() {
        sorted.clear();
        sorted.extend(values.iter().skip(action).step_by(actions));
        sorted.sort_unstable_by(f32::total_cmp);
        *quantile = sorted[rank - 1];
    }
}

/// The learner.
pub struct BayesUcbDqn {
    parts: DeepQ,
    options: BayesUcbDqnOptions,
    /// Where the weights come from.
    seeds: Seeds,
    /// Those of the transitions, `[heads, batch]`, then those of the prior, `[actions, heads, batch]`.
    weights: Vec<f32>,
    /// y, `[heads, batch]`.
    targets: Vec<f32>,
    quantiles: Vec<f32>,
    sorted: Vec<f32>,
}

impl DeepQLearner for BayesUcbDqn {
    fn parts(&self) -> &DeepQ {
        &self.parts
    }

    fn parts_mut(&mut self) -> &mut DeepQ {
        &mut self.parts
    }

    fn choose(&mut self, observation: &[f32]) -> usize {
        let BayesUcbDqn { parts, options, sorted, quantiles, .. } = self;
        quantile_over_heads(parts.infer(observation), options.quantile_level, sorted, quantiles);
        argmax(quantiles)
    }

    fn update(&mut self) -> Result<()> {
        self.parts.sample();
        set_weights(&self.parts, self.seeds, &mut self.weights, |own| Exp1.sample(own));
        set_head_targets(&mut self.parts, self.options.double, &mut self.targets);
        let BayesUcbDqnOptions { heads, prior_weight, prior_return, error_clip, .. } = self.options;
        let DeepQ { tape, network, online, batch, gradient, replay, .. } = &mut self.parts;
        let graph = tape.graph();
        let size = batch.len();
        let (data, prior) = self.weights.split_at(heads * size);
        let q = network.forward(graph, online, &batch.observations);
        let taken = q.gather(&batch.choices);
        let error = taken - graph.constant(taken.shape(), &self.targets);
        let of_data = residual_loss(error, error_clip) * graph.constant(taken.shape(), data);
        let weights = graph.constant(&[prior.len() / data.len(), heads, size], prior).permute(&[1, 2, 0]);
        let of_prior = residual_loss(q - prior_return, error_clip) * weights;
        let share = prior_weight / replay.len() as f64;
        let loss = (of_data.sum() + of_prior.sum() * share) * (1.0 / size as f64);
        let value = loss.item() / heads as f32;
        loss.gradient(online, gradient);
        self.parts.descend(value)
    }

    fn action_values(&mut self, observation: &[f32]) -> &[f32] {
        mean_over_heads(self.parts.infer(observation), &mut self.quantiles);
        &self.quantiles
    }
}

impl Learner for BayesUcbDqn {
    type Options = BayesUcbDqnOptions;

    const ABOUT: About = About {
        name: "bayes-ucbdqn",
        summary: "DQN that acts greedily in a quantile of an ensemble with random weights and an optimistic prior",
        when: "Rewards that take many right steps in a row to find, if it is known what can be earned at most. The prior is ours, \
               and its return has to be set.",
        wing: "rl",
        family: "value",
        paper: Some(Paper {
            slug: "bayes-ucbvi",
            title: "From Dirichlet to Rubin: Optimistic Exploration in RL without Bonuses",
            arxiv: "2205.07704",
        }),
        is_baseline: false,
        tuned: include_str!("bayes_ucbdqn.toml"),
    };

    const ACTIONS: Actions = Actions::Discrete;

    fn new(task: &Task, options: BayesUcbDqnOptions) -> Result<Self> {
        options::check(&options)?;
        let form = Form { heads: options.heads, shared_layers: options.shared_layers, ..Form::default() };
        let common = DeepQOptions { error_clip: options.error_clip, ..options.deep_q() };
        let (parts, ()) = DeepQ::with_network(task, common, form, |_, _, _| ())?;
        let per_head = options.heads * options.batch_size;
        Ok(BayesUcbDqn {
            seeds: task.seeds.child("bootstrap"),
            weights: vec![0.0; (1 + parts.actions()) * per_head],
            targets: vec![0.0; per_head],
            quantiles: vec![0.0; parts.actions()],
            sorted: Vec::with_capacity(options.heads),
            options,
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
    fn quantiles_are_order_statistics() {
        let values = [5.0, 0.0, 1.0, 7.0, 3.0, 2.0, 4.0, 1.0, 2.0, 9.0];
        let mut quantiles = [0.0; 2];
        let mut at = |level: f64| {
            quantile_over_heads(&values, level, &mut Vec::new(), &mut quantiles);
            quantiles
        };
        // Of 1, 2, 3, 4, 5 and 0, 1, 2, 7, 9.
        assert_eq!(at(1.0), [5.0, 9.0]);
        assert_eq!(at(0.8), [4.0, 7.0]);
        assert_eq!(at(0.5), [3.0, 2.0]);
        assert_eq!(at(1e-9), [1.0, 0.0]);
    }

    fn learner(prior_weight: f64) -> BayesUcbDqn {
        let options = BayesUcbDqnOptions {
            heads: 20,
            prior_weight,
            prior_return: 2.0,
            error_clip: None,
            replay_capacity: 200,
            network: QNetworkOptions { hidden: vec![16], ..QNetworkOptions::default() },
            optimizer: quire_optim::OptimizerOptions::adam(0.01),
            ..BayesUcbDqnOptions::default()
        };
        BayesUcbDqn::new(&task(), options).unwrap()
    }

    /// One state in which the first action paid 1 or 0, `visits` times in all: the mean over heads of a bootstrap with n₀
    /// pseudo-observations of 2 and n of 1/2 is (2 n₀ + n/2)/(n₀ + n), and the action never taken is worth 2.
    #[test]
    fn data_outweigh_the_prior() {
        for visits in [4_u32, 40] {
            let mut learner = learner(4.0);
            for visit in 0..visits {
                learner.parts.remember(&last_step(&[0.0], (visit % 2) as f32));
            }
            for _ in 0..600 {
                learner.update().unwrap();
            }
            let values = learner.action_values(&[1.0]).to_vec();
            let n = f64::from(visits);
            let expected = (2.0 * 4.0 + n / 2.0) / (4.0 + n);
            assert!((f64::from(values[0]) - expected).abs() < 0.25, "{values:?}, {expected}");
            assert!((values[1] - 2.0).abs() < 0.25, "{values:?}");
            // Heads differ, the more the fewer the data; and the quantile is above the mean.
            assert_eq!(learner.choose(&[1.0]), 1);
            assert!(learner.quantiles[0] > values[0]);
        }
    }

    #[test]
    fn without_a_prior_its_return_does_not_matter() {
        let (mut first, mut second) = (learner(0.0), learner(0.0));
        second.options.prior_return = -50.0;
        for learner in [&mut first, &mut second] {
            learner.parts.remember(&last_step(&[1.0], 0.5));
            (0..5).for_each(|_| learner.update().unwrap());
        }
        assert_eq!(first.parts.online.data(), second.parts.online.data());
    }
}

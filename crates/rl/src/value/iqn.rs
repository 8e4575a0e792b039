//! IQN: Q-learning with the whole quantile function of the returns (Dabney, Ostrovski, Silver & Munos 2018).
//!
//! The level τ is an input. Features ψ(s) of the state are multiplied, number by number, with features of the level,
//!
//! > Z_τ(s, ·) = f( ψ(s) ⊙ φ(τ) ),  φ_j(τ) = relu( Σ_{i<n} cos(π i τ) w_ij + b_j )
//!
//! so that any quantile of the return can be asked for. With levels τᵢ, τ'_j and τ̃ₖ uniform on [0, 1], drawn for every transition,
//!
//! > y_j = r + γ (1 - terminated) Z_τ'_j(s', a*; θ⁻),  a* = argmax_a mean_k Z_τ̃ₖ(s', a; θ⁻)
//!
//! and the loss is Σᵢ mean_j of the quantile Huber loss of y_j - Z_τᵢ(s, a; θ) at the level τᵢ, as in [`qr_dqn`](super::qr_dqn). Acting is
//! ε-greedy in the mean over K drawn levels.
//!
//! ψ are the convolutions. For observations without, it is the first hidden layer, which is ours; so are the middles of K equal parts
//! as levels where a state's value is reported.
//!
//! Source: W. Dabney, G. Ostrovski, D. Silver & R. Munos, *Implicit quantile networks for distributional reinforcement learning*, ICML
//! 2018, arXiv:1806.06923.
//!
//! Pick it in place of [`qr_dqn`](super::qr_dqn) where its forward passes, several for each transition, can be paid for.

use quire_core::{About, Options, Result, Rng, options, state};
use quire_nn::{Activation, Graph, Linear, Params, Tensor};
use rand::RngExt;

use super::deep_q::{DeepQ, DeepQLearner, DeepQOptions, argmax, deep_q_options};
use super::qr_dqn::set_midpoints;
use crate::agent::{Actions, Learner, Task};
use crate::exploration::Exploration;
use crate::network::{Form, QNetwork, check_widths};

deep_q_options! {
    /// Options of `iqn`. The defaults are the paper's for Atari 2600.
    IqnOptions {
        /// Levels N at which a transition's estimate is corrected. Paper: among 1, 8, 32 and 64, of which 8 and more are alike in the
        /// end.
        #[schemars(range(min = 1, max = 1000))]
        samples: usize = 8,
        /// Levels N' of a transition's targets. Paper: as above.
        #[schemars(range(min = 1, max = 1000))]
        target_samples: usize = 8,
        /// Levels K whose mean an action is chosen by. Paper: 32.
        #[schemars(range(min = 1, max = 1000))]
        policy_samples: usize = 32,
        /// Cosines n of a level. Paper: 64.
        #[schemars(range(min = 1, max = 10_000))]
        cosines: usize = 64,
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

impl Options for IqnOptions {
    fn validate(&self) -> Result<()> {
        check_widths("network.hidden", &self.network.hidden, 1)
    }
}

/// cos(π i τ) for i = 0, ..., `cosines` - 1, row by row, by the recurrence cos((i + 1)x) = 2 cos x cos ix - cos((i - 1)x).
pub fn cosine_features(levels: &[f32], cosines: usize, features: &mut [f32]) {
    for (&level, row) in levels.iter().zip(features.chunks_exact_mut(cosines)) {
        let first = (std::f64::consts::PI * f64::from(level)).cos();
        let (mut before, mut now) = (first, 1.0);
        for feature in row {
            *feature = now as f32;
            (before, now) = (now, 2.0 * first * now - before);
        }
    }
}

/// y, `[batch, target_samples]`, given Z(s', ·; θ⁻), `[batch, policy_samples + target_samples, actions]`: the best action is that with
/// the greatest sum over the first levels, and its values at the others are moved.
pub fn iqn_targets(
    rewards: &[f32],
    terminated: &[f32],
    next: &[f32],
    discounts: &[f32],
    policy_samples: usize,
    sums: &mut [f32],
    targets: &mut [f32],
) {
    let actions = sums.len();
    let target_samples = targets.len() / rewards.len();
    let rows = next.chunks_exact((policy_samples + target_samples) * actions);
    let singles = rewards.iter().zip(terminated).zip(discounts);
    for ((next, target), ((&reward, ended), discount)) in
        rows.zip(targets.chunks_exact_mut(target_samples)).zip(singles)
    {
        let (policy, values) = next.split_at(policy_samples * actions);
        add_up(policy, sums);
        let best = argmax(sums);
        let weight = discount * (1.0 - ended);
        let taken = values.iter().skip(best).step_by(actions);
        target.iter_mut().zip(taken).for_each(|(y, value)| *y = reward + weight * value);
    }
}

/// Sums over the rows of `values`, `[rows, actions]`.
fn add_up(values: &[f32], sums: &mut [f32]) {
    sums.fill(0.0);
    for row in values.chunks_exact(sums.len()) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
}

/// φ: from the cosines of levels to as many numbers as the state has features.
#[derive(Debug, Clone, Copy)]
struct Embedding {
    layer: Linear,
    cosines: usize,
}

impl Embedding {
    /// Z_τ(s, ·) for a batch of observations, each at levels of its own, `[batch, levels]`: `[batch, levels, actions]`.
    fn quantiles<'g>(
        &self,
        graph: Graph<'g, f32>,
        network: &QNetwork,
        params: &'g Params<f32>,
        observations: &[f32],
        levels: &[f32],
        actions: usize,
    ) -> Tensor<'g, f32> {
        let features = network.features(graph, params, observations);
        let (batch, width) = (features.size(1), features.size(2));
        let (rows, count) = (levels.len(), levels.len() / batch);
        let fill = |x: &mut [f32]| cosine_features(levels, self.cosines, x);
        let cosines = graph.constant_with(&[1, rows, self.cosines], fill);
        let embedded = self.layer.forward(graph, params, cosines).reshape(&[batch, count, width]);
        let both = (features.reshape(&[batch, 1, width]) * embedded).reshape(&[1, rows, width]);
        network.head(graph, params, both).reshape(&[batch, count, actions])
    }
}

/// The learner.
pub struct Iqn {
    parts: DeepQ,
    options: IqnOptions,
    embedding: Embedding,
    rng: Rng,
    levels: Vec<f32>,
    /// y, `[batch, target_samples]`.
    targets: Vec<f32>,
    /// Each transition's action, once for each level.
    choices: Vec<u32>,
    values: Vec<f32>,
}

/// Levels uniform on [0, 1].
fn draw_levels(rng: &mut Rng, count: usize, levels: &mut Vec<f32>) {
    levels.clear();
    levels.extend((0..count).map(|_| rng.random::<f32>()));
}

impl Iqn {
    /// The sum over the levels in `self.levels` of Z(s, ·).
    fn set_values(&mut self, observation: &[f32]) {
        let Iqn { parts, embedding, levels, values, .. } = self;
        let DeepQ { network, online, workspace, .. } = parts;
        let graph = workspace.tape.graph();
        let actions = values.len();
        let z = graph
            .no_grad(|| embedding.quantiles(graph, network, online, observation, levels, actions).data());
        add_up(z, values);
        values.iter_mut().for_each(|value| *value /= levels.len() as f32);
    }
}

impl DeepQLearner for Iqn {
    fn parts(&self) -> &DeepQ {
        &self.parts
    }

    fn parts_mut(&mut self) -> &mut DeepQ {
        &mut self.parts
    }

    fn choose(&mut self, observation: &[f32]) -> usize {
        draw_levels(&mut self.rng, self.options.policy_samples, &mut self.levels);
        self.set_values(observation);
        argmax(&self.values)
    }

    /// As the paper acts, on levels that are drawn; the value is that at fixed levels, free of the draws' luck.
    fn choose_evaluated(&mut self, observation: &[f32], rng: &mut Rng) -> (usize, f32) {
        draw_levels(rng, self.options.policy_samples, &mut self.levels);
        self.set_values(observation);
        let chosen = argmax(&self.values);
        let values = self.action_values(observation);
        (chosen, values[argmax(values)])
    }

    fn update(&mut self) -> Result<()> {
        self.parts.sample();
        let IqnOptions { samples, target_samples, policy_samples, huber_threshold, .. } = self.options;
        let Iqn { parts, embedding, rng, levels, targets, choices, values, .. } = self;
        let DeepQ { tape, network, online, target, batch, discounts, gradient, .. } = parts;
        let graph = tape.graph();
        let (size, actions) = (batch.len(), values.len());
        draw_levels(rng, size * (policy_samples + target_samples), levels);
        let next = graph.no_grad(|| {
            embedding.quantiles(graph, network, target, &batch.next_observations, levels, actions).data()
        });
        let (rewards, terminated) = (&batch.rewards, &batch.terminated);
        iqn_targets(rewards, terminated, next, discounts, policy_samples, values, targets);
        draw_levels(rng, size * samples, levels);
        choices.clear();
        choices.extend(batch.choices.iter().flat_map(|&choice| std::iter::repeat_n(choice, samples)));
        let z = embedding.quantiles(graph, network, online, &batch.observations, levels, actions);
        let taken = z.gather(choices);
        let (levels, targets) =
            (graph.constant(&[size, samples], levels), graph.constant(&[size, target_samples], targets));
        let loss = taken.quantile_huber(levels, targets, huber_threshold).sum() * (1.0 / size as f64);
        let value = loss.item();
        loss.gradient(online, gradient);
        self.parts.descend(value)
    }

    fn action_values(&mut self, observation: &[f32]) -> &[f32] {
        self.levels.resize(self.options.policy_samples, 0.0);
        set_midpoints(&mut self.levels);
        self.set_values(observation);
        &self.values
    }

    fn save_more(&self) -> Vec<u8> {
        state::encode("levels", &self.rng)
    }

    fn restore_more(&mut self, saved: &[u8]) -> Result<()> {
        self.rng = state::decode("levels", saved)?;
        Ok(())
    }
}

impl Learner for Iqn {
    type Options = IqnOptions;

    const ABOUT: About = About {
        name: "iqn",
        summary: "Q-learning with the distribution of returns, as a network that takes the quantile's level",
        when: "As qr-dqn, with fewer settings that depend on the problem and more computation. As a rival of adam-lmcdqn.",
        wing: "rl",
        family: "value",
        paper: None,
        is_baseline: true,
        tuned: include_str!("iqn.toml"),
    };

    const ACTIONS: Actions = Actions::Discrete;

    fn new(task: &Task, options: IqnOptions) -> Result<Self> {
        options::check(&options)?;
        let is_image = task.observation.shape().len() == 3;
        let form = Form { shared_layers: usize::from(!is_image), ..Form::default() };
        let common = DeepQOptions {
            exploration: options.exploration.clone(),
            evaluation_epsilon: options.evaluation_epsilon,
            ..options.deep_q()
        };
        let cosines = options.cosines;
        let embed = |params: &mut Params<f32>, network: &QNetwork, rng: &mut Rng| {
            let layer = Linear::new(params, "level", 1, cosines, network.features_size(), rng);
            Embedding { layer: layer.activated(Activation::Relu), cosines }
        };
        let (parts, embedding) = DeepQ::with_network(task, common, form, embed)?;
        Ok(Iqn {
            embedding,
            rng: task.seeds.stream("levels"),
            levels: Vec::new(),
            targets: vec![0.0; options.batch_size * options.target_samples],
            choices: Vec::new(),
            values: vec![0.0; parts.actions()],
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
    fn cosines_are_cosines() {
        let levels = [0.0, 0.25, 0.5, 0.731, 1.0];
        let mut features = [0.0; 5 * 64];
        cosine_features(&levels, 64, &mut features);
        for (&level, row) in levels.iter().zip(features.chunks(64)) {
            for (i, &feature) in row.iter().enumerate() {
                let expected = (std::f64::consts::PI * i as f64 * f64::from(level)).cos();
                assert!((f64::from(feature) - expected).abs() < 1e-6, "{level} {i}");
            }
        }
    }

    #[test]
    fn targets_by_hand() {
        let (mut sums, mut targets) = ([0.0; 2], [0.0; 4]);
        // Two levels choose: sums 3 and 4, so the second action; then 5 and 1, terminated.
        let next = [
            1.0, 3.0, 2.0, 1.0, 10.0, 20.0, 30.0, 40.0, //
            2.0, 0.0, 3.0, 1.0, 10.0, 20.0, 30.0, 40.0,
        ];
        iqn_targets(&[1.0, -1.0], &[0.0, 1.0], &next, &[0.5, 0.5], 2, &mut sums, &mut targets);
        assert_eq!(targets, [11.0, 21.0, -1.0, -1.0]);
        iqn_targets(&[1.0, -1.0], &[1.0, 0.0], &next, &[0.5, 0.5], 2, &mut sums, &mut targets);
        assert_eq!(targets, [1.0, 1.0, 4.0, 14.0]);
    }

    fn learner(hidden: Vec<usize>) -> Iqn {
        let options = IqnOptions {
            huber_threshold: 0.0,
            batch_size: 128,
            replay_capacity: 100,
            network: QNetworkOptions { hidden, ..QNetworkOptions::default() },
            optimizer: quire_optim::OptimizerOptions::adam(0.01),
            ..IqnOptions::default()
        };
        Iqn::new(&task(), options).unwrap()
    }

    /// Rewards 0, ..., 9 in equal shares: the quantile at the level τ is the whole part of 10 τ.
    #[test]
    fn quantiles_of_the_reward_are_learned() {
        let mut learner = learner(vec![32, 32]);
        for step in 0..100 {
            learner.parts.remember(&last_step(&[0.0], (step % 10) as f32));
        }
        for _ in 0..1000 {
            learner.update().unwrap();
        }
        for (level, quantile) in [(0.15, 1.0), (0.45, 4.0), (0.85, 8.0)] {
            learner.levels = vec![level];
            learner.set_values(&[1.0]);
            assert!((learner.values[0] - quantile).abs() < 1.0, "{level} {}", learner.values[0]);
        }
        assert!((learner.action_values(&[1.0])[0] - 4.5).abs() < 0.5);
    }

    /// A network without hidden layers has the observation itself for features.
    #[test]
    fn features_may_be_the_observation() {
        let mut learner = learner(Vec::new());
        assert_eq!(learner.parts.network.features_size(), 1);
        assert_eq!(learner.parts.online.len(), (1 + 1) * 2 + 64 + 1);
        // Then values are linear in it: Z(2) - Z(1) = Z(1) - Z(0).
        let values: Vec<f32> = [0.0, 1.0, 2.0].map(|x| learner.action_values(&[x])[0]).to_vec();
        assert!((values[2] - 2.0 * values[1] + values[0]).abs() < 1e-5);
    }
}

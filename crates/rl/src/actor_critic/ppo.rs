//! PPO: proximal policy optimization with a clipped surrogate (Schulman et al. 2017).
//!
//! The policy π plays n steps; then policy and value V are trained on them for some epochs of minibatches, and the steps are
//! thrown away. Advantages are those of generalized advantage estimation,
//!
//! > δ_t = r_t + γ (1 - terminated_t) V(s_{t+1}) - V(s_t),  A_t = δ_t + γ λ (1 - ended_t) A_{t+1}
//!
//! and with ρ_t = π(a_t|s_t)/π_old(a_t|s_t) the loss of a minibatch, whose advantages are brought to mean 0 and deviation 1, is
//!
//! > mean[ -min( ρ A, clip(ρ, 1 - ε, 1 + ε) A ) + c_v (V(s) - A - V_old(s))² - c_e H(π(·|s)) ]
//!
//! so that nothing is gained by moving a probability further than ε, and many steps can be taken on the same data. Discrete actions
//! are drawn from a softmax; continuous ones from a normal distribution whose deviations do not depend on the state, cut off at the
//! bounds of the box only where the environment sees them.
//!
//! Sources: J. Schulman, F. Wolski, P. Dhariwal, A. Radford & O. Klimov, *Proximal policy optimization algorithms*, 2017,
//! arXiv:1707.06347, algorithm 1; J. Schulman et al., *High-dimensional continuous control using generalized advantage estimation*,
//! ICLR 2016, arXiv:1506.02438. Defaults are those of Stable-Baselines3. There is one environment here; the paper's rollouts of
//! several in parallel are as long as `n_steps` together.
//!
//! Pick it when environment steps are cheap and nothing should have to be tuned; replay makes more of each step.

use std::collections::BTreeMap;

use quire_core::{About, Error, Options, Result, Rng, Trace, options, state};
use quire_env::Space;
use quire_nn::{
    Activation, Categorical, Graph, Init, Mlp, MlpConfig, Normal, Params, Scratch, Tape, Tensor, View,
    distributions::sample_categorical,
};
use quire_optim::{AdamOptions, NORMS_FILE, Optimizer, OptimizerOptions, OptimizerSetting};
use rand::seq::SliceRandom;
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::{Actions, Agent, Learner, Task};
use crate::network::{check_widths, layout};
use crate::replay::Transition;
use crate::value::deep_q::argmax;

/// The artefact's file with the weights of policy and value.
const WEIGHTS: &str = "model.safetensors";
/// Keeps normalized advantages finite.
const DEVIATION_FLOOR: f64 = 1e-8;
/// How much further than `target_kl` the policy may have moved when an epoch is cut short. Stable-Baselines3: 1.5.
const DIVERGENCE_SLACK: f64 = 1.5;

/// Options of `ppo`. The defaults are those of Stable-Baselines3, which are the paper's for MuJoCo where it has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PpoOptions {
    /// Discount factor per environment step. Paper: 0.99.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub discount: f64,
    /// λ of the advantages: 0 trusts V after one step, 1 never does. Paper: 0.95.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub gae_lambda: f64,
    /// Environment steps from one round of updates to the next. Paper: 2048; on Atari 8 times 128.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub n_steps: usize,
    /// Passes over the steps of a round. Paper: 10; on Atari 3.
    #[schemars(range(min = 1, max = 1000))]
    pub epochs: usize,
    /// Steps in a minibatch; the last one of an epoch may have fewer. Paper: 64; on Atari 256.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_size: usize,
    /// ε, how far the ratio of probabilities may move with profit. Paper: 0.2.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub clip_range: f64,
    /// Whether advantages of a minibatch are brought to mean 0 and deviation 1. Stable-Baselines3: true.
    pub normalize_advantages: bool,
    /// c_v, the weight of the value's squared error. Stable-Baselines3: 0.5; paper: 1 on Atari.
    #[schemars(range(min = 0.0))]
    pub value_weight: f64,
    /// c_e, the weight of the policy's entropy. Paper: 0; on Atari 0.01.
    #[schemars(range(min = 0.0))]
    pub entropy_weight: f64,
    /// Divergence of the policy from that of the rollout, in nats, at one and a half times of which a round ends early; none:
    /// never. Stable-Baselines3: none.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub target_kl: Option<f64>,
    /// Widths of the hidden layers of the policy, and of as many of the value, each followed by tanh; images are taken as vectors.
    /// Paper: 64, 64.
    #[schemars(length(max = 8), inner(range(min = 1, max = 16_384)))]
    pub hidden: Vec<usize>,
    /// Logarithm of the deviations of a normal policy at the start. Stable-Baselines3: 0.
    #[schemars(range(min = -20.0, max = 2.0))]
    pub initial_log_std: f64,
    /// What moves all weights. Paper: Adam, rate 0.0003; gradients of norm above 0.5 are cut off as in Stable-Baselines3.
    pub optimizer: OptimizerOptions,
}

impl Default for PpoOptions {
    fn default() -> Self {
        PpoOptions {
            discount: 0.99,
            gae_lambda: 0.95,
            n_steps: 2048,
            epochs: 10,
            batch_size: 64,
            clip_range: 0.2,
            normalize_advantages: true,
            value_weight: 0.5,
            entropy_weight: 0.0,
            target_kl: None,
            hidden: vec![64, 64],
            initial_log_std: 0.0,
            optimizer: OptimizerOptions::Adam(AdamOptions {
                learning_rate: 3e-4,
                epsilon: 1e-5,
                clip_norm: Some(0.5),
                ..AdamOptions::default()
            }),
        }
    }
}

impl Options for PpoOptions {
    fn validate(&self) -> Result<()> {
        check_widths("hidden", &self.hidden, 2)
    }
}

/// What generalized advantage estimation needs of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimated {
    /// r_t.
    pub reward: f32,
    /// V(s_t).
    pub value: f32,
    /// V(s_{t+1}), of the final observation where the episode was cut off; it counts nothing where it terminated.
    pub next_value: f32,
    /// The episode ended in the environment's own terms.
    pub terminated: bool,
    /// The next step is not of this episode: it terminated or was cut off.
    pub ended: bool,
}

/// A_t = δ_t + γ λ (1 - ended_t) A_{t+1} of successive steps, with A = 0 after the last; `[n]`.
pub fn generalized_advantages(steps: &[Estimated], discount: f64, lambda: f64, advantages: &mut Vec<f32>) {
    advantages.clear();
    advantages.resize(steps.len(), 0.0);
    let mut later = 0.0;
    for (advantage, step) in advantages.iter_mut().zip(steps).rev() {
        let bootstrap = if step.terminated { 0.0 } else { discount * f64::from(step.next_value) };
        let delta = f64::from(step.reward) + bootstrap - f64::from(step.value);
        later = delta + if step.ended { 0.0 } else { discount * lambda * later };
        *advantage = later as f32;
    }
}

/// -min( ρ A, clip(ρ, 1 - ε, 1 + ε) A ), averaged, with ρ = exp(log π - log π_old); all `[batch]`.
pub fn clipped_surrogate<'g>(
    log_probability: Tensor<'g, f32>,
    old: Tensor<'g, f32>,
    advantages: Tensor<'g, f32>,
    clip_range: f64,
) -> Tensor<'g, f32> {
    let ratio = (log_probability - old).exp();
    let clipped = ratio.clamp(1.0 - clip_range, 1.0 + clip_range);
    -(ratio * advantages).minimum(clipped * advantages).mean()
}

/// Brings `advantages` to mean 0 and sample deviation 1; fewer than two are left alone.
pub fn normalize(advantages: &mut [f32]) {
    let count = advantages.len() as f64;
    if count < 2.0 {
        return;
    }
    let mean = advantages.iter().map(|&a| f64::from(a)).sum::<f64>() / count;
    let square = advantages.iter().map(|&a| (f64::from(a) - mean).powi(2)).sum::<f64>();
    let deviation = (square / (count - 1.0)).sqrt() + DEVIATION_FLOOR;
    advantages.iter_mut().for_each(|a| *a = ((f64::from(*a) - mean) / deviation) as f32);
}

/// What actions are drawn from.
#[derive(Debug, Clone)]
enum Head {
    /// Softmax of the policy's outputs.
    Softmax,
    /// Normal around the policy's outputs, with these log-deviations; the environment sees actions within the bounds.
    Normal { log_std: View, low: Vec<f32>, high: Vec<f32> },
}

/// Policy and value: two perceptrons with tanh on the same observation.
#[derive(Debug, Clone)]
struct Networks {
    policy: Mlp,
    value: Mlp,
    head: Head,
}

impl Networks {
    /// Registers the weights: orthogonal, √2 in hidden layers, 0.01 for actions, 1 for values, biases 0.
    fn new(params: &mut Params<f32>, task: &Task, options: &PpoOptions, rng: &mut Rng) -> Self {
        let network = |params: &mut Params<f32>, name, outputs, gain, rng: &mut Rng| {
            let mut sizes = vec![task.observation.size()];
            sizes.extend(&options.hidden);
            sizes.push(outputs);
            let config = MlpConfig {
                sizes,
                activation: Activation::Tanh,
                hidden_init: Init::Orthogonal { gain: std::f64::consts::SQRT_2 },
                output_init: Init::Orthogonal { gain },
                bias_init: Some(Init::Zeros),
                ..MlpConfig::default()
            };
            Mlp::new(params, name, &config, rng)
        };
        let outputs = task.action.discrete_n().unwrap_or(task.action.size());
        let policy = network(params, "policy", outputs, 0.01, rng);
        let value = network(params, "value", 1, 1.0, rng);
        let head = match &task.action {
            Space::Discrete { .. } => Head::Softmax,
            Space::Box { low, high, .. } => {
                let start = Init::Constant { value: options.initial_log_std };
                let log_std = params.add("log_std", &[outputs], start, rng);
                Head::Normal { log_std, low: low.clone(), high: high.clone() }
            }
        };
        Networks { policy, value, head }
    }

    /// log π(a|s) of a batch, and the entropy of π(·|s), both `[batch]`. `actions` are numbers of discrete actions, `[batch]`, or
    /// vectors as drawn, `[batch, d]`.
    fn log_probabilities<'g>(
        &self,
        graph: Graph<'g, f32>,
        params: &'g Params<f32>,
        observations: Tensor<'g, f32>,
        actions: &[f32],
        choices: &mut Vec<u32>,
    ) -> (Tensor<'g, f32>, Tensor<'g, f32>) {
        let outputs = self.policy.forward(graph, params, observations);
        let batch = outputs.size(-2);
        let (log_probability, entropy) = match &self.head {
            Head::Softmax => {
                choices.clear();
                choices.extend(actions.iter().map(|&action| action as u32));
                let distribution = Categorical::new(outputs);
                (distribution.log_prob(choices), distribution.entropy())
            }
            Head::Normal { log_std, .. } => {
                let distribution = Normal::new(outputs, graph.param(params, *log_std));
                (distribution.log_prob(graph.constant(outputs.shape(), actions)), distribution.entropy())
            }
        };
        (log_probability.reshape(&[batch]), entropy.reshape(&[batch]))
    }
}

/// The steps of a round so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Rollout {
    /// `[n, observation]`.
    observations: Vec<f32>,
    /// As drawn, `[n, action]`.
    actions: Vec<f32>,
    rewards: Vec<f32>,
    terminated: Vec<bool>,
    /// Terminated or cut off.
    ended: Vec<bool>,
    /// Observations after steps whose episodes were cut off, in their order, `[cuts, observation]`.
    beyond: Vec<f32>,
}

impl Rollout {
    fn clear(&mut self) {
        for numbers in [&mut self.observations, &mut self.actions, &mut self.rewards, &mut self.beyond] {
            numbers.clear();
        }
        self.terminated.clear();
        self.ended.clear();
    }
}

/// The learner.
pub struct Ppo {
    options: PpoOptions,
    networks: Networks,
    learned: Learned,
    optimizer: Box<dyn Optimizer>,
    workspace: Workspace,
}

/// What changes while learning, apart from the optimizer.
#[derive(Serialize, Deserialize)]
struct Learned {
    params: Params<f32>,
    rollout: Rollout,
    /// The action drawn last, before the environment's bounds.
    drawn: Vec<f32>,
    /// Draws actions.
    acting: Rng,
    /// Shuffles.
    updating: Rng,
    loss_sum: f64,
    losses: u64,
}

struct Workspace {
    tape: Tape<f32>,
    scratch: Scratch<f32>,
    gradient: Vec<f32>,
    /// log π_old(a|s), V(s), A, and the targets A + V of the round, `[n]`.
    old: Vec<f32>,
    values: Vec<f32>,
    advantages: Vec<f32>,
    returns: Vec<f32>,
    steps: Vec<Estimated>,
    order: Vec<usize>,
    batch: Minibatch,
    choices: Vec<u32>,
}

/// Rows of a round, gathered.
#[derive(Default)]
struct Minibatch {
    observations: Vec<f32>,
    actions: Vec<f32>,
    old: Vec<f32>,
    advantages: Vec<f32>,
    returns: Vec<f32>,
}

/// Gathers rows of `width` numbers.
fn gather(from: &[f32], width: usize, rows: &[usize], to: &mut Vec<f32>) {
    to.clear();
    rows.iter().for_each(|row| to.extend_from_slice(&from[row * width..][..width]));
}

impl Ppo {
    /// log π_old, values, advantages and their targets of the round, whose last observation led to `next`.
    fn estimate(&mut self, next: &[f32]) {
        let Ppo { options, networks, learned, workspace, .. } = self;
        let Workspace { tape, scratch, old, values, advantages, returns, steps, choices, .. } = workspace;
        let Learned { params, rollout, .. } = learned;
        let (n, size) = (rollout.rewards.len(), next.len());
        let graph = tape.graph();
        graph.no_grad(|| {
            let observations = graph.constant(&[1, n, size], &rollout.observations);
            let (log_probability, _) =
                networks.log_probabilities(graph, params, observations, &rollout.actions, choices);
            old.clear();
            old.extend_from_slice(log_probability.data());
            values.clear();
            values.extend_from_slice(networks.value.forward(graph, params, observations).data());
        });
        let mut beyond = rollout.beyond.chunks_exact(size);
        let mut value = |observation: &[f32]| networks.value.infer(params, observation, scratch)[0];
        steps.clear();
        for row in 0..n {
            let (terminated, ended) = (rollout.terminated[row], rollout.ended[row]);
            let next_value = match (terminated, ended) {
                (true, _) => 0.0,
                (false, true) => value(beyond.next().expect("a cut leaves its final observation")),
                (false, false) if row + 1 == n => value(next),
                (false, false) => values[row + 1],
            };
            let reward = rollout.rewards[row];
            steps.push(Estimated { reward, value: values[row], next_value, terminated, ended });
        }
        generalized_advantages(steps, options.discount, options.gae_lambda, advantages);
        returns.clear();
        returns.extend(advantages.iter().zip(&*values).map(|(advantage, value)| advantage + value));
    }

    /// Epochs of minibatches on the round, which is then forgotten.
    fn update(&mut self) -> Result<()> {
        let n = self.learned.rollout.rewards.len();
        self.workspace.order.clear();
        self.workspace.order.extend(0..n);
        'round: for _ in 0..self.options.epochs {
            self.workspace.order.shuffle(&mut self.learned.updating);
            for start in (0..n).step_by(self.options.batch_size) {
                if !self.step(start..(start + self.options.batch_size).min(n))? {
                    break 'round;
                }
            }
        }
        self.learned.rollout.clear();
        Ok(())
    }

    /// One step on the minibatch at these places of the order; false, and no step, if the policy has moved too far.
    fn step(&mut self, places: std::ops::Range<usize>) -> Result<bool> {
        let Ppo { options, networks, learned, workspace, optimizer } = self;
        let Workspace { tape, gradient, old, advantages, returns, order, batch, choices, .. } = workspace;
        let Learned { params, rollout, loss_sum, losses, .. } = learned;
        let rows = &order[places];
        let size = rows.len();
        let observation = networks.policy.sizes()[0];
        gather(&rollout.observations, observation, rows, &mut batch.observations);
        gather(&rollout.actions, rollout.actions.len() / order.len(), rows, &mut batch.actions);
        gather(old, 1, rows, &mut batch.old);
        gather(advantages, 1, rows, &mut batch.advantages);
        gather(returns, 1, rows, &mut batch.returns);
        if options.normalize_advantages {
            normalize(&mut batch.advantages);
        }

        let graph = tape.graph();
        let observations = graph.constant(&[1, size, observation], &batch.observations);
        let (log_probability, entropy) =
            networks.log_probabilities(graph, params, observations, &batch.actions, choices);
        let old = graph.constant(&[size], &batch.old);
        if let Some(target) = options.target_kl {
            // (ρ - 1) - log ρ has the divergence as its mean, and is never negative.
            let moved = log_probability.data().iter().zip(&batch.old).map(|(now, old)| f64::from(now - old));
            let divergence = moved.map(|log_ratio| log_ratio.exp_m1() - log_ratio).sum::<f64>() / size as f64;
            if divergence > DIVERGENCE_SLACK * target {
                return Ok(false);
            }
        }
        let advantages = graph.constant(&[size], &batch.advantages);
        let surrogate = clipped_surrogate(log_probability, old, advantages, options.clip_range);
        let value = networks.value.forward(graph, params, observations).reshape(&[size]);
        let error = (value - graph.constant(&[size], &batch.returns)).square().mean();
        let loss = surrogate + error * options.value_weight - entropy.mean() * options.entropy_weight;
        let cost = f64::from(loss.item());
        if !cost.is_finite() {
            return Err(Error::Diverged(format!("the loss is {cost}")));
        }
        loss.gradient(params, gradient);
        optimizer.step(params.data_mut(), gradient);
        *loss_sum += cost;
        *losses += 1;
        Ok(true)
    }
}

impl Learner for Ppo {
    type Options = PpoOptions;

    const ABOUT: About = About {
        name: "ppo",
        summary: "Actor-critic on fresh steps only, with a clipped surrogate that allows many updates on each batch",
        when: "When environment steps are cheap and little should have to be tuned. Methods with replay make more of each step.",
        wing: "rl",
        family: "actor_critic",
        paper: None,
        is_baseline: true,
        tuned: include_str!("ppo.toml"),
    };

    const ACTIONS: Actions = Actions::Any;

    fn new(task: &Task, options: PpoOptions) -> Result<Self> {
        options::check(&options)?;
        let mut params = Params::new();
        let networks = Networks::new(&mut params, task, &options, &mut task.seeds.stream("network"));
        let rounds = task.budget / options.n_steps as u64;
        let updates = rounds * options.epochs as u64 * options.n_steps.div_ceil(options.batch_size) as u64;
        let tape = Tape::new(task.threads);
        let setting = OptimizerSetting::new(task.seeds.child("optimizer"))
            .with_steps(updates.max(1))
            .with_pool(tape.pool());
        Ok(Ppo {
            optimizer: options.optimizer.build(&layout(&params), &setting)?,
            workspace: Workspace {
                tape,
                scratch: Scratch::new(),
                gradient: vec![0.0; params.len()],
                old: Vec::new(),
                values: Vec::new(),
                advantages: Vec::new(),
                returns: Vec::new(),
                steps: Vec::new(),
                order: Vec::new(),
                batch: Minibatch::default(),
                choices: Vec::new(),
            },
            learned: Learned {
                params,
                rollout: Rollout::default(),
                drawn: vec![0.0; task.action.size()],
                acting: task.seeds.stream("acting"),
                updating: task.seeds.stream("updating"),
                loss_sum: 0.0,
                losses: 0,
            },
            networks,
            options,
        })
    }
}

impl Agent for Ppo {
    fn act(&mut self, observation: &[f32], action: &mut [f32]) {
        let Learned { params, drawn, acting, .. } = &mut self.learned;
        let outputs = self.networks.policy.infer(params, observation, &mut self.workspace.scratch);
        match &self.networks.head {
            Head::Softmax => drawn[0] = sample_categorical(outputs, acting) as f32,
            Head::Normal { log_std, .. } => {
                for ((drawn, mean), log_std) in drawn.iter_mut().zip(outputs).zip(params.view(*log_std)) {
                    let noise: f32 = StandardNormal.sample(acting);
                    *drawn = mean + log_std.exp() * noise;
                }
            }
        }
        action.copy_from_slice(drawn);
        self.networks.head.within_bounds(action);
    }

    /// The likeliest action. Its value is V(s), of the policy with its randomness.
    fn act_greedily(&mut self, observation: &[f32], _rng: &mut Rng, action: &mut [f32]) -> Option<f64> {
        let Workspace { scratch, .. } = &mut self.workspace;
        let outputs = self.networks.policy.infer(&self.learned.params, observation, scratch);
        match &self.networks.head {
            Head::Softmax => action[0] = argmax(outputs) as f32,
            Head::Normal { .. } => action.copy_from_slice(outputs),
        }
        self.networks.head.within_bounds(action);
        Some(f64::from(self.networks.value.infer(&self.learned.params, observation, scratch)[0]))
    }

    fn discount(&self) -> f64 {
        self.options.discount
    }

    fn observe(&mut self, transition: &Transition<'_>, step: u64, trace: &mut Trace) -> Result<()> {
        let Learned { rollout, drawn, .. } = &mut self.learned;
        rollout.observations.extend_from_slice(transition.observation);
        rollout.actions.extend_from_slice(drawn);
        rollout.rewards.push(transition.reward);
        rollout.terminated.push(transition.terminated);
        rollout.ended.push(transition.terminated || transition.truncated);
        if transition.truncated && !transition.terminated {
            rollout.beyond.extend_from_slice(transition.next_observation);
        }
        if rollout.rewards.len() == self.options.n_steps {
            self.estimate(transition.next_observation);
            self.update()?;
        }
        let learned = &mut self.learned;
        if step.is_multiple_of(1000) && learned.losses > 0 {
            trace.record(step, "loss", learned.loss_sum / learned.losses as f64);
            (learned.loss_sum, learned.losses) = (0.0, 0);
        }
        Ok(())
    }

    fn save(&self) -> Vec<u8> {
        state::encode("ppo", &(&self.learned, self.optimizer.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (learned, optimizer): (Learned, Vec<u8>) = state::decode("ppo", saved)?;
        let (steps, own) = (learned.rollout.rewards.len(), &self.learned);
        let fits = layout(&learned.params) == layout(&own.params)
            && learned.drawn.len() == own.drawn.len()
            && steps < self.options.n_steps
            && learned.rollout.observations.len() == steps * self.networks.policy.sizes()[0];
        if !fits {
            return Err(Error::Resume("the saved learner has other options".into()));
        }
        self.optimizer.restore(&optimizer)?;
        self.learned = learned;
        Ok(())
    }

    fn policy(&self) -> BTreeMap<String, Vec<u8>> {
        let norms = self.optimizer.gradient_norms();
        let norms = norms.map(|norms| (NORMS_FILE.to_owned(), norms.to_csv().into_bytes()));
        [(WEIGHTS.to_owned(), self.learned.params.to_safetensors())].into_iter().chain(norms).collect()
    }

    fn load_policy(&mut self, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
        let missing = || Error::Failed(format!("the artefact has no {WEIGHTS}"));
        self.learned.params.load_safetensors(files.get(WEIGHTS).ok_or_else(missing)?)
    }
}

impl Head {
    /// Cuts a drawn action off at the bounds of the box.
    fn within_bounds(&self, action: &mut [f32]) {
        if let Head::Normal { low, high, .. } = self {
            let bounds = low.iter().zip(high);
            action.iter_mut().zip(bounds).for_each(|(value, (low, high))| *value = value.clamp(*low, *high));
        }
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::*;

    fn close(left: &[f32], right: &[f32], by: f32) -> bool {
        left.len() == right.len() && left.iter().zip(right).all(|(a, b)| (a - b).abs() <= by)
    }

    fn step(reward: f32, value: f32, next_value: f32, terminated: bool, ended: bool) -> Estimated {
        Estimated { reward, value, next_value, terminated, ended }
    }

    /// γ = 1/2, λ = 1/2: δ = 1 + 2/2 - 1 = 1, 2 + 4/2 - 2 = 2, 3 - 4 = -1 (terminated), 1 + 6/2 - 2 = 2 (cut off),
    /// 5 + 2/2 - 3 = 3; A = 1 + (2 - 1/4)/4 = 1.4375, 2 - 1/4 = 1.75, -1, 2, 3.
    #[test]
    fn advantages_by_hand() {
        let steps = [
            step(1.0, 1.0, 2.0, false, false),
            step(2.0, 2.0, 4.0, false, false),
            step(3.0, 4.0, 9.0, true, true),
            step(1.0, 2.0, 6.0, false, true),
            step(5.0, 3.0, 2.0, false, false),
        ];
        let mut advantages = Vec::new();
        generalized_advantages(&steps, 0.5, 0.5, &mut advantages);
        assert_eq!(advantages, [1.4375, 1.75, -1.0, 2.0, 3.0]);
    }

    /// With λ = 1 advantage plus value is the discounted return; with λ = 0 it is one step and the value after it.
    #[test]
    fn lambda_reaches_from_one_step_to_the_return() {
        let steps = [
            step(1.0, 0.5, -0.25, false, false),
            step(2.0, -0.25, 0.75, false, false),
            step(4.0, 0.75, 0.0, true, true),
        ];
        let mut advantages = Vec::new();
        generalized_advantages(&steps, 0.5, 1.0, &mut advantages);
        // 1 + 2/2 + 4/4, 2 + 4/2, 4.
        let returns: Vec<f32> = advantages.iter().zip(&steps).map(|(a, step)| a + step.value).collect();
        assert_eq!(returns, [3.0, 4.0, 4.0]);
        generalized_advantages(&steps, 0.5, 0.0, &mut advantages);
        assert_eq!(advantages, [1.0 - 0.125 - 0.5, 2.0 + 0.375 + 0.25, 3.25]);
    }

    /// ε = 0.2. Ratios 1.1, 1.5, 0.5, 1.5, 0.5 with advantages 1, 1, 1, -1, -1: the terms are 1.1, 1.2 (clipped), 0.5, -1.5, -0.8
    /// (clipped). Where the minimum is not clipped, d(-mean)/d log π = -ρ A / 5, else 0.
    #[test]
    fn the_clipped_surrogate_and_its_gradient_by_hand() {
        let mut tape = Tape::new(1);
        let graph = tape.graph();
        let (ratios, gains) = ([1.1_f32, 1.5, 0.5, 1.5, 0.5], [1.0_f32, 1.0, 1.0, -1.0, -1.0]);
        let old = graph.constant(&[5], &[-0.7; 5]);
        let log: Vec<f32> = ratios.iter().map(|ratio| ratio.ln() - 0.7).collect();
        let log = graph.variable(&[5], &log);
        let loss = clipped_surrogate(log, old, graph.constant(&[5], &gains), 0.2);
        assert!((loss.item() + (1.1 + 1.2 + 0.5 - 1.5 - 0.8) / 5.0).abs() < 1e-6, "{}", loss.item());
        let [gradient] = loss.grad(&[log]);
        assert!(close(gradient.data(), &[-0.22, 0.0, -0.1, 0.3, 0.0], 1e-6), "{:?}", gradient.data());
    }

    #[test]
    fn normalized_advantages_have_mean_zero_and_deviation_one() {
        let mut advantages = [1.0, 2.0, 6.0];
        normalize(&mut advantages);
        // Mean 3, sample variance 7.
        let root = 7.0_f32.sqrt();
        assert!(close(&advantages, &[-2.0 / root, -1.0 / root, 3.0 / root], 1e-6));
        let mut one = [5.0];
        normalize(&mut one);
        assert_eq!(one, [5.0]);
    }

    fn task(action: Space) -> Task {
        Task {
            observation: Space::uniform(-1.0, 1.0, &[3]),
            action,
            budget: 100,
            threads: 1,
            seeds: Seeds::new(5),
        }
    }

    fn options(n_steps: usize) -> PpoOptions {
        PpoOptions { n_steps, batch_size: 4, epochs: 2, hidden: vec![8], ..PpoOptions::default() }
    }

    fn observation(at: u64) -> [f32; 3] {
        [0.3_f32, 0.7, 1.1].map(|pace| (at as f32 * pace).sin())
    }

    /// What step `at` leads to: the next observation, or a final one that nothing else shows.
    fn led_to(at: u64) -> [f32; 3] {
        observation(if at % 5 == 4 { at + 1000 } else { at + 1 })
    }

    /// Plays `steps` steps of a made-up task that is cut off at every fifth step and ends at every eleventh.
    fn play(ppo: &mut Ppo, from: u64, steps: u64) -> Vec<f32> {
        let size = ppo.learned.drawn.len();
        let mut actions = Vec::new();
        for at in from..from + steps {
            let mut action = vec![0.0; size];
            ppo.act(&observation(at), &mut action);
            let transition = Transition {
                observation: &observation(at),
                action: &action,
                reward: action[0],
                steps: 1,
                next_observation: &led_to(at),
                terminated: at % 11 == 10,
                truncated: at % 5 == 4,
            };
            ppo.observe(&transition, at + 1, &mut Trace::new()).unwrap();
            actions.extend(action);
        }
        actions
    }

    #[test]
    fn a_learner_saved_amid_a_rollout_goes_on_alike() {
        for action in [Space::Discrete { n: 3 }, Space::uniform(-0.5, 0.5, &[2])] {
            let mut whole = Ppo::new(&task(action.clone()), options(16)).unwrap();
            play(&mut whole, 0, 23);
            let mut resumed = Ppo::new(&task(action.clone()), options(16)).unwrap();
            resumed.restore(&whole.save()).unwrap();
            assert_eq!(resumed.learned.rollout.rewards.len(), 7);
            assert_eq!(play(&mut whole, 23, 30), play(&mut resumed, 23, 30));
            assert_eq!(whole.save(), resumed.save());
            let mut shorter = Ppo::new(&task(action), options(4)).unwrap();
            assert!(shorter.restore(&whole.save()).is_err());
        }
    }

    /// The values that the advantages of a round are made of: of the next row, of the final observation of a cut, of the observation
    /// after the round, none after an end.
    #[test]
    fn a_round_bootstraps_from_what_followed() {
        let task = task(Space::Discrete { n: 2 });
        let mut ppo = Ppo::new(&task, options(100)).unwrap();
        play(&mut ppo, 0, 14);
        ppo.estimate(&led_to(13));
        let steps = ppo.workspace.steps.clone();
        for (at, step) in steps.iter().enumerate() {
            let value =
                ppo.act_greedily(&led_to(at as u64), &mut task.seeds.stream("evaluation"), &mut [0.0]);
            let expected = value.unwrap() as f32;
            if at == 10 {
                assert!(step.terminated && step.ended && step.next_value == 0.0);
            } else {
                assert!((step.next_value - expected).abs() < 1e-6, "{at}");
            }
            assert_eq!(step.ended, at == 10 || at % 5 == 4);
        }
        let old = ppo.workspace.old.clone();
        // Nearly uniform at the start, since the last layer starts near 0.
        assert!(old.iter().all(|log| (log + std::f32::consts::LN_2).abs() < 0.05), "{old:?}");
    }

    /// An action outside the box is learned from as it was drawn, and played within the bounds.
    #[test]
    fn the_environment_sees_actions_within_the_bounds() {
        let action = Space::uniform(-0.1, 0.1, &[2]);
        let mut ppo = Ppo::new(&task(action), options(100)).unwrap();
        let actions = play(&mut ppo, 0, 50);
        assert!(actions.iter().all(|value| value.abs() <= 0.1));
        let drawn = &ppo.learned.rollout.actions;
        // P(|N(0, 1)| > 1) = 0.317, of 100.
        let far = drawn.iter().filter(|value| value.abs() > 1.0).count();
        assert!((15..50).contains(&far), "{far}");
    }

    /// More of the action that pays more; a bandit with one state.
    #[test]
    fn the_better_of_two_actions_is_learned() {
        let options = PpoOptions { optimizer: OptimizerOptions::adam(0.01), ..options(32) };
        let mut ppo = Ppo::new(&task(Space::Discrete { n: 2 }), options).unwrap();
        play(&mut ppo, 0, 32 * 20);
        let late = play(&mut ppo, 32 * 20, 32);
        assert!(late.iter().sum::<f32>() > 28.0, "{late:?}");
    }

    #[test]
    fn a_round_ends_early_where_the_policy_has_moved_too_far() {
        let updates = |target_kl| {
            let options = PpoOptions { target_kl, optimizer: OptimizerOptions::adam(0.1), ..options(32) };
            let mut ppo = Ppo::new(&task(Space::Discrete { n: 2 }), options).unwrap();
            play(&mut ppo, 0, 32);
            ppo.optimizer.steps()
        };
        assert_eq!(updates(None), 2 * 8);
        assert!((1..8).contains(&updates(Some(1e-4))));
    }
}

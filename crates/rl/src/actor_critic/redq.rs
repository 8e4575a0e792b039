//! REDQ: randomized ensembled double Q-learning, many updates a step without a model (Chen et al. 2021).
//!
//! A soft actor-critic that makes G critic updates per environment step. What keeps so many updates from blowing the values
//! up is an ensemble of N critics whose common target takes the minimum over a random subset I of M of them:
//!
//! > y = r + γ (1 - terminated) [ min_{i ∈ I} Q_i(s', a'; φ⁻_i) - α log π(a'|s') ],  a' ~ π(·|s')
//!
//! The subset is drawn once per update. The policy, updated once every `policy_delay` updates, climbs the mean of all N:
//!
//! > loss = mean [ α log π(a|s) - 1/N Σ_i Q_i(s, a) ]
//!
//! and log α is moved so that the entropy stays at its target. Every target critic follows its critic by Polyak averaging
//! after every update. Gradients of critics, policy and temperature are taken before any of them steps, as in the official
//! code. Other targets of the paper are options: the mean of all critics, a random convex combination for each sample (REM), the
//! minimum of all (Maxmin).
//!
//! Source: X. Chen, C. Wang, Z. Zhou & K. Ross, *Randomized ensembled double Q-learning: learning fast without a model*,
//! ICLR 2021, arXiv:2101.05982, algorithm 1. Critics see actions in [-1, 1]^d, not scaled to the environment's box.
//!
//! Pick it when environment steps are expensive and computing is not.

use std::collections::BTreeMap;

use quire_core::{About, Error, Options, Paper, Result, Rng, Trace, options, state};
use quire_nn::{Graph, Mlp, Params, Scratch, Tape, Tensor};
use quire_optim::{Layout, NORMS_FILE, Optimizer, OptimizerOptions, OptimizerSetting};
use rand::RngExt;
use rand::seq::index::sample;
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::{ActionScale, TanhGaussianPolicy, forward_member, xavier};
use crate::agent::{Actions, Agent, Learner, Task};
use crate::network::{check_widths, layout};
use crate::replay::{Batch, Precision, Replay, Transition};

/// Artefact files: the policy's weights and the critics'.
const POLICY: &str = "policy.safetensors";
const CRITICS: &str = "critics.safetensors";

/// Options of `redq`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedqOptions {
    /// Discount factor per environment step. Paper: 0.99.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub discount: f64,
    /// Transitions kept for replay. Paper: 1,000,000.
    #[schemars(range(min = 1))]
    pub replay_capacity: usize,
    /// First environment steps, taken at random and without updates. Paper: 5000.
    pub random_steps: u64,
    /// Critic updates G per environment step. Paper: 20.
    #[schemars(range(min = 1))]
    pub updates_per_step: u32,
    /// Critic updates from one policy update to the next. Paper: 20.
    #[schemars(range(min = 1))]
    pub policy_delay: u32,
    /// Transitions in a batch. Paper: 256.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_size: usize,
    /// Critics N. Paper: 10.
    #[schemars(range(min = 1, max = 1024))]
    pub critics: usize,
    /// Size M of the subset in the target; m + p means m + 1 with probability p, else m. Paper: 2.
    #[schemars(range(min = 1.0))]
    pub subset: f64,
    /// How critics make the target.
    pub target: Target,
    /// What the policy climbs.
    pub policy_value: PolicyValue,
    /// Weight of the new critic in each Polyak average. Paper: 0.005.
    #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
    pub polyak: f64,
    /// Widths of the hidden layers of policy and critics. Paper: 256, 256.
    #[schemars(inner(range(min = 1, max = 16_384)))]
    pub hidden: Vec<usize>,
    /// Entropy that the temperature aims at; none is minus the number of action dimensions, as in the paper for most tasks.
    pub target_entropy: Option<f64>,
    /// What moves policy, critics and temperature. Paper: Adam, rate 0.0003.
    pub optimizer: OptimizerOptions,
}

/// How the target critics are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The minimum over a random subset of M: REDQ.
    SubsetMinimum,
    /// The mean of all N.
    Mean,
    /// A random convex combination of all N for each sample: REM.
    RandomMixture,
    /// The minimum of all N: Maxmin.
    Minimum,
}

/// What the policy climbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyValue {
    /// The mean of all critics: REDQ.
    Mean,
    /// The minimum of all critics: SAC.
    Minimum,
}

impl Default for RedqOptions {
    fn default() -> Self {
        RedqOptions {
            discount: 0.99,
            replay_capacity: 1_000_000,
            random_steps: 5_000,
            updates_per_step: 20,
            policy_delay: 20,
            batch_size: 256,
            critics: 10,
            subset: 2.0,
            target: Target::SubsetMinimum,
            policy_value: PolicyValue::Mean,
            polyak: 0.005,
            hidden: vec![256, 256],
            target_entropy: None,
            optimizer: OptimizerOptions::adam(3e-4),
        }
    }
}

impl Options for RedqOptions {
    fn validate(&self) -> Result<()> {
        check_widths("hidden", &self.hidden, self.critics)?;
        if self.target == Target::SubsetMinimum && self.subset > self.critics as f64 {
            let problem =
                format!("must be at most the number of critics, {}; got {}", self.critics, self.subset);
            return Err(Error::option("subset", problem));
        }
        Ok(())
    }
}

/// The learner.
pub struct Redq {
    options: RedqOptions,
    scale: ActionScale,
    target_entropy: f64,
    policy: TanhGaussianPolicy,
    critic: Mlp,
    learned: Learned,
    policy_optimizer: Box<dyn Optimizer>,
    critic_optimizer: Box<dyn Optimizer>,
    temperature_optimizer: Box<dyn Optimizer>,
    workspace: Workspace,
}

/// What changes while learning, apart from the optimizers.
#[derive(Serialize, Deserialize)]
struct Learned {
    policy: Params<f32>,
    critics: Params<f32>,
    targets: Params<f32>,
    /// log α, one number.
    log_temperature: Vec<f32>,
    replay: Replay,
    /// Draws actions while learning.
    acting: Rng,
    /// Draws batches, subsets and the noise of updates.
    updating: Rng,
    steps: u64,
    updates: u64,
    loss_sum: f64,
    losses: u64,
}

struct Workspace {
    tape: Tape<f32>,
    scratch: Scratch<f32>,
    batch: Batch,
    noise: Vec<f32>,
    inputs: Vec<f32>,
    y: Vec<f32>,
    unit: Vec<f32>,
    policy_gradient: Vec<f32>,
    critic_gradient: Vec<f32>,
}

/// The subset I: M distinct indices below `critics`, where M = m + p is m + 1 with probability p, else m.
pub(crate) fn draw_subset(subset: f64, critics: usize, rng: &mut Rng) -> Vec<usize> {
    let extra = subset.fract() > 0.0 && rng.random::<f64>() < subset.fract();
    let size = (subset as usize + usize::from(extra)).min(critics);
    sample(rng, critics, size).into_vec()
}

/// y = r + γ (1 - terminated) [ value - α log π ]; all `[batch]`.
pub fn soft_targets(
    rewards: &[f32],
    terminated: &[f32],
    values: &[f32],
    log_density: &[f32],
    discount: f32,
    temperature: f32,
    targets: &mut [f32],
) {
    for (index, target) in targets.iter_mut().enumerate() {
        let soft_value = values[index] - temperature * log_density[index];
        *target = rewards[index] + discount * (1.0 - terminated[index]) * soft_value;
    }
}

/// Rows of observation and action side by side, `[batch, observation + action]`.
fn join(observations: &[f32], actions: &[f32], batch: usize, joined: &mut Vec<f32>) {
    joined.clear();
    let rows = observations
        .chunks_exact(observations.len() / batch)
        .zip(actions.chunks_exact(actions.len() / batch));
    for (observation, action) in rows {
        joined.extend_from_slice(observation);
        joined.extend_from_slice(action);
    }
}

/// The value the target is made of, `[batch]`.
fn combine<'g>(
    options: &RedqOptions,
    critic: &Mlp,
    graph: Graph<'g, f32>,
    targets: &'g Params<f32>,
    x: Tensor<'g, f32>,
    rng: &mut Rng,
) -> &'g [f32] {
    let batch = x.shape()[1];
    let all = || critic.forward(graph, targets, x).reshape(&[options.critics, batch]);
    match options.target {
        Target::SubsetMinimum => {
            let subset = draw_subset(options.subset, options.critics, rng);
            let members = subset.iter().map(|&member| forward_member(critic, member, graph, targets, x));
            members.reduce(Tensor::minimum).expect("a subset holds at least one critic").data()
        }
        Target::Mean => all().mean_axis(0, false).data(),
        Target::Minimum => minimum_of_all(all()).data(),
        Target::RandomMixture => {
            let weights = graph.constant_with(&[options.critics, batch], |weights| {
                weights.iter_mut().for_each(|weight| *weight = rng.random());
            });
            ((all() * weights).sum_axis(0, false) / weights.sum_axis(0, false)).data()
        }
    }
}

/// The minimum over the first axis: `[N, batch] -> [1, batch]`.
fn minimum_of_all(values: Tensor<'_, f32>) -> Tensor<'_, f32> {
    let rows = (0..values.shape()[0]).map(|row| values.slice(0, row..row + 1));
    rows.reduce(Tensor::minimum).expect("at least one critic")
}

impl Redq {
    /// One update; the policy and the temperature join in if `with_policy`.
    fn update(&mut self, with_policy: bool) -> Result<()> {
        let Redq { options, learned, workspace, policy, critic, .. } = self;
        let Workspace { tape, batch, noise, inputs, y, policy_gradient, critic_gradient, .. } = workspace;
        let temperature = learned.log_temperature[0].exp();
        let size = options.batch_size;

        // The target: a' ~ π(·|s'), the value of the chosen target critics, minus α log π.
        learned.replay.sample(size, &mut learned.updating, batch);
        draw_noise(noise, &mut learned.updating);
        let graph = tape.graph();
        graph.no_grad(|| {
            let next = policy.draw(graph, &learned.policy, &batch.next_observations, noise);
            join(&batch.next_observations, next.actions.data(), size, inputs);
            let x = graph.constant(&[1, size, critic.sizes()[0]], inputs);
            let values = combine(options, critic, graph, &learned.targets, x, &mut learned.updating);
            let log_density = next.log_density.data();
            let discount = options.discount as f32;
            soft_targets(&batch.rewards, &batch.terminated, values, log_density, discount, temperature, y);
        });

        // Every critic regresses on the same y; summed over critics, each sees its own full gradient.
        let graph = tape.graph();
        join(&batch.observations, &batch.actions, size, inputs);
        let x = graph.constant(&[1, size, critic.sizes()[0]], inputs);
        let q = critic.forward(graph, &learned.critics, x).reshape(&[options.critics, size]);
        let loss = (q - graph.constant(&[1, size], y)).square().mean() * options.critics as f64;
        let value = f64::from(loss.item()) / options.critics as f64;
        if !value.is_finite() {
            return Err(Error::Diverged(format!(
                "the critics' loss is {value} after {} steps",
                learned.steps
            )));
        }
        loss.gradient(&learned.critics, critic_gradient);
        learned.loss_sum += value;
        learned.losses += 1;

        // Policy and temperature, with the critics as they were.
        let mut temperature_gradient = [0.0];
        if with_policy {
            draw_noise(noise, &mut learned.updating);
            let graph = tape.graph();
            let drawn = policy.draw(graph, &learned.policy, &batch.observations, noise);
            let observation = batch.observations.len() / size;
            let s = graph.constant(&[1, size, observation], &batch.observations);
            let q = critic.forward(graph, &learned.critics, graph.concat(&[s, drawn.actions], -1));
            let q = q.reshape(&[options.critics, size]);
            let q = match options.policy_value {
                PolicyValue::Mean => q.mean_axis(0, true),
                PolicyValue::Minimum => minimum_of_all(q),
            };
            let loss = (drawn.log_density * f64::from(temperature) - q).mean();
            loss.gradient(&learned.policy, policy_gradient);
            // -log α (mean log π + H̄), with respect to log α.
            temperature_gradient[0] = -(drawn.log_density.mean().item() + self.target_entropy as f32);
        }

        self.critic_optimizer.step(learned.critics.data_mut(), critic_gradient);
        if with_policy {
            self.policy_optimizer.step(learned.policy.data_mut(), policy_gradient);
            self.temperature_optimizer.step(&mut learned.log_temperature, &mut temperature_gradient);
        }
        learned.targets.polyak(&learned.critics, options.polyak, workspace.tape.pool());
        Ok(())
    }
}

/// Fills `noise` with standard normal numbers.
fn draw_noise(noise: &mut [f32], rng: &mut Rng) {
    noise.iter_mut().for_each(|value| *value = StandardNormal.sample(rng));
}

impl Learner for Redq {
    type Options = RedqOptions;

    const ABOUT: About = About {
        name: "redq",
        summary: "Actor-critic with many updates a step, kept honest by minima over random subsets of an ensemble",
        when: "When environment steps are expensive and computing is not. Where steps are cheap, sac gets as far in less time.",
        wing: "rl",
        family: "actor_critic",
        paper: Some(Paper {
            slug: "redq",
            title: "Randomized Ensembled Double Q-Learning: Learning Fast Without a Model",
            arxiv: "2101.05982",
        }),
        is_baseline: false,
        tuned: include_str!("redq.toml"),
    };

    const ACTIONS: Actions = Actions::Continuous;

    fn new(task: &Task, options: RedqOptions) -> Result<Self> {
        options::check(&options)?;
        let scale = ActionScale::new(&task.action)?;
        let (observation, dimensions) = (task.observation.size(), scale.dimensions());
        let mut policy_weights = Params::new();
        let mut critics = Params::new();
        let mut initial = task.seeds.stream("network");
        let policy = TanhGaussianPolicy::new(
            &mut policy_weights,
            observation,
            dimensions,
            &options.hidden,
            &mut initial,
        );
        let config = xavier(observation + dimensions, &options.hidden, 1, options.critics);
        let critic = Mlp::new(&mut critics, "critic", &config, &mut initial);
        let rounds = task.budget.saturating_sub(options.random_steps).max(1);
        let updates = rounds * u64::from(options.updates_per_step);
        let policy_updates = updates.div_ceil(u64::from(options.policy_delay));
        let tape = Tape::new(task.threads);
        let build = |name, layout: &Layout, steps| {
            let setting =
                OptimizerSetting::new(task.seeds.child(name)).with_steps(steps).with_pool(tape.pool());
            options.optimizer.build(layout, &setting)
        };
        Ok(Redq {
            target_entropy: options.target_entropy.unwrap_or(-(dimensions as f64)),
            policy_optimizer: build("policy optimizer", &layout(&policy_weights), policy_updates)?,
            critic_optimizer: build("critic optimizer", &layout(&critics), updates)?,
            temperature_optimizer: build("temperature optimizer", &Layout::flat(1), policy_updates)?,
            workspace: Workspace {
                tape,
                scratch: Scratch::new(),
                batch: Batch::default(),
                noise: vec![0.0; options.batch_size * dimensions],
                inputs: Vec::new(),
                y: vec![0.0; options.batch_size],
                unit: vec![0.0; dimensions],
                policy_gradient: vec![0.0; policy_weights.len()],
                critic_gradient: vec![0.0; critics.len()],
            },
            learned: Learned {
                policy: policy_weights,
                targets: critics.clone(),
                critics,
                log_temperature: vec![0.0],
                replay: Replay::new(options.replay_capacity, observation, dimensions, Precision::Single),
                acting: task.seeds.stream("acting"),
                updating: task.seeds.stream("updating"),
                steps: 0,
                updates: 0,
                loss_sum: 0.0,
                losses: 0,
            },
            policy,
            critic,
            scale,
            options,
        })
    }
}

impl Agent for Redq {
    fn act(&mut self, observation: &[f32], action: &mut [f32]) {
        let learned = &mut self.learned;
        if learned.steps < self.options.random_steps {
            action.iter_mut().for_each(|value| *value = learned.acting.random_range(-1.0..1.0));
        } else {
            let noise = Some(&mut learned.acting);
            self.policy.act(&learned.policy, observation, noise, &mut self.workspace.scratch, action);
        }
        self.scale.to_environment(action);
    }

    /// Its value is the critics' mean.
    fn act_greedily(&mut self, observation: &[f32], _rng: &mut Rng, action: &mut [f32]) -> Option<f64> {
        let Workspace { scratch, inputs, .. } = &mut self.workspace;
        self.policy.act(&self.learned.policy, observation, None, scratch, action);
        join(observation, action, 1, inputs);
        self.scale.to_environment(action);
        let values = self.critic.infer(&self.learned.critics, inputs, scratch);
        Some(values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64)
    }

    fn discount(&self) -> f64 {
        self.options.discount
    }

    fn observe(&mut self, transition: &Transition<'_>, step: u64, trace: &mut Trace) -> Result<()> {
        self.scale.to_unit(transition.action, &mut self.workspace.unit);
        self.learned.replay.push(&Transition { action: &self.workspace.unit, ..*transition });
        self.learned.steps += 1;
        if self.learned.steps > self.options.random_steps {
            for _ in 0..self.options.updates_per_step {
                self.learned.updates += 1;
                self.update(self.learned.updates.is_multiple_of(u64::from(self.options.policy_delay)))?;
            }
        }
        let learned = &mut self.learned;
        if step.is_multiple_of(1000) && learned.losses > 0 {
            trace.record(step, "loss", learned.loss_sum / learned.losses as f64);
            trace.record(step, "temperature", f64::from(learned.log_temperature[0].exp()));
            (learned.loss_sum, learned.losses) = (0.0, 0);
        }
        Ok(())
    }

    fn save(&self) -> Vec<u8> {
        let optimizers = [&self.policy_optimizer, &self.critic_optimizer, &self.temperature_optimizer];
        state::encode("redq", &(&self.learned, optimizers.map(|optimizer| optimizer.save())))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (learned, optimizers): (Learned, [Vec<u8>; 3]) = state::decode("redq", saved)?;
        let alike = |a: &Params<f32>, b: &Params<f32>| layout(a) == layout(b);
        let own = &self.learned;
        if !alike(&learned.policy, &own.policy)
            || !alike(&learned.critics, &own.critics)
            || !own.replay.is_alike(&learned.replay)
        {
            return Err(Error::Resume("the saved learner has other options".into()));
        }
        self.policy_optimizer.restore(&optimizers[0])?;
        self.critic_optimizer.restore(&optimizers[1])?;
        self.temperature_optimizer.restore(&optimizers[2])?;
        self.learned = learned;
        Ok(())
    }

    fn policy(&self) -> BTreeMap<String, Vec<u8>> {
        let norms = [("policy", &self.policy_optimizer), ("critics", &self.critic_optimizer)];
        let norms = norms.into_iter().filter_map(|(name, optimizer)| {
            Some((format!("{name}-{NORMS_FILE}"), optimizer.gradient_norms()?.to_csv().into_bytes()))
        });
        let weights = [
            (POLICY.to_owned(), self.learned.policy.to_safetensors()),
            (CRITICS.to_owned(), self.learned.critics.to_safetensors()),
        ];
        weights.into_iter().chain(norms).collect()
    }

    fn load_policy(&mut self, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
        let file =
            |name: &str| files.get(name).ok_or_else(|| Error::Failed(format!("the artefact has no {name}")));
        self.learned.policy.load_safetensors(file(POLICY)?)?;
        self.learned.critics.load_safetensors(file(CRITICS)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quire_core::Seeds;
    use quire_env::Space;
    use quire_nn::Pool;

    fn task(observation: usize, dimensions: usize) -> Task {
        Task {
            observation: Space::uniform(-1.0, 1.0, &[observation]),
            action: Space::uniform(-2.0, 2.0, &[dimensions]),
            budget: 100,
            threads: 1,
            seeds: Seeds::new(1),
        }
    }

    /// Hopper, 11 + 3 inputs: 69,889 parameters a critic.
    #[test]
    fn critics_have_the_papers_size() {
        let redq = Redq::new(&task(11, 3), RedqOptions::default()).unwrap();
        assert_eq!(redq.learned.critics.len(), 698_890);
    }

    #[test]
    fn targets_by_hand() {
        let mut y = [0.0; 2];
        // 1 + 0.5 (4 - 0.1 * (-2)); terminated: y = r.
        soft_targets(&[1.0, 2.0], &[0.0, 1.0], &[4.0, 9.0], &[-2.0, 1.0], 0.5, 0.1, &mut y);
        assert_eq!(y, [3.1, 2.0]);
    }

    #[test]
    fn subsets_are_distinct_and_uniform_and_fractions_mix_sizes() {
        let mut rng = Seeds::new(0).stream("subset");
        let mut hits = [0; 5];
        let mut larger = 0;
        for _ in 0..10_000 {
            let subset = draw_subset(2.3, 5, &mut rng);
            larger += usize::from(subset.len() == 3);
            assert!((2..=3).contains(&subset.len()));
            let mut sorted = subset.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), subset.len());
            subset.iter().for_each(|&member| hits[member] += 1);
        }
        // Binomial(10000, 0.3): standard deviation 46; each member is in 2.3/5 of the subsets, deviation 50.
        assert!(larger.abs_diff(3000) < 230, "{larger}");
        assert!(hits.iter().all(|&hit: &i32| (hit - 4600).abs() < 250), "{hits:?}");
    }

    /// Equal true values and independent Uniform(-1, 1) errors: E[max_a min_{i ∈ I} e] = 1 - 2 Π_{k=1}^{A} k/(k + 1/M),
    /// whatever N.
    #[test]
    fn the_bias_of_the_target_is_the_closed_form_for_every_ensemble_size() {
        let mut rng = Seeds::new(4).stream("errors");
        let printed = [
            (2, 1, 0.333333),
            (2, 2, -0.066667),
            (2, 3, -0.285714),
            (10, 1, 0.818182),
            (10, 2, 0.459480),
            (10, 5, -0.145145),
        ];
        for (actions, subset_size, bias) in printed {
            let exact = 1.0
                - 2.0
                    * (1..=actions)
                        .map(|k| f64::from(k) / (f64::from(k) + 1.0 / f64::from(subset_size)))
                        .product::<f64>();
            assert!((exact - bias).abs() < 1e-6);
            for critics in [5, 20] {
                let draws = 40_000;
                let mut sum = 0.0;
                for _ in 0..draws {
                    let subset = draw_subset(f64::from(subset_size), critics, &mut rng);
                    let error =
                        |_| subset.iter().map(|_| rng.random_range(-1.0..1.0)).fold(f64::INFINITY, f64::min);
                    sum += (0..actions).map(error).fold(f64::NEG_INFINITY, f64::max);
                }
                // The standard deviation of one draw is at most 0.48: five standard errors are 0.012.
                assert!(
                    (sum / f64::from(draws) - exact).abs() < 0.012,
                    "A {actions} M {subset_size} N {critics}"
                );
            }
        }
    }

    #[test]
    fn after_k_updates_the_gap_of_the_targets_has_shrunk_by_a_power() {
        let mut redq =
            Redq::new(&task(3, 1), RedqOptions { hidden: vec![8], ..RedqOptions::default() }).unwrap();
        redq.learned.critics.data_mut().iter_mut().for_each(|weight| *weight += 1.0);
        (0..10).for_each(|_| redq.learned.targets.polyak(&redq.learned.critics, 0.005, &Pool::new(1)));
        let gap = redq.learned.critics.data()[0] - redq.learned.targets.data()[0];
        assert!((f64::from(gap) - 0.995_f64.powi(10)).abs() < 1e-5, "{gap}");
    }

    /// With M = N the subset minimum is Maxmin, and with M = N = 1 every target is the same critic.
    #[test]
    fn targets_coincide_where_they_should() {
        let values = |target, subset, critics| {
            let options = RedqOptions { hidden: vec![8], critics, subset, target, ..RedqOptions::default() };
            let redq = Redq::new(&task(3, 1), options).unwrap();
            let mut tape = Tape::new(1);
            let graph = tape.graph();
            let x = graph.constant(&[1, 2, 4], &[0.1, 0.2, 0.3, 0.4, -0.5, 0.5, 0.0, 1.0]);
            let mut rng = Seeds::new(9).stream("x");
            combine(&redq.options, &redq.critic, graph, &redq.learned.targets, x, &mut rng).to_vec()
        };
        let close = |a: Vec<f32>, b: Vec<f32>| a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(close(values(Target::SubsetMinimum, 4.0, 4), values(Target::Minimum, 1.0, 4)));
        assert!(close(values(Target::SubsetMinimum, 1.0, 1), values(Target::Mean, 1.0, 1)));
        assert!(close(values(Target::RandomMixture, 1.0, 1), values(Target::Minimum, 1.0, 1)));
    }

    #[test]
    fn a_subset_larger_than_the_ensemble_is_refused() {
        let options = RedqOptions { critics: 2, subset: 3.0, ..RedqOptions::default() };
        assert!(Redq::new(&task(3, 1), options).err().unwrap().to_string().contains("`subset`"));
    }
}

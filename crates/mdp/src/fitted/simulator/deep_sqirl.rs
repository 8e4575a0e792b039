//! Deep SQIRL: the multi-head network of SQIRL's experiments (Laidlaw et al. 2024).
//!
//! One network for all stages has k heads of A values, Q¹ to Q^k. Stage i is learned as in [`sqirl`](super::sqirl): m episodes that
//! act by what is frozen before stage i and *uniformly at random* from there on. Their transitions from stage i on are kept for
//! good, each with the return G that followed, and the network goes on training on all of them:
//!
//! > y¹ = G,  y^{j+1} = r + γ max_b Q^j(s', b), 0 beyond an end;  loss = mean over heads j of (Q^j(s, a) - y^j)² / L_j
//!
//! with L_j a running mean of the head's own squared errors, so that heads of any scale count alike; there is no target network.
//! Then π_i, greedy in Q^k, is frozen.
//!
//! Every random continuation is an unbiased return of random play from its stage on, whatever led there, so nothing is ever thrown
//! away; but the network sees no stage, and mixes returns of states that are met early and late. `stage_input` shows it the stage,
//! which is ours.
//!
//! Source: C. Laidlaw, B. Zhu, S. Russell & A. Dragan, *The effective horizon explains deep RL performance in stochastic
//! environments*, ICLR 2024, arXiv:2312.08369, and its official code, where training goes on beyond the last stage; here it ends
//! there. Of the code's options, which its experiments leave off, are here: Huber's loss and categorical heads, whose targets are
//! the laws of the head before it moved by r + γ z; frozen policies that are greedy in a running average of the weights; a first part
//! of the run in which the network is trained, but nothing frozen; and priorities that fade with every stage.

use quire_core::{About, Error, Options, Result, Rng, options, state};
use quire_nn::{Mlp, MlpConfig, Params, Scratch, Tape};
use quire_optim::{AdamOptions, GradientNorms, Layout, Optimizer, OptimizerOptions, OptimizerSetting};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sqirl::PAPER;
use super::{Learner, Method, Setting, Step, argmax};
use crate::evaluation::categorical::Atoms;

/// How much of a head's running mean loss stays at a step. Official code: 0.99.
const DECAY: f64 = 0.99;
const NONE: u32 = u32::MAX;

/// Options of `deep-sqirl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeepSqirlOptions {
    /// Looks ahead k, the number of heads. Paper: 1 to 5, tuned by problem.
    #[schemars(range(min = 1, max = 100))]
    pub lookahead: usize,
    /// Episodes m for each stage; 0 spreads the run's budget evenly over the stages. Paper: tuned by problem.
    pub episodes: usize,
    /// Discount factor γ per step. Paper: 1; on MiniGrid 0.99.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub discount: f64,
    /// Widths of the hidden layers, each followed by ReLU. Ours: two of 64; paper: that of its DQN.
    #[schemars(length(max = 8), inner(range(min = 1, max = 4096)))]
    pub hidden: Vec<usize>,
    /// Transitions kept. Official code: 1,000,000.
    #[schemars(range(min = 1))]
    pub replay_capacity: usize,
    /// Transitions in a batch. Official code: 128.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_size: usize,
    /// Passes over as many transitions as a stage's episodes have steps. Official code: 10.
    #[schemars(range(min = 1, max = 10_000))]
    pub epochs: usize,
    /// Whether each head's error is divided by its running mean. Official code: true.
    pub scale_losses: bool,
    /// What a head's error costs. Official code: squared, with the others as options.
    pub loss: HeadLoss,
    /// Atoms of a categorical head, evenly from minus to plus `greatest_value`. Ours: 51; official code: none are set.
    #[schemars(range(min = 2, max = 1000))]
    pub atoms: usize,
    /// The greatest atom of a categorical head, in units of return. Official code: 10.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub greatest_value: f64,
    /// How much of the running average of the weights stays at a gradient step; frozen policies are greedy in that average. 0: in the
    /// weights themselves. Official code: 0.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub averaging: f64,
    /// The part of the run in which nothing is frozen. Official code: 0.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub exploration_fraction: f64,
    /// What the chance of being drawn from replay is multiplied by whenever a stage is frozen. Official code: 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub replay_priority_factor: f64,
    /// Whether the network sees the stage, from 0 to 1. Official code: false.
    pub stage_input: bool,
    /// What moves the weights. Official code: Adam at 0.0001, gradients clipped to a norm of 10.
    pub optimizer: OptimizerOptions,
}

impl Default for DeepSqirlOptions {
    fn default() -> Self {
        DeepSqirlOptions {
            lookahead: 1,
            episodes: 0,
            discount: 1.0,
            hidden: vec![64, 64],
            replay_capacity: 1_000_000,
            batch_size: 128,
            epochs: 10,
            scale_losses: true,
            loss: HeadLoss::Squared,
            atoms: 51,
            greatest_value: 10.0,
            averaging: 0.0,
            exploration_fraction: 0.0,
            replay_priority_factor: 1.0,
            stage_input: false,
            optimizer: OptimizerOptions::Adam(AdamOptions {
                learning_rate: 1e-4,
                clip_norm: Some(10.0),
                ..AdamOptions::default()
            }),
        }
    }
}

impl Options for DeepSqirlOptions {}

/// What a head's error costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HeadLoss {
    /// (Q - y)².
    Squared,
    /// (Q - y)²/2 up to an error of 1, |Q - y| - 1/2 beyond.
    Huber,
    /// Heads are laws over atoms, Q their means; the loss is the Kullback-Leibler divergence from the target's law.
    Categorical,
}

/// A transition of a random continuation.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Seen {
    stage: u32,
    state: u32,
    action: u32,
    reward: f32,
    /// The next state; [`NONE`] if the episode ended.
    next: u32,
    /// G, the discounted return from here on.
    following: f32,
}

/// What changes while learning.
#[derive(Serialize, Deserialize)]
struct Memory {
    /// π, frozen, `[stages learned, S]`.
    frozen: Vec<u32>,
    /// What the network would play now, `[T, S]`; empty before the first training.
    latest: Vec<u32>,
    replay: Vec<Seen>,
    /// Transitions ever kept; the oldest is overwritten.
    written: u64,
    /// How many had been kept when each stage was frozen, `[stages learned]`.
    kept_before: Vec<u64>,
    /// The running average of the weights; empty without one.
    average: Vec<f32>,
    /// The random continuation of the current episode.
    episode: Vec<Seen>,
    /// Episodes and environment steps of this stage, the current episode's steps included.
    episodes: usize,
    steps: u64,
    /// L_j; 0 before the first batch, `[k]`.
    losses: Vec<f64>,
    actions: Rng,
    batches: Rng,
}

/// The learner.
pub struct DeepSqirl {
    options: DeepSqirlOptions,
    setting: Setting,
    /// Numbers of an input.
    width: usize,
    network: Mlp,
    params: Params<f32>,
    optimizer: Box<dyn Optimizer>,
    gradient: Vec<f32>,
    tape: Tape<f32>,
    scratch: Scratch<f32>,
    memory: Memory,
    work: Work,
}

/// Memory that steps reuse.
#[derive(Default)]
struct Work {
    rows: Vec<Seen>,
    inputs: Vec<f32>,
    actions: Vec<u32>,
    targets: Vec<f32>,
    weights: Vec<f32>,
    values: Vec<f32>,
    errors: Vec<f32>,
}

/// Targets of all heads, `[k]`: y¹ = `following` and y^{j+1} = r + γ max_b Q^j(s', b) with the heads' values at s', `[k, A]`, or
/// none beyond an end.
pub fn head_targets(reward: f32, following: f32, next: Option<&[f32]>, discount: f32, targets: &mut [f32]) {
    targets[0] = following;
    let actions = next.map_or(1, |next| next.len() / targets.len());
    for (head, target) in targets.iter_mut().enumerate().skip(1) {
        let greatest = next.map_or(0.0, |next| {
            next[(head - 1) * actions..][..actions].iter().copied().fold(f32::NEG_INFINITY, f32::max)
        });
        *target = reward + discount * greatest;
    }
}

/// Laws of the targets of all heads of categorical kind, `[k, atoms]`, zero before: head 1 has a point at `following`, head j + 1 the
/// law of head j at s' under its best action, moved by r + γ z, beyond an end a point at r. `laws` are those at s', `[k, A, atoms]`, and
/// `values` their means, `[k, A]`.
fn law_targets(seen: &Seen, laws: &[f32], values: &[f32], discount: f64, atoms: &Atoms, targets: &mut [f32]) {
    let heads = targets.len() / atoms.len();
    let actions = values.len() / heads;
    atoms.project_point(&[seen.following], &mut targets[..atoms.len()]);
    for head in 1..heads {
        let target = &mut targets[head * atoms.len()..][..atoms.len()];
        if seen.next == NONE {
            atoms.project_point(&[seen.reward], target);
        } else {
            let best = argmax_of(&values[(head - 1) * actions..][..actions]);
            let law = &laws[((head - 1) * actions + best) * atoms.len()..][..atoms.len()];
            atoms.project(law, &[seen.reward], discount, target);
        }
    }
}

/// The first of the greatest values.
fn argmax_of(values: &[f32]) -> usize {
    argmax(&values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>())
}

/// Makes logits `[.., atoms]` laws, and appends their means to `values`.
fn laws(logits: &mut [f32], atoms: &Atoms, values: &mut Vec<f32>) {
    for law in logits.chunks_exact_mut(atoms.len()) {
        let greatest = law.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        law.iter_mut().for_each(|logit| *logit = (*logit - greatest).exp());
        let sum: f32 = law.iter().sum();
        law.iter_mut().for_each(|p| *p /= sum);
        values.push(law.iter().enumerate().map(|(atom, p)| p * atoms.coordinate(atom) as f32).sum());
    }
}

/// Draws the number of a kept transition among `written`, of which the last `held` are left. Those kept before a stage was frozen
/// (`kept_before`) have their chance multiplied by `factor`; where that leaves nothing all are alike.
fn draw(written: u64, held: u64, kept_before: &[u64], factor: f64, rng: &mut Rng) -> u64 {
    let oldest = written - held;
    // The blocks between two freezings, the newest first.
    let ends = std::iter::once(written).chain(kept_before.iter().rev().copied());
    let starts = kept_before.iter().rev().copied().chain(std::iter::once(0));
    let blocks = || {
        ends.clone().zip(starts.clone()).enumerate().map(|(age, (end, start))| {
            let (start, end) = (start.max(oldest), end.max(oldest));
            (start, end, (end - start) as f64 * factor.powi(age as i32))
        })
    };
    let total: f64 = blocks().map(|(_, _, weight)| weight).sum();
    let mut point = rng.random::<f64>() * total;
    for (start, end, weight) in blocks().filter(|(_, _, weight)| *weight > 0.0) {
        if point < weight {
            return (start + (point / weight * (end - start) as f64) as u64).min(end - 1);
        }
        point -= weight;
    }
    rng.random_range(oldest..written)
}

impl Method for DeepSqirl {
    type Options = DeepSqirlOptions;

    const ABOUT: About = About {
        name: "deep-sqirl",
        summary: "SQIRL with one network of k heads that keeps and reuses every random continuation",
        when: "As sqirl, where states are too many for tables and share features. On small tables sqirl itself is better.",
        wing: "mdp",
        family: "fitted",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: DeepSqirlOptions) -> Result<Self> {
        options::check(&options)?;
        let width = setting.features.len() / setting.states + usize::from(options.stage_input);
        let sizes =
            [&[width], options.hidden.as_slice(), &[options.lookahead * setting.actions * numbers(&options)]]
                .concat();
        let mut params = Params::new();
        let config = MlpConfig { sizes, ..MlpConfig::default() };
        let network = Mlp::new(&mut params, "heads", &config, &mut setting.seeds.stream("network"));
        let layout: Layout = params.iter().map(|(name, shape, _)| (name, shape)).collect();
        Ok(DeepSqirl {
            optimizer: options
                .optimizer
                .build(&layout, &OptimizerSetting::new(setting.seeds.child("optimizer")))?,
            gradient: vec![0.0; params.len()],
            tape: Tape::new(1),
            scratch: Scratch::new(),
            memory: Memory {
                frozen: Vec::new(),
                latest: Vec::new(),
                replay: Vec::new(),
                written: 0,
                kept_before: Vec::new(),
                average: if options.averaging > 0.0 { params.data().to_vec() } else { Vec::new() },
                episode: Vec::new(),
                episodes: 0,
                steps: 0,
                losses: vec![0.0; options.lookahead],
                actions: setting.seeds.stream("actions"),
                batches: setting.seeds.stream("batches"),
            },
            work: Work::default(),
            setting: setting.clone(),
            options,
            width,
            network,
            params,
        })
    }
}

/// Numbers of the network for each head and action.
fn numbers(options: &DeepSqirlOptions) -> usize {
    if options.loss == HeadLoss::Categorical { options.atoms } else { 1 }
}

impl DeepSqirl {
    /// The atoms of a categorical head.
    fn atoms(&self) -> Atoms {
        Atoms { count: self.options.atoms, greatest: self.options.greatest_value, dimensions: 1 }
    }

    /// Appends the input of a state at a stage.
    fn push(&self, stage: usize, state: usize, inputs: &mut Vec<f32>) {
        let dimensions = self.setting.features.len() / self.setting.states;
        let features = &self.setting.features[state * dimensions..][..dimensions];
        inputs.extend(features.iter().map(|&x| x as f32));
        if self.options.stage_input {
            inputs.push(stage as f32 / self.setting.horizon as f32);
        }
    }

    /// One gradient step on a batch.
    fn train(&mut self) -> Result<()> {
        let (heads, actions) = (self.options.lookahead, self.setting.actions);
        let size = self.options.batch_size;
        let mut work = std::mem::take(&mut self.work);
        let Work { rows, inputs, actions: chosen, targets, weights, values, errors } = &mut work;
        let held = self.memory.replay.len() as u64;
        rows.clear();
        for _ in 0..size {
            let Memory { replay, written, kept_before, batches, .. } = &mut self.memory;
            let place = if self.options.replay_priority_factor == 1.0 {
                batches.random_range(0..held)
            } else {
                draw(*written, held, kept_before, self.options.replay_priority_factor, batches)
                    % self.options.replay_capacity as u64
            };
            rows.push(replay[place as usize]);
        }
        // The heads' values at the next states; an end's row is there, but not looked at.
        inputs.clear();
        rows.iter().for_each(|row| {
            let next = if row.next == NONE { row.state } else { row.next };
            self.push(row.stage as usize + 1, next as usize, inputs);
        });
        let atoms = self.atoms();
        let numbers = numbers(&self.options);
        let categorical = self.options.loss == HeadLoss::Categorical;
        targets.clear();
        targets.resize(size * heads * numbers, 0.0);
        let next = self.network.infer_batch(&self.params, inputs, &mut self.scratch);
        let discount = self.options.discount;
        let nexts = next.chunks_exact(heads * actions * numbers);
        for ((row, next), targets) in rows.iter().zip(nexts).zip(targets.chunks_exact_mut(heads * numbers)) {
            if categorical {
                errors.clear();
                errors.extend_from_slice(next);
                values.clear();
                laws(errors, &atoms, values);
                law_targets(row, errors, values, discount, &atoms, targets);
            } else {
                let next = (row.next != NONE).then_some(next);
                head_targets(row.reward, row.following, next, discount as f32, targets);
            }
        }
        inputs.clear();
        chosen.clear();
        for row in rows.iter() {
            self.push(row.stage as usize, row.state as usize, inputs);
            chosen.extend(std::iter::repeat_n(row.action, heads));
        }
        let graph = self.tape.graph();
        let x = graph.constant(&[1, size, self.width], inputs);
        let output = self.network.forward(graph, &self.params, x);
        let costs = if categorical {
            // Σ t (ln t - ln p) over the atoms of the action that was chosen; the others' targets are zero.
            let log = output.reshape(&[size * heads * actions, numbers]).log_softmax();
            weights.clear();
            weights.resize(size * heads * actions * numbers, 0.0);
            errors.clear();
            for ((row, target), &action) in targets.chunks_exact(numbers).enumerate().zip(chosen.iter()) {
                let at = (row * actions + action as usize) * numbers;
                weights[at..at + numbers].iter_mut().zip(target).for_each(|(slot, t)| *slot = -t);
                errors.push(target.iter().filter(|t| **t > 0.0).map(|t| t * t.ln()).sum());
            }
            let crossed = log * graph.constant(&[size * heads * actions, numbers], weights);
            crossed.reshape(&[size * heads, actions * numbers]).sum_axis(-1, false)
                + graph.constant(&[size * heads], errors)
        } else {
            let q = output.reshape(&[size * heads, actions]);
            let error = q.gather(chosen).reshape(&[size * heads]) - graph.constant(&[size * heads], targets);
            if self.options.loss == HeadLoss::Huber { error.huber(1.0) } else { error.square() }
        };
        weights.clear();
        weights.resize(size * heads, 0.0);
        for (head, running) in self.memory.losses.iter_mut().enumerate() {
            let costs = costs.data()[head..].iter().step_by(heads);
            let mean = costs.map(|&cost| f64::from(cost)).sum::<f64>() / size as f64;
            if !mean.is_finite() {
                return Err(Error::Diverged(format!("the loss of head {} is {mean}", head + 1)));
            }
            *running = if *running == 0.0 { mean } else { DECAY * *running + (1.0 - DECAY) * mean };
            let scale = if self.options.scale_losses && *running > 0.0 { *running } else { 1.0 };
            let weight = (1.0 / (scale * (size * heads) as f64)) as f32;
            weights[head..].iter_mut().step_by(heads).for_each(|slot| *slot = weight);
        }
        (costs * graph.constant(&[size * heads], weights)).sum().gradient(&self.params, &mut self.gradient);
        self.optimizer.step(self.params.data_mut(), &mut self.gradient);
        let stays = self.options.averaging as f32;
        for (average, weight) in self.memory.average.iter_mut().zip(self.params.data()) {
            *average = stays * *average + (1.0 - stays) * weight;
        }
        self.work = work;
        Ok(())
    }

    /// What is greedy in Q^k at a stage, `[S]`.
    fn greedy(&mut self, stage: usize) -> Vec<u32> {
        let mut inputs = Vec::with_capacity(self.setting.states * self.width);
        (0..self.setting.states).for_each(|state| self.push(stage, state, &mut inputs));
        let (heads, actions) = (self.options.lookahead, self.setting.actions);
        let (atoms, numbers) = (self.atoms(), numbers(&self.options));
        let outputs = self.network.infer_batch(&self.params, &inputs, &mut self.scratch);
        let last = |row: &[f32]| {
            let row = &row[(heads - 1) * actions * numbers..];
            if numbers == 1 {
                return argmax_of(row) as u32;
            }
            let mut values = Vec::with_capacity(actions);
            laws(&mut row.to_vec(), &atoms, &mut values);
            argmax_of(&values) as u32
        };
        outputs.chunks_exact(heads * actions * numbers).map(last).collect()
    }

    /// Trains on what there is, freezes π_i where that is due, and turns to the next stage.
    fn learn(&mut self, freezes: bool) -> Result<()> {
        if !self.memory.replay.is_empty() {
            let steps =
                (self.memory.steps * self.options.epochs as u64).div_ceil(self.options.batch_size as u64);
            for _ in 0..steps {
                self.train()?;
            }
        }
        if freezes {
            let stage = self.learned();
            let weights = (!self.memory.average.is_empty()).then(|| self.params.data().to_vec());
            if weights.is_some() {
                self.params.data_mut().copy_from_slice(&self.memory.average);
            }
            let policy = self.greedy(stage);
            if let Some(weights) = weights {
                self.params.data_mut().copy_from_slice(&weights);
            }
            self.memory.frozen.extend(policy);
            self.memory.kept_before.push(self.memory.written);
        }
        self.memory.latest.clear();
        for stage in 0..self.setting.horizon {
            let policy = self.greedy(stage);
            self.memory.latest.extend(policy);
        }
        (self.memory.episodes, self.memory.steps) = (0, 0);
        Ok(())
    }

    /// Keeps the random continuation of an episode that has ended.
    fn keep(&mut self) {
        let mut following = 0.0;
        for seen in self.memory.episode.iter_mut().rev() {
            following = f64::from(seen.reward) + self.options.discount * following;
            seen.following = following as f32;
        }
        for seen in self.memory.episode.drain(..) {
            if self.memory.replay.len() < self.options.replay_capacity {
                self.memory.replay.push(seen);
            } else {
                let place = (self.memory.written % self.options.replay_capacity as u64) as usize;
                self.memory.replay[place] = seen;
            }
            self.memory.written += 1;
        }
    }
}

impl Learner for DeepSqirl {
    fn act(&mut self, stage: usize, state: usize) -> usize {
        match self.memory.frozen.get(stage * self.setting.states + state) {
            Some(&action) => action as usize,
            None => self.memory.actions.random_range(0..self.setting.actions as u32) as usize,
        }
    }

    fn observe(&mut self, step: Step, spent: u64) -> Result<()> {
        let first = self.learned();
        if self.finished().is_some() {
            return Ok(());
        }
        self.memory.steps += 1;
        if step.stage >= first {
            self.memory.episode.push(Seen {
                stage: step.stage as u32,
                state: step.state as u32,
                action: step.action as u32,
                reward: step.reward as f32,
                next: step.next.map_or(NONE, |next| next as u32),
                following: 0.0,
            });
        }
        if step.next.is_none() {
            self.keep();
            self.memory.episodes += 1;
            // What is left after exploring is spread over the stages.
            let explored = self.options.exploration_fraction * self.setting.budget as f64;
            let freezes = spent as f64 >= explored;
            let share =
                |stage| (self.setting.share(stage) as f64 * (1.0 - self.options.exploration_fraction)) as u64;
            let enough = match self.options.episodes {
                0 if !freezes => self.memory.steps >= self.setting.share(0),
                0 => spent >= explored.ceil() as u64 + share(first),
                episodes => self.memory.episodes >= episodes,
            };
            if enough {
                self.learn(freezes)?;
            }
        }
        Ok(())
    }

    /// The frozen action, or what the network would play now.
    fn policy(&self, stage: usize, state: usize) -> Option<usize> {
        let place = stage * self.setting.states + state;
        let action = self.memory.frozen.get(place).or_else(|| self.memory.latest.get(place));
        action.map(|&action| action as usize)
    }

    fn finished(&self) -> Option<String> {
        (self.learned() == self.setting.horizon).then(|| "every stage is learned".into())
    }

    fn learned(&self) -> usize {
        self.memory.frozen.len() / self.setting.states
    }

    fn gradient_norms(&self) -> Option<&GradientNorms> {
        self.optimizer.gradient_norms()
    }

    fn save(&self) -> Vec<u8> {
        state::encode("deep-sqirl", &(self.params.data(), self.optimizer.save(), &self.memory))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (params, optimizer, memory): (Vec<f32>, Vec<u8>, Memory) = state::decode("deep-sqirl", saved)?;
        let shape = |memory: &Memory| (memory.losses.len(), memory.average.len());
        if params.len() != self.params.len() || shape(&memory) != shape(&self.memory) {
            return Err(Error::Resume("the saved network has another shape".into()));
        }
        self.optimizer.restore(&optimizer)?;
        self.params.data_mut().copy_from_slice(&params);
        self.memory = memory;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::super::problem::World;
    use super::*;
    use crate::worlds::trap;

    #[test]
    fn targets_of_three_heads_by_hand() {
        let mut targets = [0.0; 3];
        // Heads at s': (1, 2), (5, 3), and the last one, which nobody asks.
        head_targets(0.5, 7.0, Some(&[1.0, 2.0, 5.0, 3.0, 9.0, 9.0]), 0.5, &mut targets);
        assert_eq!(targets, [7.0, 1.5, 3.0]);
        head_targets(0.5, 0.5, None, 0.5, &mut targets);
        assert_eq!(targets, [0.5; 3]);
    }

    #[test]
    fn laws_of_targets_by_hand() {
        // Atoms -1, 0, 1; two heads, two actions. Head 1 at s' has means 0.5 (action 0) and -0.5.
        let atoms = Atoms { count: 3, greatest: 1.0, dimensions: 1 };
        let at_next = [0.0, 0.5, 0.5, 0.5, 0.5, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0];
        let values = [0.5, -0.5, -1.0, -1.0];
        let mut seen = Seen { stage: 0, state: 0, action: 0, reward: 0.5, next: 1, following: 0.25 };
        let mut targets = [0.0; 6];
        law_targets(&seen, &at_next, &values, 0.5, &atoms, &mut targets);
        // 0.25 lies a quarter of the way to 1. 0.5 + 0.5 z sends 0 to 0.5 and 1 to 1.
        assert_eq!(targets, [0.0, 0.75, 0.25, 0.0, 0.25, 0.75]);
        seen.next = NONE;
        targets.fill(0.0);
        law_targets(&seen, &at_next, &values, 0.5, &atoms, &mut targets);
        assert_eq!(targets[3..], [0.0, 0.5, 0.5]);
        let (mut logits, mut means) = (vec![0.0, 3.0_f32.ln(), f32::NEG_INFINITY], Vec::new());
        laws(&mut logits, &atoms, &mut means);
        assert!((logits[0] - 0.25).abs() < 1e-6 && (means[0] + 0.25).abs() < 1e-6);
    }

    #[test]
    fn priorities_fade_with_every_stage() {
        // 10 kept before the first freezing, 30 before the second, 40 in all, of which the first 5 are overwritten.
        let mut rng = Seeds::new(1).stream("draws");
        let mut counts = [0.0_f64; 3];
        for _ in 0..60_000 {
            let drawn = draw(40, 35, &[10, 30], 0.5, &mut rng);
            assert!((5..40).contains(&drawn));
            counts[usize::from(drawn >= 10) + usize::from(drawn >= 30)] += 1.0 / 60_000.0;
        }
        // Weights 5/4, 20/2, 10.
        for (count, expected) in counts.iter().zip([1.25 / 21.25, 10.0 / 21.25, 10.0 / 21.25]) {
            assert!((count - expected).abs() < 0.01, "{counts:?}");
        }
        // The newest alone, and all where there is nothing new.
        assert!((0..100).all(|_| draw(40, 35, &[10, 30], 0.0, &mut rng) >= 30));
        assert!((0..100).any(|_| draw(30, 25, &[10, 30], 0.0, &mut rng) < 10));
    }

    #[test]
    fn nothing_is_frozen_while_exploring() {
        let options = DeepSqirlOptions {
            episodes: 2,
            exploration_fraction: 0.5,
            averaging: 0.9,
            ..DeepSqirlOptions::default()
        };
        let (_, mut learner) = learner(options);
        for spent in [1, 2, 4_999, 5_000] {
            assert_eq!(learner.learned(), 0);
            learner.observe(step(0, 0, 0, 0.6, None), spent).unwrap();
        }
        // The first two episodes were trained on, the next two also froze.
        assert_eq!((learner.learned(), learner.memory.kept_before.as_slice()), (1, &[4][..]));
        // The average has moved, but not as far as the weights.
        let far: f32 =
            learner.memory.average.iter().zip(learner.params.data()).map(|(a, w)| (a - w).abs()).sum();
        assert!(far > 0.0);
    }

    fn learner(options: DeepSqirlOptions) -> (World, DeepSqirl) {
        let world = World::new(trap(2).unwrap());
        let setting = Setting {
            states: world.mdp.states(),
            actions: world.mdp.actions(),
            horizon: 2,
            features: world.features.clone(),
            budget: 10_000,
            seeds: Seeds::new(3),
        };
        let learner = DeepSqirl::new(&setting, options).unwrap();
        (world, learner)
    }

    fn step(stage: usize, state: usize, action: usize, reward: f64, next: Option<usize>) -> Step {
        Step { stage, state, action, reward, next }
    }

    #[test]
    fn random_continuations_are_kept_with_what_followed() {
        let options = DeepSqirlOptions { episodes: 2, discount: 0.5, ..DeepSqirlOptions::default() };
        let (_, mut learner) = learner(options);
        learner.observe(step(0, 0, 1, 1.0, Some(1)), 1).unwrap();
        learner.observe(step(1, 1, 0, 4.0, None), 2).unwrap();
        let kept = |learner: &DeepSqirl| -> Vec<(u32, f32)> {
            learner.memory.replay.iter().map(|seen| (seen.stage, seen.following)).collect()
        };
        assert_eq!(kept(&learner), [(0, 3.0), (1, 4.0)]);
        assert_eq!(learner.policy(0, 0), None);
        learner.observe(step(0, 0, 0, 2.0, None), 3).unwrap();
        // Stage 0 is frozen, and what the network would play later is known.
        assert_eq!((learner.learned(), learner.memory.replay.len()), (1, 3));
        assert!(learner.policy(1, 0).is_some());
        // From then on only stage 1 is random play.
        learner.observe(step(0, 0, 1, 1.0, Some(1)), 4).unwrap();
        learner.observe(step(1, 1, 1, -1.0, None), 5).unwrap();
        assert_eq!(kept(&learner)[3..], [(1, -1.0)]);
    }

    #[test]
    fn the_oldest_is_overwritten() {
        let options = DeepSqirlOptions { episodes: 100, replay_capacity: 3, ..DeepSqirlOptions::default() };
        let (_, mut learner) = learner(options);
        for reward in 0..5 {
            learner.observe(step(0, 0, 0, f64::from(reward), None), 1).unwrap();
        }
        let rewards: Vec<f32> = learner.memory.replay.iter().map(|seen| seen.reward).collect();
        assert_eq!(rewards, [3.0, 4.0, 2.0]);
    }

    /// One look takes the sure 0.6, two walk on to 1, as for tables.
    #[test]
    fn looks_ahead_get_out_of_a_trap() {
        for (lookahead, expected, loss) in [
            (1, 0.6, HeadLoss::Squared),
            (2, 1.0, HeadLoss::Squared),
            (2, 1.0, HeadLoss::Huber),
            (1, 0.6, HeadLoss::Categorical),
            (2, 1.0, HeadLoss::Categorical),
        ] {
            let options = DeepSqirlOptions {
                lookahead,
                loss,
                atoms: 21,
                greatest_value: 2.0,
                episodes: 1_000,
                hidden: vec![32],
                optimizer: OptimizerOptions::adam(1e-3),
                ..DeepSqirlOptions::default()
            };
            let (world, mut learner) = learner(options);
            let policy = super::super::tests::learn(&world, 2, &mut learner);
            let value = crate::solve::evaluate_episodic(&world.mdp, &policy, &mut Vec::new());
            assert_eq!(value, expected, "k = {lookahead}, {loss:?}");
        }
    }
}

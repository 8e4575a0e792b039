//! MD-DQN: a deep Q-network beside a policy network that may not leave its own copy at once (Vieillard et al. 2020).
//!
//! The deep form of [MD-VI and DA-VI](quire_mdp::regularized): q(s, ·; θ) is DQN's network, a second one of the same shape makes
//! the policy π, and both have copies, q⁻ and π⁻, that are refreshed every C steps. With β = λ/(λ + τ) every update takes one
//! step on each of two losses. The evaluation is DQN's with π in place of the maximum,
//!
//! > y = r + γ (1 - terminated) ( ⟨π, q⁻⟩ - λ KL(π ‖ π⁻) + τ H(π) )(s')
//!
//! or ⟨π, q⁻⟩ alone. The greedy step is one of three, over all actions of the states s:
//!
//! | step | what is regressed or climbed |
//! |---|---|
//! | `md-direct` | loss = -( ⟨π, q⁻⟩ - λ KL(π ‖ π⁻) + τ H(π) ) |
//! | `md-indirect` | ln π on ln π\*, where π\* ∝ (π⁻)^β exp( q⁻/(λ + τ) ) is what minimizes the loss above |
//! | `da` | h on β h⁻ + (1 - β) q⁻, with π = softmax(h/τ) |
//!
//! All three aim at one policy, the softmax of a moving average of past action values, in which their errors average out. In the
//! limit τ → 0 with β fixed and the plain evaluation `da` acts greedily in h: Momentum-DQN; with β = 0 that is DQN.
//!
//! Source: N. Vieillard, T. Kozuno, B. Scherrer, O. Pietquin, R. Munos & M. Geist, *Leverage the average: an analysis of KL
//! regularization in reinforcement learning*, NeurIPS 2020, arXiv:2003.14089, appendix E. There is no official code. Ours are the
//! choice of the copy q⁻ in `da`, as the iteration has it, the normalization of ln π\*, and acting by the likeliest action of π with
//! random ones in between.
//!
//! Pick it where DQN's values swing from one refresh of its target to the next; it costs about two and a half times as much.

use std::collections::BTreeMap;

use quire_core::{About, Error, Options, Result, Rng, Trace, options, state};
use quire_mdp::regularized::md_vi::PAPER;
use quire_nn::{Params, Tensor};
use quire_optim::{NORMS_FILE, Optimizer, OptimizerOptions, OptimizerSetting};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::deep_q::{DeepQ, DeepQOptions, argmax};
use crate::agent::{Actions, Agent, Learner, Task};
use crate::exploration::Exploration;
use crate::network::{Form, QNetwork, QNetworkOptions, Workspace, check_widths, layout};
use crate::replay::Transition;

/// The artefact's file with the policy network's weights; q's are where [`DeepQ`] puts them.
const POLICY: &str = "policy.safetensors";

/// How the policy is made of action values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GreedyStep {
    /// A gradient step on the regularized value of the policy.
    MdDirect,
    /// Regression of log-probabilities on those of the regularized greedy policy.
    MdIndirect,
    /// Regression of averaged action values, of which the policy is a softmax.
    Da,
}

/// Options of `md-dqn`. The defaults are the paper's for CartPole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MdDqnOptions {
    /// How the policy is made of action values. Paper: all three.
    pub greedy_step: GreedyStep,
    /// Whether values hold the divergence and the entropy ("w/"), or are plain means of action values ("w/o"). Paper: both.
    pub regularized_evaluation: bool,
    /// Weight λ of the divergence from the policy's copy, in units of value. Paper: a grid; default ours.
    #[schemars(range(min = 0.0))]
    pub kl_weight: f64,
    /// Weight τ of the policy's entropy, in units of value; `da` takes 0 for its limit. Paper: a grid; default ours.
    #[schemars(range(min = 0.0))]
    pub entropy_weight: f64,
    /// β of `da` in the limit of `entropy_weight` = 0, where `kl_weight` counts nothing: how much of h⁻ stays. None elsewhere.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub momentum: Option<f64>,
    /// Discount factor per environment step. Paper: 0.99.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub discount: f64,
    /// Transitions kept for replay. Paper: 50,000; on Atari 1,000,000.
    #[schemars(range(min = 1))]
    pub replay_capacity: usize,
    /// Environment steps before the first update. Ours: 1,000.
    pub learning_starts: u64,
    /// Environment steps from one update to the next. Paper: 4.
    #[schemars(range(min = 1))]
    pub learn_period: u64,
    /// Transitions in a batch. Paper: 128; on Atari 32.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_size: usize,
    /// Environment steps from one refresh of both copies to the next. Paper: 100; LunarLander 2,500, Atari 8,000.
    #[schemars(range(min = 1))]
    pub target_period: u64,
    /// How ε falls while learning. Paper: 0.01 throughout; on Atari from 1 to 0.01 over 250,000 steps.
    pub exploration: Exploration,
    /// Probability of a uniformly random action when evaluated. Ours: 0.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub evaluation_epsilon: f64,
    /// Bound on the temporal-difference error in the gradient (Huber); none is squared loss. Paper: none.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub error_clip: Option<f64>,
    /// Both networks. Paper: hidden layers of 512 and 512.
    pub network: QNetworkOptions,
    /// What moves the weights of each network. Paper: Adam, rate 0.001; on Atari RMSProp, rate 0.00025.
    pub optimizer: OptimizerOptions,
}

impl Default for MdDqnOptions {
    fn default() -> Self {
        MdDqnOptions {
            greedy_step: GreedyStep::MdDirect,
            regularized_evaluation: true,
            kl_weight: 0.9,
            entropy_weight: 0.1,
            momentum: None,
            discount: 0.99,
            replay_capacity: 50_000,
            learning_starts: 1_000,
            learn_period: 4,
            batch_size: 128,
            target_period: 100,
            exploration: Exploration { initial: 0.01, last: 0.01, steps: 0 },
            evaluation_epsilon: 0.0,
            error_clip: None,
            network: QNetworkOptions { hidden: vec![512, 512], ..QNetworkOptions::default() },
            optimizer: OptimizerOptions::adam(1e-3),
        }
    }
}

impl Options for MdDqnOptions {
    fn validate(&self) -> Result<()> {
        check_widths("network.hidden", &self.network.hidden, 2)?;
        let limit = self.greedy_step == GreedyStep::Da && self.entropy_weight == 0.0;
        if self.momentum.is_some() && !limit {
            let problem =
                "is for `greedy_step` = da with `entropy_weight` = 0; elsewhere the two weights give it";
            return Err(Error::option("momentum", problem));
        }
        if limit && self.momentum.is_none() {
            let problem = "must be given, such as 0.9, for `greedy_step` = da with `entropy_weight` = 0";
            return Err(Error::option("momentum", problem));
        }
        if limit && self.regularized_evaluation {
            let problem = "must be false where `entropy_weight` = 0 makes the policy greedy: its divergence from its copy has \
                           no bound";
            return Err(Error::option("regularized_evaluation", problem));
        }
        if !limit && self.kl_weight + self.entropy_weight <= 0.0 {
            let problem =
                "must be above 0, or `entropy_weight` must: together they are the policy's temperature";
            return Err(Error::option("kl_weight", problem));
        }
        Ok(())
    }
}

impl MdDqnOptions {
    /// β = λ/(λ + τ), or its limit.
    pub fn beta(&self) -> f64 {
        self.momentum.unwrap_or_else(|| self.kl_weight / (self.kl_weight + self.entropy_weight))
    }

    /// λ and τ of the evaluation: 0 where it is plain.
    fn evaluation_weights(&self) -> (f64, f64) {
        if self.regularized_evaluation { (self.kl_weight, self.entropy_weight) } else { (0.0, 0.0) }
    }

    /// ln π, `[batch, actions]`, of what a policy network gives: log-probabilities up to a constant, or h.
    pub fn log_policy(&self, outputs: &[f32], actions: usize, log_policy: &mut Vec<f32>) {
        log_policy.clear();
        log_policy.extend_from_slice(outputs);
        let rows = log_policy.chunks_exact_mut(actions);
        match (self.greedy_step, self.entropy_weight) {
            (GreedyStep::Da, 0.0) => rows.for_each(greedy),
            (GreedyStep::Da, tau) => rows.for_each(|row| log_softmax(row, tau)),
            _ => rows.for_each(|row| log_softmax(row, 1.0)),
        }
    }

    /// The parts of a deep Q-learner for q.
    fn deep_q(&self) -> DeepQOptions {
        DeepQOptions {
            discount: self.discount,
            n_step: 1,
            replay_capacity: self.replay_capacity,
            learning_starts: self.learning_starts,
            learn_period: self.learn_period,
            updates_per_round: 1,
            batch_size: self.batch_size,
            target_period: self.target_period,
            exploration: self.exploration.clone(),
            evaluation_epsilon: self.evaluation_epsilon,
            error_clip: self.error_clip,
            network: self.network.clone(),
            optimizer: self.optimizer.clone(),
        }
    }
}

/// Turns `row` into ln softmax(row/temperature) in place.
pub fn log_softmax(row: &mut [f32], temperature: f64) {
    let scaled = |x: f32| f64::from(x) / temperature;
    let greatest = row.iter().copied().map(scaled).fold(f64::NEG_INFINITY, f64::max);
    let sum = greatest + row.iter().map(|&x| (scaled(x) - greatest).exp()).sum::<f64>().ln();
    row.iter_mut().for_each(|x| *x = (scaled(*x) - sum) as f32);
}

/// Turns `row` into the log-probabilities of its first greatest entry.
fn greedy(row: &mut [f32]) {
    let best = argmax(row);
    row.fill(f32::NEG_INFINITY);
    row[best] = 0.0;
}

/// ⟨π, q⟩ - λ KL(π ‖ π⁻) + τ H(π) of every state, `[batch]`.
///
/// `q`, `log_policy` (ln π) and `previous` (ln π⁻) are `[batch, actions]`, `weights` is (λ, τ). An action that π never takes counts
/// nothing.
pub fn state_values(
    q: &[f32],
    log_policy: &[f32],
    previous: &[f32],
    weights: (f64, f64),
    values: &mut [f32],
) {
    let actions = q.len() / values.len();
    let rows =
        q.chunks_exact(actions).zip(log_policy.chunks_exact(actions)).zip(previous.chunks_exact(actions));
    for (value, ((q, log_policy), previous)) in values.iter_mut().zip(rows) {
        let mut sum = 0.0;
        for ((&q, &log), &before) in q.iter().zip(log_policy).zip(previous) {
            let (log, before) = (f64::from(log), f64::from(before));
            let probability = log.exp();
            if probability > 0.0 {
                let divergence = if weights.0 > 0.0 { weights.0 * (log - before) } else { 0.0 };
                sum += probability * (f64::from(q) - divergence - weights.1 * log);
            }
        }
        *value = sum as f32;
    }
}

/// y = r + γ (1 - terminated) v(s'); all `[batch]`, `discounts` being γ.
pub fn policy_targets(
    rewards: &[f32],
    terminated: &[f32],
    values: &[f32],
    discounts: &[f32],
    targets: &mut [f32],
) {
    for (index, target) in targets.iter_mut().enumerate() {
        *target = rewards[index] + discounts[index] * (1.0 - terminated[index]) * values[index];
    }
}

/// ln π\* = β ln π⁻ + q⁻/(λ + τ), normalized: the policy that climbs the regularized value to its top; all `[batch, actions]`.
pub fn mirror_descent_step(
    q: &[f32],
    previous: &[f32],
    weights: (f64, f64),
    actions: usize,
    log_policy: &mut Vec<f32>,
) {
    let total = weights.0 + weights.1;
    let beta = weights.0 / total;
    log_policy.clear();
    let logit = |(&q, &before): (&f32, &f32)| {
        let kept = if beta > 0.0 { beta * f64::from(before) } else { 0.0 };
        (kept + f64::from(q) / total) as f32
    };
    log_policy.extend(q.iter().zip(previous).map(logit));
    log_policy.chunks_exact_mut(actions).for_each(|row| log_softmax(row, 1.0));
}

/// β h⁻ + (1 - β) q⁻.
pub fn dual_averaging_step(h: &[f32], q: &[f32], beta: f64, averaged: &mut Vec<f32>) {
    averaged.clear();
    let average = |(&h, &q): (&f32, &f32)| (beta * f64::from(h) + (1.0 - beta) * f64::from(q)) as f32;
    averaged.extend(h.iter().zip(q).map(average));
}

/// -( ⟨π, q⁻⟩ - λ KL(π ‖ π⁻) + τ H(π) ), averaged over the batch, of π = softmax(logits).
///
/// `logits` and `gains`, which is q⁻ + λ ln π⁻, are `[1, batch, actions]`, `total` is λ + τ.
pub fn direct_loss<'g>(logits: Tensor<'g, f32>, gains: Tensor<'g, f32>, total: f64) -> Tensor<'g, f32> {
    let log_policy = logits.log_softmax();
    (log_policy.exp() * (log_policy * total - gains)).sum_axis(-1, false).mean()
}

/// The learner.
pub struct MdDqn {
    options: MdDqnOptions,
    /// q, its copy, the memory, ε.
    parts: DeepQ,
    network: QNetwork,
    /// The weights of π or h.
    online: Params<f32>,
    /// Their copy.
    target: Params<f32>,
    optimizer: Box<dyn Optimizer>,
    gradient: Vec<f32>,
    workspace: Workspace,
    /// ln π and ln π⁻ of a batch, what the greedy step aims at, `[batch, actions]`; values of states, `[batch]`.
    log_policy: Vec<f32>,
    previous: Vec<f32>,
    aim: Vec<f32>,
    values: Vec<f32>,
}

impl MdDqn {
    /// The likeliest action of π.
    fn policy_action(&mut self, observation: &[f32]) -> usize {
        argmax(self.network.infer(&self.online, observation, &mut self.workspace))
    }

    /// Fills y from π, π⁻ and q⁻ at the next states.
    fn set_targets(&mut self) {
        let MdDqn { options, parts, network, online, target, log_policy, previous, values, .. } = self;
        let actions = parts.actions();
        let (batch, graph) = (&parts.batch, parts.tape.graph());
        let next = &batch.next_observations;
        let q = graph.no_grad(|| parts.network.forward(graph, &parts.target, next)).data();
        let weights = options.evaluation_weights();
        options.log_policy(
            graph.no_grad(|| network.forward(graph, online, next)).data(),
            actions,
            log_policy,
        );
        if weights.0 > 0.0 {
            let outputs = graph.no_grad(|| network.forward(graph, target, next)).data();
            options.log_policy(outputs, actions, previous);
        } else {
            // Counts nothing.
            previous.resize(log_policy.len(), 0.0);
        }
        state_values(q, log_policy, previous, weights, values);
        policy_targets(&batch.rewards, &batch.terminated, values, &parts.discounts, &mut parts.targets);
    }

    /// One step of the policy's network on its loss, from q⁻ and its own copy at the states.
    fn improve(&mut self) -> Result<()> {
        let MdDqn { options, parts, network, online, target, previous, aim, .. } = self;
        let actions = parts.actions();
        let graph = parts.tape.graph();
        let states = &parts.batch.observations;
        let q = graph.no_grad(|| parts.network.forward(graph, &parts.target, states)).data();
        let before = graph.no_grad(|| network.forward(graph, target, states)).data();
        let weights = (options.kl_weight, options.entropy_weight);
        let outputs = network.forward(graph, online, states);
        let loss = match options.greedy_step {
            GreedyStep::MdDirect => {
                options.log_policy(before, actions, previous);
                aim.clear();
                aim.extend(q.iter().zip(&*previous).map(|(&q, &log)| q + weights.0 as f32 * log));
                direct_loss(outputs, graph.constant(outputs.shape(), aim), weights.0 + weights.1)
            }
            GreedyStep::MdIndirect => {
                options.log_policy(before, actions, previous);
                mirror_descent_step(q, previous, weights, actions, aim);
                ((outputs.log_softmax() - graph.constant(outputs.shape(), aim)).square() * 0.5).mean()
            }
            GreedyStep::Da => {
                dual_averaging_step(before, q, options.beta(), aim);
                ((outputs - graph.constant(outputs.shape(), aim)).square() * 0.5).mean()
            }
        };
        let value = loss.item();
        if !value.is_finite() {
            return Err(Error::Diverged(format!("the loss of the policy is {value}")));
        }
        loss.gradient(online, &mut self.gradient);
        self.optimizer.step(self.online.data_mut(), &mut self.gradient);
        Ok(())
    }
}

impl Learner for MdDqn {
    type Options = MdDqnOptions;

    const ABOUT: About = About {
        name: "md-dqn",
        summary: "DQN with a policy of its own that may not leave its copy at once",
        when: "Where DQN's values swing from one refresh of its target to the next. The weights have the unit of value and must be \
               tuned to the rewards; an update costs two and a half times one of dqn.",
        wing: "rl",
        family: "value",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    const ACTIONS: Actions = Actions::Discrete;

    fn new(task: &Task, options: MdDqnOptions) -> Result<Self> {
        options::check(&options)?;
        let parts = DeepQ::new(task, options.deep_q())?;
        let mut online = Params::new();
        let mut initial = task.seeds.stream("policy network");
        let network = QNetwork::new(
            &mut online,
            &task.observation,
            parts.actions(),
            &options.network,
            Form::default(),
            &mut initial,
        )?;
        let updates = (task.budget.saturating_sub(options.learning_starts) / options.learn_period).max(1);
        let setting = OptimizerSetting::new(task.seeds.child("policy optimizer"))
            .with_steps(updates)
            .with_pool(parts.pool());
        Ok(MdDqn {
            optimizer: options.optimizer.build(&layout(&online), &setting)?,
            gradient: vec![0.0; online.len()],
            target: online.clone(),
            workspace: Workspace::default(),
            log_policy: Vec::new(),
            previous: Vec::new(),
            aim: Vec::new(),
            values: vec![0.0; options.batch_size],
            options,
            parts,
            network,
            online,
        })
    }
}

impl Agent for MdDqn {
    fn act(&mut self, observation: &[f32], action: &mut [f32]) {
        let chosen = self.parts.random_action();
        action[0] = chosen.unwrap_or_else(|| self.policy_action(observation)) as f32;
    }

    /// Its value is q(s, argmax π).
    fn act_greedily(&mut self, observation: &[f32], rng: &mut Rng, action: &mut [f32]) -> Option<f64> {
        let random = self.parts.random_evaluated_action(rng);
        let likeliest = self.policy_action(observation);
        action[0] = random.unwrap_or(likeliest) as f32;
        Some(f64::from(self.parts.infer(observation)[likeliest]))
    }

    fn discount(&self) -> f64 {
        self.options.discount
    }

    fn observe(&mut self, transition: &Transition<'_>, step: u64, trace: &mut Trace) -> Result<()> {
        for _ in 0..self.parts.remember(transition) {
            self.parts.sample();
            // Both targets come from what there is before either network moves.
            self.set_targets();
            self.improve()?;
            self.parts.regress()?;
        }
        if self.parts.refresh_target_if_due() {
            self.target.copy_from(&self.online);
        }
        self.parts.report(step, trace);
        Ok(())
    }

    fn save(&self) -> Vec<u8> {
        let policy = (&self.online, &self.target, self.optimizer.save());
        self.parts.save(state::encode("md-dqn", &policy))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let policy = self.parts.restore(saved)?;
        let (online, target, optimizer): (Params<f32>, Params<f32>, Vec<u8>) =
            state::decode("md-dqn", &policy)?;
        if [&online, &target].iter().any(|saved| layout(saved) != layout(&self.online)) {
            return Err(Error::Resume("the saved learner has other options".into()));
        }
        self.optimizer.restore(&optimizer)?;
        (self.online, self.target) = (online, target);
        Ok(())
    }

    fn policy(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = self.parts.policy();
        files.insert(POLICY.to_owned(), self.online.to_safetensors());
        if let Some(norms) = self.optimizer.gradient_norms() {
            files.insert(format!("policy-{NORMS_FILE}"), norms.to_csv().into_bytes());
        }
        files
    }

    fn load_policy(&mut self, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
        let missing = || Error::Failed(format!("the artefact has no {POLICY}"));
        self.online.load_safetensors(files.get(POLICY).ok_or_else(missing)?)?;
        self.parts.load_policy(files)
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;
    use quire_env::Space;
    use quire_nn::Tape;

    use super::super::dqn::dqn_targets;
    use rand::RngExt;

    use super::*;

    const LN_2: f32 = std::f32::consts::LN_2;

    fn close(left: &[f32], right: &[f32], by: f32) -> bool {
        left.len() == right.len() && left.iter().zip(right).all(|(a, b)| (a - b).abs() <= by)
    }

    /// π = (1/2, 1/2), π⁻ = (3/4, 1/4), q = (1, 3), λ = 2, τ = 1:
    /// 2 - 2 (½ ln ⅔ + ½ ln 2) + ln 2 = 2 - ln 4/3 + ln 2 = 2 + ln 3/2.
    #[test]
    fn the_regularized_value_by_hand() {
        let (log, before) = ([-LN_2; 2], [0.75_f32.ln(), 0.25_f32.ln()]);
        let mut values = [0.0];
        state_values(&[1.0, 3.0], &log, &before, (2.0, 1.0), &mut values);
        assert!((values[0] - (2.0 + 1.5_f32.ln())).abs() < 1e-6);
        state_values(&[1.0, 3.0], &log, &before, (0.0, 0.0), &mut values);
        assert!((values[0] - 2.0).abs() < 1e-6);
        let mut targets = [0.0; 2];
        // 1 + 0.5 * 2, terminated.
        policy_targets(&[1.0, 4.0], &[0.0, 1.0], &[2.0, 9.0], &[0.5; 2], &mut targets);
        assert_eq!(targets, [2.0, 4.0]);
    }

    /// At π\* the regularized value is (λ + τ) ln Σ (π⁻)^β exp(q/(λ + τ)), and any other policy has less.
    #[test]
    fn the_mirror_descent_step_reaches_the_top() {
        let (q, before) = ([0.3, -1.0, 0.8], [0.2_f32.ln(), 0.5_f32.ln(), 0.3_f32.ln()]);
        let (weights, total, beta) = ((0.9, 0.3), 1.2_f32, 0.75_f32);
        let mut best = Vec::new();
        mirror_descent_step(&q, &before, weights, 3, &mut best);
        let sum: f32 = q.iter().zip(&before).map(|(q, log)| (beta * log + q / total).exp()).sum();
        let value = |log: &[f32]| {
            let mut values = [0.0];
            state_values(&q, log, &before, weights, &mut values);
            values[0]
        };
        assert!((value(&best) - total * sum.ln()).abs() < 1e-6);
        let mut rng = Seeds::new(3).stream("policies");
        for _ in 0..100 {
            let mut other: Vec<f32> = best.iter().map(|log| log + rng.random_range(-0.5..0.5)).collect();
            log_softmax(&mut other, 1.0);
            assert!(value(&other) <= value(&best) + 1e-6);
        }
    }

    /// d/dz_a Σ π ((λ + τ) ln π - g) = π_a (f_a - Σ π f) with f = (λ + τ) ln π - g.
    #[test]
    fn the_gradient_of_the_direct_loss_by_hand() {
        let mut tape = Tape::new(1);
        let graph = tape.graph();
        let (logits, gains, total) = ([0.5_f32, -0.25, 1.0], [1.0_f32, 0.2, -0.4], 1.5);
        let x = graph.variable(&[1, 1, 3], &logits);
        let loss = direct_loss(x, graph.constant(&[1, 1, 3], &gains), total);
        let mut log = logits;
        log_softmax(&mut log, 1.0);
        let f: Vec<f32> = log.iter().zip(&gains).map(|(log, gain)| total as f32 * log - gain).collect();
        let mean: f32 = log.iter().zip(&f).map(|(log, f)| log.exp() * f).sum();
        assert!((loss.item() - mean).abs() < 1e-6);
        let [gradient] = loss.grad(&[x]);
        let expected: Vec<f32> = log.iter().zip(&f).map(|(log, f)| log.exp() * (f - mean)).collect();
        assert!(close(gradient.data(), &expected, 1e-6), "{:?} {expected:?}", gradient.data());
    }

    fn task(observation: usize) -> Task {
        Task {
            observation: Space::uniform(0.0, 1.0, &[observation]),
            action: Space::Discrete { n: 3 },
            budget: 100,
            threads: 1,
            seeds: Seeds::new(4),
        }
    }

    /// A network without hidden layers on one-hot states is a table.
    fn table(greedy_step: GreedyStep) -> MdDqn {
        let options = MdDqnOptions {
            greedy_step,
            kl_weight: 0.6,
            entropy_weight: 0.2,
            batch_size: 8,
            learning_starts: 0,
            learn_period: 1,
            replay_capacity: 8,
            network: QNetworkOptions { hidden: Vec::new(), ..QNetworkOptions::default() },
            optimizer: OptimizerOptions::adam(0.01),
            ..MdDqnOptions::default()
        };
        let mut learner = MdDqn::new(&task(2), options).unwrap();
        for state in [[1.0, 0.0], [0.0, 1.0]] {
            learner.parts.remember(&Transition {
                observation: &state,
                action: &[0.0],
                reward: 1.0,
                steps: 1,
                next_observation: &state,
                terminated: false,
                truncated: false,
            });
        }
        learner
    }

    /// Far from the start all three greedy steps have the policy π ∝ (π⁻)^β exp(q⁻/(λ + τ)); for `da` π⁻ is softmax(h⁻/τ).
    #[test]
    fn every_greedy_step_of_a_table_ends_at_the_regularized_greedy_policy() {
        for step in [GreedyStep::MdDirect, GreedyStep::MdIndirect, GreedyStep::Da] {
            let mut learner = table(step);
            // A copy that is not uniform.
            learner
                .target
                .data_mut()
                .iter_mut()
                .enumerate()
                .for_each(|(i, x)| *x = (i as f32 * 1.3).sin() * 0.4);
            for _ in 0..3_000 {
                learner.parts.sample();
                learner.improve().unwrap();
            }
            for state in [[1.0, 0.0], [0.0, 1.0]] {
                let of = |params: &Params<f32>| {
                    learner.network.infer(params, &state, &mut Workspace::default()).to_vec()
                };
                let (mut policy, mut previous, mut expected) = (Vec::new(), Vec::new(), Vec::new());
                learner.options.log_policy(&of(&learner.online), 3, &mut policy);
                learner.options.log_policy(&of(&learner.target), 3, &mut previous);
                let mut workspace = Workspace::default();
                let q = learner.parts.network.infer(&learner.parts.target, &state, &mut workspace);
                mirror_descent_step(q, &previous, (0.6, 0.2), 3, &mut expected);
                assert!(close(&policy, &expected, 2e-3), "{step:?}: {policy:?} {expected:?}");
            }
        }
    }

    /// Without an average of the past the limit of `da` is DQN: h is q⁻, π its greedy policy, the target its greatest value.
    #[test]
    fn the_limit_without_momentum_is_dqn() {
        let options = MdDqnOptions {
            greedy_step: GreedyStep::Da,
            regularized_evaluation: false,
            entropy_weight: 0.0,
            momentum: Some(0.0),
            ..MdDqnOptions::default()
        };
        options::check(&options).unwrap();
        let q = [4.0, 3.0, -1.0, -2.0, 9.0, 9.0];
        let (mut h, mut log) = (Vec::new(), Vec::new());
        dual_averaging_step(&[7.0; 6], &q, options.beta(), &mut h);
        options.log_policy(&h, 2, &mut log);
        let (mut values, mut targets, mut expected) = ([0.0; 3], [0.0; 3], [0.0; 3]);
        state_values(&q, &log, &log, options.evaluation_weights(), &mut values);
        let (rewards, terminated, discounts) = ([1.0, 2.0, 3.0], [0.0, 0.0, 1.0], [0.5; 3]);
        policy_targets(&rewards, &terminated, &values, &discounts, &mut targets);
        dqn_targets(&rewards, &terminated, &q, &discounts, &mut expected);
        assert_eq!(targets, expected);
    }

    #[test]
    fn momentum_by_hand_and_softmax_with_a_temperature() {
        let mut h = Vec::new();
        dual_averaging_step(&[1.0, -2.0], &[3.0, 2.0], 0.75, &mut h);
        assert_eq!(h, [1.5, -1.0]);
        let mut row = [0.0, 0.5 * LN_2];
        log_softmax(&mut row, 0.5);
        assert!(close(&row, &[(1.0_f32 / 3.0).ln(), (2.0_f32 / 3.0).ln()], 1e-6));
    }

    #[test]
    fn both_copies_are_refreshed_together_and_an_update_moves_both_networks() {
        let mut learner = table(GreedyStep::MdDirect);
        learner.options.target_period = 3;
        learner.parts.options.target_period = 3;
        let (q, policy) = (learner.parts.online.clone(), learner.online.clone());
        let state = [1.0, 0.0];
        let transition = Transition {
            observation: &state,
            action: &[1.0],
            reward: 1.0,
            steps: 1,
            next_observation: &state,
            terminated: false,
            truncated: false,
        };
        learner.observe(&transition, 1, &mut Trace::new()).unwrap();
        assert!(learner.parts.online != q && learner.online != policy);
        assert!(learner.parts.target == learner.parts.online && learner.target == learner.online);
        learner.observe(&transition, 2, &mut Trace::new()).unwrap();
        assert!(learner.parts.target != learner.parts.online && learner.target != learner.online);
    }

    #[test]
    fn weights_that_make_no_policy_are_refused_by_name() {
        let refused = |options: MdDqnOptions| options::check(&options).unwrap_err().to_string();
        let zero = MdDqnOptions { kl_weight: 0.0, entropy_weight: 0.0, ..MdDqnOptions::default() };
        assert!(refused(zero.clone()).contains("`kl_weight`"));
        let limit = MdDqnOptions { greedy_step: GreedyStep::Da, ..zero };
        assert!(refused(limit.clone()).contains("`momentum`"));
        let limit = MdDqnOptions { momentum: Some(0.9), ..limit };
        assert!(refused(limit.clone()).contains("`regularized_evaluation`"));
        assert!(options::check(&MdDqnOptions { regularized_evaluation: false, ..limit.clone() }).is_ok());
        assert!(refused(MdDqnOptions { entropy_weight: 0.1, ..limit }).contains("`momentum`"));
    }
}

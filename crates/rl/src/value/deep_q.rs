//! What deep Q-learners of discrete actions share: the network and its target copy, replay, ε-greedy behavior,
//! one step of regression. A method file composes these and adds what its paper adds: the target.

use std::collections::BTreeMap;

use quire_core::{Error, Options, Result, Rng, Trace, options, state};
use quire_nn::{Params, Pool, Tape, Tensor};
use quire_optim::{
    Composed, NORMS_FILE, Optimizer, OptimizerOptions, OptimizerSetting, RmspropOptions, Rule, Schedule,
};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::{Agent, Task};
use crate::exploration::Exploration;
use crate::n_step::NStep;
use crate::network::{Form, QNetwork, QNetworkOptions, Workspace, check_widths, layout};
use crate::replay::{Batch, Precision, Replay, Transition};

/// The artefact's file with the network's weights.
const WEIGHTS: &str = "model.safetensors";

/// Options of `dqn` and `double-dqn`. The defaults are the paper's for Atari 2600.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeepQOptions {
    /// Discount factor per environment step. Paper: 0.99.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub discount: f64,
    /// Steps n whose rewards a target sums up before it bootstraps; above 1 they are those of the behavior, not corrected for
    /// exploration. Paper: 1.
    #[schemars(range(min = 1, max = 1000))]
    pub n_step: usize,
    /// Transitions kept for replay. Paper: 1,000,000.
    #[schemars(range(min = 1))]
    pub replay_capacity: usize,
    /// Environment steps before the first update. Paper: 50,000.
    pub learning_starts: u64,
    /// Environment steps from one round of updates to the next. Paper: 4.
    #[schemars(range(min = 1))]
    pub learn_period: u64,
    /// Gradient steps in a round of updates. Paper: 1.
    #[schemars(range(min = 1))]
    pub updates_per_round: u32,
    /// Transitions in a batch. Paper: 32.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_size: usize,
    /// Environment steps from one refresh of the target network to the next. Paper: 10,000; tuned version 30,000.
    #[schemars(range(min = 1))]
    pub target_period: u64,
    /// How ε falls while learning.
    pub exploration: Exploration,
    /// Probability of a uniformly random action when evaluated. Paper: 0.05; tuned version 0.001.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub evaluation_epsilon: f64,
    /// Bound on the temporal-difference error in the gradient; none is squared loss. Paper: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub error_clip: Option<f64>,
    /// The network.
    pub network: QNetworkOptions,
    /// What moves the weights. Paper: RMSProp, rate 0.00025, decay 0.95, momentum 0.95, epsilon 0.01.
    pub optimizer: OptimizerOptions,
}

impl Default for DeepQOptions {
    fn default() -> Self {
        DeepQOptions {
            discount: 0.99,
            n_step: 1,
            replay_capacity: 1_000_000,
            learning_starts: 50_000,
            learn_period: 4,
            updates_per_round: 1,
            batch_size: 32,
            target_period: 10_000,
            exploration: Exploration::default(),
            evaluation_epsilon: 0.05,
            error_clip: Some(1.0),
            network: QNetworkOptions::default(),
            optimizer: OptimizerOptions::Rmsprop(RmspropOptions {
                learning_rate: 0.00025,
                decay: 0.95,
                momentum: 0.95,
                epsilon: 0.01,
                epsilon_in_root: true,
                centered: true,
                ..RmspropOptions::default()
            }),
        }
    }
}

impl Options for DeepQOptions {
    fn validate(&self) -> Result<()> {
        check_widths("network.hidden", &self.network.hidden, 1)
    }
}

/// Options that all deep Q-learners have in common, with those that a method adds; what is said of the paper is the protocol on
/// Atari 2600 that they share. The defaults that differ from it follow after `with`.
macro_rules! deep_q_options {
    (
        $(#[$meta:meta])*
        $name:ident { $($(#[$extra_meta:meta])* $extra:ident: $type:ty = $default:expr,)* }
        with { $($field:ident: $value:expr),* $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[$extra_meta])* pub $extra: $type,)*
            /// Discount factor per environment step. Paper: 0.99.
            #[schemars(range(min = 0.0, max = 1.0))]
            pub discount: f64,
            /// Steps n whose rewards a target sums up before it bootstraps; above 1 they are those of the behavior. Paper: 1.
            #[schemars(range(min = 1, max = 1000))]
            pub n_step: usize,
            /// Transitions kept for replay. Paper: 1,000,000.
            #[schemars(range(min = 1))]
            pub replay_capacity: usize,
            /// Environment steps before the first update. Paper: 50,000.
            pub learning_starts: u64,
            /// Environment steps from one round of updates to the next. Paper: 4.
            #[schemars(range(min = 1))]
            pub learn_period: u64,
            /// Gradient steps in a round of updates. Paper: 1.
            #[schemars(range(min = 1))]
            pub updates_per_round: u32,
            /// Transitions in a batch. Paper: 32.
            #[schemars(range(min = 1, max = 65_536))]
            pub batch_size: usize,
            /// Environment steps from one refresh of the target network to the next. DQN's paper: 10,000.
            #[schemars(range(min = 1))]
            pub target_period: u64,
            /// The network.
            pub network: $crate::network::QNetworkOptions,
            /// What moves the weights.
            pub optimizer: quire_optim::OptimizerOptions,
        }

        impl Default for $name {
            fn default() -> Self {
                let common = DeepQOptions { $($field: $value,)* ..DeepQOptions::default() };
                $name {
                    $($extra: $default,)*
                    discount: common.discount,
                    n_step: common.n_step,
                    replay_capacity: common.replay_capacity,
                    learning_starts: common.learning_starts,
                    learn_period: common.learn_period,
                    updates_per_round: common.updates_per_round,
                    batch_size: common.batch_size,
                    target_period: common.target_period,
                    network: common.network,
                    optimizer: common.optimizer,
                }
            }
        }

        impl $name {
            /// The parts of a deep Q-learner that takes no random actions and has squared loss.
            fn deep_q(&self) -> DeepQOptions {
                DeepQOptions {
                    discount: self.discount,
                    n_step: self.n_step,
                    replay_capacity: self.replay_capacity,
                    learning_starts: self.learning_starts,
                    learn_period: self.learn_period,
                    updates_per_round: self.updates_per_round,
                    batch_size: self.batch_size,
                    target_period: self.target_period,
                    exploration: $crate::exploration::Exploration { initial: 0.0, last: 0.0, steps: 0 },
                    evaluation_epsilon: 0.0,
                    error_clip: None,
                    network: self.network.clone(),
                    optimizer: self.optimizer.clone(),
                }
            }
        }
    };
}
pub(super) use deep_q_options;

/// Networks, memory, optimizer and generators of a deep Q-learner.
pub struct DeepQ {
    /// The options.
    pub options: DeepQOptions,
    /// The network's shape.
    pub network: QNetwork,
    /// θ, the online weights.
    pub online: Params<f32>,
    /// θ⁻, the target weights.
    pub target: Params<f32>,
    /// Where a step's operations are recorded.
    pub tape: Tape<f32>,
    /// The batch drawn last.
    pub batch: Batch,
    /// The targets y of the batch, `[batch]`; a method fills them.
    pub targets: Vec<f32>,
    /// What the next value counts in each target of the batch unless the episode ended, γ to the power of the steps between,
    /// `[batch]`.
    pub discounts: Vec<f32>,
    /// The gradient of the loss by θ.
    pub gradient: Vec<f32>,
    /// Memory that acting works in.
    pub workspace: Workspace,
    /// The memory that batches come from.
    pub replay: Replay,
    /// What draws batches.
    pub sampling: Rng,
    actions: usize,
    optimizer: Box<dyn Optimizer>,
    /// Transitions on their way into the memory.
    window: NStep,
    exploration: Rng,
    /// Transitions observed.
    steps: u64,
    loss_sum: f64,
    losses: u64,
}

/// What is saved of it; everything else follows from the options.
#[derive(Serialize, Deserialize)]
struct Saved {
    online: Params<f32>,
    target: Params<f32>,
    #[serde(with = "serde_bytes")]
    optimizer: Vec<u8>,
    window: NStep,
    replay: Replay,
    exploration: Rng,
    sampling: Rng,
    steps: u64,
    loss_sum: f64,
    losses: u64,
    /// What a method keeps besides.
    #[serde(with = "serde_bytes")]
    more: Vec<u8>,
}

impl DeepQ {
    /// The parts for this task: θ drawn at random, θ⁻ = θ, an empty memory.
    pub fn new(task: &Task, options: DeepQOptions) -> Result<Self> {
        Ok(Self::with_network(task, options, Form::default(), |_, _, _| ())?.0)
    }

    /// The same with a network of another form; `more` may add weights of its own to it.
    pub fn with_network<T>(
        task: &Task,
        options: DeepQOptions,
        form: Form,
        more: impl FnOnce(&mut Params<f32>, &QNetwork, &mut Rng) -> T,
    ) -> Result<(Self, T)> {
        options::check(&options)?;
        check_widths("network.hidden", &options.network.hidden, form.heads)?;
        let Some(actions) = task.action.discrete_n() else {
            return Err(Error::Usage(
                "Q-learning over a table of action values needs discrete actions".into(),
            ));
        };
        let mut online = Params::new();
        let mut initial = task.seeds.stream("network");
        let network =
            QNetwork::new(&mut online, &task.observation, actions, &options.network, form, &mut initial)?;
        let more = more(&mut online, &network, &mut initial);
        let rounds = task.budget.saturating_sub(options.learning_starts) / options.learn_period;
        let updates = (rounds * u64::from(options.updates_per_round)).max(1);
        let tape = Tape::new(task.threads);
        let setting =
            OptimizerSetting::new(task.seeds.child("optimizer")).with_steps(updates).with_pool(tape.pool());
        let optimizer = options.optimizer.build(&layout(&online), &setting)?;
        let precision = Precision::of(&task.observation);
        let parts = DeepQ {
            actions,
            replay: Replay::new(options.replay_capacity, task.observation.size(), 1, precision),
            target: online.clone(),
            gradient: vec![0.0; online.len()],
            tape,
            workspace: Workspace::default(),
            batch: Batch::default(),
            targets: vec![0.0; options.batch_size],
            discounts: vec![0.0; options.batch_size],
            window: NStep::new(options.n_step, options.discount, task.observation.size(), 1),
            optimizer,
            exploration: task.seeds.stream("exploration"),
            sampling: task.seeds.stream("replay"),
            steps: 0,
            loss_sum: 0.0,
            losses: 0,
            options,
            network,
            online,
        };
        Ok((parts, more))
    }

    /// The same parts with `rule` at a constant learning rate in place of the optimizer of the options. `rule` gets the number
    /// of parameters.
    pub fn with_rule(
        mut self,
        name: &str,
        learning_rate: f64,
        rule: impl FnOnce(usize) -> Box<dyn Rule<f32>>,
    ) -> Result<Self> {
        let (layout, schedule) = (layout(&self.online), Schedule::default());
        let rule = rule(self.online.len());
        let optimizer = Composed::new(name, &layout, learning_rate, &schedule, None, Vec::new(), rule)?;
        self.optimizer = Box::new(optimizer);
        Ok(self)
    }

    /// The threads that updates run on.
    pub fn pool(&self) -> &Pool {
        self.tape.pool()
    }

    /// The number of actions.
    pub fn actions(&self) -> usize {
        self.actions
    }

    /// Transitions observed.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The network's numbers for one observation, those of θ.
    pub fn infer(&mut self, observation: &[f32]) -> &[f32] {
        self.network.infer(&self.online, observation, &mut self.workspace)
    }

    /// While learning, with probability ε, which falls over time: a uniformly random action.
    pub(super) fn random_action(&mut self) -> Option<usize> {
        let dithers = self.exploration.random::<f64>() < self.options.exploration.epsilon(self.steps);
        dithers.then(|| self.exploration.random_range(0..self.actions))
    }

    /// When evaluated, with a small fixed probability ε: a uniformly random action.
    pub(super) fn random_evaluated_action(&self, rng: &mut Rng) -> Option<usize> {
        let epsilon = self.options.evaluation_epsilon;
        (epsilon > 0.0 && rng.random::<f64>() < epsilon).then(|| rng.random_range(0..self.actions))
    }

    /// Stores a transition, or what it completes of n steps, and says how many updates are due after it.
    pub fn remember(&mut self, transition: &Transition<'_>) -> u32 {
        let DeepQ { window, replay, .. } = self;
        window.push(transition, |transition| replay.push(transition));
        self.steps += 1;
        let started = self.steps > self.options.learning_starts && !self.replay.is_empty();
        let due = started && self.steps.is_multiple_of(self.options.learn_period);
        if due { self.options.updates_per_round } else { 0 }
    }

    /// Draws a batch uniformly into `self.batch`.
    pub fn sample(&mut self) {
        self.replay.sample(self.options.batch_size, &mut self.sampling, &mut self.batch);
        self.set_discounts();
    }

    /// Draws the transitions at these places of the memory into `self.batch`.
    pub fn sample_at(&mut self, places: &[usize]) {
        self.replay.sample_at(places, &mut self.batch);
        self.set_discounts();
    }

    fn set_discounts(&mut self) {
        let discount = self.options.discount as f32;
        let power = |&steps: &f32| discount.powi(steps as i32);
        self.discounts.clear();
        self.discounts.extend(self.batch.steps.iter().map(power));
    }

    /// One optimizer step on the loss between Q(s, a; θ) and `self.targets`: half the squared error, its gradient
    /// clipped (the Huber loss), averaged over the batch.
    pub fn regress(&mut self) -> Result<()> {
        let graph = self.tape.graph();
        let q = self.network.forward(graph, &self.online, &self.batch.observations);
        let taken = q.gather(&self.batch.choices);
        let error = taken - graph.constant(taken.shape(), &self.targets);
        let loss = residual_loss(error, self.options.error_clip).mean();
        let value = loss.item();
        loss.gradient(&self.online, &mut self.gradient);
        self.descend(value)
    }

    /// One optimizer step along `self.gradient`; `loss` is what it is the gradient of, for the record.
    pub fn descend(&mut self, loss: f32) -> Result<()> {
        if !loss.is_finite() {
            return Err(Error::Diverged(format!("the loss is {loss} after {} steps", self.steps)));
        }
        self.optimizer.step(self.online.data_mut(), &mut self.gradient);
        self.loss_sum += f64::from(loss);
        self.losses += 1;
        Ok(())
    }

    /// θ⁻ ← θ every C environment steps; says whether it was time.
    pub fn refresh_target_if_due(&mut self) -> bool {
        let due = self.steps.is_multiple_of(self.options.target_period);
        if due {
            self.target.copy_from(&self.online);
        }
        due
    }

    /// Records the mean loss since the last record, every thousand steps.
    pub fn report(&mut self, step: u64, trace: &mut Trace) {
        if step.is_multiple_of(1000) && self.losses > 0 {
            trace.record(step, "loss", self.loss_sum / self.losses as f64);
            (self.loss_sum, self.losses) = (0.0, 0);
        }
    }

    /// The whole state, with what a method keeps besides.
    pub fn save(&self, more: Vec<u8>) -> Vec<u8> {
        let saved = Saved {
            online: self.online.clone(),
            target: self.target.clone(),
            optimizer: self.optimizer.save(),
            window: self.window.clone(),
            replay: self.replay.clone(),
            exploration: self.exploration.clone(),
            sampling: self.sampling.clone(),
            steps: self.steps,
            loss_sum: self.loss_sum,
            losses: self.losses,
            more,
        };
        state::encode("deep Q-learner", &saved)
    }

    /// Goes on from what [`DeepQ::save`] returned, and gives back what the method keeps besides.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        let saved: Saved = state::decode("deep Q-learner", bytes)?;
        let networks_fit =
            [&saved.online, &saved.target].iter().all(|saved| layout(saved) == layout(&self.online));
        let memory_fits = self.replay.is_alike(&saved.replay) && self.window.is_alike(&saved.window);
        if !networks_fit || !memory_fits {
            return Err(Error::Resume("the saved learner has other options".into()));
        }
        self.optimizer.restore(&saved.optimizer)?;
        self.online.copy_from(&saved.online);
        self.target.copy_from(&saved.target);
        self.window = saved.window;
        self.replay = saved.replay;
        self.exploration = saved.exploration;
        self.sampling = saved.sampling;
        self.steps = saved.steps;
        self.loss_sum = saved.loss_sum;
        self.losses = saved.losses;
        Ok(saved.more)
    }

    /// The artefact's files: θ, and the norms of gradients if they were recorded.
    pub fn policy(&self) -> BTreeMap<String, Vec<u8>> {
        let norms = self.optimizer.gradient_norms();
        let norms = norms.map(|norms| (NORMS_FILE.to_owned(), norms.to_csv().into_bytes()));
        [(WEIGHTS.to_owned(), self.online.to_safetensors())].into_iter().chain(norms).collect()
    }

    /// θ from an artefact's files.
    pub fn load_policy(&mut self, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
        let missing = || Error::Failed(format!("the artefact has no {WEIGHTS}"));
        self.online.load_safetensors(files.get(WEIGHTS).ok_or_else(missing)?)
    }
}

/// Half the squared error, or Huber's loss where its gradient is bounded, element by element.
pub fn residual_loss(error: Tensor<'_, f32>, clip: Option<f64>) -> Tensor<'_, f32> {
    match clip {
        Some(clip) => error.huber(clip),
        None => error.square() * 0.5,
    }
}

/// A learner made of [`DeepQ`]'s parts: it says how one update makes its targets and, if it does not simply act greedily in the
/// network's values, what it acts by. All else is the same for all of them.
pub trait DeepQLearner: Send {
    /// The parts.
    fn parts(&self) -> &DeepQ;

    /// The parts, to change.
    fn parts_mut(&mut self) -> &mut DeepQ;

    /// One gradient step on a fresh batch.
    fn update(&mut self) -> Result<()>;

    /// Q(s, ·), `[actions]`, as the learner now believes.
    fn action_values(&mut self, observation: &[f32]) -> &[f32] {
        self.parts_mut().infer(observation)
    }

    /// The action while learning, unless it is a random one.
    fn choose(&mut self, observation: &[f32]) -> usize {
        argmax(self.action_values(observation))
    }

    /// The action when evaluated, unless it is a random one, and the greatest action value.
    fn choose_evaluated(&mut self, observation: &[f32], _rng: &mut Rng) -> (usize, f32) {
        let values = self.action_values(observation);
        let best = argmax(values);
        (best, values[best])
    }

    /// A transition has been observed, and the memory may have grown.
    fn remembered(&mut self) {}

    /// An episode of learning has ended.
    fn episode_ended(&mut self) {}

    /// What changes besides the parts.
    fn save_more(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Goes on from what [`DeepQLearner::save_more`] returned; the parts are restored already.
    fn restore_more(&mut self, _saved: &[u8]) -> Result<()> {
        Ok(())
    }
}

impl<L: DeepQLearner> Agent for L {
    fn act(&mut self, observation: &[f32], action: &mut [f32]) {
        let chosen = match self.parts_mut().random_action() {
            Some(random) => random,
            None => self.choose(observation),
        };
        action[0] = chosen as f32;
    }

    fn act_greedily(&mut self, observation: &[f32], rng: &mut Rng, action: &mut [f32]) -> Option<f64> {
        let random = self.parts().random_evaluated_action(rng);
        let (chosen, value) = self.choose_evaluated(observation, rng);
        action[0] = random.unwrap_or(chosen) as f32;
        Some(f64::from(value))
    }

    fn discount(&self) -> f64 {
        self.parts().options.discount
    }

    fn observe(&mut self, transition: &Transition<'_>, step: u64, trace: &mut Trace) -> Result<()> {
        let due = self.parts_mut().remember(transition);
        self.remembered();
        for _ in 0..due {
            self.update()?;
        }
        if transition.terminated || transition.truncated {
            self.episode_ended();
        }
        self.parts_mut().refresh_target_if_due();
        self.parts_mut().report(step, trace);
        Ok(())
    }

    fn save(&self) -> Vec<u8> {
        self.parts().save(self.save_more())
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let more = self.parts_mut().restore(saved)?;
        self.restore_more(&more)
    }

    fn policy(&self) -> BTreeMap<String, Vec<u8>> {
        self.parts().policy()
    }

    fn load_policy(&mut self, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
        self.parts_mut().load_policy(files)
    }
}

/// The first index of the greatest value: ties are broken the same way everywhere.
pub fn argmax(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;
    use quire_env::Space;

    use super::*;

    fn learner(n_step: usize) -> DeepQ {
        let task = Task {
            observation: Space::new_box(vec![-10.0], vec![10.0], vec![1]).unwrap(),
            action: Space::Discrete { n: 2 },
            budget: 100,
            threads: 1,
            seeds: Seeds::new(1),
        };
        let options = DeepQOptions {
            n_step,
            discount: 0.5,
            learning_starts: 0,
            learn_period: 1,
            replay_capacity: 100,
            network: QNetworkOptions { hidden: vec![4], ..QNetworkOptions::default() },
            ..DeepQOptions::default()
        };
        DeepQ::new(&task, options).unwrap()
    }

    /// Five steps 0, 1, ... that pay 1, 2, 4, 8, 16 and end in the environment's own terms.
    fn episode(learner: &mut DeepQ) -> Vec<u32> {
        let step = |step: u8| {
            learner.remember(&Transition {
                observation: &[f32::from(step)],
                action: &[0.0],
                reward: (1 << step) as f32,
                steps: 1,
                next_observation: &[f32::from(step) + 1.0],
                terminated: step == 4,
                truncated: false,
            })
        };
        (0..5).map(step).collect()
    }

    #[test]
    fn targets_of_three_steps_by_hand() {
        let mut learner = learner(3);
        // Nothing is learned from before the first return is complete.
        assert_eq!(episode(&mut learner), [0, 0, 1, 1, 1]);
        learner.sample();
        let Batch { observations, next_observations, rewards, terminated, steps, .. } = &learner.batch;
        for row in 0..learner.batch.len() {
            let from = observations[row];
            // 1 + 2/2 + 4/4 and so on: 3 · 2^s, but for the last two, 8 + 16/2 and 16.
            let (reward, length) =
                [(3.0, 3.0), (6.0, 3.0), (12.0, 3.0), (16.0, 2.0), (16.0, 1.0)][from as usize];
            assert_eq!((rewards[row], steps[row], next_observations[row]), (reward, length, from + length));
            assert_eq!(terminated[row], f32::from(u8::from(from >= 2.0)));
            assert_eq!(learner.discounts[row], 0.5_f32.powi(length as i32));
        }
    }

    #[test]
    fn an_unfinished_return_is_saved_and_goes_on() {
        let (mut first, mut second) = (learner(4), learner(4));
        let transition = |reward| Transition {
            observation: &[0.0],
            action: &[1.0],
            reward,
            steps: 1,
            next_observation: &[1.0],
            terminated: false,
            truncated: false,
        };
        for reward in 0..6 {
            first.remember(&transition(reward as f32));
        }
        second.restore(&first.save(Vec::new())).unwrap();
        for learner in [&mut first, &mut second] {
            learner.remember(&transition(9.0));
            learner.sample();
        }
        assert_eq!(first.batch.rewards, second.batch.rewards);
        assert_eq!(first.save(Vec::new()), second.save(Vec::new()));
        assert!(learner(3).restore(&first.save(Vec::new())).is_err());
    }
}

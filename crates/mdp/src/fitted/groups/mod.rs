//! Learn from transitions that others logged, of two groups that share most of their structure.
//!
//! A *background* group (z = 0) and a *foreground* group (z = 1) act in nearly the same world; data are transitions
//! (s, a, c, s', done, z) with a *cost* c, so that greedy actions are those of the least value. A learner fits Q(s, a, z) in
//! epochs over the data and is scored by how long its greedy policy survives in either group.
//!
//! | file | what it holds |
//! |---|---|
//! | [`nested_fqi`] | nested policy fitted Q-iteration: a shared part, and a part that is added for the foreground |
//! | [`baselines`] | one Q for all, for the foreground alone, warm start, transfer |
//! | [`networks`] | networks trained by full-batch Adam, an epoch a step |
//! | [`regressions`] | the same with a regressor that is fitted afresh every epoch: linear, trees |
//! | [`cart_pole`] | the problems `cart-pole-groups-0`, `-3`, `-5`, `-8`: a cart whose foreground group is pushed left |

pub mod baselines;
pub mod cart_pole;
pub mod nested_fqi;
pub mod networks;
pub mod problem;
pub mod regressions;

use quire_core::{About, Entry, OptionMap, Options, Result, Seeds, options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::regressor::TreeOptions;

pub use problem::problems;

/// Transitions of both groups.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupData {
    /// Numbers in a state d.
    pub dimensions: usize,
    /// The number of actions A.
    pub actions: usize,
    /// s, `[N, d]`.
    pub states: Vec<f64>,
    /// a, `[N]`.
    pub chosen: Vec<usize>,
    /// c, `[N]`.
    pub costs: Vec<f64>,
    /// s', `[N, d]`.
    pub next: Vec<f64>,
    /// Whether s' is a forbidden state, behind which nothing follows; a time limit is none. `[N]`.
    pub done: Vec<bool>,
    /// Whether the transition is of the foreground, z = 1. `[N]`.
    pub foreground: Vec<bool>,
}

impl GroupData {
    /// The number of transitions N.
    pub fn len(&self) -> usize {
        self.costs.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.costs.is_empty()
    }

    /// Those of one group.
    pub fn of_group(&self, foreground: bool) -> GroupData {
        let mut part =
            GroupData { dimensions: self.dimensions, actions: self.actions, ..GroupData::default() };
        for row in (0..self.len()).filter(|&row| self.foreground[row] == foreground) {
            let state = row * self.dimensions..(row + 1) * self.dimensions;
            part.states.extend_from_slice(&self.states[state.clone()]);
            part.next.extend_from_slice(&self.next[state]);
            part.chosen.push(self.chosen[row]);
            part.costs.push(self.costs[row]);
            part.done.push(self.done[row]);
            part.foreground.push(foreground);
        }
        part
    }
}

/// What a learner is told.
pub struct Setting {
    /// The data.
    pub data: GroupData,
    /// Epochs of the run.
    pub budget: u64,
    /// Where its random streams come from.
    pub seeds: Seeds,
}

/// What a learner fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// Networks w - 2w - w - 1, sigmoid after every layer, trained by a step of Adam every epoch.
    Network,
    /// The same with layers w - 2w - 3w - 2w - w - 1.
    Deep,
    /// Affine maps, by least squares every epoch. With the action as one number among the inputs the same action is greedy
    /// in all states.
    Linear,
    /// Extremely randomized trees, grown afresh every epoch.
    Trees,
}

/// Options that the learners share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GroupOptions {
    /// What is fitted. Paper: the network.
    pub model: Model,
    /// Discount factor γ per step. Paper's code: 0.95.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub discount: f64,
    /// Learning rate of Adam. Paper's code: 0.1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub learning_rate: f64,
    /// Share of the run's epochs after which a learner of two stages leaves the first at the latest. Paper's code, for
    /// transfer: 500 of 1,000 epochs.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub first_stage: f64,
    /// Evaluation episodes in a row that must be survived to leave a stage, one an epoch; 0 never leaves one early. Paper's
    /// code: 3.
    pub successes: u32,
    /// The trees. Geurts et al.: cut every node of 5 rows.
    pub trees: TreeOptions,
}

impl Default for GroupOptions {
    fn default() -> Self {
        GroupOptions {
            model: Model::Network,
            discount: 0.95,
            learning_rate: 0.1,
            first_stage: 0.5,
            successes: 3,
            trees: TreeOptions::default(),
        }
    }
}

impl Options for GroupOptions {}

/// The role: an epoch over the data; act; hear how acting went.
pub trait GroupLearner: Send {
    /// One epoch: new targets from the current values, one step or one fit.
    ///
    /// # Errors
    /// Those of a regression.
    fn improve(&mut self) -> Result<()>;

    /// The greedy action in `state`, `[d]`.
    fn act(&mut self, state: &[f64], foreground: bool) -> usize;

    /// The group that an evaluation episode after every epoch is to be of, on which the stop rule looks.
    fn watched(&self) -> bool;

    /// Takes in whether that episode was survived.
    ///
    /// # Errors
    /// As [`GroupLearner::improve`].
    fn hear(&mut self, survived: bool) -> Result<()>;

    /// Whether the stop rule of the last stage is met.
    fn finished(&self) -> bool;

    /// The whole state, generators included.
    fn save(&self) -> Vec<u8>;

    /// Goes on from what [`GroupLearner::save`] returned.
    fn restore(&mut self, saved: &[u8]) -> Result<()>;
}

/// A method of this role, made from typed options.
pub trait Method {
    /// Its options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// Makes the learner. Fails if the options don't suit the setting.
    fn learner(setting: Setting, options: Self::Options) -> Result<Box<dyn GroupLearner>>;
}

/// Makes the learner from the options that the user has set, laid over the defaults.
pub type Make = fn(Setting, &OptionMap) -> Result<Box<dyn GroupLearner>>;

const fn entry<M: Method>() -> Entry<Make> {
    Entry {
        name: M::ABOUT.name,
        card: || M::ABOUT.card::<M::Options>(),
        make: |setting, set| M::learner(setting, options::resolve(&[set])?),
    }
}

/// The methods of this role.
pub const METHODS: &[Entry<Make>] = &[
    entry::<nested_fqi::NestedFqi>(),
    entry::<baselines::PooledFqi>(),
    entry::<baselines::ForegroundFqi>(),
    entry::<baselines::WarmStartFqi>(),
    entry::<baselines::TransferFqi>(),
];

/// Which rows a stage learns from, and what it learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// The rows.
    pub rows: Group,
    /// Whether the foreground's part is added to the shared one.
    pub nested: bool,
    /// Whether the shared part learns.
    pub shared_learns: bool,
    /// Whether the foreground's part learns.
    pub foreground_learns: bool,
    /// Whether output layers stay as they are.
    pub output_frozen: bool,
    /// The group of the evaluation episodes that end the stage.
    pub watched: bool,
}

/// Rows of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// All of them.
    Everybody,
    /// Those with z = 0.
    Background,
    /// Those with z = 1.
    Foreground,
}

/// What a method is, in the terms of this family: its stages, and how it acts.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The stages, in their order.
    pub stages: &'static [Stage],
    /// Whether the group decides on the Q-function, or everybody is taken for foreground.
    pub by_group: bool,
}

impl Plan {
    /// Whether the foreground's part counts in the values for this group.
    pub fn adds_foreground(&self, foreground: bool) -> bool {
        foreground || !self.by_group
    }

    /// The learner that follows this plan with the model of `options`.
    ///
    /// # Errors
    /// Options out of range, a group without data, a model that cannot follow the plan.
    pub fn learner(
        &'static self,
        name: &'static str,
        setting: Setting,
        options: GroupOptions,
    ) -> Result<Box<dyn GroupLearner>> {
        options::check(&options)?;
        for stage in self.stages {
            let wanted = match stage.rows {
                Group::Everybody => !setting.data.is_empty(),
                Group::Background => setting.data.foreground.contains(&false),
                Group::Foreground => setting.data.foreground.contains(&true),
            };
            if !wanted {
                return Err(quire_core::Error::Failed(format!("{name}: the data have no {:?}", stage.rows)));
            }
        }
        Ok(match options.model {
            Model::Network | Model::Deep => {
                Box::new(networks::NetworkLearner::new(name, self, setting, options)?)
            }
            Model::Linear | Model::Trees => {
                Box::new(regressions::RegressionLearner::new(name, self, setting, options)?)
            }
        })
    }
}

/// Which stage a learner is in, and what decides on leaving it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    /// Epochs done.
    pub epoch: u64,
    /// The stage, from 0.
    pub stage: usize,
    /// Evaluation episodes survived in a row.
    pub survived: u32,
    /// Whether the last stage has ended by the stop rule.
    pub finished: bool,
}

impl Clock {
    /// Counts an epoch; whether a new stage begins.
    pub fn tick(&mut self, plan: &Plan, first_stage_ends: u64) -> bool {
        self.epoch += 1;
        let due = self.stage == 0 && plan.stages.len() > 1 && self.epoch >= first_stage_ends;
        due && self.advance(plan)
    }

    /// Counts an evaluation episode; whether a new stage begins.
    pub fn hear(&mut self, plan: &Plan, survived: bool, wanted: u32) -> bool {
        self.survived = if survived { self.survived + 1 } else { 0 };
        wanted > 0 && self.survived >= wanted && self.advance(plan)
    }

    fn advance(&mut self, plan: &Plan) -> bool {
        self.survived = 0;
        if self.stage + 1 < plan.stages.len() {
            self.stage += 1;
            return true;
        }
        self.finished = true;
        false
    }
}

/// c + γ min_b Q(s', b), and c alone where s' is forbidden. `next` is Q(s', ·), `[A]`.
pub fn target(cost: f64, discount: f64, done: bool, next: impl Iterator<Item = f64>) -> f64 {
    if done { cost } else { cost + discount * next.fold(f64::INFINITY, f64::min) }
}

/// Inputs (s, a), `[N, d + 1]`: the action is one number behind the state.
pub fn inputs(states: &[f64], dimensions: usize, actions: impl Iterator<Item = usize>) -> Vec<f64> {
    let rows = states.chunks_exact(dimensions).zip(actions);
    rows.flat_map(|(state, action)| state.iter().copied().chain([action as f64])).collect()
}

/// Inputs of every action in every state, `[N, A, d + 1]`.
pub fn inputs_of_all_actions(states: &[f64], dimensions: usize, actions: usize) -> Vec<f64> {
    let rows =
        states.chunks_exact(dimensions).flat_map(|state| (0..actions).map(move |action| (state, action)));
    rows.flat_map(|(state, action)| state.iter().copied().chain([action as f64])).collect()
}

#[cfg(test)]
mod tests;

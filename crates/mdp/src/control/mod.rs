//! Family: learn action values on a table, transition by transition, and act on them.
//!
//! | file | what it holds |
//! |---|---|
//! | [`q_learning`] | Q-learning |
//! | [`double_q_learning`] | two tables, one selects, the other evaluates |
//! | [`tabular_redq`] | an ensemble of tables, whose targets are minima over random subsets |
//! | [`maximization_bias`] | the problem `maximization-bias`: how often noise lures a learner away |
//! | [`run`] | its run: a hundred independent learners, episode after episode |
//! | [`garnet`] | the problem `garnet-20`: how far from the truth the learned values are |

pub mod double_q_learning;
pub mod garnet;
pub mod maximization_bias;
pub mod q_learning;
pub mod run;
pub mod tabular_redq;

use std::sync::Arc;

use quire_core::{About, Entry, OptionMap, Options, Problem, Result, Rng, options, state};
use rand::RngExt;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Values of options for single problems.
const TUNED: &str = "[garnet-20]\ndiscount = 0.9\n";

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    vec![Arc::new(maximization_bias::MaximizationBias::new()), Arc::new(garnet::GarnetControl::new())]
}

/// Options of `q-learning` and `double-q-learning`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ControlOptions {
    /// Step size of an update. Sutton & Barto, example 6.7: 0.1.
    #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
    pub learning_rate: f64,
    /// Discount factor per step. Sutton & Barto: 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub discount: f64,
    /// Probability of a uniformly random action. Sutton & Barto: 0.1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub epsilon: f64,
}

impl Default for ControlOptions {
    fn default() -> Self {
        ControlOptions { learning_rate: 0.1, discount: 1.0, epsilon: 0.1 }
    }
}

impl Options for ControlOptions {}

/// One transition between states of a table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// The state acted from.
    pub state: usize,
    /// The action taken.
    pub action: usize,
    /// The reward.
    pub reward: f64,
    /// The state that followed; `None` if the episode ended.
    pub next: Option<usize>,
}

/// Action values of states that differ in their number of actions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    values: Vec<f64>,
    /// State s has the values from `starts[s]` to `starts[s + 1]`.
    starts: Vec<usize>,
}

impl Table {
    /// Zeros; `actions[s]` is the number of actions of state s.
    pub fn zeros(actions: &[usize]) -> Self {
        let mut starts = vec![0];
        starts.extend(actions.iter().scan(0, |sum, &count| {
            *sum += count;
            Some(*sum)
        }));
        Table { values: vec![0.0; starts[actions.len()]], starts }
    }

    /// The values of the actions of `state`.
    pub fn row(&self, state: usize) -> &[f64] {
        &self.values[self.starts[state]..self.starts[state + 1]]
    }

    /// Moves one value towards `target` by the fraction `rate`.
    pub fn move_towards(&mut self, state: usize, action: usize, target: f64, rate: f64) {
        let value = &mut self.values[self.starts[state] + action];
        *value += rate * (target - *value);
    }

    /// All values, state after state.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// All values, to be changed.
    pub fn values_mut(&mut self) -> &mut [f64] {
        &mut self.values
    }
}

/// The role: estimate action values, take in transitions.
pub trait TableLearner: Send {
    /// Fills `values` with the estimates for the actions of `state`.
    fn values(&self, state: usize, values: &mut Vec<f64>);

    /// Learns from one transition.
    fn observe(&mut self, transition: Transition, rng: &mut Rng);

    /// Probability of a uniformly random action while learning.
    fn epsilon(&self) -> f64;

    /// Discount factor per step.
    fn discount(&self) -> f64;

    /// The whole state; generators are the run's.
    fn save(&self) -> Vec<u8>;

    /// Goes on from what [`TableLearner::save`] returned.
    fn restore(&mut self, saved: &[u8]) -> Result<()>;
}

/// A method of this family: a learner that is made from typed options.
pub trait Method: TableLearner + Serialize + DeserializeOwned + 'static {
    /// Its options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// Makes a learner; `actions[s]` is the number of actions of state s.
    fn new(actions: &[usize], options: Self::Options) -> Self;
}

/// Learners of one method that know nothing of each other.
pub type Learners = Vec<Box<dyn TableLearner>>;

/// Makes a number of learners from the options that the user has set, laid over the defaults.
pub type Make = fn(usize, &[usize], &OptionMap) -> Result<Learners>;

const fn entry<M: Method>() -> Entry<Make> {
    Entry { name: M::ABOUT.name, card: || M::ABOUT.card::<M::Options>(), make: make::<M> }
}

fn make<M: Method>(count: usize, actions: &[usize], set: &OptionMap) -> Result<Learners> {
    let options: M::Options = options::resolve(&[set])?;
    Ok((0..count).map(|_| Box::new(M::new(actions, options.clone())) as Box<dyn TableLearner>).collect())
}

/// The methods of this family.
pub const METHODS: &[Entry<Make>] = &[
    entry::<q_learning::QLearning>(),
    entry::<double_q_learning::DoubleQLearning>(),
    entry::<tabular_redq::TabularRedq>(),
];

/// [`TableLearner::save`] of a method.
fn save<M: Method>(learner: &M) -> Vec<u8> {
    state::encode(M::ABOUT.name, learner)
}

/// [`TableLearner::restore`] of a method.
fn restore<M: Method>(learner: &mut M, saved: &[u8]) -> Result<()> {
    *learner = state::decode(M::ABOUT.name, saved)?;
    Ok(())
}

/// ε-greedy in `values`, ties broken at random.
pub fn act(values: &[f64], epsilon: f64, rng: &mut Rng) -> usize {
    if rng.random_bool(epsilon) {
        rng.random_range(0..values.len() as u32) as usize
    } else {
        argmax_at_random(values, rng)
    }
}

/// One of the greatest values' places, each with the same probability.
pub fn argmax_at_random(values: &[f64], rng: &mut Rng) -> usize {
    let mut best = (0, 1_u32);
    for (index, &value) in values.iter().enumerate().skip(1) {
        if value > values[best.0] {
            best = (index, 1);
        } else if value == values[best.0] {
            best.1 += 1;
            if rng.random_range(0..best.1) == 0 {
                best.0 = index;
            }
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::*;

    #[test]
    fn ties_are_broken_evenly() {
        let mut rng = Seeds::new(3).stream("ties");
        let mut counts = [0; 4];
        for _ in 0..3000 {
            counts[argmax_at_random(&[1.0, 2.0, 2.0, 2.0], &mut rng)] += 1;
        }
        assert_eq!(counts[0], 0);
        // Standard deviation 26.
        assert!(counts[1..].iter().all(|&count| (900..1100).contains(&count)), "{counts:?}");
    }

    #[test]
    fn rows_of_a_table_do_not_overlap() {
        let mut table = Table::zeros(&[2, 3]);
        table.move_towards(1, 0, 8.0, 0.5);
        table.move_towards(1, 0, 8.0, 0.5);
        assert_eq!((table.row(0), table.row(1)), (&[0.0, 0.0][..], &[6.0, 0.0, 0.0][..]));
    }
}

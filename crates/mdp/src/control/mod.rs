//! Family: learn action values on a table, transition by transition, and act on them.
//!
//! | file | what it holds |
//! |---|---|
//! | [`q_learning`] | Q-learning |
//! | [`double_q_learning`] | two tables, one selects, the other evaluates |
//! | [`maximization_bias`] | the problem `maximization-bias`: how often noise lures a learner away |
//! | [`run`] | its run: a hundred independent learners, episode after episode |

pub mod double_q_learning;
pub mod maximization_bias;
pub mod q_learning;
pub mod run;

use quire_core::{About, MethodCard, OptionMap, Options, Result, Rng, options};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use maximization_bias::problems;

/// Options that all methods of this family share.
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
#[derive(Debug, Clone, Copy, PartialEq)]
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
}

/// The role: estimate action values, take in transitions.
pub trait TableLearner: Send {
    /// Fills `values` with the estimates for the actions of `state`.
    fn values(&self, state: usize, values: &mut Vec<f64>);

    /// Learns from one transition.
    fn observe(&mut self, transition: Transition, rng: &mut Rng);

    /// The tables; learners of one method have equally many.
    fn tables(&self) -> &[Table];

    /// Takes over tables that [`TableLearner::tables`] gave.
    fn set_tables(&mut self, tables: Vec<Table>);
}

/// A row of the family's table of methods.
pub struct Entry {
    /// Name, summary, source.
    pub about: About,
    /// Makes a learner; `actions[s]` is the number of actions of state s.
    pub make: fn(&[usize], &ControlOptions) -> Box<dyn TableLearner>,
}

impl Entry {
    /// The card of the method.
    pub fn card(&self) -> MethodCard {
        self.about.card::<ControlOptions>()
    }

    /// All options, those that the user has set laid over the defaults.
    pub fn options(&self, set: &OptionMap) -> Result<ControlOptions> {
        options::resolve(&[set])
    }
}

/// The methods of this family.
pub const METHODS: &[Entry] = &[q_learning::ENTRY, double_q_learning::ENTRY];

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

//! Tabular REDQ: an ensemble of tables whose common target is a minimum over a random subset (Chen et al. 2021).
//!
//! After every step, G times: draw a transition (s, a, r, s') of those seen so far and a subset I of M of the N tables, and
//! move every table towards the same target,
//!
//! > y = r + γ max_b min_{i in I} Q_i(s', b),  Q_j(s, a) ← Q_j(s, a) + η [ y - Q_j(s, a) ]  for j = 1..N
//!
//! Acting goes by the mean of all N. M = 1 with N = 1 and G = 1 is Q-learning on replayed transitions.
//!
//! Source: X. Chen, C. Wang, Z. Zhou & K. Ross, *Randomized ensembled double Q-learning: learning fast without a model*,
//! ICLR 2021, arXiv:2101.05982, section 3 (the analysis is about this form). Tables start with independent small values,
//! uniform in [-`spread`, `spread`], since equal tables fed with equal targets would stay equal; that spread is ours.
//!
//! Pick it to study redq where the true values are known; with N > 1 its values are less noisy than a single table's.

use quire_core::{About, Error, Options, Result, Rng};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Method, TUNED, Table, TableLearner, Transition, restore, save};

/// Options of `tabular-redq`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TabularRedqOptions {
    /// Step size of an update. Sutton & Barto, example 6.7: 0.1.
    #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
    pub learning_rate: f64,
    /// Discount factor per step. Sutton & Barto: 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub discount: f64,
    /// Probability of a uniformly random action. Sutton & Barto: 0.1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub epsilon: f64,
    /// Tables N. Paper: 10.
    #[schemars(range(min = 1, max = 1000))]
    pub critics: usize,
    /// Size M of the subset in the target. Paper: 2.
    #[schemars(range(min = 1))]
    pub subset: usize,
    /// Updates G per step. Paper: 20 with networks; ours: 10.
    #[schemars(range(min = 1))]
    pub updates_per_step: u32,
    /// First values are uniform in [-spread, spread]. Ours.
    #[schemars(range(min = 0.0))]
    pub spread: f64,
}

impl Default for TabularRedqOptions {
    fn default() -> Self {
        TabularRedqOptions {
            learning_rate: 0.1,
            discount: 1.0,
            epsilon: 0.1,
            critics: 10,
            subset: 2,
            updates_per_step: 10,
            spread: 0.1,
        }
    }
}

impl Options for TabularRedqOptions {
    fn validate(&self) -> Result<()> {
        if self.subset > self.critics {
            let problem =
                format!("must be at most the number of critics, {}; got {}", self.critics, self.subset);
            return Err(Error::option("subset", problem));
        }
        Ok(())
    }
}

/// The learner.
#[derive(Serialize, Deserialize)]
pub struct TabularRedq {
    tables: Vec<Table>,
    /// Every transition seen.
    memory: Vec<Transition>,
    options: TabularRedqOptions,
    /// The order of the tables of which the first M are the subset.
    order: Vec<usize>,
}

/// max_b min_{i in `subset`} Q_i(s, b).
fn greatest_minimum(tables: &[Table], subset: &[usize], state: usize) -> f64 {
    let actions = 0..tables[0].row(state).len();
    let minimum = |action| subset.iter().map(|&i| tables[i].row(state)[action]).fold(f64::INFINITY, f64::min);
    actions.map(minimum).fold(f64::NEG_INFINITY, f64::max)
}

impl TabularRedq {
    fn update(&mut self, rng: &mut Rng) {
        let drawn = rng.random_range(0..self.memory.len() as u32) as usize;
        let Transition { state, action, reward, next } = self.memory[drawn];
        // M steps of a shuffle: the first M are a subset drawn without replacement, whatever the order was before.
        for place in 0..self.options.subset {
            let other = rng.random_range(place as u32..self.order.len() as u32) as usize;
            self.order.swap(place, other);
        }
        let subset = &self.order[..self.options.subset];
        let later = next.map_or(0.0, |next| greatest_minimum(&self.tables, subset, next));
        let target = reward + self.options.discount * later;
        for table in &mut self.tables {
            table.move_towards(state, action, target, self.options.learning_rate);
        }
    }
}

impl Method for TabularRedq {
    type Options = TabularRedqOptions;

    const ABOUT: About = About {
        name: "tabular-redq",
        summary: "An ensemble of tables that learns from minima over random subsets, many updates a step",
        when: "To study redq where the true values are known.",
        wing: "mdp",
        family: "control",
        paper: None,
        is_baseline: true,
        tuned: TUNED,
    };

    fn new(actions: &[usize], options: TabularRedqOptions) -> Self {
        TabularRedq {
            tables: vec![Table::zeros(actions); options.critics],
            memory: Vec::new(),
            order: (0..options.critics).collect(),
            options,
        }
    }
}

impl TableLearner for TabularRedq {
    fn values(&self, state: usize, values: &mut Vec<f64>) {
        values.clear();
        values.resize(self.tables[0].row(state).len(), 0.0);
        for table in &self.tables {
            values.iter_mut().zip(table.row(state)).for_each(|(sum, value)| *sum += value);
        }
        let count = self.tables.len() as f64;
        values.iter_mut().for_each(|sum| *sum /= count);
    }

    fn observe(&mut self, transition: Transition, rng: &mut Rng) {
        if self.memory.is_empty() && self.options.spread > 0.0 {
            let spread = self.options.spread;
            for table in &mut self.tables {
                table.values_mut().iter_mut().for_each(|value| *value = rng.random_range(-spread..=spread));
            }
        }
        self.memory.push(transition);
        for _ in 0..self.options.updates_per_step {
            self.update(rng);
        }
    }

    fn epsilon(&self) -> f64 {
        self.options.epsilon
    }

    fn discount(&self) -> f64 {
        self.options.discount
    }

    fn save(&self) -> Vec<u8> {
        save(self)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        restore(self, saved)
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::super::ControlOptions;
    use super::super::q_learning::QLearning;
    use super::*;

    #[test]
    fn the_target_is_the_greatest_minimum_of_the_subset() {
        let table = |values: [f64; 2]| {
            let mut table = Table::zeros(&[2]);
            table.values_mut().copy_from_slice(&values);
            table
        };
        let tables = [table([1.0, 5.0]), table([4.0, 2.0]), table([3.0, 3.0])];
        assert_eq!(greatest_minimum(&tables, &[0, 1], 0), 2.0);
        assert_eq!(greatest_minimum(&tables, &[0], 0), 5.0);
        assert_eq!(greatest_minimum(&tables, &[2, 1, 0], 0), 2.0);
    }

    /// With one table that starts at zero and one update a step, every step drawn in the order it came.
    #[test]
    fn one_table_is_q_learning() {
        let options = TabularRedqOptions {
            critics: 1,
            subset: 1,
            updates_per_step: 1,
            spread: 0.0,
            discount: 0.9,
            ..Default::default()
        };
        let control = ControlOptions { discount: 0.9, ..Default::default() };
        let (mut redq, mut plain) = (TabularRedq::new(&[2, 2], options), QLearning::new(&[2, 2], control));
        let mut rng = Seeds::new(1).stream("updates");
        let mut seen = 0_u32;
        for step in 0..200_usize {
            let transition = Transition {
                state: step % 2,
                action: step / 2 % 2,
                reward: (step % 7) as f64,
                next: (step % 5 != 0).then_some((step + 1) % 2),
            };
            // A memory of one transition leaves nothing to draw.
            redq.memory.clear();
            redq.observe(transition, &mut rng);
            plain.observe(transition, &mut rng);
            seen += 1;
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for state in 0..2 {
                redq.values(state, &mut ours);
                plain.values(state, &mut theirs);
                assert_eq!(ours, theirs, "after {seen} steps");
            }
        }
    }

    #[test]
    fn subsets_have_no_repeats_and_reach_every_table() {
        let options = TabularRedqOptions { critics: 4, subset: 2, ..Default::default() };
        let mut learner = TabularRedq::new(&[1], options);
        let mut rng = Seeds::new(2).stream("subsets");
        let mut counts = [0; 4];
        for _ in 0..400 {
            learner.observe(Transition { state: 0, action: 0, reward: 0.0, next: None }, &mut rng);
            assert_ne!(learner.order[0], learner.order[1]);
            counts[learner.order[0]] += 1;
        }
        // 100 each on average, standard deviation 9.
        assert!(counts.iter().all(|count| (60..140).contains(count)), "{counts:?}");
    }
}

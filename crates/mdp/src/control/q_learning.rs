//! Q-learning: one table, whose maximum both selects and evaluates the next action (Watkins 1989).
//!
//! > Q(s, a) ← Q(s, a) + η [ r + γ max_b Q(s', b) - Q(s, a) ]
//!
//! Source: C. Watkins & P. Dayan, *Q-learning*, Machine Learning 8, 1992.
//!
//! Pick it as the simplest learner of action values; where rewards are noisy, its values are too high.

use quire_core::{About, Result, Rng};
use serde::{Deserialize, Serialize};

use super::{ControlOptions, Method, TUNED, Table, TableLearner, Transition, restore, save};

/// The learner.
#[derive(Serialize, Deserialize)]
pub struct QLearning {
    table: Table,
    options: ControlOptions,
}

impl Method for QLearning {
    type Options = ControlOptions;

    const ABOUT: About = About {
        name: "q-learning",
        summary: "Temporal differences towards the greatest next action value, on a table",
        when: "The simplest learner of action values. Where rewards are noisy its values are too high, and double-q-learning \
               is the safer choice.",
        wing: "mdp",
        family: "control",
        paper: None,
        is_baseline: true,
        tuned: TUNED,
    };

    fn new(actions: &[usize], options: ControlOptions) -> Self {
        QLearning { table: Table::zeros(actions), options }
    }
}

impl TableLearner for QLearning {
    fn values(&self, state: usize, values: &mut Vec<f64>) {
        values.clear();
        values.extend(self.table.row(state));
    }

    fn observe(&mut self, transition: Transition, _rng: &mut Rng) {
        let Transition { state, action, reward, next } = transition;
        let greatest = |next| self.table.row(next).iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let target = reward + self.options.discount * next.map_or(0.0, greatest);
        self.table.move_towards(state, action, target, self.options.learning_rate);
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

    use super::*;

    #[test]
    fn an_update_by_hand() {
        let options = ControlOptions { learning_rate: 0.5, discount: 0.5, epsilon: 0.1 };
        let mut learner = QLearning::new(&[2, 2], options);
        let mut rng = Seeds::new(0).stream("update");
        let mut observe = |state, action, reward, next| {
            learner.observe(Transition { state, action, reward, next }, &mut rng);
        };
        observe(1, 0, 4.0, None); // 0 + (4 - 0)/2 = 2
        observe(1, 1, -4.0, None); // -2
        observe(0, 1, 1.0, Some(1)); // 0 + (1 + 2/2 - 0)/2 = 1
        assert_eq!(learner.table.values(), [0.0, 1.0, 2.0, -2.0]);
    }
}

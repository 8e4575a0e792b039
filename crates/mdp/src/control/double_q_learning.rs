//! Double Q-learning: of two tables one selects the next action and the other evaluates it (van Hasselt 2010).
//!
//! With probability 1/2, and with A and B exchanged otherwise,
//!
//! > A(s, a) ← A(s, a) + η [ r + γ B(s', argmax_b A(s', b)) - A(s, a) ]
//!
//! Acting goes by the mean of the two. The tables learn from different transitions, so what one overrates by luck the other
//! does not.
//!
//! Source: H. van Hasselt, *Double Q-learning*, NeurIPS 2010.
//!
//! Pick it over q-learning where rewards are noisy and many actions look alike.

use quire_core::{About, Result, Rng};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{
    ControlOptions, Method, TUNED, Table, TableLearner, Transition, argmax_at_random, restore, save,
};

/// The learner.
#[derive(Serialize, Deserialize)]
pub struct DoubleQLearning {
    tables: [Table; 2],
    options: ControlOptions,
}

impl Method for DoubleQLearning {
    type Options = ControlOptions;

    const ABOUT: About = About {
        name: "double-q-learning",
        summary: "Q-learning on two tables, of which one selects the next action and the other evaluates it",
        when: "Over q-learning where rewards are noisy and many actions look alike.",
        wing: "mdp",
        family: "control",
        paper: None,
        is_baseline: true,
        tuned: TUNED,
    };

    fn new(actions: &[usize], options: ControlOptions) -> Self {
        DoubleQLearning { tables: [Table::zeros(actions), Table::zeros(actions)], options }
    }
}

impl TableLearner for DoubleQLearning {
    fn values(&self, state: usize, values: &mut Vec<f64>) {
        values.clear();
        let pairs = self.tables[0].row(state).iter().zip(self.tables[1].row(state));
        values.extend(pairs.map(|(a, b)| (a + b) / 2.0));
    }

    fn observe(&mut self, transition: Transition, rng: &mut Rng) {
        let Transition { state, action, reward, next } = transition;
        let learns = usize::from(rng.random::<bool>());
        let evaluated = next.map_or(0.0, |next| {
            let best = argmax_at_random(self.tables[learns].row(next), rng);
            self.tables[1 - learns].row(next)[best]
        });
        let target = reward + self.options.discount * evaluated;
        self.tables[learns].move_towards(state, action, target, self.options.learning_rate);
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
    fn one_table_selects_and_the_other_evaluates() {
        let options = ControlOptions { learning_rate: 1.0, discount: 1.0, epsilon: 0.1 };
        let mut rng = Seeds::new(0).stream("update");
        let mut a_learned = 0;
        for _ in 0..100 {
            let (mut a, mut b) = (Table::zeros(&[1, 2]), Table::zeros(&[1, 2]));
            a.move_towards(1, 0, 5.0, 1.0); // A prefers action 0, which B rates 3
            b.move_towards(1, 0, 3.0, 1.0);
            b.move_towards(1, 1, 4.0, 1.0); // B prefers action 1, which A rates 0
            let mut learner = DoubleQLearning { tables: [a, b], options: options.clone() };
            learner.observe(Transition { state: 0, action: 0, reward: 10.0, next: Some(1) }, &mut rng);
            let learned = (learner.tables[0].row(0)[0], learner.tables[1].row(0)[0]);
            assert!(learned == (13.0, 0.0) || learned == (0.0, 10.0), "{learned:?}");
            a_learned += usize::from(learned.0 != 0.0);
        }
        assert!((30..=70).contains(&a_learned), "table A learned {a_learned} of 100 times");
    }
}

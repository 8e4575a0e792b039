//! When to ask which of two trajectories is better.

use std::f64::consts::PI;

use quire_core::Rng;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A rule. None of them asks about trajectories that do not differ in their features: the answer would be a coin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Query {
    /// If two rewards drawn from what is known of it differ about the pair by more than the threshold in expectation.
    Disagreement {
        /// The threshold ε, in units of reward. Paper: T^(-b), for about T^(2b) questions; ours: 0.4.
        #[schemars(range(min = 0.0))]
        threshold: f64,
    },
    /// Always.
    Always {},
    /// In rounds drawn evenly, so many in all if so many have pairs that differ.
    Random {
        /// Questions in all.
        labels: u64,
    },
}

/// E |N(0, 2 s²)| = 2 s/√π: the expected difference of two draws with standard deviation `deviation` = s.
pub fn expected_disagreement(deviation: f64) -> f64 {
    2.0 * deviation / PI.sqrt()
}

impl Query {
    /// Whether to ask. `disagreement` is asked for only if the rule goes by it; `asked` questions have been asked in `round` (from 0) of
    /// `rounds`.
    pub fn asks(
        &self,
        differs: bool,
        disagreement: impl FnOnce() -> f64,
        asked: u64,
        (round, rounds): (u64, u64),
        rng: &mut Rng,
    ) -> bool {
        match *self {
            Query::Disagreement { threshold } => differs && disagreement() > threshold,
            Query::Always {} => differs,
            Query::Random { labels } => {
                // Of the rounds that are left, so many are to be drawn.
                let left = labels.saturating_sub(asked) as f64 / (rounds - round) as f64;
                rng.random::<f64>() < left && differs
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;
    use rand_distr::StandardNormal;

    use super::*;

    #[test]
    fn the_closed_form_is_what_sampling_finds() {
        let mut rng = Seeds::new(0).stream("draws");
        let (deviation, draws) = (0.7, 40_000);
        let mut sum = 0.0;
        for _ in 0..draws {
            let (a, b): (f64, f64) = (rng.sample(StandardNormal), rng.sample(StandardNormal));
            sum += (deviation * (a - b)).abs();
        }
        // |N(0, 2 s²)| deviates by √2 s (1 - 2/π)^½ = 0.6 s √2.
        let error = 5.0 * 0.61 * 2.0_f64.sqrt() * deviation / f64::from(draws).sqrt();
        assert!((sum / f64::from(draws) - expected_disagreement(deviation)).abs() < error);
    }

    #[test]
    fn random_questions_are_spread_and_as_many_as_wanted() {
        let mut rng = Seeds::new(0).stream("query");
        let (mut asked, mut early) = (0, 0);
        for round in 0..1_000 {
            let rule = Query::Random { labels: 100 };
            if rule.asks(
                true,
                || panic!("a random question asks for no disagreement"),
                asked,
                (round, 1_000),
                &mut rng,
            ) {
                asked += 1;
                early += u64::from(round < 500);
            }
        }
        assert_eq!(asked, 100);
        // Hypergeometric: 50 with a deviation of 4.8.
        assert!((26..=74).contains(&early));
    }
}

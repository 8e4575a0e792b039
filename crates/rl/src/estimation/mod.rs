//! Family: estimators of a maximum, on problems where every error can be computed.
//!
//! The maximum of noisy estimates is too high even if each of them is right on average. What q-learning and its
//! successors make of that is decided by the estimator of max_a Q(s, a) alone, so it is shown here without any learning
//! around it.
//!
//! | file | what it holds |
//! |---|---|
//! | [`polynomial`] | least-squares polynomials in a basis that keeps its digits |
//! | [`overestimation`] | the problems `polynomial-overestimation-*`: Figure 2 of the Double DQN paper |
//! | [`run`] | their run: state after state, errors averaged |
//! | [`uniform_errors`] | the problems `uniform-errors-*`: independent errors beside the closed form of their bias |

pub mod overestimation;
pub mod polynomial;
pub mod run;
pub mod uniform_errors;

use std::sync::Arc;

use quire_core::options::NoOptions;
use quire_core::{About, Entry, Problem};

/// The problems of this family.
pub fn problems() -> impl Iterator<Item = Arc<dyn Problem>> {
    overestimation::problems().chain(uniform_errors::problems())
}

/// Estimates max_a Q(s, a) from `estimates`, `[actions]`; the second argument gives an action's partner, whose estimate
/// has errors of its own.
pub type Estimator = fn(&[f64], fn(usize) -> usize) -> f64;

const fn about(name: &'static str, summary: &'static str, when: &'static str) -> About {
    About { name, summary, when, wing: "rl", family: "estimation", paper: None, is_baseline: true, tuned: "" }
}

const SINGLE: About = about(
    "single-estimate",
    "The maximum of the estimates: one set of estimates selects the action and evaluates it",
    "To see what q-learning's target does to errors of its estimates; for learning take double-dqn.",
);

const DOUBLE: About = about(
    "double-estimate",
    "One set of estimates selects the action, another evaluates it",
    "To see what double Q-learning's target does to errors of its estimates; for learning take double-dqn.",
);

/// The methods of this family that need only the estimates.
pub const METHODS: &[Entry<Estimator>] = &[
    Entry { name: SINGLE.name, card: || SINGLE.card::<NoOptions>(), make: single_estimate },
    Entry { name: DOUBLE.name, card: || DOUBLE.card::<NoOptions>(), make: double_estimate },
];

/// max_a Q_a.
pub fn single_estimate(estimates: &[f64], _partner: fn(usize) -> usize) -> f64 {
    estimates[argmax(estimates)]
}

/// Q'_{a*} with a* = argmax_a Q_a, where Q'_a is the estimate of the action's partner.
pub fn double_estimate(estimates: &[f64], partner: fn(usize) -> usize) -> f64 {
    estimates[partner(argmax(estimates))]
}

/// The first of the greatest; both estimators break ties alike.
fn argmax(values: &[f64]) -> usize {
    (1..values.len()).fold(0, |best, index| if values[index] > values[best] { index } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_double_estimate_is_the_partners() {
        let next = |action: usize| (action + 1) % 3;
        assert_eq!(single_estimate(&[1.0, 3.0, 2.0], next), 3.0);
        assert_eq!(double_estimate(&[1.0, 3.0, 2.0], next), 2.0);
        // Of equal estimates the first selects.
        assert_eq!(double_estimate(&[3.0, 2.0, 3.0], next), 2.0);
    }
}

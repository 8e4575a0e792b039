//! The problems `polynomial-overestimation-*`: too high a maximum without any noise (Figure 2 of the Double DQN paper).
//!
//! States are the real numbers in [-6, 6]. All ten actions have the same true value f(s), and what is known of action
//! i = 0..9 is f at the integers -6..6 except -5 + i and -4 + i. Its estimate is the least-squares polynomial through these
//! eleven points. Estimates are exact where samples are and off where they are missing, each action's in another place,
//! so the maximum is too high almost everywhere; more so the more flexible the polynomial.
//!
//! The double estimate evaluates action i with the estimate of action i + 5 (mod 10). That pairing is not in the paper; it
//! gives every number the figure prints.
//!
//! Source: H. van Hasselt, A. Guez & D. Silver, *Deep reinforcement learning with double Q-learning*, AAAI 2016,
//! arXiv:1509.06461, Figure 2.

use std::sync::Arc;

use quire_core::{
    Artefact, Direction, Entry, Error, Evaluation, MethodCard, Metric, Problem, ProblemCard, Result, Run,
    RunSpec, Seeds,
};
use rand::RngExt;

use super::polynomial::Polynomial;
use super::run::{EstimationRun, POLYNOMIALS};
use super::{Estimator, METHODS};

/// States lie in [-GREATEST_STATE, GREATEST_STATE].
pub const GREATEST_STATE: f64 = 6.0;
/// The number of actions.
pub const ACTIONS: usize = 10;
/// The most states a run may average over: they are held in memory.
const MOST_STATES: u64 = 10_000_000;

/// One row of the figure.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name as a problem.
    pub name: &'static str,
    /// What it asks.
    pub summary: &'static str,
    /// The true value of every action.
    pub truth: fn(f64) -> f64,
    /// The degree of the estimates.
    pub degree: usize,
}

/// The three rows, from the top.
pub const ROWS: [Row; 3] = [
    Row {
        name: "polynomial-overestimation-sine-6",
        summary: "estimate the greatest of ten polynomials of degree 6 fitted to the same sin(s) at different states",
        truth: f64::sin,
        degree: 6,
    },
    Row {
        name: "polynomial-overestimation-bump-6",
        summary: "the same with polynomials of degree 6 fitted to 2 exp(-s^2)",
        truth: bump,
        degree: 6,
    },
    Row {
        name: "polynomial-overestimation-bump-9",
        summary: "the same with polynomials of degree 9, which swing more between the samples",
        truth: bump,
        degree: 9,
    },
];

fn bump(state: f64) -> f64 {
    2.0 * (-state * state).exp()
}

/// The action whose estimate evaluates `action`.
pub fn partner(action: usize) -> usize {
    (action + ACTIONS / 2) % ACTIONS
}

impl Row {
    /// The estimates of all actions.
    pub fn fit(&self) -> Vec<Polynomial> {
        let fit = |action: i32| {
            let sampled = (-6..=6).filter(|&state| state != action - 5 && state != action - 4);
            let states: Vec<f64> = sampled.map(f64::from).collect();
            let values: Vec<f64> = states.iter().map(|&state| (self.truth)(state)).collect();
            Polynomial::least_squares(&states, &values, self.degree, GREATEST_STATE)
        };
        (0..ACTIONS as i32).map(fit).collect()
    }

    /// Estimated minus true maximum at `state`.
    pub fn error(&self, entry: &Entry<Estimator>, estimates: &[Polynomial], state: f64) -> f64 {
        let mut values = [0.0; ACTIONS];
        for (value, estimate) in values.iter_mut().zip(estimates) {
            *value = estimate.value(state);
        }
        (entry.make)(&values, partner) - (self.truth)(state)
    }
}

/// A row of the figure as a problem.
pub struct OverestimationProblem {
    card: ProblemCard,
    methods: Vec<MethodCard>,
    row: Row,
}

/// The problems of this file.
pub fn problems() -> impl Iterator<Item = Arc<dyn Problem>> {
    ROWS.iter().map(|&row| Arc::new(OverestimationProblem::new(row)) as Arc<dyn Problem>)
}

impl OverestimationProblem {
    /// The problem of `row`.
    pub fn new(row: Row) -> Self {
        let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
        OverestimationProblem {
            card: ProblemCard {
                name: row.name.to_owned(),
                summary: row.summary.to_owned(),
                wing: "rl",
                metrics: vec![
                    metric(
                        "absolute_error",
                        Direction::Lower,
                        "mean distance of estimated and true maximum over states",
                    ),
                    metric(
                        "error",
                        Direction::Neutral,
                        "mean estimated minus true maximum over states: the bias",
                    ),
                ],
                optimum: Some(0.0),
                budget: 1201,
                budget_unit: "states",
                source: "van Hasselt, Guez & Silver 2016, arXiv:1509.06461, Figure 2".to_owned(),
                tags: vec!["estimation", "bias", "exact"],
            },
            methods: Entry::cards(METHODS),
            row,
        }
    }

    fn run(&self, spec: &RunSpec) -> Result<EstimationRun> {
        let entry = Entry::find(METHODS, self, &spec.method)?;
        let options = (entry.card)().options.with(&[&spec.options])?;
        match spec.budget.unwrap_or(self.card.budget) {
            budget @ 2..=MOST_STATES => Ok(EstimationRun::start(spec, budget, self.row, entry, options)),
            budget => Err(Error::Usage(format!(
                "a grid over the states has from 2 to {MOST_STATES} of them, not {budget}; change --steps"
            ))),
        }
    }
}

impl Problem for OverestimationProblem {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        Ok(Box::new(self.run(spec)?))
    }

    /// Absolute errors at states drawn uniformly.
    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        let entry = Entry::find(METHODS, self, &artefact.method)?;
        let numbers = artefact.numbers(POLYNOMIALS)?;
        if numbers.len() != ACTIONS * (self.row.degree + 1) {
            return Err(Error::Failed(format!(
                "the estimates in {POLYNOMIALS} do not fit {}",
                self.card.name
            )));
        }
        let polynomial = |part: &[f64]| Polynomial { scale: GREATEST_STATE, coefficients: part.to_vec() };
        let estimates: Vec<Polynomial> = numbers.chunks_exact(self.row.degree + 1).map(polynomial).collect();
        let mut rng = Seeds::new(seed).stream("states");
        let scores = (0..repetitions).map(|_| {
            let state = rng.random_range(-GREATEST_STATE..=GREATEST_STATE);
            self.row.error(entry, &estimates, state).abs()
        });
        Ok(Evaluation { metric: self.card.metric().name.to_owned(), scores: scores.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figure prints +0.61, +0.47, +3.35 for the single estimate, -0.02, +0.02, -0.02 for the double; three decimals
    /// are those of an independent computation on a grid of 1201 states.
    #[test]
    fn the_numbers_of_figure_2() {
        let expected = [(0.612, -0.021), (0.473, 0.016), (3.349, -0.016)];
        for (row, (single, double)) in ROWS.iter().zip(expected) {
            let estimates = row.fit();
            let mean = |entry: &Entry<Estimator>| {
                let errors =
                    (0..1201).map(|i| row.error(entry, &estimates, -6.0 + 12.0 * f64::from(i) / 1200.0));
                errors.sum::<f64>() / 1201.0
            };
            assert!((mean(&METHODS[0]) - single).abs() < 5.1e-4, "{}: {}", row.name, mean(&METHODS[0]));
            assert!((mean(&METHODS[1]) - double).abs() < 5.1e-4, "{}: {}", row.name, mean(&METHODS[1]));
        }
    }

    #[test]
    fn every_row_has_partners_that_pair_up() {
        for action in 0..ACTIONS {
            assert_ne!(partner(action), action);
            assert_eq!(partner(partner(action)), action);
        }
    }

    #[test]
    fn a_grid_of_one_state_is_refused() {
        let problem = OverestimationProblem::new(ROWS[0]);
        for budget in [0, 1, u64::MAX] {
            let spec = RunSpec { budget: Some(budget), ..RunSpec::new(ROWS[0].name, "single-estimate", 0) };
            assert!(problem.start(&spec).err().unwrap().is_usage());
        }
    }
}

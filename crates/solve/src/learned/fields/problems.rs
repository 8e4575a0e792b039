//! The problems.
//!
//! | problem | tasks | solver | judged on |
//! |---|---|---|---|
//! | `guess-poisson-512` | u'' = f on 512 points, f of 20 sines | SOR, ω = 1.5 | 30 tasks, residual 0.01 |
//! | `guess-poisson-512-jacobi` | the same | Jacobi | 30 tasks, residual 0.1 |
//! | `guess-pressure` | the pressure of a flow through a channel of 32 by 32 points, step after step | SOR, ω = 1.5 | 22 steps of one flow, residual 0.001 |
//!
//! Runs that come to 1000 iterations count as that. `error_0`, `error_16` and `error` are the mean distances to the solution, over its norm, after 0, 16 and 64 iterations.

use std::sync::Arc;

use quire_core::{Direction, Metric, Problem, Result, Rng, Seeds};

use super::flow::Pressure;
use super::poisson::Poisson;
use super::relaxation::Sweep;
use super::{Fields, METHODS, Rule, Task, Training};
use crate::problem::{Said, SolveProblem, World};

/// Iterations of a run that is judged, at most.
pub const CAP: u64 = 1000;

/// Iterations after which the error is looked at.
const LOOKS: [u64; 3] = [0, 16, 64];

/// Which tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Poisson's equation by SOR.
    Poisson,
    /// The same by Jacobi's method.
    PoissonJacobi,
    /// The pressure of a flow by SOR.
    Pressure,
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let listed = [
        (
            "guess-poisson-512",
            "guess the solution of Poisson's equation on 512 points, for SOR to start from",
            Kind::Poisson,
            "arXiv:2206.08594's code, with fresh tasks in place of 30,000",
        ),
        (
            "guess-poisson-512-jacobi",
            "guess the solution of Poisson's equation on 512 points, for Jacobi's method to start from",
            Kind::PoissonJacobi,
            "arXiv:2206.08594's code, with fresh tasks in place of 30,000",
        ),
        (
            "guess-pressure",
            "guess the pressure of the next step of a flow, for SOR to start from",
            Kind::Pressure,
            "arXiv:2206.08594's code, on 32 by 32 points in place of 128 by 128, step by step",
        ),
    ];
    let problem = |(name, summary, kind, source)| {
        let said = Said {
            name,
            summary,
            budget: 300,
            source,
            tags: &["meta-learning", "initial guess", "iterative solver"],
            work: "solver iterations in training",
        };
        Arc::new(SolveProblem::new(said, METHODS, kind)) as Arc<dyn Problem>
    };
    listed.into_iter().map(problem).collect()
}

/// What a run from a guess comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counts {
    /// Iterations until each of the tolerances, loosest first; at most [`CAP`].
    pub iterations: [u64; 3],
    /// Relative errors after 0, 16 and 64 iterations.
    pub errors: [f64; 3],
}

/// What a run from this guess comes to.
pub fn counts(fields: &dyn Fields, task: &Task, guess: &[f64]) -> Counts {
    let (grid, tolerances) = (fields.grid(), fields.tolerances());
    let mut found = Counts { iterations: [CAP; 3], errors: [0.0; 3] };
    let (mut u, mut scratch) = (guess.to_vec(), vec![0.0; grid.len()]);
    for iteration in 0..CAP {
        let residual = grid.square(&task.right, &u).sqrt() / task.right_size;
        for (count, tolerance) in found.iterations.iter_mut().zip(tolerances) {
            if residual <= tolerance {
                *count = iteration.min(*count);
            }
        }
        for (error, look) in found.errors.iter_mut().zip(LOOKS) {
            if iteration == look {
                *error = task.error(&u);
            }
        }
        if found.iterations[2] < CAP && iteration >= LOOKS[2] {
            break;
        }
        grid.step(&task.right, &mut u, &mut scratch);
    }
    found
}

impl Kind {
    /// The tasks that a seed draws.
    pub fn fields(self, seeds: Seeds) -> Box<dyn Fields> {
        match self {
            Kind::Poisson => Box::new(Poisson::new(Sweep::RedBlack, 30, seeds)),
            Kind::PoissonJacobi => Box::new(Poisson::new(Sweep::Jacobi, 30, seeds)),
            Kind::Pressure => Box::new(Pressure::new(6, 1, seeds)),
        }
    }
}

impl World for Kind {
    type Instance = Training;
    type Truth = ();

    const BY_WORK: bool = false;

    const SCORE: &'static str = "count";

    fn draw(&self, seed: u64) -> Result<(Training, ())> {
        let seeds = Seeds::new(seed);
        Ok((Training { fields: self.fields(seeds.child("problem")), seeds: seeds.child("method") }, ()))
    }

    fn metrics(&self) -> Vec<Metric> {
        let metric = |name, summary| Metric { name, unit: "", direction: Direction::Lower, summary };
        vec![
            metric("count", "mean iterations of the tasks that are judged, each at most 1000"),
            metric("count_loose", "the same at a looser tolerance"),
            metric("count_tight", "the same at a tighter tolerance"),
            metric("capped", "part of the tasks that came to 1000 iterations"),
            metric("error", "mean relative distance to the solution after 64 iterations"),
            metric("error_16", "the same after 16"),
            metric("error_0", "the same of the guess itself"),
            metric("training_count", "mean iterations of the last batch"),
        ]
    }

    fn measure(&self, training: &Training, (): &(), values: &[f64]) -> Vec<(&'static str, f64)> {
        let fields = &*training.fields;
        let Ok(rule) = Rule::from_values(fields, values) else { return Vec::new() };
        let (mut sums, mut errors, mut capped) = ([0; 3], [0.0; 3], 0);
        rule.each(fields, fields.tests(), |task, guess| {
            let found = counts(fields, task, guess);
            sums.iter_mut().zip(found.iterations).for_each(|(sum, n)| *sum += n);
            errors.iter_mut().zip(found.errors).for_each(|(sum, error)| *sum += error);
            capped += u64::from(found.iterations[1] == CAP);
        });
        let tests = fields.tests().len() as f64;
        let [loose, count, tight] = sums.map(|sum| sum as f64 / tests);
        let [error_0, error_16, error] = errors.map(|sum| sum / tests);
        vec![
            ("count", count),
            ("count_loose", loose),
            ("count_tight", tight),
            ("capped", capped as f64 / tests),
            ("error", error),
            ("error_16", error_16),
            ("error_0", error_0),
        ]
    }

    /// Iterations of one fresh task.
    fn score(&self, training: &Training, (): &(), values: &[f64], rng: &mut Rng) -> f64 {
        let fields = &*training.fields;
        let Ok(rule) = Rule::from_values(fields, values) else { return f64::NAN };
        let mut count = f64::NAN;
        rule.each(fields, [&fields.draw(rng)], |task, guess| {
            count = counts(fields, task, guess).iterations[1] as f64;
        });
        count
    }

    fn fits(&self, training: &Training, values: &[f64]) -> bool {
        Rule::from_values(&*training.fields, values).is_ok()
    }
}

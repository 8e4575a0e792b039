//! The problems: functions whose minimum is known.
//!
//! | problem | f | start |
//! |---|---|---|
//! | `rosenbrock-2` | 100 (y - x²)² + (1 - x)² | 0 |
//! | `rosenbrock-pairs` | the sum of 50 of these, of neighbors | 0 |
//! | `logistic-ill-conditioned` | mean of ln(1 + e^{-y a·x}) over 1000 rows in 40 dimensions, whose scales fall from 1 to 0.01, and 10⁻⁶ ‖x‖²/2 | 0 |

use std::sync::Arc;

use quire_core::{Direction, Metric, Problem, Result, Rng, Seeds};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::{Descent, METHODS, Smooth};
use crate::finite_sum::components::{Logistic, sigmoid};
use crate::problem::{Said, SolveProblem, World};
use crate::vectors::dot;

/// Rows and unknowns of the logistic regression, its smallest scale and its ridge.
const LOGISTIC: (usize, usize, f64, f64) = (1000, 40, 0.01, 1e-6);

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// Rosenbrock's function of so many pairs.
    Rosenbrock(usize),
    /// Logistic regression.
    Logistic,
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let problem = |name, summary, source, budget, function| {
        let tags = &["minimization", "gradients"];
        let said = Said { name, summary, budget, source, tags, work: "gradients" };
        Arc::new(SolveProblem::new(said, METHODS, function)) as Arc<dyn Problem>
    };
    vec![
        problem(
            "rosenbrock-2",
            "descend Rosenbrock's function of two unknowns",
            "H. H. Rosenbrock, 1960",
            500,
            Function::Rosenbrock(1),
        ),
        problem(
            "rosenbrock-pairs",
            "descend the sum of 50 Rosenbrock functions of neighboring unknowns",
            "the example of arXiv:2402.04553's code",
            2000,
            Function::Rosenbrock(50),
        ),
        problem(
            "logistic-ill-conditioned",
            "fit a logistic regression to 1000 rows whose 40 columns have scales from 1 to 0.01",
            "generated, ours",
            1000,
            Function::Logistic,
        ),
    ]
}

/// Σ 100 (x_{2i+1} - x_{2i}²)² + (1 - x_{2i})².
pub struct Rosenbrock {
    /// The number of pairs.
    pub pairs: usize,
}

impl Smooth for Rosenbrock {
    fn dimension(&self) -> usize {
        2 * self.pairs
    }

    fn value(&self, x: &[f64]) -> f64 {
        x.chunks_exact(2).map(|p| 100.0 * (p[1] - p[0] * p[0]).powi(2) + (1.0 - p[0]).powi(2)).sum()
    }

    fn gradient(&self, x: &[f64], out: &mut [f64]) {
        for (p, out) in x.chunks_exact(2).zip(out.chunks_exact_mut(2)) {
            let valley = p[1] - p[0] * p[0];
            out[0] = -400.0 * p[0] * valley - 2.0 * (1.0 - p[0]);
            out[1] = 200.0 * valley;
        }
    }

    fn hessian_product(&self, x: &[f64], v: &[f64], out: &mut [f64]) {
        for ((p, v), out) in x.chunks_exact(2).zip(v.chunks_exact(2)).zip(out.chunks_exact_mut(2)) {
            out[0] = (1200.0 * p[0] * p[0] - 400.0 * p[1] + 2.0) * v[0] - 400.0 * p[0] * v[1];
            out[1] = -400.0 * p[0] * v[0] + 200.0 * v[1];
        }
    }
}

/// Rows of normal features whose scales fall geometrically from 1 to `smallest`, with labels from a logistic model whose weights are of
/// the size of the inverse scales.
pub fn ill_conditioned(rows: usize, columns: usize, smallest: f64, ridge: f64, rng: &mut Rng) -> Logistic {
    let scale = |j: usize| smallest.powf(j as f64 / (columns - 1).max(1) as f64);
    let normal = |rng: &mut Rng| -> f64 { StandardNormal.sample(rng) };
    let truth: Vec<f64> = (0..columns).map(|j| normal(rng) / scale(j) / (columns as f64).sqrt()).collect();
    let mut drawn = Vec::with_capacity(rows * columns);
    for _ in 0..rows {
        let mut row: Vec<f64> = (0..columns).map(|j| scale(j) * normal(rng)).collect();
        if rng.random::<f64>() >= sigmoid(2.0 * dot(&row, &truth)) {
            row.iter_mut().for_each(|a| *a = -*a);
        }
        drawn.extend(row);
    }
    Logistic::new(drawn, columns, ridge)
}

impl World for Function {
    type Instance = Descent;
    /// The least value.
    type Truth = f64;

    fn draw(&self, seed: u64) -> Result<(Descent, f64)> {
        let (objective, least): (Box<dyn Smooth>, f64) = match self {
            Function::Rosenbrock(pairs) => (Box::new(Rosenbrock { pairs: *pairs }), 0.0),
            Function::Logistic => {
                let (rows, columns, smallest, ridge) = LOGISTIC;
                let mut rng = Seeds::new(seed).stream("rows");
                let logistic = ill_conditioned(rows, columns, smallest, ridge, &mut rng);
                let least = logistic.least();
                (Box::new(logistic), least)
            }
        };
        let start = vec![0.0; objective.dimension()];
        Ok((Descent { objective, start, seeds: Seeds::new(seed).child("method") }, least))
    }

    fn measure(&self, problem: &Descent, least: &f64, values: &[f64]) -> Vec<(&'static str, f64)> {
        vec![("gap", (problem.objective.value(values) - least).max(1e-30))]
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![Metric {
            name: "gap",
            unit: "",
            direction: Direction::Lower,
            summary: "value over the least one, not below 1e-30",
        }]
    }

    const SCORE: &'static str = "gap";

    /// The gap; nothing about it is random.
    fn score(&self, problem: &Descent, least: &f64, values: &[f64], _: &mut Rng) -> f64 {
        self.measure(problem, least, values)[0].1
    }

    fn length(&self, instance: &Descent) -> usize {
        instance.start.len()
    }
}

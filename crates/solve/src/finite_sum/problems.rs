//! The problems: finite sums that a seed draws, whose minimum is known.
//!
//! | problem | components | start |
//! |---|---|---|
//! | `quadratics-64`, `quadratics-256` | 64 or 256 quadratics in 5 dimensions with centers N(0, I) | 0 |
//! | `logistic-rows` | 2000 rows of length 1 in 50 dimensions, column scales from 1 to 0.05, ridge 1/n | 0 |
//! | `two-sided` | 64 components of one unknown whose curvature is 1 on the left and 0.1 on the right | 1 |

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use quire_core::{Direction, Metric, Problem, Result, Rng, Seeds};

use super::components::{FiniteSum, Logistic, Quadratics, TwoSided};
use super::{METHODS, Task};
use crate::problem::{Said, SolveProblem, World};

/// Which sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sum {
    /// So many quadratics.
    Quadratics(usize),
    /// Logistic regression.
    Logistic,
    /// The two-sided function.
    TwoSided,
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let problem = |name, summary, source, budget, sum| {
        let said =
            Said { name, summary, budget, source, tags: &["minimization", "finite sum"], work: "passes" };
        Arc::new(SolveProblem::new(said, METHODS, sum)) as Arc<dyn Problem>
    };
    vec![
        problem(
            "quadratics-64",
            "minimize the mean of 64 quadratics in 5 dimensions",
            "generated, in the manner of arXiv:2303.07160",
            80,
            Sum::Quadratics(64),
        ),
        problem(
            "quadratics-256",
            "minimize the mean of 256 quadratics in 5 dimensions",
            "generated, in the manner of arXiv:2303.07160",
            80,
            Sum::Quadratics(256),
        ),
        problem(
            "logistic-rows",
            "fit a ridge logistic regression to 2000 rows in 50 dimensions, batch by batch",
            "generated, in the manner of arXiv:2102.09700",
            20,
            Sum::Logistic,
        ),
        problem(
            "two-sided",
            "minimize a function of one unknown whose curvature differs on both sides of the minimum",
            "after the lower bound of arXiv:2303.07160; constants ours",
            80,
            Sum::TwoSided,
        ),
    ]
}

/// The least value of a logistic regression, by Newton's method with damped steps.
fn least(logistic: &Logistic) -> f64 {
    let (n, d) = (logistic.len(), logistic.dimension());
    let all: Vec<usize> = (0..n).collect();
    let mut x = vec![0.0; d];
    let mut gradient = vec![0.0; d];
    for _ in 0..200 {
        logistic.gradient(&x, &all, &mut gradient);
        let mut hessian = DMatrix::zeros(d, d);
        for j in 0..d {
            let mut unit = vec![0.0; d];
            unit[j] = 1.0;
            logistic.hessian_product(&x, &all, &unit, hessian.column_mut(j).as_mut_slice());
        }
        let g = DVector::from_column_slice(&gradient);
        let Some(factor) = hessian.cholesky() else { break };
        let step = factor.solve(&g);
        let decrement = g.dot(&step).sqrt();
        x.iter_mut().zip(&step).for_each(|(x, s)| *x -= s / (1.0 + decrement));
        if decrement < 1e-14 {
            break;
        }
    }
    logistic.value(&x)
}

/// What is known of a sum.
pub struct Minimum {
    sum: Box<dyn FiniteSum>,
    value: f64,
}

impl Sum {
    fn make(self, seed: u64) -> (Box<dyn FiniteSum>, f64, Vec<f64>) {
        let mut rng = Seeds::new(seed).stream("components");
        match self {
            Sum::Quadratics(n) => {
                let sum = Quadratics::draw(n, 5, &mut rng);
                let value = sum.value(&sum.minimizer());
                (Box::new(sum), value, vec![0.0; 5])
            }
            Sum::Logistic => {
                let sum = Logistic::draw([2000, 50], 0.05, 1.0 / 2000.0, &mut rng);
                let value = least(&sum);
                (Box::new(sum), value, vec![0.0; 50])
            }
            Sum::TwoSided => {
                let sum = TwoSided { components: 64, left: 1.0, right: 0.1, slope: 1.0 };
                (Box::new(sum), 0.0, vec![1.0])
            }
        }
    }
}

impl World for Sum {
    type Instance = Task;
    type Truth = Minimum;

    fn draw(&self, seed: u64) -> Result<(Task, Minimum)> {
        let (sum, value, start) = self.make(seed);
        // Two copies: one that methods see, one to measure by.
        let truth = Minimum { sum: self.make(seed).0, value };
        Ok((Task { sum, start, seeds: Seeds::new(seed).child("method") }, truth))
    }

    fn measure(&self, _: &Task, truth: &Minimum, values: &[f64]) -> Vec<(&'static str, f64)> {
        vec![("gap", gap(truth, values))]
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![Metric {
            name: "gap",
            unit: "",
            direction: Direction::Lower,
            summary: "value over the least one, not below 1e-16",
        }]
    }

    const BY_WORK: bool = false;

    const SCORE: &'static str = "gap";

    /// The gap; nothing about it is random.
    fn score(&self, _: &Task, truth: &Minimum, values: &[f64], _: &mut Rng) -> f64 {
        gap(truth, values)
    }

    fn length(&self, instance: &Task) -> usize {
        instance.start.len()
    }
}

fn gap(truth: &Minimum, values: &[f64]) -> f64 {
    (truth.sum.value(values) - truth.value).max(1e-16)
}

//! The problems: finite sums that a seed draws, whose minimum is known.
//!
//! | problem | components | start |
//! |---|---|---|
//! | `quadratics-64`, `quadratics-256` | 64 or 256 quadratics in 5 dimensions with centers N(0, I) | 0 |
//! | `logistic-rows` | 2000 rows of length 1 in 50 dimensions, column scales from 1 to 0.05, ridge 1/n | 0 |
//! | `two-sided` | 64 components of one unknown whose curvature is 1 on the left and 0.1 on the right | 1 |
//! | `path/to/rows.libsvm` | the rows of a user's file, ridge 1/n | 0 |

use std::path::Path;
use std::sync::{Arc, OnceLock};

use quire_core::{Direction, Metric, Problem, Result, Rng, Seeds};

use super::components::{FiniteSum, Logistic, Quadratics, TwoSided};
use super::{METHODS, Task, libsvm};
use crate::problem::{Said, SolveProblem, World};

/// What all of them measure.
const GAP: Metric = Metric {
    name: "gap",
    unit: "",
    direction: Direction::Lower,
    summary: "value over the least one, not below 1e-16",
};

fn gap(task: &Task, least: f64, values: &[f64]) -> Vec<(&'static str, f64)> {
    vec![(GAP.name, (task.sum.value(values) - least).max(1e-16))]
}

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

impl World for Sum {
    type Instance = Task;
    /// The least value.
    type Truth = f64;

    fn draw(&self, seed: u64) -> Result<(Task, f64)> {
        let mut rng = Seeds::new(seed).stream("components");
        let (sum, least, start): (Box<dyn FiniteSum>, f64, Vec<f64>) = match self {
            Sum::Quadratics(n) => {
                let sum = Quadratics::draw(*n, 5, &mut rng);
                let least = sum.value(&sum.minimizer());
                (Box::new(sum), least, vec![0.0; 5])
            }
            Sum::Logistic => {
                let sum = Logistic::draw([2000, 50], 0.05, 1.0 / 2000.0, &mut rng);
                let least = sum.least();
                (Box::new(sum), least, vec![0.0; 50])
            }
            Sum::TwoSided => {
                let sum = TwoSided { components: 64, left: 1.0, right: 0.1, slope: 1.0 };
                (Box::new(sum), 0.0, vec![1.0])
            }
        };
        Ok((Task { sum, start, seeds: Seeds::new(seed).child("method") }, least))
    }

    fn measure(&self, task: &Task, least: &f64, values: &[f64]) -> Vec<(&'static str, f64)> {
        gap(task, *least, values)
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![GAP]
    }

    const BY_WORK: bool = false;

    const SCORE: &'static str = "gap";

    /// The gap; nothing about it is random.
    fn score(&self, task: &Task, least: &f64, values: &[f64], _: &mut Rng) -> f64 {
        gap(task, *least, values)[0].1
    }

    fn length(&self, instance: &Task) -> usize {
        instance.start.len()
    }
}

/// A user's rows as a problem: `path/to/rows.libsvm`, `.svmlight` or `.svm`. `None` if the name is not that of such a file.
pub fn open(name: &str) -> Option<Result<Arc<dyn Problem>>> {
    libsvm::is_name(name).then(|| {
        let path = Path::new(name);
        let sum = Arc::new(libsvm::read(path)?.logistic(path)?);
        let summary = format!("your own rows: {} of {} features", sum.len(), FiniteSum::dimension(&sum));
        let tags = &["minimization", "finite sum"];
        let said = Said { name, summary: &summary, budget: 20, source: name, tags, work: "passes" };
        Ok(Arc::new(SolveProblem::new(said, METHODS, Own { sum, least: OnceLock::new() }))
            as Arc<dyn Problem>)
    })
}

/// Logistic regression on a user's rows; a seed draws nothing but what is random in a method.
pub struct Own {
    sum: Arc<Logistic>,
    /// The least value, once a run asks.
    least: OnceLock<f64>,
}

impl World for Own {
    type Instance = Task;
    /// The least value.
    type Truth = f64;

    fn draw(&self, seed: u64) -> Result<(Task, f64)> {
        let least = *self.least.get_or_init(|| self.sum.least());
        let start = vec![0.0; FiniteSum::dimension(&self.sum)];
        let sum = Box::new(Arc::clone(&self.sum));
        Ok((Task { sum, start, seeds: Seeds::new(seed).child("method") }, least))
    }

    fn measure(&self, task: &Task, least: &f64, values: &[f64]) -> Vec<(&'static str, f64)> {
        let mut told = gap(task, *least, values);
        told.push(("misclassified", self.sum.misclassified(values)));
        told
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![
            GAP,
            Metric {
                name: "misclassified",
                unit: "",
                direction: Direction::Lower,
                summary: "part of the rows on the wrong side",
            },
        ]
    }

    const BY_WORK: bool = false;

    const SCORE: &'static str = "gap";

    /// The gap; nothing about it is random.
    fn score(&self, task: &Task, least: &f64, values: &[f64], _: &mut Rng) -> f64 {
        gap(task, *least, values)[0].1
    }

    fn length(&self, instance: &Task) -> usize {
        instance.start.len()
    }
}

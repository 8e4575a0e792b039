//! The problems: finite sums that a seed draws, whose minimum is known.
//!
//! | problem | components | start |
//! |---|---|---|
//! | `quadratics-64`, `quadratics-256` | 64 or 256 quadratics in 5 dimensions with centers N(0, I) | 0 |
//! | `logistic-rows` | 2000 rows of length 1 in 50 dimensions, column scales from 1 to 0.05, ridge 1/n | 0 |
//! | `logistic-sparse` | 5000 rows of length 1 in 2000 dimensions, of which 1 % are not zero, ridge 1/n | 0 |
//! | `logistic-20`, `logistic-100`, each also `-scaled` and `-ill` | 2000 rows in 20 or 100 dimensions, column scales from 1 to 1, 0.1 or 0.01, 5 % of labels flipped, no ridge | 0 |
//! | `quadratic-exact`, `quadratic-noise-0.01`, `quadratic-noise-0.1` | a quadratic in 100 dimensions with curvatures from 1e-4 to 1, and 100 vectors of noise of that length | 0 |
//! | `fitted-least-squares` | 200 rows in 20 dimensions, column scales from 1 to 0.1, that can be fitted | 0 |
//! | `all-or-nothing-4` | a quadratic of condition 100 whose gradient comes fourfold once in four times, else not at all | 1 |
//! | `separable-logistic`, `separable-hinge` | 200 rows in 400 dimensions that a hyperplane separates | 0 |
//! | `two-sided` | 64 components of one unknown whose curvature is 1 on the left and 0.1 on the right | 1 |
//! | `delayed-xor`, `delayed-xor-32` | 12,800 sequences of 16 or 32 signs for a recurrent network of 30 units | a random network |
//! | `two-spirals` | 1000 points on two arms of a spiral for a perceptron of 2, 64, 64 and 1 units | a random network |
//! | `path/to/rows.libsvm` | the rows of a user's file, ridge 1/n | 0 |

use std::path::Path;
use std::sync::{Arc, OnceLock};

use quire_core::{Direction, Metric, Problem, Result, Rng, Seeds};

use super::components::{FiniteSum, Logistic, Quadratics, TwoSided};
use super::delayed_xor::DelayedXor;
use super::interpolation::{AllOrNothing, LeastSquares, NoisyQuadratic, SquaredHinge};
use super::spirals::Spirals;
use super::{METHODS, Task, libsvm};
use crate::problem::{Said, SolveProblem, World};
use crate::vectors::norm;

/// What all of them measure.
const GAP: Metric = Metric {
    name: "gap",
    unit: "",
    direction: Direction::Lower,
    summary: "value over the least one, not below 1e-16",
};

/// Rates are differences of it: where ten times the passes take a power p of ten off the gap, it falls by p.
const LOG_GAP: Metric = Metric {
    name: "log_gap",
    unit: "",
    direction: Direction::Lower,
    summary: "decimal logarithm of the gap",
};

const GRADIENT_NORM: Metric = Metric {
    name: "gradient_norm",
    unit: "",
    direction: Direction::Lower,
    summary: "Euclidean norm of the exact gradient",
};

/// The loss below which the example of the code calls a network successful.
const LEARNT: f64 = 0.1;

const SUCCESS: Metric = Metric {
    name: "success",
    unit: "",
    direction: Direction::Higher,
    summary: "1 where the mean loss over all sequences is below 0.1, else 0",
};

fn gaps(task: &Task, least: f64, values: &[f64]) -> Vec<(&'static str, f64)> {
    let all: Vec<usize> = (0..task.sum.len()).collect();
    let mut gradient = vec![0.0; values.len()];
    task.sum.gradient(values, &all, &mut gradient);
    let gap = (task.sum.value(values) - least).max(1e-16);
    vec![(GAP.name, gap), (LOG_GAP.name, gap.log10()), (GRADIENT_NORM.name, norm(&gradient))]
}

/// Which sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sum {
    /// So many quadratics.
    Quadratics(usize),
    /// Logistic regression.
    Logistic,
    /// Logistic regression on sparse rows.
    Sparse,
    /// Logistic regression with flipped labels: columns, and the smallest of their scales.
    Flipped(usize, f64),
    /// A quadratic whose gradients have noise of this length.
    Noisy(f64),
    /// Least squares that can be fitted.
    Fitted,
    /// Gradients that come all or nothing, once in so many times.
    AllOrNothing(usize),
    /// Logistic regression on separable rows.
    SeparableLogistic,
    /// Squared hinges on separable rows.
    SeparableHinge,
    /// The two-sided function.
    TwoSided,
    /// A recurrent network on sequences of this length.
    DelayedXor(usize),
    /// A perceptron on two spirals.
    Spirals,
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let problem = |name, summary, source, budget, sum| {
        let said =
            Said { name, summary, budget, source, tags: &["minimization", "finite sum"], work: "passes" };
        Arc::new(SolveProblem::new(said, METHODS, sum)) as Arc<dyn Problem>
    };
    let flipped = |name, columns, smallest| {
        let summary = "fit a logistic regression without a ridge to 2000 rows, some of them labelled wrongly";
        let source = "generated, in the manner of arXiv:2310.07831";
        problem(name, summary, source, 100, Sum::Flipped(columns, smallest))
    };
    let noisy = |name, summary, sigma| {
        problem(name, summary, "generated, in the manner of arXiv:2404.00666", 64, Sum::Noisy(sigma))
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
            "logistic-sparse",
            "fit a ridge logistic regression to 5000 sparse rows in 2000 dimensions, batch by batch",
            "generated, in the manner of arXiv:2102.09700",
            20,
            Sum::Sparse,
        ),
        flipped("logistic-20", 20, 1.0),
        flipped("logistic-20-scaled", 20, 0.1),
        flipped("logistic-20-ill", 20, 0.01),
        flipped("logistic-100", 100, 1.0),
        flipped("logistic-100-scaled", 100, 0.1),
        flipped("logistic-100-ill", 100, 0.01),
        noisy(
            "quadratic-exact",
            "minimize a quadratic of condition 10,000 in 100 dimensions, gradient by gradient",
            0.0,
        ),
        noisy("quadratic-noise-0.01", "the same with noise of length 0.01 in every gradient", 0.01),
        noisy("quadratic-noise-0.1", "the same with noise of length 0.1 in every gradient", 0.1),
        problem(
            "fitted-least-squares",
            "least squares on 200 rows in 20 dimensions that a linear model fits exactly",
            "generated, in the manner of arXiv:2404.02378",
            40,
            Sum::Fitted,
        ),
        problem(
            "all-or-nothing-4",
            "a quadratic whose stochastic gradient is four times the gradient, or nothing",
            "a counter-example of ours to sampled dual steps",
            500,
            Sum::AllOrNothing(4),
        ),
        problem(
            "separable-logistic",
            "logistic regression on 200 rows in 400 dimensions that a hyperplane separates",
            "generated, in the manner of arXiv:2404.02378",
            50,
            Sum::SeparableLogistic,
        ),
        problem(
            "separable-hinge",
            "squared hinges on 200 rows in 400 dimensions that a hyperplane separates",
            "generated, in the manner of arXiv:2404.02378",
            50,
            Sum::SeparableHinge,
        ),
        problem(
            "two-sided",
            "minimize a function of one unknown whose curvature differs on both sides of the minimum",
            "after the lower bound of arXiv:2303.07160; constants ours",
            80,
            Sum::TwoSided,
        ),
        problem(
            "delayed-xor",
            "train a recurrent network to tell whether two marked signs of a sequence differ",
            "an example of the official code of arXiv:2402.04553, on a fixed set of sequences",
            100,
            Sum::DelayedXor(16),
        ),
        problem(
            "delayed-xor-32",
            "the same with sequences twice as long",
            "after an example of the official code of arXiv:2402.04553; the length is ours",
            100,
            Sum::DelayedXor(32),
        ),
        problem(
            "two-spirals",
            "train a perceptron of two hidden layers to tell two arms of a spiral apart",
            "generated, for the schedules of arXiv:2310.07831 with Adam",
            100,
            Sum::Spirals,
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
            Sum::Sparse => {
                let sum = Logistic::draw_sparse([5000, 2000], 0.01, 1.0 / 5000.0, &mut rng);
                let least = sum.least();
                (Box::new(sum), least, vec![0.0; 2000])
            }
            Sum::Flipped(columns, smallest) => {
                let sum = Logistic::draw_flipped([2000, *columns], *smallest, 0.05, &mut rng);
                let least = sum.least();
                (Box::new(sum), least, vec![0.0; *columns])
            }
            Sum::Noisy(sigma) => {
                let sum = NoisyQuadratic::draw(100, 100, 1e-4, *sigma, &mut rng);
                (Box::new(sum), 0.0, vec![0.0; 100])
            }
            Sum::Fitted => (Box::new(LeastSquares::draw([200, 20], 0.1, &mut rng)), 0.0, vec![0.0; 20]),
            Sum::AllOrNothing(components) => {
                let curvatures: Vec<f64> =
                    (0..50).map(|j| 0.01_f64.powf(1.0 - f64::from(j) / 49.0)).collect();
                let start = vec![1.0; curvatures.len()];
                (Box::new(AllOrNothing { curvatures, components: *components }), 0.0, start)
            }
            Sum::SeparableLogistic => {
                (Box::new(Logistic::draw_separable([200, 400], 0.1, &mut rng)), 0.0, vec![0.0; 400])
            }
            Sum::SeparableHinge => {
                (Box::new(SquaredHinge::draw_separable([200, 400], 0.1, &mut rng)), 0.0, vec![0.0; 400])
            }
            Sum::TwoSided => {
                let sum = TwoSided { components: 64, left: 1.0, right: 0.1, slope: 1.0 };
                (Box::new(sum), 0.0, vec![1.0])
            }
            Sum::DelayedXor(length) => {
                let sum = DelayedXor::draw(12_800, *length, 30, &mut rng);
                let start = sum.start(&mut rng);
                // What no network reaches and large weights come near to.
                (Box::new(sum), 0.0, start)
            }
            Sum::Spirals => {
                let (sum, start) = Spirals::draw(1000, 1.5, 0.02, &mut rng);
                (Box::new(sum), 0.0, start)
            }
        };
        Ok((Task { sum, start, seeds: Seeds::new(seed).child("method") }, least))
    }

    fn measure(&self, task: &Task, least: &f64, values: &[f64]) -> Vec<(&'static str, f64)> {
        let mut told = gaps(task, *least, values);
        if matches!(self, Sum::DelayedXor(_)) {
            told.push((SUCCESS.name, f64::from(u8::from(told[0].1 < LEARNT))));
        }
        told
    }

    fn metrics(&self) -> Vec<Metric> {
        let mut metrics = vec![GAP, LOG_GAP, GRADIENT_NORM];
        if matches!(self, Sum::DelayedXor(_)) {
            metrics.push(SUCCESS);
        }
        metrics
    }

    const BY_WORK: bool = false;

    const SCORE: &'static str = "gap";

    /// The gap; nothing about it is random.
    fn score(&self, task: &Task, least: &f64, values: &[f64], _: &mut Rng) -> f64 {
        gaps(task, *least, values)[0].1
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
        let mut told = gaps(task, *least, values);
        told.push(("misclassified", self.sum.misclassified(values)));
        told
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![
            GAP,
            LOG_GAP,
            GRADIENT_NORM,
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
        gaps(task, *least, values)[0].1
    }

    fn length(&self, instance: &Task) -> usize {
        instance.start.len()
    }
}

//! The problems: functions that a seed draws.
//!
//! | problem | f | start |
//! |---|---|---|
//! | `polytope-cubic`, `polytope-quartic` | Σ_i (a_i·x - b_i)_+^p over 200 half-spaces in 100 dimensions that a known point satisfies with equality, p = 3, 4 | 0 |
//! | `logistic-regression` | mean of ln(1 + e^{-y a·x}) over 1000 rows of length 1 in 100 dimensions, and 0.0005 ‖x‖² | (1, ..., 1) |
//! | `rosenbrock-40` | Σ 100 (x_{i+1} - x_i²)² + (1 - x_i)² in 40 dimensions: not convex | uniform in [-2, 2] |

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use quire_core::{Direction, Metric, Problem, Result, Rng, Seeds};
use rand::RngExt;
use rand_distr::StandardNormal;

use super::line_search::{Greedy, GridOptions};
use super::{METHODS, Minimization, Newton, Objective};
use crate::problem::{Said, SolveProblem, World};
use crate::solver::{Method, solve};

/// A gap below this part of the first counts as this.
const FLOOR: f64 = 1e-30;

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// Polytope feasibility with this power.
    Polytope(i32),
    /// Logistic regression.
    Logistic,
    /// Rosenbrock's chain.
    Rosenbrock,
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let listed = [
        (
            "polytope-cubic",
            "find a point of a polytope: the sum of cubed violations of 200 half-spaces in 100 dimensions",
            "arXiv:2405.18926, section on experiments",
            Function::Polytope(3),
        ),
        ("polytope-quartic", "the same with fourth powers", "arXiv:2405.18926", Function::Polytope(4)),
        (
            "logistic-regression",
            "fit a ridge logistic regression to 1000 rows in 100 dimensions",
            "generated, in the manner of arXiv:2405.18926",
            Function::Logistic,
        ),
        (
            "rosenbrock-40",
            "descend Rosenbrock's chain in 40 dimensions",
            "arXiv:2405.18926; starts ours",
            Function::Rosenbrock,
        ),
    ];
    let problem = |(name, summary, source, function): (&'static str, &'static str, &'static str, _)| {
        let said = Said {
            name,
            summary,
            budget: if function == Function::Rosenbrock { 300 } else { 60 },
            source,
            tags: &["minimization", "second order"],
            work: "factorizations",
        };
        Arc::new(SolveProblem::new(said, METHODS, function)) as Arc<dyn Problem>
    };
    listed.into_iter().map(problem).collect()
}

/// Σ_i (a_i·x - b_i)_+^p.
pub struct Polytope {
    rows: DMatrix<f64>,
    bounds: DVector<f64>,
    power: i32,
}

impl Polytope {
    fn excess(&self, x: &DVector<f64>) -> DVector<f64> {
        (&self.rows * x - &self.bounds).map(|excess| excess.max(0.0))
    }
}

impl Objective for Polytope {
    fn dimension(&self) -> usize {
        self.rows.ncols()
    }

    fn value(&self, x: &DVector<f64>) -> f64 {
        self.excess(x).iter().map(|excess| excess.powi(self.power)).sum()
    }

    fn gradient(&self, x: &DVector<f64>) -> DVector<f64> {
        let p = f64::from(self.power);
        self.rows.tr_mul(&self.excess(x).map(|excess| p * excess.powi(self.power - 1)))
    }

    fn hessian(&self, x: &DVector<f64>) -> DMatrix<f64> {
        let p = f64::from(self.power);
        weighted(&self.rows, &self.excess(x).map(|excess| p * (p - 1.0) * excess.powi(self.power - 2)))
    }
}

/// Aᵀ diag(w) A for w >= 0.
fn weighted(rows: &DMatrix<f64>, weights: &DVector<f64>) -> DMatrix<f64> {
    let mut scaled = rows.clone();
    for (mut row, weight) in scaled.row_iter_mut().zip(weights) {
        row *= weight.sqrt();
    }
    scaled.tr_mul(&scaled)
}

/// Mean of ln(1 + e^{-z}) with z = y a·x, and ridge/2 ‖x‖².
pub struct Logistic {
    /// Rows y a.
    rows: DMatrix<f64>,
    ridge: f64,
}

impl Objective for Logistic {
    fn dimension(&self) -> usize {
        self.rows.ncols()
    }

    fn value(&self, x: &DVector<f64>) -> f64 {
        let z = &self.rows * x;
        let loss: f64 = z.iter().map(|z| (-z).max(0.0) + (-z.abs()).exp().ln_1p()).sum();
        loss / z.len() as f64 + 0.5 * self.ridge * x.norm_squared()
    }

    fn gradient(&self, x: &DVector<f64>) -> DVector<f64> {
        let count = self.rows.nrows() as f64;
        let slopes = (&self.rows * x).map(|z| -1.0 / (1.0 + z.exp()) / count);
        self.rows.tr_mul(&slopes) + self.ridge * x
    }

    fn hessian(&self, x: &DVector<f64>) -> DMatrix<f64> {
        let count = self.rows.nrows() as f64;
        let weights = (&self.rows * x).map(|z| {
            let p = 1.0 / (1.0 + z.abs().exp());
            p * (1.0 - p) / count
        });
        let mut hessian = weighted(&self.rows, &weights);
        (0..x.len()).for_each(|i| hessian[(i, i)] += self.ridge);
        hessian
    }
}

/// Σ 100 (x_{i+1} - x_i²)² + (1 - x_i)².
pub struct Rosenbrock {
    /// The number of unknowns.
    pub dimension: usize,
}

impl Objective for Rosenbrock {
    fn dimension(&self) -> usize {
        self.dimension
    }

    fn value(&self, x: &DVector<f64>) -> f64 {
        let pairs = x.as_slice().windows(2);
        pairs.map(|w| 100.0 * (w[1] - w[0] * w[0]).powi(2) + (1.0 - w[0]).powi(2)).sum()
    }

    fn gradient(&self, x: &DVector<f64>) -> DVector<f64> {
        let mut gradient = DVector::zeros(x.len());
        for i in 0..x.len() - 1 {
            let off = x[i + 1] - x[i] * x[i];
            gradient[i] += -400.0 * off * x[i] - 2.0 * (1.0 - x[i]);
            gradient[i + 1] += 200.0 * off;
        }
        gradient
    }

    fn hessian(&self, x: &DVector<f64>) -> DMatrix<f64> {
        let mut hessian = DMatrix::zeros(x.len(), x.len());
        for i in 0..x.len() - 1 {
            hessian[(i, i)] += 1200.0 * x[i] * x[i] - 400.0 * x[i + 1] + 2.0;
            hessian[(i + 1, i + 1)] += 200.0;
            hessian[(i, i + 1)] = -400.0 * x[i];
            hessian[(i + 1, i)] = -400.0 * x[i];
        }
        hessian
    }
}

impl Function {
    /// The function that `rng` draws, and its start.
    pub fn draw_with(self, rng: &mut Rng) -> Minimization {
        let uniform = |rng: &mut Rng| rng.random_range(-1.0..1.0);
        match self {
            Function::Polytope(power) => {
                let rows = DMatrix::from_fn(200, 100, |_, _| uniform(rng));
                let inside = DVector::from_fn(100, |_, _| uniform(rng));
                let bounds = &rows * inside;
                let start = DVector::zeros(100);
                Minimization { objective: Box::new(Polytope { rows, bounds, power }), start }
            }
            Function::Logistic => {
                let mut rows = DMatrix::from_fn(1000, 100, |_, _| rng.sample::<f64, _>(StandardNormal));
                let weights = DVector::from_fn(100, |_, _| 3.0 * rng.sample::<f64, _>(StandardNormal));
                for mut row in rows.row_iter_mut() {
                    row /= row.norm();
                    let z = row.transpose().dot(&weights);
                    if rng.random::<f64>() > 1.0 / (1.0 + (-z).exp()) {
                        row.neg_mut();
                    }
                }
                let start = DVector::from_element(100, 1.0);
                Minimization { objective: Box::new(Logistic { rows, ridge: 1e-3 }), start }
            }
            Function::Rosenbrock => {
                let start = DVector::from_fn(40, |_, _| rng.random_range(-2.0..2.0));
                Minimization { objective: Box::new(Rosenbrock { dimension: 40 }), start }
            }
        }
    }
}

/// What is known of a drawn function.
pub struct Values {
    /// f(x_0).
    first: f64,
    /// f*.
    least: f64,
}

impl World for Function {
    type Instance = Minimization;
    type Truth = Values;

    const SCORE: &'static str = "gap";

    fn draw(&self, seed: u64) -> Result<(Minimization, Values)> {
        let problem = self.draw_with(&mut Seeds::new(seed).stream("function"));
        let first = problem.objective.value(&problem.start);
        let least = match self {
            Function::Polytope(_) | Function::Rosenbrock => 0.0,
            Function::Logistic => {
                let options = GridOptions { tolerance: 1e-20, grid: 12, smallest: 1e-2 };
                let found = solve(&mut Newton::<Greedy>::new(&problem, options)?, &problem, 30);
                problem.objective.value(&DVector::from_vec(found.values))
            }
        };
        Ok((problem, Values { first, least }))
    }

    fn metrics(&self) -> Vec<Metric> {
        let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
        vec![
            metric("gap", Direction::Lower, "(f - f*)/(f(x_0) - f*)"),
            metric("log_gap", Direction::Lower, "its decimal logarithm, not below -30"),
            metric("step_size", Direction::Neutral, "α of the last step; λ where the Hessian is regularized"),
            metric("trials", Direction::Lower, "points at which f or its gradient was tried so far"),
        ]
    }

    fn measure(&self, problem: &Minimization, truth: &Values, values: &[f64]) -> Vec<(&'static str, f64)> {
        let value = problem.objective.value(&DVector::from_column_slice(values));
        let gap = ((value - truth.least) / (truth.first - truth.least)).max(0.0);
        vec![("gap", gap), ("log_gap", gap.max(FLOOR).log10())]
    }

    fn score(&self, problem: &Minimization, truth: &Values, values: &[f64], _rng: &mut Rng) -> f64 {
        self.measure(problem, truth, values)[0].1
    }

    fn length(&self, problem: &Minimization) -> usize {
        problem.start.len()
    }
}

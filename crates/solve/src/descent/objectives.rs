//! The problems: functions whose minimum is known.
//!
//! | problem | f | start |
//! |---|---|---|
//! | `rosenbrock-2` | 100 (y - x²)² + (1 - x)² | 0 |
//! | `rosenbrock-pairs` | the sum of 50 of these, of neighbors | 0 |
//! | `logistic-ill-conditioned` | mean of ln(1 + e^{-y a·x}) over 1000 rows in 40 dimensions, whose scales fall from 1 to 0.01, and 10⁻⁶ ‖x‖²/2 | 0 |

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use quire_core::{Direction, Metric, Problem, Result, Rng, Seeds};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::{Descent, METHODS, Smooth};
use crate::problem::{Said, SolveProblem, World};

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

/// Mean of ln(1 + e^{-z}) with z = y a·x, and ridge/2 ‖x‖².
pub struct Logistic {
    /// Rows y a.
    rows: DMatrix<f64>,
    ridge: f64,
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

impl Logistic {
    /// Rows of normal features whose scales fall geometrically from 1 to `smallest`, with labels from a logistic model whose weights
    /// are of the size of the inverse scales.
    pub fn draw(rows: usize, columns: usize, smallest: f64, ridge: f64, rng: &mut Rng) -> Self {
        let scale = |j: usize| smallest.powf(j as f64 / (columns - 1).max(1) as f64);
        let normal = |rng: &mut Rng| -> f64 { StandardNormal.sample(rng) };
        let truth: Vec<f64> =
            (0..columns).map(|j| normal(rng) / scale(j) / (columns as f64).sqrt()).collect();
        let mut drawn = DMatrix::zeros(rows, columns);
        for mut row in drawn.row_iter_mut() {
            (0..columns).for_each(|j| row[j] = scale(j) * normal(rng));
            let z: f64 = row.iter().zip(&truth).map(|(a, w)| a * w).sum();
            if rng.random::<f64>() >= sigmoid(2.0 * z) {
                row *= -1.0;
            }
        }
        Logistic { rows: drawn, ridge }
    }

    fn margins(&self, x: &[f64]) -> DVector<f64> {
        &self.rows * DVector::from_column_slice(x)
    }

    /// The least value, by Newton's method with a damped start.
    fn minimum(&self) -> f64 {
        let n = self.dimension();
        let mut x = vec![0.0; n];
        let mut gradient = vec![0.0; n];
        for _ in 0..200 {
            self.gradient(&x, &mut gradient);
            let weights = self.margins(&x).map(|z| sigmoid(z) * sigmoid(-z) / self.rows.nrows() as f64);
            let mut hessian = DMatrix::identity(n, n) * self.ridge;
            for (row, &weight) in self.rows.row_iter().zip(&weights) {
                hessian.ger(weight, &row.transpose(), &row.transpose(), 1.0);
            }
            let g = DVector::from_column_slice(&gradient);
            let Some(factor) = hessian.cholesky() else { break };
            let step = factor.solve(&g);
            let decrement = g.dot(&step).sqrt();
            // Self-concordance: this damping never overshoots.
            x.iter_mut().zip(&step).for_each(|(x, s)| *x -= s / (1.0 + decrement));
            if decrement < 1e-14 {
                break;
            }
        }
        self.value(&x)
    }
}

impl Smooth for Logistic {
    fn dimension(&self) -> usize {
        self.rows.ncols()
    }

    fn value(&self, x: &[f64]) -> f64 {
        let loss = |z: f64| (-z.abs()).exp().ln_1p() + (-z).max(0.0);
        let ridge = 0.5 * self.ridge * x.iter().map(|x| x * x).sum::<f64>();
        self.margins(x).map(loss).mean() + ridge
    }

    fn gradient(&self, x: &[f64], out: &mut [f64]) {
        let weights = self.margins(x).map(|z| -sigmoid(-z) / self.rows.nrows() as f64);
        let gradient = self.rows.tr_mul(&weights);
        out.iter_mut().zip(&gradient).zip(x).for_each(|((out, g), x)| *out = g + self.ridge * x);
    }

    fn hessian_product(&self, x: &[f64], v: &[f64], out: &mut [f64]) {
        let margins = self.margins(x);
        let along =
            self.margins(v).zip_map(&margins, |v, z| sigmoid(z) * sigmoid(-z) * v / self.rows.nrows() as f64);
        let product = self.rows.tr_mul(&along);
        out.iter_mut().zip(&product).zip(v).for_each(|((out, h), v)| *out = h + self.ridge * v);
    }
}

/// What is known of a function.
pub struct Minimum {
    objective: Box<dyn Smooth>,
    value: f64,
}

impl Function {
    fn make(self, seeds: Seeds) -> (Box<dyn Smooth>, f64) {
        match self {
            Function::Rosenbrock(pairs) => (Box::new(Rosenbrock { pairs }), 0.0),
            Function::Logistic => {
                let (rows, columns, smallest, ridge) = LOGISTIC;
                let mut rng = seeds.stream("rows");
                let logistic = Logistic::draw(rows, columns, smallest, ridge, &mut rng);
                let minimum = logistic.minimum();
                (Box::new(logistic), minimum)
            }
        }
    }
}

impl World for Function {
    type Instance = Descent;
    type Truth = Minimum;

    fn draw(&self, seed: u64) -> Result<(Descent, Minimum)> {
        let seeds = Seeds::new(seed);
        let (objective, value) = self.make(seeds);
        let start = vec![0.0; objective.dimension()];
        // Two copies of the function: one that methods see, one to measure by.
        let truth = Minimum { objective: self.make(seeds).0, value };
        Ok((Descent { objective, start, seeds: seeds.child("method") }, truth))
    }

    fn measure(&self, _: &Descent, truth: &Minimum, values: &[f64]) -> Vec<(&'static str, f64)> {
        vec![("gap", gap(truth, values))]
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
    fn score(&self, _: &Descent, truth: &Minimum, values: &[f64], _: &mut Rng) -> f64 {
        gap(truth, values)
    }

    fn length(&self, instance: &Descent) -> usize {
        instance.start.len()
    }
}

fn gap(truth: &Minimum, values: &[f64]) -> f64 {
    (truth.objective.value(values) - truth.value).max(1e-30)
}

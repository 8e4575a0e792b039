//! Measurement operators, and the problems.
//!
//! | problem | true factor | measurements |
//! |---|---|---|
//! | `sensing-1`, `sensing-10`, `sensing-100` | 30 × 3 with singular values 1, (1 + 1/κ)/2, 1/κ and κ = 1, 10, 100 | 900 Gaussian; 6 columns are assumed |
//! | `sensing-exact` | the same, κ = 10 | 900 Gaussian; the true 3 columns |
//! | `sensing-noisy` | the same, κ = 10 | with noise of 0.001; 6 columns |

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use quire_core::{Direction, Metric, Problem, Result, Rng, Seeds};
use rand_distr::{Distribution, StandardNormal};

use super::{METHODS, Task};
use crate::problem::{Said, SolveProblem, World};

/// Rows of the matrix, its rank, and measurements.
const SIZE: (usize, usize, usize) = (30, 3, 900);

/// A: symmetric matrices to numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum Operator {
    /// Every entry is measured: A(M) = M.
    Identity(usize),
    /// ⟨A_i, M⟩ with the symmetric A_i as rows of n² numbers.
    Dense(DMatrix<f64>, usize),
}

impl Operator {
    /// Gaussian: diagonals N(0, 1/m), the rest N(0, 1/(2m)) and symmetric, so that E A*A is the identity.
    pub fn gaussian(n: usize, m: usize, rng: &mut Rng) -> Self {
        let deviation = (1.0 / m as f64).sqrt();
        let mut rows = DMatrix::zeros(m, n * n);
        for i in 0..m {
            for row in 0..n {
                for column in 0..=row {
                    let scale = if row == column { deviation } else { deviation / 2.0_f64.sqrt() };
                    let entry = scale * Distribution::<f64>::sample(&StandardNormal, rng);
                    rows[(i, row * n + column)] = entry;
                    rows[(i, column * n + row)] = entry;
                }
            }
        }
        Operator::Dense(rows, n)
    }

    /// n.
    pub fn size(&self) -> usize {
        let (Operator::Identity(n) | Operator::Dense(_, n)) = self;
        *n
    }

    /// A(M).
    pub fn apply(&self, matrix: &DMatrix<f64>) -> Vec<f64> {
        match self {
            Operator::Identity(_) => matrix.as_slice().to_vec(),
            Operator::Dense(rows, _) => {
                (rows * DVector::from_column_slice(matrix.as_slice())).as_slice().to_vec()
            }
        }
    }

    /// The row of ⟨A_i, Q Yᵀ⟩ as a function of Y, column after column, for an `[n, r]` matrix Q: A_i Q, as A_i is symmetric.
    pub fn times(&self, basis: &DMatrix<f64>) -> DMatrix<f64> {
        let (n, rank) = basis.shape();
        match self {
            Operator::Identity(_) => DMatrix::from_fn(n * n, n * rank, |i, at| {
                // Entry (i % n, i / n) of Q Yᵀ.
                let (row, column) = (at % n, at / n);
                if row == i / n { basis[(i % n, column)] } else { 0.0 }
            }),
            Operator::Dense(rows, _) => {
                let mut products = DMatrix::zeros(rows.nrows(), n * rank);
                for (column, q) in basis.column_iter().enumerate() {
                    // Entry `row` of A_i q is the sum over k of A_i(row, k) q_k, and A_i lies in row i, k after k.
                    for k in 0..n {
                        let part = rows.columns(k * n, n) * q[k];
                        let mut place = products.columns_mut(column * n, n);
                        place += part;
                    }
                }
                products
            }
        }
    }

    /// A*(y).
    pub fn adjoint(&self, y: &[f64]) -> DMatrix<f64> {
        let n = self.size();
        match self {
            Operator::Identity(_) => DMatrix::from_column_slice(n, n, y),
            Operator::Dense(rows, _) => {
                DMatrix::from_column_slice(n, n, rows.tr_mul(&DVector::from_column_slice(y)).as_slice())
            }
        }
    }
}

/// How a problem is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sensing {
    /// κ.
    pub condition: f64,
    /// Columns that are assumed.
    pub rank: usize,
    /// Standard deviation of the noise of a measurement.
    pub noise: f64,
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let problem = |name, summary, condition, rank, noise| {
        let said = Said {
            name,
            summary,
            budget: 400,
            source: "arXiv:2302.01186; sizes ours",
            tags: &["low rank", "matrix"],
            work: "gradients",
        };
        Arc::new(SolveProblem::new(said, METHODS, Sensing { condition, rank, noise })) as Arc<dyn Problem>
    };
    vec![
        problem("sensing-1", "recover a well-conditioned 30 x 30 matrix of unknown rank 3", 1.0, 6, 0.0),
        problem("sensing-10", "the same with a factor of condition 10", 10.0, 6, 0.0),
        problem("sensing-100", "the same with a factor of condition 100", 100.0, 6, 0.0),
        problem("sensing-exact", "the same with condition 10 and the rank known", 10.0, 3, 0.0),
        problem("sensing-noisy", "the same with condition 10 and noise", 10.0, 6, 1e-3),
    ]
}

/// The matrix that was measured.
pub struct Truth {
    matrix: DMatrix<f64>,
    /// The direction of the smallest singular value of X*, and its square.
    weakest: (DVector<f64>, f64),
}

impl World for Sensing {
    type Instance = Task;
    type Truth = Truth;

    fn draw(&self, seed: u64) -> Result<(Task, Truth)> {
        let (n, rank, m) = SIZE;
        let mut rng = Seeds::new(seed).stream("matrix");
        let noise = DMatrix::from_fn(n, rank, |_, _| Distribution::<f64>::sample(&StandardNormal, &mut rng));
        let directions = noise.qr().q();
        let singular = [1.0, 0.5 * (1.0 + 1.0 / self.condition), 1.0 / self.condition];
        let factor = &directions * DMatrix::from_diagonal(&DVector::from_column_slice(&singular));
        let matrix = &factor * factor.transpose();
        let operator = Operator::gaussian(n, m, &mut rng);
        let mut observed = operator.apply(&matrix);
        for y in &mut observed {
            *y += self.noise * Distribution::<f64>::sample(&StandardNormal, &mut rng);
        }
        let smallest = singular[2] * singular[2];
        let truth = Truth { matrix, weakest: (directions.column(rank - 1).into_owned(), smallest) };
        let seeds = Seeds::new(seed).child("method");
        Ok((Task { operator, observed, rank: self.rank, scale: 1.0, smallest, seeds }, truth))
    }

    fn measure(&self, task: &Task, truth: &Truth, values: &[f64]) -> Vec<(&'static str, f64)> {
        let x = DMatrix::from_row_slice(SIZE.0, task.rank, values);
        let difference = &x * x.transpose() - &truth.matrix;
        let (direction, square) = &truth.weakest;
        let weakest = direction.dot(&(&difference * direction)).abs() / square;
        vec![("error", difference.norm() / truth.matrix.norm()), ("weakest_error", weakest)]
    }

    fn metrics(&self) -> Vec<Metric> {
        let metric = |name, summary| Metric { name, unit: "", direction: Direction::Lower, summary };
        vec![
            metric("error", "distance from the matrix, as a share of its Frobenius norm"),
            metric("weakest_error", "error along the weakest direction, as a share of its eigenvalue"),
        ]
    }

    const BY_WORK: bool = false;

    const SCORE: &'static str = "error";

    /// The error; nothing about it is random.
    fn score(&self, task: &Task, truth: &Truth, values: &[f64], _: &mut Rng) -> f64 {
        self.measure(task, truth, values)[0].1
    }

    fn length(&self, task: &Task) -> usize {
        SIZE.0 * task.rank
    }
}

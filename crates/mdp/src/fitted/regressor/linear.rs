//! Ridge regression: min_w Σ (y - wᵀx)² + N λ |w|², by the normal equations.
//!
//! Inputs carry their own constant column where an intercept is wanted; it is penalized like the rest, by so little that it
//! does not matter: the penalty is there so that columns which depend on each other do no harm.

use nalgebra::{DMatrix, DVector};
use quire_core::{Error, Result, Rng};

use super::{Regressor, Rows};

/// The regressor.
#[derive(Debug, Clone)]
pub struct Linear {
    ridge: f64,
    weights: Vec<f64>,
}

impl Linear {
    /// With the penalty λ, at least 0.
    pub fn new(ridge: f64) -> Self {
        Linear { ridge, weights: Vec::new() }
    }

    /// The coefficients of the last fit, `[width]`.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }
}

/// The coefficients, `[width]`, of ridge regression on `rows`; rows with many zeros, as one-hot features have, cost little.
///
/// # Errors
/// Columns that depend on each other without a penalty.
pub fn least_squares(rows: &Rows, ridge: f64) -> Result<Vec<f64>> {
    let width = rows.width;
    let mut gram = DMatrix::<f64>::zeros(width, width);
    let mut moment = DVector::<f64>::zeros(width);
    let mut filled: Vec<usize> = Vec::with_capacity(width);
    for (row, &target) in rows.inputs.chunks_exact(width).zip(&rows.targets) {
        filled.clear();
        filled.extend((0..width).filter(|&column| row[column] != 0.0));
        for &i in &filled {
            moment[i] += row[i] * target;
            for &j in &filled {
                gram[(i, j)] += row[i] * row[j];
            }
        }
    }
    for i in 0..width {
        gram[(i, i)] += ridge * rows.len() as f64;
    }
    let solved = gram.cholesky().map(|factor| factor.solve(&moment));
    match solved.filter(|weights| weights.iter().all(|weight| weight.is_finite())) {
        Some(weights) => Ok(weights.as_slice().to_vec()),
        None => Err(Error::Failed(
            "linear regression: columns of the data depend on each other; set a ridge penalty above 0".into(),
        )),
    }
}

impl Regressor for Linear {
    fn fit(&mut self, rows: &Rows, _rng: &mut Rng) -> Result<()> {
        self.weights = least_squares(rows, self.ridge)?;
        Ok(())
    }

    fn predict(&mut self, inputs: &[f64], outputs: &mut Vec<f64>) {
        outputs.clear();
        let dot = |row: &[f64]| row.iter().zip(&self.weights).map(|(x, w)| x * w).sum::<f64>();
        outputs.extend(inputs.chunks_exact(self.weights.len()).map(dot));
    }
}

//! f(z) = φ(z)·w.

use std::sync::Arc;

use quire_core::Result;

use super::super::log::Regression;
use super::{Fit, FunctionClass, Moment};
use crate::linear::{Features, Gram};

/// The linear class: ridge regression, b(z) = β ‖φ(z)‖_{Λ⁻¹} with Λ = Σ_k φ φᵀ/σ_k² + λ I.
///
/// With λ ‖w - v‖² in place of the constant λ, D²(z) is exactly φ(z)ᵀ Λ⁻¹ φ(z).
pub struct Linear {
    features: Arc<Features>,
    ridge: f64,
}

impl Linear {
    /// `ridge` is λ > 0.
    pub fn new(features: Arc<Features>, ridge: f64) -> Self {
        Linear { features, ridge }
    }

    fn gram(&self, data: &Regression) -> Result<Gram> {
        let vectors = data.weight.iter().enumerate().map(|(pair, &weight)| (self.features.of(pair), weight));
        Gram::new(self.features.dimension(), vectors, self.ridge)
    }
}

impl FunctionClass for Linear {
    fn complexity(&self) -> f64 {
        self.features.dimension() as f64
    }

    fn fit(&self, _stage: usize, _moment: Moment, data: &Regression) -> Result<Fit> {
        let mut right = vec![0.0; self.features.dimension()];
        for (pair, (weight, target)) in data.weight.iter().zip(&data.target).enumerate() {
            right.iter_mut().zip(self.features.of(pair)).for_each(|(sum, x)| *sum += weight * target * x);
        }
        let parameters = self.gram(data)?.solve(right);
        Ok(Fit { values: self.features.dot(&parameters), parameters })
    }

    fn bonus(&self, _stage: usize, _fit: &Fit, data: &Regression, radius: f64) -> Result<Vec<f64>> {
        let gram = self.gram(data)?;
        Ok((0..self.features.pairs()).map(|pair| radius * gram.norm(self.features.of(pair))).collect())
    }
}

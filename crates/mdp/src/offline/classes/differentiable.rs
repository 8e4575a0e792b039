//! f(z) = H sigmoid(φ(z)·w): a generalized linear model.

use std::sync::Arc;

use quire_core::Result;

use super::super::log::Regression;
use super::{Fit, FunctionClass, Moment};
use crate::linear::{Features, Gram, dot};

/// Steps that the fit takes at most.
const STEPS: usize = 200;
/// The fit ends when a step improves the loss by less than this share of it.
const TOLERANCE: f64 = 1e-12;

/// The differentiable class: ridge-penalized least squares by the Levenberg-Marquardt method from w = 0, and the bonus of
/// the class linearized at f̃: b(z) = β ‖∇f̃(z)‖_{Λ⁻¹} with Λ = Σ_k ∇f̃ ∇f̃ᵀ/σ_k² + λ I.
///
/// Second moments are H² sigmoid(φ·w).
pub struct Differentiable {
    features: Arc<Features>,
    horizon: f64,
    ridge: f64,
}

/// 1/(1 + e^-x).
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Differentiable {
    /// `horizon` is H, `ridge` is λ > 0.
    pub fn new(features: Arc<Features>, horizon: usize, ridge: f64) -> Self {
        Differentiable { features, horizon: horizon as f64, ridge }
    }

    fn scale(&self, moment: Moment) -> f64 {
        match moment {
            Moment::First => self.horizon,
            Moment::Second => self.horizon * self.horizon,
        }
    }

    fn loss(&self, scale: f64, weights: &[f64], data: &Regression) -> f64 {
        let errors = data.weight.iter().zip(&data.target).enumerate().map(|(pair, (weight, target))| {
            let error = scale * sigmoid(dot(self.features.of(pair), weights)) - target;
            weight * error * error
        });
        errors.sum::<f64>() + self.ridge * dot(weights, weights)
    }

    /// d f(z)/d(φ(z)·w) of all pairs: ∇f is this times φ.
    fn slopes(&self, scale: f64, weights: &[f64]) -> Vec<f64> {
        let slope = |value: f64| scale * sigmoid(value) * (1.0 - sigmoid(value));
        self.features.dot(weights).into_iter().map(slope).collect()
    }

    /// Σ w slope² φ φᵀ + `ridge` I.
    fn gram(&self, slopes: &[f64], data: &Regression, ridge: f64) -> Result<Gram> {
        let weights = data.weight.iter().zip(slopes).map(|(weight, slope)| weight * slope * slope);
        let vectors = weights.enumerate().map(|(pair, weight)| (self.features.of(pair), weight));
        Gram::new(self.features.dimension(), vectors, ridge)
    }
}

impl FunctionClass for Differentiable {
    fn complexity(&self) -> f64 {
        self.features.dimension() as f64
    }

    fn fit(&self, _stage: usize, moment: Moment, data: &Regression) -> Result<Fit> {
        let scale = self.scale(moment);
        let mut weights = vec![0.0; self.features.dimension()];
        let mut loss = self.loss(scale, &weights, data);
        let mut damping = 1.0;
        for _ in 0..STEPS {
            let slopes = self.slopes(scale, &weights);
            // Minus half the gradient of the loss.
            let mut descent: Vec<f64> = weights.iter().map(|w| -self.ridge * w).collect();
            for (pair, slope) in slopes.iter().enumerate().filter(|(pair, _)| data.weight[*pair] > 0.0) {
                let phi = self.features.of(pair);
                let error = data.target[pair] - scale * sigmoid(dot(phi, &weights));
                let share = data.weight[pair] * slope * error;
                descent.iter_mut().zip(phi).for_each(|(sum, x)| *sum += share * x);
            }
            let step = self.gram(&slopes, data, self.ridge + damping)?.solve(descent);
            let tried: Vec<f64> = weights.iter().zip(&step).map(|(w, step)| w + step).collect();
            let reached = self.loss(scale, &tried, data);
            if reached < loss {
                let gained = loss - reached;
                (weights, loss) = (tried, reached);
                damping *= 0.2;
                if gained < TOLERANCE * loss {
                    break;
                }
            } else {
                damping *= 5.0;
                if damping > 1e12 {
                    break;
                }
            }
        }
        let values = self.features.dot(&weights).into_iter().map(|x| scale * sigmoid(x)).collect();
        Ok(Fit { values, parameters: weights })
    }

    fn bonus(&self, _stage: usize, fit: &Fit, data: &Regression, radius: f64) -> Result<Vec<f64>> {
        let slopes = self.slopes(self.horizon, &fit.parameters);
        let gram = self.gram(&slopes, data, self.ridge)?;
        let pair = |(pair, slope): (usize, &f64)| radius * slope * gram.norm(self.features.of(pair));
        Ok(slopes.iter().enumerate().map(pair).collect())
    }
}

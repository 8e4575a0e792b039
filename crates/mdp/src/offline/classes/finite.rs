//! A list of functions.

use std::sync::Arc;

use quire_core::Result;

use super::super::log::Regression;
use super::{Fit, FunctionClass, Moment};

/// A finite class: least squares by trying them all, and as a bonus the greatest distance from f̃ within the version set
/// { f: Σ_k (f - f̃)²(z_k)/σ_k² ≤ β² }.
#[derive(Debug, Clone, PartialEq)]
pub struct FiniteClass {
    pairs: usize,
    /// First moments of each stage, `[H][N, S, A]`.
    first: Vec<Vec<f64>>,
    /// Second moments of each stage, `[H][N, S, A]`.
    second: Vec<Vec<f64>>,
}

impl FiniteClass {
    /// From the functions of every stage, `[H][N, S, A]`, as first and as second moments of returns.
    ///
    /// # Panics
    /// If a stage has no function, or they are not whole.
    pub fn new(pairs: usize, first: Vec<Vec<f64>>, second: Vec<Vec<f64>>) -> Self {
        let whole = |stage: &Vec<f64>| !stage.is_empty() && stage.len().is_multiple_of(pairs);
        assert!(first.iter().chain(&second).all(whole), "functions are of {pairs} pairs");
        FiniteClass { pairs, first, second }
    }

    /// The first moments of a stage.
    pub fn functions(&self, stage: usize) -> impl Iterator<Item = &[f64]> {
        self.first[stage].chunks_exact(self.pairs)
    }
}

/// Σ_z w(z) (f(z) - g(z))².
fn distance(weight: &[f64], f: &[f64], g: &[f64]) -> f64 {
    weight.iter().zip(f.iter().zip(g)).map(|(weight, (f, g))| weight * (f - g) * (f - g)).sum()
}

impl FunctionClass for Arc<FiniteClass> {
    fn complexity(&self) -> f64 {
        let stages = self.first.iter().map(|functions| functions.len() / self.pairs);
        (stages.max().unwrap_or(1) as f64).ln()
    }

    fn fit(&self, stage: usize, moment: Moment, data: &Regression) -> Result<Fit> {
        let functions = match moment {
            Moment::First => &self.first[stage],
            Moment::Second => &self.second[stage],
        };
        let mut best = (0, f64::INFINITY);
        for (index, function) in functions.chunks_exact(self.pairs).enumerate() {
            let loss = distance(&data.weight, function, &data.target);
            if loss < best.1 {
                best = (index, loss);
            }
        }
        let values = functions[best.0 * self.pairs..][..self.pairs].to_vec();
        Ok(Fit { values, parameters: vec![best.0 as f64] })
    }

    fn bonus(&self, stage: usize, fit: &Fit, data: &Regression, radius: f64) -> Result<Vec<f64>> {
        let mut bonus = vec![0.0_f64; self.pairs];
        for function in self.functions(stage) {
            if distance(&data.weight, function, &fit.values) <= radius * radius {
                let apart = function.iter().zip(&fit.values).map(|(f, fit)| (f - fit).abs());
                bonus.iter_mut().zip(apart).for_each(|(bonus, apart)| *bonus = bonus.max(apart));
            }
        }
        Ok(bonus)
    }
}

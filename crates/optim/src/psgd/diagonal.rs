//! Q = diag(q): one number a parameter.
//!
//! With a = q h and b = v / q: q ← q - μ (a² - b²) q, ℓ = max_i (a_i² + b_i²) or max_i |a_i² - b_i²|.

use quire_core::{Result, Rng};

use super::{Fit, Normalizer, Preconditioner, first_scale};
use crate::Float;
use crate::optimizer::{decode, encode, replace};

/// P = diag(q²).
#[derive(Debug, Clone)]
pub struct Diagonal<F> {
    q: Vec<F>,
    bound: f64,
    has_scale: bool,
}

impl<F: Float> Diagonal<F> {
    /// The identity on `n` parameters until the first pair gives a scale.
    pub fn new(n: usize) -> Self {
        Diagonal { q: vec![F::ONE; n], bound: 0.0, has_scale: false }
    }
}

impl<F: Float> Preconditioner<F> for Diagonal<F> {
    fn fit(&mut self, v: &[F], h: &[F], fit: Fit, _: &mut Rng) {
        if !self.has_scale {
            self.has_scale = true;
            self.q.fill(first_scale(v, h));
        }
        let squares = |q: F, v: F, h: F| {
            let (a, b) = (q * h, v / q);
            (a * a, b * b)
        };
        let pairs = self.q.iter().zip(v.iter().zip(h));
        let latest = pairs.fold(F::ZERO, |most, (&q, (&v, &h))| {
            let (a, b) = squares(q, v, h);
            most.max(if fit.normalizer == Normalizer::Second { a + b } else { (a - b).abs() })
        });
        let step = F::from_f64(fit.step_below(&mut self.bound, latest.to_f64()));
        for (q, (&v, &h)) in self.q.iter_mut().zip(v.iter().zip(h)) {
            let (a, b) = squares(*q, v, h);
            *q = *q - step * (a - b) * *q;
        }
    }

    fn apply(&mut self, g: &[F], out: &mut [F]) {
        for ((out, &g), &q) in out.iter_mut().zip(g).zip(&self.q) {
            *out = q * q * g;
        }
    }

    fn save(&self) -> Vec<u8> {
        encode(&(&self.q, self.bound, self.has_scale))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (q, bound, has_scale) = decode(saved)?;
        (self.bound, self.has_scale) = (bound, has_scale);
        replace(&mut self.q, q, "preconditioner")
    }
}

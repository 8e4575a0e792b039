//! Stochastic gradient descent with momentum (Polyak 1964), Nesterov momentum (Sutskever et al. 2013) and
//! coupled weight decay, in PyTorch's form:
//!
//! `g <- g + weight_decay * p`, `b <- momentum * b + (1 - dampening) * g` (the first step sets `b <- g`),
//! `d <- b`, or with Nesterov `d <- g + momentum * b`, and `p <- p - learning_rate * d`.

use quire_core::{Error, Result};
use quire_kernels::multiversion;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::optimizer::{Rule, StepInfo, decode, encode, replace};
use crate::options::{check_common, check_range};
use crate::{Float, Schedule};

/// Options of `sgd`; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SgdOptions {
    /// Learning rate (step size), > 0. PyTorch: 0.001.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub learning_rate: f64,
    /// How the learning rate changes over the run.
    pub schedule: Schedule,
    /// Momentum, in `[0, 1)`; 0 for none, 0.9 is usual.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub momentum: f64,
    /// Dampening of the gradient that enters the momentum, in `[0, 1]`; 0 in PyTorch.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub dampening: f64,
    /// Nesterov momentum; needs `momentum > 0` and no dampening.
    pub nesterov: bool,
    /// Coupled weight decay (L2 penalty) per step, >= 0; 0 in PyTorch.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
    /// Largest global gradient norm, > 0; none by default.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub clip_norm: Option<f64>,
    /// Largest magnitude of one gradient element, > 0; none by default.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub clip_value: Option<f64>,
    /// Whether gradient norms are recorded, for `quire refine-schedule`; they become a file of the artefact.
    pub record_norms: bool,
}

impl Default for SgdOptions {
    fn default() -> Self {
        SgdOptions {
            learning_rate: 1e-3,
            schedule: Schedule::default(),
            momentum: 0.0,
            dampening: 0.0,
            nesterov: false,
            weight_decay: 0.0,
            clip_norm: None,
            clip_value: None,
            record_norms: false,
        }
    }
}

impl SgdOptions {
    pub(crate) fn check(&self, prefix: &str) -> Result<()> {
        check_common(prefix, self.learning_rate, self.weight_decay, self.clip_norm, self.clip_value)?;
        check_range(prefix, "momentum", self.momentum, (0.0..1.0).contains(&self.momentum), "in [0, 1)")?;
        check_range(prefix, "dampening", self.dampening, (0.0..=1.0).contains(&self.dampening), "in [0, 1]")?;
        if self.nesterov && (self.momentum == 0.0 || self.dampening != 0.0) {
            return Err(Error::option(
                format!("{prefix}nesterov"),
                "needs `momentum` above 0 and `dampening` 0",
            ));
        }
        Ok(())
    }
}

/// The rule and its momentum buffer.
#[derive(Debug, Clone)]
pub struct Sgd<F> {
    momentum: f64,
    dampening: f64,
    nesterov: bool,
    weight_decay: f64,
    buffer: Vec<F>,
}

impl<F: Float> Sgd<F> {
    /// The rule for `len` parameters; options are taken as checked. Without momentum there is no buffer.
    pub fn new(options: &SgdOptions, len: usize) -> Self {
        Sgd {
            momentum: options.momentum,
            dampening: options.dampening,
            nesterov: options.nesterov,
            weight_decay: options.weight_decay,
            buffer: if options.momentum > 0.0 { vec![F::default(); len] } else { Vec::new() },
        }
    }
}

impl<F: Float> Rule<F> for Sgd<F> {
    fn apply(&mut self, step: StepInfo, params: &mut [F], gradient: &[F]) {
        let (rate, decay) = (F::from_f64(step.learning_rate), F::from_f64(self.weight_decay));
        if self.momentum == 0.0 {
            return plain(params, gradient, rate, decay);
        }
        let first = step.number == 1;
        let momentum = F::from_f64(self.momentum);
        let keep = F::from_f64(if first { 0.0 } else { self.momentum });
        let take = F::from_f64(if first { 1.0 } else { 1.0 - self.dampening });
        if self.nesterov {
            nesterov(params, gradient, &mut self.buffer, rate, decay, keep, momentum);
        } else {
            heavy_ball(params, gradient, &mut self.buffer, rate, decay, keep, take);
        }
    }

    fn save(&self) -> Vec<u8> {
        encode(&self.buffer)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        replace(&mut self.buffer, decode(saved)?, "momentum")
    }
}

multiversion! {
    fn plain[F: Float](params: &mut [F], gradient: &[F], rate: F, decay: F) |simd| {
        for (p, &g) in params.iter_mut().zip(gradient) {
            *p = *p - rate * (g + decay * *p);
        }
    }
}

multiversion! {
    fn heavy_ball[F: Float](params: &mut [F], gradient: &[F], buffer: &mut [F], rate: F, decay: F, keep: F, take: F) |simd| {
        for ((p, &g), b) in params.iter_mut().zip(gradient).zip(buffer) {
            *b = (keep * *b + take * (g + decay * *p)).flushed();
            *p -= rate * *b;
        }
    }
}

multiversion! {
    fn nesterov[F: Float](params: &mut [F], gradient: &[F], buffer: &mut [F], rate: F, decay: F, keep: F, momentum: F) |simd| {
        for ((p, &g), b) in params.iter_mut().zip(gradient).zip(buffer) {
            let g = g + decay * *p;
            *b = (keep * *b + g).flushed();
            *p -= rate * (g + momentum * *b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_steps(options: &SgdOptions) -> [f64; 2] {
        let mut rule = Sgd::<f64>::new(options, 1);
        let mut params = [1.0];
        let mut step = |number, gradient| {
            rule.apply(StepInfo { number, learning_rate: 0.1 }, &mut params, &[gradient]);
            params[0]
        };
        [step(1, 2.0), step(2, -1.0)]
    }

    #[test]
    fn two_steps_by_hand() {
        let close = |got: [f64; 2], wanted: [f64; 2]| {
            assert!((got[0] - wanted[0]).abs() < 1e-14 && (got[1] - wanted[1]).abs() < 1e-14, "{got:?}");
        };
        // Plain: 1 - 0.2 = 0.8, then + 0.1.
        close(two_steps(&SgdOptions::default()), [0.8, 0.9]);
        // Momentum 0.5: b = 2 -> 0.8; b = 0.5 * 2 - 1 = 0 -> 0.8.
        let momentum = SgdOptions { momentum: 0.5, ..SgdOptions::default() };
        close(two_steps(&momentum), [0.8, 0.8]);
        // Nesterov: d = 2 + 0.5 * 2 = 3 -> 0.7; b = 0, d = -1 -> 0.8.
        close(two_steps(&SgdOptions { nesterov: true, ..momentum }), [0.7, 0.8]);
        // Weight decay 1: g = 2 + 1 = 3 -> 0.7; g = -1 + 0.7 = -0.3 -> 0.73.
        close(two_steps(&SgdOptions { weight_decay: 1.0, ..SgdOptions::default() }), [0.7, 0.73]);
    }
}

//! RMSProp (Tieleman & Hinton 2012), plain and centered (Graves 2013), with momentum, in PyTorch's form:
//!
//! `g <- g + weight_decay * p`, `v <- decay v + (1 - decay) g^2`; centered also keeps the mean gradient
//! `a <- decay a + (1 - decay) g` and divides by the deviation: `s = v - a^2` instead of `s = v`.
//! `d = g / (sqrt(s) + epsilon)`, or `g / sqrt(s + epsilon)` with `epsilon_in_root` (TensorFlow's form, which
//! the Atari agents of Mnih et al. 2015 used); with momentum `b <- momentum b + d`, `d <- b`;
//! `p <- p - learning_rate * d`.

use quire_core::Result;
use quire_kernels::multiversion;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::optimizer::{Rule, StepInfo, decode, encode, replace};
use crate::options::{check_common, check_range};
use crate::{Float, Schedule};

/// Options of `rmsprop`; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RmspropOptions {
    /// Learning rate (step size), > 0. PyTorch: 0.01; Mnih et al. 2015: 0.00025.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub learning_rate: f64,
    /// How the learning rate changes over the run.
    pub schedule: Schedule,
    /// Decay of the mean square per step (PyTorch's `alpha`), in `[0, 1)`. PyTorch: 0.99; Mnih et al. 2015: 0.95.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub decay: f64,
    /// Keeps the division finite, >= 0. PyTorch: 1e-8; Mnih et al. 2015: 0.01 inside the root.
    #[schemars(range(min = 0.0))]
    pub epsilon: f64,
    /// Adds `epsilon` under the root instead of to it.
    pub epsilon_in_root: bool,
    /// Divides by the standard deviation of the gradient instead of by its root mean square.
    pub centered: bool,
    /// Momentum on the scaled gradient, in `[0, 1)`; 0 for none.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub momentum: f64,
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

impl Default for RmspropOptions {
    fn default() -> Self {
        RmspropOptions {
            learning_rate: 1e-2,
            schedule: Schedule::default(),
            decay: 0.99,
            epsilon: 1e-8,
            epsilon_in_root: false,
            centered: false,
            momentum: 0.0,
            weight_decay: 0.0,
            clip_norm: None,
            clip_value: None,
            record_norms: false,
        }
    }
}

impl RmspropOptions {
    pub(crate) fn check(&self, prefix: &str) -> Result<()> {
        check_common(prefix, self.learning_rate, self.weight_decay, self.clip_norm, self.clip_value)?;
        check_range(prefix, "decay", self.decay, (0.0..1.0).contains(&self.decay), "in [0, 1)")?;
        check_range(prefix, "momentum", self.momentum, (0.0..1.0).contains(&self.momentum), "in [0, 1)")?;
        let epsilon = self.epsilon;
        check_range(prefix, "epsilon", epsilon, epsilon >= 0.0 && epsilon.is_finite(), "at least 0")
    }
}

/// The rule and its buffers; a buffer that the options do not need is empty.
#[derive(Debug, Clone)]
pub struct Rmsprop<F> {
    options: RmspropOptions,
    mean_square: Vec<F>,
    mean: Vec<F>,
    momentum: Vec<F>,
}

impl<F: Float> Rmsprop<F> {
    /// The rule for `len` parameters; options are taken as checked.
    pub fn new(options: &RmspropOptions, len: usize) -> Self {
        let buffer = |needed: bool| if needed { vec![F::default(); len] } else { Vec::new() };
        Rmsprop {
            options: options.clone(),
            mean_square: buffer(true),
            mean: buffer(options.centered),
            momentum: buffer(options.momentum > 0.0),
        }
    }
}

impl<F: Float> Rule<F> for Rmsprop<F> {
    fn apply(&mut self, step: StepInfo, params: &mut [F], gradient: &[F]) {
        let options = &self.options;
        let (outside, inside) =
            if options.epsilon_in_root { (0.0, options.epsilon) } else { (options.epsilon, 0.0) };
        let c = Constants {
            weight_decay: F::from_f64(options.weight_decay),
            decay: F::from_f64(options.decay),
            take: F::from_f64(1.0 - options.decay),
            outside: F::from_f64(outside),
            inside: F::from_f64(inside),
            momentum: F::from_f64(options.momentum),
            rate: F::from_f64(step.learning_rate),
        };
        let square = &mut self.mean_square;
        match (options.centered, options.momentum > 0.0) {
            (false, false) => plain(params, gradient, square, c),
            (false, true) => with_momentum(params, gradient, square, &mut self.momentum, c),
            (true, false) => centered(params, gradient, square, &mut self.mean, c),
            (true, true) => {
                centered_with_momentum(params, gradient, square, &mut self.mean, &mut self.momentum, c);
            }
        }
    }

    fn save(&self) -> Vec<u8> {
        encode(&(&self.mean_square, &self.mean, &self.momentum))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (mean_square, mean, momentum): (Vec<F>, Vec<F>, Vec<F>) = decode(saved)?;
        replace(&mut self.mean_square, mean_square, "mean square")?;
        replace(&mut self.mean, mean, "mean")?;
        replace(&mut self.momentum, momentum, "momentum")
    }
}

/// What one step multiplies with and adds.
#[derive(Clone, Copy)]
struct Constants<F> {
    weight_decay: F,
    decay: F,
    take: F,
    outside: F,
    inside: F,
    momentum: F,
    rate: F,
}

impl<F: Float> Constants<F> {
    /// The scaled gradient of one parameter; `mean` is 0 where the gradient is not centered.
    #[inline(always)]
    fn scaled(self, g: F, square: F, mean: F) -> F {
        let variance = square - mean * mean;
        // Rounding can make a small variance negative; a NaN must stay one.
        let variance = if variance < F::default() { F::default() } else { variance };
        g / ((variance + self.inside).sqrt() + self.outside)
    }
}

multiversion! {
    fn plain[F: Float](params: &mut [F], gradient: &[F], square: &mut [F], c: Constants<F>) |simd| {
        for ((p, &g), s) in params.iter_mut().zip(gradient).zip(square) {
            let g = g + c.weight_decay * *p;
            *s = (c.decay * *s + c.take * (g * g)).flushed();
            *p -= c.rate * c.scaled(g, *s, F::default());
        }
    }
}

multiversion! {
    fn with_momentum[F: Float](params: &mut [F], gradient: &[F], square: &mut [F], momentum: &mut [F], c: Constants<F>) |simd| {
        for (((p, &g), s), b) in params.iter_mut().zip(gradient).zip(square).zip(momentum) {
            let g = g + c.weight_decay * *p;
            *s = (c.decay * *s + c.take * (g * g)).flushed();
            *b = (c.momentum * *b + c.scaled(g, *s, F::default())).flushed();
            *p -= c.rate * *b;
        }
    }
}

multiversion! {
    fn centered[F: Float](params: &mut [F], gradient: &[F], square: &mut [F], mean: &mut [F], c: Constants<F>) |simd| {
        for (((p, &g), s), a) in params.iter_mut().zip(gradient).zip(square).zip(mean) {
            let g = g + c.weight_decay * *p;
            *s = (c.decay * *s + c.take * (g * g)).flushed();
            *a = (*a + c.take * (g - *a)).flushed();
            *p -= c.rate * c.scaled(g, *s, *a);
        }
    }
}

multiversion! {
    fn centered_with_momentum[F: Float](
        params: &mut [F], gradient: &[F], square: &mut [F], mean: &mut [F], momentum: &mut [F], c: Constants<F>,
    ) |simd| {
        for ((((p, &g), s), a), b) in params.iter_mut().zip(gradient).zip(square).zip(mean).zip(momentum) {
            let g = g + c.weight_decay * *p;
            *s = (c.decay * *s + c.take * (g * g)).flushed();
            *a = (*a + c.take * (g - *a)).flushed();
            *b = (c.momentum * *b + c.scaled(g, *s, *a)).flushed();
            *p -= c.rate * *b;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_steps(options: &RmspropOptions) -> [f64; 2] {
        let mut rule = Rmsprop::<f64>::new(options, 1);
        let mut params = [1.0];
        let mut step = |number, gradient| {
            rule.apply(StepInfo { number, learning_rate: 0.1 }, &mut params, &[gradient]);
            params[0]
        };
        [step(1, 2.0), step(2, 4.0)]
    }

    #[test]
    fn two_steps_by_hand() {
        let close = |got: [f64; 2], wanted: [f64; 2]| {
            assert!((got[0] - wanted[0]).abs() < 1e-14 && (got[1] - wanted[1]).abs() < 1e-14, "{got:?}");
        };
        let base = RmspropOptions { decay: 0.5, epsilon: 0.0, ..RmspropOptions::default() };
        // v = 2 then 9: directions 2 / sqrt(2) and 4 / 3.
        let (first, second) = (2.0 / 2f64.sqrt(), 4.0 / 3.0);
        close(two_steps(&base), [1.0 - 0.1 * first, 1.0 - 0.1 * first - 0.1 * second]);
        // Momentum 1/2: b = first, then first / 2 + second.
        let momentum = RmspropOptions { momentum: 0.5, ..base.clone() };
        close(two_steps(&momentum), [1.0 - 0.1 * first, 1.0 - 0.1 * first - 0.1 * (0.5 * first + second)]);
        // Centered: a = 1 then 2.5; variances 2 - 1 = 1 and 9 - 6.25 = 2.75.
        let centered = RmspropOptions { centered: true, ..base.clone() };
        close(two_steps(&centered), [0.8, 0.8 - 0.4 / 2.75f64.sqrt()]);
        // Epsilon 7 under the root: 2 / sqrt(2 + 7), 4 / sqrt(9 + 7).
        let inside = RmspropOptions { epsilon: 7.0, epsilon_in_root: true, ..base };
        close(two_steps(&inside), [1.0 - 0.2 / 3.0, 0.9 - 0.2 / 3.0]);
    }
}

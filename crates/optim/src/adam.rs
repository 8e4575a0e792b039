//! Adam (Kingma & Ba 2015) and AdamW (Loshchilov & Hutter 2019).
//!
//! With `g` the gradient of step `t`:
//! `m <- beta1 m + (1 - beta1) g`, `v <- beta2 v + (1 - beta2) g^2`,
//! `p <- p - learning_rate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)`.
//! `adam` adds `weight_decay * p` to `g` first; `adamw` multiplies `p` by `1 - learning_rate * weight_decay`
//! instead. The bias corrections are computed in `f64` once a step; the rest is one pass over `p`, `g`, `m`, `v`.

use quire_core::Result;
use quire_kernels::multiversion;
use quire_kernels::pool::{Parts, Pool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::optimizer::{Rule, StepInfo, decode, encode, replace};
use crate::options::{check_common, check_range};
use crate::{Float, Schedule};

macro_rules! adam_options {
    ($(#[$meta:meta])* $name:ident, $decay:literal: $(#[$decay_meta:meta])*) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default)]
        pub struct $name {
            /// Learning rate (step size), > 0. The paper and PyTorch: 0.001.
            #[schemars(extend("exclusiveMinimum" = 0.0))]
            pub learning_rate: f64,
            /// How the learning rate changes over the run.
            pub schedule: Schedule,
            /// Decay of the first moment per step, in `[0, 1)`. The paper: 0.9.
            #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
            pub beta1: f64,
            /// Decay of the second moment per step, in `[0, 1)`. The paper: 0.999.
            #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
            pub beta2: f64,
            /// Added to the root of the second moment, >= 0. The paper: 1e-8.
            #[schemars(range(min = 0.0))]
            pub epsilon: f64,
            $(#[$decay_meta])*
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

        impl Default for $name {
            fn default() -> Self {
                $name {
                    learning_rate: 1e-3,
                    schedule: Schedule::default(),
                    beta1: 0.9,
                    beta2: 0.999,
                    epsilon: 1e-8,
                    weight_decay: $decay,
                    clip_norm: None,
                    clip_value: None,
                    record_norms: false,
                }
            }
        }

        impl $name {
            pub(crate) fn check(&self, prefix: &str) -> Result<()> {
                check_common(prefix, self.learning_rate, self.weight_decay, self.clip_norm, self.clip_value)?;
                for (name, beta) in [("beta1", self.beta1), ("beta2", self.beta2)] {
                    check_range(prefix, name, beta, (0.0..1.0).contains(&beta), "in [0, 1)")?;
                }
                let epsilon = self.epsilon;
                check_range(prefix, "epsilon", epsilon, epsilon >= 0.0 && epsilon.is_finite(), "at least 0")
            }
        }
    };
}

adam_options! {
    /// Options of `adam`; the defaults are the paper's and PyTorch's.
    AdamOptions, 0.0:
    /// Coupled weight decay (L2 penalty) per step, >= 0. PyTorch: 0.
}

adam_options! {
    /// Options of `adamw`; the defaults are PyTorch's.
    AdamwOptions, 0.01:
    /// Decoupled weight decay per step, times the learning rate, >= 0. PyTorch: 0.01.
}

/// The rule of both, with its two moment buffers.
#[derive(Debug, Clone)]
pub struct Adam<F> {
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    coupled_decay: f64,
    decoupled_decay: f64,
    first_moment: Vec<F>,
    second_moment: Vec<F>,
    pool: Pool,
}

impl<F: Float> Adam<F> {
    /// Adam for `len` parameters on the threads of `pool`; options are taken as checked.
    pub fn new(options: &AdamOptions, len: usize, pool: &Pool) -> Self {
        Adam {
            beta1: options.beta1,
            beta2: options.beta2,
            epsilon: options.epsilon,
            coupled_decay: options.weight_decay,
            decoupled_decay: 0.0,
            first_moment: vec![F::default(); len],
            second_moment: vec![F::default(); len],
            pool: pool.clone(),
        }
    }

    /// AdamW for `len` parameters on the threads of `pool`; options are taken as checked.
    pub fn decoupled(options: &AdamwOptions, len: usize, pool: &Pool) -> Self {
        Adam {
            beta1: options.beta1,
            beta2: options.beta2,
            epsilon: options.epsilon,
            coupled_decay: 0.0,
            decoupled_decay: options.weight_decay,
            first_moment: vec![F::default(); len],
            second_moment: vec![F::default(); len],
            pool: pool.clone(),
        }
    }
}

impl<F: Float> Rule<F> for Adam<F> {
    fn apply(&mut self, step: StepInfo, params: &mut [F], gradient: &[F]) {
        let power = |beta: f64| beta.powf(step.number as f64);
        let constants = Constants {
            coupled_decay: F::from_f64(self.coupled_decay),
            keep: F::from_f64(1.0 - step.learning_rate * self.decoupled_decay),
            take1: F::from_f64(1.0 - self.beta1),
            beta2: F::from_f64(self.beta2),
            take2: F::from_f64(1.0 - self.beta2),
            root_correction: F::from_f64(1.0 / (1.0 - power(self.beta2)).sqrt()),
            epsilon: F::from_f64(self.epsilon),
            rate: F::from_f64(step.learning_rate / (1.0 - power(self.beta1))),
        };
        let (first, second) = (Parts::new(&mut self.first_moment), Parts::new(&mut self.second_moment));
        let params = Parts::new(params);
        self.pool.parts(gradient.len(), |start, len| {
            // SAFETY: parts do not overlap.
            let (params, first, second) =
                unsafe { (params.part(start, len), first.part(start, len), second.part(start, len)) };
            update(params, &gradient[start..start + len], first, second, constants);
        });
    }

    fn save(&self) -> Vec<u8> {
        encode(&(&self.first_moment, &self.second_moment))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (first, second): (Vec<F>, Vec<F>) = decode(saved)?;
        replace(&mut self.first_moment, first, "first moment")?;
        replace(&mut self.second_moment, second, "second moment")
    }
}

/// What one step multiplies with.
#[derive(Clone, Copy)]
struct Constants<F> {
    coupled_decay: F,
    keep: F,
    take1: F,
    beta2: F,
    take2: F,
    root_correction: F,
    epsilon: F,
    rate: F,
}

multiversion! {
    fn update[F: Float](params: &mut [F], gradient: &[F], first: &mut [F], second: &mut [F], c: Constants<F>) |simd| {
        for (((p, &g), m), v) in params.iter_mut().zip(gradient).zip(first).zip(second) {
            let g = g + c.coupled_decay * *p;
            *m = (*m + c.take1 * (g - *m)).flushed();
            *v = (c.beta2 * *v + c.take2 * (g * g)).flushed();
            *p = c.keep * *p - c.rate * *m / (v.sqrt() * c.root_correction + c.epsilon);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quire_kernels::simd::{self, Level};

    #[test]
    fn two_steps_by_hand() {
        // beta1 = beta2 = 1/2, epsilon 0, rate 0.1, gradients 2 and 4.
        // Step 1: m = 1, v = 2; corrected 2 and 4, ratio 1: 1 - 0.1 = 0.9.
        // Step 2: m = 2.5, v = 9; corrected by 3/4: 10/3 and 12; 0.9 - 0.1 * (10/3) / sqrt(12).
        let options = AdamOptions { beta1: 0.5, beta2: 0.5, epsilon: 0.0, ..AdamOptions::default() };
        let mut rule = Adam::<f64>::new(&options, 1, &Pool::new(1));
        let mut params = [1.0];
        rule.apply(StepInfo { number: 1, learning_rate: 0.1 }, &mut params, &[2.0]);
        assert!((params[0] - 0.9).abs() < 1e-15);
        rule.apply(StepInfo { number: 2, learning_rate: 0.1 }, &mut params, &[4.0]);
        assert!((params[0] - (0.9 - 0.1 * (10.0 / 3.0) / 12f64.sqrt())).abs() < 1e-15);
    }

    #[test]
    fn decoupled_decay_shrinks_the_parameters_without_a_gradient() {
        let options = AdamwOptions { weight_decay: 0.5, ..AdamwOptions::default() };
        let mut rule = Adam::<f64>::decoupled(&options, 1, &Pool::new(1));
        let mut params = [2.0];
        rule.apply(StepInfo { number: 1, learning_rate: 0.1 }, &mut params, &[0.0]);
        // 2 * (1 - 0.1 * 0.5); the gradient is 0 and so is its direction.
        assert!((params[0] - 1.9).abs() < 1e-15);
    }

    /// After the gradient has gone, the first moment would reach the subnormal numbers in 830 steps and stay there.
    #[test]
    fn moments_end_at_zero() {
        let mut rule = Adam::<f32>::new(&AdamOptions::default(), 1, &Pool::new(1));
        let mut params = [1.0];
        for number in 1..=1500 {
            let gradient = if number == 1 { 1.0 } else { 0.0 };
            rule.apply(StepInfo { number, learning_rate: 0.1 }, &mut params, &[gradient]);
        }
        assert_eq!(rule.first_moment, [0.0]);
        assert!(rule.second_moment[0] > 0.0);
    }

    /// The bits of the parameters and of their norm after some steps.
    fn after_steps(len: usize, steps: u64, threads: usize) -> (Vec<u32>, u64) {
        let options = AdamOptions { weight_decay: 0.01, ..AdamOptions::default() };
        let mut rule = Adam::<f32>::new(&options, len, &Pool::new(threads));
        let mut params: Vec<f32> = (0..len).map(|i| (i as f32 * 0.37).sin()).collect();
        for number in 1..=steps {
            let pull = |(i, p): (usize, &f32)| p * 3.0 + (i as f32 * number as f32).cos();
            let gradient: Vec<f32> = params.iter().enumerate().map(pull).collect();
            rule.apply(StepInfo { number, learning_rate: 0.01 }, &mut params, &gradient);
        }
        let norm = crate::global_norm(&params);
        (params.iter().map(|p| p.to_bits()).collect(), norm.to_bits())
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let run = |level: Level| {
            simd::limit(level);
            after_steps(101, 50, 1)
        };
        let reference = run(Level::Baseline);
        for level in [Level::Avx2, Level::Avx512] {
            assert_eq!(run(level), reference, "{level:?}");
        }
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let len = 3 * Pool::LEAST_PART + 17;
        let reference = after_steps(len, 5, 1);
        for threads in [2, 3] {
            assert_eq!(after_steps(len, 5, threads), reference, "{threads} threads");
        }
    }
}

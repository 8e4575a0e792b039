//! Muon and Turbo-Muon: momentum whose matrices are made orthogonal before the step.
//!
//! With `g` the gradient of a hidden weight of a linear layer and `O` an orthogonalization ([`Orthogonalizer`]),
//! `m <- momentum m + (1 - momentum) g`, `u = (1 - momentum) g + momentum m` (Nesterov) or `m`,
//! `W <- (1 - learning_rate * weight_decay) W - learning_rate * sqrt(max(1, out / in)) O(u)`.
//! All singular values of a step are near 1, so that rare directions are learned as fast as common ones.
//!
//! Everything else - biases, gains, embeddings, and weights with a side below `smallest_side` (heads of few outputs, layers on few
//! inputs; ours) - is trained by AdamW at `auxiliary_learning_rate`.
//!
//! `muon` divides by the Frobenius norm and takes five iterations of one polynomial; `turbo-muon` rescales rows and takes four
//! of a table. A step costs some 2 (2 in + out) in² iterations operations for a weight `[in, out]`, in <= out, less a third for symmetry.
//!
//! Source: K. Jordan et al., *Muon*, 2024; T. Boissin et al., *Turbo-Muon: Accelerating Orthogonality-Based Optimization with
//! Pre-Conditioning*, arXiv:2512.04632. For layers some hundred wide and wider; on the networks of 64 units of small control
//! problems Adam does as well and is faster.

pub mod orthogonal;

use std::ops::Range;

use quire_core::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

pub use orthogonal::{Coefficients, Normalization, Orthogonalizer};

use crate::adam::{Adam, AdamwOptions};
use crate::layout::Weight;
use crate::optimizer::{Rule, StepInfo, decode, encode, replace};
use crate::options::{check_common, check_range};
use crate::{Float, Layout, Pool, Schedule};

macro_rules! muon_options {
    ($(#[$meta:meta])* $name:ident, $iterations:literal, $normalization:expr, $coefficients:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default)]
        pub struct $name {
            /// Learning rate (step size) of orthogonalized weights, > 0. Both papers: 0.02.
            #[schemars(extend("exclusiveMinimum" = 0.0))]
            pub learning_rate: f64,
            /// How both learning rates change over the run.
            pub schedule: Schedule,
            /// Momentum, in `[0, 1)`. Both papers: 0.95.
            #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
            pub momentum: f64,
            /// Whether the step looks ahead along the momentum. Both papers: true.
            pub nesterov: bool,
            /// Newton-Schulz iterations, at least 1. Muon: 5; Turbo-Muon: 4.
            #[schemars(range(min = 1, max = 100))]
            pub iterations: usize,
            /// How the singular values are brought below 1 at first. Muon: `frobenius`; Turbo-Muon: `rows`.
            pub normalization: Normalization,
            /// The polynomials of the iterations. Muon: `muon`; Turbo-Muon and Muon+: `turbo`, at most 5 iterations.
            /// Polar Express, which converges: `polar-express`.
            pub coefficients: Coefficients,
            /// Keeps the first division finite, >= 0. Turbo-Muon's optimizer: 1e-6.
            #[schemars(range(min = 0.0))]
            pub epsilon: f64,
            /// Learning rate of AdamW for all other parameters, > 0. Both papers: 3e-4.
            #[schemars(extend("exclusiveMinimum" = 0.0))]
            pub auxiliary_learning_rate: f64,
            /// Weights with a side shorter than this are left to AdamW, at least 1. Ours: 8.
            #[schemars(range(min = 1))]
            pub smallest_side: usize,
            /// Decoupled weight decay per step, times the learning rate, >= 0. Both papers: 0.
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
                    learning_rate: 0.02,
                    schedule: Schedule::default(),
                    momentum: 0.95,
                    nesterov: true,
                    iterations: $iterations,
                    normalization: $normalization,
                    coefficients: $coefficients,
                    epsilon: 1e-6,
                    auxiliary_learning_rate: 3e-4,
                    smallest_side: 8,
                    weight_decay: 0.0,
                    clip_norm: None,
                    clip_value: None,
                    record_norms: false,
                }
            }
        }

        impl $name {
            pub(crate) fn check(&self, prefix: &str) -> Result<()> {
                check_common(prefix, self.learning_rate, self.weight_decay, self.clip_norm, self.clip_value)?;
                check_range(prefix, "momentum", self.momentum, (0.0..1.0).contains(&self.momentum), "in [0, 1)")?;
                let epsilon = self.epsilon;
                check_range(prefix, "epsilon", epsilon, epsilon >= 0.0 && epsilon.is_finite(), "at least 0")?;
                let rate = self.auxiliary_learning_rate;
                let positive = rate > 0.0 && rate.is_finite();
                check_range(prefix, "auxiliary_learning_rate", rate, positive, "above 0")?;
                let side = self.smallest_side;
                check_range(prefix, "smallest_side", side as f64, side >= 1, "at least 1")?;
                let iterations = self.iterations;
                let allowed = match self.coefficients {
                    Coefficients::Turbo => "from 1 to 5, the rows of the table `turbo`",
                    Coefficients::Genetic => "from 1 to 4, the rows of the table `genetic`",
                    Coefficients::Muon | Coefficients::PolarExpress => "from 1 to 100",
                };
                let ok = (1..=100).contains(&iterations) && self.coefficients.rows(iterations).is_some();
                check_range(prefix, "iterations", iterations as f64, ok, allowed)
            }

            pub(crate) fn rule<F: Float>(&self, layout: &Layout, pool: &Pool) -> Muon<F> {
                let rows = self.coefficients.rows(self.iterations).expect("the options are checked");
                let orthogonalizer = Orthogonalizer::new(self.normalization, rows, self.epsilon, pool.clone());
                let auxiliary = self.auxiliary_learning_rate / self.learning_rate;
                let steps = [self.momentum, if self.nesterov { self.momentum } else { 1.0 }, self.weight_decay];
                Muon::new(layout, self.smallest_side, orthogonalizer, steps, auxiliary)
            }
        }
    };
}

muon_options! {
    /// Options of `muon`; the defaults are those of its code.
    MuonOptions, 5, Normalization::Frobenius, Coefficients::Muon
}

muon_options! {
    /// Options of `turbo-muon`; the defaults are the paper's.
    TurboMuonOptions, 4, Normalization::Rows, Coefficients::Turbo
}

/// The rule of both.
#[derive(Debug)]
pub struct Muon<F> {
    momentum: f64,
    /// The weight of the new momentum in the direction; the rest is the gradient's.
    look_ahead: f64,
    weight_decay: f64,
    weights: Vec<Weight>,
    /// The momentum of all weights, one after another.
    buffer: Vec<F>,
    /// Everything else, each run of neighbors with its own moments.
    rest: Vec<(Range<usize>, Adam<F>)>,
    /// AdamW's learning rate over the other.
    auxiliary: f64,
    orthogonalizer: Orthogonalizer<F>,
    direction: Vec<F>,
    /// The direction of a weight with more inputs than outputs, transposed.
    turned: Vec<F>,
}

impl<F: Float> Muon<F> {
    fn new(
        layout: &Layout,
        smallest_side: usize,
        orthogonalizer: Orthogonalizer<F>,
        [momentum, look_ahead, weight_decay]: [f64; 3],
        auxiliary: f64,
    ) -> Self {
        let (weights, rest) = layout.split(|[inputs, outputs]| inputs.min(outputs) >= smallest_side);
        // beta2 and epsilon of the papers' AdamW.
        let adam = AdamwOptions { beta2: 0.95, epsilon: 1e-10, weight_decay, ..AdamwOptions::default() };
        let len = weights.iter().map(|(range, _)| range.len());
        Muon {
            momentum,
            look_ahead,
            weight_decay,
            buffer: vec![F::ZERO; len.clone().sum()],
            direction: vec![F::ZERO; len.clone().max().unwrap_or(0)],
            turned: vec![F::ZERO; len.max().unwrap_or(0)],
            weights,
            rest: rest
                .into_iter()
                .map(|range| (range.clone(), Adam::decoupled(&adam, range.len(), orthogonalizer.pool())))
                .collect(),
            auxiliary,
            orthogonalizer,
        }
    }
}

impl<F: Float> Rule<F> for Muon<F> {
    fn apply(&mut self, step: StepInfo, params: &mut [F], gradient: &[F]) {
        let (keep, take) = (F::from_f64(self.momentum), F::from_f64(1.0 - self.momentum));
        let (ahead, behind) = (F::from_f64(self.look_ahead), F::from_f64(1.0 - self.look_ahead));
        let shrink = F::from_f64(1.0 - step.learning_rate * self.weight_decay);
        let mut buffer = &mut self.buffer[..];
        for &(ref range, [inputs, outputs]) in &self.weights {
            let (params, gradient) = (&mut params[range.clone()], &gradient[range.clone()]);
            let (momentum, others) = buffer.split_at_mut(range.len());
            buffer = others;
            let direction = &mut self.direction[..range.len()];
            for ((m, &g), u) in momentum.iter_mut().zip(gradient).zip(&mut *direction) {
                *m = (keep * *m + take * g).flushed();
                *u = behind * g + ahead * *m;
            }
            // Rows are to be the shorter side; of a square matrix they are the outputs, as in the papers' code.
            let rate = F::from_f64(step.learning_rate * (outputs as f64 / inputs as f64).max(1.0).sqrt());
            if inputs < outputs {
                self.orthogonalizer.orthogonalize(direction, [inputs, outputs]);
                for (p, &u) in params.iter_mut().zip(&*direction) {
                    *p = shrink * *p - rate * u;
                }
            } else {
                let turned = &mut self.turned[..range.len()];
                for (i, row) in direction.chunks_exact(outputs).enumerate() {
                    for (j, &u) in row.iter().enumerate() {
                        turned[j * inputs + i] = u;
                    }
                }
                self.orthogonalizer.orthogonalize(turned, [outputs, inputs]);
                for (i, row) in params.chunks_exact_mut(outputs).enumerate() {
                    for (j, p) in row.iter_mut().enumerate() {
                        *p = shrink * *p - rate * turned[j * inputs + i];
                    }
                }
            }
        }
        let step = StepInfo { learning_rate: step.learning_rate * self.auxiliary, ..step };
        for (range, adam) in &mut self.rest {
            adam.apply(step, &mut params[range.clone()], &gradient[range.clone()]);
        }
    }

    fn save(&self) -> Vec<u8> {
        let rest: Vec<ByteBuf> = self.rest.iter().map(|(_, adam)| ByteBuf::from(adam.save())).collect();
        encode(&(&self.buffer, rest))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (buffer, rest): (Vec<F>, Vec<ByteBuf>) = decode(saved)?;
        replace(&mut self.buffer, buffer, "momentum")?;
        if rest.len() != self.rest.len() {
            return Err(quire_core::Error::Resume("the saved Muon has other parameters for AdamW".into()));
        }
        self.rest.iter_mut().zip(&rest).try_for_each(|((_, adam), saved)| adam.restore(saved))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        let mut layout = Layout::default();
        layout.push("hidden.weight", &[2, 8, 9]);
        layout.push("hidden.bias", &[2, 9]);
        layout.push("head.weight", &[2, 9, 1]);
        layout.push("square", &[1, 8, 8]);
        layout
    }

    #[test]
    fn hidden_weights_are_orthogonalized_and_the_rest_is_left_to_adamw() {
        let options = TurboMuonOptions { momentum: 0.0, ..TurboMuonOptions::default() };
        let mut rule = options.rule::<f64>(&layout(), &Pool::new(1));
        assert_eq!(rule.weights.len(), 3);
        assert_eq!((rule.rest.len(), rule.rest[0].0.clone()), (1, 144..180));
        let gradient: Vec<f64> = (0..layout().len()).map(|i| (i as f64 * 1.7).sin()).collect();
        let mut params = vec![0.0; layout().len()];
        rule.apply(StepInfo { number: 1, learning_rate: 0.1 }, &mut params, &gradient);
        // The second member's step, worked by the orthogonalization alone: 0.1 * sqrt(9 / 8) of it.
        let rows = Coefficients::Turbo.rows(4).unwrap();
        let mut orthogonalizer = Orthogonalizer::new(Normalization::Rows, rows, 1e-6, Pool::new(1));
        let mut second = gradient[72..144].to_vec();
        orthogonalizer.orthogonalize(&mut second, [8, 9]);
        for (got, wanted) in params[72..144].iter().zip(&second) {
            assert!((got + 0.1 * (9.0f64 / 8.0).sqrt() * wanted).abs() < 1e-14);
        }
        // Of a square weight the rows are the outputs.
        let mut square: Vec<f64> = (0..64).map(|k| gradient[180 + k % 8 * 8 + k / 8]).collect();
        orthogonalizer.orthogonalize(&mut square, [8, 8]);
        assert!((params[180 + 1] + 0.1 * square[8]).abs() < 1e-14);
        // AdamW's first step is its learning rate, against the gradient's sign.
        let rate = 0.1 * 3e-4 / 0.02;
        assert!((params[150] + rate * gradient[150].signum()).abs() < 1e-8);
    }

    #[test]
    fn momentum_is_an_average_that_the_step_looks_ahead_on() {
        let options = MuonOptions { momentum: 0.5, smallest_side: 1, ..MuonOptions::default() };
        let mut layout = Layout::default();
        layout.push("weight", &[1, 1, 1]);
        let mut rule = options.rule::<f64>(&layout, &Pool::new(1));
        let mut params = [0.0];
        rule.apply(StepInfo { number: 1, learning_rate: 1.0 }, &mut params, &[4.0]);
        assert_eq!(rule.buffer, [2.0]);
        let first = params[0];
        // m = 0.5 * 2 - 0.5 * 4 = -1, u = -2 - 0.5: the sign turns.
        rule.apply(StepInfo { number: 2, learning_rate: 1.0 }, &mut params, &[-4.0]);
        assert_eq!(rule.buffer, [-1.0]);
        assert!(first < 0.0 && params[0] > first);
    }
}

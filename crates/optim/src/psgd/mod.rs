//! PSGD: gradient descent whose preconditioner P = QᵀQ is fitted along the way, with Q in a Lie group.
//!
//! P is to minimize E[hᵀ P h + vᵀ P⁻¹ v] over pairs (v, h). With h = H v for the Hessian H and v ~ N(0, I) the minimizer is
//! |H|⁻¹; with h the gradient and v an independent N(0, I) it is E[g gᵀ]^(-1/2), which *whitens* the gradient. With a = Q h
//! and b = Q⁻ᵀ v the gradient of the criterion on the group is E = a aᵀ - b bᵀ, and a pair moves
//!
//! > Q ← Q - (fit_step / L) E Q,  ℓ = |a|² + |b|² or what takes its place,  L ← max(β L + (1 - β) ℓ, ℓ).
//!
//! The step is multiplicative, so that Q stays invertible without damping or a line search. Then the parameters move by
//! `p <- (1 - learning_rate * weight_decay) p - learning_rate * P m`, where m is an average of gradients, *after* the fit to this step's pair.
//!
//! | group | Q | memory | operations a step |
//! |---|---|---|---|
//! | [`diagonal`] | diag(q) | n | 20 n |
//! | [`x_shaped`] | diag(a) + adiag(b): parameter i is paired with parameter n + 1 - i | 2 n | 50 n |
//! | [`low_rank`] | (I + U Vᵀ) diag(d), U and V of r columns | (2 r + 1) n | 30 r n |
//! | [`kronecker`] | Q_r ⊗ Q_l for each weight matrix, triangular; a diagonal for the rest | in² + out² a weight | 8 in out (in + out) |
//! | [`dense`] | any invertible matrix, or a triangular one | 2 n² or n² | 12 n² |
//!
//! Pick it where Adam stalls: ill-conditioned or indefinite problems, recurrent networks. On well-scaled networks it mostly costs time.
//!
//! Source: X.-L. Li, *Curvature-Informed SGD via General Purpose Lie-Group Preconditioners*, arXiv:2402.04553; the smoothed L, the damping of h
//! and the limits on the direction are those of the authors' later code. In a learner the optimizer sees gradients only, and whitens; who has
//! Hessian-vector products calls [`Psgd::fit`] and [`Psgd::descend`].

pub mod dense;
pub mod diagonal;
pub mod kronecker;
pub mod low_rank;
pub mod x_shaped;

use quire_core::{Result, Rng};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::optimizer::{Rule, StepInfo, decode, encode, replace};
use crate::options::{check_common, check_count, check_range};
use crate::{Float, Layout, OptimizerSetting, Schedule, global_norm};

/// The group that Q belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// One number a parameter.
    Diagonal,
    /// A diagonal and an anti-diagonal.
    XShaped,
    /// A diagonal times the identity plus a matrix of low rank.
    LowRank,
    /// Two triangular factors for each weight matrix.
    Kronecker,
    /// Any invertible matrix over all parameters: for some hundred of them.
    Dense,
    /// An upper triangular matrix over all parameters: for some hundred of them.
    Triangular,
}

/// What a step of the fit is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Normalizer {
    /// The norm of the criterion's gradient on the group.
    First,
    /// A bound on the second derivative; a `fit_step` below 1 then never leaves the group.
    Second,
}

/// Options of `psgd`; the defaults are those of the authors' later code for whitening.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PsgdOptions {
    /// Learning rate (step size) of the parameters, > 0. Authors: 0.001 when whitening, 0.01 and more with Hessian-vector products.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub learning_rate: f64,
    /// How the learning rate changes over the run.
    pub schedule: Schedule,
    /// The group that Q belongs to. Ours: `low-rank`, which suits every model.
    pub group: Group,
    /// Columns r of U and V of the group `low-rank`, at least 0. Authors: 10.
    pub rank: usize,
    /// Weights with a side longer than this get a diagonal in the group `kronecker`, at least 1. Ours: 1024.
    #[schemars(range(min = 1))]
    pub largest_side: usize,
    /// Step size of the fit, in (0, 2]. Authors: 0.1.
    #[schemars(range(max = 2.0), extend("exclusiveMinimum" = 0.0))]
    pub fit_step: f64,
    /// What a step of the fit is divided by. Authors: `second`.
    pub normalizer: Normalizer,
    /// Decay β of the running bound L, in `[0, 1)`; 0 for none. Authors: 0 at first, 0.9 in the later code.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub smoothing: f64,
    /// Share of the steps that fit, in (0, 1]. Authors: 1; 0.1 is usual for large networks.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub fit_probability: f64,
    /// Noise added to h, as a share of its magnitude, >= 0; 1e-9 is added on top. Authors: the machine precision, 1.2e-7.
    #[schemars(range(min = 0.0))]
    pub damping: f64,
    /// Weight of the old average of gradients, in `[0, 1)`; 0 for none. At step t + 1 it is at most t / (t + 1). Authors: 0, or 0.9.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub momentum: f64,
    /// Largest root mean square of the preconditioned direction, > 0; none with Hessian-vector products. Authors: 2 when whitening.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub largest_mean: Option<f64>,
    /// Largest magnitude of one number of the preconditioned direction, > 0. Authors: 10 when whitening.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub largest_element: Option<f64>,
    /// Decoupled weight decay per step, times the learning rate, >= 0. Authors: 0.
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

impl Default for PsgdOptions {
    fn default() -> Self {
        PsgdOptions {
            learning_rate: 1e-3,
            schedule: Schedule::default(),
            group: Group::LowRank,
            rank: 10,
            largest_side: 1024,
            fit_step: 0.1,
            normalizer: Normalizer::Second,
            smoothing: 0.9,
            fit_probability: 1.0,
            damping: f64::from(f32::EPSILON),
            momentum: 0.0,
            largest_mean: Some(2.0),
            largest_element: Some(10.0),
            weight_decay: 0.0,
            clip_norm: None,
            clip_value: None,
            record_norms: false,
        }
    }
}

impl PsgdOptions {
    /// For pairs of Hessian-vector products: the learning rate of the first code, and no limits on the direction.
    pub fn for_hessians(group: Group) -> Self {
        PsgdOptions {
            learning_rate: 0.01,
            group,
            smoothing: 0.0,
            damping: 0.0,
            largest_mean: None,
            largest_element: None,
            ..PsgdOptions::default()
        }
    }

    /// Checks every range; `prefix` names the table in errors.
    ///
    /// # Errors
    /// [`quire_core::Error::Option`] with the field's full name.
    pub fn check(&self, prefix: &str) -> Result<()> {
        check_common(prefix, self.learning_rate, self.weight_decay, self.clip_norm, self.clip_value)?;
        check_count(prefix, "largest_side", self.largest_side as u64)?;
        let step = self.fit_step;
        check_range(prefix, "fit_step", step, step > 0.0 && step <= 2.0, "in (0, 2]")?;
        for (name, value) in [("smoothing", self.smoothing), ("momentum", self.momentum)] {
            check_range(prefix, name, value, (0.0..1.0).contains(&value), "in [0, 1)")?;
        }
        let share = self.fit_probability;
        check_range(prefix, "fit_probability", share, share > 0.0 && share <= 1.0, "in (0, 1]")?;
        let damping = self.damping;
        check_range(prefix, "damping", damping, damping >= 0.0 && damping.is_finite(), "at least 0")?;
        for (name, limit) in [("largest_mean", self.largest_mean), ("largest_element", self.largest_element)]
        {
            if let Some(limit) = limit {
                check_range(prefix, name, limit, limit > 0.0, "above 0")?;
            }
        }
        Ok(())
    }
}

/// How far a pair moves Q.
#[derive(Debug, Clone, Copy)]
pub struct Fit {
    /// Step size before it is divided.
    pub step: f64,
    /// What it is divided by.
    pub normalizer: Normalizer,
    /// Decay of the running bound.
    pub smoothing: f64,
}

impl Fit {
    /// The divided step: `bound` takes in `latest` and then divides.
    fn step_below(&self, bound: &mut f64, latest: f64) -> f64 {
        *bound = (self.smoothing * *bound + (1.0 - self.smoothing) * latest).max(latest);
        // A pair of zeros has nothing to say.
        if *bound > 0.0 { self.step / *bound } else { 0.0 }
    }
}

/// P = QᵀQ for n parameters, with Q in one of the groups.
pub trait Preconditioner<F>: Send {
    /// Moves Q for the pair (v, h), both of n numbers.
    fn fit(&mut self, v: &[F], h: &[F], fit: Fit, rng: &mut Rng);

    /// `out <- P g`.
    fn apply(&mut self, g: &[F], out: &mut [F]);

    /// The whole state.
    fn save(&self) -> Vec<u8>;

    /// Continues from a saved state.
    ///
    /// # Errors
    /// [`quire_core::Error::Resume`] if the bytes do not fit.
    fn restore(&mut self, saved: &[u8]) -> Result<()>;
}

/// The scale of Q at the start, from the first pair: (mean v²)^¼ (mean h⁴)^-⅛, so that P h has about the size of v.
fn first_scale<F: Float>(v: &[F], h: &[F]) -> F {
    let mean =
        |x: &[F], power: i32| x.iter().map(|x| x.to_f64().powi(power)).sum::<f64>() / x.len().max(1) as f64;
    let (v, h) = (mean(v, 2), mean(h, 4));
    // Without curvature there is no scale to take.
    F::from_f64(if h > 0.0 && v > 0.0 { v.powf(0.25) * h.powf(-0.125) } else { 1.0 })
}

/// Σ x y, in f64.
fn dot<F: Float>(x: &[F], y: &[F]) -> f64 {
    x.iter().zip(y).map(|(&x, &y)| x.to_f64() * y.to_f64()).sum()
}

/// The method: a preconditioner, an average of gradients, a generator.
pub struct Psgd<F: Float> {
    options: PsgdOptions,
    preconditioner: Box<dyn Preconditioner<F>>,
    average: Vec<F>,
    /// Gradients in the average.
    averaged: u64,
    direction: Vec<F>,
    probe: Vec<F>,
    damped: Vec<F>,
    rng: Rng,
}

impl<F: Float> Psgd<F> {
    /// For the parameters of `layout`; options are taken as checked.
    pub fn new(options: &PsgdOptions, layout: &Layout, setting: &OptimizerSetting) -> Self {
        let n = layout.len();
        let preconditioner: Box<dyn Preconditioner<F>> = match options.group {
            Group::Diagonal => Box::new(diagonal::Diagonal::new(n)),
            Group::XShaped => Box::new(x_shaped::XShaped::new(n)),
            Group::LowRank => Box::new(low_rank::LowRank::new(n, options.rank, setting.seeds)),
            Group::Kronecker => {
                Box::new(kronecker::Kronecker::new(layout, options.largest_side, &setting.pool))
            }
            Group::Dense => Box::new(dense::Dense::new(n)),
            Group::Triangular => Box::new(dense::Triangular::new(n)),
        };
        Psgd {
            options: options.clone(),
            preconditioner,
            average: vec![F::ZERO; if options.momentum > 0.0 { n } else { 0 }],
            averaged: 0,
            direction: vec![F::ZERO; n],
            probe: vec![F::ZERO; n],
            damped: vec![F::ZERO; n],
            rng: setting.seeds.stream("psgd"),
        }
    }

    /// True if this step is to fit, by the toss of a coin.
    pub fn fits_now(&mut self) -> bool {
        self.options.fit_probability >= 1.0 || self.rng.random_bool(self.options.fit_probability)
    }

    /// Fits P to a pair, h damped.
    ///
    /// # Panics
    /// If a slice does not have n numbers.
    pub fn fit(&mut self, v: &[F], h: &[F]) {
        let n = self.damped.len();
        assert!(v.len() == n && h.len() == n, "the pair does not have n numbers");
        let share = self.options.damping;
        for (damped, &h) in self.damped.iter_mut().zip(h) {
            *damped = h;
            if share > 0.0 {
                let noise: f64 = StandardNormal.sample(&mut self.rng);
                *damped += F::from_f64((1e-9 + share * h.to_f64().abs()) * noise);
            }
        }
        let PsgdOptions { fit_step: step, normalizer, smoothing, .. } = self.options;
        self.preconditioner.fit(v, &self.damped, Fit { step, normalizer, smoothing }, &mut self.rng);
    }

    /// Fits P so that it whitens: the pair is the gradient and independent noise.
    pub fn fit_to_gradient(&mut self, gradient: &[F]) {
        let mut probe = std::mem::take(&mut self.probe);
        probe.iter_mut().for_each(|v| *v = F::from_f64(StandardNormal.sample(&mut self.rng)));
        self.fit(&probe, gradient);
        self.probe = probe;
    }

    /// The whole state.
    pub fn save(&self) -> Vec<u8> {
        encode(&(ByteBuf::from(self.preconditioner.save()), &self.average, self.averaged, &self.rng))
    }

    /// Continues from a saved state.
    ///
    /// # Errors
    /// [`quire_core::Error::Resume`] if the bytes do not fit.
    pub fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (preconditioner, average, averaged, rng): (ByteBuf, Vec<F>, u64, Rng) = decode(saved)?;
        self.preconditioner.restore(&preconditioner)?;
        replace(&mut self.average, average, "average of gradients")?;
        (self.averaged, self.rng) = (averaged, rng);
        Ok(())
    }

    /// Moves the parameters along P times the average of gradients.
    pub fn descend(&mut self, learning_rate: f64, params: &mut [F], gradient: &[F]) {
        let options = &self.options;
        if options.momentum > 0.0 {
            // The mean of all gradients at first, so that the start of the average at 0 does not count.
            let keep = options.momentum.min(self.averaged as f64 / (self.averaged + 1) as f64);
            self.averaged += 1;
            let take = F::from_f64(1.0 - keep);
            self.average.iter_mut().zip(gradient).for_each(|(m, &g)| *m += take * (g - *m));
            self.preconditioner.apply(&self.average, &mut self.direction);
        } else {
            self.preconditioner.apply(gradient, &mut self.direction);
        }
        if let Some(limit) = options.largest_mean {
            let mean = global_norm(&self.direction) / (self.direction.len().max(1) as f64).sqrt();
            if mean > limit {
                let factor = F::from_f64(limit / mean);
                self.direction.iter_mut().for_each(|d| *d *= factor);
            }
        }
        if let Some(limit) = options.largest_element.map(F::from_f64) {
            self.direction.iter_mut().for_each(|d| *d = d.max(-limit).min(limit));
        }
        let keep = F::from_f64(1.0 - learning_rate * options.weight_decay);
        let rate = F::from_f64(learning_rate);
        params.iter_mut().zip(&self.direction).for_each(|(p, &d)| *p = keep * *p - rate * d);
    }
}

impl<F: Float> Rule<F> for Psgd<F> {
    fn apply(&mut self, step: StepInfo, params: &mut [F], gradient: &[F]) {
        if self.fits_now() {
            self.fit_to_gradient(gradient);
        }
        self.descend(step.learning_rate, params, gradient);
    }

    fn save(&self) -> Vec<u8> {
        Psgd::save(self)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        Psgd::restore(self, saved)
    }
}

#[cfg(test)]
mod tests;

//! Estimates of action values from one episode, and bonuses for what it leaves uncertain.
//!
//! With q(s, a) = φ(s, a)ᵀ Σ⁺_h φ(s_h, a_h), L_h = l_h + … + l_H and (x)₋ = min(x, 0),
//!
//! > plain:             Q̂_h(s, a) = q L_h
//! >
//! > magnitude-reduced: Q̂_h(s, a) = q L_h - H (q)₋ + H m(s, a),  m = E (q)₋
//! >
//! > bonus:   b_h(s, a) = β ( ‖φ(s, a)‖²_{Σ⁺} + E_{a'∼π} ‖φ(s, a')‖²_{Σ⁺} )
//! >
//! > dilated: B_h(s, a) = b_h(s, a) + (1 + 1/H) E_{s'} E_{a'∼π} B_{h+1}(s', a')
//!
//! Both estimates have the same mean, φᵀ Σ⁺ Σ θ. The first can fall to -H/γ; the second, whose first two terms cannot be negative,
//! to H m ≥ -H ‖φ‖_{Σ⁺} ≥ -H/√γ.
//!
//! Source: Y. Dai, H. Luo, C.-Y. Wei & J. Zimmert, arXiv:2301.12942; H. Luo, C.-Y. Wei & C.-W. Lee, *Policy optimization in
//! adversarial MDPs: improved exploration via dilated bonuses*, NeurIPS 2021, arXiv:2107.08346.

use std::sync::Arc;

use nalgebra::{DMatrix, DVectorView};
use quire_core::{Error, Result, Rng};

use super::covariance::{Covariance, walk};
use super::{Setting, Step};
use crate::linear::{Features, dot};
use crate::staged::StagedMdp;

/// φ(z)ᵀ Σ⁺ φ(`pair`) of all pairs z; fills `result`, `[S, A]`. `along` is scratch of d numbers.
pub fn inner(
    features: &Features,
    inverse: &DMatrix<f64>,
    pair: usize,
    along: &mut [f64],
    result: &mut [f64],
) {
    multiply(inverse, features.of(pair), along);
    result.iter_mut().enumerate().for_each(|(z, result)| *result = dot(features.of(z), along));
}

/// `result = matrix x` for a symmetric matrix.
pub fn multiply(matrix: &DMatrix<f64>, x: &[f64], result: &mut [f64]) {
    let columns = matrix.column_iter();
    let x = DVectorView::from_slice(x, x.len());
    result.iter_mut().zip(columns).for_each(|(result, column)| *result = column.dot(&x));
}

/// The losses-to-go L_h of an episode; fills `result`, `[H]`.
pub fn losses_to_go(episode: &[Step], result: &mut [f64]) {
    let mut sum = 0.0;
    for (result, step) in result.iter_mut().zip(episode).rev() {
        sum += step.loss;
        *result = sum;
    }
}

/// The plain estimate: `q` becomes q L.
pub fn plain(q: &mut [f64], loss_to_go: f64) {
    q.iter_mut().for_each(|q| *q *= loss_to_go);
}

/// The magnitude-reduced estimate: `q` becomes q L - H (q)₋ + H m. `mean` is m, `[S, A]`.
pub fn magnitude_reduced(q: &mut [f64], loss_to_go: f64, horizon: usize, mean: &[f64]) {
    let horizon = horizon as f64;
    for (q, mean) in q.iter_mut().zip(mean) {
        *q = *q * loss_to_go - horizon * q.min(0.0) + horizon * mean;
    }
}

/// ‖φ(z)‖²_{Σ⁺} of all pairs; fills `result`, `[S, A]`. `along` is scratch of d numbers.
pub fn squared_norms(features: &Features, inverse: &DMatrix<f64>, along: &mut [f64], result: &mut [f64]) {
    for (pair, result) in result.iter_mut().enumerate() {
        multiply(inverse, features.of(pair), along);
        *result = dot(features.of(pair), along);
    }
}

/// The local bonus of a stage, in place of the squared norms in `bonus`; `policy` is that of the stage, both `[S, A]`.
pub fn local_bonus(bonus: &mut [f64], policy: &[f64], actions: usize, scale: f64) {
    for (bonus, policy) in bonus.chunks_exact_mut(actions).zip(policy.chunks_exact(actions)) {
        let mean = dot(bonus, policy);
        bonus.iter_mut().for_each(|norm| *norm = scale * (*norm + mean));
    }
}

/// E_{a∼π} of `values` in every state; fills `result`, `[S]`.
pub fn under_policy(values: &[f64], policy: &[f64], actions: usize, result: &mut [f64]) {
    let rows = values.chunks_exact(actions).zip(policy.chunks_exact(actions));
    result.iter_mut().zip(rows).for_each(|(result, (values, policy))| *result = dot(values, policy));
}

/// Turns local bonuses into dilated ones, `[H, S, A]`, by the transitions themselves. `later` is scratch of S numbers.
pub fn dilate(bonuses: &mut [f64], policy: &[f64], transitions: &StagedMdp, later: &mut [f64]) {
    let (horizon, states, actions) = (transitions.horizon(), transitions.states(), transitions.actions());
    let dilation = 1.0 + 1.0 / horizon as f64;
    let pairs = states * actions;
    for stage in (0..horizon - 1).rev() {
        let (now, rest) = bonuses[stage * pairs..].split_at_mut(pairs);
        under_policy(&rest[..pairs], &policy[(stage + 1) * pairs..][..pairs], actions, later);
        for (pair, bonus) in now.iter_mut().enumerate() {
            *bonus += dilation * transitions.stage(stage).expectation(pair / actions, pair % actions, later);
        }
    }
}

/// What a learner with a simulator has in hand to estimate values and bonuses with, and their memory.
pub struct Estimator {
    setting: Setting,
    simulator: Arc<StagedMdp>,
    covariance: Covariance,
    ridge: f64,
    /// Of the walks in the simulator.
    pub rng: Rng,
    inverses: Vec<DMatrix<f64>>,
    /// Q̂_h(s, a), `[H, S, A]`.
    pub estimates: Vec<f64>,
    /// B_h(s, a), `[H, S, A]`.
    pub bonuses: Vec<f64>,
    occupancy: Vec<f64>,
    to_go: Vec<f64>,
    along: Vec<f64>,
    later: Vec<f64>,
    reduction: Vec<f64>,
    inner: Vec<f64>,
}

impl Estimator {
    /// With `ridge` γ.
    ///
    /// # Errors
    /// A setting without a simulator.
    pub fn new(setting: &Setting, covariance: Covariance, ridge: f64) -> Result<Self> {
        let missing = || Error::Usage("this method needs a simulator of the transitions".into());
        let table = vec![0.0; setting.horizon * setting.pairs()];
        Ok(Estimator {
            simulator: setting.simulator.clone().ok_or_else(missing)?,
            rng: setting.seeds.stream("walks"),
            inverses: Vec::new(),
            estimates: table.clone(),
            bonuses: table.clone(),
            occupancy: table,
            to_go: vec![0.0; setting.horizon],
            along: vec![0.0; setting.features.dimension()],
            later: vec![0.0; setting.states],
            reduction: vec![0.0; setting.pairs()],
            inner: vec![0.0; setting.pairs()],
            setting: setting.clone(),
            covariance,
            ridge,
        })
    }

    /// Step 1: Σ⁺ of every stage for the policy played.
    ///
    /// # Errors
    /// A covariance that cannot be inverted.
    pub fn meet(&mut self, policy: &[f64]) -> Result<()> {
        if self.covariance == (Covariance::Exact {}) {
            self.simulator.occupancy(policy, &mut self.occupancy);
        }
        self.covariance.inverses(
            &self.simulator,
            &self.setting.features,
            policy,
            &self.occupancy,
            self.ridge,
            &mut self.rng,
            &mut self.inverses,
        )
    }

    /// Step 2: plain estimates.
    pub fn plain(&mut self, episode: &[Step]) {
        losses_to_go(episode, &mut self.to_go);
        let stages = self.estimates.chunks_exact_mut(self.setting.pairs());
        for (((estimates, inverse), step), &loss) in stages.zip(&self.inverses).zip(episode).zip(&self.to_go)
        {
            let pair = step.state * self.setting.actions + step.action;
            inner(&self.setting.features, inverse, pair, &mut self.along, estimates);
            plain(estimates, loss);
        }
    }

    /// Step 2 with reduced magnitude; m is exact where the covariance is, and else the mean over as many walks of its own.
    pub fn magnitude_reduced(&mut self, policy: &[f64], episode: &[Step]) {
        let (pairs, horizon) = (self.setting.pairs(), self.setting.horizon);
        let walks = match self.covariance {
            Covariance::Exact {} => 0,
            Covariance::RegularizedMean { walks } => walks,
            Covariance::GeometricResampling { repeats, .. } => repeats,
        };
        if walks > 0 {
            // How often each pair is met takes the place of its probability.
            self.occupancy.fill(0.0);
            let mut met = vec![0; horizon];
            for _ in 0..walks {
                walk(&self.simulator, policy, &mut self.rng, &mut met);
                for (stage, pair) in met.iter().enumerate() {
                    self.occupancy[stage * pairs + pair] += 1.0 / walks as f64;
                }
            }
        }
        losses_to_go(episode, &mut self.to_go);
        for (stage, step) in episode.iter().enumerate() {
            let (features, inverse) = (&self.setting.features, &self.inverses[stage]);
            self.reduction.fill(0.0);
            let occupancy = &self.occupancy[stage * pairs..][..pairs];
            for (pair, &weight) in occupancy.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
                inner(features, inverse, pair, &mut self.along, &mut self.inner);
                let sums = self.reduction.iter_mut().zip(&self.inner);
                sums.for_each(|(sum, q)| *sum += weight * q.min(0.0));
            }
            let estimates = &mut self.estimates[stage * pairs..][..pairs];
            let pair = step.state * self.setting.actions + step.action;
            inner(features, inverse, pair, &mut self.along, estimates);
            magnitude_reduced(estimates, self.to_go[stage], horizon, &self.reduction);
        }
    }

    /// Step 3: dilated bonuses of `scale` β.
    pub fn dilated_bonuses(&mut self, policy: &[f64], scale: f64) {
        let pairs = self.setting.pairs();
        let stages = self.bonuses.chunks_exact_mut(pairs).zip(policy.chunks_exact(pairs));
        for ((bonuses, policy), inverse) in stages.zip(&self.inverses) {
            squared_norms(&self.setting.features, inverse, &mut self.along, bonuses);
            local_bonus(bonuses, policy, self.setting.actions, scale);
        }
        dilate(&mut self.bonuses, policy, &self.simulator, &mut self.later);
    }
}

//! The models whose logs are planned from.

use std::sync::Arc;

use quire_core::{Result, Rng, Seeds};
use rand::RngExt;
use rand_distr::StandardNormal;

use super::classes::FiniteClass;
use crate::finite::FiniteMdp;
use crate::linear::{Features, LinearMdp};
use crate::solve::maximum;
use crate::staged::StagedMdp;

/// Actions of the models of this family.
pub const ACTIONS: usize = 32;
/// Dimensions of their features.
pub const DIMENSION: usize = 7;
/// Probability of action 0 under the behaviour policy; the others share the rest.
pub const BEHAVIOUR: f64 = 0.6;
/// Functions of the finite class, and the place of the true one.
pub const CLASS: usize = 200;
/// Where the truth is in the finite class.
pub const TRUTH: usize = 7;
/// How far the action values of one stage of [`sigmoid_model`] lie from their middle, at most, about.
const SPREAD: f64 = 0.4;

/// Both states' features for 32 actions: the action's five bits as ±1/√7, δ, and 1 - δ, where δ = 1 if (s = 0) = (a = 0).
pub fn features() -> Features {
    let mut values = Vec::with_capacity(2 * ACTIONS * DIMENSION);
    for (state, action) in (0..2).flat_map(|state| (0..ACTIONS).map(move |action| (state, action))) {
        let root = (DIMENSION as f64).sqrt();
        values.extend((0..5).map(|bit| if action >> bit & 1 == 1 { 1.0 / root } else { -1.0 / root }));
        let delta = f64::from(u8::from((state == 0) == (action == 0)));
        values.extend([delta, 1.0 - delta]);
    }
    Features::new(DIMENSION, values).expect("7 numbers a pair")
}

/// The linear MDP of the offline-linear literature: two states, 32 actions, [`features`], and
///
/// > r = 0.99 δ + 0.01 (1 - δ),  P_h(0 | s, a) = δ α_h + (1 - δ) (1 - α_h)
///
/// with α_h 0.2 or 0.8 at random. Episodes start in either state.
///
/// # Errors
/// None for a model drawn like this.
pub fn linear_model(horizon: usize, seed: u64) -> Result<LinearMdp> {
    let mut rng = Seeds::new(seed).child("model").stream("stages");
    let stage = |_| {
        let alpha = if rng.random_bool(0.5) { 0.8 } else { 0.2 };
        let mut theta = vec![0.0; DIMENSION];
        theta[5..].copy_from_slice(&[0.99, 0.01]);
        let mut measure = vec![0.0; 2 * DIMENSION];
        measure[10..].copy_from_slice(&[alpha, 1.0 - alpha, 1.0 - alpha, alpha]);
        (theta, measure)
    };
    let stages: Vec<_> = (0..horizon).map(stage).collect();
    LinearMdp::new(features(), ACTIONS, &stages, vec![0.5; 2])
}

/// A model whose optimal action values are Q*_h(z) = H sigmoid(φ(z)·w_h), with the features and sizes of
/// [`linear_model`]. Weights are drawn so that the values of a stage spread by about 0.4 around the middle of what its
/// successors leave possible; of the transitions and rewards that explain them, one is drawn evenly.
///
/// # Errors
/// None for a model drawn like this.
pub fn sigmoid_model(horizon: usize, seed: u64) -> Result<StagedMdp> {
    let mut rng = Seeds::new(seed).child("model").stream("stages");
    let features = features();
    let mut stages = Vec::with_capacity(horizon);
    let mut later = [0.0; 2];
    while stages.len() < horizon {
        if let Some((mdp, values)) = sigmoid_stage(&features, horizon, later, &mut rng)? {
            stages.push(mdp);
            later = values;
        }
    }
    stages.reverse();
    StagedMdp::new(stages)
}

/// One stage before states worth `later`, and what its own states are worth; `None` if the draw cannot be explained by
/// rewards in [0, 1].
fn sigmoid_stage(
    features: &Features,
    horizon: usize,
    later: [f64; 2],
    rng: &mut Rng,
) -> Result<Option<(FiniteMdp, [f64; 2])>> {
    let horizon = horizon as f64;
    let middle = 0.5 * (later[0] + later[1]) + 0.5;
    let mut weights: Vec<f64> = (0..DIMENSION).map(|_| rng.sample(StandardNormal)).collect();
    weights[5..].iter_mut().for_each(|weight| *weight *= 0.5);
    let logits = features.dot(&weights);
    let greatest = logits.iter().map(|x| x.abs()).fold(0.0, f64::max);
    let slope = middle * (1.0 - middle / horizon);
    let bias = (middle / (horizon - middle)).ln();
    let q = |logit: f64| horizon * super::classes::sigmoid(bias + SPREAD / slope * logit / greatest);
    let q: Vec<f64> = logits.into_iter().map(q).collect();
    let (mut transitions, mut rewards) = (Vec::new(), Vec::new());
    for &q in &q {
        // r = Q - p V(0) - (1 - p) V(1) must lie in [0, 1].
        let gap = later[0] - later[1];
        let (low, high) = match gap.abs() < 1e-9 {
            true => (0.0, 1.0),
            false => {
                let (a, b) = ((q - later[1] - 1.0) / gap, (q - later[1]) / gap);
                (a.min(b).max(0.0), a.max(b).min(1.0))
            }
        };
        if low > high {
            return Ok(None);
        }
        let p = low + (high - low) * rng.random::<f64>();
        let reward = q - p * later[0] - (1.0 - p) * later[1];
        if !(0.0..=1.0).contains(&reward) {
            return Ok(None);
        }
        transitions.extend([p, 1.0 - p]);
        rewards.push(reward);
    }
    let mut values = q.chunks_exact(ACTIONS).map(|row| maximum(row.iter().copied()).1);
    let values = std::array::from_fn(|_| values.next().expect("two states"));
    let mdp = FiniteMdp::from_dense(2, ACTIONS, &transitions, rewards, vec![0.5; 2])?;
    Ok(Some((mdp, values)))
}

/// The behaviour policy, `[S, A]`: action 0 with probability 0.6, else one of the others.
pub fn behaviour() -> Vec<f64> {
    let row = |action| if action == 0 { BEHAVIOUR } else { (1.0 - BEHAVIOUR) / (ACTIONS - 1) as f64 };
    (0..2 * ACTIONS).map(|pair| row(pair % ACTIONS)).collect()
}

/// 200 functions a stage: Q*_h, in place [`TRUTH`], and Q*_h + 2^-(j mod 8) H φ·z_j with normal z_j; the second moments
/// likewise around E (r + V*_{h+1}(s'))² at certain rewards, with H² for H.
pub fn class_around(linear: &LinearMdp, seed: u64) -> Arc<FiniteClass> {
    let mut rng = Seeds::new(seed).child("model").stream("class");
    let mdp = &linear.mdp;
    let (horizon, pairs) = (mdp.horizon() as f64, linear.features.pairs());
    let values = mdp.backward_induction().values;
    let mut around = |truth: &[f64], scale: f64| {
        let mut functions = Vec::with_capacity(CLASS * pairs);
        for index in 0..CLASS {
            let scale = if index == TRUTH { 0.0 } else { scale * 0.5_f64.powi(index as i32 % 8) };
            let weights: Vec<f64> =
                (0..DIMENSION).map(|_| scale * rng.sample::<f64, _>(StandardNormal)).collect();
            functions.extend(truth.iter().zip(linear.features.dot(&weights)).map(|(truth, off)| truth + off));
        }
        functions
    };
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for stage in 0..mdp.horizon() {
        let later = &values[(stage + 1) * 2..][..2];
        first.push(around(&mdp.backup(stage, later), horizon));
        let model = mdp.stage(stage);
        let square = |pair: usize| {
            let (state, action) = (pair / ACTIONS, pair % ACTIONS);
            let squares: Vec<f64> =
                later.iter().map(|value| (model.reward(state, action) + value).powi(2)).collect();
            model.expectation(state, action, &squares)
        };
        second.push(around(&(0..pairs).map(square).collect::<Vec<_>>(), horizon * horizon));
    }
    Arc::new(FiniteClass::new(pairs, first, second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linear_model_pays_for_the_right_action() {
        let linear = linear_model(5, 3).unwrap();
        let values = linear.mdp.backward_induction().values;
        // 0.99 in each of the remaining stages, from either state.
        for (at, value) in values.iter().enumerate() {
            assert!((value - 0.99 * (5 - at / 2) as f64).abs() < 1e-12);
        }
        for stage in 0..5 {
            let p = linear.mdp.stage(stage).row(1, 0).1[0];
            assert!((p - 0.2).abs() < 1e-12 || (p - 0.8).abs() < 1e-12, "{p}");
        }
        assert!((behaviour()[..ACTIONS].iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    /// The logits of Q*/H are linear in the features.
    #[test]
    fn the_sigmoid_model_has_sigmoid_action_values() {
        for seed in 0..20 {
            let mdp = sigmoid_model(5, seed).unwrap();
            let values = mdp.backward_induction().values;
            let features = features();
            for stage in 0..5 {
                let q = mdp.backup(stage, &values[(stage + 1) * 2..][..2]);
                let vectors = (0..features.pairs()).map(|pair| (features.of(pair), 1.0));
                let gram = crate::linear::Gram::new(DIMENSION, vectors, 1e-9).unwrap();
                let logits: Vec<f64> = q.iter().map(|q| (q / (5.0 - q)).ln()).collect();
                let mut right = vec![0.0; DIMENSION];
                for (pair, logit) in logits.iter().enumerate() {
                    right.iter_mut().zip(features.of(pair)).for_each(|(sum, x)| *sum += logit * x);
                }
                let fitted = features.dot(&gram.solve(right));
                assert!(fitted.iter().zip(&logits).all(|(f, l)| (f - l).abs() < 1e-6), "seed {seed}");
            }
        }
    }
}

//! A linear mixture of models: transitions θ·P of known kernels P_1 ... P_d with unknown weights θ in the simplex, rewards
//! known. A class of infinitely many hypotheses that needs no list.
//!
//! On a step ζ = (s, a, r, s') that was taken while hypothesis f was played, a hypothesis g has the discrepancy
//!
//! > ℓ(g, ζ) = (r + Σ_i θ_g,i P_i V_f)(s, a) - r - V_f(s') = θ_g·x - y,  x_i = (P_i V_f)(s, a),  y = V_f(s')
//!
//! which is linear in θ_g and does not depend on any other hypothesis. With Λ = λ I + Σ x xᵀ and θ̂ = Λ⁻¹ Σ x y the excess loss
//! of θ is L(θ) - min_g L(g) = (θ - θ̂)ᵀ Λ (θ - θ̂), and the confidence set an ellipsoid cut with the simplex.

use std::sync::Arc;

use quire_core::{Error, Result, Rng};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::worlds::{SWEEPS, TOLERANCE};
use crate::finite::FiniteMdp;
use crate::linear::{Gram, dot};
use crate::solve::relative_value_iteration;

/// The kernels of a mixture.
#[derive(Debug, Clone)]
pub struct Kernels {
    models: Vec<FiniteMdp>,
}

/// A member of the mixture, solved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Solved {
    /// θ, `[d]`.
    pub weights: Vec<f64>,
    /// J_θ.
    pub gain: f64,
    /// V_θ with least value 0, `[S]`.
    pub values: Vec<f64>,
    /// The optimal policy, `[S]`.
    pub policy: Vec<usize>,
}

impl Kernels {
    /// From models that share their states, actions and rewards.
    ///
    /// # Errors
    /// No models, or models that differ in more than their transitions.
    pub fn new(models: Vec<FiniteMdp>) -> Result<Self> {
        let Some(first) = models.first() else {
            return Err(Error::Usage("a mixture needs at least one kernel".into()));
        };
        let alike = |model: &FiniteMdp| {
            (model.states(), model.actions(), model.rewards(), model.start())
                == (first.states(), first.actions(), first.rewards(), first.start())
        };
        match models.iter().position(|model| !alike(model)) {
            Some(index) => Err(Error::Usage(format!(
                "kernel {index} has other states, actions, rewards or starts than kernel 0"
            ))),
            None => Ok(Kernels { models }),
        }
    }

    /// The number of kernels d.
    pub fn dimension(&self) -> usize {
        self.models.len()
    }

    /// The number of states S.
    pub fn states(&self) -> usize {
        self.models[0].states()
    }

    /// The number of actions A.
    pub fn actions(&self) -> usize {
        self.models[0].actions()
    }

    /// The known reward of a pair.
    pub fn reward(&self, state: usize, action: usize) -> f64 {
        self.models[0].reward(state, action)
    }

    /// x_i = (P_i V)(s, a) for values `[S]`.
    pub fn expectations(&self, state: usize, action: usize, values: &[f64]) -> Vec<f64> {
        self.models.iter().map(|model| model.expectation(state, action, values)).collect()
    }

    /// The model with transitions θ·P.
    ///
    /// # Errors
    /// Weights that make no probabilities.
    pub fn mix(&self, weights: &[f64]) -> Result<FiniteMdp> {
        let first = &self.models[0];
        let (states, actions) = (first.states(), first.actions());
        let mut transitions = vec![0.0; states * actions * states];
        for (model, weight) in self.models.iter().zip(weights).filter(|(_, weight)| **weight > 0.0) {
            for (pair, row) in transitions.chunks_exact_mut(states).enumerate() {
                let (next, probability) = model.row(pair / actions, pair % actions);
                next.iter().zip(probability).for_each(|(&next, p)| row[next as usize] += weight * p);
            }
        }
        // Weights that sum to 1 up to rounding make rows that do.
        transitions.chunks_exact_mut(states).for_each(|row| {
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|p| *p /= sum);
        });
        FiniteMdp::from_dense(states, actions, &transitions, first.rewards().to_vec(), first.start().to_vec())
    }

    /// The hypothesis θ.
    ///
    /// # Errors
    /// Those of [`Kernels::mix`] and of the solver.
    pub fn solve(&self, weights: &[f64]) -> Result<Solved> {
        let solution = relative_value_iteration(&self.mix(weights)?, TOLERANCE, SWEEPS)?;
        let least = solution.bias.iter().copied().fold(f64::INFINITY, f64::min);
        Ok(Solved {
            weights: weights.to_vec(),
            gain: solution.gain,
            values: solution.bias.iter().map(|value| value - least).collect(),
            policy: solution.policy,
        })
    }
}

/// The regression of value targets on what the kernels expect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetRegression {
    dimension: usize,
    /// Λ, `[d, d]`.
    gram: Vec<f64>,
    /// Σ x y, `[d]`.
    right: Vec<f64>,
}

impl TargetRegression {
    /// Of nothing yet; `ridge` is λ.
    pub fn new(dimension: usize, ridge: f64) -> Self {
        let mut gram = vec![0.0; dimension * dimension];
        gram.iter_mut().step_by(dimension + 1).for_each(|diagonal| *diagonal = ridge);
        TargetRegression { dimension, gram, right: vec![0.0; dimension] }
    }

    /// Adds a step with expectations x and target y.
    pub fn add(&mut self, x: &[f64], y: f64) {
        for (row, &xi) in self.gram.chunks_exact_mut(self.dimension).zip(x) {
            row.iter_mut().zip(x).for_each(|(entry, xj)| *entry += xi * xj);
        }
        self.right.iter_mut().zip(x).for_each(|(right, x)| *right += x * y);
    }

    /// θ̂ and the factored Λ.
    ///
    /// # Errors
    /// A singular Λ, which λ > 0 rules out.
    pub fn fit(&self) -> Result<(Vec<f64>, Gram)> {
        let matrix = nalgebra::DMatrix::from_row_slice(self.dimension, self.dimension, &self.gram);
        let gram = Gram::of(matrix)?;
        Ok((gram.solve(self.right.clone()), gram))
    }

    /// (θ - θ̂)ᵀ Λ (θ - θ̂): the excess loss of `weights` over that of `center` θ̂.
    pub fn excess(&self, weights: &[f64], center: &[f64]) -> f64 {
        let difference: Vec<f64> = weights.iter().zip(center).map(|(w, c)| w - c).collect();
        self.form(&difference, &difference)
    }

    /// aᵀ Λ b.
    fn form(&self, a: &[f64], b: &[f64]) -> f64 {
        self.gram.chunks_exact(self.dimension).zip(a).map(|(row, a)| a * dot(row, b)).sum()
    }

    /// ln det Λ.
    pub fn log_determinant(&self) -> f64 {
        nalgebra::DMatrix::from_row_slice(self.dimension, self.dimension, &self.gram).determinant().ln()
    }

    /// The point of the simplex of least excess loss, by projected gradients.
    pub fn least_in_simplex(&self, center: &[f64]) -> Vec<f64> {
        let d = self.dimension;
        // No eigenvalue is greater than the trace.
        let step = 1.0 / self.gram.iter().step_by(d + 1).sum::<f64>();
        let mut weights = center.to_vec();
        onto_simplex(&mut weights);
        for _ in 0..2_000 {
            let difference: Vec<f64> = weights.iter().zip(center).map(|(w, c)| w - c).collect();
            let mut moved: Vec<f64> = self
                .gram
                .chunks_exact(d)
                .zip(&weights)
                .map(|(row, w)| w - step * dot(row, &difference))
                .collect();
            onto_simplex(&mut moved);
            let far = moved.iter().zip(&weights).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            weights = moved;
            if far < 1e-12 {
                break;
            }
        }
        weights
    }

    /// How far along `from` to `to` (at most 1) the excess loss stays within `radius`, `from` being inside.
    fn reach(&self, from: &[f64], to: &[f64], center: &[f64], radius: f64) -> f64 {
        let direction: Vec<f64> = to.iter().zip(from).map(|(to, from)| to - from).collect();
        let offset: Vec<f64> = from.iter().zip(center).map(|(from, center)| from - center).collect();
        let (a, b) = (self.form(&direction, &direction), self.form(&direction, &offset));
        let c = self.form(&offset, &offset) - radius;
        if a <= 0.0 { 1.0 } else { ((-b + (b * b - a * c).max(0.0).sqrt()) / a).clamp(0.0, 1.0) }
    }
}

/// The nearest point of the probability simplex (Duchi et al. 2008).
pub fn onto_simplex(weights: &mut [f64]) {
    let mut sorted = weights.to_vec();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let (mut sum, mut shift) = (0.0, 0.0);
    for (index, value) in sorted.iter().enumerate() {
        sum += value;
        let candidate = (sum - 1.0) / (index + 1) as f64;
        if *value > candidate {
            shift = candidate;
        }
    }
    weights.iter_mut().for_each(|weight| *weight = (*weight - shift).max(0.0));
}

/// A point drawn uniformly from the simplex.
fn uniform_in_simplex(dimension: usize, rng: &mut Rng) -> Vec<f64> {
    let mut weights: Vec<f64> = (0..dimension).map(|_| -(1.0 - rng.random::<f64>()).ln()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= sum);
    weights
}

/// The most rewarding hypothesis within `radius` of the data, as far as a search finds it: J is no concave function of θ, and
/// the maximum is a heuristic.
///
/// From the best fitting point, `current` and `restarts` random ones the search walks towards the kernels, towards the end of
/// the ellipsoid up J's slope, and towards random mixtures, as far as both sets allow or a part of it, as long as J rises.
///
/// # Errors
/// Those of [`Kernels::solve`].
pub fn most_rewarding(
    kernels: &Kernels,
    regression: &TargetRegression,
    radius: f64,
    current: Option<&Solved>,
    restarts: usize,
    rng: &mut Rng,
) -> Result<Solved> {
    const ROUNDS: usize = 40;
    const SLOPE: f64 = 1e-4;
    const RISE: f64 = 1e-7;
    let d = kernels.dimension();
    let (center, gram) = regression.fit()?;
    let deepest = regression.least_in_simplex(&center);
    let radius = radius.max(regression.excess(&deepest, &center));
    let along = |from: &[f64], to: &[f64], share: f64| -> Vec<f64> {
        let share = share * regression.reach(from, to, &center, radius);
        from.iter().zip(to).map(|(from, to)| from + share * (to - from)).collect()
    };
    let vertex = |i: usize| (0..d).map(|j| f64::from(u8::from(i == j))).collect::<Vec<f64>>();
    let inside = |solved: &&Solved| regression.excess(&solved.weights, &center) <= radius;
    let mut starts = vec![deepest.clone()];
    starts.extend(current.filter(inside).map(|solved| solved.weights.clone()));
    starts.extend((0..restarts).map(|_| along(&deepest, &uniform_in_simplex(d, rng), rng.random::<f64>())));
    let mut best: Option<Solved> = None;
    for start in starts {
        let mut at = kernels.solve(&start)?;
        for _ in 0..ROUNDS {
            let mut targets: Vec<Vec<f64>> = (0..d).map(vertex).collect();
            // The slope of J towards each kernel; where the ellipsoid ends in that direction, cut off where the simplex ends.
            let mut slope = vec![0.0; d];
            for (i, target) in targets.iter().enumerate() {
                let near: Vec<f64> =
                    at.weights.iter().zip(target).map(|(w, t)| w + SLOPE * (t - w)).collect();
                slope[i] = (kernels.solve(&near)?.gain - at.gain) / SLOPE;
            }
            let length = gram.norm(&slope);
            if length > 0.0 {
                let step = gram.solve(slope);
                let mut end: Vec<f64> =
                    center.iter().zip(&step).map(|(c, s)| c + radius.sqrt() * s / length).collect();
                onto_simplex(&mut end);
                targets.push(end);
            }
            targets.extend((0..2).map(|_| uniform_in_simplex(d, rng)));
            let mut better: Option<Solved> = None;
            for target in &targets {
                for share in [1.0, 0.5, 0.1] {
                    let found = kernels.solve(&along(&at.weights, target, share))?;
                    if found.gain > better.as_ref().map_or(at.gain + RISE, |better| better.gain) {
                        better = Some(found);
                    }
                }
            }
            match better {
                Some(better) => at = better,
                None => break,
            }
        }
        if best.as_ref().is_none_or(|best| at.gain > best.gain) {
            best = Some(at);
        }
    }
    Ok(best.expect("there is a start"))
}

/// What a method of mixtures needs.
pub(super) fn kernels(setting: &super::Setting, method: &str) -> Result<Arc<Kernels>> {
    setting.kernels.clone().ok_or_else(|| {
        Error::Usage(format!("{method} weighs known kernels, and this problem does not have any"))
    })
}

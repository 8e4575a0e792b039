//! Hypotheses of a linear average-reward MDP: Q linear in known features, the model unknown.
//!
//! Where r(s, a) = φ(s, a)·θ and P(s'|s, a) = φ(s, a)·μ(s'), r + P V is linear in φ for every V, and with it Q* + J*. A hypothesis
//! f = (w, J) says Q_f = φ·w and V_f(s) = max_a φ(s, a)·w. On a step ζ = (s, a, r, s') a rival g has the discrepancy
//!
//! > ℓ(f, g, ζ) = φ(s, a)·w_g + J_g - r - V_f(s')
//!
//! so that the best rival is a ridge regression of r + V_f(s') on φ with a free intercept J_g. With ψ = (1, φ), Λ the sum of ψψᵀ and
//! of λ on all but the intercept, and q_f = Λ (J, w) - Σ ψ (r + V_f(s')), the excess loss of f over the best rival is q_fᵀ Λ⁻¹ q_f,
//! and as a function of J
//!
//! > excess(w, J) = least(w) + t (J - mean(w))²,  mean(w) = the mean of r + V_f(s') - φ·w over the t steps
//!
//! so that each w has the greatest J that a radius β allows, mean(w) + √((β - least(w))/t). The greatest of all w is sought by
//! [policy iteration with restarts](most_rewarding): V_f is a maximum over actions, and the function not concave.
//!
//! Sources: J. He, H. Zhong & Z. Yang, ICLR 2024, arXiv:2404.12648, from memory; C.-Y. Wei, M. Jafarnia-Jahromi, H. Luo & R. Jain, *Learning
//! infinite-horizon average-reward MDPs with linear function approximation*, AISTATS 2021, arXiv:2007.11849, for the class. Neither
//! tells how the maximum is found; the search is ours.

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use quire_core::{Error, Result, Rng};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::Setting;
use crate::linear::{Features, Gram, dot};

/// Rounds of policy iteration from one start, at most: nothing keeps it from going in circles.
const ROUNDS: usize = 40;

/// A hypothesis (w, J), with what follows from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinearHypothesis {
    /// J.
    pub gain: f64,
    /// w, `[d]`.
    pub weights: Vec<f64>,
    /// V(s) = max_a φ(s, a)·w, `[S]`.
    pub values: Vec<f64>,
    /// The greedy action of each state, the first of equals, `[S]`.
    pub policy: Vec<usize>,
}

impl LinearHypothesis {
    /// Becomes what was found instead and tells whether that changes the policy, as 1 or 0. With a ridge and a step the sums can be
    /// factored; should rounding say otherwise, the hypothesis stays.
    pub fn renew(&mut self, found: Result<LinearHypothesis>) -> u64 {
        let Ok(found) = found else { return 0 };
        let switches = u64::from(found.policy != self.policy);
        *self = found;
        switches
    }
}

/// What is known of the class before the first step.
#[derive(Debug, Clone)]
pub struct LinearClass {
    features: Arc<Features>,
    states: usize,
    actions: usize,
    /// λ.
    ridge: f64,
    /// The greatest span max V - min V of a hypothesis.
    span: f64,
}

/// The sums that the excess loss of every hypothesis follows from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinearSums {
    /// Steps t.
    steps: u64,
    /// Λ, `[d + 1, d + 1]`.
    gram: Vec<f64>,
    /// Σ ψ r, `[d + 1]`.
    rewards: Vec<f64>,
    /// Σ ψ over the steps that led to a state, `[S, d + 1]`.
    arrivals: Vec<f64>,
}

/// What the data say of weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// The excess loss at the J that fits best.
    pub least: f64,
    /// That J.
    pub mean: f64,
    /// Steps t.
    steps: u64,
}

impl Judgement {
    /// The greatest J whose excess loss is at most `radius`; none if no J up to 1, the greatest reward, has so little. It may
    /// itself lie above 1, by the room that is left.
    pub fn greatest_gain(&self, radius: f64) -> Option<f64> {
        let room = radius - self.least;
        let reach = (room / self.steps as f64).sqrt();
        (room >= 0.0 && self.mean - reach <= 1.0).then_some(self.mean + reach)
    }
}

impl LinearSums {
    /// Steps t.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

impl LinearClass {
    /// The class that the problem tells of.
    ///
    /// # Errors
    /// A problem without features.
    pub fn new(setting: &Setting, ridge: f64, span: f64, method: &str) -> Result<Self> {
        let features = setting.features.clone().ok_or_else(|| {
            Error::Usage(format!(
                "{method} takes values to be linear in features, and this problem does not have any"
            ))
        })?;
        Ok(LinearClass { features, states: setting.states, actions: setting.actions, ridge, span })
    }

    /// d + 1.
    fn width(&self) -> usize {
        self.features.dimension() + 1
    }

    /// The number of actions A.
    pub fn actions(&self) -> usize {
        self.actions
    }

    /// φ of a pair.
    fn feature(&self, state: usize, action: usize) -> &[f64] {
        self.features.of(state * self.actions + action)
    }

    /// The hypothesis before the first step, when every one is allowed: the greatest average reward there can be.
    pub fn hopeful(&self) -> LinearHypothesis {
        self.hypothesis(1.0, vec![0.0; self.features.dimension()])
    }

    /// No steps yet.
    pub fn sums(&self) -> LinearSums {
        let width = self.width();
        let mut gram = vec![0.0; width * width];
        gram.iter_mut().step_by(width + 1).skip(1).for_each(|diagonal| *diagonal = self.ridge);
        LinearSums { steps: 0, gram, rewards: vec![0.0; width], arrivals: vec![0.0; self.states * width] }
    }

    /// Adds a step.
    pub fn add(&self, sums: &mut LinearSums, state: usize, action: usize, reward: f64, next: usize) {
        let (width, phi) = (self.width(), self.feature(state, action));
        let psi = |i: usize| if i == 0 { 1.0 } else { phi[i - 1] };
        for (i, row) in sums.gram.chunks_exact_mut(width).enumerate() {
            row.iter_mut().enumerate().for_each(|(j, entry)| *entry += psi(i) * psi(j));
        }
        let arrivals = &mut sums.arrivals[next * width..][..width];
        for (i, (sum, arrival)) in sums.rewards.iter_mut().zip(arrivals).enumerate() {
            *sum += psi(i) * reward;
            *arrival += psi(i);
        }
        sums.steps += 1;
    }

    /// The hypothesis (w, J).
    pub fn hypothesis(&self, gain: f64, weights: Vec<f64>) -> LinearHypothesis {
        let (mut values, mut policy) = (Vec::with_capacity(self.states), Vec::with_capacity(self.states));
        for state in 0..self.states {
            let q = (0..self.actions).map(|action| dot(self.feature(state, action), &weights));
            let (action, value) = crate::solve::maximum(q);
            values.push(value);
            policy.push(action);
        }
        LinearHypothesis { gain, weights, values, policy }
    }

    /// Λ, factored; at least one step must have been added.
    ///
    /// # Errors
    /// A singular Λ, which a ridge and a step rule out.
    pub fn factor(&self, sums: &LinearSums) -> Result<Gram> {
        Gram::of(DMatrix::from_row_slice(self.width(), self.width(), &sums.gram))
    }

    /// q at J = 0: Λ (0, w) - Σ ψ (r + V(s')), `[d + 1]`.
    fn slack(&self, sums: &LinearSums, weights: &[f64], values: &[f64]) -> Vec<f64> {
        let rows = sums.gram.chunks_exact(self.width()).zip(&sums.rewards);
        let mut slack: Vec<f64> = rows.map(|(row, reward)| dot(&row[1..], weights) - reward).collect();
        for (arrivals, value) in sums.arrivals.chunks_exact(self.width()).zip(values) {
            slack.iter_mut().zip(arrivals).for_each(|(slack, arrival)| *slack -= value * arrival);
        }
        slack
    }

    /// What the data say of a hypothesis' weights, whatever its J.
    pub fn judge(&self, sums: &LinearSums, gram: &Gram, hypothesis: &LinearHypothesis) -> Judgement {
        let slack = self.slack(sums, &hypothesis.weights, &hypothesis.values);
        let (steps, norm) = (sums.steps as f64, gram.norm(&slack));
        // Λ⁻¹ Λ e_0 = e_0: the intercept's part of the form is the slack's first number.
        let least = (norm * norm - slack[0] * slack[0] / steps).max(0.0);
        Judgement { least, mean: -slack[0] / steps, steps: sums.steps }
    }

    /// The excess loss of a hypothesis over its best rival, ridge included.
    pub fn excess(&self, sums: &LinearSums, gram: &Gram, hypothesis: &LinearHypothesis) -> f64 {
        let Judgement { least, mean, steps } = self.judge(sums, gram, hypothesis);
        least + steps as f64 * (hypothesis.gain - mean).powi(2)
    }

    /// ln det (Λ + λ e_0 e_0ᵀ), which is finite without steps too.
    pub fn log_determinant(&self, sums: &LinearSums) -> f64 {
        let mut matrix = DMatrix::from_row_slice(self.width(), self.width(), &sums.gram);
        matrix[(0, 0)] += self.ridge;
        matrix.determinant().ln()
    }

    /// The weights with which a *fixed* policy earns most within `radius`: V(s) = φ(s, π(s))·w is linear then, the constraint
    /// ‖K (J, w) - Σ ψ r‖_{Λ⁻¹} ≤ √β an ellipsoid with K = Λ - Σ ψ (0, φ(s', π(s')))ᵀ, and its end towards greater J
    ///
    /// > (J, w) = K⁻¹ (Σ ψ r + √β Λ a / ‖a‖_Λ),  a = K⁻ᵀ e_0
    ///
    /// None if K is singular.
    fn best_weights(&self, sums: &LinearSums, policy: &[usize], radius: f64) -> Option<Vec<f64>> {
        let width = self.width();
        let gram = DMatrix::from_row_slice(width, width, &sums.gram);
        let mut matrix = gram.clone();
        for (state, arrivals) in sums.arrivals.chunks_exact(width).enumerate() {
            if arrivals[0] > 0.0 {
                for (column, phi) in self.feature(state, policy[state]).iter().enumerate() {
                    for (row, arrival) in arrivals.iter().enumerate() {
                        matrix[(row, column + 1)] -= arrival * phi;
                    }
                }
            }
        }
        let mut right = DVector::from_column_slice(&sums.rewards);
        if radius > 0.0 {
            let mut intercept = DVector::zeros(width);
            intercept[0] = 1.0;
            let a = matrix.transpose().lu().solve(&intercept)?;
            let towards = &gram * &a;
            let length = a.dot(&towards).sqrt();
            right += towards * (radius.sqrt() / length);
        }
        let solution = matrix.lu().solve(&right)?;
        solution.iter().all(|x| x.is_finite()).then(|| solution.as_slice()[1..].to_vec())
    }

    /// Policy iteration from a policy: the best weights for the policy, shrunk to the span that is allowed, then their greedy policy,
    /// until it is the same. `each` sees every hypothesis on the way, with no J yet.
    fn walk(
        &self,
        sums: &LinearSums,
        mut policy: Vec<usize>,
        radius: f64,
        mut each: impl FnMut(LinearHypothesis),
    ) {
        for _ in 0..ROUNDS {
            let Some(mut weights) = self.best_weights(sums, &policy, radius) else { return };
            let mut found = self.hypothesis(0.0, weights.clone());
            let least = found.values.iter().copied().fold(f64::INFINITY, f64::min);
            let span = found.values.iter().copied().fold(f64::NEG_INFINITY, f64::max) - least;
            if span > self.span {
                weights.iter_mut().for_each(|weight| *weight *= self.span / span);
                found = self.hypothesis(0.0, weights);
            }
            let stays = found.policy == policy;
            policy.clone_from(&found.policy);
            each(found);
            if stays {
                return;
            }
        }
    }
}

/// The hypothesis of greatest J whose excess loss is at most `radius`, as far as a search finds it: heuristic. J is at most 1, since
/// rewards are; beyond that the one with most room is taken.
///
/// Policy iteration starts from the greedy policies of `current` and of `restarts` random weights; of equals `current` stays. If
/// nothing that it meets is allowed, what fits best is taken.
///
/// # Errors
/// Those of [`LinearClass::factor`].
pub fn most_rewarding(
    class: &LinearClass,
    sums: &LinearSums,
    radius: f64,
    current: &LinearHypothesis,
    restarts: usize,
    rng: &mut Rng,
) -> Result<LinearHypothesis> {
    const RISE: f64 = 1e-9;
    let gram = class.factor(sums)?;
    let judgement = class.judge(sums, &gram, current);
    let mut best = judgement.greatest_gain(radius).map(|gain| (gain, current.clone()));
    let mut closest = (judgement, current.clone());
    let mut starts = vec![current.policy.clone()];
    starts.extend((0..restarts).map(|_| {
        let weights = (0..class.width() - 1).map(|_| rng.sample(StandardNormal)).collect();
        class.hypothesis(0.0, weights).policy
    }));
    for start in starts {
        class.walk(sums, start, radius, |found| {
            let judgement = class.judge(sums, &gram, &found);
            match judgement.greatest_gain(radius) {
                Some(gain) if best.as_ref().is_none_or(|best| gain > best.0 + RISE) => {
                    best = Some((gain, found))
                }
                None if best.is_none() && judgement.least < closest.0.least => closest = (judgement, found),
                _ => {}
            }
        });
    }
    let (gain, found) = best.unwrap_or((closest.0.mean, closest.1));
    Ok(LinearHypothesis { gain: gain.min(1.0), ..found })
}

/// The hypothesis of least excess loss that policy iteration from `current` meets.
///
/// # Errors
/// Those of [`LinearClass::factor`].
pub fn best_fitting(
    class: &LinearClass,
    sums: &LinearSums,
    current: &LinearHypothesis,
) -> Result<LinearHypothesis> {
    let gram = class.factor(sums)?;
    let mut best = (class.judge(sums, &gram, current), current.clone());
    class.walk(sums, current.policy.clone(), 0.0, |found| {
        let judgement = class.judge(sums, &gram, &found);
        // What walks on to a policy's own values goes on to a better policy: the last of equals.
        if judgement.least <= best.0.least + 1e-12 {
            best = (judgement, found);
        }
    });
    let (judgement, found) = best;
    Ok(LinearHypothesis { gain: judgement.mean, ..found })
}

//! Distributions of actions: their samples, log-densities and entropies as tensors.

use quire_core::Rng;
use rand::RngExt;

use crate::{Float, Index, Tensor};

const LN_SQRT_TAU: f64 = 0.918_938_533_204_672_8; // ln sqrt(2 pi)

/// A distribution over `n` classes for every row, `[..., n]`.
#[derive(Debug, Clone, Copy)]
pub struct Categorical<'g, F: Float> {
    /// Logarithms of the probabilities.
    pub log_probs: Tensor<'g, F>,
}

impl<'g, F: Float> Categorical<'g, F> {
    /// The distribution with these unnormalized log-probabilities.
    pub fn new(logits: Tensor<'g, F>) -> Self {
        Categorical { log_probs: logits.log_softmax() }
    }

    /// The probabilities.
    pub fn probs(&self) -> Tensor<'g, F> {
        self.log_probs.exp()
    }

    /// One class for every row.
    pub fn sample(&self, rng: &mut Rng) -> &'g [u32] {
        let width = self.log_probs.size(-1);
        let out = self.log_probs.core.arena.slice::<u32>(self.log_probs.len() / width);
        for (out, row) in out.iter_mut().zip(self.log_probs.data().chunks_exact(width)) {
            *out = pick(row, F::ZERO, rng) as u32;
        }
        out
    }

    /// The likeliest class of every row.
    pub fn mode(&self) -> &'g [u32] {
        self.log_probs.detach().max_axis(-1, false).1
    }

    /// The log-probability of one class of every row, `[...]`.
    ///
    /// # Panics
    /// As [`Tensor::gather`].
    pub fn log_prob<I: Index>(&self, classes: &[I]) -> Tensor<'g, F> {
        self.log_probs.gather(classes)
    }

    /// The entropy of every row in nats, `[...]`.
    pub fn entropy(&self) -> Tensor<'g, F> {
        -(self.expectation(self.log_probs))
    }

    /// The Kullback-Leibler divergence of `other` from this distribution, in nats, `[...]`.
    pub fn kl(&self, other: &Self) -> Tensor<'g, F> {
        self.expectation(self.log_probs - other.log_probs)
    }

    /// The mean of `values`, `[..., n]`, under the distribution: a class of probability 0 counts nothing, whatever
    /// its value.
    fn expectation(&self, values: Tensor<'g, F>) -> Tensor<'g, F> {
        let impossible = |x: &F| *x == -F::INFINITY;
        let values = if self.log_probs.data().iter().any(impossible) {
            let core = self.log_probs.core;
            let mask = core.arena.map(self.log_probs.data(), impossible);
            values.masked_fill_at(mask, 0.0)
        } else {
            values
        };
        (self.probs() * values).sum_axis(-1, false)
    }
}

/// Draws a class from unnormalized log-probabilities: acting without a tape.
///
/// # Panics
/// If there is no class.
pub fn sample_categorical<F: Float>(logits: &[F], rng: &mut Rng) -> usize {
    assert!(!logits.is_empty(), "sample_categorical: no class");
    let max = logits.iter().copied().fold(-F::INFINITY, F::max);
    pick(logits, max, rng)
}

/// Inverts the distribution function at a uniform number.
fn pick<F: Float>(log_weights: &[F], shift: F, rng: &mut Rng) -> usize {
    let weight = |x: F| (x.to_f64() - shift.to_f64()).exp();
    let total: f64 = log_weights.iter().map(|&x| weight(x)).sum();
    let mut left = rng.random::<f64>() * total;
    let mut last = 0;
    for (i, &x) in log_weights.iter().enumerate() {
        let w = weight(x);
        if w > 0.0 {
            last = i;
            left -= w;
            if left < 0.0 {
                return i;
            }
        }
    }
    // Rounding may leave a crumb: the last class that can happen gets it.
    last
}

/// Independent normal distributions along the last axis, `[..., n]`.
#[derive(Debug, Clone, Copy)]
pub struct Normal<'g, F: Float> {
    /// Means.
    pub mean: Tensor<'g, F>,
    /// Logarithms of the standard deviations, which broadcast to the means.
    pub log_std: Tensor<'g, F>,
}

impl<'g, F: Float> Normal<'g, F> {
    /// The distribution with these means and log-deviations.
    pub fn new(mean: Tensor<'g, F>, log_std: Tensor<'g, F>) -> Self {
        Normal { mean, log_std }
    }

    /// The sample that standard normal noise of the mean's shape stands for, differentiable by mean and deviation.
    pub fn sample(&self, noise: Tensor<'g, F>) -> Tensor<'g, F> {
        self.mean + self.log_std.exp() * noise
    }

    /// The log-density of `x`, summed over the last axis, `[...]`.
    pub fn log_prob(&self, x: Tensor<'g, F>) -> Tensor<'g, F> {
        self.log_density((x - self.mean) * (-self.log_std).exp())
    }

    /// The log-density of the sample with this noise.
    fn log_density(&self, noise: Tensor<'g, F>) -> Tensor<'g, F> {
        (noise.square() * -0.5 - self.log_std - LN_SQRT_TAU).sum_axis(-1, false)
    }

    /// The entropy in nats, summed over the last axis, `[...]`.
    pub fn entropy(&self) -> Tensor<'g, F> {
        (self.log_std.broadcast_to(self.mean.shape()) + (0.5 + LN_SQRT_TAU)).sum_axis(-1, false)
    }

    /// The Kullback-Leibler divergence of `other` from this distribution, in nats, summed over the last axis.
    pub fn kl(&self, other: &Self) -> Tensor<'g, F> {
        let ratio = (self.log_std - other.log_std).exp();
        let shift = (self.mean - other.mean) * (-other.log_std).exp();
        ((ratio.square() + shift.square()) * 0.5 - 0.5 - (self.log_std - other.log_std)).sum_axis(-1, false)
    }
}

/// How the logarithm of the derivative of tanh is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TanhCorrection {
    /// `2 (ln 2 - u - softplus(-2 u))`: exact, whatever `u`.
    #[default]
    Exact,
    /// `ln(1 - tanh(u)^2 + 1e-6)`: that of the SAC and REDQ authors' code, which caps the density near the bounds.
    Epsilon,
}

/// Normal distributions squashed to `(-1, 1)` by tanh (Haarnoja et al. 2018, appendix C).
#[derive(Debug, Clone, Copy)]
pub struct TanhNormal<'g, F: Float> {
    /// The distribution before tanh.
    pub normal: Normal<'g, F>,
    /// The form of the correction.
    pub correction: TanhCorrection,
}

impl<'g, F: Float> TanhNormal<'g, F> {
    /// The distribution with these means and log-deviations before tanh.
    pub fn new(mean: Tensor<'g, F>, log_std: Tensor<'g, F>) -> Self {
        TanhNormal { normal: Normal::new(mean, log_std), correction: TanhCorrection::Exact }
    }

    /// The same distribution with another form of the correction.
    pub fn with_correction(self, correction: TanhCorrection) -> Self {
        TanhNormal { correction, ..self }
    }

    /// The action that standard normal noise stands for, and its log-density, `[..., n]` and `[...]`, both
    /// differentiable by mean and deviation.
    pub fn sample(&self, noise: Tensor<'g, F>) -> (Tensor<'g, F>, Tensor<'g, F>) {
        let u = self.normal.sample(noise);
        let action = u.tanh();
        (action, self.normal.log_density(noise) - self.log_slope(u, action))
    }

    /// The log-density of `tanh(u)`, summed over the last axis, `[...]`.
    pub fn log_prob_before_tanh(&self, u: Tensor<'g, F>) -> Tensor<'g, F> {
        self.normal.log_prob(u) - self.log_slope(u, u.tanh())
    }

    /// The log-density of an action in `(-1, 1)`, summed over the last axis, `[...]`. Actions on the bounds, as data
    /// sets have them, are moved inside by 1e-6.
    pub fn log_prob(&self, action: Tensor<'g, F>) -> Tensor<'g, F> {
        let a = action.clamp(-1.0 + 1e-6, 1.0 - 1e-6);
        let u = ((a + 1.0) / (1.0 - a)).log() * 0.5;
        self.log_prob_before_tanh(u)
    }

    /// The action at the mean before tanh: what is taken when the policy is evaluated.
    pub fn mode(&self) -> Tensor<'g, F> {
        self.normal.mean.tanh()
    }

    /// The logarithm of the derivative of tanh at `u`, summed over the last axis.
    fn log_slope(&self, u: Tensor<'g, F>, action: Tensor<'g, F>) -> Tensor<'g, F> {
        let slope = match self.correction {
            TanhCorrection::Exact => (std::f64::consts::LN_2 - u - (u * -2.0).softplus()) * 2.0,
            TanhCorrection::Epsilon => (1.0 + 1e-6 - action.square()).log(),
        };
        slope.sum_axis(-1, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tape;
    use quire_core::Seeds;

    #[test]
    fn categorical_by_hand_and_by_frequency() {
        let mut tape = Tape::<f64>::new(1);
        let graph = tape.graph();
        let p = [0.5, 0.25, 0.25, 0.0];
        let logits: Vec<f64> = p.iter().map(|p: &f64| p.ln() + 3.0).collect();
        let d = Categorical::new(graph.constant(&[1, 4], &logits));
        assert!((d.entropy().item() - 1.5 * 2f64.ln()).abs() < 1e-12);
        assert!((d.log_prob(&[1usize]).item() - 0.25f64.ln()).abs() < 1e-12);
        assert_eq!(d.mode(), [0]);
        let even = Categorical::new(graph.zeros(&[1, 4]));
        assert!((d.kl(&even).item() - (4f64.ln() - 1.5 * 2f64.ln())).abs() < 1e-12);
        let rows = 40_000;
        let many = Categorical::new(graph.constant(&[1, 4], &logits).broadcast_to(&[rows, 4]));
        let mut counts = [0.0; 4];
        many.sample(&mut Seeds::new(1).stream("sample")).iter().for_each(|&c| counts[c as usize] += 1.0);
        let mut rng = Seeds::new(2).stream("sample");
        let mut single = [0.0; 4];
        (0..rows).for_each(|_| single[sample_categorical(&logits, &mut rng)] += 1.0);
        for counts in [counts, single] {
            assert_eq!(counts[3], 0.0);
            for (count, p) in counts.iter().zip(p) {
                let sd = (p * (1.0 - p) * rows as f64).sqrt();
                assert!((count - p * rows as f64).abs() <= 4.5 * sd);
            }
        }
    }

    #[test]
    fn the_entropy_of_an_impossible_class_has_a_gradient() {
        let mut tape = Tape::<f64>::new(1);
        let graph = tape.graph();
        let x = graph.variable(&[1, 3], &[0.0, 1.0, f64::NEG_INFINITY]);
        let [g] = Categorical::new(x).entropy().sum().grad(&[x]);
        assert!(g.data().iter().all(|g| g.is_finite()), "{:?}", g.data());
        assert_eq!(g.data()[2], 0.0);
    }

    #[test]
    fn normal_by_hand() {
        let mut tape = Tape::<f64>::new(1);
        let graph = tape.graph();
        let mean = graph.constant(&[1, 2], &[1.0, -1.0]);
        let d = Normal::new(mean, graph.constant(&[2], &[0.0, 2f64.ln()]));
        let x = graph.constant(&[1, 2], &[2.0, 1.0]);
        // Both are one deviation off.
        let tau = std::f64::consts::TAU;
        assert!((d.log_prob(x).item() - (-1.0 - tau.ln() - 2f64.ln())).abs() < 1e-12);
        assert!((d.entropy().item() - (1.0 + tau.ln() + 2f64.ln())).abs() < 1e-12);
        assert_eq!(d.sample(graph.constant(&[1, 2], &[1.0, 1.0])).data(), [2.0, 1.0]);
        let unit = Normal::new(graph.zeros(&[1, 2]), graph.zeros(&[2]));
        // 1/2 (s^2 + m^2 - 1) - ln s, once for (1, 1) and once for (-1, 2)
        assert!((d.kl(&unit).item() - (0.5 + 2.0 - 2f64.ln())).abs() < 1e-12);
    }

    #[test]
    fn the_tanh_normal_density_integrates_to_one() {
        let mut tape = Tape::<f64>::new(1);
        for (mean, log_std) in [(0.0, 0.0), (0.7, -1.0), (-1.5, 0.3)] {
            for correction in [TanhCorrection::Exact, TanhCorrection::Epsilon] {
                let graph = tape.graph();
                // Over u, so that the mass near the bounds is resolved: p(a) da = p(tanh u) (1 - tanh^2 u) du.
                let n = 40_001;
                let (low, high) = (mean - 12.0, mean + 12.0);
                let step = (high - low) / (n - 1) as f64;
                let u: Vec<f64> = (0..n).map(|i| low + step * i as f64).collect();
                let d = TanhNormal::new(graph.full(&[n, 1], mean), graph.full(&[n, 1], log_std))
                    .with_correction(correction);
                let log_p = d.log_prob_before_tanh(graph.constant(&[n, 1], &u));
                let mass: f64 =
                    log_p.data().iter().zip(&u).map(|(log_p, u)| log_p.exp() / u.cosh().powi(2) * step).sum();
                let tolerance = if correction == TanhCorrection::Exact { 1e-9 } else { 2e-3 };
                assert!((mass - 1.0).abs() < tolerance, "{mean} {log_std} {correction:?}: {mass}");
            }
        }
    }

    #[test]
    fn tanh_normal_samples_know_their_density() {
        let mut tape = Tape::<f64>::new(1);
        let graph = tape.graph();
        let d = TanhNormal::new(graph.constant(&[1, 2], &[0.3, -0.4]), graph.constant(&[1, 2], &[-0.5, 0.1]));
        let (action, log_prob) = d.sample(graph.constant(&[1, 2], &[0.8, -1.1]));
        assert!((d.log_prob(action).item() - log_prob.item()).abs() < 1e-9);
        // By hand: the normal density over the slope of tanh.
        let mut wanted = 0.0;
        for (m, s, z) in [(0.3f64, -0.5f64, 0.8f64), (-0.4, 0.1, -1.1)] {
            let a = (m + s.exp() * z).tanh();
            wanted += -0.5 * z * z - s - 0.5 * std::f64::consts::TAU.ln() - (1.0 - a * a).ln();
        }
        assert!((log_prob.item() - wanted).abs() < 1e-12);
        // Far out the exact form stays finite where 1 - tanh^2 has rounded to 0.
        let far = TanhNormal::new(graph.constant(&[1, 1], &[40.0]), graph.zeros(&[1, 1]));
        assert!((far.sample(graph.zeros(&[1, 1])).1.item() - (80.0 - 4f64.ln() - LN_SQRT_TAU)).abs() < 1e-9);
    }
}

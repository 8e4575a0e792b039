//! Langevin samplers as optimizers: gradient descent with noise, so that the parameters end as a sample, not a minimum.
//!
//! They hold a generator of their own, which is saved with them. The noise scale s is a factor on a standard deviation: it
//! is 1/√β for the inverse temperature β.

use quire_core::{Result, Rng};
use rand_distr::{Distribution, StandardNormal};

use crate::Float;
use crate::optimizer::{Rule, StepInfo, decode, encode, replace};

/// Decay of the first moment.
pub const BETA1: f64 = 0.9;
/// Decay of the second moment.
pub const BETA2: f64 = 0.999;
/// Added to the root of the second moment.
pub const EPSILON: f64 = 1e-8;

/// Moments and generator of both samplers.
struct Moments<F> {
    first: Vec<F>,
    second: Vec<F>,
    rng: Rng,
}

impl<F: Float> Moments<F> {
    fn new(len: usize, rng: Rng) -> Self {
        Moments { first: vec![F::default(); len], second: vec![F::default(); len], rng }
    }

    /// m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g²; then p ← p + `change`(g, m, v) + `deviation`(v) ε, one parameter
    /// after the other.
    fn step(
        &mut self,
        params: &mut [F],
        gradient: &[F],
        change: impl Fn(F, F, F) -> F,
        deviation: impl Fn(F) -> F,
    ) {
        let (beta1, take1) = (F::from_f64(BETA1), F::from_f64(1.0 - BETA1));
        let (beta2, take2) = (F::from_f64(BETA2), F::from_f64(1.0 - BETA2));
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((p, &g), (m, v)) in params.iter_mut().zip(gradient).zip(moments) {
            *m = (beta1 * *m + take1 * g).flushed();
            *v = (beta2 * *v + take2 * (g * g)).flushed();
            let noise: f64 = StandardNormal.sample(&mut self.rng);
            *p = *p + change(g, *m, *v) + deviation(*v) * F::from_f64(noise);
        }
    }

    fn save(&self) -> Vec<u8> {
        encode(&(&self.first, &self.second, &self.rng))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (first, second, rng): (Vec<F>, Vec<F>, Rng) = decode(saved)?;
        replace(&mut self.first, first, "first moment")?;
        replace(&mut self.second, second, "second moment")?;
        self.rng = rng;
        Ok(())
    }
}

/// aSGLD, the sampler of Adam LMCDQN (arXiv:2305.18246, algorithm 2, as its code has it): without bias corrections,
///
/// > w ← w - lr ( g + a m/(√v + 1e-8) ) + s √(2 lr) ε
///
/// The raw gradient and the preconditioned bias term are both there. The paper's listing takes the moments before they
/// have seen the gradient; its code, and this, after.
pub struct AdaptiveLangevin<F> {
    bias_factor: f64,
    noise_scale: f64,
    moments: Moments<F>,
}

impl<F: Float> AdaptiveLangevin<F> {
    /// For `len` parameters: bias factor a, noise scale s, and where the noise comes from.
    pub fn new(bias_factor: f64, noise_scale: f64, len: usize, rng: Rng) -> Self {
        AdaptiveLangevin { bias_factor, noise_scale, moments: Moments::new(len, rng) }
    }
}

impl<F: Float> Rule<F> for AdaptiveLangevin<F> {
    fn apply(&mut self, step: StepInfo, params: &mut [F], gradient: &[F]) {
        let (rate, bias) = (F::from_f64(step.learning_rate), F::from_f64(self.bias_factor));
        let epsilon = F::from_f64(EPSILON);
        let deviation = F::from_f64(self.noise_scale * (2.0 * step.learning_rate).sqrt());
        let change = |g, m, v: F| F::default() - rate * (g + bias * m / (v.sqrt() + epsilon));
        self.moments.step(params, gradient, change, |_| deviation);
    }

    fn save(&self) -> Vec<u8> {
        self.moments.save()
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.moments.restore(saved)
    }
}

/// Langevin Adam: Adam with noise that its own preconditioner shapes, with bias-corrected m̂ and v̂
///
/// > w ← w - lr m̂/(√v̂ + 1e-8) + s ( 2 lr/(√v̂ + 1e-8) )^½ ε
///
/// A parameter whose gradients have all been 0 gets noise ten thousand times as strong.
pub struct LangevinAdam<F> {
    noise_scale: f64,
    moments: Moments<F>,
}

impl<F: Float> LangevinAdam<F> {
    /// For `len` parameters: noise scale s, and where the noise comes from.
    pub fn new(noise_scale: f64, len: usize, rng: Rng) -> Self {
        LangevinAdam { noise_scale, moments: Moments::new(len, rng) }
    }
}

impl<F: Float> Rule<F> for LangevinAdam<F> {
    fn apply(&mut self, step: StepInfo, params: &mut [F], gradient: &[F]) {
        let correction = |beta: f64| 1.0 - beta.powf(step.number as f64);
        let rate = F::from_f64(step.learning_rate / correction(BETA1));
        let root = F::from_f64(1.0 / correction(BETA2).sqrt());
        let epsilon = F::from_f64(EPSILON);
        let (scale, twice) = (F::from_f64(self.noise_scale), F::from_f64(2.0 * step.learning_rate));
        let preconditioner = |v: F| v.sqrt() * root + epsilon;
        let change = |_, m: F, v| F::default() - rate * m / preconditioner(v);
        self.moments.step(params, gradient, change, |v| scale * (twice / preconditioner(v)).sqrt());
    }

    fn save(&self) -> Vec<u8> {
        self.moments.save()
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.moments.restore(saved)
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::*;

    fn rng() -> Rng {
        Seeds::new(0).stream("noise")
    }

    #[test]
    fn without_noise_the_first_steps_are_the_closed_ones() {
        // a = 0: plain descent.
        let mut params = [1.0_f64, -2.0];
        let step = StepInfo { number: 1, learning_rate: 0.1 };
        AdaptiveLangevin::new(0.0, 0.0, 2, rng()).apply(step, &mut params, &[3.0, -0.5]);
        assert!((params[0] - 0.7).abs() < 1e-15 && (params[1] + 1.95).abs() < 1e-15);
        // m = 0.1 g and v = 0.001 g²: -lr (g + 3.1622776 a sign g).
        let mut params = [0.0_f64, 0.0];
        AdaptiveLangevin::new(0.7, 0.0, 2, rng()).apply(step, &mut params, &[3.0, -0.5]);
        let expected = |g: f64| -0.1 * (g + 3.162_277_6 * 0.7 * g.signum());
        // But for the 1e-8 in the denominator.
        assert!((params[0] - expected(3.0)).abs() < 1e-6 && (params[1] - expected(-0.5)).abs() < 1e-6);
        // Adam's first step is the learning rate.
        let mut params = [0.0_f64, 0.0];
        LangevinAdam::new(0.0, 2, rng()).apply(step, &mut params, &[3.0, -0.5]);
        assert!((params[0] + 0.1).abs() < 1e-8 && (params[1] - 0.1).abs() < 1e-8);
    }

    #[test]
    fn noise_has_its_deviation_and_the_state_its_generator() {
        let len = 20_000;
        let step = StepInfo { number: 1, learning_rate: 0.02 };
        let deviation = |params: &[f64], mean: f64| {
            (params.iter().map(|p| (p - mean).powi(2)).sum::<f64>() / len as f64).sqrt()
        };
        let mut params = vec![0.0_f64; len];
        let mut rule = AdaptiveLangevin::new(1.0, 0.5, len, rng());
        rule.apply(step, &mut params, &vec![0.0; len]);
        // 0.5 √0.04, to five standard errors.
        assert!((deviation(&params, 0.0) - 0.1).abs() < 5.0 * 0.1 / (2.0 * len as f64).sqrt());
        let mut other = AdaptiveLangevin::new(1.0, 0.5, len, Seeds::new(9).stream("noise"));
        other.restore(&rule.save()).unwrap();
        let mut twin = params.clone();
        rule.apply(step, &mut params, &vec![1.0; len]);
        other.apply(step, &mut twin, &vec![1.0; len]);
        assert_eq!(params, twin);
        // Gradient 4: √v̂ = 4, so the noise is 0.5 (0.04/4)^½ around the step of 0.02.
        let mut params = vec![0.0_f64; len];
        LangevinAdam::new(0.5, len, rng()).apply(step, &mut params, &vec![4.0; len]);
        assert!((deviation(&params, -0.02) - 0.05).abs() < 5.0 * 0.05 / (2.0 * len as f64).sqrt());
        assert!(LangevinAdam::<f64>::new(0.5, 3, rng()).restore(&rule.save()).is_err());
    }

    /// On a quadratic the samples have the Gibbs distribution's variance, s²/curvature, up to the step.
    #[test]
    fn on_a_quadratic_it_samples_the_gibbs_distribution() {
        let len = 4000;
        let mut params = vec![0.0_f64; len];
        let mut rule = AdaptiveLangevin::new(0.0, 0.3, len, rng());
        for number in 1..=400 {
            let gradient: Vec<f64> = params.iter().map(|p| 2.0 * (p - 1.0)).collect();
            rule.apply(StepInfo { number, learning_rate: 0.01 }, &mut params, &gradient);
        }
        let mean = params.iter().sum::<f64>() / len as f64;
        let variance = params.iter().map(|p| (p - mean).powi(2)).sum::<f64>() / len as f64;
        // 2 lr s²/(1 - (1 - 2 lr)²) = s²/(2 (1 - lr)).
        let expected = 0.09 / (2.0 * 0.99);
        assert!((mean - 1.0).abs() < 5.0 * (expected / len as f64).sqrt(), "{mean}");
        assert!((variance - expected).abs() < 5.0 * expected * (2.0 / len as f64).sqrt(), "{variance}");
    }
}

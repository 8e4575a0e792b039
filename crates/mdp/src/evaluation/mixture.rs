//! A mixture of normal laws whose weights, means and covariances are outputs of a network, for d = 1 and d = 2.
//!
//! > ln f(z|x) = logsumexp_k ( ln w_k(x) + ln N(z; μ_k(x), Σ_k(x)) )
//!
//! summed in logarithms, since densities far from all components underflow. Standard deviations do not fall below e⁻⁵, so
//! that no component collapses onto an atom. For d = 2 a covariance is kept within 0.999 of what the variances allow: an output
//! is a covariance that is clamped, or what a correlation is the tanh of. A clamped one gets stuck at the bound, where it has no
//! gradient.
//!
//! Source: the model of arXiv:2302.09456, appendix on experiments, and its code, which clamps densities to [10⁻⁷, 10⁹] in place
//! of summing logarithms, and covariances to √(v₁ v₂) - 10⁻⁴. Logarithms, the relative bound and the tanh are ours.

use quire_core::{Error, Result, Rng};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::density::{Density, Trained};
use super::normal;

/// Logarithm of the least standard deviation.
const LEAST_LOG_DEVIATION: f64 = -5.0;
/// Greatest correlation.
const CORRELATION: f64 = 0.999;

/// What an output says of how two numbers go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Covariance {
    /// The covariance, clamped to what the variances allow, as in the paper's code.
    Clamped,
    /// What the correlation is the tanh of. Ours.
    Tanh,
}

impl Covariance {
    /// The correlation, from the output and √(v₁ v₂).
    fn correlation(self, output: f64, root: f64) -> f64 {
        match self {
            Covariance::Clamped => (output / root).clamp(-CORRELATION, CORRELATION),
            Covariance::Tanh => CORRELATION * output.tanh(),
        }
    }
}

/// The model.
pub struct Mixture {
    covariance: Covariance,
    network: Trained,
    components: usize,
    dimensions: usize,
    width: usize,
}

/// Numbers that describe a component: mean, log deviation, log weight; or two means, two log variances, covariance, log
/// weight.
fn outputs(dimensions: usize) -> usize {
    if dimensions == 1 { 3 } else { 6 }
}

impl Mixture {
    /// A mixture of `components` given inputs of `width` numbers, by a network with these hidden layers.
    ///
    /// # Errors
    /// More than two dimensions.
    pub fn new(
        width: usize,
        dimensions: usize,
        components: usize,
        covariance: Covariance,
        hidden: &[usize],
        learning_rate: f64,
        rng: &mut Rng,
    ) -> Result<Self> {
        if !(1..=2).contains(&dimensions) {
            return Err(Error::Usage(format!("a mixture has 1 or 2 dimensions, not {dimensions}")));
        }
        let sizes = [&[width], hidden, &[outputs(dimensions) * components]].concat();
        Ok(Mixture {
            network: Trained::new(sizes, learning_rate, rng)?,
            covariance,
            components,
            dimensions,
            width,
        })
    }

    /// One gradient step; the mean of -ln f before it.
    pub fn fit(&mut self, inputs: &[f32], targets: &[f32]) -> f32 {
        let (k, d, covariance) = (self.components, self.dimensions, self.covariance);
        let count = inputs.len() / self.width;
        self.network.step(inputs, |graph, y| {
            let part = |at: usize| y.slice(-1, at * k..(at + 1) * k);
            let column = |at: usize| {
                graph.constant_with(&[count, 1], |z| {
                    z.iter_mut().zip(targets[at..].iter().step_by(d)).for_each(|(z, target)| *z = *target);
                })
            };
            let half_log_tau = 0.5 * std::f64::consts::TAU.ln();
            let joint = if d == 1 {
                let (mean, log_weight) = (part(0), part(2).log_softmax());
                let log_deviation = part(1).maximum(graph.full(&[1, 1], LEAST_LOG_DEVIATION));
                let standard = (column(0) - mean) * log_deviation.affine(-1.0, 0.0).exp();
                log_weight - log_deviation + standard.square().affine(-0.5, -half_log_tau)
            } else {
                let floor = graph.full(&[1, 1], 2.0 * LEAST_LOG_DEVIATION);
                let (log_a, log_b) = (part(2).maximum(floor), part(3).maximum(floor));
                // By deviations and correlation: Σ⁻¹ needs no difference of nearly equal numbers.
                let correlation = match covariance {
                    Covariance::Clamped => {
                        let root = (log_a + log_b).affine(0.5, 0.0).exp();
                        (part(4) / root).clamp(-CORRELATION, CORRELATION)
                    }
                    Covariance::Tanh => part(4).tanh().affine(CORRELATION, 0.0),
                };
                let x = (column(0) - part(0)) * log_a.affine(-0.5, 0.0).exp();
                let y = (column(1) - part(1)) * log_b.affine(-0.5, 0.0).exp();
                let rest = correlation.square().affine(-1.0, 1.0);
                let square = (x.square() + y.square() - correlation * x * y * 2.0) / rest;
                part(5).log_softmax()
                    - (log_a + log_b + rest.log()).affine(0.5, 0.0)
                    - square.affine(0.5, 2.0 * half_log_tau)
            };
            joint.logsumexp(false).mean().affine(-1.0, 0.0)
        })
    }
}

impl Density for Mixture {
    fn step(&mut self, inputs: &[f32], targets: &[f32], _rng: &mut Rng) {
        self.fit(inputs, targets);
    }

    fn sample(&mut self, inputs: &[f32], rng: &mut Rng, draws: &mut Vec<f64>) {
        let (k, d) = (self.components, self.dimensions);
        let per_row = outputs(d) * k;
        let outputs = self.network.values(inputs);
        for y in outputs.chunks_exact(per_row) {
            let part = |at: usize| &y[at * k..(at + 1) * k];
            let log_weights = part(if d == 1 { 2 } else { 5 });
            let greatest = log_weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let weight = |log: f32| f64::from(log - greatest).exp();
            let mut left = rng.random::<f64>() * log_weights.iter().map(|&log| weight(log)).sum::<f64>();
            let chosen = log_weights.iter().position(|&log| {
                left -= weight(log);
                left < 0.0
            });
            let c = chosen.unwrap_or(k - 1);
            let at = |index: usize| f64::from(part(index)[c]);
            if d == 1 {
                draws.push(at(0) + at(1).max(LEAST_LOG_DEVIATION).exp() * normal(rng));
            } else {
                let deviation = |log: f64| (0.5 * log.max(2.0 * LEAST_LOG_DEVIATION)).exp();
                let (a, b) = (deviation(at(2)), deviation(at(3)));
                let correlation = self.covariance.correlation(at(4), a * b);
                let (x, y) = (normal(rng), normal(rng));
                draws.push(at(0) + a * x);
                draws.push(at(1) + b * (correlation * x + (1.0 - correlation * correlation).sqrt() * y));
            }
        }
    }

    fn save(&self) -> Vec<u8> {
        self.network.save()
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.network.restore(saved)
    }
}

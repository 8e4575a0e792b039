//! A denoising diffusion model given an input: a surrogate of maximum likelihood for shapes that mixtures do not have.
//!
//! With β_t rising evenly from 10⁻³ to 10⁻¹, α_t = 1 - β_t and ᾱ_t their product, a network learns the noise ε in
//! √ᾱ_t z + √(1-ᾱ_t) ε, given t/T and the input, by least squares. A draw starts from noise and goes back through
//!
//! > x ← ( x - (1-α_t)/√(1-ᾱ_t) ε_θ(x, t) ) / √α_t + √β_t ξ,  t = T-1, ..., 0
//!
//! Source: J. Ho, A. Jain & P. Abbeel, *Denoising diffusion probabilistic models*, NeurIPS 2020; schedule, network and the noise
//! added even in the last step are those of the code of arXiv:2302.09456.

use quire_core::{Result, Rng};
use rand::RngExt;

use super::density::{Density, Trained};
use super::normal;

/// β of the first and of the last step.
const BETA: [f64; 2] = [1e-3, 1e-1];
/// Rows that are drawn at once, so that they stay in the cache.
const ROWS: usize = 256;

/// The model.
pub struct Diffusion {
    network: Trained,
    dimensions: usize,
    width: usize,
    /// β_t.
    beta: Vec<f64>,
    /// ᾱ_t.
    kept: Vec<f64>,
    inputs: Vec<f32>,
    noise: Vec<f32>,
}

impl Diffusion {
    /// A model of `steps` steps T given inputs of `width` numbers, by a network with these hidden layers.
    ///
    /// # Errors
    /// Those of the optimizer.
    pub fn new(
        width: usize,
        dimensions: usize,
        steps: usize,
        hidden: &[usize],
        learning_rate: f64,
        rng: &mut Rng,
    ) -> Result<Self> {
        let last = (steps - 1).max(1) as f64;
        let beta: Vec<f64> = (0..steps).map(|t| BETA[0] + (BETA[1] - BETA[0]) * t as f64 / last).collect();
        let mut product = 1.0;
        let kept = beta.iter().map(|beta| {
            product *= 1.0 - beta;
            product
        });
        let kept = kept.collect();
        let sizes = [&[width + dimensions + 1], hidden, &[dimensions]].concat();
        Ok(Diffusion {
            network: Trained::new(sizes, learning_rate, rng)?,
            dimensions,
            width,
            beta,
            kept,
            inputs: Vec::new(),
            noise: Vec::new(),
        })
    }
}

impl Density for Diffusion {
    fn step(&mut self, inputs: &[f32], targets: &[f32], rng: &mut Rng) {
        let Diffusion { network, dimensions: d, width, beta, kept, inputs: noised, noise } = self;
        let steps = beta.len();
        noised.clear();
        noise.clear();
        for (input, target) in inputs.chunks_exact(*width).zip(targets.chunks_exact(*d)) {
            let t = rng.random_range(0..steps as u32) as usize;
            noised.extend_from_slice(input);
            for &z in target {
                let e = normal(rng);
                noised.push((kept[t].sqrt() * f64::from(z) + (1.0 - kept[t]).sqrt() * e) as f32);
                noise.push(e as f32);
            }
            noised.push(t as f32 / steps as f32);
        }
        network.step(noised, |graph, y| (y - graph.constant(y.shape(), noise)).square().mean());
    }

    fn sample(&mut self, inputs: &[f32], rng: &mut Rng, draws: &mut Vec<f64>) {
        let Diffusion { network, dimensions: d, width, beta, kept, inputs: rows, .. } = self;
        let (d, stride) = (*d, *width + *d + 1);
        let steps = beta.len();
        for block in inputs.chunks(ROWS * *width) {
            let first = draws.len();
            draws.extend((0..block.len() / *width * d).map(|_| normal(rng)));
            let x = &mut draws[first..];
            rows.clear();
            rows.resize(block.len() / *width * stride, 0.0);
            for (row, input) in rows.chunks_exact_mut(stride).zip(block.chunks_exact(*width)) {
                row[..*width].copy_from_slice(input);
            }
            for t in (0..steps).rev() {
                for (row, x) in rows.chunks_exact_mut(stride).zip(x.chunks_exact(d)) {
                    row[*width..*width + d].iter_mut().zip(x).for_each(|(to, from)| *to = *from as f32);
                    row[*width + d] = t as f32 / steps as f32;
                }
                let alpha = 1.0 - beta[t];
                let factor = beta[t] / (1.0 - kept[t]).sqrt();
                for (x, &noise) in x.iter_mut().zip(network.values(rows)) {
                    *x = (*x - factor * f64::from(noise)) / alpha.sqrt() + beta[t].sqrt() * normal(rng);
                }
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

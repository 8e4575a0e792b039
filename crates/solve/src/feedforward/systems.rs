//! Systems: what is computed one step after another.

use std::ops::Range;

use quire_core::Rng;
use quire_kernels::gemm::{Matrix, product};
use quire_kernels::{Float, loops};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::Feedforward;
use crate::vectors::{add_scaled, dot};

pub(super) fn normals(count: usize, scale: f64, rng: &mut Rng) -> Vec<f64> {
    (0..count).map(|_| scale * Distribution::<f64>::sample(&StandardNormal, rng)).collect()
}

/// Backpropagation through a recurrent network that predicts a sequence, one number a step:
///
/// > o_t = w_o · h_t      p_t = W_h h_t + w_x x_t      h_{t+1} = softplus(p_t)      loss = (1/T) Σ (o_t - x_t)²
///
/// The gradients g_t = dL/dh_{t+1} obey g_t = W_hᵀ (σ(p_{t+1}) ⊙ g_{t+1}) + (2/T) (o_{t+1} - x_{t+1}) w_o; the states are those of t = T - 2 down to
/// 0, and what is wanted is the gradient of W_h. Its features are σ(p_{t+1}) ⊙ g_{t+1}, so that a sweep is one matrix product.
pub struct RnnBackpropagation {
    /// W_h, row after row.
    weights: Vec<f64>,
    hidden: usize,
    /// h_t, a row a step.
    memory: Vec<f64>,
    /// σ(p_t), a row a step, from the last to the first.
    slopes: Vec<f64>,
    /// What the loss adds to a gradient directly, a row a state.
    direct: Vec<f64>,
    steps: usize,
}

impl RnnBackpropagation {
    /// A network of `hidden` units with weights 0.1 N(0, 1) that has read a sequence.
    pub fn new(sequence: &[f64], hidden: usize, rng: &mut Rng) -> Self {
        let steps = sequence.len();
        let weights = normals(hidden * hidden, 0.1, rng);
        let (w_x, w_o) = (normals(hidden, 0.1, rng), normals(hidden, 0.1, rng));
        let mut memory = vec![0.0; steps * hidden];
        let (mut slopes, mut direct) = (vec![0.0; steps * hidden], vec![0.0; (steps - 1) * hidden]);
        let mut h = vec![0.0; hidden];
        for (t, &x) in sequence.iter().enumerate() {
            memory[t * hidden..(t + 1) * hidden].copy_from_slice(&h);
            let miss = 2.0 / steps as f64 * (dot(&w_o, &h) - x);
            let back = steps - 1 - t;
            if t > 0 {
                add_scaled(miss, &w_o, &mut direct[back * hidden..(back + 1) * hidden]);
            }
            for i in 0..hidden {
                let p =
                    dot(&weights[i * hidden..(i + 1) * hidden], &memory[t * hidden..][..hidden]) + w_x[i] * x;
                h[i] = Float::softplus(p);
                slopes[back * hidden + i] = Float::sigmoid(p);
            }
        }
        RnnBackpropagation { weights, hidden, memory, slopes, direct, steps }
    }

    /// A sequence like a small image's pixels: 0, or with probability 0.3 uniform on (0, 1).
    pub fn pixels(steps: usize, rng: &mut Rng) -> Vec<f64> {
        (0..steps).map(|_| if rng.random_bool(0.3) { rng.random() } else { 0.0 }).collect()
    }
}

impl Feedforward for RnnBackpropagation {
    fn length(&self) -> usize {
        self.steps - 1
    }

    fn width(&self) -> usize {
        self.hidden
    }

    fn features(&self) -> usize {
        self.steps - 1
    }

    /// Feature `k` belongs to the gradient of the state before state `k`; that of the last step is 0.
    fn uses(&self, t: usize) -> usize {
        t + 1
    }

    fn share(&self, range: Range<usize>, states: &[f64], out: &mut [f64]) {
        let width = self.hidden;
        let first = range.start.max(1);
        // The gradient behind the last step is 0, and so is the first feature.
        let (zero, out) = out.split_at_mut((first - range.start) * width);
        zero.fill(0.0);
        if first < range.end {
            let states = &states[(first - 1) * width..(range.end - 1) * width];
            loops::zip(states, &self.slopes[first * width..range.end * width], out, |g, slope| g * slope);
        }
    }

    fn evaluate(&self, range: Range<usize>, _states: &[f64], features: &[f64], out: &mut [f64]) {
        let (n, rows) = (self.hidden, range.len());
        let inside = range.start * n..range.end * n;
        out.copy_from_slice(&self.direct[inside.clone()]);
        let (left, right) = (Matrix::new(&features[inside], n), Matrix::new(&self.weights, n));
        product([rows, n, n], out, n, true, left, right, |_, _, _, _, _| ());
    }

    fn wanted(&self, states: &[f64]) -> Vec<f64> {
        let n = self.hidden;
        let mut gradient = vec![0.0; n * n];
        for (k, g) in states.chunks_exact(n).enumerate() {
            // State k is the gradient of what step T - 2 - k puts out, whose slope is in row k + 1.
            let slopes = &self.slopes[(k + 1) * n..(k + 2) * n];
            let memory = &self.memory[(self.steps - 2 - k) * n..][..n];
            for i in 0..n {
                add_scaled(g[i] * slopes[i], memory, &mut gradient[i * n..(i + 1) * n]);
            }
        }
        gradient
    }
}

/// Sampling from a masked autoencoder (MADE) with one hidden layer of tanh units and logistic outputs, a batch at a time:
///
/// > x_t = m_t(x_{1:t-1}) + exp(c_t(x_{1:t-1})) logit(u_t),   u_t uniform on (1e-5, 1 - 1e-5), drawn once and kept
///
/// Hidden unit k sees the first `degree_k` coordinates, and outputs t see the units whose degree is below t. Units are in the order of their degrees, so that masks
/// are prefixes: nothing is multiplied by a masked zero.
pub struct Made {
    dimension: usize,
    batch: usize,
    /// Of each hidden unit, rising.
    degrees: Vec<usize>,
    /// A row of `dimension` a hidden unit.
    inward: Vec<f64>,
    /// Two rows, of as many numbers as hidden units, an output: mean and logarithm of the scale.
    outward: Vec<f64>,
    /// logit(u), a row of the batch a coordinate.
    noise: Vec<f64>,
}

impl Made {
    /// A random network, weights N(0, 1/inputs) and N(0, 1/hidden), and the noise of a batch.
    pub fn new([dimension, hidden, batch]: [usize; 3], rng: &mut Rng) -> Self {
        let inward = normals(dimension * hidden, (dimension as f64).sqrt().recip(), rng);
        let outward = normals(2 * dimension * hidden, (hidden as f64).sqrt().recip(), rng);
        let noise = (0..dimension * batch)
            .map(|_| {
                let u: f64 = rng.random_range(1e-5..1.0 - 1e-5);
                (u / (1.0 - u)).ln()
            })
            .collect();
        // Degrees 1 to d - 1, as evenly as they go.
        let degrees = (0..hidden).map(|k| 1 + k * (dimension - 1) / hidden).collect();
        Made { dimension, batch, degrees, inward, outward, noise }
    }
}

impl Feedforward for Made {
    fn length(&self) -> usize {
        self.dimension
    }

    fn width(&self) -> usize {
        self.batch
    }

    fn features(&self) -> usize {
        self.degrees.len()
    }

    fn uses(&self, t: usize) -> usize {
        self.degrees.partition_point(|&degree| degree <= t)
    }

    fn share(&self, range: Range<usize>, states: &[f64], out: &mut [f64]) {
        let (d, batch) = (self.dimension, self.batch);
        for (k, out) in range.zip(out.chunks_exact_mut(batch)) {
            out.fill(0.0);
            let weights = &self.inward[k * d..][..self.degrees[k]];
            for (w, x) in weights.iter().zip(states.chunks_exact(batch)) {
                add_scaled(*w, x, out);
            }
            out.iter_mut().for_each(|sum| *sum = Float::tanh(*sum));
        }
    }

    fn evaluate(&self, range: Range<usize>, _states: &[f64], features: &[f64], out: &mut [f64]) {
        let (hidden, batch) = (self.degrees.len(), self.batch);
        for (t, out) in range.zip(out.chunks_exact_mut(batch)) {
            let used = self.uses(t);
            let rows = &self.outward[2 * t * hidden..];
            // First the logarithm of the scale, then x = mean + exp(that) logit(u) in the same place.
            out.fill(0.0);
            for (w, unit) in rows[hidden..][..used].iter().zip(features.chunks_exact(batch)) {
                add_scaled(*w, unit, out);
            }
            for (x, noise) in out.iter_mut().zip(&self.noise[t * batch..]) {
                *x = x.exp() * noise;
            }
            for (w, unit) in rows[..used].iter().zip(features.chunks_exact(batch)) {
                add_scaled(*w, unit, out);
            }
        }
    }
}

/// A densely connected network: every layer reads all layers before it, s_t = tanh(A_t (s_1, ..., s_{t-1}) + b_t).
pub struct DenseNetwork {
    width: usize,
    /// A_t, with `width` rows.
    weights: Vec<Vec<f64>>,
    /// b_t, the input's part.
    input: Vec<f64>,
}

impl DenseNetwork {
    /// Random layers; weights N(0, 1/inputs), so that all layers are as loud as the first.
    pub fn new(layers: usize, width: usize, rng: &mut Rng) -> Self {
        let layer = |t: usize, rng: &mut Rng| {
            normals(t * width * width, ((t * width).max(1) as f64).sqrt().recip(), rng)
        };
        let weights = (0..layers).map(|t| layer(t, rng)).collect();
        DenseNetwork { width, weights, input: normals(layers * width, 0.5, rng) }
    }
}

impl Feedforward for DenseNetwork {
    fn length(&self) -> usize {
        self.weights.len()
    }

    fn width(&self) -> usize {
        self.width
    }

    fn evaluate(&self, range: Range<usize>, states: &[f64], _features: &[f64], out: &mut [f64]) {
        let width = self.width;
        for (t, out) in range.zip(out.chunks_exact_mut(width)) {
            out.copy_from_slice(&self.input[t * width..(t + 1) * width]);
            if t > 0 {
                let (layer, inputs) = (&self.weights[t], &states[..t * width]);
                let right = Matrix::new(inputs, 1);
                product(
                    [width, 1, t * width],
                    out,
                    1,
                    true,
                    Matrix::new(layer, t * width),
                    right,
                    |_, _, _, _, _| (),
                );
            }
            out.iter_mut().for_each(|x| *x = Float::tanh(*x));
        }
    }
}

/// A linear recurrence s = L s + b with L strictly lower triangular, by its entries.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// The (column, value) of each row.
    pub rows: Vec<Vec<(usize, f64)>>,
    /// b.
    pub right: Vec<f64>,
}

impl Linear {
    /// `chains` chains of the same length that know nothing of each other, one behind the other: s_t = factor s_{t-1} + b_t.
    pub fn chains(chains: usize, factor: f64, right: Vec<f64>) -> Self {
        let length = right.len().div_ceil(chains);
        let row = |t: usize| if t.is_multiple_of(length) { vec![] } else { vec![(t - 1, factor)] };
        Linear { rows: (0..right.len()).map(row).collect(), right }
    }
}

impl Feedforward for Linear {
    fn length(&self) -> usize {
        self.rows.len()
    }

    fn width(&self) -> usize {
        1
    }

    fn evaluate(&self, range: Range<usize>, states: &[f64], _features: &[f64], out: &mut [f64]) {
        for (t, out) in range.zip(out) {
            *out = self.right[t] + self.rows[t].iter().map(|&(j, l)| l * states[j]).sum::<f64>();
        }
    }
}

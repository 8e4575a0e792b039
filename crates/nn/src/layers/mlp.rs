//! Multilayer perceptrons: on the tape for training, without it for acting.

use quire_core::Rng;
use serde::{Deserialize, Serialize};

use super::{LayerNorm, Linear, NormKind};
use crate::ops::{ActivationFunction, OnRows, linear_without_tape, normalize_rows, with_activation};
use crate::{Activation, DropoutKey, Float, Graph, Init, Params, Tensor, compiled_once, multiversion};

/// What a multilayer perceptron looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MlpConfig {
    /// Width of the input, of every hidden layer, of the output.
    pub sizes: Vec<usize>,
    /// What follows every hidden layer.
    pub activation: Activation,
    /// What follows the output layer.
    pub output_activation: Activation,
    /// Number of networks that run side by side.
    pub ensemble: usize,
    /// A layer normalization between every hidden layer's sum and its activation.
    pub layer_norm: bool,
    /// The rate of a dropout on every hidden layer's sum, before normalization and activation (DroQ, Hiraoka et al.
    /// 2022); it acts in [`Mlp::forward_dropout`] only.
    pub dropout: f64,
    /// Initial weights of the hidden layers.
    pub hidden_init: Init,
    /// Initial weights of the output layer.
    pub output_init: Init,
    /// Initial biases; `None`: PyTorch's, uniform on `+- 1 / sqrt(inputs)`.
    pub bias_init: Option<Init>,
}

impl Default for MlpConfig {
    /// Relu between layers, one network, PyTorch's initial distributions; `sizes` must be given.
    fn default() -> Self {
        MlpConfig {
            sizes: Vec::new(),
            activation: Activation::Relu,
            output_activation: Activation::None,
            ensemble: 1,
            layer_norm: false,
            dropout: 0.0,
            hidden_init: Init::KaimingUniform,
            output_init: Init::KaimingUniform,
            bias_init: None,
        }
    }
}

/// A multilayer perceptron, or an ensemble of them.
#[derive(Debug, Clone)]
pub struct Mlp {
    layers: Vec<Linear>,
    /// One for every hidden layer, or none.
    norms: Vec<LayerNorm>,
    /// What follows a hidden layer's dropout or normalization; without either, the layers have their activations.
    activation: Activation,
    dropout: f64,
    sizes: Vec<usize>,
    ensemble: usize,
}

impl Mlp {
    /// Registers the parameters `{name}.0.weight`, `{name}.0.bias`, `{name}.1.weight` ...
    ///
    /// # Panics
    /// If `sizes` has fewer than two entries, or any size is 0.
    pub fn new<F: Float>(params: &mut Params<F>, name: &str, config: &MlpConfig, rng: &mut Rng) -> Self {
        let sizes = config.sizes.clone();
        assert!(
            sizes.len() >= 2 && sizes.iter().all(|&size| size > 0) && config.ensemble > 0,
            "a multilayer perceptron with the sizes {sizes:?} and {} members",
            config.ensemble
        );
        assert!((0.0..1.0).contains(&config.dropout), "a dropout rate of {}", config.dropout);
        let last = sizes.len() - 2;
        // What comes between a hidden layer's sum and its activation keeps the two from being one operation.
        let fused = !config.layer_norm && config.dropout == 0.0;
        let mut norms = Vec::new();
        let layers = (0..=last)
            .map(|i| {
                let (weight, activation) = if i == last {
                    (config.output_init, config.output_activation)
                } else {
                    (config.hidden_init, if fused { config.activation } else { Activation::None })
                };
                let bound = 1.0 / (sizes[i] as f64).sqrt();
                let bias = config.bias_init.unwrap_or(Init::Uniform { bound });
                let shape = [config.ensemble, sizes[i], sizes[i + 1]];
                let layer = Linear::with(params, &format!("{name}.{i}"), shape, weight, Some(bias), rng)
                    .activated(activation);
                if config.layer_norm && i < last {
                    let shape = [config.ensemble, sizes[i + 1]];
                    let name = format!("{name}.{i}.norm");
                    norms.push(LayerNorm::new(params, &name, NormKind::LayerNorm, shape, 1e-5, rng));
                }
                layer
            })
            .collect();
        let activation = if fused { Activation::None } else { config.activation };
        Mlp { layers, norms, activation, dropout: config.dropout, sizes, ensemble: config.ensemble }
    }

    /// The layers, from input to output.
    pub fn layers(&self) -> &[Linear] {
        &self.layers
    }

    /// Width of the input, of every hidden layer, of the output.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// The number of networks side by side.
    pub fn ensemble(&self) -> usize {
        self.ensemble
    }

    /// The forward pass. One member: `[..., in] -> [..., out]`. More: `[E, B, in]`, or `[1, B, in]` or `[B, in]`
    /// shared by all, `-> [E, B, out]`.
    pub fn forward<'g, F: Float>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        x: Tensor<'g, F>,
    ) -> Tensor<'g, F> {
        self.forward_with(graph, params, x, None, None)
    }

    /// As [`Mlp::forward`], with dropout acting: for training, and for DroQ's targets.
    pub fn forward_dropout<'g, F: Float>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        x: Tensor<'g, F>,
        key: DropoutKey,
    ) -> Tensor<'g, F> {
        self.forward_with(graph, params, x, None, Some(key))
    }

    fn forward_with<'g, F: Float>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        mut x: Tensor<'g, F>,
        member: Option<usize>,
        key: Option<DropoutKey>,
    ) -> Tensor<'g, F> {
        let hidden = self.layers.len() - 1;
        let key = key.filter(|_| self.dropout > 0.0);
        let operations = |i: usize| {
            let layer = member.map_or(self.layers[i], |e| self.layers[i].member(e));
            let dropout = key.filter(|_| i < hidden);
            let norm = self.norms.get(i).map(|norm| member.map_or(*norm, |e| norm.member(e)));
            [
                Some(layer.on_rows(graph, params)),
                dropout.map(|key| OnRows::Dropout { rate: self.dropout, key: key.layer(i) }),
                norm.map(|norm| norm.on_rows(graph, params, self.activation)),
            ]
            .into_iter()
            .flatten()
        };
        if self.dropout == 0.0 || !self.norms.is_empty() {
            return x.on_rows((0..=hidden).flat_map(operations));
        }
        // A dropout without a normalization leaves the activation an operation of its own.
        for i in 0..hidden {
            x = x.on_rows(operations(i)).activate(self.activation);
        }
        x.on_rows(operations(hidden))
    }

    /// The forward pass of some members of an ensemble only: `[B, in] -> [M, B, out]`. (REDQ's targets take the least
    /// of two members drawn at random.)
    ///
    /// # Panics
    /// If there is no member, or one that does not exist.
    pub fn forward_members<'g, F: Float, const M: usize>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        x: Tensor<'g, F>,
        members: [usize; M],
    ) -> Tensor<'g, F> {
        graph.stack(
            members.map(|e| {
                let y = self.forward_with(graph, params, x, Some(e), None);
                y.reshape(&y.shape()[y.shape().len() - 2..])
            }),
            0,
        )
    }

    /// One observation, without a tape: `[in] -> [E, out]`, the output of every member after the other.
    ///
    /// # Panics
    /// If `x` is not as long as the network's input.
    pub fn infer<'s, F: Float>(&self, params: &Params<F>, x: &[F], scratch: &'s mut Scratch<F>) -> &'s [F] {
        infer(self, params, x, scratch)
    }

    /// `rows` rows through all layers of every member, without a tape: `[rows, in] -> [E, rows, out]`.
    /// `linear(layer, [rows, out, in], x, weight, bias, y)` writes a layer's result with its activation.
    #[inline(always)]
    fn through_layers<'s, F: Float>(
        &self,
        params: &Params<F>,
        x: &[F],
        rows: usize,
        scratch: &'s mut Scratch<F>,
        linear: impl Fn(&Linear, [usize; 3], &[F], &[F], Option<&[F]>, &mut [F]),
    ) -> &'s [F] {
        scratch.resize(self, rows);
        let outputs = rows * self.sizes[self.sizes.len() - 1];
        for e in 0..self.ensemble {
            let (a, b) = scratch.halves.split_at_mut(scratch.half);
            let (mut from, mut to) = (&mut *a, &mut *b);
            for (i, layer) in self.layers.iter().enumerate() {
                let (inputs, width) = (self.sizes[i], self.sizes[i + 1]);
                let weight = &params.view(layer.weight)[e * inputs * width..(e + 1) * inputs * width];
                let bias = layer.bias.map(|b| &params.view(b)[e * width..(e + 1) * width]);
                let x = if i == 0 { x } else { &from[..rows * inputs] };
                let last = i + 1 == self.layers.len();
                let y = if last {
                    &mut scratch.out[e * outputs..(e + 1) * outputs]
                } else {
                    &mut to[..rows * width]
                };
                linear(layer, [rows, width, inputs], x, weight, bias, y);
                self.after(params, e, i, y);
                std::mem::swap(&mut from, &mut to);
            }
        }
        &scratch.out[..self.ensemble * outputs]
    }

    /// Normalization and activation of rows of hidden layer `i` of member `e`, where they are not fused.
    fn after<F: Float>(&self, params: &Params<F>, e: usize, i: usize, y: &mut [F]) {
        if i + 1 == self.layers.len() {
            return;
        }
        let width = self.sizes[i + 1];
        if let Some(norm) = self.norms.get(i) {
            let vector = e * width..(e + 1) * width;
            let weight = &params.view(norm.weight)[vector.clone()];
            let bias = &params.view(norm.bias.expect("a layer normalization has a bias"))[vector];
            with_activation!(self.activation, |f| normalize_rows(
                weight,
                bias,
                y,
                F::from_f64(norm.epsilon),
                f
            ));
        } else if self.activation != Activation::None {
            with_activation!(self.activation, |f| activate(y, f));
        }
    }

    /// A batch of observations, without a tape: `[B, in] -> [E, B, out]`.
    ///
    /// # Panics
    /// If `x` is not a whole number of rows.
    pub fn infer_batch<'s, F: Float>(
        &self,
        params: &Params<F>,
        x: &[F],
        scratch: &'s mut Scratch<F>,
    ) -> &'s [F] {
        infer_batch(self, params, x, scratch)
    }
}

compiled_once! {
    fn infer<'s, F>(mlp: &Mlp, params: &Params<F>, x: &[F], scratch: &'s mut Scratch<F>) -> &'s [F] {
        assert_eq!(
            x.len(),
            mlp.sizes[0],
            "infer: the observation (left) is not as long as the input (right)"
        );
        mlp.through_layers(params, x, 1, scratch, |layer, _, x, weight, bias, y| {
            with_activation!(layer.activation, |f| matrix_vector(x, weight, bias, y, f));
        })
    }

    fn infer_batch<'s, F>(mlp: &Mlp, params: &Params<F>, x: &[F], scratch: &'s mut Scratch<F>) -> &'s [F] {
        let rows = x.len() / mlp.sizes[0];
        assert_eq!(
            x.len(),
            rows * mlp.sizes[0],
            "infer_batch: the count of values (left) is not a multiple of the input's width {}",
            mlp.sizes[0]
        );
        mlp.through_layers(params, x, rows, scratch, |layer, size, x, weight, bias, y| {
            linear_without_tape(size, x, weight, bias, y, layer.activation);
        })
    }
}

/// Memory that acting without a tape works in; it grows to what is needed and stays.
#[derive(Debug, Clone, Default)]
pub struct Scratch<F> {
    halves: Vec<F>,
    half: usize,
    out: Vec<F>,
}

impl<F: Float> Scratch<F> {
    /// Nothing yet.
    pub fn new() -> Self {
        Scratch { halves: Vec::new(), half: 0, out: Vec::new() }
    }

    fn resize(&mut self, mlp: &Mlp, rows: usize) {
        let widest = mlp.sizes.iter().max().copied().unwrap_or(0) * rows;
        if self.half < widest {
            self.half = widest;
            self.halves.resize(2 * widest, F::ZERO);
        }
        let out = mlp.ensemble * rows * mlp.sizes[mlp.sizes.len() - 1];
        if self.out.len() < out {
            self.out.resize(out, F::ZERO);
        }
    }
}

multiversion! {
    /// `y <- activation(x W + b)`: columns in blocks of accumulators that stay in registers.
    fn matrix_vector[F: Float, A: ActivationFunction<F>](
        x: &[F], weight: &[F], bias: Option<&[F]>, y: &mut [F], function: A,
    ) |simd| {
        let width = y.len();
        let mut start = 0;
        while start < width {
            start += match width - start {
                left if left >= 64 => columns::<_, F, A, 64>(simd, x, weight, bias, y, start, function),
                left if left >= 32 => columns::<_, F, A, 32>(simd, x, weight, bias, y, start, function),
                left if left >= 16 => columns::<_, F, A, 16>(simd, x, weight, bias, y, start, function),
                left if left >= 4 => columns::<_, F, A, 4>(simd, x, weight, bias, y, start, function),
                _ => columns::<_, F, A, 1>(simd, x, weight, bias, y, start, function),
            };
        }
    }
}

multiversion! {
    fn activate[F: Float, A: ActivationFunction<F>](y: &mut [F], function: A) |simd| {
        for y in y.iter_mut() {
            *y = function.value(*y);
        }
    }
}

#[inline(always)]
fn columns<S: crate::simd::Simd, F: Float, A: ActivationFunction<F>, const N: usize>(
    simd: S,
    x: &[F],
    weight: &[F],
    bias: Option<&[F]>,
    y: &mut [F],
    start: usize,
    function: A,
) -> usize {
    let width = y.len();
    let mut sums = [F::ZERO; N];
    if let Some(bias) = bias {
        sums.copy_from_slice(&bias[start..start + N]);
    }
    for (&x, row) in x.iter().zip(weight.chunks_exact(width)) {
        let row = &row[start..start + N];
        for (sum, &w) in sums.iter_mut().zip(row) {
            *sum = simd.fma(x, w, *sum);
        }
    }
    for (y, sum) in y[start..start + N].iter_mut().zip(sums) {
        *y = function.value(sum);
    }
    N
}

//! A convolution layer.

use quire_core::Rng;

use crate::{Float, Graph, Init, Params, Tensor, View};

/// A convolution of images `[B, in, height, width]` with a bias.
#[derive(Debug, Clone, Copy)]
pub struct Conv2d {
    /// `[out, in, kernel height, kernel width]`.
    pub weight: View,
    /// `[out]`.
    pub bias: View,
    /// Vertical and horizontal step of the kernel.
    pub stride: [usize; 2],
    /// Zeros around the image, above and below, left and right.
    pub padding: [usize; 2],
}

impl Conv2d {
    /// Registers `{name}.weight` and `{name}.bias`, both uniform on `+- 1 / sqrt(in * kernel height * kernel width)`
    /// as in PyTorch. `channels` is `[in, out]`.
    pub fn new<F: Float>(
        params: &mut Params<F>,
        name: &str,
        channels: [usize; 2],
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        rng: &mut Rng,
    ) -> Self {
        let [inputs, outputs] = channels;
        let bound = 1.0 / ((inputs * kernel[0] * kernel[1]) as f64).sqrt();
        let shape = [outputs, inputs, kernel[0], kernel[1]];
        let weight = params.add(format!("{name}.weight"), &shape, Init::Uniform { bound }, rng);
        let bias = params.add(format!("{name}.bias"), &[outputs], Init::Uniform { bound }, rng);
        Conv2d { weight, bias, stride, padding }
    }

    /// The forward pass; see [`Tensor::conv2d`] for the shapes.
    pub fn forward<'g, F: Float>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        x: Tensor<'g, F>,
    ) -> Tensor<'g, F> {
        let bias = Some(graph.param(params, self.bias));
        x.conv2d(graph.param(params, self.weight), bias, self.stride, self.padding)
    }
}

//! Normalization layers.

use quire_core::Rng;
use serde::{Deserialize, Serialize};

use crate::ops::OnRows;
use crate::{Activation, Float, Graph, Init, Params, Tensor, View};

/// Which normalization a network uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormKind {
    /// Mean and variance, with weight and bias.
    #[default]
    LayerNorm,
    /// Root mean square, with weight.
    RmsNorm,
}

/// A normalization over the last axis, with its weight and bias.
#[derive(Debug, Clone, Copy)]
pub struct LayerNorm {
    /// `[E, width]`.
    pub weight: View,
    /// `[E, width]`; none for the root-mean-square kind.
    pub bias: Option<View>,
    /// What is added to the variance.
    pub epsilon: f64,
}

impl LayerNorm {
    /// Registers `{name}.weight` (ones) and, for layer normalization, `{name}.bias` (zeros).
    pub fn new<F: Float>(
        params: &mut Params<F>,
        name: &str,
        kind: NormKind,
        [ensemble, width]: [usize; 2],
        epsilon: f64,
        rng: &mut Rng,
    ) -> Self {
        let shape = [ensemble, width];
        let weight = params.add(format!("{name}.weight"), &shape, Init::Constant { value: 1.0 }, rng);
        let bias = (kind == NormKind::LayerNorm)
            .then(|| params.add(format!("{name}.bias"), &shape, Init::Zeros, rng));
        LayerNorm { weight, bias, epsilon }
    }

    /// One member of an ensemble, as a layer of its own.
    pub fn member(&self, member: usize) -> Self {
        LayerNorm {
            weight: self.weight.member(member),
            bias: self.bias.map(|bias| bias.member(member)),
            epsilon: self.epsilon,
        }
    }

    /// A layer normalization (not the root-mean-square kind) as an operation on rows, its parameters on the tape.
    pub(crate) fn on_rows<'g, F: Float>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        activation: Activation,
    ) -> OnRows<'g, F> {
        let bias = self.bias.expect("a layer normalization has a bias");
        let (weight, bias) = (graph.param(params, self.weight), graph.param(params, bias));
        OnRows::LayerNorm { weight, bias, epsilon: self.epsilon, activation }
    }

    /// The forward pass, `[..., width]` or, for an ensemble, `[E, B, width]`, followed by an activation.
    pub fn forward<'g, F: Float>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        x: Tensor<'g, F>,
        activation: Activation,
    ) -> Tensor<'g, F> {
        let weight = Some(graph.param(params, self.weight));
        match self.bias {
            Some(bias) => x.layer_norm(weight, Some(graph.param(params, bias)), self.epsilon, activation),
            None => x.rms_norm(weight, self.epsilon).activate(activation),
        }
    }
}

//! A fully connected layer.

use quire_core::Rng;

use crate::ops::OnRows;
use crate::{Activation, Float, Graph, Init, Params, Tensor, View};

/// `activation(x W + b)`, for every member of an ensemble.
#[derive(Debug, Clone, Copy)]
pub struct Linear {
    /// `[E, in, out]`.
    pub weight: View,
    /// `[E, out]`.
    pub bias: Option<View>,
    /// What follows the sum.
    pub activation: Activation,
}

impl Linear {
    /// A layer with bias and without activation, started as PyTorch starts `nn.Linear`: both uniform on
    /// `+- 1 / sqrt(inputs)`. Registers `{name}.weight` and `{name}.bias`.
    pub fn new<F: Float>(
        params: &mut Params<F>,
        name: &str,
        ensemble: usize,
        inputs: usize,
        outputs: usize,
        rng: &mut Rng,
    ) -> Self {
        let bound = 1.0 / (inputs as f64).sqrt();
        let bias = Some(Init::Uniform { bound });
        Self::with(params, name, [ensemble, inputs, outputs], Init::KaimingUniform, bias, rng)
    }

    /// A layer `[ensemble, inputs, outputs]` with these initial distributions; without a bias if that is `None`.
    pub fn with<F: Float>(
        params: &mut Params<F>,
        name: &str,
        [ensemble, inputs, outputs]: [usize; 3],
        weight: Init,
        bias: Option<Init>,
        rng: &mut Rng,
    ) -> Self {
        let weight = params.add(format!("{name}.weight"), &[ensemble, inputs, outputs], weight, rng);
        let bias = bias.map(|init| params.add(format!("{name}.bias"), &[ensemble, outputs], init, rng));
        Linear { weight, bias, activation: Activation::None }
    }

    /// The same layer, followed by an activation.
    pub fn activated(self, activation: Activation) -> Self {
        Linear { activation, ..self }
    }

    /// One member of an ensemble, as a layer of its own.
    pub fn member(&self, member: usize) -> Self {
        Linear {
            weight: self.weight.member(member),
            bias: self.bias.map(|bias| bias.member(member)),
            activation: self.activation,
        }
    }

    /// The forward pass; see [`Tensor::linear`] for the shapes.
    pub fn forward<'g, F: Float>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        x: Tensor<'g, F>,
    ) -> Tensor<'g, F> {
        x.on_rows([self.on_rows(graph, params)].into_iter())
    }

    /// The layer as an operation on rows, its parameters on the tape.
    pub(crate) fn on_rows<'g, F: Float>(&self, graph: Graph<'g, F>, params: &'g Params<F>) -> OnRows<'g, F> {
        OnRows::Linear {
            weight: graph.param(params, self.weight),
            bias: self.bias.map(|bias| graph.param(params, bias)),
            activation: self.activation,
        }
    }
}

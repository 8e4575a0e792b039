//! Q-networks: an observation in, one value an action out.

use quire_core::Rng;
use quire_nn::{Activation, Graph, Init, Linear, Mlp, MlpConfig, Params, Scratch, Tape, Tensor, View};
use quire_optim::Layout;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of a Q-network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QNetworkOptions {
    /// Widths of the fully connected hidden layers, each followed by ReLU. Paper: one of 512.
    pub hidden: Vec<usize>,
    /// Whether all action values share one bias in the last layer, as in the paper's tuned version.
    pub shared_bias: bool,
}

impl Default for QNetworkOptions {
    fn default() -> Self {
        QNetworkOptions { hidden: vec![512], shared_bias: false }
    }
}

/// The shape of a Q-network; its weights live in a [`Params`].
#[derive(Debug, Clone)]
pub struct QNetwork {
    body: Body,
    observation: usize,
    actions: usize,
}

#[derive(Debug, Clone)]
enum Body {
    /// Fully connected, a bias for each action.
    Plain(Mlp),
    /// Fully connected, one bias for all actions.
    SharedBias { hidden: Option<Mlp>, head: Linear, bias: View },
}

impl QNetwork {
    /// Registers the weights in `params`, drawn as PyTorch's defaults are. `observation` is the number of inputs.
    pub fn new(
        params: &mut Params<f32>,
        observation: usize,
        actions: usize,
        options: &QNetworkOptions,
        rng: &mut Rng,
    ) -> Self {
        let mut sizes = vec![observation];
        sizes.extend(&options.hidden);
        let body = if options.shared_bias {
            let config = MlpConfig {
                sizes: sizes.clone(),
                output_activation: Activation::Relu,
                ..MlpConfig::default()
            };
            let hidden = (sizes.len() > 1).then(|| Mlp::new(params, "hidden", &config, rng));
            let shape = [1, sizes[sizes.len() - 1], actions];
            let head = Linear::with(params, "head", shape, Init::KaimingUniform, None, rng);
            Body::SharedBias { hidden, head, bias: params.add("head.shared_bias", &[1], Init::Zeros, rng) }
        } else {
            sizes.push(actions);
            Body::Plain(Mlp::new(params, "q", &MlpConfig { sizes, ..MlpConfig::default() }, rng))
        };
        QNetwork { body, observation, actions }
    }

    /// The number of actions.
    pub fn actions(&self) -> usize {
        self.actions
    }

    /// Q(s, ·) of a batch: `[batch, observation]` in, `[1, batch, actions]` out.
    pub fn forward<'g>(&self, graph: Graph<'g, f32>, params: &'g Params<f32>, observations: &[f32]) -> Tensor<'g, f32> {
        let batch = observations.len() / self.observation;
        let x = graph.constant(&[1, batch, self.observation], observations);
        match &self.body {
            Body::Plain(mlp) => mlp.forward(graph, params, x),
            Body::SharedBias { hidden, head, bias } => {
                let features = hidden.as_ref().map_or(x, |hidden| hidden.forward(graph, params, x));
                head.forward(graph, params, features) + graph.param(params, *bias)
            }
        }
    }

    /// Q(s, ·) of one observation, `[actions]`.
    pub fn infer<'w>(&self, params: &Params<f32>, observation: &[f32], workspace: &'w mut Workspace) -> &'w [f32] {
        let Workspace { scratch, tape, values } = workspace;
        match &self.body {
            Body::Plain(mlp) => mlp.infer(params, observation, scratch),
            Body::SharedBias { .. } => {
                let graph = tape.graph();
                let q = graph.no_grad(|| self.forward(graph, params, observation));
                values.clear();
                values.extend_from_slice(q.data());
                values
            }
        }
    }
}

/// Memory that acting works in.
pub struct Workspace {
    scratch: Scratch<f32>,
    tape: Tape<f32>,
    values: Vec<f32>,
}

impl Default for Workspace {
    fn default() -> Self {
        Workspace { scratch: Scratch::new(), tape: Tape::new(1), values: Vec::new() }
    }
}

/// The names and shapes of parameters, as an optimizer takes them.
pub fn layout(params: &Params<f32>) -> Layout {
    let mut layout = Layout::default();
    for (name, shape, _) in params.iter() {
        layout.push(name, shape);
    }
    layout
}

#[cfg(test)]
mod tests {
    use super::*;
    use quire_core::Seeds;

    #[test]
    fn one_observation_and_a_batch_agree() {
        for shared_bias in [false, true] {
            let mut params = Params::new();
            let options = QNetworkOptions { hidden: vec![16, 8], shared_bias };
            let mut rng = Seeds::new(0).stream("network");
            let network = QNetwork::new(&mut params, 3, 2, &options, &mut rng);
            let observations = [0.1, -0.4, 0.7, 1.0, 0.0, -1.0];
            let mut tape = Tape::new(1);
            let graph = tape.graph();
            let batch = network.forward(graph, &params, &observations);
            assert_eq!(batch.shape(), [1, 2, 2]);
            let mut workspace = Workspace::default();
            for (row, observation) in observations.chunks(3).enumerate() {
                let single = network.infer(&params, observation, &mut workspace);
                for (a, b) in single.iter().zip(&batch.data()[2 * row..]) {
                    assert!((a - b).abs() < 1e-6, "{single:?} {:?}", batch.data());
                }
            }
        }
    }

    #[test]
    fn a_shared_bias_is_one_number() {
        let count = |shared_bias| {
            let mut params = Params::new();
            let options = QNetworkOptions { hidden: vec![5], shared_bias };
            QNetwork::new(&mut params, 3, 4, &options, &mut Seeds::new(0).stream("network"));
            params.len()
        };
        assert_eq!(count(false), 3 * 5 + 5 + 5 * 4 + 4);
        assert_eq!(count(true), 3 * 5 + 5 + 5 * 4 + 1);
    }
}

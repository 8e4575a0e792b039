//! A softmax policy whose logits are a perceptron of the observation.

use quire_core::Rng;
use quire_nn::distributions::sample_categorical;
use quire_nn::{Activation, Graph, Init, Mlp, MlpConfig, Params, Scratch, Tape, Tensor, View};
use quire_optim::Layout;

use super::{Batch, Policy};

/// The policy, in double precision. Hidden layers are followed by tanh; weights start Xavier-uniform, biases at 0.
pub struct MlpSoftmax {
    network: Mlp,
    /// The network's parameters, for acting.
    params: Params<f64>,
    /// The same numbers as one vector, for differentiating.
    flat: Params<f64>,
    theta: View,
    tape: Tape<f64>,
    scratch: Scratch<f64>,
}

impl MlpSoftmax {
    /// A network from `observation` numbers to `actions` logits.
    pub fn new(observation: usize, hidden: &[usize], actions: usize) -> Self {
        // What is drawn here is never used: `initial` draws.
        let mut rng = quire_core::Seeds::new(0).stream("unused");
        let mut params = Params::new();
        let network = Mlp::new(&mut params, "policy", &config(observation, hidden, actions), &mut rng);
        let mut flat = Params::new();
        let theta = flat.add("theta", &[params.len()], Init::Zeros, &mut rng);
        MlpSoftmax { network, params, flat, theta, tape: Tape::new(1), scratch: Scratch::new() }
    }
}

fn config(observation: usize, hidden: &[usize], actions: usize) -> MlpConfig {
    let init = Init::XavierUniform { gain: 1.0 };
    MlpConfig {
        sizes: [&[observation], hidden, &[actions]].concat(),
        activation: Activation::Tanh,
        hidden_init: init,
        output_init: init,
        bias_init: Some(Init::Zeros),
        ..MlpConfig::default()
    }
}

/// ln π(·|s_h) of every step, `[steps, A]`, as a function of the vector θ: the layers are slices of it.
fn log_policy<'g>(
    graph: Graph<'g, f64>,
    network: &Mlp,
    layout: &Params<f64>,
    theta: Tensor<'g, f64>,
    batch: &Batch,
) -> Tensor<'g, f64> {
    let inputs = network.sizes()[0];
    let steps = batch.observations.len() / inputs;
    let x = graph.constant(&[1, steps, inputs], &batch.observations);
    let part = |view: View| theta.slice(0, view.range()).reshape(&view.shape);
    let logits = network.layers().iter().fold(x, |x, layer| {
        let bias = layer.bias.map(part);
        x.linear(part(layer.weight), bias, layer.activation)
    });
    debug_assert_eq!(layout.len(), theta.len());
    logits.reshape(&[steps, logits.size(-1)]).log_softmax()
}

impl Policy for MlpSoftmax {
    fn parameters(&self) -> usize {
        self.params.len()
    }

    fn layout(&self) -> Layout {
        self.params.iter().map(|(name, shape, _)| (name, shape)).collect()
    }

    fn initial(&self, rng: &mut Rng) -> Vec<f64> {
        let sizes = self.network.sizes();
        let mut params = Params::<f64>::new();
        let last = sizes.len() - 1;
        Mlp::new(&mut params, "policy", &config(sizes[0], &sizes[1..last], sizes[last]), rng);
        params.data().to_vec()
    }

    fn set(&mut self, theta: &[f64]) {
        self.params.data_mut().copy_from_slice(theta);
        self.flat.data_mut().copy_from_slice(theta);
    }

    fn act(&mut self, observation: &[f64], rng: &mut Rng) -> usize {
        sample_categorical(self.network.infer(&self.params, observation, &mut self.scratch), rng)
    }

    fn log_probabilities(&mut self, batch: &Batch, logs: &mut [f64]) {
        let MlpSoftmax { network, params, flat, theta, tape, .. } = self;
        let graph = tape.graph();
        let log_policy = log_policy(graph, network, params, graph.param(flat, *theta), batch);
        logs.copy_from_slice(log_policy.gather(&batch.actions).data());
    }

    fn score(&mut self, batch: &Batch, weights: &[f64], entropy: f64, gradient: &mut [f64]) {
        let MlpSoftmax { network, params, flat, theta, tape, .. } = self;
        let graph = tape.graph();
        let log_policy = log_policy(graph, network, params, graph.param(flat, *theta), batch);
        let weights = graph.constant(&[weights.len()], weights);
        let mut objective = (log_policy.gather(&batch.actions) * weights).sum();
        if entropy != 0.0 {
            objective = objective - (log_policy.exp() * log_policy).sum().affine(entropy, 0.0);
        }
        objective.gradient(flat, gradient);
    }

    fn second_order(
        &mut self,
        batch: &Batch,
        weights: &[f64],
        direction: &[f64],
        directional: &mut [f64],
        curvature: &mut [f64],
    ) {
        let MlpSoftmax { network, params, flat, theta, tape, .. } = self;
        let graph = tape.graph();
        let theta = graph.param(flat, *theta);
        let log_policy = log_policy(graph, network, params, theta, batch);
        // Σ_h w_h ⟨∇ ln π_h, u⟩: its derivative by w_h is the directional one, its derivative by θ the curvature.
        let weights = graph.variable(&[weights.len()], weights);
        let [gradient] = (log_policy.gather(&batch.actions) * weights).sum().grad(&[theta]);
        let along = (gradient * graph.constant(&[direction.len()], direction)).sum();
        let [by_weight, by_theta] = along.grad(&[weights, theta]);
        directional.copy_from_slice(by_weight.data());
        curvature.copy_from_slice(by_theta.data());
    }
}

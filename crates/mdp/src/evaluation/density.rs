//! A model of the law of z ∈ ℝᵈ given an input, trained by maximum likelihood or a surrogate of it.

use quire_core::{Result, Rng, state};
use quire_nn::{Graph, Mlp, MlpConfig, Params, Scratch, Tape, Tensor};
use quire_optim::{Layout, Optimizer, OptimizerOptions, OptimizerSetting};
use serde::{Deserialize, Serialize};

/// The role of a conditional density.
pub trait Density: Send {
    /// One gradient step on the likelihood of `targets`, `[B, d]`, given `inputs`, `[B, width]`.
    fn step(&mut self, inputs: &[f32], targets: &[f32], rng: &mut Rng);

    /// Appends one draw for each row of `inputs`, `[N, width]`: `[N, d]`.
    fn sample(&mut self, inputs: &[f32], rng: &mut Rng, draws: &mut Vec<f64>);

    /// The whole state.
    fn save(&self) -> Vec<u8>;

    /// Goes on from what [`Density::save`] returned.
    fn restore(&mut self, saved: &[u8]) -> Result<()>;
}

/// A network with its optimizer: what densities and the baselines are trained with.
pub struct Trained {
    mlp: Mlp,
    params: Params<f32>,
    optimizer: Box<dyn Optimizer>,
    gradient: Vec<f32>,
    scratch: Scratch<f32>,
    tape: Tape<f32>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    params: Vec<f32>,
    optimizer: Vec<u8>,
}

impl Trained {
    /// A network with layers of these sizes, ReLU between them, and Adam.
    ///
    /// # Errors
    /// A learning rate out of range.
    pub fn new(sizes: Vec<usize>, learning_rate: f64, rng: &mut Rng) -> Result<Self> {
        let mut params = Params::new();
        let mlp = Mlp::new(&mut params, "network", &MlpConfig { sizes, ..MlpConfig::default() }, rng);
        Ok(Trained {
            optimizer: OptimizerOptions::adam(learning_rate)
                .build(&Layout::flat(params.len()), &OptimizerSetting::without_noise())?,
            gradient: vec![0.0; params.len()],
            scratch: Scratch::new(),
            tape: Tape::new(1),
            mlp,
            params,
        })
    }

    /// Outputs, `[N, out]`, for `inputs`, `[N, in]`.
    pub fn values(&mut self, inputs: &[f32]) -> &[f32] {
        self.mlp.infer_batch(&self.params, inputs, &mut self.scratch)
    }

    /// One step of Adam down the gradient of `loss`, a function of the outputs `[B, out]` for `inputs`; the loss before it.
    pub fn step(
        &mut self,
        inputs: &[f32],
        loss: impl for<'g> FnOnce(Graph<'g, f32>, Tensor<'g, f32>) -> Tensor<'g, f32>,
    ) -> f32 {
        let width = self.mlp.sizes()[0];
        let graph = self.tape.graph();
        let x = graph.constant(&[inputs.len() / width, width], inputs);
        let loss = loss(graph, self.mlp.forward(graph, &self.params, x));
        loss.gradient(&self.params, &mut self.gradient);
        let value = loss.item();
        self.optimizer.step(self.params.data_mut(), &mut self.gradient);
        value
    }

    /// The whole state.
    pub fn save(&self) -> Vec<u8> {
        let saved = Saved { params: self.params.data().to_vec(), optimizer: self.optimizer.save() };
        state::encode("network", &saved)
    }

    /// Goes on from what [`Trained::save`] returned.
    ///
    /// # Errors
    /// Bytes of a network of another shape.
    pub fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let Saved { params, optimizer } = state::decode("network", saved)?;
        if params.len() != self.params.len() {
            return Err(quire_core::Error::Resume("the saved network has another shape".into()));
        }
        self.params.data_mut().copy_from_slice(&params);
        self.optimizer.restore(&optimizer)
    }
}

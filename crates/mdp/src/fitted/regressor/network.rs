//! A multilayer perceptron, fitted by Adam on minibatches of the squared error.

use quire_core::{Error, Result, Rng};
use quire_nn::{Mlp, MlpConfig, Params, Scratch, Tape};
use quire_optim::{Layout, OptimizerOptions, OptimizerSetting};
use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Regressor, Rows};

/// Options of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkOptions {
    /// Widths of the hidden layers, each followed by ReLU. Ours: two of 64.
    #[schemars(inner(range(min = 1, max = 16_384)))]
    pub hidden: Vec<usize>,
    /// Learning rate of Adam. Ours: 0.003.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub learning_rate: f64,
    /// Rows in a step. SQIRL's code: 128.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// Passes over the rows in a fit. SQIRL's code: 10.
    #[schemars(range(min = 1))]
    pub epochs: usize,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        NetworkOptions { hidden: vec![64, 64], learning_rate: 3e-3, batch_size: 128, epochs: 10 }
    }
}

/// The regressor.
pub struct Network {
    options: NetworkOptions,
    tape: Tape<f32>,
    fitted: Option<(Params<f32>, Mlp)>,
    scratch: Scratch<f32>,
    inputs: Vec<f32>,
}

impl Network {
    /// Without data.
    pub fn new(options: NetworkOptions) -> Self {
        Network { options, tape: Tape::new(1), fitted: None, scratch: Scratch::new(), inputs: Vec::new() }
    }
}

impl Regressor for Network {
    fn fit(&mut self, rows: &Rows, rng: &mut Rng) -> Result<()> {
        let NetworkOptions { hidden, learning_rate, batch_size, epochs } = &self.options;
        let sizes = [&[rows.width][..], hidden, &[1]].concat();
        let mut params = Params::new();
        let mlp = Mlp::new(&mut params, "regressor", &MlpConfig { sizes, ..MlpConfig::default() }, rng);
        let layout = Layout::flat(params.len());
        let mut optimizer =
            OptimizerOptions::adam(*learning_rate).build(&layout, &OptimizerSetting::without_noise())?;
        let mut gradient = vec![0.0; params.len()];
        let mut order: Vec<usize> = (0..rows.len()).collect();
        let mut loss = 0.0;
        for _ in 0..*epochs {
            order.shuffle(rng);
            for batch in order.chunks(*batch_size) {
                let graph = self.tape.graph();
                let x = graph.constant_with(&[batch.len(), rows.width], |x| {
                    for (x, &row) in x.chunks_exact_mut(rows.width).zip(batch) {
                        let input = &rows.inputs[row * rows.width..][..rows.width];
                        x.iter_mut().zip(input).for_each(|(x, &input)| *x = input as f32);
                    }
                });
                let y = graph.constant_with(&[batch.len(), 1], |y| {
                    y.iter_mut().zip(batch).for_each(|(y, &row)| *y = rows.targets[row] as f32);
                });
                let error = (mlp.forward(graph, &params, x) - y).square().mean();
                loss = error.item();
                error.gradient(&params, &mut gradient);
                optimizer.step(params.data_mut(), &mut gradient);
            }
        }
        if !loss.is_finite() {
            return Err(Error::Failed("the network's loss is not finite; lower its learning rate".into()));
        }
        self.fitted = Some((params, mlp));
        Ok(())
    }

    fn predict(&mut self, inputs: &[f64], outputs: &mut Vec<f64>) {
        let (params, mlp) = self.fitted.as_ref().expect("predictions come after a fit");
        self.inputs.clear();
        self.inputs.extend(inputs.iter().map(|&input| input as f32));
        outputs.clear();
        outputs
            .extend(mlp.infer_batch(params, &self.inputs, &mut self.scratch).iter().map(|&y| f64::from(y)));
    }
}

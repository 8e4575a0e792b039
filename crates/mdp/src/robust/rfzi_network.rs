//! RFZI with a network (Zhang, Hu & Li 2024): one gradient step an iteration in place of the least-squares fit.
//!
//! Z(s, a; w) = sigmoid of a perceptron of the one-hot state and action. An iteration draws a batch of the log, makes the targets
//! of [`rfzi`](mod@super::rfzi) with the target network w⁻, takes one step on the mean of (Z(s_i, a_i; w) - y_i)² and moves
//! w⁻ ← (1 - τ) w⁻ + τ w.
//!
//! A sigmoid takes for granted that 0 < Z < 1, that is, that no state is worth less than 0; targets above 1 are cut off to 1, which is
//! ours. ln Z is taken of the logit, so that it does not underflow. Pairs that a batch has several times go through the network once,
//! weighted, which changes no gradient.
//!
//! Source: arXiv:2306.11626, experiments, and the official code (its later version: hidden layers of 256 a dimension and of 32,
//! SGD at 0.5, batches of 10,000, τ = 0.1, β_c = 0.01).

use std::sync::Arc;

use quire_core::{About, Options, Result, Rng, options, state};
use quire_nn::{Mlp, MlpConfig, Params, Scratch, Tape};
use quire_optim::{GradientNorms, Layout, Optimizer, OptimizerOptions, OptimizerSetting, SgdOptions};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rfzi::{action_values, targets};
use super::{Dataset, Method, PAPER, Planner, Setting, greedy, mean_value};

/// Options of `rfzi-network`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RfziNetworkOptions {
    /// Caution β of the paper, in units of 1/value, as of `rfzi`. Official code: β_c = 0.01, which is β = 0.0095 at discount 0.95.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub risk: f64,
    /// Widths of the hidden layers, each followed by ReLU. Official code: 256 a dimension of the state and 32; default 256 and 32.
    #[schemars(inner(range(min = 1, max = 16_384)))]
    pub hidden: Vec<usize>,
    /// Steps of the log in a batch, drawn with replacement. Official code: 10,000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub batch_size: usize,
    /// Share τ of the network that the target network takes over at every iteration. Official code: 0.1.
    #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
    pub target_rate: f64,
    /// The optimizer. Official code: SGD at 0.5.
    pub optimizer: OptimizerOptions,
}

impl Default for RfziNetworkOptions {
    fn default() -> Self {
        RfziNetworkOptions {
            risk: 0.0095,
            hidden: vec![256, 32],
            batch_size: 10_000,
            target_rate: 0.1,
            optimizer: OptimizerOptions::Sgd(SgdOptions { learning_rate: 0.5, ..SgdOptions::default() }),
        }
    }
}

impl Options for RfziNetworkOptions {
    fn validate(&self) -> Result<()> {
        self.optimizer.check("optimizer")
    }
}

/// The method.
pub struct RfziNetwork {
    options: RfziNetworkOptions,
    discount: f64,
    data: Arc<Dataset>,
    network: Mlp,
    /// One-hot states and actions of all pairs, `[S A, S + A]`.
    features: Vec<f32>,
    params: Params<f32>,
    target: Params<f32>,
    optimizer: Box<dyn Optimizer>,
    batches: Rng,
    work: Work,
}

/// Memory that an iteration works in.
struct Work {
    tape: Tape<f32>,
    scratch: Scratch<f32>,
    gradient: Vec<f32>,
    q: Vec<f64>,
    y: Vec<f64>,
    /// Share of each pair in the batch, and the mean of its targets.
    weights: Vec<f32>,
    means: Vec<f32>,
}

/// ln sigmoid(x).
fn log_sigmoid(logit: f32) -> f64 {
    let x = f64::from(logit);
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

impl RfziNetwork {
    /// The action values of a set of weights, `[S, A]`.
    fn values(&self, params: &Params<f32>) -> Vec<f64> {
        let mut scratch = Scratch::new();
        let logits = self.network.infer_batch(params, &self.features, &mut scratch);
        let mut q = vec![0.0; self.data.rewards().len()];
        let log_z = logits.iter().map(|&logit| log_sigmoid(logit));
        action_values(self.data.rewards(), self.discount, self.options.risk, log_z, &mut q);
        q
    }
}

impl Method for RfziNetwork {
    type Options = RfziNetworkOptions;

    const ABOUT: About = About {
        name: "rfzi-network",
        summary: "RFZI with a network: one regression step an iteration and a slow target network",
        when: "Where pairs are too many for a table. Keep risk times the values of the order of 1: the regression cannot tell \
               values apart where Z is nearly 0. On a table take rfzi.",
        wing: "mdp",
        family: "robust",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "[robust-ring]\nhidden = [64, 32]\nbatch_size = 1000\noptimizer = { name = \"adam\", learning_rate = 0.001 }\n",
    };

    fn new(setting: &Setting, options: RfziNetworkOptions) -> Result<Self> {
        options::check(&options)?;
        let data = Arc::clone(&setting.data);
        let (states, actions) = (data.states(), data.actions());
        let pairs = states * actions;
        let mut params = Params::new();
        let mut sizes = vec![states + actions];
        sizes.extend(&options.hidden);
        sizes.push(1);
        let config = MlpConfig { sizes, ..MlpConfig::default() };
        let network = Mlp::new(&mut params, "z", &config, &mut setting.seeds.stream("network"));
        let layout: Layout = params.iter().map(|(name, shape, _)| (name, shape)).collect();
        let optimizer = OptimizerSetting::new(setting.seeds.child("optimizer"));
        let mut features = vec![0.0; pairs * (states + actions)];
        for (pair, row) in features.chunks_exact_mut(states + actions).enumerate() {
            row[pair / actions] = 1.0;
            row[states + pair % actions] = 1.0;
        }
        Ok(RfziNetwork {
            discount: setting.discount,
            network,
            features,
            target: params.clone(),
            optimizer: options.optimizer.build(&layout, &optimizer)?,
            batches: setting.seeds.stream("batches"),
            work: Work {
                tape: Tape::new(1),
                scratch: Scratch::new(),
                gradient: vec![0.0; params.len()],
                q: vec![0.0; pairs],
                y: vec![0.0; states],
                weights: vec![0.0; pairs],
                means: vec![0.0; pairs],
            },
            params,
            data,
            options,
        })
    }
}

impl Planner for RfziNetwork {
    fn iterate(&mut self) -> Result<()> {
        let RfziNetwork {
            options,
            discount,
            data,
            network,
            features,
            params,
            target,
            optimizer,
            batches,
            work,
        } = self;
        let Work { tape, scratch, gradient, q, y, weights, means } = work;
        let logits = network.infer_batch(target, features, scratch);
        action_values(data.rewards(), *discount, options.risk, logits.iter().map(|&x| log_sigmoid(x)), q);
        targets(q, data.actions(), options.risk, y);

        weights.fill(0.0);
        means.fill(0.0);
        for _ in 0..options.batch_size {
            let step = data.steps()[batches.random_range(0..data.steps().len() as u64) as usize];
            weights[step.pair] += 1.0;
            means[step.pair] += step.next.map_or(1.0, |next| y[next].min(1.0)) as f32;
        }
        means.iter_mut().zip(&*weights).for_each(|(mean, count)| *mean /= count.max(1.0));
        weights.iter_mut().for_each(|count| *count /= options.batch_size as f32);

        let graph = tape.graph();
        let pairs = weights.len();
        let x = graph.constant(&[1, pairs, features.len() / pairs], features);
        let z = network.forward(graph, params, x).sigmoid();
        let error = (z - graph.constant(z.shape(), means)).square();
        (error * graph.constant(z.shape(), weights)).sum().gradient(params, gradient);
        optimizer.step(params.data_mut(), gradient);
        target.polyak(params, options.target_rate, tape.pool());
        Ok(())
    }

    fn policy(&self) -> Vec<f64> {
        greedy(&self.values(&self.params), self.data.actions())
    }

    fn estimated_value(&self) -> f64 {
        mean_value(&self.values(&self.params), self.data.actions())
    }

    fn gradient_norms(&self) -> Option<&GradientNorms> {
        self.optimizer.gradient_norms()
    }

    fn save(&self) -> Vec<u8> {
        let weights = (self.params.data(), self.target.data());
        state::encode("rfzi-network", &(weights, self.optimizer.save(), &self.batches))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        type Saved = ((Vec<f32>, Vec<f32>), Vec<u8>, Rng);
        let ((params, target), optimizer, batches): Saved = state::decode("rfzi-network", saved)?;
        if (params.len(), target.len()) != (self.params.len(), self.target.len()) {
            return Err(quire_core::Error::Resume("the saved network has another size".into()));
        }
        self.params.data_mut().copy_from_slice(&params);
        self.target.data_mut().copy_from_slice(&target);
        self.batches = batches;
        self.optimizer.restore(&optimizer)
    }
}

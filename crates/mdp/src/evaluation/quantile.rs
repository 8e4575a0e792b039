//! Quantile distributional fitted Q-evaluation: the network's outputs are quantiles, as in QR-DQN.
//!
//! With θ_i the quantile at τ_i = (i - ½)/n and targets z_j = r + γ θ'_j(s', a'), a' ~ π(·|s') drawn once a row, the loss is
//! Σ_i mean_j ρ_{τ_i}(z_j - θ_i), ρ_τ(u) = |τ - 1(u < 0)| L_κ(u)/κ, with Huber's L_κ.
//!
//! Source: W. Dabney, M. Rowland, M. Bellemare & R. Munos, *Distributional reinforcement learning with quantile regression*,
//! AAAI 2018; quantiles, network and steps are those of the code of arXiv:2302.09456. A baseline of FLE, for one dimension.

use quire_core::{About, Options, Result, Rng, options, state};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::density::Trained;
use super::fit::{Fitting, Memory};
use super::{Estimator, Method, Setting};

/// Options of `quantile-fqe`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QuantileOptions {
    /// Quantiles n. Paper's code: 100.
    #[schemars(range(min = 1, max = 10_000))]
    pub quantiles: usize,
    /// Where Huber's loss turns from a square to a line, κ, in units of the return. Paper's code: 0.05.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub kappa: f64,
    /// Width of the hidden layer. Paper's code: 32.
    #[schemars(range(min = 1, max = 16_384))]
    pub hidden: usize,
    /// Learning rate of Adam. Paper's code: 0.001.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub learning_rate: f64,
    /// Gradient steps of a fit. Paper's code: 1,000.
    #[schemars(range(min = 1))]
    pub steps: u64,
    /// Rows in a step. Paper's code: 500.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
}

impl Default for QuantileOptions {
    fn default() -> Self {
        QuantileOptions {
            quantiles: 100,
            kappa: 0.05,
            hidden: 32,
            learning_rate: 1e-3,
            steps: 1_000,
            batch_size: 500,
        }
    }
}

impl Options for QuantileOptions {}

/// The derivative of the loss by each quantile `theta` (`[n]`), for equally likely targets `z`; into `gradient`.
pub fn quantile_gradient(theta: &[f32], z: &[f32], kappa: f32, gradient: &mut [f32]) {
    let n = theta.len() as f32;
    for (i, (&theta, gradient)) in theta.iter().zip(gradient).enumerate() {
        let tau = (i as f32 + 0.5) / n;
        let mut sum = 0.0;
        for &z in z {
            let u = z - theta;
            let weight = if u < 0.0 { 1.0 - tau } else { tau };
            // L_κ'(u)/κ = clamp(u/κ, -1, 1).
            sum -= weight * (u / kappa).clamp(-1.0, 1.0);
        }
        *gradient = sum / z.len() as f32;
    }
}

/// The estimator.
pub struct QuantileFqe {
    fitting: Fitting,
    options: QuantileOptions,
    networks: Vec<Trained>,
    gradient: Vec<f32>,
}

impl Method for QuantileFqe {
    type Options = QuantileOptions;

    const ABOUT: About = About {
        name: "quantile-fqe",
        summary: "Distributional fitted Q-evaluation on quantiles",
        when: "Rewards of one number whose range is not known. It puts draws between the modes of a law that has none there.",
        wing: "mdp",
        family: "evaluation",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    const DIMENSIONS: usize = 1;

    fn new(setting: Setting, options: QuantileOptions) -> Result<Self> {
        options::check(&options)?;
        Ok(QuantileFqe {
            fitting: Fitting::new(setting, "quantile-fqe"),
            networks: Vec::new(),
            gradient: Vec::new(),
            options,
        })
    }
}

impl QuantileFqe {
    fn network(&self, rng: &mut Rng) -> Result<Trained> {
        let sizes = vec![self.fitting.setting.width + 1, self.options.hidden, self.options.quantiles];
        Trained::new(sizes, self.options.learning_rate, rng)
    }

    /// z of each row, `[N, n]`; where nothing follows they are all the same.
    fn set_targets(&mut self, fit: usize) {
        let Fitting { setting, memory: Memory { targets, rng, .. }, .. } = &mut self.fitting;
        let (n, discount) = (self.options.quantiles, setting.discount as f32);
        let next = setting.next_inputs(fit, rng);
        let data = &setting.data[fit];
        targets.clear();
        targets.extend(data.rewards.iter().flat_map(|&reward| std::iter::repeat_n(reward, n)));
        if let Some(before) = self.networks.last_mut() {
            let rows = targets.chunks_exact_mut(n).zip(before.values(&next).chunks_exact(n)).zip(&data.done);
            for ((target, quantiles), _) in rows.filter(|(_, done)| !**done) {
                target.iter_mut().zip(quantiles).for_each(|(z, theta)| *z += discount * theta);
            }
        }
    }
}

impl Estimator for QuantileFqe {
    fn begin(&mut self) -> Result<()> {
        let fit = self.networks.len();
        self.set_targets(fit);
        self.fitting.begin(fit);
        let mut rng = self.fitting.memory.rng.clone();
        self.networks.push(self.network(&mut rng)?);
        self.fitting.memory.rng = rng;
        Ok(())
    }

    fn step(&mut self) -> bool {
        let QuantileFqe { fitting, options, networks, gradient } = self;
        let (n, kappa) = (options.quantiles, options.kappa as f32);
        fitting.next_batch(options.batch_size, n);
        let Fitting { rows, row_targets, .. } = &*fitting;
        let batch = row_targets.len() / n;
        gradient.resize(batch * n, 0.0);
        networks.last_mut().expect("a fit has begun").step(rows, |graph, y| {
            let thetas = y.data().chunks_exact(n).zip(gradient.chunks_exact_mut(n));
            for ((theta, gradient), z) in thetas.zip(row_targets.chunks_exact(n)) {
                // All the same, they are one.
                let z = if z[0] == z[n - 1] { &z[..1] } else { z };
                quantile_gradient(theta, z, kappa, gradient);
            }
            // Its gradient by the outputs is the loss's.
            (y * graph.constant(y.shape(), gradient)).sum().affine(1.0 / batch as f64, 0.0)
        });
        fitting.goes_on(options.steps)
    }

    fn steps(&self) -> u64 {
        self.options.steps
    }

    /// Draws between quantiles are not made: each is as likely as the others.
    fn sample(&mut self, fit: usize, inputs: &[f32], rng: &mut Rng, draws: &mut Vec<f64>) {
        let n = self.options.quantiles;
        for quantiles in self.networks[fit].values(inputs).chunks_exact(n) {
            draws.push(f64::from(quantiles[rng.random_range(0..n as u32) as usize]));
        }
    }

    fn save(&self) -> Vec<u8> {
        let networks: Vec<Vec<u8>> = self.networks.iter().map(Trained::save).collect();
        state::encode("quantile-fqe", &(&self.fitting.memory, networks))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (memory, networks): (Memory, Vec<Vec<u8>>) = state::decode("quantile-fqe", saved)?;
        self.networks.clear();
        for saved in &networks {
            let mut network = self.network(&mut self.fitting.setting.seeds.stream("restored"))?;
            network.restore(saved)?;
            self.networks.push(network);
        }
        self.fitting.restore(memory, self.networks.len());
        Ok(())
    }
}

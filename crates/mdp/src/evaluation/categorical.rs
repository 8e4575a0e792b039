//! Categorical distributional fitted Q-evaluation: probabilities of fixed atoms, as in C51.
//!
//! The target of a row is the law of r + γ y, where y has the atoms' probabilities at (s', a') averaged over a' ~ π(·|s'),
//! exactly, each moved atom being split between its neighbours (in the plane between the four around it); the network learns
//! it by cross-entropy.
//!
//! Source: M. Bellemare, W. Dabney & R. Munos, *A distributional perspective on reinforcement learning*, ICML 2017; atoms,
//! network and steps are those of the code of arXiv:2302.09456. A baseline of FLE.

use quire_core::{About, Options, Result, Rng, options, state};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::density::Trained;
use super::fit::{Fitting, Memory};
use super::{Estimator, Method, Setting};

/// Options of `categorical-fqe`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CategoricalOptions {
    /// Atoms along an axis; 0 is the code's: 100 in one dimension, 30 in two.
    #[schemars(range(max = 10_000))]
    pub atoms: usize,
    /// The greatest atom; the least is its negative. 0 is the code's: 1.5 in one dimension, 4 in two.
    #[schemars(range(min = 0.0))]
    pub greatest: f64,
    /// Whether draws are spread evenly over the cell of their atom, so that they are of a law without atoms. Ours; the paper's
    /// code draws atoms.
    pub spread: bool,
    /// Width of the hidden layer. Paper's code: 32.
    #[schemars(range(min = 1, max = 16_384))]
    pub hidden: usize,
    /// Learning rate of Adam; 0 is the code's: 0.01 in one dimension, 0.03 in two.
    #[schemars(range(min = 0.0))]
    pub learning_rate: f64,
    /// Gradient steps of a fit; 0 is the code's: 200 in one dimension, 100 in two.
    pub steps: u64,
    /// Rows in a step. Paper's code: 500.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
}

impl Default for CategoricalOptions {
    fn default() -> Self {
        CategoricalOptions {
            atoms: 0,
            greatest: 0.0,
            spread: false,
            hidden: 32,
            learning_rate: 0.0,
            steps: 0,
            batch_size: 500,
        }
    }
}

impl Options for CategoricalOptions {}

/// Atoms on a line or on a square grid, the last axis fastest.
#[derive(Debug, Clone)]
pub struct Atoms {
    /// Atoms along an axis.
    pub count: usize,
    /// The greatest; the least is its negative.
    pub greatest: f64,
    /// 1 or 2.
    pub dimensions: usize,
}

impl Atoms {
    /// All of them.
    pub fn len(&self) -> usize {
        self.count.pow(self.dimensions as u32)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The coordinate of an atom along an axis.
    pub fn coordinate(&self, index: usize) -> f64 {
        -self.greatest + 2.0 * self.greatest * index as f64 / (self.count - 1) as f64
    }

    /// The two neighbours of a coordinate, cut off at the ends, and the weight of the upper one.
    fn neighbours(&self, coordinate: f64) -> (usize, f64) {
        let place = (coordinate + self.greatest) / (2.0 * self.greatest) * (self.count - 1) as f64;
        let place = place.clamp(0.0, (self.count - 1) as f64);
        let lower = (place.floor() as usize).min(self.count - 2);
        (lower, place - lower as f64)
    }

    /// Adds the law of `reward` + γ y, y having `probabilities`, to `target`, both over the atoms.
    pub fn project(&self, probabilities: &[f32], reward: &[f32], discount: f64, target: &mut [f32]) {
        let n = self.count;
        let moved = |axis: usize, index: usize| {
            self.neighbours(f64::from(reward[axis]) + discount * self.coordinate(index))
        };
        if self.dimensions == 1 {
            for (index, &p) in probabilities.iter().enumerate() {
                let (lower, upper_weight) = moved(0, index);
                target[lower] += p * (1.0 - upper_weight) as f32;
                target[lower + 1] += p * upper_weight as f32;
            }
        } else {
            for (i, row) in probabilities.chunks_exact(n).enumerate() {
                let (lower_i, weight_i) = moved(0, i);
                for (j, &p) in row.iter().enumerate() {
                    let (lower_j, weight_j) = moved(1, j);
                    for (at, weight) in [(lower_i, 1.0 - weight_i), (lower_i + 1, weight_i)] {
                        let weight = f64::from(p) * weight;
                        target[at * n + lower_j] += (weight * (1.0 - weight_j)) as f32;
                        target[at * n + lower_j + 1] += (weight * weight_j) as f32;
                    }
                }
            }
        }
    }

    /// Adds a point at `reward` with probability 1.
    pub fn project_point(&self, reward: &[f32], target: &mut [f32]) {
        let (lower, weight) = self.neighbours(f64::from(reward[0]));
        if self.dimensions == 1 {
            target[lower] += (1.0 - weight) as f32;
            target[lower + 1] += weight as f32;
        } else {
            let (lower_j, weight_j) = self.neighbours(f64::from(reward[1]));
            for (at, weight) in [(lower, 1.0 - weight), (lower + 1, weight)] {
                target[at * self.count + lower_j] += (weight * (1.0 - weight_j)) as f32;
                target[at * self.count + lower_j + 1] += (weight * weight_j) as f32;
            }
        }
    }
}

/// The estimator.
pub struct CategoricalFqe {
    fitting: Fitting,
    options: CategoricalOptions,
    atoms: Atoms,
    networks: Vec<Trained>,
}

impl Method for CategoricalFqe {
    type Options = CategoricalOptions;

    const ABOUT: About = About {
        name: "categorical-fqe",
        summary: "Distributional fitted Q-evaluation on fixed atoms",
        when: "Returns of one or two numbers in a range that is known; set spread = true to draw from a law without atoms, \
               which on the locks is as near to the truth as fle. In more dimensions atoms are too many.",
        wing: "mdp",
        family: "evaluation",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    const DIMENSIONS: usize = 2;

    fn new(setting: Setting, mut options: CategoricalOptions) -> Result<Self> {
        options::check(&options)?;
        let one = setting.dimensions == 1;
        if options.atoms == 0 {
            options.atoms = if one { 100 } else { 30 };
        }
        if options.atoms < 2 {
            return Err(quire_core::Error::option("atoms", "must be 0 or at least 2; got 1"));
        }
        if options.greatest == 0.0 {
            options.greatest = if one { 1.5 } else { 4.0 };
        }
        if options.learning_rate == 0.0 {
            options.learning_rate = if one { 1e-2 } else { 3e-2 };
        }
        if options.steps == 0 {
            options.steps = if one { 200 } else { 100 };
        }
        Ok(CategoricalFqe {
            atoms: Atoms { count: options.atoms, greatest: options.greatest, dimensions: setting.dimensions },
            networks: Vec::new(),
            fitting: Fitting::new(setting, "categorical-fqe"),
            options,
        })
    }
}

impl CategoricalFqe {
    fn network(&self, rng: &mut Rng) -> Result<Trained> {
        let sizes = vec![self.fitting.setting.width + 1, self.options.hidden, self.atoms.len()];
        Trained::new(sizes, self.options.learning_rate, rng)
    }

    fn set_targets(&mut self, fit: usize) {
        let Fitting { setting, memory: Memory { targets, .. }, .. } = &mut self.fitting;
        let (d, width, atoms) = (setting.dimensions, setting.width, self.atoms.len());
        let data = &setting.data[fit];
        targets.clear();
        targets.resize(data.len() * atoms, 0.0);
        let mut policy = vec![0.0; setting.actions];
        let mut inputs = Vec::new();
        let mut law = vec![0.0; atoms];
        for row in 0..data.len() {
            let target = &mut targets[row * atoms..][..atoms];
            let reward = &data.rewards[row * d..][..d];
            let before = match self.networks.last_mut() {
                Some(before) if !data.done[row] => before,
                _ => {
                    self.atoms.project_point(reward, target);
                    continue;
                }
            };
            let next = &data.next[row * width..][..width];
            (setting.policy)(next, &mut policy);
            law.fill(0.0);
            for (action, &p) in policy.iter().enumerate().filter(|(_, p)| **p > 0.0) {
                inputs.clear();
                setting.input(next, action, &mut inputs);
                add_softmax(before.values(&inputs), p as f32, &mut law);
            }
            self.atoms.project(&law, reward, setting.discount, target);
        }
    }
}

/// Adds `weight` softmax(`logits`) to `sum`.
fn add_softmax(logits: &[f32], weight: f32, sum: &mut [f32]) {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f32 = logits.iter().map(|logit| (logit - greatest).exp()).sum();
    let scale = weight / total;
    sum.iter_mut().zip(logits).for_each(|(sum, logit)| *sum += scale * (logit - greatest).exp());
}

impl Estimator for CategoricalFqe {
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
        self.fitting.next_batch(self.options.batch_size, self.atoms.len());
        let Fitting { rows, row_targets, .. } = &self.fitting;
        let batch = row_targets.len() / self.atoms.len();
        self.networks.last_mut().expect("a fit has begun").step(rows, |graph, y| {
            let target = graph.constant(y.shape(), row_targets);
            (y.log_softmax() * target).sum().affine(-1.0 / batch as f64, 0.0)
        });
        self.fitting.goes_on(self.options.steps)
    }

    fn steps(&self) -> u64 {
        self.options.steps
    }

    fn sample(&mut self, fit: usize, inputs: &[f32], rng: &mut Rng, draws: &mut Vec<f64>) {
        let CategoricalFqe { networks, atoms, options, .. } = self;
        let mut law = vec![0.0; atoms.len()];
        for logits in networks[fit].values(inputs).chunks_exact(atoms.len()) {
            law.fill(0.0);
            add_softmax(logits, 1.0, &mut law);
            let mut left = rng.random::<f32>();
            let chosen = law.iter().position(|p| {
                left -= p;
                left < 0.0
            });
            let chosen = chosen.unwrap_or(law.len() - 1);
            let half = atoms.greatest / (atoms.count - 1) as f64;
            let mut place = |index| {
                let off = if options.spread { rng.random_range(-half..half) } else { 0.0 };
                atoms.coordinate(index) + off
            };
            if atoms.dimensions == 2 {
                draws.push(place(chosen / atoms.count));
            }
            draws.push(place(chosen % atoms.count));
        }
    }

    fn save(&self) -> Vec<u8> {
        let networks: Vec<Vec<u8>> = self.networks.iter().map(Trained::save).collect();
        state::encode("categorical-fqe", &(&self.fitting.memory, networks))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (memory, networks): (Memory, Vec<Vec<u8>>) = state::decode("categorical-fqe", saved)?;
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

//! Gradient-based meta-solving for initial guesses (Arisaka & Li 2023): a network that sees the right side guesses the solution, and is trained through the solver.
//!
//! With u_0 = Ψ(τ; ω) and a linear iteration u_{k+1} = M u_k + c, the error after m iterations is M^m (u_0 - u*): what M damps anyway is no concern of the guess. Trained for the
//! solution itself (m = 0, supervised) a network minds all of it alike; trained for the error after m, what is slow; trained for the number of iterations to a tolerance, by the
//! surrogates of [`crate::learned::objective`], what keeps the residual above it.
//!
//! A step of training draws a batch of tasks, runs the solver from the network's guesses and goes back through the runs ([`super::adjoint`]), whose gradients by the
//! guesses the network's optimizer follows. Its guess is the default at first, as its last convolution is 0 (ours).
//!
//! Source: S. Arisaka & Q. Li, ICML 2023, arXiv:2206.08594; the authors' network has 16 channels and, on a line, batch normalization, which this one lacks.

use quire_core::{About, Error, Options, Paper, Result, Rng, options, state};
use quire_nn::{Params, Tape, UNet};
use quire_optim::{AdamOptions, Layout, Optimizer, OptimizerOptions, OptimizerSetting};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::adjoint::Rollout;
use super::{Training, guess, network};
use crate::solver::{Method, Solver, Step};

/// What a guess is trained for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GuessObjective {
    /// The number of iterations, straight through: the paper's.
    #[default]
    Iterations,
    /// The number of iterations by plain sigmoids: another value, the same derivatives.
    SigmoidIterations,
    /// ‖u_m - u*‖/‖u*‖ after m iterations, which needs the solution: the authors' code. With m = 0 it is supervised.
    Error,
    /// The residual after m iterations.
    Residual,
}

/// Options of `meta-guess`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetaGuessOptions {
    /// What is trained for.
    pub objective: GuessObjective,
    /// m, the iterations after which `error` and `residual` look, 0 to 100,000. The authors' code: 0, 4, 16 and 64.
    #[schemars(range(max = 100_000))]
    pub horizon: u64,
    /// ε of the relative residual, > 0; by default the tolerance that the problem is judged at.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub tolerance: Option<f64>,
    /// s, the slope of the surrogates, > 0. The authors' code: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub slope: f64,
    /// A, the weight of relu(L - ε) after the last iteration. The authors' code: 100.
    #[schemars(range(min = 0.0))]
    pub penalty: f64,
    /// Iterations of a run in training, at most, 1 to 100,000. Each is kept until the way back.
    #[schemars(range(min = 1, max = 100_000))]
    pub cap: u64,
    /// Tasks of a step, 1 to 100,000. The authors' code: 256 on a line, 64 in a plane.
    #[schemars(range(min = 1, max = 100_000))]
    pub batch_size: usize,
    /// Channels of the network's first level, 1 to 64. The authors' code: 16.
    #[schemars(range(min = 1, max = 64))]
    pub channels: usize,
    /// The side of its kernels, odd, 1 to 63; by default the authors': 11 on a line, 5 in a plane.
    #[schemars(range(min = 1, max = 63))]
    pub kernel: Option<usize>,
    /// The optimizer; by default Adam with a learning rate of 0.005, the authors' on a line, and gradients clipped at norm 1. In a plane theirs is 0.0005, and more made guesses worse.
    pub optimizer: OptimizerOptions,
}

impl Default for MetaGuessOptions {
    fn default() -> Self {
        let adam = AdamOptions { learning_rate: 5e-3, clip_norm: Some(1.0), ..AdamOptions::default() };
        MetaGuessOptions {
            objective: GuessObjective::Iterations,
            horizon: 64,
            tolerance: None,
            slope: 1.0,
            penalty: 100.0,
            cap: 500,
            batch_size: 16,
            channels: 8,
            kernel: None,
            optimizer: OptimizerOptions::Adam(adam),
        }
    }
}

impl Options for MetaGuessOptions {}

/// What a run is worth: an objective with its numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aim {
    /// The distance to the solution after so many iterations, over the solution's norm.
    Error {
        /// m.
        horizon: u64,
    },
    /// The relative residual after so many.
    Residual {
        /// m.
        horizon: u64,
    },
    /// The number of iterations.
    Iterations {
        /// ln ε.
        log_tolerance: f64,
        /// s.
        slope: f64,
        /// A.
        penalty: f64,
        /// Iterations, at most.
        cap: u64,
        /// Straight through, or by plain sigmoids.
        is_straight: bool,
    },
}

/// All that changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    rng: Rng,
    params: Vec<f32>,
    count: f64,
    work: u64,
}

/// The method.
pub struct MetaGuess {
    options: MetaGuessOptions,
    aim: Aim,
    kernel: usize,
    net: UNet,
    params: Params<f32>,
    tape: Tape<f32>,
    gradient: Vec<f32>,
    features: Vec<f32>,
    batch: Vec<super::Task>,
    /// d loss/d output, task after task.
    slopes: Vec<f32>,
    guess: Vec<f64>,
    rollout: Rollout,
    optimizer: Box<dyn Optimizer<f32>>,
    place: Place,
}

impl Method<Training> for MetaGuess {
    type Options = MetaGuessOptions;

    const ABOUT: About = About {
        name: "meta-guess",
        summary: "a network that guesses the solution a linear solver starts from, trained through the solver",
        when: "Where many systems with one matrix are solved to a moderate tolerance by a method that forgets its start slowly. Where a direct solver or multigrid fits, \
               take that.",
        wing: "solve",
        family: "learned",
        paper: Some(Paper {
            slug: "learned-acceleration",
            title: "Principled Acceleration of Iterative Numerical Methods Using Machine Learning",
            arxiv: "2206.08594",
        }),
        is_baseline: false,
        tuned: "",
    };

    fn new(training: &Training, options: MetaGuessOptions) -> Result<Self> {
        options::check(&options)?;
        let fields = &*training.fields;
        let kernel = options.kernel.unwrap_or(fields.kernel());
        if kernel.is_multiple_of(2) {
            return Err(Error::option("kernel", "must be odd, so that a cell lies in the middle of it"));
        }
        let horizon = options.horizon;
        let aim = match options.objective {
            GuessObjective::Error => Aim::Error { horizon },
            GuessObjective::Residual => Aim::Residual { horizon },
            counted => Aim::Iterations {
                log_tolerance: options.tolerance.unwrap_or(fields.tolerances()[1]).ln(),
                slope: options.slope,
                penalty: options.penalty,
                cap: options.cap,
                is_straight: counted == GuessObjective::Iterations,
            },
        };
        let (net, params) = network(fields, options.channels, kernel, training.seeds);
        let layout: Layout = params.iter().map(|(name, shape, _)| (name, shape)).collect();
        let setting = OptimizerSetting::new(training.seeds.child("optimizer"));
        let optimizer = options.optimizer.build_for::<f32>(&layout, &setting)?;
        let cells = options.batch_size * fields.grid().len();
        let place = Place { rng: training.seeds.stream("tasks"), params: Vec::new(), count: 0.0, work: 0 };
        Ok(MetaGuess {
            aim,
            kernel,
            tape: Tape::new(1),
            gradient: vec![0.0; params.len()],
            features: vec![0.0; cells * fields.channels()],
            batch: Vec::with_capacity(options.batch_size),
            slopes: vec![0.0; cells],
            guess: Vec::new(),
            rollout: Rollout::default(),
            optimizer,
            place,
            net,
            params,
            options,
        })
    }
}

impl Solver<Training> for MetaGuess {
    /// One step of training.
    fn iterate(&mut self, training: &Training) -> Result<Step> {
        let (fields, place) = (&*training.fields, &mut self.place);
        let (grid, size) = (fields.grid(), self.options.batch_size);
        let [rows, columns] = grid.shape();
        let cells = grid.len();
        self.batch.clear();
        for features in self.features.chunks_exact_mut(cells * fields.channels()) {
            let task = fields.draw(&mut place.rng);
            features.copy_from_slice(&task.features);
            self.batch.push(task);
        }

        let graph = self.tape.graph();
        let features = graph.constant(&[size, fields.channels(), rows, columns], &self.features);
        let outputs = self.net.forward(graph, &self.params, features);
        let (mut total, mut iterations) = (0.0, 0);
        let each = self.batch.iter().zip(outputs.data().chunks_exact(cells));
        for ((task, output), slopes) in each.zip(self.slopes.chunks_exact_mut(cells)) {
            guess(grid, task, output, &mut self.guess);
            let (loss, count) = self.rollout.run(grid, task, &self.guess, &self.aim);
            total += loss;
            iterations += count;
            let by = task.scale / size as f64;
            for (slope, by_guess) in slopes.iter_mut().zip(&self.rollout.gradient) {
                *slope = (by * by_guess) as f32;
                if !slope.is_finite() {
                    *slope = 0.0;
                }
            }
        }
        // A sum whose gradient by the outputs is that of the loss.
        let slopes = graph.constant(&[size, 1, rows, columns], &self.slopes);
        (outputs * slopes).sum().gradient(&self.params, &mut self.gradient);
        self.gradient.iter_mut().filter(|g| !g.is_finite()).for_each(|g| *g = 0.0);
        self.optimizer.step(self.params.data_mut(), &mut self.gradient);

        place.count = iterations as f64 / size as f64;
        place.work += iterations;
        Ok(Step { residual: total / size as f64, done: None })
    }

    fn values(&self) -> Vec<f64> {
        let sizes = [self.options.channels as f64, self.kernel as f64];
        sizes.into_iter().chain(self.params.data().iter().map(|&x| f64::from(x))).collect()
    }

    fn work(&self) -> f64 {
        self.place.work as f64
    }

    fn told(&self) -> Vec<(&'static str, f64)> {
        vec![("training_count", self.place.count)]
    }

    fn save(&self) -> Vec<u8> {
        let place = Place { params: self.params.data().to_vec(), ..self.place.clone() };
        state::encode(Self::ABOUT.name, &(place, self.optimizer.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, optimizer): (Place, Vec<u8>) = state::decode(Self::ABOUT.name, saved)?;
        if place.params.len() != self.params.len() {
            return Err(Error::Resume("the saved network has another size".into()));
        }
        self.params.data_mut().copy_from_slice(&place.params);
        self.place = Place { params: Vec::new(), ..place };
        self.optimizer.restore(&optimizer)
    }
}

//! Gradient-based meta-solving: train what chooses a solver's parameters for the number of iterations (Arisaka & Li 2023).
//!
//! Over tasks τ with a solver u_{k+1} = Φ(u_k; θ, τ), θ = Ψ(τ), whose residuals are L_k, it is usual to train Ψ for the error after m iterations,
//! E L_m, which can be arbitrarily bad: tasks that are slow anyway have the largest errors, and decide. The right aim is E min { k : L_k <= ε }; its
//! surrogate is in [`super::objective`].
//!
//! A step of training draws a batch of tasks, runs the solver on each with derivatives by θ carried along (forward mode: there are few parameters, and runs are long),
//! and hands d loss/dθ to the network, whose gradient Adam follows. Elements of the gradient that are no number count as 0, and its norm is clipped, as in the authors' code.
//!
//! The tolerance can start loose and be tightened by 0.1 whenever the mean count stops falling. The paper describes such a scheme; the rule here is ours.
//!
//! Source: S. Arisaka & Q. Li, ICML 2023, arXiv:2206.08594.

use quire_core::{About, Error, Options, Paper, Result, Rng, options, state};
use quire_nn::{Mlp, Params, Tape};
use quire_optim::{AdamOptions, Layout, Optimizer, OptimizerOptions, OptimizerSetting};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::objective::{Counter, Objective};
use super::tasks::{MOST_PARAMETERS, Residual};
use super::{Tasks, Training, network};
use crate::solver::{Method, Solver, Step};

/// Options of `meta-solver`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetaSolverOptions {
    /// What is trained for.
    pub objective: Objective,
    /// m, the iterations after which `error` looks, at least 1. The paper: 5 to 64.
    #[schemars(range(min = 1))]
    pub horizon: u64,
    /// ε, > 0; by default the tolerance that the problem is judged at.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub tolerance: Option<f64>,
    /// A looser ε to begin with, > 0; none by default. About 10 iterations should meet it.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub first_tolerance: Option<f64>,
    /// Steps without a smaller mean count after which ε is tightened, at least 1. Ours: 20.
    #[schemars(range(min = 1))]
    pub patience: u64,
    /// s, the slope of the surrogates, > 0. The authors' code: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub slope: f64,
    /// A, the weight of relu(L - ε) after the last iteration. The authors' code: 100.
    #[schemars(range(min = 0.0))]
    pub penalty: f64,
    /// Iterations of a run in training, at most, at least 1. The authors' code for Robertson's reactions: 2000.
    #[schemars(range(min = 1))]
    pub cap: u64,
    /// Tasks of a step, 1 to 100,000.
    #[schemars(range(min = 1, max = 100_000))]
    pub batch_size: usize,
    /// Whether the start is chosen too, where the task has a guess; otherwise the factor alone is, and the guess is what it is without a network.
    pub guess: bool,
    /// The optimizer; by default Adam with a learning rate of 0.003 and gradients clipped at norm 1, as in the authors' code.
    pub optimizer: OptimizerOptions,
}

impl Default for MetaSolverOptions {
    fn default() -> Self {
        let adam = AdamOptions { learning_rate: 3e-3, clip_norm: Some(1.0), ..AdamOptions::default() };
        MetaSolverOptions {
            objective: Objective::Iterations,
            horizon: 10,
            tolerance: None,
            first_tolerance: None,
            patience: 20,
            slope: 1.0,
            penalty: 100.0,
            cap: 2000,
            batch_size: 32,
            guess: true,
            optimizer: OptimizerOptions::Adam(adam),
        }
    }
}

impl Options for MetaSolverOptions {}

/// The loss of one task and its derivatives by the parameters, and the iterations that it took.
fn loss(
    tasks: &dyn Tasks,
    task: &[f64],
    parameters: &[f64],
    tolerance: f64,
    options: &MetaSolverOptions,
) -> (Residual, u64) {
    let mut iteration = 0;
    match options.objective {
        Objective::Supervised => {
            let best = tasks.best(task).expect("checked when the method was made");
            let mut sum = Residual::from(0.0);
            for (index, (&parameter, best)) in parameters.iter().zip(best).enumerate() {
                let miss = Residual::parameter(parameter, index) - best.into();
                sum = sum + miss * miss;
            }
            (sum, 0)
        }
        Objective::Error => {
            let mut last = Residual::from(0.0);
            tasks.follow_dual(task, parameters, &mut |residual| {
                last = residual;
                iteration += 1;
                iteration <= options.horizon
            });
            (last, options.horizon)
        }
        surrogate => {
            let mut counter = Counter::new(surrogate, tolerance, options.slope);
            tasks.follow_dual(task, parameters, &mut |residual| {
                // The last residual is that after the cap, which is no iteration's to pay for.
                if iteration == options.cap {
                    counter.end(residual);
                    return false;
                }
                iteration += 1;
                counter.add(residual)
            });
            (counter.total(options.penalty), counter.count)
        }
    }
}

/// All that changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    rng: Rng,
    params: Vec<f64>,
    tolerance: f64,
    /// The least mean count at this tolerance, and the steps since.
    least: f64,
    since: u64,
    loss: f64,
    count: f64,
    work: u64,
}

/// The method.
pub struct MetaSolver {
    options: MetaSolverOptions,
    /// The tolerance in the end.
    target: f64,
    mlp: Mlp,
    params: Params<f64>,
    tape: Tape<f64>,
    gradient: Vec<f64>,
    features: Vec<f64>,
    batch: Vec<Vec<f64>>,
    /// d loss/dz, parameter after parameter.
    slopes: Vec<f64>,
    optimizer: Box<dyn Optimizer<f64>>,
    place: Place,
}

impl Method<Training> for MetaSolver {
    type Options = MetaSolverOptions;

    const ABOUT: About = About {
        name: "meta-solver",
        summary: "a network that chooses the solver's parameters for each task, trained for the number of iterations",
        when: "Where many tasks of one kind are solved iteratively, and the best parameter of the solver differs between them. Where theory \
               knows the best parameter, take that; where tasks are alike, one fixed factor does.",
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

    fn new(training: &Training, options: MetaSolverOptions) -> Result<Self> {
        options::check(&options)?;
        let tasks = &*training.tasks;
        let target = options.tolerance.unwrap_or(tasks.tolerances()[1]);
        if options.first_tolerance.is_some_and(|first| first < target) {
            return Err(Error::option(
                "first_tolerance",
                format!("must be at least the tolerance that it is tightened to, {target:e}"),
            ));
        }
        if options.objective == Objective::Supervised && tasks.best(&tasks.tests()[0]).is_none() {
            return Err(Error::option(
                "objective",
                "`supervised` needs tasks whose best parameters are known, such as those of relaxation-reaction-diffusion and guess-poisson",
            ));
        }
        let (mlp, mut params) = network(tasks, training.seeds);
        if !options.guess {
            // Outputs that are 0 and stay so, as no gradient reaches their weights.
            let weight = params.get("factor.2.weight").expect("the last layer has weights");
            for row in params.view_mut(weight).chunks_exact_mut(tasks.parameters()) {
                row[1..].fill(0.0);
            }
        }
        let layout: Layout = params.iter().map(|(name, shape, _)| (name, shape)).collect();
        let setting = OptimizerSetting::new(training.seeds.child("optimizer"));
        let optimizer = options.optimizer.build_for::<f64>(&layout, &setting)?;
        let place = Place {
            rng: training.seeds.stream("tasks"),
            params: params.data().to_vec(),
            tolerance: options.first_tolerance.unwrap_or(target),
            least: f64::MAX,
            since: 0,
            loss: 0.0,
            count: 0.0,
            work: 0,
        };
        Ok(MetaSolver {
            target,
            tape: Tape::new(1),
            gradient: vec![0.0; params.len()],
            features: vec![0.0; options.batch_size * tasks.features()],
            batch: Vec::with_capacity(options.batch_size),
            slopes: vec![0.0; options.batch_size * tasks.parameters()],
            optimizer,
            place,
            mlp,
            params,
            options,
        })
    }
}

impl Solver<Training> for MetaSolver {
    /// One step of training.
    fn iterate(&mut self, training: &Training) -> Result<Step> {
        let (tasks, options, place) = (&*training.tasks, &self.options, &mut self.place);
        let size = options.batch_size;
        self.batch.clear();
        for features in self.features.chunks_exact_mut(tasks.features()) {
            let task = tasks.draw(&mut place.rng);
            tasks.describe(&task, features);
            self.batch.push(task);
        }

        let graph = self.tape.graph();
        let features = graph.constant(&[1, size, tasks.features()], &self.features);
        let outputs = self.mlp.forward(graph, &self.params, features);
        let (mut total, mut iterations) = (0.0, 0);
        let heads = tasks.parameters();
        let (data, slopes) = (outputs.data(), &mut self.slopes);
        for ((task, z), slopes) in
            self.batch.iter().zip(data.chunks_exact(heads)).zip(slopes.chunks_exact_mut(heads))
        {
            let mut parameters = [0.0; MOST_PARAMETERS];
            for index in 0..heads {
                (parameters[index], slopes[index]) = tasks.parameter(index, z[index]);
            }
            let (loss, count) = loss(tasks, task, &parameters[..heads], place.tolerance, options);
            total += loss.value;
            iterations += count;
            for (index, (slope, by_parameter)) in slopes.iter_mut().zip(loss.slopes).enumerate() {
                *slope *= by_parameter / size as f64;
                if !slope.is_finite() || (index > 0 && !options.guess) {
                    *slope = 0.0;
                }
            }
        }
        // A sum whose gradient by the outputs is that of the loss.
        let slopes = graph.constant(&[1, size, heads], &self.slopes);
        (outputs * slopes).sum().gradient(&self.params, &mut self.gradient);
        self.gradient.iter_mut().filter(|g| !g.is_finite()).for_each(|g| *g = 0.0);
        self.optimizer.step(self.params.data_mut(), &mut self.gradient);

        place.loss = total / size as f64;
        place.count = iterations as f64 / size as f64;
        place.work += iterations;
        if place.count < 0.99 * place.least {
            (place.least, place.since) = (place.count, 0);
        } else {
            place.since += 1;
        }
        if place.since >= options.patience && place.tolerance > self.target {
            place.tolerance = (0.1 * place.tolerance).max(self.target);
            (place.least, place.since) = (f64::MAX, 0);
        }
        Ok(Step { residual: place.loss, done: None })
    }

    fn values(&self) -> Vec<f64> {
        [&[0.0], self.params.data()].concat()
    }

    fn work(&self) -> f64 {
        self.place.work as f64
    }

    fn told(&self) -> Vec<(&'static str, f64)> {
        vec![("training_count", self.place.count), ("training_tolerance", self.place.tolerance)]
    }

    fn save(&self) -> Vec<u8> {
        let place = Place { params: self.params.data().to_vec(), ..self.place.clone() };
        state::encode(Self::ABOUT.name, &(place, self.optimizer.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let optimizer: Vec<u8>;
        (self.place, optimizer) = state::decode(Self::ABOUT.name, saved)?;
        if self.place.params.len() != self.params.len() {
            return Err(Error::Resume("the saved network has another size".into()));
        }
        self.params.data_mut().copy_from_slice(&self.place.params);
        self.optimizer.restore(&optimizer)
    }
}

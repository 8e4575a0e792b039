//! An optimizer of the library at a refined schedule: one run at a straight line to 0 whose gradient norms are recorded, then the run that counts.
//!
//! For optimizers that scale every coordinate on its own, such as Adam, the norm is ‖g‖_1 and the weights are w_t ∝ G_t⁻¹; for gradient descent ‖g‖_2 and G_t⁻². The rest is as in
//! [`super::refined`].
//!
//! Source: A. Defazio, A. Cutkosky, H. Mehta, K. Mishchenko, *When, Why and How Much? Adaptive Learning Rate Scheduling by Refinement*,
//! arXiv:2310.07831, the version for Adam. Pick it for a small network that is trained again and again; for large ones there is `quire refine-schedule`, which does the same to the norms
//! that a learner has recorded.

use quire_core::{About, Error, Options, Paper, Reason, Result, options, state};
use quire_optim::refinement::{Power, SMOOTHING, refine};
use quire_optim::schedule::{Decay, Points};
use quire_optim::{Layout, Optimizer, OptimizerOptions, OptimizerSetting, Schedule, absolute_sum};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Batches, NORM, Task, check_norm, full_batches};
use crate::solver::{Method, Solver, Step};
use crate::vectors::norm;

/// Options of `refined-optimizer`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RefinedOptimizerOptions {
    /// The optimizer, and its peak learning rate in the first run; its own schedule is not looked at. The paper: Adam.
    pub optimizer: OptimizerOptions,
    /// Peak learning rate of the refined run, > 0; that of the first by default. The paper: tuned again.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub refined_learning_rate: Option<f64>,
    /// Width of the median filter as a share of the run, in (0, 1). The paper's code: 0.1.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub smoothing: f64,
    /// Components of a batch, at least 1. Ours: 16.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// Passes of each run, at least 1. Ours: 100.
    #[schemars(range(min = 1))]
    pub passes: u64,
}

impl Default for RefinedOptimizerOptions {
    fn default() -> Self {
        RefinedOptimizerOptions {
            optimizer: OptimizerOptions::adam(0.01),
            refined_learning_rate: None,
            smoothing: SMOOTHING,
            batch_size: 16,
            passes: 100,
        }
    }
}

impl Options for RefinedOptimizerOptions {
    fn validate(&self) -> Result<()> {
        self.optimizer.check("optimizer")
    }
}

/// All that changes, but for the optimizer.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Place {
    x: Vec<f64>,
    batches: Batches,
    passes: u64,
    /// Norms of the first run so far.
    norms: Vec<f64>,
    /// The refined schedule, once there is one.
    factors: Vec<f64>,
}

/// The method.
pub struct RefinedOptimizer {
    options: RefinedOptimizerOptions,
    power: Power,
    layout: Layout,
    setting: OptimizerSetting,
    optimizer: Box<dyn Optimizer<f64>>,
    gradient: Vec<f64>,
    place: Place,
}

/// The norms and weights that go with an optimizer.
fn power(optimizer: &OptimizerOptions) -> Power {
    if matches!(optimizer, OptimizerOptions::Sgd(_)) { Power::Sgd } else { Power::Adam }
}

impl Method<Task> for RefinedOptimizer {
    type Options = RefinedOptimizerOptions;

    const ABOUT: About = About {
        name: "refined-optimizer",
        summary: "Adam, or another optimizer of the library, at a schedule made from the gradient norms of a first run",
        when: "Small networks that are trained again and again, with the length of a run fixed in advance: half of the work is the first run.",
        wing: "solve",
        family: "finite_sum",
        paper: Some(Paper {
            slug: "schedule-refinement",
            title: "When, Why and How Much? Adaptive Learning Rate Scheduling by Refinement",
            arxiv: "2310.07831",
        }),
        is_baseline: false,
        tuned: "",
    };

    fn new(task: &Task, options: RefinedOptimizerOptions) -> Result<Self> {
        options::check(&options)?;
        let (n, d) = (task.sum.len(), task.sum.dimension());
        let batch_size = options.batch_size.min(n);
        if options.passes * full_batches(n, batch_size) < 2 {
            return Err(Error::option(
                "passes",
                "must make at least two steps; take more passes or smaller batches",
            ));
        }
        let place = Place {
            x: task.start.clone(),
            batches: Batches::new(n, batch_size, task.seeds.stream("batches")),
            passes: 0,
            norms: Vec::new(),
            factors: Vec::new(),
        };
        let steps = options.passes * full_batches(n, batch_size);
        let setting = OptimizerSetting::new(task.seeds.child("optimizer")).with_steps(steps);
        let layout = task.sum.layout();
        let first = options.optimizer.clone().with_schedule(Schedule::Linear(Decay::default()));
        let optimizer = first.build_for(&layout, &setting)?;
        Ok(RefinedOptimizer {
            power: power(&options.optimizer),
            layout,
            setting,
            optimizer,
            gradient: vec![0.0; d],
            place,
            options,
        })
    }
}

impl RefinedOptimizer {
    /// The optimizer of the second run.
    fn refined(&self) -> Result<Box<dyn Optimizer<f64>>> {
        let points = Points { total_steps: None, factors: self.place.factors.clone() };
        let own = &self.options.optimizer;
        let rate = self.options.refined_learning_rate.unwrap_or(own.learning_rate());
        let optimizer = own.clone().with_schedule(Schedule::Points(points)).with_learning_rate(rate);
        optimizer.build_for(&self.layout, &self.setting)
    }
}

impl Solver<Task> for RefinedOptimizer {
    /// A pass.
    fn iterate(&mut self, task: &Task) -> Result<Step> {
        let mut length = 0.0;
        for _ in 0..full_batches(task.sum.len(), self.place.batches.size) {
            let place = &mut self.place;
            task.sum.gradient(&place.x, place.batches.draw(), &mut self.gradient);
            length = norm(&self.gradient);
            check_norm(length, "take a smaller learning rate")?;
            if place.factors.is_empty() {
                place.norms.push(match self.power {
                    Power::Sgd => length,
                    Power::Adam => absolute_sum(&self.gradient),
                });
            }
            self.optimizer.step(&mut place.x, &mut self.gradient);
        }
        self.place.passes += 1;
        let step = Step::going_on(length, NORM);
        let done = |reason: &str| Some(Reason::Converged(reason.into()));
        if self.place.passes == 2 * self.options.passes {
            return Ok(Step { done: step.done.or(done("the refined schedule has come to its end")), ..step });
        }
        if self.place.passes == self.options.passes && step.done.is_none() {
            if self.place.norms.iter().all(|norm| *norm == 0.0) {
                return Ok(Step { done: done("all gradients are 0"), ..step });
            }
            self.place.factors = refine(&self.place.norms, self.power, self.options.smoothing)?.factors;
            self.place.norms = Vec::new();
            self.place.x.copy_from_slice(&task.start);
            self.optimizer = self.refined()?;
        }
        Ok(step)
    }

    fn values(&self) -> Vec<f64> {
        self.place.x.clone()
    }

    fn work(&self) -> f64 {
        self.place.passes as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode(Self::ABOUT.name, &(&self.place, self.optimizer.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, optimizer): (Place, Vec<u8>) = state::decode(Self::ABOUT.name, saved)?;
        if place.x.len() != self.place.x.len() {
            return Err(Error::Resume("the saved point has another size".into()));
        }
        self.place = place;
        if !self.place.factors.is_empty() {
            self.optimizer = self.refined()?;
        }
        self.optimizer.restore(&optimizer)
    }
}

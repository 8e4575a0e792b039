//! An optimizer of the library on batches: what networks are trained by, on a finite sum whose minimum is known.

use quire_core::{About, Options, Reason, Result, options, state};
use quire_optim::{Optimizer, OptimizerOptions, OptimizerSetting};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Batches, NORM, Task, check_norm, full_batches};
use crate::solver::{Method, Solver, Step};
use crate::vectors::norm;

/// Options of `batch-optimizer`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BatchOptimizerOptions {
    /// The optimizer.
    pub optimizer: OptimizerOptions,
    /// Components of a batch, at least 1. Ours: 16.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// Passes of the run, at least 1: where a schedule ends, and the run with it. Ours: 100.
    #[schemars(range(min = 1))]
    pub passes: u64,
}

impl Default for BatchOptimizerOptions {
    fn default() -> Self {
        BatchOptimizerOptions { optimizer: OptimizerOptions::adam(0.01), batch_size: 16, passes: 100 }
    }
}

impl Options for BatchOptimizerOptions {
    fn validate(&self) -> Result<()> {
        self.optimizer.check("optimizer")
    }
}

/// The method.
pub struct BatchOptimizer {
    options: BatchOptimizerOptions,
    optimizer: Box<dyn Optimizer<f64>>,
    batches: Batches,
    x: Vec<f64>,
    gradient: Vec<f64>,
    passes: u64,
}

impl Method<Task> for BatchOptimizer {
    type Options = BatchOptimizerOptions;

    const ABOUT: About = About {
        name: "batch-optimizer",
        summary: "any of the library's optimizers, such as Adam, on batches of a finite sum",
        when: "A rival: how far an optimizer that networks are trained by comes.",
        wing: "solve",
        family: "finite_sum",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(task: &Task, options: BatchOptimizerOptions) -> Result<Self> {
        options::check(&options)?;
        let (n, d) = (task.sum.len(), task.sum.dimension());
        let batch_size = options.batch_size.min(n);
        let steps = options.passes * full_batches(n, batch_size);
        let setting = OptimizerSetting::new(task.seeds.child("optimizer")).with_steps(steps);
        Ok(BatchOptimizer {
            optimizer: options.optimizer.build_for(&task.sum.layout(), &setting)?,
            batches: Batches::new(n, batch_size, task.seeds.stream("batches")),
            x: task.start.clone(),
            gradient: vec![0.0; d],
            passes: 0,
            options,
        })
    }
}

impl Solver<Task> for BatchOptimizer {
    fn iterate(&mut self, task: &Task) -> Result<Step> {
        let mut length = 0.0;
        for _ in 0..full_batches(task.sum.len(), self.batches.size) {
            task.sum.gradient(&self.x, self.batches.draw(), &mut self.gradient);
            length = norm(&self.gradient);
            check_norm(length, "take a smaller learning rate")?;
            self.optimizer.step(&mut self.x, &mut self.gradient);
        }
        self.passes += 1;
        let is_done = self.passes == self.options.passes;
        let done = is_done.then(|| Reason::Converged("all passes are done".into()));
        let step = Step::going_on(length, NORM);
        Ok(Step { done: step.done.or(done), ..step })
    }

    fn values(&self) -> Vec<f64> {
        self.x.clone()
    }

    fn work(&self) -> f64 {
        self.passes as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("batch-optimizer", &(&self.x, self.passes, &self.batches, self.optimizer.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (x, passes, batches, optimizer): (Vec<f64>, u64, Batches, Vec<u8>) =
            state::decode("batch-optimizer", saved)?;
        (self.x, self.passes, self.batches) = (x, passes, batches);
        self.optimizer.restore(&optimizer)
    }
}

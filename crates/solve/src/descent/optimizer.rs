//! An optimizer of the library on exact gradients: what networks are trained by, on a function whose minimum is known.

use quire_core::{About, Options, Result, options, state};
use quire_optim::{Layout, Optimizer, OptimizerOptions, OptimizerSetting};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Descent, NORM};
use crate::solver::{Method, Solver, Step};
use crate::vectors::norm;

/// Options of `optimizer`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerDescentOptions {
    /// Stop when the norm of the gradient is at most this. Ours: 1e-8.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
    /// The optimizer.
    pub optimizer: OptimizerOptions,
}

impl Default for OptimizerDescentOptions {
    fn default() -> Self {
        OptimizerDescentOptions { tolerance: 1e-8, optimizer: OptimizerOptions::adam(0.01) }
    }
}

impl Options for OptimizerDescentOptions {}

/// The method.
pub struct OptimizerDescent {
    options: OptimizerDescentOptions,
    optimizer: Box<dyn Optimizer<f64>>,
    x: Vec<f64>,
    gradient: Vec<f64>,
    gradients: u64,
}

impl Method<Descent> for OptimizerDescent {
    type Options = OptimizerDescentOptions;

    const ABOUT: About = About {
        name: "optimizer",
        summary: "any of the library's optimizers, such as Adam, on exact gradients",
        when: "A rival: how far gradients alone come at a fixed learning rate.",
        wing: "solve",
        family: "descent",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(problem: &Descent, options: OptimizerDescentOptions) -> Result<Self> {
        options::check(&options)?;
        options.optimizer.check("optimizer")?;
        let n = problem.objective.dimension();
        let setting = OptimizerSetting::new(problem.seeds.child("optimizer"));
        Ok(OptimizerDescent {
            optimizer: options.optimizer.build_for(&Layout::flat(n), &setting)?,
            options,
            x: problem.start.clone(),
            gradient: vec![0.0; n],
            gradients: 0,
        })
    }
}

impl Solver<Descent> for OptimizerDescent {
    fn iterate(&mut self, problem: &Descent) -> Result<Step> {
        problem.objective.gradient(&self.x, &mut self.gradient);
        self.gradients += 1;
        let judged = Step::judged(norm(&self.gradient), self.options.tolerance, NORM);
        if judged.done.is_none() {
            self.optimizer.step(&mut self.x, &mut self.gradient);
        }
        Ok(judged)
    }

    fn values(&self) -> Vec<f64> {
        self.x.clone()
    }

    fn work(&self) -> f64 {
        self.gradients as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("optimizer", &(&self.x, self.gradients, self.optimizer.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (x, gradients, optimizer): (Vec<f64>, u64, Vec<u8>) = state::decode("optimizer", saved)?;
        (self.x, self.gradients) = (x, gradients);
        self.optimizer.restore(&optimizer)
    }
}

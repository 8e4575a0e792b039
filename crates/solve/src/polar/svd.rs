//! The polar factor from the singular value decomposition: exact, and some 25 products' worth of work (ours, by count of operations).

use nalgebra::DMatrix;
use quire_core::{About, Options, Reason, Result, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{orthogonality_error, polar_factor};
use crate::solver::{Method, Solver, Step};

/// Options of `svd`: none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SvdOptions {}

impl Options for SvdOptions {}

/// The method.
pub struct Svd {
    /// Row-major.
    x: Vec<f64>,
    done: bool,
}

impl Method<DMatrix<f64>> for Svd {
    type Options = SvdOptions;

    const ABOUT: About = About {
        name: "svd",
        summary: "the polar factor from the singular value decomposition",
        when: "Where the factor has to be accurate, once.",
        wing: "solve",
        family: "polar",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(problem: &DMatrix<f64>, _: SvdOptions) -> Result<Self> {
        Ok(Svd { x: problem.transpose().as_slice().to_vec(), done: false })
    }
}

impl Solver<DMatrix<f64>> for Svd {
    fn iterate(&mut self, problem: &DMatrix<f64>) -> Result<Step> {
        let factor = polar_factor(problem);
        self.x = factor.transpose().as_slice().to_vec();
        self.done = true;
        let done = Some(Reason::Converged("the decomposition is done".into()));
        Ok(Step { residual: orthogonality_error(&factor), done })
    }

    fn values(&self) -> Vec<f64> {
        self.x.clone()
    }

    fn work(&self) -> f64 {
        if self.done { 25.0 } else { 0.0 }
    }

    fn save(&self) -> Vec<u8> {
        state::encode("svd", &(&self.x, self.done))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.x, self.done) = state::decode("svd", saved)?;
        Ok(())
    }
}

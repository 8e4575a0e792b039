//! A direct solution by dense LU factors with partial pivoting, refined until the residual is as asked: for systems of a few thousand
//! unknowns, whatever the regular matrix. It does not iterate in earnest, so it is a tool of [`super::own`] and no method of the registry.

use nalgebra::{DVector, Dyn, LU};
use quire_core::{About, Error, Options, Result, options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{System, about, judged};
use crate::solver::{Method, Solver, Step};
use crate::vectors::add_scaled;

/// Unknowns, at most: half a gigabyte for the factors of 8000, minutes for the work.
pub const MOST: usize = 4000;

/// Options of `dense-lu`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DenseLuOptions {
    /// Stop when ‖b - Ax‖ is at most this part of ‖b‖.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub tolerance: f64,
}

impl Default for DenseLuOptions {
    fn default() -> Self {
        DenseLuOptions { tolerance: 1e-8 }
    }
}

impl Options for DenseLuOptions {}

/// The method.
pub struct DenseLu {
    options: DenseLuOptions,
    factors: Option<LU<f64, Dyn, Dyn>>,
    x: Vec<f64>,
    residual: Vec<f64>,
    last: f64,
}

impl Method<System> for DenseLu {
    type Options = DenseLuOptions;

    const ABOUT: About = about(
        "dense-lu",
        "A direct solution by dense LU factors",
        "For small systems of any kind, and where nothing else converges.",
    );

    fn new(system: &System, options: DenseLuOptions) -> Result<Self> {
        options::check(&options)?;
        if system.size() > MOST {
            return Err(Error::Failed(format!(
                "dense factors of {} unknowns are too large; at most {MOST}",
                system.size()
            )));
        }
        Ok(DenseLu {
            options,
            factors: None,
            x: vec![0.0; system.size()],
            residual: system.right.clone(),
            last: f64::INFINITY,
        })
    }
}

impl Solver<System> for DenseLu {
    fn iterate(&mut self, system: &System) -> Result<Step> {
        let factors = self.factors.get_or_insert_with(|| system.matrix.dense().lu());
        let correction = factors.solve(&DVector::from_column_slice(&self.residual));
        let Some(correction) = correction.filter(|x| x.iter().all(|value| value.is_finite())) else {
            return Err(Error::Diverged("the matrix is singular: no pivot is left".into()));
        };
        add_scaled(1.0, correction.as_slice(), &mut self.x);
        let residual = system.relative_residual(&self.x, &mut self.residual);
        let step = judged(residual, self.options.tolerance);
        if step.done.is_none() && residual > 0.5 * self.last {
            return Err(Error::Diverged(format!(
                "refinement leaves the residual at {residual:.1e}: the matrix is singular to working precision"
            )));
        }
        self.last = residual;
        Ok(step)
    }

    fn values(&self) -> Vec<f64> {
        self.x.clone()
    }

    fn work(&self) -> f64 {
        0.0
    }

    /// Nothing: it is not made to be stopped.
    fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    fn restore(&mut self, _saved: &[u8]) -> Result<()> {
        Err(Error::Resume("a direct solution is made in one go; start it afresh".into()))
    }
}

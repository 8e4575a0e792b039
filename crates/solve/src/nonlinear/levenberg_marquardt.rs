//! A projected Levenberg-Marquardt method: x ← P( x - (Jᵀ J + μ I)⁻¹ Jᵀ F ), P onto the box, with the first of μ, 4 μ, 16 μ, ... that
//! lowers ‖F‖; then μ is divided by 4.

use nalgebra::{DMatrix, DVector};
use quire_core::{About, Error, Options, Reason, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::trust_region::about;
use super::{Bounded, RESIDUAL};
use crate::solver::{Method, Solver, Step};

/// Options of `projected-levenberg-marquardt`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LevenbergMarquardtOptions {
    /// μ at the start, relative to the largest diagonal entry of JᵀJ. Usual: 0.001.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub damping: f64,
    /// Stop when ‖F‖ is at most this.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for LevenbergMarquardtOptions {
    fn default() -> Self {
        LevenbergMarquardtOptions { damping: 1e-3, tolerance: 1e-8 }
    }
}

impl Options for LevenbergMarquardtOptions {}

/// The method.
pub struct LevenbergMarquardt {
    options: LevenbergMarquardtOptions,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    x: Vec<f64>,
    /// μ; `None` before the first iteration.
    damping: Option<f64>,
    evaluations: u64,
}

impl Method<Bounded> for LevenbergMarquardt {
    type Options = LevenbergMarquardtOptions;

    const ABOUT: About = about(
        "projected-levenberg-marquardt",
        "Levenberg and Marquardt's method, projected onto the bounds",
        "A simple rival of combined-scaling; it may stop on a bound.",
    );

    fn new(problem: &Bounded, options: LevenbergMarquardtOptions) -> Result<Self> {
        options::check(&options)?;
        let x = problem.start.as_slice().to_vec();
        Ok(LevenbergMarquardt { options, place: Place { x, damping: None, evaluations: 1 } })
    }
}

impl Solver<Bounded> for LevenbergMarquardt {
    fn iterate(&mut self, problem: &Bounded) -> Result<Step> {
        let Bounded { equations, lower, upper, .. } = problem;
        let place = &mut self.place;
        let x = DVector::from_column_slice(&place.x);
        let residual = equations.residual(&x);
        let norm = residual.norm();
        let step = Step::judged(norm, self.options.tolerance, RESIDUAL);
        if step.done.is_some() {
            return Ok(step);
        }
        let jacobian = equations.jacobian(&x);
        let gradient = jacobian.tr_mul(&residual);
        let normal = jacobian.tr_mul(&jacobian);
        if normal.iter().any(|entry| !entry.is_finite()) {
            return Err(Error::Diverged("the Jacobian is no longer finite".into()));
        }
        let first = self.options.damping * normal.diagonal().max();
        let mut damping = place.damping.unwrap_or(first).max(1e-300);
        for _ in 0..60 {
            let damped = &normal + DMatrix::identity(x.len(), x.len()) * damping;
            if let Some(factors) = damped.cholesky() {
                let next = &x - factors.solve(&gradient);
                let next = DVector::from_fn(x.len(), |i, _| next[i].clamp(lower[i], upper[i]));
                place.evaluations += 1;
                if equations.residual(&next).norm() < norm {
                    place.x.copy_from_slice(next.as_slice());
                    place.damping = Some(damping / 4.0);
                    return Ok(step);
                }
            }
            damping *= 4.0;
        }
        let why = format!("no damped step lowers ‖F‖ = {norm:.1e}: no solution nearby");
        Ok(Step { residual: norm, done: Some(Reason::Converged(why)) })
    }

    fn values(&self) -> Vec<f64> {
        self.place.x.clone()
    }

    fn work(&self) -> f64 {
        self.place.evaluations as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("projected-levenberg-marquardt", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("projected-levenberg-marquardt", saved)?;
        Ok(())
    }
}

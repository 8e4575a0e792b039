//! Gradient descent whose constant doubles until a step is good: x ← x - g/L with f(x - g/L) <= f - ‖g‖²/(2L), then L halves.

use nalgebra::DVector;
use quire_core::{About, Error, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Minimization, baseline};
use crate::solver::{Method, Solver, Step};

/// Options of `adaptive-gradient`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdaptiveGradientOptions {
    /// L_0: the constant tried first.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub constant: f64,
    /// Stop when ‖g‖ is at most this.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for AdaptiveGradientOptions {
    fn default() -> Self {
        AdaptiveGradientOptions { constant: 1.0, tolerance: 1e-8 }
    }
}

impl Options for AdaptiveGradientOptions {}

/// The method.
pub struct AdaptiveGradient {
    options: AdaptiveGradientOptions,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    x: Vec<f64>,
    constant: f64,
    iterations: u64,
    trials: u64,
}

impl Method<Minimization> for AdaptiveGradient {
    type Options = AdaptiveGradientOptions;

    const ABOUT: About = baseline(
        "adaptive-gradient",
        "Gradient descent with a constant that is doubled and halved",
        "Where a Hessian is too expensive; the baseline of first order.",
    );

    fn new(problem: &Minimization, options: AdaptiveGradientOptions) -> Result<Self> {
        options::check(&options)?;
        let x = problem.start.as_slice().to_vec();
        Ok(AdaptiveGradient {
            place: Place { x, constant: options.constant, iterations: 0, trials: 0 },
            options,
        })
    }
}

impl Solver<Minimization> for AdaptiveGradient {
    fn iterate(&mut self, problem: &Minimization) -> Result<Step> {
        let place = &mut self.place;
        let x = DVector::from_column_slice(&place.x);
        let (value, gradient) = (problem.objective.value(&x), problem.objective.gradient(&x));
        place.iterations += 1;
        let size = gradient.norm();
        let step = Step::judged(size, self.options.tolerance, "length of the gradient");
        if step.done.is_some() {
            return Ok(step);
        }
        for _ in 0..200 {
            let next = &x - &gradient / place.constant;
            place.trials += 1;
            let enough = value - size * size / (2.0 * place.constant) + 1e-15 * value.abs();
            if problem.objective.value(&next) <= enough {
                place.x.copy_from_slice(next.as_slice());
                place.constant /= 2.0;
                return Ok(step);
            }
            place.constant *= 2.0;
        }
        Err(Error::Diverged("no step along the gradient makes the function fall".into()))
    }

    fn values(&self) -> Vec<f64> {
        self.place.x.clone()
    }

    /// None of the family's: it factorizes nothing. Iterations stand for it.
    fn work(&self) -> f64 {
        self.place.iterations as f64
    }

    fn told(&self) -> Vec<(&'static str, f64)> {
        vec![("step_size", 1.0 / self.place.constant), ("trials", self.place.trials as f64)]
    }

    fn save(&self) -> Vec<u8> {
        state::encode("adaptive-gradient", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("adaptive-gradient", saved)?;
        Ok(())
    }
}

//! The implicit Euler method y⁺ = y + h f(y⁺), its equation solved by simplified Newton iterations with the factors of I - h J.

use nalgebra::DVector;
use quire_core::{About, Error, Options, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Jacobian, Plan, Scheme, Stepper, Tolerance, Work, baseline};

/// Options of `implicit-euler`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ImplicitEulerOptions {
    /// Steps from the start to the end.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub steps: u64,
    /// Tolerances to which steps are chosen, `steps` being ignored; none by default. The error is that of a step done again as two halves.
    pub adaptive: Option<Tolerance>,
    /// J.
    pub jacobian: Jacobian,
    /// An iteration that corrects no component by more than this part of the largest is the last.
    #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
    pub tolerance: f64,
    /// Iterations of a step, at most.
    #[schemars(range(min = 1, max = 10_000))]
    pub iterations: u32,
}

impl Default for ImplicitEulerOptions {
    fn default() -> Self {
        ImplicitEulerOptions {
            steps: 256,
            adaptive: None,
            jacobian: Jacobian::Exact,
            tolerance: 1e-12,
            iterations: 100,
        }
    }
}

impl Options for ImplicitEulerOptions {}

/// The method.
pub struct ImplicitEuler {
    options: ImplicitEulerOptions,
}

impl Scheme for ImplicitEuler {
    type Options = ImplicitEulerOptions;

    const ABOUT: About = baseline(
        "implicit-euler",
        "The implicit Euler method with simplified Newton iterations",
        "Where robustness is all that counts: order 1, L-stable.",
    );

    fn plan(options: &ImplicitEulerOptions) -> Plan {
        Plan { steps: options.steps, adaptive: options.adaptive, jacobian: options.jacobian }
    }

    fn new(options: &ImplicitEulerOptions) -> Result<Self> {
        Ok(ImplicitEuler { options: options.clone() })
    }

    fn shifts(&self) -> Vec<f64> {
        vec![1.0]
    }

    fn order(&self) -> u32 {
        1
    }

    fn step(
        &self,
        at: &mut Stepper,
        y: &DVector<f64>,
        work: &mut Work,
        next: &mut DVector<f64>,
    ) -> Result<()> {
        let [correction] = work.vectors();
        next.copy_from(y);
        for _ in 0..self.options.iterations {
            // y + h f(next) - next.
            at.slope(next, correction);
            *correction *= at.h;
            *correction += y;
            *correction -= &*next;
            at.solve(0, correction)?;
            *next += &*correction;
            if correction.amax() <= self.options.tolerance * next.amax().max(1e-300) {
                return Ok(());
            }
        }
        Err(Error::Diverged(format!(
            "Newton's iteration of a step does not converge in {} iterations: take more steps, or the exact Jacobian",
            self.options.iterations
        )))
    }
}

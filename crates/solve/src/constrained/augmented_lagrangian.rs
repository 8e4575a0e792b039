//! The method of multipliers: minimize L + μ/2 ‖c‖² over x, then λ ← λ + μ c and μ ← `penalty_growth` μ.
//!
//! A minimization is Newton's method with Armijo's rule; it ends once the gradient's norm is at most τ, first
//! 0.1 and each time a tenth of it. Its system, n x n, is solved by GMRES. A Hessian whose least eigenvalue
//! is not positive is shifted until that is 1.
//!
//! Source: M. R. Hestenes, J. Optimization Theory and Applications 4, 1969; M. J. D. Powell, 1969; as a rival
//! in arXiv:2305.18379, whose constants these are: β = 0.1, accuracy of a step 1e-4. The official code lets μ
//! grow by 1.5 and shifts every Hessian until its least eigenvalue is 1.

use nalgebra::DVector;
use quire_core::{About, Error, Options, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kkt::Point;
use super::krylov::Cycles;
use super::merit::first_fall;
use super::{Iterate, Rule, Task, baseline};

/// Options of `augmented-lagrangian`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentedLagrangianOptions {
    /// μ at the start, the weight of ‖c‖²/2. Paper: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub penalty: f64,
    /// By what μ grows when λ is updated. Usual: 10; official code: 1.5.
    #[schemars(range(min = 1.0))]
    pub penalty_growth: f64,
    /// GMRES vectors before it starts again. Official code: 2 on CUTEst.
    #[schemars(range(min = 1, max = 10_000))]
    pub restart: usize,
    /// Newton steps of a minimization, at most. Official code: 100.
    #[schemars(range(min = 1))]
    pub inner_steps: u64,
    /// Stop when ‖(∇_x L, c)‖ is at most this. Paper: 1e-4.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for AugmentedLagrangianOptions {
    fn default() -> Self {
        AugmentedLagrangianOptions {
            penalty: 1.0,
            penalty_growth: 10.0,
            restart: 10,
            inner_steps: 100,
            tolerance: 1e-4,
        }
    }
}

impl Options for AugmentedLagrangianOptions {}

/// τ of the first minimization, and by what it shrinks.
const SUBPROBLEM: f64 = 0.1;
/// What part of the slope's promise has to be kept.
const DECREASE: f64 = 0.1;
/// How accurate a Newton step is.
const STEP: f64 = 1e-4;
/// The least eigenvalue of a Hessian that is not shifted.
const CONVEX: f64 = 1e-6;
/// Cycles of GMRES before a step is taken as it is.
const CYCLES: u32 = 10_000;

/// The method; an iteration is a Newton step.
pub struct AugmentedLagrangian;

/// Where the minimizations stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// μ.
    penalty: f64,
    /// τ.
    subproblem: f64,
    /// Newton steps of this minimization.
    inner: u64,
}

/// L + μ/2 ‖c‖².
fn augmented(value: f64, constraint: &DVector<f64>, multipliers: &DVector<f64>, penalty: f64) -> f64 {
    value + constraint.dot(multipliers) + 0.5 * penalty * constraint.norm_squared()
}

/// Its gradient by x.
fn augmented_gradient(point: &Point, penalty: f64) -> DVector<f64> {
    &point.gradient + penalty * point.jacobian.tr_mul(&point.constraint)
}

impl Rule for AugmentedLagrangian {
    type Options = AugmentedLagrangianOptions;
    type Memory = Memory;

    const ABOUT: About = baseline(
        "augmented-lagrangian",
        "the method of multipliers: minimizations without constraints between updates of the multipliers",
        "Where the gradients of the constraints may be dependent, and a start is far from a solution; more steps than Newton's method on the KKT conditions.",
    );

    fn tolerance(options: &AugmentedLagrangianOptions) -> f64 {
        options.tolerance
    }

    fn memory(options: &AugmentedLagrangianOptions, _task: &Task) -> Memory {
        Memory { penalty: options.penalty, subproblem: SUBPROBLEM, inner: 0 }
    }

    fn penalty(memory: &Memory) -> f64 {
        memory.penalty
    }

    /// Ends minimizations that are over, some before a step: ever new multipliers for the same x.
    fn prepare(
        options: &AugmentedLagrangianOptions,
        memory: &mut Memory,
        iterate: &mut Iterate,
        point: &mut Point,
    ) {
        let Memory { penalty, subproblem, inner } = memory;
        while point.residual() > options.tolerance
            && (augmented_gradient(point, *penalty).norm() <= *subproblem || *inner >= options.inner_steps)
        {
            let multipliers = &point.multipliers + *penalty * &point.constraint;
            iterate.multipliers.copy_from_slice(multipliers.as_slice());
            point.gradient = &point.objective_gradient + point.jacobian.tr_mul(&multipliers);
            point.multipliers = multipliers;
            *penalty *= options.penalty_growth;
            *subproblem *= SUBPROBLEM;
            *inner = 0;
        }
    }

    fn advance(
        options: &AugmentedLagrangianOptions,
        task: &Task,
        memory: &mut Memory,
        iterate: &mut Iterate,
        point: &Point,
    ) -> Result<()> {
        let Memory { penalty, inner, .. } = memory;
        let gradient = augmented_gradient(point, *penalty);
        let shifted = &point.multipliers + *penalty * &point.constraint;
        let mut hessian =
            task.problem.hessian(&point.x, &shifted) + *penalty * point.jacobian.tr_mul(&point.jacobian);
        if !hessian.iter().all(|entry| entry.is_finite()) {
            return Err(Error::Diverged("the derivatives are no longer finite".into()));
        }
        let least = hessian.clone().symmetric_eigenvalues().min();
        if least < CONVEX {
            (0..point.x.len()).for_each(|i| hessian[(i, i)] += 1.0 - least);
        }
        let mut cycles = Cycles::new(&hessian, &-&gradient, options.restart, STEP)?;
        for _ in 0..CYCLES {
            if !cycles.cycle() {
                break;
            }
        }
        let direction = cycles.solution();
        iterate.flops += cycles.flops;
        iterate.linear_steps += cycles.products;
        *inner += 1;

        let slope = gradient.dot(&direction);
        let now = augmented(point.value, &point.constraint, &point.multipliers, *penalty);
        let found = first_fall(now, DECREASE * slope, |alpha| {
            let x = &point.x + alpha * &direction;
            let (value, constraint) = (task.problem.value(&x), task.problem.constraint(&x));
            iterate.evaluations += 1;
            (augmented(value, &constraint, &point.multipliers, *penalty), x)
        });
        let Some((alpha, x)) = found else {
            let problem = "no part of the Newton step makes the augmented Lagrangian fall";
            return Err(Error::Diverged(problem.into()));
        };
        iterate.x.copy_from_slice(x.as_slice());
        iterate.step_size = alpha;
        Ok(())
    }
}

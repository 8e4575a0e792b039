//! Newton steps on the KKT conditions, solved for exactly, and judged by the same exact augmented Lagrangian
//! as those of [`sketched`](super::sketched): what its projections have to be cheaper than.

use quire_core::{About, Error, Options, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kkt::{Kkt, Point};
use super::krylov::{Cycles, minres, minres_flops};
use super::merit::{self, MeritOptions, Weights};
use super::{Iterate, Rule, Task, baseline};

/// What solves for the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LinearSolver {
    /// LU factors with pivots: (2/3) N³ + 2 N² flops for N = n + m.
    Lu,
    /// GMRES without a preconditioner, not restarted.
    Gmres,
    /// MINRES, which needs only short recurrences as the matrix is symmetric.
    Minres,
}

/// Options of `newton-kkt`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewtonKktOptions {
    /// What solves for the step.
    pub solver: LinearSolver,
    /// GMRES and MINRES stop when ‖b - A z‖ is at most this part of ‖b‖.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub linear_tolerance: f64,
    /// Stop when ‖(∇_x L, c)‖ is at most this. Paper: 1e-4.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
    /// The merit function.
    pub merit: MeritOptions,
    /// ξ, what is added, together with ‖H‖, to the diagonal of a Hessian that is not positive definite along
    /// the constraints. Paper: 0.1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub shift: f64,
    /// Break off where λ_min(G Gᵀ) is less: the gradients of the constraints are nearly dependent. Official
    /// code of its rivals: 1e-6.
    #[schemars(range(min = 0.0))]
    pub independence: f64,
}

impl Default for NewtonKktOptions {
    fn default() -> Self {
        NewtonKktOptions {
            solver: LinearSolver::Lu,
            linear_tolerance: 1e-10,
            tolerance: 1e-4,
            merit: MeritOptions::default(),
            shift: 0.1,
            independence: 1e-6,
        }
    }
}

impl Options for NewtonKktOptions {}

/// The method.
pub struct NewtonKkt;

impl Rule for NewtonKkt {
    type Options = NewtonKktOptions;
    type Memory = Weights;

    const ABOUT: About = baseline(
        "newton-kkt",
        "Newton's method on the KKT conditions with exact steps, judged by an exact augmented Lagrangian",
        "The first choice for equations as constraints and a Hessian, as long as n + m numbers squared fit into memory.",
    );

    fn tolerance(options: &NewtonKktOptions) -> f64 {
        options.tolerance
    }

    fn memory(options: &NewtonKktOptions, _task: &Task) -> Weights {
        Weights::new(&options.merit)
    }

    fn penalty(weights: &Weights) -> f64 {
        weights.constraint
    }

    fn advance(
        options: &NewtonKktOptions,
        task: &Task,
        weights: &mut Weights,
        iterate: &mut Iterate,
        point: &Point,
    ) -> Result<()> {
        let kkt = Kkt::new(task, point, options.shift, options.independence)?;
        merit::step(task, &options.merit, weights, iterate, (point, &kkt), |iterate, z, _, is_again| {
            // An exact step cannot be made more accurate.
            if is_again {
                return Ok(());
            }
            let size = kkt.size();
            match options.solver {
                LinearSolver::Lu => {
                    let n = size as f64;
                    iterate.flops += 2.0 / 3.0 * n.powi(3) + 2.0 * n * n;
                    iterate.linear_steps += 1;
                    let singular = || Error::Diverged("the matrix of the KKT conditions is singular".into());
                    *z = kkt.matrix.clone().lu().solve(&kkt.right).ok_or_else(singular)?;
                }
                LinearSolver::Gmres => {
                    let mut cycles = Cycles::new(&kkt.matrix, &kkt.right, size, options.linear_tolerance)?;
                    // After n + m vectors all is done but for rounding, which a second cycle removes.
                    let _ = cycles.cycle() && cycles.cycle();
                    *z = cycles.solution();
                    iterate.flops += cycles.flops;
                    iterate.linear_steps += cycles.products;
                }
                LinearSolver::Minres => {
                    let (found, products) =
                        minres(&kkt.matrix, &kkt.right, options.linear_tolerance, 20 * size as u64);
                    *z = found;
                    iterate.flops += minres_flops(size, products);
                    iterate.linear_steps += products;
                }
            }
            Ok(())
        })
    }
}

//! Inexact SQP with the l₁ penalty: Newton steps on the KKT conditions by GMRES, judged by φ = f + μ ‖c‖₁.
//!
//! With d = Δx of a step z, the model of φ falls by Δm = -∇f·d - max(½ dᵀ B d, 0) + μ (‖c‖₁ - ‖G d + c‖₁). A
//! step is accurate enough if that is at least σ μ max(‖c‖₁, ‖G d + c‖₁ - ‖c‖₁), and, with r = A z - b in two
//! parts (r_x, r_c), norms l₁ throughout,
//!
//! > adaptive: ‖r‖ <= κ ‖b‖; where Δm is too small, μ grows by ν, κ shrinks by ν², and z is made more accurate
//! > fixed: ‖r‖ <= κ ‖b‖ and ‖r_c‖ <= max(κ₁ ‖b_x‖, β ‖b_c‖); or ‖r_x‖ <= ε ‖c‖ and ‖r_c‖ <= β ‖c‖, and then μ is raised until Δm is large enough
//!
//! Source: R. H. Byrd, F. E. Curtis & J. Nocedal, An Inexact SQP Method for Equality Constrained
//! Optimization, SIAM J. Optimization 19, 2008, for the fixed accuracy; both as in the experiments of
//! arXiv:2305.18379, whose constants these are: σ = 0.09, ν = 1.5; κ = 0.1, or κ = 1, κ₁ = 0.1, ε = 0.1, τ =
//! 0.1; slope's part 1e-8.

use nalgebra::DVector;
use quire_core::{About, Error, Options, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kkt::{Kkt, Point};
use super::krylov::Cycles;
use super::merit::first_fall;
use super::{Iterate, Rule, Task, baseline};

/// What decides on the accuracy of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Accuracy {
    /// κ shrinks where the step is not good enough.
    Adaptive,
    /// Tests with constants.
    Fixed,
}

/// Options of `l1-sqp`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct L1SqpOptions {
    /// What decides on the accuracy of a step.
    pub accuracy: Accuracy,
    /// μ at the start, the weight of ‖c‖₁. Paper: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub penalty: f64,
    /// GMRES vectors between two looks at the accuracy; then it starts again. Official code: 2 on CUTEst, 7
    /// on the PDE, 10 on logistic regression.
    #[schemars(range(min = 1, max = 10_000))]
    pub restart: usize,
    /// Stop when ‖(∇_x L, c)‖ is at most this. Paper: 1e-4.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
    /// ξ, what is added, together with ‖H‖, to the diagonal of a Hessian that is not positive definite along
    /// the constraints. Paper: 0.1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub shift: f64,
    /// Break off where λ_min(G Gᵀ) is less: the gradients of the constraints are nearly dependent. Official
    /// code: 1e-6.
    #[schemars(range(min = 0.0))]
    pub independence: f64,
}

impl Default for L1SqpOptions {
    fn default() -> Self {
        L1SqpOptions {
            accuracy: Accuracy::Adaptive,
            penalty: 1.0,
            restart: 10,
            tolerance: 1e-4,
            shift: 0.1,
            independence: 1e-6,
        }
    }
}

impl Options for L1SqpOptions {}

/// σ.
const SIGMA: f64 = 0.09;
/// ν.
const GROWTH: f64 = 1.5;
/// κ of the adaptive accuracy at the start.
const ADAPTIVE: f64 = 0.1;
/// κ, κ₁, ε and τ of the fixed one.
const FIXED: (f64, f64, f64, f64) = (1.0, 0.1, 0.1, 0.1);
/// What part of the slope's promise has to be kept.
const DECREASE: f64 = 1e-8;
/// Cycles of GMRES before a step is taken as it is.
const CYCLES: u32 = 10_000;

/// The method.
pub struct L1Sqp;

/// μ, and what says how accurate steps are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// μ.
    penalty: f64,
    /// κ of the adaptive accuracy.
    kappa: f64,
    /// β of the fixed one, from the start.
    beta: Option<f64>,
}

/// ‖·‖₁.
fn l1(x: impl IntoIterator<Item = impl std::borrow::Borrow<f64>>) -> f64 {
    x.into_iter().map(|x| x.borrow().abs()).sum()
}

/// What a step does to the model of φ.
struct Model {
    /// ∇f·d.
    slope: f64,
    /// max(½ dᵀ B d, 0).
    curvature: f64,
    /// ‖c‖₁.
    before: f64,
    /// ‖G d + c‖₁.
    after: f64,
}

impl Model {
    fn new(point: &Point, kkt: &Kkt, z: &DVector<f64>) -> Self {
        let d = z.rows(0, point.x.len());
        Model {
            slope: point.objective_gradient.dot(&d),
            curvature: (0.5 * d.dot(&(&kkt.modified * d))).max(0.0),
            before: l1(&point.constraint),
            after: l1(&(&point.jacobian * d + &point.constraint)),
        }
    }

    /// Δm.
    fn reduction(&self, penalty: f64) -> f64 {
        -self.slope - self.curvature + penalty * (self.before - self.after)
    }

    fn is_large_enough(&self, penalty: f64) -> bool {
        self.reduction(penalty) >= SIGMA * penalty * self.before.max(self.after - self.before)
    }
}

/// The adaptive accuracy: a step, with μ and κ as they have become.
fn adaptive(
    point: &Point,
    kkt: &Kkt,
    cycles: &mut Cycles,
    penalty: &mut f64,
    kappa: &mut f64,
) -> DVector<f64> {
    let enough = l1(&kkt.right);
    let mut z = cycles.solution();
    let mut goes_on = true;
    let mut count = 0;
    loop {
        while goes_on && count < CYCLES && l1(&(&kkt.matrix * &z - &kkt.right)) > *kappa * enough {
            goes_on = cycles.cycle();
            z = cycles.solution();
            count += 1;
        }
        if *penalty > 1e8 || Model::new(point, kkt, &z).is_large_enough(*penalty) {
            return z;
        }
        *penalty *= GROWTH;
        *kappa /= GROWTH * GROWTH;
    }
}

/// The fixed accuracy: a step, with μ as it has become.
fn fixed(point: &Point, kkt: &Kkt, cycles: &mut Cycles, penalty: &mut f64, beta: f64) -> DVector<f64> {
    let (kappa, kappa_1, epsilon, tau) = FIXED;
    let n = point.x.len();
    let parts = |r: &DVector<f64>| (l1(r.rows(0, n).iter()), l1(r.rows(n, r.len() - n).iter()));
    let (b_x, b_c) = parts(&kkt.right);
    for _ in 0..CYCLES {
        let goes_on = cycles.cycle();
        let z = cycles.solution();
        let (r_x, r_c) = parts(&(&kkt.matrix * &z - &kkt.right));
        let model = Model::new(point, kkt, &z);
        let is_good = r_x + r_c <= kappa * (b_x + b_c)
            && r_c <= (kappa_1 * b_x).max(beta * b_c)
            && model.is_large_enough(*penalty);
        let is_towards_feasibility = r_x <= epsilon * b_c && r_c <= beta * b_c;
        if is_good || is_towards_feasibility || !goes_on {
            break;
        }
    }
    let z = cycles.solution();
    let model = Model::new(point, kkt, &z);
    let gain = model.before - model.after;
    if !model.is_large_enough(*penalty) && gain > 0.0 {
        *penalty = penalty.max((model.slope + model.curvature) / ((1.0 - tau) * gain)) + 1e-4;
    }
    z
}

impl Rule for L1Sqp {
    type Options = L1SqpOptions;
    type Memory = Memory;

    const ABOUT: About = baseline(
        "l1-sqp",
        "inexact SQP: Newton steps on the KKT conditions by GMRES, judged by an l1 penalty",
        "Where products with the matrix are cheap and its factors are not. The penalty may refuse good steps near a solution.",
    );

    fn tolerance(options: &L1SqpOptions) -> f64 {
        options.tolerance
    }

    fn memory(options: &L1SqpOptions, _task: &Task) -> Memory {
        Memory { penalty: options.penalty, kappa: ADAPTIVE, beta: None }
    }

    fn penalty(memory: &Memory) -> f64 {
        memory.penalty
    }

    fn advance(
        options: &L1SqpOptions,
        task: &Task,
        memory: &mut Memory,
        iterate: &mut Iterate,
        point: &Point,
    ) -> Result<()> {
        let Memory { penalty, kappa, beta } = memory;
        let beta =
            *beta.get_or_insert_with(|| (l1(&point.gradient) / (l1(&point.constraint) + 1.0)).max(1.0));
        let kkt = Kkt::new(task, point, options.shift, options.independence)?;
        let mut cycles = Cycles::new(&kkt.matrix, &kkt.right, options.restart, 0.0)?;
        let z = match options.accuracy {
            Accuracy::Adaptive => adaptive(point, &kkt, &mut cycles, penalty, kappa),
            Accuracy::Fixed => fixed(point, &kkt, &mut cycles, penalty, beta),
        };
        iterate.flops += cycles.flops;
        iterate.linear_steps += cycles.products;

        let model = Model::new(point, &kkt, &z);
        let slope = model.slope - *penalty * (model.before - model.after);
        let now = point.value + *penalty * model.before;
        let n = point.x.len();
        let found = first_fall(now, DECREASE * slope, |alpha| {
            let x = &point.x + alpha * z.rows(0, n);
            iterate.evaluations += 1;
            (task.problem.value(&x) + *penalty * l1(&task.problem.constraint(&x)), x)
        });
        let Some((alpha, x)) = found else {
            return Err(Error::Diverged("no part of the step makes the penalty function fall".into()));
        };
        let multipliers = &point.multipliers + alpha * z.rows(n, kkt.size() - n);
        iterate.x.copy_from_slice(x.as_slice());
        iterate.multipliers.copy_from_slice(multipliers.as_slice());
        iterate.step_size = alpha;
        Ok(())
    }
}

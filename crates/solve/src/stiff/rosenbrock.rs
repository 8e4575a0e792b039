//! Rosenbrock methods: ROS2 (Verwer et al. 1999), of order 2 for any J, and ROS3 (Sandu et al. 1997), of order 3 with the exact one.
//!
//! In the form without products with J: with W = I/(γ h) - J,
//!
//! > W U_i = f(y + Σ a_ij U_j) + Σ_j (c_ij/h) U_j      y⁺ = y + Σ m_i U_i
//!
//! Steps to a tolerance take Σ e_i U_i, the difference from an embedded formula of one order less; for ROS2 that is y + h k_1.

use nalgebra::DVector;
use quire_core::{About, Options, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Jacobian, Plan, Scheme, Stepper, Tolerance, Work, baseline};

/// Options of `rosenbrock`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RosenbrockOptions {
    /// The order: ROS2 or ROS3.
    #[schemars(range(min = 2, max = 3))]
    pub order: u32,
    /// Steps from the start to the end.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub steps: u64,
    /// Tolerances to which steps are chosen, `steps` being ignored; none by default.
    pub adaptive: Option<Tolerance>,
    /// J; ROS3 has order 3 with the exact one only.
    pub jacobian: Jacobian,
}

impl Default for RosenbrockOptions {
    fn default() -> Self {
        RosenbrockOptions { order: 3, steps: 256, adaptive: None, jacobian: Jacobian::Exact }
    }
}

impl Options for RosenbrockOptions {}

/// The method.
pub struct Rosenbrock {
    order: u32,
}

/// γ of ROS2: 1 + 1/√2 is L-stable, and so is 1 - 1/√2, with a smaller error.
const GAMMA_2: f64 = 1.0 - std::f64::consts::FRAC_1_SQRT_2;
/// γ of ROS3.
const GAMMA_3: f64 = 0.435_866_521_508_459;
/// c_21, c_31, c_32 of ROS3.
const C: [f64; 3] = [-1.015_617_108_387_770_2, 4.075_995_645_253_77, 9.207_679_429_833_08];
/// m_i of ROS3.
const M: [f64; 3] = [1.0, 6.169_794_704_382_825, -0.427_722_565_432_185_73];
/// e_i of ROS3.
const E: [f64; 3] = [0.5, -2.907_955_871_680_547, 0.223_540_698_978_115_7];

impl Scheme for Rosenbrock {
    type Options = RosenbrockOptions;

    const ABOUT: About = baseline(
        "rosenbrock",
        "The Rosenbrock methods ROS2 and ROS3: one factorization a step, no iterations",
        "The usual choice for stiff equations at low accuracy with an exact Jacobian; L-stable.",
    );

    fn plan(options: &RosenbrockOptions) -> Plan {
        Plan { steps: options.steps, adaptive: options.adaptive, jacobian: options.jacobian }
    }

    fn new(options: &RosenbrockOptions) -> Result<Self> {
        Ok(Rosenbrock { order: options.order })
    }

    fn shifts(&self) -> Vec<f64> {
        vec![if self.order == 2 { GAMMA_2 } else { GAMMA_3 }]
    }

    fn order(&self) -> u32 {
        self.order
    }

    fn step(
        &self,
        at: &mut Stepper,
        y: &DVector<f64>,
        work: &mut Work,
        next: &mut DVector<f64>,
    ) -> Result<()> {
        let h = at.h;
        if self.order == 2 {
            // (I - γhJ) k_1 = f(y), (I - γhJ) k_2 = f(y + h k_1) - 2 k_1, y⁺ = y + 3/2 h k_1 + 1/2 h k_2.
            let [k1, k2] = work.vectors();
            at.slope(y, k1);
            at.solve(0, k1)?;
            combine(next, y, [(h, &*k1)]);
            at.slope(next, k2);
            k2.axpy(-2.0, k1, 1.0);
            at.solve(0, k2)?;
            combine(next, y, [(1.5 * h, &*k1), (0.5 * h, &*k2)]);
            return Ok(());
        }
        // W⁻¹ r = γ h (I - γhJ)⁻¹ r. Both later stages are at y + U_1.
        let [u1, u2, u3] = work.vectors();
        let scale = GAMMA_3 * h;
        at.slope(y, u1);
        at.solve(0, u1)?;
        *u1 *= scale;
        combine(next, y, [(1.0, &*u1)]);
        at.slope(next, u3);
        combine(u2, u3, [(C[0] / h, &*u1)]);
        at.solve(0, u2)?;
        *u2 *= scale;
        u3.axpy(C[1] / h, u1, 1.0);
        u3.axpy(C[2] / h, u2, 1.0);
        at.solve(0, u3)?;
        *u3 *= scale;
        combine(next, y, [(M[0], &*u1), (M[1], &*u2), (M[2], &*u3)]);
        Ok(())
    }

    fn embedded(&self, h: f64, work: &Work, error: &mut DVector<f64>) -> bool {
        error.fill(0.0);
        let factors: &[f64] = if self.order == 2 { &[0.5 * h, 0.5 * h] } else { &E };
        work.held().iter().zip(factors).for_each(|(stage, factor)| error.axpy(*factor, stage, 1.0));
        true
    }
}

/// `out <- y + Σ factor * vector`.
fn combine<const N: usize>(out: &mut DVector<f64>, y: &DVector<f64>, terms: [(f64, &DVector<f64>); N]) {
    out.copy_from(y);
    terms.into_iter().for_each(|(factor, vector)| out.axpy(factor, vector, 1.0));
}

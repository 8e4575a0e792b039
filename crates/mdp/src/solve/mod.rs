//! Exact solutions of a finite MDP that is known.
//!
//! | question | functions |
//! |---|---|
//! | discounted | [`value_iteration`], [`policy_iteration`], [`evaluate`], [`discounted_occupancy`] |
//! | episodic | [`backward_induction`], [`evaluate_episodic`], [`EpisodicEvaluator`], [`occupancy`] |
//! | average reward | [`relative_value_iteration`], [`gain_and_bias`], [`stationary_distribution`] |
//! | with caution | [`risk_sensitive_value_iteration`], [`risk_sensitive_evaluate`], [`risk_sensitive_action_values`], [`entropic_risk`], [`worst_model`] |
//! | in the worst model of a set | [`robust_value_iteration`], [`worst_case_kl`], [`worst_case_total_variation`] |
//! | two players | [`matrix_game`] |
//! | how hard to learn | [`effective_horizon`], [`covering_length`] |

mod average;
mod covering_length;
mod discounted;
mod effective_horizon;
mod episodic;
mod matrix_game;
mod risk;
mod robust;
mod worst_case;

pub use average::{AverageSolution, gain_and_bias, relative_value_iteration, stationary_distribution};
pub use covering_length::{CoveringLength, covering_length};
pub use discounted::{
    Solution, action_values, discounted_occupancy, evaluate, policy_iteration, value_iteration,
};
pub use effective_horizon::{EffectiveHorizon, effective_horizon};
pub use episodic::{EpisodicEvaluator, EpisodicSolution, backward_induction, evaluate_episodic, occupancy};
pub use matrix_game::{MatrixGame, matrix_game};
pub use risk::{
    entropic_risk, risk_sensitive_action_values, risk_sensitive_evaluate, risk_sensitive_value_iteration,
    worst_model,
};
pub use robust::{robust_action_values, robust_value_iteration};
pub use worst_case::{worst_case_kl, worst_case_total_variation};

use nalgebra::{DMatrix, DVector};
use quire_core::{Error, Result};

/// Solves the dense system `matrix x = right`. A singular matrix shows as a solution that does not satisfy it.
fn linear_solve(matrix: &DMatrix<f64>, right: Vec<f64>, what: &str) -> Result<Vec<f64>> {
    let right = DVector::from_vec(right);
    let singular =
        || Error::Failed(format!("{what} is not determined by the model: the linear system is singular"));
    let solution = matrix.clone().lu().solve(&right).ok_or_else(singular)?;
    let scale = right.amax().max(1.0);
    let residual = (matrix * &solution - &right).amax();
    if residual.is_nan() || residual > 1e-7 * scale || solution.amax() > 1e13 * scale {
        return Err(singular());
    }
    Ok(solution.as_slice().to_vec())
}

/// The greatest element and its first index.
pub(crate) fn maximum(values: impl Iterator<Item = f64>) -> (usize, f64) {
    let mut best = (0, f64::NEG_INFINITY);
    for (index, value) in values.enumerate() {
        if value > best.1 {
            best = (index, value);
        }
    }
    best
}

//! Standard errors: roots of the diagonal of the inverse of the observed information at the solution.
//!
//! Without a prior strengths have no scale of their own: the information is singular along (1, ..., 1). Its pseudo-inverse is the
//! covariance of strengths relative to their geometric mean, which is what the solution states. With a prior the inverse exists, and
//! the errors are those of the posterior's normal approximation, relative to the prior's average player.

use nalgebra::DMatrix;
use quire_core::{Error, Result};
use rayon::prelude::*;

use super::League;
use super::likelihood::{Likelihood, conjugate_gradients};

/// Up to so many values the information is inverted as a dense matrix.
pub const DENSE: usize = 1000;
/// Systems are solved to this part of their right side.
const EXACT: f64 = 1e-7;

/// The covariance of all values of a solution.
///
/// # Errors
/// An information that is singular (beyond the scale): a value that the games say nothing of.
pub fn covariance(league: &League, values: &[f64]) -> Result<DMatrix<f64>> {
    let mut likelihood = Likelihood::new(league);
    likelihood.linearize(values);
    let mut matrix = likelihood.dense();
    let players = league.games.players();
    // (M + c u uᵀ)⁻¹ - u uᵀ/c is the pseudo-inverse for the unit vector u = (1, ..., 1, 0, ...)/√n that spans what M maps to
    // 0; c of the size of M keeps it well conditioned.
    let weight = if league.is_free() { matrix.diagonal().max() } else { 0.0 };
    let mut block = matrix.view_mut((0, 0), (players, players));
    block.add_scalar_mut(weight / players as f64);
    let inverse = matrix.cholesky().ok_or_else(|| {
        Error::Failed("no standard errors: the information is singular at the solution".into())
    })?;
    let mut inverse = inverse.inverse();
    if weight > 0.0 {
        inverse.view_mut((0, 0), (players, players)).add_scalar_mut(-1.0 / (weight * players as f64));
    }
    Ok(inverse)
}

/// The standard errors of the values with these places: of all of them from the dense covariance where there are at most
/// [`DENSE`] values, and otherwise one linear system each.
///
/// # Errors
/// Those of [`covariance`].
pub fn standard_errors(league: &League, values: &[f64], which: &[usize]) -> Result<Vec<f64>> {
    if values.len() <= DENSE {
        let covariance = covariance(league, values)?;
        return Ok(which.iter().map(|&place| covariance[(place, place)].max(0.0).sqrt()).collect());
    }
    let mut likelihood = Likelihood::new(league);
    likelihood.linearize(values);
    let players = league.games.players();
    let one = |&place: &usize| {
        let mut right = vec![0.0; values.len()];
        right[place] = 1.0;
        if league.is_free() && place < players {
            right[..players].iter_mut().for_each(|r| *r -= 1.0 / players as f64);
        }
        let mut x = vec![0.0; values.len()];
        conjugate_gradients(&likelihood, &right, EXACT, 10_000, &mut x);
        x[place].max(0.0).sqrt()
    };
    Ok(which.par_iter().map(one).collect())
}

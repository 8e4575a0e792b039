//! Stochastic policies as tables of action probabilities, `[S, A]`.

use quire_core::{Artefact, Error, Result, Rng};
use rand::RngExt;

use crate::finite::FiniteMdp;

/// An artefact's file with a policy, `[S, A]`, little-endian f64.
pub const FILE: &str = "policy.f64";

/// The policy that an artefact holds.
///
/// # Errors
/// No such file, or one that is no policy for `mdp`.
pub fn read(artefact: &Artefact, mdp: &FiniteMdp) -> Result<Vec<f64>> {
    let policy = artefact.numbers(FILE)?;
    let is_distribution = |row: &[f64]| (row.iter().sum::<f64>() - 1.0).abs() < 1e-6;
    if policy.len() == mdp.states() * mdp.actions() && policy.chunks_exact(mdp.actions()).all(is_distribution)
    {
        return Ok(policy);
    }
    Err(Error::Failed(format!("the policy in {FILE} does not fit {}", artefact.problem)))
}

/// An action drawn from `probabilities`, `[A]`.
pub fn draw(probabilities: &[f64], rng: &mut Rng) -> usize {
    let mut left: f64 = rng.random();
    let chosen = probabilities.iter().position(|p| {
        left -= p;
        left < 0.0
    });
    // Rounding can leave a sliver above the last probability.
    chosen.unwrap_or(probabilities.len() - 1)
}

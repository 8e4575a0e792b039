//! Policies as tables: stochastic ones of action probabilities, `[S, A]`, and deterministic ones of a stage each, `[H, S]`.

use quire_core::{Artefact, Error, Result, Rng, Seeds};
use rand::RngExt;

use crate::finite::FiniteMdp;

/// An artefact's file with a policy, `[S, A]`, little-endian f64.
pub const FILE: &str = "policy.f64";

/// An artefact's file with a deterministic policy of every stage, `[H, S]`, as little-endian u32.
pub const STAGED_FILE: &str = "policy.u32";

/// The bytes of [`STAGED_FILE`].
pub fn staged_bytes(policy: &[usize]) -> Vec<u8> {
    policy.iter().flat_map(|&action| (action as u32).to_le_bytes()).collect()
}

/// The staged policy that an artefact holds.
///
/// # Errors
/// No such file, or one that is no policy of these sizes.
pub fn read_staged(artefact: &Artefact, horizon: usize, states: usize, actions: usize) -> Result<Vec<usize>> {
    let (numbers, rest) = artefact.file(STAGED_FILE)?.as_chunks::<4>();
    let policy: Vec<usize> = numbers.iter().map(|&bytes| u32::from_le_bytes(bytes) as usize).collect();
    if rest.is_empty() && policy.len() == horizon * states && policy.iter().all(|&action| action < actions) {
        return Ok(policy);
    }
    Err(Error::Failed(format!("the policy in {STAGED_FILE} does not fit {}", artefact.problem)))
}

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

/// Discounted returns of `episodes` walks of `steps` steps through `mdp`, each with a generator of its own split from `seed`;
/// `act` chooses the action in a state.
pub(crate) fn discounted_returns(
    mdp: &FiniteMdp,
    discount: f64,
    steps: usize,
    episodes: usize,
    seed: u64,
    act: impl Fn(usize, &mut Rng) -> usize,
) -> Vec<f64> {
    let walk = |episode| {
        let mut rng = Seeds::new(seed).nth("episode", episode).stream("episode");
        let mut state = mdp.sample_start(&mut rng);
        let mut sum = 0.0;
        for step in 0..steps {
            let action = act(state, &mut rng);
            sum += discount.powi(step as i32) * mdp.reward(state, action);
            state = mdp.sample_next(state, action, &mut rng);
        }
        sum
    };
    (0..episodes as u64).map(walk).collect()
}

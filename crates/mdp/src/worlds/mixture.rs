//! A random linear MDP.

use quire_core::{Error, Result, Rng, Seeds};

use crate::finite::FiniteMdp;
use crate::linear::Features;
use crate::posterior::GammaTable;

/// A linear MDP whose pairs are mixtures of `dimension` latent ones: φ(s, a) is Dirichlet(0.3); latent pair i has a
/// Dirichlet(0.3) next-state distribution μ_i, and the reward θ_i = (i/(d - 1))². Episodes start in state 0.
///
/// Source: ours.
///
/// # Errors
/// No states or actions, or fewer than two dimensions.
pub fn mixture(states: usize, actions: usize, dimension: usize, seed: u64) -> Result<(FiniteMdp, Features)> {
    if states == 0 || actions == 0 || dimension < 2 {
        return Err(Error::Usage(format!(
            "{states} states, {actions} actions and {dimension} latent pairs make no linear MDP"
        )));
    }
    let mut rng: Rng = Seeds::new(seed).stream("mixture");
    let mut table = GammaTable::default();
    let mut dirichlets = |rows: usize, width: usize, rng: &mut Rng| {
        let mut all = vec![0.3; rows * width];
        all.chunks_exact_mut(width).for_each(|row| table.dirichlet(row, rng));
        all
    };
    let features = Features::new(dimension, dirichlets(states * actions, dimension, &mut rng))?;
    let measure = dirichlets(dimension, states, &mut rng);
    let mut transitions = vec![0.0; states * actions * states];
    for (pair, row) in transitions.chunks_exact_mut(states).enumerate() {
        for (weight, measure) in features.of(pair).iter().zip(measure.chunks_exact(states)) {
            row.iter_mut().zip(measure).for_each(|(p, m)| *p += weight * m);
        }
    }
    let theta: Vec<f64> = (0..dimension).map(|i| (i as f64 / (dimension - 1) as f64).powi(2)).collect();
    let mut start = vec![0.0; states];
    start[0] = 1.0;
    let mdp = FiniteMdp::from_dense(states, actions, &transitions, features.dot(&theta), start)?;
    Ok((mdp, features))
}

//! Garnets: random sparse MDPs (Archibald, McKinnon & Thomas 1995).

use quire_core::{Error, Result, Rng, Seeds};
use rand::RngExt;
use rand::seq::index::sample;

use crate::finite::FiniteMdp;

/// A Garnet with `states` states, `actions` actions and `branching` next states for each pair.
///
/// Next states are drawn without replacement; `branching - 1` sorted uniform numbers cut [0, 1] into the probabilities; a
/// tenth of the states (at least one) pay a uniform reward in [0, 1] whatever the action. The start is uniform.
///
/// # Errors
/// Zero of anything, or more next states than states.
pub fn garnet(states: usize, actions: usize, branching: usize, seed: u64) -> Result<FiniteMdp> {
    if branching == 0 || branching > states {
        return Err(Error::option(
            "branching",
            format!("must lie in [1, {states}], the number of states; got {branching}"),
        ));
    }
    let seeds = Seeds::new(seed).child("garnet");
    let mut rng = seeds.stream("transitions");
    let rows: Vec<_> = (0..states * actions).map(|_| row(states, branching, &mut rng)).collect();
    let mut rng = seeds.stream("rewards");
    let mut rewards = vec![0.0; states * actions];
    for state in sample(&mut rng, states, (states / 10).max(1)) {
        rewards[state * actions..(state + 1) * actions].fill(rng.random());
    }
    FiniteMdp::from_rows(states, actions, rows, rewards, vec![1.0 / states as f64; states])
}

fn row(states: usize, branching: usize, rng: &mut Rng) -> Vec<(usize, f64)> {
    let next = sample(rng, states, branching);
    let mut cuts: Vec<f64> = (1..branching).map(|_| rng.random()).collect();
    cuts.sort_unstable_by(f64::total_cmp);
    cuts.insert(0, 0.0);
    cuts.push(1.0);
    next.into_iter().zip(cuts.windows(2)).map(|(next, cut)| (next, cut[1] - cut[0])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_garnet_has_its_shape_and_repeats_itself() {
        let mdp = garnet(50, 4, 3, 7).unwrap();
        assert_eq!(mdp.transitions(), 50 * 4 * 3);
        assert_eq!(mdp.rewards().iter().filter(|reward| **reward > 0.0).count(), 5 * 4);
        assert_eq!(mdp, garnet(50, 4, 3, 7).unwrap());
        assert_ne!(mdp, garnet(50, 4, 3, 8).unwrap());
        assert!(garnet(3, 1, 4, 0).unwrap_err().to_string().contains("`branching`"));
    }
}

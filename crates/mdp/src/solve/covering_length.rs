//! How long random play takes to have tried everything: the covering length.
//!
//! It is the least number of episodes of uniformly random actions after which, with probability 1/2 or more, every pair of a state
//! and an action that such episodes can reach has been tried. With w_t(s, a) the probability that a random episode takes a in s at
//! stage t, an episode tries the pair with a probability p between max_t w_t and Σ_t w_t, so that
//!
//! > ln ½ / ln(1 - min Σ_t w_t)  ≤  L  ≤  the least n with Σ_{s, a} (1 - max_t w_t)^n ≤ ½  ≤  ln(2 S A) / min max_t w_t
//!
//! from the rarest pair, and from a union bound over all pairs. Ends are left out: what is done there does not matter.
//!
//! Learners that explore by chance and then plan with what they saw need the covering length; the [effective
//! horizon](super::effective_horizon) is mostly far shorter.
//!
//! Source: C. Laidlaw, S. Russell & A. Dragan, *Bridging RL theory and practice with the effective horizon*, NeurIPS 2023,
//! arXiv:2304.09853, which bounds it from above by the last term, and the official code of arXiv:2312.08369 for the occupancies.
//! The two tighter bounds are ours.

use super::occupancy;
use crate::finite::FiniteMdp;

/// Halvings of an interval that the search for n takes at most.
const HALVINGS: usize = 200;

/// What random episodes try.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CoveringLength {
    /// Pairs that random episodes can try.
    pub pairs: usize,
    /// min over pairs of max_t w_t: how likely the rarest pair is at its best stage.
    pub least_occupancy: f64,
    /// min over pairs of Σ_t w_t: how often an episode tries the rarest pair, on average.
    pub least_visits: f64,
    /// No fewer episodes than this do.
    pub at_least: f64,
    /// This many episodes do.
    pub at_most: f64,
    /// The paper's bound, ln(2 S A)/`least_occupancy` with all states and actions counted.
    pub simple_bound: f64,
}

/// Analyses episodes of `horizon` steps, at least 1. Costs one sweep over all transitions a stage.
///
/// Probabilities that are too small for a double count as 0.
pub fn covering_length(mdp: &FiniteMdp, horizon: usize) -> CoveringLength {
    let (states, actions) = (mdp.states(), mdp.actions());
    let pairs = states * actions;
    let uniform = vec![1.0 / actions as f64; horizon * pairs];
    let mut occupancies = vec![(0.0_f64, 0.0_f64); pairs];
    for stage in occupancy(mdp, &uniform).chunks_exact(pairs) {
        for ((greatest, sum), &w) in occupancies.iter_mut().zip(stage) {
            (*greatest, *sum) = (greatest.max(w), *sum + w);
        }
    }
    let counts = |(pair, (greatest, _)): &(usize, (f64, f64))| *greatest > 0.0 && !mdp.is_end(pair / actions);
    let tried: Vec<(f64, f64)> =
        occupancies.into_iter().enumerate().filter(counts).map(|(_, both)| both).collect();
    if tried.is_empty() {
        let (sure, none) = (1.0, 0.0);
        return CoveringLength {
            pairs: 0,
            least_occupancy: sure,
            least_visits: sure,
            at_least: none,
            at_most: none,
            simple_bound: none,
        };
    }
    let least = |(a, b): (f64, f64), &(c, d): &(f64, f64)| (a.min(c), b.min(d));
    let (least_occupancy, least_visits) = tried.iter().fold((f64::INFINITY, f64::INFINITY), least);
    CoveringLength {
        pairs: tried.len(),
        least_occupancy,
        least_visits,
        at_least: episodes_for(least_visits),
        at_most: union_bound(tried.iter().map(|pair| pair.0)),
        simple_bound: (2.0 * pairs as f64).ln() / least_occupancy,
    }
}

/// Episodes until what happens with probability `p` in each has happened with probability 1/2; one if it is sure.
fn episodes_for(p: f64) -> f64 {
    if p >= 1.0 { 1.0 } else { (0.5_f64.ln() / (-p).ln_1p()).ceil().max(1.0) }
}

/// The least whole n with Σ (1 - p)^n ≤ 1/2.
fn union_bound(probabilities: impl Iterator<Item = f64> + Clone) -> f64 {
    let missed = |episodes: f64| -> f64 {
        probabilities.clone().map(|p| (episodes * (-p).ln_1p()).exp()).sum::<f64>()
    };
    let mut high = 1.0;
    while missed(high) > 0.5 {
        high *= 2.0;
    }
    let mut low = high / 2.0;
    for _ in 0..HALVINGS {
        let middle = (0.5 * (low + high)).floor();
        if middle <= low || middle >= high {
            break;
        }
        if missed(middle) > 0.5 { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;
    use rand::RngExt;

    use super::*;
    use crate::worlds::{chain, garnet, trap};

    /// trap-2: an episode tries both actions of the start with probability 1/2, those behind action B with 1/4.
    #[test]
    fn the_trap_by_hand() {
        let found = covering_length(&trap(2).unwrap(), 2);
        assert_eq!((found.pairs, found.least_occupancy, found.least_visits), (4, 0.25, 0.25));
        // (3/4)^n ≤ 1/2 at n = 3; 2 (1/2)^n + 2 (3/4)^n is 0.535 at n = 5 and 0.387 at n = 6.
        assert_eq!((found.at_least, found.at_most), (3.0, 6.0));
        assert!((found.simple_bound - 12.0_f64.ln() / 0.25).abs() < 1e-12);
        // The second stage is not reached in episodes of one step.
        let short = covering_length(&trap(2).unwrap(), 1);
        assert_eq!((short.pairs, short.least_occupancy, short.at_least), (2, 0.5, 1.0));
    }

    /// Random episodes, until everything was tried: half of the counts are at most L.
    #[test]
    fn simulated_covering_lies_between_the_bounds() {
        for (seed, mdp, horizon) in
            [(1, garnet(12, 2, 2, 3).unwrap(), 8), (2, chain(6).unwrap(), 12), (3, trap(3).unwrap(), 3)]
        {
            let found = covering_length(&mdp, horizon);
            assert!(found.least_occupancy <= found.least_visits && found.at_least <= found.at_most);
            assert!(found.at_most <= found.simple_bound.ceil());
            let mut rng = Seeds::new(seed).stream("episodes");
            let mut episodes = || {
                let mut tried = vec![false; mdp.states() * mdp.actions()];
                let mut left = found.pairs;
                for episode in 1.. {
                    let mut state = mdp.sample_start(&mut rng);
                    for _ in 0..horizon {
                        if mdp.is_end(state) {
                            break;
                        }
                        let action = rng.random_range(0..mdp.actions());
                        let tried = &mut tried[state * mdp.actions() + action];
                        left -= usize::from(!*tried);
                        *tried = true;
                        state = mdp.sample_next(state, action, &mut rng);
                    }
                    if left == 0 {
                        return f64::from(episode);
                    }
                }
                unreachable!("every pair is tried at last")
            };
            let mut counts: Vec<f64> = (0..400).map(|_| episodes()).collect();
            counts.sort_by(f64::total_cmp);
            let median = counts[200];
            // A tenth of room for chance.
            assert!(
                (0.9 * found.at_least..=1.1 * found.at_most).contains(&median),
                "{median} not in {found:?}"
            );
        }
    }

    #[test]
    fn where_everything_is_tried_at_once_one_episode_does() {
        let sure = FiniteMdp::from_rows(1, 1, [vec![(0, 1.0)]], vec![1.0], vec![1.0]).unwrap();
        let found = covering_length(&sure, 3);
        assert_eq!((found.pairs, found.at_least, found.at_most), (1, 1.0, 1.0));
    }
}

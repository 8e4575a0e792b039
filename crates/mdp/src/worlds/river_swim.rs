//! RiverSwim: swim against the current for a large reward, or drift for a small one.

use quire_core::{Error, Result};

use crate::finite::FiniteMdp;

/// RiverSwim with `states` states in a row (Strehl & Littman 2008, in the form of Osband, Russo & Van Roy 2013).
///
/// Action 0 swims left and always succeeds. Action 1 swims right: in the first state it stays with probability 0.4 and
/// advances with 0.6; in the middle it falls back with 0.05, stays with 0.6, advances with 0.35; in the last it stays
/// with 0.6 and falls back with 0.4. Swimming left in the first state pays 0.005, swimming right in the last pays 1.
///
/// # Errors
/// Fewer than two states.
pub fn river_swim(states: usize) -> Result<FiniteMdp> {
    if states < 2 {
        return Err(Error::option("states", format!("must be at least 2; got {states}")));
    }
    let last = states - 1;
    let mut rewards = vec![0.0; 2 * states];
    rewards[0] = 0.005;
    rewards[2 * last + 1] = 1.0;
    let rows = (0..states).flat_map(|state| {
        let right = match state {
            0 => vec![(0, 0.4), (1, 0.6)],
            _ if state == last => vec![(last - 1, 0.4), (last, 0.6)],
            _ => vec![(state - 1, 0.05), (state, 0.6), (state + 1, 0.35)],
        };
        [vec![(state.saturating_sub(1), 1.0)], right]
    });
    let mut start = vec![0.0; states];
    start[0] = 1.0;
    FiniteMdp::from_rows(states, 2, rows, rewards, start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solve::backward_induction;

    /// The value for 4 states and 14 steps, computed beside it: 3.499.
    #[test]
    fn the_optimal_value_is_the_published_one() {
        let solution = backward_induction(&river_swim(4).unwrap(), 14);
        assert!((solution.values[0] - 3.499).abs() < 5e-4, "{}", solution.values[0]);
    }
}

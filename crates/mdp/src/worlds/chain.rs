//! The N-chain: a long walk that only pays at its far end.

use quire_core::{Error, Result};

use crate::finite::FiniteMdp;

/// A chain of `states` states for deep exploration (Osband et al. 2016). Action 0 steps left and action 1 right, surely;
/// acting left in the first state pays 0.001, acting right in the last pays 1. Every episode starts in the second state.
///
/// # Errors
/// Fewer than three states.
pub fn chain(states: usize) -> Result<FiniteMdp> {
    if states < 3 {
        return Err(Error::option("states", format!("must be at least 3; got {states}")));
    }
    let last = states - 1;
    let rows = (0..states)
        .flat_map(|state| [vec![(state.saturating_sub(1), 1.0)], vec![((state + 1).min(last), 1.0)]]);
    let mut rewards = vec![0.0; 2 * states];
    rewards[0] = 0.001;
    rewards[2 * last + 1] = 1.0;
    let mut start = vec![0.0; states];
    start[1] = 1.0;
    FiniteMdp::from_rows(states, 2, rows, rewards, start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solve::backward_induction;

    #[test]
    fn walking_right_is_optimal() {
        for states in [5, 25] {
            let horizon = states + 9;
            let solution = backward_induction(&chain(states).unwrap(), horizon);
            // N - 2 unpaid steps, then one unit a step.
            assert_eq!(solution.values[1], (horizon - (states - 2)) as f64);
            assert_eq!(solution.policy[1], 1);
        }
    }
}

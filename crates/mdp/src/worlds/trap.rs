//! Traps: a sure reward now that looks better than what random play makes of a greater one later.

use quire_core::{Error, Result};

use crate::finite::FiniteMdp;

/// A trap of `depth` k steps: in state 0 action 0 pays 0.6 and ends, action 1 leads on to a chain of k - 1 states; in each of
/// them action 0 leads on - from the last one with a reward of 1 to the end - and action 1 ends without reward.
///
/// Random play makes 2^-(k-1) of the chain, so that one has to look k steps ahead, no fewer: the trap of depth k is
/// k-QVI-solvable and not (k-1)-QVI-solvable. Depth 2 is the smallest; 1 would have no chain. The states are 0, the chain,
/// the end. Ours.
///
/// # Errors
/// A depth below 2.
pub fn trap(depth: usize) -> Result<FiniteMdp> {
    if depth < 2 {
        return Err(Error::option("depth", format!("must be at least 2; got {depth}")));
    }
    let end = depth;
    let rows = (0..=depth).flat_map(|state| match state {
        0 => [vec![(end, 1.0)], vec![(1, 1.0)]],
        state if state < end => [vec![(state + 1, 1.0)], vec![(end, 1.0)]],
        _ => [vec![(end, 1.0)], vec![(end, 1.0)]],
    });
    let mut rewards = vec![0.0; 2 * (depth + 1)];
    rewards[0] = 0.6;
    rewards[2 * (depth - 1)] = 1.0;
    let mut start = vec![0.0; depth + 1];
    start[0] = 1.0;
    FiniteMdp::from_rows(depth + 1, 2, rows, rewards, start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solve::effective_horizon;

    #[test]
    fn a_trap_of_depth_k_takes_k_looks() {
        for depth in 2..6 {
            let found = effective_horizon(&trap(depth).unwrap(), depth);
            assert_eq!((found.solvable_at, found.optimal_return), (depth, 1.0), "{found:?}");
            assert_eq!(found.greedy_returns[..depth - 1], vec![0.6; depth - 1]);
        }
        assert!(trap(1).is_err());
    }
}

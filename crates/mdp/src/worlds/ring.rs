//! The ring: a cycle of states with noisy steps around it.

use quire_core::{Error, Result};

use crate::finite::FiniteMdp;

/// A ring with these rewards by state, any action paying the reward of the state it is taken in. The three actions mean
/// to move by -1, 0 and +1; the move happens with probability 1 - 2 `slip`, and is shifted by -1 or by +1 with
/// probability `slip` each. The start is uniform.
///
/// # Errors
/// Fewer than three states, or a `slip` outside [0, 1/2].
pub fn ring(rewards: &[f64], slip: f64) -> Result<FiniteMdp> {
    let states = rewards.len();
    if states < 3 {
        return Err(Error::option("rewards", format!("needs at least 3 states; got {states}")));
    }
    if !(0.0..=0.5).contains(&slip) {
        return Err(Error::option("slip", format!("must lie in [0, 0.5]; got {slip}")));
    }
    let rows = (0..states).flat_map(|state| {
        (0..3).map(move |action| {
            let at = |shift: usize| (state + states + action + shift - 2) % states;
            vec![(at(0), slip), (at(1), 1.0 - 2.0 * slip), (at(2), slip)]
        })
    });
    let rewards = rewards.iter().flat_map(|&reward| [reward; 3]).collect();
    FiniteMdp::from_rows(states, 3, rows, rewards, vec![1.0 / states as f64; states])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_shift_around_the_ring() {
        let mdp = ring(&[0.0, 1.0, 2.0, 3.0], 0.1).unwrap();
        // From state 0, action 0 (-1) means to reach 3, and slips to 2 and 0.
        assert_eq!(mdp.row(0, 0), ([0, 2, 3].as_slice(), [0.1, 0.1, 0.8].as_slice()));
        assert_eq!(mdp.row(3, 2), ([0, 1, 3].as_slice(), [0.8, 0.1, 0.1].as_slice()));
        assert_eq!(mdp.reward(2, 1), 2.0);
        assert!(ring(&[0.0; 4], 0.6).is_err());
    }
}

//! GridWorld: walk to a corner over slippery ground (the dynamics of the library rlberry).

use quire_core::{Error, Result};

use crate::finite::FiniteMdp;

/// A grid of `rows` x `columns` without inner walls. The start is (0, 0); acting in the opposite corner pays 1; nothing is
/// terminal.
///
/// Actions are left, right, down (row + 1), up (row - 1). A move that stays in the grid succeeds with probability
/// `success`, and the rest is split evenly over the *other* neighbors in the grid; a move against the border leaves the
/// state as it is with certainty. State (row, column) has the number row x columns + column.
///
/// # Errors
/// An empty grid, or a `success` outside [0, 1].
pub fn grid_world(rows: usize, columns: usize, success: f64) -> Result<FiniteMdp> {
    if rows == 0 || columns == 0 || rows * columns < 2 {
        return Err(Error::option("rows", format!("a grid of {rows} x {columns} has nowhere to go")));
    }
    if !(0.0..=1.0).contains(&success) {
        return Err(Error::option("success", format!("must lie in [0, 1]; got {success}")));
    }
    let states = rows * columns;
    let neighbor = |state: usize, action: usize| {
        let (row, column) = (state / columns, state % columns);
        match action {
            0 => column.checked_sub(1).map(|column| row * columns + column),
            1 => (column + 1 < columns).then(|| state + 1),
            2 => (row + 1 < rows).then(|| state + columns),
            _ => row.checked_sub(1).map(|row| row * columns + column),
        }
    };
    let table = (0..states).flat_map(|state| {
        (0..4).map(move |action| {
            let Some(target) = neighbor(state, action) else { return vec![(state, 1.0)] };
            let others: Vec<usize> =
                (0..4).filter(|&other| other != action).filter_map(|other| neighbor(state, other)).collect();
            if others.is_empty() {
                return vec![(target, 1.0)];
            }
            let slip = (1.0 - success) / others.len() as f64;
            let mut row = vec![(target, success)];
            row.extend(others.into_iter().map(|other| (other, slip)));
            row
        })
    });
    let mut rewards = vec![0.0; 4 * states];
    rewards[4 * (states - 1)..].fill(1.0);
    let mut start = vec![0.0; states];
    start[0] = 1.0;
    FiniteMdp::from_rows(states, 4, table, rewards, start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solve::backward_induction;

    /// Optimal values of the authors' environment, computed beside it.
    #[test]
    fn optimal_values_are_the_published_ones() {
        let published = [
            (10, 50, 26.135270073685),
            (5, 20, 9.481658375370),
            (4, 12, 4.276538403116),
            (3, 10, 4.861950103704),
        ];
        for (side, horizon, value) in published {
            let solution = backward_induction(&grid_world(side, side, 0.8).unwrap(), horizon);
            assert!((solution.values[0] - value).abs() < 1e-10, "{side}: {}", solution.values[0]);
        }
    }

    /// The uniformly random policy's value, from the same place: forward in time, by occupancies.
    #[test]
    fn the_uniform_policys_value_is_the_published_one() {
        let mdp = grid_world(10, 10, 0.8).unwrap();
        let occupancy = crate::solve::occupancy(&mdp, &vec![0.25; 50 * 100 * 4]);
        let value: f64 = occupancy.iter().zip(mdp.rewards().iter().cycle()).map(|(p, r)| p * r).sum();
        assert!((value - 0.018261505336).abs() < 1e-11, "{value}");
    }
}

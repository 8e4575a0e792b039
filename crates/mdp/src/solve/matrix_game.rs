//! Zero-sum matrix games.

/// The solution of a matrix game.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixGame {
    /// What the row player, who maximizes, can be sure of.
    pub value: f64,
    /// Probabilities of the rows.
    pub rows: Vec<f64>,
    /// Probabilities of the columns, the minimizing player's.
    pub columns: Vec<f64>,
}

/// Solves max_x min_y xᵀ M y for `payoff` M, `[rows, columns]`, by the simplex method with Bland's rule: with M shifted to be
/// positive, max Σ z with M z ≤ 1, z ≥ 0 has the value 1/v, its solution is y/v and its dual solution x/v.
///
/// # Panics
/// If `payoff` is empty, has another shape, or is not finite.
pub fn matrix_game(payoff: &[f64], columns: usize) -> MatrixGame {
    assert!(columns > 0 && !payoff.is_empty() && payoff.len().is_multiple_of(columns), "a payoff matrix");
    assert!(payoff.iter().all(|x| x.is_finite()), "payoffs are finite");
    let rows = payoff.len() / columns;
    let least = payoff.iter().copied().fold(f64::INFINITY, f64::min);
    let scale = payoff.iter().map(|x| x - least).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    // The tableau: columns of z, of the slacks, and the right side; the last row holds the negative objective.
    let width = columns + rows + 1;
    let mut tableau = vec![0.0; (rows + 1) * width];
    for row in 0..rows {
        for column in 0..columns {
            tableau[row * width + column] = (payoff[row * columns + column] - least) / scale + 1.0;
        }
        tableau[row * width + columns + row] = 1.0;
        tableau[row * width + width - 1] = 1.0;
    }
    tableau[rows * width..][..columns].fill(-1.0);
    let mut basis: Vec<usize> = (columns..columns + rows).collect();
    while let Some(entering) = (0..width - 1).find(|&column| tableau[rows * width + column] < -1e-12) {
        let mut leaving: Option<(usize, f64)> = None;
        for row in (0..rows).filter(|row| tableau[row * width + entering] > 1e-12) {
            let ratio = tableau[row * width + width - 1] / tableau[row * width + entering];
            let better = leaving.is_none_or(|(best, least)| {
                ratio < least - 1e-15 || (ratio <= least + 1e-15 && basis[row] < basis[best])
            });
            if better {
                leaving = Some((row, ratio));
            }
        }
        let (pivot, _) = leaving.expect("a positive matrix bounds the program");
        let divisor = tableau[pivot * width + entering];
        tableau[pivot * width..][..width].iter_mut().for_each(|x| *x /= divisor);
        for row in (0..=rows).filter(|&row| row != pivot) {
            let factor = tableau[row * width + entering];
            for column in 0..width {
                tableau[row * width + column] -= factor * tableau[pivot * width + column];
            }
        }
        basis[pivot] = entering;
    }
    let total = tableau[rows * width + width - 1];
    let mut solution = MatrixGame {
        value: least + scale * (1.0 / total - 1.0),
        rows: (0..rows).map(|row| tableau[rows * width + columns + row].max(0.0) / total).collect(),
        columns: vec![0.0; columns],
    };
    for (row, &variable) in basis.iter().enumerate().filter(|(_, variable)| **variable < columns) {
        solution.columns[variable] = tableau[row * width + width - 1].max(0.0) / total;
    }
    solution
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;
    use rand::RngExt;

    use super::*;

    fn near(a: &[f64], b: &[f64]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12)
    }

    #[test]
    fn games_by_hand() {
        // Matching pennies; a saddle point; 2 x 2 without one: value (ad - bc)/(a + d - b - c).
        let pennies = matrix_game(&[1.0, -1.0, -1.0, 1.0], 2);
        assert!(pennies.value.abs() < 1e-12 && near(&pennies.rows, &[0.5, 0.5]));
        assert!(near(&pennies.columns, &[0.5, 0.5]));
        let saddle = matrix_game(&[3.0, 2.0, 1.0, 0.0], 2);
        assert!((saddle.value - 2.0).abs() < 1e-12 && near(&saddle.rows, &[1.0, 0.0]));
        let mixed = matrix_game(&[0.7, 0.1, 0.2, 0.6], 2);
        assert!((mixed.value - 0.4).abs() < 1e-12, "{mixed:?}");
        assert!(near(&mixed.rows, &[0.4, 0.6]) && near(&mixed.columns, &[0.5, 0.5]), "{mixed:?}");
        assert_eq!(matrix_game(&[0.3; 6], 3).value, 0.3);
    }

    /// Neither player gains by any pure answer to the other's strategy, which is what optimal means.
    #[test]
    fn random_games_have_no_gain_from_deviating() {
        let mut rng = Seeds::new(0).stream("games");
        for game in 0..200 {
            let (rows, columns) = (1 + game % 5, 1 + game / 7 % 6);
            let payoff: Vec<f64> = (0..rows * columns).map(|_| rng.random::<f64>() - 0.5).collect();
            let solution = matrix_game(&payoff, columns);
            assert!((solution.rows.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            assert!((solution.columns.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            for row in payoff.chunks_exact(columns) {
                let paid: f64 = row.iter().zip(&solution.columns).map(|(m, y)| m * y).sum();
                assert!(paid <= solution.value + 1e-9);
            }
            for column in 0..columns {
                let paid: f64 =
                    (0..rows).map(|row| payoff[row * columns + column] * solution.rows[row]).sum();
                assert!(paid >= solution.value - 1e-9);
            }
        }
    }
}

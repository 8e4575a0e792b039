//! Players ranked by a few games, and a sparse system solved by conjugate gradients.
#![allow(clippy::print_stdout)]

use quire::core::Result;
use quire::solve::linear::conjugate_gradient::{ConjugateGradient, ConjugateGradientOptions};
use quire::solve::linear::{Sparse, System};
use quire::solve::ranking::errors::standard_errors;
use quire::solve::ranking::{Game, League, Model, Newman, NewmanOptions};
use quire::solve::solver::{Method, solve};

fn main() -> Result<()> {
    // Player 0 beat 1 twice and lost once, and so on in a circle.
    let wins = [(0, 1), (0, 1), (1, 0), (1, 2), (1, 2), (2, 1), (0, 2), (2, 0), (0, 2)];
    let games = wins.map(|(winner, loser)| Game::new(winner, loser)).to_vec();
    let league = League::new(3, games, Model::default())?;
    let found = solve(&mut Newman::new(&league, NewmanOptions::default())?, &league, 1000);
    let errors = standard_errors(&league, &found.values, &[0, 1, 2])?;
    println!("{} after {} sweeps", found.reason, found.iterations);
    for (player, (strength, error)) in found.values.iter().zip(errors).enumerate() {
        println!("player {player}: {strength:.2} ± {error:.2}");
    }

    // The second difference on a thousand points, x = 1.
    let n = 1000_u32;
    let entries: Vec<(u32, u32, f64)> = (0..n)
        .flat_map(|i| [(i, i, 2.0), (i, i + 1, -1.0), (i + 1, i, -1.0)])
        .filter(|&(i, j, _)| i < n && j < n)
        .collect();
    let matrix = Sparse::new(n as usize, n as usize, &entries)?;
    let mut right = vec![0.0; n as usize];
    matrix.times(&vec![1.0; n as usize], &mut right);
    let system = System::new(matrix, right)?;
    let mut gradients = ConjugateGradient::new(&system, ConjugateGradientOptions::default())?;
    let found = solve(&mut gradients, &system, 5000);
    let error = found.values.iter().map(|x| (x - 1.0).abs()).fold(0.0, f64::max);
    println!("{}: {} iterations, largest error {error:.0e}", found.reason, found.iterations);
    Ok(())
}

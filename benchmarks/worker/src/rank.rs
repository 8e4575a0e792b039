//! Ranking players by their games.

use std::hint::black_box;
use std::time::Instant;

use quire_core::{Error, Result, Seeds};
use quire_solve::ranking::{Game, League, Model, Newman, NewmanOptions, zermelo};
use quire_solve::{Solution, solver::Method, solver::solve};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde_json::{Value, json};

use crate::work::{Request, Work};

/// Largest change of π/(π+1) at the end.
const TOLERANCE: f64 = 1e-6;

/// The works of this file.
pub fn works() -> Vec<Work> {
    vec![
        Work {
            name: "rank",
            summary: "strengths of players from a list of games, by newman: sorting the games, and all sweeps",
            run: |request| rank(request, false),
        },
        Work {
            name: "rank zermelo",
            summary: "the same by Hunter's MM, for its number of iterations",
            run: |request| rank(request, true),
        },
    ]
}

/// A circle of wins, so that strengths exist, and games between random players of strengths e^{N(0, 1/4)}.
fn games(players: u32, count: usize, seed: u64) -> Vec<Game> {
    let mut rng = Seeds::new(seed).stream("games");
    let strengths: Vec<f64> = (0..players).map(|_| 0.5 * rng.sample::<f64, _>(StandardNormal)).collect();
    let mut games: Vec<Game> = (0..players).map(|i| Game::new(i, (i + 1) % players)).collect();
    while games.len() < count {
        let a = rng.random_range(0..players);
        let b = (a + rng.random_range(1..players)) % players;
        let wins = 1.0 / (1.0 + (strengths[b as usize] - strengths[a as usize]).exp());
        games.push(if rng.random::<f64>() < wins { Game::new(a, b) } else { Game::new(b, a) });
    }
    games
}

fn rank(request: &Request, mm: bool) -> Result<Value> {
    let small = request.repetitions.is_some();
    let players = request.number("players", if small { 1e3 } else { 1e5 }) as usize;
    let list =
        games(players as u32, request.number("games", if small { 1e4 } else { 1e6 }) as usize, request.seed);
    for _ in 1..request.repetitions.unwrap_or(1) {
        let league = League::new(players, list.clone(), Model::default())?;
        black_box(run(&league, mm)?);
    }
    let start = Instant::now();
    let league = League::new(players, list, Model::default())?;
    let sorted = start.elapsed().as_secs_f64();
    let solution = run(&league, mm)?;
    let seconds = start.elapsed().as_secs_f64();
    if !solution.is_converged() {
        return Err(Error::Failed(format!("not converged: {}", solution.reason)));
    }
    black_box(&solution.values);
    Ok(json!({ "seconds": seconds, "sorting": sorted, "iterations": solution.iterations }))
}

fn run(league: &League, mm: bool) -> Result<Solution> {
    Ok(if mm {
        let options = zermelo::ZermeloOptions { tolerance: TOLERANCE };
        solve(&mut zermelo::Mm::new(league, options)?, league, 100_000)
    } else {
        let options = NewmanOptions { tolerance: TOLERANCE, ..NewmanOptions::default() };
        solve(&mut Newman::new(league, options)?, league, 100_000)
    })
}

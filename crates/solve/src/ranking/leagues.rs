//! The problems: leagues that a seed draws, whose strengths are to be found under the logistic prior, those of a star by maximum likelihood.
//!
//! | problem | players | games | log strengths |
//! |---|---|---|---|
//! | `league` | 50 | 2000 between random players | N(0, 1) |
//! | `league-wide` | 50 | 2000 between random players | N(0, 9): one-sided |
//! | `league-sparse` | 100 | 400 between random players | N(0, 1) |
//! | `league-chain` | 30 in a row | 600 between neighbours | N(0, 1/4) |
//! | `league-grid` | 100 on a square | 2000 between neighbours | N(0, 1/4) |
//! | `league-cliques` | two halves of 25 | 1000 within each, 5 between them | N(0, 1) |
//! | `league-star` | 49 who meet one more only | 9800, of which each wins one and loses one to begin with | N(0, 4), without a prior |
//! | `league-ties` | 30 | 1000 between random players, with Davidson's ties (ν = 0.4) and a home advantage (h = 0.4) | N(0, 1) |

use std::sync::Arc;

use quire_core::{Direction, Entry, Metric, Problem, Result, Rng, Seeds};
use rand::RngExt;
use rand_distr::StandardNormal;

use super::games::outcome;
use super::likelihood::Likelihood;
use super::newton::{Newton, NewtonOptions};
use super::{Game, Home, League, METHODS, Model, Ties, lbfgs, newman, zermelo};
use crate::problem::{Said, SolveProblem, World};
use crate::solver::{Make, Method, entry, solve};

/// ν and h of `league-ties`.
const TIES: (f64, f64) = (0.4, 0.4);
/// Fresh games of a score.
const FRESH: usize = 1000;

/// Who meets whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Anybody.
    Random,
    /// Neighbors in a row.
    Chain,
    /// Neighbors on a square.
    Grid,
    /// Two halves, joined by five games.
    Cliques,
    /// All others against the first.
    Star,
}

/// How a league is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leagues {
    /// The number of players.
    pub players: usize,
    /// The number of games.
    pub games: usize,
    /// Standard deviation of log strengths.
    pub spread: f64,
    /// Who meets whom.
    pub schedule: Schedule,
    /// Whether there are ties and home games.
    pub ties: bool,
    /// Fictitious wins and losses of each player; 0 is maximum likelihood.
    pub prior: f64,
}

/// What a drawn league came from, and what is to be found.
pub struct Drawn {
    /// The strengths that the games were drawn from.
    pub strengths: Vec<f64>,
    /// The posterior's greatest point.
    pub solution: Vec<f64>,
    /// Its log-likelihood.
    pub best: f64,
}

/// Those methods that also estimate ties and a home advantage.
const EXTENDED: &[Entry<Make<League>>] = &[
    entry::<League, newman::Newman>(),
    entry::<League, zermelo::Zermelo>(),
    entry::<League, zermelo::Mm>(),
    entry::<League, Newton>(),
    entry::<League, lbfgs::Lbfgs>(),
];

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let plain = |players, games, spread, schedule| Leagues {
        players,
        games,
        spread,
        schedule,
        ties: false,
        prior: 1.0,
    };
    let listed = [
        (
            "league",
            "rank 50 players by 2000 games between any of them",
            plain(50, 2000, 1.0, Schedule::Random),
        ),
        (
            "league-wide",
            "rank 50 players of very different strengths by 2000 games",
            plain(50, 2000, 3.0, Schedule::Random),
        ),
        ("league-sparse", "rank 100 players by 400 games", plain(100, 400, 1.0, Schedule::Random)),
        (
            "league-chain",
            "rank 30 players in a row by 600 games between neighbors",
            plain(30, 600, 0.5, Schedule::Chain),
        ),
        (
            "league-grid",
            "rank 100 players on a square by 2000 games between neighbors",
            plain(100, 2000, 0.5, Schedule::Grid),
        ),
        (
            "league-cliques",
            "rank two halves of 25 players with five games between them",
            plain(50, 2005, 1.0, Schedule::Cliques),
        ),
        (
            "league-star",
            "rank 49 players by their games against one more, without a prior",
            Leagues { prior: 0.0, ..plain(50, 9800, 2.0, Schedule::Star) },
        ),
        (
            "league-ties",
            "rank 30 players by 1000 games with ties and a home advantage, both to be estimated",
            Leagues { ties: true, ..plain(30, 1000, 1.0, Schedule::Random) },
        ),
    ];
    let problem = |(name, summary, leagues): (&'static str, &'static str, Leagues)| {
        let said = Said {
            name,
            summary,
            budget: 5000,
            source: "generated, in the manner of arXiv:2207.00076",
            tags: if leagues.prior == 0.0 {
                &["ranking", "bradley-terry", "maximum likelihood"]
            } else {
                &["ranking", "bradley-terry", "maximum a posteriori"]
            },
            work: "passes over the games",
        };
        let table = if leagues.ties { EXTENDED } else { METHODS };
        Arc::new(SolveProblem::new(said, table, leagues)) as Arc<dyn Problem>
    };
    listed.into_iter().map(problem).collect()
}

impl Leagues {
    /// Two players to meet, as game number `index`.
    fn meeting(&self, index: usize, rng: &mut Rng) -> (usize, usize) {
        let other = |first: usize, count: usize, rng: &mut Rng| (first + rng.random_range(1..count)) % count;
        let n = self.players;
        match self.schedule {
            Schedule::Random => {
                let first = rng.random_range(0..n);
                (first, other(first, n, rng))
            }
            Schedule::Chain => {
                let first = rng.random_range(0..n - 1);
                (first, first + 1)
            }
            Schedule::Grid => {
                let side = n.isqrt();
                let (line, step) = (rng.random_range(0..side), rng.random_range(0..side - 1));
                if rng.random() {
                    (line * side + step, line * side + step + 1)
                } else {
                    (step * side + line, (step + 1) * side + line)
                }
            }
            Schedule::Cliques => {
                let half = n / 2;
                if index < 5 {
                    return (rng.random_range(0..half), half + rng.random_range(0..half));
                }
                let first = rng.random_range(0..half);
                let (second, start) = (other(first, half, rng), (index % 2) * half);
                (start + first, start + second)
            }
            Schedule::Star => (rng.random_range(1..n), 0),
        }
    }

    /// A game between them.
    fn play(&self, (first, second): (usize, usize), strengths: &[f64], rng: &mut Rng) -> Game {
        let (nu, home) = if self.ties { TIES } else { (0.0, 0.0) };
        let found = outcome(strengths[first] - strengths[second] + home, nu);
        let (wins, draw) = (found.score - found.tie / 2.0, rng.random::<f64>());
        let place = |home| self.ties.then_some(home);
        if draw < wins {
            Game { home: place(Home::Winner), ..Game::new(first as u32, second as u32) }
        } else if draw < wins + found.tie {
            Game { home: place(Home::Winner), ..Game::tie(first as u32, second as u32) }
        } else {
            Game { home: place(Home::Loser), ..Game::new(second as u32, first as u32) }
        }
    }
}

impl World for Leagues {
    type Instance = League;
    type Truth = Drawn;

    const SCORE: &'static str = "log_loss";

    fn draw(&self, seed: u64) -> Result<(League, Drawn)> {
        let mut rng = Seeds::new(seed).stream("league");
        let strengths: Vec<f64> =
            (0..self.players).map(|_| self.spread * rng.sample::<f64, _>(StandardNormal)).collect();
        let list: Vec<Game> = (0..self.games)
            .map(|index| {
                // A win and a loss of each, without which there are no finite strengths.
                if self.schedule == Schedule::Star && index < 2 * (self.players - 1) {
                    let (leaf, is_win) = (1 + index as u32 / 2, index % 2 == 0);
                    return if is_win { Game::new(leaf, 0) } else { Game::new(0, leaf) };
                }
                let meeting = self.meeting(index, &mut rng);
                self.play(meeting, &strengths, &mut rng)
            })
            .collect();
        let ties = if self.ties { Ties::Davidson } else { Ties::HalfWin };
        let league = League::new(self.players, list, Model { prior: self.prior, ties, home: self.ties })?;
        let options = NewtonOptions { tolerance: 1e-13, ..NewtonOptions::default() };
        let solution = solve(&mut Newton::new(&league, options)?, &league, 200).values;
        let best = log_likelihood(&league, &solution);
        Ok((league, Drawn { strengths, solution, best }))
    }

    fn metrics(&self) -> Vec<Metric> {
        let metric = |name, unit, summary| Metric { name, unit, direction: Direction::Lower, summary };
        vec![
            metric(
                "error",
                "",
                "largest error of a log strength (and of ln ν and h) against the exact solution",
            ),
            metric("shortfall", "nats", "log-likelihood below the greatest"),
        ]
    }

    fn measure(&self, league: &League, truth: &Drawn, values: &[f64]) -> Vec<(&'static str, f64)> {
        let error = values.iter().zip(&truth.solution).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        vec![("error", error), ("shortfall", (truth.best - log_likelihood(league, values)).max(0.0))]
    }

    /// Mean -ln P of fresh games between random players.
    fn score(&self, league: &League, truth: &Drawn, values: &[f64], rng: &mut Rng) -> f64 {
        let (strengths, nu, home) = league.parts(values);
        let anybody = Leagues { schedule: Schedule::Random, ..*self };
        let loss = |_| {
            let meeting = anybody.meeting(0, rng);
            let game = anybody.play(meeting, &truth.strengths, rng);
            let home = game.home.map_or(0.0, |side| if side == Home::Winner { home } else { -home });
            let found = outcome(strengths[game.winner as usize] - strengths[game.loser as usize] + home, nu);
            -(if game.is_tie { found.tie } else { found.score - found.tie / 2.0 }).max(1e-300).ln()
        };
        (0..FRESH).map(loss).sum::<f64>() / FRESH as f64
    }

    fn length(&self, league: &League) -> usize {
        league.length()
    }
}

/// The log-likelihood at `values`, prior included.
pub fn log_likelihood(league: &League, values: &[f64]) -> f64 {
    Likelihood::new(league).value_and_gradient(values, &mut vec![0.0; values.len()])
}

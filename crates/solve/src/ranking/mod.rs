//! Family: the strengths of players from the games they played.
//!
//! The model is Bradley & Terry's, with Davidson's ties and a home advantage if wanted ([`games`]); what the methods look for is its
//! maximum-likelihood or maximum-a-posteriori point, and they differ in how fast they come there. A solution is laid out as
//! s = ln π of all players, then ln ν if ties are Davidson's, then h = ln θ if there is a home advantage. Without a prior the strengths'
//! geometric mean is 1.
//!
//! | file | what it holds |
//! |---|---|
//! | [`newman`] | Newman's iteration, and the family from it to Zermelo's |
//! | [`zermelo`] | its slow member, in place and, as Hunter's MM, synchronously |
//! | [`newton`], [`lbfgs`] | the likelihood as a concave function |
//! | [`elo`] | Elo's ratings, game after game |
//! | [`games`], [`connection`] | sparse rows of games, the model; who is connected with whom |
//! | [`likelihood`], [`errors`] | the likelihood, its derivatives; standard errors |
//! | [`leagues`] | the problems: leagues that a seed draws |
//! | [`file`](mod@file), [`own`] | a user's own games, ranked |

pub mod connection;
pub mod elo;
pub mod errors;
pub mod file;
pub mod games;
pub mod lbfgs;
pub mod leagues;
pub mod likelihood;
pub mod newman;
pub mod newton;
pub mod own;
pub mod zermelo;

use quire_core::{Entry, Error, Result};

pub use connection::Connection;
pub use games::{Game, Games, Home, Model, Row, Ties};
pub use leagues::problems;
pub use newman::{Newman, NewmanOptions};

use crate::solver::{Make, entry};

/// The methods of this family.
pub const METHODS: &[Entry<Make<League>>] = &[
    entry::<League, Newman>(),
    entry::<League, zermelo::Zermelo>(),
    entry::<League, zermelo::Mm>(),
    entry::<League, newton::Newton>(),
    entry::<League, lbfgs::Lbfgs>(),
    entry::<League, elo::Elo>(),
];

/// What their residual is.
const CHANGE: &str = "largest change of π/(π+1)";

/// Games and the model of them: what a method of this family solves.
#[derive(Debug, Clone)]
pub struct League {
    /// The games by rows.
    pub games: Games,
    /// The games in the order they were played.
    pub list: Vec<Game>,
    /// What is estimated.
    pub model: Model,
}

impl League {
    /// Games of `players` players, who are numbers from 0.
    ///
    /// # Errors
    /// Impossible games; a model whose likelihood has no greatest point: without a prior if scores do not connect all players,
    /// Davidson's without a tie or without anything else, a home advantage where nobody is at home.
    pub fn new(players: usize, list: Vec<Game>, model: Model) -> Result<Self> {
        let games = Games::new(players, &list)?;
        if !(model.prior >= 0.0 && model.prior.is_finite()) {
            return Err(Error::Usage(format!(
                "the prior's weight must be finite and at least 0; got {}",
                model.prior
            )));
        }
        if model.prior == 0.0 {
            let connection = Connection::new(&games);
            if !connection.is_strong() {
                let said = connection.describe(|player| player.to_string()).join("; ");
                return Err(Error::Failed(format!(
                    "without a prior these games have no finite strengths: {said}"
                )));
            }
        }
        if model.ties == Ties::Davidson && !(games.has_ties() && list.iter().any(|game| !game.is_tie)) {
            return Err(Error::Failed(
                "Davidson's model needs a tie and a game that is none; count ties as half a win".into(),
            ));
        }
        if model.home && list.iter().all(|game| game.home.is_none()) {
            return Err(Error::Failed("a home advantage cannot be told: nobody is at home".into()));
        }
        Ok(League { games, list, model })
    }

    /// Length of a solution.
    pub fn length(&self) -> usize {
        self.games.players() + usize::from(self.model.ties == Ties::Davidson) + usize::from(self.model.home)
    }

    /// Parts of a solution: log strengths, ν, h.
    pub fn parts<'v>(&self, values: &'v [f64]) -> (&'v [f64], f64, f64) {
        let (strengths, rest) = values.split_at(self.games.players());
        let nu = if self.model.ties == Ties::Davidson { rest[0].exp() } else { 0.0 };
        let home = if self.model.home { rest[rest.len() - 1] } else { 0.0 };
        (strengths, nu, home)
    }

    /// Whether strengths have no scale of their own.
    pub fn is_free(&self) -> bool {
        self.model.prior == 0.0
    }
}

/// π/(π + 1) of a log strength: the probability of beating a player of strength 1.
pub fn beats_average(s: f64) -> f64 {
    1.0 / (1.0 + (-s).exp())
}

/// The largest difference of π/(π+1) between two solutions.
pub fn largest_change(before: &[f64], after: &[f64]) -> f64 {
    let changes = before.iter().zip(after).map(|(a, b)| (beats_average(*a) - beats_average(*b)).abs());
    // A maximum that does not swallow what is no number.
    changes.fold(0.0, |most, change| if change > most || change.is_nan() { change } else { most })
}

/// Shifts log strengths to mean 0: strengths to geometric mean 1.
pub fn center(strengths: &mut [f64]) {
    let mean = strengths.iter().sum::<f64>() / strengths.len().max(1) as f64;
    strengths.iter_mut().for_each(|s| *s -= mean);
}

#[cfg(test)]
mod tests;

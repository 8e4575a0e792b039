//! Elo's ratings: game after game, the winner gains K (1 - q) points and the loser loses them, where q was the expected score.
//!
//! An iteration goes once through all games in the order they were played, from where the last one ended. With a constant K the
//! ratings follow players whose strength changes, but keep wandering around the point of greatest likelihood; going through the games
//! again and again they settle on values that depend on the games' order.
//!
//! Source: A. E. Elo, *The Rating of Chessplayers, Past and Present*, 1978. 400 points are a factor of 10 in strength.

use quire_core::{About, Error, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::games::outcome;
use super::{CHANGE, Home, League, Ties, largest_change};
use crate::solver::{Method, Solver, Step};

/// Log strength of one point.
pub const POINT: f64 = std::f64::consts::LN_10 / 400.0;

/// Options of `elo`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EloOptions {
    /// K: points that a game moves at most. Chess: 10 to 40.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub k_factor: f64,
    /// Points of a home advantage, added to who is at home.
    #[schemars(range(min = -1000.0, max = 1000.0))]
    pub home_points: f64,
    /// Stop when a pass changes no π/(π+1) by more.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub tolerance: f64,
}

impl Default for EloOptions {
    fn default() -> Self {
        EloOptions { k_factor: 32.0, home_points: 0.0, tolerance: 1e-6 }
    }
}

impl Options for EloOptions {}

/// The method.
pub struct Elo {
    options: EloOptions,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    /// Log strengths.
    values: Vec<f64>,
    passes: u64,
}

impl Method<League> for Elo {
    type Options = EloOptions;

    const ABOUT: About = About {
        name: "elo",
        summary: "Elo's ratings, game after game in the order they were played",
        when: "Where strengths change and every game must count at once. For strengths that hold over all games it is neither exact nor \
               independent of the games' order: use newman.",
        wing: "solve",
        family: "ranking",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(league: &League, options: EloOptions) -> Result<Self> {
        options::check(&options)?;
        if league.model.ties == Ties::Davidson || league.model.home {
            return Err(Error::Usage(
                "elo estimates no weight of ties and no home advantage: ties count as half a win, home_points sets the advantage"
                    .into(),
            ));
        }
        Ok(Elo { options, place: Place { values: vec![0.0; league.games.players()], passes: 0 } })
    }
}

impl Solver<League> for Elo {
    fn iterate(&mut self, league: &League) -> Result<Step> {
        let EloOptions { k_factor, home_points, tolerance } = self.options;
        let values = &mut self.place.values;
        let before = values.clone();
        for game in &league.list {
            let home = match game.home {
                Some(Home::Winner) => home_points,
                Some(Home::Loser) => -home_points,
                None => 0.0,
            };
            let (a, b) = (game.winner as usize, game.loser as usize);
            let expected = outcome(values[a] - values[b] + home * POINT, 0.0).score;
            let score = if game.is_tie { 0.5 } else { 1.0 };
            let gain = k_factor * POINT * game.weight * (score - expected);
            values[a] += gain;
            values[b] -= gain;
        }
        self.place.passes += 1;
        Ok(Step::judged(largest_change(&before, values), tolerance, CHANGE))
    }

    fn values(&self) -> Vec<f64> {
        self.place.values.clone()
    }

    fn work(&self) -> f64 {
        self.place.passes as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("elo", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("elo", saved)?;
        Ok(())
    }
}

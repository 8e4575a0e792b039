//! Games as sparse rows, and the model of their outcomes.
//!
//! With d = s_i - s_j + v h, where s are logarithms of strengths, h that of the home advantage and v is 1, 0 or -1 as player i
//! plays at home, nowhere in particular, or away, and Z = e^{d/2} + e^{-d/2} + 2ν:
//!
//! > P(i beats j) = e^{d/2}/Z      P(tie) = 2ν/Z      q = E(score) = (e^{d/2} + ν)/Z
//!
//! Without ties (ν = 0) and home advantage this is Bradley & Terry's π_i/(π_i + π_j); with ν it is Davidson's (1970) model. If a
//! home advantage multiplies strengths in it, the tie's weight sqrt(π_i π_j) takes it along: a tie stays most likely between equals on
//! the day.

use quire_core::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who of two players was at home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Home {
    /// The winner, or the first of a tie.
    Winner,
    /// The loser, or the second of a tie.
    Loser,
}

/// One game, or several alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Game {
    /// The player who won; of a tie, the first.
    pub winner: u32,
    /// The player who lost; of a tie, the second.
    pub loser: u32,
    /// How many games it counts for, > 0.
    pub weight: f64,
    /// Whether nobody won.
    pub is_tie: bool,
    /// Who was at home, if anybody.
    pub home: Option<Home>,
}

impl Game {
    /// A game on neutral ground.
    pub fn new(winner: u32, loser: u32) -> Self {
        Game { winner, loser, weight: 1.0, is_tie: false, home: None }
    }

    /// A tie on neutral ground.
    pub fn tie(first: u32, second: u32) -> Self {
        Game { is_tie: true, ..Game::new(first, second) }
    }
}

/// How ties enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ties {
    /// A tie is half a win of either player.
    #[default]
    HalfWin,
    /// Davidson's model, whose weight of ties ν is estimated.
    Davidson,
}

/// What is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Model {
    /// Fictitious wins and as many losses of each player against one of strength 1; 0 is maximum likelihood, 1 the logistic prior on
    /// log strengths.
    pub prior: f64,
    /// How ties enter.
    pub ties: Ties,
    /// Whether a home advantage is estimated.
    pub home: bool,
}

/// The games of one player, sorted by opponent and venue; games alike are one entry.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Opponents.
    pub opponents: &'a [u32],
    /// Own scores a_ij: wins and half of the ties.
    pub own: &'a [f64],
    /// The opponent's scores a_ji.
    pub other: &'a [f64],
    /// Ties among them, t_ij.
    pub ties: &'a [f64],
    /// v: 1 at home, -1 away, 0 neither.
    pub venues: &'a [i8],
}

/// All games, by rows; each is in the rows of both players.
#[derive(Debug, Clone, PartialEq)]
pub struct Games {
    offsets: Vec<usize>,
    opponents: Vec<u32>,
    own: Vec<f64>,
    other: Vec<f64>,
    ties: Vec<f64>,
    venues: Vec<i8>,
}

/// All games of two players at one venue, told from the side of the smaller number.
#[derive(Clone, Copy)]
struct Meeting {
    first: u32,
    second: u32,
    venue: i8,
    own: f64,
    other: f64,
    ties: f64,
}

impl Games {
    /// Sorts games into rows.
    ///
    /// # Errors
    /// A player out of range or against itself, a weight that is not positive and finite; more than 2³² games.
    pub fn new(players: usize, games: &[Game]) -> Result<Self> {
        for (index, game) in games.iter().enumerate() {
            check(index, game, players)?;
        }
        if u32::try_from(games.len()).is_err() {
            return Err(Error::Usage(format!("{} games; at most 2^32 can be ranked at once", games.len())));
        }
        let meetings = meetings(players, games);
        // A row begins with the smaller numbers, for whom this player is the second; both parts come in the order of the meetings.
        let mut offsets = vec![0; players + 1];
        let mut seconds = vec![0; players];
        for meeting in &meetings {
            offsets[meeting.first as usize + 1] += 1;
            offsets[meeting.second as usize + 1] += 1;
            seconds[meeting.second as usize] += 1;
        }
        (0..players).for_each(|player| offsets[player + 1] += offsets[player]);
        let mut as_second = offsets[..players].to_vec();
        let mut as_first: Vec<usize> =
            as_second.iter().zip(&seconds).map(|(start, count)| start + count).collect();
        let entries = offsets[players];
        let mut sorted = Games {
            offsets,
            opponents: vec![0; entries],
            own: vec![0.0; entries],
            other: vec![0.0; entries],
            ties: vec![0.0; entries],
            venues: vec![0; entries],
        };
        for pair in meetings.chunk_by(|a, b| (a.first, a.second) == (b.first, b.second)) {
            let (first, second) = (pair[0].first as usize, pair[0].second as usize);
            for (k, meeting) in pair.iter().enumerate() {
                let Meeting { first: i, second: j, venue, own, other, ties } = *meeting;
                sorted.set(as_first[first] + k, (j, venue, own, other, ties));
                // Seen from the other side, venues come in the opposite order.
                sorted.set(as_second[second] + pair.len() - 1 - k, (i, -venue, other, own, ties));
            }
            as_first[first] += pair.len();
            as_second[second] += pair.len();
        }
        Ok(sorted)
    }

    fn set(&mut self, at: usize, (opponent, venue, own, other, ties): (u32, i8, f64, f64, f64)) {
        self.opponents[at] = opponent;
        self.venues[at] = venue;
        self.own[at] = own;
        self.other[at] = other;
        self.ties[at] = ties;
    }

    /// The number of players.
    pub fn players(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The games of a player.
    pub fn row(&self, player: usize) -> Row<'_> {
        let range = self.offsets[player]..self.offsets[player + 1];
        Row {
            opponents: &self.opponents[range.clone()],
            own: &self.own[range.clone()],
            other: &self.other[range.clone()],
            ties: &self.ties[range.clone()],
            venues: &self.venues[range],
        }
    }

    /// True if some game was a tie.
    pub fn has_ties(&self) -> bool {
        self.ties.iter().any(|&ties| ties > 0.0)
    }

    /// Every entry once: those of the smaller number's row. Calls `visit(i, j, v, a_ij, a_ji, t_ij)`.
    pub fn pairs(&self, mut visit: impl FnMut(usize, usize, i8, f64, f64, f64)) {
        for player in 0..self.players() {
            let row = self.row(player);
            let first = row.opponents.partition_point(|&opponent| (opponent as usize) < player);
            for k in first..row.opponents.len() {
                visit(
                    player,
                    row.opponents[k] as usize,
                    row.venues[k],
                    row.own[k],
                    row.other[k],
                    row.ties[k],
                );
            }
        }
    }
}

fn check(index: usize, game: &Game, players: usize) -> Result<()> {
    let Game { winner, loser, weight, .. } = *game;
    let wrong = |problem: &str| Err(Error::Usage(format!("game {index}: {problem}")));
    if winner as usize >= players || loser as usize >= players {
        return wrong(&format!("players {winner} and {loser} of {players}, counted from 0"));
    }
    if winner == loser {
        return wrong(&format!("player {winner} against itself"));
    }
    if !(weight > 0.0 && weight.is_finite()) {
        return wrong(&format!("its weight must be positive and finite; got {weight}"));
    }
    Ok(())
}

/// Games alike added up, by first player, second player and venue.
fn meetings(players: usize, games: &[Game]) -> Vec<Meeting> {
    // Only numbers are sorted: by first player at once, then a row at a time by second player and place in the list.
    let first = |game: &Game| game.winner.min(game.loser) as usize;
    let mut starts = vec![0; players + 1];
    games.iter().for_each(|game| starts[first(game) + 1] += 1);
    (0..players).for_each(|player| starts[player + 1] += starts[player]);
    let mut next = starts.clone();
    let mut keys = vec![0_u64; games.len()];
    for (index, game) in games.iter().enumerate() {
        let place = &mut next[first(game)];
        keys[*place] = u64::from(game.winner.max(game.loser)) << 32 | index as u64;
        *place += 1;
    }
    let mut meetings = Vec::with_capacity(games.len());
    for player in 0..players {
        let row = &mut keys[starts[player]..starts[player + 1]];
        row.sort_unstable();
        for pair in row.chunk_by(|a, b| a >> 32 == b >> 32) {
            let mut venues: [Option<Meeting>; 3] = [None; 3];
            for key in pair {
                let Game { winner, loser, weight, is_tie, home } = games[*key as u32 as usize];
                let sign = if winner < loser { 1 } else { -1 };
                let venue = home.map_or(0, |home| if home == Home::Winner { sign } else { -sign });
                let (own, other, ties) = match is_tie {
                    true => (weight / 2.0, weight / 2.0, weight),
                    false if winner < loser => (weight, 0.0, 0.0),
                    false => (0.0, weight, 0.0),
                };
                let (first, second) = (winner.min(loser), winner.max(loser));
                let none = Meeting { first, second, venue, own: 0.0, other: 0.0, ties: 0.0 };
                let meeting = venues[(venue + 1) as usize].get_or_insert(none);
                meeting.own += own;
                meeting.other += other;
                meeting.ties += ties;
            }
            meetings.extend(venues.into_iter().flatten());
        }
    }
    meetings
}

/// Numbers of one difference d of log strengths, free of overflow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// q, the expected score.
    pub score: f64,
    /// P(tie).
    pub tie: f64,
    /// ln Z.
    pub log_sum: f64,
    /// ∂²ln Z/∂d².
    pub curvature: f64,
    /// ∂²ln Z/∂d∂ln ν.
    pub cross: f64,
}

/// The outcome probabilities at a difference d with ν.
pub fn outcome(d: f64, nu: f64) -> Outcome {
    let r = (-0.5 * d.abs()).exp();
    let square = r * r;
    let sum = 1.0 + square + 2.0 * nu * r;
    let better = (1.0 + nu * r) / sum;
    let cross = nu * r * (1.0 - square) / (sum * sum);
    Outcome {
        score: if d >= 0.0 { better } else { 1.0 - better },
        tie: 2.0 * nu * r / sum,
        log_sum: 0.5 * d.abs() + sum.ln(),
        curvature: (square + 0.5 * nu * r * (1.0 + square)) / (sum * sum),
        cross: if d >= 0.0 { -cross } else { cross },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn games_alike_are_one_entry_in_both_rows() {
        let games = [
            Game::new(0, 1),
            Game::new(1, 0),
            Game { weight: 2.0, ..Game::new(0, 1) },
            Game::tie(1, 0),
            Game { home: Some(Home::Loser), ..Game::new(2, 0) },
        ];
        let games = Games::new(3, &games).unwrap();
        let row = games.row(0);
        assert_eq!((row.opponents, row.venues), (&[1, 2][..], &[0, 1][..]));
        assert_eq!((row.own, row.other, row.ties), (&[3.5, 0.0][..], &[1.5, 1.0][..], &[1.0, 0.0][..]));
        assert_eq!((games.row(1).own, games.row(2).venues), (&[1.5][..], &[-1][..]));
        let mut seen = Vec::new();
        games.pairs(|i, j, v, a, b, t| seen.push((i, j, v, a, b, t)));
        assert_eq!(seen, [(0, 1, 0, 3.5, 1.5, 1.0), (0, 2, 1, 0.0, 1.0, 0.0)]);
    }

    #[test]
    fn impossible_games_are_named() {
        let error = |game| Games::new(2, &[Game::new(0, 1), game]).unwrap_err().to_string();
        assert_eq!(error(Game::new(0, 2)), "game 1: players 0 and 2 of 2, counted from 0");
        assert_eq!(error(Game::new(1, 1)), "game 1: player 1 against itself");
        assert!(error(Game { weight: 0.0, ..Game::new(0, 1) }).contains("weight"));
        assert!(error(Game { weight: f64::NAN, ..Game::new(0, 1) }).contains("weight"));
    }

    #[test]
    fn outcomes_are_those_of_the_formulas() {
        // π = 4 against 1, ν = 0.5: D = 4 + 1 + 2 = 7; wins 4/7, ties 2/7.
        let found = outcome(4.0_f64.ln(), 0.5);
        assert!((found.score - 5.0 / 7.0).abs() < 1e-15 && (found.tie - 2.0 / 7.0).abs() < 1e-15);
        assert!((found.log_sum - 3.5_f64.ln()).abs() < 1e-15);
        let plain = outcome(-3.0_f64.ln(), 0.0);
        assert!((plain.score - 0.25).abs() < 1e-15 && (plain.curvature - 3.0 / 16.0).abs() < 1e-15);
        let far = outcome(-2000.0, 0.3);
        assert_eq!((far.score, far.curvature, far.log_sum), (0.0, 0.0, 1000.0));
    }

    proptest! {
        #[test]
        fn curvatures_are_derivatives(d in -8.0..8.0_f64, nu in 0.0..4.0_f64) {
            let h = 1e-5;
            let slope = (outcome(d + h, nu).score - outcome(d - h, nu).score) / (2.0 * h);
            prop_assert!((slope - outcome(d, nu).curvature).abs() < 1e-8);
            let scores = |nu: f64| outcome(d, nu).score;
            let by_nu = (scores(nu + h) - scores((nu - h).max(0.0))) / (h + h.min(nu));
            prop_assert!((by_nu * nu - outcome(d, nu).cross).abs() < 1e-4);
            let sum = (outcome(d + h, nu).log_sum - outcome(d - h, nu).log_sum) / (2.0 * h);
            prop_assert!((sum - (outcome(d, nu).score - 0.5)).abs() < 1e-8);
        }

        #[test]
        fn both_rows_tell_the_same_games(
            games in prop::collection::vec((0_u32..6, 0_u32..6, 0.5..2.0_f64, any::<bool>(), 0..3_u8), 0..60)
        ) {
            let games: Vec<Game> = games
                .into_iter()
                .filter(|game| game.0 != game.1)
                .map(|(winner, loser, weight, is_tie, home)| Game {
                    winner, loser, weight, is_tie,
                    home: [None, Some(Home::Winner), Some(Home::Loser)][home as usize],
                })
                .collect();
            let sorted = Games::new(6, &games).unwrap();
            let mut total = 0.0;
            for player in 0..6 {
                let row = sorted.row(player);
                for k in 0..row.opponents.len() {
                    let back = sorted.row(row.opponents[k] as usize);
                    let mirror = (0..back.opponents.len())
                        .find(|&m| back.opponents[m] as usize == player && back.venues[m] == -row.venues[k])
                        .unwrap();
                    prop_assert!((back.own[mirror] - row.other[k]).abs() < 1e-12);
                    total += row.own[k];
                }
            }
            prop_assert!((total - games.iter().map(|game| game.weight).sum::<f64>()).abs() < 1e-9);
        }
    }
}

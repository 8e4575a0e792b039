//! A user's own games, ranked: strengths, standard errors, what the ranking leaves open, and what the games cannot tell.

use quire_core::{Error, OptionMap, Result};
use serde::Serialize;

use super::errors::{DENSE, covariance, standard_errors};
use super::file::Played;
use super::leagues::log_likelihood;
use super::{Connection, League, METHODS, Model, Ties, beats_average};
use crate::solver::solve;

/// Two-sided 95 % of a normal distribution.
const NORMAL: f64 = 1.959_963_984_540_054;
/// The tolerance unless the user sets another: the methods' own leaves four digits.
const TOLERANCE: f64 = 1e-9;

/// Whose standard errors are wanted. Up to [`DENSE`] players they come at once; beyond, each costs a linear system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errors {
    /// Everybody's.
    All,
    /// Everybody's if that is cheap, otherwise those of the first so many.
    First(usize),
    /// Nobody's.
    None,
}

/// How to rank.
#[derive(Debug, Clone)]
pub struct How {
    /// A method of the family.
    pub method: String,
    /// Its options.
    pub set: OptionMap,
    /// How ties enter.
    pub ties: Ties,
    /// Whether to estimate a home advantage if somebody is at home.
    pub home: bool,
    /// The prior's weight; without one it is 0 where strengths exist without a prior, and 1 with a warning where they do not.
    pub prior: Option<f64>,
    /// Iterations, at most.
    pub iterations: u64,
    /// Whose standard errors.
    pub errors: Errors,
}

impl Default for How {
    fn default() -> Self {
        How {
            method: "newman".into(),
            set: OptionMap::new(),
            ties: Ties::HalfWin,
            home: true,
            prior: None,
            iterations: 100_000,
            errors: Errors::First(20),
        }
    }
}

/// A number with its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Its standard error, if it was asked for.
    pub error: Option<f64>,
}

/// A player's place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Place {
    /// 1 is the strongest.
    pub rank: usize,
    /// The best and the worst rank that the differences from the others leave open, each at 95 %: one more than those who are
    /// significantly stronger, and all but those significantly weaker. Known for up to [`DENSE`] players.
    pub ranks: Option<[usize; 2]>,
    /// The name.
    pub player: String,
    /// s = ln π.
    pub strength: f64,
    /// Its standard error, if known.
    pub error: Option<f64>,
    /// s ± 1.96 standard errors.
    pub interval: Option<[f64; 2]>,
    /// π/(π + 1), the probability of beating a player of average strength.
    pub beats_average: f64,
    /// Games, by weight.
    pub games: f64,
    /// Games won.
    pub wins: f64,
    /// Games lost.
    pub losses: f64,
    /// Games tied.
    pub ties: f64,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranked {
    /// The method.
    pub method: String,
    /// The number of players.
    pub players: usize,
    /// Rows of the file.
    pub rows: usize,
    /// Games, by weight.
    pub games: f64,
    /// The prior's weight.
    pub prior: f64,
    /// Whether the stopping rule was met.
    pub converged: bool,
    /// Why the method ended.
    pub reason: String,
    /// Its iterations.
    pub iterations: u64,
    /// Its passes over the games.
    pub passes: f64,
    /// The log-likelihood at the end, prior included.
    pub log_likelihood: f64,
    /// ν of Davidson's ties: ν/(1+ν) is the probability of a tie between equals.
    pub ties: Option<Estimate>,
    /// h = ln θ of the home advantage.
    pub home: Option<Estimate>,
    /// What to beware of.
    pub warnings: Vec<String>,
    /// The players, the strongest first.
    pub ranking: Vec<Place>,
    /// The residual after each iteration.
    pub residuals: Vec<f64>,
}

impl Ranked {
    /// The ranking as CSV, with a header; what is not known is empty.
    pub fn to_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let header = [
            "rank",
            "player",
            "strength",
            "error",
            "low",
            "high",
            "best_rank",
            "worst_rank",
            "beats_average",
            "games",
            "wins",
            "losses",
            "ties",
        ];
        let known = |number: Option<f64>| number.map_or(String::new(), |number| number.to_string());
        let whole = |number: Option<usize>| number.map_or(String::new(), |number| number.to_string());
        let rows = self.ranking.iter().map(|place| {
            let ends = place.interval;
            [
                place.rank.to_string(),
                place.player.clone(),
                place.strength.to_string(),
                known(place.error),
                known(ends.map(|ends| ends[0])),
                known(ends.map(|ends| ends[1])),
                whole(place.ranks.map(|ranks| ranks[0])),
                whole(place.ranks.map(|ranks| ranks[1])),
                place.beats_average.to_string(),
                place.games.to_string(),
                place.wins.to_string(),
                place.losses.to_string(),
                place.ties.to_string(),
            ]
        });
        let rows = [header.map(str::to_owned)].into_iter().chain(rows);
        for row in rows {
            writer.write_record(row).expect("rows of one length go into memory");
        }
        let bytes = writer.into_inner().expect("memory takes all that is written");
        String::from_utf8(bytes).expect("strings were written")
    }
}

/// Ranks the players of these games.
///
/// # Errors
/// An unknown method or option; without a prior, games that leave strengths without a finite value, with the players' names.
pub fn rank(played: &Played, how: &How) -> Result<Ranked> {
    let entry = METHODS.iter().find(|entry| entry.name == how.method).ok_or_else(|| {
        let known = METHODS.iter().map(|entry| entry.name);
        Error::unknown("method for games", &how.method, known, "quire show league")
    })?;
    let players = played.names.len();
    let games = super::Games::new(players, &played.games)?;
    let connection = Connection::new(&games);
    let said = connection.describe(|player| played.names[player].clone());
    let mut warnings = Vec::new();
    let prior = match how.prior {
        Some(prior) if prior == 0.0 && !connection.is_strong() => {
            return Err(Error::Failed(format!(
                "without a prior these games have no finite strengths: {}; give --prior a number above 0",
                said.join("; ")
            )));
        }
        Some(prior) => prior,
        None if connection.is_strong() => 0.0,
        None => {
            warnings.push(
                "these games have no finite strengths of greatest likelihood, so each player got a fictitious win and loss against an \
                 average player (--prior sets their weight, --prior 0 insists)"
                    .to_owned(),
            );
            1.0
        }
    };
    if !connection.is_strong() && (how.prior.is_none() || connection.islands.len() > 1) {
        warnings.extend(said.into_iter().take(if how.prior.is_none() { usize::MAX } else { 1 }));
    }
    let is_elo = how.method == "elo";
    let home = how.home && !is_elo && played.games.iter().any(|game| game.home.is_some());
    let league = League::new(players, played.games.clone(), Model { prior, ties: how.ties, home })?;
    let mut set = how.set.clone();
    set.entry("tolerance").or_insert_with(|| TOLERANCE.into());
    let mut solver = (entry.make)(&league, &set)?;
    let solution = solve(&mut *solver, &league, how.iterations);
    if !solution.is_converged() {
        warnings.push(format!(
            "{} has not converged ({}): the numbers are not final",
            how.method, solution.reason
        ));
    }
    if is_elo {
        warnings.push(
            "elo's ratings depend on the games' order and have no standard errors; newman's do not depend on it".to_owned(),
        );
    }
    let values = &solution.values;
    let mut order: Vec<usize> = (0..players).collect();
    order.sort_by(|&a, &b| {
        values[b].total_cmp(&values[a]).then_with(|| played.names[a].cmp(&played.names[b]))
    });
    let wanted =
        if is_elo || values.iter().any(|value| !value.is_finite()) { Errors::None } else { how.errors };
    let Uncertain { errors, ranks } = match uncertain(&league, values, &order, wanted) {
        Ok(uncertain) => uncertain,
        Err(error) => {
            warnings.push(error.to_string());
            Uncertain { errors: vec![None; values.len()], ranks: None }
        }
    };
    let estimate = |place: usize, of: fn(f64) -> f64, scale: f64| Estimate {
        value: of(values[place]),
        error: errors[place].map(|error| error * scale),
    };
    let nu = (how.ties == Ties::Davidson).then(|| estimate(players, f64::exp, values[players].exp()));
    let advantage = league.model.home.then(|| estimate(values.len() - 1, |h| h, 1.0));
    let ranking = order.iter().enumerate().map(|(index, &player)| {
        let row = league.games.row(player);
        let (own, other): (f64, f64) = (row.own.iter().sum(), row.other.iter().sum());
        let tied: f64 = row.ties.iter().sum();
        let (strength, error) = (values[player], errors[player]);
        Place {
            rank: index + 1,
            ranks: ranks.as_ref().map(|ranks| ranks[player]),
            player: played.names[player].clone(),
            strength,
            error,
            interval: error.map(|error| [strength - NORMAL * error, strength + NORMAL * error]),
            beats_average: beats_average(strength),
            games: own + other,
            wins: own - tied / 2.0,
            losses: other - tied / 2.0,
            ties: tied,
        }
    });
    Ok(Ranked {
        method: how.method.clone(),
        players,
        rows: played.games.len(),
        games: played.games.iter().map(|game| game.weight).sum(),
        prior,
        converged: solution.is_converged(),
        reason: solution.reason.to_string(),
        iterations: solution.iterations,
        passes: solution.work,
        log_likelihood: log_likelihood(&league, values),
        ties: nu,
        home: advantage,
        ranking: ranking.collect(),
        warnings,
        residuals: solution.residuals,
    })
}

/// What is known of errors.
struct Uncertain {
    /// Standard errors of all values, as far as they were asked for.
    errors: Vec<Option<f64>>,
    /// Ranks left open, by player.
    ranks: Option<Vec<[usize; 2]>>,
}

fn uncertain(league: &League, values: &[f64], order: &[usize], wanted: Errors) -> Result<Uncertain> {
    let mut errors = vec![None; values.len()];
    if wanted == Errors::None {
        return Ok(Uncertain { errors, ranks: None });
    }
    if values.len() <= DENSE {
        let covariance = covariance(league, values)?;
        for (place, error) in errors.iter_mut().enumerate() {
            *error = Some(covariance[(place, place)].max(0.0).sqrt());
        }
        // How many are significantly stronger, and weaker.
        let ranks = (0..order.len()).map(|a| {
            let (mut stronger, mut weaker) = (0, 0);
            for b in 0..order.len() {
                let difference = values[b] - values[a];
                let variance = covariance[(a, a)] + covariance[(b, b)] - 2.0 * covariance[(a, b)];
                if difference.abs() > NORMAL * variance.max(0.0).sqrt() && a != b {
                    *(if difference > 0.0 { &mut stronger } else { &mut weaker }) += 1;
                }
            }
            [stronger + 1, order.len() - weaker]
        });
        return Ok(Uncertain { errors, ranks: Some(ranks.collect()) });
    }
    let shown = if let Errors::First(count) = wanted { count } else { order.len() };
    let places: Vec<usize> = order.iter().copied().take(shown).chain(order.len()..values.len()).collect();
    for (&place, error) in places.iter().zip(standard_errors(league, values, &places)?) {
        errors[place] = Some(error);
    }
    Ok(Uncertain { errors, ranks: None })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::file::parse;
    use super::*;

    fn played(rows: &str) -> Played {
        parse(Path::new("games.csv"), format!("winner,loser,tie,home\n{rows}").as_bytes()).unwrap()
    }

    #[test]
    fn unconnected_players_are_named_and_the_prior_is_said() {
        let games = played("a,b,,\nb,c,,\nc,a,,\nnew,a,,\nx,y,,\n");
        let found = rank(&games, &How::default()).unwrap();
        assert_eq!(found.prior, 1.0);
        assert!(found.warnings[0].contains("fictitious win and loss"), "{:?}", found.warnings);
        assert!(found.warnings[1].contains("{x, y}"), "{:?}", found.warnings);
        assert!(found.warnings[2].contains("new, x lost no point"), "{:?}", found.warnings);
        assert!(found.warnings[3].contains("y scored no point"), "{:?}", found.warnings);
        assert_eq!(found.ranking[0].player, "new");
        let error = rank(&games, &How { prior: Some(0.0), ..How::default() }).unwrap_err().to_string();
        assert!(error.contains("{x, y}") && error.contains("--prior"), "{error}");
        // Who chose a prior is told only what no prior can mend.
        let found = rank(&games, &How { prior: Some(0.5), ..How::default() }).unwrap();
        assert_eq!(found.warnings.len(), 1);
        assert!(rank(&played("a,b,,\nb,a,,\n"), &How::default()).unwrap().warnings.is_empty());
    }

    #[test]
    fn places_count_what_the_games_tell() {
        let games = played("a,b,,a\na,b,,\nb,a,,b\na,b,1,a\n");
        let how = How { ties: Ties::Davidson, ..How::default() };
        let found = rank(&games, &how).unwrap();
        let first = &found.ranking[0];
        assert_eq!(
            (first.player.as_str(), first.games, first.wins, first.losses, first.ties),
            ("a", 4.0, 2.0, 1.0, 1.0)
        );
        assert_eq!(first.ranks, Some([1, 2]));
        assert!(found.ties.unwrap().error.unwrap() > 0.0 && found.home.unwrap().value > 0.0);
        assert!(found.converged && found.residuals.len() as u64 == found.iterations);
        let plain = rank(&games, &How { home: false, ..How::default() }).unwrap();
        // 2.5 points of 4: ln(2.5/1.5).
        let difference = plain.ranking[0].strength - plain.ranking[1].strength;
        assert!((difference - (2.5_f64 / 1.5).ln()).abs() < 1e-8);
        // Information 4 * 5/8 * 3/8 on the difference, of which each has a quarter as variance.
        let error = plain.ranking[0].error.unwrap();
        assert!((error - (0.25_f64 / (4.0 * 15.0 / 64.0)).sqrt()).abs() < 1e-8);
    }

    #[test]
    fn clear_differences_close_ranks() {
        let rows =
            "a,b,,\n".repeat(90) + &"b,a,,\n".repeat(10) + &"b,c,,\n".repeat(90) + &"c,b,,\n".repeat(10);
        let found = rank(&played(&rows), &How::default()).unwrap();
        assert_eq!(
            found.ranking.iter().map(|place| place.ranks.unwrap()).collect::<Vec<_>>(),
            [[1, 1], [2, 2], [3, 3]]
        );
    }

    #[test]
    fn elo_has_no_errors_and_says_why() {
        let games = played("a,b,,\nb,a,,\na,b,,\n");
        let found = rank(&games, &How { method: "elo".into(), ..How::default() }).unwrap();
        assert!(found.ranking[0].error.is_none() && found.warnings.iter().any(|w| w.contains("order")));
        let unknown = rank(&games, &How { method: "newmann".into(), ..How::default() }).unwrap_err();
        assert!(unknown.to_string().contains("did you mean `newman`"));
    }
}

//! Newman's iteration for the Bradley-Terry model.
//!
//! The model says that i beats j with probability π_i/(π_i + π_j). One sweep replaces each strength in turn, each new one used at
//! once, by
//!
//! > π_i ← [ Σ_j w_ij (α π_i + π_j)/(π_i + π_j) ] / [ Σ_j (α w_ij + w_ji)/(π_i + π_j) ]
//!
//! where w_ij counts the wins of i over j. For every α >= 0 the fixed point is the point of greatest likelihood; α = 1 is Zermelo's
//! iteration of 1929, α = 0, the paper's choice, is as simple and far faster. A prior adds p wins and p losses against a player of
//! strength 1; without one, strengths are divided by their geometric mean after each sweep.
//!
//! With ties (Davidson) and a home advantage, q being the expected score of i against j and a_ij = w_ij + t_ij/2, the same step reads
//! π_i ← π_i Σ a_ij (α q + 1 - q) / Σ (α a_ij + a_ji) q; it is followed by a step of ν and of θ:
//!
//! > ν ← Σ t (1 - P(tie)) / Σ w P(tie)/ν      θ ← θ Σ_home a (1 - q) / Σ_home (n - a) q
//!
//! The paper has the ties; the home advantage is ours, made in the same way.
//!
//! Source: M. E. J. Newman, *Efficient computation of rankings from pairwise comparisons*, JMLR 24(238), 2023, arXiv:2207.00076.

use quire_core::{About, Error, Options, Paper, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CHANGE, Games, League, Ties};
use crate::solver::{Method, Solver, Step};

/// The paper.
pub const PAPER: Paper = Paper {
    slug: "bradley-terry",
    title: "Efficient computation of rankings from pairwise comparisons",
    arxiv: "2207.00076",
};

/// Options of `newman`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewmanOptions {
    /// α: which iteration of the family. Paper: 0, the fastest; 1 is Zermelo's.
    #[schemars(range(min = 0.0))]
    pub alpha: f64,
    /// Whether a new strength is used at once. Paper: yes; otherwise, with α = 0, the iteration may be slower or not converge.
    pub in_place: bool,
    /// Stop when no π/(π+1) changes by more. Paper: 1e-6.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub tolerance: f64,
}

impl Default for NewmanOptions {
    fn default() -> Self {
        NewmanOptions { alpha: 0.0, in_place: true, tolerance: 1e-6 }
    }
}

impl Options for NewmanOptions {}

/// Past this |ln θ| or |ln ν| there is no end to it.
const RUNAWAY: f64 = 30.0;

/// The method.
pub struct Newman {
    options: NewmanOptions,
    place: Place,
    /// The strengths of the sweep before.
    previous: Vec<f64>,
}

/// Where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    /// π.
    strengths: Vec<f64>,
    /// ν, if it is estimated.
    ties: Option<f64>,
    /// θ, if it is estimated.
    home: Option<f64>,
    /// Passes over the games.
    passes: u64,
}

/// One sweep of the plain model over all players; reads from `previous` if it is given, and in place otherwise.
pub fn sweep(games: &Games, alpha: f64, prior: f64, strengths: &mut [f64], previous: Option<&[f64]>) {
    for i in 0..games.players() {
        let row = games.row(i);
        let new = {
            let pi = previous.unwrap_or(strengths);
            let own = pi[i];
            let half = prior / (own + 1.0);
            let (mut above, mut below) = (half * (alpha * own + 1.0), half * (alpha + 1.0));
            for ((&j, &wins), &losses) in row.opponents.iter().zip(row.own).zip(row.other) {
                let other = pi[j as usize];
                let over = 1.0 / (own + other);
                above += wins * (alpha * own + other) * over;
                below += (alpha * wins + losses) * over;
            }
            above / below
        };
        strengths[i] = new;
    }
}

/// One sweep of the model with ties and a home advantage.
fn sweep_extended(
    league: &League,
    alpha: f64,
    (nu, theta): (f64, f64),
    strengths: &mut [f64],
    previous: Option<&[f64]>,
) {
    let (games, prior) = (&league.games, league.model.prior);
    for i in 0..games.players() {
        let row = games.row(i);
        let factor = {
            let pi = previous.unwrap_or(strengths);
            let average = pi[i] / (pi[i] + 1.0);
            let mut above = prior * (alpha * average + 1.0 - average);
            let mut below = prior * (alpha + 1.0) * average;
            for k in 0..row.opponents.len() {
                let venue = row.venues[k];
                let own = if venue > 0 { theta * pi[i] } else { pi[i] };
                let other = pi[row.opponents[k] as usize] * if venue < 0 { theta } else { 1.0 };
                let tie = nu * (own * other).sqrt();
                let q = (own + tie) / (own + other + 2.0 * tie);
                above += row.own[k] * (alpha * q + 1.0 - q);
                below += (alpha * row.own[k] + row.other[k]) * q;
            }
            pi[i] * above / below
        };
        strengths[i] = factor;
    }
}

/// New ν and θ; what no game tells of stays what it is.
fn step_extras(league: &League, (nu, theta): (f64, f64), strengths: &[f64]) -> (f64, f64) {
    let (mut ties, mut home) = ((0.0, 0.0), (0.0, 0.0));
    league.games.pairs(|i, j, venue, own, other, tied| {
        let a = strengths[i] * if venue > 0 { theta } else { 1.0 };
        let b = strengths[j] * if venue < 0 { theta } else { 1.0 };
        let root = (a * b).sqrt();
        let sum = a + b + 2.0 * nu * root;
        ties.0 += tied * (a + b) / sum;
        ties.1 += (own + other - tied) * 2.0 * root / sum;
        let q = (a + nu * root) / sum;
        match venue {
            1 => home = (home.0 + own * (1.0 - q), home.1 + other * q),
            -1 => home = (home.0 + other * q, home.1 + own * (1.0 - q)),
            _ => {}
        }
    });
    let of = |value: f64, new: f64| if new.is_nan() { value } else { new };
    (of(nu, ties.0 / ties.1), of(theta, theta * home.0 / home.1))
}

impl Newman {
    fn over_extras(&self) -> impl Iterator<Item = f64> {
        self.place.ties.into_iter().chain(self.place.home)
    }
}

impl Method<League> for Newman {
    type Options = NewmanOptions;

    const ABOUT: About = About {
        name: "newman",
        summary: "Bradley-Terry strengths by Newman's iteration, in place",
        when: "The first choice for rankings of any size: nothing to tune, no line search, a pass is a division a game. Where every player has \
               dozens of games, Newton's method and L-BFGS need fewer passes, and for more than eight digits Newton's always does.",
        wing: "solve",
        family: "ranking",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(league: &League, options: NewmanOptions) -> Result<Self> {
        options::check(&options)?;
        let players = league.games.players();
        let place = Place {
            strengths: vec![1.0; players],
            ties: (league.model.ties == Ties::Davidson).then_some(0.5),
            home: league.model.home.then_some(1.0),
            passes: 0,
        };
        Ok(Newman { options, previous: vec![1.0; players], place })
    }
}

impl Solver<League> for Newman {
    fn iterate(&mut self, league: &League) -> Result<Step> {
        let Newman { options, place, previous } = self;
        previous.copy_from_slice(&place.strengths);
        let extras = (place.ties.unwrap_or(0.0), place.home.unwrap_or(1.0));
        let from = (!options.in_place).then_some(&previous[..]);
        place.passes += 1;
        if place.ties.is_none() && place.home.is_none() {
            sweep(&league.games, options.alpha, league.model.prior, &mut place.strengths, from);
        } else {
            sweep_extended(league, options.alpha, extras, &mut place.strengths, from);
        }
        if league.is_free() {
            let logs: f64 = place.strengths.iter().map(|pi| pi.ln()).sum();
            let over = (-logs / place.strengths.len().max(1) as f64).exp();
            place.strengths.iter_mut().for_each(|pi| *pi *= over);
        }
        let average = |pi: f64| pi / (pi + 1.0);
        let change = |(new, old): (&f64, &f64)| (average(*new) - average(*old)).abs();
        let worst = |most: f64, change: f64| if change > most || change.is_nan() { change } else { most };
        let mut residual = place.strengths.iter().zip(&*previous).map(change).fold(0.0, worst);
        if place.ties.is_some() || place.home.is_some() {
            place.passes += 1;
            let (ties, home) = step_extras(league, extras, &place.strengths);
            for (value, new, old, what) in [
                (&mut place.ties, ties, extras.0, "ties"),
                (&mut place.home, home, extras.1, "the home advantage"),
            ] {
                if value.is_some() {
                    residual = worst(residual, change((&new, &old)));
                    *value = Some(new);
                    if new.is_nan() || new.ln().abs() >= RUNAWAY {
                        let problem =
                            format!("the weight of {what} grows without end: these games do not bound it");
                        return Err(Error::Diverged(problem));
                    }
                }
            }
        }
        Ok(Step::judged(residual, options.tolerance, CHANGE))
    }

    fn values(&self) -> Vec<f64> {
        self.place.strengths.iter().copied().chain(self.over_extras()).map(f64::ln).collect()
    }

    fn work(&self) -> f64 {
        self.place.passes as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("newman", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("newman", saved)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::games::outcome;

    #[test]
    fn the_two_forms_of_the_expected_score_agree() {
        let (a, b, nu): (f64, f64, f64) = (2.5, 0.7, 0.8);
        let tie = nu * (a * b).sqrt();
        let q = (a + tie) / (a + b + 2.0 * tie);
        assert!((q - outcome((a / b).ln(), nu).score).abs() < 1e-15);
    }
}

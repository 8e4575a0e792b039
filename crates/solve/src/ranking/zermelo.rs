//! Zermelo's iteration: [Newman's](super::newman) with α = 1, π_i ← Σ_j w_ij / Σ_j (w_ij + w_ji)/(π_i + π_j), in place.
//!
//! Replacing all strengths at once makes it Hunter's minorization-maximization: each step maximizes a lower bound that touches the
//! log-likelihood at the current strengths, so the likelihood never falls.
//!
//! Sources: E. Zermelo, Mathematische Zeitschrift 29, 436-460, 1929; D. R. Hunter, *MM algorithms for generalized Bradley-Terry
//! models*, Annals of Statistics 32(1), 384-406, 2004.

use quire_core::{About, Options, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::League;
use super::newman::{Newman, NewmanOptions};
use crate::solver::{Method, Solver, Step};

/// Options of `zermelo` and `bradley-terry-mm`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ZermeloOptions {
    /// Stop when no π/(π+1) changes by more. Newman's paper: 1e-6.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub tolerance: f64,
}

impl Default for ZermeloOptions {
    fn default() -> Self {
        ZermeloOptions { tolerance: 1e-6 }
    }
}

impl Options for ZermeloOptions {}

/// The method.
pub struct Zermelo(Newman);

/// Hunter's synchronous form of the same.
pub struct Mm(Newman);

macro_rules! member {
    ($method:ident, $in_place:expr, $name:expr, $summary:expr, $when:expr) => {
        impl Method<League> for $method {
            type Options = ZermeloOptions;

            const ABOUT: About = About {
                name: $name,
                summary: $summary,
                when: $when,
                wing: "solve",
                family: "ranking",
                paper: None,
                is_baseline: true,
                tuned: "",
            };

            fn new(league: &League, options: ZermeloOptions) -> Result<Self> {
                let options = NewmanOptions { alpha: 1.0, in_place: $in_place, tolerance: options.tolerance };
                Ok($method(Newman::new(league, options)?))
            }
        }

        impl Solver<League> for $method {
            fn iterate(&mut self, league: &League) -> Result<Step> {
                self.0.iterate(league)
            }

            fn values(&self) -> Vec<f64> {
                self.0.values()
            }

            fn work(&self) -> f64 {
                self.0.work()
            }

            fn save(&self) -> Vec<u8> {
                self.0.save()
            }

            fn restore(&mut self, saved: &[u8]) -> Result<()> {
                self.0.restore(saved)
            }
        }
    };
}

member!(
    Zermelo,
    true,
    "zermelo",
    "Bradley-Terry strengths by Zermelo's iteration of 1929, in place",
    "The baseline of newman, which has the same fixed point and is faster."
);
member!(
    Mm,
    false,
    "bradley-terry-mm",
    "Bradley-Terry strengths by Hunter's minorization-maximization: Zermelo's iteration, synchronously",
    "The baseline of newman that most packages have; the likelihood rises at every step."
);

//! HetPEVI for zero-sum Markov games.
//!
//! With r̂, P̂ and Γ of [`hetpevi`](super::super::hetpevi) over joint actions,
//!
//! > Q̲_h = clip(r̂ + P̂ V̲_{h+1} - Γ, 0, H - h + 1),  Q̅_h = clip(r̂ + P̂ V̅_{h+1} + Γ, 0, H - h + 1)
//!
//! and in every state two matrix games: the first player's strategy and V̲_h come from Q̲_h, the second's and V̅_h from Q̅_h. A
//! joint action that no source has logged is worth 0 in the lower game and H - h + 1 in the upper.
//!
//! Source: the extension of arXiv:2306.08364 to Markov games; its shape is given from memory.

use quire_core::{About, Options, Result, options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Source;
use super::super::hetpevi::{PAPER, Penalties, aggregate};
use super::{GamePlanner, Method, Setting, Strategies};
use crate::solve::{MatrixGame, matrix_game};

/// Options of `hetpevi-game`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HetPeviGameOptions {
    /// The penalties.
    pub penalties: Penalties,
}

impl Options for HetPeviGameOptions {}

/// The planner.
pub struct HetPeviGame {
    options: HetPeviGameOptions,
    setting: Setting,
}

impl Method for HetPeviGame {
    type Options = HetPeviGameOptions;

    const ABOUT: About = About {
        name: "hetpevi-game",
        summary: "HetPEVI for two players: each plans for the worst that the penalties leave open",
        when: "As hetpevi, for zero-sum games. It needs logs of each player's equilibrium strategy against all actions of \
               the other.",
        wing: "mdp",
        family: "offline",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: HetPeviGameOptions) -> Result<Self> {
        options::check(&options)?;
        Ok(HetPeviGame { options, setting: *setting })
    }
}

impl GamePlanner for HetPeviGame {
    fn plan(&self, sources: &[Source]) -> Strategies {
        let Setting { states, rows, columns, horizon } = self.setting;
        let penalties = &self.options.penalties;
        let iota = penalties.iota(sources[0].visits.len(), sources.len());
        let joint = rows * columns;
        let mut plan = Strategies {
            rows: vec![0.0; horizon * states * rows],
            columns: vec![0.0; horizon * states * columns],
            lower: vec![0.0; states],
            upper: vec![0.0; states],
        };
        let mut next = vec![0.0; states];
        let (mut low, mut high) = (vec![0.0; joint], vec![0.0; joint]);
        for stage in (0..horizon).rev() {
            let ceiling = (horizon - stage) as f64;
            let (mut lower, mut upper) = (vec![0.0; states], vec![0.0; states]);
            for state in 0..states {
                let at = stage * states + state;
                for (action, (low, high)) in low.iter_mut().zip(&mut high).enumerate() {
                    let cell = at * joint + action;
                    let (reward, count) = aggregate(sources, cell, &mut next);
                    if count == 0.0 {
                        (*low, *high) = (0.0, ceiling);
                        continue;
                    }
                    let visits = sources.iter().map(|source| source.visits[cell]).filter(|&n| n > 0.0);
                    let penalty = penalties.of_samples(horizon as f64, iota, visits)
                        + penalties.of_sources(horizon as f64, iota, count);
                    let ahead = |values: &[f64]| -> f64 { next.iter().zip(values).map(|(p, v)| p * v).sum() };
                    *low = (reward + ahead(&plan.lower) - penalty).clamp(0.0, ceiling);
                    *high = (reward + ahead(&plan.upper) + penalty).clamp(0.0, ceiling);
                }
                let MatrixGame { value, rows: strategy, .. } = matrix_game(&low, columns);
                lower[state] = value;
                plan.rows[at * rows..][..rows].copy_from_slice(&strategy);
                let MatrixGame { value, columns: strategy, .. } = matrix_game(&high, columns);
                upper[state] = value;
                plan.columns[at * columns..][..columns].copy_from_slice(&strategy);
            }
            (plan.lower, plan.upper) = (lower, upper);
        }
        plan
    }
}

//! RFQI: robust fitted Q-iteration with a total-variation ball (Panaganti, Xu, Kalathil & Ghavamzadeh 2022), on a table.
//!
//! The adversary may move the mass ρ to a state worth nothing. For every pair, by the dual,
//!
//! > η(s, a) = argmax_{0 ≤ η ≤ r_max/(ρ(1-γ))} mean[ -(η - V(s'))_+ + (1 - ρ) η ]
//! >
//! > Q(s, a) = r(s, a) - γ mean (η - V(s'))_+ + γ (1 - ρ) η,  V = max_a Q
//!
//! What takes a network in the original is exact here: the maximum lies at a value of the cell, its 1 - ρ quantile, or at a
//! bound. The dual assumes that no state is worth less than 0.
//!
//! Source: K. Panaganti, Z. Xu, D. Kalathil & M. Ghavamzadeh, *Robust reinforcement learning using offline data*, NeurIPS
//! 2022, arXiv:2208.05129, and the authors' code; the bound is r_max/(ρ(1-γ)) in place of 1/(ρ(1-γ)), as rewards here exceed 1.

use std::sync::Arc;

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Dataset, Method, Planner, Setting, greedy, mean_value, state_values};

/// Options of `rfqi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RfqiOptions {
    /// Radius ρ of the ball in total variation. The authors' CartPole: 0.5; default ours, the slip that the ring is tried at
    /// beyond its log.
    #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
    pub radius: f64,
}

impl Default for RfqiOptions {
    fn default() -> Self {
        RfqiOptions { radius: 0.1 }
    }
}

impl Options for RfqiOptions {}

/// max over η in [0, `bound`] of mean[ -(η - V)_+ ] + (1 - ρ) η for the values V of a cell, which are put in order.
pub fn dual(values: &mut [f64], radius: f64, bound: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let count = values.len() as f64;
    let objective = |eta: f64| {
        let missing: f64 = values.iter().take_while(|value| **value < eta).map(|value| eta - value).sum();
        (1.0 - radius) * eta - missing / count
    };
    // The slope is 1 - ρ minus the share of values below η: it changes its sign at the 1 - ρ quantile.
    let place = ((1.0 - radius) * count).ceil() as usize;
    objective(values[place.clamp(1, values.len()) - 1].clamp(0.0, bound))
}

/// The method.
pub struct Rfqi {
    options: RfqiOptions,
    discount: f64,
    data: Arc<Dataset>,
    /// The greatest η.
    bound: f64,
    /// Next states of each pair, pair after pair, `None` for the end of an episode.
    next: Vec<Vec<Option<usize>>>,
    /// Q, `[S, A]`.
    q: Vec<f64>,
}

impl Method for Rfqi {
    type Options = RfqiOptions;

    const ABOUT: About = About {
        name: "rfqi",
        summary: "Robust fitted Q-iteration: plans for a world that now and then drops the agent where nothing is earned",
        when: "The baseline of rfzi with a hard ball; its adversary is a fall to value 0, not a change of slip.",
        wing: "mdp",
        family: "robust",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: RfqiOptions) -> Result<Self> {
        options::check(&options)?;
        let data = Arc::clone(&setting.data);
        let mut next = vec![Vec::new(); data.rewards().len()];
        data.steps().iter().for_each(|step| next[step.pair].push(step.next));
        let greatest = data.rewards().iter().copied().fold(0.0, f64::max);
        Ok(Rfqi {
            bound: greatest / (options.radius * (1.0 - setting.discount)),
            discount: setting.discount,
            q: data.rewards().to_vec(),
            next,
            data,
            options,
        })
    }
}

impl Planner for Rfqi {
    fn iterate(&mut self) -> Result<()> {
        let Rfqi { options, discount, data, bound, next, q } = self;
        let values: Vec<f64> = state_values(q, data.actions()).collect();
        let mut cell = Vec::new();
        let cells = next.iter().zip(data.rewards()).zip(q).filter(|((next, _), _)| !next.is_empty());
        for ((next, reward), q) in cells {
            cell.clear();
            cell.extend(next.iter().map(|next| next.map_or(0.0, |next| values[next])));
            *q = reward + *discount * dual(&mut cell, options.radius, *bound);
        }
        Ok(())
    }

    fn policy(&self) -> Vec<f64> {
        greedy(&self.q, self.data.actions())
    }

    fn estimated_value(&self) -> f64 {
        mean_value(&self.q, self.data.actions())
    }

    fn save(&self) -> Vec<u8> {
        state::encode("rfqi", &self.q)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.q = state::decode("rfqi", saved)?;
        Ok(())
    }
}

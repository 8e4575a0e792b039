//! RLSVI: backward induction on the empirical model with Gaussian noise in place of a bonus (Osband, Van Roy & Wen 2016).
//!
//! > Q_h(s, a) = r(s, a) + σ_h(s, a) z + p̂ V_{h+1},  z ~ N(0, 1),  σ_h(s, a) = c (H - h + 1) / (2 √max(n, 1))
//!
//! V is at most H - h + 1; an unvisited pair has the uniform next-state distribution. The noise scale is that of
//! the library rlberry.
//!
//! Source: I. Osband, B. Van Roy & Z. Wen, *Generalization and exploration via randomized value functions*, ICML 2016,
//! arXiv:1402.0635; D. Russo, NeurIPS 2019, for the tabular form.

use quire_core::{About, Options, Result, Rng, options, state};
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::Counts;
use super::{Explorer, Method, Setting, plan_backward};

/// Options of `rlsvi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RlsviOptions {
    /// Factor c on the standard deviation of the noise. rlberry: 1.
    #[schemars(range(min = 0.0))]
    pub scale: f64,
}

impl Default for RlsviOptions {
    fn default() -> Self {
        RlsviOptions { scale: 1.0 }
    }
}

impl Options for RlsviOptions {}

/// The explorer.
pub struct Rlsvi {
    options: RlsviOptions,
    setting: Setting,
    counts: Counts,
    rng: Rng,
}

impl Method for Rlsvi {
    type Options = RlsviOptions;

    const ABOUT: About = About {
        name: "rlsvi",
        summary: "Randomized least-squares value iteration: Gaussian noise on the rewards of the empirical model",
        when: "A randomized baseline whose idea carries over to function approximation.",
        wing: "mdp",
        family: "explore",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: RlsviOptions) -> Result<Self> {
        options::check(&options)?;
        Ok(Rlsvi {
            options,
            counts: Counts::new(setting.states, setting.actions),
            rng: setting.seeds.stream("noise"),
            setting: setting.clone(),
        })
    }
}

impl Explorer for Rlsvi {
    fn plan(&mut self, policy: &mut [usize]) {
        let (setting, counts, rng, scale) = (&self.setting, &self.counts, &mut self.rng, self.options.scale);
        plan_backward(
            setting,
            policy,
            |greatest| greatest,
            |greatest, later, values| {
                for (pair, value) in values.iter_mut().enumerate() {
                    let visits = counts.visits(pair);
                    let next = match visits {
                        0 => later.iter().sum::<f64>() / setting.states as f64,
                        _ => counts.mean(pair, later),
                    };
                    let deviation = scale * greatest / (2.0 * (visits.max(1) as f64).sqrt());
                    let noise: f64 = StandardNormal.sample(rng);
                    *value = setting.rewards[pair] + deviation * noise + next;
                }
            },
        );
    }

    fn observe(&mut self, _stage: usize, state: usize, action: usize, next: usize) {
        self.counts.record(state, action, next);
    }

    fn save(&self) -> Vec<u8> {
        state::encode("rlsvi", &(&self.counts, &self.rng))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.counts, self.rng) = state::decode("rlsvi", saved)?;
        Ok(())
    }
}

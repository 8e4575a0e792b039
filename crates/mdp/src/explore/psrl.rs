//! PSRL: sample a model from the posterior, act as if it were true (Osband, Russo & Van Roy 2013).
//!
//! Before every episode p(·|s, a) ~ Dirichlet(n(s, a, ·) + prior), independently over pairs; the policy is optimal for the
//! sample.
//!
//! Source: I. Osband, D. Russo & B. Van Roy, *(More) efficient reinforcement learning via posterior sampling*, NeurIPS
//! 2013, arXiv:1306.0940.

use quire_core::{About, Options, Result, Rng, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::Counts;
use super::{Explorer, Method, Setting, plan_backward};
use crate::posterior::GammaTable;

/// Options of `psrl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PsrlOptions {
    /// Weight of the prior, shared evenly by all next states. rlberry: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub prior_weight: f64,
}

impl Default for PsrlOptions {
    fn default() -> Self {
        PsrlOptions { prior_weight: 1.0 }
    }
}

impl Options for PsrlOptions {}

/// The explorer.
pub struct Psrl {
    options: PsrlOptions,
    setting: Setting,
    counts: Counts,
    rng: Rng,
    gamma: GammaTable,
    /// The sampled model, `[S, A, S]`.
    model: Vec<f64>,
}

impl Method for Psrl {
    type Options = PsrlOptions;

    const ABOUT: About = About {
        name: "psrl",
        summary: "Posterior sampling: plan in a model drawn from the Dirichlet posterior",
        when: "Strong and free of tuning when the model class fits; needs the whole model in memory.",
        wing: "mdp",
        family: "explore",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: PsrlOptions) -> Result<Self> {
        options::check(&options)?;
        Ok(Psrl {
            options,
            counts: Counts::new(setting.states, setting.actions),
            rng: setting.seeds.stream("posterior"),
            gamma: GammaTable::default(),
            model: vec![0.0; setting.pairs() * setting.states],
            setting: setting.clone(),
        })
    }
}

impl Psrl {
    /// Draws p(·|s, a) of every pair from its posterior.
    fn sample_model(&mut self) {
        let states = self.setting.states;
        let share = self.options.prior_weight / states as f64;
        for (pair, row) in self.model.chunks_exact_mut(states).enumerate() {
            row.fill(share);
            for &(next, n) in self.counts.successors(pair) {
                row[next as usize] += n as f64;
            }
            self.gamma.dirichlet(row, &mut self.rng);
        }
    }
}

impl Explorer for Psrl {
    fn plan(&mut self, policy: &mut [usize]) {
        self.sample_model();
        let (setting, model) = (&self.setting, &self.model);
        plan_backward(
            setting,
            policy,
            |_| f64::INFINITY,
            |_, later, values| {
                let rows = model.chunks_exact(setting.states);
                for ((value, row), reward) in values.iter_mut().zip(rows).zip(&setting.rewards) {
                    *value = reward + row.iter().zip(later).map(|(p, v)| p * v).sum::<f64>();
                }
            },
        );
    }

    fn observe(&mut self, _stage: usize, state: usize, action: usize, next: usize) {
        self.counts.record(state, action, next);
    }

    fn save(&self) -> Vec<u8> {
        state::encode("psrl", &(&self.counts, &self.rng))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.counts, self.rng) = state::decode("psrl", saved)?;
        Ok(())
    }
}

//! LSVI-UCB: least-squares value iteration with a bonus (Jin, Yang, Wang & Jordan 2020).
//!
//! > Q_h(s, a) = clip( φ·ŵ_h + c H ‖φ‖_{Λ_h⁻¹}, 0, H - h + 1 )
//!
//! Source: C. Jin, Z. Yang, Z. Wang & M. I. Jordan, *Provably efficient reinforcement learning with linear function
//! approximation*, COLT 2020, arXiv:1907.05388. Its theorem has a factor of the order d √ln in place of c.

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::{Explorer, Method, Setting};
use super::Regressions;

/// Options of `lsvi-ucb`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LsviUcbOptions {
    /// Factor c of the bonus c H ‖φ‖. Ours: 0.3.
    #[schemars(range(min = 0.0))]
    pub bonus: f64,
    /// Ridge λ. Paper: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
}

impl Default for LsviUcbOptions {
    fn default() -> Self {
        LsviUcbOptions { bonus: 0.3, ridge: 1.0 }
    }
}

impl Options for LsviUcbOptions {}

/// The explorer.
pub struct LsviUcb {
    options: LsviUcbOptions,
    horizon: f64,
    regressions: Regressions,
}

impl Method for LsviUcb {
    type Options = LsviUcbOptions;

    const ABOUT: About = About {
        name: "lsvi-ucb",
        summary: "Least-squares value iteration with a bonus for directions that are little known",
        when: "The classical optimistic baseline with features; its regret hangs on how the bonus is scaled.",
        wing: "mdp",
        family: "explore",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: LsviUcbOptions) -> Result<Self> {
        options::check(&options)?;
        let regressions = Regressions::new(setting, options.ridge);
        Ok(LsviUcb { options, horizon: setting.horizon as f64, regressions })
    }
}

impl Explorer for LsviUcb {
    fn plan(&mut self, policy: &mut [usize]) {
        let scale = self.options.bonus * self.horizon;
        self.regressions.plan(policy, |regressions, stage, later| {
            let gram = regressions.gram(stage);
            let mut values = regressions.values(&gram.solve(regressions.right(stage, later)));
            let norms = regressions.norms(&gram);
            values.iter_mut().zip(norms).for_each(|(value, norm)| *value += scale * norm);
            values
        });
    }

    fn observe(&mut self, stage: usize, state: usize, action: usize, next: usize) {
        self.regressions.record(stage, state, action, next);
    }

    fn save(&self) -> Vec<u8> {
        state::encode("lsvi-ucb", self.regressions.sums())
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.regressions.restore(state::decode("lsvi-ucb", saved)?);
        Ok(())
    }
}

//! OptQL: Q-learning with an upper confidence bonus (Jin et al. 2018).
//!
//! After the n-th visit of (s, a) at stage h, with v_h = H - h + 1,
//!
//! > Q_h(s, a) ← (1 - η) Q_h(s, a) + η (r + V_{h+1}(s') + b),  η = (H + 1)/(H + n),  b = min(v_h, c (√(1/n) + v_h/n))
//! >
//! > V_h(s) ← min(v_h, max_a Q_h(s, a))
//!
//! Source: C. Jin, Z. Allen-Zhu, S. Bubeck & M. Jordan, *Is Q-learning provably efficient?*, NeurIPS 2018,
//! arXiv:1807.03765. The bonus is that of the library rlberry, as in the experiments of the RandQL paper; the theorem's
//! explores far too long on small problems.

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stages::Stages;
use super::ucbvi::Bonus;
use super::{Explorer, Method, Setting};

/// Options of `opt-ql`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OptQlOptions {
    /// Factor c on the whole bonus. rlberry: 1.
    #[schemars(range(min = 0.0))]
    pub scale: f64,
}

impl Default for OptQlOptions {
    fn default() -> Self {
        OptQlOptions { scale: 1.0 }
    }
}

impl Options for OptQlOptions {}

/// The explorer.
pub struct OptQl {
    options: OptQlOptions,
    setting: Setting,
    /// Q and V.
    upper: Stages,
    /// Visits of (h, s, a), `[H, S, A]`.
    visits: Vec<u64>,
}

impl Method for OptQl {
    type Options = OptQlOptions;

    const ABOUT: About = About {
        name: "opt-ql",
        summary: "Q-learning with an upper confidence bonus",
        when: "The classical model-free baseline; randql has less regret.",
        wing: "mdp",
        family: "explore",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: OptQlOptions) -> Result<Self> {
        options::check(&options)?;
        Ok(OptQl {
            upper: Stages::new(setting, 1.0),
            visits: vec![0; setting.horizon * setting.pairs()],
            setting: setting.clone(),
            options,
        })
    }
}

impl Explorer for OptQl {
    fn plan(&mut self, policy: &mut [usize]) {
        self.upper.greedy(policy);
    }

    fn observe(&mut self, stage: usize, state: usize, action: usize, next: usize) {
        let OptQl { options, setting, upper, visits } = self;
        let (at, horizon) = (upper.index(stage, state, action), setting.horizon as f64);
        visits[at] += 1;
        let n = visits[at] as f64;
        let rate = (horizon + 1.0) / (horizon + n);
        let ceiling = upper.ceiling(stage);
        let bonus = Bonus::Simplified.value(options.scale, n, ceiling, 0.0).min(ceiling);
        let target = setting.rewards[state * setting.actions + action] + upper.value(stage + 1, next) + bonus;
        upper.q[at] += rate * (target - upper.q[at]);
        upper.renew(stage, state);
    }

    fn save(&self) -> Vec<u8> {
        state::encode("opt-ql", &(&self.upper, &self.visits))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.upper, self.visits) = state::decode("opt-ql", saved)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::*;

    #[test]
    fn two_updates_by_hand() {
        let setting = Setting {
            states: 1,
            actions: 1,
            horizon: 3,
            rewards: vec![0.5],
            seeds: Seeds::new(0),
            features: None,
        };
        let mut explorer = OptQl::new(&setting, OptQlOptions { scale: 0.25 }).unwrap();
        // The last stage: n = 1, η = 1, b = (1 + 1)/4 = 0.5, target 1.
        explorer.observe(2, 0, 0, 0);
        assert_eq!(explorer.upper.q[2], 1.0);
        // n = 4 after two more: η = 4/5, then 4/6, then 4/7.
        (0..3).for_each(|_| explorer.observe(2, 0, 0, 0));
        let bonus = |n: f64| 0.25 * ((1.0 / n).sqrt() + 1.0 / n);
        let mut q = 1.0;
        for n in [2.0, 3.0, 4.0] {
            q += 4.0 / (3.0 + n) * (0.5 + bonus(n) - q);
        }
        assert!((explorer.upper.q[2] - q).abs() < 1e-15 && explorer.upper.value(2, 0) == explorer.upper.q[2]);
    }
}

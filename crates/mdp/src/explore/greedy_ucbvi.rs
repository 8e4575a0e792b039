//! Greedy-UCBVI: UCBVI that plans one step ahead only where it goes (Efroni et al. 2019).
//!
//! Values are upper bounds that never rise. In state s at stage h, with v = H - h + 1,
//!
//! > Q_h(s, a) = r(s, a) + p̂ V̄_{h+1} + min(v, c (√(1/n) + v/n)),  V̄_h(s) ← min(V̄_h(s), max_a Q_h(s, a))
//!
//! and the action is the greedy one: a sweep over H states an episode in place of backward induction over all.
//!
//! Source: Y. Efroni, N. Merlis, M. Ghavamzadeh & S. Mannor, *Tight regret bounds for model-based reinforcement learning
//! with greedy policies*, NeurIPS 2019, arXiv:1905.11527. The bonus is that of the library rlberry.

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::Counts;
use super::stages::Stages;
use super::ucbvi::Bonus;
use super::{Explorer, Method, Setting};

/// Options of `greedy-ucbvi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GreedyUcbviOptions {
    /// Factor c on the whole bonus. rlberry: 1.
    #[schemars(range(min = 0.0))]
    pub scale: f64,
}

impl Default for GreedyUcbviOptions {
    fn default() -> Self {
        GreedyUcbviOptions { scale: 1.0 }
    }
}

impl Options for GreedyUcbviOptions {}

/// The explorer.
pub struct GreedyUcbvi {
    options: GreedyUcbviOptions,
    setting: Setting,
    counts: Counts,
    /// V̄, and Q of the plan.
    upper: Stages,
}

impl Method for GreedyUcbvi {
    type Options = GreedyUcbviOptions;

    const ABOUT: About = About {
        name: "greedy-ucbvi",
        summary: "Optimistic planning one step ahead, in visited states only",
        when: "A cheaper ucbvi for many states; it takes more episodes.",
        wing: "mdp",
        family: "explore",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: GreedyUcbviOptions) -> Result<Self> {
        options::check(&options)?;
        Ok(GreedyUcbvi {
            options,
            counts: Counts::new(setting.states, setting.actions),
            upper: Stages::new(setting, 1.0),
            setting: setting.clone(),
        })
    }
}

impl Explorer for GreedyUcbvi {
    /// The actions for all states, since the score wants the whole policy; only values of visited states change.
    fn plan(&mut self, policy: &mut [usize]) {
        let GreedyUcbvi { options, setting, counts, upper } = self;
        let mut later = vec![0.0; setting.states];
        for stage in 0..setting.horizon {
            later.iter_mut().enumerate().for_each(|(state, value)| *value = upper.value(stage + 1, state));
            let ceiling = upper.ceiling(stage);
            for state in 0..setting.states {
                for action in 0..setting.actions {
                    let pair = state * setting.actions + action;
                    let visits = counts.visits(pair);
                    let at = upper.index(stage, state, action);
                    upper.q[at] = if visits == 0 {
                        ceiling
                    } else {
                        let bonus =
                            Bonus::Simplified.value(options.scale, visits as f64, ceiling, 0.0).min(ceiling);
                        setting.rewards[pair] + counts.mean(pair, &later) + bonus
                    };
                }
            }
        }
        upper.greedy_anew(policy);
    }

    fn observe(&mut self, stage: usize, state: usize, action: usize, next: usize) {
        let before = self.upper.value(stage, state);
        self.upper.renew(stage, state);
        let renewed = self.upper.value(stage, state);
        self.upper.set_value(stage, state, renewed.min(before));
        self.counts.record(state, action, next);
    }

    fn save(&self) -> Vec<u8> {
        state::encode("greedy-ucbvi", &(&self.counts, &self.upper))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.counts, self.upper) = state::decode("greedy-ucbvi", saved)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::*;

    #[test]
    fn only_visited_states_change_and_never_upwards() {
        let setting = Setting {
            states: 2,
            actions: 1,
            horizon: 2,
            rewards: vec![0.25, 0.5],
            seeds: Seeds::new(0),
            features: None,
        };
        let mut explorer = GreedyUcbvi::new(&setting, GreedyUcbviOptions { scale: 0.0 }).unwrap();
        let mut policy = vec![0; 4];
        for _ in 0..2 {
            explorer.plan(&mut policy);
            explorer.observe(0, 0, 0, 1);
            explorer.observe(1, 1, 0, 0);
        }
        // First episode: nothing known. Second: r(0) + V̄_1(1) = 0.25 + 1, and r(1) = 0.5 at the last stage.
        let value = |stage, state| explorer.upper.value(stage, state);
        assert_eq!([value(0, 0), value(1, 1)], [1.25, 0.5]);
        assert_eq!([value(0, 1), value(1, 0)], [2.0, 1.0]);
        explorer.plan(&mut policy);
        explorer.observe(0, 0, 0, 1);
        assert_eq!(explorer.upper.value(0, 0), 0.75);
    }
}

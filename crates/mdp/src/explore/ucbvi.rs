//! UCBVI: backward induction on the empirical model with a bonus for what is little known (Azar, Osband & Munos 2017).
//!
//! > Q_h(s, a) = r(s, a) + p̂ V_{h+1} + bonus,  V_h(s) = min(H - h + 1, max_a Q_h(s, a))
//!
//! with one of three bonuses, n the visits of the pair and v = H - h + 1:
//! *hoeffding* min(v, c v/2 √(1/n)), *bernstein* √(Var_p̂(V)/n) + v/n, *simplified* √(1/n) + v/n. The constants are those of
//! the library rlberry, not of the theorems, whose bonuses explore far too long on small problems.
//!
//! Source: M. G. Azar, I. Osband & R. Munos, *Minimax regret bounds for reinforcement learning*, ICML 2017,
//! arXiv:1703.05449.

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::{Counts, EmpiricalModel};
use super::{Explorer, Method, Setting, plan_backward};

/// Options of `ucbvi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UcbviOptions {
    /// Which bonus is added.
    pub bonus: Bonus,
    /// Factor c on the whole bonus.
    #[schemars(range(min = 0.0))]
    pub scale: f64,
}

/// The three bonuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Bonus {
    /// min(v, c v/2 √(1/n)).
    Hoeffding,
    /// c (√(Var/n) + v/n).
    Bernstein,
    /// c (√(1/n) + v/n).
    Simplified,
}

impl Default for UcbviOptions {
    fn default() -> Self {
        UcbviOptions { bonus: Bonus::Hoeffding, scale: 1.0 }
    }
}

impl Options for UcbviOptions {}

impl Bonus {
    /// The bonus for `visits` > 0 when at most `greatest` can still be earned. `variance` is that of the next value, in
    /// squared reward units; only *bernstein* uses it.
    pub fn value(self, scale: f64, visits: f64, greatest: f64, variance: f64) -> f64 {
        self.value_given_root(scale, visits, (1.0 / visits).sqrt(), greatest, variance)
    }

    /// The same, given `root` = sqrt(1 / visits), which does not change from stage to stage.
    #[inline]
    fn value_given_root(self, scale: f64, visits: f64, root: f64, greatest: f64, variance: f64) -> f64 {
        match self {
            Bonus::Hoeffding => (scale * 0.5 * greatest * root).min(greatest),
            Bonus::Bernstein => scale * ((variance / visits).sqrt() + greatest / visits),
            Bonus::Simplified => scale * (root + greatest / visits),
        }
    }
}

/// The explorer.
pub struct Ucbvi {
    options: UcbviOptions,
    setting: Setting,
    counts: Counts,
    /// The counts as they are planned with.
    model: EmpiricalModel,
}

impl Method for Ucbvi {
    type Options = UcbviOptions;

    const ABOUT: About = About {
        name: "ucbvi",
        summary: "Optimistic value iteration with a bonus on the empirical model",
        when: "The classical optimistic baseline; its regret hangs on how the bonus is scaled.",
        wing: "mdp",
        family: "explore",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: UcbviOptions) -> Result<Self> {
        options::check(&options)?;
        Ok(Ucbvi {
            options,
            counts: Counts::new(setting.states, setting.actions),
            model: EmpiricalModel::default(),
            setting: setting.clone(),
        })
    }
}

impl Explorer for Ucbvi {
    fn plan(&mut self, policy: &mut [usize]) {
        self.model.fill(&self.counts);
        let (setting, model) = (&self.setting, &self.model);
        let UcbviOptions { bonus, scale } = self.options;
        plan_backward(
            setting,
            policy,
            |greatest| greatest,
            |greatest, later, values| {
                for ((value, pair), reward) in values.iter_mut().zip(&model.pairs).zip(&setting.rewards) {
                    *value = if pair.visits == 0.0 {
                        greatest
                    } else {
                        let variance =
                            if bonus == Bonus::Bernstein { model.variance(pair, later) } else { 0.0 };
                        let bonus = bonus.value_given_root(scale, pair.visits, pair.root, greatest, variance);
                        reward + model.mean(pair, later) + bonus
                    };
                }
            },
        );
    }

    fn observe(&mut self, _stage: usize, state: usize, action: usize, next: usize) {
        self.counts.record(state, action, next);
    }

    fn save(&self) -> Vec<u8> {
        state::encode("ucbvi", &self.counts)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.counts = state::decode("ucbvi", saved)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bonuses_by_hand() {
        assert_eq!(Bonus::Hoeffding.value(1.0, 4.0, 10.0, 9.0), 2.5);
        assert_eq!(Bonus::Hoeffding.value(8.0, 4.0, 10.0, 9.0), 10.0);
        assert_eq!(Bonus::Bernstein.value(1.0, 4.0, 10.0, 9.0), 4.0);
        assert_eq!(Bonus::Simplified.value(2.0, 4.0, 10.0, 9.0), 6.0);
    }
}

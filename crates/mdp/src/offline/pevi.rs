//! Pessimistic value iteration without weights, and value iteration without pessimism.
//!
//! > f̃_h = argmin Σ (f - r - V̂_{h+1}(s'))² over the whole log,  Q̂_h = clip(f̃_h - b, 0, H - h + 1)
//!
//! | method | functions | bonus b |
//! |---|---|---|
//! | `pevi` | φ·w | c √d H ‖φ‖_{Λ⁻¹} (Jin, Yang & Wang 2021, arXiv:2012.15085) |
//! | `pfql` | H sigmoid(φ·w) | c √d H ‖∇f̃‖_{Λ⁻¹} (Yin, Wang & Wang 2022, arXiv:2210.00750) |
//! | `lsvi` | φ·w | none |

use quire_core::{About, Options, Result, options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::classes::{Differentiable, FunctionClass, Linear, Moment};
use super::log::{Fold, Regression};
use super::{Log, Method, Plan, Planner, Setting, plan_backward};

/// Options of `pevi` and `pfql`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PeviOptions {
    /// Factor c of the radius c √d H. Ours: 0.1; the theory leaves it open.
    #[schemars(range(min = 0.0))]
    pub bonus: f64,
    /// Ridge λ. Paper: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
}

impl Default for PeviOptions {
    fn default() -> Self {
        PeviOptions { bonus: 0.1, ridge: 1.0 }
    }
}

impl Options for PeviOptions {}

/// Options of `lsvi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LsviOptions {
    /// Ridge λ. Usual: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
}

impl Default for LsviOptions {
    fn default() -> Self {
        LsviOptions { ridge: 1.0 }
    }
}

impl Options for LsviOptions {}

/// Plans with a class and a bonus of radius `bonus` √complexity H.
fn plan(
    setting: &Setting,
    class: &dyn FunctionClass,
    bonus: f64,
    log: &Log,
    episodes: usize,
) -> Result<Plan> {
    let radius = bonus * class.complexity().sqrt() * setting.horizon as f64;
    plan_backward(setting, |stage, later| {
        let steps = log.steps(stage, episodes, Fold::All);
        let data = Regression::new(setting.features.pairs(), setting.actions, steps, None, |step| {
            step.reward + later[step.next]
        });
        let mut fit = class.fit(stage, Moment::First, &data)?;
        if radius > 0.0 {
            let bonus = class.bonus(stage, &fit, &data, radius)?;
            fit.values.iter_mut().zip(bonus).for_each(|(value, bonus)| *value -= bonus);
        }
        Ok(fit.values)
    })
}

macro_rules! planner {
    ($(#[$doc:meta])* $name:ident, $options:ty, $about:expr, |$setting:ident, $set:ident| $class:expr, $bonus:expr) => {
        $(#[$doc])*
        pub struct $name {
            setting: Setting,
            class: Box<dyn FunctionClass>,
            bonus: f64,
        }

        impl Method for $name {
            type Options = $options;
            const ABOUT: About = $about;

            fn new($setting: &Setting, $set: $options) -> Result<Self> {
                options::check(&$set)?;
                Ok($name { setting: $setting.clone(), class: Box::new($class), bonus: $bonus })
            }
        }

        impl Planner for $name {
            fn plan(&self, log: &Log, episodes: usize) -> Result<Plan> {
                plan(&self.setting, self.class.as_ref(), self.bonus, log, episodes)
            }
        }
    };
}

const fn about(name: &'static str, summary: &'static str, when: &'static str) -> About {
    About { name, summary, when, wing: "mdp", family: "offline", paper: None, is_baseline: true, tuned: "" }
}

planner!(
    /// PEVI.
    Pevi,
    PeviOptions,
    about(
        "pevi",
        "Pessimistic value iteration on linear functions",
        "The classical pessimistic baseline. Its penalty grows with the horizon, so long episodes need long logs.",
    ),
    |setting, options| Linear::new(setting.features.clone(), options.ridge),
    options.bonus
);

planner!(
    /// PFQL.
    Pfql,
    PeviOptions,
    about(
        "pfql",
        "Pessimistic value iteration on a sigmoid of a linear function",
        "The baseline for action values that are no linear function of the features but a sigmoid of one.",
    ),
    |setting, options| Differentiable::new(setting.features.clone(), setting.horizon, options.ridge),
    options.bonus
);

planner!(
    /// LSVI.
    Lsvi,
    LsviOptions,
    about(
        "lsvi",
        "Least-squares value iteration without pessimism",
        "Where the log covers everything well; elsewhere it believes lucky accidents.",
    ),
    |setting, options| Linear::new(setting.features.clone(), options.ridge),
    0.0
);

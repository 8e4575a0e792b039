//! Linear pessimism with regressions weighted by estimated variances: the linear rivals of [`pnlsvi`](super::pnlsvi).
//!
//! One half of the log, D̄, is for variances, the other, D, for the plan. With linear regressions of V²(s') and of V(s') on D̄,
//!
//! > σ̂²(s, a) = max{ 1, [φ·w̄₂] - [φ·w̄₁]² - correction },  [·] cut off at 0 and the greatest value
//! >
//! > on D: f̃_h = argmin Σ 1/σ̂² (φ·w - r - V̂_{h+1}(s'))² + λ ‖w‖²,  Λ = Σ φ φᵀ/σ̂² + λ I
//! >
//! > Q̂_h = clip(f̃_h - c √d ‖φ‖_{Λ⁻¹} - lower order, 0, H - h + 1)
//!
//! | method | V, whose variance it is | beyond the formulas |
//! |---|---|---|
//! | `vapvi` | V̂_{h+1}, of the plan itself | a lower-order penalty 2 H³ √d / K (Yin et al. 2022, arXiv:2203.05804) |
//! | `linpevi-adv-plus` | V̌_{h+1}, of `pevi` on D̄, independent of D | a correction d H³ / √K of the variance (Xiong et al. 2023, arXiv:2205.15512) |
//!
//! [`pnlsvi`](super::pnlsvi) with linear functions weights by the variance of r + V̌ in place of that of V̌ and does not cut the
//! regressions off. Where rewards are certain and features tell all pairs apart, it is `linpevi-adv-plus`; where no variance exceeds
//! 1, all three are one. Variances of `vapvi` exceed it sooner, since its own values differ between states that it knows well and
//! badly, and its bonus grows with them.
//!
//! Both are from memory of their papers. The factor c is ours, and so is leaving both corrections out by default: with the theory's
//! constants they hide everything at any length of log that is used here.

use quire_core::{About, Options, Result, options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::classes::{FunctionClass, Linear, Moment};
use super::log::{Fold, Regression};
use super::pnlsvi::variances;
use super::{Log, Method, Plan, Planner, Setting, Transition, clipped, greatest, plan_backward};

/// Options of `vapvi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VapviOptions {
    /// Factor c of the radius c √d. Ours: 0.1; the theory leaves it open.
    #[schemars(range(min = 0.0))]
    pub bonus: f64,
    /// Ridge λ. Paper: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
    /// Factor on H³ √d / K, with K the episodes in the plan, taken off on top of the bonus. Paper: 2; ours: 0.
    #[schemars(range(min = 0.0))]
    pub lower_order: f64,
}

impl Default for VapviOptions {
    fn default() -> Self {
        VapviOptions { bonus: 0.1, ridge: 1.0, lower_order: 0.0 }
    }
}

impl Options for VapviOptions {}

/// Options of `linpevi-adv-plus`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LinPeviAdvOptions {
    /// Factor c of the radius c √d; that of the reference value is H times as large. Ours: 0.1; the theory leaves it open.
    #[schemars(range(min = 0.0))]
    pub bonus: f64,
    /// Ridge λ. Paper: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
    /// Factor on d H³ / √K, with K the episodes of each half, which the theory takes off the estimated variance. Ours: 0, since
    /// with the theory's constants all variances become 1.
    #[schemars(range(min = 0.0))]
    pub variance_correction: f64,
}

impl Default for LinPeviAdvOptions {
    fn default() -> Self {
        LinPeviAdvOptions { bonus: 0.1, ridge: 1.0, variance_correction: 0.0 }
    }
}

impl Options for LinPeviAdvOptions {}

/// What both work with.
struct Weighted {
    setting: Setting,
    class: Linear,
    /// c √d.
    radius: f64,
}

impl Weighted {
    fn new(setting: &Setting, bonus: f64, ridge: f64) -> Self {
        let class = Linear::new(setting.features.clone(), ridge);
        Weighted { radius: bonus * class.complexity().sqrt(), class, setting: setting.clone() }
    }

    /// The regression of `target` of the steps at `stage`.
    fn regression(
        &self,
        log: &Log,
        episodes: usize,
        stage: usize,
        fold: Fold,
        variance: Option<&[f64]>,
        target: impl Fn(&Transition) -> f64,
    ) -> Regression {
        let pairs = self.setting.features.pairs();
        let steps = log.steps(stage, episodes, fold);
        Regression::new(pairs, self.setting.actions, steps, variance, target)
    }

    /// σ̂² of all pairs, from values V of the states after `stage`, `[S]`.
    fn variances(
        &self,
        log: &Log,
        episodes: usize,
        stage: usize,
        values: &[f64],
        correction: f64,
    ) -> Result<Vec<f64>> {
        let ceiling = self.setting.greatest_return(stage + 1);
        let fit = |moment, power| {
            let data =
                self.regression(log, episodes, stage, Fold::Odd, None, |step| values[step.next].powi(power));
            Ok::<_, quire_core::Error>(clipped(
                self.class.fit(stage, moment, &data)?.values,
                ceiling.powi(power),
            ))
        };
        Ok(variances(&fit(Moment::Second, 2)?, &fit(Moment::First, 1)?, correction))
    }

    /// The pessimistic regression of r + V(s') on a fold: f - radius ‖φ‖_{Λ⁻¹}, not cut off.
    fn pessimistic(
        &self,
        log: &Log,
        episodes: usize,
        stage: usize,
        (fold, variance, radius): (Fold, Option<&[f64]>, f64),
        values: &[f64],
    ) -> Result<Vec<f64>> {
        let data =
            self.regression(log, episodes, stage, fold, variance, |step| step.reward + values[step.next]);
        let fit = self.class.fit(stage, Moment::First, &data)?;
        let bonus = self.class.bonus(stage, &fit, &data, radius)?;
        Ok(fit.values.iter().zip(bonus).map(|(value, bonus)| value - bonus).collect())
    }
}

const fn about(name: &'static str, summary: &'static str, when: &'static str) -> About {
    About { name, summary, when, wing: "mdp", family: "offline", paper: None, is_baseline: true, tuned: "" }
}

/// VAPVI.
pub struct Vapvi {
    weighted: Weighted,
    lower_order: f64,
}

impl Method for Vapvi {
    type Options = VapviOptions;

    const ABOUT: About = about(
        "vapvi",
        "Pessimistic value iteration on linear functions, weighted by variances of the plan's own values",
        "The linear rival of pnlsvi, with the same halves of the log. Its variances are those of next values alone, whatever rewards \
         do.",
    );

    fn new(setting: &Setting, options: VapviOptions) -> Result<Self> {
        options::check(&options)?;
        let weighted = Weighted::new(setting, options.bonus, options.ridge);
        Ok(Vapvi { weighted, lower_order: options.lower_order })
    }
}

impl Planner for Vapvi {
    fn plan(&self, log: &Log, episodes: usize) -> Result<Plan> {
        let Vapvi { weighted, lower_order } = self;
        let setting = &weighted.setting;
        let size = (setting.horizon as f64).powi(3) * (setting.features.dimension() as f64).sqrt();
        let penalty = lower_order * size / (episodes as f64 / 2.0);
        plan_backward(setting, |stage, later| {
            let variances = weighted.variances(log, episodes, stage, later, 0.0)?;
            let how = (Fold::Even, Some(&variances[..]), weighted.radius);
            let mut values = weighted.pessimistic(log, episodes, stage, how, later)?;
            values.iter_mut().for_each(|value| *value -= penalty);
            Ok(values)
        })
    }
}

/// LinPEVI-ADV+.
pub struct LinPeviAdvPlus {
    weighted: Weighted,
    variance_correction: f64,
}

impl Method for LinPeviAdvPlus {
    type Options = LinPeviAdvOptions;

    const ABOUT: About = about(
        "linpevi-adv-plus",
        "Pessimistic value iteration on linear functions, weighted by variances of an independent reference value",
        "The linear rival of pnlsvi, with the same halves of the log, the same reference value and the same radii.",
    );

    fn new(setting: &Setting, options: LinPeviAdvOptions) -> Result<Self> {
        options::check(&options)?;
        let weighted = Weighted::new(setting, options.bonus, options.ridge);
        Ok(LinPeviAdvPlus { weighted, variance_correction: options.variance_correction })
    }
}

impl Planner for LinPeviAdvPlus {
    fn plan(&self, log: &Log, episodes: usize) -> Result<Plan> {
        let LinPeviAdvPlus { weighted, variance_correction } = self;
        let setting = &weighted.setting;
        let horizon = setting.horizon as f64;
        let size = setting.features.dimension() as f64 * horizon.powi(3);
        let correction = variance_correction * size / (episodes as f64 / 2.0).sqrt();
        // V̌_{h+1}, `[S]`.
        let mut reference = vec![0.0; setting.states];
        plan_backward(setting, |stage, later| {
            let variances = weighted.variances(log, episodes, stage, &reference, correction)?;
            let how = (Fold::Odd, None, weighted.radius * horizon);
            let values = weighted.pessimistic(log, episodes, stage, how, &reference)?;
            reference = greatest(&clipped(values, setting.greatest_return(stage)), setting.actions);
            let how = (Fold::Even, Some(&variances[..]), weighted.radius);
            weighted.pessimistic(log, episodes, stage, how, later)
        })
    }
}

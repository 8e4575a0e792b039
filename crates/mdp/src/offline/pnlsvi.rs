//! PNLSVI: pessimistic nonlinear least-squares value iteration (Di, Zhao, He & Gu 2024).
//!
//! One half of the log, D̄, is for variances, the other, D, for the plan. From the last stage to the first:
//!
//! > on D̄: f̄ = argmin Σ (f - r - f̌_{h+1}(s'))²,  ḡ = argmin Σ (g - (r + f̌_{h+1}(s'))²)²
//! >
//! > σ̂²(s, a) = max{ 1, ḡ - f̄² - correction },  f̌_h = clip(f̄ - b̌ - ε), b̌ the bonus with σ = 1 and radius β̄
//! >
//! > on D: f̃ = argmin Σ 1/σ̂² (f - r - f̂_{h+1}(s'))²,  f̂_h = clip(f̃ - b - ε), b the bonus with weights 1/σ̂² and radius β
//!
//! where clip is to [0, H - h + 1], a function of a state is its maximum over actions, and the policy is greedy in f̂_h.
//! Since the weights make the noise at most one, the radius β need not grow with H, as that of [`pevi`](super::pevi) does.
//!
//! With linear functions it is nearly LinPEVI-ADV+, the linear method with an independent reference value and variance weights;
//! [`vapvi`](super::vapvi) has it and VAPVI, and says where they differ.
//!
//! Source: Q. Di, H. Zhao, J. He & Q. Gu, *Pessimistic nonlinear least-squares value iteration for offline reinforcement
//! learning*, ICLR 2024, arXiv:2310.01380. There is no official code. The algorithm box is given from memory, in agreement
//! with the paper's reviews. The constants are ours: the theory has β of the order of √ln N, and leaves its factor open.

use quire_core::{About, Error, Options, Paper, Result, options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::classes::{Differentiable, Fit, FunctionClass, Linear, Moment};
use super::log::{Fold, Regression};
use super::{Log, Method, Plan, Planner, Setting, clipped, greatest, plan_backward};

/// The paper.
pub const PAPER: Paper = Paper {
    slug: "pnlsvi",
    title: "Pessimistic Nonlinear Least-Squares Value Iteration for Offline Reinforcement Learning",
    arxiv: "2310.01380",
};

/// A function class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// φ·w.
    Linear,
    /// The problem's list of functions.
    Finite,
    /// H sigmoid(φ·w), its bonus linearized.
    Differentiable,
}

/// Options of `pnlsvi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PnlsviOptions {
    /// The functions that action values are looked for in.
    pub class: Class,
    /// Factor c of the radius: β = c √ln N, the dimension standing for ln N where the class is not finite, and β̄ = H β.
    /// Ours: 0.1; the theory leaves it open.
    #[schemars(range(min = 0.0))]
    pub bonus: f64,
    /// Ridge λ, of classes with weights. Practical: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
    /// ε, subtracted on top of the bonus, in units of value: the error of the bonus oracle. Ours is exact: 0.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
    /// Factor on H³/√K, which the theory takes off the estimated variance; it stands for c √(ln(N N_b)/κ). Practical: 0,
    /// since with the theory's constants all variances become 1.
    #[schemars(range(min = 0.0))]
    pub variance_correction: f64,
}

impl Default for PnlsviOptions {
    fn default() -> Self {
        PnlsviOptions {
            class: Class::Linear,
            bonus: 0.1,
            ridge: 1.0,
            tolerance: 0.0,
            variance_correction: 0.0,
        }
    }
}

impl Options for PnlsviOptions {}

/// The planner.
pub struct Pnlsvi {
    options: PnlsviOptions,
    setting: Setting,
    class: Box<dyn FunctionClass>,
}

/// σ̂² = max{1, ḡ - f̄² - correction} of all pairs.
pub fn variances(second: &[f64], first: &[f64], correction: f64) -> Vec<f64> {
    second.iter().zip(first).map(|(g, f)| (g - f * f - correction).max(1.0)).collect()
}

impl Method for Pnlsvi {
    type Options = PnlsviOptions;

    const ABOUT: About = About {
        name: "pnlsvi",
        summary: "Pessimistic value iteration on regressions weighted by estimated variances",
        when: "Logs of long episodes whose returns vary far less than they could: the penalty need not grow with the \
               horizon. It plans with half of the log, so where the penalty hardly matters the plain methods see twice as \
               much.",
        wing: "mdp",
        family: "offline",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: PnlsviOptions) -> Result<Self> {
        options::check(&options)?;
        let features = setting.features.clone();
        let class: Box<dyn FunctionClass> = match (options.class, &setting.class) {
            (Class::Linear, _) => Box::new(Linear::new(features, options.ridge)),
            (Class::Differentiable, _) => {
                Box::new(Differentiable::new(features, setting.horizon, options.ridge))
            }
            (Class::Finite, Some(class)) => Box::new(class.clone()),
            (Class::Finite, None) => {
                return Err(Error::option("class", "this problem has no finite class; take another"));
            }
        };
        Ok(Pnlsvi { options, setting: setting.clone(), class })
    }
}

impl Pnlsvi {
    /// The planner with a class of one's own.
    pub fn with_class(setting: &Setting, options: PnlsviOptions, class: Box<dyn FunctionClass>) -> Self {
        Pnlsvi { options, setting: setting.clone(), class }
    }

    /// Step 1 and 2 of a stage: f̄ and its data on the fold for variances, and σ̂², from f̌_{h+1} (`[S]`).
    fn variance_fold(
        &self,
        log: &Log,
        episodes: usize,
        stage: usize,
        crude: &[f64],
    ) -> Result<(Fit, Regression, Vec<f64>)> {
        let on = |target: &dyn Fn(f64) -> f64| {
            let steps = log.steps(stage, episodes, Fold::Odd);
            let pairs = self.setting.features.pairs();
            Regression::new(pairs, self.setting.actions, steps, None, |step| {
                target(step.reward + crude[step.next])
            })
        };
        let data = on(&|value| value);
        let first = self.class.fit(stage, Moment::First, &data)?;
        let second = self.class.fit(stage, Moment::Second, &on(&|value| value * value))?;
        let correction = self.options.variance_correction * (self.setting.horizon as f64).powi(3)
            / (episodes as f64 / 2.0).sqrt();
        let variances = variances(&second.values, &first.values, correction);
        Ok((first, data, variances))
    }
}

impl Planner for Pnlsvi {
    fn plan(&self, log: &Log, episodes: usize) -> Result<Plan> {
        let Pnlsvi { options, setting, class } = self;
        let radius = options.bonus * class.complexity().sqrt();
        let pessimistic = |values: &[f64], bonus: &[f64]| -> Vec<f64> {
            values.iter().zip(bonus).map(|(value, bonus)| value - bonus - options.tolerance).collect()
        };
        // f̌_{h+1}, `[S]`.
        let mut crude = vec![0.0; setting.states];
        plan_backward(setting, |stage, later| {
            let (first, data, variances) = self.variance_fold(log, episodes, stage, &crude)?;
            let bonus = class.bonus(stage, &first, &data, radius * setting.horizon as f64)?;
            let values = clipped(pessimistic(&first.values, &bonus), setting.greatest_return(stage));
            crude = greatest(&values, setting.actions);

            let steps = log.steps(stage, episodes, Fold::Even);
            let target = |step: &super::Transition| step.reward + later[step.next];
            let data =
                Regression::new(setting.features.pairs(), setting.actions, steps, Some(&variances), target);
            let fit = class.fit(stage, Moment::First, &data)?;
            let bonus = class.bonus(stage, &fit, &data, radius)?;
            Ok(pessimistic(&fit.values, &bonus))
        })
    }
}

//! The exact policy gradient of the risk-sensitive objective (Zhang, Hu & Li 2024), in the model that the log makes likely.
//!
//! With V^π(s) = Σ_a π(a|s) Q^π(s, a), Q^π(s, a) = r(s, a) + γ σ(P_sa, V^π), σ the entropic risk and P̂ the model that attains
//! it, P̂(s') ∝ P(s') exp(-β V^π(s')),
//!
//! > ∂V/∂π(a|s) = d(s) Q^π(s, a)/(1 - γ),  d = (1 - γ) ρᵀ (I - γ P̂_π)⁻¹
//!
//! d is the occupancy under P̂, not under P. The objective is the mean of V^π over uniform starts ρ. *Direct*: π itself is moved
//! and projected to the simplex of every state. *Softmax*: ∂V/∂θ(s, a) = d(s) π(a|s) (Q^π(s, a) - V^π(s))/(1 - γ).
//!
//! Source: R. Zhang, Y. Hu & N. Li, ICLR 2024, arXiv:2306.11626, theorems 3 and 4 for the direct form; the softmax form is in the
//! official code. Step sizes are the code's: 0.01 and 0.05.

use quire_core::{About, Options, Result, options, state};
use rand::RngExt;
use rand_distr::Exp1;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Method, PAPER, Planner, Setting};
use crate::finite::FiniteMdp;
use crate::solve::{
    discounted_occupancy, risk_sensitive_action_values, risk_sensitive_evaluate, worst_model,
};

/// Values of a policy are exact to this; value is of the order of 100 at most.
const TOLERANCE: f64 = 1e-10;
/// Sweeps that an evaluation may take.
const SWEEPS: u64 = 1_000_000;

/// Options of `risk-policy-gradient`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RiskPolicyGradientOptions {
    /// Caution β of the paper, in units of 1/value, as of `rfzi`; 0 is the ordinary policy gradient.
    #[schemars(range(min = 0.0))]
    pub risk: f64,
    /// What the gradient moves.
    pub parameterization: Parameterization,
    /// Step size η. Official code: 0.01 direct, 0.05 softmax.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub learning_rate: f64,
    /// Where the policy starts.
    pub start: Start,
}

/// What the gradient moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Parameterization {
    /// The probabilities, projected to the simplex.
    Direct,
    /// Logits.
    Softmax,
}

/// Where the policy starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// All actions alike.
    Uniform,
    /// Uniform on the simplex of every state, drawn from the seed.
    Random,
}

impl Default for RiskPolicyGradientOptions {
    fn default() -> Self {
        RiskPolicyGradientOptions {
            risk: 0.095,
            parameterization: Parameterization::Direct,
            learning_rate: 0.01,
            start: Start::Uniform,
        }
    }
}

impl Options for RiskPolicyGradientOptions {}

/// The nearest distribution to `row`, in place (Held, Wolfe & Crowder 1974).
pub fn project_to_simplex(row: &mut [f64]) {
    let mut sorted = row.to_vec();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let (mut sum, mut threshold) = (0.0, 0.0);
    for (index, &value) in sorted.iter().enumerate() {
        sum += value;
        let candidate = (sum - 1.0) / (index + 1) as f64;
        if value > candidate {
            threshold = candidate;
        }
    }
    row.iter_mut().for_each(|value| *value = (*value - threshold).max(0.0));
}

/// What a gradient is made of.
pub struct Gradient {
    /// ∂V/∂π(a|s) = d(s) Q^π(s, a)/(1 - γ), `[S, A]`.
    pub direct: Vec<f64>,
    /// The advantage form ∂V/∂θ(s, a), `[S, A]`.
    pub softmax: Vec<f64>,
}

/// The gradient at `policy`, `[S, A]`. `values` starts and ends as in [`risk_sensitive_evaluate`].
///
/// # Errors
/// Those of the evaluation.
pub fn gradient(
    mdp: &FiniteMdp,
    policy: &[f64],
    discount: f64,
    risk: f64,
    values: &mut [f64],
) -> Result<Gradient> {
    risk_sensitive_evaluate(mdp, policy, (discount, risk), values, TOLERANCE, SWEEPS)?;
    let actions = mdp.actions();
    let q = risk_sensitive_action_values(mdp, discount, risk, values);
    let occupancy = discounted_occupancy(&worst_model(mdp, values, risk), policy, discount)?;
    let states = occupancy.chunks_exact(actions).map(|row| row.iter().sum::<f64>() / (1.0 - discount));
    let mut direct = q.clone();
    let mut softmax = q;
    for (state, weight) in states.enumerate() {
        for pair in state * actions..(state + 1) * actions {
            direct[pair] *= weight;
            softmax[pair] = weight * policy[pair] * (softmax[pair] - values[state]);
        }
    }
    Ok(Gradient { direct, softmax })
}

/// The method.
pub struct RiskPolicyGradient {
    options: RiskPolicyGradientOptions,
    discount: f64,
    model: FiniteMdp,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    /// Probabilities or logits, `[S, A]`.
    parameters: Vec<f64>,
    /// V^π of the policy before the last step, where the next evaluation starts.
    values: Vec<f64>,
}

impl Method for RiskPolicyGradient {
    type Options = RiskPolicyGradientOptions;

    const ABOUT: About = About {
        name: "risk-policy-gradient",
        summary: "Exact policy gradient of the cautious objective, by the occupancy of the model that caution expects",
        when: "To study the gradient: it reaches what rfzi reaches in the same model, more slowly. Take rfzi to plan.",
        wing: "mdp",
        family: "robust",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: RiskPolicyGradientOptions) -> Result<Self> {
        options::check(&options)?;
        let model = setting.data.model()?;
        let mut policy = vec![1.0 / model.actions() as f64; model.rewards().len()];
        if options.start == Start::Random {
            let mut rng = setting.seeds.stream("start");
            policy.iter_mut().for_each(|p| *p = rng.sample(Exp1));
            for row in policy.chunks_exact_mut(model.actions()) {
                let sum: f64 = row.iter().sum();
                row.iter_mut().for_each(|p| *p /= sum);
            }
        }
        if options.parameterization == Parameterization::Softmax {
            policy.iter_mut().for_each(|p| *p = p.ln());
        }
        let place = Place { parameters: policy, values: vec![0.0; model.states()] };
        Ok(RiskPolicyGradient { discount: setting.discount, model, place, options })
    }
}

impl Planner for RiskPolicyGradient {
    fn iterate(&mut self) -> Result<()> {
        let policy = self.policy();
        let Place { parameters, values } = &mut self.place;
        let gradient = gradient(&self.model, &policy, self.discount, self.options.risk, values)?;
        let direction = match self.options.parameterization {
            Parameterization::Direct => gradient.direct,
            Parameterization::Softmax => gradient.softmax,
        };
        parameters.iter_mut().zip(direction).for_each(|(p, g)| *p += self.options.learning_rate * g);
        if self.options.parameterization == Parameterization::Direct {
            parameters.chunks_exact_mut(self.model.actions()).for_each(project_to_simplex);
        }
        Ok(())
    }

    fn policy(&self) -> Vec<f64> {
        let mut policy = self.place.parameters.clone();
        if self.options.parameterization == Parameterization::Softmax {
            for row in policy.chunks_exact_mut(self.model.actions()) {
                crate::regularized::log_softmax(row);
                row.iter_mut().for_each(|log| *log = log.exp());
            }
        }
        policy
    }

    fn estimated_value(&self) -> f64 {
        self.place.values.iter().sum::<f64>() / self.place.values.len() as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("risk-policy-gradient", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("risk-policy-gradient", saved)?;
        Ok(())
    }
}

//! Robust value iteration with a KL ball, in the model that the log makes likely.
//!
//! > V(s) = max_a { r(s, a) + γ min E_{P'} V },  the minimum over all P' with KL(P' ‖ P_sa) ≤ ρ
//!
//! The hard form of what RFZI softens, solved exactly ([`crate::solve::worst_case_kl`]).
//!
//! Source: G. Iyengar, *Robust dynamic programming*, 2005; A. Nilim & L. El Ghaoui, 2005.

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Method, Planner, Setting, greedy, mean_value, state_values};
use crate::finite::FiniteMdp;
use crate::solve::robust_action_values;

/// Options of `robust-value-iteration`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RobustViOptions {
    /// Radius ρ of the ball, in nats; 0 is value iteration. Ours: 0.1, which covers three times the logged slip on the ring.
    #[schemars(range(min = 0.0))]
    pub radius: f64,
}

impl Default for RobustViOptions {
    fn default() -> Self {
        RobustViOptions { radius: 0.1 }
    }
}

impl Options for RobustViOptions {}

/// The method.
pub struct RobustVi {
    options: RobustViOptions,
    discount: f64,
    model: FiniteMdp,
    /// Q, `[S, A]`.
    q: Vec<f64>,
}

impl Method for RobustVi {
    type Options = RobustViOptions;

    const ABOUT: About = About {
        name: "robust-value-iteration",
        summary: "Value iteration in the worst model within a divergence of the estimated one",
        when: "On tables, if you can say how wrong the model may be; with a network its inner problem is what rfzi spares.",
        wing: "mdp",
        family: "robust",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: RobustViOptions) -> Result<Self> {
        options::check(&options)?;
        let model = setting.data.model()?;
        Ok(RobustVi { discount: setting.discount, q: model.rewards().to_vec(), model, options })
    }
}

impl Planner for RobustVi {
    fn iterate(&mut self) -> Result<()> {
        let values: Vec<f64> = state_values(&self.q, self.model.actions()).collect();
        self.q = robust_action_values(&self.model, self.discount, self.options.radius, &values);
        Ok(())
    }

    fn policy(&self) -> Vec<f64> {
        greedy(&self.q, self.model.actions())
    }

    fn estimated_value(&self) -> f64 {
        mean_value(&self.q, self.model.actions())
    }

    fn save(&self) -> Vec<u8> {
        state::encode("robust-value-iteration", &self.q)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.q = state::decode("robust-value-iteration", saved)?;
        Ok(())
    }
}

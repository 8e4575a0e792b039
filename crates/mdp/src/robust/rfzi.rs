//! RFZI: robust fitted Z-iteration (Zhang, Hu & Li 2024).
//!
//! Charging an adversary KL(P' ‖ P)/β for every change of the model is the same as valuing the next state by its entropic
//! risk σ(P, V) = -(1/β) ln E_P exp(-β V). With Z(s, a) = E exp(-β V(s')) nothing is left to be minimized inside:
//!
//! > y_i = exp( -β max_a' [ r(s'_i, a') - (γ/β) ln Z_k(s'_i, a') ] ),  y_i = 1 at the end of an episode
//! >
//! > Z_{k+1} = argmin_Z Σ_i ( Z(s_i, a_i) - y_i )²,  Z_0 = 1
//! >
//! > π(s) = argmax_a r(s, a) - (γ/β) ln Z_K(s, a)
//!
//! On a table the regression is the mean of each cell; a cell that the log does not have keeps its Z.
//!
//! Source: R. Zhang, Y. Hu & N. Li, *Soft robust MDPs and risk-sensitive MDPs: equivalence, policy gradient, and sample
//! complexity*, ICLR 2024, arXiv:2306.11626, algorithm RFZI. The published code takes r - Z/β for the greedy step, which is
//! right only where rewards do not depend on the action; here it is the logarithm, as in the paper.

use std::sync::Arc;

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Dataset, Method, PAPER, Planner, Setting, greedy, mean_value, state_values};

/// Options of `rfzi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RfziOptions {
    /// Caution β of the paper, in units of 1/value; towards 0 the method trusts the log. The official code's β_c is β/γ. The
    /// paper advises the order of 1 - γ; the values it is tried with here are β_c = 0.01, 0.1 and 0.2; default 0.095.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub risk: f64,
}

impl Default for RfziOptions {
    fn default() -> Self {
        RfziOptions { risk: 0.095 }
    }
}

impl Options for RfziOptions {}

/// r(s, a) - (γ/β) ln Z(s, a) for ln Z, `[S, A]`, into `q`.
pub fn action_values(
    rewards: &[f64],
    discount: f64,
    risk: f64,
    log_z: impl Iterator<Item = f64>,
    q: &mut [f64],
) {
    q.iter_mut().zip(rewards).zip(log_z).for_each(|((q, r), log_z)| *q = r - discount / risk * log_z);
}

/// exp(-β V(s')) of every state, `[S]`: the target of a step that leads there.
pub fn targets(q: &[f64], actions: usize, risk: f64, targets: &mut [f64]) {
    targets.iter_mut().zip(state_values(q, actions)).for_each(|(y, value)| *y = (-risk * value).exp());
}

/// The method.
pub struct Rfzi {
    options: RfziOptions,
    discount: f64,
    data: Arc<Dataset>,
    /// Z, `[S, A]`.
    z: Vec<f64>,
    /// What Z makes of action values, `[S, A]`.
    q: Vec<f64>,
    /// y by next state, `[S]`.
    y: Vec<f64>,
}

impl Method for Rfzi {
    type Options = RfziOptions;

    const ABOUT: About = About {
        name: "rfzi",
        summary: "Plans for a model that may be wrong by regressing exp(-β V), with nothing to minimize inside",
        when: "When a policy will run in a world less predictable than its log. On robust-ring it wins from twice the logged \
               slip on; in the logged world itself caution costs value, so keep risk small if you trust the log.",
        wing: "mdp",
        family: "robust",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: RfziOptions) -> Result<Self> {
        options::check(&options)?;
        let data = Arc::clone(&setting.data);
        Ok(Rfzi {
            discount: setting.discount,
            z: vec![1.0; data.rewards().len()],
            q: data.rewards().to_vec(),
            y: vec![0.0; data.states()],
            data,
            options,
        })
    }
}

impl Planner for Rfzi {
    fn iterate(&mut self) -> Result<()> {
        let Rfzi { options, discount, data, z, q, y } = self;
        targets(q, data.actions(), options.risk, y);
        data.cell_means(|next| next.map_or(1.0, |next| y[next]), z);
        action_values(data.rewards(), *discount, options.risk, z.iter().map(|z| z.ln()), q);
        Ok(())
    }

    fn policy(&self) -> Vec<f64> {
        greedy(&self.q, self.data.actions())
    }

    fn estimated_value(&self) -> f64 {
        mean_value(&self.q, self.data.actions())
    }

    fn save(&self) -> Vec<u8> {
        state::encode("rfzi", &(&self.z, &self.q))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.z, self.q) = state::decode("rfzi", saved)?;
        Ok(())
    }
}

//! UCRL2-VTR: optimism over a [linear mixture](super::mixtures) of models, pair by pair, in episodes of doubling information
//! (Wu, Zhou & Gu 2022).
//!
//! At the start t of an episode extended value iteration
//!
//! > u(s) ← max_a { r(s, a) + min(max u, x·θ̂ + √β ‖x‖_{Λ⁻¹}) },  x_i = (P_i u)(s, a)
//!
//! until its steps differ over states by less than 1/√t, gives policy and values V = u - min u; every step of the episode adds
//! x xᵀ with x = (P_i V)(s, a) to Λ and the target V(s') to the regression. An episode ends when det Λ has doubled.
//!
//! Each pair picks weights of its own, which no single mixture need have, so that it hopes for more than
//! [`mixture_loop`](super::mixture_loop), and needs no search.
//!
//! Source: Y. Wu, D. Zhou & Q. Gu, *Nearly minimax optimal regret for learning infinite-horizon average-reward MDPs with linear
//! function approximation*, AISTATS 2022, arXiv:2010.07587, without its variances, from memory; rewards are known.

use std::sync::Arc;

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mixtures::{Kernels, TargetRegression, kernels};
use super::{Agent, Method, Needs, Setting};
use crate::finite::deterministic;
use crate::linear::dot;

/// Sweeps of extended value iteration, at most: its steps need not contract where hopes differ from pair to pair.
const MOST_SWEEPS: usize = 10_000;

/// Options of `ucrl2-vtr`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ucrl2VtrOptions {
    /// Radius β of the confidence set, in squared units of value. Ours: 2, that of `mixture-loop`.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub beta: f64,
    /// Ridge λ, in squared units of value. Ours: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
}

impl Default for Ucrl2VtrOptions {
    fn default() -> Self {
        Ucrl2VtrOptions { beta: 2.0, ridge: 1.0 }
    }
}

impl Options for Ucrl2VtrOptions {}

/// The agent.
pub struct Ucrl2Vtr {
    options: Ucrl2VtrOptions,
    kernels: Arc<Kernels>,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    regression: TargetRegression,
    /// ln det Λ at the start of the episode.
    log_determinant: f64,
    time: u64,
    /// V, least 0, `[S]`.
    values: Vec<f64>,
    /// `[S]`.
    policy: Vec<usize>,
    /// The optimistic average reward.
    gain: f64,
    switches: u64,
}

impl Method for Ucrl2Vtr {
    type Options = Ucrl2VtrOptions;

    const ABOUT: About = About {
        name: "ucrl2-vtr",
        summary: "Optimism pair by pair over mixtures of known kernels, by regression on its own values",
        when: "The rival of mixture-loop, and cheaper: it needs no search.",
        wing: "mdp",
        family: "average_reward",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    const NEEDS: Needs = Needs::Kernels;

    fn new(setting: &Setting, options: Ucrl2VtrOptions) -> Result<Self> {
        options::check(&options)?;
        let kernels = kernels(setting, "ucrl2-vtr")?;
        let regression = TargetRegression::new(kernels.dimension(), options.ridge);
        let place = Place {
            log_determinant: regression.log_determinant(),
            regression,
            time: 0,
            values: vec![0.0; kernels.states()],
            policy: vec![0; kernels.states()],
            gain: 1.0,
            switches: 0,
        };
        let mut agent = Ucrl2Vtr { options, kernels, place };
        agent.plan()?;
        agent.place.switches = 0;
        Ok(agent)
    }
}

impl Ucrl2Vtr {
    /// Starts an episode.
    fn plan(&mut self) -> Result<()> {
        let Ucrl2Vtr { options, kernels, place } = self;
        let (center, gram) = place.regression.fit()?;
        let accuracy = 1.0 / ((place.time + 1) as f64).sqrt();
        let mut values = vec![0.0; kernels.states()];
        let mut next = values.clone();
        let mut policy = vec![0; kernels.states()];
        for _ in 0..MOST_SWEEPS {
            let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            for state in 0..kernels.states() {
                next[state] = f64::NEG_INFINITY;
                for action in 0..kernels.actions() {
                    let x = kernels.expectations(state, action, &values);
                    let hope = dot(&x, &center) + options.beta.sqrt() * gram.norm(&x);
                    let value = kernels.reward(state, action) + hope.clamp(0.0, greatest);
                    if value > next[state] {
                        (next[state], policy[state]) = (value, action);
                    }
                }
            }
            let steps = next.iter().zip(&values).map(|(next, value)| next - value);
            let least = steps.clone().fold(f64::INFINITY, f64::min);
            let most = steps.fold(f64::NEG_INFINITY, f64::max);
            place.gain = 0.5 * (least + most);
            let lowest = next.iter().copied().fold(f64::INFINITY, f64::min);
            values.iter_mut().zip(&next).for_each(|(value, next)| *value = next - lowest);
            if most - least < accuracy {
                break;
            }
        }
        place.switches += u64::from(place.policy != policy);
        place.log_determinant = place.regression.log_determinant();
        (place.values, place.policy) = (values, policy);
        Ok(())
    }
}

impl Agent for Ucrl2Vtr {
    fn act(&mut self, state: usize) -> usize {
        self.place.policy[state]
    }

    fn observe(&mut self, state: usize, action: usize, _reward: f64, next: usize) {
        let Ucrl2Vtr { kernels, place, .. } = self;
        let x = kernels.expectations(state, action, &place.values);
        place.regression.add(&x, place.values[next]);
        place.time += 1;
        if place.regression.log_determinant() >= place.log_determinant + std::f64::consts::LN_2 {
            // A regression with a ridge can be solved; should rounding say otherwise, the last plan goes on.
            let _ = self.plan();
        }
    }

    fn policy(&self) -> Vec<f64> {
        deterministic(&self.place.policy, self.kernels.actions())
    }

    fn switches(&self) -> Option<u64> {
        Some(self.place.switches)
    }

    fn estimated_gain(&self) -> Option<f64> {
        Some(self.place.gain)
    }

    fn save(&self) -> Vec<u8> {
        state::encode("ucrl2-vtr", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("ucrl2-vtr", saved)?;
        Ok(())
    }
}

//! LOOP over a [linear mixture](super::mixtures) of models (He, Zhong & Yang 2024).
//!
//! The algorithm of [`local_fitted`](super::local_fitted) with hypotheses θ in the simplex, at step t
//!
//! > if t = 1 or Υ_{t-1} ≥ 3β:  θ_t = argmax { J_θ : (θ - θ̂)ᵀ Λ (θ - θ̂) ≤ β };  else θ_t = θ_{t-1}
//! >
//! > a_t = argmax_a Q_{θ_t}(s_t, a);  x = (P_i V_{θ_t})(s_t, a_t),  y = V_{θ_t}(s_{t+1});  Υ_t = (θ_t - θ̂)ᵀ Λ (θ_t - θ̂)
//!
//! The minimum over rivals g is a ridge regression over all weights, not only those of the simplex. The maximum over an
//! ellipsoid of a function that is not concave is found by a search with restarts, which is ours: the paper leaves it open.
//!
//! Source: J. He, H. Zhong & Z. Yang, ICLR 2024, arXiv:2404.12648, algorithm 1 with the model-based discrepancy of linear
//! mixtures, from memory of the paper; λ, β and the search are ours.

use std::sync::Arc;

use quire_core::{About, Options, Paper, Result, Rng, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::local_fitted::Updates;
use super::mixtures::{Kernels, Solved, TargetRegression, kernels, most_rewarding};
use super::{Agent, Method, Needs, Setting};
use crate::finite::deterministic;

/// Options of `mixture-loop`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MixtureLoopOptions {
    /// Radius β of the confidence set, in squared units of value. Ours: 2.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub beta: f64,
    /// Ridge λ, in squared units of value. Ours: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
    /// Random points that a search starts from besides the best fit and the current hypothesis. Ours: 4.
    #[schemars(range(min = 0, max = 1000))]
    pub restarts: usize,
    /// When the hypothesis is chosen anew. Paper: lazy.
    pub updates: Updates,
}

impl Default for MixtureLoopOptions {
    fn default() -> Self {
        MixtureLoopOptions { beta: 2.0, ridge: 1.0, restarts: 4, updates: Updates::Lazy }
    }
}

impl Options for MixtureLoopOptions {}

/// The agent.
pub struct MixtureLoop {
    options: MixtureLoopOptions,
    kernels: Arc<Kernels>,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    regression: TargetRegression,
    /// θ_t, solved.
    hypothesis: Solved,
    /// Υ_{t-1}; negative before the first step.
    excess: f64,
    switches: u64,
    restarts: Rng,
}

impl Method for MixtureLoop {
    type Options = MixtureLoopOptions;

    const ABOUT: About = About {
        name: "mixture-loop",
        summary: "Acts on the most rewarding mixture of known kernels that the data allow, until they do so no longer",
        when: "Where the world is known to be a mixture of a few known models with unknown weights and nothing is ever reset.",
        wing: "mdp",
        family: "average_reward",
        paper: Some(Paper {
            slug: "loop",
            title: "Sample-efficient Learning of Infinite-horizon Average-reward MDPs with General Function Approximation",
            arxiv: "2404.12648",
        }),
        is_baseline: false,
        tuned: "",
    };

    const NEEDS: Needs = Needs::Kernels;

    fn new(setting: &Setting, options: MixtureLoopOptions) -> Result<Self> {
        options::check(&options)?;
        let kernels = kernels(setting, "mixture-loop")?;
        let regression = TargetRegression::new(kernels.dimension(), options.ridge);
        let mut restarts = setting.seeds.stream("restarts");
        let hypothesis =
            most_rewarding(&kernels, &regression, options.beta, None, options.restarts, &mut restarts)?;
        let place = Place { regression, hypothesis, excess: 0.0, switches: 0, restarts };
        Ok(MixtureLoop { options, kernels, place })
    }
}

impl MixtureLoop {
    /// θ_t.
    pub fn weights(&self) -> &[f64] {
        &self.place.hypothesis.weights
    }
}

impl Agent for MixtureLoop {
    fn act(&mut self, state: usize) -> usize {
        self.place.hypothesis.policy[state]
    }

    fn observe(&mut self, state: usize, action: usize, _reward: f64, next: usize) {
        let MixtureLoop { options, kernels, place } = self;
        let x = kernels.expectations(state, action, &place.hypothesis.values);
        place.regression.add(&x, place.hypothesis.values[next]);
        let Ok((center, _)) = place.regression.fit() else { return };
        place.excess = place.regression.excess(&place.hypothesis.weights, &center);
        if options.updates == Updates::EveryStep || place.excess >= 3.0 * options.beta {
            let Place { regression, hypothesis, restarts, .. } = place;
            let found = most_rewarding(
                kernels,
                regression,
                options.beta,
                Some(hypothesis),
                options.restarts,
                restarts,
            );
            // A mixture of solvable kernels that cannot be solved is given up, not acted on.
            if let Ok(found) = found {
                place.switches += u64::from(found.policy != place.hypothesis.policy);
                place.hypothesis = found;
            }
        }
    }

    fn policy(&self) -> Vec<f64> {
        deterministic(&self.place.hypothesis.policy, self.kernels.actions())
    }

    fn switches(&self) -> Option<u64> {
        Some(self.place.switches)
    }

    fn estimated_gain(&self) -> Option<f64> {
        Some(self.place.hypothesis.gain)
    }

    fn save(&self) -> Vec<u8> {
        state::encode("mixture-loop", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("mixture-loop", saved)?;
        Ok(())
    }
}

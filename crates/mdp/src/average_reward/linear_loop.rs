//! LOOP in a [linear average-reward MDP](super::linear_class) (He, Zhong & Yang 2024).
//!
//! The algorithm of [`local_fitted`](super::local_fitted) with hypotheses f = (w, J), Q_f = φ·w, at step t
//!
//! > if t = 1 or Υ_{t-1} ≥ 3β:  f_t = argmax { J_f : excess(f) ≤ β };  else f_t = f_{t-1}
//! >
//! > a_t = argmax_a φ(s_t, a)·w_t;  Υ_t = excess(f_t), of all steps so far
//!
//! No model is fitted and none is known: what the data say of a hypothesis is how well its own values predict themselves one
//! step on, beside the regression that does it best. That regression is solved; the argmax is not, and here a search.
//!
//! Source: J. He, H. Zhong & Z. Yang, ICLR 2024, arXiv:2404.12648, algorithm 1 with the value-based discrepancy, from memory of the
//! paper; λ, β, the bound on the span and the search are ours.

use quire_core::{About, Options, Paper, Result, Rng, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::linear_class::{LinearClass, LinearHypothesis, LinearSums, most_rewarding};
use super::local_fitted::Updates;
use super::{Agent, Method, Needs, Setting};
use crate::finite::deterministic;

/// Options of `linear-loop`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LinearLoopOptions {
    /// Radius β of the confidence set, in squared units of reward. Ours: 2.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub beta: f64,
    /// Ridge λ on weights, in squared units of features. Ours: 0.1; λ‖w‖² should be small beside β.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
    /// Bound on max V - min V of a hypothesis, in units of reward. Paper: one that V* is known to keep; ours: 4.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub span: f64,
    /// Policies drawn at random that a search starts from besides the current one. Ours: 8.
    #[schemars(range(min = 0, max = 1000))]
    pub restarts: usize,
    /// When the hypothesis is chosen anew. Paper: lazy.
    pub updates: Updates,
}

impl Default for LinearLoopOptions {
    fn default() -> Self {
        LinearLoopOptions { beta: 2.0, ridge: 0.1, span: 4.0, restarts: 8, updates: Updates::Lazy }
    }
}

impl Options for LinearLoopOptions {}

/// The agent.
pub struct LinearLoop {
    options: LinearLoopOptions,
    class: LinearClass,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    sums: LinearSums,
    /// f_t.
    hypothesis: LinearHypothesis,
    /// Υ_{t-1}.
    excess: f64,
    switches: u64,
    restarts: Rng,
}

impl Method for LinearLoop {
    type Options = LinearLoopOptions;

    const ABOUT: About = About {
        name: "linear-loop",
        summary: "Acts on the most rewarding linear action values that the data allow, until they do so no longer",
        when: "Where values are known to be linear in features, no model is known, nothing is ever reset, and changing the \
               policy is dear.",
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

    const NEEDS: Needs = Needs::Features;

    fn new(setting: &Setting, options: LinearLoopOptions) -> Result<Self> {
        options::check(&options)?;
        let class = LinearClass::new(setting, options.ridge, options.span, "linear-loop")?;
        let place = Place {
            sums: class.sums(),
            hypothesis: class.hopeful(),
            excess: 0.0,
            switches: 0,
            restarts: setting.seeds.stream("restarts"),
        };
        Ok(LinearLoop { options, class, place })
    }
}

impl LinearLoop {
    /// f_t.
    pub fn hypothesis(&self) -> &LinearHypothesis {
        &self.place.hypothesis
    }

    /// The steps so far, as sums.
    pub fn sums(&self) -> &LinearSums {
        &self.place.sums
    }
}

impl Agent for LinearLoop {
    fn act(&mut self, state: usize) -> usize {
        self.place.hypothesis.policy[state]
    }

    fn observe(&mut self, state: usize, action: usize, reward: f64, next: usize) {
        let LinearLoop { options, class, place } = self;
        let Place { sums, hypothesis, excess, switches, restarts } = place;
        class.add(sums, state, action, reward, next);
        // With a ridge and a step the sums can be factored; should rounding say otherwise, the hypothesis stays.
        let Ok(gram) = class.factor(sums) else { return };
        *excess = class.excess(sums, &gram, hypothesis);
        if options.updates == Updates::EveryStep || *excess >= 3.0 * options.beta {
            let found = most_rewarding(class, sums, options.beta, hypothesis, options.restarts, restarts);
            *switches += hypothesis.renew(found);
        }
    }

    fn policy(&self) -> Vec<f64> {
        deterministic(&self.place.hypothesis.policy, self.class.actions())
    }

    fn switches(&self) -> Option<u64> {
        Some(self.place.switches)
    }

    fn estimated_gain(&self) -> Option<f64> {
        Some(self.place.hypothesis.gain)
    }

    fn save(&self) -> Vec<u8> {
        state::encode("linear-loop", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("linear-loop", saved)?;
        Ok(())
    }
}

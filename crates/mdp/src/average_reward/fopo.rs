//! FOPO: fixed-point optimization with optimism in a [linear average-reward MDP](super::linear_class) (Wei et al. 2021).
//!
//! At the start of an episode
//!
//! > f = argmax { J : w = Λ⁻¹ Σ φ (r - J + max_a φ(s', a)·w) + b, ‖b‖_Λ² ≤ β }
//!
//! and the greedy policy of Q = φ·w is played until det Λ has doubled. The constraint is that the excess loss of (w, J) is at
//! most β: the same set as [`linear_loop`](super::linear_loop) searches, which changes the policy by what it got wrong and
//! not by how much there is to know.
//!
//! Source: C.-Y. Wei, M. Jafarnia-Jahromi, H. Luo & R. Jain, *Learning infinite-horizon average-reward MDPs with linear function
//! approximation*, AISTATS 2021, arXiv:2007.11849, algorithm 1, from memory. There J belongs to the targets of a regression without an
//! intercept; here the intercept has no ridge, as in `linear-loop`, and the optimum, which the paper leaves open, is the same search.

use quire_core::{About, Options, Result, Rng, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::linear_class::{LinearClass, LinearHypothesis, LinearSums, most_rewarding};
use super::{Agent, Method, Needs, Setting};
use crate::finite::deterministic;

/// Options of `fopo`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FopoOptions {
    /// Radius β of the confidence set, in squared units of reward. Paper: one of its theorem; ours: 2, that of `linear-loop`.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub beta: f64,
    /// Ridge λ on weights, in squared units of features. Paper: 1, beside a larger β; ours: 0.1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
    /// Bound on max V - min V of a hypothesis, in units of reward. Paper: one that V* is known to keep; ours: 4.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub span: f64,
    /// Policies drawn at random that a search starts from besides the current one. Ours: 8.
    #[schemars(range(min = 0, max = 1000))]
    pub restarts: usize,
}

impl Default for FopoOptions {
    fn default() -> Self {
        FopoOptions { beta: 2.0, ridge: 0.1, span: 4.0, restarts: 8 }
    }
}

impl Options for FopoOptions {}

/// The agent.
pub struct Fopo {
    options: FopoOptions,
    class: LinearClass,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    sums: LinearSums,
    hypothesis: LinearHypothesis,
    /// ln det Λ at the start of the episode.
    log_determinant: f64,
    switches: u64,
    restarts: Rng,
}

impl Method for Fopo {
    type Options = FopoOptions;

    const ABOUT: About = About {
        name: "fopo",
        summary: "The most rewarding linear action values that the data allow, in episodes of doubling information",
        when: "The rival of linear-loop: the same hope, changed by a clock of its own.",
        wing: "mdp",
        family: "average_reward",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    const NEEDS: Needs = Needs::Features;

    fn new(setting: &Setting, options: FopoOptions) -> Result<Self> {
        options::check(&options)?;
        let class = LinearClass::new(setting, options.ridge, options.span, "fopo")?;
        let sums = class.sums();
        let place = Place {
            log_determinant: class.log_determinant(&sums),
            sums,
            hypothesis: class.hopeful(),
            switches: 0,
            restarts: setting.seeds.stream("restarts"),
        };
        Ok(Fopo { options, class, place })
    }
}

impl Agent for Fopo {
    fn act(&mut self, state: usize) -> usize {
        self.place.hypothesis.policy[state]
    }

    fn observe(&mut self, state: usize, action: usize, reward: f64, next: usize) {
        let Fopo { options, class, place } = self;
        let Place { sums, hypothesis, log_determinant, switches, restarts } = place;
        class.add(sums, state, action, reward, next);
        let information = class.log_determinant(sums);
        if information >= *log_determinant + std::f64::consts::LN_2 {
            *log_determinant = information;
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
        state::encode("fopo", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("fopo", saved)?;
        Ok(())
    }
}

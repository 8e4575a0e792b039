//! The linear action values of least excess loss, with a random action now and then: `linear-loop` without its optimism.
//!
//! > f_t = argmin_f excess(f);  a_t = argmax_a φ(s_t, a)·w_t, but random with probability ε
//!
//! Least-squares policy iteration with a free average reward: with the values of a fixed policy the excess loss can be
//! brought to zero, and a policy that is greedy in its own such values has none. It starts from the last policy, and
//! again whenever the steps have grown by a hundredth. Ours, as the baseline that optimism is held against; the class is that of
//! [`linear_class`](super::linear_class).

use quire_core::{About, Options, Result, Rng, options, state};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::linear_class::{LinearClass, LinearHypothesis, LinearSums, best_fitting};
use super::{Agent, Method, Needs, Setting};
use crate::finite::deterministic;

/// Options of `linear-best-fit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LinearBestFitOptions {
    /// Probability of a uniformly random action. Ours: 0.1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub epsilon: f64,
    /// Ridge λ on weights, in squared units of features. Ours: 0.1, that of `linear-loop`.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
    /// Bound on max V - min V of a hypothesis, in units of reward. Ours: 4, that of `linear-loop`.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub span: f64,
}

impl Default for LinearBestFitOptions {
    fn default() -> Self {
        LinearBestFitOptions { epsilon: 0.1, ridge: 0.1, span: 4.0 }
    }
}

impl Options for LinearBestFitOptions {}

/// The agent.
pub struct LinearBestFit {
    options: LinearBestFitOptions,
    class: LinearClass,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    sums: LinearSums,
    hypothesis: LinearHypothesis,
    /// The number of steps from which on it is fitted anew.
    due: u64,
    switches: u64,
    actions: Rng,
}

impl Method for LinearBestFit {
    type Options = LinearBestFitOptions;

    const ABOUT: About = About {
        name: "linear-best-fit",
        summary: "Acts on the linear action values that fit best, and at random now and then",
        when: "The baseline of linear-loop: what random actions find out in place of optimism.",
        wing: "mdp",
        family: "average_reward",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    const NEEDS: Needs = Needs::Features;

    fn new(setting: &Setting, options: LinearBestFitOptions) -> Result<Self> {
        options::check(&options)?;
        let class = LinearClass::new(setting, options.ridge, options.span, "linear-best-fit")?;
        let place = Place {
            sums: class.sums(),
            hypothesis: class.hopeful(),
            due: 1,
            switches: 0,
            actions: setting.seeds.stream("actions"),
        };
        Ok(LinearBestFit { options, class, place })
    }
}

impl Agent for LinearBestFit {
    fn act(&mut self, state: usize) -> usize {
        let Place { hypothesis, actions, .. } = &mut self.place;
        if actions.random_bool(self.options.epsilon) {
            actions.random_range(0..self.class.actions() as u32) as usize
        } else {
            hypothesis.policy[state]
        }
    }

    fn observe(&mut self, state: usize, action: usize, reward: f64, next: usize) {
        let LinearBestFit { class, place, .. } = self;
        let Place { sums, hypothesis, due, switches, .. } = place;
        class.add(sums, state, action, reward, next);
        if sums.steps() >= *due {
            *due = sums.steps() + sums.steps().div_ceil(100);
            *switches += hypothesis.renew(best_fitting(class, sums, hypothesis));
        }
    }

    fn policy(&self) -> Vec<f64> {
        let mut policy = deterministic(&self.place.hypothesis.policy, self.class.actions());
        let spread = self.options.epsilon / self.class.actions() as f64;
        policy.iter_mut().for_each(|p| *p = (1.0 - self.options.epsilon) * *p + spread);
        policy
    }

    fn switches(&self) -> Option<u64> {
        Some(self.place.switches)
    }

    fn estimated_gain(&self) -> Option<f64> {
        Some(self.place.hypothesis.gain)
    }

    fn save(&self) -> Vec<u8> {
        state::encode("linear-best-fit", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("linear-best-fit", saved)?;
        Ok(())
    }
}

//! The hypothesis of least excess loss, with a random action now and then: LOOP without its optimism.
//!
//! > f_t = argmin_f L(f, f) - min_g L(f, g);  a_t = argmax_a Q_{f_t}(s_t, a), but random with probability ε
//!
//! Ours, as the baseline that optimism is held against. The losses are those of [`hypotheses`](super::hypotheses).

use quire_core::{About, Options, Result, Rng, options, state};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hypotheses::{ExcessLosses, Loss};
use super::local_fitted::class;
use super::{Agent, Method, Needs, Setting};

/// Options of `best-fit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BestFitOptions {
    /// Probability of a uniformly random action. Ours: 0.1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub epsilon: f64,
    /// What a hypothesis is held against.
    pub loss: Loss,
}

impl Default for BestFitOptions {
    fn default() -> Self {
        BestFitOptions { epsilon: 0.1, loss: Loss::Bellman }
    }
}

impl Options for BestFitOptions {}

/// The agent.
pub struct BestFit {
    options: BestFitOptions,
    actions: usize,
    losses: ExcessLosses,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    hypothesis: usize,
    switches: u64,
    rng: Rng,
}

impl Method for BestFit {
    type Options = BestFitOptions;

    const ABOUT: About = About {
        name: "best-fit",
        summary: "Acts on the hypothesis that fits best, and at random now and then",
        when: "The baseline of loop: what random actions find out in place of optimism.",
        wing: "mdp",
        family: "average_reward",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    const NEEDS: Needs = Needs::Hypotheses;

    fn new(setting: &Setting, options: BestFitOptions) -> Result<Self> {
        options::check(&options)?;
        Ok(BestFit {
            losses: ExcessLosses::new(class(setting, "best-fit")?, options.loss),
            actions: setting.actions,
            place: Place { hypothesis: 0, switches: 0, rng: setting.seeds.stream("actions") },
            options,
        })
    }
}

impl Agent for BestFit {
    fn act(&mut self, state: usize) -> usize {
        let Place { hypothesis, rng, .. } = &mut self.place;
        if rng.random_bool(self.options.epsilon) {
            rng.random_range(0..self.actions as u32) as usize
        } else {
            self.losses.class().greedy(*hypothesis)[state]
        }
    }

    fn observe(&mut self, state: usize, action: usize, reward: f64, next: usize) {
        self.losses.add(state, action, reward, next);
        let best = self.losses.best_fit(self.place.hypothesis);
        self.place.switches += u64::from(best != self.place.hypothesis);
        self.place.hypothesis = best;
    }

    fn policy(&self) -> Vec<f64> {
        let greedy = self.losses.class().greedy(self.place.hypothesis);
        let mut policy = crate::finite::deterministic(greedy, self.actions);
        let spread = self.options.epsilon / self.actions as f64;
        policy.iter_mut().for_each(|p| *p = (1.0 - self.options.epsilon) * *p + spread);
        policy
    }

    fn switches(&self) -> Option<u64> {
        Some(self.place.switches)
    }

    fn hypothesis(&self) -> Option<usize> {
        Some(self.place.hypothesis)
    }

    fn estimated_gain(&self) -> Option<f64> {
        Some(self.losses.class().gain(self.place.hypothesis))
    }

    fn save(&self) -> Vec<u8> {
        state::encode("best-fit", &(&self.place, self.losses.sums()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, sums) = state::decode("best-fit", saved)?;
        self.place = place;
        self.losses.set_sums(sums)
    }
}

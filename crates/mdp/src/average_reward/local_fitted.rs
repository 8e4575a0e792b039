//! LOOP: local-fitted optimization with optimism (He, Zhong & Yang 2024), over a finite class of hypotheses.
//!
//! With the excess losses of [`hypotheses`](super::hypotheses), at step t
//!
//! > if t = 1 or Υ_{t-1} ≥ 3β:  B = { f : L(f, f) - min_g L(f, g) ≤ β },  f_t = argmax_{f ∈ B} J_f;  else f_t = f_{t-1}
//! >
//! > a_t = argmax_a Q_{f_t}(s_t, a);  then Υ_t = L(f_t, f_t) - min_g L(f_t, g), of all steps so far
//!
//! Optimism finds out what it hopes for: either the hypothesis earns its J, or its loss grows until it is dropped. The
//! policy is replaced only then, a handful of times in a life.
//!
//! Source: J. He, H. Zhong & Z. Yang, *Sample-efficient learning of infinite-horizon average-reward MDPs with general
//! function approximation*, ICLR 2024, arXiv:2404.12648, algorithm 1, rebuilt from memory of the paper and its reviews:
//! there is no official code. The theory's β is c·ln(T N²/δ)·span with a constant c that is not given; β's default is ours.
//! That an empty B (the paper excludes it) is replaced by the hypothesis of least excess loss is ours too.

use std::sync::Arc;

use quire_core::{About, Error, Options, Paper, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hypotheses::{ExcessLosses, Hypotheses, Loss};
use super::{Agent, Method, Needs, Setting};
use crate::finite::deterministic;

/// Options of `loop`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LoopOptions {
    /// Radius β of the confidence set, in units of the loss: squared reward, or nats for the likelihood. Ours: 2.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub beta: f64,
    /// Squared Bellman residuals, or the likelihood of next states (the paper's MLE-LOOP). Paper: squared residuals with
    /// a rival class that holds the Bellman image, which is the first.
    pub loss: Loss,
    /// When the hypothesis is chosen anew. Paper: lazy.
    pub updates: Updates,
}

/// When the hypothesis is chosen anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Updates {
    /// Once its excess loss has reached 3β.
    Lazy,
    /// At every step: the baseline that the lazy rule is held against.
    EveryStep,
}

impl Default for LoopOptions {
    fn default() -> Self {
        LoopOptions { beta: 2.0, loss: Loss::Bellman, updates: Updates::Lazy }
    }
}

impl Options for LoopOptions {}

/// The theory's β = `constant` · ln(T N²/δ) · span for `steps` T, a class of N `hypotheses`, failure probability `delta` and
/// a bound on the span of V*.
pub fn theory_beta(constant: f64, steps: u64, hypotheses: usize, delta: f64, span: f64) -> f64 {
    constant * (steps as f64 * (hypotheses as f64).powi(2) / delta).ln() * span
}

/// The agent.
pub struct Loop {
    options: LoopOptions,
    actions: usize,
    losses: ExcessLosses,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    /// f_t; `None` before the first step.
    hypothesis: Option<usize>,
    /// Υ_{t-1}.
    excess: f64,
    switches: u64,
}

/// The class that a method of hypotheses needs.
pub(super) fn class(setting: &Setting, method: &str) -> Result<Arc<Hypotheses>> {
    setting.hypotheses.clone().ok_or_else(|| {
        Error::Usage(format!(
            "{method} chooses among hypotheses, and this problem does not have a class of them"
        ))
    })
}

impl Method for Loop {
    type Options = LoopOptions;

    const ABOUT: About = About {
        name: "loop",
        summary: "Acts on the most rewarding hypothesis that the data allow, until they do so no longer",
        when: "Where a finite class of models is known to hold the truth, nothing is ever reset, and changing the policy \
               is dear. Without such a class, ucrl2.",
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

    const NEEDS: Needs = Needs::Hypotheses;

    fn new(setting: &Setting, options: LoopOptions) -> Result<Self> {
        options::check(&options)?;
        let losses = ExcessLosses::new(class(setting, "loop")?, options.loss);
        let place = Place { hypothesis: None, excess: 0.0, switches: 0 };
        Ok(Loop { options, actions: setting.actions, losses, place })
    }
}

impl Loop {
    /// Whether `hypothesis` is in B for the data so far.
    pub fn allows(&self, hypothesis: usize) -> bool {
        self.losses.excess(hypothesis) <= self.options.beta
    }

    /// f_t for the data so far: the greatest J in B; of equals the current one, else the first.
    fn choose(&self) -> usize {
        let class = self.losses.class();
        let current = self.place.hypothesis;
        let mut best = current.filter(|&hypothesis| self.allows(hypothesis));
        for hypothesis in (0..class.count()).filter(|&hypothesis| self.allows(hypothesis)) {
            if best.is_none_or(|best| class.gain(hypothesis) > class.gain(best)) {
                best = Some(hypothesis);
            }
        }
        best.unwrap_or_else(|| self.losses.best_fit(current.unwrap_or(0)))
    }
}

impl Agent for Loop {
    fn act(&mut self, state: usize) -> usize {
        let due = self.options.updates == Updates::EveryStep || self.place.excess >= 3.0 * self.options.beta;
        let hypothesis = match self.place.hypothesis {
            Some(hypothesis) if !due => hypothesis,
            before => {
                let chosen = self.choose();
                self.place.switches += u64::from(before.is_some_and(|before| before != chosen));
                self.place.hypothesis = Some(chosen);
                chosen
            }
        };
        self.losses.class().greedy(hypothesis)[state]
    }

    fn observe(&mut self, state: usize, action: usize, reward: f64, next: usize) {
        self.losses.add(state, action, reward, next);
        if let Some(hypothesis) = self.place.hypothesis {
            self.place.excess = self.losses.excess(hypothesis);
        }
    }

    fn policy(&self) -> Vec<f64> {
        let hypothesis = self.place.hypothesis.unwrap_or_else(|| self.choose());
        deterministic(self.losses.class().greedy(hypothesis), self.actions)
    }

    fn switches(&self) -> Option<u64> {
        Some(self.place.switches)
    }

    fn hypothesis(&self) -> Option<usize> {
        self.place.hypothesis
    }

    fn estimated_gain(&self) -> Option<f64> {
        self.place.hypothesis.map(|hypothesis| self.losses.class().gain(hypothesis))
    }

    fn save(&self) -> Vec<u8> {
        state::encode("loop", &(&self.place, self.losses.sums()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, sums) = state::decode("loop", saved)?;
        self.place = place;
        self.losses.set_sums(sums)
    }
}

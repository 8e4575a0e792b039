//! Q-learning for a finite horizon: a table for every stage, ε-greedy actions (Watkins 1989).
//!
//! > Q_t(s, a) ← Q_t(s, a) + η [ r + γ max_b Q_{t+1}(s', b) - Q_t(s, a) ]
//!
//! with η = 1/n for the n-th visit of (t, s, a), or constant. A baseline of SQIRL.

use quire_core::{About, Options, Result, Rng, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Learner, Method, Setting, Step, argmax};
use crate::control::act;

/// Options of `stage-q-learning`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StageQLearningOptions {
    /// Step size; 0 is one over the number of visits. Ours: 0.1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub learning_rate: f64,
    /// Probability of a uniformly random action. Ours: 0.2.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub epsilon: f64,
    /// Discount factor γ per step.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub discount: f64,
}

impl Default for StageQLearningOptions {
    fn default() -> Self {
        StageQLearningOptions { learning_rate: 0.1, epsilon: 0.2, discount: 1.0 }
    }
}

impl Options for StageQLearningOptions {}

/// The learner.
pub struct StageQLearning {
    options: StageQLearningOptions,
    setting: Setting,
    memory: Memory,
}

#[derive(Serialize, Deserialize)]
struct Memory {
    /// Q_t(s, a), `[T, S, A]`.
    values: Vec<f64>,
    /// Visits, `[T, S, A]`.
    visits: Vec<u32>,
    actions: Rng,
}

impl Method for StageQLearning {
    type Options = StageQLearningOptions;

    const ABOUT: About = About {
        name: "stage-q-learning",
        summary: "ε-greedy Q-learning on a table for every stage of an episode",
        when: "The baseline without stages of its own; it needs no lookahead, but has to stumble on sparse rewards.",
        wing: "mdp",
        family: "fitted",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: StageQLearningOptions) -> Result<Self> {
        options::check(&options)?;
        let entries = setting.horizon * setting.states * setting.actions;
        let memory = Memory {
            values: vec![0.0; entries],
            visits: vec![0; entries],
            actions: setting.seeds.stream("actions"),
        };
        Ok(StageQLearning { options, setting: setting.clone(), memory })
    }
}

impl StageQLearning {
    fn first(&self, stage: usize, state: usize) -> usize {
        (stage * self.setting.states + state) * self.setting.actions
    }

    fn row(&self, stage: usize, state: usize) -> &[f64] {
        &self.memory.values[self.first(stage, state)..][..self.setting.actions]
    }
}

impl Learner for StageQLearning {
    fn act(&mut self, stage: usize, state: usize) -> usize {
        let first = self.first(stage, state);
        let Memory { values, actions, .. } = &mut self.memory;
        act(&values[first..][..self.setting.actions], self.options.epsilon, actions)
    }

    fn observe(&mut self, step: Step, _spent: u64) -> Result<()> {
        let greatest =
            |next| self.row(step.stage + 1, next).iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let target = step.reward + self.options.discount * step.next.map_or(0.0, greatest);
        let entry = self.first(step.stage, step.state) + step.action;
        self.memory.visits[entry] += 1;
        let rate = match self.options.learning_rate {
            0.0 => 1.0 / f64::from(self.memory.visits[entry]),
            rate => rate,
        };
        self.memory.values[entry] += rate * (target - self.memory.values[entry]);
        Ok(())
    }

    fn policy(&self, stage: usize, state: usize) -> Option<usize> {
        Some(argmax(self.row(stage, state)))
    }

    fn learned(&self) -> usize {
        0
    }

    fn save(&self) -> Vec<u8> {
        state::encode("stage-q-learning", &self.memory)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.memory = state::decode("stage-q-learning", saved)?;
        Ok(())
    }
}

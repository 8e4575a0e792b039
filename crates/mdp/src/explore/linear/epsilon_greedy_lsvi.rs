//! Least-squares value iteration with random actions now and then.
//!
//! > Q_h(s, a) = clip(φ·ŵ_h, 0, H - h + 1); in every stage and state a uniformly random action with probability ε
//!
//! Of equal actions a random one is taken: what has not been seen is worth 0, and the first action would be taken for ever.
//! An episode meets each stage once, so actions drawn while planning are those that would be drawn on the way.

use quire_core::{About, Options, Result, Rng, options, state};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::{Explorer, Method, Setting};
use super::Regressions;

/// Values are told apart by chance within this.
const TIE: f64 = 1e-9;

/// Options of `epsilon-greedy-lsvi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EpsilonGreedyLsviOptions {
    /// Probability ε of a random action. Usual: 0.1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub epsilon: f64,
    /// Ridge λ. Usual: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
}

impl Default for EpsilonGreedyLsviOptions {
    fn default() -> Self {
        EpsilonGreedyLsviOptions { epsilon: 0.1, ridge: 1.0 }
    }
}

impl Options for EpsilonGreedyLsviOptions {}

/// The explorer.
pub struct EpsilonGreedyLsvi {
    options: EpsilonGreedyLsviOptions,
    actions: usize,
    regressions: Regressions,
    rng: Rng,
}

impl Method for EpsilonGreedyLsvi {
    type Options = EpsilonGreedyLsviOptions;

    const ABOUT: About = About {
        name: "epsilon-greedy-lsvi",
        summary: "Least-squares value iteration with random actions now and then",
        when: "The undirected baseline: enough where rewards are found by chance.",
        wing: "mdp",
        family: "explore",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: EpsilonGreedyLsviOptions) -> Result<Self> {
        options::check(&options)?;
        let regressions = Regressions::new(setting, options.ridge);
        let rng = setting.seeds.stream("actions");
        Ok(EpsilonGreedyLsvi { options, actions: setting.actions, regressions, rng })
    }
}

impl Explorer for EpsilonGreedyLsvi {
    fn plan(&mut self, policy: &mut [usize]) {
        let EpsilonGreedyLsvi { options, actions, regressions, rng } = self;
        regressions.plan(policy, |regressions, stage, later| {
            let gram = regressions.gram(stage);
            let mut values = regressions.values(&gram.solve(regressions.right(stage, later)));
            values.iter_mut().for_each(|value| *value += TIE * rng.random::<f64>());
            values
        });
        for action in policy {
            if rng.random::<f64>() < options.epsilon {
                *action = rng.random_range(0..*actions);
            }
        }
    }

    fn observe(&mut self, stage: usize, state: usize, action: usize, next: usize) {
        self.regressions.record(stage, state, action, next);
    }

    fn save(&self) -> Vec<u8> {
        state::encode("epsilon-greedy-lsvi", &(self.regressions.sums(), &self.rng))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (sums, rng) = state::decode("epsilon-greedy-lsvi", saved)?;
        self.regressions.restore(sums);
        self.rng = rng;
        Ok(())
    }
}

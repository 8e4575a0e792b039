//! SQIRL: shallow Q-iteration via reinforcement learning (Laidlaw et al. 2024).
//!
//! Learns one stage after the other. For stage i it plays the policy learned so far, from i on *uniformly at random*, and
//! with k looks ahead
//!
//! > Q¹_{i+k-1} ← regress the return from stage i+k-1 on (s, a)
//! >
//! > Q^{j+1}_t ← regress r + γ max_b Q^j_{t+1}(s', b) on (s, a),  t = i+k-2, ..., i
//! >
//! > π_i(s) = argmax_a Q^k_i(s, a)
//!
//! Near the end, where fewer than k stages are left, the ones that exist are used. It works wherever greed in Q^k of the
//! random policy is optimal ("k-QVI-solvable", [`crate::solve::effective_horizon`]), with any regressor.
//!
//! Measured (`papers/sqirl.toml`): in traps the analysis is right about the looks needed. On Garnets one look comes to 92 % of the
//! optimal return, two to 97 %, three to 99 %, given a million steps. With 25 % sticky actions SQIRL reaches 96 % where GORP
//! stays at 79 %; at 100,000 steps Q-learning on a table is ahead of it on stochastic Garnets (89 % against 81 %).
//!
//! Source: C. Laidlaw, B. Zhu, S. Russell & A. Dragan, *The effective horizon explains deep RL performance in stochastic
//! environments*, ICLR 2024, arXiv:2312.08369, algorithm 1. The multi-head network of its experiments is
//! [`deep_sqirl`](super::deep_sqirl).

use quire_core::{About, Options, Paper, Result, Rng, options, state};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Learner, Method, Setting, Step, argmax};
use crate::fitted::regressor::{Encoding, Regressor, RegressorOptions, Rows};

/// The paper.
pub const PAPER: Paper = Paper {
    slug: "sqirl",
    title: "The Effective Horizon Explains Deep RL Performance in Stochastic Environments",
    arxiv: "2312.08369",
};

/// Options of `sqirl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SqirlOptions {
    /// Looks ahead k: 1 is greed in the random policy's values. Paper: 1 to 5, tuned by problem.
    #[schemars(range(min = 1, max = 10_000))]
    pub lookahead: usize,
    /// Episodes m for each stage; 0 spreads the run's budget evenly over the stages. Paper: tuned by problem.
    pub episodes: usize,
    /// Discount factor γ per step. Paper: 1; with networks on MiniGrid 0.99.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub discount: f64,
    /// What is fitted. Paper: any least-squares regressor.
    pub regressor: RegressorOptions,
}

impl Default for SqirlOptions {
    fn default() -> Self {
        SqirlOptions { lookahead: 1, episodes: 0, discount: 1.0, regressor: RegressorOptions::default() }
    }
}

impl Options for SqirlOptions {}

/// A transition at one of the stages i, ..., i+k-1.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Seen {
    state: u32,
    action: u32,
    /// The reward; at the last of the stages the discounted return from there on.
    target: f64,
    /// The next state; `u32::MAX` if there is none, and at the last of the stages.
    next: u32,
}

const NONE: u32 = u32::MAX;

/// What changes while learning.
#[derive(Serialize, Deserialize)]
struct Memory {
    /// π, `[stages learned, S]`.
    policy: Vec<u32>,
    /// For each of the stages i, ..., i+k-1 what was seen there.
    seen: Vec<Vec<Seen>>,
    /// Episodes of this stage, the current one left out.
    episodes: usize,
    /// γ^j after j steps behind stage i+k-1 in the current episode.
    weight: f64,
    actions: Rng,
    fits: Rng,
}

/// The learner.
pub struct Sqirl {
    options: SqirlOptions,
    setting: Setting,
    encoding: Encoding,
    regressor: Box<dyn Regressor>,
    memory: Memory,
    /// Rows of all pairs, `[S A, width]`.
    table: Vec<f64>,
    rows: Rows,
}

impl Method for Sqirl {
    type Options = SqirlOptions;

    const ABOUT: About = About {
        name: "sqirl",
        summary: "Learns stage by stage: regression on random play, then a few steps of fitted Q-iteration",
        when: "Sparse stochastic tasks of a short, known horizon where random play sometimes succeeds. Ask `quire solve-mdp` \
               how many looks ahead it takes: with fewer it stays below the optimum however long it runs. Every stage needs \
               episodes of its own: on small tables stage-q-learning earns more from the same steps.",
        wing: "mdp",
        family: "fitted",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: SqirlOptions) -> Result<Self> {
        options::check(&options)?;
        let encoding = options.regressor.encoding(setting.states, setting.actions, setting.features.clone());
        let mut table = Vec::new();
        for state in 0..setting.states {
            (0..setting.actions).for_each(|action| encoding.push(state, action, &mut table));
        }
        Ok(Sqirl {
            memory: Memory {
                policy: Vec::new(),
                seen: vec![Vec::new(); options.lookahead.min(setting.horizon)],
                episodes: 0,
                weight: 1.0,
                actions: setting.seeds.stream("actions"),
                fits: setting.seeds.stream("fits"),
            },
            regressor: options.regressor.build(),
            rows: Rows::new(encoding.width()),
            setting: setting.clone(),
            options,
            encoding,
            table,
        })
    }
}

impl Sqirl {
    /// The last of the stages that are regressed for stage i: i+k-1, or the last of the episode.
    fn last(&self) -> usize {
        (self.learned() + self.options.lookahead).min(self.setting.horizon) - 1
    }

    /// Fits Q¹ to Q^k on what was seen, makes π_i greedy in Q^k, and turns to the next stage.
    fn learn(&mut self) -> Result<()> {
        let (stage, last) = (self.learned(), self.last());
        let mut values: Vec<f64> = Vec::new();
        for offset in (0..=last - stage).rev() {
            self.rows.clear();
            for seen in &self.memory.seen[offset] {
                self.encoding.push(seen.state as usize, seen.action as usize, &mut self.rows.inputs);
                // At the last stage `next` is none and `values` are not there yet.
                let later = if seen.next == NONE {
                    0.0
                } else {
                    let row = &values[seen.next as usize * self.setting.actions..][..self.setting.actions];
                    row.iter().copied().fold(f64::NEG_INFINITY, f64::max)
                };
                self.rows.targets.push(seen.target + self.options.discount * later);
            }
            if self.rows.is_empty() {
                // Every episode had ended before this stage.
                values.clear();
                values.resize(self.setting.states * self.setting.actions, 0.0);
                continue;
            }
            self.regressor.fit(&self.rows, &mut self.memory.fits)?;
            self.regressor.predict(&self.table, &mut values);
        }
        let greedy = values.chunks_exact(self.setting.actions).map(|row| argmax(row) as u32);
        self.memory.policy.extend(greedy);
        self.memory.seen.iter_mut().for_each(Vec::clear);
        self.memory.episodes = 0;
        Ok(())
    }
}

impl Learner for Sqirl {
    fn act(&mut self, stage: usize, state: usize) -> usize {
        match self.policy(stage, state) {
            Some(action) => action,
            None => self.memory.actions.random_range(0..self.setting.actions as u32) as usize,
        }
    }

    fn observe(&mut self, step: Step, spent: u64) -> Result<()> {
        let (first, last) = (self.learned(), self.last());
        if self.finished().is_some() {
            return Ok(());
        }
        if (first..=last).contains(&step.stage) {
            let next = step.next.filter(|_| step.stage < last).map_or(NONE, |next| next as u32);
            let (state, action) = (step.state as u32, step.action as u32);
            let seen = Seen { state, action, target: step.reward, next };
            self.memory.seen[step.stage - first].push(seen);
            self.memory.weight = 1.0;
        } else if step.stage > last {
            self.memory.weight *= self.options.discount;
            let seen = self.memory.seen[last - first].last_mut().expect("the episode has passed this stage");
            seen.target += self.memory.weight * step.reward;
        }
        if step.next.is_none() {
            self.memory.episodes += 1;
            let enough = match self.options.episodes {
                0 => spent >= self.setting.share(first),
                episodes => self.memory.episodes >= episodes,
            };
            if enough {
                self.learn()?;
            }
        }
        Ok(())
    }

    fn policy(&self, stage: usize, state: usize) -> Option<usize> {
        self.memory.policy.get(stage * self.setting.states + state).map(|&action| action as usize)
    }

    fn finished(&self) -> Option<String> {
        (self.learned() == self.setting.horizon).then(|| "every stage is learned".into())
    }

    fn learned(&self) -> usize {
        self.memory.policy.len() / self.setting.states
    }

    fn save(&self) -> Vec<u8> {
        state::encode("sqirl", &self.memory)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.memory = state::decode("sqirl", saved)?;
        Ok(())
    }
}

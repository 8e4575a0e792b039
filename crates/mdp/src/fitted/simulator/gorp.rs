//! GORP: greedy over random policy (Laidlaw, Russell & Dragan 2023).
//!
//! Fixes one action after the other, without looking at states: behind the actions fixed so far it tries every sequence of k
//! actions, plays at random after it, and fixes the first action of the sequence with the greatest mean return.
//!
//! > a_i = first of argmax_{a_i ... a_{i+k-1}} mean over m episodes of Σ_{t ≥ i} γ^{t-i} r_t
//!
//! Source: C. Laidlaw, S. Russell & A. Dragan, *Bridging RL theory and practice with the effective horizon*, NeurIPS 2023,
//! arXiv:2304.09853, algorithm 1. A baseline of SQIRL; where transitions are random a fixed sequence of actions is not enough.

use quire_core::{About, Error, Options, Result, Rng, options, state};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Learner, Method, Setting, Step, argmax};

/// Sequences that are tried for a stage, at most.
const MOST_SEQUENCES: usize = 1_000_000;

/// Options of `gorp`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GorpOptions {
    /// Length k of the sequences. Paper: 1 to 5, tuned by problem.
    #[schemars(range(min = 1, max = 64))]
    pub lookahead: usize,
    /// Episodes m for each sequence; 0 spreads the run's budget evenly over the stages. Paper: tuned by problem.
    pub episodes: usize,
    /// Discount factor γ per step. Paper: 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub discount: f64,
}

impl Default for GorpOptions {
    fn default() -> Self {
        GorpOptions { lookahead: 1, episodes: 0, discount: 1.0 }
    }
}

impl Options for GorpOptions {}

#[derive(Serialize, Deserialize)]
struct Memory {
    /// The actions fixed so far.
    fixed: Vec<u32>,
    /// Mean return from stage i on, and its episodes, of each sequence; the first action is the highest digit.
    means: Vec<(f64, f64)>,
    /// The sequence that is being tried.
    sequence: usize,
    /// Return of the current episode from stage i on, and γ^{t-i}.
    sum: f64,
    weight: f64,
    actions: Rng,
}

/// The learner.
pub struct Gorp {
    options: GorpOptions,
    setting: Setting,
    memory: Memory,
}

impl Method for Gorp {
    type Options = GorpOptions;

    const ABOUT: About = About {
        name: "gorp",
        summary: "Fixes one action after the other by random rollouts, blind to states",
        when: "The baseline for deterministic problems; under noise its fixed sequence of actions goes astray.",
        wing: "mdp",
        family: "fitted",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: GorpOptions) -> Result<Self> {
        options::check(&options)?;
        let length = options.lookahead.min(setting.horizon);
        let sequences = setting.actions.checked_pow(length as u32).filter(|count| *count <= MOST_SEQUENCES);
        if sequences.is_none() {
            let problem =
                format!("{} actions make more than {MOST_SEQUENCES} sequences of {length}", setting.actions);
            return Err(Error::option("lookahead", problem));
        }
        let mut learner = Gorp {
            memory: Memory {
                fixed: Vec::new(),
                means: Vec::new(),
                sequence: 0,
                sum: 0.0,
                weight: 1.0,
                actions: setting.seeds.stream("actions"),
            },
            setting: setting.clone(),
            options,
        };
        learner.memory.means = vec![(0.0, 0.0); learner.sequences()];
        Ok(learner)
    }
}

impl Gorp {
    /// Length of the sequences at this stage: k, or what is left of the episode.
    fn length(&self) -> usize {
        self.options.lookahead.min(self.setting.horizon - self.learned())
    }

    fn sequences(&self) -> usize {
        self.setting.actions.pow(self.length() as u32)
    }

    fn fix(&mut self) {
        let means: Vec<f64> = self.memory.means.iter().map(|(mean, _)| *mean).collect();
        let first = self.setting.actions.pow(self.length() as u32 - 1);
        self.memory.fixed.push((argmax(&means) / first) as u32);
        self.memory.means.clear();
        let sequences = self.sequences();
        self.memory.means.resize(sequences, (0.0, 0.0));
        self.memory.sequence = 0;
    }
}

impl Learner for Gorp {
    fn act(&mut self, stage: usize, _state: usize) -> usize {
        let (learned, length, actions) = (self.learned(), self.length(), self.setting.actions);
        if stage < learned {
            self.memory.fixed[stage] as usize
        } else if stage < learned + length {
            self.memory.sequence / actions.pow((learned + length - 1 - stage) as u32) % actions
        } else {
            self.memory.actions.random_range(0..actions as u32) as usize
        }
    }

    fn observe(&mut self, step: Step, spent: u64) -> Result<()> {
        let learned = self.learned();
        let memory = &mut self.memory;
        if step.stage == 0 {
            (memory.sum, memory.weight) = (0.0, 1.0);
        }
        if step.stage >= learned {
            memory.sum += memory.weight * step.reward;
            memory.weight *= self.options.discount;
        }
        if step.next.is_none() && learned < self.setting.horizon {
            let (mean, count) = &mut memory.means[memory.sequence];
            *count += 1.0;
            *mean += (memory.sum - *mean) / *count;
            memory.sequence = (memory.sequence + 1) % memory.means.len();
            // Only whole rounds count, so that no sequence is judged by fewer episodes.
            let rounds = if memory.sequence == 0 { memory.means[0].1 } else { 0.0 };
            let enough = match self.options.episodes {
                0 => rounds > 0.0 && spent >= self.setting.share(learned),
                episodes => rounds >= episodes as f64,
            };
            if enough {
                self.fix();
            }
        }
        Ok(())
    }

    fn policy(&self, stage: usize, _state: usize) -> Option<usize> {
        self.memory.fixed.get(stage).map(|&action| action as usize)
    }

    fn finished(&self) -> Option<String> {
        (self.learned() == self.setting.horizon).then(|| "every stage is learned".into())
    }

    fn learned(&self) -> usize {
        self.memory.fixed.len()
    }

    fn save(&self) -> Vec<u8> {
        state::encode("gorp", &self.memory)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.memory = state::decode("gorp", saved)?;
        Ok(())
    }
}

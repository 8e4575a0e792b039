//! UCRL2: the policy of the most rewarding model that the counts allow (Jaksch, Ortner & Auer 2010).
//!
//! Time falls into episodes. At the start t of each, with n = max(1, visits),
//!
//! > |r̃ - r̂| ≤ √(7 ln(2SAt/δ) / 2n),  ‖p̃ - p̂‖₁ ≤ √(14 S ln(2At/δ) / n)
//!
//! and extended value iteration u ← max_a { r̃ + max_p̃ p̃·u }, until its steps differ over states by less than 1/√t, gives the
//! policy. An episode ends when a pair's visits in it have reached those before it.
//!
//! Source: T. Jaksch, R. Ortner & P. Auer, *Near-optimal regret bounds for reinforcement learning*, JMLR 11, 2010, figure 1.
//! Optimistic rewards are cut off at 1, their known bound.

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Agent, Method, Setting};
use crate::finite::deterministic;

/// Options of `ucrl2`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ucrl2Options {
    /// Probability δ with which an interval may miss. The theorems hold for any; ours: 0.05.
    #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
    pub delta: f64,
    /// Whether a reward seen once is taken to be always the same, so that it needs no interval. Paper: false.
    pub deterministic_rewards: bool,
}

impl Default for Ucrl2Options {
    fn default() -> Self {
        Ucrl2Options { delta: 0.05, deterministic_rewards: false }
    }
}

impl Options for Ucrl2Options {}

/// The agent.
pub struct Ucrl2 {
    options: Ucrl2Options,
    states: usize,
    actions: usize,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    /// Steps made.
    time: u64,
    /// Visits before this episode, `[S, A]`.
    before: Vec<u64>,
    /// Visits in this episode, `[S, A]`.
    during: Vec<u64>,
    /// Sums of rewards, `[S, A]`.
    rewards: Vec<f64>,
    /// Transitions, `[S, A, S]`.
    transitions: Vec<u64>,
    /// `[S]`; empty before the first step.
    policy: Vec<usize>,
    /// The optimistic average reward.
    gain: f64,
    switches: u64,
}

impl Method for Ucrl2 {
    type Options = Ucrl2Options;

    const ABOUT: About = About {
        name: "ucrl2",
        summary: "Optimism over all models that the counts allow, in episodes of doubling counts",
        when: "Where nothing is known but the number of states and actions. Its intervals are wide: it explores long.",
        wing: "mdp",
        family: "average_reward",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: Ucrl2Options) -> Result<Self> {
        options::check(&options)?;
        let Setting { states, actions, .. } = *setting;
        let pairs = states * actions;
        let place = Place {
            time: 0,
            before: vec![0; pairs],
            during: vec![0; pairs],
            rewards: vec![0.0; pairs],
            transitions: vec![0; pairs * states],
            policy: Vec::new(),
            gain: 1.0,
            switches: 0,
        };
        Ok(Ucrl2 { options, states, actions, place })
    }
}

/// Turns `probabilities`, an estimate p̂ (`[S]`, all 0 if nothing is known), into the distribution within `radius` of it in
/// the L1 norm that has the greatest expectation of the values by which `order` sorts the states, the best first.
pub fn most_favorable(probabilities: &mut [f64], order: &[usize], radius: f64) {
    let best = order[0];
    probabilities[best] = (probabilities[best] + 0.5 * radius).min(1.0);
    let mut excess = probabilities.iter().sum::<f64>() - 1.0;
    for &state in order[1..].iter().rev() {
        if excess <= 0.0 {
            break;
        }
        let taken = probabilities[state].min(excess);
        probabilities[state] -= taken;
        excess -= taken;
    }
}

impl Ucrl2 {
    /// Starts an episode: extended value iteration on the counts so far.
    fn plan(&mut self) {
        let (states, actions) = (self.states, self.actions);
        let place = &mut self.place;
        for (before, during) in place.before.iter_mut().zip(&mut place.during) {
            *before += std::mem::take(during);
        }
        let time = (place.time + 1) as f64;
        let delta = self.options.delta;
        let of_rewards = 3.5 * (2.0 * (states * actions) as f64 * time / delta).ln();
        let of_transitions = 14.0 * states as f64 * (2.0 * actions as f64 * time / delta).ln();
        let optimistic = |pair: usize| {
            let visits = place.before[pair].max(1) as f64;
            match (self.options.deterministic_rewards, place.before[pair]) {
                (true, 0) => 1.0,
                (true, _) => place.rewards[pair] / visits,
                (false, _) => (place.rewards[pair] / visits + (of_rewards / visits).sqrt()).min(1.0),
            }
        };
        let rewards: Vec<f64> = (0..states * actions).map(optimistic).collect();
        let mut values = vec![0.0; states];
        let mut next = vec![0.0; states];
        let mut order: Vec<usize> = (0..states).collect();
        let mut probabilities = vec![0.0; states];
        let mut policy = vec![0; states];
        loop {
            order.sort_by(|&a, &b| f64::total_cmp(&values[b], &values[a]));
            for state in 0..states {
                next[state] = f64::NEG_INFINITY;
                for action in 0..actions {
                    let pair = state * actions + action;
                    let visits = place.before[pair].max(1) as f64;
                    let counts = &place.transitions[pair * states..][..states];
                    probabilities.iter_mut().zip(counts).for_each(|(p, &count)| *p = count as f64 / visits);
                    most_favorable(&mut probabilities, &order, (of_transitions / visits).sqrt());
                    let future: f64 = probabilities.iter().zip(&values).map(|(p, value)| p * value).sum();
                    if rewards[pair] + future > next[state] {
                        (next[state], policy[state]) = (rewards[pair] + future, action);
                    }
                }
            }
            let steps = next.iter().zip(&values).map(|(next, value)| next - value);
            let least = steps.clone().fold(f64::INFINITY, f64::min);
            let greatest = steps.fold(f64::NEG_INFINITY, f64::max);
            let first = next[0];
            values.iter_mut().zip(&next).for_each(|(value, next)| *value = next - first);
            if greatest - least < 1.0 / time.sqrt() {
                place.gain = 0.5 * (greatest + least);
                break;
            }
        }
        place.switches += u64::from(!place.policy.is_empty() && place.policy != policy);
        place.policy = policy;
    }
}

impl Agent for Ucrl2 {
    fn act(&mut self, state: usize) -> usize {
        let over = self.place.policy.get(state).is_none_or(|action| {
            let pair = state * self.actions + action;
            self.place.during[pair] >= self.place.before[pair].max(1)
        });
        if over {
            self.plan();
        }
        self.place.policy[state]
    }

    fn observe(&mut self, state: usize, action: usize, reward: f64, next: usize) {
        let pair = state * self.actions + action;
        self.place.during[pair] += 1;
        self.place.rewards[pair] += reward;
        self.place.transitions[pair * self.states + next] += 1;
        self.place.time += 1;
    }

    fn policy(&self) -> Vec<f64> {
        if self.place.policy.is_empty() {
            return deterministic(&vec![0; self.states], self.actions);
        }
        deterministic(&self.place.policy, self.actions)
    }

    fn switches(&self) -> Option<u64> {
        Some(self.place.switches)
    }

    fn estimated_gain(&self) -> Option<f64> {
        Some(self.place.gain)
    }

    fn save(&self) -> Vec<u8> {
        state::encode("ucrl2", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("ucrl2", saved)?;
        Ok(())
    }
}

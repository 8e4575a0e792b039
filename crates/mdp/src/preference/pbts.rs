//! PbTS: preference-based Thompson sampling (Wu & Sun 2024).
//!
//! The only feedback is which of two trajectories is better. In every round a reward and a model are drawn from their posteriors,
//! r ~ ρ_r and P ~ ρ_P; π⁰ is optimal for the two, π¹ the π⁰ of the round before. It asks if two rewards disagree about the pair,
//!
//! > E_{r, r' ~ ρ_r} | (r(τ⁰) - r(τ¹)) - (r'(τ⁰) - r'(τ¹)) | > ε
//!
//! Every transition goes into ρ_P, every answer into ρ_r. Two forms of the posteriors:
//!
//! | posterior | ρ_P | ρ_r |
//! |---|---|---|
//! | conjugate | Dirichlet, a stage and pair each | θ ~ N(0, s²) and logistic answers, by Laplace's approximation: normal around the maximum with the inverse curvature as covariance |
//! | candidates | weights of a finite class of models | weights of a finite class of rewards |
//!
//! Source: R. Wu & W. Sun, *Making RL with preference-based feedback efficient via randomization*, ICLR 2024, arXiv:2310.14554,
//! algorithm 2, in detail from memory; the posteriors are ours.

use nalgebra::DVector;
use quire_core::{About, Error, Options, Result, Rng, options, state};
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::comparisons::{Comparisons, difference, logistic};
use super::pr_lsvi::PAPER;
use super::query::{Query, expected_disagreement};
use super::{Candidates, Comparator, Learner, Method, Pair, Setting, Step};
use crate::linear::dot;
use crate::policy::draw;
use crate::posterior::GammaTable;
use crate::solve::maximum;

/// Options of `pbts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PbtsOptions {
    /// Which posteriors.
    pub posterior: Posterior,
    /// When to ask.
    pub query: Query,
    /// Which policy the second trajectory is from. Paper: the previous one.
    pub comparator: Comparator,
    /// Standard deviation s of the conjugate prior of every entry of θ, in units of reward. Ours: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub prior_deviation: f64,
    /// Weight of the conjugate prior of the next states of a pair, shared evenly. Ours: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub prior_weight: f64,
    /// Newton steps after every answer. Ours: 4.
    #[schemars(range(min = 1, max = 100))]
    pub newton_steps: usize,
}

/// Which posteriors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Posterior {
    /// Dirichlet transitions, Laplace's approximation for rewards.
    Conjugate,
    /// Weights of the classes that the problem gives, exact.
    Candidates,
}

impl Default for PbtsOptions {
    fn default() -> Self {
        PbtsOptions {
            posterior: Posterior::Conjugate,
            query: Query::Disagreement { threshold: 0.4 },
            comparator: Comparator::Previous,
            prior_deviation: 1.0,
            prior_weight: 1.0,
            newton_steps: 4,
        }
    }
}

impl Options for PbtsOptions {}

/// The learner.
pub struct Pbts {
    options: PbtsOptions,
    setting: Setting,
    place: Place,
    gamma: GammaTable,
    x: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
struct Place {
    round: u64,
    asked: u64,
    posterior: Rng,
    questions: Rng,
    /// π⁰ of the last round, `[H, S]`; none before the first.
    policy: Vec<usize>,
    belief: Belief,
}

#[derive(Serialize, Deserialize)]
enum Belief {
    Conjugate {
        /// How often each next state followed, `[H, S, A, S]`.
        followed: Vec<f64>,
        comparisons: Comparisons,
    },
    Candidates {
        /// Log weights.
        models: Vec<f64>,
        rewards: Vec<f64>,
    },
}

impl Method for Pbts {
    type Options = PbtsOptions;

    const ABOUT: About = About {
        name: "pbts",
        summary: "Thompson sampling of rewards and models from comparisons, asking where rewards disagree",
        when: "Where only preferences between trajectories can be had, and there is a table of transitions or a class of models to \
               believe in.",
        wing: "mdp",
        family: "preference",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: PbtsOptions) -> Result<Self> {
        options::check(&options)?;
        let dimension = setting.horizon * setting.features.dimension();
        let belief = match options.posterior {
            Posterior::Conjugate => Belief::Conjugate {
                followed: vec![0.0; setting.horizon * setting.pairs() * setting.states],
                comparisons: Comparisons::new(dimension),
            },
            Posterior::Candidates => {
                let missing = || {
                    Error::option(
                        "posterior",
                        "is candidates, but the problem gives no class; take conjugate",
                    )
                };
                let class = setting.candidates.as_ref().ok_or_else(missing)?;
                Belief::Candidates {
                    models: vec![0.0; class.models.len()],
                    rewards: vec![0.0; class.rewards.len()],
                }
            }
        };
        Ok(Pbts {
            options,
            place: Place {
                round: 0,
                asked: 0,
                posterior: setting.seeds.stream("posterior"),
                questions: setting.seeds.stream("questions"),
                policy: Vec::new(),
                belief,
            },
            gamma: GammaTable::default(),
            x: vec![0.0; dimension],
            setting: setting.clone(),
        })
    }
}

/// Weights that sum to 1 from their logarithms.
fn normalized(logs: &[f64]) -> Vec<f64> {
    let greatest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logs.iter().map(|log| (log - greatest).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// E |v - v'| for v and v' drawn independently with `weights`.
pub fn mean_difference(values: &[f64], weights: &[f64]) -> f64 {
    let pairs = |(i, v): (usize, &f64)| -> f64 {
        let rest = values[i + 1..].iter().zip(&weights[i + 1..]);
        rest.map(|(other, weight)| 2.0 * weights[i] * weight * (v - other).abs()).sum()
    };
    values.iter().enumerate().map(pairs).sum()
}

/// r(τ) for rewards of pairs, `[H, S, A]`.
fn paid(rewards: &[f64], actions: usize, pairs: usize, steps: &[Step]) -> f64 {
    let steps = rewards.chunks_exact(pairs).zip(steps);
    steps.map(|(rewards, step)| rewards[step.state * actions + step.action]).sum()
}

impl Pbts {
    fn class(&self) -> &Candidates {
        self.setting.candidates.as_ref().expect("checked in new")
    }

    /// Weights of the candidate models and rewards, for tests.
    #[cfg(test)]
    pub(crate) fn weights(&self) -> [Vec<f64>; 2] {
        match &self.place.belief {
            Belief::Candidates { models, rewards } => [normalized(models), normalized(rewards)],
            Belief::Conjugate { .. } => [Vec::new(), Vec::new()],
        }
    }

    /// The penalty of the likelihood that stands for the prior.
    fn penalty(&self) -> f64 {
        self.options.prior_deviation.powi(-2)
    }

    /// Steps 1 and 2: rewards `[H, S, A]` and transitions `[H, S, A, S]` from their posteriors.
    fn draw_world(&mut self) -> Result<(Vec<f64>, Vec<f64>)> {
        let Setting { features, states, actions, horizon, .. } = self.setting.clone();
        let penalty = self.penalty();
        let Place { belief, posterior, .. } = &mut self.place;
        match belief {
            Belief::Conjugate { followed, comparisons } => {
                let noise = (0..self.x.len()).map(|_| StandardNormal.sample(posterior)).collect();
                let noise = comparisons.curvature(penalty)?.whiten_inverse(noise);
                let theta = DVector::from_column_slice(&comparisons.estimate) + DVector::from_vec(noise);
                let stages = theta.as_slice().chunks_exact(features.dimension());
                let rewards = stages.flat_map(|theta| features.dot(theta)).collect();
                let share = self.options.prior_weight / states as f64;
                let mut transitions: Vec<f64> = followed.iter().map(|count| count + share).collect();
                let rows = transitions.chunks_exact_mut(states);
                rows.for_each(|row| self.gamma.dirichlet(row, posterior));
                Ok((rewards, transitions))
            }
            Belief::Candidates { models, rewards } => {
                let rewards = draw(&normalized(rewards), posterior);
                let model = draw(&normalized(models), posterior);
                let class = self.class();
                let mut transitions = vec![0.0; horizon * features.pairs() * states];
                for (at, row) in transitions.chunks_exact_mut(states).enumerate() {
                    let (stage, pair) = (at / features.pairs(), at % features.pairs());
                    let (next, p) = class.models[model].stage(stage).row(pair / actions, pair % actions);
                    next.iter().zip(p).for_each(|(&next, &p)| row[next as usize] = p);
                }
                Ok((class.rewards[rewards].clone(), transitions))
            }
        }
    }

    /// Step 3: the optimal policy of the draw.
    fn solve(&self, rewards: &[f64], transitions: &[f64], policy: &mut [usize]) {
        let Setting { states, actions, horizon, .. } = self.setting;
        let pairs = states * actions;
        let mut later = vec![0.0; states];
        for stage in (0..horizon).rev() {
            let now = (0..states).map(|state| {
                let values = (0..actions).map(|action| {
                    let at = stage * pairs + state * actions + action;
                    rewards[at] + dot(&transitions[at * states..][..states], &later)
                });
                maximum(values)
            });
            let now: Vec<(usize, f64)> = now.collect();
            for (state, (action, value)) in now.into_iter().enumerate() {
                policy[stage * states + state] = action;
                later[state] = value;
            }
        }
    }

    /// What every candidate reward gives the first trajectory over the second.
    fn advantages(&self, pair: Pair) -> Vec<f64> {
        let (actions, pairs) = (self.setting.actions, self.setting.pairs());
        let advantage = |rewards: &Vec<f64>| {
            paid(rewards, actions, pairs, pair[0]) - paid(rewards, actions, pairs, pair[1])
        };
        self.class().rewards.iter().map(advantage).collect()
    }
}

impl Learner for Pbts {
    fn plan(&mut self, policies: [&mut [usize]; 2]) -> Result<()> {
        let [first, second] = policies;
        let (rewards, transitions) = self.draw_world()?;
        self.solve(&rewards, &transitions, first);
        let has_previous = !self.place.policy.is_empty() && self.options.comparator == Comparator::Previous;
        second.copy_from_slice(if has_previous { &self.place.policy } else { first });
        self.place.policy.clear();
        self.place.policy.extend_from_slice(first);
        Ok(())
    }

    fn asks(&mut self, pair: Pair) -> Result<bool> {
        difference(&self.setting.features, self.setting.actions, pair, &mut self.x);
        let differs = self.x.iter().any(|x| *x != 0.0);
        let disagreement = match &self.place.belief {
            Belief::Conjugate { comparisons, .. } => {
                expected_disagreement(comparisons.curvature(self.penalty())?.norm(&self.x))
            }
            Belief::Candidates { rewards, .. } => {
                mean_difference(&self.advantages(pair), &normalized(rewards))
            }
        };
        let Place { round, asked, questions, .. } = &mut self.place;
        let rounds = (*round, self.setting.rounds);
        Ok(self.options.query.asks(differs, || disagreement, *asked, rounds, questions))
    }

    fn observe(&mut self, pair: Pair, first_is_better: Option<bool>) -> Result<()> {
        self.place.round += 1;
        let (actions, pairs, states) = (self.setting.actions, self.setting.pairs(), self.setting.states);
        let advantages = match (&self.place.belief, first_is_better) {
            (Belief::Candidates { .. }, Some(_)) => self.advantages(pair),
            _ => Vec::new(),
        };
        let class = self.setting.candidates.clone();
        match &mut self.place.belief {
            Belief::Conjugate { followed, .. } => {
                for (stage, step) in pair.into_iter().flat_map(|steps| steps.iter().enumerate()) {
                    let at = stage * pairs + step.state * actions + step.action;
                    followed[at * states + step.next] += 1.0;
                }
            }
            Belief::Candidates { models, .. } => {
                for (log, model) in models.iter_mut().zip(&class.expect("checked in new").models) {
                    for (stage, step) in pair.into_iter().flat_map(|steps| steps.iter().enumerate()) {
                        let (next, p) = model.stage(stage).row(step.state, step.action);
                        let found = next.iter().position(|next| *next as usize == step.next);
                        *log += found.map_or(f64::NEG_INFINITY, |at| p[at].ln());
                    }
                }
            }
        }
        let Some(first) = first_is_better else { return Ok(()) };
        self.place.asked += 1;
        let penalty = self.penalty();
        match &mut self.place.belief {
            Belief::Conjugate { comparisons, .. } => {
                difference(&self.setting.features, actions, pair, &mut self.x);
                comparisons.record(&self.x, first);
                comparisons.fit(penalty, self.options.newton_steps)
            }
            Belief::Candidates { rewards, .. } => {
                for (log, advantage) in rewards.iter_mut().zip(advantages) {
                    *log += logistic(if first { advantage } else { -advantage }).ln();
                }
                Ok(())
            }
        }
    }

    fn save(&self) -> Vec<u8> {
        state::encode("pbts", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("pbts", saved)?;
        Ok(())
    }
}

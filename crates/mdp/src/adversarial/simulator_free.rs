//! Log-barrier policy optimization in a linear MDP without a simulator (Dai, Luo, Wei & Zimmert 2023).
//!
//! Nobody can be asked what a policy would meet, so it is played often enough to see. The first episodes explore for their own
//! sake: each is greedy for optimistic values of a reward min(1, ‖φ‖_{Λ⁻¹}), and all their policies together are a *cover*, from
//! which no well-reachable direction is missing. Then come epochs of W episodes in which the policy π stays. With probability
//! δ an episode draws a stage h* and a policy of the cover, which acts up to and including h*, and π does the rest; Y = 1 for
//! those. With weights w_h = 1 - Y + Y H 1[h = h*],
//!
//! > Σ⁺_h = (γ I + mean of w_h φ_h φ_hᵀ over half of the epoch)⁻¹
//! >
//! > Q̂_h(s, a) = φ(s, a)ᵀ Σ⁺_h (mean of w_h φ_h L_h over the other half)
//! >
//! > b_h(s, a) = β ( ‖φ(s, a)‖²_{Σ⁺} + E_{a'∼π} ‖φ(s, a')‖²_{Σ⁺} ) where ‖φ(s, a)‖²_{Σ_cov⁻¹} ≤ α, and else 0
//! >
//! > B_h(s, a) = b_h(s, a) + (1 + 1/H) max(0, φ(s, a)·v_h), v_h the ridge regression of E_{a'∼π} B_{h+1}(s', a')
//!
//! and π becomes the leader under the log barrier. A regularized mean is all that is asked of Σ⁺, where geometric resampling would need
//! far more episodes.
//!
//! Source: Y. Dai, H. Luo, C.-Y. Wei & J. Zimmert, *Refined regret for adversarial MDPs with linear function approximation*, ICML
//! 2023, arXiv:2301.12942, the extension to linear MDPs, in outline from memory, with the weights w of H. Luo, C.-Y. Wei & C.-W.
//! Lee, arXiv:2107.08346. How the cover explores, how lengths scale with K and all constants are ours.

use std::sync::Arc;

use nalgebra::DMatrix;
use quire_core::{About, Options, Result, Rng, options, state};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::covariance::regularized_inverse;
use super::estimates::{local_bonus, losses_to_go, multiply, squared_norms, under_policy};
use super::log_barrier::PAPER;
use super::{Leaders, Learner, Method, Setting, Step, ftrl};
use crate::explore::linear::Regressions;
use crate::linear::dot;
use crate::solve::maximum;

/// Ridge of the regressions on next values.
const RIDGE: f64 = 1.0;

/// Options of `simulator-free-po`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatorFreePoOptions {
    /// Episodes of pure exploration, in units of K^(2/3). Ours: 0.5.
    #[schemars(range(min = 0.0))]
    pub exploration: f64,
    /// Episodes W of an epoch, in units of K^(1/3). Ours: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub epoch: f64,
    /// Probability δ of an episode for the cover, times K^(1/4). Ours: 0.1.
    #[schemars(range(min = 0.0))]
    pub cover: f64,
    /// Learning rate η, times the root of the number of epochs. Ours: 40, the best of 2, 10 and 40
    /// on the problems here.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub learning_rate: f64,
    /// Factor β of the bonus, times the root of the number of epochs. Ours: 0.02; 0 is no bonus.
    #[schemars(range(min = 0.0))]
    pub bonus: f64,
    /// γ, which is added to the covariance, times W. Ours: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
    /// The greatest ‖φ‖² in the inverse covariance of the cover at which a pair counts as known, α. Ours: 50.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub known: f64,
}

impl Default for SimulatorFreePoOptions {
    fn default() -> Self {
        SimulatorFreePoOptions {
            exploration: 0.5,
            epoch: 1.0,
            cover: 0.1,
            learning_rate: 40.0,
            bonus: 0.02,
            ridge: 1.0,
            known: 50.0,
        }
    }
}

impl Options for SimulatorFreePoOptions {}

/// What the options come to for K episodes.
#[derive(Debug, Clone, PartialEq)]
struct Schedule {
    exploration: u64,
    epoch: u64,
    cover: f64,
    learning_rate: f64,
    bonus: f64,
    ridge: f64,
}

impl Schedule {
    fn new(options: &SimulatorFreePoOptions, episodes: u64) -> Self {
        let k = episodes as f64;
        let exploration = (options.exploration * k.powf(2.0 / 3.0)).ceil().min(k) as u64;
        // Half of an epoch is for the covariance, half for the values.
        let epoch = ((options.epoch * k.cbrt()).ceil().min(k) as u64).max(2);
        let epochs = ((episodes - exploration) as f64 / epoch as f64).max(1.0);
        Schedule {
            exploration,
            epoch,
            cover: (options.cover * k.powf(-0.25)).min(1.0),
            learning_rate: options.learning_rate / epochs.sqrt(),
            bonus: options.bonus / epochs.sqrt(),
            ridge: options.ridge / epoch as f64,
        }
    }
}

/// The learner.
pub struct SimulatorFreePo {
    setting: Setting,
    schedule: Schedule,
    known: f64,
    place: Place,
    /// Of the next state's values, over all episodes.
    regressions: Regressions,
}

#[derive(Serialize, Deserialize)]
struct Place {
    episode: u64,
    rng: Rng,
    leaders: Leaders,
    /// Greedy policies of the exploration, `[H, S]` each.
    cover: Vec<Vec<u32>>,
    /// The stage up to which the cover acts in this episode, if it does.
    turn: Option<usize>,
    /// λ I + Σ φ φᵀ of every stage at the end of the exploration, `[H, d, d]`.
    cover_gram: Vec<f64>,
    /// Of the epoch: the mean of w φ φᵀ, `[H, d, d]`, and of w φ L, `[H, d]`.
    covariance: Vec<f64>,
    products: Vec<f64>,
}

impl Method for SimulatorFreePo {
    type Options = SimulatorFreePoOptions;

    const ABOUT: About = About {
        name: "simulator-free-po",
        summary: "Log-barrier policy optimization against adversarial losses in a linear MDP, without a simulator",
        when: "As log-barrier-po where transitions are unknown but linear in the features. It learns from epochs, not from episodes, \
               and needs many.",
        wing: "mdp",
        family: "adversarial",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    const NEEDS_SIMULATOR: bool = false;

    fn new(setting: &Setting, options: SimulatorFreePoOptions) -> Result<Self> {
        options::check(&options)?;
        let (d, horizon) = (setting.features.dimension(), setting.horizon);
        Ok(SimulatorFreePo {
            schedule: Schedule::new(&options, setting.episodes),
            known: options.known,
            place: Place {
                episode: 0,
                rng: setting.seeds.stream("cover"),
                leaders: Leaders::new(setting),
                cover: Vec::new(),
                turn: None,
                cover_gram: Vec::new(),
                covariance: vec![0.0; horizon * d * d],
                products: vec![0.0; horizon * d],
            },
            regressions: Regressions::of_next_values(
                (setting.states, setting.actions, horizon),
                Arc::clone(&setting.features),
                RIDGE,
            ),
            setting: setting.clone(),
        })
    }
}

impl SimulatorFreePo {
    fn matrix(&self, sums: &[f64], stage: usize, weight: f64) -> DMatrix<f64> {
        let d = self.setting.features.dimension();
        DMatrix::from_column_slice(d, d, &sums[stage * d * d..][..d * d]) * weight
    }

    /// v_h: the regression of `values`, `[S]`, of the next state on the features of a stage's pairs.
    fn regress(&self, stage: usize, values: &[f64]) -> Vec<f64> {
        self.regressions.gram(stage).solve(self.regressions.right(stage, values))
    }

    /// The leaders, for tests.
    #[cfg(test)]
    pub(crate) fn leaders(&self) -> &Leaders {
        &self.place.leaders
    }

    /// Greedy for optimistic values of what is seldom met, `[H, S]`.
    fn explore(&self) -> Vec<u32> {
        let Setting { features, states, actions, horizon, .. } = &self.setting;
        let mut policy = vec![0; horizon * states];
        let mut later = vec![0.0; *states];
        for stage in (0..*horizon).rev() {
            let gram = self.regressions.gram(stage);
            let weights = self.regress(stage, &later);
            let greatest = (horizon - stage) as f64;
            let mut now = vec![0.0; *states];
            for (state, value) in now.iter_mut().enumerate() {
                let values = (0..*actions).map(|action| {
                    let phi = features.of(state * actions + action);
                    // The novelty pays and, as a bonus, makes up for what is not known of the next state's.
                    (2.0 * gram.norm(phi).min(1.0) + dot(phi, &weights)).clamp(0.0, greatest)
                });
                let (action, best) = maximum(values);
                policy[stage * states + state] = action as u32;
                *value = best;
            }
            later = now;
        }
        policy
    }

    /// Estimates, bonuses and the next policy, at the end of an epoch.
    fn end_epoch(&mut self) -> Result<()> {
        let Setting { features, states, actions, horizon, .. } = &self.setting;
        let (d, pairs) = (features.dimension(), features.pairs());
        let mut estimates = vec![0.0; horizon * pairs];
        let mut bonuses = vec![0.0; horizon * pairs];
        let (mut along, mut later) = (vec![0.0; d], vec![0.0; *states]);
        for stage in (0..*horizon).rev() {
            let policy = &self.place.leaders.policy[stage * pairs..][..pairs];
            let inverse =
                regularized_inverse(self.matrix(&self.place.covariance, stage, 1.0), self.schedule.ridge)?;
            multiply(&inverse, &self.place.products[stage * d..][..d], &mut along);
            let estimates = &mut estimates[stage * pairs..][..pairs];
            estimates.iter_mut().enumerate().for_each(|(pair, q)| *q = dot(features.of(pair), &along));
            if self.schedule.bonus == 0.0 {
                continue;
            }
            let bonuses = &mut bonuses[stage * pairs..][..pairs];
            squared_norms(features, &inverse, &mut along, bonuses);
            local_bonus(bonuses, policy, *actions, self.schedule.bonus);
            let explored = self.place.cover.len().max(1) as f64;
            let cover = self.matrix(&self.place.cover_gram, stage, 1.0 / explored);
            let cover = regularized_inverse(cover, 0.0)?;
            for (pair, bonus) in bonuses.iter_mut().enumerate() {
                multiply(&cover, features.of(pair), &mut along);
                if dot(features.of(pair), &along) > self.known {
                    *bonus = 0.0;
                }
            }
            if stage + 1 < *horizon {
                let weights = self.regress(stage, &later);
                let dilation = 1.0 + 1.0 / *horizon as f64;
                for (pair, bonus) in bonuses.iter_mut().enumerate() {
                    *bonus += dilation * dot(features.of(pair), &weights).max(0.0);
                }
            }
            under_policy(bonuses, policy, *actions, &mut later);
        }
        self.place.covariance.fill(0.0);
        self.place.products.fill(0.0);
        let rate = self.schedule.learning_rate;
        self.place.leaders.follow(&estimates, &bonuses, rate, *actions, ftrl::log_barrier)
    }
}

impl Learner for SimulatorFreePo {
    fn plan(&mut self, policy: &mut [f64]) {
        let Setting { states, actions, horizon, .. } = self.setting;
        policy.copy_from_slice(&self.place.leaders.policy);
        let exploring = self.place.episode < self.schedule.exploration;
        let place = &mut self.place;
        // Both are drawn always, so that the streams do not shift with δ.
        let (coin, stage) = (place.rng.random::<f64>(), place.rng.random_range(0..horizon));
        let chosen = place.rng.random_range(0..place.cover.len().max(1));
        let covers = !exploring && !place.cover.is_empty() && coin < self.schedule.cover;
        place.turn = covers.then_some(stage);
        let (greedy, until) = if exploring {
            let greedy = self.explore();
            self.place.cover.push(greedy);
            (self.place.cover.last().expect("just pushed"), horizon)
        } else if covers {
            (&self.place.cover[chosen], stage + 1)
        } else {
            return;
        };
        for (row, &action) in policy.chunks_exact_mut(actions).zip(greedy).take(until * states) {
            row.fill(0.0);
            row[action as usize] = 1.0;
        }
    }

    fn observe(&mut self, episode: &[Step]) -> Result<()> {
        let Setting { features, actions, horizon, .. } = &self.setting;
        let d = features.dimension();
        let Schedule { exploration, epoch, .. } = self.schedule;
        let exploring = self.place.episode < exploration;
        // Where in its epoch the episode is, and how many of an epoch are for the covariance.
        let (at, first) = (self.place.episode.saturating_sub(exploration) % epoch, epoch / 2);
        let Place { turn, covariance, products, .. } = &mut self.place;
        let mut to_go = vec![0.0; *horizon];
        losses_to_go(episode, &mut to_go);
        for (stage, step) in episode.iter().enumerate() {
            let pair = step.state * actions + step.action;
            let phi = features.of(pair);
            // Nothing is regressed at the last stage, so that any state will do for the one behind it.
            let next = episode.get(stage + 1).map_or(0, |next| next.state);
            self.regressions.record(stage, step.state, step.action, next);
            let weight = match turn {
                None => 1.0,
                Some(turn) if *turn == stage => *horizon as f64,
                Some(_) => 0.0,
            };
            if exploring || weight == 0.0 {
                continue;
            }
            if at < first {
                add_to(&mut covariance[stage * d * d..][..d * d], phi, weight / first as f64);
            } else {
                let share = weight * to_go[stage] / (epoch - first) as f64;
                let products = &mut products[stage * d..][..d];
                products.iter_mut().zip(phi).for_each(|(sum, x)| *sum += share * x);
            }
        }
        self.place.episode += 1;
        if self.place.episode == exploration {
            for stage in 0..*horizon {
                self.place.cover_gram.extend_from_slice(self.regressions.matrix(stage).as_slice());
            }
        }
        if !exploring && at + 1 == epoch { self.end_epoch() } else { Ok(()) }
    }

    fn lowest_estimate(&self) -> Option<f64> {
        Some(self.place.leaders.lowest)
    }

    fn save(&self) -> Vec<u8> {
        state::encode("simulator-free-po", &(&self.place, self.regressions.sums()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, sums) = state::decode("simulator-free-po", saved)?;
        self.place = place;
        self.regressions.restore(sums);
        Ok(())
    }
}

/// `sums += weight φ φᵀ`, `[d, d]`.
fn add_to(sums: &mut [f64], phi: &[f64], weight: f64) {
    for (x, row) in phi.iter().zip(sums.chunks_exact_mut(phi.len())).filter(|(x, _)| **x != 0.0) {
        row.iter_mut().zip(phi).for_each(|(sum, y)| *sum += weight * x * y);
    }
}

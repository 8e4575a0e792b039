//! RandQL: model-free posterior sampling by random learning rates, without bonuses (Tiapkin et al. 2023).
//!
//! An ensemble of J action-value tables is moved towards the same targets, each table with learning rates of its own drawn
//! from Beta distributions. A sequence of such moves is a random convex combination of all targets seen, as a posterior
//! sample would be, and the greatest of the ensemble is optimistic. There is no model: memory is S A H J.
//!
//! With v_h = r₀ (H - h + 1), the most that can still be earned, after each step (s, a, r, s') at stage h:
//!
//! *practical*, the form of the experiments, n starting at n₀ κ and raised by one first:
//!
//! > g_j ~ Beta(n, n₀),  y_j = g_j (r + V̄_{h+1}(s')) + (1 - g_j) v_h
//! >
//! > w_j ~ Beta((H + 1)/κ, n/κ),  Q̃^j ← (1 - w_j) Q̃^j + w_j y_j
//! >
//! > Q̄ ← min(Q̄, max_j Q̃^j),  V̄_h(s) ← min(v_h, max_a Q̄(s, a))
//!
//! *sampled*: the same tables with targets of their own, V^j_{h+1}(s') = max_b Q̃^j(s', b) in place of V̄; every episode
//! draws one j and is greedy in Q̃^j.
//!
//! *staged*, the form of the theory: w_j ~ Beta(1/κ, (n + n₀)/κ) towards r + V̄_{h+1}(s'); at the end of stage q, after
//! ⌊(1 + 1/H)^q H⌋ visits, Q̄ ← max_j Q̃^j, V̄ ← max_a Q̄, and the Q̃^j start again at v_h.
//!
//! Source: D. Tiapkin et al., *Model-free posterior sampling via learning rate randomization*, NeurIPS 2023,
//! arXiv:2310.18186, algorithms 1, 2 and appendix. The theory's J, κ and n₀ grow with logarithms of the number of episodes;
//! the defaults are those of the experiments.

use quire_core::{About, Options, Paper, Result, Rng, options, state};
use rand::RngExt;
use rand_distr::{Beta, Distribution, Exp1};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stages::Stages;
use super::{Explorer, Method, Setting};
use crate::posterior::LargeGamma;
use crate::solve::maximum;

/// Options of `randql`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RandQlOptions {
    /// Which form of the algorithm.
    pub form: Form,
    /// Tables J in the ensemble. Paper's experiments: 10.
    #[schemars(range(min = 1, max = 1000000))]
    pub tables: usize,
    /// Prior transitions n₀; none is 1/S. Paper's experiments: 1/S.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub prior_weight: Option<f64>,
    /// Posterior inflation κ. Paper's experiments: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub inflation: f64,
    /// Reward r₀ per step that unknown pairs are taken to earn. Theory: 2; paper's experiments: 1.
    #[schemars(range(min = 1.0))]
    pub prior_reward: f64,
}

/// The forms of the algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The maximum of the ensemble, never rising.
    Practical,
    /// One table an episode, drawn at random.
    Sampled,
    /// The maximum of the ensemble, renewed in stages.
    Staged,
}

impl Default for RandQlOptions {
    fn default() -> Self {
        RandQlOptions {
            form: Form::Practical,
            tables: 10,
            prior_weight: None,
            inflation: 1.0,
            prior_reward: 1.0,
        }
    }
}

impl Options for RandQlOptions {}

/// Visits that end stage `stage` (from 0): ⌊(1 + 1/H)^q H⌋.
pub fn stage_length(stage: u32, horizon: usize) -> u64 {
    ((1.0 + 1.0 / horizon as f64).powf(f64::from(stage)) * horizon as f64).floor() as u64
}

/// Beta(a, b), where b may be as small as 1/S and a vanishing b gives 1.
enum Share {
    /// x/(x + y) of gamma variates, which are cheap where both shapes are at least 1.
    Gammas(LargeGamma, LargeGamma),
    /// Any other, and its mean.
    Any(Beta<f64>, f64),
}

impl Share {
    fn new(a: f64, b: f64) -> Self {
        if a >= 1.0 && b >= 1.0 {
            Share::Gammas(LargeGamma::new(a), LargeGamma::new(b))
        } else {
            Share::Any(Beta::new(a, b).expect("positive parameters"), a / (a + b))
        }
    }

    #[inline]
    fn draw(&self, rng: &mut Rng) -> f64 {
        match self {
            Share::Gammas(first, second) => {
                let (first, second) = (first.draw(rng), second.draw(rng));
                first / (first + second)
            }
            Share::Any(beta, mean) => {
                let draw = beta.sample(rng);
                // Both gamma variates behind the draw may underflow to 0.
                if draw.is_nan() { f64::from(u8::from(rng.random::<f64>() < *mean)) } else { draw }
            }
        }
    }
}

/// A draw from Beta(a, b).
fn beta(a: f64, b: f64, rng: &mut Rng) -> f64 {
    Share::new(a, b).draw(rng)
}

/// 1 - g, the weight of the prior.
enum PriorWeight {
    /// For n₀ < 1 < n, as the product of e^(-E/n₀), E ~ Exp(1), which has the law Beta(n₀, 1), and Beta(n₀ + 1, n - 1). Where E is
    /// above `negligible` it is less than 2⁻⁵⁴, and g rounds to 1: with n₀ = 1/S that is most of the time, so the rest is
    /// seldom drawn.
    Small { negligible: f64, rate: f64, share: Share },
    /// For any n₀.
    Any(Share),
}

/// A step of the practical and the sampled form, made once for all tables: with g ~ Beta(n, n₀) and w ~ Beta((H + 1)/κ, n/κ),
/// a value moves by w towards g `target` + (1 - g) `ceiling`.
pub(super) struct PracticalStep {
    prior: PriorWeight,
    rate: Share,
}

impl PracticalStep {
    pub(super) fn new(n: f64, prior_weight: f64, inflation: f64, horizon: usize) -> Self {
        let prior = if prior_weight < 1.0 && n > 1.0 {
            PriorWeight::Small {
                negligible: 54.0 * std::f64::consts::LN_2 * prior_weight,
                rate: 1.0 / prior_weight,
                share: Share::new(prior_weight + 1.0, n - 1.0),
            }
        } else {
            PriorWeight::Any(Share::new(prior_weight, n))
        };
        PracticalStep { prior, rate: Share::new((horizon as f64 + 1.0) / inflation, n / inflation) }
    }

    #[inline]
    pub(super) fn apply(&self, value: &mut f64, target: f64, ceiling: f64, rng: &mut Rng) {
        let target = match &self.prior {
            PriorWeight::Small { negligible, rate, share } => {
                let exponential: f64 = Exp1.sample(rng);
                if exponential > *negligible {
                    target
                } else {
                    mix((-exponential * rate).exp() * share.draw(rng), ceiling, target)
                }
            }
            PriorWeight::Any(share) => mix(share.draw(rng), ceiling, target),
        };
        *value += self.rate.draw(rng) * (target - *value);
    }
}

fn mix(weight: f64, a: f64, b: f64) -> f64 {
    weight * a + (1.0 - weight) * b
}

/// One table's step of the staged form: `value` moves by w ~ Beta(1/κ, (n + n₀)/κ) towards `target`.
pub(super) fn staged_step(
    value: &mut f64,
    target: f64,
    visits: u64,
    prior_weight: f64,
    inflation: f64,
    rng: &mut Rng,
) {
    let rate = beta(1.0 / inflation, (visits as f64 + prior_weight) / inflation, rng);
    *value += rate * (target - *value);
}

/// The explorer.
pub struct RandQl {
    options: RandQlOptions,
    prior_weight: f64,
    setting: Setting,
    learned: Learned,
}

#[derive(Serialize, Deserialize)]
struct Learned {
    /// Q̃^j, `[H, S, A, J]`.
    ensemble: Vec<f64>,
    /// Q̄ and V̄.
    upper: Stages,
    /// Visits n of (h, s, a), since the stage began in the staged form, `[H, S, A]`.
    visits: Vec<u64>,
    /// The stage q of (h, s, a); empty but in the staged form.
    stages: Vec<u32>,
    rng: Rng,
}

impl Method for RandQl {
    type Options = RandQlOptions;

    const ABOUT: About = About {
        name: "randql",
        summary: "Q-learning on an ensemble of tables with random learning rates, whose maximum is optimistic",
        when: "Where a model of all transitions is too large to keep or to plan in. Model-based explorers such as psrl have \
               far less regret where they are affordable.",
        wing: "mdp",
        family: "explore",
        paper: Some(Paper {
            slug: "randql",
            title: "Model-free Posterior Sampling via Learning Rate Randomization",
            arxiv: "2310.18186",
        }),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: RandQlOptions) -> Result<Self> {
        options::check(&options)?;
        let triples = setting.horizon * setting.pairs();
        let upper = Stages::new(setting, options.prior_reward);
        let ensemble = upper.q.iter().flat_map(|&value| std::iter::repeat_n(value, options.tables)).collect();
        Ok(RandQl {
            prior_weight: options.prior_weight.unwrap_or(1.0 / setting.states as f64),
            learned: Learned {
                ensemble,
                upper,
                visits: vec![0; triples],
                stages: if options.form == Form::Staged { vec![0; triples] } else { Vec::new() },
                rng: setting.seeds.stream("learning-rates"),
            },
            setting: setting.clone(),
            options,
        })
    }
}

impl RandQl {
    /// One step of the practical or the sampled form.
    fn learn(&mut self, stage: usize, state: usize, action: usize, next: usize) {
        let RandQl { options, setting, learned, prior_weight, .. } = self;
        let Learned { ensemble, upper, visits, rng, .. } = learned;
        let (tables, at) = (options.tables, upper.index(stage, state, action));
        visits[at] += 1;
        let n = visits[at] as f64 + *prior_weight * options.inflation;
        let reward = setting.rewards[state * setting.actions + action];
        let ceiling = upper.ceiling(stage);
        let step = PracticalStep::new(n, *prior_weight, options.inflation, setting.horizon);
        let mut greatest = f64::NEG_INFINITY;
        for table in 0..tables {
            let later = match options.form {
                Form::Sampled if stage + 1 < setting.horizon => {
                    let rows =
                        upper.index(stage + 1, next, 0)..upper.index(stage + 1, next, 0) + setting.actions;
                    rows.map(|row| ensemble[row * tables + table]).fold(f64::NEG_INFINITY, f64::max)
                }
                _ => upper.value(stage + 1, next),
            };
            let value = &mut ensemble[at * tables + table];
            step.apply(value, reward + later, ceiling, rng);
            greatest = greatest.max(*value);
        }
        upper.q[at] = upper.q[at].min(greatest);
        upper.renew(stage, state);
    }

    /// One step of the staged form.
    fn learn_in_stages(&mut self, stage: usize, state: usize, action: usize, next: usize) {
        let RandQl { options, setting, learned, prior_weight, .. } = self;
        let Learned { ensemble, upper, visits, stages, rng } = learned;
        let at = upper.index(stage, state, action);
        let values = &mut ensemble[at * options.tables..][..options.tables];
        let target = setting.rewards[state * setting.actions + action] + upper.value(stage + 1, next);
        for value in &mut *values {
            staged_step(value, target, visits[at], *prior_weight, options.inflation, rng);
        }
        visits[at] += 1;
        if visits[at] >= stage_length(stages[at], setting.horizon) {
            upper.q[at] = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            upper.renew(stage, state);
            values.fill(upper.ceiling(stage));
            stages[at] += 1;
            visits[at] = 0;
        }
    }
}

impl Explorer for RandQl {
    /// Greedy; what a step changes at its stage does not matter to the later stages of its episode.
    fn plan(&mut self, policy: &mut [usize]) {
        let (tables, actions) = (self.options.tables, self.setting.actions);
        let Learned { ensemble, upper, rng, .. } = &mut self.learned;
        if self.options.form == Form::Sampled {
            let drawn = rng.random_range(0..tables as u32) as usize;
            for (row, best) in policy.iter_mut().enumerate() {
                let values = (0..actions).map(|action| ensemble[(row * actions + action) * tables + drawn]);
                *best = maximum(values).0;
            }
        } else {
            upper.greedy(policy);
        }
    }

    fn observe(&mut self, stage: usize, state: usize, action: usize, next: usize) {
        match self.options.form {
            Form::Staged => self.learn_in_stages(stage, state, action, next),
            Form::Practical | Form::Sampled => self.learn(stage, state, action, next),
        }
    }

    fn save(&self) -> Vec<u8> {
        state::encode("randql", &self.learned)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.learned = state::decode("randql", saved)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::*;

    /// One state, one action, which earns 0.25.
    fn bandit(horizon: usize, options: RandQlOptions) -> RandQl {
        let setting = Setting {
            states: 1,
            actions: 1,
            horizon,
            rewards: vec![0.25],
            seeds: Seeds::new(3),
            features: None,
        };
        RandQl::new(&setting, options).unwrap()
    }

    fn moments(values: &[f64]) -> (f64, f64) {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64)
    }

    /// Stick breaking: after n visits in a stage Q̃ = W₀ v + (1 - W₀) y with W₀ ~ Beta(n₀/κ, n/κ), the targets y being equal.
    #[test]
    fn staged_updates_have_the_law_of_a_dirichlet_mean() {
        for inflation in [1.0, 3.0] {
            let options = RandQlOptions {
                form: Form::Staged,
                tables: 100_000,
                prior_weight: Some(2.0),
                inflation,
                ..RandQlOptions::default()
            };
            let mut explorer = bandit(10, options);
            (0..4).for_each(|_| explorer.observe(0, 0, 0, 0));
            let (mean, variance) = moments(&explorer.learned.ensemble[..100_000]);
            // v = 10 and y = 0.25 + 9.
            let (a, b) = (2.0 / inflation, 4.0 / inflation);
            let exact_mean = 9.25 + 0.75 * a / (a + b);
            let exact_variance = 0.75 * 0.75 * a * b / ((a + b) * (a + b) * (a + b + 1.0));
            assert!((mean - exact_mean).abs() < 5.0 * (exact_variance / 1e5).sqrt(), "{mean} {exact_mean}");
            assert!((variance / exact_variance - 1.0).abs() < 0.03, "{variance} {exact_variance}");
        }
    }

    /// Towards 0 from 0 with a ceiling of 1 and w ≈ 1 a step draws 1 - g itself, which has the law Beta(n₀, n).
    #[test]
    fn the_weight_of_the_prior_has_its_law() {
        for (prior, n) in [(0.05_f64, 1.05_f64), (0.4, 3.4), (0.9, 1.9), (1.0, 2.0), (2.5, 4.5)] {
            let step = PracticalStep { rate: Share::new(1e12, 1.0), ..PracticalStep::new(n, prior, 1.0, 10) };
            let mut rng = Seeds::new(5).stream("law");
            let draws: Vec<f64> = (0..100_000)
                .map(|_| {
                    let mut value = 0.0;
                    step.apply(&mut value, 0.0, 1.0, &mut rng);
                    value
                })
                .collect();
            let (mean, variance) = moments(&draws);
            let exact_mean = prior / (prior + n);
            let exact_variance = exact_mean * (1.0 - exact_mean) / (prior + n + 1.0);
            assert!((mean - exact_mean).abs() < 5.0 * (exact_variance / 1e5).sqrt(), "{mean} {exact_mean}");
            assert!((variance / exact_variance - 1.0).abs() < 0.06, "{prior}: {variance} {exact_variance}");
        }
    }

    #[test]
    fn the_first_visit_of_a_stage_forgets_the_start_as_the_prior_vanishes() {
        let options =
            RandQlOptions { form: Form::Staged, prior_weight: Some(1e-12), ..RandQlOptions::default() };
        let mut explorer = bandit(10, options);
        explorer.observe(0, 0, 0, 0);
        assert!(explorer.learned.ensemble[..10].iter().all(|value| (value - 9.25).abs() < 1e-9));
    }

    #[test]
    fn stages_grow_by_one_part_in_h() {
        assert_eq!([0, 1, 2, 5].map(|stage| stage_length(stage, 10)), [10, 11, 12, 16]);
        let options = RandQlOptions { form: Form::Staged, ..RandQlOptions::default() };
        let mut explorer = bandit(10, options);
        (0..9).for_each(|_| explorer.observe(9, 0, 0, 0));
        assert_eq!(explorer.learned.upper.q[9], 1.0);
        explorer.observe(9, 0, 0, 0);
        // At the last stage every target is the reward.
        assert!(explorer.learned.upper.q[9] < 1.0 && explorer.learned.upper.q[9] >= 0.25);
        assert_eq!((explorer.learned.stages[9], explorer.learned.visits[9]), (1, 0));
    }

    /// κ → 0 makes the rates their means, (H + 1)/(H + 1 + n), and n₀ → 0 leaves the prior out.
    #[test]
    fn without_spread_it_is_q_learning_with_the_rate_of_optimistic_q_learning() {
        let options = RandQlOptions {
            tables: 1,
            prior_weight: Some(1e-12),
            inflation: 1e-9,
            ..RandQlOptions::default()
        };
        let mut explorer = bandit(4, options);
        let mut by_hand = 1.0;
        for visit in 1..=20 {
            explorer.observe(3, 0, 0, 0);
            by_hand += 5.0 / (5.0 + f64::from(visit)) * (0.25 - by_hand);
            assert!((explorer.learned.ensemble[3] - by_hand).abs() < 1e-3, "visit {visit}");
        }
    }

    #[test]
    fn upper_values_never_rise_and_stay_in_range() {
        let setting = Setting {
            states: 3,
            actions: 2,
            horizon: 4,
            rewards: vec![0.0, 0.1, 0.5, 0.2, 1.0, 0.0],
            seeds: Seeds::new(1),
            features: None,
        };
        let mut explorer = RandQl::new(&setting, RandQlOptions::default()).unwrap();
        let mut rng = Seeds::new(2).stream("walk");
        let mut before = explorer.learned.upper.clone();
        for _ in 0..500 {
            let mut state = 0;
            for stage in 0..4 {
                let (action, next) = (rng.random_range(0..2_usize), rng.random_range(0..3_usize));
                explorer.observe(stage, state, action, next);
                state = next;
            }
            let now = &explorer.learned.upper;
            assert!(now.q.iter().zip(&before.q).all(|(now, before)| now <= before));
            for stage in 0..4 {
                let values = (0..3).map(|state| now.value(stage, state));
                assert!(values.into_iter().all(|value| (0.0..=now.ceiling(stage)).contains(&value)));
            }
            before = now.clone();
        }
    }

    /// Shapes as small as 0.001 give numbers in [0, 1] with the right mean.
    #[test]
    fn beta_draws_with_tiny_shapes() {
        let mut rng = Seeds::new(4).stream("beta");
        for (a, b) in [(1.0, 0.01), (0.001, 0.001), (50.0, 0.001)] {
            let draws: Vec<f64> = (0..50_000).map(|_| beta(a, b, &mut rng)).collect();
            assert!(draws.iter().all(|draw| (0.0..=1.0).contains(draw)));
            let (mean, variance) = moments(&draws);
            let slack = 6.0 * (variance / 5e4).sqrt() + 1e-4;
            assert!((mean - a / (a + b)).abs() < slack, "Beta({a}, {b}): {mean}");
        }
    }
}

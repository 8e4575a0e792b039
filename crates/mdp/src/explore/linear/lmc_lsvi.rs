//! LMC-LSVI: Thompson sampling by Langevin Monte Carlo (Ishfaq et al. 2024).
//!
//! Before every episode, from the last stage to the first, with L_h(w) = Σ_τ (r + max_a Q_{h+1}(s', a) - φ·w)² + λ‖w‖²,
//! J steps from the last episode's w_h:
//!
//! > w ← w - η ∇L_h(w) + √(2η/β) ε,  ε ~ N(0, I),  ∇L_h(w) = 2 (Λ_h w - b_h)
//! >
//! > Q_h(s, a) = clip(φ·w, 0, H - h + 1)
//!
//! The loss is a sum over the past, not a mean, so β does not grow with the data. With A = I - 2 η Λ the J steps make a
//! normal variable of mean A^J w₀ + (I - A^J) ŵ and covariance (I - A^{2J}) Λ⁻¹ (I + A)⁻¹/β, which for small steps tends to
//! the posterior's (2 β Λ)⁻¹. With a feature a pair Λ is diagonal, and the J steps are drawn at once from that law, one normal
//! number a weight; otherwise they are walked. The step is bounded by the largest eigenvalue, so where few directions have been seen often
//! and others never, the latter mix slowly and the noise does not carry far: long chains with a feature a pair need other
//! methods.
//!
//! Source: H. Ishfaq, Q. Lan, P. Xu, A. R. Mahmood, D. Precup, A. Anandkumar & K. Azizzadenesheli, *Provable and practical:
//! efficient exploration in reinforcement learning via Langevin Monte Carlo*, ICLR 2024, arXiv:2305.18246, algorithm 1. Theory:
//! η = 1/(4 λ_max), J ≥ 2 κ ln(4 H K d T), 1/√β of the order H √d. The defaults β = 0.2 and J = 60 are ours.

use nalgebra::{DMatrix, DVector};
use quire_core::{About, Options, Paper, Result, Rng, options, state};
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::{Explorer, Method, Setting};
use super::Regressions;

/// The paper.
pub const PAPER: Paper = Paper {
    slug: "lmc-lsvi",
    title: "Provable and Practical: Efficient Exploration in Reinforcement Learning via Langevin Monte Carlo",
    arxiv: "2305.18246",
};

/// Options of `lmc-lsvi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LmcLsviOptions {
    /// Inverse temperature β, per squared unit of value: the larger, the less it explores. Ours: 0.2; theory: of the order
    /// 1/(H² d).
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub inverse_temperature: f64,
    /// Steps J of noisy gradient descent a stage and episode. Ours: 60; theory: 2 κ ln(4 H K d T).
    #[schemars(range(min = 1))]
    pub inner_steps: usize,
    /// The step η, in units of 1/λ_max. Theory: 0.25; below 1, or it diverges.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub step: f64,
    /// Ridge λ. Paper: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
}

impl Default for LmcLsviOptions {
    fn default() -> Self {
        LmcLsviOptions { inverse_temperature: 0.2, inner_steps: 60, step: 0.25, ridge: 1.0 }
    }
}

impl Options for LmcLsviOptions {}

/// The explorer.
pub struct LmcLsvi {
    options: LmcLsviOptions,
    regressions: Regressions,
    /// w_h of the last episode, a stage each.
    weights: Vec<DVector<f64>>,
    rng: Rng,
}

/// Λ of one stage: a matrix, or its diagonal where each pair has its own feature.
pub enum Precision {
    /// `[d, d]`.
    Dense(DMatrix<f64>),
    /// `[d]`.
    Diagonal(DVector<f64>),
}

impl Precision {
    /// That of a stage.
    fn of(regressions: &Regressions, stage: usize) -> Self {
        let dense = || Precision::Dense(regressions.matrix(stage));
        regressions.diagonal(stage).map_or_else(dense, Precision::Diagonal)
    }

    /// λ_max.
    pub fn largest_eigenvalue(&self) -> f64 {
        match self {
            Precision::Dense(matrix) => matrix.symmetric_eigenvalues().max(),
            Precision::Diagonal(diagonal) => diagonal.max(),
        }
    }

    /// 2 (Λ w - b) into `gradient`.
    fn gradient(&self, weights: &DVector<f64>, right: &DVector<f64>, gradient: &mut DVector<f64>) {
        match self {
            Precision::Dense(matrix) => {
                gradient.copy_from(right);
                gradient.gemv(2.0, matrix, weights, -2.0);
            }
            Precision::Diagonal(diagonal) => {
                for (gradient, ((lambda, weight), b)) in
                    gradient.iter_mut().zip(diagonal.iter().zip(weights).zip(right))
                {
                    *gradient = 2.0 * (lambda * weight - b);
                }
            }
        }
    }
}

/// `steps` steps of w ← w - η 2 (Λ w - b) + √(2η/β) ε.
pub fn langevin(
    weights: &mut DVector<f64>,
    precision: &Precision,
    right: &DVector<f64>,
    eta: f64,
    inverse_temperature: f64,
    steps: usize,
    rng: &mut Rng,
) {
    let deviation = (2.0 * eta / inverse_temperature).sqrt();
    let mut gradient = DVector::zeros(weights.len());
    for _ in 0..steps {
        precision.gradient(weights, right, &mut gradient);
        for (weight, gradient) in weights.iter_mut().zip(&gradient) {
            let noise: f64 = StandardNormal.sample(rng);
            *weight += deviation * noise - eta * gradient;
        }
    }
}

/// As [`langevin`] with Λ = diag(`diagonal`) > 0, drawn at once from the law that the steps lead to: each weight apart, with
/// a = 1 - 2 η λ of mean a^J w + (1 - a^J) b/λ and variance (1 - a^{2J})/(λ (1 + a) β).
pub fn langevin_at_once(
    weights: &mut DVector<f64>,
    diagonal: &DVector<f64>,
    right: &DVector<f64>,
    eta: f64,
    inverse_temperature: f64,
    steps: usize,
    rng: &mut Rng,
) {
    // Most pairs have been seen equally often: never.
    let (mut known, mut kept, mut deviation) = (f64::NAN, 0.0, 0.0);
    for ((weight, &lambda), b) in weights.iter_mut().zip(diagonal).zip(right) {
        if lambda != known {
            let a = 1.0 - 2.0 * eta * lambda;
            known = lambda;
            kept = a.powf(steps as f64);
            deviation = ((1.0 - kept * kept) / (lambda * (1.0 + a) * inverse_temperature)).sqrt();
        }
        let noise: f64 = StandardNormal.sample(rng);
        *weight = kept * *weight + (1.0 - kept) * (b / lambda) + deviation * noise;
    }
}

impl Method for LmcLsvi {
    type Options = LmcLsviOptions;

    const ABOUT: About = About {
        name: "lmc-lsvi",
        summary: "Thompson sampling by noisy gradient descent on the regression loss",
        when: "Exploration with features, where sampling the posterior itself is too dear: it needs gradients only. With one \
               feature a pair and long chains its noise does not reach far; where a table will do, psrl learns far faster.",
        wing: "mdp",
        family: "explore",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: LmcLsviOptions) -> Result<Self> {
        options::check(&options)?;
        let regressions = Regressions::new(setting, options.ridge);
        Ok(LmcLsvi {
            weights: vec![DVector::zeros(regressions.dimension()); setting.horizon],
            rng: setting.seeds.stream("noise"),
            options,
            regressions,
        })
    }
}

impl Explorer for LmcLsvi {
    fn plan(&mut self, policy: &mut [usize]) {
        let LmcLsvi { options, regressions, weights, rng } = self;
        regressions.plan(policy, |regressions, stage, later| {
            let precision = Precision::of(regressions, stage);
            let right = DVector::from_vec(regressions.right(stage, later));
            let eta = options.step / precision.largest_eigenvalue();
            let (beta, steps) = (options.inverse_temperature, options.inner_steps);
            let weights_now = &mut weights[stage];
            match &precision {
                Precision::Diagonal(diagonal) => {
                    langevin_at_once(weights_now, diagonal, &right, eta, beta, steps, rng);
                }
                Precision::Dense(_) => langevin(weights_now, &precision, &right, eta, beta, steps, rng),
            }
            regressions.values(weights[stage].as_slice())
        });
    }

    fn observe(&mut self, stage: usize, state: usize, action: usize, next: usize) {
        self.regressions.record(stage, state, action, next);
    }

    fn save(&self) -> Vec<u8> {
        let weights: Vec<&[f64]> = self.weights.iter().map(|weights| weights.as_slice()).collect();
        state::encode("lmc-lsvi", &(self.regressions.sums(), weights, &self.rng))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (sums, weights, rng): (_, Vec<Vec<f64>>, _) = state::decode("lmc-lsvi", saved)?;
        self.regressions.restore(sums);
        self.weights = weights.into_iter().map(DVector::from_vec).collect();
        self.rng = rng;
        Ok(())
    }
}

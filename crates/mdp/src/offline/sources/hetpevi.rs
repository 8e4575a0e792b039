//! HetPEVI: pessimistic value iteration from perturbed sources (Shi et al. 2023).
//!
//! From the last stage to the first, with L_h(s, a) the m sources that have logged the pair,
//!
//! > r̂ = 1/m Σ_{l ∈ L} r̂_l,  P̂ = 1/m Σ_{l ∈ L} P̂_l
//! >
//! > Γ^α = c₁ H ( ι Σ_{l ∈ L} 1/N_l )^½ / m,  Γ^β = c₂ H (ι/m)^½
//! >
//! > Q̂_h = clip(r̂ + P̂ V̂_{h+1} - Γ^α - Γ^β, 0, H - h + 1),  Q̂_h = 0 where m = 0
//!
//! Γ^α is for having few samples of each source, Γ^β for having few sources, which no number of samples makes up for.
//! Sources count alike, however much they have logged: pooling by samples lets one of them dominate.
//!
//! Source: C. Shi, W. Xiong, C. Shen & J. Yang, *Provably efficient offline reinforcement learning with perturbed data
//! sources*, ICML 2023, arXiv:2306.08364. There is no official code. The shapes of the estimator and of both penalties are
//! given from memory and the abstract; their constants are ours.

use quire_core::{About, Options, Paper, Result, options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::{Plan, Setting, plan_backward};
use super::{Method, Source, SourcePlanner};
use crate::solve::{worst_case_kl, worst_case_total_variation};

/// The paper.
pub const PAPER: Paper = Paper {
    slug: "hetpevi",
    title: "Provably Efficient Offline Reinforcement Learning with Perturbed Data Sources",
    arxiv: "2306.08364",
};

/// The two penalties, which all forms of the method share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Penalties {
    /// Factor c₁ on the penalty for few samples. Ours: 0.1.
    #[schemars(range(min = 0.0))]
    pub samples: f64,
    /// Factor c₂ on the penalty for few sources. Ours: 0.3; 0 leaves it out.
    #[schemars(range(min = 0.0))]
    pub sources: f64,
    /// Size of the perturbations, in units of value, that takes the place of H in the penalty for few sources, where it is
    /// known.
    #[schemars(range(min = 0.0))]
    pub perturbation: Option<f64>,
    /// Probability δ of being wrong, in (0, 1), for ι = ln(S A H L/δ). Practical: none, for ι = 1.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub confidence: Option<f64>,
}

impl Default for Penalties {
    fn default() -> Self {
        Penalties { samples: 0.1, sources: 0.3, perturbation: None, confidence: None }
    }
}

impl Penalties {
    /// ι for L sources over `cells` = S A H.
    pub fn iota(&self, cells: usize, sources: usize) -> f64 {
        self.confidence.map_or(1.0, |delta| ((cells * sources) as f64 / delta).ln())
    }

    /// Γ^α for H = `horizon` and the numbers of samples of the sources that have any.
    pub fn of_samples(&self, horizon: f64, iota: f64, visits: impl Iterator<Item = f64>) -> f64 {
        let (count, inverses) = visits.fold((0.0, 0.0), |(count, sum), n| (count + 1.0, sum + 1.0 / n));
        self.samples * horizon * (iota * inverses).sqrt() / count
    }

    /// Γ^β for `count` sources.
    pub fn of_sources(&self, horizon: f64, iota: f64, count: f64) -> f64 {
        self.sources * self.perturbation.unwrap_or(horizon) * (iota / count).sqrt()
    }
}

/// What transitions the policy should be good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Uncertainty {
    /// P̂.
    None,
    /// The worst within a total variation of P̂.
    TotalVariation,
    /// The worst within a divergence from P̂.
    KullbackLeibler,
}

/// Options of `hetpevi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HetPeviOptions {
    /// The penalties.
    pub penalties: Penalties,
    /// The robust form: what P̂ V is replaced by before the penalties.
    pub uncertainty: Uncertainty,
    /// How far from P̂ the robust form looks: a probability, or nats.
    #[schemars(range(min = 0.0))]
    pub radius: f64,
}

impl Default for HetPeviOptions {
    fn default() -> Self {
        HetPeviOptions { penalties: Penalties::default(), uncertainty: Uncertainty::None, radius: 0.1 }
    }
}

impl Options for HetPeviOptions {}

/// The planner.
pub struct HetPevi {
    options: HetPeviOptions,
    setting: Setting,
}

impl Method for HetPevi {
    type Options = HetPeviOptions;

    const ABOUT: About = About {
        name: "hetpevi",
        summary: "Pessimism about few samples of each source, and about few sources",
        when: "Several related logs, none of the target itself, that cover it unevenly: it does not trust what a single \
               source says. Where all sources cover everything the penalties cost more than they save.",
        wing: "mdp",
        family: "offline",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: HetPeviOptions) -> Result<Self> {
        options::check(&options)?;
        Ok(HetPevi { options, setting: setting.clone() })
    }
}

/// r̂ and P̂ (into `next`, `[S]`) of a cell, averaged over the sources that have logged it, and their number m.
pub fn aggregate(sources: &[Source], cell: usize, next: &mut [f64]) -> (f64, f64) {
    next.fill(0.0);
    let (mut reward, mut count) = (0.0, 0.0);
    for source in sources.iter().filter(|source| source.visits[cell] > 0.0) {
        count += 1.0;
        reward += source.rewards[cell];
        let row = &source.next[cell * next.len()..][..next.len()];
        next.iter_mut().zip(row).for_each(|(sum, n)| *sum += n / source.visits[cell]);
    }
    if count > 0.0 {
        next.iter_mut().for_each(|p| *p /= count);
        reward /= count;
    }
    (reward, count)
}

impl HetPevi {
    /// Γ^α + Γ^β of a cell; 0 sources have none.
    pub fn penalty(&self, sources: &[Source], cell: usize) -> f64 {
        let penalties = &self.options.penalties;
        let horizon = self.setting.horizon as f64;
        let iota = penalties.iota(sources[0].visits.len(), sources.len());
        let visits = || sources.iter().map(|source| source.visits[cell]).filter(|&visits| visits > 0.0);
        match visits().count() {
            0 => 0.0,
            count => {
                penalties.of_samples(horizon, iota, visits())
                    + penalties.of_sources(horizon, iota, count as f64)
            }
        }
    }
}

impl SourcePlanner for HetPevi {
    fn plan(&self, sources: &[Source]) -> Result<Vec<Plan>> {
        let pairs = self.setting.states * self.setting.actions;
        let mut next = vec![0.0; self.setting.states];
        let plan = plan_backward(&self.setting, |stage, later| {
            let mut value = |pair| {
                let cell = stage * pairs + pair;
                let (reward, count) = aggregate(sources, cell, &mut next);
                if count == 0.0 {
                    return 0.0;
                }
                let ahead = match self.options.uncertainty {
                    Uncertainty::None => next.iter().zip(later).map(|(p, v)| p * v).sum(),
                    Uncertainty::TotalVariation => {
                        worst_case_total_variation(&next, later, self.options.radius)
                    }
                    Uncertainty::KullbackLeibler => {
                        worst_case_kl(next.iter().copied().zip(later.iter().copied()), self.options.radius)
                    }
                };
                reward + ahead - self.penalty(sources, cell)
            };
            Ok((0..pairs).map(&mut value).collect())
        })?;
        Ok(vec![plan])
    }
}

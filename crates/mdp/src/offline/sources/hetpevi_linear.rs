//! HetPEVI-Lin: [`hetpevi`](super::hetpevi) on features.
//!
//! > ŵ_l = Λ_l⁻¹ Σ_{k of l} φ (r + V̂_{h+1}(s')),  Λ_l = Σ_{k of l} φ φᵀ + λ I
//! >
//! > Q̂_h = clip( φ·1/L Σ_l ŵ_l - c₁ H (d ι)^½ 1/L Σ_l ‖φ‖_{Λ_l⁻¹} - c₂ H (d ι/L)^½, 0, H - h + 1 )
//!
//! A source that has seen nothing like φ(s, a) contributes a value near 0 and a large norm.
//!
//! Source: as for `hetpevi`; this form is named HetPEVI-Lin in an earlier submission of the paper. Its shape is given from
//! memory, its constants are ours.

use quire_core::{About, Options, Result, options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::{Plan, Setting, plan_backward};
use super::hetpevi::{PAPER, Penalties};
use super::{Method, Source, SourcePlanner};
use crate::linear::Gram;

/// Options of `hetpevi-lin`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HetPeviLinearOptions {
    /// The penalties; the root of the dimension multiplies both.
    pub penalties: Penalties,
    /// Ridge λ. Usual: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
}

impl Default for HetPeviLinearOptions {
    fn default() -> Self {
        HetPeviLinearOptions { penalties: Penalties::default(), ridge: 1.0 }
    }
}

impl Options for HetPeviLinearOptions {}

/// The planner.
pub struct HetPeviLinear {
    options: HetPeviLinearOptions,
    setting: Setting,
}

impl Method for HetPeviLinear {
    type Options = HetPeviLinearOptions;

    const ABOUT: About = About {
        name: "hetpevi-lin",
        summary: "HetPEVI with ridge regressions on features in place of tables",
        when: "As hetpevi, where few features say all about many pairs. Its penalty for few sources is the same for all \
               pairs, so it does not tell those that many sources agree on from those that one has logged.",
        wing: "mdp",
        family: "offline",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: HetPeviLinearOptions) -> Result<Self> {
        options::check(&options)?;
        Ok(HetPeviLinear { options, setting: setting.clone() })
    }
}

impl SourcePlanner for HetPeviLinear {
    fn plan(&self, sources: &[Source]) -> Result<Vec<Plan>> {
        let HetPeviLinear { options, setting } = self;
        let features = &setting.features;
        let (pairs, dimension) = (features.pairs(), features.dimension());
        let count = sources.len() as f64;
        let penalties = &options.penalties;
        let iota = dimension as f64 * penalties.iota(sources[0].visits.len(), sources.len());
        let of_sources = penalties.of_sources(setting.horizon as f64, iota, count);
        let plan = plan_backward(setting, |stage, later| {
            let mut values = vec![-of_sources; pairs];
            for source in sources {
                let visits = &source.visits[stage * pairs..][..pairs];
                let gram = Gram::new(
                    dimension,
                    visits.iter().enumerate().map(|(pair, &visits)| (features.of(pair), visits)),
                    options.ridge,
                )?;
                let mut right = vec![0.0; dimension];
                for (pair, &visits) in visits.iter().enumerate().filter(|(_, visits)| **visits > 0.0) {
                    let cell = stage * pairs + pair;
                    let target = visits * (source.rewards[cell] + source.mean_next(cell, later));
                    right.iter_mut().zip(features.of(pair)).for_each(|(sum, x)| *sum += target * x);
                }
                let fitted = features.dot(&gram.solve(right));
                for (pair, value) in values.iter_mut().enumerate() {
                    let width = iota.sqrt() * gram.norm(features.of(pair));
                    *value += (fitted[pair] - penalties.samples * setting.horizon as f64 * width) / count;
                }
            }
            Ok(values)
        })?;
        Ok(vec![plan])
    }
}

//! Tabular PEVI on perturbed sources as if they were the target: all in one pool, or one of them alone.
//!
//! > Q̂_h = clip(r̂ + P̂ V̂_{h+1} - c₁ H (ι/n)^½, 0, H - h + 1)
//!
//! which is [`hetpevi`](super::hetpevi) with a single source and no penalty for having few.

use quire_core::{About, Options, Result, options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::{Plan, Setting};
use super::hetpevi::{HetPevi, HetPeviOptions, Penalties};
use super::{Method, Source, SourcePlanner};

/// Options of `pooled-pevi` and `best-source-pevi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TabularPeviOptions {
    /// Factor c₁ of the penalty. Ours: 0.1.
    #[schemars(range(min = 0.0))]
    pub samples: f64,
}

impl Default for TabularPeviOptions {
    fn default() -> Self {
        TabularPeviOptions { samples: 0.1 }
    }
}

impl Options for TabularPeviOptions {}

fn pevi(setting: &Setting, options: &TabularPeviOptions) -> Result<HetPevi> {
    options::check(options)?;
    let penalties = Penalties { samples: options.samples, sources: 0.0, ..Penalties::default() };
    HetPevi::new(setting, HetPeviOptions { penalties, ..HetPeviOptions::default() })
}

/// PEVI on the pooled data.
pub struct PooledPevi(HetPevi);

impl Method for PooledPevi {
    type Options = TabularPeviOptions;

    const ABOUT: About = About {
        name: "pooled-pevi",
        summary: "Pessimistic value iteration on the data of all sources in one pool",
        when: "Sources that hardly differ, or all cover everything. A source with many samples dominates.",
        wing: "mdp",
        family: "offline",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: TabularPeviOptions) -> Result<Self> {
        Ok(PooledPevi(pevi(setting, &options)?))
    }
}

impl SourcePlanner for PooledPevi {
    fn plan(&self, sources: &[Source]) -> Result<Vec<Plan>> {
        self.0.plan(&[Source::pooled(sources)])
    }
}

/// PEVI on each source alone; the choice is left to somebody who knows the target.
pub struct BestSourcePevi(HetPevi);

impl Method for BestSourcePevi {
    type Options = TabularPeviOptions;

    const ABOUT: About = About {
        name: "best-source-pevi",
        summary: "Pessimistic value iteration on each source alone, the best policy chosen by the truth",
        when: "A yardstick: the choice among the sources takes knowing the target.",
        wing: "mdp",
        family: "offline",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: TabularPeviOptions) -> Result<Self> {
        Ok(BestSourcePevi(pevi(setting, &options)?))
    }
}

impl SourcePlanner for BestSourcePevi {
    fn plan(&self, sources: &[Source]) -> Result<Vec<Plan>> {
        let plans = sources.iter().map(|source| self.0.plan(std::slice::from_ref(source)));
        Ok(plans.collect::<Result<Vec<_>>>()?.concat())
    }
}

//! Least-squares value iteration on weights drawn from their Gaussian posterior.
//!
//! > w_h ~ N( ŵ_h, (2 β Λ_h)⁻¹ ),  Q_h(s, a) = clip(φ·w, 0, H - h + 1)
//!
//! which is what [`lmc_lsvi`](super::lmc_lsvi) tends to with many small steps, and, but for its treatment of what is hardly
//! known, OPT-RLSVI.
//!
//! Source: I. Osband, B. Van Roy & Z. Wen, ICML 2016, arXiv:1402.0635; A. Zanette et al., AISTATS 2020, arXiv:1911.00567, for
//! OPT-RLSVI.

use quire_core::{About, Options, Result, Rng, options, state};
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::{Explorer, Method, Setting};
use super::Regressions;

/// Options of `linear-rlsvi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LinearRlsviOptions {
    /// Inverse temperature β, per squared unit of value. Ours: 0.2.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub inverse_temperature: f64,
    /// Ridge λ. Usual: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
}

impl Default for LinearRlsviOptions {
    fn default() -> Self {
        LinearRlsviOptions { inverse_temperature: 0.2, ridge: 1.0 }
    }
}

impl Options for LinearRlsviOptions {}

/// The explorer.
pub struct LinearRlsvi {
    options: LinearRlsviOptions,
    regressions: Regressions,
    rng: Rng,
}

impl Method for LinearRlsvi {
    type Options = LinearRlsviOptions;

    const ABOUT: About = About {
        name: "linear-rlsvi",
        summary: "Least-squares value iteration on weights drawn from their Gaussian posterior",
        when: "Thompson sampling with few enough features to factor a matrix of them for every stage and episode.",
        wing: "mdp",
        family: "explore",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: LinearRlsviOptions) -> Result<Self> {
        options::check(&options)?;
        let regressions = Regressions::new(setting, options.ridge);
        Ok(LinearRlsvi { options, regressions, rng: setting.seeds.stream("noise") })
    }
}

impl Explorer for LinearRlsvi {
    fn plan(&mut self, policy: &mut [usize]) {
        let LinearRlsvi { options, regressions, rng } = self;
        let scale = (2.0 * options.inverse_temperature).sqrt();
        regressions.plan(policy, |regressions, stage, later| {
            let gram = regressions.gram(stage);
            let mut weights = gram.solve(regressions.right(stage, later));
            let noise = (0..weights.len()).map(|_| StandardNormal.sample(rng)).collect();
            let noise = gram.whiten_inverse(noise);
            weights.iter_mut().zip(noise).for_each(|(weight, noise)| *weight += noise / scale);
            regressions.values(&weights)
        });
    }

    fn observe(&mut self, stage: usize, state: usize, action: usize, next: usize) {
        self.regressions.record(stage, state, action, next);
    }

    fn save(&self) -> Vec<u8> {
        state::encode("linear-rlsvi", &(self.regressions.sums(), &self.rng))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (sums, rng) = state::decode("linear-rlsvi", saved)?;
        self.regressions.restore(sums);
        self.rng = rng;
        Ok(())
    }
}

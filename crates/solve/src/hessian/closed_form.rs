//! P = S^-½ for the running mean S of h hᵀ: the minimizer of what was seen.
//!
//! Its error falls as the root of one over the number of pairs, and no further than the window allows if old pairs are forgotten.

use nalgebra::DMatrix;
use quire_core::{About, Options, Result, Rng, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fitting::misfit;
use super::{MISFIT, Stream, square, values};
use crate::solver::{Method, Solver, Step};

/// Options of `closed-form-fit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClosedFormOptions {
    /// Greatest weight of the old mean, in (0, 1]; 1 forgets nothing. The paper's script: 0.999.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub memory: f64,
}

impl Default for ClosedFormOptions {
    fn default() -> Self {
        ClosedFormOptions { memory: 0.999 }
    }
}

impl Options for ClosedFormOptions {}

/// The method.
pub struct ClosedForm {
    options: ClosedFormOptions,
    /// S, which begins as the identity.
    mean: DMatrix<f64>,
    seen: u64,
    pairs: Rng,
}

impl ClosedForm {
    fn p(&self) -> DMatrix<f64> {
        let eigen = self.mean.clone().symmetric_eigen();
        let roots = eigen.eigenvalues.map(|value| 1.0 / value.max(f64::MIN_POSITIVE).sqrt());
        &eigen.eigenvectors * DMatrix::from_diagonal(&roots) * eigen.eigenvectors.transpose()
    }
}

impl Method<Stream> for ClosedForm {
    type Options = ClosedFormOptions;

    const ABOUT: About = About {
        name: "closed-form-fit",
        summary: "the inverse root of the running mean of h hᵀ",
        when: "A rival of hessian-fitting: an eigendecomposition for each use.",
        wing: "solve",
        family: "hessian",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(stream: &Stream, options: ClosedFormOptions) -> Result<Self> {
        options::check(&options)?;
        let n = stream.dimension();
        Ok(ClosedForm { options, mean: DMatrix::identity(n, n), seen: 0, pairs: stream.pairs() })
    }
}

impl Solver<Stream> for ClosedForm {
    fn iterate(&mut self, stream: &Stream) -> Result<Step> {
        let (v, h) = stream.draw(self.seen, &mut self.pairs);
        let keep = ((self.seen + 1) as f64 / (self.seen + 2) as f64).min(self.options.memory);
        self.seen += 1;
        self.mean.ger(1.0 - keep, &h, &h, keep);
        // P is not made for every pair: what is judged is whether the mean stays finite.
        let residual =
            if self.seen.is_power_of_two() { misfit(&self.p(), &v, &h) } else { self.mean[(0, 0)] };
        Ok(Step::going_on(residual, MISFIT))
    }

    fn values(&self) -> Vec<f64> {
        values(&self.p(), self.seen)
    }

    fn work(&self) -> f64 {
        self.seen as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("closed-form-fit", &(self.mean.as_slice(), self.seen, &self.pairs))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (mean, seen, pairs): (Vec<f64>, u64, Rng) = state::decode("closed-form-fit", saved)?;
        self.mean = square(self.mean.nrows(), &mean)?;
        (self.seen, self.pairs) = (seen, pairs);
        Ok(())
    }
}

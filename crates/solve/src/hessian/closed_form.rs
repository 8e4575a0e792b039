//! P = S^-½ for the running mean S of h hᵀ: the minimizer of what was seen.
//!
//! Its error falls as the root of one over the number of pairs, and no further than the window allows if old pairs are forgotten.

use nalgebra::DMatrix;
use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::streams::Pairs;
use super::{Stream, square, values};
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
    pairs: Pairs,
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
        Ok(ClosedForm { options, mean: DMatrix::identity(n, n), pairs: Pairs::of(stream) })
    }
}

impl Solver<Stream> for ClosedForm {
    fn iterate(&mut self, stream: &Stream) -> Result<Step> {
        let seen = self.pairs.seen();
        let (_, h) = self.pairs.next(stream);
        let keep = ((seen + 1) as f64 / (seen + 2) as f64).min(self.options.memory);
        // ‖h hᵀ - S‖² without making it.
        let square = h.norm_squared().powi(2) - 2.0 * h.dot(&(&self.mean * &h)) + self.mean.norm_squared();
        self.mean.ger(1.0 - keep, &h, &h, keep);
        Ok(Step::going_on((1.0 - keep) * square.max(0.0).sqrt(), "change of the mean"))
    }

    fn values(&self) -> Vec<f64> {
        values(&self.p(), self.pairs.seen())
    }

    fn work(&self) -> f64 {
        self.pairs.seen() as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("closed-form-fit", &(self.mean.as_slice(), &self.pairs))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (mean, pairs): (Vec<f64>, Pairs) = state::decode("closed-form-fit", saved)?;
        self.mean = square(self.mean.nrows(), &mean)?;
        self.pairs = pairs;
        Ok(())
    }
}

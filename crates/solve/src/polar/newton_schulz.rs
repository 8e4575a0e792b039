//! The Newton-Schulz iterations of Muon and Turbo-Muon: X ← a X + (b A + c A²) X with A = X Xᵀ.
//!
//! The options choose the start (rows rescaled by the almost-orthogonal layer, or divided by the Frobenius norm), the table of polynomials and how
//! many of its last rows are taken. Turbo-Muon: `rows`, `turbo`, 4. Muon+: `frobenius`, `turbo`, 5. Muon: `frobenius`, `muon`, 5.
//! These polynomials do not converge to 1: an error of some per cent stays, which optimizers do not mind. Those of Polar Express do: `frobenius`, `polar-express`, any number.
//!
//! Source: T. Boissin et al., *Turbo-Muon*, arXiv:2512.04632. The iterations are [`quire_optim::muon::Orthogonalizer`]'s, in double precision.

use nalgebra::DMatrix;
use quire_core::{About, Error, Options, Paper, Reason, Result, options, state};
use quire_optim::Pool;
use quire_optim::muon::{Coefficients, Normalization, Orthogonalizer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::orthogonality_error;
use crate::solver::{Method, Solver, Step};

/// Options of `turbo-muon`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TurboMuonOptions {
    /// Iterations, at least 1: the last rows of the table. Turbo-Muon: 4; Muon and Muon+: 5.
    #[schemars(range(min = 1, max = 100))]
    pub iterations: usize,
    /// How the singular values are brought below 1 at first. Turbo-Muon: `rows`; Muon and Muon+: `frobenius`.
    pub normalization: Normalization,
    /// The polynomials. Turbo-Muon and Muon+: `turbo`; Muon: `muon`; Polar Express: `polar-express`.
    pub coefficients: Coefficients,
    /// Keeps the first division finite, >= 0. The paper: 1e-7.
    #[schemars(range(min = 0.0))]
    pub epsilon: f64,
}

impl Default for TurboMuonOptions {
    fn default() -> Self {
        TurboMuonOptions {
            iterations: 4,
            normalization: Normalization::Rows,
            coefficients: Coefficients::Turbo,
            epsilon: 1e-7,
        }
    }
}

impl Options for TurboMuonOptions {}

/// The method.
pub struct TurboMuon {
    iterations: usize,
    orthogonalizer: Orthogonalizer<f64>,
    shape: [usize; 2],
    done: usize,
    /// Row-major.
    x: Vec<f64>,
}

impl TurboMuon {
    fn matrix(&self) -> DMatrix<f64> {
        DMatrix::from_row_slice(self.shape[0], self.shape[1], &self.x)
    }
}

impl Method<DMatrix<f64>> for TurboMuon {
    type Options = TurboMuonOptions;

    const ABOUT: About = About {
        name: "turbo-muon",
        summary: "orthogonalize a matrix by few Newton-Schulz iterations from rescaled rows",
        when: "Inside an optimizer, where an error of some per cent does not matter and products are all that a device does well. From 256 rows on four \
               iterations are as good as five from the Frobenius norm; at 64 they are not. For accuracy take a singular value decomposition.",
        wing: "solve",
        family: "polar",
        paper: Some(Paper {
            slug: "turbo-muon",
            title: "Turbo-Muon: Accelerating Orthogonality-Based Optimization with Pre-Conditioning",
            arxiv: "2512.04632",
        }),
        is_baseline: false,
        tuned: "",
    };

    fn new(problem: &DMatrix<f64>, options: TurboMuonOptions) -> Result<Self> {
        options::check(&options)?;
        let TurboMuonOptions { iterations, normalization, coefficients, epsilon } = options;
        let rows = coefficients.rows(iterations).ok_or_else(|| {
            Error::option(
                "iterations",
                format!("is {iterations}, more than the table has rows: turbo 5, genetic 4"),
            )
        })?;
        Ok(TurboMuon {
            iterations,
            orthogonalizer: Orthogonalizer::new(normalization, rows, epsilon, Pool::new(1)),
            shape: [problem.nrows(), problem.ncols()],
            done: 0,
            x: problem.transpose().as_slice().to_vec(),
        })
    }
}

impl Solver<DMatrix<f64>> for TurboMuon {
    fn iterate(&mut self, _: &DMatrix<f64>) -> Result<Step> {
        self.orthogonalizer.iterate(self.done, &mut self.x, self.shape);
        self.done += 1;
        let residual = orthogonality_error(&self.matrix());
        let done = match () {
            () if !residual.is_finite() => Some(Reason::Diverged("the matrix is no longer finite".into())),
            () if self.done == self.iterations => Some(Reason::Converged("all iterations are done".into())),
            () => None,
        };
        Ok(Step { residual, done })
    }

    /// Row-major.
    fn values(&self) -> Vec<f64> {
        self.x.clone()
    }

    fn work(&self) -> f64 {
        3.0 * self.done as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("turbo-muon", &(self.done, &self.x))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.done, self.x) = state::decode("turbo-muon", saved)?;
        Ok(())
    }
}

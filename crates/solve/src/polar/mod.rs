//! Family: the polar factor of a matrix, the nearest one with orthonormal rows: U Vᵀ of the singular value decomposition U S Vᵀ.
//!
//! Optimizers want it fast and roughly; how roughly is what the problems here measure, on the matrices that the authors of Turbo-Muon released
//! their benchmark on. The unit of work is the product of two square matrices.
//!
//! | file | what it holds |
//! |---|---|
//! | [`newton_schulz`] | the iterations of Muon and Turbo-Muon |
//! | [`matrices`] | the problems: matrices that a seed draws |

pub mod matrices;
pub mod newton_schulz;

use nalgebra::DMatrix;
use quire_core::Entry;

pub use matrices::problems;

use crate::solver::{Make, entry};

/// The methods of this family.
pub const METHODS: &[Entry<Make<DMatrix<f64>>>] = &[entry::<DMatrix<f64>, newton_schulz::TurboMuon>()];

/// What their residual is: ‖X Xᵀ - I‖ / √m.
fn orthogonality_error(x: &DMatrix<f64>) -> f64 {
    let m = x.nrows();
    (x * x.transpose() - DMatrix::identity(m, m)).norm() / (m as f64).sqrt()
}

/// U Vᵀ.
fn polar_factor(x: &DMatrix<f64>) -> DMatrix<f64> {
    let svd = x.clone().svd(true, true);
    svd.u.expect("it was asked for") * svd.v_t.expect("it was asked for")
}

//! The geometries in which the criterion is descended: one pair, one step.
//!
//! P = QᵀQ where a geometry works on Q. Each returns the bound ℓ that its step is divided by, before the step is known: a caller computes ℓ, smooths it, and then steps.

use nalgebra::{DMatrix, DVector};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is descended, and along what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Geometry {
    /// P in the space of symmetric matrices: P - μ (h hᵀ - P⁻¹ v vᵀ P⁻¹).
    Euclidean,
    /// P on the manifold of positive definite matrices: P - μ (P h hᵀ P - v vᵀ).
    Manifold,
    /// Q in GL(n), dQ = E Q: Q - μ (a aᵀ - b bᵀ) Q with a = Q h, b = Q⁻ᵀ v.
    Gl,
    /// The same among upper triangular matrices.
    Triangular,
    /// dQ = Q E Q: Q - μ (Q a aᵀ - Q v vᵀ) with a = P h; no inverse.
    Qeq,
    /// dQ = Q^½ E Q^1.5: Q - μ (a aᵀ - v vᵀ) Q, turned towards symmetry after each step; no inverse.
    Root,
    /// Half a step from the left and half from the right, and the symmetric part; no inverse.
    Quadratic,
    /// dQ = Q E P: Q - μ (a aᵀ Q - b bᵀ Q) with a = Q P h, b = Q v; no inverse.
    Qep,
    /// P itself by whole steps from the left and from the right, and the symmetric part; no inverse.
    QuadraticOfP,
}

impl Geometry {
    /// Whether the matrix is P; it is Q otherwise.
    pub fn fits_p(self) -> bool {
        matches!(self, Geometry::Euclidean | Geometry::Manifold | Geometry::QuadraticOfP)
    }
}

/// What a pair pulls at: the two vectors of the bracket, and ℓ.
pub struct Pull {
    a: DVector<f64>,
    b: DVector<f64>,
    /// |a|² + |b|².
    pub bound: f64,
}

/// The pull of a pair at the matrix `m`, P or Q; `None` if an inverse is needed and there is none.
pub fn pull(geometry: Geometry, m: &DMatrix<f64>, v: &DVector<f64>, h: &DVector<f64>) -> Option<Pull> {
    let (a, b) = match geometry {
        Geometry::Euclidean => (h.clone(), m.clone().lu().solve(v)?),
        Geometry::Manifold | Geometry::QuadraticOfP => (m * h, v.clone()),
        Geometry::Gl => (m * h, m.transpose().lu().solve(v)?),
        Geometry::Triangular => (m * h, m.transpose().solve_lower_triangular(v)?),
        Geometry::Qeq | Geometry::Root | Geometry::Quadratic => (m.tr_mul(&(m * h)), v.clone()),
        Geometry::Qep => (m * m.tr_mul(&(m * h)), m * v),
    };
    let bound = a.norm_squared() + b.norm_squared();
    Some(Pull { a, b, bound })
}

/// The step of length μ along the pull.
pub fn step(geometry: Geometry, m: &mut DMatrix<f64>, Pull { a, b, .. }: &Pull, mu: f64) {
    // x (yᵀ m) twice, without making the bracket.
    let from_left = |m: &mut DMatrix<f64>, mu: f64| {
        let (of_a, of_b) = (m.tr_mul(a), m.tr_mul(b));
        m.ger(-mu, a, &of_a, 1.0);
        m.ger(mu, b, &of_b, 1.0);
    };
    let from_right = |m: &mut DMatrix<f64>, mu: f64| {
        let (of_a, of_b) = (&*m * a, &*m * b);
        m.ger(-mu, &of_a, a, 1.0);
        m.ger(mu, &of_b, b, 1.0);
    };
    match geometry {
        Geometry::Euclidean | Geometry::Manifold => {
            m.ger(-mu, a, a, 1.0);
            m.ger(mu, b, b, 1.0);
        }
        Geometry::Gl | Geometry::Qep => from_left(m, mu),
        Geometry::Triangular => {
            let bracket = (a * a.transpose() - b * b.transpose()).upper_triangle();
            *m -= bracket * &*m * mu;
        }
        Geometry::Qeq => from_right(m, mu),
        Geometry::Root => {
            from_left(m, mu);
            turn_towards_symmetry(m);
        }
        Geometry::Quadratic | Geometry::QuadraticOfP => {
            let mu = if geometry == Geometry::Quadratic { 0.5 * mu } else { mu };
            from_left(m, mu);
            from_right(m, mu);
            *m = (&*m + m.transpose()) * 0.5;
        }
    }
}

/// A small rotation of Q that brings it nearer to a symmetric positive definite matrix and leaves QᵀQ almost as it is: with R = Qᵀ - Q over its
/// spectral norm, Q ← Q + α (R Q + (α/2) R R Q), α = 1/8 or where the trace is greatest, if that is nearer.
pub fn turn_towards_symmetry(q: &mut DMatrix<f64>) {
    let mut r = q.transpose() - &*q;
    let norm = r.singular_values()[0];
    if norm == 0.0 {
        return;
    }
    r /= norm;
    let rq = &r * &*q;
    let rrq = &r * &rq;
    let (first, second) = (rq.trace(), rrq.trace());
    let alpha = if second < 0.0 { (-first / second).min(0.125) } else { 0.125 };
    *q += (rq + rrq * (0.5 * alpha)) * alpha;
}

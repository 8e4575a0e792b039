//! The geometries in which the criterion is descended: one pair, one step.
//!
//! In single or double precision. P = QᵀQ where a geometry works on Q. Each returns the bound ℓ that its step is divided by, before the step is known: a caller computes ℓ, smooths it, and then steps.

use nalgebra::{DMatrix, DVector, RealField, convert};
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
pub struct Pull<T: RealField> {
    a: DVector<T>,
    b: DVector<T>,
    /// |a|² + |b|².
    pub bound: T,
}

/// The pull of a pair at the matrix `m`, P or Q; `None` if an inverse is needed and there is none.
pub fn pull<T: RealField + Copy>(
    geometry: Geometry,
    m: &DMatrix<T>,
    v: &DVector<T>,
    h: &DVector<T>,
) -> Option<Pull<T>> {
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
pub fn step<T: RealField + Copy>(geometry: Geometry, m: &mut DMatrix<T>, Pull { a, b, .. }: &Pull<T>, mu: T) {
    let (one, half) = (T::one(), convert::<f64, T>(0.5));
    // x (yᵀ m) twice, without making the bracket.
    let from_left = |m: &mut DMatrix<T>, mu: T| {
        let (of_a, of_b) = (m.tr_mul(a), m.tr_mul(b));
        m.ger(-mu, a, &of_a, one);
        m.ger(mu, b, &of_b, one);
    };
    let from_right = |m: &mut DMatrix<T>, mu: T| {
        let (of_a, of_b) = (&*m * a, &*m * b);
        m.ger(-mu, &of_a, a, one);
        m.ger(mu, &of_b, b, one);
    };
    match geometry {
        Geometry::Euclidean | Geometry::Manifold => {
            m.ger(-mu, a, a, one);
            m.ger(mu, b, b, one);
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
            let mu = if geometry == Geometry::Quadratic { half * mu } else { mu };
            from_left(m, mu);
            from_right(m, mu);
            *m = (&*m + m.transpose()) * half;
        }
    }
}

/// A small rotation of Q that brings it nearer to a symmetric positive definite matrix and leaves QᵀQ almost as it is: with R = Qᵀ - Q over its
/// spectral norm, Q ← Q + α (R Q + (α/2) R R Q), α = 1/8 or where the trace is greatest, if that is nearer.
pub fn turn_towards_symmetry<T: RealField + Copy>(q: &mut DMatrix<T>) {
    let mut r = q.transpose() - &*q;
    let norm = r.singular_values()[0];
    // A norm that is no number shows in the misfit.
    if norm <= T::zero() {
        return;
    }
    r /= norm;
    let rq = &r * &*q;
    let rrq = &r * &rq;
    let (first, second) = (rq.trace(), rrq.trace());
    let most = convert::<f64, T>(0.125);
    let alpha = if second < T::zero() { (-first / second).min(most) } else { most };
    *q += (rq + rrq * (convert::<f64, T>(0.5) * alpha)) * alpha;
}

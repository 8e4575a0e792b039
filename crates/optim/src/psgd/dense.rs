//! Q as a whole matrix: any invertible one (the group GL(n)), or an upper triangular one.
//!
//! With a = Q h and b = Q⁻ᵀ v: Q ← Q - μ (a aᵀ - b bᵀ) Q, of which the triangular group takes the upper triangle of the bracket.
//! ℓ = |a|² + |b|², or the Frobenius norm of the bracket, (|a|⁴ + |b|⁴ - 2 (aᵀb)²)^½; the triangle's is a bound on its spectral norm.
//! GL(n) is equivariant: in other coordinates it does the same.

use quire_core::{Result, Rng};
use quire_kernels::gemm::{self, Matrix};

use super::{Fit, Normalizer, Preconditioner, dot, first_scale};
use crate::Float;
use crate::optimizer::{decode, encode, replace};

/// Fits after which rounding errors of the inverse are taken out.
const REFRESH: u64 = 50;

/// `out <- m x`, row-major with n columns.
fn times<F: Float>(m: &[F], x: &[F], out: &mut [F]) {
    for (out, row) in out.iter_mut().zip(m.chunks_exact(x.len())) {
        *out = row.iter().zip(x).fold(F::ZERO, |sum, (&m, &x)| sum + m * x);
    }
}

/// `out <- mᵀ x`.
fn times_transposed<F: Float>(m: &[F], x: &[F], out: &mut [F]) {
    out.fill(F::ZERO);
    for (row, &x) in m.chunks_exact(out.len()).zip(x) {
        out.iter_mut().zip(row).for_each(|(out, &m)| *out += m * x);
    }
}

/// `scale` times the identity, row-major.
fn scaled_identity<F: Float>(n: usize, scale: F) -> Vec<F> {
    let mut m = vec![F::ZERO; n * n];
    (0..n).for_each(|i| m[i * n + i] = scale);
    m
}

/// P = QᵀQ for an invertible Q, whose inverse is kept beside it.
#[derive(Debug, Clone)]
pub struct Dense<F> {
    /// Row-major, `[n, n]`.
    q: Vec<F>,
    inverse: Vec<F>,
    bound: f64,
    fits: u64,
    a: Vec<F>,
    b: Vec<F>,
    x: Vec<F>,
    y: Vec<F>,
    residual: Vec<F>,
    previous: Vec<F>,
}

impl<F: Float> Dense<F> {
    /// The identity on `n` parameters until the first pair gives a scale.
    pub fn new(n: usize) -> Self {
        let zeros = vec![F::ZERO; n];
        let [a, b, x, y] = std::array::from_fn(|_| zeros.clone());
        let identity = scaled_identity(n, F::ONE);
        let (residual, previous) = (identity.clone(), identity.clone());
        Dense { q: identity.clone(), inverse: identity, bound: 0.0, fits: 0, a, b, x, y, residual, previous }
    }

    /// Q, row-major.
    pub fn q(&self) -> &[F] {
        &self.q
    }

    /// Starts from another Q.
    ///
    /// # Panics
    /// If `q` and `inverse` do not have n² numbers.
    pub fn set(&mut self, q: Vec<F>, inverse: Vec<F>) {
        assert!(q.len() == self.q.len() && inverse.len() == self.q.len(), "a matrix of another size");
        (self.q, self.inverse, self.fits) = (q, inverse, self.fits.max(1));
    }

    /// One step of Newton's iteration for the inverse, X ← X + X (I - Q X).
    fn refresh_inverse(&mut self) {
        let n = self.a.len();
        let Dense { q, inverse, residual, .. } = self;
        residual.fill(F::ZERO);
        (0..n).for_each(|i| residual[i * n + i] = -F::ONE);
        let product = |c: &mut [F], a: &[F], b: &[F]| {
            gemm::product([n, n, n], c, n, true, Matrix::new(a, n), Matrix::new(b, n), |_, _, _, _, _| ());
        };
        product(residual, q, inverse);
        residual.iter_mut().for_each(|r| *r = -*r);
        self.previous.copy_from_slice(inverse);
        product(inverse, &self.previous, residual);
    }
}

impl<F: Float> Preconditioner<F> for Dense<F> {
    fn fit(&mut self, v: &[F], h: &[F], fit: Fit, _: &mut Rng) {
        let n = self.a.len();
        if self.fits == 0 {
            let scale = first_scale(v, h);
            (self.q, self.inverse) = (scaled_identity(n, scale), scaled_identity(n, F::ONE / scale));
        }
        self.fits += 1;
        let Dense { q, inverse, a, b, x, y, .. } = self;
        times(q, h, a);
        times_transposed(inverse, v, b);
        let (aa, bb, ab) = (dot(a, a), dot(b, b), dot(a, b));
        let latest = match fit.normalizer {
            Normalizer::Second => aa + bb,
            Normalizer::First => (aa * aa + bb * bb - 2.0 * ab * ab).max(0.0).sqrt(),
        };
        let step = fit.step_below(&mut self.bound, latest);
        // Q⁻¹ (I - μ (a aᵀ - b bᵀ))⁻¹ by Woodbury's identity for the two columns a and b.
        times(inverse, a, x);
        times(inverse, b, y);
        let [m00, m01, m11] = [1.0 - step * aa, -step * ab, -1.0 - step * bb];
        let determinant = m00 * m11 - m01 * m01;
        let [i00, i01, i11] = [m11, -m01, m00].map(|m| F::from_f64(step * m / determinant));
        for (row, (&x, &y)) in inverse.chunks_exact_mut(n).zip(x.iter().zip(&*y)) {
            let (of_a, of_b) = (i00 * x + i01 * y, i01 * x + i11 * y);
            for (entry, (&a, &b)) in row.iter_mut().zip(a.iter().zip(&*b)) {
                *entry += of_a * a + of_b * b;
            }
        }
        times_transposed(q, a, x);
        times_transposed(q, b, y);
        let step = F::from_f64(step);
        for (row, (&a, &b)) in q.chunks_exact_mut(n).zip(a.iter().zip(&*b)) {
            let (a, b) = (step * a, step * b);
            for (entry, (&x, &y)) in row.iter_mut().zip(x.iter().zip(&*y)) {
                *entry -= a * x - b * y;
            }
        }
        if self.fits.is_multiple_of(REFRESH) {
            self.refresh_inverse();
        }
    }

    fn apply(&mut self, g: &[F], out: &mut [F]) {
        times(&self.q, g, &mut self.x);
        times_transposed(&self.q, &self.x, out);
    }

    fn save(&self) -> Vec<u8> {
        encode(&(&self.q, &self.inverse, self.bound, self.fits))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (q, inverse, bound, fits) = decode(saved)?;
        (self.bound, self.fits) = (bound, fits);
        replace(&mut self.q, q, "preconditioner")?;
        replace(&mut self.inverse, inverse, "inverse of the preconditioner")
    }
}

/// P = QᵀQ for an upper triangular Q.
#[derive(Debug, Clone)]
pub struct Triangular<F> {
    /// Row-major, `[n, n]`, zeros below the diagonal.
    q: Vec<F>,
    bound: f64,
    fits: u64,
    a: Vec<F>,
    b: Vec<F>,
    x: Vec<F>,
    y: Vec<F>,
}

impl<F: Float> Triangular<F> {
    /// The identity on `n` parameters until the first pair gives a scale.
    pub fn new(n: usize) -> Self {
        let zeros = vec![F::ZERO; n];
        let [a, b, x, y] = std::array::from_fn(|_| zeros.clone());
        Triangular { q: scaled_identity(n, F::ONE), bound: 0.0, fits: 0, a, b, x, y }
    }
}

impl<F: Float> Preconditioner<F> for Triangular<F> {
    fn fit(&mut self, v: &[F], h: &[F], fit: Fit, _: &mut Rng) {
        let n = self.a.len();
        if self.fits == 0 {
            self.q = scaled_identity(n, first_scale(v, h));
        }
        self.fits += 1;
        let Triangular { q, a, b, x, y, .. } = self;
        times(q, h, a);
        // Qᵀ b = v from the first row on.
        b.copy_from_slice(v);
        for i in 0..n {
            let (done, rest) = b.split_at_mut(i + 1);
            done[i] /= q[i * n + i];
            for (b, &q) in rest.iter_mut().zip(&q[i * n + i + 1..(i + 1) * n]) {
                *b -= done[i] * q;
            }
        }
        let latest = match fit.normalizer {
            Normalizer::Second => dot(a, a) + dot(b, b),
            Normalizer::First => triangle_norm(a, b, x, y),
        };
        let step = F::from_f64(fit.step_below(&mut self.bound, latest));
        // Row i of triu(a aᵀ - b bᵀ) Q is a_i Σ_{k >= i} a_k Q_k - the same of b: sums from the last row on.
        x.fill(F::ZERO);
        y.fill(F::ZERO);
        for i in (0..n).rev() {
            let row = &mut q[i * n..(i + 1) * n];
            let (at, bt) = (step * a[i], step * b[i]);
            for (j, entry) in row.iter_mut().enumerate().skip(i) {
                x[j] += a[i] * *entry;
                y[j] += b[i] * *entry;
                *entry -= at * x[j] - bt * y[j];
            }
        }
    }

    fn apply(&mut self, g: &[F], out: &mut [F]) {
        times(&self.q, g, &mut self.x);
        times_transposed(&self.q, &self.x, out);
    }

    fn save(&self) -> Vec<u8> {
        encode(&(&self.q, self.bound, self.fits))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (q, bound, fits) = decode(saved)?;
        (self.bound, self.fits) = (bound, fits);
        replace(&mut self.q, q, "preconditioner")
    }
}

/// A lower bound, within a factor of √2, of the spectral norm of T = triu(a aᵀ - b bᵀ): |T x| for the direction x of T's longest row.
fn triangle_norm<F: Float>(a: &[F], b: &[F], x: &mut [F], y: &mut [F]) -> f64 {
    let n = a.len();
    let entry = |i: usize, j: usize| if j >= i { a[i] * a[j] - b[i] * b[j] } else { F::ZERO };
    let norm = |i: usize| (i..n).map(|j| entry(i, j).to_f64().powi(2)).sum::<f64>();
    let Some(longest) = (0..n).max_by(|&i, &j| norm(i).total_cmp(&norm(j))) else { return 0.0 };
    let length = norm(longest).sqrt();
    if length == 0.0 {
        return 0.0;
    }
    (0..n).for_each(|j| x[j] = F::from_f64(entry(longest, j).to_f64() / length));
    for (i, y) in y.iter_mut().enumerate() {
        *y = (i..n).fold(F::ZERO, |sum, j| sum + entry(i, j) * x[j]);
    }
    dot(y, y).sqrt()
}

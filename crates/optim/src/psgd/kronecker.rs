//! Q = Q_r ⊗ Q_l for each weight matrix G `[in, out]`, with upper triangular Q_l `[in, in]` and Q_r `[out, out]`: P G = Q_lᵀ Q_l G Q_rᵀ Q_r.
//!
//! With A = Q_l H Q_rᵀ and B = Q_l⁻ᵀ V Q_r⁻¹:
//!
//! > Q_l ← Q_l - μ triu(A Aᵀ - B Bᵀ) Q_l,  ℓ ≈ |A Aᵀ + B Bᵀ|₂;  Q_r ← Q_r - μ triu(Aᵀ A - Bᵀ B) Q_r,  ℓ ≈ |Aᵀ A + Bᵀ B|₂.
//!
//! The spectral norms are bounded below, within a factor of √2. Members of an ensemble have factors of their own. What is no weight matrix, and weights
//! with a long side, get a diagonal. Now and then the two factors are brought to the same size, which leaves Q as it is (ours: once in a hundred fits).

use quire_core::{Error, Result, Rng};
use quire_kernels::gemm::{self, Matrix};
use quire_kernels::pool::{Parts, Pool};
use rand::RngExt;
use serde_bytes::ByteBuf;
use std::ops::Range;

use super::diagonal::Diagonal;
use super::{Fit, Normalizer, Preconditioner, dot, first_scale};
use crate::optimizer::{decode, encode, replace};
use crate::symmetric::symmetric_product;
use crate::{Float, Layout};

/// How often the factors of a weight are brought to the same size.
const REBALANCE: f64 = 0.01;

/// One preconditioner a weight, and diagonals for the rest.
pub struct Kronecker<F> {
    weights: Vec<(Range<usize>, Factors<F>)>,
    rest: Vec<(Range<usize>, Diagonal<F>)>,
    pool: Pool,
}

impl<F: Float> Kronecker<F> {
    /// For the tensors of `layout`; weights with a side above `largest_side` get a diagonal.
    /// The threads of `pool` take a weight each; the result does not depend on them.
    pub fn new(layout: &Layout, largest_side: usize, pool: &Pool) -> Self {
        let (weights, rest) = layout.split(|[inputs, outputs]| inputs.max(outputs) <= largest_side);
        let weights: Vec<_> =
            weights.into_iter().map(|(range, shape)| (range, Factors::new(shape))).collect();
        let rest = rest.into_iter().map(|range| (range.clone(), Diagonal::new(range.len()))).collect();
        Kronecker { weights, rest, pool: pool.clone() }
    }
}

impl<F: Float> Preconditioner<F> for Kronecker<F> {
    fn fit(&mut self, v: &[F], h: &[F], fit: Fit, rng: &mut Rng) {
        // Drawn beforehand, in the order of the weights, whichever thread takes which.
        for (_, factors) in &mut self.weights {
            factors.is_rebalanced = rng.random_bool(REBALANCE);
        }
        let weights = Parts::new(&mut self.weights);
        self.pool.run(self.weights.len(), |index| {
            // SAFETY: every block takes a weight of its own.
            let [(range, factors)] = (unsafe { weights.part(index, 1) }) else { unreachable!("one weight") };
            factors.fit(&v[range.clone()], &h[range.clone()], fit);
        });
        for (range, diagonal) in &mut self.rest {
            diagonal.fit(&v[range.clone()], &h[range.clone()], fit, rng);
        }
    }

    fn apply(&mut self, g: &[F], out: &mut [F]) {
        let (weights, places) = (Parts::new(&mut self.weights), Parts::new(out));
        self.pool.run(self.weights.len(), |index| {
            // SAFETY: every block takes a weight of its own, and weights lie apart.
            let [(range, factors)] = (unsafe { weights.part(index, 1) }) else { unreachable!("one weight") };
            // SAFETY: as above.
            factors.apply(&g[range.clone()], unsafe { places.part(range.start, range.len()) });
        });
        for (range, diagonal) in &mut self.rest {
            diagonal.apply(&g[range.clone()], &mut out[range.clone()]);
        }
    }

    fn save(&self) -> Vec<u8> {
        let weights: Vec<ByteBuf> = self.weights.iter().map(|(_, f)| ByteBuf::from(f.save())).collect();
        let rest: Vec<ByteBuf> = self.rest.iter().map(|(_, d)| ByteBuf::from(d.save())).collect();
        encode(&(weights, rest))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (weights, rest): (Vec<ByteBuf>, Vec<ByteBuf>) = decode(saved)?;
        if weights.len() != self.weights.len() || rest.len() != self.rest.len() {
            return Err(Error::Resume("the saved preconditioner is for other tensors".into()));
        }
        self.weights.iter_mut().zip(&weights).try_for_each(|((_, factors), saved)| factors.restore(saved))?;
        self.rest.iter_mut().zip(&rest).try_for_each(|((_, diagonal), saved)| diagonal.restore(saved))
    }
}

/// The two factors of one weight.
struct Factors<F> {
    shape: [usize; 2],
    left: Vec<F>,
    right: Vec<F>,
    bounds: [f64; 2],
    has_scale: bool,
    /// Whether this fit brings the factors to the same size.
    is_rebalanced: bool,
    a: Vec<F>,
    b: Vec<F>,
    between: Vec<F>,
    /// The difference and the sum of the two inner products, of the longer side.
    difference: Vec<F>,
    sum: Vec<F>,
    moved: Vec<F>,
    /// The thread that it is worked on by.
    alone: Pool,
}

/// `c <- [c +] a b`.
fn product<F: Float>(shape: [usize; 3], c: &mut [F], add: bool, a: Matrix<'_, F>, b: Matrix<'_, F>) {
    gemm::product(shape, c, shape[1], add, a, b, |_, _, _, _, _| ());
}

impl<F: Float> Factors<F> {
    fn new([m, n]: [usize; 2]) -> Self {
        let longer = m.max(n) * m.max(n);
        let zeros = |len| vec![F::ZERO; len];
        let mut factors = Factors {
            shape: [m, n],
            left: zeros(m * m),
            right: zeros(n * n),
            bounds: [0.0; 2],
            has_scale: false,
            is_rebalanced: false,
            a: zeros(m * n),
            b: zeros(m * n),
            between: zeros(m * n),
            difference: zeros(longer),
            sum: zeros(longer),
            moved: zeros(longer),
            alone: Pool::new(1),
        };
        factors.set_scale(F::ONE);
        factors
    }

    /// Q ← scale I, each factor its root.
    fn set_scale(&mut self, scale: F) {
        let [m, n] = self.shape;
        (0..m).for_each(|i| self.left[i * m + i] = scale.sqrt());
        (0..n).for_each(|i| self.right[i * n + i] = scale.sqrt());
    }

    fn fit(&mut self, v: &[F], h: &[F], fit: Fit) {
        if !self.has_scale {
            self.has_scale = true;
            self.set_scale(first_scale(v, h));
        }
        let [m, n] = self.shape;
        let Factors { left, right, a, b, between, difference, sum, moved, alone, .. } = self;
        product([m, n, m], between, false, Matrix::new(left, m), Matrix::new(h, n));
        product([m, n, n], a, false, Matrix::new(between, n), Matrix::new(right, n).transposed());
        b.copy_from_slice(v);
        divide_left(left, b, [m, n], between);
        divide_right(right, b, [m, n], between);
        for (side, (factor, size)) in [(left, m), (right, n)].into_iter().enumerate() {
            let inner = |x: &[F], out: &mut [F]| match side {
                0 => symmetric_product(alone, Matrix::new(x, n), [m, n], out),
                _ => symmetric_product(alone, Matrix::new(x, n).transposed(), [n, m], out),
            };
            let (difference, sum) = (&mut difference[..size * size], &mut sum[..size * size]);
            inner(a, difference);
            inner(b, sum);
            for (difference, sum) in difference.iter_mut().zip(sum.iter_mut()) {
                (*difference, *sum) = (*difference - *sum, *difference + *sum);
            }
            for (i, row) in difference.chunks_exact_mut(size).enumerate() {
                row[..i].fill(F::ZERO);
            }
            let moved = &mut moved[..size * size];
            let latest = match fit.normalizer {
                Normalizer::Second => spectral_bound(sum, size),
                Normalizer::First => spectral_bound(difference, size),
            };
            let step = F::from_f64(fit.step_below(&mut self.bounds[side], latest));
            product([size; 3], moved, false, Matrix::new(difference, size), Matrix::new(factor, size));
            factor.iter_mut().zip(&*moved).for_each(|(q, &change)| *q -= step * change);
        }
        if self.is_rebalanced {
            let largest = |q: &[F]| q.iter().fold(F::ZERO, |most, q| most.max(q.abs())).to_f64();
            let ratio = (largest(&self.left) / largest(&self.right)).sqrt();
            if ratio.is_finite() && ratio > 0.0 {
                self.left.iter_mut().for_each(|q| *q = F::from_f64(q.to_f64() / ratio));
                self.right.iter_mut().for_each(|q| *q = F::from_f64(q.to_f64() * ratio));
            }
        }
    }

    fn apply(&mut self, g: &[F], out: &mut [F]) {
        let [m, n] = self.shape;
        let (left, right) = (Matrix::new(&self.left, m), Matrix::new(&self.right, n));
        product([m, n, m], &mut self.a, false, left, Matrix::new(g, n));
        product([m, n, m], &mut self.between, false, left.transposed(), Matrix::new(&self.a, n));
        product([m, n, n], &mut self.a, false, Matrix::new(&self.between, n), right.transposed());
        product([m, n, n], out, false, Matrix::new(&self.a, n), right);
    }

    fn save(&self) -> Vec<u8> {
        encode(&(&self.left, &self.right, self.bounds, self.has_scale))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (left, right, bounds, has_scale) = decode(saved)?;
        (self.bounds, self.has_scale) = (bounds, has_scale);
        replace(&mut self.left, left, "left factor")?;
        replace(&mut self.right, right, "right factor")
    }
}

/// Rows or columns that are divided one by one, before the others get their part by a product.
const PANEL: usize = 64;

/// `x <- q⁻ᵀ x` for an upper triangular q `[m, m]` and x `[m, n]`: from the first row on, with m n numbers of `spare` memory.
fn divide_left<F: Float>(q: &[F], x: &mut [F], [m, n]: [usize; 2], spare: &mut [F]) {
    for first in (0..m).step_by(PANEL) {
        let end = m.min(first + PANEL);
        let (done, later) = x.split_at_mut(end * n);
        let panel = &mut done[first * n..];
        for i in first..end {
            let (done, rest) = panel.split_at_mut((i - first + 1) * n);
            let row = &mut done[(i - first) * n..];
            let pivot = q[i * m + i];
            row.iter_mut().for_each(|x| *x /= pivot);
            for (other, &q) in rest.chunks_exact_mut(n).zip(&q[i * m + i + 1..i * m + end]) {
                other.iter_mut().zip(&*row).for_each(|(x, &y)| *x -= q * y);
            }
        }
        if end < m {
            let negative = &mut spare[..panel.len()];
            negative.iter_mut().zip(&*panel).for_each(|(to, &x)| *to = F::ZERO - x);
            let above = Matrix::new(&q[first * m + end..], m).transposed();
            product([m - end, n, end - first], later, true, above, Matrix::new(negative, n));
        }
    }
}

/// `x <- x q⁻¹` for an upper triangular q `[n, n]` and x `[m, n]`: from the first column on, with m n numbers of `spare` memory.
fn divide_right<F: Float>(q: &[F], x: &mut [F], [m, n]: [usize; 2], spare: &mut [F]) {
    for first in (0..n).step_by(PANEL) {
        let end = n.min(first + PANEL);
        for row in x.chunks_exact_mut(n) {
            for j in first..end {
                let (done, rest) = row[..end].split_at_mut(j + 1);
                done[j] /= q[j * n + j];
                let y = done[j];
                rest.iter_mut().zip(&q[j * n + j + 1..j * n + end]).for_each(|(x, &q)| *x -= y * q);
            }
        }
        if end < n {
            let width = end - first;
            let negative = &mut spare[..m * width];
            for (to, row) in negative.chunks_exact_mut(width).zip(x.chunks_exact(n)) {
                to.iter_mut().zip(&row[first..end]).for_each(|(to, &x)| *to = F::ZERO - x);
            }
            let (left, right) = (Matrix::new(negative, width), Matrix::new(&q[first * n + end..], n));
            gemm::product([m, n - end, width], &mut x[end..], n, true, left, right, |_, _, _, _, _| ());
        }
    }
}

/// A lower bound, within a factor of √2, of the spectral norm of a matrix: |M x| for the direction x of its longest row.
fn spectral_bound<F: Float>(m: &[F], n: usize) -> f64 {
    let norm = |row: &[F]| dot(row, row);
    let Some(longest) = m.chunks_exact(n).max_by(|x, y| norm(x).total_cmp(&norm(y))) else { return 0.0 };
    let length = norm(longest).sqrt();
    if length == 0.0 {
        return 0.0;
    }
    m.chunks_exact(n).map(|row| (dot(row, longest) / length).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divisions_by_panels_undo_products() {
        let [m, n] = [150, 130];
        let upper = |size: usize| -> Vec<f64> {
            let entry = |i: usize, j: usize| match i.cmp(&j) {
                std::cmp::Ordering::Less => (i as f64 * 0.7 + j as f64).sin() / size as f64,
                std::cmp::Ordering::Equal => 1.0 + 0.1 * (i as f64).cos(),
                std::cmp::Ordering::Greater => 0.0,
            };
            (0..size * size).map(|k| entry(k / size, k % size)).collect()
        };
        let (left, right) = (upper(m), upper(n));
        let x: Vec<f64> = (0..m * n).map(|k| (k as f64 * 0.3).cos()).collect();
        let (mut spare, mut product_of) = (vec![0.0; m * n], vec![0.0; m * n]);
        let near = |a: &[f64]| a.iter().zip(&x).for_each(|(a, b)| assert!((a - b).abs() < 1e-12, "{a} {b}"));
        // qᵀ x, and then q⁻ᵀ of it.
        product([m, n, m], &mut product_of, false, Matrix::new(&left, m).transposed(), Matrix::new(&x, n));
        divide_left(&left, &mut product_of, [m, n], &mut spare);
        near(&product_of);
        product([m, n, n], &mut product_of, false, Matrix::new(&x, n), Matrix::new(&right, n));
        divide_right(&right, &mut product_of, [m, n], &mut spare);
        near(&product_of);
    }
}

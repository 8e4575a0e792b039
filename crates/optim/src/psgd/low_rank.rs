//! Q = (I + U Vᵀ) diag(d) with U and V of r columns and d > 0.
//!
//! With M = I + Vᵀ U (r × r), s = v / d:
//!
//! > a = Q h = (I + U Vᵀ)(d h),  P h = d (I + V Uᵀ) a,  b = Q⁻ᵀ v = s - V M⁻ᵀ (Uᵀ s),  P⁻¹ v = (b - U M⁻¹ (Vᵀ b)) / d.
//!
//! d moves by d ← d - μ d (h P h - v P⁻¹ v); of U and V one moves, by the toss of a fair coin:
//!
//! > U ← U - μ [a (aᵀ V) - b (bᵀ V)] M,  ℓ = |a| |V Vᵀ a| + |b| |V Vᵀ b|;
//! > V ← V - μ [(a + V Uᵀ a)(aᵀ U) - (b + V Uᵀ b)(bᵀ U)],  ℓ = |a| |U Uᵀ a| + |b| |U Uᵀ b|.
//!
//! ℓ of d is max_i [(P h)² + v²]^½ [h² + (P⁻¹ v)²]^½, or max_i |h P h - v P⁻¹ v|. Now and then (once in a hundred fits) U and V are brought to the same norm, which leaves Q as it is.

use quire_core::{Result, Rng, Seeds};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::{Fit, Normalizer, Preconditioner, first_scale};
use crate::optimizer::{decode, encode, replace};
use crate::{Float, global_norm};

/// How often U and V are brought to the same norm.
const REBALANCE: f64 = 0.01;

/// P = QᵀQ for a diagonal and a matrix of low rank.
#[derive(Debug, Clone)]
pub struct LowRank<F> {
    rank: usize,
    d: Vec<F>,
    /// Row-major, `[n, r]`.
    u: Vec<F>,
    v: Vec<F>,
    bounds: Bounds,
    work: Work<F>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Bounds {
    d: f64,
    u: f64,
    v: f64,
    has_scale: bool,
}

/// Memory of a fit: vectors of n, and of r and r² in double precision.
#[derive(Debug, Clone)]
struct Work<F> {
    a: Vec<F>,
    b: Vec<F>,
    ph: Vec<F>,
    piv: Vec<F>,
    small: [Vec<f64>; 4],
    m: Vec<f64>,
    factor: Vec<f64>,
}

impl<F: Float> LowRank<F> {
    /// For `n` parameters; U and V start as noise with a Frobenius norm of about 0.1^½.
    pub fn new(n: usize, rank: usize, seeds: Seeds) -> Self {
        let mut rng = seeds.stream("low-rank");
        let deviation = (0.1 / (n * rank).max(1) as f64).sqrt();
        let mut noise = || -> Vec<F> {
            (0..n * rank)
                .map(|_| F::from_f64(deviation * Distribution::<f64>::sample(&StandardNormal, &mut rng)))
                .collect()
        };
        let zeros = vec![F::ZERO; n];
        LowRank {
            rank,
            d: vec![F::ONE; n],
            u: noise(),
            v: noise(),
            bounds: Bounds::default(),
            work: Work {
                a: zeros.clone(),
                b: zeros.clone(),
                ph: zeros.clone(),
                piv: zeros,
                small: std::array::from_fn(|_| vec![0.0; rank]),
                m: vec![0.0; rank * rank],
                factor: vec![0.0; rank * rank],
            },
        }
    }

    fn fit_low_rank(&mut self, fit: Fit, moves_u: bool) {
        let rank = self.rank;
        let Work { a, b, small, m, .. } = &mut self.work;
        let [of_a, of_b, ua, ub] = small;
        // The moving factor is `own`, the other one stays.
        let (own, other, bound) = match moves_u {
            true => (&mut self.u, &self.v, &mut self.bounds.u),
            false => (&mut self.v, &self.u, &mut self.bounds.v),
        };
        project(other, a, of_a);
        project(other, b, of_b);
        // |V Vᵀ a| and |V Vᵀ b|, row by row; `first` also needs |gradient|.
        let (mut wide_a, mut wide_b) = (0.0, 0.0);
        for row in other.chunks_exact(rank) {
            wide_a += inner(row, of_a).powi(2);
            wide_b += inner(row, of_b).powi(2);
        }
        let (norm_a, norm_b) = (global_norm(a), global_norm(b));
        let latest = norm_a * wide_a.sqrt() + norm_b * wide_b.sqrt();
        let step = fit.step_below(bound, latest);
        if moves_u {
            // a (aᵀ V) M: the small vectors are multiplied first.
            times(of_a, m, ua);
            times(of_b, m, ub);
            for ((row, &a), &b) in own.chunks_exact_mut(rank).zip(&*a).zip(&*b) {
                let (a, b) = (step * a.to_f64(), step * b.to_f64());
                for ((u, &x), &y) in row.iter_mut().zip(&*ua).zip(&*ub) {
                    *u = F::from_f64(u.to_f64() - (a * x - b * y));
                }
            }
        } else {
            // aᵀ U is also what V Uᵀ a needs.
            for ((row, &a), &b) in own.chunks_exact_mut(rank).zip(&*a).zip(&*b) {
                let a = step * (a.to_f64() + inner(row, of_a));
                let b = step * (b.to_f64() + inner(row, of_b));
                for ((v, &x), &y) in row.iter_mut().zip(&*of_a).zip(&*of_b) {
                    *v = F::from_f64(v.to_f64() - (a * x - b * y));
                }
            }
        }
    }
}

impl<F: Float> Preconditioner<F> for LowRank<F> {
    fn fit(&mut self, v: &[F], h: &[F], fit: Fit, rng: &mut Rng) {
        if !self.bounds.has_scale {
            self.bounds.has_scale = true;
            self.d.fill(first_scale(v, h));
        }
        let rank = self.rank;
        let moves_u = rank > 0 && rng.random_bool(0.5);
        {
            let Work { a, b, ph, piv, small, m, factor } = &mut self.work;
            let [x, y, ..] = small;
            // a and P h.
            for ((a, &d), &h) in a.iter_mut().zip(&self.d).zip(h) {
                *a = d * h;
            }
            project(&self.v, a, x);
            spread(&self.u, x, 1.0, a);
            ph.copy_from_slice(a);
            project(&self.u, a, x);
            spread(&self.v, x, 1.0, ph);
            ph.iter_mut().zip(&self.d).for_each(|(p, &d)| *p *= d);
            // M, b and P⁻¹ v.
            m.fill(0.0);
            for (u, v) in self.u.chunks_exact(rank.max(1)).zip(self.v.chunks_exact(rank.max(1))) {
                for (row, &v) in m.chunks_exact_mut(rank.max(1)).zip(v) {
                    row.iter_mut().zip(u).for_each(|(m, &u)| *m += v.to_f64() * u.to_f64());
                }
            }
            (0..rank).for_each(|i| m[i * rank + i] += 1.0);
            for ((b, &v), &d) in b.iter_mut().zip(v).zip(&self.d) {
                *b = v / d;
            }
            project(&self.u, b, x);
            // Mᵀ for b, M for P⁻¹ v.
            for i in 0..rank {
                for j in 0..rank {
                    factor[i * rank + j] = m[j * rank + i];
                }
            }
            solve(factor, x);
            spread(&self.v, x, -1.0, b);
            piv.copy_from_slice(b);
            project(&self.v, b, y);
            factor.copy_from_slice(m);
            solve(factor, y);
            spread(&self.u, y, -1.0, piv);
            piv.iter_mut().zip(&self.d).for_each(|(p, &d)| *p /= d);
        }
        let Work { ph, piv, .. } = &self.work;
        let rows = || ph.iter().zip(piv).zip(v.iter().zip(h));
        let latest = rows().fold(F::ZERO, |most, ((&ph, &piv), (&v, &h))| {
            most.max(match fit.normalizer {
                Normalizer::Second => ((ph * ph + v * v) * (h * h + piv * piv)).sqrt(),
                Normalizer::First => (ph * h - v * piv).abs(),
            })
        });
        let step = F::from_f64(fit.step_below(&mut self.bounds.d, latest.to_f64()));
        for (d, ((&ph, &piv), (&v, &h))) in self.d.iter_mut().zip(rows()) {
            *d = *d - step * *d * (ph * h - v * piv);
        }
        if rank == 0 {
            return;
        }
        self.fit_low_rank(fit, moves_u);
        if rng.random_bool(REBALANCE) {
            let ratio = (global_norm(&self.u) / global_norm(&self.v)).sqrt();
            if ratio.is_finite() && ratio > 0.0 {
                self.u.iter_mut().for_each(|u| *u = F::from_f64(u.to_f64() / ratio));
                self.v.iter_mut().for_each(|v| *v = F::from_f64(v.to_f64() * ratio));
            }
        }
    }

    fn apply(&mut self, g: &[F], out: &mut [F]) {
        let x = &mut self.work.small[0];
        for ((out, &g), &d) in out.iter_mut().zip(g).zip(&self.d) {
            *out = d * g;
        }
        project(&self.v, out, x);
        spread(&self.u, x, 1.0, out);
        project(&self.u, out, x);
        spread(&self.v, x, 1.0, out);
        out.iter_mut().zip(&self.d).for_each(|(out, &d)| *out *= d);
    }

    fn save(&self) -> Vec<u8> {
        encode(&(&self.d, &self.u, &self.v, self.bounds))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (d, u, v, bounds) = decode(saved)?;
        self.bounds = bounds;
        replace(&mut self.d, d, "diagonal")?;
        replace(&mut self.u, u, "left factor")?;
        replace(&mut self.v, v, "right factor")
    }
}

/// `out <- matrixᵀ x`, for a matrix of `out.len()` columns.
fn project<F: Float>(matrix: &[F], x: &[F], out: &mut [f64]) {
    out.fill(0.0);
    for (row, &x) in matrix.chunks_exact(out.len().max(1)).zip(x) {
        let x = x.to_f64();
        out.iter_mut().zip(row).for_each(|(out, &entry)| *out += x * entry.to_f64());
    }
}

/// `out <- out + factor matrix x`.
fn spread<F: Float>(matrix: &[F], x: &[f64], factor: f64, out: &mut [F]) {
    for (row, out) in matrix.chunks_exact(x.len().max(1)).zip(out) {
        *out = F::from_f64(out.to_f64() + factor * inner(row, x));
    }
}

fn inner<F: Float>(row: &[F], x: &[f64]) -> f64 {
    row.iter().zip(x).map(|(&entry, &x)| entry.to_f64() * x).sum()
}

/// `out <- xᵀ m`.
fn times(x: &[f64], m: &[f64], out: &mut [f64]) {
    out.fill(0.0);
    for (row, &x) in m.chunks_exact(out.len().max(1)).zip(x) {
        out.iter_mut().zip(row).for_each(|(out, &m)| *out += x * m);
    }
}

/// `x <- m⁻¹ x` by elimination with pivots, in `m`. A singular matrix leaves numbers that are not finite.
fn solve(m: &mut [f64], x: &mut [f64]) {
    let n = x.len();
    for k in 0..n {
        let pivot =
            (k..n).max_by(|&i, &j| m[i * n + k].abs().total_cmp(&m[j * n + k].abs())).expect("rows are left");
        if pivot != k {
            (0..n).for_each(|j| m.swap(k * n + j, pivot * n + j));
            x.swap(k, pivot);
        }
        for i in k + 1..n {
            let factor = m[i * n + k] / m[k * n + k];
            for j in k + 1..n {
                m[i * n + j] -= factor * m[k * n + j];
            }
            x[i] -= factor * x[k];
        }
    }
    for k in (0..n).rev() {
        let known: f64 = (k + 1..n).map(|j| m[k * n + j] * x[j]).sum();
        x[k] = (x[k] - known) / m[k * n + k];
    }
}

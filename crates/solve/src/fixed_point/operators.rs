//! Nonexpansive operators: a rotation that drifts, Douglas & Rachford's on a line and a disc, PDHG's on a linear program.

use nalgebra::DMatrix;
use quire_core::Rng;
use rand::RngExt;
use rand_distr::StandardNormal;

use super::Operator;

use crate::vectors::dot;

/// T x = (1 - θ) x + θ (R x - v): a rotation in the first two coordinates and a drift along the third. Nonexpansive, and averaged if θ < 1.
#[derive(Debug, Clone, Copy)]
pub struct Drift {
    /// The angle.
    pub angle: f64,
    /// |v| before averaging.
    pub length: f64,
    /// θ; 1 is not averaged.
    pub part: f64,
}

impl Operator for Drift {
    fn dimension(&self) -> usize {
        3
    }

    fn apply(&self, x: &[f64], out: &mut [f64]) {
        let (sine, cosine) = self.angle.sin_cos();
        let turned = [cosine * x[0] - sine * x[1], sine * x[0] + cosine * x[1], x[2] - self.length];
        for ((out, x), turned) in out.iter_mut().zip(x).zip(turned) {
            *out = (1.0 - self.part) * x + self.part * turned;
        }
    }

    fn certificate(&self, displacement: &[f64]) -> Option<String> {
        // Every displacement has this third coordinate.
        (displacement[2] != 0.0).then(|| format!("every point moves by {:.3}", self.part * self.length))
    }
}

/// Douglas & Rachford's operator T z = z + P_B(2 P_A z - z) - P_A z for the line x_2 = 0 (A) and a disc above it (B).
#[derive(Debug, Clone, Copy)]
pub struct LineAndDisc {
    /// Height of the disc's centre over the line.
    pub height: f64,
    /// Its radius.
    pub radius: f64,
}

impl Operator for LineAndDisc {
    fn dimension(&self) -> usize {
        2
    }

    fn apply(&self, z: &[f64], out: &mut [f64]) {
        let reflected = [z[0], -z[1]];
        let from_centre = [reflected[0], reflected[1] - self.height];
        let distance = from_centre[0].hypot(from_centre[1]);
        let shrink = if distance > self.radius { self.radius / distance } else { 1.0 };
        let on_disc = [shrink * from_centre[0], self.height + shrink * from_centre[1]];
        // P_A z = (z_1, 0).
        (out[0], out[1]) = (on_disc[0], z[1] + on_disc[1]);
    }

    /// The displacement separates the sets if the disc lies strictly beyond the line in its direction.
    fn certificate(&self, displacement: &[f64]) -> Option<String> {
        let length = displacement[0].hypot(displacement[1]);
        // A direction along the line would cut it: only what is at right angles to it separates.
        let upright = displacement[0].abs() <= 1e-6 * length;
        let gap = -displacement[1].signum() * self.height - self.radius;
        (upright && length > 0.0 && gap > 0.0).then(|| format!("the sets are {gap:.6} apart"))
    }
}

/// PDHG's operator for min cᵀx subject to A x = b, x >= 0, on z = (x, y):
///
/// > x⁺ = max(0, x - τ (c - Aᵀ y))      y⁺ = y + σ (b - A (2 x⁺ - x))
///
/// with τ = σ = 0.9/‖A‖; nonexpansive, and averaged, in the norm of M = [[I/τ, Aᵀ], [A, I/σ]].
pub struct LinearProgram {
    matrix: DMatrix<f64>,
    right: Vec<f64>,
    cost: Vec<f64>,
    step: f64,
}

/// ‖x‖₁ up to which a certificate has to exclude solutions, relative to the size of b and A.
const EXCLUDED: f64 = 1e5;

impl LinearProgram {
    /// With this matrix `[m, n]`, right side `[m]` and cost `[n]`.
    pub fn new(matrix: DMatrix<f64>, right: Vec<f64>, cost: Vec<f64>) -> Self {
        let norm = matrix.clone().svd(false, false).singular_values.max();
        LinearProgram { step: 0.9 / norm, matrix, right, cost }
    }

    /// A random program of this size, infeasible by construction: some y has Aᵀ y <= 0 and bᵀ y > 0.
    pub fn infeasible(rows: usize, columns: usize, rng: &mut Rng) -> Self {
        let mut normal = || rng.sample::<f64, _>(StandardNormal);
        let mut matrix = DMatrix::from_fn(rows, columns, |_, _| normal());
        let y: Vec<f64> = (0..rows).map(|_| normal()).collect();
        let mut right: Vec<f64> = (0..rows).map(|_| normal()).collect();
        let along = |v: &mut dyn Iterator<Item = f64>| v.zip(&y).map(|(v, y)| v * y).sum::<f64>();
        for mut column in matrix.column_iter_mut() {
            if along(&mut column.iter().copied()) > 0.0 {
                column.neg_mut();
            }
        }
        if along(&mut right.iter().copied()) < 0.0 {
            right.iter_mut().for_each(|b| *b = -*b);
        }
        let cost = (0..columns).map(|_| normal().abs()).collect();
        LinearProgram::new(matrix, right, cost)
    }

    /// A random program with a solution: b = A x for some x >= 0, and c = Aᵀ y + s with s >= 0 and xᵀ s = 0.
    pub fn feasible(rows: usize, columns: usize, rng: &mut Rng) -> Self {
        let mut normal = || rng.sample::<f64, _>(StandardNormal);
        let matrix = DMatrix::from_fn(rows, columns, |_, _| normal());
        let y: Vec<f64> = (0..rows).map(|_| normal()).collect();
        let x: Vec<f64> = (0..columns).map(|j| if j < rows { normal().abs() } else { 0.0 }).collect();
        let right = times(&matrix, &x);
        let mut cost = transposed_times(&matrix, &y);
        cost.iter_mut().skip(rows).for_each(|c| *c += normal().abs());
        LinearProgram::new(matrix, right, cost)
    }

    fn split<'z>(&self, z: &'z [f64]) -> (&'z [f64], &'z [f64]) {
        z.split_at(self.cost.len())
    }
}

/// A x.
fn times(matrix: &DMatrix<f64>, x: &[f64]) -> Vec<f64> {
    (0..matrix.nrows()).map(|i| matrix.row(i).iter().zip(x).map(|(a, x)| a * x).sum()).collect()
}

/// Aᵀ y.
fn transposed_times(matrix: &DMatrix<f64>, y: &[f64]) -> Vec<f64> {
    matrix.column_iter().map(|column| column.iter().zip(y).map(|(a, y)| a * y).sum()).collect()
}

impl Operator for LinearProgram {
    fn dimension(&self) -> usize {
        self.cost.len() + self.right.len()
    }

    fn apply(&self, z: &[f64], out: &mut [f64]) {
        let (x, y) = self.split(z);
        let (new_x, new_y) = out.split_at_mut(x.len());
        let prices = transposed_times(&self.matrix, y);
        for j in 0..x.len() {
            new_x[j] = (x[j] - self.step * (self.cost[j] - prices[j])).max(0.0);
        }
        let ahead: Vec<f64> = new_x.iter().zip(x).map(|(new, old)| 2.0 * new - old).collect();
        let used = times(&self.matrix, &ahead);
        for i in 0..y.len() {
            new_y[i] = y[i] + self.step * (self.right[i] - used[i]);
        }
    }

    fn square(&self, z: &[f64]) -> f64 {
        let (x, y) = self.split(z);
        (dot(x, x) + dot(y, y)) / self.step + 2.0 * dot(&times(&self.matrix, x), y)
    }

    fn certificate(&self, displacement: &[f64]) -> Option<String> {
        // Both certificates are proportional to the steps, which are the negative displacement.
        let negative: Vec<f64> = displacement.iter().map(|v| -v).collect();
        let (ray, prices) = self.split(&negative);
        // Farkas: if A x = b and x >= 0 then bᵀy = xᵀAᵀy <= max(Aᵀy) ‖x‖₁.
        let gain = dot(&self.right, prices);
        let excess = transposed_times(&self.matrix, prices).into_iter().fold(0.0, f64::max);
        if gain > EXCLUDED * excess && gain > 0.0 {
            return Some(match excess {
                0.0 => "y with Aᵀy <= 0 and bᵀy > 0: no x >= 0 has Ax = b".to_owned(),
                _ => format!("no x >= 0 of sum below {:.0e} has Ax = b", gain / excess),
            });
        }
        // A ray along which the cost falls for ever, within rounding of A d = 0 and d >= 0.
        let fall = -dot(&self.cost, ray);
        let off = times(&self.matrix, ray).into_iter().map(f64::abs).fold(0.0, f64::max);
        let below = ray.iter().fold(0.0_f64, |most, d| most.max(-d));
        let is_ray = fall > 0.0 && fall > EXCLUDED * off.max(below);
        is_ray.then(|| "a ray d >= 0 with Ad = 0 and cᵀd < 0: no dual solution".to_owned())
    }
}

//! Nonexpansive operators: a rotation that drifts, Douglas & Rachford's on a line and a disc, PDHG's on a linear program.

use nalgebra::DMatrix;
use quire_core::Rng;
use rand::RngExt;
use rand_distr::StandardNormal;

use super::{Operator, ROUNDING, excluded};
use crate::vectors::{add_scaled, dot, norm};

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

    fn certificate(&self, displacement: &[f64], vector: &mut [f64], scratch: &mut [f64]) -> f64 {
        vector.copy_from_slice(displacement);
        self.excluded_with(vector, scratch)
    }

    /// Every displacement has the same third coordinate.
    fn excluded_with(&self, vector: &[f64], _scratch: &mut [f64]) -> f64 {
        if vector[2] == 0.0 { 0.0 } else { f64::INFINITY }
    }

    fn proof(&self, _vector: &[f64], _excluded: f64) -> String {
        format!("every point moves by {:.3}", self.part * self.length)
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

    fn certificate(&self, displacement: &[f64], vector: &mut [f64], scratch: &mut [f64]) -> f64 {
        vector.copy_from_slice(displacement);
        self.excluded_with(vector, scratch)
    }

    fn proof(&self, vector: &[f64], _excluded: f64) -> String {
        format!("the sets are {:.6} apart", self.gap(vector))
    }

    /// The displacement separates the sets if the disc lies strictly beyond the line in its direction.
    fn excluded_with(&self, vector: &[f64], _scratch: &mut [f64]) -> f64 {
        let length = vector[0].hypot(vector[1]);
        // A direction along the line would cut it: only what is at right angles to it separates.
        let upright = vector[0].abs() <= 1e-6 * length;
        if upright && length > 0.0 && self.gap(vector) > 0.0 { f64::INFINITY } else { 0.0 }
    }
}

impl LineAndDisc {
    /// How far the disc is beyond the line in this direction.
    fn gap(&self, direction: &[f64]) -> f64 {
        -direction[1].signum() * self.height - self.radius
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
    /// ‖A‖.
    norm: f64,
    /// τ = σ.
    step: f64,
}

impl LinearProgram {
    /// With this matrix `[m, n]`, right side `[m]` and cost `[n]`.
    pub fn new(matrix: DMatrix<f64>, right: Vec<f64>, cost: Vec<f64>) -> Self {
        let norm = matrix.clone().svd(false, false).singular_values.max();
        LinearProgram { step: 0.9 / norm, norm, matrix, right, cost }
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

    /// A random program that is feasible and falls for ever: b = A x for some x >= 0, and some d >= 0 has A d = 0 and cᵀd < 0.
    pub fn unbounded(rows: usize, columns: usize, rng: &mut Rng) -> Self {
        let mut normal = || rng.sample::<f64, _>(StandardNormal);
        let mut matrix = DMatrix::from_fn(rows, columns, |_, _| normal());
        let ray: Vec<f64> = (0..columns).map(|_| normal().abs()).collect();
        // Rows lose their part along d.
        let square = dot(&ray, &ray);
        for mut row in matrix.row_iter_mut() {
            let along = row.iter().zip(&ray).map(|(a, d)| a * d).sum::<f64>() / square;
            row.iter_mut().zip(&ray).for_each(|(a, d)| *a -= along * d);
        }
        let x: Vec<f64> = (0..columns).map(|_| normal().abs()).collect();
        let right = times(&matrix, &x);
        let mut cost: Vec<f64> = (0..columns).map(|_| normal()).collect();
        if dot(&cost, &ray) > 0.0 {
            cost.iter_mut().for_each(|c| *c = -*c);
        }
        LinearProgram::new(matrix, right, cost)
    }

    /// σ (b - A x̄) with the x̄ >= 0 where b - A x is least, by projected gradients: a check that does not use T.
    #[cfg(test)]
    pub(super) fn least_residual(&self, rounds: usize) -> Vec<f64> {
        let mut x = vec![0.0; self.cost.len()];
        let mut left = self.right.clone();
        for _ in 0..rounds {
            for (x, slope) in x.iter_mut().zip(transposed_times(&self.matrix, &left)) {
                *x = (*x + self.step * self.step * slope).max(0.0);
            }
            left.copy_from_slice(&self.right);
            add_scaled(-1.0, &times(&self.matrix, &x), &mut left);
        }
        left.iter().map(|left| self.step * left).collect()
    }

    /// Column j of A.
    fn column(&self, j: usize) -> &[f64] {
        let rows = self.right.len();
        &self.matrix.as_slice()[j * rows..(j + 1) * rows]
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
        new_y.copy_from_slice(y);
        add_scaled(self.step, &self.right, new_y);
        for j in 0..x.len() {
            let column = self.column(j);
            new_x[j] = (x[j] - self.step * (self.cost[j] - dot(column, y))).max(0.0);
            add_scaled(-self.step * (2.0 * new_x[j] - x[j]), column, new_y);
        }
    }

    fn square(&self, z: &[f64]) -> f64 {
        let (x, y) = self.split(z);
        let cross: f64 = x.iter().enumerate().map(|(j, x)| x * dot(self.column(j), y)).sum();
        (dot(x, x) + dot(y, y)) / self.step + 2.0 * cross
    }

    /// Farkas' y, scaled to bᵀy = 1, as (0, y); or a ray d, scaled to cᵀd = -1, as (d, 0); of the two, which excludes more.
    fn certificate(&self, displacement: &[f64], vector: &mut [f64], scratch: &mut [f64]) -> f64 {
        // Both are proportional to the steps, which are the negative displacement.
        let n = self.cost.len();
        let prices = |vector: &mut [f64]| {
            let gain = -dot(&self.right, &displacement[n..]);
            vector[..n].fill(0.0);
            vector[n..].iter_mut().zip(&displacement[n..]).for_each(|(y, v)| *y = -v / gain);
            gain
        };
        let by_prices = if prices(vector) > 0.0 { self.excluded_with(vector, scratch) } else { 0.0 };
        let fall = dot(&self.cost, &displacement[..n]);
        vector[..n].iter_mut().zip(&displacement[..n]).for_each(|(d, v)| *d = (-v / fall).max(0.0));
        vector[n..].fill(0.0);
        let by_ray = if fall > 0.0 { self.excluded_with(vector, scratch) } else { 0.0 };
        if by_prices >= by_ray {
            prices(vector);
        }
        by_prices.max(by_ray)
    }

    /// Of (0, y): if A x = b and x >= 0 then bᵀy = xᵀAᵀy <= max(Aᵀy) ‖x‖₁. Of (d, 0) with d >= 0: if Aᵀy <= c then -cᵀd <= -yᵀA d <=
    /// max|A d| ‖y‖₁.
    fn excluded_with(&self, vector: &[f64], scratch: &mut [f64]) -> f64 {
        let (ray, prices) = self.split(vector);
        let is_zero = |part: &[f64]| part.iter().all(|&part| part == 0.0);
        // ‖A‖ times the vector's length bounds every entry of the product.
        let rounding = ROUNDING * self.norm * norm(vector);
        if is_zero(ray) {
            let products = (0..ray.len()).map(|j| dot(self.column(j), prices));
            let excess = products.fold(f64::NEG_INFINITY, f64::max);
            excluded(dot(&self.right, prices), excess, rounding)
        } else if is_zero(prices) && ray.iter().all(|&d| d >= 0.0) {
            let image = &mut scratch[..prices.len()];
            image.fill(0.0);
            for (j, &d) in ray.iter().enumerate() {
                add_scaled(d, self.column(j), image);
            }
            let off = image.iter().fold(0.0_f64, |off, value| off.max(value.abs()));
            excluded(-dot(&self.cost, ray), off, rounding)
        } else {
            0.0
        }
    }

    fn proof(&self, vector: &[f64], excluded: f64) -> String {
        let (ray, _) = self.split(vector);
        if ray.iter().any(|&d| d > 0.0) {
            return format!(
                "a ray d >= 0 with cᵀd < 0 and Ad = 0: no dual solution y with |y| of sum below {excluded:.0e}"
            );
        }
        match excluded {
            f64::INFINITY => "y with Aᵀy < 0 and bᵀy > 0: no x >= 0 has Ax = b".to_owned(),
            size => format!("no x >= 0 of sum below {size:.0e} has Ax = b"),
        }
    }
}

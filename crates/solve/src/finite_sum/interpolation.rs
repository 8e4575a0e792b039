//! Finite sums whose components are all least at one point, or that have noise of a known size.

use nalgebra::{DMatrix, SymmetricEigen};
use quire_core::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::components::{
    Constants, FiniteSum, add_second_moment, growth_of_independent_rows, largest_eigenvalue, scale_columns,
};
use crate::vectors::{add_scaled, dot};

fn normal(rng: &mut Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// `count` rows y a of length 1, where the sign y is that of a·w for a drawn w, and |a·w| >= margin ‖w‖.
pub(crate) fn separable_rows([count, width]: [usize; 2], margin: f64, rng: &mut Rng) -> Vec<f64> {
    let mut w: Vec<f64> = (0..width).map(|_| normal(rng)).collect();
    let length = dot(&w, &w).sqrt();
    w.iter_mut().for_each(|w| *w /= length);
    let mut rows = Vec::with_capacity(count * width);
    for _ in 0..count {
        let mut row: Vec<f64> = (0..width).map(|_| normal(rng)).collect();
        let length = dot(&row, &row).sqrt();
        row.iter_mut().for_each(|a| *a /= length);
        let along = dot(&row, &w);
        // The part along w becomes at least the margin, the rest shrinks to keep the length.
        let wanted = along.abs().max(margin);
        let keep = ((1.0 - wanted * wanted) / (1.0 - along * along)).sqrt();
        let sign = if along < 0.0 { -1.0 } else { 1.0 };
        rows.extend(row.iter().zip(&w).map(|(a, w)| sign * (keep * (a - along * w) + sign * wanted * w)));
    }
    rows
}

/// f_i = ½ (a_i·x - b_i)².
#[derive(Debug, Clone, PartialEq)]
pub struct LeastSquares {
    /// Rows a, row-major.
    rows: Vec<f64>,
    width: usize,
    right: Vec<f64>,
}

impl LeastSquares {
    /// Normal features whose scales fall geometrically from 1 to `smallest`, and b = a·w for a w ~ N(0, I): all f_i are 0 at w.
    pub fn draw([count, width]: [usize; 2], smallest: f64, rng: &mut Rng) -> Self {
        let w: Vec<f64> = (0..width).map(|_| normal(rng)).collect();
        let mut rows = Vec::with_capacity(count * width);
        for _ in 0..count {
            rows.extend(
                (0..width).map(|j| smallest.powf(j as f64 / (width - 1).max(1) as f64) * normal(rng)),
            );
        }
        let right = rows.chunks_exact(width).map(|row| dot(row, &w)).collect();
        LeastSquares { rows, width, right }
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.rows[i * self.width..(i + 1) * self.width]
    }

    fn error(&self, x: &[f64], i: usize) -> f64 {
        dot(self.row(i), x) - self.right[i]
    }
}

/// (1/n) Σ weight(a) a aᵀ.
fn second_moment<'a>(
    rows: impl ExactSizeIterator<Item = &'a [f64]>,
    width: usize,
    weight: impl Fn(&[f64]) -> f64,
) -> DMatrix<f64> {
    let share = 1.0 / rows.len() as f64;
    let mut sum = DMatrix::zeros(width, width);
    for row in rows {
        let weight = share * weight(row);
        for (j, a) in row.iter().enumerate() {
            add_scaled(weight * a, row, sum.column_mut(j).as_mut_slice());
        }
    }
    sum
}

impl FiniteSum for LeastSquares {
    fn len(&self) -> usize {
        self.right.len()
    }

    fn dimension(&self) -> usize {
        self.width
    }

    fn value(&self, x: &[f64]) -> f64 {
        let sum: f64 = (0..self.len()).map(|i| self.error(x, i).powi(2)).sum();
        0.5 * sum / self.len() as f64
    }

    fn gradient(&self, x: &[f64], batch: &[usize], out: &mut [f64]) {
        out.fill(0.0);
        for &i in batch {
            add_scaled(self.error(x, i) / batch.len() as f64, self.row(i), out);
        }
    }

    fn hessian_product(&self, _: &[f64], batch: &[usize], v: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        for &i in batch {
            add_scaled(dot(self.row(i), v) / batch.len() as f64, self.row(i), out);
        }
    }

    fn third_derivative(&self, _: &[f64], _: &[usize], _: &[f64]) -> f64 {
        0.0
    }

    /// All of them, exactly: with H = E a aᵀ, ρ = λ_max(H⁻¹ E[‖a‖² a aᵀ] H⁻¹).
    fn constants(&self, metric: &[f64]) -> Constants {
        let scaled = scale_columns(&self.rows, metric);
        let rows = || scaled.chunks_exact(self.width);
        let eigen = SymmetricEigen::new(second_moment(rows(), self.width, |_| 1.0));
        let (least, most) = (eigen.eigenvalues.min(), eigen.eigenvalues.max());
        let power = |power: f64| {
            let diagonal = DMatrix::from_diagonal(&eigen.eigenvalues.map(|value| value.powf(power)));
            &eigen.eigenvectors * diagonal * eigen.eigenvectors.transpose()
        };
        let squares = second_moment(rows(), self.width, |row| dot(row, row));
        let (root, inverse) = (power(-0.5), power(-1.0));
        let leverages = second_moment(rows(), self.width, |row| {
            let a = nalgebra::DVector::from_column_slice(row);
            a.dot(&(&inverse * &a))
        });
        let top = |matrix: DMatrix<f64>| {
            SymmetricEigen::new(0.5 * (&matrix + matrix.transpose())).eigenvalues.max()
        };
        Constants {
            smoothness: Some(most),
            largest_smoothness: Some(rows().map(|row| dot(row, row)).fold(0.0, f64::max)),
            strong_convexity: Some(least.max(0.0)),
            growth: Some(top(&inverse * &squares * &inverse)),
            moments: Some([top(&root * &squares * &root), top(&root * &leverages * &root)]),
        }
    }
}

/// f_i = ½ max(0, 1 - a_i·x)², with rows y a.
#[derive(Debug, Clone, PartialEq)]
pub struct SquaredHinge {
    rows: Vec<f64>,
    width: usize,
}

impl SquaredHinge {
    /// Rows of length 1 that a hyperplane separates with this margin: all f_i are 0 somewhere.
    pub fn draw_separable(shape: [usize; 2], margin: f64, rng: &mut Rng) -> Self {
        SquaredHinge { rows: separable_rows(shape, margin, rng), width: shape[1] }
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.rows[i * self.width..(i + 1) * self.width]
    }

    fn lack(&self, x: &[f64], i: usize) -> f64 {
        (1.0 - dot(self.row(i), x)).max(0.0)
    }
}

impl FiniteSum for SquaredHinge {
    fn len(&self) -> usize {
        self.rows.len() / self.width
    }

    fn dimension(&self) -> usize {
        self.width
    }

    fn value(&self, x: &[f64]) -> f64 {
        0.5 * (0..self.len()).map(|i| self.lack(x, i).powi(2)).sum::<f64>() / self.len() as f64
    }

    fn gradient(&self, x: &[f64], batch: &[usize], out: &mut [f64]) {
        out.fill(0.0);
        for &i in batch {
            add_scaled(-self.lack(x, i) / batch.len() as f64, self.row(i), out);
        }
    }

    fn hessian_product(&self, x: &[f64], batch: &[usize], v: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        for &i in batch.iter().filter(|&&i| self.lack(x, i) > 0.0) {
            add_scaled(dot(self.row(i), v) / batch.len() as f64, self.row(i), out);
        }
    }

    fn third_derivative(&self, _: &[f64], _: &[usize], _: &[f64]) -> f64 {
        0.0
    }

    fn constants(&self, metric: &[f64]) -> Constants {
        let scaled = scale_columns(&self.rows, metric);
        let rows = scaled.chunks_exact(self.width);
        let longest = rows.map(|row| dot(row, row)).fold(0.0, f64::max);
        Constants {
            smoothness: Some(largest_eigenvalue(self.width, |v, out| add_second_moment(&scaled, v, out))),
            largest_smoothness: Some(longest),
            strong_convexity: Some(0.0),
            growth: growth_of_independent_rows(&scaled, self.width),
            moments: None,
        }
    }
}

/// Gradients that come with a random factor: f_1 = n f, all other f_i = 0, with f = ½ Σ h_j x_j². A gradient is all or nothing, and ρ = n.
#[derive(Debug, Clone, PartialEq)]
pub struct AllOrNothing {
    /// h.
    pub curvatures: Vec<f64>,
    /// n.
    pub components: usize,
}

impl AllOrNothing {
    /// How much of f a batch has, on average.
    fn share(&self, batch: &[usize]) -> f64 {
        let hits = batch.iter().filter(|&&i| i == 0).count();
        (hits * self.components) as f64 / batch.len() as f64
    }
}

impl FiniteSum for AllOrNothing {
    fn len(&self) -> usize {
        self.components
    }

    fn dimension(&self) -> usize {
        self.curvatures.len()
    }

    fn value(&self, x: &[f64]) -> f64 {
        0.5 * self.curvatures.iter().zip(x).map(|(h, x)| h * x * x).sum::<f64>()
    }

    fn gradient(&self, x: &[f64], batch: &[usize], out: &mut [f64]) {
        let share = self.share(batch);
        out.iter_mut().zip(self.curvatures.iter().zip(x)).for_each(|(out, (h, x))| *out = share * h * x);
    }

    fn hessian_product(&self, _: &[f64], batch: &[usize], v: &[f64], out: &mut [f64]) {
        self.gradient(v, batch, out);
    }

    fn third_derivative(&self, _: &[f64], _: &[usize], _: &[f64]) -> f64 {
        0.0
    }

    fn constants(&self, metric: &[f64]) -> Constants {
        let scaled = || self.curvatures.iter().zip(metric).map(|(h, m)| h / m);
        let most = scaled().fold(0.0, f64::max);
        let rho = self.components as f64;
        Constants {
            smoothness: Some(most),
            largest_smoothness: Some(rho * most),
            strong_convexity: Some(scaled().fold(f64::MAX, f64::min)),
            growth: Some(rho),
            moments: None,
        }
    }
}

/// f_i = ½ Σ h_j (x_j - c_j)² + e_i·x with Σ e_i = 0: a quadratic whose gradients have noise e.
#[derive(Debug, Clone, PartialEq)]
pub struct NoisyQuadratic {
    /// h.
    curvatures: Vec<f64>,
    /// c, where f is least.
    center: Vec<f64>,
    /// e, row-major.
    noise: Vec<f64>,
}

impl NoisyQuadratic {
    /// h geometric from `smallest` to 1, c ~ N(0, I), and `components` vectors of noise whose squared length is σ² on average.
    pub fn draw(components: usize, dimension: usize, smallest: f64, sigma: f64, rng: &mut Rng) -> Self {
        let last = (dimension - 1).max(1) as f64;
        let curvatures = (0..dimension).map(|j| smallest.powf(1.0 - j as f64 / last)).collect();
        let center = (0..dimension).map(|_| normal(rng)).collect();
        let mut noise: Vec<f64> = (0..components * dimension).map(|_| normal(rng)).collect();
        for j in 0..dimension {
            let mean = noise.iter().skip(j).step_by(dimension).sum::<f64>() / components as f64;
            noise.iter_mut().skip(j).step_by(dimension).for_each(|e| *e -= mean);
        }
        let squares = dot(&noise, &noise) / components as f64;
        noise.iter_mut().for_each(|e| *e *= sigma / squares.sqrt());
        NoisyQuadratic { curvatures, center, noise }
    }

    /// Where f is least.
    pub fn minimizer(&self) -> &[f64] {
        &self.center
    }
}

impl FiniteSum for NoisyQuadratic {
    fn len(&self) -> usize {
        self.noise.len() / self.center.len()
    }

    fn dimension(&self) -> usize {
        self.center.len()
    }

    fn value(&self, x: &[f64]) -> f64 {
        let terms = self.curvatures.iter().zip(x.iter().zip(&self.center));
        0.5 * terms.map(|(h, (x, c))| h * (x - c).powi(2)).sum::<f64>()
    }

    fn gradient(&self, x: &[f64], batch: &[usize], out: &mut [f64]) {
        let d = self.dimension();
        let terms = self.curvatures.iter().zip(x.iter().zip(&self.center));
        out.iter_mut().zip(terms).for_each(|(out, (h, (x, c)))| *out = h * (x - c));
        for &i in batch {
            add_scaled(1.0 / batch.len() as f64, &self.noise[i * d..(i + 1) * d], out);
        }
    }

    fn hessian_product(&self, _: &[f64], _: &[usize], v: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(self.curvatures.iter().zip(v)).for_each(|(out, (h, v))| *out = h * v);
    }

    fn third_derivative(&self, _: &[f64], _: &[usize], _: &[f64]) -> f64 {
        0.0
    }

    fn constants(&self, metric: &[f64]) -> Constants {
        let scaled = || self.curvatures.iter().zip(metric).map(|(h, m)| h / m);
        let most = scaled().fold(0.0, f64::max);
        Constants {
            smoothness: Some(most),
            largest_smoothness: Some(most),
            strong_convexity: Some(scaled().fold(f64::MAX, f64::min)),
            ..Constants::default()
        }
    }
}

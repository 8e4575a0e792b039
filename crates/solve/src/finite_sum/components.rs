//! Finite sums: what is asked of their components, and three of them.

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use quire_core::Rng;
use quire_kernels::simd::prefetch;
use quire_optim::Layout;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::interpolation::separable_rows;
use crate::descent::Smooth;
use crate::vectors::{COMBINED, add_combination, add_scaled, add_scaled_in_lanes, dot, dot_in_lanes, norm};

/// f = (1/n) Σ f_i on vectors of d numbers.
pub trait FiniteSum: Send + Sync {
    /// n.
    fn len(&self) -> usize;

    /// True if there is no component.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// d.
    fn dimension(&self) -> usize;

    /// What x is made of, for optimizers that treat matrices as such: one vector, unless the sum says otherwise.
    fn layout(&self) -> Layout {
        Layout::flat(self.dimension())
    }

    /// f at `x`.
    fn value(&self, x: &[f64]) -> f64;

    /// `out <-` the mean gradient of the components in `batch`.
    fn gradient(&self, x: &[f64], batch: &[usize], out: &mut [f64]);

    /// `out <-` their mean Hessian times `v`.
    fn hessian_product(&self, x: &[f64], batch: &[usize], v: &[f64], out: &mut [f64]);

    /// Their mean third derivative in direction `v`, three times.
    fn third_derivative(&self, x: &[f64], batch: &[usize], v: &[f64]) -> f64;

    /// What is known of it in the norm ‖x‖² = Σ metric_j x_j², for methods that are told constants.
    fn constants(&self, metric: &[f64]) -> Constants {
        let _ = metric;
        Constants::default()
    }
}

/// Constants of a finite sum, in the norm in which they were asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Constants {
    /// L of f.
    pub smoothness: Option<f64>,
    /// The largest L of an f_i.
    pub largest_smoothness: Option<f64>,
    /// μ of f; 0 where f is convex and no more is known.
    pub strong_convexity: Option<f64>,
    /// ρ of strong growth, E ‖∇f_i‖² <= ρ ‖∇f‖²; only where all f_i are least at one point.
    pub growth: Option<f64>,
    /// The least ℓ with E ‖a‖² a aᵀ <= ℓ H and the least κ̃ with E (aᵀ H⁻¹ a) a aᵀ <= κ̃ H, for least squares.
    pub moments: Option<[f64; 2]>,
}

/// λ_max of a positive semidefinite matrix by power iteration, from below, to about 1e-6; `apply` is to add the matrix times a vector to another.
pub(crate) fn largest_eigenvalue(width: usize, apply: impl Fn(&[f64], &mut [f64])) -> f64 {
    let (mut v, mut next) = (vec![(width as f64).sqrt().recip(); width], vec![0.0; width]);
    let mut value = 0.0;
    for _ in 0..500 {
        next.fill(0.0);
        apply(&v, &mut next);
        let new = norm(&next);
        v.iter_mut().zip(&next).for_each(|(v, next)| *v = next / new.max(f64::MIN_POSITIVE));
        let is_settled = (new - value).abs() <= 1e-12 * new;
        value = new;
        if is_settled {
            break;
        }
    }
    value
}

/// `out += (1/n) Σ a aᵀ v` over rows a, row-major.
pub(crate) fn add_second_moment(rows: &[f64], v: &[f64], out: &mut [f64]) {
    let rows = rows.chunks_exact(v.len());
    let share = 1.0 / rows.len() as f64;
    rows.for_each(|row| add_scaled(share * dot(row, v), row, out));
}

/// ρ of sums whose components have gradients h_i a_i with any h: n max ‖a‖²/λ_min(A Aᵀ), where the rows a are independent. It holds because
/// E ‖h_i a_i‖² <= ‖h‖² max ‖a‖²/n and ‖Aᵀ h/n‖² >= λ_min(A Aᵀ) ‖h‖²/n².
pub(crate) fn growth_of_independent_rows(rows: &[f64], width: usize) -> Option<f64> {
    let count = rows.len() / width;
    if count > width {
        return None;
    }
    let columns = DMatrix::from_column_slice(width, count, rows);
    let gram = columns.transpose() * columns;
    let longest = gram.diagonal().max();
    let least = gram.symmetric_eigenvalues().min();
    (least > 1e-9 * longest).then(|| count as f64 * longest / least)
}

/// Rows with column j divided by √metric_j.
pub(crate) fn scale_columns(rows: &[f64], metric: &[f64]) -> Vec<f64> {
    rows.iter().zip(metric.iter().cycle()).map(|(a, m)| a / m.sqrt()).collect()
}

/// A sum that several runs share.
impl<S: FiniteSum> FiniteSum for Arc<S> {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn dimension(&self) -> usize {
        (**self).dimension()
    }

    fn layout(&self) -> Layout {
        (**self).layout()
    }

    fn value(&self, x: &[f64]) -> f64 {
        (**self).value(x)
    }

    fn gradient(&self, x: &[f64], batch: &[usize], out: &mut [f64]) {
        (**self).gradient(x, batch, out);
    }

    fn hessian_product(&self, x: &[f64], batch: &[usize], v: &[f64], out: &mut [f64]) {
        (**self).hessian_product(x, batch, v, out);
    }

    fn third_derivative(&self, x: &[f64], batch: &[usize], v: &[f64]) -> f64 {
        (**self).third_derivative(x, batch, v)
    }

    fn constants(&self, metric: &[f64]) -> Constants {
        (**self).constants(metric)
    }
}

/// 1 / (1 + e^-z).
pub fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// ln(1 + e^{-z}) without overflow.
pub fn logistic_loss(z: f64) -> f64 {
    (-z.abs()).exp().ln_1p() + (-z).max(0.0)
}

/// Vectors of one width.
#[derive(Debug, Clone, PartialEq)]
enum Rows {
    /// Row-major.
    Dense(Vec<f64>),
    /// What is not zero: row i has its places and values at `starts[i]..starts[i + 1]`.
    Sparse { starts: Vec<usize>, places: Vec<u32>, values: Vec<f64> },
}

/// One of them.
#[derive(Clone, Copy)]
enum Row<'a> {
    Dense(&'a [f64]),
    Sparse(&'a [u32], &'a [f64]),
}

impl Row<'_> {
    fn dot(self, x: &[f64]) -> f64 {
        match self {
            Row::Dense(row) => dot_in_lanes(row, x),
            Row::Sparse(places, values) => {
                places.iter().zip(values).map(|(&place, value)| value * x[place as usize]).sum()
            }
        }
    }

    /// Asks for its cache lines.
    fn prefetch(self) {
        const LINE: usize = 64 / size_of::<f64>();
        let values = match self {
            Row::Dense(row) => row,
            Row::Sparse(places, values) => {
                places.iter().step_by(2 * LINE).for_each(|place| prefetch(place));
                values
            }
        };
        values.iter().step_by(LINE).for_each(|value| prefetch(value));
    }

    /// Σ a_j²/metric_j.
    fn squared_norm(self, metric: &[f64]) -> f64 {
        match self {
            Row::Dense(row) => row.iter().zip(metric).map(|(a, m)| a * a / m).sum(),
            Row::Sparse(places, values) => {
                places.iter().zip(values).map(|(&place, a)| a * a / metric[place as usize]).sum()
            }
        }
    }

    /// `out += a row`.
    fn add_to(self, a: f64, out: &mut [f64]) {
        match self {
            Row::Dense(row) => add_scaled_in_lanes(a, row, out),
            Row::Sparse(places, values) => {
                places.iter().zip(values).for_each(|(&place, value)| out[place as usize] += a * value);
            }
        }
    }
}

/// A few rows that are worked on together.
#[derive(Clone, Copy)]
struct Block<'a> {
    rows: [Row<'a>; COMBINED],
    count: usize,
}

impl<'a> Block<'a> {
    /// The next rows, as far as there are any.
    fn take(from: &mut impl Iterator<Item = Row<'a>>) -> Self {
        let mut block = Block { rows: [Row::Dense(&[]); COMBINED], count: 0 };
        for (to, row) in block.rows.iter_mut().zip(from) {
            *to = row;
            block.count += 1;
        }
        block
    }

    fn rows(&self) -> &[Row<'a>] {
        &self.rows[..self.count]
    }

    /// `out += Σ weights_k row_k`.
    fn add_to(&self, weights: &[f64; COMBINED], out: &mut [f64]) {
        let dense = self.rows.map(|row| match row {
            Row::Dense(row) => row,
            Row::Sparse(..) => &[],
        });
        if dense.iter().all(|row| row.len() == out.len()) {
            add_combination(weights, &dense, out);
        } else {
            self.rows().iter().zip(weights).for_each(|(row, &weight)| row.add_to(weight, out));
        }
    }
}

/// The most unknowns for which [`Logistic::least`] factorizes a Hessian; with more it takes conjugate gradients.
const FACTORIZED: usize = 500;

/// f_i = ln(1 + e^{-z}) + ridge/2 ‖x‖² with z = y_i a_i·x.
#[derive(Debug, Clone, PartialEq)]
pub struct Logistic {
    /// y a.
    rows: Rows,
    count: usize,
    width: usize,
    ridge: f64,
}

impl Logistic {
    /// From rows y a, row-major.
    ///
    /// # Panics
    /// If the rows are not whole.
    pub fn new(rows: Vec<f64>, width: usize, ridge: f64) -> Self {
        assert!(width > 0 && rows.len().is_multiple_of(width), "whole rows");
        Logistic { count: rows.len() / width, rows: Rows::Dense(rows), width, ridge }
    }

    /// From what is not zero in rows y a: row i has the columns `places` and the `values` at `starts[i]..starts[i + 1]`.
    ///
    /// # Panics
    /// If `starts` do not part `places` and `values`, or a place is not below `width`.
    pub fn sparse(starts: Vec<usize>, places: Vec<u32>, values: Vec<f64>, width: usize, ridge: f64) -> Self {
        let are_parted =
            starts.first() == Some(&0) && starts.last() == Some(&places.len()) && starts.is_sorted();
        assert!(are_parted && places.len() == values.len(), "whole rows");
        assert!(places.iter().all(|&place| (place as usize) < width), "places in the row");
        Logistic { count: starts.len() - 1, rows: Rows::Sparse { starts, places, values }, width, ridge }
    }

    /// The same with another ridge.
    pub fn with_ridge(self, ridge: f64) -> Self {
        Logistic { ridge, ..self }
    }

    fn row(&self, i: usize) -> Row<'_> {
        match &self.rows {
            Rows::Dense(rows) => Row::Dense(&rows[i * self.width..(i + 1) * self.width]),
            Rows::Sparse { starts, places, values } => {
                let range = starts[i]..starts[i + 1];
                Row::Sparse(&places[range.clone()], &values[range])
            }
        }
    }

    /// The part of rows that a classifier with these weights has on the wrong side, or on none.
    pub fn misclassified(&self, x: &[f64]) -> f64 {
        self.all().filter(|row| row.dot(x) <= 0.0).count() as f64 / self.count as f64
    }

    /// Normal features whose scales fall geometrically from 1 to `smallest`, in rows of length 1; labels from a logistic model with
    /// weights 3 N(0, I).
    pub fn draw([rows, width]: [usize; 2], smallest: f64, ridge: f64, rng: &mut Rng) -> Self {
        let normal = |rng: &mut Rng| -> f64 { StandardNormal.sample(rng) };
        let truth: Vec<f64> = (0..width).map(|_| 3.0 * normal(rng)).collect();
        let mut drawn = Vec::with_capacity(rows * width);
        for _ in 0..rows {
            let mut row: Vec<f64> = (0..width)
                .map(|j| smallest.powf(j as f64 / (width - 1).max(1) as f64) * normal(rng))
                .collect();
            let length = dot(&row, &row).sqrt();
            let sign = if rng.random::<f64>() < sigmoid(dot(&row, &truth) / length) { 1.0 } else { -1.0 };
            row.iter_mut().for_each(|a| *a *= sign / length);
            drawn.extend(row);
        }
        Logistic::new(drawn, width, ridge)
    }

    /// Normal features, each there with probability `density` and at least one of them, in rows of length 1; labels from a logistic model with weights 3 N(0, I).
    pub fn draw_sparse([rows, width]: [usize; 2], density: f64, ridge: f64, rng: &mut Rng) -> Self {
        let normal = |rng: &mut Rng| -> f64 { StandardNormal.sample(rng) };
        let truth: Vec<f64> = (0..width).map(|_| 3.0 * normal(rng)).collect();
        let (mut starts, mut places, mut values) = (vec![0], Vec::new(), Vec::new());
        for _ in 0..rows {
            let first = places.len();
            places.extend((0..width as u32).filter(|_| rng.random_bool(density)));
            if places.len() == first {
                places.push(rng.random_range(0..width as u32));
            }
            values.extend(places[first..].iter().map(|_| normal(rng)));
            let length = norm(&values[first..]);
            let along: f64 = (first..places.len()).map(|k| values[k] * truth[places[k] as usize]).sum();
            let sign = if rng.random::<f64>() < sigmoid(along / length) { 1.0 } else { -1.0 };
            values[first..].iter_mut().for_each(|a| *a *= sign / length);
            starts.push(places.len());
        }
        Logistic::sparse(starts, places, values, width, ridge)
    }

    /// Normal features whose scales fall geometrically from 1 to `smallest`; labels from a logistic model with weights N(0, I) on the
    /// unscaled features, a share of them flipped. The rows are as long as they come.
    pub fn draw_flipped([rows, width]: [usize; 2], smallest: f64, flipped: f64, rng: &mut Rng) -> Self {
        let normal = |rng: &mut Rng| -> f64 { StandardNormal.sample(rng) };
        let truth: Vec<f64> = (0..width).map(|_| normal(rng)).collect();
        let scale: Vec<f64> =
            (0..width).map(|j| smallest.powf(j as f64 / (width - 1).max(1) as f64)).collect();
        let mut drawn = Vec::with_capacity(rows * width);
        for _ in 0..rows {
            let plain: Vec<f64> = (0..width).map(|_| normal(rng)).collect();
            let is_one = rng.random::<f64>() < sigmoid(dot(&plain, &truth));
            let sign = if is_one != (rng.random::<f64>() < flipped) { 1.0 } else { -1.0 };
            drawn.extend(plain.iter().zip(&scale).map(|(a, scale)| sign * a * scale));
        }
        Logistic::new(drawn, width, 0.0)
    }

    /// Normal rows of length 1, labelled by a hyperplane that none comes nearer to than `margin`.
    pub fn draw_separable([rows, width]: [usize; 2], margin: f64, rng: &mut Rng) -> Self {
        Logistic::new(separable_rows([rows, width], margin, rng), width, 0.0)
    }

    /// All rows.
    fn all(&self) -> impl ExactSizeIterator<Item = Row<'_>> {
        (0..self.count).map(|i| self.row(i))
    }

    /// The rows of a batch.
    fn of<'a>(&'a self, batch: &'a [usize]) -> impl ExactSizeIterator<Item = Row<'a>> {
        batch.iter().map(|&i| self.row(i))
    }

    /// `out <-` the mean over `rows` of weight(a·x, a) a, and `ridge * direction`.
    fn combine<'a>(
        &self,
        x: &[f64],
        rows: impl ExactSizeIterator<Item = Row<'a>>,
        direction: &[f64],
        out: &mut [f64],
        weight: impl Fn(f64, Row<'_>) -> f64,
    ) {
        out.iter_mut().zip(direction).for_each(|(out, d)| *out = self.ridge * d);
        let share = 1.0 / rows.len() as f64;
        // Several rows at a time: their products and weights do not wait for each other, `out` is read and written once for
        // all, and the next ones are fetched meanwhile, wherever they lie.
        let mut rows = rows;
        let mut next = Block::take(&mut rows);
        next.rows().iter().for_each(|row| row.prefetch());
        while !next.rows().is_empty() {
            let block = std::mem::replace(&mut next, Block::take(&mut rows));
            let mut weights = [0.0; COMBINED];
            for (k, &row) in block.rows().iter().enumerate() {
                next.rows[k].prefetch();
                weights[k] = share * weight(row.dot(x), row);
            }
            block.add_to(&weights, out);
        }
    }

    fn gradient_over<'a>(&self, x: &[f64], rows: impl ExactSizeIterator<Item = Row<'a>>, out: &mut [f64]) {
        self.combine(x, rows, x, out, |z, _| -sigmoid(-z));
    }

    fn hessian_over<'a>(
        &self,
        x: &[f64],
        rows: impl ExactSizeIterator<Item = Row<'a>>,
        v: &[f64],
        out: &mut [f64],
    ) {
        self.combine(x, rows, v, out, |z, row| sigmoid(z) * sigmoid(-z) * row.dot(v));
    }

    /// The least value, by Newton's method: damped as for self-concordant functions, and halved where features are so large that it
    /// overshoots all the same.
    pub fn least(&self) -> f64 {
        let (mut x, mut gradient) = (vec![0.0; self.width], vec![0.0; self.width]);
        let mut value = FiniteSum::value(self, &x);
        let mut ahead = x.clone();
        for _ in 0..200 {
            self.gradient_over(&x, self.all(), &mut gradient);
            let Some(step) = self.newton_step(&x, &gradient) else { break };
            let decrement = dot(&gradient, &step).max(0.0).sqrt();
            let mut length = 1.0 / (1.0 + decrement);
            let new = loop {
                ahead.copy_from_slice(&x);
                add_scaled(-length, &step, &mut ahead);
                let new = FiniteSum::value(self, &ahead);
                // What is left near the end is rounding.
                if new <= value * (1.0 + 1e-14) || length < 1e-12 {
                    break new;
                }
                length /= 2.0;
            };
            if new.is_nan() || length < 1e-12 {
                break;
            }
            std::mem::swap(&mut x, &mut ahead);
            value = new;
            if decrement < 1e-14 {
                break;
            }
        }
        value
    }

    /// H⁻¹ g at `x`, or what rounding leaves of it; nothing if H is singular to rounding.
    fn newton_step(&self, x: &[f64], gradient: &[f64]) -> Option<Vec<f64>> {
        let d = self.width;
        if d > FACTORIZED {
            return Some(self.conjugate_gradients(x, gradient));
        }
        let (mut hessian, mut unit) = (DMatrix::zeros(d, d), vec![0.0; d]);
        for j in 0..d {
            unit[j] = 1.0;
            self.hessian_over(x, self.all(), &unit, hessian.column_mut(j).as_mut_slice());
            unit[j] = 0.0;
        }
        let solved = hessian.cholesky()?.solve(&DVector::from_column_slice(gradient));
        Some(solved.as_slice().to_vec())
    }

    /// H⁻¹ g at `x` by conjugate gradients.
    fn conjugate_gradients(&self, x: &[f64], gradient: &[f64]) -> Vec<f64> {
        let (mut step, mut product) = (vec![0.0; self.width], vec![0.0; self.width]);
        let (mut left, mut direction) = (gradient.to_vec(), gradient.to_vec());
        let mut square = dot(&left, &left);
        let enough = 1e-10 * norm(gradient);
        for _ in 0..1000 {
            if square.sqrt() <= enough {
                break;
            }
            self.hessian_over(x, self.all(), &direction, &mut product);
            let along = square / dot(&direction, &product);
            add_scaled(along, &direction, &mut step);
            add_scaled(-along, &product, &mut left);
            let before = std::mem::replace(&mut square, dot(&left, &left));
            direction.iter_mut().zip(&left).for_each(|(d, left)| *d = left + square / before * *d);
        }
        step
    }
}

impl FiniteSum for Logistic {
    fn len(&self) -> usize {
        self.count
    }

    fn dimension(&self) -> usize {
        self.width
    }

    fn value(&self, x: &[f64]) -> f64 {
        let sum: f64 = self.all().map(|row| logistic_loss(row.dot(x))).sum();
        sum / self.len() as f64 + 0.5 * self.ridge * dot(x, x)
    }

    fn gradient(&self, x: &[f64], batch: &[usize], out: &mut [f64]) {
        self.gradient_over(x, self.of(batch), out);
    }

    fn hessian_product(&self, x: &[f64], batch: &[usize], v: &[f64], out: &mut [f64]) {
        self.hessian_over(x, self.of(batch), v, out);
    }

    fn constants(&self, metric: &[f64]) -> Constants {
        let roots: Vec<f64> = metric.iter().map(|m| m.sqrt()).collect();
        let (least, most) =
            metric.iter().fold((f64::MAX, 0.0_f64), |(low, high), m| (low.min(*m), high.max(*m)));
        let share = 1.0 / self.count as f64;
        let largest = largest_eigenvalue(self.width, |v, out| {
            let unscaled: Vec<f64> = v.iter().zip(&roots).map(|(v, root)| v / root).collect();
            self.all().for_each(|row| row.add_to(share * row.dot(&unscaled), out));
            out.iter_mut().zip(&roots).for_each(|(out, root)| *out /= root);
        });
        let longest = self.all().map(|row| row.squared_norm(metric)).fold(0.0, f64::max);
        let growth = match &self.rows {
            Rows::Dense(rows) if self.ridge == 0.0 => {
                growth_of_independent_rows(&scale_columns(rows, metric), self.width)
            }
            _ => None,
        };
        Constants {
            smoothness: Some(0.25 * largest + self.ridge / least),
            largest_smoothness: Some(0.25 * longest + self.ridge / least),
            strong_convexity: Some(self.ridge / most),
            growth,
            moments: None,
        }
    }

    fn third_derivative(&self, x: &[f64], batch: &[usize], v: &[f64]) -> f64 {
        let sum: f64 = self
            .of(batch)
            .map(|row| {
                let (s, along) = (sigmoid(row.dot(x)), row.dot(v));
                s * (1.0 - s) * (1.0 - 2.0 * s) * along.powi(3)
            })
            .sum();
        sum / batch.len() as f64
    }
}

/// All rows at once.
impl Smooth for Logistic {
    fn dimension(&self) -> usize {
        self.width
    }

    fn value(&self, x: &[f64]) -> f64 {
        FiniteSum::value(self, x)
    }

    fn gradient(&self, x: &[f64], out: &mut [f64]) {
        self.gradient_over(x, self.all(), out);
    }

    fn hessian_product(&self, x: &[f64], v: &[f64], out: &mut [f64]) {
        self.hessian_over(x, self.all(), v, out);
    }
}

/// f_i = ½ (x - a_i)ᵀ diag(h_i) (x - a_i).
#[derive(Debug, Clone, PartialEq)]
pub struct Quadratics {
    /// a_i, row-major.
    pub centers: Vec<f64>,
    /// h_i, row-major.
    pub curvatures: Vec<f64>,
    /// d.
    pub dimension: usize,
}

impl Quadratics {
    /// Centers N(0, I), curvatures uniform in [0.5, 1.5].
    pub fn draw(n: usize, dimension: usize, rng: &mut Rng) -> Self {
        Quadratics {
            centers: (0..n * dimension).map(|_| StandardNormal.sample(rng)).collect(),
            curvatures: (0..n * dimension).map(|_| 0.5 + rng.random::<f64>()).collect(),
            dimension,
        }
    }

    /// Where f is least.
    pub fn minimizer(&self) -> Vec<f64> {
        let (mut pull, mut weight) = (vec![0.0; self.dimension], vec![0.0; self.dimension]);
        for (k, (a, h)) in self.centers.iter().zip(&self.curvatures).enumerate() {
            pull[k % self.dimension] += h * a;
            weight[k % self.dimension] += h;
        }
        pull.iter().zip(&weight).map(|(pull, weight)| pull / weight).collect()
    }

    fn component(&self, i: usize) -> impl Iterator<Item = (&f64, &f64)> {
        let range = i * self.dimension..(i + 1) * self.dimension;
        self.centers[range.clone()].iter().zip(&self.curvatures[range])
    }
}

impl FiniteSum for Quadratics {
    fn len(&self) -> usize {
        self.centers.len() / self.dimension
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn value(&self, x: &[f64]) -> f64 {
        let of = |i| self.component(i).zip(x).map(|((a, h), x)| 0.5 * h * (x - a).powi(2)).sum::<f64>();
        (0..self.len()).map(of).sum::<f64>() / self.len() as f64
    }

    fn gradient(&self, x: &[f64], batch: &[usize], out: &mut [f64]) {
        out.fill(0.0);
        for &i in batch {
            for (out, ((a, h), x)) in out.iter_mut().zip(self.component(i).zip(x)) {
                *out += h * (x - a) / batch.len() as f64;
            }
        }
    }

    fn hessian_product(&self, _: &[f64], batch: &[usize], v: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        for &i in batch {
            for (out, ((_, h), v)) in out.iter_mut().zip(self.component(i).zip(v)) {
                *out += h * v / batch.len() as f64;
            }
        }
    }

    fn third_derivative(&self, _: &[f64], _: &[usize], _: &[f64]) -> f64 {
        0.0
    }

    fn constants(&self, metric: &[f64]) -> Constants {
        let mut mean = vec![0.0; self.dimension];
        let mut largest: f64 = 0.0;
        for (k, h) in self.curvatures.iter().enumerate() {
            let j = k % self.dimension;
            mean[j] += h / metric[j] / self.len() as f64;
            largest = largest.max(h / metric[j]);
        }
        Constants {
            smoothness: Some(mean.iter().copied().fold(0.0, f64::max)),
            largest_smoothness: Some(largest),
            strong_convexity: Some(mean.iter().copied().fold(f64::MAX, f64::min)),
            ..Constants::default()
        }
    }
}

/// One unknown, two kinds of components: f_i = c(x) x²/2 ± ν x with c = L left of 0 and μ right of it, half of them each. Its minimum is at 0, and an order that has
/// more of one sign in front drifts to one side, where the curvature is another: the bias that no shuffling avoids.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoSided {
    /// n, even.
    pub components: usize,
    /// L, curvature on the left.
    pub left: f64,
    /// μ, curvature on the right.
    pub right: f64,
    /// ν.
    pub slope: f64,
}

impl TwoSided {
    fn curvature(&self, x: f64) -> f64 {
        if x < 0.0 { self.left } else { self.right }
    }
}

impl FiniteSum for TwoSided {
    fn len(&self) -> usize {
        self.components
    }

    fn dimension(&self) -> usize {
        1
    }

    fn value(&self, x: &[f64]) -> f64 {
        0.5 * self.curvature(x[0]) * x[0] * x[0]
    }

    fn gradient(&self, x: &[f64], batch: &[usize], out: &mut [f64]) {
        let sign = |i: usize| if i < self.components / 2 { self.slope } else { -self.slope };
        let mean = batch.iter().map(|&i| sign(i)).sum::<f64>() / batch.len() as f64;
        out[0] = self.curvature(x[0]) * x[0] + mean;
    }

    fn hessian_product(&self, x: &[f64], _: &[usize], v: &[f64], out: &mut [f64]) {
        out[0] = self.curvature(x[0]) * v[0];
    }

    fn third_derivative(&self, _: &[f64], _: &[usize], _: &[f64]) -> f64 {
        0.0
    }

    fn constants(&self, metric: &[f64]) -> Constants {
        let most = self.left.max(self.right) / metric[0];
        Constants {
            smoothness: Some(most),
            largest_smoothness: Some(most),
            strong_convexity: Some(self.left.min(self.right) / metric[0]),
            ..Constants::default()
        }
    }
}

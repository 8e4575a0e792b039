//! Orthogonalization by Newton-Schulz iterations: a matrix whose singular vectors are those of another and whose singular
//! values are all near 1.
//!
//! An iteration maps X to a X + (b A + c A²) X with A = X Xᵀ, and so every singular value σ to a σ + b σ³ + c σ⁵. It needs a
//! start whose singular values are at most 1. Dividing by the Frobenius norm gives one, but leaves most of them small;
//! the almost-orthogonal layer (AOL) divides row i by (Σ_j |A_ij|)^½ instead, which bounds the spectral norm by 1 as well
//! (Gershgorin), costs no product, since A is needed anyway, and saves an iteration. It is one-sided: the result approaches the
//! polar factor of the rescaled matrix.
//!
//! Source: T. Boissin et al., *Turbo-Muon*, arXiv:2512.04632, and the code of its release, from which the coefficients are.

use quire_kernels::gemm::{self, Matrix};
use quire_kernels::pool::{Parts, Pool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::symmetric::{block_rows, symmetric_product};
use crate::{Float, global_norm};

/// Where the singular values start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Normalization {
    /// Every row is divided by the root of the sum of its absolute inner products with all rows (AOL).
    Rows,
    /// The matrix is divided by its Frobenius norm.
    Frobenius,
}

/// The polynomials of the iterations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Coefficients {
    /// The table of Turbo-Muon's release and of Muon+, for up to five iterations.
    Turbo,
    /// The table of the early version, found by a genetic search for starts by rows, for up to four iterations.
    Genetic,
    /// Muon's one polynomial (3.4445, -4.7750, 2.0315), for any number of iterations.
    Muon,
    /// Polar Express: the compositions of polynomials whose largest error is least for singular values from 0.001 to 1, for any number of iterations. It converges
    /// (N. Amsel et al., arXiv:2505.16932; with its margin of 1 % on all but the last polynomial).
    PolarExpress,
}

impl Coefficients {
    /// (a, b, c) of each iteration, in order: the *last* `iterations` rows of the table, of Polar Express the *first* and then its last over and over; `None` if
    /// it has fewer.
    pub fn rows(self, iterations: usize) -> Option<Vec<[f64; 3]>> {
        let table: &[[f64; 3]] = match self {
            Coefficients::Turbo => &[
                [4.0848, -6.8946, 2.9270],
                [3.9505, -6.3029, 2.6377],
                [3.7418, -5.5913, 2.3037],
                [2.8769, -3.1427, 1.2046],
                [2.8366, -3.0525, 1.2012],
            ],
            Coefficients::Genetic => &[
                [4.6051, -9.6552, 5.6769],
                [4.7505, -6.0861, 2.1790],
                [2.7763, -2.3190, 0.5523],
                [2.4231, -2.2861, 0.8193],
            ],
            Coefficients::Muon => return Some(vec![[3.4445, -4.7750, 2.0315]; iterations]),
            Coefficients::PolarExpress => return Some((0..iterations).map(polar_express).collect()),
        };
        Some(table[table.len().checked_sub(iterations)?..].to_vec())
    }
}

/// Polar Express at iteration k: σ is divided by its margin, so that rounding does not lift one above 1, where the polynomials would take it away.
fn polar_express(k: usize) -> [f64; 3] {
    const MARGIN: f64 = 1.01;
    let table = [
        [8.287_212_018_145_63, -23.595_886_519_098_837, 17.300_387_312_530_933],
        [4.107_059_111_542_203, -2.947_849_916_737_910_6, 0.544_843_108_292_660_1],
        [3.948_690_853_482_294_6, -2.908_902_115_962_949, 0.551_819_139_437_013_7],
        [3.318_419_657_370_601_5, -2.488_488_024_314_874, 0.510_048_940_123_72],
        [2.300_652_019_954_817, -1.668_903_984_574_749_3, 0.418_807_311_952_567_3],
        [1.891_301_407_787_398, -1.267_995_827_194_586_8, 0.376_804_089_485_248_35],
        [1.875_001_480_853_447_9, -1.250_001_645_399_948_7, 0.375_000_164_547_424_8],
    ];
    match table.get(k) {
        Some([a, b, c]) => [a / MARGIN, b / MARGIN.powi(3), c / MARGIN.powi(5)],
        None => [1.875, -1.25, 0.375],
    }
}

/// Orthogonalizes matrices one after another, with memory that it keeps.
#[derive(Debug)]
pub struct Orthogonalizer<F> {
    normalization: Normalization,
    rows: Vec<[f64; 3]>,
    epsilon: f64,
    pool: Pool,
    gram: Vec<F>,
    square: Vec<F>,
    next: Vec<F>,
    factors: Vec<F>,
}

impl<F: Float> Orthogonalizer<F> {
    /// `rows` are (a, b, c) of each iteration; `epsilon` keeps the divisions finite (the paper: 1e-7). Products run on the
    /// threads of `pool`, on which the result does not depend.
    pub fn new(normalization: Normalization, rows: Vec<[f64; 3]>, epsilon: f64, pool: Pool) -> Self {
        Orthogonalizer {
            normalization,
            rows,
            epsilon,
            pool,
            gram: Vec::new(),
            square: Vec::new(),
            next: Vec::new(),
            factors: Vec::new(),
        }
    }

    /// The threads of its products.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Orthogonalizes `x`, row-major with `m` rows and `n` columns, in place. A matrix taller than wide is to be given
    /// transposed: an iteration takes 4 m² n + 2 m³ operations, less what symmetry saves.
    ///
    /// # Panics
    /// If `x` does not have m n numbers.
    pub fn orthogonalize(&mut self, x: &mut [F], shape: [usize; 2]) {
        for index in 0..self.rows.len() {
            self.iterate(index, x, shape);
        }
    }

    /// Iteration `index` of [`Orthogonalizer::orthogonalize`] alone; the first also normalizes.
    ///
    /// # Panics
    /// If `x` does not have m n numbers, or there is no such iteration.
    pub fn iterate(&mut self, index: usize, x: &mut [F], [m, n]: [usize; 2]) {
        assert_eq!(x.len(), m * n, "the matrix does not have the shape");
        for buffer in [&mut self.gram, &mut self.square] {
            buffer.resize((m * m).max(buffer.len()), F::ZERO);
        }
        self.next.resize((m * n).max(self.next.len()), F::ZERO);
        let (gram, square, next) =
            (&mut self.gram[..m * m], &mut self.square[..m * m], &mut self.next[..m * n]);
        if index == 0 && self.normalization == Normalization::Frobenius {
            let factor = F::from_f64(1.0 / (global_norm(x) + self.epsilon));
            x.iter_mut().for_each(|x| *x *= factor);
        }
        symmetric_product(&self.pool, Matrix::new(x, n), [m, n], gram);
        if index == 0 && self.normalization == Normalization::Rows {
            scale_rows(x, gram, [m, n], F::from_f64(self.epsilon), &mut self.factors);
        }
        symmetric_product(&self.pool, Matrix::new(gram, m), [m, m], square);
        let [a, b, c] = self.rows[index].map(F::from_f64);
        let rows = block_rows(m, if self.pool.threads() == 1 { 1 } else { 2 * self.pool.threads() });
        let (parts, grams) = (Parts::new(next), Parts::new(gram));
        self.pool.run(m.div_ceil(rows), |block| {
            let first = block * rows;
            let rows = rows.min(m - first);
            // SAFETY: blocks have rows of their own.
            let (next, gram) = unsafe { (parts.part(first * n, rows * n), grams.part(first * m, rows * m)) };
            for (g, &s) in gram.iter_mut().zip(&square[first * m..]) {
                *g = b * *g + c * s;
            }
            for (next, &x) in next.iter_mut().zip(&x[first * n..]) {
                *next = a * x;
            }
            let (left, right) = (Matrix::new(gram, m), Matrix::new(x, n));
            gemm::product([rows, n, m], next, n, true, left, right, |_, _, _, _, _| ());
        });
        x.copy_from_slice(next);
    }
}

/// The almost-orthogonal layer: rows of `x`, and rows and columns of its `gram`, times s_i = max(Σ_j |gram_ij|, ε)^-½.
fn scale_rows<F: Float>(x: &mut [F], gram: &mut [F], [m, n]: [usize; 2], epsilon: F, factors: &mut Vec<F>) {
    factors.clear();
    factors.extend(gram.chunks_exact(m).map(|row| {
        let sum = row.iter().fold(F::ZERO, |sum, g| sum + g.abs());
        F::ONE / sum.max(epsilon).sqrt()
    }));
    for ((x, gram), &factor) in x.chunks_exact_mut(n).zip(gram.chunks_exact_mut(m)).zip(&*factors) {
        x.iter_mut().for_each(|x| *x *= factor);
        gram.iter_mut().zip(&*factors).for_each(|(g, &other)| *g *= factor * other);
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;
    use quire_core::Seeds;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;

    fn turbo(iterations: usize) -> Orthogonalizer<f64> {
        Orthogonalizer::new(
            Normalization::Rows,
            Coefficients::Turbo.rows(iterations).unwrap(),
            1e-7,
            Pool::new(1),
        )
    }

    fn normal(seed: u64, len: usize) -> Vec<f64> {
        let mut rng = Seeds::new(seed).stream("matrix");
        (0..len).map(|_| StandardNormal.sample(&mut rng)).collect()
    }

    fn of(orthogonalizer: &mut Orthogonalizer<f64>, x: &[f64], shape: [usize; 2]) -> Vec<f64> {
        let mut x = x.to_vec();
        orthogonalizer.orthogonalize(&mut x, shape);
        x
    }

    fn transposed(x: &[f64], [m, n]: [usize; 2]) -> Vec<f64> {
        (0..m * n).map(|k| x[k % m * n + k / m]).collect()
    }

    #[test]
    fn two_by_two_by_hand() {
        // Gram [[5, 11], [11, 25]], row sums 16 and 36, so s = (1/4, 1/6).
        let mut gram = [5.0, 11.0, 11.0, 25.0];
        let mut x = [1.0, 2.0, 3.0, 4.0];
        scale_rows(&mut x, &mut gram, [2, 2], 1e-7, &mut Vec::new());
        for (got, wanted) in x.iter().zip([0.25, 0.5, 0.5, 2.0 / 3.0]) {
            assert!((got - wanted).abs() < 1e-15);
        }
        assert!((gram[1] - 11.0 / 24.0).abs() < 1e-15);
        let got = of(&mut turbo(4), &[1.0, 2.0, 3.0, 4.0], [2, 2]);
        for (got, wanted) in got.iter().zip([-0.40150185, 0.93043184, 0.93043184, 0.37385802]) {
            assert!((got - wanted).abs() < 1e-8, "{got}, not {wanted}");
        }
    }

    #[test]
    fn a_number_becomes_its_sign_and_then_follows_the_polynomials() {
        let values: Vec<f64> = [0.285, 0.942, 0.977, 0.994].to_vec();
        for (iterations, wanted) in (1..=4).zip(values) {
            // All four rows apply from the second of the table on, so the first iterations of four are taken apart here.
            let rows = Coefficients::Turbo.rows(4).unwrap()[..iterations].to_vec();
            let mut orthogonalizer = Orthogonalizer::new(Normalization::Rows, rows, 1e-7, Pool::new(1));
            for x in [3.0, -0.02] {
                let got = of(&mut orthogonalizer, &[x], [1, 1])[0];
                assert!((got - wanted * x.signum()).abs() < 1e-3, "{got} after {iterations}");
            }
        }
    }

    #[test]
    fn scaled_rows_have_a_spectral_norm_of_at_most_one() {
        for (seed, [m, n]) in [[3, 7], [20, 20], [40, 41]].into_iter().enumerate() {
            let mut x = normal(seed as u64, m * n);
            let mut gram = vec![0.0; m * m];
            symmetric_product(&Pool::new(1), Matrix::new(&x, n), [m, n], &mut gram);
            scale_rows(&mut x, &mut gram, [m, n], 1e-7, &mut Vec::new());
            assert!(DMatrix::from_row_slice(m, n, &x).svd(false, false).singular_values[0] <= 1.0 + 1e-12);
        }
        // Orthogonal rows become orthonormal.
        let mut x = [3.0, 0.0, 0.0, 0.0, 0.0, -0.5];
        let mut gram = [9.0, 0.0, 0.0, 0.25];
        scale_rows(&mut x, &mut gram, [2, 3], 1e-7, &mut Vec::new());
        assert_eq!(x, [1.0, 0.0, 0.0, 0.0, 0.0, -1.0]);
    }

    #[test]
    fn scale_does_not_matter_nor_does_transposition_of_the_frobenius_form() {
        let shape = [5, 9];
        let x = normal(1, 45);
        let scaled: Vec<f64> = x.iter().map(|x| 1000.0 * x).collect();
        for (got, wanted) in of(&mut turbo(4), &scaled, shape).iter().zip(of(&mut turbo(4), &x, shape)) {
            assert!((got - wanted).abs() < 1e-9);
        }
        let rows = Coefficients::Muon.rows(5).unwrap();
        let mut muon = Orthogonalizer::new(Normalization::Frobenius, rows, 0.0, Pool::new(1));
        let square = normal(2, 36);
        let turned = transposed(&of(&mut muon, &transposed(&square, [6, 6]), [6, 6]), [6, 6]);
        for (got, wanted) in turned.iter().zip(of(&mut muon, &square, [6, 6])) {
            assert!((got - wanted).abs() < 1e-12);
        }
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let shape = [200, 230];
        let x: Vec<f32> = normal(3, 200 * 230).into_iter().map(|x| x as f32).collect();
        let run = |threads| {
            let rows = Coefficients::Turbo.rows(4).unwrap();
            let mut x = x.clone();
            Orthogonalizer::new(Normalization::Rows, rows, 1e-7, Pool::new(threads))
                .orthogonalize(&mut x, shape);
            x
        };
        assert_eq!(run(1), run(3));
    }

    /// Means of ‖X - UVᵀ‖/‖UVᵀ‖ and ‖XXᵀ - I‖/√m over standard normal matrices.
    fn errors(orthogonalizer: &mut Orthogonalizer<f64>, size: usize, samples: u64) -> [f64; 2] {
        let mut sums = [0.0; 2];
        for seed in 0..samples {
            let x = normal(seed, size * size);
            let got = DMatrix::from_row_slice(size, size, &of(orthogonalizer, &x, [size, size]));
            let svd = DMatrix::from_row_slice(size, size, &x).svd(true, true);
            let polar = svd.u.unwrap() * svd.v_t.unwrap();
            sums[0] += (&got - &polar).norm() / polar.norm();
            let gram = &got * got.transpose() - DMatrix::identity(size, size);
            sums[1] += gram.norm() / (size as f64).sqrt();
        }
        sums.map(|sum| sum / samples as f64)
    }

    #[test]
    fn polar_express_follows_its_table_and_converges() {
        // Worked out with NumPy; the polar factor of [[1, 2], [3, 4]] is [[-3, 5], [5, 3]]/34^½.
        let after = |iterations| {
            let rows = Coefficients::PolarExpress.rows(iterations).unwrap();
            let mut x = [1.0f64, 2.0, 3.0, 4.0];
            Orthogonalizer::new(Normalization::Frobenius, rows, 1e-7, Pool::new(1))
                .orthogonalize(&mut x, [2, 2]);
            x
        };
        let wanted = [-0.490_439_19, 0.831_184_37, 0.834_944_11, 0.509_237_89];
        assert!(after(5).iter().zip(wanted).all(|(x, wanted)| (x - wanted).abs() < 1e-8), "{:?}", after(5));
        let wanted = [-3.0, 5.0, 5.0, 3.0].map(|x| x / 34.0f64.sqrt());
        assert!(
            after(12).iter().zip(wanted).all(|(x, wanted)| (x - wanted).abs() < 1e-12),
            "{:?}",
            after(12)
        );
    }

    #[test]
    fn errors_are_those_that_the_authors_published() {
        // Means over 32 matrices of 64 x 64, whose errors have a standard deviation of about 0.03: the smallest singular values
        // decide. Ours over 64.
        let with = |normalization, coefficients: Coefficients, iterations| {
            Orthogonalizer::new(normalization, coefficients.rows(iterations).unwrap(), 1e-7, Pool::new(1))
        };
        let cases = [
            (Normalization::Frobenius, Coefficients::Muon, 5, [0.2142, 0.366]),
            (Normalization::Frobenius, Coefficients::Turbo, 5, [0.0681, 0.100]),
            (Normalization::Rows, Coefficients::Turbo, 4, [0.0883, 0.115]),
            (Normalization::Rows, Coefficients::Turbo, 5, [0.0468, 0.054]),
        ];
        for (normalization, coefficients, iterations, wanted) in cases {
            let got = errors(&mut with(normalization, coefficients, iterations), 64, 64);
            for (got, wanted) in got.iter().zip(wanted) {
                assert!(
                    (got - wanted).abs() < 0.012,
                    "{normalization:?} {coefficients:?}: {got}, not {wanted}"
                );
            }
        }
    }
}

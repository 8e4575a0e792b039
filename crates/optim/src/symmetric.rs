//! Products of a matrix with its own transpose: half of the result is computed, the rest copied.

use quire_kernels::Float;
use quire_kernels::gemm::{self, Matrix};
use quire_kernels::pool::{Parts, Pool};

/// Side of the squares that are transposed at one time.
const SQUARE: usize = 32;

/// Rows of a block when a matrix of `m` rows is cut into about `blocks`: a multiple of what a product's tile has.
pub(crate) fn block_rows(m: usize, blocks: usize) -> usize {
    m.div_ceil(blocks).next_multiple_of(12)
}

/// `out <- x xᵀ` for `x` of `m` rows and `n` columns, row-major `[m, m]`. The bits do not depend on the pool.
///
/// # Panics
/// If `out` does not have m² numbers or `x` does not fit its data.
pub(crate) fn symmetric_product<F: Float>(pool: &Pool, x: Matrix<'_, F>, [m, n]: [usize; 2], out: &mut [F]) {
    assert_eq!(out.len(), m * m, "room for the product");
    // Few blocks waste what lies right of the diagonal, many pack the right operand too often.
    let rows = block_rows(m, (m / 170).clamp(3, 8).max(3 * (pool.threads() - 1)));
    let blocks = m.div_ceil(rows);
    let parts = Parts::new(out);
    pool.run(blocks, |block| {
        // The long blocks first, so that no thread is left alone with one.
        let first = (blocks - 1 - block) * rows;
        let rows = rows.min(m - first);
        // SAFETY: blocks have rows of their own.
        let out = unsafe { parts.part(first * m, rows * m) };
        let shape = [rows, first + rows, n];
        gemm::product(shape, out, m, false, x.starting_at_row(first), x.transposed(), |_, _, _, _, _| ());
    });
    let squares = m.div_ceil(SQUARE);
    pool.run(squares, |above| {
        let rows = above * SQUARE..m.min((above + 1) * SQUARE);
        for left in above..squares {
            for j in left * SQUARE..m.min((left + 1) * SQUARE) {
                for i in rows.start..rows.end.min(j) {
                    // SAFETY: both places exist; what lies above the diagonal is written in this row block alone, and nothing below is.
                    unsafe { *parts.at(i * m + j) = *parts.at(j * m + i) };
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_are_the_plain_product_for_any_pool() {
        for [m, n] in [[1, 3], [5, 2], [33, 40], [130, 70], [400, 9]] {
            let x: Vec<f64> = (0..m * n).map(|i| (i as f64 * 0.37).sin()).collect();
            let turned: Vec<f64> = (0..m * n).map(|k| x[k % m * n + k / m]).collect();
            let by = |threads, x: Matrix<'_, f64>| {
                let mut out = vec![f64::NAN; m * m];
                symmetric_product(&Pool::new(threads), x, [m, n], &mut out);
                out
            };
            let one = by(1, Matrix::new(&x, n));
            assert_eq!(one, by(3, Matrix::new(&x, n)));
            assert_eq!(one, by(2, Matrix::new(&turned, m).transposed()));
            for i in 0..m {
                for j in 0..m {
                    let plain: f64 = (0..n).map(|k| x[i * n + k] * x[j * n + k]).sum();
                    assert!((one[i * m + j] - plain).abs() < 1e-12 * n as f64);
                }
            }
        }
    }
}

//! The matrix product: packed panels and tiles that live in registers.
//!
//! The scheme is that of Goto & van de Geijn (2008): a block of the right operand is copied into panels that stream
//! from the second-level cache, a few rows of the left one stay in the first-level cache, and a tile of the result is
//! summed in registers. It is written here, and not taken from a crate, because three things matter to small
//! networks that general products do not offer: what follows a product (bias, activation) runs on rows that are still
//! in cache, nothing is allocated, and every number of the result is summed in the same order, whatever else is
//! computed beside it: a product may be cut into blocks of rows and columns in any way without changing a bit.
//!
//! This file cuts and packs; `tile` sums in registers, and `plain` and `x86` are its registers.

mod plain;
mod tile;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::cell::UnsafeCell;

use crate::loops::sum_of;
use crate::{Float, multiversion};
use tile::{MOST_ROWS, Tile};

pub use tile::{Kernel, f32_kernel, f64_kernel};

/// Depth of a block: a tile is summed over this many products before it is written.
const DEPTH: usize = 256;
/// Columns of a block of the right operand; with [`DEPTH`], half a megabyte of `f32`.
const WIDTH: usize = 512;
/// Distance of the rows of a packed left panel: not a power of two, so that they do not fall on the same cache sets.
const ROW: usize = DEPTH + 16;
/// The most numbers between rows that are not packed: further apart, more of a panel's rows would fall on the same cache
/// sets than these hold.
const CLOSE: usize = 512;
/// The most numbers between rows of a right operand that is read where it is more than twice: further apart, every row is on
/// a page of its own.
const NEAR: usize = 1024;

/// A matrix in memory: element `(i, j)` is `data[i * row + j * column]`.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a, F> {
    /// The numbers, from element (0, 0) on.
    pub data: &'a [F],
    /// Distance of two rows.
    pub row: usize,
    /// Distance of two columns.
    pub column: usize,
}

impl<'a, F> Matrix<'a, F> {
    /// Row-major, with rows of `width`.
    pub fn new(data: &'a [F], width: usize) -> Self {
        Matrix { data, row: width, column: 1 }
    }

    /// The same numbers with rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Matrix { row: self.column, column: self.row, ..self }
    }

    /// The columns from `first` on.
    pub fn starting_at_column(self, first: usize) -> Self {
        self.transposed().starting_at_row(first).transposed()
    }

    /// The rows from `first` on.
    pub fn starting_at_row(self, first: usize) -> Self {
        Matrix { data: &self.data[(first * self.row).min(self.data.len())..], ..self }
    }

    fn check(&self, rows: usize, columns: usize) {
        assert!(self.row == 1 || self.column == 1, "a matrix has a stride of 1");
        assert!(
            (rows - 1) * self.row + (columns - 1) * self.column < self.data.len(),
            "a matrix fits its data"
        );
    }
}

/// A cache line of anything.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line {
    _bytes: [u8; 64],
}

const PANELS: usize = DEPTH * WIDTH;
const SCRATCH: usize = PANELS + ROW * MOST_ROWS;

thread_local! {
    /// Where a thread packs its operands: room for the wider type.
    static PACKED: UnsafeCell<Vec<Line>> =
        UnsafeCell::new(vec![Line { _bytes: [0; 64] }; (SCRATCH * size_of::<f64>()).div_ceil(64)]);
}

/// Makes the calling thread's packing memory, so that its first product does not have to.
pub fn prepare_thread() {
    PACKED.with(|_| ());
}

/// `c <- [c +] a b` on this thread, whole rows of it, with `c` of `m` rows `c_row` apart, `a` `m x k`, `b` `k x n`.
///
/// `done(first_row, rows, first_column, columns)` is called for every part of `c` as soon as it is final.
///
/// # Panics
/// If a matrix does not fit its data.
pub fn product<F: Float>(
    [m, n, k]: [usize; 3],
    c: &mut [F],
    c_row: usize,
    add: bool,
    a: Matrix<'_, F>,
    b: Matrix<'_, F>,
    mut done: impl FnMut(&mut [F], usize, usize, usize, usize),
) {
    assert!(m == 0 || n == 0 || (m - 1) * c_row + n <= c.len(), "a product fits its place");
    let (pointer, len) = (c.as_mut_ptr(), c.len());
    // SAFETY: `c` is a unique slice with room for the result; `done` gets it while the product does not write.
    unsafe {
        product_whole_at([m, n, k], pointer, c_row, add, a, b, |i, rows, j, columns| {
            done(std::slice::from_raw_parts_mut(pointer, len), i, rows, j, columns);
        });
    }
}

/// As [`product`], for a place that is given by a pointer: the numbers between the rows may be in use elsewhere.
///
/// # Safety
/// `c` must be valid for `m` rows of `n` numbers, `c_row` apart, which nobody else uses meanwhile.
pub unsafe fn product_at<F: Float>(
    size: [usize; 3],
    c: *mut F,
    c_row: usize,
    add: bool,
    a: Matrix<'_, F>,
    b: Matrix<'_, F>,
    mut done: impl FnMut(usize, usize, usize, usize),
) {
    // SAFETY: the caller's duty.
    unsafe { (F::kernel().product)(F::kernel(), size, c, c_row, add, a, b, &mut done) }
}

/// [`product_at`] as a [`tile::Product`].
#[allow(clippy::too_many_arguments)]
unsafe fn product_with<F: Float>(
    kernel: &Kernel<F>,
    [m, n, k]: [usize; 3],
    c: *mut F,
    c_row: usize,
    add: bool,
    a: Matrix<'_, F>,
    b: Matrix<'_, F>,
    done: &mut dyn FnMut(usize, usize, usize, usize),
) {
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        if !add {
            // SAFETY: the caller's duty.
            unsafe { fill_rows(c, c_row, m, n) };
        }
        return done(0, m, 0, n);
    }
    a.check(m, k);
    b.check(k, n);
    let panels = m.div_ceil(kernel.rows);
    PACKED.with(|packed| {
        // SAFETY: this function alone uses the memory, is not reentered (`done` runs no product), and the memory is
        // as long as `SCRATCH` numbers of either type.
        let packed = unsafe { (&mut *packed.get()).as_mut_ptr().cast::<F>() };
        for j0 in (0..n).step_by(WIDTH) {
            let columns = WIDTH.min(n - j0);
            for p0 in (0..k).step_by(DEPTH) {
                let depth = DEPTH.min(k - p0);
                let (add, last) = (add || p0 > 0, p0 + depth == k);
                // Few rows do not repay copying the right operand; its rows are then read where they are.
                let whole = columns / kernel.columns * kernel.columns;
                let few = if b.row <= NEAR { 6 } else { 2 };
                let unpacked = if b.column == 1 && m <= few * kernel.rows { whole } else { 0 };
                // SAFETY: `check` made sure that all these elements exist; the panels fit (WIDTH is a multiple of
                // every tile's width).
                unsafe { pack_right(kernel, b, p0, depth, j0, unpacked..columns, packed) };
                for panel in 0..panels {
                    let (i0, i1) = (panel * m / panels, (panel + 1) * m / panels);
                    let rows = i1 - i0;
                    // SAFETY: as above; a packed left panel lies behind the right ones.
                    let left = unsafe { left_panel(kernel, a, i0, rows, p0, depth, packed.add(PANELS)) };
                    for j in (0..columns).step_by(kernel.columns) {
                        let width = kernel.columns.min(columns - j);
                        // SAFETY: packed panels have whole tiles; unpacked ones are whole by `unpacked`. The tile
                        // writes `rows` rows of `width` numbers, which `c` has.
                        unsafe {
                            let (right, b_row) = if j < unpacked {
                                (b.data.as_ptr().add(p0 * b.row + j0 + j), b.row)
                            } else {
                                (packed.add(j * depth).cast_const(), kernel.columns)
                            };
                            let to = c.add(i0 * c_row + j0 + j);
                            (left.tiles[rows - 1])(
                                depth, left.data, left.row, right, b_row, to, c_row, width, add,
                            );
                        }
                    }
                    if last {
                        done(i0, rows, j0, columns);
                    }
                }
            }
        }
    });
}

/// The most columns of a result that counts as narrow.
pub const NARROW: usize = 4;
/// Rows of a narrow result that are computed transposed at one time.
const NARROW_ROWS: usize = 256;

/// As [`product_at`], for a result of whatever width that is *not* cut into blocks of columns: a narrow one, which
/// would waste most of a tile, is made of inner products, or computed transposed.
///
/// # Safety
/// As [`product_at`].
pub unsafe fn product_whole_at<F: Float>(
    size: [usize; 3],
    c: *mut F,
    c_row: usize,
    add: bool,
    a: Matrix<'_, F>,
    b: Matrix<'_, F>,
    mut done: impl FnMut(usize, usize, usize, usize),
) {
    // SAFETY: the caller's duty.
    unsafe { (F::kernel().whole_product)(F::kernel(), size, c, c_row, add, a, b, &mut done) }
}

/// [`product_whole_at`] as a [`tile::Product`].
#[allow(clippy::too_many_arguments)]
unsafe fn whole_product_with<F: Float>(
    kernel: &Kernel<F>,
    [m, n, k]: [usize; 3],
    c: *mut F,
    c_row: usize,
    add: bool,
    a: Matrix<'_, F>,
    b: Matrix<'_, F>,
    done: &mut dyn FnMut(usize, usize, usize, usize),
) {
    if n > NARROW || m == 0 || n == 0 || k == 0 || k > PANELS / NARROW {
        // SAFETY: the caller's duty.
        return unsafe { product_with(kernel, [m, n, k], c, c_row, add, a, b, done) };
    }
    a.check(m, k);
    b.check(k, n);
    if a.column == 1 {
        PACKED.with(|packed| {
            // SAFETY: as in `product_at`; `k` numbers for each of at most `NARROW` columns fit.
            let columns =
                unsafe { std::slice::from_raw_parts_mut((&mut *packed.get()).as_mut_ptr().cast(), n * k) };
            for (j, column) in columns.chunks_exact_mut(k).enumerate() {
                for (p, to) in column.iter_mut().enumerate() {
                    *to = b.data[p * b.row + j * b.column];
                }
            }
            for i in 0..m {
                // SAFETY: a row of the result.
                let c = unsafe { std::slice::from_raw_parts_mut(c.add(i * c_row), n) };
                inner_products(&a.data[i * a.row..i * a.row + k], columns, c, add);
            }
        });
    } else {
        let mut transposed = [F::ZERO; NARROW * NARROW_ROWS];
        for first in (0..m).step_by(NARROW_ROWS) {
            let rows = NARROW_ROWS.min(m - first);
            let right = a.transposed().starting_at_column(first);
            // SAFETY: there is room, and nobody else knows of it.
            unsafe {
                let place = transposed.as_mut_ptr();
                let (size, left) = ([n, rows, k], b.transposed());
                product_with(kernel, size, place, NARROW_ROWS, false, left, right, &mut |_, _, _, _| ());
            }
            for i in 0..rows {
                // SAFETY: a row of the result.
                let c = unsafe { std::slice::from_raw_parts_mut(c.add((first + i) * c_row), n) };
                for (j, c) in c.iter_mut().enumerate() {
                    let sum = transposed[j * NARROW_ROWS + i];
                    *c = if add { *c + sum } else { sum };
                }
            }
        }
    }
    done(0, m, 0, n);
}

multiversion! {
    /// `c[j] <- [c[j] +] row . column j`.
    fn inner_products[F: Float](row: &[F], columns: &[F], c: &mut [F], add: bool) |simd| {
        for (c, column) in c.iter_mut().zip(columns.chunks_exact(row.len())) {
            let sum = sum_of([row, column], |[x, y]| x * y);
            *c = if add { *c + sum } else { sum };
        }
    }
}

/// Sets `count` rows of `width` numbers, `row` apart, to 0.
///
/// # Safety
/// `x` must be valid for them.
pub unsafe fn fill_rows<F: Float>(x: *mut F, row: usize, count: usize, width: usize) {
    for i in 0..count {
        // SAFETY: the caller's duty.
        unsafe { std::slice::from_raw_parts_mut(x.add(i * row), width) }.fill(F::ZERO);
    }
}

/// How many of `depth` steps, `distance` apart, have `width` numbers in a slice of `room` numbers: those of a panel that may be
/// copied whole although the matrix ends before the panel does.
fn whole_steps(room: usize, width: usize, distance: usize, depth: usize) -> usize {
    if room < width { 0 } else { depth.min((room - width) / distance.max(1) + 1) }
}

/// Packs columns `j0 + range` of rows `p0 .. p0 + depth` into panels of the tile's width. What lies behind the last
/// column only reaches results that are not stored.
///
/// # Safety
/// The elements must exist and the panels fit.
unsafe fn pack_right<F: Float>(
    kernel: &Kernel<F>,
    b: Matrix<'_, F>,
    p0: usize,
    depth: usize,
    j0: usize,
    range: std::ops::Range<usize>,
    packed: *mut F,
) {
    for j in range.clone().step_by(kernel.columns) {
        let width = kernel.columns.min(range.end - j);
        // SAFETY: the caller's duty.
        unsafe {
            let to = packed.add(j * depth);
            let from = b.data.as_ptr().add(p0 * b.row + (j0 + j) * b.column);
            if b.column == 1 && width == kernel.columns {
                (kernel.copy_columns)(from, b.row, depth, to);
            } else if b.column == 1 {
                let whole = whole_steps(b.data.len() - (p0 * b.row + j0 + j), kernel.columns, b.row, depth);
                (kernel.copy_columns)(from, b.row, whole, to);
                for p in whole..depth {
                    std::ptr::copy_nonoverlapping(from.add(p * b.row), to.add(p * kernel.columns), width);
                }
            } else {
                (kernel.transpose)(from, b.column, width, depth, to, kernel.columns);
            }
        }
    }
}

/// A left panel, and the tiles that fit its layout.
struct Left<F: 'static> {
    data: *const F,
    /// Distance of its rows, for tiles by row.
    row: usize,
    tiles: &'static [Tile<F>],
}

/// Rows `i0 .. i0 + rows` of columns `p0 .. p0 + depth`: where they are, if rows lie close together, or packed.
///
/// # Safety
/// The elements must exist and the panel fit.
unsafe fn left_panel<F: Float>(
    kernel: &Kernel<F>,
    a: Matrix<'_, F>,
    i0: usize,
    rows: usize,
    p0: usize,
    depth: usize,
    packed: *mut F,
) -> Left<F> {
    // SAFETY: the caller's duty.
    unsafe {
        let from = a.data.as_ptr().add(i0 * a.row + p0 * a.column);
        if a.column == 1 && a.row <= CLOSE {
            return Left { data: from, row: a.row, tiles: kernel.by_row };
        }
        if a.column == 1 {
            (kernel.copy_left)(from, a.row, rows, depth, packed);
            return Left { data: packed, row: ROW, tiles: kernel.by_row };
        }
        // A whole panel's width at a time; what is too much is not read again.
        let whole = whole_steps(a.data.len() - (i0 + p0 * a.column), kernel.rows, a.column, depth);
        (kernel.copy_rows)(from, a.column, whole, packed);
        for p in whole..depth {
            for i in 0..rows {
                *packed.add(p * kernel.rows + i) = *from.add(p * a.column + i);
            }
        }
        Left { data: packed, row: 0, tiles: kernel.by_column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{self, Level};

    /// Whole numbers, so that every order of summation gives the same result.
    fn numbers(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7919 + seed * 104_729) % 13) as f32 - 6.0).collect()
    }

    fn check(m: usize, n: usize, k: usize) {
        let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
        let before = numbers(m * n, 3);
        let mut wanted = vec![0.0f32; m * n];
        for i in 0..m {
            for p in 0..k {
                for j in 0..n {
                    wanted[i * n + j] += a[i * k + p] * b[p * n + j];
                }
            }
        }
        let flip = |x: &[f32], rows: usize, columns: usize| -> Vec<f32> {
            (0..rows * columns).map(|i| x[i % rows * columns + i / rows]).collect()
        };
        let (at, bt) = (flip(&a, m, k), flip(&b, k, n));
        for (left, right) in [
            (Matrix::new(&a, k), Matrix::new(&b, n)),
            (Matrix::new(&at, m).transposed(), Matrix::new(&b, n)),
            (Matrix::new(&a, k), Matrix::new(&bt, k).transposed()),
            (Matrix::new(&at, m).transposed(), Matrix::new(&bt, k).transposed()),
        ] {
            for add in [false, true] {
                let mut c = before.clone();
                // SAFETY: room for the result.
                unsafe {
                    product_whole_at([m, n, k], c.as_mut_ptr(), n, add, left, right, |_, _, _, _| ());
                }
                for i in 0..m * n {
                    assert_eq!(c[i], wanted[i] + if add { before[i] } else { 0.0 }, "whole, {m} x {n} x {k}");
                }
                let mut c = before.clone();
                let mut finished = vec![0; m * n];
                product([m, n, k], &mut c, n, add, left, right, |_, i0, rows, j0, columns| {
                    for i in i0..i0 + rows {
                        finished[i * n + j0..i * n + j0 + columns].iter_mut().for_each(|f| *f += 1);
                    }
                });
                assert!(finished.iter().all(|&f| f == 1), "every part is done once");
                for i in 0..m * n {
                    let wanted = wanted[i] + if add { before[i] } else { 0.0 };
                    assert_eq!(c[i], wanted, "{m} x {n} x {k}, add {add}, number {i}");
                }
            }
        }
    }

    #[test]
    fn products_of_all_shapes_at_every_level() {
        for level in [Level::Avx512, Level::Avx2, Level::Baseline] {
            simd::limit(level);
            for m in [1, 2, 5, 12, 13, 25, 40] {
                for n in [1, 3, 16, 31, 32, 33, 70] {
                    for k in [1, 4, 23, 64] {
                        check(m, n, k);
                    }
                }
            }
            check(30, 530, 300);
            check(3, 600, 513);
        }
        simd::limit(Level::Avx512);
    }

    #[test]
    fn double_precision() {
        let (m, n, k) = (17, 19, 300);
        let a: Vec<f64> = numbers(m * k, 1).into_iter().map(f64::from).collect();
        let b: Vec<f64> = numbers(n * k, 2).into_iter().map(f64::from).collect();
        let mut c = vec![0.0; m * n];
        let right = Matrix::new(&b, k).transposed();
        product([m, n, k], &mut c, n, false, Matrix::new(&a, k), right, |_, _, _, _, _| ());
        for i in 0..m {
            for j in 0..n {
                let wanted: f64 = (0..k).map(|p| a[i * k + p] * b[j * k + p]).sum();
                assert_eq!(c[i * n + j], wanted);
            }
        }
    }
}

//! The matrix product: packed panels and tiles that live in registers.
//!
//! The scheme is that of Goto & van de Geijn (2008): a block of the right operand is copied into panels that stream
//! from the second-level cache, a few rows of the left one stay in the first-level cache, and a tile of the result is
//! summed in registers. It is written here, and not taken from a crate, because three things matter to small
//! networks that general products do not offer: what follows a product (bias, activation) runs on rows that are still
//! in cache, nothing is allocated, and every number of the result is summed in the same order, whatever else is
//! computed beside it: a product may be cut into blocks of rows and columns in any way without changing a bit.

use std::cell::UnsafeCell;
use std::hint::black_box;

use crate::loops::sum_of;
use crate::simd::{self, Level};
use crate::{Float, multiversion};

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
/// The most rows of a tile.
const MOST_ROWS: usize = 12;
/// The most columns of a tile.
const MOST_COLUMNS: usize = 32;

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

/// Sums one tile: `c[0..rows][0..columns] <- [c +] a b` over `depth` products.
///
/// `a` is laid out as [`Kernel`] says, with rows `a_row` apart where that is not given; `b` has a row of the tile's full width
/// every `b_row` numbers.
type Tile<F> = unsafe fn(
    depth: usize,
    a: *const F,
    a_row: usize,
    b: *const F,
    b_row: usize,
    c: *mut F,
    c_row: usize,
    columns: usize,
    add: bool,
);

/// Copies `depth` rows (distance `row`) of one panel's full width, one after another.
type CopyRows<F> = unsafe fn(from: *const F, row: usize, depth: usize, to: *mut F);

/// Copies `count` rows of `depth` numbers (distance `row`) to rows [`ROW`] apart.
type CopyLeft<F> = unsafe fn(from: *const F, row: usize, count: usize, depth: usize, to: *mut F);

/// Copies `count` rows of `depth` numbers (distance `row`) to the columns of a panel: `to[p * width + j]`.
type Transpose<F> =
    unsafe fn(from: *const F, row: usize, count: usize, depth: usize, to: *mut F, width: usize);

/// [`product_at`] or [`product_whole_at`], with the kernel that it is a part of.
type Product<F> = unsafe fn(
    kernel: &Kernel<F>,
    size: [usize; 3],
    c: *mut F,
    c_row: usize,
    add: bool,
    a: Matrix<'_, F>,
    b: Matrix<'_, F>,
    done: &mut dyn FnMut(usize, usize, usize, usize),
);

/// What a product is made of at one instruction set.
pub struct Kernel<F: 'static> {
    /// The whole of it: behind pointers, it is compiled here and not again in every crate that multiplies.
    product: Product<F>,
    whole_product: Product<F>,
    rows: usize,
    columns: usize,
    /// For a left panel that lies row after row: the tile of 1, 2 ... rows.
    by_row: &'static [Tile<F>],
    /// For a left panel packed column after column, `rows` apart.
    by_column: &'static [Tile<F>],
    transpose: Transpose<F>,
    /// For a right panel.
    copy_columns: CopyRows<F>,
    /// For a left panel packed column after column.
    copy_rows: CopyRows<F>,
    /// For a left panel packed row after row.
    copy_left: CopyLeft<F>,
}

/// A register of several numbers.
trait Vector<F: Float>: Copy {
    const LANES: usize;
    unsafe fn splat(x: F) -> Self;
    unsafe fn load(from: *const F) -> Self;
    unsafe fn store(self, to: *mut F);
    /// The first `count` numbers at `from`, of which there are no more than lanes, and zeros.
    #[inline(always)]
    unsafe fn load_some(from: *const F, count: usize) -> Self {
        let mut numbers = [F::ZERO; MOST_COLUMNS];
        // SAFETY: the caller's duty; a register has no more lanes than the array numbers.
        unsafe {
            (0..count).for_each(|j| numbers[j] = *from.add(j));
            Self::load(numbers.as_ptr())
        }
    }
    /// Writes the first `count` numbers.
    #[inline(always)]
    unsafe fn store_some(self, to: *mut F, count: usize) {
        let mut numbers = [F::ZERO; MOST_COLUMNS];
        // SAFETY: as above.
        unsafe {
            self.store(numbers.as_mut_ptr());
            (0..count).for_each(|j| *to.add(j) = numbers[j]);
        }
    }
    /// `self * b + c`
    unsafe fn fma(self, b: Self, c: Self) -> Self;
    unsafe fn add(self, b: Self) -> Self;
}

/// See [`Tile`]. `left(i, p)` is the address of row `i`, column `p` of the left panel.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn tile<F: Float, V: Vector<F>, const M: usize, const N: usize>(
    depth: usize,
    left: impl Fn(usize, usize) -> *const F,
    b: *const F,
    b_row: usize,
    c: *mut F,
    c_row: usize,
    columns: usize,
    add: bool,
) {
    // SAFETY: both panels hold `depth` steps, `c` holds M rows of `columns`; the caller has the instruction set.
    unsafe {
        let mut sums = [[V::splat(F::ZERO); N]; M];
        let mut b = b;
        for p in 0..depth {
            let mut right = [V::splat(F::ZERO); N];
            for (j, right) in right.iter_mut().enumerate() {
                *right = V::load(b.add(j * V::LANES));
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let left = V::splat(*left(i, p));
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = left.fma(right, *sum);
                }
            }
            b = b.add(b_row);
        }
        if columns == N * V::LANES {
            for (i, sums) in sums.into_iter().enumerate() {
                for (j, sum) in sums.into_iter().enumerate() {
                    let to = c.add(i * c_row + j * V::LANES);
                    let sum = if add { V::load(to).add(sum) } else { sum };
                    sum.store(to);
                }
            }
        } else {
            for (i, sums) in sums.into_iter().enumerate() {
                for (j, sum) in sums.into_iter().enumerate() {
                    let count = columns.saturating_sub(j * V::LANES).min(V::LANES);
                    let to = c.add(i * c_row).wrapping_add(j * V::LANES);
                    let sum = if add { V::load_some(to, count).add(sum) } else { sum };
                    sum.store_some(to, count);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn transpose_plain<F: Float>(
    from: *const F,
    row: usize,
    count: usize,
    depth: usize,
    to: *mut F,
    width: usize,
) {
    for p in 0..depth {
        for j in 0..count {
            // SAFETY: within the caller's rows and panel.
            unsafe { *to.add(p * width + j) = *from.add(j * row + p) };
        }
    }
}

/// Writes the tables of tiles of one instruction set: a function for every number of rows.
macro_rules! kernel {
    ($name:ident, $float:ty, $vector:ty, $rows:literal x $vectors:literal, [$($m:literal)*], $transpose:expr
        $(, $feature:literal)?) => {
        pub(super) static $name: Kernel<$float> = {
            $(#[target_feature(enable = $feature)])?
            #[allow(clippy::too_many_arguments)]
            unsafe fn by_row<const M: usize>(
                depth: usize, a: *const $float, a_row: usize, b: *const $float, b_row: usize, c: *mut $float,
                c_row: usize, columns: usize, add: bool,
            ) {
                // Opaque, so that the addresses stay in registers and are not worked out in every step.
                let rows: [*const $float; M] = std::array::from_fn(|i| black_box(a.wrapping_add(i * a_row)));
                let left = |i: usize, p: usize| rows[i].wrapping_add(p);
                // SAFETY: the caller's duty.
                unsafe { tile::<$float, $vector, M, $vectors>(depth, left, b, b_row, c, c_row, columns, add) }
            }
            $(#[target_feature(enable = $feature)])?
            #[allow(clippy::too_many_arguments)]
            unsafe fn by_column<const M: usize>(
                depth: usize, a: *const $float, _: usize, b: *const $float, b_row: usize, c: *mut $float,
                c_row: usize, columns: usize, add: bool,
            ) {
                let left = |i: usize, p: usize| a.wrapping_add(p * $rows + i);
                // SAFETY: the caller's duty.
                unsafe { tile::<$float, $vector, M, $vectors>(depth, left, b, b_row, c, c_row, columns, add) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn copy<const N: usize>(from: *const $float, row: usize, depth: usize, to: *mut $float) {
                for p in 0..depth {
                    // SAFETY: the caller's duty.
                    unsafe {
                        let values = from.add(p * row).cast::<[$float; N]>().read_unaligned();
                        to.add(p * N).cast::<[$float; N]>().write_unaligned(values);
                    }
                }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn copy_left(from: *const $float, row: usize, count: usize, depth: usize, to: *mut $float) {
                const CHUNK: usize = 16;
                for i in 0..count {
                    // SAFETY: the caller's duty.
                    unsafe {
                        let (from, to) = (from.add(i * row), to.add(i * ROW));
                        let mut p = 0;
                        while p + CHUNK <= depth {
                            let values = from.add(p).cast::<[$float; CHUNK]>().read_unaligned();
                            to.add(p).cast::<[$float; CHUNK]>().write_unaligned(values);
                            p += CHUNK;
                        }
                        while p < depth {
                            *to.add(p) = *from.add(p);
                            p += 1;
                        }
                    }
                }
            }
            Kernel {
                product: product_with::<$float>,
                whole_product: whole_product_with::<$float>,
                rows: $rows,
                columns: $vectors * <$vector as Vector<$float>>::LANES,
                by_row: &[$(by_row::<$m>),*],
                by_column: &[$(by_column::<$m>),*],
                transpose: $transpose,
                copy_columns: copy::<{ $vectors * <$vector as Vector<$float>>::LANES }>,
                copy_rows: copy::<$rows>,
                copy_left,
            }
        };
    };
}

/// Plain Rust, four numbers at a time: what any processor can do.
mod plain {
    use super::*;

    #[derive(Clone, Copy)]
    pub(super) struct Four<F>([F; 4]);

    impl<F: Float> Vector<F> for Four<F> {
        const LANES: usize = 4;
        #[inline(always)]
        unsafe fn splat(x: F) -> Self {
            Four([x; 4])
        }
        #[inline(always)]
        unsafe fn load(from: *const F) -> Self {
            // SAFETY: the caller's duty.
            Four(unsafe { from.cast::<[F; 4]>().read_unaligned() })
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut F) {
            // SAFETY: the caller's duty.
            unsafe { to.cast::<[F; 4]>().write_unaligned(self.0) }
        }
        #[inline(always)]
        unsafe fn fma(self, b: Self, c: Self) -> Self {
            use crate::simd::{Simd, Unfused};
            Four(std::array::from_fn(|i| Unfused.fma(self.0[i], b.0[i], c.0[i])))
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            Four(std::array::from_fn(|i| self.0[i] + b.0[i]))
        }
    }

    kernel!(F32, f32, Four<f32>, 4 x 2, [1 2 3 4], transpose_plain::<f32>);
    kernel!(F64, f64, Four<f64>, 4 x 2, [1 2 3 4], transpose_plain::<f64>);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;
    use std::arch::x86_64::*;

    /// The mask of the first `count` of 16 lanes.
    fn first_of_16(count: usize) -> __mmask16 {
        ((1u32 << count) - 1) as __mmask16
    }

    /// The mask of the first `count` of 8 lanes.
    fn first_of_8(count: usize) -> __mmask8 {
        ((1u32 << count) - 1) as __mmask8
    }

    /// The same as the instructions before AVX-512 want it.
    #[inline(always)]
    unsafe fn first_of_8_wide(count: usize) -> __m256i {
        // SAFETY: the caller has the instructions.
        unsafe {
            _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
        }
    }

    /// The same for 4 lanes.
    #[inline(always)]
    unsafe fn first_of_4_wide(count: usize) -> __m256i {
        // SAFETY: the caller has the instructions.
        unsafe { _mm256_cmpgt_epi64(_mm256_set1_epi64x(count as i64), _mm256_setr_epi64x(0, 1, 2, 3)) }
    }

    #[inline(always)]
    unsafe fn load_some_ps(mask: __m256i, from: *const f32) -> __m256 {
        // SAFETY: the caller's duty.
        unsafe { _mm256_maskload_ps(from, mask) }
    }

    #[inline(always)]
    unsafe fn load_some_pd(mask: __m256i, from: *const f64) -> __m256d {
        // SAFETY: the caller's duty.
        unsafe { _mm256_maskload_pd(from, mask) }
    }

    macro_rules! vector {
        ($vector:ty, $float:ty, $lanes:literal, $splat:ident, $load:ident, $store:ident, $fma:ident, $add:ident,
            $mask:ident, $load_some:ident, $store_some:ident) => {
            impl Vector<$float> for $vector {
                const LANES: usize = $lanes;
                #[inline(always)]
                unsafe fn splat(x: $float) -> Self {
                    // SAFETY: tiles of this vector run only where the instructions exist.
                    unsafe { $splat(x) }
                }
                #[inline(always)]
                unsafe fn load(from: *const $float) -> Self {
                    // SAFETY: as above, and the pointer is the caller's duty.
                    unsafe { $load(from) }
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut $float) {
                    // SAFETY: as above, and the pointer is the caller's duty.
                    unsafe { $store(to, self) }
                }
                #[inline(always)]
                unsafe fn load_some(from: *const $float, count: usize) -> Self {
                    // SAFETY: as above; what the mask leaves out is not read.
                    unsafe { $load_some($mask(count), from) }
                }
                #[inline(always)]
                unsafe fn store_some(self, to: *mut $float, count: usize) {
                    // SAFETY: as above; what the mask leaves out is not written.
                    unsafe { $store_some(to, $mask(count), self) }
                }
                #[inline(always)]
                unsafe fn fma(self, b: Self, c: Self) -> Self {
                    // SAFETY: as above.
                    unsafe { $fma(self, b, c) }
                }
                #[inline(always)]
                unsafe fn add(self, b: Self) -> Self {
                    // SAFETY: as above.
                    unsafe { $add(self, b) }
                }
            }
        };
    }
    vector!(
        __m512,
        f32,
        16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        first_of_16,
        _mm512_maskz_loadu_ps,
        _mm512_mask_storeu_ps
    );
    vector!(
        __m512d,
        f64,
        8,
        _mm512_set1_pd,
        _mm512_loadu_pd,
        _mm512_storeu_pd,
        _mm512_fmadd_pd,
        _mm512_add_pd,
        first_of_8,
        _mm512_maskz_loadu_pd,
        _mm512_mask_storeu_pd
    );
    vector!(
        __m256,
        f32,
        8,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        first_of_8_wide,
        load_some_ps,
        _mm256_maskstore_ps
    );
    vector!(
        __m256d,
        f64,
        4,
        _mm256_set1_pd,
        _mm256_loadu_pd,
        _mm256_storeu_pd,
        _mm256_fmadd_pd,
        _mm256_add_pd,
        first_of_4_wide,
        load_some_pd,
        _mm256_maskstore_pd
    );

    kernel!(F32_512, f32, __m512, 12 x 2, [1 2 3 4 5 6 7 8 9 10 11 12], transpose_512, "avx512f,avx2,fma");
    kernel!(F64_512, f64, __m512d, 12 x 2, [1 2 3 4 5 6 7 8 9 10 11 12], transpose_plain::<f64>, "avx512f,avx2,fma");
    kernel!(F32_256, f32, __m256, 6 x 2, [1 2 3 4 5 6], transpose_256, "avx2,fma");
    kernel!(F64_256, f64, __m256d, 6 x 2, [1 2 3 4 5 6], transpose_plain::<f64>, "avx2,fma");

    /// Transposes blocks of 16 x 16 in registers.
    #[target_feature(enable = "avx512f,avx2,fma")]
    unsafe fn transpose_512(
        from: *const f32,
        row: usize,
        count: usize,
        depth: usize,
        to: *mut f32,
        width: usize,
    ) {
        let (blocks, steps) = (count / 16 * 16, depth / 16 * 16);
        // SAFETY: within the caller's rows and panel.
        unsafe {
            for j in (0..blocks).step_by(16) {
                for p in (0..steps).step_by(16) {
                    block_512(from.add(j * row + p), row, to.add(p * width + j), width);
                }
            }
            if steps < depth {
                transpose_plain(from.add(steps), row, blocks, depth - steps, to.add(steps * width), width);
            }
            if blocks < count {
                transpose_plain(from.add(blocks * row), row, count - blocks, depth, to.add(blocks), width);
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx2,fma")]
    unsafe fn block_512(from: *const f32, row: usize, to: *mut f32, width: usize) {
        // SAFETY: 16 rows of 16 numbers on both sides.
        unsafe {
            let r: [__m512; 16] = std::array::from_fn(|i| _mm512_loadu_ps(from.add(i * row)));
            let mut t = [_mm512_setzero_ps(); 16];
            for i in 0..8 {
                t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
                t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
            }
            // Quadruples of rows: u[4 q + s] holds, in 128-bit lane l, column 4 l + s of rows 4 q .. 4 q + 4.
            let mut u = [_mm512_setzero_ps(); 16];
            for q in 0..4 {
                u[4 * q] = _mm512_shuffle_ps::<0x44>(t[4 * q], t[4 * q + 2]);
                u[4 * q + 1] = _mm512_shuffle_ps::<0xee>(t[4 * q], t[4 * q + 2]);
                u[4 * q + 2] = _mm512_shuffle_ps::<0x44>(t[4 * q + 1], t[4 * q + 3]);
                u[4 * q + 3] = _mm512_shuffle_ps::<0xee>(t[4 * q + 1], t[4 * q + 3]);
            }
            for s in 0..4 {
                let low = _mm512_shuffle_f32x4::<0x88>(u[s], u[4 + s]); // lanes 0, 2 of rows 0-3, then of rows 4-7
                let high = _mm512_shuffle_f32x4::<0xdd>(u[s], u[4 + s]); // lanes 1, 3
                let low2 = _mm512_shuffle_f32x4::<0x88>(u[8 + s], u[12 + s]);
                let high2 = _mm512_shuffle_f32x4::<0xdd>(u[8 + s], u[12 + s]);
                _mm512_storeu_ps(to.add(s * width), _mm512_shuffle_f32x4::<0x88>(low, low2));
                _mm512_storeu_ps(to.add((8 + s) * width), _mm512_shuffle_f32x4::<0xdd>(low, low2));
                _mm512_storeu_ps(to.add((4 + s) * width), _mm512_shuffle_f32x4::<0x88>(high, high2));
                _mm512_storeu_ps(to.add((12 + s) * width), _mm512_shuffle_f32x4::<0xdd>(high, high2));
            }
        }
    }

    /// Transposes blocks of 8 x 8 in registers.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn transpose_256(
        from: *const f32,
        row: usize,
        count: usize,
        depth: usize,
        to: *mut f32,
        width: usize,
    ) {
        let (blocks, steps) = (count / 8 * 8, depth / 8 * 8);
        // SAFETY: within the caller's rows and panel.
        unsafe {
            for j in (0..blocks).step_by(8) {
                for p in (0..steps).step_by(8) {
                    block_256(from.add(j * row + p), row, to.add(p * width + j), width);
                }
            }
            if steps < depth {
                transpose_plain(from.add(steps), row, blocks, depth - steps, to.add(steps * width), width);
            }
            if blocks < count {
                transpose_plain(from.add(blocks * row), row, count - blocks, depth, to.add(blocks), width);
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn block_256(from: *const f32, row: usize, to: *mut f32, width: usize) {
        // SAFETY: 8 rows of 8 numbers on both sides.
        unsafe {
            let r: [__m256; 8] = std::array::from_fn(|i| _mm256_loadu_ps(from.add(i * row)));
            let mut t = [_mm256_setzero_ps(); 8];
            for i in 0..4 {
                t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
                t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
            }
            let mut u = [_mm256_setzero_ps(); 8];
            for q in 0..2 {
                u[4 * q] = _mm256_shuffle_ps::<0x44>(t[4 * q], t[4 * q + 2]);
                u[4 * q + 1] = _mm256_shuffle_ps::<0xee>(t[4 * q], t[4 * q + 2]);
                u[4 * q + 2] = _mm256_shuffle_ps::<0x44>(t[4 * q + 1], t[4 * q + 3]);
                u[4 * q + 3] = _mm256_shuffle_ps::<0xee>(t[4 * q + 1], t[4 * q + 3]);
            }
            for s in 0..4 {
                _mm256_storeu_ps(to.add(s * width), _mm256_permute2f128_ps::<0x20>(u[s], u[4 + s]));
                _mm256_storeu_ps(to.add((4 + s) * width), _mm256_permute2f128_ps::<0x31>(u[s], u[4 + s]));
            }
        }
    }
}

/// The kernel of the level in use.
pub fn f32_kernel() -> &'static Kernel<f32> {
    #[cfg(target_arch = "x86_64")]
    match simd::level() {
        Level::Avx512 => return &x86::F32_512,
        Level::Avx2 => return &x86::F32_256,
        Level::Baseline => {}
    }
    &plain::F32
}

/// The kernel of the level in use.
pub fn f64_kernel() -> &'static Kernel<f64> {
    #[cfg(target_arch = "x86_64")]
    match simd::level() {
        Level::Avx512 => return &x86::F64_512,
        Level::Avx2 => return &x86::F64_256,
        Level::Baseline => {}
    }
    &plain::F64
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

/// [`product_at`] as a [`Product`].
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

/// [`product_whole_at`] as a [`Product`].
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

//! Tiles: the part of a product that is summed in registers, and the table of what products are made of at one instruction set.

#[cfg(target_arch = "x86_64")]
use super::x86;
use super::{Matrix, plain};
use crate::Float;
use crate::simd::{self, Level};

/// The most rows of a tile.
pub(super) const MOST_ROWS: usize = 12;
/// The most columns of a tile.
const MOST_COLUMNS: usize = 32;

/// Sums one tile: `c[0..rows][0..columns] <- [c +] a b` over `depth` products.
///
/// `a` is laid out as [`Kernel`] says, with rows `a_row` apart where that is not given; `b` has a row of the tile's full width
/// every `b_row` numbers.
pub(super) type Tile<F> = unsafe fn(
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

/// Copies `count` rows of `depth` numbers (distance `row`) to rows [`super::ROW`] apart.
type CopyLeft<F> = unsafe fn(from: *const F, row: usize, count: usize, depth: usize, to: *mut F);

/// Copies `count` rows of `depth` numbers (distance `row`) to the columns of a panel: `to[p * width + j]`.
type Transpose<F> =
    unsafe fn(from: *const F, row: usize, count: usize, depth: usize, to: *mut F, width: usize);

/// [`super::product_at`] or [`super::product_whole_at`], with the kernel that it is a part of.
pub(super) type Product<F> = unsafe fn(
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
    pub(super) product: Product<F>,
    pub(super) whole_product: Product<F>,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// For a left panel that lies row after row: the tile of 1, 2 ... rows.
    pub(super) by_row: &'static [Tile<F>],
    /// For a left panel packed column after column, `rows` apart.
    pub(super) by_column: &'static [Tile<F>],
    pub(super) transpose: Transpose<F>,
    /// For a right panel.
    pub(super) copy_columns: CopyRows<F>,
    /// For a left panel packed column after column.
    pub(super) copy_rows: CopyRows<F>,
    /// For a left panel packed row after row.
    pub(super) copy_left: CopyLeft<F>,
}

/// A register of several numbers.
pub(super) trait Vector<F: Float>: Copy {
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
pub(super) unsafe fn tile<F: Float, V: Vector<F>, const M: usize, const N: usize>(
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
pub(super) unsafe fn transpose_plain<F: Float>(
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
        pub(super) static $name: $crate::gemm::Kernel<$float> = {
            $(#[target_feature(enable = $feature)])?
            #[allow(clippy::too_many_arguments)]
            unsafe fn by_row<const M: usize>(
                depth: usize, a: *const $float, a_row: usize, b: *const $float, b_row: usize, c: *mut $float,
                c_row: usize, columns: usize, add: bool,
            ) {
                // Opaque, so that the addresses stay in registers and are not worked out in every step.
                let rows: [*const $float; M] = std::array::from_fn(|i| std::hint::black_box(a.wrapping_add(i * a_row)));
                let left = |i: usize, p: usize| rows[i].wrapping_add(p);
                // SAFETY: the caller's duty.
                unsafe { $crate::gemm::tile::tile::<$float, $vector, M, $vectors>(depth, left, b, b_row, c, c_row, columns, add) }
            }
            $(#[target_feature(enable = $feature)])?
            #[allow(clippy::too_many_arguments)]
            unsafe fn by_column<const M: usize>(
                depth: usize, a: *const $float, _: usize, b: *const $float, b_row: usize, c: *mut $float,
                c_row: usize, columns: usize, add: bool,
            ) {
                let left = |i: usize, p: usize| a.wrapping_add(p * $rows + i);
                // SAFETY: the caller's duty.
                unsafe { $crate::gemm::tile::tile::<$float, $vector, M, $vectors>(depth, left, b, b_row, c, c_row, columns, add) }
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
                        let (from, to) = (from.add(i * row), to.add(i * $crate::gemm::ROW));
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
            $crate::gemm::Kernel {
                product: $crate::gemm::product_with::<$float>,
                whole_product: $crate::gemm::whole_product_with::<$float>,
                rows: $rows,
                columns: $vectors * <$vector as $crate::gemm::tile::Vector<$float>>::LANES,
                by_row: &[$(by_row::<$m>),*],
                by_column: &[$(by_column::<$m>),*],
                transpose: $transpose,
                copy_columns: copy::<{ $vectors * <$vector as $crate::gemm::tile::Vector<$float>>::LANES }>,
                copy_rows: copy::<$rows>,
                copy_left,
            }
        };
    };
}
pub(super) use kernel;

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

//! Products of matrices, batched.

use crate::backward::Pass;
use crate::gemm::{Matrix, product_at, product_whole_at};
use crate::pool::Parts;
use crate::shape::{MAX_RANK, Shape};
use crate::tape::{Core, Operation, Stored};
use crate::{Float, Tensor, compiled_once};

#[derive(Clone, Copy)]
struct MatMul<F> {
    a: Stored<F>,
    b: Stored<F>,
    transpose_a: bool,
    transpose_b: bool,
}

impl<F: Float> Operation<F> for MatMul<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, g: Tensor<'g, F>) {
        let (a, b) = (pass.input(self.a), pass.input(self.b));
        if pass.wants(a) {
            let ga = if self.transpose_a {
                b.matmul_with(g, self.transpose_b, true)
            } else {
                g.matmul_with(b, false, !self.transpose_b)
            };
            pass.add(a, ga.sum_to(a.shape));
        }
        if pass.wants(b) {
            let gb = if self.transpose_b {
                g.matmul_with(a, true, self.transpose_a)
            } else {
                a.matmul_with(g, !self.transpose_a, false)
            };
            pass.add(b, gb.sum_to(b.shape));
        }
    }
}

/// Least multiplications in one block of a product that is cut up.
const BLOCK_WORK: usize = 1 << 18;

/// How many blocks of rows and of columns a product is cut into, for threads to share. The blocks have no say in the
/// bits of the result, so their number may follow the threads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    rows: [usize; 2],
    columns: [usize; 2],
}

impl Grid {
    /// For one of `others` products of `m x k` by `k x n`.
    pub(crate) fn new([m, n, k]: [usize; 3], others: usize, threads: usize) -> Self {
        let work = m * n * k;
        let blocks = if threads == 1 || others >= 2 * threads {
            1
        } else {
            // Two blocks a thread where there is much to do, so that a thread that is held up costs less.
            let many = if work * others > 1 << 26 { 2 } else { 1 };
            (many * threads).div_ceil(others.max(1)).min(work / BLOCK_WORK).max(1)
        };
        // Every block of rows packs its share of the right operand again, every block of columns that of the left.
        let mut best = (usize::MAX, 1);
        for rows in 1..=blocks {
            let columns = blocks / rows;
            if rows * columns < blocks {
                continue;
            }
            let packing = rows * k * n + columns * k * m;
            if packing < best.0 {
                best = (packing, rows);
            }
        }
        let by_rows = best.1;
        let size = |len: usize, parts: usize, unit: usize| {
            len.div_ceil(parts).next_multiple_of(unit).min(len.max(1))
        };
        let (row, column) = (size(m, by_rows, 12), size(n, blocks / by_rows, 32));
        Grid { rows: [row, m.div_ceil(row)], columns: [column, n.div_ceil(column)] }
    }

    /// In blocks of rows only.
    pub(crate) fn rows([m, n, k]: [usize; 3], others: usize, threads: usize) -> Self {
        let grid = Self::new([m, n, k], others, threads);
        let blocks = grid.blocks();
        let row = m.div_ceil(blocks.max(1)).next_multiple_of(12).min(m.max(1));
        Grid { rows: [row, m.div_ceil(row)], columns: [n.max(1), 1] }
    }

    pub(crate) fn blocks(&self) -> usize {
        self.rows[1] * self.columns[1]
    }

    /// First row, rows, first column and columns of a block.
    pub(crate) fn block(&self, i: usize, m: usize, n: usize) -> [usize; 4] {
        let (row, column) = (i / self.columns[1] * self.rows[0], i % self.columns[1] * self.columns[0]);
        [row, self.rows[0].min(m - row), column, self.columns[0].min(n - column)]
    }
}

/// `c <- [c +] a b` in blocks that threads share, for every one of `batch` products; `out` has room for them, one after another.
pub(crate) fn products<'a, F: Float>(
    core: &Core<F>,
    batch: usize,
    [m, n, k]: [usize; 3],
    out: Parts<F>,
    add: bool,
    a: impl Fn(usize) -> Matrix<'a, F> + Sync,
    b: impl Fn(usize) -> Matrix<'a, F> + Sync,
) {
    let grid = Grid::new([m, n, k], batch, core.pool.threads());
    let blocks = grid.blocks();
    core.pool.run(batch * blocks, |i| {
        let member = i / blocks;
        // SAFETY: the blocks of the result do not overlap.
        unsafe {
            product_block([m, n, k], member, grid.block(i % blocks, m, n), out, add, a(member), b(member));
        }
    });
}

/// One block (first row, rows, first column, columns) of a member's product; `out` holds those of all members.
///
/// # Safety
/// Nobody else uses the block of the result meanwhile.
pub(crate) unsafe fn product_block<F: Float>(
    [m, n, k]: [usize; 3],
    member: usize,
    [row, rows, column, columns]: [usize; 4],
    out: Parts<F>,
    add: bool,
    a: Matrix<'_, F>,
    b: Matrix<'_, F>,
) {
    let (a, b) = (a.starting_at_row(row), b.starting_at_column(column));
    out.at((member + 1) * m * n); // there is room
    let c = out.at((member * m + row) * n + column);
    // SAFETY: the block lies within the result; the rest is the caller's duty.
    unsafe {
        if columns == n {
            product_whole_at([rows, n, k], c, n, add, a, b, |_, _, _, _| ());
        } else {
            product_at([rows, columns, k], c, n, add, a, b, |_, _, _, _| ());
        }
    }
}

/// Matrix `i` of a batch, or the only one.
fn member<'a, F: Float>(
    data: &'a [F],
    count: usize,
    i: usize,
    shape: &[usize],
    transposed: bool,
) -> Matrix<'a, F> {
    let size = shape[0] * shape[1];
    let i = if count == 1 { 0 } else { i };
    let matrix = Matrix::new(&data[i * size..(i + 1) * size], shape[1]);
    if transposed { matrix.transposed() } else { matrix }
}

impl<'g, F: Float> Tensor<'g, F> {
    /// The matrix product over the last two axes: `[..., m, k] x [..., k, n] -> [..., m, n]`.
    ///
    /// The leading axes must be equal, or one side must have a single matrix, which then serves all.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn matmul(self, other: Self) -> Self {
        self.matmul_with(other, false, false)
    }

    /// As [`Tensor::matmul`], with either side taken transposed (in its last two axes) without a copy.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn matmul_with(self, other: Self, transpose_self: bool, transpose_other: bool) -> Self {
        matmul(self, other, transpose_self, transpose_other)
    }
}

compiled_once! {
    fn matmul<'g, F>(a: Tensor<'g, F>, b: Tensor<'g, F>, transpose_a: bool, transpose_b: bool) -> Tensor<'g, F> {
        let wrong = || -> ! {
            let t = |yes| if yes { " transposed" } else { "" };
            panic!(
                "matmul: the shapes {:?}{} and {:?}{} do not fit",
                a.shape,
                t(transpose_a),
                b.shape,
                t(transpose_b)
            )
        };
        if a.shape.len() < 2 || b.shape.len() < 2 {
            wrong();
        }
        let (batch_a, last_a) = a.shape.split_at(a.shape.len() - 2);
        let (batch_b, last_b) = b.shape.split_at(b.shape.len() - 2);
        let [m, ka] = if transpose_a { [last_a[1], last_a[0]] } else { [last_a[0], last_a[1]] };
        let [kb, n] = if transpose_b { [last_b[1], last_b[0]] } else { [last_b[0], last_b[1]] };
        let (count_a, count_b): (usize, usize) = (batch_a.iter().product(), batch_b.iter().product());
        if ka != kb || !(batch_a == batch_b || count_a == 1 || count_b == 1) {
            wrong();
        }
        let k = ka;
        // The longer list of leading axes of the side that has more matrices.
        let leading = match (count_a, count_b) {
            (1, 1) if batch_b.len() > batch_a.len() => batch_b,
            (1, 1) => batch_a,
            (1, _) => batch_b,
            _ => batch_a,
        };
        let mut sizes = [1; MAX_RANK];
        sizes[..leading.len()].copy_from_slice(leading);
        sizes[leading.len()] = m;
        sizes[leading.len() + 1] = n;
        let shape = Shape::new(&sizes[..leading.len() + 2]);
        let batch = count_a.max(count_b);
        let out = a.core.buffer(batch * m * n);
        let (data_a, data_b) = (a.data, b.data);
        let a_of = |i| member(data_a, count_a, i, last_a, transpose_a);
        let b_of = |i| member(data_b, count_b, i, last_b, transpose_b);
        products(a.core, batch, [m, n, k], Parts::new(out), false, a_of, b_of);
        let operation = MatMul { a: a.store(), b: b.store(), transpose_a, transpose_b };
        a.core.record(out, &shape, &[a, b], operation)
    }
}

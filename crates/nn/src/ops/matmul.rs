//! Products of matrices, batched.

use crate::backward::Pass;
use crate::gemm::{Matrix, product};
use crate::pool::Parts;
use crate::shape::{MAX_RANK, Shape};
use crate::tape::{Core, Operation, Stored};
use crate::{Float, Tensor};

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
const BLOCK_WORK: usize = 1 << 19;

/// Rows in one block of a product of `rows` rows that cost `work` multiplications each, with `others` products
/// beside it: a function of shapes alone.
pub(crate) fn rows_per_block(rows: usize, work: usize, others: usize) -> usize {
    let wanted = 4usize.div_ceil(others.max(1));
    let most = (rows * work / BLOCK_WORK).max(1);
    rows.div_ceil(wanted.min(most)).next_multiple_of(16).min(rows.max(1))
}

impl<F: Float> Core<F> {
    /// `c[i] <- a[i] b[i]` for a batch; `a` and `b` give the matrix of every member.
    pub(crate) fn batched_product<'a>(
        &self,
        batch: usize,
        [m, n, k]: [usize; 3],
        c: &mut [F],
        a: impl Fn(usize) -> Matrix<'a, F> + Sync,
        b: impl Fn(usize) -> Matrix<'a, F> + Sync,
    ) {
        let rows = rows_per_block(m, n * k, batch);
        let blocks = m.div_ceil(rows).max(1);
        let out = Parts::new(c);
        self.pool.run(batch * blocks, |i| {
            let (member, first) = (i / blocks, i % blocks * rows);
            let count = rows.min(m - first);
            // SAFETY: the rows of different blocks do not overlap.
            let c = unsafe { out.part((member * m + first) * n, count * n) };
            product(
                [count, n, k],
                c,
                n,
                false,
                a(member).starting_at_row(first),
                b(member),
                |_, _, _, _, _| (),
            );
        });
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
        let (a, b) = (self, other);
        let wrong = || -> ! {
            let t = |yes| if yes { " transposed" } else { "" };
            panic!(
                "matmul: the shapes {:?}{} and {:?}{} do not fit",
                a.shape,
                t(transpose_self),
                b.shape,
                t(transpose_other)
            )
        };
        if a.shape.len() < 2 || b.shape.len() < 2 {
            wrong();
        }
        let (batch_a, last_a) = a.shape.split_at(a.shape.len() - 2);
        let (batch_b, last_b) = b.shape.split_at(b.shape.len() - 2);
        let [m, ka] = if transpose_self { [last_a[1], last_a[0]] } else { [last_a[0], last_a[1]] };
        let [kb, n] = if transpose_other { [last_b[1], last_b[0]] } else { [last_b[0], last_b[1]] };
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
        let out = self.core.buffer(batch * m * n);
        let (data_a, data_b) = (a.data, b.data);
        let a_of = |i| member(data_a, count_a, i, last_a, transpose_self);
        let b_of = |i| member(data_b, count_b, i, last_b, transpose_other);
        self.core.batched_product(batch, [m, n, k], out, a_of, b_of);
        let operation =
            MatMul { a: a.store(), b: b.store(), transpose_a: transpose_self, transpose_b: transpose_other };
        self.core.record(out, &shape, &[a, b], operation)
    }
}

//! Picking numbers by index.

use crate::backward::Pass;
use crate::ops::Index;
use crate::shape::{Shape, around, axis_of};
use crate::tape::{Operation, Stored};
use crate::{Float, Tensor};

/// One number along an axis for every position of the other axes.
#[derive(Clone, Copy)]
struct TakeAlong<F> {
    x: Stored<F>,
    axis: usize,
    at: *const [u32],
}

impl<F: Float> Operation<F> for TakeAlong<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        // SAFETY: the indices lie in the arena of this step.
        let at = unsafe { &*self.at };
        pass.add(x, gradient.scatter_along(self.axis, x.shape[self.axis], at));
    }
}

/// The transpose of [`TakeAlong`].
#[derive(Clone, Copy)]
struct ScatterAlong<F> {
    x: Stored<F>,
    axis: usize,
    at: *const [u32],
}

impl<F: Float> Operation<F> for ScatterAlong<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        // SAFETY: the indices lie in the arena of this step.
        let at = unsafe { &*self.at };
        pass.add(x, gradient.take_along(self.axis, at));
    }
}

impl<'g, F: Float> Tensor<'g, F> {
    /// Picks one number of every row of the last axis: `Q(s, a)` from `Q(s, .)`. `[..., n] -> [...]`.
    ///
    /// With fewer indices than rows the list is repeated: actions of a batch serve every member of an ensemble.
    ///
    /// # Panics
    /// If the count of rows is not a multiple of that of the indices, or an index is not below `n`.
    pub fn gather<I: Index>(self, indices: &[I]) -> Self {
        assert!(!self.shape.is_empty(), "gather: a tensor without axes");
        let axis = self.shape.len() - 1;
        let n = self.shape[axis];
        let rows = self.len() / n.max(1);
        assert!(
            indices.len() == rows || (!indices.is_empty() && rows.is_multiple_of(indices.len())),
            "gather: {} indices for the {rows} rows of the shape {:?}",
            indices.len(),
            self.shape
        );
        let at = self.indices_in("gather", indices, n);
        self.take_along(axis, at).reshape(&self.shape[..axis])
    }

    /// Copies indices to the arena and checks them.
    pub(crate) fn indices_in<I: Index>(&self, operation: &str, indices: &[I], size: usize) -> &'g [u32] {
        let at = self.core.arena.slice::<u32>(indices.len());
        for (to, from) in at.iter_mut().zip(indices) {
            let index = from.index();
            assert!(index < size, "{operation}: index {index} along an axis of size {size}");
            *to = index as u32;
        }
        at
    }

    /// `out[o, 0, i] = x[o, at[o, i], i]`; `at` is repeated if it is shorter.
    pub(crate) fn take_along(self, axis: usize, at: &'g [u32]) -> Self {
        let [outer, size, inner] = around(self.shape, axis);
        let out = self.core.buffer(outer * inner);
        let mut next = at.iter().cycle();
        for o in 0..outer {
            for i in 0..inner {
                let index = *next.next().expect("there are indices") as usize;
                out[o * inner + i] = self.data[(o * size + index) * inner + i];
            }
        }
        let shape = Shape::new(self.shape).with(axis, 1);
        self.core.record(out, &shape, &[self], TakeAlong { x: self.store(), axis, at })
    }

    /// Zeros along an axis of `size`, except `out[o, at[o, i], i] = x[o, 0, i]`.
    pub(crate) fn scatter_along(self, axis: usize, size: usize, at: &'g [u32]) -> Self {
        let [outer, one, inner] = around(self.shape, axis);
        debug_assert_eq!(one, 1);
        let out = self.core.buffer(outer * size * inner);
        out.fill(F::ZERO);
        let mut next = at.iter().cycle();
        for o in 0..outer {
            for i in 0..inner {
                let index = *next.next().expect("there are indices") as usize;
                out[(o * size + index) * inner + i] = self.data[o * inner + i];
            }
        }
        let shape = Shape::new(self.shape).with(axis, size);
        self.core.record(out, &shape, &[self], ScatterAlong { x: self.store(), axis, at })
    }

    /// The slices with these indices along one axis (negative: from the end), in this order; repeats are allowed.
    ///
    /// # Panics
    /// If an index is not below the axis's size.
    pub fn index_select<I: Index>(self, axis: isize, indices: &[I]) -> Self {
        let axis = axis_of("index_select", self.shape, axis);
        let at = self.indices_in("index_select", indices, self.shape[axis]);
        self.select(axis, at)
    }

    fn select(self, axis: usize, at: &'g [u32]) -> Self {
        let [outer, size, inner] = around(self.shape, axis);
        let out = self.core.buffer(outer * at.len() * inner);
        if !out.is_empty() {
            for (row, to) in out.chunks_exact_mut(inner).enumerate() {
                let (o, i) = (row / at.len(), row % at.len());
                let from = (o * size + at[i] as usize) * inner;
                to.copy_from_slice(&self.data[from..from + inner]);
            }
        }
        let shape = Shape::new(self.shape).with(axis, at.len());
        self.core.record(out, &shape, &[self], Select { x: self.store(), axis, at })
    }

    /// Zeros along an axis of `size`, to which slice `i` of this tensor is added at `at[i]`.
    fn select_transposed(self, axis: usize, size: usize, at: &'g [u32]) -> Self {
        let [outer, count, inner] = around(self.shape, axis);
        let out = self.core.buffer(outer * size * inner);
        out.fill(F::ZERO);
        if inner > 0 {
            for (row, from) in self.data.chunks_exact(inner).enumerate() {
                let (o, i) = (row / count, row % count);
                let to = (o * size + at[i] as usize) * inner;
                crate::loops::add_to(from, &mut out[to..to + inner]);
            }
        }
        let shape = Shape::new(self.shape).with(axis, size);
        self.core.record(out, &shape, &[self], SelectTransposed { x: self.store(), axis, at })
    }
}

/// Slices by index.
#[derive(Clone, Copy)]
struct Select<F> {
    x: Stored<F>,
    axis: usize,
    at: *const [u32],
}

impl<F: Float> Operation<F> for Select<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        // SAFETY: the indices lie in the arena of this step.
        let at = unsafe { &*self.at };
        pass.add(x, gradient.select_transposed(self.axis, x.shape[self.axis], at));
    }
}

/// The transpose of [`Select`].
#[derive(Clone, Copy)]
struct SelectTransposed<F> {
    x: Stored<F>,
    axis: usize,
    at: *const [u32],
}

impl<F: Float> Operation<F> for SelectTransposed<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        // SAFETY: the indices lie in the arena of this step.
        let at = unsafe { &*self.at };
        pass.add(x, gradient.select(self.axis, at));
    }
}

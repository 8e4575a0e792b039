//! Sums, means and maxima.

use crate::backward::Pass;
use crate::pool::Parts;
use crate::shape::{Shape, around, axis_of};
use crate::tape::{Core, Operation, Stored};
use crate::{Float, Tensor, compiled_once, loops, multiversion};

/// Numbers in one block of a long sum. Blocks are summed apart and added in order, whatever the threads.
const SUM_BLOCK: usize = 1 << 15;

/// `x` summed over some axes: the gradient is stretched back.
#[derive(Clone, Copy)]
struct Sum<F> {
    x: Stored<F>,
    /// The output's shape with the summed axes kept as 1, so that it broadcasts to the input's.
    kept: Shape,
}

impl<F: Float> Operation<F> for Sum<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        pass.add(x, gradient.reshape(&self.kept).broadcast_to(x.shape));
    }
}

#[derive(Clone, Copy)]
struct BroadcastTo<F> {
    x: Stored<F>,
}

impl<F: Float> Operation<F> for BroadcastTo<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        pass.add(x, gradient.sum_to(x.shape));
    }
}

impl<F: Float> Core<F> {
    /// The sum of many numbers, in fixed blocks.
    pub(crate) fn sum(&self, x: &[F]) -> F {
        let blocks = x.len().div_ceil(SUM_BLOCK);
        if blocks <= 1 {
            return loops::sum(x);
        }
        let partial = self.buffer(blocks);
        let parts = Parts::new(partial);
        self.pool.run(blocks, |i| {
            let block = &x[i * SUM_BLOCK..((i + 1) * SUM_BLOCK).min(x.len())];
            // SAFETY: block i writes element i.
            unsafe { parts.part(i, 1)[0] = loops::sum(block) };
        });
        loops::sum(partial)
    }
}

impl<'g, F: Float> Tensor<'g, F> {
    /// The sum of all numbers, of shape `[]`.
    pub fn sum(self) -> Self {
        sum(self)
    }

    /// The mean of all numbers, of shape `[]`.
    pub fn mean(self) -> Self {
        self.sum() * (1.0 / self.len() as f64)
    }

    /// The sum over one axis (negative: from the end), which stays as 1 if `keep`, else goes.
    pub fn sum_axis(self, axis: isize, keep: bool) -> Self {
        sum_axis(self, axis, keep)
    }

    /// The mean over one axis (negative: from the end), which stays as 1 if `keep`, else goes.
    pub fn mean_axis(self, axis: isize, keep: bool) -> Self {
        let size = self.shape[axis_of("mean_axis", self.shape, axis)];
        self.sum_axis(axis, keep) * (1.0 / size as f64)
    }

    /// The sum over the axes that broadcasting `shape` to this shape would stretch: the inverse of
    /// [`Tensor::broadcast_to`].
    ///
    /// # Panics
    /// If `shape` does not broadcast to this shape.
    pub fn sum_to(self, shape: &[usize]) -> Self {
        if self.shape == shape {
            return self;
        }
        assert!(
            shape.len() <= self.shape.len(),
            "sum_to: the shape {shape:?} does not broadcast to {:?}",
            self.shape
        );
        let missing = self.shape.len() - shape.len();
        let leading: usize = self.shape[..missing].iter().product();
        // Axes that are missing in front are one axis to sum over.
        let mut x = self;
        if missing > 0 {
            let mut flat = [1; crate::MAX_RANK + 1];
            flat[0] = leading;
            flat[1..=shape.len()].copy_from_slice(&self.shape[missing..]);
            if shape.len() < crate::MAX_RANK {
                x = x.reshape(&flat[..=shape.len()]).sum_axis(0, false);
            } else {
                x = x.sum_axis(0, false);
            }
        }
        for (axis, &size) in shape.iter().enumerate() {
            if size == 1 && x.shape[axis] != 1 {
                x = x.sum_axis(axis as isize, true);
            }
        }
        assert_eq!(x.shape, shape, "sum_to: the shape (right) does not broadcast to {:?}", self.shape);
        x
    }

    /// The tensor stretched to a shape it broadcasts to.
    ///
    /// # Panics
    /// If it does not broadcast to `shape`.
    pub fn broadcast_to(self, shape: &[usize]) -> Self {
        broadcast_to(self, shape)
    }

    /// The largest number along one axis (negative: from the end), which stays as 1 if `keep`, else goes; and where
    /// it is. The first one counts where several are equal, and gets the whole gradient.
    ///
    /// # Panics
    /// If the axis is empty.
    pub fn max_axis(self, axis: isize, keep: bool) -> (Self, &'g [u32]) {
        max_axis(self, axis, keep)
    }
}

compiled_once! {
    fn sum<'g, F>(x: Tensor<'g, F>) -> Tensor<'g, F> {
        let out = x.core.buffer(1);
        out[0] = x.core.sum(x.data);
        let kept = Shape::new(&[1; crate::MAX_RANK][..x.shape.len()]);
        x.core.record(out, &[], &[x], Sum { x: x.store(), kept })
    }

    fn sum_axis<'g, F>(x: Tensor<'g, F>, axis: isize, keep: bool) -> Tensor<'g, F> {
        let axis = axis_of("sum_axis", x.shape, axis);
        let [outer, size, inner] = around(x.shape, axis);
        let kept = Shape::new(x.shape).with(axis, 1);
        let out = x.core.buffer(outer * inner);
        if size == 0 {
            out.fill(F::ZERO);
        } else if inner == 1 {
            loops::sum_rows(x.data, size, out);
        } else {
            for (block, out) in
                x.data.chunks_exact((size * inner).max(1)).zip(out.chunks_exact_mut(inner.max(1)))
            {
                loops::sum_columns(block, out, false);
            }
        }
        let shape = if keep { kept } else { kept.without(axis) };
        x.core.record(out, &shape, &[x], Sum { x: x.store(), kept })
    }

    fn broadcast_to<'g, F>(x: Tensor<'g, F>, shape: &[usize]) -> Tensor<'g, F> {
        if x.shape == shape {
            return x;
        }
        let value = x.stretched(shape);
        x.core.record_value(value, &[x], BroadcastTo { x: x.store() })
    }

    fn max_axis<'g, F>(x: Tensor<'g, F>, axis: isize, keep: bool) -> (Tensor<'g, F>, &'g [u32]) {
        let axis = axis_of("max_axis", x.shape, axis);
        let [outer, size, inner] = around(x.shape, axis);
        assert!(size > 0, "max_axis: axis {axis} of the shape {:?} is empty", x.shape);
        let value = x.core.buffer(outer * inner);
        let at = x.core.arena.slice::<u32>(outer * inner);
        if inner == 1 {
            max_of_rows(x.data, size, value, at);
        } else {
            for o in 0..outer {
                let block = &x.data[o * size * inner..(o + 1) * size * inner];
                let range = o * inner..(o + 1) * inner;
                max_of_columns(block, &mut value[range.clone()], &mut at[range]);
            }
        }
        let at: &'g [u32] = at;
        let kept = Shape::new(x.shape).with(axis, 1);
        let shape = if keep { kept } else { kept.without(axis) };
        let operation = Max { x: x.store(), at, axis };
        (x.core.record(value, &shape, &[x], operation), at)
    }
}

#[derive(Clone, Copy)]
struct Max<F> {
    x: Stored<F>,
    at: *const [u32],
    axis: usize,
}

impl<F: Float> Operation<F> for Max<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        // SAFETY: the indices lie in the arena of this step.
        let at = unsafe { &*self.at };
        let kept = Shape::new(x.shape).with(self.axis, 1);
        pass.add(x, gradient.reshape(&kept).scatter_along(self.axis, x.shape[self.axis], at));
    }
}

multiversion! {
    fn max_of_rows[F: Float](x: &[F], width: usize, value: &mut [F], at: &mut [u32]) |simd| {
        for ((row, value), at) in x.chunks_exact(width).zip(value).zip(at) {
            let (mut best, mut index) = (row[0], 0);
            for (i, &x) in row.iter().enumerate().skip(1) {
                if x > best || (x.is_nan() && !best.is_nan()) {
                    (best, index) = (x, i as u32);
                }
            }
            (*value, *at) = (best, index);
        }
    }

    fn max_of_columns[F: Float](x: &[F], value: &mut [F], at: &mut [u32]) |simd| {
        value.copy_from_slice(&x[..value.len()]);
        at.fill(0);
        for (i, row) in x.chunks_exact(value.len().max(1)).enumerate().skip(1) {
            for ((&x, best), at) in row.iter().zip(value.iter_mut()).zip(at.iter_mut()) {
                if x > *best || (x.is_nan() && !best.is_nan()) {
                    (*best, *at) = (x, i as u32);
                }
            }
        }
    }
}

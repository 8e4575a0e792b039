//! The same numbers in another shape or order.

use crate::backward::Pass;
use crate::shape::{MAX_RANK, Shape, around, axis_of};
use crate::tape::{Operation, Stored};
use crate::{Float, Graph, Tensor, compiled_once};

#[derive(Clone, Copy)]
struct Reshape<F> {
    x: Stored<F>,
}

impl<F: Float> Operation<F> for Reshape<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        pass.add(x, gradient.reshape(x.shape));
    }
}

#[derive(Clone, Copy)]
struct Permute<F> {
    x: Stored<F>,
    inverse: [usize; MAX_RANK],
}

impl<F: Float> Operation<F> for Permute<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        pass.add(x, gradient.permute(&self.inverse[..x.shape.len()]));
    }
}

#[derive(Clone, Copy)]
struct Slice<F> {
    x: Stored<F>,
    axis: usize,
    start: usize,
}

impl<F: Float> Operation<F> for Slice<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        pass.add(x, gradient.pad(self.axis, self.start, x.shape[self.axis]));
    }
}

/// The transpose of [`Slice`]: zeros around.
#[derive(Clone, Copy)]
struct Pad<F> {
    x: Stored<F>,
    axis: usize,
    start: usize,
}

impl<F: Float> Operation<F> for Pad<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        pass.add(x, gradient.slice(self.axis as isize, self.start..self.start + x.shape[self.axis]));
    }
}

#[derive(Clone, Copy)]
struct Concat<F> {
    parts: *const [Stored<F>],
    axis: usize,
}

impl<F: Float> Operation<F> for Concat<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        // SAFETY: the list lies in the arena of this step.
        let parts = unsafe { &*self.parts };
        let mut start = 0;
        for part in parts {
            let part = pass.input(*part);
            let end = start + part.shape[self.axis];
            if pass.wants(part) {
                pass.add(part, gradient.slice(self.axis as isize, start..end));
            }
            start = end;
        }
    }
}

impl<'g, F: Float> Tensor<'g, F> {
    /// The same numbers in another shape, without a copy.
    ///
    /// # Panics
    /// If the counts differ.
    pub fn reshape(self, shape: &[usize]) -> Self {
        if self.shape == shape {
            return self;
        }
        assert_eq!(
            self.len(),
            shape.iter().product::<usize>(),
            "reshape: the shape {:?} (left) does not have as many numbers as {shape:?} (right)",
            self.shape
        );
        self.core.record(self.data, shape, &[self], Reshape { x: self.store() })
    }

    /// A new axis of size 1 before this axis; -1 puts it last.
    pub fn unsqueeze(self, axis: isize) -> Self {
        let rank = self.shape.len() as isize;
        assert!((-rank - 1..=rank).contains(&axis), "unsqueeze: axis {axis} of the shape {:?}", self.shape);
        assert!(self.shape.len() < MAX_RANK, "unsqueeze: the shape {:?} has all its axes", self.shape);
        let axis = if axis < 0 { (axis + rank + 1) as usize } else { axis as usize };
        let mut sizes = [1; MAX_RANK];
        sizes[..axis].copy_from_slice(&self.shape[..axis]);
        sizes[axis + 1..=self.shape.len()].copy_from_slice(&self.shape[axis..]);
        self.reshape(&sizes[..=self.shape.len()])
    }

    /// Takes away an axis of size 1 (negative: from the end).
    ///
    /// # Panics
    /// If its size is not 1.
    pub fn squeeze(self, axis: isize) -> Self {
        let axis = axis_of("squeeze", self.shape, axis);
        assert_eq!(self.shape[axis], 1, "squeeze: axis {axis} of the shape {:?}", self.shape);
        self.reshape(&Shape::new(self.shape).without(axis))
    }

    /// Axis `i` of the result is axis `order[i]` of this tensor.
    ///
    /// # Panics
    /// If `order` does not name every axis once.
    pub fn permute(self, order: &[usize]) -> Self {
        permute(self, order)
    }

    /// Swaps two axes (negative: from the end).
    pub fn transpose(self, a: isize, b: isize) -> Self {
        let (a, b) = (axis_of("transpose", self.shape, a), axis_of("transpose", self.shape, b));
        let mut order = [0, 1, 2, 3, 4, 5];
        order.swap(a, b);
        self.permute(&order[..self.shape.len()])
    }

    /// The part `range` of one axis (negative: from the end).
    ///
    /// # Panics
    /// If the range is not within the axis.
    pub fn slice(self, axis: isize, range: std::ops::Range<usize>) -> Self {
        slice(self, axis, range)
    }

    /// Zeros of `size` along an axis, with this tensor from `start` on.
    fn pad(self, axis: usize, start: usize, size: usize) -> Self {
        let [outer, own, inner] = around(self.shape, axis);
        let out = self.core.buffer(outer * size * inner);
        for o in 0..outer {
            let row = &mut out[o * size * inner..(o + 1) * size * inner];
            row[..start * inner].fill(F::ZERO);
            row[start * inner..(start + own) * inner]
                .copy_from_slice(&self.data[o * own * inner..(o + 1) * own * inner]);
            row[(start + own) * inner..].fill(F::ZERO);
        }
        let shape = Shape::new(self.shape).with(axis, size);
        self.core.record(out, &shape, &[self], Pad { x: self.store(), axis, start })
    }

    /// Splits one axis (negative: from the end) into `N` equal parts.
    ///
    /// # Panics
    /// If it cannot be split evenly.
    pub fn split<const N: usize>(self, axis: isize) -> [Self; N] {
        let size = self.shape[axis_of("split", self.shape, axis)];
        assert!(size.is_multiple_of(N), "split: axis {axis} of the shape {:?} into {N} parts", self.shape);
        let part = size / N;
        std::array::from_fn(|i| self.slice(axis, i * part..(i + 1) * part))
    }
}

impl<'g, F: Float> Graph<'g, F> {
    /// The tensors one after another along an axis (negative: from the end).
    ///
    /// # Panics
    /// If there is none, or the other axes differ.
    pub fn concat(&self, parts: &[Tensor<'g, F>], axis: isize) -> Tensor<'g, F> {
        concat(*self, parts, axis)
    }

    /// The tensors side by side along a new axis.
    ///
    /// # Panics
    /// If there is none, or the shapes differ.
    pub fn stack<const N: usize>(&self, parts: [Tensor<'g, F>; N], axis: isize) -> Tensor<'g, F> {
        self.concat(&parts.map(|part| part.unsqueeze(axis)), axis)
    }
}

compiled_once! {
    fn permute<'g, F>(x: Tensor<'g, F>, order: &[usize]) -> Tensor<'g, F> {
        let rank = x.shape.len();
        let mut inverse = [usize::MAX; MAX_RANK];
        assert_eq!(order.len(), rank, "permute: the order {order:?} of the shape {:?}", x.shape);
        for (i, &axis) in order.iter().enumerate() {
            assert!(
                axis < rank && inverse[axis] == usize::MAX,
                "permute: the order {order:?} of the shape {:?}",
                x.shape
            );
            inverse[axis] = i;
        }
        let mut strides = [1; MAX_RANK];
        for i in (0..rank.saturating_sub(1)).rev() {
            strides[i] = strides[i + 1] * x.shape[i + 1];
        }
        let mut shape = Shape::new(x.shape);
        let mut steps = [1; MAX_RANK];
        for (i, &axis) in order.iter().enumerate() {
            shape[i] = x.shape[axis];
            steps[i] = strides[axis];
        }
        let out = x.core.buffer(x.len());
        copy_strided(x.data, &shape, &steps[..rank], out);
        x.core.record(out, &shape, &[x], Permute { x: x.store(), inverse })
    }

    fn slice<'g, F>(x: Tensor<'g, F>, axis: isize, range: std::ops::Range<usize>) -> Tensor<'g, F> {
        let axis = axis_of("slice", x.shape, axis);
        let [outer, size, inner] = around(x.shape, axis);
        assert!(
            range.start <= range.end && range.end <= size,
            "slice: the range {range:?} of axis {axis} of the shape {:?}",
            x.shape
        );
        if range == (0..size) {
            return x;
        }
        let shape = Shape::new(x.shape).with(axis, range.len());
        let operation = Slice { x: x.store(), axis, start: range.start };
        if outer == 1 {
            let data = &x.data[range.start * inner..range.end * inner];
            return x.core.record(data, &shape, &[x], operation);
        }
        let width = range.len() * inner;
        let out = x.core.buffer(outer * width);
        for o in 0..outer {
            let from = (o * size + range.start) * inner;
            out[o * width..(o + 1) * width].copy_from_slice(&x.data[from..from + width]);
        }
        x.core.record(out, &shape, &[x], operation)
    }

    fn concat<'g, F>(graph: Graph<'g, F>, parts: &[Tensor<'g, F>], axis: isize) -> Tensor<'g, F> {
        let first = parts.first().expect("concat: no tensor");
        let axis = axis_of("concat", first.shape, axis);
        let mut shape = Shape::new(first.shape);
        shape[axis] = 0;
        for part in parts {
            let fits = part.shape.len() == first.shape.len()
                && (0..shape.len()).all(|i| i == axis || part.shape[i] == first.shape[i]);
            assert!(
                fits,
                "concat: the shapes {:?} and {:?} differ beside axis {axis}",
                first.shape, part.shape
            );
            shape[axis] += part.shape[axis];
        }
        let [outer, size, inner] = around(&shape, axis);
        let out = graph.core.buffer(shape.iter().product());
        let mut start = 0;
        for part in parts {
            let width = part.shape[axis] * inner;
            for o in 0..outer {
                let to = o * size * inner + start;
                out[to..to + width].copy_from_slice(&part.data[o * width..(o + 1) * width]);
            }
            start += width;
        }
        let stored = graph.core.arena.bytes(size_of::<Stored<F>>() * parts.len(), 8).cast::<Stored<F>>();
        for (i, part) in parts.iter().enumerate() {
            // SAFETY: memory for as many was just handed out.
            unsafe { stored.add(i).write(part.store()) };
        }
        let list = std::ptr::slice_from_raw_parts(stored.as_ptr().cast_const(), parts.len());
        graph.core.record(out, &shape, parts, Concat { parts: list, axis })
    }
}

/// Copies a strided tensor to contiguous memory; `out` has `shape`.
fn copy_strided<F: Float>(x: &[F], shape: &[usize], steps: &[usize], out: &mut [F]) {
    let Some(last) = shape.len().checked_sub(1) else { return out.copy_from_slice(x) };
    if out.is_empty() {
        return;
    }
    // Trailing axes that stay together move as one piece.
    let mut inner = last + 1;
    let mut piece = 1;
    while inner > 0 && steps[inner - 1] == piece {
        piece *= shape[inner - 1];
        inner -= 1;
    }
    let (outer, steps_outer) = (&shape[..inner], &steps[..inner]);
    let mut counter = [0usize; MAX_RANK];
    let mut from = 0;
    if piece == 1 && inner > 0 {
        // The last axis is strided: a short loop of single numbers.
        let (width, step) = (outer[inner - 1], steps_outer[inner - 1]);
        for row in out.chunks_exact_mut(width) {
            for (i, to) in row.iter_mut().enumerate() {
                *to = x[from + i * step];
            }
            advance(&mut counter, &outer[..inner - 1], &steps_outer[..inner - 1], &mut from);
        }
        return;
    }
    for to in out.chunks_exact_mut(piece) {
        to.copy_from_slice(&x[from..from + piece]);
        advance(&mut counter, outer, steps_outer, &mut from);
    }
}

/// One step of an odometer over `sizes`, which carries the position along.
#[inline]
fn advance(counter: &mut [usize; MAX_RANK], sizes: &[usize], steps: &[usize], at: &mut usize) {
    for i in (0..sizes.len()).rev() {
        counter[i] += 1;
        *at += steps[i];
        if counter[i] < sizes[i] {
            return;
        }
        *at -= steps[i] * sizes[i];
        counter[i] = 0;
    }
}

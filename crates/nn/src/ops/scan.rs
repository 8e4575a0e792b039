//! Running sums, and choices by mask.

use crate::backward::Pass;
use crate::shape::{around, axis_of};
use crate::tape::{Operation, Stored};
use crate::{Float, Tensor, loops};

#[derive(Clone, Copy)]
struct CumSum<F> {
    x: Stored<F>,
    axis: usize,
    reverse: bool,
}

impl<F: Float> Operation<F> for CumSum<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        pass.add(x, gradient.running_sum(self.axis, !self.reverse));
    }
}

#[derive(Clone, Copy)]
struct Where<F> {
    a: Stored<F>,
    b: Stored<F>,
    mask: *const [bool],
}

impl<F: Float> Operation<F> for Where<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let (a, b) = (pass.input(self.a), pass.input(self.b));
        // SAFETY: the mask lies in the arena of this step.
        let mask = unsafe { &*self.mask };
        let zero = gradient.graph().zeros(gradient.shape);
        pass.add(a, gradient.choose(mask, zero));
        pass.add(b, zero.choose(mask, gradient));
    }
}

impl<'g, F: Float> Tensor<'g, F> {
    /// Running sums along one axis (negative: from the end).
    pub fn cumsum(self, axis: isize) -> Self {
        self.running_sum(axis_of("cumsum", self.shape, axis), false)
    }

    fn running_sum(self, axis: usize, reverse: bool) -> Self {
        let [outer, size, inner] = around(self.shape, axis);
        let out = self.core.buffer(self.len());
        out.copy_from_slice(self.data);
        for block in out.chunks_exact_mut((size * inner).max(1)).take(outer) {
            for i in 1..size {
                let (from, to) = if reverse { (size - i, size - 1 - i) } else { (i - 1, i) };
                let (low, high) = block.split_at_mut(from.max(to) * inner);
                let (a, b) = (&mut low[from.min(to) * inner..][..inner], &mut high[..inner]);
                if reverse {
                    loops::add_to(b, a);
                } else {
                    loops::add_to(a, b);
                }
            }
        }
        self.core.record(out, self.shape, &[self], CumSum { x: self.store(), axis, reverse })
    }

    /// This tensor's numbers where the mask is true, the other's elsewhere.
    ///
    /// # Panics
    /// If the shapes differ or the mask has another length.
    pub fn where_mask(self, mask: &[bool], other: Self) -> Self {
        assert_eq!(self.shape, other.shape, "where_mask: the shapes differ");
        assert_eq!(
            mask.len(),
            self.len(),
            "where_mask: the mask (left) is not as long as the tensor (right)"
        );
        self.choose(self.core.arena.copy(mask), other)
    }

    /// As [`Tensor::masked_fill`], for a mask that lies in the arena.
    pub(crate) fn masked_fill_at(self, mask: &'g [bool], value: f64) -> Self {
        self.graph().full(self.shape, value).choose(mask, self)
    }

    /// `value` where the mask is true, this tensor's numbers elsewhere.
    ///
    /// # Panics
    /// If the mask has another length.
    pub fn masked_fill(self, mask: &[bool], value: f64) -> Self {
        self.graph().full(self.shape, value).where_mask(mask, self)
    }

    fn choose(self, mask: &'g [bool], other: Self) -> Self {
        let out = self.core.buffer(self.len());
        for (((out, &mask), &a), &b) in out.iter_mut().zip(mask).zip(self.data).zip(other.data) {
            *out = if mask { a } else { b };
        }
        let operation = Where { a: self.store(), b: other.store(), mask };
        self.core.record(out, self.shape, &[self, other], operation)
    }
}

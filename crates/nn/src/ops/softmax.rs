//! Softmax and its logarithm, over the last axis.

use crate::backward::Pass;
use crate::pool::Parts;
use crate::tape::{Operation, Stored};
use crate::{Float, Tensor, compiled_once, loops, multiversion};

#[derive(Clone, Copy)]
struct Softmax<F> {
    x: Stored<F>,
}

impl<F: Float> Operation<F> for Softmax<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, y: Tensor<'g, F>, g: Tensor<'g, F>) {
        let x = pass.input(self.x);
        if pass.is_recorded() {
            return pass.add(x, y * (g - (g * y).sum_axis(-1, true)));
        }
        let width = x.shape[x.shape.len() - 1];
        pass.accumulate(x, |sum, add| {
            let (len, sum) = (sum.len(), Parts::new(sum));
            x.core.parts(len, width, |start, len| {
                let range = start..start + len;
                // SAFETY: the parts do not overlap.
                let out = unsafe { sum.part(start, len) };
                softmax_backward(&y.data[range.clone()], &g.data[range], width, out, add);
            });
        });
    }
}

#[derive(Clone, Copy)]
struct LogSoftmax<F> {
    x: Stored<F>,
}

impl<F: Float> Operation<F> for LogSoftmax<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, y: Tensor<'g, F>, g: Tensor<'g, F>) {
        let x = pass.input(self.x);
        pass.add(x, g - y.exp() * g.sum_axis(-1, true));
    }
}

#[derive(Clone, Copy)]
struct LogSumExp<F> {
    x: Stored<F>,
}

impl<F: Float> Operation<F> for LogSumExp<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, y: Tensor<'g, F>, g: Tensor<'g, F>) {
        let x = pass.input(self.x);
        let mut column = crate::Shape::new(x.shape);
        let last = column.len() - 1;
        column[last] = 1;
        let probability = (x - y.reshape(&column)).exp();
        pass.add(x, g.reshape(&column) * probability);
    }
}

impl<'g, F: Float> Tensor<'g, F> {
    fn last_axis(&self, operation: &str) -> usize {
        let width = self.shape.last().copied().unwrap_or(0);
        assert!(width > 0, "{operation}: over the last axis of the shape {:?}", self.shape);
        width
    }

    /// Softmax over the last axis.
    pub fn softmax(self) -> Self {
        softmax(self)
    }

    /// The logarithm of the softmax over the last axis.
    pub fn log_softmax(self) -> Self {
        log_softmax(self)
    }

    /// `ln sum exp` over the last axis, which stays as 1 if `keep`, else goes.
    pub fn logsumexp(self, keep: bool) -> Self {
        logsumexp(self, keep)
    }
}

compiled_once! {
    fn softmax<'g, F>(x: Tensor<'g, F>) -> Tensor<'g, F> {
        let width = x.last_axis("softmax");
        let out = x.core.buffer(x.len());
        let parts = Parts::new(out);
        x.core.parts(x.len(), width, |start, len| {
            // SAFETY: the parts do not overlap.
            loops::softmax_rows(&x.data[start..start + len], width, unsafe { parts.part(start, len) });
        });
        x.core.record(out, x.shape, &[x], Softmax { x: x.store() })
    }

    fn log_softmax<'g, F>(x: Tensor<'g, F>) -> Tensor<'g, F> {
        let width = x.last_axis("log_softmax");
        let out = x.core.buffer(x.len());
        log_softmax_rows(x.data, width, out);
        x.core.record(out, x.shape, &[x], LogSoftmax { x: x.store() })
    }

    fn logsumexp<'g, F>(x: Tensor<'g, F>, keep: bool) -> Tensor<'g, F> {
        let width = x.last_axis("logsumexp");
        let out = x.core.buffer(x.len() / width);
        loops::logsumexp_rows(x.data, width, out);
        let mut shape = crate::Shape::new(x.shape);
        let last = shape.len() - 1;
        shape[last] = 1;
        let shape = if keep { shape } else { shape.without(last) };
        x.core.record(out, &shape, &[x], LogSumExp { x: x.store() })
    }
}

multiversion! {
    fn softmax_backward[F: Float](y: &[F], g: &[F], width: usize, out: &mut [F], add: bool) |simd| {
        for ((y, g), out) in y.chunks_exact(width).zip(g.chunks_exact(width)).zip(out.chunks_exact_mut(width)) {
            let dot = loops::sum_of([y, g], |[y, g]| y * g);
            if add {
                for ((out, &y), &g) in out.iter_mut().zip(y).zip(g) {
                    *out += y * (g - dot);
                }
            } else {
                for ((out, &y), &g) in out.iter_mut().zip(y).zip(g) {
                    *out = y * (g - dot);
                }
            }
        }
    }

    fn log_softmax_rows[F: Float](x: &[F], width: usize, y: &mut [F]) |simd| {
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            let max = loops::max_of(x);
            let normalizer = max + loops::sum_of([x], |[x]| (x - max).exp()).ln();
            for (y, &x) in y.iter_mut().zip(x) {
                *y = x - normalizer;
            }
        }
    }
}

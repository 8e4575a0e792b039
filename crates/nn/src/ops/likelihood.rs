//! Log-probabilities of classes and the cross entropy, straight from logits.

use super::Index;
use crate::backward::Pass;
use crate::pool::Parts;
use crate::tape::{Operation, Stored};
use crate::{Float, Shape, Tensor, compiled_once, loops, multiversion};

#[derive(Clone, Copy)]
struct LogProb<F> {
    x: Stored<F>,
    at: *const [u32],
    /// `ln sum exp` of every row.
    normalizers: *const [F],
}

impl<F: Float> Operation<F> for LogProb<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        // SAFETY: they lie in the arena of this step.
        let (at, normalizers) = unsafe { (&*self.at, &*self.normalizers) };
        let axis = x.shape.len() - 1;
        let width = x.shape[axis];
        if pass.is_recorded() {
            let g = gradient.reshape(&Shape::new(x.shape).with(axis, 1));
            return pass.add(x, g.scatter_along(axis, width, at) - x.softmax() * g);
        }
        pass.accumulate(x, |sum, add| {
            let (len, sum) = (sum.len(), Parts::new(sum));
            x.core.parts(len, width, |start, len| {
                let rows = start / width..(start + len) / width;
                backward_rows(
                    &x.data[start..start + len],
                    &at[rows.clone()],
                    &normalizers[rows.clone()],
                    &gradient.data[rows],
                    // SAFETY: the parts do not overlap.
                    unsafe { sum.part(start, len) },
                    add,
                );
            });
        });
    }
}

impl<'g, F: Float> Tensor<'g, F> {
    /// The log-probability of one class of every row of logits: `[..., n] -> [...]`, what
    /// `log_softmax().gather(classes)` is, without the array between.
    ///
    /// # Panics
    /// If there is not one class for every row, or one is not below `n`.
    pub fn log_prob<I: Index>(self, classes: &[I]) -> Self {
        let width = self.shape.last().copied().unwrap_or(0);
        let rows = self.len() / width.max(1);
        assert!(
            width > 0 && classes.len() == rows,
            "log_prob: {} classes for logits of shape {:?}",
            classes.len(),
            self.shape
        );
        self.log_prob_at(self.indices_in("log_prob", classes, width))
    }

    fn log_prob_at(self, at: &'g [u32]) -> Self {
        log_prob_at(self, at)
    }

    /// The mean negative log-probability of the right classes, of shape `[]`: PyTorch's `cross_entropy`.
    ///
    /// Rows whose class is `ignore` do not count. With `weights`, one for every class, it is the weighted mean.
    ///
    /// # Panics
    /// If there is not one class for every row, one is not below `n`, or every row is ignored.
    pub fn cross_entropy<I: Index>(
        self,
        classes: &[I],
        ignore: Option<usize>,
        weights: Option<&[f64]>,
    ) -> Self {
        let width = self.shape.last().copied().unwrap_or(0);
        let rows = self.len() / width.max(1);
        assert!(
            width > 0 && classes.len() == rows,
            "cross_entropy: {} classes for logits of shape {:?}",
            classes.len(),
            self.shape
        );
        if let Some(weights) = weights {
            assert_eq!(weights.len(), width, "cross_entropy: one weight (left) for every class (right)");
        }
        let at = self.core.arena.slice::<u32>(rows);
        let shares = self.core.buffer(rows);
        let mut total = 0.0;
        for ((at, share), class) in at.iter_mut().zip(shares.iter_mut()).zip(classes) {
            let class = class.index();
            let weight = if ignore == Some(class) {
                *at = 0;
                0.0
            } else {
                assert!(class < width, "cross_entropy: class {class} of {width}");
                *at = class as u32;
                weights.map_or(1.0, |weights| weights[class])
            };
            total += weight;
            *share = F::from_f64(-weight);
        }
        assert!(total > 0.0, "cross_entropy: no row counts");
        let shape = &self.shape[..self.shape.len() - 1];
        let shares = self.core.unrecorded(shares, shape);
        (self.log_prob_at(at) * shares).sum() * (1.0 / total)
    }
}

compiled_once! {
    fn log_prob_at<'g, F>(x: Tensor<'g, F>, at: &'g [u32]) -> Tensor<'g, F> {
        let axis = x.shape.len() - 1;
        let width = x.shape[axis];
        let normalizers = x.core.buffer(at.len());
        let parts = Parts::new(normalizers);
        x.core.parts(x.len(), width, |start, len| {
            // SAFETY: the parts do not overlap.
            let out = unsafe { parts.part(start / width, len / width) };
            loops::logsumexp_rows(&x.data[start..start + len], width, out);
        });
        let normalizers = &*normalizers;
        let out = x.core.buffer(at.len());
        for (r, out) in out.iter_mut().enumerate() {
            *out = x.data[r * width + at[r] as usize] - normalizers[r];
        }
        x.core.record(out, &x.shape[..axis], &[x], LogProb { x: x.store(), at, normalizers })
    }
}

multiversion! {
    fn backward_rows[F: Float](x: &[F], at: &[u32], normalizers: &[F], g: &[F], dx: &mut [F], add: bool) |simd| {
        if x.is_empty() {
            return;
        }
        let width = x.len() / at.len();
        for (r, (x, dx)) in x.chunks_exact(width).zip(dx.chunks_exact_mut(width)).enumerate() {
            let (g, normalizer) = (g[r], normalizers[r]);
            if g == F::ZERO {
                if !add {
                    dx.fill(F::ZERO);
                }
                continue;
            }
            if add {
                for (dx, &x) in dx.iter_mut().zip(x) {
                    *dx -= g * (x - normalizer).exp();
                }
            } else {
                for (dx, &x) in dx.iter_mut().zip(x) {
                    *dx = -g * (x - normalizer).exp();
                }
            }
            dx[at[r] as usize] += g;
        }
    }
}

//! Attention of one new position to all earlier ones, which are kept.

use crate::kernels::{max_of, sum_of};
use crate::pool::Parts;
use crate::{Float, Tensor, multiversion};

/// Keys and values of one layer.
#[derive(Debug, Clone)]
pub(crate) struct CachedLayer<F> {
    /// `[B, kv_heads, D, capacity]`: scores are then sums over contiguous rows.
    keys: Vec<F>,
    /// `[B, kv_heads, capacity, D]`.
    values: Vec<F>,
    pub(crate) batch: usize,
    pub(crate) heads: usize,
    pub(crate) width: usize,
    pub(crate) capacity: usize,
}

impl<F: Float> CachedLayer<F> {
    pub(crate) fn new(batch: usize, heads: usize, width: usize, capacity: usize) -> Self {
        let zeros = vec![F::ZERO; batch * heads * width * capacity];
        CachedLayer { keys: zeros.clone(), values: zeros, batch, heads, width, capacity }
    }

    /// Keeps the keys and values `[heads * D]` of position `t` of batch row `b`.
    pub(crate) fn put(&mut self, b: usize, t: usize, keys: &[F], values: &[F]) {
        assert!(
            b < self.batch && t < self.capacity,
            "a cache of {} x {} positions",
            self.batch,
            self.capacity
        );
        for h in 0..self.heads {
            let start = (b * self.heads + h) * self.width * self.capacity;
            let range = h * self.width..(h + 1) * self.width;
            for (d, &key) in keys[range.clone()].iter().enumerate() {
                self.keys[start + d * self.capacity + t] = key;
            }
            self.values[start + t * self.width..][..self.width].copy_from_slice(&values[range]);
        }
    }

    /// Keeps these batch rows only, in this order.
    pub(crate) fn select(&mut self, rows: &[usize]) {
        let size = self.heads * self.width * self.capacity;
        for x in [&mut self.keys, &mut self.values] {
            *x = rows.iter().flat_map(|&b| x[b * size..(b + 1) * size].iter().copied()).collect();
        }
        self.batch = rows.len();
    }
}

impl<'g, F: Float> Tensor<'g, F> {
    /// Attention of one query per batch row, `[B, heads * D]`, to the first `lengths[b]` kept positions. Not recorded.
    pub(crate) fn attend_cached(self, cache: &CachedLayer<F>, lengths: &[usize]) -> Self {
        let (core, all) = (self.core, self.shape[1]);
        let (width, capacity) = (cache.width, cache.capacity);
        let heads = all / width;
        let group = heads / cache.heads;
        assert_eq!(lengths.len(), self.shape[0], "attend_cached: one length (left) for every row (right)");
        assert!(lengths.iter().all(|&n| n >= 1 && n <= capacity));
        let out = core.buffer(self.len());
        let parts = Parts::new(out);
        let scratch = Parts::new(core.buffer(core.pool.threads() * capacity));
        core.pool.run_with_thread(lengths.len(), |b, thread| {
            // SAFETY: a thread's own scratch, and a row's own outputs.
            let (scores, out) =
                unsafe { (scratch.part(thread * capacity, capacity), parts.part(b * all, all)) };
            for h in 0..heads {
                let start = (b * cache.heads + h / group) * width * capacity;
                let range = h * width..(h + 1) * width;
                attend_one(
                    &self.data[b * all..][range.clone()],
                    &cache.keys[start..start + width * capacity],
                    &cache.values[start..start + lengths[b] * width],
                    &mut scores[..lengths[b]],
                    &mut out[range],
                );
            }
        });
        core.unrecorded(out, self.shape)
    }
}

multiversion! {
    fn attend_one[F: Float](q: &[F], keys: &[F], values: &[F], scores: &mut [F], out: &mut [F]) |simd| {
        let (n, width) = (scores.len(), q.len());
        let capacity = keys.len() / width;
        let scale = F::from_f64(1.0 / (width as f64).sqrt());
        let mut start = 0;
        while start + 32 <= n {
            let mut sums = [F::ZERO; 32];
            for (d, &q) in q.iter().enumerate() {
                let keys = &keys[d * capacity + start..][..32];
                for (sum, &k) in sums.iter_mut().zip(keys) {
                    *sum = simd.fma(q, k, *sum);
                }
            }
            scores[start..start + 32].copy_from_slice(&sums);
            start += 32;
        }
        for t in start..n {
            let mut sum = F::ZERO;
            for (d, &q) in q.iter().enumerate() {
                sum = simd.fma(q, keys[d * capacity + t], sum);
            }
            scores[t] = sum;
        }
        let max = max_of(scores) * scale;
        for p in scores.iter_mut() {
            *p = (*p * scale - max).exp();
        }
        let share = F::ONE / sum_of(n, |i| scores[i]);
        let mut start = 0;
        while start + 32 <= width {
            let mut sums = [F::ZERO; 32];
            for (t, &p) in scores.iter().enumerate() {
                let values = &values[t * width + start..][..32];
                for (sum, &v) in sums.iter_mut().zip(values) {
                    *sum = simd.fma(p, v, *sum);
                }
            }
            for (out, sum) in out[start..start + 32].iter_mut().zip(sums) {
                *out = sum * share;
            }
            start += 32;
        }
        for d in start..width {
            let mut sum = F::ZERO;
            for (t, &p) in scores.iter().enumerate() {
                sum = simd.fma(p, values[t * width + d], sum);
            }
            out[d] = sum * share;
        }
    }
}

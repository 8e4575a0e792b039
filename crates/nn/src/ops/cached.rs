//! Attention of one new position to all earlier ones, which are kept.

use crate::loops::{max_of, sum_of};
use crate::pool::Parts;
use crate::simd::Simd;
use crate::{Float, Tensor, multiversion};

/// Keys and values of one layer.
#[derive(Debug, Clone)]
pub(crate) struct CachedLayer<F> {
    /// `[B, kv_heads, capacity / CHUNK, D, CHUNK]`: the scores of a chunk are sums of contiguous rows, and the first
    /// positions are contiguous too.
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
        let capacity = capacity.next_multiple_of(CHUNK);
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
                self.keys[start + (t / CHUNK * self.width + d) * CHUNK + t % CHUNK] = key;
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
                    &cache.values[start..start + width * capacity],
                    lengths[b],
                    scores,
                    &mut out[range],
                );
            }
        });
        core.unrecorded(out, self.shape)
    }
}

/// Positions are kept in whole chunks of this many, so that scores need no loop over a rest.
const CHUNK: usize = 32;

multiversion! {
    /// One query against the first `n` positions; `scores` has room for whole chunks.
    fn attend_one[F: Float](q: &[F], keys: &[F], values: &[F], n: usize, scores: &mut [F], out: &mut [F]) |simd| {
        let width = q.len();
        let scale = F::from_f64(1.0 / (width as f64).sqrt());
        let chunks = scores.chunks_exact_mut(CHUNK).zip(keys.chunks_exact(CHUNK * width));
        for (scores, keys) in chunks.take(n.div_ceil(CHUNK)) {
            score_chunk(simd, q, keys, scores);
        }
        let scores = &mut scores[..n];
        let max = max_of(scores) * scale;
        for p in scores.iter_mut() {
            *p = (*p * scale - max).exp();
        }
        let share = F::ONE / sum_of([scores], |[p]| p);
        let mut start = 0;
        while start < width {
            start += match width - start {
                left if left >= 32 => mix_values::<_, F, 32>(simd, scores, values, width, start, share, out),
                left if left >= 16 => mix_values::<_, F, 16>(simd, scores, values, width, start, share, out),
                left if left >= 4 => mix_values::<_, F, 4>(simd, scores, values, width, start, share, out),
                _ => mix_values::<_, F, 1>(simd, scores, values, width, start, share, out),
            };
        }
    }
}

/// Inner products of a query with the keys of a chunk; two sums are under way.
#[inline(always)]
fn score_chunk<S: Simd, F: Float>(simd: S, q: &[F], keys: &[F], scores: &mut [F]) {
    let mut sums = [[F::ZERO; CHUNK]; 2];
    for (q, keys) in q.chunks(2).zip(keys.chunks(2 * CHUNK)) {
        for ((&q, keys), sums) in q.iter().zip(keys.chunks_exact(CHUNK)).zip(&mut sums) {
            for (sum, &k) in sums.iter_mut().zip(keys) {
                *sum = simd.fma(q, k, *sum);
            }
        }
    }
    for (i, score) in scores.iter_mut().enumerate() {
        *score = sums[0][i] + sums[1][i];
    }
}

/// `N` columns of the mean of the values; four positions at a time, so that four sums are under way.
#[inline(always)]
fn mix_values<S: Simd, F: Float, const N: usize>(
    simd: S,
    scores: &[F],
    values: &[F],
    width: usize,
    start: usize,
    share: F,
    out: &mut [F],
) -> usize {
    let mut sums = [[F::ZERO; N]; 4];
    let mut fours = scores.chunks_exact(4);
    let mut rows = values.chunks_exact(4 * width);
    for (p, block) in (&mut fours).zip(&mut rows) {
        for (i, sums) in sums.iter_mut().enumerate() {
            let row = &block[i * width + start..i * width + start + N];
            for (sum, &v) in sums.iter_mut().zip(row) {
                *sum = simd.fma(p[i], v, *sum);
            }
        }
    }
    let done = scores.len() / 4 * 4;
    for (i, &p) in fours.remainder().iter().enumerate() {
        let row = &values[(done + i) * width + start..][..N];
        for (sum, &v) in sums[0].iter_mut().zip(row) {
            *sum = simd.fma(p, v, *sum);
        }
    }
    for (i, out) in out[start..start + N].iter_mut().enumerate() {
        *out = ((sums[0][i] + sums[1][i]) + (sums[2][i] + sums[3][i])) * share;
    }
    N
}

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
        let size = self.heads * self.width * self.capacity;
        let row = b * size..(b + 1) * size;
        put_in_row(self.width, t, [keys, values], [&mut self.keys[row.clone()], &mut self.values[row]]);
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
    /// Keeps the keys and values `[B, kv_heads * D]` of one more position of every batch row, which now has `lengths[b]`, and returns the
    /// attention of one query per row, `[B, heads * D]`, to all its positions. Not recorded.
    pub(crate) fn attend_next(
        self,
        [k, v]: [Self; 2],
        cache: &mut CachedLayer<F>,
        lengths: &[usize],
    ) -> Self {
        let (core, all, kept) = (self.core, self.shape[1], k.shape[1]);
        let (width, capacity, kv_heads) = (cache.width, cache.capacity, cache.heads);
        let heads = all / width;
        let group = heads / kv_heads;
        assert_eq!(lengths.len(), self.shape[0], "attend_next: one length (left) for every row (right)");
        assert_eq!(
            cache.batch, self.shape[0],
            "attend_next: a row of the cache (left) for every row (right)"
        );
        assert!(lengths.iter().all(|&n| n >= 1 && n <= capacity));
        let out = core.buffer(self.len());
        let parts = Parts::new(out);
        let size = kv_heads * width * capacity;
        let (keys, values) = (Parts::new(&mut cache.keys), Parts::new(&mut cache.values));
        let scratch = Parts::new(core.buffer(core.pool.threads() * capacity));
        core.pool.run_with_thread(lengths.len(), |b, thread| {
            // SAFETY: a thread's own scratch, and a row's own outputs, keys and values.
            let (scores, out, keys, values) = unsafe {
                (
                    scratch.part(thread * capacity, capacity),
                    parts.part(b * all, all),
                    keys.part(b * size, size),
                    values.part(b * size, size),
                )
            };
            let own = b * kept..(b + 1) * kept;
            put_in_row(width, lengths[b] - 1, [&k.data[own.clone()], &v.data[own]], [keys, values]);
            for h in 0..heads {
                let start = h / group * width * capacity;
                let range = h * width..(h + 1) * width;
                attend_one(
                    &self.data[b * all..][range.clone()],
                    &keys[start..start + width * capacity],
                    &values[start..start + width * capacity],
                    lengths[b],
                    scores,
                    &mut out[range],
                );
            }
        });
        core.unrecorded(out, self.shape)
    }
}

/// Writes keys and values `[heads * D]` to position `t` of a batch row's own.
fn put_in_row<F: Float>(
    width: usize,
    t: usize,
    [keys, values]: [&[F]; 2],
    [kept_keys, kept_values]: [&mut [F]; 2],
) {
    let heads = keys.len() / width;
    let size = kept_keys.len() / heads;
    for h in 0..heads {
        let range = h * width..(h + 1) * width;
        let chunk = &mut kept_keys[h * size + t / CHUNK * width * CHUNK..][..width * CHUNK];
        for (row, &key) in chunk.chunks_exact_mut(CHUNK).zip(&keys[range.clone()]) {
            row[t % CHUNK] = key;
        }
        kept_values[h * size + t * width..][..width].copy_from_slice(&values[range]);
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

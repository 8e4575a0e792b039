//! Causal multi-head attention, fused: no array of all scores is ever written.

use crate::backward::Pass;
use crate::gemm::{Matrix, fill_rows, product, product_at};
use crate::loops::{max_of, sum_of};
use crate::pool::Parts;
use crate::tape::{Core, Operation, Stored};
use crate::{Float, Graph, Tensor, compiled_once, multiversion};

/// Queries whose scores are in memory at one time.
const QUERIES: usize = 32;

/// How the axes of an attention are read.
#[derive(Debug, Clone, Copy)]
pub struct Attention<'a> {
    /// Query heads.
    pub heads: usize,
    /// Heads of keys and values; each serves `heads / kv_heads` query heads (Ainslie et al. 2023).
    pub kv_heads: usize,
    /// A query sees its own position and those before only.
    pub causal: bool,
    /// How many positions of every batch row are real; those behind are padding, see nothing and are not seen.
    pub lengths: Option<&'a [usize]>,
}

impl Attention<'_> {
    /// Causal self-attention with as many heads of keys and values as of queries, without padding.
    pub fn causal(heads: usize) -> Self {
        Attention { heads, kv_heads: heads, causal: true, lengths: None }
    }
}

#[derive(Clone, Copy)]
struct Attend<F> {
    q: Stored<F>,
    k: Stored<F>,
    v: Stored<F>,
    sizes: Sizes,
    lengths: *const [usize],
    /// `ln sum exp` of the scores of every query of every head: `[B, H, T]`.
    normalizers: *const [F],
}

#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    time: usize,
    heads: usize,
    kv_heads: usize,
    width: usize,
    causal: bool,
}

impl Sizes {
    /// Where head `h` of position `t` of batch row `b` starts, among `heads` heads.
    fn at(&self, heads: usize, b: usize, t: usize, h: usize) -> usize {
        ((b * self.time + t) * heads + h) * self.width
    }

    fn matrix<'a, F: Float>(&self, x: &'a [F], heads: usize, b: usize, t: usize, h: usize) -> Matrix<'a, F> {
        Matrix::new(&x[self.at(heads, b, t, h)..], heads * self.width)
    }

    fn scale<F: Float>(&self) -> F {
        F::from_f64(1.0 / (self.width as f64).sqrt())
    }

    /// Keys that queries below `end` may see.
    fn keys(&self, end: usize, length: usize) -> usize {
        if self.causal { end.min(length) } else { length }
    }
}

impl<F: Float> Operation<F> for Attend<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, output: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        pass.first_order_only("attention");
        let (q, k, v) = (pass.input(self.q), pass.input(self.k), pass.input(self.v));
        let (core, s) = (q.core, self.sizes);
        // SAFETY: they lie in the arena of this step.
        let (lengths, normalizers) = unsafe { (&*self.lengths, &*self.normalizers) };
        let (dq, dk, dv) = (core.buffer(q.len()), core.buffer(k.len()), core.buffer(v.len()));
        let (dq_parts, dk_parts, dv_parts) = (Parts::new(dq), Parts::new(dk), Parts::new(dv));
        let room = QUERIES * s.time;
        let scratch = Parts::new(core.buffer(core.pool.threads() * 2 * room));
        let (row, kv_row) = (s.heads * s.width, s.kv_heads * s.width);
        let group = s.heads / s.kv_heads;
        core.pool.run_with_thread(s.batch * s.kv_heads, |task, thread| {
            let (b, g) = (task / s.kv_heads, task % s.kv_heads);
            let length = lengths[b];
            // SAFETY: a thread's own scratch.
            let (p, dp) = unsafe { scratch.part(thread * 2 * room, 2 * room) }.split_at_mut(room);
            let keys = s.matrix(k.data, s.kv_heads, b, 0, g);
            let values = s.matrix(v.data, s.kv_heads, b, 0, g);
            let at = s.at(s.kv_heads, b, 0, g);
            let (dk, dv) = (dk_parts.at(at), dv_parts.at(at));
            for x in [dk, dv] {
                // SAFETY: the columns of one head of one batch row are this task's.
                unsafe { fill_rows(x, kv_row, s.time, s.width) };
            }
            for h in g * group..(g + 1) * group {
                for first in (0..s.time).step_by(QUERIES) {
                    let end = (first + QUERIES).min(s.time);
                    let at = s.at(s.heads, b, first, h);
                    let dq = dq_parts.at(at);
                    let rows = end.min(length).saturating_sub(first);
                    // SAFETY: as above.
                    unsafe { fill_rows(dq.wrapping_add(rows * row), row, end - first - rows, s.width) };
                    if rows == 0 {
                        continue;
                    }
                    let n = s.keys(first + rows, length);
                    let (p, dp) = (&mut p[..rows * n], &mut dp[..rows * n]);
                    let queries = s.matrix(q.data, s.heads, b, first, h);
                    let dout = s.matrix(gradient.data, s.heads, b, first, h);
                    product([rows, n, s.width], p, n, false, queries, keys.transposed(), nothing);
                    product([rows, n, s.width], dp, n, false, dout, values.transposed(), nothing);
                    let from = (b * s.heads + h) * s.time + first;
                    let out = s.matrix(output.data, s.heads, b, first, h);
                    let seen = if s.causal { first + 1 } else { n };
                    backward_scores(
                        p,
                        dp,
                        n,
                        &normalizers[from..from + rows],
                        [dout.data, out.data],
                        [row, s.width],
                        seen,
                        s.scale(),
                    );
                    let (p, ds) = (Matrix::new(p, n), Matrix::new(dp, n));
                    // SAFETY: as above.
                    unsafe {
                        product_at(
                            [n, s.width, rows],
                            dv,
                            kv_row,
                            true,
                            p.transposed(),
                            dout,
                            |_, _, _, _| (),
                        );
                        product_at([rows, s.width, n], dq, row, false, ds, keys, |_, _, _, _| ());
                        product_at(
                            [n, s.width, rows],
                            dk,
                            kv_row,
                            true,
                            ds.transposed(),
                            queries,
                            |_, _, _, _| (),
                        );
                    }
                }
            }
        });
        for (x, dx) in [(q, &*dq), (k, &*dk), (v, &*dv)] {
            let dx = core.unrecorded(dx, x.shape);
            pass.add(x, dx);
        }
    }
}

fn nothing<F>(_: &mut [F], _: usize, _: usize, _: usize, _: usize) {}

impl<'g, F: Float> Tensor<'g, F> {
    /// Attention of these queries `[B, T, heads * D]` to `keys` and `values` `[B, T, kv_heads * D]`:
    /// `softmax(Q K^T / sqrt(D)) V` for every head (Vaswani et al. 2017), `[B, T, heads * D]`.
    ///
    /// Rows of padding give 0. It has no second derivative.
    ///
    /// # Panics
    /// If the shapes do not fit, or a length exceeds `T`.
    pub fn attention(self, keys: Self, values: Self, how: Attention<'_>) -> Self {
        attention(self, keys, values, how)
    }
}

compiled_once! {
    fn attention<'g, F>(queries: Tensor<'g, F>, keys: Tensor<'g, F>, values: Tensor<'g, F>, how: Attention<'_>) -> Tensor<'g, F> {
        let wrong = || -> ! {
            panic!(
                "attention: queries {:?}, keys {:?} and values {:?} do not fit {how:?}",
                queries.shape, keys.shape, values.shape
            )
        };
        let [batch, time, all] = *queries.shape else { wrong() };
        if how.kv_heads == 0 || !how.heads.is_multiple_of(how.kv_heads) || !all.is_multiple_of(how.heads) {
            wrong();
        }
        let width = all / how.heads;
        let expected = [batch, time, how.kv_heads * width];
        let lengths_fit = how.lengths.is_none_or(|l| l.len() == batch && l.iter().all(|&l| l <= time));
        if keys.shape != expected || values.shape != expected || !lengths_fit || width == 0 || time == 0 {
            wrong();
        }
        let core = queries.core;
        let s = Sizes { batch, time, heads: how.heads, kv_heads: how.kv_heads, width, causal: how.causal };
        let lengths: &[usize] = match how.lengths {
            Some(lengths) => core.arena.copy(lengths),
            None => {
                let full = core.arena.slice::<usize>(batch);
                full.fill(time);
                full
            }
        };
        let out = core.buffer(queries.len());
        let normalizers = core.buffer(batch * s.heads * time);
        forward(core, s, [queries.data, keys.data, values.data], lengths, out, normalizers);
        let operation = Attend {
            q: queries.store(),
            k: keys.store(),
            v: values.store(),
            sizes: s,
            lengths,
            normalizers: &*normalizers,
        };
        core.record(out, queries.shape, &[queries, keys, values], operation)
    }
}

fn forward<F: Float>(
    core: &Core<F>,
    s: Sizes,
    [q, k, v]: [&[F]; 3],
    lengths: &[usize],
    out: &mut [F],
    normalizers: &mut [F],
) {
    let (out_parts, normalizer_parts) = (Parts::new(out), Parts::new(normalizers));
    let room = QUERIES * s.time;
    let scratch = Parts::new(core.buffer(core.pool.threads() * room));
    let row = s.heads * s.width;
    core.pool.run_with_thread(s.batch * s.heads, |task, thread| {
        let (b, h) = (task / s.heads, task % s.heads);
        let g = h / (s.heads / s.kv_heads);
        let length = lengths[b];
        // SAFETY: a thread's own scratch.
        let p = unsafe { scratch.part(thread * room, room) };
        // SAFETY: a task's own row.
        let normalizers = unsafe { normalizer_parts.part(task * s.time, s.time) };
        let keys = s.matrix(k, s.kv_heads, b, 0, g);
        let values = s.matrix(v, s.kv_heads, b, 0, g);
        for first in (0..s.time).step_by(QUERIES) {
            let end = (first + QUERIES).min(s.time);
            let out = out_parts.at(s.at(s.heads, b, first, h));
            let rows = end.min(length).saturating_sub(first);
            // SAFETY: the columns of one head of one batch row are this task's.
            unsafe { fill_rows(out.wrapping_add(rows * row), row, end - first - rows, s.width) };
            if rows == 0 {
                continue;
            }
            let n = s.keys(first + rows, length);
            let p = &mut p[..rows * n];
            let queries = s.matrix(q, s.heads, b, first, h);
            product([rows, n, s.width], p, n, false, queries, keys.transposed(), nothing);
            let seen = if s.causal { first + 1 } else { n };
            softmax_scores(p, n, &mut normalizers[first..first + rows], seen, s.scale());
            let p = Matrix::new(p, n);
            // SAFETY: as above.
            unsafe { product_at([rows, s.width, n], out, row, false, p, values, |_, _, _, _| ()) };
        }
    });
}

multiversion! {
    /// Turns scores into probabilities, row by row. Row `r` sees the first `seen + r` keys.
    fn softmax_scores[F: Float](p: &mut [F], n: usize, normalizers: &mut [F], seen: usize, scale: F) |simd| {
        for (r, (row, normalizer)) in p.chunks_exact_mut(n).zip(normalizers).enumerate() {
            let (row, hidden) = row.split_at_mut((seen + r).min(n));
            hidden.fill(F::ZERO);
            let max = max_of(row) * scale;
            for p in row.iter_mut() {
                *p = (*p * scale - max).exp();
            }
            let sum = sum_of([row], |[p]| p);
            let share = F::ONE / sum;
            for p in row.iter_mut() {
                *p *= share;
            }
            *normalizer = max + sum.ln();
        }
    }

    /// From scores and the gradients of probabilities: probabilities in `p`, the gradients of scores in `dp`.
    fn backward_scores[F: Float](
        p: &mut [F], dp: &mut [F], n: usize, normalizers: &[F], pair: [&[F]; 2], sizes: [usize; 2],
        seen: usize, scale: F,
    ) |simd| {
        let ([dout, out], [row, width]) = (pair, sizes);
        for (r, (p, dp)) in p.chunks_exact_mut(n).zip(dp.chunks_exact_mut(n)).enumerate() {
            let seen = (seen + r).min(n);
            // The sum of p dp over the keys is the inner product of the output and its gradient.
            let (g, o) = (&dout[r * row..r * row + width], &out[r * row..r * row + width]);
            let level = sum_of([g, o], |[g, o]| g * o);
            let normalizer = normalizers[r];
            let (p, p_hidden) = p.split_at_mut(seen);
            let (dp, dp_hidden) = dp.split_at_mut(seen);
            p_hidden.fill(F::ZERO);
            dp_hidden.fill(F::ZERO);
            for (p, dp) in p.iter_mut().zip(dp) {
                *p = (*p * scale - normalizer).exp();
                *dp = *p * (*dp - level) * scale;
            }
        }
    }
}

/// Cosines and sines of positions, for [`Tensor::rotate`].
#[derive(Debug, Clone, Copy)]
pub struct Rotary<'g, F: Float> {
    cos: &'g [F],
    sin: &'g [F],
    positions: usize,
    half: usize,
}

impl<'g, F: Float> Graph<'g, F> {
    /// The rotations of rotary position embedding (Su et al. 2021) for these positions: pair `i` of a head of
    /// `width` turns by `position / base^(2 i / width)`.
    ///
    /// # Panics
    /// If the width is odd.
    pub fn rotary(&self, positions: &[usize], width: usize, base: f64) -> Rotary<'g, F> {
        assert!(width.is_multiple_of(2), "rotary: heads of odd width {width}");
        let half = width / 2;
        let cos = self.core.buffer(positions.len() * half);
        let sin = self.core.buffer(positions.len() * half);
        for (p, &position) in positions.iter().enumerate() {
            for i in 0..half {
                let angle = position as f64 * base.powf(-(i as f64) / half as f64);
                let (s, c) = angle.sin_cos();
                cos[p * half + i] = F::from_f64(c);
                sin[p * half + i] = F::from_f64(s);
            }
        }
        Rotary { cos, sin, positions: positions.len(), half }
    }
}

#[derive(Clone, Copy)]
struct Rotate<F> {
    x: Stored<F>,
    cos: *const [F],
    sin: *const [F],
    positions: usize,
    half: usize,
    back: bool,
}

impl<F: Float> Operation<F> for Rotate<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        // SAFETY: they lie in the arena of this step.
        let (cos, sin) = unsafe { (&*self.cos, &*self.sin) };
        let rotary = Rotary { cos, sin, positions: self.positions, half: self.half };
        pass.add(x, gradient.turn(rotary, !self.back));
    }
}

impl<'g, F: Float> Tensor<'g, F> {
    /// Turns the pairs `(i, i + D / 2)` of every head of `[..., T, heads * D]` by the angles of its position, as
    /// Llama and Qwen do. The table has `T` positions, the same for every batch row, or one for every row.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn rotate(self, rotary: Rotary<'g, F>) -> Self {
        self.turn(rotary, false)
    }

    fn turn(self, rotary: Rotary<'g, F>, back: bool) -> Self {
        let all = self.shape.last().copied().unwrap_or(0);
        let rows = self.len() / all.max(1);
        assert!(
            all > 0
                && all.is_multiple_of(2 * rotary.half)
                && rotary.positions > 0
                && rows.is_multiple_of(rotary.positions),
            "rotate: heads of width {} and {} positions for the shape {:?}",
            2 * rotary.half,
            rotary.positions,
            self.shape
        );
        let out = self.core.buffer(self.len());
        let parts = Parts::new(out);
        self.core.parts(self.len(), all, |start, len| {
            // SAFETY: the parts do not overlap.
            let out = unsafe { parts.part(start, len) };
            let first = start / all % rotary.positions;
            turn_rows(
                &self.data[start..start + len],
                out,
                [rotary.cos, rotary.sin],
                rotary.half,
                all,
                first,
                back,
            );
        });
        let operation = Rotate {
            x: self.store(),
            cos: rotary.cos,
            sin: rotary.sin,
            positions: rotary.positions,
            half: rotary.half,
            back,
        };
        self.core.record(out, self.shape, &[self], operation)
    }
}

multiversion! {
    fn turn_rows[F: Float](
        x: &[F], y: &mut [F], tables: [&[F]; 2], half: usize, row: usize, first: usize, back: bool,
    ) |simd| {
        let [cos, sin] = tables;
        let positions = cos.len() / half;
        let sign = if back { -F::ONE } else { F::ONE };
        for (r, (x, y)) in x.chunks_exact(row).zip(y.chunks_exact_mut(row)).enumerate() {
            let position = (first + r) % positions;
            let cos = &cos[position * half..(position + 1) * half];
            let sin = &sin[position * half..(position + 1) * half];
            for (x, y) in x.chunks_exact(2 * half).zip(y.chunks_exact_mut(2 * half)) {
                let (x0, x1) = x.split_at(half);
                let (y0, y1) = y.split_at_mut(half);
                for i in 0..half {
                    let s = sign * sin[i];
                    y0[i] = x0[i] * cos[i] - x1[i] * s;
                    y1[i] = x1[i] * cos[i] + x0[i] * s;
                }
            }
        }
    }
}

//! Loops over slices that the operations are made of.

use crate::{Float, multiversion};

/// Lanes of one accumulator in sums: a fixed number, so that a sum is the same at every vector width.
pub const LANES: usize = 16;
/// Numbers that are summed apart from each other: four accumulators.
const STRIDE: usize = 4 * LANES;

/// Sum of `f` over slices walked in step, in 16 lanes times 4 accumulators that are added pairwise at the end.
#[inline(always)]
pub fn sum_of<F: Float, const N: usize>(slices: [&[F]; N], f: impl Fn([F; N]) -> F) -> F {
    let len = slices[0].len();
    let mut sums = [F::ZERO; STRIDE];
    let mut start = 0;
    while start < len / STRIDE * STRIDE {
        let chunks: [&[F; STRIDE]; N] = chunks(&slices, start);
        for (l, sum) in sums.iter_mut().enumerate() {
            *sum += f(across(&chunks, l));
        }
        start += STRIDE;
    }
    let mut lanes = [F::ZERO; LANES];
    for (l, lane) in lanes.iter_mut().enumerate() {
        *lane = (sums[l] + sums[l + LANES]) + (sums[l + 2 * LANES] + sums[l + 3 * LANES]);
    }
    while start < len / LANES * LANES {
        let chunks: [&[F; LANES]; N] = chunks(&slices, start);
        for (l, lane) in lanes.iter_mut().enumerate() {
            *lane += f(across(&chunks, l));
        }
        start += LANES;
    }
    let mut sum = sum_lanes(lanes);
    while start < len {
        let last: [&[F; 1]; N] = chunks(&slices, start);
        sum += f(across(&last, 0));
        start += 1;
    }
    sum
}

/// The parts of slices that start at `start`.
// Loops instead of `array::map`, here and below: that is seven functions in every crate for each sum, a tenth of some builds.
#[inline(always)]
fn chunks<'a, F, const M: usize, const N: usize>(slices: &[&'a [F]; N], start: usize) -> [&'a [F; M]; N] {
    let mut chunks = [chunk(slices[0], start); N];
    let mut i = 1;
    while i < N {
        chunks[i] = chunk(slices[i], start);
        i += 1;
    }
    chunks
}

/// Element `l` of each.
#[inline(always)]
fn across<F: Float, const M: usize, const N: usize>(chunks: &[&[F; M]; N], l: usize) -> [F; N] {
    let mut values = [F::ZERO; N];
    let mut i = 0;
    while i < N {
        values[i] = chunks[i][l];
        i += 1;
    }
    values
}

/// The part of a slice that starts at `start`, its length known to the compiler.
#[inline(always)]
pub fn chunk<F, const N: usize>(x: &[F], start: usize) -> &[F; N] {
    x[start..start + N].first_chunk().expect("the range has this length")
}

/// As [`chunk`], to write to.
#[inline(always)]
pub fn chunk_mut<F, const N: usize>(x: &mut [F], start: usize) -> &mut [F; N] {
    x[start..start + N].first_chunk_mut().expect("the range has this length")
}

/// The sum of 16 lanes, pairwise.
#[inline(always)]
pub fn sum_lanes<F: Float>(mut lanes: [F; LANES]) -> F {
    let mut width = LANES / 2;
    while width > 0 {
        for l in 0..width {
            lanes[l] += lanes[l + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Maximum of a slice; NaN if any is NaN, minus infinity if empty.
#[inline(always)]
pub fn max_of<F: Float>(x: &[F]) -> F {
    let mut lanes = [-F::INFINITY; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            // `!(x <= lane)` takes a NaN in and never lets it go.
            *lane = if x <= *lane || lane.is_nan() { *lane } else { x };
        }
    }
    lanes.iter().chain(rest).fold(-F::INFINITY, |m, &x| if x <= m || m.is_nan() { m } else { x })
}

multiversion! {
    /// `y <- f(x)`.
    pub fn map[F: Float, M: Fn(F) -> F](x: &[F], y: &mut [F], f: M) |simd| {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = f(x);
        }
    }

    /// `z <- f(x, y)`.
    pub fn zip[F: Float, M: Fn(F, F) -> F](x: &[F], y: &[F], z: &mut [F], f: M) |simd| {
        for ((z, &x), &y) in z.iter_mut().zip(x).zip(y) {
            *z = f(x, y);
        }
    }

    /// `out <- f(x, y, z)`.
    pub fn zip3[F: Float, M: Fn(F, F, F) -> F](x: &[F], y: &[F], z: &[F], out: &mut [F], f: M) |simd| {
        for (((out, &x), &y), &z) in out.iter_mut().zip(x).zip(y).zip(z) {
            *out = f(x, y, z);
        }
    }

    /// `out <- out + f(x, y, z)`.
    pub fn add_zip3[F: Float, M: Fn(F, F, F) -> F](x: &[F], y: &[F], z: &[F], out: &mut [F], f: M) |simd| {
        for (((out, &x), &y), &z) in out.iter_mut().zip(x).zip(y).zip(z) {
            *out += f(x, y, z);
        }
    }

    /// `z <- f(x, y)` where either side may be one number for the whole slice.
    pub fn zip_stretched[F: Float, M: Fn(F, F) -> F](
        x: &[F], x_stride: usize, y: &[F], y_stride: usize, z: &mut [F], f: M,
    ) |simd| {
        match (x_stride, y_stride) {
            (0, 0) => z.fill(f(x[0], y[0])),
            (0, _) => {
                let x = x[0];
                for (z, &y) in z.iter_mut().zip(y) {
                    *z = f(x, y);
                }
            }
            (_, 0) => {
                let y = y[0];
                for (z, &x) in z.iter_mut().zip(x) {
                    *z = f(x, y);
                }
            }
            _ => {
                for ((z, &x), &y) in z.iter_mut().zip(x).zip(y) {
                    *z = f(x, y);
                }
            }
        }
    }

    /// `y <- y + x`.
    pub fn add_to[F: Float](x: &[F], y: &mut [F]) |simd| {
        for (y, &x) in y.iter_mut().zip(x) {
            *y += x;
        }
    }

    /// The sum of a slice.
    pub fn sum[F: Float](x: &[F]) -> F |simd| {
        sum_of([x], |[x]| x)
    }

    /// `out[r] <- sum of row r`, for rows of `width`.
    pub fn sum_rows[F: Float](x: &[F], width: usize, out: &mut [F]) |simd| {
        for (out, row) in out.iter_mut().zip(x.chunks_exact(width)) {
            *out = sum_of([row], |[x]| x);
        }
    }

    /// `out[c] <- [out[c] +] sum over the rows of column c`, for rows of `out.len()`.
    ///
    /// Rows are added in order, eight at a time to spare the traffic of `out`.
    pub fn sum_columns[F: Float](x: &[F], out: &mut [F], add: bool) |simd| {
        if !add {
            out.fill(F::ZERO);
        }
        let width = out.len();
        if width == 0 {
            return;
        }
        let mut blocks = x.chunks_exact(8 * width);
        for block in &mut blocks {
            let (a, b) = block.split_at(4 * width);
            let (a0, a1) = a.split_at(2 * width);
            let (b0, b1) = b.split_at(2 * width);
            let (r0, r1) = a0.split_at(width);
            let (r2, r3) = a1.split_at(width);
            let (r4, r5) = b0.split_at(width);
            let (r6, r7) = b1.split_at(width);
            for c in 0..width {
                out[c] += ((r0[c] + r1[c]) + (r2[c] + r3[c])) + ((r4[c] + r5[c]) + (r6[c] + r7[c]));
            }
        }
        for row in blocks.remainder().chunks_exact(width) {
            for (out, &x) in out.iter_mut().zip(row) {
                *out += x;
            }
        }
    }

    /// Softmax of every row: `y <- exp(x - max) / sum`.
    pub fn softmax_rows[F: Float](x: &[F], width: usize, y: &mut [F]) |simd| {
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            let max = max_of(x);
            for (y, &x) in y.iter_mut().zip(x) {
                *y = (x - max).exp();
            }
            let scale = F::ONE / sum_of([y], |[y]| y);
            for y in y.iter_mut() {
                *y *= scale;
            }
        }
    }

    /// `ln sum exp` of every row. A row of minus infinities gives minus infinity.
    pub fn logsumexp_rows[F: Float](x: &[F], width: usize, out: &mut [F]) |simd| {
        for (x, out) in x.chunks_exact(width).zip(out.iter_mut()) {
            let max = max_of(x);
            *out = if max.is_finite() { max + sum_of([x], |[x]| (x - max).exp()).ln() } else { max };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{self, Level};

    #[test]
    fn sums_and_maxima_agree_with_the_plain_loop() {
        for len in [0, 1, 7, 16, 17, 63, 64, 65, 200, 1000] {
            let x: Vec<f64> = (0..len).map(|i| f64::from(i * i % 31) - 7.25).collect();
            assert_eq!(sum(&x), x.iter().sum::<f64>());
            assert_eq!(max_of(&x), x.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        }
        assert!(max_of(&[1.0, f64::NAN, 2.0]).is_nan());
        let mut long = vec![0.0f32; 64];
        long[3] = f32::NAN;
        assert!(max_of(&long).is_nan());
    }

    #[test]
    fn every_level_gives_the_same_bits() {
        let x: Vec<f32> = (0..1003).map(|i| ((i * 37 % 101) as f32 - 50.0) * 0.11).collect();
        let run = |level: Level| {
            simd::limit(level);
            let mut y = vec![0.0; 2 * x.len()];
            let (a, b) = y.split_at_mut(x.len());
            softmax_rows(&x, 17, a);
            map(&x, b, |x| x.tanh() + x.softplus());
            let mut columns = vec![0.0; 59];
            sum_columns(&x, &mut columns, false);
            (sum(&x).to_bits(), y.iter().chain(&columns).map(|y| y.to_bits()).collect::<Vec<_>>())
        };
        let widest = run(Level::Avx512);
        assert_eq!(run(Level::Avx2), widest);
        assert_eq!(run(Level::Baseline), widest);
        simd::limit(Level::Avx512);
    }
}

//! Dropout, with masks from a counter-based generator.

use crate::backward::Pass;
use crate::pool::Parts;
use crate::tape::{Core, Operation, Stored};
use crate::{Float, Tensor, multiversion};

/// Which masks a dropout draws: the same key and step give the same masks, on any number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropoutKey {
    /// The stream, such as `seeds.key("dropout")`.
    pub stream: u64,
    /// The training step.
    pub step: u64,
}

impl DropoutKey {
    /// The key of the `index`th dropout of a model.
    pub fn layer(self, index: usize) -> Self {
        DropoutKey { stream: mix(self.stream.wrapping_add(mix(index as u64 + 1))), ..self }
    }
}

/// The finalizer of SplitMix64 (Steele, Lea & Flood 2014).
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[derive(Clone, Copy)]
struct Dropout<F> {
    x: Stored<F>,
    rate: f64,
    key: DropoutKey,
}

impl<F: Float> Operation<F> for Dropout<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        // The mask is linear and its own transpose.
        pass.add(x, gradient.dropout(self.rate, self.key));
    }
}

impl<'g, F: Float> Tensor<'g, F> {
    /// Sets every number to 0 with probability `rate` and divides the others by `1 - rate` (Srivastava et al. 2014).
    ///
    /// # Panics
    /// If the rate is not in `[0, 1)`.
    pub fn dropout(self, rate: f64, key: DropoutKey) -> Self {
        assert!((0.0..1.0).contains(&rate), "dropout: the rate {rate}");
        if rate == 0.0 || self.is_empty() {
            return self;
        }
        let forward = Forward::new(self.core, self.shape, rate, key);
        self.core.parts(self.len(), forward.width, |start, len| {
            forward.run(&self.data[start..start + len], start / forward.width);
        });
        forward.record(self)
    }
}

/// A dropout's forward pass: where threads write, and which masks they draw.
pub(super) struct Forward<F> {
    out: Parts<F>,
    width: usize,
    rate: f64,
    key: DropoutKey,
}

impl<F: Float> Forward<F> {
    /// For an input of shape `x`.
    pub(super) fn new(core: &Core<F>, x: &[usize], rate: f64, key: DropoutKey) -> Self {
        let out = Parts::new(core.buffer(x.iter().product()));
        Forward { out, width: x.last().copied().unwrap_or(1), rate, key }
    }

    /// Masks the rows `x`, of which `first` is the first.
    pub(super) fn run(&self, x: &[F], first: usize) -> &[F] {
        // Rounded to what a comparison of 32 bits can say.
        let threshold = (self.rate * 4_294_967_296.0) as u32;
        let scale = F::from_f64(1.0 / (1.0 - f64::from(threshold) / 4_294_967_296.0));
        let stream = mix(self.key.stream ^ mix(self.key.step));
        // SAFETY: the rows of different blocks do not overlap.
        let out = unsafe { self.out.part(first * self.width, x.len()) };
        for (r, (x, y)) in x.chunks_exact(self.width).zip(out.chunks_exact_mut(self.width)).enumerate() {
            mask_row(x, y, mix(stream.wrapping_add((first + r) as u64)), threshold, scale);
        }
        out
    }

    /// The result for `x`, on the tape.
    pub(super) fn record<'g>(&self, x: Tensor<'g, F>) -> Tensor<'g, F> {
        let operation = Dropout { x: x.store(), rate: self.rate, key: self.key };
        // SAFETY: memory of this step, all of it written.
        x.core.record(unsafe { self.out.whole() }, x.shape, &[x], operation)
    }
}

multiversion! {
    /// Masks one row. The bits of a column are a hash of its number and the row's key: a permutation of 32 bits with
    /// low bias (Wellons 2018), keyed before and between its rounds.
    fn mask_row[F: Float](x: &[F], y: &mut [F], key: u64, threshold: u32, scale: F) |simd| {
        let (first, second) = (key as u32, (key >> 32) as u32);
        for (i, (y, &x)) in y.iter_mut().zip(x).enumerate() {
            let mut bits = (i as u32).wrapping_add(first);
            bits ^= bits >> 16;
            bits = bits.wrapping_mul(0x7feb_352d);
            bits ^= second;
            bits ^= bits >> 15;
            bits = bits.wrapping_mul(0x846c_a68b);
            bits ^= bits >> 16;
            *y = if bits >= threshold { x * scale } else { F::ZERO };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tape;

    #[test]
    fn masks_have_the_right_rate_in_rows_columns_and_pairs() {
        let (rows, width, rate) = (400, 250, 0.3);
        let mut tape = Tape::<f64>::new(1);
        let mut before = vec![0.0; rows * width];
        for step in 0..3 {
            let graph = tape.graph();
            let y = graph.full(&[rows, width], 1.0).dropout(rate, DropoutKey { stream: 7, step });
            let dropped: Vec<f64> = y.data().iter().map(|&y| if y == 0.0 { 1.0 } else { 0.0 }).collect();
            assert!(y.data().iter().all(|&y| y == 0.0 || (y - 1.0 / 0.7).abs() < 1e-9));
            let n = dropped.len() as f64;
            let sd = (rate * (1.0 - rate) / n).sqrt();
            assert!((dropped.iter().sum::<f64>() / n - rate).abs() < 4.0 * sd);
            // Neighbours in a row, in a column, and the same place one step before are independent.
            let product =
                |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / a.len() as f64;
            let spread = 4.0 * (rate * rate * (1.0 - rate * rate) / n).sqrt();
            assert!((product(&dropped[1..], &dropped[..dropped.len() - 1]) - rate * rate).abs() < spread);
            assert!(
                (product(&dropped[width..], &dropped[..dropped.len() - width]) - rate * rate).abs() < spread
            );
            if step > 0 {
                assert!((product(&dropped, &before) - rate * rate).abs() < spread);
            }
            // No row and no column is far off: 5 standard deviations of a binomial.
            let row_sd = (rate * (1.0 - rate) / width as f64).sqrt();
            for row in dropped.chunks(width) {
                assert!((row.iter().sum::<f64>() / width as f64 - rate).abs() < 5.0 * row_sd);
            }
            let column_sd = (rate * (1.0 - rate) / rows as f64).sqrt();
            for c in 0..width {
                let sum: f64 = dropped.iter().skip(c).step_by(width).sum();
                assert!((sum / rows as f64 - rate).abs() < 5.0 * column_sd);
            }
            before = dropped;
        }
    }

    #[test]
    fn the_mask_of_a_row_is_its_own() {
        let mut tape = Tape::<f32>::new(1);
        let graph = tape.graph();
        let key = DropoutKey { stream: 1, step: 2 };
        let tall = graph.full(&[6, 40], 1.0).dropout(0.5, key);
        let short = graph.full(&[3, 40], 1.0).dropout(0.5, key);
        assert_eq!(tall.slice(0, 0..3).data(), short.data());
        let other = graph.full(&[3, 40], 1.0).dropout(0.5, key.layer(1));
        assert_ne!(other.data(), short.data());
    }
}

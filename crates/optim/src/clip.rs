//! Gradient clipping: by value and by global norm.

use quire_kernels::multiversion;

use crate::Float;
use crate::optimizer::{StepInfo, Transform};

/// Every element is cut to `[-limit, limit]` (`torch.nn.utils.clip_grad_value_`). NaN stays NaN.
#[derive(Debug, Clone, Copy)]
pub struct ClipValue {
    /// The largest magnitude an element keeps, > 0.
    pub limit: f64,
}

impl<F: Float> Transform<F> for ClipValue {
    fn apply(&mut self, _: StepInfo, _: &[F], update: &mut [F]) {
        clamp(update, F::from_f64(self.limit));
    }
}

/// The whole gradient is scaled by `min(1, max_norm / (norm + 1e-6))` (`torch.nn.utils.clip_grad_norm_`,
/// after Pascanu, Mikolov & Bengio 2013): its direction stays.
///
/// A gradient with a NaN stays one; a norm that overflows to infinity scales the finite elements to 0.
#[derive(Debug, Clone, Copy)]
pub struct ClipNorm {
    /// The largest Euclidean norm of the whole gradient, > 0.
    pub max_norm: f64,
}

impl<F: Float> Transform<F> for ClipNorm {
    fn apply(&mut self, _: StepInfo, _: &[F], update: &mut [F]) {
        let factor = self.max_norm / (global_norm(update) + 1e-6);
        // A NaN norm must go through, hence the negated comparison.
        #[allow(clippy::neg_cmp_op_on_partial_ord)]
        if !(factor >= 1.0) {
            scale(update, F::from_f64(factor));
        }
    }
}

/// The Euclidean norm of the whole buffer.
///
/// Squares are summed in 64 lanes of the element's type over blocks of 4096 and the blocks in `f64`, always in
/// the same order.
pub fn global_norm<F: Float>(values: &[F]) -> f64 {
    values.chunks(4096).map(sum_of_squares).sum::<f64>().sqrt()
}

multiversion! {
    fn sum_of_squares[F: Float](block: &[F]) -> f64 |simd| {
        let mut lanes = [F::default(); 64];
        let mut rows = block.chunks_exact(64);
        for row in &mut rows {
            for (lane, &x) in lanes.iter_mut().zip(row) {
                *lane += x * x;
            }
        }
        let tail: f64 = rows.remainder().iter().map(|x| x.to_f64() * x.to_f64()).sum();
        lanes.iter().map(|lane| lane.to_f64()).sum::<f64>() + tail
    }
}

/// The sum of absolute values of the whole buffer, the l1 norm, in the order of [`global_norm`].
pub fn absolute_sum<F: Float>(values: &[F]) -> f64 {
    values.chunks(4096).map(sum_of_magnitudes).sum()
}

multiversion! {
    fn sum_of_magnitudes[F: Float](block: &[F]) -> f64 |simd| {
        let mut lanes = [F::default(); 64];
        let mut rows = block.chunks_exact(64);
        for row in &mut rows {
            for (lane, &x) in lanes.iter_mut().zip(row) {
                *lane += if x < F::default() { -x } else { x };
            }
        }
        let tail: f64 = rows.remainder().iter().map(|x| x.to_f64().abs()).sum();
        lanes.iter().map(|lane| lane.to_f64()).sum::<f64>() + tail
    }
}

multiversion! {
    fn scale[F: Float](values: &mut [F], factor: F) |simd| {
        for x in values {
            *x *= factor;
        }
    }
}

multiversion! {
    fn clamp[F: Float](values: &mut [F], limit: F) |simd| {
        for x in values {
            let below = if *x > limit { limit } else { *x };
            *x = if below < -limit { -limit } else { below };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: StepInfo = StepInfo { number: 1, learning_rate: 1.0 };

    #[test]
    fn the_norm_is_bounded_and_the_direction_stays() {
        let mut gradient = [3.0f64, -4.0];
        ClipNorm { max_norm: 1.0 }.apply(STEP, &[0.0; 2], &mut gradient);
        // 1 / (5 + 1e-6) of (3, -4).
        assert!((gradient[0] - 3.0 / 5.000001).abs() < 1e-15);
        assert!((gradient[1] + 4.0 / 5.000001).abs() < 1e-15);
    }

    #[test]
    fn a_short_gradient_is_left_alone() {
        let mut gradient = [0.3f32, -0.4];
        ClipNorm { max_norm: 1.0 }.apply(STEP, &[0.0; 2], &mut gradient);
        assert_eq!(gradient, [0.3, -0.4]);
    }

    #[test]
    fn a_nan_is_not_hidden() {
        let mut gradient = [1.0f32, f32::NAN];
        ClipNorm { max_norm: 1.0 }.apply(STEP, &[0.0; 2], &mut gradient);
        assert!(gradient[1].is_nan());
        ClipValue { limit: 1.0 }.apply(STEP, &[0.0; 2], &mut gradient);
        assert!(gradient[1].is_nan());
    }

    #[test]
    fn values_are_cut_on_both_sides() {
        let mut gradient = [0.5f32, 7.0, -0.5, -7.0];
        ClipValue { limit: 2.0 }.apply(STEP, &[0.0; 4], &mut gradient);
        assert_eq!(gradient, [0.5, 2.0, -0.5, -2.0]);
    }

    #[test]
    fn a_long_norm_is_accurate() {
        // 10,000 times 0.1 in f32: norm 100 * f32(0.1) = 10.00000015.
        assert!((global_norm(&vec![0.1f32; 10_000]) - 10.00000015).abs() < 1e-5);
        assert!((global_norm(&vec![0.1f64; 10_000]) - 10.0).abs() < 1e-12);
        assert_eq!(global_norm::<f32>(&[]), 0.0);
        let signs: Vec<f32> = (0..10_001).map(|i| if i % 2 == 0 { 0.5 } else { -0.25 }).collect();
        assert_eq!(absolute_sum(&signs), 5001.0 * 0.5 + 5000.0 * 0.25);
    }
}

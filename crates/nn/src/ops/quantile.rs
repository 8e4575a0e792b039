//! The loss of quantile regression.

use crate::backward::Pass;
use crate::pool::Parts;
use crate::tape::{Operation, Stored};
use crate::{Float, Tensor, compiled_once, loops, multiversion};

#[derive(Clone, Copy)]
struct QuantileHuber<F> {
    x: Stored<F>,
    /// The derivative of each loss by its own number.
    slope: Stored<F>,
}

impl<F: Float> Operation<F> for QuantileHuber<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        pass.first_order_only("quantile_huber");
        let (x, slope) = (pass.input(self.x), pass.input(self.slope));
        pass.add(x, gradient * slope);
    }
}

impl<'g, F: Float> Tensor<'g, F> {
    /// The quantile Huber loss of `N` estimates a row against `M` targets a row (Dabney et al. 2018): with u = target - x
    /// and the level τ of an estimate, the mean over the targets of
    ///
    /// > |τ - 1{u < 0}| L(u) / delta,  L = [`huber`](Tensor::huber)
    ///
    /// which is quantile regression's |τ - 1{u < 0}| |u| but for |u| below `delta`, and that everywhere if `delta` is 0.
    ///
    /// The estimates are `[B, N]`, the targets `[B, M]`, the levels `[B, N]` or `[N]`; the result is `[B, N]`. Targets and
    /// levels count as constants. It has no second derivative.
    ///
    /// # Panics
    /// If the shapes do not fit, or there is no estimate or no target.
    pub fn quantile_huber(self, levels: Self, targets: Self, delta: f64) -> Self {
        quantile_huber(self, levels, targets, delta)
    }
}

compiled_once! {
    fn quantile_huber<'g, F>(x: Tensor<'g, F>, levels: Tensor<'g, F>, targets: Tensor<'g, F>, delta: f64) -> Tensor<'g, F> {
        let (&[rows, n], &[target_rows, m]) = (x.shape, targets.shape) else {
            panic!("quantile_huber: shapes {:?} and {:?}, not [B, N] and [B, M]", x.shape, targets.shape)
        };
        assert!(
            rows == target_rows && n * m > 0 && (levels.shape == x.shape || levels.shape == [n]),
            "quantile_huber: estimates {:?}, levels {:?} and targets {:?} do not fit",
            x.shape,
            levels.shape,
            targets.shape
        );
        let core = x.core;
        let (loss, slope) = (core.buffer(rows * n), core.buffer(rows * n));
        let (loss_parts, slope_parts) = (Parts::new(loss), Parts::new(slope));
        let (all, levels, targets) = (x.data, levels.data, targets.data);
        core.parts(rows * n * m, n * m, |start, len| {
            let (first, count) = (start / m, len / m);
            let row = start / (n * m);
            let levels = if levels.len() == n { levels } else { &levels[first..first + count] };
            let targets = &targets[row * m..row * m + len / n];
            // SAFETY: the rows of different parts do not overlap.
            let (loss, slope) = unsafe { (loss_parts.part(first, count), slope_parts.part(first, count)) };
            let now = &all[first..first + count];
            if delta > 0.0 {
                rounded(now, levels, targets, [n, m], F::from_f64(delta), loss, slope);
            } else {
                pointed(now, levels, targets, [n, m], loss, slope);
            }
        });
        let slope = core.unrecorded(slope, x.shape).store();
        core.record(loss, x.shape, &[x], QuantileHuber { x: x.store(), slope })
    }
}

multiversion! {
    fn rounded[F: Float](
        x: &[F], levels: &[F], targets: &[F], sizes: [usize; 2], delta: F, loss: &mut [F], slope: &mut [F],
    ) |simd| {
        let inverse = F::ONE / delta;
        let value = |u: F| {
            let a = u.abs();
            if a <= delta { F::HALF * a * a * inverse } else { a - F::HALF * delta }
        };
        let derivative = |u: F| u.max(-delta).min(delta) * inverse;
        weigh(x, levels, targets, sizes, value, derivative, loss, slope);
    }

    fn pointed[F: Float](
        x: &[F], levels: &[F], targets: &[F], sizes: [usize; 2], loss: &mut [F], slope: &mut [F],
    ) |simd| {
        let sign = |u: F| {
            if u > F::ZERO {
                F::ONE
            } else if u < F::ZERO {
                -F::ONE
            } else {
                F::ZERO
            }
        };
        weigh(x, levels, targets, sizes, |u| u.abs(), sign, loss, slope);
    }
}

/// The mean over a row's targets of |τ - 1{u < 0}| `value`(u), and its derivative by the estimate.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn weigh<F: Float>(
    x: &[F],
    levels: &[F],
    targets: &[F],
    [n, m]: [usize; 2],
    value: impl Fn(F) -> F,
    derivative: impl Fn(F) -> F,
    loss: &mut [F],
    slope: &mut [F],
) {
    let share = F::ONE / F::from_f64(m as f64);
    let singles = x.iter().zip(levels.iter().cycle()).zip(loss.iter_mut().zip(slope));
    for (index, ((&x, &level), (loss, slope))) in singles.enumerate() {
        let row = index / n;
        let targets = &targets[row * m..(row + 1) * m];
        let weight = |u: F| if u < F::ZERO { F::ONE - level } else { level };
        let weighted = |[t]: [F; 1]| weight(t - x) * value(t - x);
        let turned = |[t]: [F; 1]| weight(t - x) * derivative(t - x);
        *loss = share * loops::sum_of([targets], weighted);
        *slope = -(share * loops::sum_of([targets], turned));
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;

    /// Estimates 0 and 2 at the levels 1/4 and 3/4 against the targets 0.5 and 3, by hand.
    #[test]
    fn the_loss_by_hand() {
        let mut tape = Tape::<f64>::new(1);
        let graph = tape.graph();
        let x = graph.variable(&[1, 2], &[0.0, 2.0]);
        let levels = graph.constant(&[2], &[0.25, 0.75]);
        let targets = graph.constant(&[1, 2], &[0.5, 3.0]);
        // u of the first: 0.5 and 3, both with the weight 1/4: (0.125 + 2.5)/8. Of the second: -1.5 with the weight 1/4 and
        // 1 with 3/4: (0.25 · 1 + 0.75 · 0.5)/2.
        let loss = x.quantile_huber(levels, targets, 1.0);
        assert_eq!(loss.data(), [0.25 * (0.125 + 2.5) / 2.0, (0.25 * 1.0 + 0.75 * 0.5) / 2.0]);
        assert_eq!(loss.shape(), [1, 2]);
        let absolute = x.quantile_huber(levels, targets, 0.0);
        assert_eq!(absolute.data(), [0.25 * 3.5 / 2.0, (0.25 * 1.5 + 0.75 * 1.0) / 2.0]);
        let narrow = x.quantile_huber(levels, targets, 1e-9);
        assert!(narrow.data().iter().zip(absolute.data()).all(|(a, b)| (a - b).abs() < 1e-8));
        let mut gradient = [0.0; 2];
        let mut params = crate::Params::<f64>::new();
        let mut rng = quire_core::Seeds::new(0).stream("init");
        let view = params.add("x", &[1, 2], crate::Init::Zeros, &mut rng);
        params.data_mut().copy_from_slice(&[0.0, 2.0]);
        let graph = tape.graph();
        let (levels, targets) = (graph.constant(&[2], &[0.25, 0.75]), graph.constant(&[1, 2], &[0.5, 3.0]));
        let loss = graph.param(&params, view).quantile_huber(levels, targets, 1.0).sum();
        loss.gradient(&params, &mut gradient);
        // -(1/4)(0.5 + 1)/2 and -(-1/4 + 3/4)/2.
        assert_eq!(gradient, [-0.1875, -0.25]);
    }

    /// Its minimum over one number is the quantile: of the targets 0, 1, ..., 8 at the level 1/4 the number 2.
    #[test]
    fn the_minimum_is_the_quantile() {
        let mut tape = Tape::<f64>::new(1);
        let loss = |x: f64, tape: &mut Tape<f64>| {
            let graph = tape.graph();
            let targets: Vec<f64> = (0..9).map(f64::from).collect();
            let (x, level) = (graph.constant(&[1, 1], &[x]), graph.constant(&[1, 1], &[0.25]));
            x.quantile_huber(level, graph.constant(&[1, 9], &targets), 0.0).item()
        };
        let least = loss(2.0, &mut tape);
        assert!([0.0, 1.0, 1.9, 2.1, 3.0].iter().all(|&x| loss(x, &mut tape) > least));
    }

    #[test]
    fn threads_change_no_bit() {
        let numbers = |len: usize| (0..len).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<f32>>();
        let losses = |threads: usize| {
            let mut tape = Tape::<f32>::new(threads);
            let graph = tape.graph();
            let (x, targets) = (graph.constant(&[40, 50], &numbers(2000)), numbers(40 * 60));
            let levels = graph.constant(&[40, 50], &numbers(2000)).square();
            x.quantile_huber(levels, graph.constant(&[40, 60], &targets), 0.5).data().to_vec()
        };
        assert_eq!(losses(1), losses(3));
    }
}

//! Layer normalization and root-mean-square normalization over the last axis, with an activation fused behind.

use super::elementwise::{ActivationFunction, derivative_formula, with_activation};
use crate::backward::Pass;
use crate::loops::{self, LANES, chunk, chunk_mut, sum_lanes, sum_of};
use crate::pool::Parts;
use crate::tape::{Core, Operation, Stored};
use crate::{Activation, Float, Tensor, compiled_once, multiversion};

/// Rows in one block. The gradients of weight and bias are summed block by block, whatever the threads.
const BLOCK: usize = 64;

#[derive(Clone, Copy)]
struct Norm<F> {
    x: Stored<F>,
    weight: Stored<F>,
    bias: Stored<F>,
    /// Mean and reciprocal deviation of every row.
    statistics: *const [F],
    sizes: Sizes,
    activation: Activation,
    epsilon: f64,
}

/// Members with weights of their own, rows of each, width; and whether the mean is taken off.
#[derive(Clone, Copy)]
struct Sizes {
    members: usize,
    rows: usize,
    width: usize,
    center: bool,
}

impl Sizes {
    fn blocks(&self) -> usize {
        self.rows.div_ceil(BLOCK)
    }

    /// Calls `f(block, member, first row, count)`; rows are numbered through all members.
    fn run<F: Float>(&self, core: &Core<F>, f: impl Fn(usize, usize, usize, usize) + Sync) {
        let blocks = self.blocks();
        let one = |i: usize| {
            let (member, block) = (i / blocks, i % blocks);
            f(i, member, member * self.rows + block * BLOCK, BLOCK.min(self.rows - block * BLOCK));
        };
        if self.members * self.rows * self.width < 1 << 14 {
            (0..self.members * blocks).for_each(one);
        } else {
            core.pool.run(self.members * blocks, one);
        }
    }
}

impl<F: Float> Operation<F> for Norm<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, output: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let (x, weight, bias) = (pass.input(self.x), pass.input(self.weight), pass.input(self.bias));
        if pass.is_recorded() {
            return self.backward_recorded(pass, x, weight, bias, output, gradient);
        }
        let (core, s, activation) = (x.core, self.sizes, self.activation);
        // SAFETY: they lie in the arena of this step.
        let statistics = unsafe { &*self.statistics };
        let blocks = s.members * s.blocks();
        let (dw, db) = (core.buffer(blocks * s.width), core.buffer(blocks * s.width));
        let (dw_parts, db_parts) = (Parts::new(dw), Parts::new(db));
        let run = |dx: Option<(&mut [F], bool)>| {
            let add = dx.as_ref().is_some_and(|dx| dx.1);
            let dx = dx.map(|dx| Parts::new(dx.0));
            s.run(core, |block, member, first, count| {
                let range = first * s.width..(first + count) * s.width;
                let vector = member * s.width..(member + 1) * s.width;
                // SAFETY: every block writes its own rows and its own sums.
                let (dw, db) = unsafe {
                    (dw_parts.part(block * s.width, s.width), db_parts.part(block * s.width, s.width))
                };
                let dx = dx.as_ref().map_or(&mut [][..], |dx| {
                    // SAFETY: as above.
                    unsafe { dx.part(range.start, range.len()) }
                });
                with_activation!(activation, |function| backward_rows(
                    &x.data[range.clone()],
                    &output.data[range.clone()],
                    &gradient.data[range],
                    &weight.data[vector.clone()],
                    &bias.data[vector],
                    &statistics[2 * first..2 * (first + count)],
                    [dx, dw, db],
                    [add, s.center],
                    function,
                ));
            });
        };
        if pass.wants(x) {
            pass.accumulate(x, |dx, add| run(Some((dx, add))));
        } else {
            run(None);
        }
        for (vector, sums) in [(weight, &*dw), (bias, &*db)] {
            pass.accumulate(vector, |total, add| {
                let size = s.blocks() * s.width;
                for (total, sums) in total.chunks_exact_mut(s.width).zip(sums.chunks_exact(size)) {
                    loops::sum_columns(sums, total, add);
                }
            });
        }
    }
}

impl<F: Float> Norm<F> {
    fn backward_recorded<'g>(
        &self,
        pass: &mut Pass<'g, F>,
        x: Tensor<'g, F>,
        weight: Tensor<'g, F>,
        bias: Tensor<'g, F>,
        output: Tensor<'g, F>,
        gradient: Tensor<'g, F>,
    ) {
        let s = self.sizes;
        let grouped = [s.members, s.rows, s.width];
        let vector = [s.members, 1, s.width];
        let (rows, w) = (x.reshape(&grouped), weight.reshape(&vector));
        let centered = if s.center { rows - rows.mean_axis(-1, true) } else { rows };
        let scale = (centered.square().mean_axis(-1, true) + self.epsilon).sqrt().reciprocal();
        let normal = centered * scale;
        let dz = match self.activation {
            Activation::None => gradient,
            activation => {
                let z = (normal * w + bias.reshape(&vector)).reshape(x.shape);
                gradient * derivative_formula(activation)(z, output)
            }
        };
        let dz = dz.reshape(&grouped);
        if pass.wants(x) {
            let dn = dz * w;
            let mut dx = dn - normal * (dn * normal).mean_axis(-1, true);
            if s.center {
                dx = dx - dn.mean_axis(-1, true);
            }
            pass.add(x, (dx * scale).reshape(x.shape));
        }
        if pass.wants(weight) {
            pass.add(weight, (dz * normal).sum_axis(1, false).reshape(weight.shape));
        }
        if pass.wants(bias) {
            pass.add(bias, dz.sum_axis(1, false).reshape(bias.shape));
        }
    }
}

impl<'g, F: Float> Tensor<'g, F> {
    /// `activation((x - mean) / sqrt(variance + epsilon) * weight + bias)` over the last axis (Ba, Kiros & Hinton
    /// 2016; the variance is divided by the width, as PyTorch's).
    ///
    /// Weight and bias are `[width]`, or `[E, width]` for an ensemble `[E, B, width]`.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn layer_norm(
        self,
        weight: Option<Self>,
        bias: Option<Self>,
        epsilon: f64,
        activation: Activation,
    ) -> Self {
        norm(self, weight, bias, How { epsilon, activation, center: true })
    }

    /// `x / sqrt(mean of squares + epsilon) * weight` over the last axis (Zhang & Sennrich 2019).
    ///
    /// The weight is `[width]`, or `[E, width]` for an ensemble `[E, B, width]`.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn rms_norm(self, weight: Option<Self>, epsilon: f64) -> Self {
        norm(self, weight, None, How { epsilon, activation: Activation::None, center: false })
    }
}

compiled_once! {
    fn norm<'g, F>(x: Tensor<'g, F>, weight: Option<Tensor<'g, F>>, bias: Option<Tensor<'g, F>>, how: How) -> Tensor<'g, F> {
        let name = how.name();
        let width = x.shape.last().copied().unwrap_or(0);
        assert!(width > 0, "{name}: over the last axis of the shape {:?}", x.shape);
        let members = [weight, bias].into_iter().flatten().last().map_or(1, |vector| vector.len() / width);
        let graph = x.graph();
        let weight = weight.unwrap_or_else(|| graph.full(&[members, width], 1.0));
        let bias = bias.unwrap_or_else(|| graph.zeros(&[members, width]));
        let forward = Forward::new(x.core, x.shape, weight, bias, how);
        forward.s.run(x.core, |_, member, first, count| {
            forward.run(&x.data[first * width..(first + count) * width], member, first);
        });
        forward.record(x, weight, bias)
    }
}

/// What is added to the variance, what follows, and whether the mean is taken off.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    pub(super) epsilon: f64,
    pub(super) activation: Activation,
    pub(super) center: bool,
}

impl How {
    fn name(self) -> &'static str {
        if self.center { "layer_norm" } else { "rms_norm" }
    }
}

/// A normalization's forward pass: what threads read, and where they write.
pub(super) struct Forward<'g, F> {
    s: Sizes,
    how: How,
    weight: &'g [F],
    bias: &'g [F],
    out: Parts<F>,
    statistics: Parts<F>,
}

impl<'g, F: Float> Forward<'g, F> {
    /// For an input of shape `x`.
    pub(super) fn new(
        core: &Core<F>,
        x: &[usize],
        weight: Tensor<'g, F>,
        bias: Tensor<'g, F>,
        how: How,
    ) -> Self {
        let name = how.name();
        let width = x.last().copied().unwrap_or(0);
        for vector in [weight, bias] {
            let fits = vector.shape.last() == Some(&width)
                && (vector.len() == width || Some(&(vector.len() / width)) == x.first());
            assert!(fits, "{name}: a weight of shape {:?} for the shape {x:?}", vector.shape);
        }
        assert_eq!(weight.len(), bias.len(), "{name}: a weight and a bias for different numbers of members");
        let (len, members) = (x.iter().product::<usize>(), weight.len() / width);
        let s = Sizes { members, rows: len / width / members, width, center: how.center };
        let (out, statistics) = (core.buffer(len), core.buffer(2 * members * s.rows));
        let (out, statistics) = (Parts::new(out), Parts::new(statistics));
        Forward { s, how, weight: weight.data, bias: bias.data, out, statistics }
    }

    /// Normalizes the rows `x` of a member, of which `first` is the first among the rows of all members.
    pub(super) fn run(&self, x: &[F], member: usize, first: usize) -> &[F] {
        let width = self.s.width;
        let vector = member * width..(member + 1) * width;
        // SAFETY: the rows of different blocks do not overlap.
        let (y, statistics) = unsafe {
            (self.out.part(first * width, x.len()), self.statistics.part(2 * first, 2 * (x.len() / width)))
        };
        with_activation!(self.how.activation, |function| forward_rows(
            x,
            &self.weight[vector.clone()],
            &self.bias[vector],
            y,
            statistics,
            F::from_f64(self.how.epsilon),
            self.s.center,
            function,
        ));
        y
    }

    /// The result for `x`, on the tape.
    pub(super) fn record(
        &self,
        x: Tensor<'g, F>,
        weight: Tensor<'g, F>,
        bias: Tensor<'g, F>,
    ) -> Tensor<'g, F> {
        // SAFETY: memory of this step, all of it written.
        let (out, statistics) = unsafe { (self.out.whole(), self.statistics.whole()) };
        let operation = Norm {
            x: x.store(),
            weight: weight.store(),
            bias: bias.store(),
            statistics,
            sizes: self.s,
            activation: self.how.activation,
            epsilon: self.how.epsilon,
        };
        x.core.record(out, x.shape, &[x, weight, bias], operation)
    }
}

multiversion! {
    /// Normalizes rows; keeps the mean and the reciprocal deviation of each.
    fn forward_rows[F: Float, A: ActivationFunction<F>](
        x: &[F], weight: &[F], bias: &[F], y: &mut [F], statistics: &mut [F], epsilon: F, center: bool, function: A,
    ) |simd| {
        let width = weight.len();
        let share = F::ONE / F::from_f64(width as f64);
        let rows = x.chunks_exact(width).zip(y.chunks_exact_mut(width)).zip(statistics.chunks_exact_mut(2));
        for ((x, y), statistics) in rows {
            let mean = if center { sum_of([x], |[x]| x) * share } else { F::ZERO };
            let variance = sum_of([x], |[x]| (x - mean) * (x - mean)) * share;
            let scale = F::ONE / (variance + epsilon).sqrt();
            statistics[0] = mean;
            statistics[1] = scale;
            for (((y, &x), &w), &b) in y.iter_mut().zip(x).zip(weight).zip(bias) {
                *y = function.value((x - mean) * scale * w + b);
            }
        }
    }

    /// Layer normalization in place, for acting without a tape.
    pub(crate) fn normalize_rows[F: Float, A: ActivationFunction<F>](
        weight: &[F], bias: &[F], y: &mut [F], epsilon: F, function: A,
    ) |simd| {
        let width = weight.len();
        let share = F::ONE / F::from_f64(width as f64);
        for y in y.chunks_exact_mut(width) {
            let mean = sum_of([y], |[y]| y) * share;
            let variance = sum_of([y], |[y]| (y - mean) * (y - mean)) * share;
            let scale = F::ONE / (variance + epsilon).sqrt();
            for ((y, &w), &b) in y.iter_mut().zip(weight).zip(bias) {
                *y = function.value((*y - mean) * scale * w + b);
            }
        }
    }

    /// Gradients of rows: `[dx, dw, db]`, the latter two summed over these rows; `dx` may be empty.
    fn backward_rows[F: Float, A: ActivationFunction<F>](
        x: &[F], y: &[F], g: &[F], weight: &[F], bias: &[F], statistics: &[F], out: [&mut [F]; 3],
        flags: [bool; 2], function: A,
    ) |simd| {
        let [dx, dw, db] = out;
        let [add, center] = flags;
        let width = weight.len();
        let share = F::ONE / F::from_f64(width as f64);
        dw.fill(F::ZERO);
        db.fill(F::ZERO);
        let whole = width / LANES * LANES;
        let rows = x.chunks_exact(width).zip(y.chunks_exact(width)).zip(g.chunks_exact(width));
        for (r, (((x, y), g), statistics)) in rows.zip(statistics.chunks_exact(2)).enumerate() {
            let (mean, scale) = (statistics[0], statistics[1]);
            // Of one number: the normalized input and the gradient before the activation.
            let at = |x: F, y: F, g: F, w: F, b: F| {
                let normal = (x - mean) * scale;
                (normal, g * function.derivative(if A::NEEDS_INPUT { normal * w + b } else { y }))
            };
            // Sums of the normalized gradient, along the normalized input and alone.
            let (mut along, mut level) = ([F::ZERO; LANES], [F::ZERO; LANES]);
            let mut start = 0;
            while start < whole {
                let (x, y, g): (&[F; LANES], &[F; LANES], &[F; LANES]) =
                    (chunk(x, start), chunk(y, start), chunk(g, start));
                let (w, b): (&[F; LANES], &[F; LANES]) = (chunk(weight, start), chunk(bias, start));
                let (dw, db): (&mut [F; LANES], &mut [F; LANES]) = (chunk_mut(dw, start), chunk_mut(db, start));
                for l in 0..LANES {
                    let (normal, d) = at(x[l], y[l], g[l], w[l], b[l]);
                    dw[l] += d * normal;
                    db[l] += d;
                    along[l] += d * w[l] * normal;
                    level[l] += d * w[l];
                }
                start += LANES;
            }
            let (mut along, mut level) = (sum_lanes(along), sum_lanes(level));
            for i in whole..width {
                let (normal, d) = at(x[i], y[i], g[i], weight[i], bias[i]);
                dw[i] += d * normal;
                db[i] += d;
                along += d * weight[i] * normal;
                level += d * weight[i];
            }
            if dx.is_empty() {
                continue;
            }
            let (along, level) = (along * share, if center { level * share } else { F::ZERO });
            let inputs = x.iter().zip(y).zip(g).zip(weight).zip(bias);
            for (dx, ((((&x, &y), &g), &w), &b)) in dx[r * width..(r + 1) * width].iter_mut().zip(inputs) {
                let (normal, d) = at(x, y, g, w, b);
                let d = (d * w - level - normal * along) * scale;
                *dx = if add { *dx + d } else { d };
            }
        }
    }
}

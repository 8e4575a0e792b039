//! A linear layer with its bias and activation, for every member of an ensemble.

use super::elementwise::{ActivationFunction, derivative_formula, with_activation};
use super::matmul::{Grid, products};
use crate::backward::Pass;
use crate::gemm::{Matrix, product};
use crate::pool::Parts;
use crate::shape::{MAX_RANK, Shape};
use crate::tape::{Operation, Stored};
use crate::{Activation, Float, Tensor, loops, multiversion};

#[derive(Clone, Copy)]
struct Linear<F> {
    x: Stored<F>,
    weight: Stored<F>,
    bias: Option<Stored<F>>,
    activation: Activation,
    /// The sum before the activation, for activations whose derivative needs it.
    before: Option<Stored<F>>,
    sizes: Sizes,
}

/// Members, rows of each, inputs and outputs; and whether all members share one input.
#[derive(Clone, Copy)]
struct Sizes {
    members: usize,
    rows: usize,
    inputs: usize,
    outputs: usize,
    shared: bool,
}

impl Sizes {
    /// The rows of `x` that member `e` reads, from `first` on.
    fn x<'a, F>(&self, x: &'a [F], e: usize, first: usize, count: usize) -> &'a [F] {
        let e = if self.shared { 0 } else { e };
        let start = (e * self.rows + first) * self.inputs;
        &x[start..start + count * self.inputs]
    }

    fn weight<'a, F: Float>(&self, weight: &'a [F], e: usize) -> Matrix<'a, F> {
        let size = self.inputs * self.outputs;
        Matrix::new(&weight[e * size..(e + 1) * size], self.outputs)
    }

    /// Calls `f(member, first row, count)` for blocks of rows, in parallel.
    fn blocks<F: Float>(&self, core: &crate::tape::Core<F>, f: impl Fn(usize, usize, usize) + Sync) {
        let size = [self.rows, self.outputs, self.inputs];
        let grid = Grid::rows(size, self.members, core.pool.threads());
        let blocks = grid.blocks();
        core.pool.run(self.members * blocks, |i| {
            let [first, count, _, _] = grid.block(i % blocks, self.rows, self.outputs);
            f(i / blocks, first, count);
        });
    }
}

impl<F: Float> Operation<F> for Linear<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, output: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let (x, weight, bias) =
            (pass.input(self.x), pass.input(self.weight), self.bias.map(|b| pass.input(b)));
        if pass.is_recorded() {
            return self.backward_recorded(pass, x, weight, bias, output, gradient);
        }
        let core = x.core;
        let s = self.sizes;
        let kept = self.before.map_or(output, |before| pass.input(before));
        let dz = match self.activation {
            Activation::None => gradient.data,
            _ => {
                let dz = core.buffer(gradient.len());
                let parts = Parts::new(dz);
                with_activation!(self.activation, |function| {
                    s.blocks(core, |e, first, count| {
                        let (start, len) = ((e * s.rows + first) * s.outputs, count * s.outputs);
                        let (g, y) = (&gradient.data[start..start + len], &kept.data[start..start + len]);
                        // SAFETY: the rows of different blocks do not overlap.
                        let dz = unsafe { parts.part(start, len) };
                        loops::zip(g, y, dz, |g, y| g * function.derivative(y));
                    });
                });
                &*dz
            }
        };
        let rows_of = |e: usize, first: usize, count: usize| {
            let start = (e * s.rows + first) * s.outputs;
            &dz[start..start + count * s.outputs]
        };
        pass.accumulate(x, |dx, add| {
            let parts = Parts::new(dx);
            if s.shared && s.members > 1 {
                // One block adds up all members, in order.
                let one = Sizes { members: 1, ..s };
                one.blocks(core, |_, first, count| {
                    // SAFETY: the rows of different blocks do not overlap.
                    let dx = unsafe { parts.part(first * s.inputs, count * s.inputs) };
                    for e in 0..s.members {
                        let w = s.weight(weight.data, e).transposed();
                        let dz = Matrix::new(rows_of(e, first, count), s.outputs);
                        product([count, s.inputs, s.outputs], dx, s.inputs, add || e > 0, dz, w, nothing);
                    }
                });
            } else {
                s.blocks(core, |e, first, count| {
                    // SAFETY: the rows of different blocks do not overlap.
                    let dx = unsafe { parts.part((e * s.rows + first) * s.inputs, count * s.inputs) };
                    let w = s.weight(weight.data, e).transposed();
                    let dz = Matrix::new(rows_of(e, first, count), s.outputs);
                    product([count, s.inputs, s.outputs], dx, s.inputs, add, dz, w, nothing);
                });
            }
        });
        pass.accumulate(weight, |dw, add| {
            let x_of = |e: usize| Matrix::new(s.x(x.data, e, 0, s.rows), s.inputs).transposed();
            let dz_of = |e: usize| Matrix::new(rows_of(e, 0, s.rows), s.outputs);
            products(core, s.members, [s.inputs, s.outputs, s.rows], dw, add, x_of, dz_of);
        });
        if let Some(bias) = bias {
            pass.accumulate(bias, |db, add| {
                let parts = Parts::new(db);
                core.pool.run(s.members, |e| {
                    // SAFETY: one member, one part.
                    let db = unsafe { parts.part(e * s.outputs, s.outputs) };
                    loops::sum_columns(rows_of(e, 0, s.rows), db, add);
                });
            });
        }
    }
}

impl<F: Float> Linear<F> {
    /// The same gradients, made of operations that can be differentiated again.
    fn backward_recorded<'g>(
        &self,
        pass: &mut Pass<'g, F>,
        x: Tensor<'g, F>,
        weight: Tensor<'g, F>,
        bias: Option<Tensor<'g, F>>,
        output: Tensor<'g, F>,
        gradient: Tensor<'g, F>,
    ) {
        let s = self.sizes;
        let dz = match self.activation {
            Activation::None => gradient,
            activation => {
                let before =
                    if self.before.is_some() { x.linear(weight, bias, Activation::None) } else { output };
                gradient * derivative_formula(activation)(before, output)
            }
        };
        let dz = dz.reshape(&[s.members, s.rows, s.outputs]);
        let flat = x.reshape(&[if s.shared { 1 } else { s.members }, s.rows, s.inputs]);
        let w = weight.reshape(&[s.members, s.inputs, s.outputs]);
        if pass.wants(x) {
            let dx = dz.matmul_with(w, false, true).sum_to(flat.shape);
            pass.add(x, dx.reshape(x.shape));
        }
        if pass.wants(weight) {
            pass.add(weight, flat.matmul_with(dz, true, false).reshape(weight.shape));
        }
        if let Some(bias) = bias
            && pass.wants(bias)
        {
            pass.add(bias, dz.sum_axis(1, false).reshape(bias.shape));
        }
    }
}

impl<'g, F: Float> Tensor<'g, F> {
    /// `activation(x W + b)` for every member of an ensemble, in one operation.
    ///
    /// The weight is `[E, in, out]` (or `[in, out]`), the bias `[E, out]` or `[E, 1, out]` (or `[out]`). For one
    /// member the input is `[..., in]` and the result `[..., out]`. For more it is `[E, B, in]`, or `[1, B, in]` or
    /// `[B, in]` shared by all members, and the result is `[E, B, out]`.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn linear(self, weight: Self, bias: Option<Self>, activation: Activation) -> Self {
        let (members, inputs, outputs) = match *weight.shape {
            [inputs, outputs] => (1, inputs, outputs),
            [members, inputs, outputs] => (members, inputs, outputs),
            _ => panic!("linear: a weight of shape {:?}, not [E, in, out]", weight.shape),
        };
        let wrong = || -> ! {
            panic!(
                "linear: an input of shape {:?} does not fit a weight of shape {:?}",
                self.shape, weight.shape
            )
        };
        let Some((&width, leading)) = self.shape.split_last() else { wrong() };
        if width != inputs {
            wrong();
        }
        let all: usize = leading.iter().product();
        let mut sizes = [1; MAX_RANK];
        let (rows, shared, shape) = if members == 1 {
            sizes[..leading.len()].copy_from_slice(leading);
            sizes[leading.len()] = outputs;
            (all, true, Shape::new(&sizes[..=leading.len()]))
        } else {
            let (rows, shared) = match *leading {
                [rows] | [1, rows] => (rows, true),
                [e, rows] if e == members => (rows, false),
                _ => wrong(),
            };
            (rows, shared, Shape::new(&[members, rows, outputs]))
        };
        if let Some(bias) = bias {
            assert!(
                bias.len() == members * outputs && bias.shape.last() == Some(&outputs),
                "linear: a bias of shape {:?} does not fit a weight of shape {:?}",
                bias.shape,
                weight.shape
            );
        }
        let s = Sizes { members, rows, inputs, outputs, shared };
        let core = self.core;
        let out = core.buffer(shape.elements());
        let before = with_activation!(activation, |function| {
            linear_forward(core, s, self.data, weight.data, bias.map(|b| b.data), out, function)
        });
        let before = before.map(|data| core.unrecorded(data, &shape).store());
        let bias_stored = bias.map(|b| b.store());
        let operation = Linear {
            x: self.store(),
            weight: weight.store(),
            bias: bias_stored,
            activation,
            before,
            sizes: s,
        };
        match bias {
            Some(bias) => core.record(out, &shape, &[self, weight, bias], operation),
            None => core.record(out, &shape, &[self, weight], operation),
        }
    }
}

/// The forward pass; returns the sums before the activation if its derivative will need them.
fn linear_forward<'g, F: Float, A: ActivationFunction<F>>(
    core: &'g crate::tape::Core<F>,
    s: Sizes,
    x: &[F],
    weight: &[F],
    bias: Option<&[F]>,
    out: &mut [F],
    function: A,
) -> Option<&'g [F]> {
    let before = A::NEEDS_INPUT.then(|| core.buffer(out.len()));
    let parts = Parts::new(out);
    let before_parts = before.map(|before| (Parts::new(before), &*before));
    s.blocks(core, |e, first, count| {
        let (start, len) = ((e * s.rows + first) * s.outputs, count * s.outputs);
        // SAFETY: the rows of different blocks do not overlap.
        let y = unsafe { parts.part(start, len) };
        let x = Matrix::new(s.x(x, e, first, count), s.inputs);
        let bias = bias.map(|b| &b[e * s.outputs..(e + 1) * s.outputs]);
        let z = match &before_parts {
            // SAFETY: as above.
            Some((before, _)) => unsafe { before.part(start, len) },
            None => &mut [],
        };
        let weight = s.weight(weight, e);
        product([count, s.outputs, s.inputs], y, s.outputs, false, x, weight, |y, i, rows, j, columns| {
            for i in i..i + rows {
                let range = i * s.outputs + j..i * s.outputs + j + columns;
                let bias = bias.map(|bias| &bias[j..j + columns]);
                if z.is_empty() {
                    finish(&mut y[range], bias, function);
                } else {
                    finish_keeping(&mut y[range.clone()], &mut z[range], bias, function);
                }
            }
        });
    });
    before_parts.map(|(_, before)| before)
}

/// After a product that needs nothing more.
fn nothing<F>(_: &mut [F], _: usize, _: usize, _: usize, _: usize) {}

multiversion! {
    /// `y <- activation(y + bias)`.
    fn finish[F: Float, A: ActivationFunction<F>](y: &mut [F], bias: Option<&[F]>, function: A) |simd| {
        match bias {
            Some(bias) => {
                for (y, &b) in y.iter_mut().zip(bias) {
                    *y = function.value(*y + b);
                }
            }
            None => {
                for y in y.iter_mut() {
                    *y = function.value(*y);
                }
            }
        }
    }

    /// As `finish`, keeping the sums before the activation in `z`.
    fn finish_keeping[F: Float, A: ActivationFunction<F>](
        y: &mut [F], z: &mut [F], bias: Option<&[F]>, function: A,
    ) |simd| {
        match bias {
            Some(bias) => {
                for ((y, z), &b) in y.iter_mut().zip(z).zip(bias) {
                    *z = *y + b;
                    *y = function.value(*z);
                }
            }
            None => {
                for (y, z) in y.iter_mut().zip(z) {
                    *z = *y;
                    *y = function.value(*z);
                }
            }
        }
    }
}

/// `y <- activation(x W + b)` for one member, on this thread: acting without a tape.
pub(crate) fn linear_rows<F: Float>(
    x: &[F],
    weight: &[F],
    bias: Option<&[F]>,
    y: &mut [F],
    [rows, inputs, outputs]: [usize; 3],
    activation: Activation,
) {
    let (x, weight) = (Matrix::new(x, inputs), Matrix::new(weight, outputs));
    product([rows, outputs, inputs], y, outputs, false, x, weight, |y, i, rows, j, columns| {
        for i in i..i + rows {
            let y = &mut y[i * outputs + j..i * outputs + j + columns];
            with_activation!(activation, |function| finish(y, bias.map(|b| &b[j..j + columns]), function));
        }
    });
}

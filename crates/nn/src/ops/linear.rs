//! A linear layer with its bias and activation, for every member of an ensemble.

use super::elementwise::{ActivationFunction, derivative_formula, with_activation};
use super::matmul::{Grid, product_block};
use super::rows::OnRows;
use crate::backward::{Pass, Place};
use crate::gemm::{Matrix, product};
use crate::pool::Parts;
use crate::shape::Shape;
use crate::tape::{Core, Operation, Stored};
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
    /// Of a layer for an input of shape `x`, and the shape of its result; see [`Tensor::linear`].
    fn new<F: Float>(x: &[usize], weight: Tensor<'_, F>, bias: Option<Tensor<'_, F>>) -> (Self, Shape) {
        let (members, inputs, outputs) = match *weight.shape {
            [inputs, outputs] => (1, inputs, outputs),
            [members, inputs, outputs] => (members, inputs, outputs),
            _ => panic!("linear: a weight of shape {:?}, not [E, in, out]", weight.shape),
        };
        let wrong = || -> ! {
            panic!("linear: an input of shape {x:?} does not fit a weight of shape {:?}", weight.shape)
        };
        let Some((&width, leading)) = x.split_last() else { wrong() };
        if width != inputs {
            wrong();
        }
        let (rows, shared, shape) = if members == 1 {
            (leading.iter().product(), true, Shape::new(x).with(leading.len(), outputs))
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
        (Sizes { members, rows, inputs, outputs, shared }, shape)
    }

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

    /// True if neither way is work enough to cut a member's products into blocks.
    fn is_one_block<F: Float>(&self, core: &Core<F>) -> bool {
        let threads = core.pool.threads();
        let blocks = |size| Grid::new(size, self.members, threads).blocks();
        blocks([self.rows, self.outputs, self.inputs]) == 1
            && blocks([self.inputs, self.outputs, self.rows]) == 1
    }

    /// Calls `f(member, first row, count)` for blocks of rows, in parallel.
    fn blocks<F: Float>(&self, core: &Core<F>, f: impl Fn(usize, usize, usize) + Sync) {
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
        let (g, activation) = (gradient.data, self.activation);
        let kept = self.before.map_or(output, |before| pass.input(before)).data;
        // The gradient of the sums before the activation.
        let dz_of = |e: usize, first: usize, count: usize, dz: &mut [F]| {
            let (start, len) = ((e * s.rows + first) * s.outputs, count * s.outputs);
            let (g, y) = (&g[start..start + len], &kept[start..start + len]);
            with_activation!(activation, |function| {
                loops::zip(g, y, dz, |g, y| g * function.derivative(y));
            });
        };
        let linear = activation == Activation::None;
        // In this order, should the input of a layer be its weight as well.
        let (dx, dw, db) = (pass.place(x), pass.place(weight), bias.and_then(|bias| pass.place(bias)));
        let way = WayBack { s, x: x.data, weight: weight.data, dx, dw, db };
        let sums_members = s.shared && s.members > 1 && dx.is_some();
        if s.is_one_block(core) && !sums_members {
            // A thread does all there is to do for a member while its numbers are in the cache.
            let size = s.rows * s.outputs;
            let own = Parts::new(core.buffer(if linear { 0 } else { core.pool.threads() * size }));
            core.pool.run_with_thread(s.members, |e, thread| {
                let dz = if linear {
                    &g[e * size..(e + 1) * size]
                } else {
                    // SAFETY: every thread has a part of its own.
                    let dz = unsafe { own.part(thread * size, size) };
                    dz_of(e, 0, s.rows, dz);
                    dz
                };
                way.inputs(e, 0, s.rows, dz, false);
                way.weights(e, dz, [0, s.inputs, 0, s.outputs]);
                way.biases(e, dz);
            });
            return;
        }
        let dz = Parts::new(core.buffer(if linear { 0 } else { g.len() }));
        let rows_of = |e: usize, first: usize, count: usize| {
            let (start, len) = ((e * s.rows + first) * s.outputs, count * s.outputs);
            // SAFETY: the rows of different blocks do not overlap, and nobody writes to them but their block.
            if linear { &g[start..start + len] } else { unsafe { dz.part(start, len) } }
        };
        s.blocks(core, |e, first, count| {
            if !linear {
                let start = (e * s.rows + first) * s.outputs;
                // SAFETY: as above.
                dz_of(e, first, count, unsafe { dz.part(start, count * s.outputs) });
            }
            if !sums_members {
                way.inputs(e, first, count, rows_of(e, first, count), false);
            }
        });
        if sums_members {
            // One block adds up all members, in order.
            let one = Sizes { members: 1, ..s };
            one.blocks(core, |_, first, count| {
                (0..s.members).for_each(|e| way.inputs(e, first, count, rows_of(e, first, count), e > 0));
            });
        }
        let grid = Grid::new([s.inputs, s.outputs, s.rows], s.members, core.pool.threads());
        let jobs = 1 + grid.blocks();
        core.pool.run(s.members * jobs, |i| {
            let (e, job) = (i / jobs, i % jobs);
            let dz = rows_of(e, 0, s.rows);
            match job.checked_sub(1) {
                None => way.biases(e, dz),
                Some(block) => way.weights(e, dz, grid.block(block, s.inputs, s.outputs)),
            }
        });
    }
}

/// What the way back through a layer reads beside `dz`, the gradient of the sums before the activation, and the
/// gradients that it writes.
struct WayBack<'a, F> {
    s: Sizes,
    x: &'a [F],
    weight: &'a [F],
    dx: Option<Place<F>>,
    dw: Option<Place<F>>,
    db: Option<Place<F>>,
}

impl<F: Float> WayBack<'_, F> {
    /// The gradient of some rows of the input of member `e`, for whose outputs `dz` is.
    fn inputs(&self, e: usize, first: usize, count: usize, dz: &[F], add: bool) {
        let (s, Some(to)) = (self.s, self.dx) else { return };
        let start = if s.shared { first } else { e * s.rows + first } * s.inputs;
        // SAFETY: the rows of different blocks do not overlap.
        let dx = unsafe { to.parts.part(start, count * s.inputs) };
        let (dz, w) = (Matrix::new(dz, s.outputs), s.weight(self.weight, e).transposed());
        product([count, s.inputs, s.outputs], dx, s.inputs, add || to.add, dz, w, nothing);
    }

    /// The gradient of a block of the weight of member `e`.
    fn weights(&self, e: usize, dz: &[F], block: [usize; 4]) {
        let (s, Some(to)) = (self.s, self.dw) else { return };
        let x = Matrix::new(s.x(self.x, e, 0, s.rows), s.inputs).transposed();
        let dz = Matrix::new(dz, s.outputs);
        // SAFETY: the blocks do not overlap.
        unsafe { product_block([s.inputs, s.outputs, s.rows], e, block, to.parts, to.add, x, dz) };
    }

    /// The gradient of the bias of member `e`.
    fn biases(&self, e: usize, dz: &[F]) {
        let (s, Some(to)) = (self.s, self.db) else { return };
        // SAFETY: one member, one part.
        loops::sum_columns(dz, unsafe { to.parts.part(e * s.outputs, s.outputs) }, to.add);
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
        self.on_rows([OnRows::Linear { weight, bias, activation }].into_iter())
    }
}

/// The forward pass through a layer: what threads read, and where they write.
pub(super) struct Forward<'g, F> {
    s: Sizes,
    weight: &'g [F],
    bias: Option<&'g [F]>,
    activation: Activation,
    out: Parts<F>,
    /// For the sums before the activation, if its derivative will need them.
    before: Option<Parts<F>>,
}

impl<'g, F: Float> Forward<'g, F> {
    /// For an input of shape `x`; also the shape of the result.
    pub(super) fn new(
        core: &'g Core<F>,
        x: &[usize],
        weight: Tensor<'g, F>,
        bias: Option<Tensor<'g, F>>,
        activation: Activation,
    ) -> (Self, Shape) {
        let (s, shape) = Sizes::new(x, weight, bias);
        let out = Parts::new(core.buffer(shape.elements()));
        let before = with_activation!(activation, |function| needs_input::<F, _>(function))
            .then(|| Parts::new(core.buffer(shape.elements())));
        (Forward { s, weight: weight.data, bias: bias.map(|bias| bias.data), activation, out, before }, shape)
    }

    /// Multiplications of all members.
    pub(super) fn work(&self) -> usize {
        self.s.members * self.s.rows * self.s.inputs * self.s.outputs
    }

    /// Calls `f(member, first row, count)` for blocks of rows, in parallel; rows are numbered through all members.
    pub(super) fn blocks(&self, core: &Core<F>, f: impl Fn(usize, usize, usize) + Sync) {
        self.s.blocks(core, |member, first, count| f(member, member * self.s.rows + first, count));
    }

    /// The rows of `x` that some rows of the result are for.
    pub(super) fn input<'a>(&self, x: &'a [F], member: usize, first: usize, count: usize) -> &'a [F] {
        self.s.x(x, member, first - member * self.s.rows, count)
    }

    /// The results for the rows `x` of a member, of which `first` is the first among the rows of all members.
    pub(super) fn run(&self, x: &[F], member: usize, first: usize, count: usize) -> &[F] {
        let s = self.s;
        let range = [first * s.outputs, count * s.outputs];
        // SAFETY: the rows of different blocks do not overlap.
        let (y, z) = unsafe {
            let z = self.before.as_ref().map(|before| before.part(range[0], range[1]));
            (self.out.part(range[0], range[1]), z)
        };
        let bias = self.bias.map(|b| &b[member * s.outputs..(member + 1) * s.outputs]);
        let size = [count, s.outputs, s.inputs];
        with_activation!(self.activation, |function| {
            linear_rows(size, x, s.weight(self.weight, member), bias, y, z, function);
        });
        y
    }

    /// The result for `x`, on the tape.
    pub(super) fn record(
        &self,
        x: Tensor<'g, F>,
        shape: &[usize],
        weight: Tensor<'g, F>,
        bias: Option<Tensor<'g, F>>,
    ) -> Tensor<'g, F> {
        let core = x.core;
        // SAFETY: memory of this step, all of it written.
        let (out, before) = unsafe { (self.out.whole(), self.before.map(|before| before.whole())) };
        let operation = Linear {
            x: x.store(),
            weight: weight.store(),
            bias: bias.map(|b| b.store()),
            activation: self.activation,
            before: before.map(|data| core.unrecorded(data, shape).store()),
            sizes: self.s,
        };
        match bias {
            Some(bias) => core.record(out, shape, &[x, weight, bias], operation),
            None => core.record(out, shape, &[x, weight], operation),
        }
    }
}

fn needs_input<F: Float, A: ActivationFunction<F>>(_: A) -> bool {
    A::NEEDS_INPUT
}

/// `y <- activation(x W + b)`, keeping the sums before the activation in `z` if there is one.
fn linear_rows<F: Float, A: ActivationFunction<F>>(
    [rows, outputs, inputs]: [usize; 3],
    x: &[F],
    weight: Matrix<'_, F>,
    bias: Option<&[F]>,
    y: &mut [F],
    mut z: Option<&mut [F]>,
    function: A,
) {
    let x = Matrix::new(x, inputs);
    product([rows, outputs, inputs], y, outputs, false, x, weight, |y, i, rows, j, columns| {
        let bias = bias.map(|bias| &bias[j..j + columns]);
        for i in i..i + rows {
            let range = i * outputs + j..i * outputs + j + columns;
            match &mut z {
                None => finish(&mut y[range], bias, function),
                Some(z) => finish_keeping(&mut y[range.clone()], &mut z[range], bias, function),
            }
        }
    });
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
pub(crate) fn linear_without_tape<F: Float>(
    size: [usize; 3],
    x: &[F],
    weight: &[F],
    bias: Option<&[F]>,
    y: &mut [F],
    activation: Activation,
) {
    let weight = Matrix::new(weight, size[1]);
    with_activation!(activation, |function| linear_rows(size, x, weight, bias, y, None, function));
}

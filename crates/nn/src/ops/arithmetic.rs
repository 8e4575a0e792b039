//! Sums, differences, products, quotients, minima and maxima, broadcast as NumPy does.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::backward::Pass;
use crate::pool::Parts;
use crate::shape::{MAX_RANK, broadcast, broadcast_strides};
use crate::tape::{Operation, Stored};
use crate::{Float, Tensor, compiled_once, loops};

/// An elementwise operation of two broadcast tensors and the formulas of its gradients.
#[derive(Clone, Copy)]
struct Binary<F> {
    a: Stored<F>,
    b: Stored<F>,
    rule: Rule,
}

#[derive(Clone, Copy, PartialEq)]
enum Rule {
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
}

impl<F: Float> Operation<F> for Binary<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, output: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let (a, b) = (pass.input(self.a), pass.input(self.b));
        if pass.wants(a) {
            let ga = match self.rule {
                Rule::Add | Rule::Sub => gradient,
                Rule::Mul => gradient * b,
                Rule::Div => gradient / b,
                Rule::Min => gradient * share(a, b, |a, b| a < b),
                Rule::Max => gradient * share(a, b, |a, b| a > b),
            };
            pass.add(a, ga.sum_to(a.shape));
        }
        if pass.wants(b) {
            let gb = match self.rule {
                Rule::Add => gradient,
                Rule::Sub => -gradient,
                Rule::Mul => gradient * a,
                Rule::Div => -(gradient * output / b),
                Rule::Min => gradient * share(a, b, |a, b| b < a),
                Rule::Max => gradient * share(a, b, |a, b| b > a),
            };
            pass.add(b, gb.sum_to(b.shape));
        }
    }
}

/// 1 where `wins`, one half where both are equal, 0 elsewhere: a constant.
fn share<'g, F: Float>(
    a: Tensor<'g, F>,
    b: Tensor<'g, F>,
    wins: impl Fn(F, F) -> bool + Sync,
) -> Tensor<'g, F> {
    a.zip_constant("share", b, |a, b| {
        if wins(a, b) {
            F::ONE
        } else if a == b {
            F::HALF
        } else {
            F::ZERO
        }
    })
}

/// `scale x + shift`.
#[derive(Clone, Copy)]
struct Affine<F> {
    x: Stored<F>,
    scale: f64,
}

impl<F: Float> Operation<F> for Affine<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        pass.add(x, if self.scale == 1.0 { gradient } else { gradient * self.scale });
    }
}

impl<'g, F: Float> Tensor<'g, F> {
    /// `f(a, b)` broadcast, as a constant.
    pub(crate) fn zip_constant(self, name: &str, other: Self, f: impl Fn(F, F) -> F + Sync) -> Self {
        let core = self.core;
        if self.shape == other.shape {
            let out = core.buffer(self.len());
            let parts = Parts::new(out);
            core.parts(self.len(), 1, |start, len| {
                // SAFETY: the parts of `parts` do not overlap.
                let out = unsafe { parts.part(start, len) };
                loops::zip(&self.data[start..start + len], &other.data[start..start + len], out, &f);
            });
            return core.unrecorded(out, self.shape);
        }
        let shape = broadcast(name, self.shape, other.shape);
        let out = core.buffer(shape.elements());
        zip_broadcast(self, other, &shape, out, &f);
        core.unrecorded(out, &shape)
    }

    /// The tensor copied to a shape it broadcasts to, as a constant.
    pub(crate) fn stretched(self, shape: &[usize]) -> Self {
        let fits = self.shape.len() <= shape.len()
            && self
                .shape
                .iter()
                .rev()
                .zip(shape.iter().rev())
                .all(|(&own, &wanted)| own == 1 || own == wanted);
        assert!(fits, "broadcast_to: the shape {:?} does not broadcast to {shape:?}", self.shape);
        let zero = self.core.unrecorded(&[], &[0]);
        let nothing = Tensor { data: &[F::ZERO][..], shape: &[], ..zero };
        let out = self.core.buffer(shape.iter().product());
        zip_broadcast(self, nothing, shape, out, &|x, _| x);
        self.core.unrecorded(out, shape)
    }

    /// `scale x + shift`.
    pub fn affine(self, scale: f64, shift: f64) -> Self {
        affine(self, scale, shift)
    }

    /// The elementwise minimum, broadcast. Where both are equal, each gets half of the gradient.
    pub fn minimum(self, other: Self) -> Self {
        binary(self, other, Rule::Min)
    }

    /// The elementwise maximum, broadcast. Where both are equal, each gets half of the gradient.
    pub fn maximum(self, other: Self) -> Self {
        binary(self, other, Rule::Max)
    }
}

compiled_once! {
    fn binary<'g, F>(a: Tensor<'g, F>, b: Tensor<'g, F>, rule: Rule) -> Tensor<'g, F> {
        let value = match rule {
            Rule::Add => a.zip_constant("add", b, |a, b| a + b),
            Rule::Sub => a.zip_constant("sub", b, |a, b| a - b),
            Rule::Mul => a.zip_constant("mul", b, |a, b| a * b),
            Rule::Div => a.zip_constant("div", b, |a, b| a / b),
            Rule::Min => a.zip_constant("minimum", b, |a, b| if b < a || b.is_nan() { b } else { a }),
            Rule::Max => a.zip_constant("maximum", b, |a, b| if b > a || b.is_nan() { b } else { a }),
        };
        a.core.record_value(value, &[a, b], Binary { a: a.store(), b: b.store(), rule })
    }

    fn affine<'g, F>(x: Tensor<'g, F>, scale: f64, shift: f64) -> Tensor<'g, F> {
        let (s, t) = (F::from_f64(scale), F::from_f64(shift));
        let value = x.map_constant(move |x| s * x + t);
        x.core.record_value(value, &[x], Affine { x: x.store(), scale })
    }
}

/// Walks over the broadcast shape with the longest possible inner loop.
fn zip_broadcast<F: Float>(
    a: Tensor<'_, F>,
    b: Tensor<'_, F>,
    shape: &[usize],
    out: &mut [F],
    f: &(impl Fn(F, F) -> F + Sync),
) {
    if out.is_empty() {
        return;
    }
    let (sa, sb) = (broadcast_strides(a.shape, shape), broadcast_strides(b.shape, shape));
    // Neighbouring axes that both sides walk over evenly are one axis.
    let mut axes = [[1usize, 0, 0]; MAX_RANK];
    let mut rank = 0;
    for i in 0..shape.len() {
        if shape[i] == 1 {
            continue;
        }
        let axis = [shape[i], sa[i], sb[i]];
        if rank > 0 {
            let [size, outer_a, outer_b] = axes[rank - 1];
            if outer_a == axis[1] * axis[0] && outer_b == axis[2] * axis[0] {
                axes[rank - 1] = [size * axis[0], axis[1], axis[2]];
                continue;
            }
        }
        axes[rank] = axis;
        rank += 1;
    }
    let [width, step_a, step_b] = if rank == 0 { [1, 0, 0] } else { axes[rank - 1] };
    let outer = &axes[..rank.saturating_sub(1)];
    let rows = out.len() / width;
    let mut counter = [0usize; MAX_RANK];
    let (mut at_a, mut at_b) = (0, 0);
    for row in 0..rows {
        let x = &a.data[at_a..at_a + if step_a == 0 { 1 } else { width }];
        let y = &b.data[at_b..at_b + if step_b == 0 { 1 } else { width }];
        loops::zip_stretched(x, step_a, y, step_b, &mut out[row * width..(row + 1) * width], f);
        for i in (0..outer.len()).rev() {
            let [size, sa, sb] = outer[i];
            counter[i] += 1;
            at_a += sa;
            at_b += sb;
            if counter[i] < size {
                break;
            }
            counter[i] = 0;
            at_a -= sa * size;
            at_b -= sb * size;
        }
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $scalar:expr, $reversed:expr) => {
        impl<'g, F: Float> $trait for Tensor<'g, F> {
            type Output = Tensor<'g, F>;
            fn $method(self, other: Self) -> Self {
                binary(self, other, Rule::$trait)
            }
        }
        impl<'g, F: Float> $trait<f64> for Tensor<'g, F> {
            type Output = Tensor<'g, F>;
            fn $method(self, number: f64) -> Self {
                let f: fn(Self, f64) -> Self = $scalar;
                f(self, number)
            }
        }
        impl<'g, F: Float> $trait<Tensor<'g, F>> for f64 {
            type Output = Tensor<'g, F>;
            fn $method(self, tensor: Tensor<'g, F>) -> Tensor<'g, F> {
                let f: fn(f64, Tensor<'g, F>) -> Tensor<'g, F> = $reversed;
                f(self, tensor)
            }
        }
    };
}

operator!(Add, add, |x, c| x.affine(1.0, c), |c, x| x.affine(1.0, c));
operator!(Sub, sub, |x, c| x.affine(1.0, -c), |c, x| x.affine(-1.0, c));
operator!(Mul, mul, |x, c| x.affine(c, 0.0), |c, x| x.affine(c, 0.0));
operator!(Div, div, |x, c| x.affine(1.0 / c, 0.0), |c, x| x.reciprocal() * c);

impl<'g, F: Float> Neg for Tensor<'g, F> {
    type Output = Tensor<'g, F>;
    fn neg(self) -> Self {
        self.affine(-1.0, 0.0)
    }
}

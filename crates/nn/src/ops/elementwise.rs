//! Functions of one number, and closures given with their derivative.

use crate::backward::Pass;
use crate::pool::Parts;
use crate::tape::{Operation, Stored};
use crate::{Activation, Float, Tensor, compiled_once, loops};

/// `y = f(x)`, with the derivative as a function of `x` and `y`, and as a formula of tensors where there is one.
#[derive(Clone, Copy)]
struct Unary<F: Float, D> {
    x: Stored<F>,
    name: &'static str,
    derivative: D,
    formula: Option<Formula<F>>,
}

type Formula<F> = for<'a> fn(Tensor<'a, F>, Tensor<'a, F>) -> Tensor<'a, F>;

impl<F: Float, D: Fn(F, F) -> F + Copy + Sync> Operation<F> for Unary<F, D> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, output: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        if pass.is_recorded() {
            let Some(formula) = self.formula else { return pass.first_order_only(self.name) };
            let derivative = formula(x, output);
            return pass.add(x, gradient * derivative);
        }
        let derivative = self.derivative;
        let chain = move |x: F, y: F, g: F| g * derivative(x, y);
        pass.accumulate(x, |sum, add| {
            let (len, sum) = (sum.len(), Parts::new(sum));
            x.core.parts(len, 1, |start, len| {
                let range = start..start + len;
                let (x, y, g) = (&x.data[range.clone()], &output.data[range.clone()], &gradient.data[range]);
                // SAFETY: the parts do not overlap.
                let sum = unsafe { sum.part(start, len) };
                if add { loops::add_zip3(x, y, g, sum, chain) } else { loops::zip3(x, y, g, sum, chain) }
            });
        });
    }
}

/// `z = f(x, y)` of equal shapes, with both partial derivatives.
#[derive(Clone, Copy)]
struct Zip<F, DX, DY> {
    x: Stored<F>,
    y: Stored<F>,
    by_x: DX,
    by_y: DY,
}

impl<F, DX, DY> Operation<F> for Zip<F, DX, DY>
where
    F: Float,
    DX: Fn(F, F) -> F + Copy + Sync,
    DY: Fn(F, F) -> F + Copy + Sync,
{
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        pass.first_order_only("zip_map");
        let (x, y) = (pass.input(self.x), pass.input(self.y));
        let (by_x, by_y) = (self.by_x, self.by_y);
        pass.accumulate(x, |sum, add| {
            let chain = move |x, y, g: F| g * by_x(x, y);
            if add {
                loops::add_zip3(x.data, y.data, gradient.data, sum, chain);
            } else {
                loops::zip3(x.data, y.data, gradient.data, sum, chain);
            }
        });
        pass.accumulate(y, |sum, add| {
            let chain = move |x, y, g: F| g * by_y(x, y);
            if add {
                loops::add_zip3(x.data, y.data, gradient.data, sum, chain);
            } else {
                loops::zip3(x.data, y.data, gradient.data, sum, chain);
            }
        });
    }
}

impl<'g, F: Float> Tensor<'g, F> {
    /// `f(x)` as a constant.
    pub(crate) fn map_constant(self, f: impl Fn(F) -> F + Sync) -> Self {
        let out = self.core.buffer(self.len());
        let parts = Parts::new(out);
        self.core.parts(self.len(), 1, |start, len| {
            // SAFETY: the parts do not overlap.
            loops::map(&self.data[start..start + len], unsafe { parts.part(start, len) }, &f);
        });
        self.core.unrecorded(out, self.shape)
    }

    fn unary(
        self,
        name: &'static str,
        f: impl Fn(F) -> F + Sync,
        derivative: impl Fn(F, F) -> F + Copy + Sync + 'static,
        formula: Option<Formula<F>>,
    ) -> Self {
        let value = self.map_constant(f);
        let operation = Unary { x: self.store(), name, derivative, formula };
        self.core.record_value(value, &[self], operation)
    }

    /// `f(x)` for every number, with the derivative of `f` as a function of `x` and `f(x)`. It need not be the true
    /// one: a straight-through estimator is one such call. The closures may capture numbers, not references.
    ///
    /// It has no second derivative.
    pub fn map(
        self,
        f: impl Fn(F) -> F + Sync,
        derivative: impl Fn(F, F) -> F + Copy + Sync + 'static,
    ) -> Self {
        self.unary("map", f, derivative, None)
    }

    /// `f(x, y)` for every pair of numbers of two tensors of one shape, with the partial derivatives of `f`, both
    /// functions of `x` and `y`: a custom loss in one pass over memory. It has no second derivative.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn zip_map(
        self,
        other: Self,
        f: impl Fn(F, F) -> F + Sync,
        by_self: impl Fn(F, F) -> F + Copy + Sync + 'static,
        by_other: impl Fn(F, F) -> F + Copy + Sync + 'static,
    ) -> Self {
        assert_eq!(self.shape, other.shape, "zip_map: the shapes differ");
        let value = self.zip_constant("zip_map", other, f);
        let operation = Zip { x: self.store(), y: other.store(), by_x: by_self, by_y: by_other };
        self.core.record_value(value, &[self, other], operation)
    }

    /// `exp(x)`.
    pub fn exp(self) -> Self {
        apply(self, Function::Exp)
    }

    /// Natural logarithm.
    pub fn log(self) -> Self {
        apply(self, Function::Log)
    }

    /// Square root.
    pub fn sqrt(self) -> Self {
        apply(self, Function::Sqrt)
    }

    /// `1 / x`.
    pub fn reciprocal(self) -> Self {
        apply(self, Function::Reciprocal)
    }

    /// `x^2`.
    pub fn square(self) -> Self {
        apply(self, Function::Square)
    }

    /// `x^exponent`. A whole exponent takes any `x`; another one gives NaN for negative `x`.
    pub fn pow(self, exponent: f64) -> Self {
        if exponent == 2.0 { self.square() } else { pow(self, exponent) }
    }

    /// `|x|`; the derivative at 0 is taken as 0.
    pub fn abs(self) -> Self {
        apply(self, Function::Abs)
    }

    /// Hyperbolic tangent.
    pub fn tanh(self) -> Self {
        apply(self, Function::Tanh)
    }

    /// `1 / (1 + exp(-x))`.
    pub fn sigmoid(self) -> Self {
        apply(self, Function::Sigmoid)
    }

    /// `ln(1 + exp(x))`, without overflow.
    pub fn softplus(self) -> Self {
        apply(self, Function::Softplus)
    }

    /// `max(x, 0)`; the derivative at 0 is taken as 0.
    pub fn relu(self) -> Self {
        apply(self, Function::Relu)
    }

    /// `x` where positive, `slope x` elsewhere.
    pub fn leaky_relu(self, slope: f64) -> Self {
        leaky_relu(self, slope)
    }

    /// `x sigmoid(x)`, also called swish.
    pub fn silu(self) -> Self {
        apply(self, Function::Silu)
    }

    /// `x Phi(x)` with the normal distribution function: PyTorch's `gelu`.
    pub fn gelu(self) -> Self {
        apply(self, Function::Gelu)
    }

    /// The approximation of [`Tensor::gelu`] by tanh.
    pub fn gelu_tanh(self) -> Self {
        apply(self, Function::GeluTanh)
    }

    /// `x` cut off at both ends; the gradient is 0 beyond them and 1 on them.
    pub fn clamp(self, low: f64, high: f64) -> Self {
        clamp(self, low, high)
    }

    /// Huber's loss of a residual: `x^2 / 2` where `|x| <= delta`, `delta (|x| - delta / 2)` beyond (Huber 1964;
    /// PyTorch's `huber_loss`, and its `smooth_l1_loss` for `delta = 1`).
    pub fn huber(self, delta: f64) -> Self {
        huber(self, delta)
    }

    /// The activation function, by name.
    pub fn activate(self, activation: Activation) -> Self {
        match activation {
            Activation::None => self,
            Activation::Relu => self.relu(),
            Activation::LeakyRelu => self.leaky_relu(LEAKY_SLOPE),
            Activation::Tanh => self.tanh(),
            Activation::Sigmoid => self.sigmoid(),
            Activation::Silu => self.silu(),
            Activation::Gelu => self.gelu(),
            Activation::GeluTanh => self.gelu_tanh(),
        }
    }

    /// The distribution function of the standard normal distribution.
    pub fn normal_cdf(self) -> Self {
        apply(self, Function::NormalCdf)
    }
}

/// The functions of one number that have no parameters.
#[derive(Clone, Copy)]
enum Function {
    Exp,
    Log,
    Sqrt,
    Reciprocal,
    Square,
    Abs,
    Tanh,
    Sigmoid,
    Softplus,
    Relu,
    Silu,
    Gelu,
    GeluTanh,
    NormalCdf,
}

compiled_once! {
    /// A function of every number, with its derivative and the derivative's formula.
    fn apply<'g, F>(x: Tensor<'g, F>, function: Function) -> Tensor<'g, F> {
        match function {
            Function::Exp => x.unary("exp", |x| x.exp(), |_, y| y, Some(|_, y| y)),
            Function::Log => x.unary("log", |x| x.ln(), |x, _| F::ONE / x, Some(|x, _| x.reciprocal())),
            Function::Sqrt => {
                x.unary("sqrt", |x| x.sqrt(), |_, y| F::HALF / y, Some(|_, y| y.reciprocal() * 0.5))
            }
            Function::Reciprocal => {
                x.unary("reciprocal", |x| F::ONE / x, |_, y| -(y * y), Some(|_, y| -y.square()))
            }
            Function::Square => x.unary("square", |x| x * x, |x, _| x + x, Some(|x, _| x * 2.0)),
            Function::Abs => x.unary("abs", |x| x.abs(), |x, _| sign(x), Some(|x, _| x.map_constant(sign))),
            Function::Tanh => {
                x.unary("tanh", |x| x.tanh(), |_, y| F::ONE - y * y, Some(derivative_formula(Activation::Tanh)))
            }
            Function::Sigmoid => {
                let formula = Some(derivative_formula(Activation::Sigmoid));
                x.unary("sigmoid", |x| x.sigmoid(), |_, y| y * (F::ONE - y), formula)
            }
            Function::Softplus => {
                x.unary("softplus", |x| x.softplus(), |x, _| x.sigmoid(), Some(|x, _| x.sigmoid()))
            }
            Function::Relu => {
                let step = |x, _| if x > F::ZERO { F::ONE } else { F::ZERO };
                x.unary("relu", |x| x.max(F::ZERO), step, Some(derivative_formula(Activation::Relu)))
            }
            Function::Silu => {
                x.unary("silu", silu, silu_derivative, Some(derivative_formula(Activation::Silu)))
            }
            Function::Gelu => {
                x.unary("gelu", gelu, gelu_derivative, Some(derivative_formula(Activation::Gelu)))
            }
            Function::GeluTanh => {
                let formula = Some(derivative_formula(Activation::GeluTanh));
                x.unary("gelu_tanh", gelu_tanh, gelu_tanh_derivative, formula)
            }
            Function::NormalCdf => {
                let density = |x: F, _| F::from_f64(INV_SQRT_TAU) * (-F::HALF * x * x).exp();
                let formula: Formula<F> = |x, _| (x.square() * -0.5).exp() * INV_SQRT_TAU;
                x.unary("normal_cdf", normal_cdf, density, Some(formula))
            }
        }
    }

    fn pow<'g, F>(x: Tensor<'g, F>, exponent: f64) -> Tensor<'g, F> {
        let p = F::from_f64(exponent);
        let value = x.map_constant(move |x| x.powf(p));
        x.core.record_value(value, &[x], Pow { x: x.store(), exponent })
    }

    fn leaky_relu<'g, F>(x: Tensor<'g, F>, slope: f64) -> Tensor<'g, F> {
        let s = F::from_f64(slope);
        let value = x.map_constant(move |x| if x > F::ZERO { x } else { s * x });
        x.core.record_value(value, &[x], LeakyRelu { x: x.store(), slope })
    }

    fn clamp<'g, F>(x: Tensor<'g, F>, low: f64, high: f64) -> Tensor<'g, F> {
        let (l, h) = (F::from_f64(low), F::from_f64(high));
        let value = x.map_constant(move |x| x.max(l).min(h));
        x.core.record_value(value, &[x], Clamp { x: x.store(), low, high })
    }

    fn huber<'g, F>(x: Tensor<'g, F>, delta: f64) -> Tensor<'g, F> {
        let d = F::from_f64(delta);
        let value = x.map_constant(move |x| {
            let a = x.abs();
            if a <= d { F::HALF * x * x } else { d * (a - F::HALF * d) }
        });
        x.core.record_value(value, &[x], Huber { x: x.store(), delta })
    }
}

/// The derivative of an activation function as a formula of its input and its output.
pub(crate) fn derivative_formula<F: Float>(activation: Activation) -> Formula<F> {
    match activation {
        Activation::None => |x, _| x.graph().full(x.shape, 1.0),
        Activation::Relu => |_, y| y.map_constant(|y| if y > F::ZERO { F::ONE } else { F::ZERO }),
        Activation::LeakyRelu => {
            |_, y| y.map_constant(|y| if y > F::ZERO { F::ONE } else { F::from_f64(LEAKY_SLOPE) })
        }
        Activation::Tanh => |_, y| 1.0 - y.square(),
        Activation::Sigmoid => |_, y| y * (1.0 - y),
        Activation::Silu => |x, y| {
            let s = x.sigmoid();
            s + y * (1.0 - s)
        },
        Activation::Gelu => |x, _| x.normal_cdf() + x * ((x.square() * -0.5).exp() * INV_SQRT_TAU),
        Activation::GeluTanh => |x, _| {
            let t = ((x + x.pow(3.0) * CUBIC) * SQRT_2_PI).tanh();
            let slope = (x.square() * (3.0 * CUBIC) + 1.0) * SQRT_2_PI;
            (t + 1.0) * 0.5 + x * (1.0 - t.square()) * slope * 0.5
        },
    }
}

const INV_SQRT_TAU: f64 = 0.398_942_280_401_432_7;
const SQRT_2_PI: f64 = 0.797_884_560_802_865_4;
const CUBIC: f64 = 0.044_715;
/// The slope of [`Activation::LeakyRelu`] for negative numbers, PyTorch's default.
pub(crate) const LEAKY_SLOPE: f64 = 0.01;

/// -1, 0 or 1; a NaN stays.
#[inline(always)]
fn sign<F: Float>(x: F) -> F {
    if x > F::ZERO {
        F::ONE
    } else if x < F::ZERO {
        -F::ONE
    } else {
        x
    }
}

#[inline(always)]
pub(crate) fn silu<F: Float>(x: F) -> F {
    x * x.sigmoid()
}

#[inline(always)]
fn silu_derivative<F: Float>(x: F, _: F) -> F {
    let s = x.sigmoid();
    s + x * s * (F::ONE - s)
}

#[inline(always)]
fn normal_cdf<F: Float>(x: F) -> F {
    F::HALF * (F::ONE + (x * F::from_f64(std::f64::consts::FRAC_1_SQRT_2)).erf())
}

#[inline(always)]
pub(crate) fn gelu<F: Float>(x: F) -> F {
    x * normal_cdf(x)
}

#[inline(always)]
fn gelu_derivative<F: Float>(x: F, _: F) -> F {
    normal_cdf(x) + x * F::from_f64(INV_SQRT_TAU) * (-F::HALF * x * x).exp()
}

#[inline(always)]
pub(crate) fn gelu_tanh<F: Float>(x: F) -> F {
    let inner = F::from_f64(SQRT_2_PI) * (x + F::from_f64(CUBIC) * x * x * x);
    // (1 + tanh u) / 2 = sigmoid(2 u)
    x * (inner + inner).sigmoid()
}

#[inline(always)]
fn gelu_tanh_derivative<F: Float>(x: F, _: F) -> F {
    let two = F::from_f64(2.0);
    let inner = F::from_f64(SQRT_2_PI) * (x + F::from_f64(CUBIC) * x * x * x);
    let slope = F::from_f64(SQRT_2_PI) * (F::ONE + F::from_f64(3.0 * CUBIC) * x * x);
    let s = (inner + inner).sigmoid();
    s + x * two * s * (F::ONE - s) * slope
}

/// A scalar activation function and its derivative from the input and the output, for fused operations.
pub(crate) trait ActivationFunction<F: Float>: Copy + Sync + 'static {
    /// True if the derivative needs the input: the operation must keep it.
    const NEEDS_INPUT: bool;
    fn value(self, x: F) -> F;
    /// The derivative from the output, or from the input if [`Self::NEEDS_INPUT`].
    fn derivative(self, kept: F) -> F;
}

macro_rules! activation_functions {
    ($($name:ident, $needs_input:literal, $value:expr, $derivative:expr;)*) => {$(
        #[derive(Clone, Copy)]
        pub(crate) struct $name;
        impl<F: Float> ActivationFunction<F> for $name {
            const NEEDS_INPUT: bool = $needs_input;
            #[inline(always)]
            fn value(self, x: F) -> F {
                let f: fn(F) -> F = $value;
                f(x)
            }
            #[inline(always)]
            fn derivative(self, kept: F) -> F {
                let f: fn(F) -> F = $derivative;
                f(kept)
            }
        }
    )*};
}

activation_functions! {
    NoneFunction, false, |x| x, |_| F::ONE;
    ReluFunction, false, |x| x.max(F::ZERO), |y| if y > F::ZERO { F::ONE } else { F::ZERO };
    LeakyReluFunction, false,
        |x| if x > F::ZERO { x } else { F::from_f64(LEAKY_SLOPE) * x },
        |y| if y > F::ZERO { F::ONE } else { F::from_f64(LEAKY_SLOPE) };
    TanhFunction, false, |x| x.tanh(), |y| F::ONE - y * y;
    SigmoidFunction, false, |x| x.sigmoid(), |y| y * (F::ONE - y);
    SiluFunction, true, silu, |x| silu_derivative(x, x);
    GeluFunction, true, gelu, |x| gelu_derivative(x, x);
    GeluTanhFunction, true, gelu_tanh, |x| gelu_tanh_derivative(x, x);
}

/// Calls a generic expression with the [`ActivationFunction`] of an [`Activation`].
macro_rules! with_activation {
    ($activation:expr, |$function:ident| $body:expr) => {
        match $activation {
            $crate::Activation::None => {
                let $function = $crate::ops::elementwise::NoneFunction;
                $body
            }
            $crate::Activation::Relu => {
                let $function = $crate::ops::elementwise::ReluFunction;
                $body
            }
            $crate::Activation::Tanh => {
                let $function = $crate::ops::elementwise::TanhFunction;
                $body
            }
            $crate::Activation::Gelu => {
                let $function = $crate::ops::elementwise::GeluFunction;
                $body
            }
            $crate::Activation::GeluTanh => {
                let $function = $crate::ops::elementwise::GeluTanhFunction;
                $body
            }
            $crate::Activation::Silu => {
                let $function = $crate::ops::elementwise::SiluFunction;
                $body
            }
            $crate::Activation::Sigmoid => {
                let $function = $crate::ops::elementwise::SigmoidFunction;
                $body
            }
            $crate::Activation::LeakyRelu => {
                let $function = $crate::ops::elementwise::LeakyReluFunction;
                $body
            }
        }
    };
}
pub(crate) use with_activation;

#[derive(Clone, Copy)]
struct Pow<F> {
    x: Stored<F>,
    exponent: f64,
}

impl<F: Float> Operation<F> for Pow<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        let lower = self.exponent - 1.0;
        let power = match lower {
            0.0 => return pass.add(x, gradient),
            1.0 => x,
            _ => x.pow(lower),
        };
        pass.add(x, gradient * (power * self.exponent));
    }
}

#[derive(Clone, Copy)]
struct LeakyRelu<F> {
    x: Stored<F>,
    slope: f64,
}

impl<F: Float> Operation<F> for LeakyRelu<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        let slope = F::from_f64(self.slope);
        pass.add(x, gradient * x.map_constant(move |x| if x > F::ZERO { F::ONE } else { slope }));
    }
}

#[derive(Clone, Copy)]
struct Clamp<F> {
    x: Stored<F>,
    low: f64,
    high: f64,
}

impl<F: Float> Operation<F> for Clamp<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        let (low, high) = (F::from_f64(self.low), F::from_f64(self.high));
        let inside = x.map_constant(move |x| if x >= low && x <= high { F::ONE } else { F::ZERO });
        pass.add(x, gradient * inside);
    }
}

#[derive(Clone, Copy)]
struct Huber<F> {
    x: Stored<F>,
    delta: f64,
}

impl<F: Float> Operation<F> for Huber<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        let x = pass.input(self.x);
        pass.add(x, gradient * x.clamp(-self.delta, self.delta));
    }
}

//! Numbers that carry the derivatives by a few parameters (forward-mode differentiation): exact through a loop of any length, and it keeps nothing.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// What a solver computes with: a plain number, or one with derivatives.
pub trait Number:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + From<f64>
{
    /// The number itself.
    fn value(self) -> f64;

    /// Its square root, whose derivative at 0 is taken for 0.
    fn sqrt(self) -> Self;

    /// e to its power.
    fn exp(self) -> Self;

    /// `low` or `high` if it lies beyond.
    fn clamp(self, low: f64, high: f64) -> Self {
        if self.value() < low {
            low.into()
        } else if self.value() > high {
            high.into()
        } else {
            self
        }
    }
}

impl Number for f64 {
    #[inline]
    fn value(self) -> f64 {
        self
    }

    #[inline]
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }

    #[inline]
    fn exp(self) -> f64 {
        f64::exp(self)
    }
}

/// A number and its derivatives by P parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dual<const P: usize> {
    /// The number.
    pub value: f64,
    /// Its derivatives.
    pub slopes: [f64; P],
}

impl<const P: usize> Dual<P> {
    /// Parameter number `index`, 0 to P - 1.
    pub fn parameter(value: f64, index: usize) -> Self {
        Dual { value, slopes: std::array::from_fn(|i| if i == index { 1.0 } else { 0.0 }) }
    }

    /// `value`, whose derivatives are those of this number times `slope`.
    #[inline]
    pub fn through(self, value: f64, slope: f64) -> Self {
        Dual { value, slopes: self.slopes.map(|s| slope * s) }
    }

    /// `value`, whose derivatives are a s + b t for those of the two numbers.
    #[inline]
    fn with(self, other: Self, value: f64, a: f64, b: f64) -> Self {
        Dual { value, slopes: std::array::from_fn(|i| a * self.slopes[i] + b * other.slopes[i]) }
    }

    /// The quotient.
    #[inline]
    fn over(self, other: Self) -> Self {
        let value = self.value / other.value;
        let slope = |i: usize| (self.slopes[i] - value * other.slopes[i]) / other.value;
        Dual { value, slopes: std::array::from_fn(slope) }
    }

    /// The same number among more parameters.
    ///
    /// # Panics
    /// If there are fewer.
    #[inline]
    pub fn among<const Q: usize>(self) -> Dual<Q> {
        let mut slopes = [0.0; Q];
        slopes[..P].copy_from_slice(&self.slopes);
        Dual { value: self.value, slopes }
    }
}

impl<const P: usize> From<f64> for Dual<P> {
    #[inline]
    fn from(value: f64) -> Self {
        Dual { value, slopes: [0.0; P] }
    }
}

impl<const P: usize> Add for Dual<P> {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        self.with(other, self.value + other.value, 1.0, 1.0)
    }
}

impl<const P: usize> Sub for Dual<P> {
    type Output = Self;

    #[inline]
    fn sub(self, other: Self) -> Self {
        self.with(other, self.value - other.value, 1.0, -1.0)
    }
}

impl<const P: usize> Mul for Dual<P> {
    type Output = Self;

    #[inline]
    fn mul(self, other: Self) -> Self {
        self.with(other, self.value * other.value, other.value, self.value)
    }
}

impl<const P: usize> Div for Dual<P> {
    type Output = Self;

    #[inline]
    fn div(self, other: Self) -> Self {
        self.over(other)
    }
}

impl<const P: usize> Neg for Dual<P> {
    type Output = Self;

    #[inline]
    fn neg(self) -> Self {
        self.through(-self.value, -1.0)
    }
}

impl<const P: usize> Number for Dual<P> {
    #[inline]
    fn value(self) -> f64 {
        self.value
    }

    #[inline]
    fn sqrt(self) -> Self {
        let value = self.value.sqrt();
        let slope = |s: f64| if value > 0.0 { s / (2.0 * value) } else { 0.0 };
        Dual { value, slopes: self.slopes.map(slope) }
    }

    #[inline]
    fn exp(self) -> Self {
        let value = self.value.exp();
        self.through(value, value)
    }
}

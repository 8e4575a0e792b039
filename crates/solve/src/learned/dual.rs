//! Numbers that carry the derivative by one parameter (forward-mode differentiation): exact through a loop of any length, and it keeps nothing.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// What a solver computes with: a plain number, or one with a derivative.
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
}

/// A number and its derivative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dual {
    /// The number.
    pub value: f64,
    /// Its derivative.
    pub slope: f64,
}

impl Dual {
    /// The parameter itself.
    pub fn parameter(value: f64) -> Self {
        Dual { value, slope: 1.0 }
    }
}

impl From<f64> for Dual {
    #[inline]
    fn from(value: f64) -> Self {
        Dual { value, slope: 0.0 }
    }
}

impl Add for Dual {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        Dual { value: self.value + other.value, slope: self.slope + other.slope }
    }
}

impl Sub for Dual {
    type Output = Self;

    #[inline]
    fn sub(self, other: Self) -> Self {
        Dual { value: self.value - other.value, slope: self.slope - other.slope }
    }
}

impl Mul for Dual {
    type Output = Self;

    #[inline]
    fn mul(self, other: Self) -> Self {
        Dual { value: self.value * other.value, slope: self.slope * other.value + self.value * other.slope }
    }
}

impl Div for Dual {
    type Output = Self;

    #[inline]
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        Dual { value, slope: (self.slope - value * other.slope) / other.value }
    }
}

impl Neg for Dual {
    type Output = Self;

    #[inline]
    fn neg(self) -> Self {
        Dual { value: -self.value, slope: -self.slope }
    }
}

impl Number for Dual {
    #[inline]
    fn value(self) -> f64 {
        self.value
    }

    #[inline]
    fn sqrt(self) -> Self {
        let value = self.value.sqrt();
        Dual { value, slope: if value > 0.0 { self.slope / (2.0 * value) } else { 0.0 } }
    }
}

//! The number types, and the functions of them that vectorize.

use std::fmt::{Debug, Display};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::gemm::Kernel;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// `f32` or `f64`: every kernel is generic over this, so that finite-difference tests run the very code that
/// training runs.
///
/// The `f32` functions `exp`, `ln`, `tanh`, `sigmoid` and `softplus` are polynomials without branches, within about
/// two units in the last place, which the compiler vectorizes; the `f64` ones are the standard library's.
pub trait Float:
    sealed::Sealed
    + bytemuck::Pod
    + Serialize
    + DeserializeOwned
    + Copy
    + Default
    + Debug
    + Display
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + Sum
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// One half.
    const HALF: Self;
    /// The largest finite value.
    const MAX: Self;
    /// Positive infinity.
    const INFINITY: Self;
    /// The smallest normal value over the machine epsilon: about 1e-31 in `f32`, 1e-292 in `f64`.
    const NEGLIGIBLE: Self;

    /// The nearest value to `x`.
    fn from_f64(x: f64) -> Self;
    /// The same value in double precision.
    fn to_f64(self) -> f64;
    /// `self * a + b` with one rounding.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// The magnitude of `self` with the sign of `sign`.
    fn copysign(self, sign: Self) -> Self;
    /// True if neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// True if not a number.
    #[inline(always)]
    #[allow(clippy::eq_op)]
    fn is_nan(self) -> bool {
        self != self
    }
    /// 0 in place of a value nearer to 0 than [`Float::NEGLIGIBLE`].
    ///
    /// Averages that decay go through it. They would otherwise end among the subnormal numbers, on which processors are up to a
    /// hundred times slower, and where rounding keeps them for good: an input that is rarely on is enough.
    #[inline(always)]
    fn flushed(self) -> Self {
        if self.abs() < Self::NEGLIGIBLE { Self::ZERO } else { self }
    }
    /// `self` raised to a real power.
    fn powf(self, exponent: Self) -> Self;
    /// Natural exponential.
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Logistic function `1 / (1 + exp(-x))`.
    fn sigmoid(self) -> Self;
    /// `ln(1 + exp(x))`, without overflow.
    fn softplus(self) -> Self;
    /// Error function.
    fn erf(self) -> Self;
    /// Sine and cosine.
    fn sin_cos(self) -> (Self, Self);

    /// The smaller one; a NaN in `self` stays.
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        if self > other { other } else { self }
    }

    /// The larger one; a NaN in `self` stays.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        if self < other { other } else { self }
    }

    /// What products of matrices are made of.
    #[doc(hidden)]
    fn kernel() -> &'static Kernel<Self>;
}

macro_rules! common {
    ($float:ident, $kernel:path) => {
        const ZERO: Self = 0.0;
        const ONE: Self = 1.0;
        const HALF: Self = 0.5;
        const MAX: Self = $float::MAX;
        const INFINITY: Self = $float::INFINITY;
        const NEGLIGIBLE: Self = $float::MIN_POSITIVE / $float::EPSILON;

        #[inline(always)]
        fn from_f64(x: f64) -> Self {
            x as $float
        }
        #[inline(always)]
        fn to_f64(self) -> f64 {
            self as f64
        }
        #[inline(always)]
        fn mul_add(self, a: Self, b: Self) -> Self {
            $float::mul_add(self, a, b)
        }
        #[inline(always)]
        fn sqrt(self) -> Self {
            $float::sqrt(self)
        }
        #[inline(always)]
        fn abs(self) -> Self {
            $float::abs(self)
        }
        #[inline(always)]
        fn copysign(self, sign: Self) -> Self {
            $float::copysign(self, sign)
        }
        #[inline(always)]
        fn is_finite(self) -> bool {
            $float::is_finite(self)
        }
        #[inline(always)]
        fn powf(self, exponent: Self) -> Self {
            $float::powf(self, exponent)
        }
        #[inline(always)]
        fn sin_cos(self) -> (Self, Self) {
            $float::sin_cos(self)
        }

        fn kernel() -> &'static Kernel<Self> {
            $kernel()
        }
    };
}

impl Float for f32 {
    common!(f32, crate::gemm::f32_kernel);

    #[inline(always)]
    fn exp(self) -> f32 {
        // x = n ln 2 + r with |r| <= ln 2 / 2; 2^n is applied in two halves, so that neither overflows and results
        // below the normal range come out subnormal. Polynomial: Moshier's Cephes, expf.
        let x = Float::min(Float::max(self, -104.0), 89.0);
        const SHIFT: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer
        let shifted = x * std::f32::consts::LOG2_E + SHIFT;
        let n = shifted - SHIFT;
        let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
        let mut p = 1.987_569_1e-4;
        p = p * r + 1.398_2e-3;
        p = p * r + 8.333_452e-3;
        p = p * r + 4.166_579_6e-2;
        p = p * r + 0.166_666_65;
        p = p * r + 0.5;
        let y = p * (r * r) + r + 1.0;
        let n = (shifted.to_bits() as i32).wrapping_sub(SHIFT.to_bits() as i32);
        let half = n >> 1;
        let power = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
        y * power(half) * power(n.wrapping_sub(half))
    }

    #[inline(always)]
    fn ln(self) -> f32 {
        // x = 2^e m with m in [sqrt 1/2, sqrt 2). Polynomial: Moshier's Cephes, logf.
        let subnormal = self < f32::MIN_POSITIVE;
        let x = if subnormal { self * 8_388_608.0 } else { self };
        let bits = (x.to_bits() as i32).wrapping_sub(0x3f35_04f3);
        let e = (bits >> 23) as f32 - if subnormal { 23.0 } else { 0.0 };
        let z = f32::from_bits((bits & 0x007f_ffff).wrapping_add(0x3f35_04f3) as u32) - 1.0;
        let mut p = 7.037_683_6e-2;
        p = p * z - 0.115_146_1;
        p = p * z + 0.116_769_99;
        p = p * z - 0.124_201_41;
        p = p * z + 0.142_493_23;
        p = p * z - 0.166_680_58;
        p = p * z + 0.200_007_15;
        p = p * z - 0.249_999_94;
        p = p * z + 0.333_333_3;
        let square = z * z;
        let y = p * z * square + e * -2.121_944_4e-4 - 0.5 * square;
        let result = z + y + e * 0.693_359_4;
        let result = if self == 0.0 { f32::NEG_INFINITY } else { result };
        let result = if self == f32::INFINITY { f32::INFINITY } else { result };
        if self >= 0.0 { result } else { f32::NAN }
    }

    #[inline(always)]
    fn tanh(self) -> f32 {
        // Odd polynomial near 0 (Moshier's Cephes, tanhf), 1 - 2 / (exp(2 |x|) + 1) elsewhere.
        let a = f32::abs(self);
        let z = self * self;
        let mut p = -5.704_988_7e-3;
        p = p * z + 2.063_909e-2;
        p = p * z - 5.373_971_6e-2;
        p = p * z + 0.133_314_42;
        p = p * z - 0.333_332_8;
        let near = p * z * self + self;
        let far = 1.0 - 2.0 / (Float::exp(a + a) + 1.0);
        if a < 0.625 { near } else { far.copysign(self) }
    }

    #[inline(always)]
    fn sigmoid(self) -> f32 {
        1.0 / (1.0 + Float::exp(-self))
    }

    #[inline(always)]
    fn softplus(self) -> f32 {
        // ln(1 + z) with the rounding of 1 + z divided out again (Kahan).
        let z = Float::exp(-f32::abs(self));
        let u = 1.0 + z;
        let tail = if u == 1.0 { z } else { Float::ln(u) * (z / (u - 1.0)) };
        Float::max(self, 0.0) + tail
    }

    #[inline(always)]
    fn erf(self) -> f32 {
        // An odd rational function on [-4, 4], beyond which erf rounds to 1; coefficients as in Eigen.
        let x = Float::min(Float::max(self, -4.0), 4.0);
        let z = x * x;
        let mut p = -2.726_142_4e-10f32;
        p = p * z + 2.770_681_5e-8;
        p = p * z - 2.101_024e-6;
        p = p * z - 5.692_506_5e-5;
        p = p * z - 7.349_906_6e-4;
        p = p * z - 2.954_6e-3;
        p = p * z - 1.609_603_4e-2;
        let mut q = -1.456_607_1e-5f32;
        q = q * z - 2.133_740_5e-4;
        q = q * z - 1.682_827e-3;
        q = q * z - 7.373_329e-3;
        q = q * z - 1.426_473_9e-2;
        x * p / q
    }
}

impl Float for f64 {
    common!(f64, crate::gemm::f64_kernel);

    #[inline(always)]
    fn exp(self) -> f64 {
        f64::exp(self)
    }
    #[inline(always)]
    fn ln(self) -> f64 {
        f64::ln(self)
    }
    #[inline(always)]
    fn tanh(self) -> f64 {
        f64::tanh(self)
    }
    #[inline(always)]
    fn sigmoid(self) -> f64 {
        1.0 / (1.0 + f64::exp(-self))
    }
    #[inline(always)]
    fn softplus(self) -> f64 {
        self.max(0.0) + f64::exp(-self.abs()).ln_1p()
    }
    #[inline(always)]
    fn erf(self) -> f64 {
        libm::erf(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest error of `f` in units in the last place of the true value, over `n` points of [low, high].
    fn worst_ulps(f: fn(f32) -> f32, truth: fn(f64) -> f64, low: f64, high: f64) -> f64 {
        let n = 200_000;
        (0..=n)
            .map(|i| {
                let x = (low + (high - low) * f64::from(i) / f64::from(n)) as f32;
                let exact = truth(f64::from(x));
                let rounded = exact as f32;
                let ulp = f64::from(f32::from_bits(rounded.abs().to_bits() + 1) - rounded.abs());
                (f64::from(f(x)) - exact).abs() / ulp
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn single_precision_functions_are_within_two_units_in_the_last_place() {
        assert!(worst_ulps(Float::exp, f64::exp, -87.0, 88.7) < 1.5);
        assert!(worst_ulps(Float::ln, f64::ln, 1e-6, 0.99) < 1.5);
        assert!(worst_ulps(Float::ln, f64::ln, 1.01, 1e6) < 1.5);
        assert!(worst_ulps(Float::tanh, f64::tanh, -10.0, 10.0) < 2.0);
        assert!(worst_ulps(Float::sigmoid, |x| 1.0 / (1.0 + (-x).exp()), -80.0, 20.0) < 3.0);
        assert!(worst_ulps(Float::softplus, |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), -80.0, 80.0) < 3.0);
        let erf = worst_ulps(Float::erf, libm::erf, -4.5, 4.5);
        assert!(erf < 10.0, "{erf}");
    }

    #[test]
    fn special_values() {
        assert_eq!(Float::exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(Float::exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(Float::exp(0.0f32), 1.0);
        assert!(Float::exp(f32::NAN).is_nan());
        let subnormal = Float::exp(-100.0f32);
        assert!((f64::from(subnormal) - (-100f64).exp()).abs() < 1e-45 && subnormal > 0.0);
        assert_eq!(Float::ln(0.0f32), f32::NEG_INFINITY);
        assert_eq!(Float::ln(1.0f32), 0.0);
        assert_eq!(Float::ln(f32::INFINITY), f32::INFINITY);
        assert!(Float::ln(-1.0f32).is_nan() && Float::ln(f32::NAN).is_nan());
        assert!((Float::ln(1e-42f32) - 1e-42f32.ln()).abs() < 1e-5);
        assert_eq!(Float::tanh(100.0f32), 1.0);
        assert_eq!(Float::tanh(-100.0f32), -1.0);
        assert!(Float::tanh(f32::NAN).is_nan());
        assert_eq!(Float::sigmoid(-200.0f32), 0.0);
        assert_eq!(Float::softplus(200.0f32), 200.0);
        assert_eq!(Float::erf(9.0f32), 1.0);
    }
}

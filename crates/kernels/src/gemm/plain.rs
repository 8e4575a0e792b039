//! Plain Rust, four numbers at a time: what any processor can do.

use super::tile::{Vector, kernel, transpose_plain};
use crate::Float;
use crate::simd::{Simd, Unfused};

#[derive(Clone, Copy)]
pub(super) struct Four<F>([F; 4]);

impl<F: Float> Vector<F> for Four<F> {
    const LANES: usize = 4;
    #[inline(always)]
    unsafe fn splat(x: F) -> Self {
        Four([x; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const F) -> Self {
        // SAFETY: the caller's duty.
        Four(unsafe { from.cast::<[F; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut F) {
        // SAFETY: the caller's duty.
        unsafe { to.cast::<[F; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        Four(std::array::from_fn(|i| Unfused.fma(self.0[i], b.0[i], c.0[i])))
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        Four(std::array::from_fn(|i| self.0[i] + b.0[i]))
    }
}

kernel!(F32, f32, Four<f32>, 4 x 2, [1 2 3 4], transpose_plain::<f32>);
kernel!(F64, f64, Four<f64>, 4 x 2, [1 2 3 4], transpose_plain::<f64>);

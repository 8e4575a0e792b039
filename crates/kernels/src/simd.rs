//! One source, three instruction sets: loops compiled for AVX-512, AVX2 + FMA and the baseline, picked at run time.
//!
//! [`multiversion!`](crate::multiversion) writes a function three times. The widest version the processor can run
//! is found once and remembered. The elementwise loops use no fused multiply-add, so that they give the same bits at
//! every level; only products that say so (through [`Simd::fma`]) round differently where FMA exists.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::Float;

/// An instruction set that loops are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// What the target triple promises: SSE2 on x86-64, NEON on AArch64.
    Baseline = 1,
    /// AVX2 and fused multiply-add.
    Avx2 = 2,
    /// AVX-512 F, VL, BW and DQ.
    Avx512 = 3,
}

static LEVEL: AtomicU8 = AtomicU8::new(0);

/// The level that is in use: the best of this processor unless [`limit`] said otherwise.
#[inline]
pub fn level() -> Level {
    match LEVEL.load(Ordering::Relaxed) {
        1 => Level::Baseline,
        2 => Level::Avx2,
        3 => Level::Avx512,
        _ => {
            let best = detect();
            LEVEL.store(best as u8, Ordering::Relaxed);
            best
        }
    }
}

/// Uses nothing above this level from now on, in the whole process: to compare levels in tests and benchmarks.
pub fn limit(highest: Level) {
    LEVEL.store(highest.min(detect()) as u8, Ordering::Relaxed);
}

fn detect() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        if avx2
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
        {
            return Level::Avx512;
        }
        if avx2 {
            return Level::Avx2;
        }
    }
    Level::Baseline
}

/// Asks for the cache line of what lies at an address before it is needed, wherever that is.
#[inline(always)]
pub fn prefetch<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch has no effect on memory, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// What a loop compiled for one level knows about it at compile time.
pub trait Simd: Copy {
    /// `a * b + c`, rounded once where the level has fused multiply-add, twice elsewhere.
    fn fma<F: Float>(self, a: F, b: F, c: F) -> F;
}

/// Marks code compiled with fused multiply-add.
#[derive(Debug, Clone, Copy)]
pub struct Fused;

/// Marks code compiled without fused multiply-add.
#[derive(Debug, Clone, Copy)]
pub struct Unfused;

impl Simd for Fused {
    #[inline(always)]
    fn fma<F: Float>(self, a: F, b: F, c: F) -> F {
        a.mul_add(b, c)
    }
}

impl Simd for Unfused {
    #[inline(always)]
    fn fma<F: Float>(self, a: F, b: F, c: F) -> F {
        if cfg!(target_arch = "aarch64") { a.mul_add(b, c) } else { a * b + c }
    }
}

/// Writes a function for every [`Level`] and calls the one in use.
///
/// `fn name[generics](arguments) -> result |simd| { body }`: generics in square brackets, `simd` is a [`Simd`]. A function that is
/// generic over `F: Float` alone is [compiled once](crate::compiled_once).
#[macro_export]
macro_rules! multiversion {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident[$($generic:tt)*]($($arg:ident: $type:ty),* $(,)?)
        $(-> $result:ty)? |$simd:ident| $body:block)*) => {$(
        $crate::multiversion! {
            @[$($generic)*] $(#[$meta])* $vis fn $name($($arg: $type),*) $(-> $result)? |$simd| $body
        }
    )*};
    (@[$float:ident: Float] $(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),*)
        $(-> $result:ty)? |$simd:ident| $body:block) => {
        $crate::compiled_once! {
            $(#[$meta])*
            $vis fn $name<$float>($($arg: $type),*) $(-> $result)? {
                $crate::multiversion! {
                    fn versions[$float: $crate::Float]($($arg: $type),*) $(-> $result)? |$simd| $body
                }
                versions($($arg),*)
            }
        }
    };
    (@[$($generic:tt)*] $(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),*)
        $(-> $result:ty)? |$simd:ident| $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name<$($generic)*>($($arg: $type),*) $(-> $result)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn body<Level: $crate::simd::Simd, $($generic)*>($simd: Level, $($arg: $type),*) $(-> $result)? {
                let _ = $simd;
                $body
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,bmi2")]
            #[allow(clippy::too_many_arguments)]
            fn avx512<$($generic)*>($($arg: $type),*) $(-> $result)? {
                body($crate::simd::Fused, $($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            fn avx2<$($generic)*>($($arg: $type),*) $(-> $result)? {
                body($crate::simd::Fused, $($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            match $crate::simd::level() {
                // SAFETY: `level` never exceeds what the processor was found to support.
                $crate::simd::Level::Avx512 => return unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                $crate::simd::Level::Avx2 => return unsafe { avx2($($arg),*) },
                $crate::simd::Level::Baseline => {}
            }
            body($crate::simd::Unfused, $($arg),*)
        }
    };
}

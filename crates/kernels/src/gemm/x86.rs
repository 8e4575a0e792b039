//! AVX-512, and AVX2 with FMA.

use std::arch::x86_64::*;

use super::tile::{Vector, kernel, transpose_plain};

/// The mask of the first `count` of 16 lanes.
fn first_of_16(count: usize) -> __mmask16 {
    ((1u32 << count) - 1) as __mmask16
}

/// The mask of the first `count` of 8 lanes.
fn first_of_8(count: usize) -> __mmask8 {
    ((1u32 << count) - 1) as __mmask8
}

/// The same as the instructions before AVX-512 want it.
#[inline(always)]
unsafe fn first_of_8_wide(count: usize) -> __m256i {
    // SAFETY: the caller has the instructions.
    unsafe { _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)) }
}

/// The same for 4 lanes.
#[inline(always)]
unsafe fn first_of_4_wide(count: usize) -> __m256i {
    // SAFETY: the caller has the instructions.
    unsafe { _mm256_cmpgt_epi64(_mm256_set1_epi64x(count as i64), _mm256_setr_epi64x(0, 1, 2, 3)) }
}

#[inline(always)]
unsafe fn load_some_ps(mask: __m256i, from: *const f32) -> __m256 {
    // SAFETY: the caller's duty.
    unsafe { _mm256_maskload_ps(from, mask) }
}

#[inline(always)]
unsafe fn load_some_pd(mask: __m256i, from: *const f64) -> __m256d {
    // SAFETY: the caller's duty.
    unsafe { _mm256_maskload_pd(from, mask) }
}

macro_rules! vector {
    ($vector:ty, $float:ty, $lanes:literal, $splat:ident, $load:ident, $store:ident, $fma:ident, $add:ident,
        $mask:ident, $load_some:ident, $store_some:ident) => {
        impl Vector<$float> for $vector {
            const LANES: usize = $lanes;
            #[inline(always)]
            unsafe fn splat(x: $float) -> Self {
                // SAFETY: tiles of this vector run only where the instructions exist.
                unsafe { $splat(x) }
            }
            #[inline(always)]
            unsafe fn load(from: *const $float) -> Self {
                // SAFETY: as above, and the pointer is the caller's duty.
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $float) {
                // SAFETY: as above, and the pointer is the caller's duty.
                unsafe { $store(to, self) }
            }
            #[inline(always)]
            unsafe fn load_some(from: *const $float, count: usize) -> Self {
                // SAFETY: as above; what the mask leaves out is not read.
                unsafe { $load_some($mask(count), from) }
            }
            #[inline(always)]
            unsafe fn store_some(self, to: *mut $float, count: usize) {
                // SAFETY: as above; what the mask leaves out is not written.
                unsafe { $store_some(to, $mask(count), self) }
            }
            #[inline(always)]
            unsafe fn fma(self, b: Self, c: Self) -> Self {
                // SAFETY: as above.
                unsafe { $fma(self, b, c) }
            }
            #[inline(always)]
            unsafe fn add(self, b: Self) -> Self {
                // SAFETY: as above.
                unsafe { $add(self, b) }
            }
        }
    };
}
vector!(
    __m512,
    f32,
    16,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_fmadd_ps,
    _mm512_add_ps,
    first_of_16,
    _mm512_maskz_loadu_ps,
    _mm512_mask_storeu_ps
);
vector!(
    __m512d,
    f64,
    8,
    _mm512_set1_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_fmadd_pd,
    _mm512_add_pd,
    first_of_8,
    _mm512_maskz_loadu_pd,
    _mm512_mask_storeu_pd
);
vector!(
    __m256,
    f32,
    8,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_fmadd_ps,
    _mm256_add_ps,
    first_of_8_wide,
    load_some_ps,
    _mm256_maskstore_ps
);
vector!(
    __m256d,
    f64,
    4,
    _mm256_set1_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_fmadd_pd,
    _mm256_add_pd,
    first_of_4_wide,
    load_some_pd,
    _mm256_maskstore_pd
);

kernel!(F32_512, f32, __m512, 12 x 2, [1 2 3 4 5 6 7 8 9 10 11 12], transpose_512, "avx512f,avx2,fma");
kernel!(F64_512, f64, __m512d, 12 x 2, [1 2 3 4 5 6 7 8 9 10 11 12], transpose_plain::<f64>, "avx512f,avx2,fma");
kernel!(F32_256, f32, __m256, 6 x 2, [1 2 3 4 5 6], transpose_256, "avx2,fma");
kernel!(F64_256, f64, __m256d, 6 x 2, [1 2 3 4 5 6], transpose_plain::<f64>, "avx2,fma");

/// Transposes blocks of 16 x 16 in registers.
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn transpose_512(
    from: *const f32,
    row: usize,
    count: usize,
    depth: usize,
    to: *mut f32,
    width: usize,
) {
    let (blocks, steps) = (count / 16 * 16, depth / 16 * 16);
    // SAFETY: within the caller's rows and panel.
    unsafe {
        for j in (0..blocks).step_by(16) {
            for p in (0..steps).step_by(16) {
                block_512(from.add(j * row + p), row, to.add(p * width + j), width);
            }
        }
        if steps < depth {
            transpose_plain(from.add(steps), row, blocks, depth - steps, to.add(steps * width), width);
        }
        if blocks < count {
            transpose_plain(from.add(blocks * row), row, count - blocks, depth, to.add(blocks), width);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn block_512(from: *const f32, row: usize, to: *mut f32, width: usize) {
    // SAFETY: 16 rows of 16 numbers on both sides.
    unsafe {
        let r: [__m512; 16] = std::array::from_fn(|i| _mm512_loadu_ps(from.add(i * row)));
        let mut t = [_mm512_setzero_ps(); 16];
        for i in 0..8 {
            t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
            t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
        }
        // Quadruples of rows: u[4 q + s] holds, in 128-bit lane l, column 4 l + s of rows 4 q .. 4 q + 4.
        let mut u = [_mm512_setzero_ps(); 16];
        for q in 0..4 {
            u[4 * q] = _mm512_shuffle_ps::<0x44>(t[4 * q], t[4 * q + 2]);
            u[4 * q + 1] = _mm512_shuffle_ps::<0xee>(t[4 * q], t[4 * q + 2]);
            u[4 * q + 2] = _mm512_shuffle_ps::<0x44>(t[4 * q + 1], t[4 * q + 3]);
            u[4 * q + 3] = _mm512_shuffle_ps::<0xee>(t[4 * q + 1], t[4 * q + 3]);
        }
        for s in 0..4 {
            let low = _mm512_shuffle_f32x4::<0x88>(u[s], u[4 + s]); // lanes 0, 2 of rows 0-3, then of rows 4-7
            let high = _mm512_shuffle_f32x4::<0xdd>(u[s], u[4 + s]); // lanes 1, 3
            let low2 = _mm512_shuffle_f32x4::<0x88>(u[8 + s], u[12 + s]);
            let high2 = _mm512_shuffle_f32x4::<0xdd>(u[8 + s], u[12 + s]);
            _mm512_storeu_ps(to.add(s * width), _mm512_shuffle_f32x4::<0x88>(low, low2));
            _mm512_storeu_ps(to.add((8 + s) * width), _mm512_shuffle_f32x4::<0xdd>(low, low2));
            _mm512_storeu_ps(to.add((4 + s) * width), _mm512_shuffle_f32x4::<0x88>(high, high2));
            _mm512_storeu_ps(to.add((12 + s) * width), _mm512_shuffle_f32x4::<0xdd>(high, high2));
        }
    }
}

/// Transposes blocks of 8 x 8 in registers.
#[target_feature(enable = "avx2,fma")]
unsafe fn transpose_256(
    from: *const f32,
    row: usize,
    count: usize,
    depth: usize,
    to: *mut f32,
    width: usize,
) {
    let (blocks, steps) = (count / 8 * 8, depth / 8 * 8);
    // SAFETY: within the caller's rows and panel.
    unsafe {
        for j in (0..blocks).step_by(8) {
            for p in (0..steps).step_by(8) {
                block_256(from.add(j * row + p), row, to.add(p * width + j), width);
            }
        }
        if steps < depth {
            transpose_plain(from.add(steps), row, blocks, depth - steps, to.add(steps * width), width);
        }
        if blocks < count {
            transpose_plain(from.add(blocks * row), row, count - blocks, depth, to.add(blocks), width);
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn block_256(from: *const f32, row: usize, to: *mut f32, width: usize) {
    // SAFETY: 8 rows of 8 numbers on both sides.
    unsafe {
        let r: [__m256; 8] = std::array::from_fn(|i| _mm256_loadu_ps(from.add(i * row)));
        let mut t = [_mm256_setzero_ps(); 8];
        for i in 0..4 {
            t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
            t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
        }
        let mut u = [_mm256_setzero_ps(); 8];
        for q in 0..2 {
            u[4 * q] = _mm256_shuffle_ps::<0x44>(t[4 * q], t[4 * q + 2]);
            u[4 * q + 1] = _mm256_shuffle_ps::<0xee>(t[4 * q], t[4 * q + 2]);
            u[4 * q + 2] = _mm256_shuffle_ps::<0x44>(t[4 * q + 1], t[4 * q + 3]);
            u[4 * q + 3] = _mm256_shuffle_ps::<0xee>(t[4 * q + 1], t[4 * q + 3]);
        }
        for s in 0..4 {
            _mm256_storeu_ps(to.add(s * width), _mm256_permute2f128_ps::<0x20>(u[s], u[4 + s]));
            _mm256_storeu_ps(to.add((4 + s) * width), _mm256_permute2f128_ps::<0x31>(u[s], u[4 + s]));
        }
    }
}

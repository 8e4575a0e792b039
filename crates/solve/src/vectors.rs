//! Plain loops over vectors, for all families.

use quire_kernels::loops::sum_of;
use quire_kernels::multiversion;

/// The scalar product.
pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

multiversion! {
    /// [`dot`] with its sum in lanes: several times as fast on long vectors, and with other last bits.
    pub fn dot_in_lanes[](x: &[f64], y: &[f64]) -> f64 |simd| {
        sum_of([x, y], |[x, y]| x * y)
    }

    /// [`add_scaled`] with the widest registers, to the same bits.
    pub fn add_scaled_in_lanes[](a: f64, x: &[f64], y: &mut [f64]) |simd| {
        y.iter_mut().zip(x).for_each(|(y, &x)| *y += a * x);
    }
}

/// How many vectors [`add_combination`] takes.
pub const COMBINED: usize = 8;

multiversion! {
    /// `y += Σ a_k x_k`, to the bits of adding one after the other, reading and writing `y` once.
    pub fn add_combination[](a: &[f64; COMBINED], x: &[&[f64]; COMBINED], y: &mut [f64]) |simd| {
        let x = x.map(|x| &x[..y.len()]);
        for (j, y) in y.iter_mut().enumerate() {
            let mut sum = *y;
            for k in 0..COMBINED {
                sum += a[k] * x[k][j];
            }
            *y = sum;
        }
    }
}

/// The Euclidean norm.
pub fn norm(x: &[f64]) -> f64 {
    dot(x, x).sqrt()
}

/// `y += a x`.
pub fn add_scaled(a: f64, x: &[f64], y: &mut [f64]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += a * x);
}

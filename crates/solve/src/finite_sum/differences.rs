//! Derivatives of sums that only tell their gradients, by central differences of these.

use crate::vectors::{add_scaled, dot, norm};

/// `out <-` the Hessian times `v`, given the gradient at a point; right to about ten digits.
pub fn hessian_product(mut gradient: impl FnMut(&[f64], &mut [f64]), x: &[f64], v: &[f64], out: &mut [f64]) {
    let by = 1e-5 / norm(v).max(f64::MIN_POSITIVE);
    let (mut moved, mut behind) = (x.to_vec(), vec![0.0; x.len()]);
    add_scaled(-by, v, &mut moved);
    gradient(&moved, &mut behind);
    add_scaled(2.0 * by, v, &mut moved);
    gradient(&moved, out);
    out.iter_mut().zip(&behind).for_each(|(out, behind)| *out = (*out - behind) / (2.0 * by));
}

/// The third derivative in direction `v`, three times; right to about five digits.
pub fn third_derivative(mut gradient: impl FnMut(&[f64], &mut [f64]), x: &[f64], v: &[f64]) -> f64 {
    let by = 1e-3 / norm(v).max(f64::MIN_POSITIVE);
    let mut slopes = vec![0.0; x.len()];
    let mut slope = |by: f64| {
        let mut moved = x.to_vec();
        add_scaled(by, v, &mut moved);
        gradient(&moved, &mut slopes);
        dot(&slopes, v)
    };
    (slope(by) - 2.0 * slope(0.0) + slope(-by)) / (by * by)
}

//! Krylov methods on dense symmetric matrices, for the systems of steps: GMRES a cycle at a time, and MINRES.

use nalgebra::{DMatrix, DVector};
use quire_core::Result;

use crate::linear::gmres::{Gmres, GmresOptions};
use crate::linear::preconditioner::Kind;
use crate::linear::{Sparse, System};
use crate::solver::{Method, Solver};

/// GMRES at work on A z = b, from z = 0.
pub struct Cycles {
    system: System,
    gmres: Gmres,
    /// Products with A so far.
    pub products: u64,
    /// Flops so far.
    pub flops: f64,
}

impl Cycles {
    /// Cycles of `restart` vectors; one ends early where ‖b - A z‖ <= `tolerance` ‖b‖.
    ///
    /// # Errors
    /// Something that is not finite.
    pub fn new(matrix: &DMatrix<f64>, right: &DVector<f64>, restart: usize, tolerance: f64) -> Result<Self> {
        let n = matrix.nrows();
        let mut entries = Vec::with_capacity(n * n);
        for j in 0..n {
            entries.extend((0..n).map(|i| (i as u32, j as u32, matrix[(i, j)])));
        }
        let system = System::new(Sparse::new(n, n, &entries)?, right.as_slice().to_vec())?;
        let gmres = Gmres::new(
            &system,
            GmresOptions { preconditioner: Kind::None, restart, tolerance, ..GmresOptions::default() },
        )?;
        Ok(Cycles { system, gmres, products: 0, flops: 0.0 })
    }

    /// One more cycle; false if it came to no better z, or none can.
    pub fn cycle(&mut self) -> bool {
        let n = self.system.size() as f64;
        let step = self.gmres.iterate(&self.system);
        let products = self.gmres.work() as u64 - self.products;
        self.products += products;
        // A product each; then the new vector is made orthogonal, twice, to those before.
        let vectors = products.saturating_sub(1) as f64;
        self.flops += products as f64 * 2.0 * n * n + 4.0 * n * vectors * (vectors + 1.0);
        step.is_ok_and(|step| step.done.is_none())
    }

    /// z.
    pub fn solution(&self) -> DVector<f64> {
        DVector::from_vec(self.gmres.values())
    }
}

/// MINRES (Paige & Saunders 1975) on A z = b for a symmetric A, from z = 0 until its own ‖b - A z‖ is at most
/// `tolerance` ‖b‖ or it has made `limit` products with A; returns z and how many products it made.
pub fn minres(
    matrix: &DMatrix<f64>,
    right: &DVector<f64>,
    tolerance: f64,
    limit: u64,
) -> (DVector<f64>, u64) {
    let n = right.len();
    let mut z = DVector::zeros(n);
    let size = right.norm();
    if size == 0.0 {
        return (z, 0);
    }
    // Lanczos vectors v, and the directions w along which z moves; the last two rotations (c, s).
    let (mut v_before, mut v) = (DVector::zeros(n), right / size);
    let (mut w_before, mut w) = (DVector::zeros(n), DVector::zeros(n));
    let ((mut c_before, mut s_before), (mut c, mut s)) = ((1.0, 0.0), (1.0, 0.0));
    let (mut beta, mut left) = (0.0, size);
    for products in 1..=limit {
        let mut next: DVector<f64> = matrix * &v - beta * &v_before;
        let alpha = v.dot(&next);
        next.axpy(-alpha, &v, 1.0);
        let beta_next = next.norm();
        let (pivot, above, top) =
            (c * alpha - c_before * s * beta, s * alpha + c_before * c * beta, s_before * beta);
        let length = pivot.hypot(beta_next);
        if length == 0.0 {
            return (z, products);
        }
        let w_next = (&v - top * &w_before - above * &w) / length;
        (c_before, s_before, c, s) = (c, s, pivot / length, beta_next / length);
        z.axpy(c * left, &w_next, 1.0);
        left *= -s;
        if left.abs() <= tolerance * size || beta_next == 0.0 {
            return (z, products);
        }
        (w_before, w) = (w, w_next);
        v_before = std::mem::replace(&mut v, next / beta_next);
        beta = beta_next;
    }
    (z, limit)
}

/// Flops of so many products of MINRES: the product, three scalar products or norms, and six updates of
/// vectors.
pub fn minres_flops(size: usize, products: u64) -> f64 {
    let n = size as f64;
    products as f64 * (2.0 * n * n + 18.0 * n)
}

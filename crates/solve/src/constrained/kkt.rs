//! The functions at a point, and the system of a Newton step on the KKT conditions:
//!
//! > A z = b      A = `[[B, Gᵀ], [G, 0]]`      b = -(∇_x L, c)      z = (Δx, Δλ)
//!
//! B is the Hessian H of the Lagrangian if it is positive definite along the constraints, that is on the null
//! space of G, and otherwise H + (ξ + ‖H‖) I. Norms of matrices are Frobenius'.

use nalgebra::{DMatrix, DVector};
use quire_core::{Error, Result};

use super::{Iterate, Task};

/// What is known at (x, λ).
pub struct Point {
    /// x.
    pub x: DVector<f64>,
    /// λ.
    pub multipliers: DVector<f64>,
    /// f.
    pub value: f64,
    /// ∇f.
    pub objective_gradient: DVector<f64>,
    /// c.
    pub constraint: DVector<f64>,
    /// G.
    pub jacobian: DMatrix<f64>,
    /// ∇_x L.
    pub gradient: DVector<f64>,
}

impl Point {
    /// Evaluates all but the Hessian.
    pub fn new(task: &Task, x: DVector<f64>, multipliers: DVector<f64>) -> Self {
        let problem = &task.problem;
        let (value, objective_gradient) = (problem.value(&x), problem.gradient(&x));
        let (constraint, jacobian) = (problem.constraint(&x), problem.jacobian(&x));
        let gradient = &objective_gradient + jacobian.tr_mul(&multipliers);
        Point { x, multipliers, value, objective_gradient, constraint, jacobian, gradient }
    }

    /// The same, where a method stands.
    pub fn of(task: &Task, iterate: &Iterate) -> Self {
        Point::new(
            task,
            DVector::from_column_slice(&iterate.x),
            DVector::from_column_slice(&iterate.multipliers),
        )
    }

    /// ‖(∇_x L, c)‖.
    pub fn residual(&self) -> f64 {
        self.gradient.norm().hypot(self.constraint.norm())
    }
}

/// The system of a step.
pub struct Kkt {
    /// A, symmetric.
    pub matrix: DMatrix<f64>,
    /// b.
    pub right: DVector<f64>,
    /// H.
    pub hessian: DMatrix<f64>,
    /// B.
    pub modified: DMatrix<f64>,
    /// λ_min(G Gᵀ).
    pub independence: f64,
}

/// Along the constraints the least eigenvalue of a Hessian that is not modified.
const CONVEX: f64 = 1e-6;

impl Kkt {
    /// At a point. `shift` is ξ, and λ_min(G Gᵀ) has to be at least `independence`.
    ///
    /// # Errors
    /// [`Error::Diverged`] where the gradients of the constraints are nearly dependent, or something is not
    /// finite.
    pub fn new(task: &Task, point: &Point, shift: f64, independence: f64) -> Result<Self> {
        let hessian = task.problem.hessian(&point.x, &point.multipliers);
        let jacobian = &point.jacobian;
        let (m, n) = jacobian.shape();
        if !hessian.iter().chain(jacobian).all(|entry| entry.is_finite()) {
            return Err(Error::Diverged("the derivatives are no longer finite".into()));
        }
        let least = if m > 0 { (jacobian * jacobian.transpose()).symmetric_eigenvalues().min() } else { 1.0 };
        if least < independence {
            return Err(Error::Diverged(format!(
                "the gradients of the constraints are nearly dependent: the least eigenvalue of G Gᵀ is {least:.1e}, less than the \
                 {independence:e} that the option `independence` asks for"
            )));
        }
        let mut modified = hessian.clone();
        if m < n {
            let along = null_space(jacobian);
            if (along.transpose() * &hessian * &along).symmetric_eigenvalues().min() < CONVEX {
                let shift = shift + hessian.norm();
                (0..n).for_each(|i| modified[(i, i)] += shift);
            }
        }
        let mut matrix = DMatrix::zeros(n + m, n + m);
        matrix.view_mut((0, 0), (n, n)).copy_from(&modified);
        matrix.view_mut((n, 0), (m, n)).copy_from(jacobian);
        matrix.view_mut((0, n), (n, m)).copy_from(&jacobian.transpose());
        let right = DVector::from_iterator(
            n + m,
            point.gradient.iter().chain(point.constraint.iter()).map(|entry| -entry),
        );
        Ok(Kkt { matrix, right, hessian, modified, independence: least })
    }

    /// n + m.
    pub fn size(&self) -> usize {
        self.right.len()
    }
}

/// An orthonormal basis of the x with G x = 0, for an m x n matrix of full rank: the last columns of Q in Gᵀ
/// = Q R.
pub fn null_space(jacobian: &DMatrix<f64>) -> DMatrix<f64> {
    let (m, n) = jacobian.shape();
    // With the unit vectors behind it the matrix is wide, and all of Q is there.
    let mut wide = DMatrix::zeros(n, m + n);
    wide.columns_mut(0, m).copy_from(&jacobian.transpose());
    wide.columns_mut(m, n).fill_with_identity();
    wide.qr().q().columns(m, n - m).into_owned()
}

//! GMRES (Saad & Schultz 1986), restarted, preconditioned from the right.
//!
//! A cycle builds an orthonormal basis of the Krylov space of A M⁻¹ and takes the x whose residual is least in it; then it starts again
//! from there, since the basis takes memory. Without restarts it ends after at most as many steps as there are unknowns, whatever the regular
//! matrix; with them the residual never rises, but may stop falling.

use quire_core::{About, Error, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::preconditioner::{Kind, Preconditioner};
use super::{System, about, judged};
use crate::solver::{Method, Solver, Step};
use crate::vectors::{add_scaled, dot, norm};

/// Options of `gmres`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GmresOptions {
    /// The preconditioner.
    pub preconditioner: Kind,
    /// ω of the preconditioner `ssor`.
    #[schemars(range(min = 0.0, max = 2.0), extend("exclusiveMinimum" = 0.0))]
    pub relaxation: f64,
    /// Vectors of a cycle, each as long as the solution. Usual: 20 to 100.
    #[schemars(range(min = 1, max = 10_000))]
    pub restart: usize,
    /// Stop when ‖b - Ax‖ is at most this part of ‖b‖.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub tolerance: f64,
}

impl Default for GmresOptions {
    fn default() -> Self {
        GmresOptions { preconditioner: Kind::Incomplete, relaxation: 1.0, restart: 50, tolerance: 1e-8 }
    }
}

impl Options for GmresOptions {}

/// A cycle that leaves more than this part of the residual will not be followed by better ones.
const STAGNATION: f64 = 0.9999;

/// The method; an iteration is a cycle.
pub struct Gmres {
    options: GmresOptions,
    preconditioner: Preconditioner,
    place: Place,
    basis: Vec<Vec<f64>>,
    spare: Vec<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    x: Vec<f64>,
    residual: Vec<f64>,
    products: u64,
}

impl Method<System> for Gmres {
    type Options = GmresOptions;

    const ABOUT: About = about(
        "gmres",
        "GMRES with restarts and a preconditioner",
        "For systems that are not symmetric, or symmetric and indefinite. Memory grows with restart; for positive definite systems \
         conjugate-gradient does the same with four vectors.",
    );

    fn new(system: &System, options: GmresOptions) -> Result<Self> {
        options::check(&options)?;
        let preconditioner =
            Preconditioner::new(&system.matrix, options.preconditioner, options.relaxation, false)?;
        let length = options.restart.min(system.size()) + 1;
        Ok(Gmres {
            preconditioner,
            basis: vec![vec![0.0; system.size()]; length],
            spare: vec![0.0; system.size()],
            options,
            place: Place { x: vec![0.0; system.size()], residual: system.right.clone(), products: 0 },
        })
    }
}

/// The rotation (c, s) that turns (a, b) into (r, 0).
fn rotation(a: f64, b: f64) -> (f64, f64) {
    let r = a.hypot(b);
    if r == 0.0 { (1.0, 0.0) } else { (a / r, b / r) }
}

impl Solver<System> for Gmres {
    fn iterate(&mut self, system: &System) -> Result<Step> {
        let Gmres { options, preconditioner, place, basis, spare } = self;
        let before = norm(&place.residual);
        if before == 0.0 {
            return Ok(judged(0.0, options.tolerance));
        }
        basis[0].iter_mut().zip(&place.residual).for_each(|(v, r)| *v = r / before);
        // Columns of the triangular factor of the Hessenberg matrix, and the rotated right side.
        let mut columns: Vec<Vec<f64>> = Vec::new();
        let mut rotations: Vec<(f64, f64)> = Vec::new();
        let mut right = vec![before];
        for step in 0..basis.len() - 1 {
            preconditioner.apply(&basis[step], spare);
            let (done, rest) = basis.split_at_mut(step + 1);
            let next = &mut rest[0];
            system.matrix.times(spare, next);
            place.products += 1 + preconditioner.cost();
            let size = norm(next);
            let mut column = vec![0.0; step + 1];
            // Twice, so that the basis stays orthogonal.
            for _ in 0..2 {
                for (entry, vector) in column.iter_mut().zip(done.iter()) {
                    let along = dot(vector, next);
                    add_scaled(-along, vector, next);
                    *entry += along;
                }
            }
            let left = norm(next);
            for (k, &(c, s)) in rotations.iter().enumerate() {
                let (a, b) = (column[k], column[k + 1]);
                (column[k], column[k + 1]) = (c * a + s * b, c * b - s * a);
            }
            let (c, s) = rotation(column[step], left);
            column[step] = c * column[step] + s * left;
            columns.push(column);
            rotations.push((c, s));
            let last = right[step];
            right[step] = c * last;
            right.push(-s * last);
            if left.is_nan()
                || left <= 1e-14 * size
                || (s * last).abs() <= 0.5 * options.tolerance * system.scale
            {
                break;
            }
            next.iter_mut().for_each(|v| *v /= left);
        }
        let mut weights = vec![0.0; columns.len()];
        for row in (0..columns.len()).rev() {
            let known: f64 = (row + 1..columns.len()).map(|k| columns[k][row] * weights[k]).sum();
            // A zero pivot belongs to a direction that A maps to what is there already: it brings nothing.
            let pivot = columns[row][row];
            weights[row] = if pivot == 0.0 { 0.0 } else { (right[row] - known) / pivot };
        }
        place.residual.fill(0.0);
        weights.iter().zip(&*basis).for_each(|(w, v)| add_scaled(*w, v, &mut place.residual));
        preconditioner.apply(&place.residual, spare);
        add_scaled(1.0, spare, &mut place.x);
        place.products += 1 + preconditioner.cost();
        let residual = system.relative_residual(&place.x, &mut place.residual);
        let step = judged(residual, options.tolerance);
        if step.done.is_none() && residual * system.scale > STAGNATION * before {
            return Err(Error::Diverged(format!(
                "a cycle of {} products leaves the residual at {residual:.1e}: it stagnates; a larger restart or another preconditioner \
                 may help, if the matrix is not singular",
                columns.len()
            )));
        }
        Ok(step)
    }

    fn values(&self) -> Vec<f64> {
        self.place.x.clone()
    }

    fn work(&self) -> f64 {
        self.place.products as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("gmres", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("gmres", saved)?;
        Ok(())
    }
}

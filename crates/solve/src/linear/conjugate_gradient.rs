//! Conjugate gradients (Hestenes & Stiefel 1952), preconditioned.
//!
//! For a symmetric positive definite A. Each iteration moves along a direction that is conjugate to all before, to where the error's
//! energy is least among all combinations of them; with M the preconditioner, κ the condition of M⁻¹A,
//!
//! > ‖x_k - x‖_A <= 2 ((√κ - 1)/(√κ + 1))^k ‖x_0 - x‖_A
//!
//! A direction without positive energy shows that A is not positive definite, and ends it.

use quire_core::{About, Error, Options, Reason, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::preconditioner::{Kind, Preconditioner};
use super::{System, about, is_positive, judged};
use crate::solver::{Method, Solver, Step};
use crate::vectors::{add_scaled, dot, norm};

/// Options of `conjugate-gradient`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConjugateGradientOptions {
    /// The preconditioner.
    pub preconditioner: Kind,
    /// ω of the preconditioner `ssor`.
    #[schemars(range(min = 0.0, max = 2.0), extend("exclusiveMinimum" = 0.0))]
    pub relaxation: f64,
    /// Stop when ‖b - Ax‖ is at most this part of ‖b‖.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub tolerance: f64,
}

impl Default for ConjugateGradientOptions {
    fn default() -> Self {
        ConjugateGradientOptions { preconditioner: Kind::Incomplete, relaxation: 1.0, tolerance: 1e-8 }
    }
}

impl Options for ConjugateGradientOptions {}

/// Asymmetry beyond which a matrix is not symmetric.
pub const ASYMMETRY: f64 = 1e-10;

/// The method.
pub struct ConjugateGradient {
    options: ConjugateGradientOptions,
    preconditioner: Preconditioner,
    place: Place,
    image: Vec<f64>,
    z: Vec<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    x: Vec<f64>,
    residual: Vec<f64>,
    direction: Vec<f64>,
    /// rᵀ M⁻¹ r; 0 where a direction has to be begun afresh.
    along: f64,
    products: u64,
}

impl Method<System> for ConjugateGradient {
    type Options = ConjugateGradientOptions;

    const ABOUT: About = about(
        "conjugate-gradient",
        "Conjugate gradients with a preconditioner",
        "The first choice for symmetric positive definite systems that are too large for a direct solution. Where the matrix is not, it says so: \
         take gmres.",
    );

    fn new(system: &System, options: ConjugateGradientOptions) -> Result<Self> {
        options::check(&options)?;
        let asymmetry = system.matrix.asymmetry();
        if asymmetry > ASYMMETRY {
            return Err(Error::Failed(format!(
                "conjugate gradients need a symmetric matrix; the two triangles of this one differ by {asymmetry:.1e} of its largest entry: take \
                 gmres or dense-lu"
            )));
        }
        if let Some((row, value)) =
            system.matrix.diagonal().iter().enumerate().find(|(_, value)| **value <= 0.0)
        {
            return Err(Error::Failed(format!(
                "conjugate gradients need a positive definite matrix; the diagonal of row {} is {value}: take gmres or dense-lu",
                row + 1
            )));
        }
        let zeros = vec![0.0; system.size()];
        Ok(ConjugateGradient {
            preconditioner: Preconditioner::new(
                &system.matrix,
                options.preconditioner,
                options.relaxation,
                true,
            )?,
            options,
            image: zeros.clone(),
            z: zeros.clone(),
            place: Place {
                residual: system.right.clone(),
                direction: zeros.clone(),
                x: zeros,
                along: 0.0,
                products: 0,
            },
        })
    }
}

impl Solver<System> for ConjugateGradient {
    fn iterate(&mut self, system: &System) -> Result<Step> {
        let ConjugateGradient { options, preconditioner, place, image, z } = self;
        preconditioner.apply(&place.residual, z);
        let along = dot(&place.residual, z);
        if along == 0.0 {
            return Ok(judged(norm(&place.residual) / system.scale, options.tolerance));
        }
        let beta = if place.along == 0.0 { 0.0 } else { along / place.along };
        place.direction.iter_mut().zip(&*z).for_each(|(d, z)| *d = z + beta * *d);
        place.along = along;
        system.matrix.times(&place.direction, image);
        place.products += 1 + preconditioner.cost();
        let energy = dot(&place.direction, image);
        if !is_positive(energy) || !is_positive(along) {
            let problem = format!(
                "the matrix is not positive definite: a direction of length {:.1e} has the energy {energy:.1e}",
                norm(&place.direction)
            );
            return Err(Error::Diverged(problem));
        }
        add_scaled(along / energy, &place.direction, &mut place.x);
        add_scaled(-along / energy, image, &mut place.residual);
        let step = judged(norm(&place.residual) / system.scale, options.tolerance);
        if !matches!(step.done, Some(Reason::Converged(_))) {
            return Ok(step);
        }
        // What the recurrence says is checked; where rounding has made it too good, the directions begin afresh.
        place.products += 1;
        place.along = 0.0;
        Ok(judged(system.relative_residual(&place.x, &mut place.residual), options.tolerance))
    }

    fn values(&self) -> Vec<f64> {
        self.place.x.clone()
    }

    fn work(&self) -> f64 {
        self.place.products as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("conjugate-gradient", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("conjugate-gradient", saved)?;
        Ok(())
    }
}

//! Descent of the criterion, one pair a step, in a geometry of choice.
//!
//! A step is μ / L with L ← max(β L + (1 - β) ℓ, ℓ) for the bound ℓ of the pair. On the groups it converges linearly without noise, because a pair pulls at
//! nothing once P = |H|⁻¹ (for H > 0); in Euclidean geometry and in closed form it does not.
//!
//! Source: X.-L. Li, *Stochastic Hessian Fittings with Lie Groups*, arXiv:2402.11858.

use nalgebra::{DMatrix, DVector};
use quire_core::{About, Error, Options, Paper, Result, Rng, options, state};
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::geometries::{Geometry, pull, step};
use super::streams::Pairs;
use super::{MISFIT, Stream, square, values};
use crate::solver::{Method, Solver, Step};

/// Options of `hessian-fitting`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HessianFittingOptions {
    /// In which geometry. The paper recommends `root`; `gl` tolerates the largest steps, and on the ill-conditioned `hessian-clean` only it and
    /// `triangular` reach the solution (measured here; `root` stays at an error of 1.7 with a step of 0.5).
    pub geometry: Geometry,
    /// μ, in (0, 2]. The paper: 0.1; 1 without noise, 2 for `triangular`. Geometries without an inverse need at most about 0.5.
    #[schemars(range(max = 2.0), extend("exclusiveMinimum" = 0.0))]
    pub step_size: f64,
    /// β, in [0, 1). The paper: 0.9; 0 takes each pair's own bound.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub smoothing: f64,
    /// Noise added to h, as a share of its magnitude, >= 0; 1e-9 is added on top if it is not 0. The paper: the machine precision.
    #[schemars(range(min = 0.0))]
    pub damping: f64,
}

impl Default for HessianFittingOptions {
    fn default() -> Self {
        HessianFittingOptions { geometry: Geometry::Root, step_size: 0.1, smoothing: 0.9, damping: 0.0 }
    }
}

impl Options for HessianFittingOptions {}

/// The method.
pub struct HessianFitting {
    options: HessianFittingOptions,
    place: Place,
    matrix: DMatrix<f64>,
    pairs: Pairs,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    bound: f64,
    noise: Rng,
}

impl HessianFitting {
    fn p(&self) -> DMatrix<f64> {
        if self.options.geometry.fits_p() { self.matrix.clone() } else { self.matrix.tr_mul(&self.matrix) }
    }

    /// P h, without making P.
    fn p_times(&self, h: &DVector<f64>) -> DVector<f64> {
        let mh = &self.matrix * h;
        if self.options.geometry.fits_p() { mh } else { self.matrix.tr_mul(&mh) }
    }
}

impl Method<Stream> for HessianFitting {
    type Options = HessianFittingOptions;

    const ABOUT: About = About {
        name: "hessian-fitting",
        summary: "fit the inverse of a Hessian's magnitude to pairs, one small step each, in a geometry of choice",
        when: "Hessian-vector products that are noisy or change with time. Without noise and change BFGS is as good.",
        wing: "solve",
        family: "hessian",
        paper: Some(Paper {
            slug: "hessian-fitting",
            title: "Stochastic Hessian Fittings with Lie Groups",
            arxiv: "2402.11858",
        }),
        is_baseline: false,
        tuned: "",
    };

    fn new(stream: &Stream, options: HessianFittingOptions) -> Result<Self> {
        options::check(&options)?;
        let n = stream.dimension();
        Ok(HessianFitting {
            options,
            place: Place { bound: 0.0, noise: stream.seeds.stream("damping") },
            matrix: DMatrix::identity(n, n),
            pairs: Pairs::of(stream),
        })
    }
}

impl Solver<Stream> for HessianFitting {
    fn iterate(&mut self, stream: &Stream) -> Result<Step> {
        let (v, mut h) = self.pairs.next(stream);
        if self.options.damping > 0.0 {
            for h in h.iter_mut() {
                let noise: f64 = StandardNormal.sample(&mut self.place.noise);
                *h += (1e-9 + self.options.damping * h.abs()) * noise;
            }
        }
        let singular = || Error::Diverged("the matrix has become singular; take a smaller step_size".into());
        let pull = pull(self.options.geometry, &self.matrix, &v, &h).ok_or_else(singular)?;
        let smoothing = self.options.smoothing;
        self.place.bound = (smoothing * self.place.bound + (1.0 - smoothing) * pull.bound).max(pull.bound);
        let misfit = (self.p_times(&h) - &v).norm();
        if self.place.bound > 0.0 {
            step(self.options.geometry, &mut self.matrix, &pull, self.options.step_size / self.place.bound);
        }
        Ok(Step::going_on(misfit, MISFIT))
    }

    fn values(&self) -> Vec<f64> {
        values(&self.p(), self.pairs.seen())
    }

    fn work(&self) -> f64 {
        self.pairs.seen() as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("hessian-fitting", &(&self.place, self.matrix.as_slice(), &self.pairs))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, matrix, pairs): (Place, Vec<f64>, Pairs) = state::decode("hessian-fitting", saved)?;
        self.matrix = square(self.matrix.nrows(), &matrix)?;
        (self.place, self.pairs) = (place, pairs);
        Ok(())
    }
}

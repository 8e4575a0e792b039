//! Descent of the criterion, one pair a step, in a geometry of choice.
//!
//! A step is μ / L with L ← max(β L + (1 - β) ℓ, ℓ) for the bound ℓ of the pair. On the groups it converges linearly without noise, because a pair pulls at
//! nothing once P = |H|⁻¹ (for H > 0); in Euclidean geometry and in closed form it does not.
//!
//! Source: X.-L. Li, *Stochastic Hessian Fittings with Lie Groups*, arXiv:2402.11858.

use nalgebra::{DMatrix, DVector, RealField, convert};
use quire_core::{About, Error, Options, Paper, Result, Rng, options, state};
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::geometries::{Geometry, pull, step};
use super::streams::Pairs;
use super::{MISFIT, Stream, square, values};
use crate::solver::{Method, Solver, Step};

/// In which numbers the matrix is kept and its steps are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 24 bits, as networks are trained in.
    Single,
    /// 53 bits.
    #[default]
    Double,
}

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
    /// The precision of the matrix and of its steps; pairs are rounded to it. The paper discusses half and single precision.
    pub precision: Precision,
}

impl Default for HessianFittingOptions {
    fn default() -> Self {
        HessianFittingOptions {
            geometry: Geometry::Root,
            step_size: 0.1,
            smoothing: 0.9,
            damping: 0.0,
            precision: Precision::Double,
        }
    }
}

impl Options for HessianFittingOptions {}

/// The matrix of a geometry, P or Q, with what bounds its steps.
struct Fit<T: RealField> {
    matrix: DMatrix<T>,
    /// L.
    bound: T,
}

impl<T: RealField + Copy> Fit<T> {
    /// The identity.
    fn new(n: usize) -> Self {
        Fit { matrix: DMatrix::identity(n, n), bound: T::zero() }
    }

    /// One step; returns ‖P h - v‖ before it. `None` if the matrix is singular.
    fn step(&mut self, options: &HessianFittingOptions, v: &DVector<f64>, h: &DVector<f64>) -> Option<f64>
    where
        f64: From<T>,
    {
        let number = convert::<f64, T>;
        let (v, h) = (v.map(number), h.map(number));
        let pull = pull(options.geometry, &self.matrix, &v, &h)?;
        let smoothing = number(options.smoothing);
        self.bound = (smoothing * self.bound + (T::one() - smoothing) * pull.bound).max(pull.bound);
        let mh = &self.matrix * &h;
        let ph = if options.geometry.fits_p() { mh } else { self.matrix.tr_mul(&mh) };
        if self.bound > T::zero() {
            step(options.geometry, &mut self.matrix, &pull, number(options.step_size) / self.bound);
        }
        Some(f64::from((ph - v).norm()))
    }

    /// P in double precision, made of Q there.
    fn told(&self, geometry: Geometry) -> DMatrix<f64>
    where
        f64: From<T>,
    {
        let matrix = self.matrix.map(f64::from);
        if geometry.fits_p() { matrix } else { matrix.tr_mul(&matrix) }
    }

    fn save(&self) -> (f64, Vec<f64>)
    where
        f64: From<T>,
    {
        (f64::from(self.bound), self.matrix.iter().map(|&x| f64::from(x)).collect())
    }

    fn restore(&mut self, (bound, matrix): &(f64, Vec<f64>)) -> Result<()> {
        self.matrix = square(self.matrix.nrows(), matrix)?.map(convert::<f64, T>);
        self.bound = convert(*bound);
        Ok(())
    }
}

/// A fit in one of the precisions.
enum AnyFit {
    Single(Fit<f32>),
    Double(Fit<f64>),
}

/// The method.
pub struct HessianFitting {
    options: HessianFittingOptions,
    fit: AnyFit,
    noise: Rng,
    pairs: Pairs,
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
            fit: match options.precision {
                Precision::Single => AnyFit::Single(Fit::new(n)),
                Precision::Double => AnyFit::Double(Fit::new(n)),
            },
            options,
            noise: stream.seeds.stream("damping"),
            pairs: Pairs::of(stream),
        })
    }
}

impl Solver<Stream> for HessianFitting {
    fn iterate(&mut self, stream: &Stream) -> Result<Step> {
        let (v, mut h) = self.pairs.next(stream);
        if self.options.damping > 0.0 {
            for h in h.iter_mut() {
                let noise: f64 = StandardNormal.sample(&mut self.noise);
                *h += (1e-9 + self.options.damping * h.abs()) * noise;
            }
        }
        let misfit = match &mut self.fit {
            AnyFit::Single(fit) => fit.step(&self.options, &v, &h),
            AnyFit::Double(fit) => fit.step(&self.options, &v, &h),
        };
        let singular = || Error::Diverged("the matrix has become singular; take a smaller step_size".into());
        Ok(Step::going_on(misfit.ok_or_else(singular)?, MISFIT))
    }

    fn values(&self) -> Vec<f64> {
        let p = match &self.fit {
            AnyFit::Single(fit) => fit.told(self.options.geometry),
            AnyFit::Double(fit) => fit.told(self.options.geometry),
        };
        values(&p, self.pairs.seen())
    }

    fn work(&self) -> f64 {
        self.pairs.seen() as f64
    }

    fn save(&self) -> Vec<u8> {
        let fit = match &self.fit {
            AnyFit::Single(fit) => fit.save(),
            AnyFit::Double(fit) => fit.save(),
        };
        state::encode("hessian-fitting", &(&self.noise, fit, &self.pairs))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (noise, numbers, pairs): (Rng, (f64, Vec<f64>), Pairs) = state::decode("hessian-fitting", saved)?;
        match &mut self.fit {
            AnyFit::Single(fit) => fit.restore(&numbers)?,
            AnyFit::Double(fit) => fit.restore(&numbers)?,
        }
        (self.noise, self.pairs) = (noise, pairs);
        Ok(())
    }
}

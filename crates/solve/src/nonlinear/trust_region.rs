//! An affine-scaling trust-region method for bounded nonlinear equations, in the manner of STRSCNE.
//!
//! With f = ½‖F‖², g = Jᵀ F, the model m(p) = ½‖F + J p‖², a [scaling vector](super::scaling) v and G = diag(v)^{-1/2}, an iteration takes a dogleg
//! step between the least point along the scaled gradient -diag(v) g and the Newton step in the ellipse ‖G p‖ <= Δ, pulls it inside
//! the bounds, mends it by the generalized Cauchy point if it does not lower the model enough, and accepts it if F follows the model.
//!
//! The paper's contribution is v: a convex combination of the known vectors. Its own weights could not be read; here the default is half
//! Coleman & Li's, half Hager, Mair & Zhang's. Constants are those of STRSCNE, from memory.
//!
//! Sources: S. Ayanzadeh, M. Yazdanian & E. Shahamatnia, arXiv:1904.09209; S. Bellavia, M. Macconi & B. Morini, *STRSCNE*, Comput.
//! Optim. Appl. 28, 2004.

use nalgebra::{DMatrix, DVector};
use quire_core::{About, Error, Options, Paper, Reason, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scaling::{Weights, scaling};
use super::{Bounded, RESIDUAL};
use crate::solver::{Method, Solver, Step};

/// The paper.
pub const PAPER: Paper = Paper {
    slug: "trust-region-scaling",
    title: "A New Class of Scaling Matrices for Scaled Trust Region Algorithms",
    arxiv: "1904.09209",
};

/// Δ_0.
const FIRST_RADIUS: f64 = 1.0;
/// What part of the way to the bounds is taken at most, far from a solution: θ.
const PART: f64 = 0.999_95;
/// The fall of the model relative to the Cauchy point's that is asked for: β_1.
const CAUCHY_PART: f64 = 0.1;
/// The fall of f relative to the model's that is asked for: β_2, and the one beyond which the radius grows.
const ACCEPT: f64 = 0.25;
const GROW: f64 = 0.75;
/// A radius that has come to nothing.
const LEAST_RADIUS: f64 = 1e-14;
/// ‖diag(v) g‖ below which a point is stationary.
const STATIONARY: f64 = 1e-14;

/// Options of `combined-scaling`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CombinedOptions {
    /// Weights of the vectors in v. The paper's are not known; ours: half Coleman & Li, half Hager, Mair & Zhang.
    pub weights: Weights,
    /// Whether the trust region is a ball (G = I) and not an ellipse.
    pub spherical: bool,
    /// Stop when ‖F‖ is at most this. Usual: 1e-8.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for CombinedOptions {
    fn default() -> Self {
        CombinedOptions { weights: Weights::default(), spherical: false, tolerance: 1e-8 }
    }
}

impl Options for CombinedOptions {
    fn validate(&self) -> Result<()> {
        if self.weights.sum() > 0.0 {
            return Ok(());
        }
        Err(Error::option("weights", "at least one must be above 0"))
    }
}

/// Options of the methods with one vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SingleOptions {
    /// Whether the trust region is a ball (G = I) and not an ellipse.
    pub spherical: bool,
    /// Stop when ‖F‖ is at most this. Usual: 1e-8.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for SingleOptions {
    fn default() -> Self {
        SingleOptions { spherical: false, tolerance: 1e-8 }
    }
}

impl Options for SingleOptions {}

/// The method.
pub struct Combined {
    options: CombinedOptions,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    x: Vec<f64>,
    radius: f64,
    evaluations: u64,
    iterations: u64,
}

/// λ(p): how many times p is the way to the bounds; infinite if it leads to none.
pub fn way(x: &DVector<f64>, p: &DVector<f64>, lower: &DVector<f64>, upper: &DVector<f64>) -> f64 {
    let ways = (0..x.len()).map(|i| match p[i] {
        p if p < 0.0 => (lower[i] - x[i]) / p,
        p if p > 0.0 => (upper[i] - x[i]) / p,
        _ => f64::INFINITY,
    });
    ways.fold(f64::INFINITY, f64::min)
}

/// What is known at x.
struct Local {
    residual: DVector<f64>,
    jacobian: DMatrix<f64>,
    gradient: DVector<f64>,
    /// diag(G).
    shape: DVector<f64>,
    /// -diag(v) g.
    descent: DVector<f64>,
    newton: DVector<f64>,
}

impl Local {
    /// m(p) - m(0).
    fn change(&self, p: &DVector<f64>) -> f64 {
        let image = &self.jacobian * p;
        self.residual.dot(&image) + 0.5 * image.norm_squared()
    }

    /// ‖G p‖.
    fn length(&self, p: &DVector<f64>) -> f64 {
        p.component_mul(&self.shape).norm()
    }

    /// The dogleg step in the region of this radius.
    fn dogleg(&self, radius: f64) -> DVector<f64> {
        if self.length(&self.newton) <= radius {
            return self.newton.clone();
        }
        let image = &self.jacobian * &self.descent;
        let least = -self.gradient.dot(&self.descent) / image.norm_squared();
        let cauchy = &self.descent * least;
        if !least.is_finite() || self.length(&cauchy) >= radius {
            return &self.descent * (radius / self.length(&self.descent));
        }
        // The point of the leg from the Cauchy minimizer to the Newton step that lies on the ellipse.
        let leg = &self.newton - &cauchy;
        let (c, l) = (cauchy.component_mul(&self.shape), leg.component_mul(&self.shape));
        let (a, b, rest) = (l.norm_squared(), c.dot(&l), radius * radius - c.norm_squared());
        let part = (-b + (b * b + a * rest).max(0.0).sqrt()) / a;
        cauchy + leg * part
    }
}

/// The step that lowers the model by its part of the Cauchy point's fall: the farthest from `cauchy` to `step` that does.
fn mended(local: &Local, cauchy: &DVector<f64>, step: DVector<f64>) -> DVector<f64> {
    let (fall, wanted) = (local.change(&step), CAUCHY_PART * local.change(cauchy));
    if fall <= wanted {
        return step;
    }
    let leg = &step - cauchy;
    let image = &local.jacobian * &leg;
    let at_cauchy = &local.residual + &local.jacobian * cauchy;
    // m along the leg: a s² + b s + c, above what is wanted at s = 1 and below it at 0.
    let (a, b, c) = (0.5 * image.norm_squared(), at_cauchy.dot(&image), local.change(cauchy));
    let part = (-b + (b * b - 4.0 * a * (c - wanted)).max(0.0).sqrt()) / (2.0 * a);
    if part.is_finite() { cauchy + leg * part.clamp(0.0, 1.0) } else { cauchy.clone() }
}

impl Combined {
    fn make(problem: &Bounded, options: CombinedOptions) -> Self {
        let x = problem.start.as_slice().to_vec();
        Combined { options, place: Place { x, radius: FIRST_RADIUS, evaluations: 0, iterations: 0 } }
    }

    fn advance(&mut self, problem: &Bounded) -> Result<Step> {
        let Bounded { equations, lower, upper, .. } = problem;
        let place = &mut self.place;
        let x = DVector::from_column_slice(&place.x);
        let residual = equations.residual(&x);
        if place.iterations == 0 {
            place.evaluations += 1; // later ones were made when the step was tried
        }
        place.iterations += 1;
        let norm = residual.norm();
        let step = Step::judged(norm, self.options.tolerance, RESIDUAL);
        if step.done.is_some() {
            return Ok(step);
        }
        let jacobian = equations.jacobian(&x);
        if jacobian.iter().any(|entry| !entry.is_finite()) {
            return Err(Error::Diverged("the Jacobian is no longer finite".into()));
        }
        let gradient = jacobian.tr_mul(&residual);
        let v = scaling(&self.options.weights, &x, &gradient, lower, upper);
        let descent = -v.component_mul(&gradient);
        let ends = |why: &str| Step {
            residual: norm,
            done: Some(Reason::Converged(format!("{why}, ‖F‖ = {norm:.1e}: no solution nearby"))),
        };
        if descent.norm() < STATIONARY {
            return Ok(ends("a stationary point of ‖F‖²"));
        }
        let shape = if self.options.spherical {
            DVector::from_element(x.len(), 1.0)
        } else {
            v.map(|v| 1.0 / v.sqrt())
        };
        let newton = jacobian.clone().lu().solve(&-&residual).filter(|p| p.iter().all(|p| p.is_finite()));
        let newton = newton.unwrap_or_else(|| {
            let svd = jacobian.clone().svd(true, true);
            svd.solve(&-&residual, 1e-12).unwrap_or_else(|_| descent.clone())
        });
        let local = Local { residual, jacobian, gradient, shape, descent, newton };
        let image = &local.jacobian * &local.descent;
        let least = -local.gradient.dot(&local.descent) / image.norm_squared();
        let value = 0.5 * norm * norm;
        loop {
            let radius = place.radius;
            let farthest = radius / local.length(&local.descent);
            let mut cauchy = &local.descent * if least.is_finite() { least.min(farthest) } else { farthest };
            let room = way(&x, &cauchy, lower, upper);
            if room <= 1.0 {
                cauchy *= PART * room;
            }
            let mut p = local.dogleg(radius);
            let room = way(&x, &p, lower, upper);
            if room <= 1.0 {
                p *= PART.max(1.0 - p.norm()) * room;
            }
            let p = mended(&local, &cauchy, p);
            let next = &x + &p;
            let tried = equations.residual(&next);
            place.evaluations += 1;
            let fall = value - 0.5 * tried.norm_squared();
            let ratio = fall / -local.change(&p);
            let length = local.length(&p);
            let inside = (0..next.len()).all(|i| lower[i] < next[i] && next[i] < upper[i]);
            if inside && fall > 0.0 && ratio >= ACCEPT {
                place.x.copy_from_slice(next.as_slice());
                if ratio >= GROW {
                    place.radius = radius.max(2.0 * length);
                }
                return Ok(step);
            }
            place.radius = (0.25 * radius).min(0.5 * length);
            if place.radius.is_nan() || place.radius <= LEAST_RADIUS {
                return Ok(ends("the trust region has shrunk to nothing"));
            }
        }
    }
}

macro_rules! method {
    ($method:ident, $options:ident, $about:expr, |$problem:ident, $set:ident| $combined:expr, |$self:ident| $inner:expr) => {
        impl Method<Bounded> for $method {
            type Options = $options;

            const ABOUT: About = $about;

            fn new($problem: &Bounded, $set: $options) -> Result<Self> {
                options::check(&$set)?;
                Ok($combined)
            }
        }

        impl Solver<Bounded> for $method {
            fn iterate(&mut self, problem: &Bounded) -> Result<Step> {
                let $self = self;
                $inner.advance(problem)
            }

            fn values(&self) -> Vec<f64> {
                let $self = self;
                $inner.place.x.clone()
            }

            fn work(&self) -> f64 {
                let $self = self;
                $inner.place.evaluations as f64
            }

            fn save(&self) -> Vec<u8> {
                let $self = self;
                state::encode(Self::ABOUT.name, &$inner.place)
            }

            fn restore(&mut self, saved: &[u8]) -> Result<()> {
                let $self = self;
                $inner.place = state::decode(Self::ABOUT.name, saved)?;
                Ok(())
            }
        }
    };
}

pub(super) const fn about(name: &'static str, summary: &'static str, when: &'static str) -> About {
    About {
        name,
        summary,
        when,
        wing: "solve",
        family: "nonlinear",
        paper: None,
        is_baseline: true,
        tuned: "",
    }
}

method!(
    Combined,
    CombinedOptions,
    About {
        paper: Some(PAPER),
        is_baseline: false,
        ..about(
            "combined-scaling",
            "A trust-region method for bounded equations whose scaling combines the known ones",
            "For square nonlinear systems with bounds, when solutions may lie near them. Without bounds it is the plain dogleg method.",
        )
    },
    |problem, set| Combined::make(problem, set),
    |combined| combined
);

macro_rules! single {
    ($method:ident, $which:expr, $name:expr, $whose:expr) => {
        #[doc = concat!("The same with ", $whose, " scaling alone.")]
        pub struct $method(Combined);

        method!(
            $method,
            SingleOptions,
            about(
                $name,
                concat!("A trust-region method for bounded equations with ", $whose, " scaling"),
                "A rival of combined-scaling."
            ),
            |problem, set| $method(Combined::make(
                problem,
                CombinedOptions {
                    weights: Weights::only($which),
                    spherical: set.spherical,
                    tolerance: set.tolerance,
                }
            )),
            |single| single.0
        );
    };
}

single!(ColemanLi, 0, "coleman-li-scaling", "Coleman and Li's");
single!(Heinkenschloss, 1, "heinkenschloss-scaling", "Heinkenschloss, Ulbrich and Ulbrich's");
single!(KanzowKlug, 2, "kanzow-klug-scaling", "Kanzow and Klug's");
single!(Hager, 3, "hager-scaling", "Hager, Mair and Zhang's");

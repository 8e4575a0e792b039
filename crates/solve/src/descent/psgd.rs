//! PSGD with Hessian-vector products: P → |H|⁻¹ is fitted while the function is descended.
//!
//! An iteration draws v ~ N(0, I), takes h = H v (or a difference of gradients over a tiny v), fits P to the pair and moves by
//! x ← x - learning_rate P m with m an average of gradients. The groups that P may belong to are in [`quire_optim::psgd`].
//!
//! Source: X.-L. Li, *Curvature-Informed SGD via General Purpose Lie-Group Preconditioners*, arXiv:2402.04553.

use quire_core::{About, Options, Paper, Result, Rng, options, state};
use quire_optim::psgd::Group;
use quire_optim::{Layout, OptimizerSetting, Psgd, PsgdOptions};
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Descent, NORM};
use crate::solver::{Method, Solver, Step};
use crate::vectors::norm;

/// Where h comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pairs {
    /// The exact product H v.
    Exact,
    /// g(x + v) - g(x) for v of the size of the root of the machine precision.
    Differences,
    /// The gradient itself, with v independent of it: P whitens.
    Gradients,
}

/// Options of `psgd`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PsgdDescentOptions {
    /// Stop when the norm of the gradient is at most this. Ours: 1e-8.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
    /// Where h comes from. The paper: exact products, or differences.
    pub pairs: Pairs,
    /// The optimizer's own options. Authors, for Hessian-vector products: learning rate 0.01, no limits on the direction.
    pub optimizer: PsgdOptions,
}

impl Default for PsgdDescentOptions {
    fn default() -> Self {
        PsgdDescentOptions {
            tolerance: 1e-8,
            pairs: Pairs::Exact,
            optimizer: PsgdOptions::for_hessians(Group::LowRank),
        }
    }
}

impl Options for PsgdDescentOptions {}

/// The method.
pub struct PsgdDescent {
    options: PsgdDescentOptions,
    optimizer: Psgd<f64>,
    place: Place,
    gradient: Vec<f64>,
    probe: Vec<f64>,
    product: Vec<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    x: Vec<f64>,
    gradients: u64,
    steps: u64,
    rng: Rng,
}

impl Method<Descent> for PsgdDescent {
    type Options = PsgdDescentOptions;

    const ABOUT: About = About {
        name: "psgd",
        summary: "gradient descent preconditioned by a fitted inverse of the Hessian's magnitude",
        when: "Ill-conditioned or indefinite functions of which Hessian-vector products are at hand, and noisy ones: unlike L-BFGS it needs no \
               line search. On noise-free functions of few unknowns L-BFGS or Newton's method is faster.",
        wing: "solve",
        family: "descent",
        paper: Some(Paper {
            slug: "psgd",
            title: "Curvature-Informed SGD via General Purpose Lie-Group Preconditioners",
            arxiv: "2402.04553",
        }),
        is_baseline: false,
        tuned: "",
    };

    fn new(problem: &Descent, options: PsgdDescentOptions) -> Result<Self> {
        options::check(&options)?;
        options.optimizer.check("optimizer.")?;
        let n = problem.objective.dimension();
        let setting = OptimizerSetting::new(problem.seeds.child("optimizer"));
        Ok(PsgdDescent {
            optimizer: Psgd::new(&options.optimizer, &Layout::flat(n), &setting),
            options,
            place: Place {
                x: problem.start.clone(),
                gradients: 0,
                steps: 0,
                rng: problem.seeds.stream("probes"),
            },
            gradient: vec![0.0; n],
            probe: vec![0.0; n],
            product: vec![0.0; n],
        })
    }
}

impl Solver<Descent> for PsgdDescent {
    fn iterate(&mut self, problem: &Descent) -> Result<Step> {
        let PsgdDescent { options, optimizer, place, gradient, probe, product } = self;
        let objective = &*problem.objective;
        objective.gradient(&place.x, gradient);
        place.gradients += 1;
        let judged = Step::judged(norm(gradient), options.tolerance, NORM);
        if judged.done.is_some() {
            return Ok(judged);
        }
        if optimizer.fits_now() {
            if options.pairs == Pairs::Gradients {
                optimizer.fit_to_gradient(gradient);
            } else {
                let scale = if options.pairs == Pairs::Exact { 1.0 } else { f64::EPSILON.sqrt() };
                for v in probe.iter_mut() {
                    *v = scale * Distribution::<f64>::sample(&StandardNormal, &mut place.rng);
                }
                if options.pairs == Pairs::Exact {
                    objective.hessian_product(&place.x, probe, product);
                } else {
                    let moved: Vec<f64> = place.x.iter().zip(&*probe).map(|(x, v)| x + v).collect();
                    objective.gradient(&moved, product);
                    product.iter_mut().zip(&*gradient).for_each(|(h, g)| *h -= g);
                }
                place.gradients += 1;
                optimizer.fit(probe, product);
            }
        }
        let schedule = &options.optimizer.schedule;
        let rate = options.optimizer.learning_rate * schedule.factor(place.steps);
        optimizer.descend(rate, &mut place.x, gradient);
        place.steps += 1;
        Ok(judged)
    }

    fn values(&self) -> Vec<f64> {
        self.place.x.clone()
    }

    fn work(&self) -> f64 {
        self.place.gradients as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("psgd", &(&self.place, self.optimizer.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, optimizer): (Place, Vec<u8>) = state::decode("psgd", saved)?;
        self.place = place;
        self.optimizer.restore(&optimizer)
    }
}

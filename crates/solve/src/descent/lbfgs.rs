//! L-BFGS (Liu & Nocedal 1989) with a backtracking line search: Newton's direction from the last changes of the gradient.
//!
//! A step is halved until f falls by 10⁻⁴ of what its slope promises (Armijo). Pairs whose curvature is not positive are left out.

use quire_core::{About, Error, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Descent, NORM};
use crate::quasi_newton::Curvature;
use crate::solver::{Method, Solver, Step};
use crate::vectors::{dot, norm};

/// The share of the promised fall that a step has to bring.
const ARMIJO: f64 = 1e-4;
/// Halvings after which there is no step.
const HALVINGS: u32 = 60;

/// Options of `lbfgs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LbfgsDescentOptions {
    /// Stop when the norm of the gradient is at most this. Ours: 1e-8.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
    /// Pairs kept. Nocedal's choice: 3 to 20.
    #[schemars(range(min = 1, max = 1000))]
    pub memory: usize,
}

impl Default for LbfgsDescentOptions {
    fn default() -> Self {
        LbfgsDescentOptions { tolerance: 1e-8, memory: 10 }
    }
}

impl Options for LbfgsDescentOptions {}

/// The method.
pub struct LbfgsDescent {
    options: LbfgsDescentOptions,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    x: Vec<f64>,
    gradient: Vec<f64>,
    curvature: Curvature,
    gradients: u64,
}

impl Method<Descent> for LbfgsDescent {
    type Options = LbfgsDescentOptions;

    const ABOUT: About = About {
        name: "lbfgs",
        summary: "limited-memory BFGS with a backtracking line search",
        when: "Smooth functions without noise: the first choice where gradients are exact.",
        wing: "solve",
        family: "descent",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(problem: &Descent, options: LbfgsDescentOptions) -> Result<Self> {
        options::check(&options)?;
        let mut gradient = vec![0.0; problem.objective.dimension()];
        problem.objective.gradient(&problem.start, &mut gradient);
        let curvature = Curvature::new(options.memory);
        Ok(LbfgsDescent {
            options,
            place: Place { x: problem.start.clone(), gradient, curvature, gradients: 1 },
        })
    }
}

impl Solver<Descent> for LbfgsDescent {
    fn iterate(&mut self, problem: &Descent) -> Result<Step> {
        let place = &mut self.place;
        let judged = Step::judged(norm(&place.gradient), self.options.tolerance, NORM);
        if judged.done.is_some() {
            return Ok(judged);
        }
        let mut direction = place.curvature.times_inverse(&place.gradient);
        let mut slope = dot(&place.gradient, &direction);
        if slope.is_nan() || slope <= 0.0 {
            place.curvature.clear();
            direction = place.curvature.times_inverse(&place.gradient);
            slope = dot(&place.gradient, &direction);
        }
        let value = problem.objective.value(&place.x);
        let mut length = 1.0;
        let trial = (0..HALVINGS).find_map(|_| {
            let trial: Vec<f64> = place.x.iter().zip(&direction).map(|(x, d)| x - length * d).collect();
            // Every value looked at costs about a gradient.
            place.gradients += 1;
            if problem.objective.value(&trial) <= value - ARMIJO * length * slope {
                return Some(trial);
            }
            length /= 2.0;
            None
        });
        let Some(trial) = trial else {
            return Err(Error::Diverged(
                "the line search finds no lower value: rounding errors are all that is left".into(),
            ));
        };
        let mut gradient = vec![0.0; trial.len()];
        problem.objective.gradient(&trial, &mut gradient);
        let difference = |new: &[f64], old: &[f64]| new.iter().zip(old).map(|(new, old)| new - old).collect();
        place.curvature.push(difference(&trial, &place.x), difference(&gradient, &place.gradient));
        (place.x, place.gradient) = (trial, gradient);
        Ok(judged)
    }

    fn values(&self) -> Vec<f64> {
        self.place.x.clone()
    }

    fn work(&self) -> f64 {
        self.place.gradients as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("lbfgs", &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode("lbfgs", saved)?;
        Ok(())
    }
}

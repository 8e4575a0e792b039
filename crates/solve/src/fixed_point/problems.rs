//! The problems.
//!
//! | problem | T | is there a fixed point |
//! |---|---|---|
//! | `rotation-drift` | rotation by π/40 and a drift of 0.3: nonexpansive, not averaged | no |
//! | `rotation-drift-averaged` | half of it, half the identity | no |
//! | `disjoint-sets` | Douglas-Rachford on a line and a disc of radius 1 at height 2 | no |
//! | `infeasible-lp` | PDHG on a random linear program without a feasible point, 20 x 40 | no |
//! | `feasible-lp` | PDHG on one with a solution | yes |
//!
//! Seed 0 of the first three is as stated; further seeds draw the angle, or the height.

use std::f64::consts::PI;
use std::sync::Arc;

use quire_core::{Direction, Metric, Problem, Result, Rng, Seeds};
use rand::RngExt;

use super::operators::{Drift, LineAndDisc, LinearProgram};
use super::{FixedPoint, METHODS, Operator};
use crate::problem::{Said, SolveProblem, World};

/// Which operator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A drifting rotation, this part of it.
    Drift(f64),
    /// A line and a disc.
    Sets,
    /// A linear program, with a feasible point or without.
    Program {
        /// With one.
        feasible: bool,
    },
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let listed = [
        ("rotation-drift", "find the displacement of a rotation that drifts", Kind::Drift(1.0), 10_000),
        ("rotation-drift-averaged", "the same, averaged with the identity", Kind::Drift(0.5), 10_000),
        ("disjoint-sets", "find the distance of a line and a disc by Douglas-Rachford", Kind::Sets, 10_000),
        (
            "infeasible-lp",
            "certify by PDHG that a random linear program has no feasible point",
            Kind::Program { feasible: false },
            20_000,
        ),
        (
            "feasible-lp",
            "solve a random linear program by PDHG, and do not call it infeasible",
            Kind::Program { feasible: true },
            20_000,
        ),
    ];
    let problem = |(name, summary, kind, budget)| {
        let said = Said {
            name,
            summary,
            budget,
            source: "ours, for the claims of arXiv:2303.15876",
            tags: &["fixed point", "infeasibility", "first order"],
            work: "applications of the operator",
        };
        Arc::new(SolveProblem::new(said, METHODS, kind)) as Arc<dyn Problem>
    };
    listed.into_iter().map(problem).collect()
}

/// What is known of a displacement.
pub struct Displacement {
    /// v, where it is known.
    pub v: Option<Vec<f64>>,
    /// R, the distance from the start to where v is attained.
    pub distance: f64,
}

impl World for Kind {
    type Instance = FixedPoint;
    type Truth = Displacement;

    const SCORE: &'static str = "displacement";

    fn draw(&self, seed: u64) -> Result<(FixedPoint, Displacement)> {
        let mut rng = Seeds::new(seed).stream("operator");
        let (operator, start, v, distance): (Box<dyn Operator>, _, _, f64) = match *self {
            Kind::Drift(part) => {
                let angle = if seed == 0 { PI / 40.0 } else { rng.random_range(PI / 80.0..PI / 20.0) };
                let drift = Drift { angle, length: 0.3, part };
                (Box::new(drift), vec![1.0, 1.0, 0.0], Some(vec![0.0, 0.0, 0.3 * part]), 2.0_f64.sqrt())
            }
            Kind::Sets => {
                let height = if seed == 0 { 2.0 } else { rng.random_range(1.2..4.0) };
                let sets = LineAndDisc { height, radius: 1.0 };
                // v is attained at all (0, t) with t >= 1 - height.
                (Box::new(sets), vec![3.0, 1.0], Some(vec![0.0, 1.0 - height]), 3.0)
            }
            Kind::Program { feasible } => {
                let (rows, columns) = (20, 40);
                let program = if feasible {
                    LinearProgram::feasible(rows, columns, &mut rng)
                } else {
                    LinearProgram::infeasible(rows, columns, &mut rng)
                };
                (Box::new(program), vec![0.0; rows + columns], None, f64::NAN)
            }
        };
        Ok((FixedPoint { operator, start }, Displacement { v, distance }))
    }

    fn metrics(&self) -> Vec<Metric> {
        let metric = |name, summary| Metric { name, unit: "", direction: Direction::Lower, summary };
        let mut metrics = vec![metric("displacement", "‖r‖ = ‖x - Tx‖")];
        if !matches!(self, Kind::Program { .. }) {
            metrics.push(metric("residual_error", "‖r - v‖²/R²"));
            metrics.push(metric("normalized_error", "‖n - v‖²/R²"));
        }
        metrics.push(metric("disagreement", "‖r - n‖/(1 + ‖r‖)"));
        metrics
    }

    fn measure(
        &self,
        problem: &FixedPoint,
        truth: &Displacement,
        values: &[f64],
    ) -> Vec<(&'static str, f64)> {
        let n = problem.start.len();
        let (residual, normalized) = (&values[n..2 * n], &values[2 * n..]);
        let square = |a: &[f64], b: &[f64]| {
            let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
            problem.operator.square(&difference).max(0.0)
        };
        let length = problem.operator.square(residual).max(0.0).sqrt();
        let mut told = vec![("displacement", length)];
        if let Some(v) = &truth.v {
            let scale = truth.distance * truth.distance;
            told.push(("residual_error", square(residual, v) / scale));
            told.push(("normalized_error", square(normalized, v) / scale));
        }
        told.push(("disagreement", square(residual, normalized).sqrt() / (1.0 + length)));
        told
    }

    fn score(&self, problem: &FixedPoint, truth: &Displacement, values: &[f64], _rng: &mut Rng) -> f64 {
        self.measure(problem, truth, values)[0].1
    }

    fn length(&self, problem: &FixedPoint) -> usize {
        3 * problem.start.len()
    }
}

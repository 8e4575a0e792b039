//! The problems.
//!
//! | problem | T | is there a fixed point |
//! |---|---|---|
//! | `rotation-drift` | rotation by π/40 and a drift of 0.3: nonexpansive, not averaged | no |
//! | `rotation-drift-averaged` | half of it, half the identity | no |
//! | `disjoint-sets` | Douglas-Rachford on a line and a disc of radius 1 at height 2 | no |
//! | `infeasible-lp` | PDHG on a random linear program without a feasible point, 20 x 40 | no |
//! | `infeasible-lp-100x200`, `infeasible-lp-200x400` | the same, larger | no |
//! | `unbounded-lp` | PDHG on one that is feasible and falls for ever | no |
//! | `unbounded-lp-100x200` | the same, larger | no |
//! | `feasible-lp` | PDHG on one with a solution | yes |
//! | `infeasible-socp` | Douglas-Rachford on 10 random equations within 6 second-order cones of 4 coordinates, without a solution | no |
//! | `feasible-socp` | the same with one | yes |
//! | `infeasible-sdp` | Douglas-Rachford on 12 random equations within 2 cones of positive semidefinite matrices of order 5, without a solution | no |
//! | `feasible-sdp` | the same with one | yes |
//! | `weakly-infeasible-socp` | the same on sets that come as near as one likes and never meet: v = 0 | no |
//! | `infeasible-consensus` | PDHG for 10 agents in a ring with chords, whose balls in 3 dimensions have no point in common | no |
//! | `feasible-consensus` | the same with one | yes |
//!
//! Seed 0 of the first three is as stated; further seeds draw the angle, or the height. Of the weakly infeasible one a seed draws the start.

use std::f64::consts::PI;
use std::sync::Arc;

use quire_core::{Direction, Metric, Problem, Result, Rng, Seeds};
use rand::RngExt;

use super::cones::{Cone, ConeProgram};
use super::consensus::Consensus;
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
    /// A linear program.
    Program {
        /// Which; weakly infeasible ones do not exist.
        which: Feasibility,
        /// Its number of equations; it has twice as many variables.
        rows: usize,
    },
    /// A second-order cone program.
    Cones(Feasibility),
    /// A semidefinite program.
    Semidefinite(Feasibility),
    /// Agents with balls.
    Consensus {
        /// With a point in common.
        feasible: bool,
    },
}

/// Of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feasibility {
    /// It has a solution.
    Feasible,
    /// It has no feasible point.
    Infeasible,
    /// It has feasible points of any cost, and its dual has none.
    Unbounded,
    /// It has no feasible point, and comes as near to one as one likes.
    WeaklyInfeasible,
}

/// Rounds of projections for a v that is not known in closed form; they end as soon as nothing changes.
const ROUNDS: usize = 20_000;

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let listed = [
        ("rotation-drift", "find the displacement of a rotation that drifts", Kind::Drift(1.0), 10_000),
        ("rotation-drift-averaged", "the same, averaged with the identity", Kind::Drift(0.5), 10_000),
        ("disjoint-sets", "find the distance of a line and a disc by Douglas-Rachford", Kind::Sets, 10_000),
        (
            "infeasible-lp",
            "certify by PDHG that a random linear program has no feasible point",
            Kind::Program { which: Feasibility::Infeasible, rows: 20 },
            20_000,
        ),
        (
            "infeasible-lp-100x200",
            "the same for a program of 100 equations in 200 variables",
            Kind::Program { which: Feasibility::Infeasible, rows: 100 },
            20_000,
        ),
        (
            "infeasible-lp-200x400",
            "the same for a program of 200 equations in 400 variables",
            Kind::Program { which: Feasibility::Infeasible, rows: 200 },
            20_000,
        ),
        (
            "feasible-lp",
            "solve a random linear program by PDHG, and do not call it infeasible",
            Kind::Program { which: Feasibility::Feasible, rows: 20 },
            20_000,
        ),
        (
            "unbounded-lp",
            "certify by PDHG that a random linear program has no least value",
            Kind::Program { which: Feasibility::Unbounded, rows: 20 },
            20_000,
        ),
        (
            "unbounded-lp-100x200",
            "the same for a program of 100 equations in 200 variables",
            Kind::Program { which: Feasibility::Unbounded, rows: 100 },
            20_000,
        ),
        (
            "infeasible-socp",
            "certify by Douglas-Rachford that a random second-order cone program has no feasible point",
            Kind::Cones(Feasibility::Infeasible),
            10_000,
        ),
        (
            "feasible-socp",
            "find a point of one that has some, and do not call it infeasible",
            Kind::Cones(Feasibility::Feasible),
            10_000,
        ),
        (
            "weakly-infeasible-socp",
            "iterate on a second-order cone program that is infeasible with a displacement of 0: line and cone meet at infinity",
            Kind::Cones(Feasibility::WeaklyInfeasible),
            10_000,
        ),
        (
            "infeasible-sdp",
            "certify by Douglas-Rachford that a random semidefinite program has no feasible point",
            Kind::Semidefinite(Feasibility::Infeasible),
            10_000,
        ),
        (
            "feasible-sdp",
            "find a point of one that has some, and do not call it infeasible",
            Kind::Semidefinite(Feasibility::Feasible),
            10_000,
        ),
        (
            "infeasible-consensus",
            "certify that agents who talk to neighbours only have no point in common",
            Kind::Consensus { feasible: false },
            10_000,
        ),
        (
            "feasible-consensus",
            "find a point that agents who talk to neighbours only have in common",
            Kind::Consensus { feasible: true },
            10_000,
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

/// A random program within these cones, its start, and v and R if it has no feasible point.
fn within(
    rows: usize,
    cones: &[Cone],
    which: Feasibility,
    rng: &mut Rng,
) -> (Box<dyn Operator>, Vec<f64>, Option<Vec<f64>>, f64) {
    if which != Feasibility::Infeasible {
        let program = ConeProgram::feasible(rows, cones, rng);
        let start = vec![0.0; program.dimension()];
        return (Box::new(program), start, None, f64::NAN);
    }
    let program = ConeProgram::infeasible(rows, cones, rng);
    let (v, at) = program.gap(ROUNDS);
    let distance = program.square(&at).sqrt();
    let start = vec![0.0; v.len()];
    (Box::new(program), start, Some(v), distance)
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
            Kind::Program { which, rows } => {
                let columns = 2 * rows;
                let program = match which {
                    Feasibility::Feasible => LinearProgram::feasible(rows, columns, &mut rng),
                    Feasibility::Unbounded => LinearProgram::unbounded(rows, columns, &mut rng),
                    // What is infeasible is so by a distance, as polyhedra are.
                    Feasibility::Infeasible | Feasibility::WeaklyInfeasible => {
                        LinearProgram::infeasible(rows, columns, &mut rng)
                    }
                };
                (Box::new(program), vec![0.0; rows + columns], None, f64::NAN)
            }
            Kind::Cones(Feasibility::WeaklyInfeasible) => {
                let start = (0..3).map(|_| rng.random_range(-2.0..2.0)).collect();
                (Box::new(ConeProgram::weakly_infeasible()), start, None, f64::NAN)
            }
            Kind::Cones(which) => within(10, &[Cone::SecondOrder(4); 6], which, &mut rng),
            Kind::Semidefinite(which) => within(12, &[Cone::Semidefinite(5); 2], which, &mut rng),
            Kind::Consensus { feasible } => {
                let agents = Consensus::draw(10, 3, feasible, &mut rng);
                let start = vec![0.0; agents.dimension()];
                if feasible {
                    (Box::new(agents), start, None, f64::NAN)
                } else {
                    let (v, at) = agents.gap(ROUNDS);
                    let distance = agents.square(&at).sqrt();
                    (Box::new(agents), start, Some(v), distance)
                }
            }
        };
        Ok((FixedPoint { operator, start }, Displacement { v, distance }))
    }

    fn metrics(&self) -> Vec<Metric> {
        let metric = |name, summary| Metric { name, unit: "", direction: Direction::Lower, summary };
        let knows_v = matches!(
            self,
            Kind::Drift(_)
                | Kind::Sets
                | Kind::Cones(Feasibility::Infeasible)
                | Kind::Semidefinite(Feasibility::Infeasible)
                | Kind::Consensus { feasible: false }
        );
        let mut metrics = vec![metric("displacement", "‖r‖ = ‖x - Tx‖")];
        if knows_v {
            metrics.push(metric("residual_error", "‖r - v‖²/R²"));
            metrics.push(metric("normalized_error", "‖n - v‖²/R²"));
            metrics.push(metric("log_residual_error", "decimal logarithm of residual_error, not below -30"));
            metrics
                .push(metric("log_normalized_error", "decimal logarithm of normalized_error, not below -30"));
        }
        metrics.push(metric("disagreement", "‖r - n‖/‖r‖"));
        let higher = |name, summary| Metric { direction: Direction::Higher, ..metric(name, summary) };
        metrics.push(higher(
            "log_excluded",
            "decimal logarithm of the size up to which r excludes solutions, between 0 and 16",
        ));
        metrics.push(higher(
            "certified",
            "1 once a certificate, checked afresh, proves infeasibility; 0 before",
        ));
        metrics
    }

    fn measure(
        &self,
        problem: &FixedPoint,
        truth: &Displacement,
        values: &[f64],
    ) -> Vec<(&'static str, f64)> {
        let n = problem.start.len();
        let (residual, normalized) = (&values[n..2 * n], &values[2 * n..3 * n]);
        let square = |a: &[f64], b: &[f64]| {
            let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
            problem.operator.square(&difference).max(0.0)
        };
        let length = problem.operator.square(residual).max(0.0).sqrt();
        let mut told = vec![("displacement", length)];
        if let Some(v) = &truth.v {
            let scale = truth.distance * truth.distance;
            let [of_residual, of_normalized] = [residual, normalized].map(|x| square(x, v) / scale);
            told.push(("residual_error", of_residual));
            told.push(("normalized_error", of_normalized));
            told.push(("log_residual_error", of_residual.max(1e-30).log10()));
            told.push(("log_normalized_error", of_normalized.max(1e-30).log10()));
        }
        told.push(("disagreement", square(residual, normalized).sqrt() / length));
        let (mut vector, mut scratch) = (vec![0.0; n], vec![0.0; n]);
        let excluded = problem.operator.certificate(residual, &mut vector, &mut scratch);
        told.push(("log_excluded", excluded.clamp(1.0, 1e16).log10()));
        let certified = problem.operator.excluded(&values[3 * n..]) > 0.0;
        told.push(("certified", f64::from(u8::from(certified))));
        told
    }

    fn score(&self, problem: &FixedPoint, truth: &Displacement, values: &[f64], _rng: &mut Rng) -> f64 {
        self.measure(problem, truth, values)[0].1
    }

    fn length(&self, problem: &FixedPoint) -> usize {
        4 * problem.start.len()
    }
}

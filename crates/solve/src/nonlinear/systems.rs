//! The problems: equations with bounds, from starts l + ν (u - l).
//!
//! Seeds 0 to 6 are ν = 0.1, 0.25, 0.4, 0.5001, 0.6, 0.75, 0.9; further seeds draw ν from [0.05, 0.95]. A run is scored by whether it ends at
//! a solution, and by the evaluations of F that took.
//!
//! | problem | equations |
//! |---|---|
//! | `himmelblau` | the gradient of Himmelblau's function on [-5, 5]²: 9 solutions |
//! | `bullard-biegler` | 10⁴ x y = 1, e^{-x} + e^{-y} = 1.001 on [5.49e-6, 4.553] x [2.196e-3, 18.21] |
//! | `ferraris-tronconi` | two equations with sines on [0.25, 1] x [1.5, 6.28] |
//! | `brown-5` | Brown's almost linear equations in 5 unknowns on [-2, 2]⁵ |
//! | `robot-kinematics` | the angles of a robot's arm, as 8 sines and cosines in [-1, 1] |
//! | `h-equation`, `h-equation-near-critical` | Chandrasekhar's H-equation, 50 points with c = 0.99, 100 with c = 0.9999, on [0, 5]ⁿ |

use std::f64::consts::{E, PI};
use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use quire_core::{Direction, Metric, Problem, Result, Rng, Seeds};
use rand::RngExt;

use super::{Bounded, Equations, METHODS};
use crate::problem::{Said, SolveProblem, World};

/// ν of the first seeds.
pub const STARTS: [f64; 7] = [0.1, 0.25, 0.4, 0.5001, 0.6, 0.75, 0.9];
/// ‖F‖ at which a point counts as a solution.
const FOUND: f64 = 1e-6;

/// Which equations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum System {
    /// The gradient of Himmelblau's function.
    Himmelblau,
    /// Bullard & Biegler's.
    BullardBiegler,
    /// Ferraris & Tronconi's.
    FerrarisTronconi,
    /// Brown's, in 5 unknowns.
    Brown,
    /// Of a robot's arm.
    RobotKinematics,
    /// Chandrasekhar's with so many points and this c.
    Chandrasekhar(usize, f64),
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let listed = [
        ("himmelblau", "find a stationary point of Himmelblau's function", System::Himmelblau),
        ("bullard-biegler", "solve two badly scaled equations near a bound", System::BullardBiegler),
        ("ferraris-tronconi", "solve two equations with sines and exponentials", System::FerrarisTronconi),
        ("brown-5", "solve Brown's almost linear equations in 5 unknowns", System::Brown),
        (
            "robot-kinematics",
            "find the angles of a robot's arm: 8 equations in sines and cosines",
            System::RobotKinematics,
        ),
        (
            "h-equation",
            "solve Chandrasekhar's H-equation at 50 points, c = 0.99",
            System::Chandrasekhar(50, 0.99),
        ),
        (
            "h-equation-near-critical",
            "solve Chandrasekhar's H-equation at 100 points, c = 0.9999: nearly singular",
            System::Chandrasekhar(100, 0.9999),
        ),
    ];
    let problem = |(name, summary, system)| {
        let said = Said {
            name,
            summary,
            budget: 300,
            source: "test sets of bounded nonlinear equations (Floudas et al. 1999; Kelley 1995)",
            tags: &["nonlinear equations", "bounds"],
            work: "evaluations of F",
        };
        Arc::new(SolveProblem::new(said, METHODS, system)) as Arc<dyn Problem>
    };
    listed.into_iter().map(problem).chain([super::profile::problem()]).collect()
}

impl System {
    fn points(self) -> usize {
        match self {
            System::Himmelblau | System::BullardBiegler | System::FerrarisTronconi => 2,
            System::Brown => 5,
            System::RobotKinematics => 8,
            System::Chandrasekhar(n, _) => n,
        }
    }

    /// The kernel c/2n μ_i/(μ_i + μ_j) of the H-equation.
    fn kernel(n: usize, c: f64, i: usize, j: usize) -> f64 {
        let mu = |i: usize| (i as f64 + 0.5) / n as f64;
        c / (2.0 * n as f64) * mu(i) / (mu(i) + mu(j))
    }

    /// These equations from l + ν (u - l).
    ///
    /// # Errors
    /// A ν that is not strictly between 0 and 1.
    pub fn from(self, nu: f64) -> Result<Bounded> {
        let (lower, upper) = self.bounds();
        let start = &lower + (&upper - &lower) * nu;
        Bounded::new(Box::new(self), start)
    }
}

impl Equations for System {
    fn bounds(&self) -> (DVector<f64>, DVector<f64>) {
        let all = |low: f64, high: f64| {
            (DVector::from_element(self.points(), low), DVector::from_element(self.points(), high))
        };
        match self {
            System::Himmelblau => all(-5.0, 5.0),
            System::BullardBiegler => {
                (DVector::from_row_slice(&[5.49e-6, 2.196e-3]), DVector::from_row_slice(&[4.553, 18.21]))
            }
            #[expect(clippy::approx_constant, reason = "the published bound is 6.28, not 2π")]
            System::FerrarisTronconi => {
                (DVector::from_row_slice(&[0.25, 1.5]), DVector::from_row_slice(&[1.0, 6.28]))
            }
            System::Brown => all(-2.0, 2.0),
            System::RobotKinematics => all(-1.0, 1.0),
            System::Chandrasekhar(..) => all(0.0, 5.0),
        }
    }

    fn residual(&self, x: &DVector<f64>) -> DVector<f64> {
        match *self {
            System::Himmelblau => {
                let (x, y) = (x[0], x[1]);
                DVector::from_row_slice(&[
                    4.0 * x.powi(3) + 4.0 * x * y + 2.0 * y * y - 42.0 * x - 14.0,
                    4.0 * y.powi(3) + 2.0 * x * x + 4.0 * x * y - 26.0 * y - 22.0,
                ])
            }
            System::BullardBiegler => {
                let (x, y) = (x[0], x[1]);
                DVector::from_row_slice(&[1e4 * x * y - 1.0, (-x).exp() + (-y).exp() - 1.001])
            }
            System::FerrarisTronconi => {
                let (x, y) = (x[0], x[1]);
                DVector::from_row_slice(&[
                    0.5 * (x * y).sin() - 0.25 * y / PI - 0.5 * x,
                    (1.0 - 0.25 / PI) * ((2.0 * x).exp() - E) + E * y / PI - 2.0 * E * x,
                ])
            }
            System::Brown => {
                let n = x.len();
                let sum = x.sum();
                DVector::from_fn(
                    n,
                    |i, _| {
                        if i < n - 1 { x[i] + sum - (n + 1) as f64 } else { x.product() - 1.0 }
                    },
                )
            }
            System::RobotKinematics => {
                let x: &[f64] = x.as_slice();
                let on_circle = |i: usize| x[i] * x[i] + x[i + 1] * x[i + 1] - 1.0;
                DVector::from_row_slice(&[
                    4.731e-3 * x[0] * x[2] - 0.3578 * x[1] * x[2] - 0.1238 * x[0] + x[6]
                        - 1.637e-3 * x[1]
                        - 0.9338 * x[3]
                        - 0.3571,
                    0.2238 * x[0] * x[2] + 0.7623 * x[1] * x[2] + 0.2638 * x[0]
                        - x[6]
                        - 0.07745 * x[1]
                        - 0.6734 * x[3]
                        - 0.6022,
                    x[5] * x[7] + 0.3578 * x[0] + 4.731e-3 * x[1],
                    -0.7623 * x[0] + 0.2238 * x[1] + 0.3461,
                    on_circle(0),
                    on_circle(2),
                    on_circle(4),
                    on_circle(6),
                ])
            }
            System::Chandrasekhar(n, c) => DVector::from_fn(n, |i, _| {
                let sum: f64 = (0..n).map(|j| System::kernel(n, c, i, j) * x[j]).sum();
                x[i] - 1.0 / (1.0 - sum)
            }),
        }
    }

    fn jacobian(&self, x: &DVector<f64>) -> DMatrix<f64> {
        match *self {
            System::Himmelblau => {
                let (x, y) = (x[0], x[1]);
                let off = 4.0 * x + 4.0 * y;
                DMatrix::from_row_slice(
                    2,
                    2,
                    &[12.0 * x * x + 4.0 * y - 42.0, off, off, 12.0 * y * y + 4.0 * x - 26.0],
                )
            }
            System::BullardBiegler => {
                let (x, y) = (x[0], x[1]);
                DMatrix::from_row_slice(2, 2, &[1e4 * y, 1e4 * x, -(-x).exp(), -(-y).exp()])
            }
            System::FerrarisTronconi => {
                let (x, y) = (x[0], x[1]);
                let cosine = 0.5 * (x * y).cos();
                DMatrix::from_row_slice(
                    2,
                    2,
                    &[
                        y * cosine - 0.5,
                        x * cosine - 0.25 / PI,
                        (2.0 - 0.5 / PI) * (2.0 * x).exp() - 2.0 * E,
                        E / PI,
                    ],
                )
            }
            System::Brown => {
                let n = x.len();
                DMatrix::from_fn(n, n, |i, j| {
                    if i < n - 1 {
                        if i == j { 2.0 } else { 1.0 }
                    } else {
                        (0..n).filter(|&k| k != j).map(|k| x[k]).product()
                    }
                })
            }
            System::RobotKinematics => {
                let mut jacobian = DMatrix::zeros(8, 8);
                let entries = [
                    (0, 0, 4.731e-3 * x[2] - 0.1238),
                    (0, 1, -0.3578 * x[2] - 1.637e-3),
                    (0, 2, 4.731e-3 * x[0] - 0.3578 * x[1]),
                    (0, 3, -0.9338),
                    (0, 6, 1.0),
                    (1, 0, 0.2238 * x[2] + 0.2638),
                    (1, 1, 0.7623 * x[2] - 0.07745),
                    (1, 2, 0.2238 * x[0] + 0.7623 * x[1]),
                    (1, 3, -0.6734),
                    (1, 6, -1.0),
                    (2, 0, 0.3578),
                    (2, 1, 4.731e-3),
                    (2, 5, x[7]),
                    (2, 7, x[5]),
                    (3, 0, -0.7623),
                    (3, 1, 0.2238),
                ];
                for (i, j, value) in entries {
                    jacobian[(i, j)] = value;
                }
                for circle in 0..4 {
                    for j in [2 * circle, 2 * circle + 1] {
                        jacobian[(4 + circle, j)] = 2.0 * x[j];
                    }
                }
                jacobian
            }
            System::Chandrasekhar(n, c) => {
                let mut jacobian = DMatrix::identity(n, n);
                for i in 0..n {
                    let sum: f64 = (0..n).map(|j| System::kernel(n, c, i, j) * x[j]).sum();
                    let slope = (1.0 - sum).powi(-2);
                    for j in 0..n {
                        jacobian[(i, j)] -= slope * System::kernel(n, c, i, j);
                    }
                }
                jacobian
            }
        }
    }
}

impl World for System {
    type Instance = Bounded;
    type Truth = ();

    const SCORE: &'static str = "distance_from_zero";

    fn draw(&self, seed: u64) -> Result<(Bounded, ())> {
        let drawn = || Seeds::new(seed).stream("start").random_range(0.05..0.95);
        let nu = STARTS.get(seed as usize).copied().unwrap_or_else(drawn);
        Ok((self.from(nu)?, ()))
    }

    fn metrics(&self) -> Vec<Metric> {
        let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
        vec![
            metric("found", Direction::Higher, "1 where ‖F‖ is at most 1e-6 inside the bounds, else 0"),
            metric("distance_from_zero", Direction::Lower, "‖F‖"),
        ]
    }

    fn measure(&self, problem: &Bounded, _truth: &(), values: &[f64]) -> Vec<(&'static str, f64)> {
        let norm = problem.equations.residual(&DVector::from_column_slice(values)).norm();
        let inside =
            (0..values.len()).all(|i| problem.lower[i] <= values[i] && values[i] <= problem.upper[i]);
        let found = norm <= FOUND && inside;
        vec![("found", f64::from(u8::from(found))), ("distance_from_zero", norm)]
    }

    fn score(&self, problem: &Bounded, _truth: &(), values: &[f64], _rng: &mut Rng) -> f64 {
        problem.equations.residual(&DVector::from_column_slice(values)).norm()
    }

    fn length(&self, problem: &Bounded) -> usize {
        problem.start.len()
    }
}

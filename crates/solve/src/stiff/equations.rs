//! The problems: stiff equations from a start that a seed moves.
//!
//! | problem | equations | end |
//! |---|---|---|
//! | `burgers`, `burgers-200` | u_t = 0.1 u_xx - (u²/2)_x on a periodic grid of 32 or 200 points, fourth-order differences; 1 on the first half, else 0 | 4 |
//! | `linear-stiff` | y' = A y, eigenvalues from -1 to -10⁶, not diagonal | 1 |
//! | `van-der-pol` | y_1' = y_2, y_2' = ((1 - y_1²) y_2 - y_1)/10⁻⁶ on the slow part of its cycle | 0.5 |
//! | `robertson` | Robertson's three reactions | 40 |
//!
//! Seed 0 starts as stated; further seeds scale the start. Errors are against a reference: exact for the linear equations, 10,000 steps of an
//! explicit scheme of order 4 for Burgers' (20,000 on the fine grid), 40,000 steps of ROS3 for the others.

use std::f64::consts::PI;
use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use quire_core::{Direction, Metric, Problem, Result, Rng, Seeds};
use rand::RngExt;

use super::rosenbrock::{Rosenbrock, RosenbrockOptions};
use super::{Equations, InitialValue, Integrator, METHODS};
use crate::problem::{Said, SolveProblem, World};
use crate::solver::{Method, solve};

/// Which equations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Burgers' on so many points.
    Burgers(usize),
    /// Linear ones.
    Linear,
    /// Van der Pol's.
    VanDerPol,
    /// Robertson's.
    Robertson,
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let listed = [
        ("burgers", "integrate Burgers' equation on 32 points", Kind::Burgers(32)),
        ("burgers-200", "integrate Burgers' equation on 200 points", Kind::Burgers(200)),
        ("linear-stiff", "integrate linear equations with eigenvalues from -1 to -1e6", Kind::Linear),
        ("van-der-pol", "integrate van der Pol's equation on its slow part, stiffness 1e6", Kind::VanDerPol),
        ("robertson", "integrate Robertson's reactions", Kind::Robertson),
    ];
    let problem = |(name, summary, kind)| {
        let said = Said {
            name,
            summary,
            budget: 2048,
            source: "published example of TASE methods (Burgers); test sets of stiff equations",
            tags: &["ordinary differential equation", "stiff"],
            work: "solves with factors",
        };
        Arc::new(SolveProblem::new(said, METHODS, kind)) as Arc<dyn Problem>
    };
    listed.into_iter().map(problem).collect()
}

/// Burgers' equation on a periodic grid.
pub struct Burgers {
    points: usize,
}

/// The stencils of 0.1 u_xx and of u_x on a grid of width h, from two points before to two points after: numerators over 12 h² and 12 h.
const DIFFUSION: [f64; 5] = [-0.1, 1.6, -3.0, 1.6, -0.1];
const DERIVATIVE: [f64; 5] = [1.0, -8.0, 0.0, 8.0, -1.0];

impl Burgers {
    /// On so many points of [0, 2π), at least 5.
    pub fn new(points: usize) -> Self {
        Burgers { points }
    }

    /// 12 h², 12 h.
    fn divisors(&self) -> (f64, f64) {
        let width = 2.0 * PI / self.points as f64;
        (12.0 * width * width, 12.0 * width)
    }

    /// `matrix <-` that whose entry k places from the diagonal of column j is `entry(k, j)`.
    fn circulant(&self, matrix: &mut DMatrix<f64>, entry: impl Fn(usize, usize) -> f64) {
        let n = self.points;
        matrix.fill(0.0);
        for i in 0..n {
            for k in 0..5 {
                let j = (i + n + k - 2) % n;
                matrix[(i, j)] += entry(k, j);
            }
        }
    }
}

impl Equations for Burgers {
    fn slope(&self, u: &DVector<f64>, out: &mut DVector<f64>) {
        let n = self.points;
        let (second, first) = self.divisors();
        for (i, out) in out.iter_mut().enumerate() {
            let at = |k: usize| u[(i + n + k - 2) % n];
            let part = |k: usize| DIFFUSION[k] / second * at(k) - DERIVATIVE[k] / first * 0.5 * at(k) * at(k);
            *out = (0..5).map(part).sum();
        }
    }

    fn jacobian(&self, u: &DVector<f64>, out: &mut DMatrix<f64>) {
        let (second, first) = self.divisors();
        self.circulant(out, |k, j| DIFFUSION[k] / second - DERIVATIVE[k] / first * u[j]);
    }

    fn linear_part(&self) -> Option<DMatrix<f64>> {
        let (second, _) = self.divisors();
        let mut matrix = DMatrix::zeros(self.points, self.points);
        self.circulant(&mut matrix, |k, _| DIFFUSION[k] / second);
        Some(matrix)
    }
}

/// y' = A y with A = Q diag(λ) Qᵀ.
pub struct Linear {
    eigenvalues: DVector<f64>,
    vectors: DMatrix<f64>,
    matrix: DMatrix<f64>,
}

impl Linear {
    /// Six eigenvalues from -1 to -10⁶, in the vectors of a discrete sine transform.
    pub fn new() -> Self {
        let n = 6;
        let eigenvalues = DVector::from_fn(n, |i, _| -(10.0_f64.powf(6.0 * i as f64 / (n - 1) as f64)));
        let scale = (2.0 / (n + 1) as f64).sqrt();
        let vectors = DMatrix::from_fn(n, n, |i, j| {
            scale * ((i + 1) as f64 * (j + 1) as f64 * PI / (n + 1) as f64).sin()
        });
        let matrix = &vectors * DMatrix::from_diagonal(&eigenvalues) * vectors.transpose();
        Linear { eigenvalues, vectors, matrix }
    }

    /// e^{A t} y.
    pub fn exact(&self, y: &DVector<f64>, t: f64) -> DVector<f64> {
        let along = self.vectors.tr_mul(y).component_mul(&self.eigenvalues.map(|lambda| (lambda * t).exp()));
        &self.vectors * along
    }
}

impl Default for Linear {
    fn default() -> Self {
        Linear::new()
    }
}

impl Equations for Linear {
    fn slope(&self, y: &DVector<f64>, out: &mut DVector<f64>) {
        self.matrix.mul_to(y, out);
    }

    fn jacobian(&self, _y: &DVector<f64>, out: &mut DMatrix<f64>) {
        out.copy_from(&self.matrix);
    }
}

/// Van der Pol's equation with ε = 10⁻⁶.
pub struct VanDerPol;

const STIFFNESS: f64 = 1e6;

impl Equations for VanDerPol {
    fn slope(&self, y: &DVector<f64>, out: &mut DVector<f64>) {
        out.copy_from_slice(&[y[1], STIFFNESS * ((1.0 - y[0] * y[0]) * y[1] - y[0])]);
    }

    fn jacobian(&self, y: &DVector<f64>, out: &mut DMatrix<f64>) {
        let (a, b) = (STIFFNESS * (-2.0 * y[0] * y[1] - 1.0), STIFFNESS * (1.0 - y[0] * y[0]));
        // Column after column.
        out.copy_from_slice(&[0.0, a, 1.0, b]);
    }
}

/// Robertson's reactions.
pub struct Robertson;

impl Equations for Robertson {
    fn slope(&self, y: &DVector<f64>, out: &mut DVector<f64>) {
        let (slow, fast, fastest) = (0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] * y[1]);
        out.copy_from_slice(&[fast - slow, slow - fast - fastest, fastest]);
    }

    fn jacobian(&self, y: &DVector<f64>, out: &mut DMatrix<f64>) {
        let (a, b, c) = (1e4 * y[2], 1e4 * y[1], 6e7 * y[1]);
        // Column after column.
        out.copy_from_slice(&[-0.04, 0.04, 0.0, a, -a - c, c, b, -b, 0.0]);
    }
}

/// f(y).
fn slope(equations: &dyn Equations, y: &DVector<f64>) -> DVector<f64> {
    let mut out = DVector::zeros(y.len());
    equations.slope(y, &mut out);
    out
}

impl Kind {
    /// The equations from a start that is `scale` times the usual one, as far as they allow.
    pub fn with(self, scale: f64) -> InitialValue {
        let (equations, start, end): (Box<dyn Equations>, _, _) = match self {
            Kind::Burgers(points) => {
                let start = DVector::from_fn(points, |i, _| if i < points / 2 { scale } else { 0.0 });
                (Box::new(Burgers::new(points)), start, 4.0)
            }
            Kind::Linear => (Box::new(Linear::new()), DVector::from_element(6, scale), 1.0),
            Kind::VanDerPol => {
                // On the slow manifold, y_2 = y_1/(1 - y_1²) + O(ε), where no fast transient begins.
                let y = 2.0 * scale;
                (Box::new(VanDerPol), DVector::from_row_slice(&[y, y / (1.0 - y * y)]), 0.5)
            }
            Kind::Robertson => (Box::new(Robertson), DVector::from_row_slice(&[scale, 0.0, 0.0]), 40.0),
        };
        InitialValue { equations, start, end }
    }

    /// y at the end, to many digits.
    ///
    /// # Errors
    /// None that equations of this file make.
    pub fn reference(self, problem: &InitialValue) -> Result<DVector<f64>> {
        match self {
            Kind::Linear => Ok(Linear::new().exact(&problem.start, problem.end)),
            Kind::Burgers(points) => {
                let steps = if points > 100 { 20_000 } else { 10_000 };
                let h = problem.end / f64::from(steps);
                let mut y = problem.start.clone();
                for _ in 0..steps {
                    let f = |y: &DVector<f64>| slope(&*problem.equations, y);
                    let k1 = f(&y);
                    let k2 = f(&(&y + &k1 * (0.5 * h)));
                    let k3 = f(&(&y + &k2 * (0.5 * h)));
                    let k4 = f(&(&y + &k3 * h));
                    y += (k1 + (k2 + k3) * 2.0 + k4) * (h / 6.0);
                }
                Ok(y)
            }
            Kind::VanDerPol | Kind::Robertson => {
                let options = RosenbrockOptions { order: 3, steps: 40_000, ..RosenbrockOptions::default() };
                let found = solve(&mut Integrator::<Rosenbrock>::new(problem, options)?, problem, 40_000);
                Ok(DVector::from_vec(found.values))
            }
        }
    }
}

impl World for Kind {
    type Instance = InitialValue;
    /// y at the end.
    type Truth = DVector<f64>;

    const SCORE: &'static str = "error";

    fn draw(&self, seed: u64) -> Result<(InitialValue, DVector<f64>)> {
        let scale = if seed == 0 { 1.0 } else { Seeds::new(seed).stream("start").random_range(0.9..1.1) };
        let problem = self.with(scale);
        let reference = self.reference(&problem)?;
        Ok((problem, reference))
    }

    fn metrics(&self) -> Vec<Metric> {
        let metric = |name, summary| Metric { name, unit: "", direction: Direction::Lower, summary };
        vec![
            metric("error", "largest error of a component against the reference at the end"),
            metric("log_error", "its decimal logarithm, not below -16"),
            metric("factorizations", "LU factorizations so far"),
            metric("evaluations", "evaluations of f so far"),
            metric("rejected", "steps done again because they missed the tolerance"),
        ]
    }

    fn measure(
        &self,
        _problem: &InitialValue,
        truth: &DVector<f64>,
        values: &[f64],
    ) -> Vec<(&'static str, f64)> {
        let error = error(truth, values);
        vec![("error", error), ("log_error", error.max(1e-16).log10())]
    }

    fn score(&self, _problem: &InitialValue, truth: &DVector<f64>, values: &[f64], _rng: &mut Rng) -> f64 {
        error(truth, values)
    }

    fn length(&self, problem: &InitialValue) -> usize {
        problem.start.len()
    }
}

fn error(truth: &DVector<f64>, values: &[f64]) -> f64 {
    (DVector::from_column_slice(values) - truth).amax()
}

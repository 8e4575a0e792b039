//! The problems: square matrices that a seed draws, as in the benchmark that Turbo-Muon's authors released.
//!
//! | problem | entries |
//! |---|---|
//! | `polar-normal-64`, `polar-normal-256` | N(0, 1) |
//! | `polar-uniform-256` | uniform in [-1/2, 1/2] |
//! | `polar-stable-256` | symmetric α-stable with α = 1.5 (Chambers, Mallows & Stuck 1976): few entries are far larger than the rest |

use std::f64::consts::FRAC_PI_2;
use std::sync::Arc;

use nalgebra::DMatrix;
use quire_core::{Direction, Metric, Problem, Result, Rng, Seeds};
use rand::RngExt;
use rand_distr::{Distribution, Exp1, StandardNormal};

use super::{METHODS, orthogonality_error, polar_factor};
use crate::problem::{Said, SolveProblem, World};

/// The index of the stable distribution.
const ALPHA: f64 = 1.5;

/// How entries are distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entries {
    /// Standard normal.
    Normal,
    /// Uniform in [-1/2, 1/2].
    Uniform,
    /// Symmetric and α-stable.
    Stable,
}

/// Square matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matrices {
    /// Rows and columns.
    pub size: usize,
    /// How entries are distributed.
    pub entries: Entries,
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let problem = |name, summary, size, entries| {
        let said = Said {
            name,
            summary,
            budget: 5,
            source: "arXiv:2512.04632, released benchmark",
            tags: &["matrix", "optimizer"],
            work: "products",
        };
        Arc::new(SolveProblem::new(said, METHODS, Matrices { size, entries })) as Arc<dyn Problem>
    };
    vec![
        problem("polar-normal-64", "orthogonalize 64 x 64 normal numbers", 64, Entries::Normal),
        problem("polar-normal-256", "orthogonalize 256 x 256 normal numbers", 256, Entries::Normal),
        problem("polar-uniform-256", "orthogonalize 256 x 256 uniform numbers", 256, Entries::Uniform),
        problem("polar-stable-256", "orthogonalize 256 x 256 numbers with heavy tails", 256, Entries::Stable),
    ]
}

impl Entries {
    fn draw(self, rng: &mut Rng) -> f64 {
        match self {
            Entries::Normal => StandardNormal.sample(rng),
            Entries::Uniform => rng.random::<f64>() - 0.5,
            Entries::Stable => {
                let angle = FRAC_PI_2 * (2.0 * rng.random::<f64>() - 1.0);
                let wait: f64 = Exp1.sample(rng);
                let tail = (((1.0 - ALPHA) * angle).cos() / wait).powf((1.0 - ALPHA) / ALPHA);
                (ALPHA * angle).sin() / angle.cos().powf(1.0 / ALPHA) * tail
            }
        }
    }
}

impl World for Matrices {
    type Instance = DMatrix<f64>;
    /// The polar factor.
    type Truth = DMatrix<f64>;

    fn draw(&self, seed: u64) -> Result<(DMatrix<f64>, DMatrix<f64>)> {
        let mut rng = Seeds::new(seed).stream("entries");
        let matrix = DMatrix::from_fn(self.size, self.size, |_, _| self.entries.draw(&mut rng));
        let polar = polar_factor(&matrix);
        Ok((matrix, polar))
    }

    fn measure(&self, _: &DMatrix<f64>, truth: &DMatrix<f64>, values: &[f64]) -> Vec<(&'static str, f64)> {
        let x = DMatrix::from_row_slice(self.size, self.size, values);
        vec![
            ("polar_error", (&x - truth).norm() / truth.norm()),
            ("orthogonality_error", orthogonality_error(&x)),
        ]
    }

    fn metrics(&self) -> Vec<Metric> {
        let metric = |name, summary| Metric { name, unit: "", direction: Direction::Lower, summary };
        vec![
            metric("polar_error", "distance from the polar factor, as a share of its Frobenius norm"),
            metric("orthogonality_error", "Frobenius norm of X Xᵀ - I over the root of the number of rows"),
        ]
    }

    const BY_WORK: bool = false;

    const SCORE: &'static str = "polar_error";

    /// The error; nothing about it is random.
    fn score(&self, instance: &DMatrix<f64>, truth: &DMatrix<f64>, values: &[f64], _: &mut Rng) -> f64 {
        self.measure(instance, truth, values)[0].1
    }

    fn length(&self, instance: &DMatrix<f64>) -> usize {
        instance.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polar::newton_schulz::{TurboMuon, TurboMuonOptions};
    use crate::solver::{Method, solve};

    #[test]
    fn four_iterations_leave_the_published_error() {
        let problem = Matrices { size: 64, entries: Entries::Normal };
        let (matrix, truth) = problem.draw(1).unwrap();
        let mut turbo = TurboMuon::new(&matrix, TurboMuonOptions::default()).unwrap();
        let found = solve(&mut turbo, &matrix, 10);
        assert!(found.is_converged() && found.iterations == 4 && found.work == 12.0);
        // Published: 0.088 on average, with a deviation of 0.03.
        let error = problem.measure(&matrix, &truth, &found.values)[0].1;
        assert!((0.04..0.2).contains(&error), "{error}");
        let too_many = TurboMuonOptions { iterations: 6, ..TurboMuonOptions::default() };
        assert!(TurboMuon::new(&matrix, too_many).err().unwrap().to_string().contains("iterations"));
    }

    #[test]
    fn stable_numbers_have_heavy_tails_and_half_of_them_are_positive() {
        let mut rng = Seeds::new(2).stream("entries");
        let drawn: Vec<f64> = (0..40_000).map(|_| Entries::Stable.draw(&mut rng)).collect();
        let positive = drawn.iter().filter(|x| **x > 0.0).count() as f64 / 40_000.0;
        assert!((positive - 0.5).abs() < 0.01, "{positive}");
        // P(|X| > x) ~ 2 Γ(α) sin(π α / 2) / π x^-α = 0.3989 x^-1.5: 0.001262 at x = 46.4.
        let far = drawn.iter().filter(|x| x.abs() > 46.4).count() as f64 / 40_000.0;
        assert!((far / 0.001262 - 1.0).abs() < 0.5, "{far}");
        // The characteristic function e^(-|t|^α) at t = 1.
        let mean = drawn.iter().map(|x| x.cos()).sum::<f64>() / 40_000.0;
        assert!((mean - (-1.0_f64).exp()).abs() < 0.012, "{mean}");
    }
}

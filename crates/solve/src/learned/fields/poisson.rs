//! Poisson's equation on 512 points.

use std::f64::consts::PI;

use quire_core::{Rng, Seeds};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::relaxation::{Relaxation, Sweep};
use super::{Fields, Task};

/// Points, the two ends included.
pub const POINTS: usize = 512;

/// Sines in a solution.
const TERMS: usize = 20;

/// The norm that the authors scale right sides to.
const NORM: f64 = 1e6;

/// u'' = f on (0, 1) with f = (Σ a_k sin(p_k π (x - q_k)))'' of 20 sines, a_k from N(0, 1), p_k uniform up to 64 and q_k up to 1, and the values of the sum at the ends; by SOR with
/// the authors' factor 1.5 or by Jacobi's method. What is solved for is the difference to the straight line between the ends, which is the default guess; a network sees f, scaled to a mean
/// square of 1, and its output is scaled as if f had the norm 1e6, as in the authors' code.
#[derive(Debug, Clone, PartialEq)]
pub struct Poisson {
    grid: Relaxation,
    tolerances: [f64; 3],
    tests: Vec<Task>,
}

impl Poisson {
    /// With so many tasks to be judged on.
    pub fn new(sweep: Sweep, tests: usize, seeds: Seeds) -> Self {
        let (omega, tolerances) = match sweep {
            Sweep::RedBlack => (1.5, [3e-2, 1e-2, 3e-3]),
            Sweep::Jacobi => (1.0, [0.2, 0.1, 0.05]),
        };
        let mut poisson =
            Poisson { grid: Relaxation::line(POINTS, sweep, omega), tolerances, tests: Vec::new() };
        let mut rng = seeds.stream("tests");
        poisson.tests = (0..tests).map(|_| poisson.draw(&mut rng)).collect();
        poisson
    }
}

impl Fields for Poisson {
    fn grid(&self) -> &Relaxation {
        &self.grid
    }

    fn channels(&self) -> usize {
        1
    }

    fn kernel(&self) -> usize {
        11
    }

    fn tolerances(&self) -> [f64; 3] {
        self.tolerances
    }

    fn draw(&self, rng: &mut Rng) -> Task {
        let h = 1.0 / (POINTS - 1) as f64;
        let mut f = vec![0.0; POINTS];
        for _ in 0..TERMS {
            let a: f64 = StandardNormal.sample(rng);
            let (p, q) = (PI * rng.random_range(0.0..64.0), rng.random_range(0.0..1.0));
            for (i, f) in f.iter_mut().enumerate().take(POINTS - 1).skip(1) {
                *f -= a * p * p * (p * (i as f64 * h - q)).sin();
            }
        }
        let norm = f.iter().map(|f| f * f).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
        let one = (POINTS as f64).sqrt() / norm;
        let features = f.iter().map(|f| (f * one) as f32).collect();
        let right: Vec<f64> = f.iter().map(|f| -h * h * f).collect();
        let mut solution = right.clone();
        self.grid.solve(&mut solution);
        Task::new(right, vec![0.0; POINTS], solution, features, norm / NORM)
    }

    fn tests(&self) -> &[Task] {
        &self.tests
    }
}

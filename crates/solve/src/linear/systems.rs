//! The problems: discretized equations on the unit square whose solution a seed draws.
//!
//! | problem | matrix |
//! |---|---|
//! | `poisson` | the five-point Laplacian on 32 x 32 points: symmetric positive definite, weakly dominant |
//! | `diffusion-jumps` | the same with a coefficient e^{2 N(0,1)} in each cell: badly conditioned |
//! | `convection` | the Laplacian and a wind, upwind differences: not symmetric |

use std::sync::Arc;

use quire_core::{Direction, Entry, Metric, Problem, Result, Rng, Seeds};
use rand::RngExt;
use rand_distr::StandardNormal;

use super::{METHODS, Sparse, System, gmres, jacobi, sor};
use crate::problem::{Said, SolveProblem, World};
use crate::solver::{Make, entry};
use crate::vectors::norm;

/// Points along a side.
const SIDE: usize = 32;

/// An equation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Equation {
    /// -Δu.
    Poisson,
    /// -∇·(k ∇u) with k that jumps from cell to cell.
    Jumps,
    /// -Δu + w·∇u.
    Convection,
}

/// Methods that need no symmetry here: the matrix is weakly dominant with the right signs.
const UNSYMMETRIC: &[Entry<Make<System>>] = &[
    entry::<System, gmres::Gmres>(),
    entry::<System, sor::GaussSeidel>(),
    entry::<System, jacobi::Jacobi>(),
];

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let listed = [
        ("poisson", "solve the five-point Laplacian on 32 x 32 points", Equation::Poisson, METHODS),
        (
            "diffusion-jumps",
            "solve for a diffusion on 32 x 32 points whose coefficient jumps from cell to cell",
            Equation::Jumps,
            METHODS,
        ),
        (
            "convection",
            "solve for convection and diffusion on 32 x 32 points",
            Equation::Convection,
            UNSYMMETRIC,
        ),
    ];
    let problem = |(name, summary, equation, table): (&'static str, &'static str, _, _)| {
        let said = Said {
            name,
            summary,
            budget: 20_000,
            source: "textbooks of numerical linear algebra",
            tags: &["linear system", "sparse"],
            work: "products with the matrix",
        };
        Arc::new(SolveProblem::new(said, table, equation)) as Arc<dyn Problem>
    };
    listed.into_iter().map(problem).collect()
}

/// The five-point matrix of `equation` on `side` x `side` points, scaled by the squared width of a cell.
pub fn five_point(equation: Equation, side: usize, rng: &mut Rng) -> Result<Sparse> {
    let width = 1.0 / (side + 1) as f64;
    let cells = (side + 2) * (side + 2);
    let coefficients: Vec<f64> = match equation {
        Equation::Jumps => (0..cells).map(|_| (2.0 * rng.sample::<f64, _>(StandardNormal)).exp()).collect(),
        _ => vec![1.0; cells],
    };
    let wind: (f64, f64) = if equation == Equation::Convection { (60.0, 25.0) } else { (0.0, 0.0) };
    let mut entries = Vec::with_capacity(5 * side * side);
    for row in 1..=side {
        for column in 1..=side {
            let place = |row: usize, column: usize| ((row - 1) * side + column - 1) as u32;
            let here = coefficients[row * (side + 2) + column];
            let mut diagonal = 0.0;
            // Against the wind comes what is upstream.
            for (r, c, upwind) in [
                (row, column - 1, wind.0),
                (row, column + 1, 0.0),
                (row - 1, column, wind.1),
                (row + 1, column, 0.0),
            ] {
                let there = coefficients[r * (side + 2) + c];
                let flow = 2.0 * here * there / (here + there) + upwind * width;
                diagonal += flow;
                if (1..=side).contains(&r) && (1..=side).contains(&c) {
                    entries.push((place(row, column), place(r, c), -flow));
                }
            }
            entries.push((place(row, column), place(row, column), diagonal));
        }
    }
    Sparse::new(side * side, side * side, &entries)
}

impl World for Equation {
    type Instance = System;
    /// The solution.
    type Truth = Vec<f64>;

    const SCORE: &'static str = "error";

    fn draw(&self, seed: u64) -> Result<(System, Vec<f64>)> {
        let seeds = Seeds::new(seed);
        let matrix = five_point(*self, SIDE, &mut seeds.stream("matrix"))?;
        let mut rng = seeds.stream("solution");
        let x: Vec<f64> = (0..matrix.rows()).map(|_| rng.sample::<f64, _>(StandardNormal)).collect();
        let mut right = vec![0.0; x.len()];
        matrix.times(&x, &mut right);
        Ok((System::new(matrix, right)?, x))
    }

    fn metrics(&self) -> Vec<Metric> {
        let metric = |name, summary| Metric { name, unit: "", direction: Direction::Lower, summary };
        vec![
            metric("true_residual", "‖b - Ax‖/‖b‖, computed afresh"),
            metric("error", "distance from the solution, relative to its length"),
        ]
    }

    fn measure(&self, system: &System, truth: &Vec<f64>, values: &[f64]) -> Vec<(&'static str, f64)> {
        let residual = system.relative_residual(values, &mut vec![0.0; values.len()]);
        vec![("true_residual", residual), ("error", distance(truth, values))]
    }

    fn score(&self, _system: &System, truth: &Vec<f64>, values: &[f64], _rng: &mut Rng) -> f64 {
        distance(truth, values)
    }

    fn length(&self, system: &System) -> usize {
        system.size()
    }
}

/// ‖values - truth‖/‖truth‖.
fn distance(truth: &[f64], values: &[f64]) -> f64 {
    let difference: Vec<f64> = values.iter().zip(truth).map(|(a, b)| a - b).collect();
    norm(&difference) / norm(truth)
}

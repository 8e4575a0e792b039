//! The problems: pairs (v, h) of a Hessian in 20 dimensions, v ~ N(0, I).
//!
//! | problem | H | h |
//! |---|---|---|
//! | `hessian-clean` | tridiagonal: 1 on the diagonal, 0.5 beside it | H v |
//! | `hessian-noisy` | the same | H v + 0.01 N(0, I) |
//! | `hessian-whitening` | the same | H w with a w ~ N(0, I) of its own, as gradients have: P is to whiten them |
//! | `hessian-drifting` | all 1/4 at first, and u uᵀ more each pair with u uniform in [0, 1]^20 | H v |

use std::sync::Arc;

use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut, DVector};
use quire_core::{Direction, Metric, Problem, Result, Rng, Seeds};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::METHODS;
use crate::problem::{Said, SolveProblem, World};

/// Unknowns of the problems.
const DIMENSION: usize = 20;

/// Pairs of a Hessian.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// H before the first pair.
    pub hessian: DMatrix<f64>,
    /// Standard deviation of the noise of h.
    pub noise: f64,
    /// Whether u uᵀ is added to H before each pair.
    pub drifts: bool,
    /// Whether h is the product with another vector than v.
    pub whitens: bool,
    /// Where pairs, drift and what methods draw come from.
    pub seeds: Seeds,
}

impl Stream {
    /// n.
    pub fn dimension(&self) -> usize {
        self.hessian.nrows()
    }

    /// u of pair `index`.
    fn drift(&self, index: u64) -> DVector<f64> {
        let mut rng = self.seeds.nth("drift", index).stream("drift");
        DVector::from_fn(self.dimension(), |_, _| rng.random::<f64>())
    }

    /// H when pair `index` is drawn.
    pub fn hessian_at(&self, index: u64) -> DMatrix<f64> {
        let mut hessian = self.hessian.clone();
        if self.drifts {
            for past in 0..=index {
                let u = self.drift(past);
                hessian.ger(1.0, &u, &u, 1.0);
            }
        }
        hessian
    }

    /// (E h hᵀ)^½ when pair `index` is drawn: what P is to invert.
    pub fn target(&self, index: u64) -> DMatrix<f64> {
        let hessian = self.hessian_at(index);
        let n = self.dimension();
        let eigen = (&hessian * &hessian + DMatrix::identity(n, n) * self.noise.powi(2)).symmetric_eigen();
        let roots = eigen.eigenvalues.map(|value| value.max(0.0).sqrt());
        &eigen.eigenvectors * DMatrix::from_diagonal(&roots) * eigen.eigenvectors.transpose()
    }
}

/// A place in a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pairs {
    /// H as it is now, `[n, n]`.
    hessian: Vec<f64>,
    seen: u64,
    rng: Rng,
}

impl Pairs {
    /// Before the first pair.
    pub fn of(stream: &Stream) -> Self {
        let hessian = stream.hessian.as_slice().to_vec();
        Pairs { hessian, seen: 0, rng: stream.seeds.stream("pairs") }
    }

    /// Pairs seen.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// The next pair, v and h.
    pub fn next(&mut self, stream: &Stream) -> (DVector<f64>, DVector<f64>) {
        let n = stream.dimension();
        if stream.drifts {
            let u = stream.drift(self.seen);
            DMatrixViewMut::from_slice(&mut self.hessian, n, n).ger(1.0, &u, &u, 1.0);
        }
        self.seen += 1;
        let mut normal =
            || DVector::from_fn(n, |_, _| Distribution::<f64>::sample(&StandardNormal, &mut self.rng));
        let (v, noise) = (normal(), normal());
        let hessian = DMatrixView::from_slice(&self.hessian, n, n);
        let h = if stream.whitens { hessian * normal() } else { hessian * &v } + noise * stream.noise;
        (v, h)
    }
}

/// 1 on the diagonal, 0.5 beside it.
pub fn tridiagonal(n: usize) -> DMatrix<f64> {
    DMatrix::from_fn(n, n, |i, j| match i.abs_diff(j) {
        0 => 1.0,
        1 => 0.5,
        _ => 0.0,
    })
}

/// Which stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Exact products of a constant Hessian.
    Clean,
    /// Noisy ones.
    Noisy,
    /// Exact ones of a Hessian that grows.
    Drifting,
    /// Products that know nothing of v.
    Whitening,
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let problem = |name, summary, budget, kind| {
        let said = Said {
            name,
            summary,
            budget,
            source: "the comparison of arXiv:2402.11858's code, 20 unknowns in place of 50",
            tags: &["preconditioner", "second order"],
            work: "pairs",
        };
        Arc::new(SolveProblem::new(said, METHODS, kind)) as Arc<dyn Problem>
    };
    vec![
        problem(
            "hessian-clean",
            "invert a tridiagonal Hessian from exact products with it",
            20_000,
            Kind::Clean,
        ),
        problem("hessian-noisy", "the same from products with noise", 20_000, Kind::Noisy),
        problem(
            "hessian-whitening",
            "whiten vectors of a tridiagonal covariance root, which have nothing to do with the probes",
            20_000,
            Kind::Whitening,
        ),
        problem(
            "hessian-drifting",
            "invert a Hessian that grows by a rank with every product",
            1_000,
            Kind::Drifting,
        ),
    ]
}

impl World for Kind {
    type Instance = Stream;
    type Truth = ();

    fn draw(&self, seed: u64) -> Result<(Stream, ())> {
        let hessian = match self {
            Kind::Clean | Kind::Noisy | Kind::Whitening => tridiagonal(DIMENSION),
            Kind::Drifting => DMatrix::from_element(DIMENSION, DIMENSION, 0.25),
        };
        let noise = if *self == Kind::Noisy { 0.01 } else { 0.0 };
        let (drifts, whitens) = (*self == Kind::Drifting, *self == Kind::Whitening);
        Ok((Stream { hessian, noise, drifts, whitens, seeds: Seeds::new(seed) }, ()))
    }

    fn measure(&self, stream: &Stream, (): &(), values: &[f64]) -> Vec<(&'static str, f64)> {
        let n = stream.dimension();
        let (p, seen) = values.split_at(n * n);
        let target = stream.target((seen[0] as u64).max(1) - 1);
        let error = (DMatrix::from_row_slice(n, n, p) * target - DMatrix::identity(n, n)).norm();
        vec![("error", error)]
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![Metric {
            name: "error",
            unit: "",
            direction: Direction::Lower,
            summary: "Frobenius norm of P (E h hᵀ)^½ - I",
        }]
    }

    const BY_WORK: bool = false;

    const SCORE: &'static str = "error";

    /// The error; nothing about it is random.
    fn score(&self, stream: &Stream, truth: &(), values: &[f64], _: &mut Rng) -> f64 {
        self.measure(stream, truth, values)[0].1
    }

    fn length(&self, stream: &Stream) -> usize {
        stream.dimension().pow(2) + 1
    }
}

//! Tasks of which a rule chooses the preconditioner.

use std::f64::consts::PI;

use quire_core::{Rng, Seeds};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::dual::{Dual, Number};
use super::tasks::{Residual, Tasks};

/// Interior points.
pub const POINTS: usize = 63;

/// -(a u')' + c u = f on (0, 1) with u = 0 at both ends, on 63 points, by conjugate gradients from 0. A task is c, s and the 63 values of f: c is log-uniform from 0.1 to 1e4,
/// the medium a(x) = exp(s sin(6πx)) with s uniform from 0 to 3, and f is N(0, 1) everywhere. The preconditioner is that of SSOR,
///
/// > M = (D/ω - L) (D/ω)⁻¹ (D/ω - Lᵀ)      for the matrix D - L - Lᵀ, but for a factor that conjugate gradients do not see
///
/// whose ω in (1, 2) the rule chooses. The residual is relative to the right side.
#[derive(Debug, Clone, PartialEq)]
pub struct Medium {
    tests: Vec<Vec<f64>>,
}

/// The matrix of a task, times h².
struct Matrix {
    diagonal: [f64; POINTS],
    /// What is subtracted beside it: entry i lies between unknowns i - 1 and i; 0 at the end.
    beside: [f64; POINTS + 1],
}

impl Matrix {
    fn new(task: &[f64]) -> Self {
        let h = 1.0 / (POINTS + 1) as f64;
        let medium = |x: f64| (task[1] * (6.0 * PI * x).sin()).exp();
        let between: [f64; POINTS + 1] = std::array::from_fn(|i| medium((i as f64 + 0.5) * h));
        let diagonal = std::array::from_fn(|i| between[i] + between[i + 1] + task[0] * h * h);
        let mut beside = between;
        (beside[0], beside[POINTS]) = (0.0, 0.0);
        Matrix { diagonal, beside }
    }

    fn times<T: Number>(&self, x: &[T; POINTS], out: &mut [T; POINTS]) {
        for i in 0..POINTS {
            let mut sum = T::from(self.diagonal[i]) * x[i];
            if i > 0 {
                sum = sum - T::from(self.beside[i]) * x[i - 1];
            }
            if i + 1 < POINTS {
                sum = sum - T::from(self.beside[i + 1]) * x[i + 1];
            }
            out[i] = sum;
        }
    }

    /// M⁻¹ r.
    fn precondition<T: Number>(&self, factor: T, r: &[T; POINTS], out: &mut [T; POINTS]) {
        for i in 0..POINTS {
            let before = if i > 0 { T::from(self.beside[i]) * out[i - 1] } else { T::from(0.0) };
            out[i] = factor * (r[i] + before) / T::from(self.diagonal[i]);
        }
        for i in (0..POINTS).rev() {
            let after = if i + 1 < POINTS { T::from(self.beside[i + 1]) * out[i + 1] } else { T::from(0.0) };
            out[i] = out[i] + factor * after / T::from(self.diagonal[i]);
        }
    }
}

fn dot<T: Number>(x: &[T; POINTS], y: &[T; POINTS]) -> T {
    x.iter().zip(y).fold(T::from(0.0), |sum, (&x, &y)| sum + x * y)
}

impl Medium {
    /// With so many tasks to be judged on.
    pub fn new(tests: usize, seeds: Seeds) -> Self {
        let mut rng = seeds.stream("tests");
        Medium { tests: (0..tests).map(|_| Self::task(&mut rng)).collect() }
    }

    fn task(rng: &mut Rng) -> Vec<f64> {
        let c = 10.0_f64.powf(rng.random_range(-1.0..4.0));
        let s = rng.random_range(0.0..3.0);
        let right = (0..POINTS).map(|_| StandardNormal.sample(rng));
        [c, s].into_iter().chain(right).collect()
    }

    fn run<T: Number>(task: &[f64], factor: T, watch: &mut dyn FnMut(T) -> bool) {
        let matrix = Matrix::new(task);
        let zeros = [T::from(0.0); POINTS];
        let mut r: [T; POINTS] = std::array::from_fn(|i| T::from(task[2 + i]));
        let size = dot(&r, &r).value().sqrt().max(f64::MIN_POSITIVE);
        let (mut z, mut product) = (zeros, zeros);
        matrix.precondition(factor, &r, &mut z);
        let mut direction = z;
        let mut old = dot(&r, &z);
        loop {
            if !watch(dot(&r, &r).sqrt() / T::from(size)) {
                return;
            }
            matrix.times(&direction, &mut product);
            let pace = old / dot(&direction, &product);
            for i in 0..POINTS {
                r[i] = r[i] - pace * product[i];
            }
            matrix.precondition(factor, &r, &mut z);
            let new = dot(&r, &z);
            let carry = new / old;
            for i in 0..POINTS {
                direction[i] = z[i] + carry * direction[i];
            }
            old = new;
        }
    }
}

impl Tasks for Medium {
    fn features(&self) -> usize {
        2
    }

    fn width(&self) -> usize {
        32
    }

    fn tolerances(&self) -> [f64; 3] {
        [1e-4, 1e-6, 1e-8]
    }

    fn draw(&self, rng: &mut Rng) -> Vec<f64> {
        Self::task(rng)
    }

    fn tests(&self) -> &[Vec<f64>] {
        &self.tests
    }

    /// log10 c and s, from -1 to 1.
    fn describe(&self, task: &[f64], features: &mut [f64]) {
        (features[0], features[1]) = ((task[0].log10() - 1.5) / 2.5, task[1] / 1.5 - 1.0);
    }

    fn follow(&self, task: &[f64], parameters: &[f64], watch: &mut dyn FnMut(f64) -> bool) {
        Self::run(task, parameters[0], watch);
    }

    fn follow_dual(&self, task: &[f64], parameters: &[f64], watch: &mut dyn FnMut(Residual) -> bool) {
        Self::run(task, Dual::<1>::parameter(parameters[0], 0), &mut |residual| watch(residual.among()));
    }
}

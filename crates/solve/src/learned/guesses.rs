//! Tasks of which a rule chooses where the solver starts.

use std::f64::consts::PI;

use quire_core::{Rng, Seeds};
use rand_distr::{Distribution, StandardNormal};

use super::dual::{Dual, Number};
use super::factor;
use super::objective::sigmoid_slope;
use super::tasks::{POINTS, Parameters, Residual, Robertson, Tasks, fixed};

/// Sines in a right side, and in a guess.
pub const MODES: usize = 8;

/// SOR's relaxation factor, as in the authors' code.
const FACTOR: f64 = 1.5;

/// -u'' = Σ a_k sin(kπx) on (0, 1) with k = 1, ..., 8 and u = 0 at both ends, on 31 points, by SOR with the authors' factor 1.5; a task is a_1, ..., a_8, drawn from
/// N(0, 1). The solver starts from Σ p_k sin(kπx)/π², of which the rule chooses the p_k: p_k = a_k/k² is the solution, but for the grid. The residual is relative to
/// the right side. The authors' guesses come from a U-Net on 512 points.
#[derive(Debug, Clone, PartialEq)]
pub struct Poisson {
    tests: Vec<Vec<f64>>,
    /// sin(kπ i h) at i = 0, ..., 32, mode after mode.
    sines: Vec<[f64; POINTS + 2]>,
}

impl Poisson {
    /// With so many tasks to be judged on.
    pub fn new(tests: usize, seeds: Seeds) -> Self {
        let mut rng = seeds.stream("tests");
        let h = 1.0 / (POINTS + 1) as f64;
        let sine = |k: usize| {
            std::array::from_fn(|i| {
                let is_end = i == 0 || i == POINTS + 1;
                if is_end { 0.0 } else { (k as f64 * PI * i as f64 * h).sin() }
            })
        };
        Poisson {
            tests: (0..tests).map(|_| Self::task(&mut rng)).collect(),
            sines: (1..=MODES).map(sine).collect(),
        }
    }

    fn task(rng: &mut Rng) -> Vec<f64> {
        (0..MODES).map(|_| StandardNormal.sample(rng)).collect()
    }

    fn run<T: Number>(&self, task: &[f64], factor: f64, guess: &[T], watch: &mut dyn FnMut(T) -> bool) {
        let h = 1.0 / (POINTS + 1) as f64;
        // The equations times h²: diagonal 2, neighbors -1.
        let mut right = [0.0; POINTS + 2];
        let mut u = [T::from(0.0); POINTS + 2];
        for ((sine, &a), &p) in self.sines.iter().zip(task).zip(guess) {
            for i in 1..=POINTS {
                right[i] += h * h * a * sine[i];
                u[i] = u[i] + p * T::from(sine[i] / (PI * PI));
            }
        }
        let size = right.iter().map(|f| f * f).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
        let two = T::from(2.0);
        loop {
            let mut square = T::from(0.0);
            for i in 1..=POINTS {
                let r = T::from(right[i]) + u[i - 1] + u[i + 1] - two * u[i];
                square = square + r * r;
            }
            if !watch(square.sqrt() / T::from(size)) {
                return;
            }
            for i in 1..=POINTS {
                u[i] = u[i] + T::from(factor / 2.0) * (T::from(right[i]) + u[i - 1] + u[i + 1] - two * u[i]);
            }
        }
    }
}

impl Tasks for Poisson {
    fn features(&self) -> usize {
        MODES
    }

    fn width(&self) -> usize {
        32
    }

    fn parameters(&self) -> usize {
        1 + MODES
    }

    /// The factor is not chosen; p_k is the output.
    fn parameter(&self, index: usize, output: f64) -> (f64, f64) {
        if index == 0 { (FACTOR, 0.0) } else { (output, 1.0) }
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

    fn describe(&self, task: &[f64], features: &mut [f64]) {
        features.copy_from_slice(task);
    }

    /// The solution: a sine is an eigenvector, of eigenvalue 2 - 2 cos(kπh).
    fn best(&self, task: &[f64]) -> Option<Parameters> {
        let h = 1.0 / (POINTS + 1) as f64;
        let mut parameters = fixed(FACTOR);
        for (index, (p, a)) in parameters[1..].iter_mut().zip(task).enumerate() {
            let k = (index + 1) as f64;
            *p = a * PI * PI * h * h / (2.0 - 2.0 * (k * PI * h).cos());
        }
        Some(parameters)
    }

    fn follow(&self, task: &[f64], parameters: &[f64], watch: &mut dyn FnMut(f64) -> bool) {
        self.run(task, parameters[0], &parameters[1..=MODES], watch);
    }

    fn follow_dual(&self, task: &[f64], parameters: &[f64], watch: &mut dyn FnMut(Residual) -> bool) {
        let guess: [Residual; MODES] = std::array::from_fn(|k| Dual::parameter(parameters[1 + k], 1 + k));
        self.run(task, parameters[0], &guess, watch);
    }
}

/// [`Robertson`] with two heads, as in the authors' code: the factor, and a guess y_i = exp(ln y_old,i + p_i) with p_i = tanh(z_i).
#[derive(Debug, Clone, PartialEq)]
pub struct GuessedRobertson(pub Robertson);

impl GuessedRobertson {
    fn run<T: Number>(task: &[f64], factor: T, shifts: [T; 3], watch: &mut dyn FnMut(T) -> bool) {
        let start = std::array::from_fn(|i| T::from(task[i]) * shifts[i].exp());
        Robertson::run(task, factor, start, watch);
    }
}

impl Tasks for GuessedRobertson {
    fn features(&self) -> usize {
        self.0.features()
    }

    fn width(&self) -> usize {
        self.0.width()
    }

    fn parameters(&self) -> usize {
        4
    }

    fn parameter(&self, index: usize, output: f64) -> (f64, f64) {
        if index == 0 {
            (factor(output), sigmoid_slope(output))
        } else {
            let shift = output.tanh();
            (shift, 1.0 - shift * shift)
        }
    }

    fn tolerances(&self) -> [f64; 3] {
        self.0.tolerances()
    }

    fn draw(&self, rng: &mut Rng) -> Vec<f64> {
        self.0.draw(rng)
    }

    fn tests(&self) -> &[Vec<f64>] {
        self.0.tests()
    }

    fn describe(&self, task: &[f64], features: &mut [f64]) {
        self.0.describe(task, features);
    }

    fn follow(&self, task: &[f64], parameters: &[f64], watch: &mut dyn FnMut(f64) -> bool) {
        Self::run(task, parameters[0], [parameters[1], parameters[2], parameters[3]], watch);
    }

    fn follow_dual(&self, task: &[f64], parameters: &[f64], watch: &mut dyn FnMut(Residual) -> bool) {
        let [factor, shifts @ ..]: [Dual<4>; 4] = std::array::from_fn(|i| Dual::parameter(parameters[i], i));
        Self::run(task, factor, shifts, &mut |residual| watch(residual.among()));
    }
}

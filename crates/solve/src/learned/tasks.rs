//! Tasks and their solvers, each written once for plain numbers and for numbers with a derivative.

use std::f64::consts::PI;

use nalgebra::{Matrix3, Vector3};
use quire_core::{Rng, Seeds};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::dual::{Dual, Number};
use super::factor;
use super::objective::sigmoid_slope;

/// The most features that a kind of task has.
pub const MOST_FEATURES: usize = 8;

/// The most parameters that a solver has.
pub const MOST_PARAMETERS: usize = 9;

/// The parameters of a solver, of which [`Tasks::parameters`] count.
pub type Parameters = [f64; MOST_PARAMETERS];

/// A residual with its derivatives by the parameters.
pub type Residual = Dual<MOST_PARAMETERS>;

/// This factor, and nothing else chosen.
pub fn fixed(factor: f64) -> Parameters {
    let mut parameters = [0.0; MOST_PARAMETERS];
    parameters[0] = factor;
    parameters
}

/// A kind of task, and the solver that parameters steer.
pub trait Tasks: Send + Sync {
    /// The features that a rule sees of a task, at most [`MOST_FEATURES`].
    fn features(&self) -> usize;

    /// Units of a hidden layer of the network.
    fn width(&self) -> usize;

    /// The solver's parameters, at most [`MOST_PARAMETERS`]: a relaxation factor, and then what is 0 where nothing is chosen.
    fn parameters(&self) -> usize {
        1
    }

    /// A parameter and its derivative, of what the network puts out for it: of the factor ω = 1 + sigmoid(z).
    fn parameter(&self, _index: usize, output: f64) -> (f64, f64) {
        (factor(output), sigmoid_slope(output))
    }

    /// The tolerances that rules are judged at: a loose one, the one that is trained for, a tight one.
    fn tolerances(&self) -> [f64; 3];

    /// A task to train on.
    fn draw(&self, rng: &mut Rng) -> Vec<f64>;

    /// Tasks to be judged on.
    fn tests(&self) -> &[Vec<f64>];

    /// What a rule sees of a task, of the order of 1.
    fn describe(&self, task: &[f64], features: &mut [f64]);

    /// The best parameters, where they are known.
    fn best(&self, _task: &[f64]) -> Option<Parameters> {
        None
    }

    /// Runs the solver with these parameters. `watch` is told the residuals L_0, L_1, ..., and whether to go on is its answer.
    fn follow(&self, task: &[f64], parameters: &[f64], watch: &mut dyn FnMut(f64) -> bool);

    /// The same with derivatives by the parameters.
    fn follow_dual(&self, task: &[f64], parameters: &[f64], watch: &mut dyn FnMut(Residual) -> bool);
}

/// Iterations until each of the tolerances of `tasks`, loosest first, is met; `cap` where it is not.
pub fn counts(tasks: &dyn Tasks, task: &[f64], parameters: &[f64], cap: u64) -> [u64; 3] {
    let tolerances = tasks.tolerances();
    let (mut counts, mut iteration) = ([cap; 3], 0);
    tasks.follow(task, parameters, &mut |residual| {
        for (count, tolerance) in counts.iter_mut().zip(tolerances) {
            if residual <= tolerance {
                *count = iteration.min(*count);
            }
        }
        iteration += 1;
        counts[2] == cap && iteration < cap
    });
    counts
}

/// Interior points of the reaction-diffusion equation.
pub const POINTS: usize = 31;

/// -u'' + c u = a sin(πx) + b sin(2πx) on (0, 1) with u = 0 at both ends, on 31 points, by SOR from 0; a task is c, a, b. The residual is relative to the right
/// side.
#[derive(Debug, Clone, PartialEq)]
pub struct ReactionDiffusion {
    tests: Vec<Vec<f64>>,
}

impl ReactionDiffusion {
    /// With so many tasks to be judged on.
    pub fn new(tests: usize, seeds: Seeds) -> Self {
        let mut rng = seeds.stream("tests");
        ReactionDiffusion { tests: (0..tests).map(|_| Self::task(&mut rng)).collect() }
    }

    fn task(rng: &mut Rng) -> Vec<f64> {
        let c = 10.0_f64.powf(rng.random_range(-1.0..4.0));
        vec![c, StandardNormal.sample(rng), StandardNormal.sample(rng)]
    }

    fn run<T: Number>(task: &[f64], factor: T, watch: &mut dyn FnMut(T) -> bool) {
        let [c, a, b] = [task[0], task[1], task[2]];
        let h = 1.0 / (POINTS + 1) as f64;
        // The equations times h²: diagonal 2 + c h², neighbors -1.
        let diagonal = 2.0 + c * h * h;
        let right: [f64; POINTS] = std::array::from_fn(|i| {
            let x = (i + 1) as f64 * h;
            h * h * (a * (PI * x).sin() + b * (2.0 * PI * x).sin())
        });
        let size = right.iter().map(|f| f * f).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
        let mut u = [T::from(0.0); POINTS + 2];
        let pace = factor / T::from(diagonal);
        loop {
            let mut square = T::from(0.0);
            for i in 1..=POINTS {
                let r = T::from(right[i - 1]) + u[i - 1] + u[i + 1] - T::from(diagonal) * u[i];
                square = square + r * r;
            }
            if !watch(square.sqrt() / T::from(size)) {
                return;
            }
            for i in 1..=POINTS {
                u[i] = u[i] + pace * (T::from(right[i - 1]) + u[i - 1] + u[i + 1] - T::from(diagonal) * u[i]);
            }
        }
    }
}

/// Young's factor for a consistently ordered matrix whose Jacobi iteration has this spectral radius: 2/(1 + sqrt(1 - ρ²)).
pub fn young_factor(radius: f64) -> f64 {
    2.0 / (1.0 + (1.0 - radius * radius).sqrt())
}

impl Tasks for ReactionDiffusion {
    fn features(&self) -> usize {
        1
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

    /// log10 c, from -1 to 1.
    fn describe(&self, task: &[f64], features: &mut [f64]) {
        features[0] = (task[0].log10() - 1.5) / 2.5;
    }

    /// Young's.
    fn best(&self, task: &[f64]) -> Option<Parameters> {
        let h = 1.0 / (POINTS + 1) as f64;
        Some(fixed(young_factor(2.0 * (PI * h).cos() / (2.0 + task[0] * h * h))))
    }

    fn follow(&self, task: &[f64], parameters: &[f64], watch: &mut dyn FnMut(f64) -> bool) {
        Self::run(task, parameters[0], watch);
    }

    fn follow_dual(&self, task: &[f64], parameters: &[f64], watch: &mut dyn FnMut(Residual) -> bool) {
        Self::run(task, Dual::<1>::parameter(parameters[0], 0), &mut |residual| watch(residual.among()));
    }
}

/// Steps of the implicit Euler method on Robertson's reactions,
///
/// > y' = (-k_1 y_1 + k_3 y_2 y_3, k_1 y_1 - k_2 y_2² - k_3 y_2 y_3, k_2 y_2²),   y(0) = (1, 0, 0)
///
/// at 101 times that spread geometrically from 0 to 1e4. A step solves F(y) = y_old + h f(y) - y = 0 by Newton-SOR from y_old; a task is y_old, h, k_1, k_2, k_3. The
/// residual is ‖F‖.
#[derive(Debug, Clone, PartialEq)]
pub struct Robertson {
    pool: Vec<Vec<f64>>,
    tests: Vec<Vec<f64>>,
}

/// Steps of a trajectory.
const STEPS: usize = 100;

impl Robertson {
    /// With the steps of so many trajectories to train on, and as many to be judged on.
    pub fn new(trajectories: usize, seeds: Seeds) -> Self {
        let steps = |name| {
            let mut rng = seeds.stream(name);
            (0..trajectories).flat_map(|_| Self::trajectory(Self::rates(&mut rng))).collect()
        };
        Robertson { pool: steps("trajectories"), tests: steps("tests") }
    }

    fn rates(rng: &mut Rng) -> [f64; 3] {
        [(-4.0, 0.0), (5.0, 9.0), (2.0, 6.0)].map(|(low, high)| 10.0_f64.powf(rng.random_range(low..high)))
    }

    /// The tasks of a trajectory whose steps are solved by Newton's method.
    fn trajectory(rates: [f64; 3]) -> Vec<Vec<f64>> {
        let time = |k: usize| 1e-6 * 10.0_f64.powf(10.0 * k as f64 / STEPS as f64) - 1e-6;
        let mut y = [1.0, 0.0, 0.0];
        (0..STEPS)
            .map(|k| {
                let h = time(k + 1) - time(k);
                let task = [&y[..], &[h], &rates].concat();
                y = Self::solve(&task);
                task
            })
            .collect()
    }

    /// y of a step, by Newton's method.
    pub(super) fn solve(task: &[f64]) -> [f64; 3] {
        let mut y = [task[0], task[1], task[2]];
        let mut best = (f64::INFINITY, y);
        for _ in 0..100 {
            let f = Vector3::from(Self::defect(task, y));
            let size = f.norm();
            if size < best.0 {
                best = (size, y);
            } else if size < 1e-9 {
                break;
            }
            let Some(step) = Matrix3::from_fn(|i, j| Self::jacobian(task, y)[i][j]).lu().solve(&f) else {
                break;
            };
            (0..3).for_each(|i| y[i] -= step[i]);
        }
        best.1
    }

    /// F(y).
    pub(super) fn defect<T: Number>(task: &[f64], [y1, y2, y3]: [T; 3]) -> [T; 3] {
        let [h, k1, k2, k3] = [3, 4, 5, 6].map(|i| T::from(task[i]));
        let (first, second, third) = (k1 * y1, k2 * y2 * y2, k3 * y2 * y3);
        [
            T::from(task[0]) + h * (third - first) - y1,
            T::from(task[1]) + h * (first - second - third) - y2,
            T::from(task[2]) + h * second - y3,
        ]
    }

    /// The Jacobian of F.
    fn jacobian<T: Number>(task: &[f64], [_, y2, y3]: [T; 3]) -> [[T; 3]; 3] {
        let [h, k1, k2, k3] = [3, 4, 5, 6].map(|i| T::from(task[i]));
        let (zero, one, two) = (T::from(0.0), T::from(1.0), T::from(2.0));
        [
            [-(h * k1) - one, h * k3 * y3, h * k3 * y2],
            [h * k1, -(h * (two * k2 * y2 + k3 * y3)) - one, -(h * k3 * y2)],
            [zero, h * two * k2 * y2, -one],
        ]
    }

    /// From `y`.
    pub(super) fn run<T: Number>(task: &[f64], factor: T, mut y: [T; 3], watch: &mut dyn FnMut(T) -> bool) {
        loop {
            let f = Self::defect(task, y);
            if !watch((f[0] * f[0] + f[1] * f[1] + f[2] * f[2]).sqrt()) {
                return;
            }
            y = newton_sor_step(&Self::jacobian(task, y), f, y, factor).map(|y| y.clamp(-1.0, 2.0));
        }
    }
}

/// One step of Newton-SOR on three equations: with the Jacobian J = D - L - U, L strictly lower and U strictly upper, y - ω (D - ω L)⁻¹ F. Newton-Gauss-Seidel at ω = 1.
pub fn newton_sor_step<T: Number>(jacobian: &[[T; 3]; 3], f: [T; 3], y: [T; 3], factor: T) -> [T; 3] {
    // (D - ω L) d = F, in order; -L is the lower part of J.
    let first = f[0] / jacobian[0][0];
    let second = (f[1] - factor * jacobian[1][0] * first) / jacobian[1][1];
    let third = (f[2] - factor * (jacobian[2][0] * first + jacobian[2][1] * second)) / jacobian[2][2];
    [y[0] - factor * first, y[1] - factor * second, y[2] - factor * third]
}

impl Tasks for Robertson {
    fn features(&self) -> usize {
        7
    }

    fn width(&self) -> usize {
        64
    }

    fn tolerances(&self) -> [f64; 3] {
        [1e-6, 1e-9, 1e-12]
    }

    fn draw(&self, rng: &mut Rng) -> Vec<f64> {
        self.pool[rng.random_range(0..self.pool.len())].clone()
    }

    fn tests(&self) -> &[Vec<f64>] {
        &self.tests
    }

    /// y_old and the logarithms of h, k_1, k_2, k_3, these scaled to the order of 1.
    fn describe(&self, task: &[f64], features: &mut [f64]) {
        features[..3].copy_from_slice(&task[..3]);
        for (i, (middle, half)) in [(-2.0, 5.0), (-2.0, 2.0), (7.0, 2.0), (4.0, 2.0)].into_iter().enumerate()
        {
            features[3 + i] = (task[3 + i].log10() - middle) / half;
        }
    }

    fn follow(&self, task: &[f64], parameters: &[f64], watch: &mut dyn FnMut(f64) -> bool) {
        Self::run(task, parameters[0], [task[0], task[1], task[2]], watch);
    }

    fn follow_dual(&self, task: &[f64], parameters: &[f64], watch: &mut dyn FnMut(Residual) -> bool) {
        let factor = Dual::<1>::parameter(parameters[0], 0);
        let start = [task[0], task[1], task[2]].map(Dual::from);
        Self::run(task, factor, start, &mut |residual| watch(residual.among()));
    }
}

//! AdaSketch-Newton: Newton steps on the KKT conditions, solved by randomized projections only as accurately
//! as descent asks for.
//!
//! Minimizes f(x) subject to c(x) = 0. The system A z = b of a step ([`kkt`](super::kkt)) is not factorized.
//! A sketch S, random and with few columns, keeps of it the equations Sᵀ A z = Sᵀ b, and z is projected onto
//! their solutions:
//!
//! > z ← z - A S (Sᵀ A² S)⁻¹ Sᵀ (A z - b)
//!
//! A normal vector S combines all rows; a unit vector picks one of them, which is Kaczmarz's method, and then
//! a projection costs no more than that row. The error of z never grows, and shrinks on average by a factor
//! that depends on the condition of A. It ends once
//!
//! > ‖A‖ Ψ ‖A z - b‖ <= θ δ ‖b‖      Ψ = 20 max(‖B‖², 1) / (min(ξ_G, 1) min(ξ, 1)),  ξ_G = λ_min(G Gᵀ)
//!
//! with δ at most (½ - β) η₂ / ((1 + η₁ + η₂) Υ² Ψ²), Υ = max(‖G‖, ‖H‖, 1), but not below 10⁻⁶. If the step
//! is then not one along which the [merit] falls steeply enough, η₁, η₂ and δ are adapted and z
//! is made more accurate from where it is. The method converges from any start, near a solution linearly, and
//! faster if θ tends to 0.
//!
//! Source: I. Hong, S. Na, M. W. Mahoney & M. Kolar, Constrained Optimization via Exact Augmented Lagrangian
//! and Randomized Iterative Sketching, ICML 2023, arXiv:2305.18379. The floor of δ and the limit on sketch
//! steps are the official code's; δ is at its floor nearly always. That code looks at all of A z - b after
//! each projection; here every few, which costs less.

use nalgebra::DMatrix;
use quire_core::{About, Options, Result, Rng};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kkt::{Kkt, Point};
use super::merit::{self, MeritOptions, Weights};
use super::{Iterate, PAPER, Rule, Task, baseline};
use crate::vectors::{add_scaled, dot, norm};

/// What S is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sketch {
    /// Columns of normal numbers.
    Gaussian,
    /// Unit vectors, all equally likely: rows of A (randomized Kaczmarz).
    Row,
}

/// Options of `sketched-lagrangian`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SketchedLagrangianOptions {
    /// What the random matrix S is made of. Paper: both.
    pub sketch: Sketch,
    /// Columns of S. Paper: 1.
    #[schemars(range(min = 1, max = 10_000))]
    pub block: usize,
    /// Stop when ‖(∇_x L, c)‖ is at most this. Paper: 1e-4.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
    /// The merit function.
    pub merit: MeritOptions,
    /// δ at the start, of the accuracy of steps. Paper: 0.1.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub accuracy: f64,
    /// What δ does not fall below. Official code: 1e-6.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub accuracy_floor: f64,
    /// θ shrinks by this factor from one iteration to the next: 1 makes linear convergence, less makes it
    /// superlinear. Paper: 1 in its experiments.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub theta_decay: f64,
    /// Sketch steps before a z is taken as it is, each time it is asked for. Official code: 1e5, and 1e6 for
    /// constrained logistic regression and the PDE.
    #[schemars(range(min = 1))]
    pub sketch_steps: u64,
    /// Sketch steps between two looks at all of A z - b; n + m if it is not given. Official code: 1.
    #[schemars(range(min = 1))]
    pub residual_every: Option<u64>,
    /// ξ, what is added, together with ‖H‖, to the diagonal of a Hessian that is not positive definite along
    /// the constraints. Paper: 0.1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub shift: f64,
    /// Break off where λ_min(G Gᵀ) is less: the gradients of the constraints are nearly dependent. Official
    /// code: 0.01.
    #[schemars(range(min = 0.0))]
    pub independence: f64,
}

impl Default for SketchedLagrangianOptions {
    fn default() -> Self {
        SketchedLagrangianOptions {
            sketch: Sketch::Row,
            block: 1,
            tolerance: 1e-4,
            merit: MeritOptions::default(),
            accuracy: 0.1,
            accuracy_floor: 1e-6,
            theta_decay: 1.0,
            sketch_steps: 100_000,
            residual_every: None,
            shift: 0.1,
            independence: 1e-2,
        }
    }
}

impl Options for SketchedLagrangianOptions {}

/// A column of which its rivals leave no more than this part depends on them.
const DEPENDENT: f64 = 1e-10;

/// The method.
pub struct SketchedLagrangian;

/// What it remembers besides x and λ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    weights: Weights,
    /// δ.
    accuracy: f64,
    /// θ.
    theta: f64,
    rng: Rng,
}

/// The largest δ for which theory has a descent direction: (½ - β) η₂ / ((1 + η₁ + η₂) Υ² Ψ²).
pub fn largest_accuracy(weights: Weights, decrease: f64, upsilon: f64, psi: f64) -> f64 {
    let Weights { constraint, gradient } = weights;
    (0.5 - decrease) * gradient / ((1.0 + constraint + gradient) * (upsilon * psi).powi(2))
}

/// Projects `z` onto the solutions of one combination of the equations, whose coefficients are `combined` = A
/// S: Sᵀ (A z - b) is `excess` before and 0 afterwards. A combination of nothing is skipped.
pub fn project(combined: &[f64], excess: f64, z: &mut [f64]) {
    let square = dot(combined, combined);
    if square > 0.0 {
        add_scaled(-excess / square, combined, z);
    }
}

impl Rule for SketchedLagrangian {
    type Options = SketchedLagrangianOptions;
    type Memory = Memory;

    const ABOUT: About = About {
        paper: Some(PAPER),
        is_baseline: false,
        ..baseline(
            "sketched-lagrangian",
            "Newton steps on the KKT conditions by randomized projections, judged by an exact augmented Lagrangian",
            "To see what random projections do. Its accuracy test is strict, so that for systems that fit into memory newton-kkt or l1-sqp need far fewer flops; \
             rows at a time are for systems too large to factorize and well conditioned.",
        )
    };

    fn tolerance(options: &SketchedLagrangianOptions) -> f64 {
        options.tolerance
    }

    fn memory(options: &SketchedLagrangianOptions, task: &Task) -> Memory {
        Memory {
            weights: Weights::new(&options.merit),
            accuracy: options.accuracy,
            theta: 1.0,
            rng: task.seeds.stream("sketch"),
        }
    }

    fn penalty(memory: &Memory) -> f64 {
        memory.weights.constraint
    }

    fn advance(
        options: &SketchedLagrangianOptions,
        task: &Task,
        memory: &mut Memory,
        iterate: &mut Iterate,
        point: &Point,
    ) -> Result<()> {
        let Memory { weights, accuracy, theta, rng } = memory;
        let kkt = Kkt::new(task, point, options.shift, options.independence)?;
        let psi = 20.0 * kkt.modified.norm_squared().max(1.0)
            / (kkt.independence.min(1.0) * options.shift.min(1.0));
        let upsilon = point.jacobian.norm().max(kkt.hessian.norm()).max(1.0);
        let mut sketcher = Sketcher::new(&kkt, options);
        merit::step(
            task,
            &options.merit,
            weights,
            iterate,
            (point, &kkt),
            |iterate, z, weights, is_again| {
                let wanted = if is_again { *accuracy / options.merit.growth.powi(4) } else { *accuracy };
                let largest = largest_accuracy(weights, options.merit.decrease, upsilon, psi);
                *accuracy = wanted.min(largest).max(options.accuracy_floor);
                let bound = *theta * *accuracy * kkt.right.norm() / (kkt.matrix.norm() * psi);
                let (steps, flops) = sketcher.solve(&kkt, bound, z.as_mut_slice(), rng);
                iterate.linear_steps += steps;
                iterate.flops += flops;
                Ok(())
            },
        )?;
        *theta *= options.theta_decay;
        Ok(())
    }
}

/// Projections of one system.
pub struct Sketcher {
    sketch: Sketch,
    /// Columns of S.
    block: usize,
    limit: u64,
    residual_every: u64,
    residual: Vec<f64>,
    /// S, a column after the other, or for rows their numbers.
    columns: Vec<f64>,
    rows: Vec<usize>,
    /// A S, a column after the other.
    combined: Vec<f64>,
    /// Sᵀ (A z - b).
    excess: Vec<f64>,
}

impl Sketcher {
    /// For systems of this size.
    pub fn new(kkt: &Kkt, options: &SketchedLagrangianOptions) -> Self {
        let size = kkt.size();
        let block = options.block.min(size);
        Sketcher {
            sketch: options.sketch,
            block,
            limit: options.sketch_steps,
            residual_every: options.residual_every.unwrap_or(size as u64),
            residual: vec![0.0; size],
            columns: vec![0.0; size * block],
            rows: (0..size).collect(),
            combined: vec![0.0; size * block],
            excess: vec![0.0; block],
        }
    }

    /// Takes `z` on until ‖A z - b‖ is at most `bound`, or the limit is reached; returns how many sketch
    /// steps that took, and how many flops.
    pub fn solve(&mut self, kkt: &Kkt, bound: f64, z: &mut [f64], rng: &mut Rng) -> (u64, f64) {
        let n = kkt.size() as f64;
        let (mut steps, mut flops) = (0, 0.0);
        loop {
            // A look at all of the residual.
            self.residual.iter_mut().zip(kkt.right.iter()).for_each(|(r, b)| *r = -b);
            for (j, z) in z.iter().enumerate() {
                add_scaled(*z, column(&kkt.matrix, j), &mut self.residual);
            }
            flops += 2.0 * n * n + 2.0 * n;
            if dot(&self.residual, &self.residual) <= bound * bound || steps >= self.limit {
                return (steps, flops);
            }
            for _ in 0..self.residual_every.min(self.limit - steps) {
                self.step(kkt, z, rng);
                steps += 1;
                flops += self.cost(n);
            }
        }
    }

    /// One sketch step.
    pub fn step(&mut self, kkt: &Kkt, z: &mut [f64], rng: &mut Rng) {
        let (n, block) = (kkt.size(), self.block);
        match (self.sketch, block) {
            (Sketch::Row, 1) => {
                let row = rng.random_range(0..n);
                let combined = column(&kkt.matrix, row);
                return project(combined, dot(combined, z) - kkt.right[row], z);
            }
            (Sketch::Row, _) => {
                // Different rows: the first of a shuffle.
                for k in 0..block {
                    self.rows.swap(k, rng.random_range(k..n));
                    let row = self.rows[k];
                    let combined = column(&kkt.matrix, row);
                    self.excess[k] = dot(combined, z) - kkt.right[row];
                    self.combined[k * n..(k + 1) * n].copy_from_slice(combined);
                }
            }
            (Sketch::Gaussian, _) => {
                self.columns.iter_mut().for_each(|s| *s = StandardNormal.sample(rng));
                for k in 0..block {
                    let s = &self.columns[k * n..(k + 1) * n];
                    let combined = &mut self.combined[k * n..(k + 1) * n];
                    combined.fill(0.0);
                    for (j, s) in s.iter().enumerate() {
                        add_scaled(*s, column(&kkt.matrix, j), combined);
                    }
                    self.excess[k] = dot(combined, z) - dot(s, kkt.right.as_slice());
                }
            }
        }
        if block == 1 {
            return project(&self.combined, self.excess[0], z);
        }
        // The columns made orthonormal one after the other, with what they are short of: then each is a projection of its own.
        for k in 0..block {
            let (before, rest) = self.combined.split_at_mut(k * n);
            let combined = &mut rest[..n];
            let length = norm(combined);
            for (j, other) in before.chunks_exact(n).enumerate() {
                let along = dot(other, combined);
                add_scaled(-along, other, combined);
                self.excess[k] -= along * self.excess[j];
            }
            let left = norm(combined);
            // What depends on the columns before brings nothing new.
            let scale = if left > DEPENDENT * length { 1.0 / left } else { 0.0 };
            combined.iter_mut().for_each(|c| *c *= scale);
            self.excess[k] *= scale;
            add_scaled(-self.excess[k], combined, z);
        }
    }

    /// Flops of a sketch step for a system of this size.
    fn cost(&self, n: f64) -> f64 {
        let q = self.block as f64;
        let combine = if self.sketch == Sketch::Gaussian { 2.0 * n * n + 2.0 * n } else { 0.0 };
        // Excess, norm and update; with more columns, a scalar product and an update for each pair of them.
        q * (combine + 6.0 * n) + 2.0 * q * (q - 1.0) * n
    }
}

/// A column of a symmetric matrix, which is also its row.
fn column(matrix: &DMatrix<f64>, j: usize) -> &[f64] {
    let n = matrix.nrows();
    &matrix.as_slice()[j * n..(j + 1) * n]
}

#[cfg(test)]
mod tests {
    use nalgebra::DVector;
    use quire_core::Seeds;

    use super::super::Steps;
    use super::super::hock_schittkowski::LISTED;
    use super::super::problems::Which;
    use super::*;
    use crate::problem::World;
    use crate::solver::{Method, Solver};

    fn task(number: u32, seed: u64) -> Task {
        let listed = LISTED.iter().find(|listed| listed.number == number).unwrap();
        Which::HockSchittkowski(listed).draw(seed).unwrap().0
    }

    fn with(sketch: Sketch, block: usize) -> SketchedLagrangianOptions {
        SketchedLagrangianOptions { sketch, block, ..SketchedLagrangianOptions::default() }
    }

    /// The first system of a problem.
    fn first(number: u32) -> Kkt {
        let task = task(number, 0);
        Kkt::new(&task, &Point::of(&task, &Iterate::new(&task)), 0.1, 0.01).unwrap()
    }

    #[test]
    fn a_projection_and_an_accuracy_by_hand() {
        // 3 x + 4 y = -10 is 10/5 away from 0.
        let mut z = [0.0, 0.0];
        project(&[3.0, 4.0], 10.0, &mut z);
        assert!((z[0] + 1.2).abs() < 1e-15 && (z[1] + 1.6).abs() < 1e-15);
        // 0 = 1 is skipped.
        project(&[0.0, 0.0], -1.0, &mut z);
        assert!(z.iter().all(|z| z.is_finite()));
        // 0.4 · 0.1 / (2.1 · (2 · 20)²).
        let found = largest_accuracy(Weights { constraint: 1.0, gradient: 0.1 }, 0.1, 2.0, 20.0);
        assert!((found - 0.04 / 3360.0).abs() < 1e-18);
    }

    #[test]
    fn projections_meet_their_equations_and_never_lead_away() {
        let kkt = first(40);
        let n = kkt.size();
        let exact = kkt.matrix.clone().lu().solve(&kkt.right).unwrap();
        let mut rng = Seeds::new(1).stream("sketch");
        for (sketch, block) in
            [(Sketch::Row, 1), (Sketch::Row, 3), (Sketch::Gaussian, 1), (Sketch::Gaussian, 2)]
        {
            let mut sketcher = Sketcher::new(&kkt, &with(sketch, block));
            let mut z = DVector::zeros(n);
            let mut before = exact.norm();
            for step in 0..2000 {
                sketcher.step(&kkt, z.as_mut_slice(), &mut rng);
                let error = (&z - &exact).norm();
                assert!(error <= before + 1e-13, "{sketch:?} {block} {step}: {error} after {before}");
                before = error;
                let residual = &kkt.matrix * &z - &kkt.right;
                let met = |s: &[f64]| dot(s, residual.as_slice()).abs() < 1e-10;
                match (sketch, block) {
                    (Sketch::Gaussian, _) => assert!(sketcher.columns.chunks_exact(n).all(met)),
                    (Sketch::Row, 1) => assert!(residual.iter().any(|r| r.abs() < 1e-13)),
                    (Sketch::Row, _) => {
                        assert!(sketcher.rows[..block].iter().all(|&row| residual[row].abs() < 1e-12));
                    }
                }
            }
            assert!(before < 0.5 * exact.norm(), "{sketch:?} {block}: {before}");
        }
        // With as many columns as unknowns one step is all.
        for sketch in [Sketch::Row, Sketch::Gaussian] {
            let mut z = DVector::zeros(n);
            Sketcher::new(&kkt, &with(sketch, n)).step(&kkt, z.as_mut_slice(), &mut rng);
            assert!((z - &exact).norm() < 1e-7, "{sketch:?}");
        }
    }

    #[test]
    fn many_projections_reach_the_solution() {
        let kkt = first(42);
        let exact = kkt.matrix.clone().lu().solve(&kkt.right).unwrap();
        let mut rng = Seeds::new(2).stream("sketch");
        for (sketch, every) in [(Sketch::Row, None), (Sketch::Gaussian, None), (Sketch::Gaussian, Some(1))] {
            let options = SketchedLagrangianOptions { residual_every: every, ..with(sketch, 1) };
            let mut z = DVector::zeros(kkt.size());
            let (steps, flops) = Sketcher::new(&kkt, &options).solve(&kkt, 1e-11, z.as_mut_slice(), &mut rng);
            assert!((&kkt.matrix * &z - &kkt.right).norm() <= 1.01e-11);
            assert!((z - &exact).norm() < 1e-9, "{sketch:?}");
            // 6 N flops a row, and 2 N² more for a normal vector; 2 N² + 2 N for a look at the residual, one before all.
            let n = kkt.size() as f64;
            let step = if sketch == Sketch::Row { 6.0 * n } else { 2.0 * n * n + 8.0 * n };
            let looks = steps / every.unwrap_or(kkt.size() as u64) + 1;
            assert_eq!(flops, steps as f64 * step + looks as f64 * (2.0 * n * n + 2.0 * n));
        }
        // The limit holds.
        let options = SketchedLagrangianOptions { sketch_steps: 10, ..with(Sketch::Row, 1) };
        let mut z = DVector::zeros(kkt.size());
        assert_eq!(Sketcher::new(&kkt, &options).solve(&kkt, 0.0, z.as_mut_slice(), &mut rng).0, 10);
    }

    #[test]
    fn every_step_descends() {
        for (number, sketch) in
            [(6, Sketch::Row), (7, Sketch::Gaussian), (42, Sketch::Row), (77, Sketch::Row)]
        {
            let task = task(number, 1);
            let mut method = Steps::<SketchedLagrangian>::new(&task, with(sketch, 1)).unwrap();
            for _ in 0..30 {
                let (before, old) = (method.place.memory.weights, Point::of(&task, &method.place.iterate));
                if method.iterate(&task).unwrap().done.is_some() {
                    break;
                }
                let (iterate, weights) = (&method.place.iterate, &method.place.memory.weights);
                let new = Point::of(&task, iterate);
                let kkt = Kkt::new(&task, &old, 0.1, 0.01).unwrap();
                let moved = new.x.iter().zip(&old.x).chain(new.multipliers.iter().zip(&old.multipliers));
                let z = DVector::from_iterator(
                    kkt.size(),
                    moved.map(|(new, old)| (new - old) / iterate.step_size),
                );
                let slope = merit::merit_gradient(&old, &kkt.hessian, *weights).dot(&z);
                let bound = -0.5 * weights.gradient * kkt.right.norm_squared();
                assert!(slope <= bound * (1.0 - 1e-6), "hs{number}: {slope} {bound}");
                assert!(merit::merit(&new, *weights) <= merit::merit(&old, *weights), "hs{number}");
                assert!(weights.constraint >= before.constraint && weights.gradient <= before.gradient);
            }
            assert_eq!(method.place.iterate.step_size, 1.0, "hs{number}");
        }
    }
}

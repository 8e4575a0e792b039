//! Family: a symmetric matrix of low rank from few linear measurements y_i = ⟨A_i, M⟩.
//!
//! M = X Xᵀ is sought by descending f(X) = ¼ ‖A(X Xᵀ) - y‖² on a factor X `[n, r]`, where r may be greater than the true rank. The unit of work is an
//! evaluation of the gradient. A solution is X, row by row.
//!
//! | file | what it holds |
//! |---|---|
//! | [`scaled_gd`] | ScaledGD(λ), its λ = 0 and PrecGD's λ from the loss |
//! | [`gradient_descent`] | the same without a preconditioner |
//! | [`alternating`] | least squares in one factor after the other |
//! | [`measurements`] | operators, and the problems |

pub mod alternating;
pub mod gradient_descent;
pub mod measurements;
pub mod scaled_gd;

use nalgebra::DMatrix;
use quire_core::{About, Entry, Error, Options, Result, Rng, Seeds, options, state};
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use measurements::{Operator, problems};

use crate::solver::{Make, Method, Solver, Step, entry};
use crate::vectors::norm;

/// Measurements, and what is assumed of the matrix.
pub struct Task {
    /// A.
    pub operator: Operator,
    /// y.
    pub observed: Vec<f64>,
    /// Columns r of X.
    pub rank: usize,
    /// ‖X*‖, or a guess of it: the scale of the start and of gradient descent's step.
    pub scale: f64,
    /// σ_min(X*)², or a guess of it: the scale of λ.
    pub smallest: f64,
    /// Random streams of the method.
    pub seeds: Seeds,
}

/// The methods of this family.
pub const METHODS: &[Entry<Make<Task>>] = &[
    entry::<Task, Factored<scaled_gd::ScaledGd>>(),
    entry::<Task, Factored<gradient_descent::GradientDescent>>(),
    entry::<Task, Factored<alternating::Alternating>>(),
];

/// What their residual is.
const RESIDUAL: &str = "relative residual of the measurements";

/// Where X begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// N(0, 1/n) entries times `initial_scale` ‖X*‖.
    Small,
    /// The leading eigenvectors of A*(y), scaled by the roots of their eigenvalues.
    Spectral,
}

impl Task {
    fn start(&self, start: Start, initial_scale: f64) -> DMatrix<f64> {
        let n = self.operator.size();
        match start {
            Start::Small => {
                let mut rng: Rng = self.seeds.stream("start");
                let deviation = initial_scale * self.scale / (n as f64).sqrt();
                DMatrix::from_fn(n, self.rank, |_, _| {
                    deviation * Distribution::<f64>::sample(&StandardNormal, &mut rng)
                })
            }
            Start::Spectral => leading_factor(self.operator.adjoint(&self.observed), self.rank),
        }
    }

    /// The gradient of f at X, and the relative residual ‖A(X Xᵀ) - y‖/‖y‖.
    fn gradient(&self, x: &DMatrix<f64>) -> Result<(DMatrix<f64>, f64)> {
        let mut residual = self.operator.apply(&(x * x.transpose()));
        residual.iter_mut().zip(&self.observed).for_each(|(r, y)| *r -= y);
        let relative = norm(&residual) / norm(&self.observed).max(f64::MIN_POSITIVE);
        if !relative.is_finite() {
            return Err(Error::Diverged("the factor is no longer finite; take a smaller step_size".into()));
        }
        Ok((self.operator.adjoint(&residual) * x, relative))
    }
}

/// X of `rank` columns with X Xᵀ nearest to a symmetric matrix: its leading eigenvectors, scaled by the roots of their eigenvalues.
fn leading_factor(matrix: DMatrix<f64>, rank: usize) -> DMatrix<f64> {
    let n = matrix.nrows();
    let eigen = matrix.symmetric_eigen();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| eigen.eigenvalues[j].total_cmp(&eigen.eigenvalues[i]));
    DMatrix::from_fn(n, rank, |row, column| {
        let at = order[column];
        eigen.eigenvalues[at].max(0.0).sqrt() * eigen.eigenvectors[(row, at)]
    })
}

/// How a method moves the factor.
pub trait Rule: Send + Sized + 'static {
    /// Its options.
    type Options: Options + Send;

    /// Name, summary, source.
    const ABOUT: About;

    /// Where X begins and at what scale, and the residual at which it has arrived.
    fn setting(options: &Self::Options) -> (Start, f64, f64);

    /// What an iteration costs, in gradients.
    fn cost(_task: &Task) -> f64 {
        1.0
    }

    /// The next X, from the gradient at X and the relative residual there.
    ///
    /// # Errors
    /// [`Error::Diverged`] if there is none.
    fn step(
        options: &Self::Options,
        task: &Task,
        x: &DMatrix<f64>,
        gradient: &DMatrix<f64>,
        residual: f64,
    ) -> Result<DMatrix<f64>>;
}

/// A method at work: its factor, and the work done, in gradients.
pub struct Factored<R: Rule> {
    options: R::Options,
    x: DMatrix<f64>,
    gradients: f64,
}

impl<R: Rule> Method<Task> for Factored<R> {
    type Options = R::Options;

    const ABOUT: About = R::ABOUT;

    fn new(task: &Task, options: R::Options) -> Result<Self> {
        options::check(&options)?;
        let (start, scale, _) = R::setting(&options);
        Ok(Factored { x: task.start(start, scale), options, gradients: 0.0 })
    }
}

impl<R: Rule> Solver<Task> for Factored<R> {
    fn iterate(&mut self, task: &Task) -> Result<Step> {
        let (gradient, residual) = task.gradient(&self.x)?;
        self.gradients += R::cost(task);
        let (.., tolerance) = R::setting(&self.options);
        let judged = Step::judged(residual, tolerance, RESIDUAL);
        if judged.done.is_none() {
            self.x = R::step(&self.options, task, &self.x, &gradient, residual)?;
        }
        Ok(judged)
    }

    fn values(&self) -> Vec<f64> {
        self.x.transpose().as_slice().to_vec()
    }

    fn work(&self) -> f64 {
        self.gradients
    }

    fn save(&self) -> Vec<u8> {
        state::encode(R::ABOUT.name, &(self.values(), self.gradients))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (x, gradients): (Vec<f64>, f64) = state::decode(R::ABOUT.name, saved)?;
        if x.len() != self.x.len() {
            return Err(Error::Resume("the saved factor has another shape".into()));
        }
        self.x = DMatrix::from_row_slice(self.x.nrows(), self.x.ncols(), &x);
        self.gradients = gradients;
        Ok(())
    }
}

#[cfg(test)]
mod tests;

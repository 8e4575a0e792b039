//! The problems.
//!
//! | problem | f | c | x_0, λ_0 |
//! |---|---|---|---|
//! | `hs6`, `hs7`, `hs28`, `hs40`, `hs42`, `hs47`, `hs48`, `hs50`, `hs51`, `hs52`, `hs56`, `hs77`, `hs78`, `hs79` | small, of Hock and Schittkowski's collection: n = 2 to 7 | m = 1 to 4 | as published, 0 |
//! | `bt1` to `bt5`, `bt7` to `bt10`, `bt12` | small, of Boggs and Tolle: n = 2 to 5 | m = 1 to 3 | as published, 0 |
//! | `pde-control` | ½ ‖W - W₀‖² + 0.05 ‖Z‖² on a 3 x 3 grid: n = 18 | Poisson's equation ΔW + Z = 0, m = 9 | 1, 1 |
//! | `pde-control-7` | the same on a 7 x 7 grid: n = 98 | m = 49 | 1, 1 |
//! | `pde-control-15` | the same on a 15 x 15 grid: n = 450 | m = 225 | 1, 1 |
//! | `constrained-logistic` | logistic regression on 500 rows of length 1 in 30 dimensions | 10 random linear equations, and ‖x‖² = 1 | 1, 1 |
//! | `constrained-logistic+path/to/rows.libsvm` | logistic regression on the rows of a user's file | as many of 10 as a third of the features, and ‖x‖² = 1 | 1, 1 |
//!
//! A seed draws the equations of the last two, the rows of the first of them, and what is random in a method. Equations are drawn again until some x
//! meets them well inside the sphere, ours: else there may be no solution.

use std::path::Path;
use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use quire_core::{Direction, Error, Metric, Problem, Result, Rng, Seeds};
use rand_distr::{Distribution, StandardNormal};

use super::boggs_tolle;
use super::hock_schittkowski::{LISTED, Listed};
use super::newton_kkt::{NewtonKkt, NewtonKktOptions};
use super::{Constrained, METHODS, Steps, Task};
use crate::descent::Smooth;
use crate::finite_sum::components::Logistic;
use crate::finite_sum::{FiniteSum, libsvm};
use crate::problem::{Said, SolveProblem, World};
use crate::solver::{Method, solve};

/// Which problem.
#[derive(Clone)]
pub enum Which {
    /// A problem of the collection.
    HockSchittkowski(&'static Listed),
    /// A problem of the other collection.
    BoggsTolle(&'static Listed),
    /// The control of Poisson's equation on a grid with so many points a side.
    Control(usize),
    /// Logistic regression with this many rows, columns and linear equations.
    Logistic(usize, usize, usize),
    /// Logistic regression on these rows.
    Rows(Arc<Logistic>),
}

/// What stands before a file's name if the regression on its rows is to be constrained.
const ON_FILE: &str = "constrained-logistic+";
/// Linear equations on a user's weights, as in the paper; fewer where there are few weights.
const EQUATIONS: usize = 10;
/// The most weights of a user: all methods work with dense matrices of their order.
const MOST_WEIGHTS: usize = 2_000;

/// Where x with A x = b of least norm has to lie.
const INSIDE: f64 = 0.9;

fn problem(name: &str, summary: &str, source: &str, which: Which) -> Arc<dyn Problem> {
    let tags = &["minimization", "constraints", "second order"];
    let said = Said { name, summary, budget: 200, source, tags, work: "flops of linear systems" };
    Arc::new(SolveProblem::new(said, METHODS, which))
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let hock_schittkowski = LISTED
        .iter()
        .map(|listed| ("hs", "Hock & Schittkowski 1981", listed, Which::HockSchittkowski(listed)));
    let boggs_tolle = boggs_tolle::LISTED
        .iter()
        .map(|listed| ("bt", "Boggs & Tolle 1989", listed, Which::BoggsTolle(listed)));
    let listed = hock_schittkowski.chain(boggs_tolle).map(|(prefix, source, listed, which)| {
        let (n, m) = (listed.start.len(), (listed.make)().constraints());
        let equations = if m == 1 { "one equation".to_owned() } else { format!("{m} equations") };
        problem(
            &format!("{prefix}{}", listed.number),
            &format!(
                "minimize a function of {n} unknowns subject to {equations}: number {} of a collection",
                listed.number
            ),
            source,
            which,
        )
    });
    let larger = [
        problem(
            "pde-control",
            "bring the solution of Poisson's equation on a 3 x 3 grid near to what is wanted",
            "official code of arXiv:2305.18379",
            Which::Control(3),
        ),
        problem(
            "pde-control-7",
            "bring the solution of Poisson's equation on a 7 x 7 grid near to what is wanted",
            "after the official code of arXiv:2305.18379; the grid is ours",
            Which::Control(7),
        ),
        problem(
            "pde-control-15",
            "bring the solution of Poisson's equation on a 15 x 15 grid near to what is wanted",
            "arXiv:2305.18379, section 4",
            Which::Control(15),
        ),
        problem(
            "constrained-logistic",
            "fit a logistic regression whose 30 weights meet 10 linear equations and have length 1",
            "generated, in the manner of arXiv:2305.18379",
            Which::Logistic(500, 30, 10),
        ),
    ];
    listed.chain(larger).collect()
}

/// Constrained logistic regression on a user's rows: `constrained-logistic+path/to/rows.libsvm`. `None` if the name does not begin like that.
pub fn open(name: &str) -> Option<Result<Arc<dyn Problem>>> {
    let file = name.strip_prefix(ON_FILE)?;
    let opened = || {
        if !libsvm::is_name(file) {
            let problem = format!("`{file}` does not end in `.libsvm`, `.svmlight` or `.svm`");
            return Err(Error::Usage(format!("after `{ON_FILE}` comes a file of rows, but {problem}")));
        }
        let path = Path::new(file);
        // The sphere keeps weights small already.
        let rows = libsvm::read(path)?.logistic(path)?.with_ridge(0.0);
        let width = FiniteSum::dimension(&rows);
        if width > MOST_WEIGHTS {
            return Err(Error::file(
                path,
                format!(
                    "has {width} features; constrained methods work with dense matrices, of at most {MOST_WEIGHTS}: leave the others \
                     out, or fit without constraints by `--on {file}`"
                ),
            ));
        }
        let summary = format!(
            "your own rows: {} of {width} features, for weights that meet {} linear equations and have length 1",
            rows.len(),
            EQUATIONS.min(width / 3)
        );
        Ok(problem(name, &summary, file, Which::Rows(Arc::new(rows))))
    };
    Some(opened())
}

/// f = ½ ‖W - W₀‖² + 0.05 ‖Z‖² and c = ΔW + Z, with Δ by five points and 0 around the grid; x is W and then
/// Z.
pub struct Control {
    wanted: DVector<f64>,
    jacobian: DMatrix<f64>,
}

/// The weight of ‖Z‖².
const EFFORT: f64 = 0.1;

impl Control {
    /// On a grid with so many points a side of [-1, 1]².
    pub fn new(side: usize) -> Self {
        let points = side * side;
        let middle = (side + 1) as f64 / 2.0;
        let step = 0.1 / 15.0_f64.sqrt();
        let wanted = DVector::from_fn(points, |at, _| {
            let (i, j) = ((at % side + 1) as f64, (at / side + 1) as f64);
            (4.0 + step * (i - middle)).sin() + (3.0 + step * (j - middle)).cos()
        });
        let h = 2.0 / (side + 1) as f64;
        let jacobian = DMatrix::from_fn(points, 2 * points, |row, column| {
            let apart = |a: usize, b: usize| (a % side).abs_diff(b % side) + (a / side).abs_diff(b / side);
            if column >= points {
                f64::from(u8::from(column - points == row))
            } else {
                match apart(row, column) {
                    0 => -4.0 / (h * h),
                    1 => 1.0 / (h * h),
                    _ => 0.0,
                }
            }
        });
        Control { wanted, jacobian }
    }

    /// W - W₀, and Z.
    fn parts<'a>(&self, x: &'a DVector<f64>) -> (DVector<f64>, nalgebra::DVectorView<'a, f64>) {
        let points = self.wanted.len();
        (x.rows(0, points) - &self.wanted, x.rows(points, points))
    }
}

impl Constrained for Control {
    fn unknowns(&self) -> usize {
        self.jacobian.ncols()
    }

    fn constraints(&self) -> usize {
        self.jacobian.nrows()
    }

    fn value(&self, x: &DVector<f64>) -> f64 {
        let (off, effort) = self.parts(x);
        0.5 * off.norm_squared() + 0.5 * EFFORT * effort.norm_squared()
    }

    fn gradient(&self, x: &DVector<f64>) -> DVector<f64> {
        let (off, effort) = self.parts(x);
        DVector::from_iterator(x.len(), off.iter().copied().chain(effort.iter().map(|z| EFFORT * z)))
    }

    fn constraint(&self, x: &DVector<f64>) -> DVector<f64> {
        &self.jacobian * x
    }

    fn jacobian(&self, _x: &DVector<f64>) -> DMatrix<f64> {
        self.jacobian.clone()
    }

    fn hessian(&self, x: &DVector<f64>, _multipliers: &DVector<f64>) -> DMatrix<f64> {
        let points = self.wanted.len();
        DMatrix::from_diagonal(&DVector::from_fn(x.len(), |i, _| if i < points { 1.0 } else { EFFORT }))
    }
}

/// A logistic regression whose weights x have A x = b and ‖x‖² = 1.
pub struct ConstrainedLogistic {
    /// f.
    pub rows: Arc<Logistic>,
    /// A.
    pub equations: DMatrix<f64>,
    /// b.
    pub right: DVector<f64>,
}

impl Constrained for ConstrainedLogistic {
    fn unknowns(&self) -> usize {
        self.equations.ncols()
    }

    fn constraints(&self) -> usize {
        self.equations.nrows() + 1
    }

    fn value(&self, x: &DVector<f64>) -> f64 {
        Smooth::value(&*self.rows, x.as_slice())
    }

    fn gradient(&self, x: &DVector<f64>) -> DVector<f64> {
        let mut gradient = DVector::zeros(x.len());
        Smooth::gradient(&*self.rows, x.as_slice(), gradient.as_mut_slice());
        gradient
    }

    fn constraint(&self, x: &DVector<f64>) -> DVector<f64> {
        let linear = &self.equations * x - &self.right;
        linear.push(x.norm_squared() - 1.0)
    }

    fn jacobian(&self, x: &DVector<f64>) -> DMatrix<f64> {
        let m = self.equations.nrows();
        let mut jacobian = self.equations.clone().insert_row(m, 0.0);
        jacobian.row_mut(m).copy_from(&(2.0 * x).transpose());
        jacobian
    }

    fn hessian(&self, x: &DVector<f64>, multipliers: &DVector<f64>) -> DMatrix<f64> {
        let n = x.len();
        let (mut hessian, mut unit) = (DMatrix::zeros(n, n), vec![0.0; n]);
        for j in 0..n {
            unit[j] = 1.0;
            Smooth::hessian_product(&*self.rows, x.as_slice(), &unit, hessian.column_mut(j).as_mut_slice());
            unit[j] = 0.0;
            hessian[(j, j)] += 2.0 * multipliers[multipliers.len() - 1];
        }
        hessian
    }
}

impl ConstrainedLogistic {
    /// `equations` normal equations for the weights of a logistic regression.
    pub fn draw(rows: Arc<Logistic>, equations: usize, rng: &mut Rng) -> Self {
        let width = FiniteSum::dimension(&*rows);
        loop {
            let mut normal = || -> f64 { StandardNormal.sample(rng) };
            let matrix = DMatrix::from_fn(equations, width, |_, _| normal());
            let right = DVector::from_fn(equations, |_, _| normal());
            let nearest = (&matrix * matrix.transpose())
                .cholesky()
                .map(|factors| matrix.tr_mul(&factors.solve(&right)));
            if nearest.is_some_and(|nearest| nearest.norm() <= INSIDE) {
                return ConstrainedLogistic { rows, equations: matrix, right };
            }
        }
    }
}

impl World for Which {
    type Instance = Task;
    /// The least value known.
    type Truth = f64;

    const SCORE: &'static str = "gap";

    fn draw(&self, seed: u64) -> Result<(Task, f64)> {
        let seeds = Seeds::new(seed).child("method");
        match self {
            Which::HockSchittkowski(listed) | Which::BoggsTolle(listed) => {
                let problem = (listed.make)();
                let multipliers = vec![0.0; problem.constraints()];
                Ok((Task::new(problem, listed.start.to_vec(), multipliers, seeds)?, listed.least))
            }
            Which::Control(side) => found(Box::new(Control::new(*side)), seeds),
            Which::Logistic(rows, width, equations) => {
                let mut rng = Seeds::new(seed).stream("problem");
                let rows = Arc::new(Logistic::draw([*rows, *width], 1.0, 0.0, &mut rng));
                found(Box::new(ConstrainedLogistic::draw(rows, *equations, &mut rng)), seeds)
            }
            Which::Rows(rows) => {
                let equations = EQUATIONS.min(FiniteSum::dimension(&**rows) / 3);
                let mut rng = Seeds::new(seed).stream("problem");
                found(Box::new(ConstrainedLogistic::draw(Arc::clone(rows), equations, &mut rng)), seeds)
            }
        }
    }

    fn metrics(&self) -> Vec<Metric> {
        let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
        let mut metrics = vec![
            metric(
                "gap",
                Direction::Lower,
                "|f - f*| for the least value f* known; of hs47 for a stationary one",
            ),
            metric("infeasibility", Direction::Lower, "‖c‖"),
            metric(
                "linear_steps",
                Direction::Lower,
                "sketch steps, products with the matrix, or factorizations so far",
            ),
            metric("evaluations", Direction::Lower, "points at which f and c were evaluated so far"),
            metric("step_size", Direction::Neutral, "α of the last step"),
            metric("penalty", Direction::Neutral, "the weight of the constraints in what judges a step"),
        ];
        if matches!(self, Which::Rows(_)) {
            metrics.push(metric("misclassified", Direction::Lower, "part of the rows on the wrong side"));
        }
        metrics
    }

    fn measure(&self, task: &Task, least: &f64, values: &[f64]) -> Vec<(&'static str, f64)> {
        let x = DVector::from_column_slice(&values[..task.start.len()]);
        let mut told = vec![
            ("gap", (task.problem.value(&x) - least).abs()),
            ("infeasibility", task.problem.constraint(&x).norm()),
        ];
        if let Which::Rows(rows) = self {
            told.push(("misclassified", rows.misclassified(x.as_slice())));
        }
        told
    }

    /// The gap; nothing about it is random.
    fn score(&self, task: &Task, least: &f64, values: &[f64], _rng: &mut Rng) -> f64 {
        self.measure(task, least, values)[0].1
    }

    fn length(&self, task: &Task) -> usize {
        task.start.len() + task.multipliers.len()
    }
}

/// The task from ones, and the value that Newton's method finds from there.
fn found(problem: Box<dyn Constrained>, seeds: Seeds) -> Result<(Task, f64)> {
    let (n, m) = (problem.unknowns(), problem.constraints());
    let task = Task::new(problem, vec![1.0; n], vec![1.0; m], seeds)?;
    let options = NewtonKktOptions { tolerance: 1e-10, ..NewtonKktOptions::default() };
    let solution = solve(&mut Steps::<NewtonKkt>::new(&task, options)?, &task, 500);
    let least = task.problem.value(&DVector::from_column_slice(&solution.values[..n]));
    Ok((task, least))
}

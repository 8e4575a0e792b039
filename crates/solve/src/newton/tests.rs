//! Numbers worked out by hand, invariances, and what theory says of quadratics and convex functions.

use quire_core::{OptionMap, Seeds};

use super::line_search::{Armijo, ArmijoOptions, Greedy, GridOptions, Grls};
use super::objectives::{Function, Rosenbrock};
use super::root::{RootNewton, RootNewtonOptions, theta};
use super::schedules::aicn_step;
use super::universal::{UniversalNewton, UniversalNewtonOptions};
use super::*;
use crate::solver::{Solution, solve};

/// x⁴/12: H = x², n = x/3, ‖g‖* = x²/3.
struct Quartic;

impl Objective for Quartic {
    fn dimension(&self) -> usize {
        1
    }

    fn value(&self, x: &DVector<f64>) -> f64 {
        x[0].powi(4) / 12.0
    }

    fn gradient(&self, x: &DVector<f64>) -> DVector<f64> {
        DVector::from_vec(vec![x[0].powi(3) / 3.0])
    }

    fn hessian(&self, x: &DVector<f64>) -> DMatrix<f64> {
        DMatrix::from_vec(1, 1, vec![x[0].powi(2)])
    }
}

/// ½ xᵀ H x with H = diag(1, 4).
struct Quadratic;

impl Objective for Quadratic {
    fn dimension(&self) -> usize {
        2
    }

    fn value(&self, x: &DVector<f64>) -> f64 {
        0.5 * (x[0] * x[0] + 4.0 * x[1] * x[1])
    }

    fn gradient(&self, x: &DVector<f64>) -> DVector<f64> {
        DVector::from_vec(vec![x[0], 4.0 * x[1]])
    }

    fn hessian(&self, _x: &DVector<f64>) -> DMatrix<f64> {
        DMatrix::from_diagonal(&DVector::from_vec(vec![1.0, 4.0]))
    }
}

/// f(A x).
struct Transformed {
    inner: Minimization,
    matrix: DMatrix<f64>,
}

impl Objective for Transformed {
    fn dimension(&self) -> usize {
        self.inner.objective.dimension()
    }

    fn value(&self, x: &DVector<f64>) -> f64 {
        self.inner.objective.value(&(&self.matrix * x))
    }

    fn gradient(&self, x: &DVector<f64>) -> DVector<f64> {
        self.matrix.tr_mul(&self.inner.objective.gradient(&(&self.matrix * x)))
    }

    fn hessian(&self, x: &DVector<f64>) -> DMatrix<f64> {
        self.matrix.tr_mul(&(self.inner.objective.hessian(&(&self.matrix * x)) * &self.matrix))
    }
}

fn run<R: Rule>(problem: &Minimization, options: R::Options, limit: u64) -> Solution {
    solve(&mut Newton::<R>::new(problem, options).unwrap(), problem, limit)
}

fn quartic() -> Minimization {
    Minimization { objective: Box::new(Quartic), start: DVector::from_vec(vec![1.5]) }
}

fn quadratic() -> Minimization {
    Minimization { objective: Box::new(Quadratic), start: DVector::from_vec(vec![1.0, -2.0]) }
}

#[test]
fn root_newton_on_a_quartic_by_hand() {
    let options = RootNewtonOptions { order: 4.0, smoothness: 0.2, tolerance: 0.0 };
    let found = run::<RootNewton>(&quartic(), options, 1).values[0];
    let alpha = 1.0 / (1.0 + 1.8_f64.cbrt() * (1.5_f64 * 1.5 / 3.0).powf(2.0 / 3.0));
    assert!((found - 1.5 * (1.0 - alpha / 3.0)).abs() < 1e-14, "{found}");
    // Order 2: the same step 1/(1 + 9 M) everywhere.
    assert_eq!([theta(2.0, 0.5, 0.1), theta(2.0, 0.5, 7.0)], [4.5, 4.5]);
}

#[test]
fn root_newton_contracts_a_quadratic_by_theta() {
    let options = RootNewtonOptions { order: 2.0, smoothness: 0.5, tolerance: 0.0 };
    let found = run::<RootNewton>(&quadratic(), options, 1).values;
    let factor = 4.5 / 5.5;
    assert!((found[0] - factor).abs() < 1e-14 && (found[1] + 2.0 * factor).abs() < 1e-14, "{found:?}");
    let full = schedules::ConstantOptions { step: 1.0, tolerance: 1e-20 };
    let full = run::<schedules::Constant>(&quadratic(), full, 5);
    assert!(full.is_converged() && full.iterations == 2 && full.values.iter().all(|x| x.abs() < 1e-15));
}

#[test]
fn aicns_two_formulas_are_one() {
    for (l, size) in [(1.0_f64, 0.3_f64), (2.5, 4.0), (0.1, 100.0)] {
        let other = ((1.0 + 2.0 * l * size).sqrt() - 1.0) / (l * size);
        assert!((aicn_step(l, size) - other).abs() < 1e-14);
    }
}

#[test]
fn universal_newton_never_backtracks_on_a_quadratic() {
    let options = UniversalNewtonOptions { tolerance: 1e-30, ..UniversalNewtonOptions::default() };
    let mut newton = Newton::<UniversalNewton>::new(&quadratic(), options).unwrap();
    let found = solve(&mut newton, &quadratic(), 20);
    assert!(newton.place.trials <= found.iterations, "{} {}", newton.place.trials, found.iterations);
    assert!(found.is_converged());
}

#[test]
fn the_local_norm_uses_the_pseudo_inverse_of_absolute_eigenvalues() {
    struct Saddle;
    impl Objective for Saddle {
        fn dimension(&self) -> usize {
            3
        }
        fn value(&self, _x: &DVector<f64>) -> f64 {
            0.0
        }
        fn gradient(&self, _x: &DVector<f64>) -> DVector<f64> {
            DVector::from_vec(vec![2.0, 3.0, 5.0])
        }
        fn hessian(&self, _x: &DVector<f64>) -> DMatrix<f64> {
            DMatrix::from_diagonal(&DVector::from_vec(vec![2.0, -3.0, 1e-12]))
        }
    }
    let local = Local::new(&Saddle, DVector::zeros(3)).unwrap();
    let expected = [1.0, 1.0, 0.0];
    local.newton.iter().zip(expected).for_each(|(n, e)| assert!((n - e).abs() < 1e-14));
    assert!((local.size - 5.0_f64.sqrt()).abs() < 1e-14);
    assert!((local.dual_square(&local.gradient) - 5.0).abs() < 1e-13);
    let shifted = local.solve(1.0, &local.gradient);
    assert!((shifted[1] - 0.75).abs() < 1e-14 && (shifted[2] - 5.0).abs() < 1e-11);
}

#[test]
fn steps_are_affine_invariant() {
    let mut rng = Seeds::new(4).stream("function");
    // Regular Hessians: where they are not, the pseudo-inverse depends on the coordinates.
    let inner = Function::Logistic.draw_with(&mut rng);
    let n = inner.start.len();
    let matrix =
        DMatrix::from_fn(
            n,
            n,
            |i, j| if i == j { 1.0 + (i % 5) as f64 } else { 0.3 / (1.0 + (i + 2 * j) as f64) },
        );
    let options = |tolerance| UniversalNewtonOptions { tolerance, ..UniversalNewtonOptions::default() };
    let plain = run::<UniversalNewton>(&inner, options(0.0), 4).values;
    let start = matrix.clone().lu().solve(&inner.start).unwrap();
    let transformed =
        Minimization { objective: Box::new(Transformed { inner, matrix: matrix.clone() }), start };
    let moved = run::<UniversalNewton>(&transformed, options(0.0), 4).values;
    let back = matrix * DVector::from_vec(moved);
    back.iter().zip(&plain).for_each(|(a, b)| assert!((a - b).abs() < 1e-8, "{a} {b}"));
}

#[test]
fn convex_functions_fall_at_every_step_of_a_search() {
    for function in [Function::Polytope(3), Function::Logistic] {
        let problem = function.draw_with(&mut Seeds::new(1).stream("function"));
        let grid = GridOptions { grid: 60, ..GridOptions::default() };
        let mut methods: Vec<Box<dyn Solver<Minimization>>> = vec![
            Box::new(Newton::<UniversalNewton>::new(&problem, UniversalNewtonOptions::default()).unwrap()),
            Box::new(Newton::<Greedy>::new(&problem, grid.clone()).unwrap()),
            Box::new(Newton::<Grls>::new(&problem, grid).unwrap()),
            Box::new(Newton::<Armijo>::new(&problem, ArmijoOptions::default()).unwrap()),
        ];
        for method in &mut methods {
            let mut before = f64::INFINITY;
            for _ in 0..6 {
                method.iterate(&problem).unwrap();
                let value = problem.objective.value(&DVector::from_vec(method.values()));
                assert!(value <= before, "{value} after {before}");
                before = value;
            }
        }
    }
}

#[test]
fn derivatives_agree_with_differences() {
    let drawn = [Function::Polytope(3), Function::Polytope(4), Function::Logistic, Function::Rosenbrock];
    for function in drawn {
        let mut rng = Seeds::new(2).stream("function");
        let Minimization { objective, start } = function.draw_with(&mut rng);
        let x = start.map(|x| 0.9 * x + 0.1);
        let along = DVector::from_fn(x.len(), |i, _| ((i * i) as f64).sin());
        let h = 1e-5;
        let (up, down) = (&x + h * &along, &x - h * &along);
        let slope = (objective.value(&up) - objective.value(&down)) / (2.0 * h);
        let gradient = objective.gradient(&x);
        assert!((slope - gradient.dot(&along)).abs() < 1e-6 * (1.0 + slope.abs()), "{function:?}");
        let curve = (objective.gradient(&up) - objective.gradient(&down)) / (2.0 * h);
        let product = objective.hessian(&x) * &along;
        assert!((&curve - &product).norm() < 1e-6 * (1.0 + product.norm()), "{function:?}");
    }
}

#[test]
fn every_method_comes_down_on_a_polytope_and_errors_are_reasons() {
    let problem = Function::Polytope(3).draw_with(&mut Seeds::new(0).stream("function"));
    let first = problem.objective.value(&problem.start);
    for entry in METHODS {
        let mut solver = (entry.make)(&problem, &OptionMap::new()).unwrap();
        let found = solve(&mut *solver, &problem, 12);
        let value = problem.objective.value(&DVector::from_vec(found.values));
        assert!(value < 0.95 * first, "{}: {} of {first}: {}", entry.name, value, found.reason);
    }
    let start = DVector::from_vec(vec![f64::NAN; 3]);
    let lost = Minimization { objective: Box::new(Rosenbrock { dimension: 3 }), start };
    assert!(run::<Greedy>(&lost, GridOptions::default(), 3).reason.to_string().contains("no longer finite"));
}

#[test]
fn bad_options_are_named() {
    for (method, name, value) in
        [("universal-newton", "growth", 1.0), ("armijo-newton", "shrink", 1.0), ("root-newton", "order", 5.0)]
    {
        let entry = METHODS.iter().find(|entry| entry.name == method).unwrap();
        let set: OptionMap = [(name.to_owned(), value.into())].into_iter().collect();
        assert!((entry.make)(&quadratic(), &set).err().unwrap().to_string().contains(name));
    }
}

//! Solutions that are known, and what the methods keep on the way there.

use std::path::Path;
use std::sync::Arc;

use nalgebra::DVectorView;
use quire_core::OptionMap;
use rand_distr::{Distribution, StandardNormal};
use serde_json::{Value, json};

use super::hock_schittkowski::LISTED;
use super::jet::Jet;
use super::kkt::{Kkt, Point, null_space};
use super::krylov::{Cycles, minres};
use super::merit::{Weights, merit, merit_gradient};
use super::problems::{Control, Which};
use super::*;
use crate::finite_sum::libsvm;
use crate::problem::World;
use crate::solver::{Solution, solve};

fn listed(number: u32) -> Which {
    Which::HockSchittkowski(LISTED.iter().find(|listed| listed.number == number).unwrap())
}

fn all() -> Vec<Which> {
    let larger = [Which::Control(3), Which::Logistic(200, 12, 4)];
    LISTED.iter().map(Which::HockSchittkowski).chain(larger).collect()
}

/// What a method finds with these options, and the other numbers that it tells.
fn by(method: &str, set: Value, task: &Task, limit: u64) -> (Solution, Vec<(&'static str, f64)>) {
    let Value::Object(set): Value = set else { panic!("options are an object") };
    let set: OptionMap = set;
    let entry = METHODS.iter().find(|entry| entry.name == method).unwrap();
    let mut solver = (entry.make)(task, &set).unwrap();
    let solution = solve(&mut *solver, task, limit);
    let told = solver.told();
    (solution, told)
}

fn told(told: &[(&str, f64)], name: &str) -> f64 {
    told.iter().find(|told| told.0 == name).unwrap().1
}

fn gap(which: Which, task: &Task, least: f64, found: &Solution) -> f64 {
    which.measure(task, &least, &found.values)[0].1
}

/// Near the start of a task, but nowhere special: x and λ.
fn somewhere(task: &Task) -> (DVector<f64>, DVector<f64>) {
    let wave = |i: usize| 0.1 * (1.0 + 1.7 * i as f64).sin();
    let x = DVector::from_fn(task.start.len(), |i, _| task.start[i] + wave(i));
    let multipliers = DVector::from_fn(task.multipliers.len(), |i, _| 0.5 + wave(i + 3));
    (x, multipliers)
}

/// The change per unit of what `of` says along each unit vector, by central differences.
fn differences(x: &DVector<f64>, of: impl Fn(&DVector<f64>) -> DVector<f64>) -> DMatrix<f64> {
    let h = 1e-5;
    let columns: Vec<DVector<f64>> = (0..x.len())
        .map(|j| {
            let (mut up, mut down) = (x.clone(), x.clone());
            up[j] += h;
            down[j] -= h;
            (of(&up) - of(&down)) / (2.0 * h)
        })
        .collect();
    DMatrix::from_columns(&columns)
}

#[test]
fn jets_differentiate_what_they_are_told() {
    // sin(x y) + ln x - (1 - y)³ by hand at (2, 3).
    let [x, y] = Jet::unknowns(&[2.0, 3.0]);
    let f = (x * y).sin() + x.ln() - (1.0 - y).powi(3);
    let (sin, cos) = 6.0_f64.sin_cos();
    assert!((f.value - (sin + 2.0_f64.ln() + 8.0)).abs() < 1e-15);
    assert!((f.gradient[0] - (3.0 * cos + 0.5)).abs() < 1e-15);
    assert!((f.gradient[1] - (2.0 * cos + 12.0)).abs() < 1e-14);
    assert!((f.hessian[0][0] - (-9.0 * sin - 0.25)).abs() < 1e-15);
    assert!((f.hessian[0][1] - (cos - 6.0 * sin)).abs() < 1e-14);
    assert!((f.hessian[1][1] - (-4.0 * sin + 12.0)).abs() < 1e-14);
}

#[test]
fn derivatives_agree_with_differences() {
    for which in all() {
        let (task, _) = which.draw(3).unwrap();
        let problem = &task.problem;
        let (x, multipliers) = somewhere(&task);
        let near = |found: &DMatrix<f64>, expected: &DMatrix<f64>| {
            let error = (found - expected).norm() / (1.0 + expected.norm());
            assert!(error < 1e-7, "{:?}: {error}", task.start);
        };
        let value = |x: &DVector<f64>| DVector::from_element(1, problem.value(x));
        near(&differences(&x, value), &DMatrix::from_rows(&[problem.gradient(&x).transpose()]));
        near(&differences(&x, |x| problem.constraint(x)), &problem.jacobian(&x));
        let gradient = |x: &DVector<f64>| Point::new(&task, x.clone(), multipliers.clone()).gradient;
        near(&differences(&x, gradient), &problem.hessian(&x, &multipliers));
    }
}

#[test]
fn listed_solutions_are_solutions() {
    let r = std::f64::consts::SQRT_2;
    let (third, seventh) = ((2.0_f64 / 7.0).sqrt().asin(), (4.0_f64 / 7.0).sqrt().asin());
    let solutions: [(u32, Vec<f64>); 10] = [
        (6, vec![1.0, 1.0]),
        (7, vec![0.0, 3.0_f64.sqrt()]),
        (28, vec![0.5, -0.5, 0.5]),
        (40, vec![0.5_f64.cbrt(), 0.5_f64.sqrt(), 2.0_f64.powf(-11.0 / 12.0), 2.0_f64.powf(-0.25)]),
        (42, vec![2.0, 2.0, 0.6 * r, 0.8 * r]),
        (47, vec![1.0; 5]),
        (48, vec![1.0; 5]),
        (50, vec![1.0; 5]),
        (51, vec![1.0; 5]),
        (56, vec![2.4, 1.2, 1.2, seventh, third, third, std::f64::consts::FRAC_PI_2]),
    ];
    for (number, x) in solutions {
        let (task, least) = listed(number).draw(0).unwrap();
        let x = DVector::from_vec(x);
        assert!(task.problem.constraint(&x).norm() < 1e-14, "hs{number}");
        assert!((task.problem.value(&x) - least).abs() < 1e-14, "hs{number}");
        // Some λ makes the gradient of the Lagrangian vanish: what G cannot explain of the gradient is 0.
        let along = null_space(&task.problem.jacobian(&x));
        assert!(along.tr_mul(&task.problem.gradient(&x)).norm() < 1e-13, "hs{number}");
    }
    // Where the book prints digits: HS77 and HS79, feasible to them; HS52 and HS78 by its value.
    for (number, x) in [
        (77, [1.166_172, 1.182_111, 1.380_257, 1.506_036, 0.610_920_3]),
        (78, [-1.717_142, 1.595_708, 1.827_248, -0.763_642_9, -0.763_643_5]),
        (79, [1.191_127, 1.362_603, 1.472_818, 1.635_017, 1.679_081]),
    ] {
        let (task, least) = listed(number).draw(0).unwrap();
        let x = DVector::from_row_slice(&x);
        assert!(task.problem.constraint(&x).norm() < 1e-5, "hs{number}");
        assert!((task.problem.value(&x) - least).abs() < 1e-5, "hs{number}");
    }
}

#[test]
fn every_method_finds_the_listed_values() {
    let methods = [
        ("newton-kkt", json!({})),
        ("newton-kkt", json!({ "solver": "gmres" })),
        ("newton-kkt", json!({ "solver": "minres" })),
        ("l1-sqp", json!({})),
        ("l1-sqp", json!({ "accuracy": "fixed" })),
        ("augmented-lagrangian", json!({})),
        ("augmented-lagrangian", json!({ "penalty_growth": 1.5 })),
    ];
    for number in [6, 7, 28, 40, 42, 48, 50, 51, 52, 77, 79] {
        for (method, set) in &methods {
            if number == 40 && *method == "augmented-lagrangian" {
                continue;
            }
            let (task, least) = listed(number).draw(0).unwrap();
            let (found, _) = by(method, set.clone(), &task, 300);
            let gap = gap(listed(number), &task, least, &found);
            assert!(
                found.is_converged() && gap < 1e-3,
                "{method} {set} on hs{number}: {gap} {}",
                found.reason
            );
        }
    }
}

#[test]
fn multipliers_are_lost_where_the_penalty_is_too_small_at_first() {
    // Off its constraints hs40 falls faster than ‖c‖²/2 rises.
    let (task, least) = listed(40).draw(0).unwrap();
    let (found, _) = by("augmented-lagrangian", json!({}), &task, 300);
    assert!(!found.is_converged());
    let (found, _) = by("augmented-lagrangian", json!({ "penalty": 10.0 }), &task, 300);
    assert!(found.is_converged() && gap(listed(40), &task, least, &found) < 1e-4, "{}", found.reason);
}

#[test]
fn sketched_steps_find_the_listed_values() {
    for number in [6, 7, 28, 40, 42, 48] {
        for sketch in ["gaussian", "row"] {
            for seed in 0..2 {
                let (task, least) = listed(number).draw(seed).unwrap();
                let (found, told_) = by("sketched-lagrangian", json!({ "sketch": sketch }), &task, 100);
                let gap = gap(listed(number), &task, least, &found);
                assert!(found.is_converged() && gap < 1e-3, "{sketch} on hs{number}: {gap} {}", found.reason);
                assert_eq!(told(&told_, "step_size"), 1.0, "{sketch} on hs{number}");
            }
        }
    }
}

#[test]
fn a_quadratic_with_linear_equations_takes_one_exact_step() {
    for number in [28, 48, 51, 52] {
        let (task, least) = listed(number).draw(0).unwrap();
        let exact = json!({ "tolerance": 1e-9 });
        let (found, told_) = by("newton-kkt", exact, &task, 10);
        assert!(found.is_converged() && found.iterations == 2, "hs{number}: {}", found.iterations);
        assert_eq!(told(&told_, "step_size"), 1.0);
        assert!(gap(listed(number), &task, least, &found) < 1e-12);
        let (found, _) = by("sketched-lagrangian", json!({}), &task, 10);
        assert!(found.is_converged() && found.iterations == 2, "hs{number}: {}", found.iterations);
    }
}

#[test]
fn the_merit_has_the_gradient_that_differences_have() {
    let weights = Weights { constraint: 1.3, gradient: 0.2 };
    for which in all() {
        let (task, _) = which.draw(1).unwrap();
        let (x, multipliers) = somewhere(&task);
        let n = x.len();
        let point = Point::new(&task, x, multipliers);
        let hessian = task.problem.hessian(&point.x, &point.multipliers);
        let both = DVector::from_iterator(
            n + point.multipliers.len(),
            point.x.iter().chain(&point.multipliers).copied(),
        );
        let at = |both: &DVector<f64>| {
            let parts = |view: DVectorView<'_, f64>| view.into_owned();
            let m = both.len() - n;
            let point = Point::new(&task, parts(both.rows(0, n)), parts(both.rows(n, m)));
            DVector::from_element(1, merit(&point, weights))
        };
        let expected = differences(&both, at).transpose();
        let error = |hessian: &DMatrix<f64>| {
            let found = merit_gradient(&point, hessian, weights);
            (found - expected.column(0)).norm() / (1.0 + expected.norm())
        };
        assert!(error(&hessian) < 1e-6, "{:?}: {}", task.start, error(&hessian));
        // The Hessian of f alone, as in the official code, is not its gradient where equations are curved.
        let of_f = task.problem.hessian(&point.x, &DVector::zeros(point.multipliers.len()));
        if (&of_f - &hessian).norm() > 0.1 {
            assert!(error(&of_f) > 1e-3, "{:?}", task.start);
        }
    }
}

#[test]
fn at_a_solution_the_merit_is_the_value_and_does_not_change() {
    for number in [6, 7, 40, 42] {
        let (task, least) = listed(number).draw(0).unwrap();
        let (found, _) = by("newton-kkt", json!({ "tolerance": 1e-12 }), &task, 100);
        let (x, multipliers) = found.values.split_at(task.start.len());
        let point = Point::new(&task, DVector::from_column_slice(x), DVector::from_column_slice(multipliers));
        let weights = Weights { constraint: 7.0, gradient: 0.3 };
        assert!((merit(&point, weights) - least).abs() < 1e-10, "hs{number}");
        let hessian = task.problem.hessian(&point.x, &point.multipliers);
        assert!(merit_gradient(&point, &hessian, weights).norm() < 1e-9, "hs{number}");
    }
}

#[test]
fn a_null_space_is_one() {
    let mut rng = Seeds::new(4).stream("matrix");
    for (m, n) in [(1, 2), (3, 7), (5, 6)] {
        let matrix = DMatrix::from_fn(m, n, |_, _| StandardNormal.sample(&mut rng));
        let along = null_space(&matrix);
        assert_eq!(along.shape(), (n, n - m));
        assert!((&matrix * &along).norm() < 1e-13);
        assert!((along.tr_mul(&along) - DMatrix::identity(n - m, n - m)).norm() < 1e-13);
    }
}

#[test]
fn krylov_methods_solve_indefinite_systems() {
    for which in all() {
        let (task, _) = which.draw(2).unwrap();
        let (x, multipliers) = somewhere(&task);
        let kkt = Kkt::new(&task, &Point::new(&task, x, multipliers), 0.1, 0.0).unwrap();
        let exact = kkt.matrix.clone().lu().solve(&kkt.right).unwrap();
        let near = |z: &DVector<f64>| {
            let residual = (&kkt.matrix * z - &kkt.right).norm() / kkt.right.norm();
            let error = (z - &exact).norm() / exact.norm();
            assert!(residual < 1e-8 && error < 1e-5, "{:?}: {residual} {error}", task.start);
        };
        let (z, products) = minres(&kkt.matrix, &kkt.right, 1e-11, 20 * kkt.size() as u64);
        near(&z);
        assert!(products >= 2);
        let mut cycles = Cycles::new(&kkt.matrix, &kkt.right, kkt.size(), 1e-11).unwrap();
        let _ = cycles.cycle() && cycles.cycle();
        near(&cycles.solution());
        assert!(cycles.flops > 2.0 * (kkt.size() * kkt.size()) as f64);
    }
    let (z, products) = minres(&DMatrix::identity(3, 3), &DVector::zeros(3), 0.0, 5);
    assert!(z.norm() == 0.0 && products == 0);
}

#[test]
fn the_control_has_the_value_of_another_program() {
    // Eliminating Z leaves (I + 0.1 Δ²) W = W₀, solved in Python with NumPy.
    let which = Which::Control(3);
    let (task, least) = which.draw(0).unwrap();
    assert!((least - 9.644_442_051_811_629).abs() < 1e-12, "{least}");
    assert_eq!((task.problem.unknowns(), task.problem.constraints()), (18, 9));
    // A whole row of the five-point stencil: the middle of the grid, h = 1/2.
    let jacobian = Control::new(3).jacobian(&DVector::zeros(18));
    let row: Vec<f64> = jacobian.row(4).iter().copied().collect();
    assert_eq!(row[..9], [0.0, 4.0, 0.0, 4.0, -16.0, 4.0, 0.0, 4.0, 0.0]);
    assert_eq!(row[9..], [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn a_finer_grid_has_the_value_of_another_program() {
    // As above; 675 unknowns and multipliers, and one exact step.
    let which = Which::Control(15);
    let (task, least) = which.draw(0).unwrap();
    assert!((least - 265.167_364_845_268_2).abs() < 1e-9, "{least}");
    let (found, _) = by("newton-kkt", json!({}), &task, 10);
    assert!(found.is_converged() && found.iterations == 2, "{}", found.reason);
}

/// Rows of a user in a folder of their own.
fn own_rows(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.libsvm");
    std::fs::write(&path, text).unwrap();
    let name = format!("constrained-logistic+{}", path.display());
    (folder, name)
}

#[test]
fn a_users_rows_are_fitted_on_the_sphere() {
    // Two features and no linear equation: the best direction is what a fine grid of them says.
    let rows = [(1, 2.0, 0.5), (1, 1.0, -0.3), (-1, -1.0, 1.0), (-1, 0.5, 1.5), (1, 0.2, -1.0)];
    let text: String = rows.iter().map(|(y, a, b)| format!("{y} 1:{a} 2:{b}\n")).collect();
    let (_folder, name) = own_rows(&text);
    let problem = open(&name).unwrap().unwrap();
    assert!(problem.card().summary.contains("5 of 2 features"), "{}", problem.card().summary);
    let rows = libsvm::parse(Path::new("rows"), &text).unwrap().logistic(Path::new("rows")).unwrap();
    let (task, _) = Which::Rows(Arc::new(rows.with_ridge(0.0))).draw(0).unwrap();
    let (found, _) = by("newton-kkt", json!({ "tolerance": 1e-9 }), &task, 100);
    assert!(found.is_converged(), "{}", found.reason);
    let value = |angle: f64| task.problem.value(&DVector::from_vec(vec![angle.cos(), angle.sin()]));
    let best =
        (0..100_000).map(|i| f64::from(i) * std::f64::consts::TAU / 1e5).map(value).fold(9.0, f64::min);
    let at = DVector::from_column_slice(&found.values[..2]);
    assert!((task.problem.value(&at) - best).abs() < 1e-8, "{} and {best}", task.problem.value(&at));
}

#[test]
fn files_that_do_not_do_are_named() {
    assert!(open("constrained-logistic").is_none() && open("rows.libsvm").is_none());
    let error = |name: &str| open(name).unwrap().err().unwrap().to_string();
    assert!(error("constrained-logistic+rows.csv").contains("`rows.csv` does not end in `.libsvm`"));
    assert!(error("constrained-logistic+nowhere.libsvm").contains("nowhere.libsvm"));
    let (_folder, name) = own_rows("1 1:1 2500:2\n-1 1:-1\n");
    assert!(error(&name).contains("rows.libsvm: has 2500 features"), "{}", error(&name));
    let (_folder, name) = own_rows("1 1:1\n1 1:-1 2:x\n");
    assert!(error(&name).contains("rows.libsvm:2:10: the value `x`"), "{}", error(&name));
}

#[test]
fn equations_are_met_on_the_sphere() {
    for seed in 0..5 {
        let which = Which::Logistic(200, 12, 4);
        let (task, least) = which.draw(seed).unwrap();
        let (found, _) = by("newton-kkt", json!({ "tolerance": 1e-8 }), &task, 200);
        assert!(found.is_converged(), "{seed}: {}", found.reason);
        let x = DVector::from_column_slice(&found.values[..12]);
        // Off the constraints by so much, f is off by λ times that.
        assert!((x.norm() - 1.0).abs() < 1e-8);
        assert!(gap(which, &task, least, &found) < 1e-7);
    }
}

#[test]
fn the_same_seed_goes_the_same_way_and_another_ends_at_the_same_place() {
    let run = |seed| {
        let (task, _) = listed(42).draw(seed).unwrap();
        by("sketched-lagrangian", json!({}), &task, 100)
    };
    let (first, again, other) = (run(5), run(5), run(6));
    assert_eq!(first, again);
    assert_ne!(first.0.residuals, other.0.residuals);
    let apart = first.0.values.iter().zip(&other.0.values).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(apart < 1e-3, "{apart}");
}

#[test]
fn dependent_equations_and_misfits_are_named() {
    // Twice the same equation.
    let twice = jet::Written::<2>::new(|&[x, y]| (x * x + y * y, vec![x + y - 1.0, x + y - 1.0]));
    let task = Task::new(Box::new(twice), vec![0.0; 2], vec![0.0; 2], Seeds::new(0)).unwrap();
    let (found, _) = by("sketched-lagrangian", json!({}), &task, 10);
    assert!(!found.is_converged() && found.reason.to_string().contains("dependent"), "{}", found.reason);
    // The method of multipliers does not mind.
    let (found, _) = by("augmented-lagrangian", json!({}), &task, 100);
    assert!(found.is_converged() && (found.values[0] - 0.5).abs() < 1e-4, "{}", found.reason);

    let error = Task::new(Box::new(twice), vec![0.0; 3], vec![0.0; 2], Seeds::new(0)).err().unwrap();
    assert!(error.to_string().contains("3 numbers"), "{error}");
    let many = jet::Written::<1>::new(|&[x]| (x, vec![x, x]));
    let error = Task::new(Box::new(many), vec![0.0], vec![0.0; 2], Seeds::new(0)).err().unwrap();
    assert!(error.to_string().contains("2 equations for 1 unknowns"), "{error}");
    let set = json!({ "accuracy": 1.5 });
    let error = (METHODS[0].make)(&task, set.as_object().unwrap()).err().unwrap().to_string();
    assert!(error.contains("accuracy"), "{error}");
    let set = json!({ "merit": { "decrease": 0.5 } });
    let error = (METHODS[1].make)(&task, set.as_object().unwrap()).err().unwrap().to_string();
    assert!(error.contains("decrease"), "{error}");
}

#[test]
fn problems_of_boggs_and_tolle_have_their_solutions() {
    // As the article gives them, to its digits; number 12 by hand, as CUTEst has another equation.
    let published: [(u32, &[f64]); 9] = [
        (1, &[1.0, 0.0]),
        (2, &[1.1049, 1.1967, 1.5353]),
        (3, &[-0.76744, 0.25581, 0.62791, -0.11628, 0.25581]),
        (4, &[4.0382, -2.9470, -0.09115]),
        (5, &[3.5121, 0.21699, 3.5522]),
        (7, &[-0.79212, -1.2624, 0.0, -0.89532, 1.1367]),
        (8, &[1.0, 0.0, 0.0, 0.0, 0.0]),
        (9, &[1.0, 1.0, 0.0, 0.0]),
        (10, &[1.0, 1.0]),
    ];
    for (number, x) in published {
        let listed = boggs_tolle::LISTED.iter().find(|listed| listed.number == number).unwrap();
        let problem = (listed.make)();
        let x = DVector::from_column_slice(x);
        assert!(problem.constraint(&x).norm() < 2e-3, "{number}: {}", problem.constraint(&x));
        let value = problem.value(&x);
        assert!((value - listed.least).abs() < 1e-3 * (1.0 + value.abs()), "{number}: {value}");
    }
    let a: f64 = 25.0 / 1.01;
    let twelve = boggs_tolle::LISTED.iter().find(|listed| listed.number == 12).unwrap();
    let x = DVector::from_row_slice(&[a, 0.01 * a, 0.0, (a * a * 1.0001 - 25.0).sqrt(), (a - 2.0).sqrt()]);
    let problem = (twelve.make)();
    assert!(problem.constraint(&x).norm() < 1e-12 && (problem.value(&x) - twelve.least).abs() < 1e-12);
}

//! Order conditions, stability functions, errors of an independent run.

use nalgebra::Complex;
use quire_core::OptionMap;

use super::equations::{Burgers, Kind, Linear};
use super::tase::{Coefficients, Filter, Tableau, classical, ms2, ms3, singly, weights};
use super::*;
use crate::solver::solve;

fn powers(filter: &Filter) -> &[f64] {
    match filter {
        Filter::Powers(betas) => betas,
        Filter::Sum(_) => panic!("one α only"),
    }
}

fn by(method: &str, set: serde_json::Value, problem: &InitialValue) -> DVector<f64> {
    let entry = METHODS.iter().find(|entry| entry.name == method).unwrap();
    let mut solver = (entry.make)(problem, set.as_object().unwrap()).unwrap();
    let found = solve(&mut *solver, problem, u64::MAX);
    assert!(found.is_converged(), "{method}: {}", found.reason);
    DVector::from_vec(found.values)
}

#[test]
fn order_conditions_are_met() {
    for (tableau, order) in
        [(ms2(), 2), (ms3(), 3), (singly(2, 1.0).unwrap(), 2), (singly(3, 1.8).unwrap(), 3)]
    {
        for jacobian in [Jacobian::Exact, Jacobian::Frozen] {
            for off in tableau.misses(jacobian)[..order].iter().flatten() {
                assert!(off.abs() < 1e-14, "{tableau:?}: {off}");
            }
        }
    }
    // ms2 has order 2 by sums alone: single stages do not.
    assert!((ms2().filters[0] != ms2().filters[1]) && powers(&ms2().filters[0]) == [1.0]);
    let ms3 = ms3();
    let expected = [[1.0, 1.0, -1.0], [1.75, -0.5, -0.25], [11.0 / 3.0, -13.0 / 3.0, 5.0 / 3.0]];
    for (filter, expected) in ms3.filters.iter().zip(expected) {
        powers(filter).iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-14));
    }
}

#[test]
fn coefficients_are_the_numbers_that_were_derived() {
    let ms2 = ms2();
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-14, "{a} {b}");
    near(ms2.b[1], 2.750_979_895_056_049_3);
    near(ms2.b[0], -1.750_979_895_056_049_3);
    near(ms2.a[1][0], 0.181_753_418_445_034_8);
    near(powers(&ms2.filters[1])[1], -0.363_506_836_890_069_6);
    let root = |a: f64| a.powi(3) - 3.0 * a * a + 1.5 * a - 1.0 / 6.0;
    near(root(ms2.alphas[0]), 0.0);
    let alpha = ms3().alphas[0];
    near(alpha.powi(3) - 3.0 * alpha * alpha + 77.0 / 24.0 * alpha - 77.0 / 72.0, 0.0);
    for order in 2..=4 {
        let alphas = classical(order).unwrap().alphas;
        let gammas = weights(&alphas);
        for k in 0..order {
            let sum: f64 = gammas.iter().zip(&alphas).map(|(g, a)| g * a.powi(k as i32)).sum();
            let size: f64 = gammas.iter().zip(&alphas).map(|(g, a)| (g * a.powi(k as i32)).abs()).sum();
            assert!((sum - f64::from(k == 0)).abs() < 1e-13 * size.max(1.0), "{order} {k}: {sum}");
        }
    }
    assert!(singly(5, 1.0).is_err());
}

/// The coefficients of Quire's own schemes, given as a user's, are those schemes; a Rosenbrock scheme in this form has its order only with the exact J.
#[test]
fn a_tableau_of_ones_own_has_the_order_that_its_conditions_say() {
    let problem = Kind::Burgers(32).with(1.0);
    let given = |tableau: &Tableau| {
        let betas: Vec<&[f64]> = tableau.filters.iter().map(powers).collect();
        serde_json::json!({ "a": tableau.a, "b": tableau.b, "alpha": tableau.alphas[0], "beta": betas })
    };
    let coefficients = |value: serde_json::Value| serde_json::from_value::<Coefficients>(value).unwrap();
    for (order, tableau) in [(2, ms2()), (3, ms3())] {
        let own = by("ms-rk-tase", serde_json::json!({ "tableau": given(&tableau), "steps": 64 }), &problem);
        let known = by("ms-rk-tase", serde_json::json!({ "order": order, "steps": 64 }), &problem);
        assert_eq!(own, known);
        for jacobian in [Jacobian::Exact, Jacobian::Frozen] {
            assert_eq!(coefficients(given(&tableau)).tableau(jacobian).unwrap(), (tableau.clone(), order));
        }
    }
    // The midpoint's rule with T_2 = 2u - u² is of order 2 for any J; one slope by T = u with α = 1/2 only where J is exact: Rosenbrock's.
    let rosenbrock = serde_json::json!({ "a": [[]], "b": [1.0], "alpha": 0.5, "beta": [[1.0]] });
    assert_eq!(coefficients(rosenbrock.clone()).tableau(Jacobian::Exact).unwrap().1, 2);
    assert_eq!(coefficients(rosenbrock.clone()).tableau(Jacobian::Frozen).unwrap().1, 1);
    let truth = Kind::Burgers(32).reference(&problem).unwrap();
    let error = |jacobian: &str, steps: u64| {
        let set = serde_json::json!({ "tableau": rosenbrock, "jacobian": jacobian, "steps": steps });
        (by("ms-rk-tase", set, &problem) - &truth).amax()
    };
    let observed = |jacobian| (error(jacobian, 512) / error(jacobian, 1024)).log2();
    assert!((observed("exact") - 2.0).abs() < 0.1, "{}", observed("exact"));
    assert!((observed("frozen") - 1.0).abs() < 0.1, "{}", observed("frozen"));

    let refusals = [
        (serde_json::json!({ "a": [[], [0.5]], "b": [1.0], "alpha": 0.5, "beta": [[1.0]] }), "tableau.a"),
        (serde_json::json!({ "a": [[0.5]], "b": [1.0], "alpha": 0.5, "beta": [[1.0]] }), "row 1 has 1"),
        (serde_json::json!({ "a": [[]], "b": [], "alpha": 0.5, "beta": [[1.0]] }), "tableau.b"),
        (serde_json::json!({ "a": [[]], "b": [1.0], "alpha": 0.0, "beta": [[1.0]] }), "alpha"),
        (serde_json::json!({ "a": [[]], "b": [0.9], "alpha": 0.5, "beta": [[1.0]] }), "tableau.b"),
        (serde_json::json!({ "a": [[]], "b": [1.0], "alpha": 0.5, "beta": [[1.0, 0.1]] }), "tableau.beta"),
        (serde_json::json!({ "a": [[]], "b": [1.0], "alpha": 0.5 }), "beta"),
    ];
    let entry = METHODS.iter().find(|entry| entry.name == "ms-rk-tase").unwrap();
    for (tableau, named) in refusals {
        let set: OptionMap = [("tableau".to_owned(), tableau)].into_iter().collect();
        let error = (entry.make)(&problem, &set).err().unwrap().to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn stability_functions_are_what_they_should_be() {
    // Midpoint with T_1 = u, T_2 = 2u - u², α = 1: (1 - 2z + z²/2)/(1 - z)³.
    let tableau = Tableau {
        a: vec![vec![], vec![0.5]],
        b: vec![0.0, 1.0],
        filters: vec![Filter::Powers(vec![1.0]), Filter::Powers(vec![2.0, -1.0])],
        alphas: vec![1.0],
    };
    for z in [Complex::new(-0.7, 0.0), Complex::new(-3.0, 2.0), Complex::new(0.1, -4.0)] {
        let one = Complex::new(1.0, 0.0);
        let expected = (one - z * 2.0 + z * z * 0.5) / (one - z).powi(3);
        assert!((tableau.stability(z, false) - expected).norm() < 1e-13);
    }
    let infinity = Complex::new(f64::NAN, 0.0);
    for tableau in [ms2(), ms3()] {
        assert!(tableau.stability(infinity, true).norm() < 1e-12);
        let far = tableau.stability(Complex::new(-1e12, 0.0), false).norm();
        assert!(far < 1e-10, "{far}");
    }
    // |R(∞)| of singly order 3: |1 - 3/α + 9/(2α²) - 9/(2α³)|.
    let alpha = 1.8_f64;
    let expected = (1.0 - 3.0 / alpha + 4.5 / alpha.powi(2) - 4.5 / alpha.powi(3)).abs();
    let found = singly(3, alpha).unwrap().stability(infinity, true).norm();
    assert!((found - expected).abs() < 1e-13, "{found} {expected}");
    // Along the imaginary axis ms2 is stable, and ms3 nearly so.
    let largest = |tableau: &Tableau| {
        let along =
            (0..4000).map(|k| tableau.stability(Complex::new(0.0, 0.01 * f64::from(k)), false).norm());
        along.fold(0.0, f64::max)
    };
    assert!(largest(&ms2()) <= 1.0 + 1e-12, "{}", largest(&ms2()));
    let ms3_most = largest(&ms3());
    assert!((1.0014..1.0016).contains(&ms3_most), "{ms3_most}");
}

#[test]
fn errors_on_burgers_are_those_of_an_independent_run() {
    let problem = Kind::Burgers(32).with(1.0);
    let truth = Kind::Burgers(32).reference(&problem).unwrap();
    let error = |method: &str, order: u32, jacobian: &str, steps: u64| {
        let set = serde_json::json!({ "order": order, "steps": steps, "jacobian": jacobian });
        (by(method, set, &problem) - &truth).amax()
    };
    for (method, order, jacobian, few, many) in [
        ("rk-tase", 2, "exact", 1.7e-2, 1.1e-4),
        ("singly-rk-tase", 2, "exact", 5.7e-3, 2.8e-5),
        ("ms-rk-tase", 2, "exact", 2.1e-4, 7.8e-7),
        ("rk-tase", 3, "exact", 3.3e-3, 1.3e-6),
        ("singly-rk-tase", 3, "exact", 2.9e-3, 1.1e-6),
        ("ms-rk-tase", 3, "exact", 5.5e-5, 1.6e-8),
        ("singly-rk-tase", 2, "frozen", 8e-4, 3.7e-6),
        ("ms-rk-tase", 2, "frozen", 1.4e-3, 5.2e-6),
        ("singly-rk-tase", 3, "frozen", 6.5e-4, 4.7e-7),
        ("ms-rk-tase", 3, "frozen", 4.8e-5, 2.5e-8),
    ] {
        for (steps, expected) in [(64, few), (1024, many)] {
            let found = error(method, order, jacobian, steps);
            // Two printed digits.
            assert!((found / expected - 1.0).abs() < 0.07, "{method} {order} {jacobian} {steps}: {found:e}");
        }
    }
}

/// Van der Pol's equation without stiffness, where a wrong J does no harm but to the order.
struct Mild;

impl Equations for Mild {
    fn slope(&self, y: &DVector<f64>, out: &mut DVector<f64>) {
        out.copy_from_slice(&[y[1], (1.0 - y[0] * y[0]) * y[1] - y[0]]);
    }

    fn jacobian(&self, y: &DVector<f64>, out: &mut DMatrix<f64>) {
        out.copy_from_slice(&[0.0, -2.0 * y[0] * y[1] - 1.0, 1.0, 1.0 - y[0] * y[0]]);
    }

    fn linear_part(&self) -> Option<DMatrix<f64>> {
        // Nothing to do with it.
        Some(DMatrix::from_row_slice(2, 2, &[-0.3, 0.8, 0.5, -1.1]))
    }
}

#[test]
fn orders_are_observed_with_the_exact_and_with_a_random_jacobian() {
    let problem =
        InitialValue { equations: Box::new(Mild), start: DVector::from_row_slice(&[1.2, -0.4]), end: 2.0 };
    let exact = by("ms-rk-tase", serde_json::json!({ "order": 3, "steps": 8192 }), &problem);
    for (method, order, jacobian) in [
        ("ms-rk-tase", 2, "exact"),
        ("ms-rk-tase", 3, "exact"),
        ("ms-rk-tase", 2, "frozen"),
        ("ms-rk-tase", 3, "frozen"),
        ("singly-rk-tase", 2, "frozen"),
        ("singly-rk-tase", 3, "frozen"),
        ("rk-tase", 2, "frozen"),
        ("rk-tase", 3, "frozen"),
        ("rosenbrock", 2, "exact"),
        ("rosenbrock", 2, "frozen"),
        ("rosenbrock", 3, "exact"),
    ] {
        let error = |steps: u64| {
            let set = serde_json::json!({ "order": order, "steps": steps, "jacobian": jacobian });
            (by(method, set, &problem) - &exact).norm()
        };
        let observed = (error(200) / error(400)).log2();
        assert!((observed - f64::from(order)).abs() < 0.15, "{method} {order} {jacobian}: {observed}");
    }
    let error =
        |steps: u64| (by("implicit-euler", serde_json::json!({ "steps": steps }), &problem) - &exact).norm();
    assert!(((error(200) / error(400)).log2() - 1.0).abs() < 0.1);
}

#[test]
fn a_linear_step_is_the_stability_function_of_the_matrix() {
    let linear = Linear::new();
    let problem = Kind::Linear.with(1.0);
    for (method, order, tableau) in [
        ("ms-rk-tase", 2, ms2()),
        ("ms-rk-tase", 3, ms3()),
        ("singly-rk-tase", 3, singly(3, 1.8).unwrap()),
        ("rk-tase", 4, classical(4).unwrap()),
    ] {
        let one_step = by(method, serde_json::json!({ "order": order, "steps": 1 }), &problem);
        let along = linear.exact(&problem.start, 0.0);
        // Eigenvectors one by one: exact(e^{λ t}) at two times tells them apart less well than the basis itself.
        let n = along.len();
        let scale = (2.0 / (n + 1) as f64).sqrt();
        let vectors = DMatrix::from_fn(n, n, |i, j| {
            scale * ((i + 1) as f64 * (j + 1) as f64 * std::f64::consts::PI / (n + 1) as f64).sin()
        });
        let mut parts = vectors.tr_mul(&problem.start);
        for (k, part) in parts.iter_mut().enumerate() {
            let lambda = -(10.0_f64.powf(6.0 * k as f64 / (n - 1) as f64));
            *part *= tableau.stability(Complex::new(lambda, 0.0), false).re;
        }
        let expected = &vectors * parts;
        assert!((one_step - expected).amax() < 1e-8, "{method} {order}");
    }
}

#[test]
fn without_a_jacobian_the_scheme_is_explicit() {
    struct Plain;
    impl Equations for Plain {
        fn slope(&self, y: &DVector<f64>, out: &mut DVector<f64>) {
            out[0] = -y[0] * y[0];
        }
        fn jacobian(&self, _y: &DVector<f64>, out: &mut DMatrix<f64>) {
            out.fill(0.0);
        }
    }
    let problem =
        InitialValue { equations: Box::new(Plain), start: DVector::from_row_slice(&[1.0]), end: 0.1 };
    let found = by("singly-rk-tase", serde_json::json!({ "order": 2, "steps": 1 }), &problem);
    let half: f64 = 1.0 - 0.05;
    assert!((found[0] - (1.0 - 0.1 * half * half)).abs() < 1e-15);
}

#[test]
fn jacobians_agree_with_differences() {
    for kind in [Kind::Burgers(16), Kind::Linear, Kind::VanDerPol, Kind::Robertson] {
        let problem = kind.with(1.0);
        let y = problem.start.map(|y| 0.9 * y + 0.05);
        let mut jacobian = DMatrix::zeros(y.len(), y.len());
        problem.equations.jacobian(&y, &mut jacobian);
        let slope_at = |y: &DVector<f64>| {
            let mut out = y.clone();
            problem.equations.slope(y, &mut out);
            out
        };
        for j in 0..y.len() {
            let h = 1e-6;
            let (mut up, mut down) = (y.clone(), y.clone());
            up[j] += h;
            down[j] -= h;
            let slope = (slope_at(&up) - slope_at(&down)) / (2.0 * h);
            let column = jacobian.column(j);
            assert!((slope - column).norm() < 1e-5 * (1.0 + column.norm()), "{kind:?} {j}");
        }
    }
    let burgers = Burgers::new(16);
    let flat = DVector::from_element(16, 0.7);
    let mut slope = flat.clone();
    burgers.slope(&flat, &mut slope);
    assert!(slope.amax() < 1e-13);
}

#[test]
fn references_agree_with_another_method() {
    for kind in [Kind::VanDerPol, Kind::Robertson] {
        let problem = kind.with(1.0);
        let reference = kind.reference(&problem).unwrap();
        let other = by("ms-rk-tase", serde_json::json!({ "order": 3, "steps": 20_000 }), &problem);
        assert!((other - &reference).amax() < 1e-7, "{kind:?}: {reference}");
    }
    // Radau at a tolerance of 1e-12: Robertson at 40.
    let robertson = Kind::Robertson.reference(&Kind::Robertson.with(1.0)).unwrap();
    let expected = [0.715_827_068_7, 9.185_534_765e-6, 0.284_163_745_7];
    robertson.iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 2e-9, "{robertson}"));
}

#[test]
fn estimates_of_a_steps_error_fall_with_the_power_that_they_should() {
    let problem =
        InitialValue { equations: Box::new(Mild), start: DVector::from_row_slice(&[1.2, -0.4]), end: 2.0 };
    fn estimate<S: Scheme>(problem: &InitialValue, set: serde_json::Value, h: f64) -> (f64, f64) {
        let options = options::resolve(&[set.as_object().unwrap()]).unwrap();
        let mut integrator = Integrator::<S>::new(problem, options).unwrap();
        let power = integrator.estimated_step(problem, h).unwrap();
        (integrator.error.norm(), power)
    }
    let check = |name: &str, at: &dyn Fn(f64) -> (f64, f64), expected: f64| {
        let ((coarse, power), (fine, _)) = (at(0.01), at(0.005));
        assert_eq!(power, expected, "{name}");
        let observed = (coarse / fine).log2();
        assert!((observed - expected).abs() < 0.1, "{name}: {observed}");
    };
    let order = |order: u32| serde_json::json!({ "order": order });
    check("ros-2", &|h| estimate::<rosenbrock::Rosenbrock>(&problem, order(2), h), 2.0);
    check("ros-3", &|h| estimate::<rosenbrock::Rosenbrock>(&problem, order(3), h), 3.0);
    check("ms-2", &|h| estimate::<tase::MsRkTase>(&problem, order(2), h), 3.0);
    check("ms-3", &|h| estimate::<tase::MsRkTase>(&problem, order(3), h), 4.0);
    let none = serde_json::json!({});
    check("euler", &|h| estimate::<implicit_euler::ImplicitEuler>(&problem, none.clone(), h), 2.0);
    // Halving gives the error of the halves themselves.
    let h = 0.02;
    let exact = by(
        "ms-rk-tase",
        serde_json::json!({ "steps": 400 }),
        &InitialValue { equations: Box::new(Mild), start: problem.start.clone(), end: h },
    );
    let mut euler = Integrator::<implicit_euler::ImplicitEuler>::new(&problem, Default::default()).unwrap();
    euler.estimated_step(&problem, h).unwrap();
    // Their errors have opposite signs: y_1/2 - y_1 = -(its error - that of y_1).
    let share = (&exact - &euler.next).norm() / euler.error.norm();
    assert!((share - 1.0).abs() < 0.05, "{share}");
}

#[test]
fn a_tolerance_is_kept_on_robertsons_reactions() {
    let mut problem = Kind::Robertson.with(1.0);
    // By Radau at a relative tolerance of 1e-12.
    for (end, expected) in [
        (40.0, [7.158_270_687_194e-1, 9.185_534_764_558e-6, 2.841_637_457_458e-1]),
        (4e6, [5.168_096_014_931e-4, 2.068_294_491_227e-9, 9.994_831_883_302e-1]),
    ] {
        problem.end = end;
        for (method, order, far) in [
            ("rosenbrock", 2, 10.0),
            ("rosenbrock", 3, 10.0),
            ("ms-rk-tase", 2, 30.0),
            ("implicit-euler", 1, 300.0),
        ] {
            let error = |relative: f64| {
                let adaptive = serde_json::json!({ "relative": relative, "absolute": 1e-6 * relative });
                let mut set = serde_json::json!({ "adaptive": adaptive });
                if method != "implicit-euler" {
                    set["order"] = order.into();
                }
                let found = by(method, set, &problem);
                found.iter().zip(expected).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max)
            };
            let (loose, tight) = (error(1e-3), error(1e-5));
            assert!(loose < far * 1e-3, "{method} {order} at {end}: {loose:e}");
            assert!(tight < 3.0 * far * 1e-5 && tight < 0.2 * loose, "{method} {order} at {end}: {tight:e}");
        }
    }
}

#[test]
fn steps_to_a_tolerance_survive_a_stop_at_any_of_them() {
    let problem = Kind::VanDerPol.with(1.0);
    for (method, set) in [
        ("rosenbrock", serde_json::json!({ "adaptive": {} })),
        ("ms-rk-tase", serde_json::json!({ "adaptive": {}, "order": 2 })),
        ("implicit-euler", serde_json::json!({ "adaptive": { "relative": 1e-2 }, "jacobian": "frozen" })),
    ] {
        let entry = METHODS.iter().find(|entry| entry.name == method).unwrap();
        let make = || (entry.make)(&problem, set.as_object().unwrap()).unwrap();
        let whole = solve(&mut *make(), &problem, 100_000);
        let mut solver = make();
        let step = loop {
            let step = solver.iterate(&problem).unwrap();
            let saved = solver.save();
            solver = make();
            solver.restore(&saved).unwrap();
            if step.done.is_some() {
                break step;
            }
        };
        assert_eq!(step.done.unwrap(), whole.reason, "{method}");
        assert_eq!(solver.values(), whole.values, "{method}");
        assert_eq!(solver.work(), whole.work, "{method}");
        assert_eq!(solver.told(), {
            let mut other = make();
            solve(&mut *other, &problem, 100_000);
            other.told()
        });
    }
}

#[test]
fn a_step_that_cannot_be_short_enough_ends_the_run() {
    struct Explosion;
    impl Equations for Explosion {
        fn slope(&self, y: &DVector<f64>, out: &mut DVector<f64>) {
            out[0] = y[0] * y[0];
        }
        fn jacobian(&self, y: &DVector<f64>, out: &mut DMatrix<f64>) {
            out[0] = 2.0 * y[0];
        }
    }
    // y = 1/(1 - t): there is no solution at 2.
    let problem =
        InitialValue { equations: Box::new(Explosion), start: DVector::from_row_slice(&[1.0]), end: 2.0 };
    let entry = METHODS.iter().find(|entry| entry.name == "rosenbrock").unwrap();
    let set = serde_json::json!({ "adaptive": {} });
    let found = solve(&mut *(entry.make)(&problem, set.as_object().unwrap()).unwrap(), &problem, 100_000);
    assert!(!found.is_converged(), "{}", found.reason);
    assert!(found.reason.to_string().contains("1.0"), "{}", found.reason);
}

#[test]
fn failures_are_reasons_and_bad_options_are_named() {
    let problem = Kind::VanDerPol.with(1.0);
    let entry = |name: &str| METHODS.iter().find(|entry| entry.name == name).unwrap();
    let set = serde_json::json!({ "steps": 2, "iterations": 1 });
    let mut euler = (entry("implicit-euler").make)(&problem, set.as_object().unwrap()).unwrap();
    let found = solve(&mut *euler, &problem, 10);
    assert!(found.reason.to_string().contains("does not converge"), "{}", found.reason);
    let set: OptionMap = [("order".to_owned(), 5.into())].into_iter().collect();
    for name in ["ms-rk-tase", "rk-tase", "rosenbrock"] {
        assert!((entry(name).make)(&problem, &set).err().unwrap().to_string().contains("order"));
    }
}

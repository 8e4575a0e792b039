//! Numbers worked out by hand, rates from theory, and what keeps a method from converging.

use proptest::prelude::*;
use quire_core::{Reason, Seeds, options};

use super::own::{How, solve_own};
use super::preconditioner::Kind;
use super::systems::{Equation, five_point};
use super::traits::{Definite, Suits, traits};
use super::*;
use crate::solver::{Method, Solution, solve};

fn dense(rows: &[&[f64]]) -> Sparse {
    let entries: Vec<(u32, u32, f64)> = rows
        .iter()
        .enumerate()
        .flat_map(|(i, row)| row.iter().enumerate().map(move |(j, &value)| (i as u32, j as u32, value)))
        .filter(|entry| entry.2 != 0.0)
        .collect();
    Sparse::new(rows.len(), rows[0].len(), &entries).unwrap()
}

fn by(method: &str, system: &System, words: &[&str], limit: u64) -> Solution {
    let entry = METHODS.iter().find(|entry| entry.name == method).unwrap();
    let mut solver = (entry.make)(system, &options::parse_assignments(words).unwrap()).unwrap();
    solve(&mut *solver, system, limit)
}

/// [[4, 1], [1, 3]] x = (1, 2), whose solution is (1/11, 7/11).
fn small() -> System {
    System::new(dense(&[&[4.0, 1.0], &[1.0, 3.0]]), vec![1.0, 2.0]).unwrap()
}

fn poisson(side: usize, right: impl Fn(&Sparse) -> Vec<f64>) -> System {
    let matrix = five_point(Equation::Poisson, side, &mut Seeds::new(0).stream("matrix")).unwrap();
    let right = right(&matrix);
    System::new(matrix, right).unwrap()
}

#[test]
fn first_steps_by_hand() {
    let system = small();
    let first = |method, words: &[&str]| by(method, &system, words, 1).values;
    assert_eq!(first("jacobi", &[]), [0.25, 2.0 / 3.0]);
    assert_eq!(first("gauss-seidel", &[]), [0.25, (2.0 - 0.25) * (1.0 / 3.0)]);
    let forth_and_back = first("ssor", &["relaxation=1"]);
    assert!((forth_and_back[0] - 5.0 / 48.0).abs() < 1e-15 && (forth_and_back[1] - 7.0 / 12.0).abs() < 1e-15);
    // Over-relaxed by 1.5: x_1 = 3/8, x_2 = 1.5 (2 - 3/8)/3 = 13/16.
    let relaxed = first("sor", &["relaxation=1.5"]);
    assert!((relaxed[0] - 0.375).abs() < 1e-15 && (relaxed[1] - 0.8125).abs() < 1e-15);
    // r = b: step rᵀr/rᵀAr = 5/20.
    assert_eq!(first("conjugate-gradient", &["preconditioner=none"]), [0.25, 0.5]);
    for (method, limit) in [("conjugate-gradient", 2), ("gmres", 1), ("jacobi", 99), ("sor", 99)] {
        let found = by(method, &system, &["tolerance=1e-12"], limit);
        assert!(found.is_converged(), "{method}: {}", found.reason);
        assert!((found.values[0] - 1.0 / 11.0).abs() < 1e-11 && (found.values[1] - 7.0 / 11.0).abs() < 1e-11);
    }
}

#[test]
fn jacobi_damps_an_eigenvector_by_its_cosine() {
    let side = 15;
    let h = std::f64::consts::PI / (side + 1) as f64;
    let wave: Vec<f64> = (0..side * side)
        .map(|k| ((k / side + 1) as f64 * h).sin() * ((k % side + 1) as f64 * h).sin())
        .collect();
    let system = poisson(side, |matrix| {
        let mut right = vec![0.0; side * side];
        matrix.times(&wave, &mut right);
        right
    });
    let found = by("jacobi", &system, &[], 50);
    for (k, residual) in found.residuals.iter().enumerate() {
        assert!((residual / h.cos().powi(k as i32 + 1) - 1.0).abs() < 1e-10, "{k}: {residual}");
    }
}

#[test]
fn relaxation_converges_at_youngs_rate() {
    let side = 20;
    let h = std::f64::consts::PI / (side + 1) as f64;
    let system = poisson(side, |matrix| vec![1.0; matrix.rows()]);
    let rate = |words: &[&str], from: usize, to: usize| {
        let found =
            by("sor", &system, &[words, &["check_period=1", "tolerance=1e-14"]].concat(), 5000).residuals;
        (found[to] / found[from]).powf(1.0 / (to - from) as f64)
    };
    // Gauss-Seidel: the square of Jacobi's cosine.
    assert!((rate(&["relaxation=1"], 100, 400) - h.cos().powi(2)).abs() < 1e-4);
    // Beyond the best ω: ω - 1, up to oscillation.
    assert!((rate(&["relaxation=1.85"], 40, 140) - 0.85).abs() < 0.01);
    let best = 2.0 / (1.0 + h.sin());
    let sweeps = |relaxation: f64| {
        by("sor", &system, &[&format!("relaxation={relaxation}"), "check_period=1"], 5000).iterations
    };
    assert!(10 * sweeps(best) < sweeps(1.0), "{} {}", sweeps(best), sweeps(1.0));
    let seidel = by("gauss-seidel", &system, &["check_period=1"], 5000);
    assert_eq!(seidel.iterations, sweeps(1.0));
}

#[test]
fn preconditioners_save_iterations() {
    let matrix = five_point(Equation::Jumps, 24, &mut Seeds::new(1).stream("matrix")).unwrap();
    let mut right = vec![0.0; matrix.rows()];
    matrix.times(&vec![1.0; matrix.rows()], &mut right);
    let system = System::new(matrix, right).unwrap();
    let iterations = |kind: &str| {
        let found = by("conjugate-gradient", &system, &[&format!("preconditioner={kind}")], 10_000);
        assert!(found.is_converged());
        found.values.iter().for_each(|x| assert!((x - 1.0).abs() < 1e-3, "{kind}: {x}"));
        found.iterations
    };
    let [none, jacobi, ssor, incomplete] = ["none", "jacobi", "ssor", "incomplete"].map(iterations);
    assert!(
        incomplete < ssor && 2 * ssor < jacobi + 1 && 2 * jacobi < none,
        "{none} {jacobi} {ssor} {incomplete}"
    );
}

#[test]
fn conjugate_gradients_say_that_a_matrix_is_indefinite_or_unsymmetric() {
    let indefinite = System::new(dense(&[&[1.0, 2.0], &[2.0, 1.0]]), vec![1.0, -1.0]).unwrap();
    let found = by("conjugate-gradient", &indefinite, &["preconditioner=none"], 10);
    assert!(found.reason.to_string().contains("not positive definite"), "{}", found.reason);
    let unsymmetric = System::new(dense(&[&[1.0, 2.0], &[0.0, 1.0]]), vec![1.0, 1.0]).unwrap();
    let entry = METHODS.iter().find(|entry| entry.name == "conjugate-gradient").unwrap();
    let error = (entry.make)(&unsymmetric, &Default::default()).err().unwrap().to_string();
    assert!(error.contains("symmetric matrix"), "{error}");
    let negative = System::new(dense(&[&[1.0, 0.0], &[0.0, -1.0]]), vec![1.0, 1.0]).unwrap();
    let error = (entry.make)(&negative, &Default::default()).err().unwrap().to_string();
    assert!(error.contains("row 2 is -1"), "{error}");
}

/// The cyclic shift: GMRES makes no progress before its last step.
fn shift(n: u32) -> System {
    let entries: Vec<(u32, u32, f64)> = (0..n).map(|i| (i, (i + 1) % n, 1.0)).collect();
    let mut right = vec![0.0; n as usize];
    right[0] = 1.0;
    System::new(Sparse::new(n as usize, n as usize, &entries).unwrap(), right).unwrap()
}

#[test]
fn gmres_ends_after_as_many_steps_as_unknowns_or_says_that_it_stagnates() {
    let system = shift(8);
    let whole = by("gmres", &system, &["preconditioner=none", "restart=8"], 5);
    assert!(whole.is_converged() && whole.iterations == 1, "{}", whole.reason);
    assert!((whole.values[1] - 1.0).abs() < 1e-12);
    let short = by("gmres", &system, &["preconditioner=none", "restart=7"], 5);
    assert!(short.reason.to_string().contains("stagnates"), "{}", short.reason);
}

#[test]
fn what_diverges_ends_with_a_reason() {
    let system = System::new(dense(&[&[1.0, 3.0], &[3.0, 1.0]]), vec![1.0, 2.0]).unwrap();
    for method in ["jacobi", "gauss-seidel", "sor"] {
        let found = by(method, &system, &[], 1000);
        assert!(matches!(found.reason, Reason::Diverged(_)), "{method}: {}", found.reason);
    }
    let zero = System::new(dense(&[&[0.0, 1.0], &[1.0, 0.0]]), vec![1.0, 2.0]).unwrap();
    assert!(
        jacobi::Jacobi::new(&zero, jacobi::JacobiOptions::default())
            .err()
            .unwrap()
            .to_string()
            .contains("row 1")
    );
    assert!(System::new(dense(&[&[1.0, 0.0]]), vec![1.0]).unwrap_err().to_string().contains("1 x 2"));
    assert!(System::new(dense(&[&[1.0]]), vec![1.0, 2.0]).unwrap_err().to_string().contains("2 numbers"));
}

#[test]
fn a_right_side_of_zeros_is_solved_at_once() {
    for method in ["conjugate-gradient", "gmres", "jacobi"] {
        let system = System::new(dense(&[&[2.0, 1.0], &[1.0, 2.0]]), vec![0.0, 0.0]).unwrap();
        let found = by(method, &system, &[], 10);
        assert!(found.is_converged() && found.values == [0.0, 0.0], "{method}: {}", found.reason);
    }
}

#[test]
fn the_matrix_decides_what_is_tried() {
    let own = |rows: &[&[f64]], right: Vec<f64>| {
        let how = How { method: None, set: Default::default(), iterations: 1000 };
        solve_own(&System::new(dense(rows), right).unwrap(), &how).unwrap()
    };
    let definite = own(&[&[4.0, 1.0], &[1.0, 3.0]], vec![1.0, 2.0]);
    assert_eq!(
        (definite.matrix.definite, definite.attempts[0].method.as_str()),
        (Definite::Yes, "conjugate-gradient")
    );
    assert!(definite.converged && definite.attempts[0].residual.unwrap() < 1e-8);
    let unsymmetric = own(&[&[1.0, 2.0], &[0.0, 1.0]], vec![3.0, 1.0]);
    assert!(unsymmetric.converged && unsymmetric.attempts[0].method == "gmres");
    // A zero diagonal has no incomplete factors: GMRES goes without.
    let swapped = own(&[&[0.0, 1.0], &[1.0, 0.0]], vec![1.0, 2.0]);
    assert_eq!(
        (swapped.attempts[0].method.as_str(), &swapped.attempts[0].options["preconditioner"]),
        ("gmres", &"none".into())
    );
    assert!(swapped.converged && (swapped.solution[0] - 2.0).abs() < 1e-12);
    let singular = own(&[&[1.0, 2.0], &[2.0, 4.0]], vec![1.0, 0.0]);
    assert!(!singular.converged && singular.attempts.len() == 2, "{:?}", singular.attempts);
    let empty = own(&[&[1.0, 0.0], &[0.0, 0.0]], vec![1.0, 0.0]);
    assert!(empty.attempts.is_empty() && empty.remaining().is_empty() && empty.matrix.zero_row == Some(2));
    let suits = traits(&dense(&[&[2.0, 1.0], &[-1.0, 2.0]])).suitability();
    let of = |name: &str| suits.iter().find(|suits| suits.method == name).unwrap().suits;
    assert_eq!(
        (of("conjugate-gradient"), of("jacobi"), of("gauss-seidel"), of("sor")),
        (Suits::No, Suits::Yes, Suits::Yes, Suits::Maybe)
    );
}

#[test]
fn incomplete_factors_are_found_where_the_plain_ones_break_down() {
    // Kershaw's matrix: positive definite, but its incomplete Cholesky factors need a raised diagonal.
    let kershaw = dense(&[
        &[3.0, -2.0, 0.0, 2.0],
        &[-2.0, 3.0, -2.0, 0.0],
        &[0.0, -2.0, 3.0, -2.0],
        &[2.0, 0.0, -2.0, 3.0],
    ]);
    assert!(preconditioner::Preconditioner::new(&kershaw, Kind::Incomplete, 1.0, true).is_ok());
    let system = System::new(kershaw, vec![1.0, 2.0, 3.0, 4.0]).unwrap();
    assert!(by("conjugate-gradient", &system, &[], 20).is_converged());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn dominant_systems_are_solved_by_all(
        entries in prop::collection::vec((0_u32..12, 0_u32..12, -1.0..1.0_f64), 0..60),
        x in prop::collection::vec(-2.0..2.0_f64, 12),
        symmetric in any::<bool>(),
    ) {
        let mut all: Vec<(u32, u32, f64)> = entries.into_iter().filter(|(i, j, _)| i != j).collect();
        if symmetric {
            all.extend(all.clone().into_iter().map(|(i, j, value)| (j, i, value)));
        }
        let mut sums = [0.5; 12];
        all.iter().for_each(|(i, _, value)| sums[*i as usize] += value.abs());
        all.extend((0..12_u32).map(|i| (i, i, sums[i as usize])));
        let matrix = Sparse::new(12, 12, &all).unwrap();
        let mut right = vec![0.0; 12];
        matrix.times(&x, &mut right);
        let system = System::new(matrix, right).unwrap();
        let methods: &[&str] = if symmetric {
            &["conjugate-gradient", "gmres", "sor", "ssor", "gauss-seidel", "jacobi"]
        } else {
            &["gmres", "gauss-seidel", "jacobi"]
        };
        for method in methods {
            let found = by(method, &system, &["tolerance=1e-12"], 100_000);
            prop_assert!(found.is_converged(), "{}: {}", method, found.reason);
            found.values.iter().zip(&x).for_each(|(a, b)| assert!((a - b).abs() < 1e-7, "{method}: {a} {b}"));
        }
    }
}

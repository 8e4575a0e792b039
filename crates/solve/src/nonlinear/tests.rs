//! Solutions that are known, and what the method keeps on the way there.

use quire_core::OptionMap;

use super::systems::{STARTS, System};
use super::trust_region::{Combined, CombinedOptions, way};
use super::*;
use crate::solver::{Method, Solution, Solver, solve};

/// A x = b without bounds.
struct Affine;

impl Equations for Affine {
    fn bounds(&self) -> (DVector<f64>, DVector<f64>) {
        (DVector::from_element(2, f64::NEG_INFINITY), DVector::from_element(2, f64::INFINITY))
    }

    fn residual(&self, x: &DVector<f64>) -> DVector<f64> {
        self.jacobian(x) * x - DVector::from_row_slice(&[1.0, 0.5])
    }

    fn jacobian(&self, _x: &DVector<f64>) -> DMatrix<f64> {
        DMatrix::from_row_slice(2, 2, &[2.0, 1.0, 0.0, 1.0])
    }
}

fn all() -> [System; 7] {
    [
        System::Himmelblau,
        System::BullardBiegler,
        System::FerrarisTronconi,
        System::Brown,
        System::RobotKinematics,
        System::Chandrasekhar(20, 0.99),
        System::Chandrasekhar(30, 0.9999),
    ]
}

fn by(method: &str, problem: &Bounded) -> Solution {
    let entry = METHODS.iter().find(|entry| entry.name == method).unwrap();
    let mut solver = (entry.make)(problem, &OptionMap::new()).unwrap();
    solve(&mut *solver, problem, 300)
}

fn norm_at(problem: &Bounded, solution: &Solution) -> f64 {
    problem.equations.residual(&DVector::from_column_slice(&solution.values)).norm()
}

#[test]
fn an_affine_system_without_bounds_takes_one_newton_step() {
    let problem = Bounded::new(Box::new(Affine), DVector::from_row_slice(&[0.0, 0.2])).unwrap();
    let found = by("combined-scaling", &problem);
    assert!(found.is_converged() && found.iterations == 2, "{} {}", found.reason, found.iterations);
    assert!((found.values[0] - 0.25).abs() < 1e-15 && (found.values[1] - 0.5).abs() < 1e-15);
}

#[test]
fn jacobians_agree_with_differences() {
    for system in all() {
        let problem = system.from(0.4).unwrap();
        let x = &problem.start;
        let jacobian = system.jacobian(x);
        for j in 0..x.len() {
            let h = 1e-6;
            let (mut up, mut down) = (x.clone(), x.clone());
            up[j] += h;
            down[j] -= h;
            let slope = (system.residual(&up) - system.residual(&down)) / (2.0 * h);
            let error = (slope - jacobian.column(j)).norm();
            assert!(error < 1e-5 * (1.0 + jacobian.column(j).norm()), "{system:?} {j}: {error}");
        }
    }
}

#[test]
fn known_solutions_are_solutions() {
    let norm = |system: System, x: &[f64]| system.residual(&DVector::from_row_slice(x)).norm();
    assert!(norm(System::Himmelblau, &[3.0, 2.0]) < 1e-12);
    assert!(norm(System::FerrarisTronconi, &[0.5, std::f64::consts::PI]) < 1e-14);
    assert!(norm(System::FerrarisTronconi, &[0.299_45, 2.836_93]) < 2e-5);
    assert!(norm(System::Brown, &[1.0; 5]) < 1e-14);
}

#[test]
fn starts_of_the_sheet_are_solved() {
    // From all seven starts; the H-equation from those near its solution.
    for system in
        [System::Himmelblau, System::FerrarisTronconi, System::Brown, System::Chandrasekhar(20, 0.99)]
    {
        for method in ["combined-scaling", "coleman-li-scaling", "hager-scaling"] {
            let starts = if matches!(system, System::Chandrasekhar(..)) { &STARTS[..2] } else { &STARTS[..] };
            for &nu in starts {
                let problem = system.from(nu).unwrap();
                let found = by(method, &problem);
                assert!(
                    norm_at(&problem, &found) < 1e-6,
                    "{method} on {system:?} from {nu}: {}",
                    found.reason
                );
            }
        }
    }
}

#[test]
fn the_combination_solves_more_of_bullard_and_biegler() {
    let count = |method: &str| {
        let solved = |nu: &&f64| {
            let problem = System::BullardBiegler.from(**nu).unwrap();
            norm_at(&problem, &by(method, &problem)) < 1e-6
        };
        STARTS.iter().filter(solved).count()
    };
    let (combined, coleman_li) = (count("combined-scaling"), count("coleman-li-scaling"));
    assert!(combined >= coleman_li, "{combined} {coleman_li}");
}

#[test]
fn iterates_stay_inside_and_go_down() {
    for system in all() {
        let problem = system.from(0.25).unwrap();
        for spherical in [false, true] {
            let options = CombinedOptions { spherical, ..CombinedOptions::default() };
            let mut method = Combined::new(&problem, options).unwrap();
            let mut before = f64::INFINITY;
            for _ in 0..60 {
                let step = method.iterate(&problem).unwrap();
                let x = method.values();
                assert!(
                    (0..x.len()).all(|i| problem.lower[i] < x[i] && x[i] < problem.upper[i]),
                    "{system:?}"
                );
                assert!(step.residual <= before, "{system:?}: {} after {before}", step.residual);
                before = step.residual;
                if step.done.is_some() {
                    break;
                }
            }
        }
    }
}

#[test]
fn near_a_solution_inside_convergence_is_quadratic() {
    let problem = Bounded::new(Box::new(System::Himmelblau), DVector::from_row_slice(&[2.9, 2.1])).unwrap();
    let residuals = by("combined-scaling", &problem).residuals;
    let last = &residuals[residuals.len() - 3..];
    assert!(
        last[1] < 0.2 * last[0].powi(2).max(1e-3) && last[2] < 0.2 * last[1].powi(2).max(1e-12),
        "{residuals:?}"
    );
}

#[test]
fn the_way_to_the_bounds_ignores_what_leads_to_none() {
    let vector = |x: &[f64]| DVector::from_row_slice(x);
    let inf = f64::INFINITY;
    let found = way(
        &vector(&[0.0; 3]),
        &vector(&[1.0, -2.0, 0.0]),
        &vector(&[-1.0, -inf, -1.0]),
        &vector(&[4.0, 1.0, 1.0]),
    );
    assert_eq!(found, 4.0);
}

#[test]
fn bad_starts_and_options_are_named() {
    let outside = Bounded::new(Box::new(System::Himmelblau), DVector::from_row_slice(&[0.0, 5.0]));
    assert!(outside.err().unwrap().to_string().contains("unknown 2"));
    let problem = System::Himmelblau.from(0.4).unwrap();
    let set = serde_json::json!({ "weights": { "coleman_li": 0.0, "hager": 0.0 } });
    let error = (METHODS[0].make)(&problem, set.as_object().unwrap()).err().unwrap().to_string();
    assert!(error.contains("weights"), "{error}");
}

use quire_core::Seeds;
use quire_optim::psgd::Group;
use quire_optim::{OptimizerOptions, PsgdOptions};

use super::lbfgs::{LbfgsDescent, LbfgsDescentOptions};
use super::objectives::{Rosenbrock, ill_conditioned};
use super::optimizer::{OptimizerDescent, OptimizerDescentOptions};
use super::psgd::{Pairs, PsgdDescent, PsgdDescentOptions};
use super::*;
use crate::solver::{Method, Solver, solve};
use crate::vectors::dot;

fn rosenbrock(pairs: usize, seed: u64) -> Descent {
    let objective = Box::new(Rosenbrock { pairs });
    Descent { start: vec![0.0; objective.dimension()], objective, seeds: Seeds::new(seed) }
}

/// Derivatives against differences at a point.
fn check_derivatives(objective: &dyn Smooth, x: &[f64], v: &[f64]) {
    let n = objective.dimension();
    let (mut gradient, mut product, mut ahead, mut behind) =
        (vec![0.0; n], vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    objective.gradient(x, &mut gradient);
    objective.hessian_product(x, v, &mut product);
    let moved = |by: f64| -> Vec<f64> { x.iter().zip(v).map(|(x, v)| x + by * v).collect() };
    let step = 1e-5;
    let slope = (objective.value(&moved(step)) - objective.value(&moved(-step))) / (2.0 * step);
    assert!((slope - dot(&gradient, v)).abs() < 1e-6 * (1.0 + slope.abs()), "{slope}");
    objective.gradient(&moved(step), &mut ahead);
    objective.gradient(&moved(-step), &mut behind);
    for i in 0..n {
        let difference = (ahead[i] - behind[i]) / (2.0 * step);
        assert!((difference - product[i]).abs() < 1e-5 * (1.0 + difference.abs()), "{difference} at {i}");
    }
}

#[test]
fn derivatives_are_those_of_the_values() {
    check_derivatives(&Rosenbrock { pairs: 2 }, &[0.3, -0.7, 1.2, 0.9], &[0.5, 1.0, -0.3, 0.2]);
    let logistic = ill_conditioned(30, 4, 0.1, 1e-2, &mut Seeds::new(1).stream("rows"));
    check_derivatives(&logistic, &[0.3, -0.7, 1.2, 0.9], &[0.5, 1.0, -0.3, 0.2]);
    assert_eq!(Rosenbrock { pairs: 1 }.value(&[1.0, 1.0]), 0.0);
    assert_eq!(Rosenbrock { pairs: 1 }.value(&[0.0, 1.0]), 101.0);
}

/// f after each of `at` iterations of PSGD on Rosenbrock's function, learning rate 1, momentum 0.9.
fn psgd_path(pairs: usize, group: Group, fit_step: f64, at: &[u64]) -> Vec<f64> {
    let problem = rosenbrock(pairs, 0);
    let optimizer =
        PsgdOptions { learning_rate: 1.0, momentum: 0.9, fit_step, ..PsgdOptions::for_hessians(group) };
    let options = PsgdDescentOptions { tolerance: 0.0, optimizer, ..PsgdDescentOptions::default() };
    let mut solver = PsgdDescent::new(&problem, options).unwrap();
    let mut done = 0;
    at.iter()
        .map(|&until| {
            solve(&mut solver, &problem, until - done);
            done = until;
            problem.objective.value(&solver.values())
        })
        .collect()
}

#[test]
fn psgd_descends_rosenbrocks_function_as_fast_as_the_authors_code() {
    // On two unknowns the X-shaped group is all of GL(2): 2e-9 after 200 and 1e-22 after 500 iterations in a prototype.
    for group in [Group::XShaped, Group::Dense] {
        let path = psgd_path(1, group, 0.1, &[200, 500]);
        assert!(path[0] < 1e-5 && path[1] < 1e-16, "{group:?}: {path:?}");
    }
}

#[test]
fn a_hundred_unknowns_take_as_long_as_in_the_authors_example() {
    // A prototype's run of GL(n), one seed: 0.25, 2.5e-3 and 7e-9 after 500, 1000 and 2000 iterations.
    let path = psgd_path(50, Group::Dense, 0.5, &[500, 1000, 2000]);
    for (got, wanted) in path.iter().zip([0.25, 2.5e-3, 7e-9]) {
        assert!(*got < 3.0 * wanted && *got > wanted / 5.0, "{got}, about {wanted}");
    }
}

#[test]
fn differences_of_gradients_do_as_well_as_exact_products() {
    let problem = rosenbrock(1, 3);
    for pairs in [Pairs::Exact, Pairs::Differences] {
        let optimizer =
            PsgdOptions { learning_rate: 1.0, momentum: 0.9, ..PsgdOptions::for_hessians(Group::Dense) };
        let mut solver =
            PsgdDescent::new(&problem, PsgdDescentOptions { tolerance: 1e-8, pairs, optimizer }).unwrap();
        let found = solve(&mut solver, &problem, 600);
        assert!(found.is_converged(), "{pairs:?}: {}", found.reason);
        // A gradient and a product or a second gradient an iteration.
        assert_eq!(found.work, 2.0 * found.iterations as f64 - 1.0);
        assert!((found.values[0] - 1.0).abs() < 1e-6);
    }
}

#[test]
fn lbfgs_reaches_the_minimum_and_an_optimizer_takes_its_own_steps() {
    let problem = rosenbrock(3, 0);
    let mut lbfgs = LbfgsDescent::new(&problem, LbfgsDescentOptions::default()).unwrap();
    let found = solve(&mut lbfgs, &problem, 200);
    assert!(found.is_converged() && found.values.iter().all(|x| (x - 1.0).abs() < 1e-7), "{}", found.reason);
    // One step of plain descent from 0: the gradient is (-2, 0).
    let options = OptimizerDescentOptions {
        optimizer: OptimizerOptions::Sgd(quire_optim::SgdOptions {
            learning_rate: 0.25,
            ..Default::default()
        }),
        ..OptimizerDescentOptions::default()
    };
    let mut sgd = OptimizerDescent::new(&problem, options).unwrap();
    assert_eq!(solve(&mut sgd, &problem, 1).values, [0.5, 0.0, 0.5, 0.0, 0.5, 0.0]);
}

//! Sweeps and their transposes against matrices, gradients against differences and against the forward mode, guesses that are learned.

use quire_core::Seeds;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::adjoint::Rollout;
use super::meta_guess::{Aim, GuessObjective, MetaGuess, MetaGuessOptions};
use super::poisson::{POINTS, Poisson};
use super::problems::{CAP, Kind, counts};
use super::relaxation::{Relaxation, Sweep};
use super::*;
use crate::learned::dual::Dual;
use crate::learned::objective::{Counter, Objective};
use crate::problem::World;
use crate::solver::{Method, Solver, solve};

const SWEEPS: [(Sweep, f64); 2] = [(Sweep::Jacobi, 0.9), (Sweep::RedBlack, 1.5)];

fn grids() -> Vec<Relaxation> {
    SWEEPS
        .into_iter()
        .flat_map(|(sweep, omega)| [Relaxation::line(9, sweep, omega), Relaxation::channel(5, sweep, omega)])
        .collect()
}

/// Normal numbers inside, 0 on the border.
fn random(grid: &Relaxation, seed: u64) -> Vec<f64> {
    let mut rng = Seeds::new(seed).stream("random");
    let mut x = vec![0.0; grid.len()];
    grid.inside(|i| x[i] = StandardNormal.sample(&mut rng));
    x
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

fn task(grid: &Relaxation, seed: u64) -> Task {
    let right = random(grid, seed);
    let mut solution = right.clone();
    grid.solve(&mut solution);
    let n = grid.len();
    Task::new(right, vec![0.0; n], solution, vec![0.0; n], 1.0)
}

#[test]
fn a_channels_matrix_by_hand() {
    // 3 by 3 cells inside: mirrors at the top, at the bottom and on the left take 1 each off the diagonal 4.
    let grid = Relaxation::channel(5, Sweep::Jacobi, 1.0);
    let mut diagonal = Vec::new();
    grid.inside(|i| {
        let mut unit = vec![0.0; 25];
        unit[i] = 1.0;
        let mut out = vec![0.0; 25];
        grid.times(&unit, &mut out);
        diagonal.push(out[i]);
        assert_eq!(
            out.iter().filter(|x| **x == -1.0).count(),
            [2, 3, 2, 3, 4, 3, 2, 3, 2][diagonal.len() - 1]
        );
    });
    assert_eq!(diagonal, [2.0, 3.0, 3.0, 3.0, 4.0, 4.0, 2.0, 3.0, 3.0]);
    // On a line: u = i (8 - i)/2 has second differences of -1.
    let line = Relaxation::line(9, Sweep::Jacobi, 1.0);
    let mut u = vec![1.0; 9];
    line.solve(&mut u);
    u.iter().enumerate().for_each(|(i, u)| assert!((u - (i * (8 - i)) as f64 / 2.0).abs() < 1e-12));
}

#[test]
fn a_solution_stays_and_every_sweep_comes_to_it() {
    for grid in grids() {
        let task = task(&grid, 1);
        let mut residual = vec![0.0; grid.len()];
        assert!(grid.residual(&task.right, &task.solution, &mut residual) < 1e-24);
        let (mut u, mut scratch) = (task.solution.clone(), vec![0.0; grid.len()]);
        grid.step(&task.right, &mut u, &mut scratch);
        assert!(task.error(&u) < 1e-14);
        let mut u = random(&grid, 2);
        (0..2000).for_each(|_| grid.step(&task.right, &mut u, &mut scratch));
        assert!(task.error(&u) < 1e-12, "{grid:?}");
    }
}

#[test]
fn a_transposed_sweep_is_the_transpose() {
    for grid in grids() {
        let zeros = vec![0.0; grid.len()];
        for seed in 0..5 {
            let (x, y) = (random(&grid, seed), random(&grid, 100 + seed));
            let (mut mx, mut my, mut scratch) = (x.clone(), y.clone(), zeros.clone());
            grid.step(&zeros, &mut mx, &mut scratch);
            grid.step_transposed(&mut my, &mut scratch);
            assert!((dot(&mx, &y) - dot(&x, &my)).abs() < 1e-13);
        }
    }
}

fn aims() -> [Aim; 6] {
    let counted = |tolerance: f64, cap, is_straight| Aim::Iterations {
        log_tolerance: tolerance.ln(),
        slope: 1.3,
        penalty: 10.0,
        cap,
        is_straight,
    };
    [
        Aim::Error { horizon: 0 },
        Aim::Error { horizon: 5 },
        Aim::Residual { horizon: 0 },
        Aim::Residual { horizon: 7 },
        counted(1e-3, 1000, false),
        counted(1e-3, 6, false),
    ]
}

#[test]
fn gradients_by_the_guess_are_difference_quotients() {
    let mut rollout = Rollout::default();
    for grid in grids() {
        let task = task(&grid, 3);
        let guess = random(&grid, 4);
        for aim in aims() {
            rollout.run(&grid, &task, &guess, &aim);
            let exact = rollout.gradient.clone();
            let mut along = |i: usize, by: f64| {
                let mut moved = guess.clone();
                moved[i] += by;
                rollout.run(&grid, &task, &moved, &aim).0
            };
            grid.inside(|i| {
                let quotient = (along(i, 1e-6) - along(i, -1e-6)) / 2e-6;
                assert!(
                    (exact[i] - quotient).abs() <= 1e-6 * (1.0 + quotient.abs()),
                    "{aim:?}: {} {quotient}",
                    exact[i]
                );
            });
        }
    }
}

#[test]
fn the_way_back_has_the_gradients_of_the_way_forward() {
    let mut rollout = Rollout::default();
    for grid in grids() {
        let (task, guess) = (task(&grid, 5), random(&grid, 6));
        let mut inside = Vec::new();
        grid.inside(|i| inside.push(i));
        let mut u: Vec<Dual<9>> = guess.iter().map(|&x| x.into()).collect();
        inside.iter().take(9).enumerate().for_each(|(k, &i)| u[i] = Dual::parameter(guess[i], k));
        let mut scratch = u.clone();
        for (objective, is_straight) in [(Objective::Iterations, true), (Objective::SigmoidIterations, false)]
        {
            for cap in [5, 500] {
                let (tolerance, penalty, slope) = (1e-4_f64, 7.0, 0.8);
                let mut counter = Counter::<9>::new(objective, tolerance, slope);
                let mut u = u.clone();
                for iteration in 0..=cap {
                    let residual = {
                        use crate::learned::dual::Number;
                        grid.square(&task.right, &u).sqrt() / task.right_size.into()
                    };
                    if iteration == cap {
                        counter.end(residual);
                    } else if !counter.add(residual) {
                        break;
                    }
                    grid.step(&task.right, &mut u, &mut scratch);
                }
                let forward = counter.total(penalty);
                let aim = Aim::Iterations { log_tolerance: tolerance.ln(), slope, penalty, cap, is_straight };
                let (loss, count) = rollout.run(&grid, &task, &guess, &aim);
                assert_eq!(count, counter.count);
                assert!((loss - forward.value).abs() < 1e-10 * forward.value);
                for (&i, slope) in inside.iter().zip(forward.slopes) {
                    assert!((rollout.gradient[i] - slope).abs() < 1e-9 * (1.0 + slope.abs()));
                }
            }
        }
    }
}

#[test]
fn poissons_tasks_are_solved_by_their_solutions_and_slowest_where_smooth() {
    let poisson = Poisson::new(Sweep::RedBlack, 3, Seeds::new(1));
    for task in poisson.tests() {
        let found = counts(&poisson, task, &task.solution);
        assert_eq!(found.iterations, [0; 3]);
        assert!(found.errors.iter().all(|&error| error < 1e-9));
        assert!(task.features.iter().map(|x| f64::from(x * x)).sum::<f64>() / POINTS as f64 - 1.0 < 1e-3);
        let from_nothing = counts(&poisson, task, &task.start);
        assert!(from_nothing.errors[0] == 1.0 && from_nothing.iterations[0] > 10);
        assert!(from_nothing.iterations.is_sorted() && from_nothing.iterations[2] <= CAP);
        // A guess that is off by the smoothest sine hardly gains from 64 sweeps: the error falls by its eigenvalue, nearly 1.
        let mut smooth = task.solution.clone();
        let sine = |i: usize| (std::f64::consts::PI * i as f64 / (POINTS - 1) as f64).sin();
        smooth.iter_mut().enumerate().for_each(|(i, u)| *u += task.size * sine(i) / 16.0);
        let found = counts(&poisson, task, &smooth);
        assert!(found.errors[2] > 0.98 * found.errors[0]);
    }
}

/// Options for a run of a second.
fn small() -> MetaGuessOptions {
    MetaGuessOptions { channels: 2, batch_size: 4, cap: 100, ..MetaGuessOptions::default() }
}

#[test]
fn a_guess_that_is_trained_through_the_solver_is_nearer_after_it() {
    let (training, ()) = Kind::Pressure.draw(0).unwrap();
    let options = MetaGuessOptions {
        objective: GuessObjective::Error,
        horizon: 16,
        channels: 4,
        batch_size: 8,
        ..MetaGuessOptions::default()
    };
    let mut solver = MetaGuess::new(&training, options).unwrap();
    let told = |solver: &MetaGuess| Kind::Pressure.measure(&training, &(), &solver.values());
    let before = told(&solver);
    assert_eq!(before, Kind::Pressure.measure(&training, &(), &[0.0]), "at first the guess is the default");
    solve(&mut solver, &training, 60);
    let after = told(&solver);
    let error = |told: &[(&str, f64)]| told.iter().find(|(name, _)| *name == "error_16").unwrap().1;
    assert!(error(&after) < 0.8 * error(&before), "{after:?} after {before:?}");
}

#[test]
fn a_run_that_is_resumed_goes_on_as_it_was() {
    let (training, ()) = Kind::Poisson.draw(5).unwrap();
    let mut whole = MetaGuess::new(&training, small()).unwrap();
    let mut first = MetaGuess::new(&training, small()).unwrap();
    solve(&mut whole, &training, 4);
    solve(&mut first, &training, 2);
    let mut second = MetaGuess::new(&training, small()).unwrap();
    second.restore(&first.save()).unwrap();
    solve(&mut second, &training, 2);
    assert_eq!(whole.values(), second.values());
    assert_eq!(whole.work(), second.work());
}

#[test]
fn numbers_that_are_no_rule_and_options_that_do_not_fit_are_refused() {
    let (training, ()) = Kind::Pressure.draw(0).unwrap();
    let fields = &*training.fields;
    let rule = MetaGuess::new(&training, small()).unwrap().values();
    assert!(Rule::from_values(fields, &rule).is_ok() && Rule::from_values(fields, &[0.0]).is_ok());
    let mut rng = Seeds::new(0).stream("cut");
    let cut = rng.random_range(3..rule.len());
    for wrong in [
        &[][..],
        &[1.0],
        &[2.0, 5.0],
        &rule[..cut],
        &[&[65.0], &rule[1..]].concat(),
        &[&[2.0, 4.0], &rule[2..]].concat(),
    ] {
        assert!(Rule::from_values(fields, wrong).is_err());
    }
    let even = MetaGuessOptions { kernel: Some(4), ..small() };
    assert!(MetaGuess::new(&training, even).err().unwrap().to_string().contains("kernel"));
}

//! Counts and surrogates by hand, derivatives by differences, optima by theory; what training comes to.

use quire_core::{OptionMap, Seeds, options};
use quire_kernels::Float;
use quire_nn::Scratch;

use super::dual::{Dual, Number};
use super::fixed_factor::{FixedFactor, FixedFactorOptions};
use super::guesses::{GuessedRobertson, Poisson};
use super::meta_solver::{MetaSolver, MetaSolverOptions};
use super::objective::{Counter, Objective, logarithm, sigmoid_slope, straight_through_slope};
use super::preconditioned::Medium;
use super::problems::{Kind, judge};
use super::tasks::{ReactionDiffusion, Residual, Robertson, counts, fixed, newton_sor_step, young_factor};
use super::*;
use crate::problem::World;
use crate::solver::{Method, Solver, solve};

const SURROGATES: [Objective; 2] = [Objective::Iterations, Objective::SigmoidIterations];

/// What a surrogate makes of residuals L_0 r^k, with the derivative by r.
fn geometric(objective: Objective, first: f64, rate: f64, tolerance: f64) -> Counter<1> {
    let mut counter = Counter::new(objective, tolerance, 1.0);
    let mut residual = Dual::from(first);
    while counter.add(residual) {
        residual = residual * Dual::parameter(rate, 0);
    }
    counter
}

#[test]
fn the_surrogate_is_the_true_count() {
    for (first, rate, tolerance) in
        [(1.0, 0.5, 1e-6), (3.0, 0.9, 1e-3), (1.0, 0.99, 1e-8), (1e-7, 0.5, 1e-6), (1.0, 0.1, 0.5)]
    {
        let ratio: f64 = first / tolerance;
        let expected = (ratio.ln() / (1.0_f64 / rate).ln()).ceil().max(0.0);
        let counter = geometric(Objective::Iterations, first, rate, tolerance);
        assert_eq!(counter.sum.value, expected, "{first} {rate} {tolerance}");
        assert_eq!(counter.count as f64, expected);
        assert_eq!(counter.total(100.0).value, expected, "who has converged pays no penalty");
    }
}

#[test]
fn the_straight_through_derivative_is_0_below_the_tolerance_and_a_sigmoids_above() {
    let log_tolerance = 1e-6_f64.ln();
    for slope in [0.5, 1.0, 3.0] {
        assert_eq!(straight_through_slope(log_tolerance - 1e-9, log_tolerance, slope), 0.0);
        assert_eq!(straight_through_slope(log_tolerance, log_tolerance, slope), 0.0);
        let just_above = straight_through_slope(log_tolerance + 1e-9, log_tolerance, slope);
        assert!((just_above - 0.25 * slope).abs() < 1e-9, "{just_above}");
        let above = straight_through_slope(log_tolerance + 2.0, log_tolerance, slope);
        let y = 1.0 / (1.0 + (-2.0 * slope).exp());
        assert!((above - slope * y * (1.0 - y)).abs() < 1e-15);
    }
    assert_eq!(sigmoid_slope(0.0), 0.25);
}

#[test]
fn the_plain_sigmoid_has_the_derivative_of_its_value() {
    let value = |rate| geometric(Objective::SigmoidIterations, 2.0, rate, 1e-4).total(100.0);
    let exact = value(0.8).slopes[0];
    let quotient = (value(0.8 + 1e-6).value - value(0.8 - 1e-6).value) / 2e-6;
    assert!((exact - quotient).abs() < 1e-4 * exact, "{exact} {quotient}");
    // By hand: one iteration above the tolerance, x = ln 2 - ln 1 = ln 2, so the sigmoid is 2/3.
    let mut counter = Counter::new(Objective::SigmoidIterations, 1.0, 1.0);
    assert!(counter.add(Dual::<1>::parameter(2.0, 0)));
    assert!(!counter.add(Dual::parameter(0.5, 0)));
    assert!((counter.sum.value - 2.0 / 3.0).abs() < 1e-14);
    assert!((counter.sum.slopes[0] - 2.0 / 9.0 / 2.0).abs() < 1e-14);
}

#[test]
fn a_capped_run_pays_for_its_last_residual() {
    for objective in SURROGATES {
        let mut counter = Counter::new(objective, 0.1, 1.0);
        counter.add(Dual { value: 4.0, slopes: [1.0] });
        let before = counter.sum;
        counter.end(Dual { value: 2.1, slopes: [3.0] });
        let total = counter.total(100.0);
        assert!((total.value - before.value - 200.0).abs() < 1e-12);
        assert!((total.slopes[0] - before.slopes[0] - 300.0).abs() < 1e-12);
        assert_eq!(counter.count, 1);
    }
}

#[test]
fn the_error_objective_serves_the_slow_task_whatever_it_costs_the_fast_one() {
    // Two tasks whose solution is 0 and 1, started from θ: residuals |θ - t| r^k with r = 0.99 and 0.1.
    let (slow, fast, tolerance) = ((0.0, 0.99_f64), (1.0, 0.1_f64), 1e-6_f64);
    let error = |theta: f64, m: i32| {
        let of = |(t, r): (f64, f64)| ((theta - t).abs() * r.powi(m)).powi(2);
        of(slow) + of(fast)
    };
    // The least squares are at the mean of 0 and 1 with weights r^(2m).
    for m in [5, 20] {
        let weights = [slow, fast].map(|(_, r)| r.powi(2 * m));
        let best = weights[1] / (weights[0] + weights[1]);
        assert!(error(best, m) < error(best + 1e-3, m) && error(best, m) < error(best - 1e-3, m));
        assert!(
            best < 1e-9 * (1.0 + if m == 5 { 1e1 } else { 0.0 }),
            "{m}: at the slow task's solution: {best:e}"
        );
    }
    let count = |theta: f64, (t, r): (f64, f64)| {
        let distance = (theta - t).abs();
        if distance <= tolerance {
            0.0
        } else {
            geometric(Objective::Iterations, distance, r, tolerance).sum.value
        }
    };
    // At the slow task's solution it needs nothing, and the fast one ln 10⁶/ln 10 = 6 iterations (from a little less, for the sake of rounding); half way
    // between, the slow one needs 1306.
    assert_eq!((count(0.0, slow), count(1e-9, fast)), (0.0, 6.0));
    assert_eq!((count(0.5, slow), count(0.5, fast)), (1306.0, 6.0));
    // Were the fast task the one that is slow to be judged, it would be left where it is: its error never speaks.
    assert_eq!((count(1.0, slow), count(1.0, fast)), (1375.0, 0.0));
}

#[test]
fn youngs_factor_for_the_equation() {
    let tasks = ReactionDiffusion::new(1, Seeds::new(0));
    // 32 and 562 are 10^1.5 and 10^2.75, rounded.
    for (power, expected) in [(-1.0, 1.821), (1.5, 1.668), (2.75, 1.231), (4.0, 1.007)] {
        let c = 10.0_f64.powf(power);
        let best = tasks.best(&[c, 1.0, 0.0]).unwrap()[0];
        assert!((best - expected).abs() < 6e-4, "{c}: {best}");
    }
    assert_eq!(young_factor(0.0), 1.0);
}

#[test]
fn derivatives_through_the_solvers_are_difference_quotients() {
    let robertson = Robertson::new(2, Seeds::new(1));
    let guessed = GuessedRobertson(robertson.clone());
    let diffusion = ReactionDiffusion::new(3, Seeds::new(1));
    let poisson = Poisson::new(1, Seeds::new(1));
    let medium = Medium::new(2, Seeds::new(1));
    let mut guess = fixed(1.5);
    (1..9).for_each(|k| guess[k] = 0.3 / k as f64 - 0.1);
    let mut shifted = fixed(1.1);
    shifted[1..4].copy_from_slice(&[-0.02, 0.5, 0.1]);
    let all: [(&dyn Tasks, &[f64], Parameters); 8] = [
        (&diffusion, &diffusion.tests()[0], fixed(1.3)),
        (&diffusion, &diffusion.tests()[2], fixed(1.7)),
        (&robertson, &robertson.tests()[40], fixed(1.2)),
        (&robertson, &robertson.tests()[170], fixed(1.05)),
        (&guessed, &guessed.tests()[40], shifted),
        (&poisson, &poisson.tests()[0], guess),
        (&medium, &medium.tests()[0], fixed(1.3)),
        (&medium, &medium.tests()[1], fixed(1.8)),
    ];
    for (tasks, task, at) in all {
        let heads = tasks.parameters();
        let residual = |parameters: &Parameters, k: u32| {
            let (mut last, mut at) = (0.0, 0);
            tasks.follow(task, &parameters[..heads], &mut |residual| {
                (last, at) = (residual, at + 1);
                at <= k
            });
            last
        };
        for k in [1, 3, 7] {
            let (mut last, mut seen) = (Residual::from(0.0), 0);
            tasks.follow_dual(task, &at[..heads], &mut |residual| {
                (last, seen) = (residual, seen + 1);
                seen <= k
            });
            assert_eq!(last.value, residual(&at, k), "the same numbers");
            // A factor that is not chosen has no derivative.
            let chosen = (0..heads).filter(|&index| tasks.parameter(index, 0.3).1 != 0.0);
            for index in chosen {
                let moved = |by: f64| {
                    let mut parameters = at;
                    parameters[index] += by;
                    residual(&parameters, k)
                };
                let (quotient, slope) = ((moved(1e-7) - moved(-1e-7)) / 2e-7, last.slopes[index]);
                assert!((slope - quotient).abs() <= 1e-5 * quotient.abs() + 1e-8, "{slope} {quotient}");
            }
        }
    }
}

#[test]
fn what_perfect_training_for_each_objective_would_come_to() {
    // By a grid over ω for each task. Another program has 49 iterations for the best ω, 572 for ω = 1, 193 for ω = 1.5, and 122, 80 and 62 for the ω of the least
    // residual after 5, 10 and 20 iterations; a third, in C, agrees with this one that the last two are some 91 and 71.
    let tasks = ReactionDiffusion::new(200, Seeds::new(0));
    let count =
        |factor: &dyn Fn(&[f64]) -> f64| judge(&tasks, tasks.tests(), |task| fixed(factor(task))).0[1];
    let between = |low: f64, high: f64, x: f64| assert!(low < x && x < high, "{x} not in {low} to {high}");
    between(530.0, 630.0, count(&|_| 1.0));
    between(180.0, 210.0, count(&|_| 1.5));
    let grid: Vec<f64> = (0..100).map(|k| 1.0 + 0.01 * f64::from(k)).collect();
    let iterations = |task: &[f64], factor| counts(&tasks, task, &fixed(factor), 2000)[1];
    let best = count(&|task| {
        *grid.iter().min_by_key(|&&factor| iterations(task, factor)).expect("the grid has factors")
    });
    between(44.0, 54.0, best);
    let young = count(&|task| tasks.best(task).unwrap()[0]);
    between(best, 1.1 * best, young);
    let least_error = |m: usize| {
        count(&|task| {
            let error = |factor: f64| {
                let (mut last, mut at) = (0.0, 0);
                tasks.follow(task, &[factor], &mut |residual| {
                    (last, at) = (residual, at + 1);
                    at <= m
                });
                last
            };
            let errors: Vec<f64> = grid.iter().map(|&factor| error(factor)).collect();
            grid[(0..grid.len()).min_by(|&i, &j| errors[i].total_cmp(&errors[j])).expect("as above")]
        })
    };
    between(110.0, 140.0, least_error(5));
    between(82.0, 105.0, least_error(10));
    between(62.0, 80.0, least_error(20));
}

#[test]
fn an_implicit_step_keeps_the_sum_and_a_lower_triangle_is_one_step() {
    let robertson = Robertson::new(3, Seeds::new(2));
    for task in robertson.tests() {
        let before: f64 = task[..3].iter().sum();
        let y = Robertson::solve(task);
        assert!((before - 1.0).abs() < 1e-8 && (y.iter().sum::<f64>() - 1.0).abs() < 1e-8, "{task:?}");
        let size = Robertson::defect(task, y).iter().map(|f| f * f).sum::<f64>().sqrt();
        assert!(size < 1e-10, "{size:e}");
    }
    // F(y) = J y - b with J lower triangular, from anywhere, at ω = 1.
    let jacobian = [[2.0, 0.0, 0.0], [1.0, -4.0, 0.0], [-3.0, 0.5, 1.0]];
    let (y, right) = ([5.0, -1.0, 2.0], [2.0, 5.0, -7.0]);
    let defect = |y: [f64; 3]| -> [f64; 3] {
        std::array::from_fn(|i| (0..3).map(|j| jacobian[i][j] * y[j]).sum::<f64>() - right[i])
    };
    let next = newton_sor_step(&jacobian, defect(y), y, 1.0);
    assert_eq!(next, [1.0, -1.0, -3.5]);
    assert_eq!(defect(next), [0.0; 3]);
}

#[test]
fn newton_gauss_seidel_is_newton_with_the_upper_part_left_out() {
    let jacobian = [[2.0, 7.0, 1.0], [1.0, -4.0, 3.0], [-3.0, 0.5, 1.0]];
    let f = [1.0, 2.0, 3.0];
    let step = newton_sor_step(&jacobian, f, [0.0; 3], 1.0).map(|y| -y);
    let lower = nalgebra::Matrix3::from_fn(|i, j| if j <= i { jacobian[i][j] } else { 0.0 });
    let solved = lower.lu().solve(&nalgebra::Vector3::from(f)).unwrap();
    (0..3).for_each(|i| assert!((step[i] - solved[i]).abs() < 1e-14));
}

/// The mean count, and the rule, that a method comes to.
fn trained(kind: Kind, seed: u64, steps: u64, options: MetaSolverOptions) -> (f64, Training, Rule) {
    let (training, best) = kind.draw(seed).unwrap();
    let mut solver = MetaSolver::new(&training, options).unwrap();
    let found = solve(&mut solver, &training, steps);
    let count = kind.measure(&training, &best, &found.values)[0].1;
    let rule = Rule::from_values(&*training.tasks, &found.values).unwrap();
    (count, training, rule)
}

#[test]
fn training_for_iterations_comes_near_youngs_factors_and_training_for_the_error_does_not() {
    let steps = 300;
    let (count, training, rule) = trained(Kind::ReactionDiffusion, 0, steps, MetaSolverOptions::default());
    let tasks = &*training.tasks;
    let young = judge(tasks, tasks.tests(), |task| tasks.best(task).unwrap()).0[1];
    assert!(count < 1.1 * young, "{count} against {young}");
    let mut scratch = Scratch::new();
    for c in [0.1, 1.0, 10.0, 32.0, 100.0, 562.0, 1000.0, 1e4] {
        let task = [c, 1.0, 0.0];
        let (learned, best) = (rule.choose(tasks, &task, &mut scratch)[0], tasks.best(&task).unwrap()[0]);
        assert!((-0.02..0.12).contains(&(learned - best)), "c = {c}: {learned} where theory has {best}");
    }
    let for_the_error = MetaSolverOptions { objective: Objective::Error, ..MetaSolverOptions::default() };
    let (of_error, ..) = trained(Kind::ReactionDiffusion, 0, steps, for_the_error);
    assert!(of_error > 1.5 * count, "{of_error} against {count}");
}

#[test]
fn training_for_iterations_speeds_up_robertsons_reactions() {
    let options = MetaSolverOptions { cap: 500, ..MetaSolverOptions::default() };
    let (count, training, _) = trained(Kind::Robertson, 0, 100, options);
    let fixed = judge(&*training.tasks, training.tasks.tests(), |_| fixed(1.37)).0[1];
    assert!(count < 0.7 * fixed, "{count} against {fixed}");
}

#[test]
fn a_tolerance_is_tightened_to_the_one_that_is_wanted() {
    let (training, _) = Kind::ReactionDiffusion.draw(1).unwrap();
    let options = MetaSolverOptions {
        first_tolerance: Some(2e-3),
        tolerance: Some(1e-4),
        patience: 2,
        batch_size: 2,
        cap: 30,
        ..MetaSolverOptions::default()
    };
    let mut solver = MetaSolver::new(&training, options).unwrap();
    let mut seen = Vec::new();
    for _ in 0..200 {
        solver.iterate(&training).unwrap();
        seen.push(solver.told()[1].1);
    }
    seen.dedup();
    assert_eq!(seen.len(), 3);
    seen.iter().zip([2e-3, 2e-4, 1e-4]).for_each(|(a, b)| assert!((a - b).abs() < 1e-12 * b.max(1.0)));
}

#[test]
fn a_fixed_factor_is_the_best_of_its_list() {
    let (training, best) = Kind::ReactionDiffusion.draw(3).unwrap();
    let mut solver = FixedFactor::new(&training, FixedFactorOptions::default()).unwrap();
    let found = solve(&mut solver, &training, 100);
    assert!(found.is_converged() && found.iterations == 20);
    let count = Kind::ReactionDiffusion.measure(&training, &best, &found.values)[0].1;
    for factor in [1.0, 1.3, 1.9] {
        let mut values = found.values.clone();
        values[0] = factor;
        assert!(Kind::ReactionDiffusion.measure(&training, &best, &values)[0].1 > count);
    }
}

#[test]
fn a_run_that_is_resumed_goes_on_as_it_was() {
    let (training, _) = Kind::ReactionDiffusion.draw(5).unwrap();
    let options = MetaSolverOptions { cap: 50, batch_size: 4, ..MetaSolverOptions::default() };
    let mut whole = MetaSolver::new(&training, options.clone()).unwrap();
    let mut first = MetaSolver::new(&training, options.clone()).unwrap();
    solve(&mut whole, &training, 6);
    solve(&mut first, &training, 3);
    let mut second = MetaSolver::new(&training, options).unwrap();
    second.restore(&first.save()).unwrap();
    solve(&mut second, &training, 3);
    assert_eq!(whole.values(), second.values());
    assert_eq!(whole.work(), second.work());
}

#[test]
fn options_that_do_not_fit_are_named() {
    let (training, _) = Kind::Robertson.draw(0).unwrap();
    let refused = |options| MetaSolver::new(&training, options).err().expect("refused").to_string();
    let supervised = MetaSolverOptions { objective: Objective::Supervised, ..MetaSolverOptions::default() };
    assert!(refused(supervised).contains("objective"));
    let loose = MetaSolverOptions { first_tolerance: Some(1e-12), ..MetaSolverOptions::default() };
    assert!(refused(loose).contains("first_tolerance"));
    for factors in [vec![], vec![0.0], vec![1.0, 2.0], vec![f64::NAN]] {
        let options = FixedFactorOptions { factors, ..FixedFactorOptions::default() };
        assert!(FixedFactor::new(&training, options).is_err());
    }
    let set = OptionMap::from_iter([("cap".to_owned(), 0.into())]);
    assert!(
        options::resolve::<MetaSolverOptions>(&[&set]).and_then(|o| MetaSolver::new(&training, o)).is_err()
    );
    assert!(Rule::from_values(&*training.tasks, &[1.5]).is_err());
}

#[test]
fn duals_follow_the_rules_of_differentiation() {
    let x = Dual::parameter(3.0, 0);
    let y = (x * x + Dual::from(1.0)) / (x - Dual::from(1.0)); // (x² + 1)/(x - 1): 5, and (2x (x - 1) - (x² + 1))/(x - 1)² = 0.5
    assert_eq!(y, Dual { value: 5.0, slopes: [0.5] });
    assert_eq!((x * x).sqrt(), Dual { value: 3.0, slopes: [1.0] });
    assert_eq!((-x).clamp(-1.0, 2.0), Dual { value: -1.0, slopes: [0.0] });
    assert_eq!(x.clamp(-1.0, 4.0), x);
    // x eʸ at (3, 0).
    let both = Dual::<2>::parameter(3.0, 0) * Dual::parameter(0.0, 1).exp();
    assert_eq!(both, Dual { value: 3.0, slopes: [1.0, 3.0] });
    assert_eq!(both.among::<3>().slopes, [1.0, 3.0, 0.0]);
    assert!((logarithm(1.0) - 0.0).abs() < 1e-15 && Float::sigmoid(0.0_f64) == 0.5);
}

#[test]
fn the_best_guess_of_poissons_equation_is_its_solution() {
    let tasks = Poisson::new(3, Seeds::new(4));
    for task in tasks.tests() {
        assert_eq!(counts(&tasks, task, &tasks.best(task).unwrap(), 2000), [0; 3]);
        // Without one, the slowest sine decides: SOR at 1.5 has the spectral radius λ with (λ + 1/2)² = 1.5² λ cos²(πh), which is 0.971.
        let [loose, count, tight] = counts(&tasks, task, &fixed(1.5), 2000);
        let cosine = (std::f64::consts::PI / 32.0).cos();
        let root = 0.5 * (1.5 * cosine + (2.25 * cosine * cosine - 2.0).sqrt());
        let decade = 10.0_f64.ln() / -(root * root).ln();
        assert!(((tight - count) as f64 - 2.0 * decade).abs() <= 2.0, "{loose} {count} {tight} {decade}");
    }
    // One sine by hand: a = 1 for k = 2 needs p = 1/4, but for the grid.
    let mut task = vec![0.0; 8];
    task[1] = 1.0;
    let best = tasks.best(&task).unwrap();
    assert!((best[2] - 0.25).abs() < 1e-3 && best[1] == 0.0 && best[0] == 1.5, "{best:?}");
}

#[test]
fn conjugate_gradients_end_after_as_many_steps_as_there_are_unknowns() {
    let tasks = Medium::new(20, Seeds::new(4));
    for task in tasks.tests() {
        for factor in [1.0, 1.5, 1.9] {
            let [loose, count, tight] = counts(&tasks, task, &fixed(factor), 2000);
            assert!(loose <= count && count <= tight && tight <= 80, "{loose} {count} {tight}");
        }
    }
    // Where reaction dominates, the preconditioner at ω = 1 is nearly the matrix.
    let mut task = tasks.tests()[0].clone();
    (task[0], task[1]) = (1e6, 0.0);
    assert!(counts(&tasks, &task, &fixed(1.0), 2000)[1] <= 2);
}

#[test]
fn a_guess_that_is_learned_saves_iterations() {
    let kind = Kind::Poisson;
    let options = MetaSolverOptions { cap: 700, ..MetaSolverOptions::default() };
    let (count, training, _) = trained(kind, 0, 60, options);
    let without = judge(&*training.tasks, training.tasks.tests(), |_| fixed(1.5)).0[1];
    assert!(count < 0.95 * without, "{count} against {without}");
    // A guess of 0 is what Robertson's reactions start from without one.
    let (training, _) = Kind::GuessedRobertson.draw(0).unwrap();
    let plain = Kind::Robertson.draw(0).unwrap().0;
    for task in training.tasks.tests().iter().step_by(97) {
        let both = [&training, &plain].map(|training| counts(&*training.tasks, task, &fixed(1.2), 2000));
        assert_eq!(both[0], both[1]);
    }
}

#[test]
fn a_preconditioner_that_is_learned_saves_iterations() {
    let (count, training, _) = trained(Kind::Medium, 0, 100, MetaSolverOptions::default());
    let gauss_seidel = judge(&*training.tasks, training.tasks.tests(), |_| fixed(1.0)).0[1];
    assert!(count < 0.9 * gauss_seidel, "{count} against {gauss_seidel}");
}

#[test]
fn without_a_guess_only_the_factor_is_learned() {
    let options = MetaSolverOptions { cap: 200, batch_size: 8, ..MetaSolverOptions::default() };
    let both = trained(Kind::GuessedRobertson, 1, 5, options.clone());
    let alone = trained(Kind::GuessedRobertson, 1, 5, MetaSolverOptions { guess: false, ..options });
    let mut scratch = Scratch::new();
    let task = &both.1.tasks.tests()[150];
    let mut choose =
        |(_, training, rule): &(f64, Training, Rule)| rule.choose(&*training.tasks, task, &mut scratch);
    let (both, alone) = (choose(&both), choose(&alone));
    assert_eq!(alone[1..], [0.0; 8]);
    assert!(both[1..4].iter().all(|shift| *shift != 0.0) && both[4..] == [0.0; 5]);
    assert!(alone[0] > 1.0 && alone[0] != both[0]);
}

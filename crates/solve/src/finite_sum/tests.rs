use quire_core::Seeds;

use super::ai_sarah::{AiSarah, AiSarahOptions};
use super::components::{Logistic, Quadratics, TwoSided, sigmoid};
use super::order::Policy;
use super::sarah::{Sarah, SarahOptions};
use super::shuffling::{Averaging, Shuffling, ShufflingOptions};
use super::svrg::{Svrg, SvrgOptions};
use super::*;
use crate::solver::{Method, Solver, solve};
use crate::vectors::{dot, norm};

fn task(sum: impl FiniteSum + 'static, start: Vec<f64>, seed: u64) -> Task {
    Task { sum: Box::new(sum), start, seeds: Seeds::new(seed) }
}

fn logistic(seed: u64) -> Logistic {
    Logistic::draw([40, 4], 0.3, 0.01, &mut Seeds::new(seed).stream("rows"))
}

#[test]
fn derivatives_of_components_are_those_of_the_value() {
    let sum = logistic(1);
    let all: Vec<usize> = (0..sum.len()).collect();
    let (x, v) = ([0.4, -0.3, 0.8, 0.1], [0.5, 1.0, -0.7, 0.3]);
    let moved = |by: f64| -> Vec<f64> { x.iter().zip(&v).map(|(x, v)| x + by * v).collect() };
    let (mut gradient, mut product, mut ahead, mut behind) = ([0.0; 4], [0.0; 4], [0.0; 4], [0.0; 4]);
    sum.gradient(&x, &all, &mut gradient);
    let slope = (sum.value(&moved(1e-6)) - sum.value(&moved(-1e-6))) / 2e-6;
    assert!((slope - dot(&gradient, &v)).abs() < 1e-8);
    sum.hessian_product(&x, &all, &v, &mut product);
    sum.gradient(&moved(1e-6), &all, &mut ahead);
    sum.gradient(&moved(-1e-6), &all, &mut behind);
    for i in 0..4 {
        assert!(((ahead[i] - behind[i]) / 2e-6 - product[i]).abs() < 1e-8);
    }
    // The third derivative is that of the curvature along v.
    let curvature = |by: f64| {
        let mut product = [0.0; 4];
        sum.hessian_product(&moved(by), &all, &v, &mut product);
        dot(&product, &v)
    };
    let third = (curvature(1e-5) - curvature(-1e-5)) / 2e-5;
    assert!((third - sum.third_derivative(&x, &all, &v)).abs() < 1e-7);
    // The mean over a batch is the mean of its components.
    sum.gradient(&x, &[3, 7], &mut gradient);
    sum.gradient(&x, &[3], &mut ahead);
    sum.gradient(&x, &[7], &mut behind);
    assert!((0..4).all(|i| (gradient[i] - 0.5 * (ahead[i] + behind[i])).abs() < 1e-15));
}

#[test]
fn sparse_rows_are_as_sparse_as_they_should_be() {
    let sum = Logistic::draw_sparse([300, 200], 0.02, 0.0, &mut Seeds::new(6).stream("rows"));
    let count = |i: usize| {
        let mut gradient = vec![0.0; 200];
        sum.gradient(&[0.0; 200], &[i], &mut gradient);
        // At 0 the gradient is half of the row, which has length 1.
        assert!((norm(&gradient) - 0.5).abs() < 1e-14);
        gradient.iter().filter(|g| **g != 0.0).count()
    };
    let counts: Vec<usize> = (0..300).map(count).collect();
    assert!(counts.iter().all(|&count| count >= 1));
    // Four of 200 are expected, with a deviation of 0.11 of the mean of 300 rows.
    let mean = counts.iter().sum::<usize>() as f64 / 300.0;
    assert!((mean - 4.0).abs() < 0.6, "{mean}");
}

#[test]
fn xi_is_what_ai_sarah_says() {
    // ξ(α) = ‖∇f_S(w - α v) - ∇f_S(w) + v‖², its first two derivatives at 0 against differences.
    let sum = logistic(2);
    let (w, v, batch) = ([0.4, -0.3, 0.8, 0.1], [0.5, 1.0, -0.7, 0.3], [0, 5, 9]);
    let mut at = [0.0; 4];
    sum.gradient(&w, &batch, &mut at);
    let xi = |alpha: f64| {
        let moved: Vec<f64> = w.iter().zip(&v).map(|(w, v)| w - alpha * v).collect();
        let mut there = [0.0; 4];
        sum.gradient(&moved, &batch, &mut there);
        (0..4).map(|i| (there[i] - at[i] + v[i]).powi(2)).sum::<f64>()
    };
    let mut product = [0.0; 4];
    sum.hessian_product(&w, &batch, &v, &mut product);
    let slope = -2.0 * dot(&v, &product);
    let curvature = 2.0 * dot(&product, &product) + 2.0 * sum.third_derivative(&w, &batch, &v);
    let h = 1e-3;
    assert!(((xi(h) - xi(-h)) / (2.0 * h) - slope).abs() < 1e-6);
    assert!(((xi(h) - 2.0 * xi(0.0) + xi(-h)) / (h * h) - curvature).abs() < 1e-5);
}

#[test]
fn on_an_isotropic_quadratic_one_step_of_ai_sarah_is_the_solution() {
    let sum = Quadratics { centers: [1.0, 2.0].repeat(10), curvatures: vec![4.0; 20], dimension: 2 };
    let task = task(sum, vec![0.0; 2], 0);
    let options = AiSarahOptions { batch_size: 3, ..AiSarahOptions::default() };
    let (mut rule, mut state) = AiSarah::new(&task, options).unwrap();
    assert_eq!(rule.step(&task, &mut state).unwrap(), (10, None));
    assert_eq!(rule.step(&task, &mut state).unwrap(), (3, None));
    assert!((state.step_size - 0.25).abs() < 1e-15);
    assert!((state.w[0] - 1.0).abs() < 1e-14 && (state.w[1] - 2.0).abs() < 1e-14);
    // The next full gradient is zero: it says that it is done.
    let (gradients, done) = rule.step(&task, &mut state).unwrap();
    assert!(gradients == 10 && matches!(done, Some(Reason::Converged(_))));
}

#[test]
fn the_estimate_of_smoothness_is_a_running_average() {
    let sum = Quadratics::draw(30, 3, &mut Seeds::new(3).stream("draw"));
    for beta in [0.0, 1.0] {
        let task = task(sum.clone(), vec![0.0; 3], 1);
        let options = AiSarahOptions { batch_size: 1, beta, gamma: 1e-9, ..AiSarahOptions::default() };
        let (mut rule, mut state) = AiSarah::new(&task, options).unwrap();
        rule.step(&task, &mut state).unwrap();
        rule.step(&task, &mut state).unwrap();
        let first = state.step_size;
        for _ in 0..20 {
            let largest = 1.0 / state.delta;
            rule.step(&task, &mut state).unwrap();
            assert!(state.step_size <= largest * (1.0 + 1e-12));
            if beta == 1.0 {
                assert!((1.0 / state.delta - first).abs() < 1e-12);
            }
        }
    }
}

#[test]
fn with_whole_batches_recursive_gradients_are_exact() {
    let sum = logistic(4);
    let all: Vec<usize> = (0..40).collect();
    let task = task(sum, vec![0.1; 4], 2);
    let options = AiSarahOptions { batch_size: 40, gamma: 1e-6, ..AiSarahOptions::default() };
    let (mut rule, mut state) = AiSarah::new(&task, options).unwrap();
    for _ in 0..10 {
        rule.step(&task, &mut state).unwrap();
        let mut exact = [0.0; 4];
        task.sum.gradient(&state.w, &all, &mut exact);
        assert!(state.v.iter().zip(&exact).all(|(v, g)| (v - g).abs() < 1e-13));
    }
}

#[test]
fn untuned_ai_sarah_is_far_ahead_of_tuned_rivals() {
    let sum = Logistic::draw([2000, 50], 0.05, 1.0 / 2000.0, &mut Seeds::new(0).stream("components"));
    let task = task(sum, vec![0.0; 50], 5);
    let value = |mut solver: Box<dyn Solver<Task>>| {
        let found = solve(&mut *solver, &task, 20);
        task.sum.value(&found.values)
    };
    let best = value(Box::new(Passes::<AiSarah>::new(&task, AiSarahOptions::default()).unwrap()));
    let sarah = |step_size| {
        let options = SarahOptions { step_size, ..SarahOptions::default() };
        value(Box::new(Passes::<Sarah>::new(&task, options).unwrap())) - best
    };
    let svrg = |step_size| {
        let options = SvrgOptions { step_size, ..SvrgOptions::default() };
        value(Box::new(Passes::<Svrg>::new(&task, options).unwrap())) - best
    };
    // A prototype's run, another draw: SARAH's gaps are 1.6e-2, 9.4e-4 and 1.7e-6 at 1, 4 and 16.
    let gaps = [sarah(1.0), sarah(4.0), sarah(16.0)];
    assert!(gaps[0] > 1e-3 && gaps[1] > 1e-5 && gaps[2] > 1e-8, "{gaps:?}");
    assert!(gaps[0] > gaps[1] && gaps[1] > gaps[2]);
    assert!(svrg(1.0) > 1e-5);
}

#[test]
fn identical_components_make_all_orders_alike() {
    let sum = Quadratics { centers: vec![2.0; 12], curvatures: vec![1.0; 12], dimension: 1 };
    let policies = [
        Policy::Replacement,
        Policy::ShuffleOnce,
        Policy::RandomReshuffling,
        Policy::FlipFlop,
        Policy::Grab,
        Policy::GrabByChance,
        Policy::Herding,
    ];
    for order in policies {
        let task = task(sum.clone(), vec![0.0], 3);
        let options = ShufflingOptions { order, step_size: 0.1, ..ShufflingOptions::default() };
        let mut solver = Passes::<Shuffling>::new(&task, options).unwrap();
        let found = solve(&mut solver, &task, 3);
        assert!((found.values[0] - 2.0 * (1.0 - 0.9_f64.powi(36))).abs() < 1e-13, "{order:?}");
    }
}

#[test]
fn linear_components_bring_a_pass_back_to_its_start() {
    // Curvature 0: a pass moves by -η n times the mean gradient, which is 0, whatever the order.
    let sum = TwoSided { components: 10, left: 0.0, right: 0.0, slope: 0.7 };
    let task = task(sum, vec![1.0], 4);
    let mut solver = Passes::<Shuffling>::new(&task, ShufflingOptions::default()).unwrap();
    assert!((solve(&mut solver, &task, 5).values[0] - 1.0).abs() < 1e-14);
}

#[test]
fn averages_by_hand() {
    // One component x²/2 with η = 1/2: the ends of passes are 1/2, 1/4, 1/8, 1/16.
    let sum = Quadratics { centers: vec![0.0], curvatures: vec![1.0], dimension: 1 };
    let run = |averaging, passes| {
        let task = task(sum.clone(), vec![1.0], 0);
        let options = ShufflingOptions {
            order: Policy::Given,
            step_size: 0.5,
            averaging,
            ..ShufflingOptions::default()
        };
        let mut solver = Passes::<Shuffling>::new(&task, options).unwrap();
        solve(&mut solver, &task, passes).values[0]
    };
    assert_eq!(run(Averaging::Last, 3), 0.125);
    assert!((run(Averaging::Weighted, 3) - (0.5 + 2.0 * 0.25 + 3.0 * 0.125) / 6.0).abs() < 1e-15);
    // The tail of three passes begins with the second.
    assert!((run(Averaging::Tail, 3) - (0.25 + 0.125) / 2.0).abs() < 1e-15);
}

#[test]
fn reshuffling_is_biased_on_the_two_sided_function_and_more_passes_shrink_it() {
    let bias = |passes: u64| {
        let mean = (0..40)
            .map(|seed| {
                let sum = TwoSided { components: 64, left: 1.0, right: 0.1, slope: 1.0 };
                let task = task(sum, vec![0.0], seed);
                let step_size = 0.5 / passes as f64;
                let options = ShufflingOptions {
                    order: Policy::RandomReshuffling,
                    step_size,
                    ..ShufflingOptions::default()
                };
                let mut solver = Passes::<Shuffling>::new(&task, options).unwrap();
                solve(&mut solver, &task, passes).values[0]
            })
            .sum::<f64>();
        mean / 40.0
    };
    let (few, many) = (bias(40), bias(160));
    // The drift of a pass is about η √n: the bias is positive and falls with the step.
    assert!(few > 0.0 && many > 0.0 && many < 0.5 * few, "{few} and {many}");
}

/// Whatever rows a batch is worked on in groups of, dense or sparse: the bits are those of one row after another.
#[test]
fn a_gradient_adds_rows_in_the_order_of_the_batch() {
    const WIDTH: usize = 7;
    let mut rng = Seeds::new(4).stream("rows");
    let rows: Vec<f64> = (0..20 * WIDTH).map(|_| rng.random::<f64>() - 0.5).collect();
    let x: Vec<f64> = (0..WIDTH).map(|_| rng.random::<f64>()).collect();
    let starts = (0..=20).map(|row| row * WIDTH).collect();
    let places = (0..20).flat_map(|_| 0..WIDTH as u32).collect();
    let sparse = Logistic::sparse(starts, places, rows.clone(), WIDTH, 0.1);
    let dense = Logistic::new(rows.clone(), WIDTH, 0.1);
    for count in 1..=20 {
        let batch: Vec<usize> = (0..count).map(|i| (7 * i) % 20).collect();
        let mut wanted: Vec<f64> = x.iter().map(|x| 0.1 * x).collect();
        for &i in &batch {
            let row = &rows[i * WIDTH..(i + 1) * WIDTH];
            let z = row.iter().zip(&x).map(|(a, x)| a * x).sum::<f64>();
            let weight = -1.0 / count as f64 * sigmoid(-z);
            wanted.iter_mut().zip(row).for_each(|(out, a)| *out += weight * a);
        }
        let mut found = vec![0.0; WIDTH];
        sparse.gradient(&x, &batch, &mut found);
        assert_eq!(found, wanted, "{count} sparse rows");
        dense.gradient(&x, &batch, &mut found);
        assert!(found.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-15), "{count} dense rows");
    }
}

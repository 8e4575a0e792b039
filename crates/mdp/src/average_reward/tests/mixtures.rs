//! Mixtures of kernels: regression, confidence set and search against closed forms and brute force.

use std::sync::Arc;

use quire_core::Seeds;
use rand::RngExt;

use super::super::mixture_loop::{MixtureLoop, MixtureLoopOptions};
use super::super::mixtures::{Kernels, TargetRegression, most_rewarding, onto_simplex};
use super::super::ucrl2_vtr::{Ucrl2Vtr, Ucrl2VtrOptions};
use super::super::worlds::kernel_mixture;
use super::super::{Agent, Method, Setting};
use super::{last, live};
use crate::finite::FiniteMdp;

fn setting(kernels: Kernels) -> Setting {
    Setting {
        states: kernels.states(),
        actions: kernels.actions(),
        hypotheses: None,
        kernels: Some(Arc::new(kernels)),
        features: None,
        coordinates: None,
        seeds: Seeds::new(5),
    }
}

/// Two states, two actions. Action 0 stays; action 1 leads to the other state with probability 1 in kernel 0 and never in
/// kernel 1. State 1 pays 1.
fn gates() -> Kernels {
    let kernel = |p: f64| {
        let transitions = [1.0, 0.0, 1.0 - p, p, 0.0, 1.0, p, 1.0 - p];
        FiniteMdp::from_dense(2, 2, &transitions, vec![0.0, 0.0, 1.0, 1.0], vec![1.0, 0.0]).unwrap()
    };
    // A little of either in both, so that every mixture is one piece.
    Kernels::new(vec![kernel(0.9), kernel(0.1)]).unwrap()
}

#[test]
fn a_mixture_mixes_rows() {
    let kernels = gates();
    let mdp = kernels.mix(&[0.25, 0.75]).unwrap();
    assert_eq!(mdp.row(0, 1).0, [0, 1]);
    assert!((mdp.row(0, 1).1[1] - 0.3).abs() < 1e-12);
    let x = kernels.expectations(0, 1, &[0.0, 2.0]);
    assert!((x[0] - 1.8).abs() < 1e-12 && (x[1] - 0.2).abs() < 1e-12);
    let other =
        FiniteMdp::from_dense(2, 2, &[1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0], vec![0.5; 4], vec![1.0, 0.0]);
    assert!(Kernels::new(vec![kernels.mix(&[1.0, 0.0]).unwrap(), other.unwrap()]).is_err());
    assert!(Kernels::new(Vec::new()).is_err());
}

#[test]
fn the_excess_is_the_loss_over_that_of_the_best_rival() {
    let mut rng = Seeds::new(1).stream("steps");
    let mut regression = TargetRegression::new(2, 0.5);
    let steps: Vec<([f64; 2], f64)> = (0..30).map(|_| ([rng.random(), rng.random()], rng.random())).collect();
    steps.iter().for_each(|(x, y)| regression.add(x, *y));
    let loss = |w: &[f64]| {
        let squares: f64 = steps.iter().map(|(x, y)| (x[0] * w[0] + x[1] * w[1] - y).powi(2)).sum();
        squares + 0.5 * (w[0] * w[0] + w[1] * w[1])
    };
    let (center, _) = regression.fit().unwrap();
    for weights in [[1.0, 0.0], [0.3, 0.7], [0.0, 1.0]] {
        let excess = loss(&weights) - loss(&center);
        assert!((regression.excess(&weights, &center) - excess).abs() < 1e-9);
    }
    // The best of the simplex by a fine grid.
    let found = regression.least_in_simplex(&center);
    let best =
        (0..=10_000).map(|i| f64::from(i) / 1e4).map(|w| loss(&[w, 1.0 - w])).fold(f64::INFINITY, f64::min);
    assert!(loss(&found) <= best + 1e-9 && (found[0] + found[1] - 1.0).abs() < 1e-12);
    // ln det (λ I) = d ln λ before any step.
    assert!((TargetRegression::new(3, 0.5).log_determinant() - 3.0 * 0.5_f64.ln()).abs() < 1e-12);
}

#[test]
fn points_are_put_onto_the_simplex() {
    for (mut point, expected) in [
        (vec![0.5, 0.5], vec![0.5, 0.5]),
        (vec![2.0, 0.0], vec![1.0, 0.0]),
        (vec![0.6, 0.6, -1.0], vec![0.5, 0.5, 0.0]),
        (vec![0.0, 0.0, 0.0, 0.0], vec![0.25; 4]),
    ] {
        onto_simplex(&mut point);
        assert!(point.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12), "{point:?}");
    }
}

/// The search finds what a grid over the simplex of three kernels does.
#[test]
fn the_most_rewarding_mixture_is_found() {
    for seed in 0..4 {
        let (kernels, _) = kernel_mixture(seed).unwrap();
        let weights = |i: usize, j: usize, n: usize| {
            vec![i as f64 / n as f64, j as f64 / n as f64, 1.0 - (i + j) as f64 / n as f64]
        };
        let three = Kernels::new(
            (0..3)
                .map(|k| {
                    let vertex: Vec<f64> = (0..4).map(|i| f64::from(u8::from(i == k))).collect();
                    kernels.mix(&vertex).unwrap()
                })
                .collect(),
        )
        .unwrap();
        let mut regression = TargetRegression::new(3, 1.0);
        let mut rng = Seeds::new(seed).stream("steps");
        for _ in 0..40 {
            let values: Vec<f64> = (0..6).map(|_| rng.random()).collect();
            let (state, action) = (rng.random_range(0..6_usize), rng.random_range(0..3_usize));
            let x = three.expectations(state, action, &values);
            regression.add(&x, 0.5 * x[0] + 0.3 * x[1] + 0.2 * x[2]);
        }
        let (center, _) = regression.fit().unwrap();
        let deepest = regression.excess(&regression.least_in_simplex(&center), &center);
        for radius in [deepest + 0.05, deepest + 0.5, 1e6] {
            let mut best = f64::NEG_INFINITY;
            for i in 0..=60 {
                for j in 0..=60 - i {
                    let weights = weights(i, j, 60);
                    if regression.excess(&weights, &center) <= radius {
                        best = best.max(three.solve(&weights).unwrap().gain);
                    }
                }
            }
            let found = most_rewarding(&three, &regression, radius, None, 4, &mut rng).unwrap();
            assert!(regression.excess(&found.weights, &center) <= radius + 1e-6);
            assert!(found.gain > best - 1e-3, "seed {seed}, radius {radius}: {} for {best}", found.gain);
        }
    }
}

#[test]
fn what_it_hopes_for_is_no_less_than_the_truth_and_it_finds_the_weights() {
    let (kernels, truth) = kernel_mixture(1).unwrap();
    let optimum = kernels.solve(&truth).unwrap().gain;
    let mdp = kernels.mix(&truth).unwrap();
    let mut agent = MixtureLoop::new(&setting(kernels), MixtureLoopOptions::default()).unwrap();
    let paid =
        live(&mut agent, &mdp, 1, 3_000, |agent| assert!(agent.estimated_gain().unwrap() > optimum - 1e-3));
    assert!(paid / 3_000.0 > optimum - 0.05, "{} of {optimum}", paid / 3_000.0);
    assert!(agent.switches().unwrap() <= 12, "{:?}", agent.switches());
    assert!((agent.weights().iter().sum::<f64>() - 1.0).abs() < 1e-9);
}

/// A world that can be anything between its kernels: β = ∞ plays the greatest J for ever.
#[test]
fn without_a_bound_the_greatest_hope_is_played_for_ever() {
    let options = MixtureLoopOptions { beta: 1e12, ..MixtureLoopOptions::default() };
    let mut agent = MixtureLoop::new(&setting(gates()), options).unwrap();
    // Staying in state 1 pays 1 at every step in either kernel.
    let mdp = gates().mix(&[0.5, 0.5]).unwrap();
    live(&mut agent, &mdp, 2, 500, |agent| assert!(agent.estimated_gain().unwrap() > 1.0 - 1e-6));
    assert_eq!(agent.switches(), Some(0));
}

#[test]
fn pair_by_pair_it_hopes_for_more() {
    let (kernels, truth) = kernel_mixture(2).unwrap();
    let optimum = kernels.solve(&truth).unwrap().gain;
    let mdp = kernels.mix(&truth).unwrap();
    let mut agent = Ucrl2Vtr::new(&setting(kernels), Ucrl2VtrOptions::default()).unwrap();
    let paid = live(&mut agent, &mdp, 1, 5_000, |_| {});
    assert!(agent.estimated_gain().unwrap() > optimum - 0.05);
    assert!(paid / 5_000.0 > 0.8 * optimum, "{} of {optimum}", paid / 5_000.0);
    // The determinant of 4 dimensions doubles a few times in a life.
    assert!(agent.switches().unwrap() < 60);
}

#[test]
fn both_learn_on_the_problem() {
    for method in ["mixture-loop", "ucrl2-vtr"] {
        let found = last("kernel-mixture-4", method, &[], 3, 2_000);
        assert!(
            found("regret") < 0.5 * last("kernel-mixture-4", "random-policy", &[], 3, 2_000)("regret"),
            "{method}"
        );
    }
}

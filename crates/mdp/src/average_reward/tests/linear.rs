//! Linear action values: excess losses, confidence set and search against sums over all steps and brute force.

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use quire_core::Seeds;
use rand::RngExt;

use super::super::fopo::{Fopo, FopoOptions};
use super::super::linear_best_fit::{LinearBestFit, LinearBestFitOptions};
use super::super::linear_class::{LinearClass, LinearHypothesis, LinearSums, most_rewarding};
use super::super::linear_loop::{LinearLoop, LinearLoopOptions};
use super::super::local_fitted::Updates;
use super::super::worlds::goal_grid;
use super::super::{Agent, METHODS, Method, Setting};
use super::{last, live};
use crate::finite::FiniteMdp;
use crate::linear::{Features, dot};
use crate::solve::relative_value_iteration;
use crate::worlds::{mixture, river_swim};

fn setting(mdp: &FiniteMdp, features: &Features) -> Setting {
    Setting {
        states: mdp.states(),
        actions: mdp.actions(),
        hypotheses: None,
        kernels: None,
        features: Some(Arc::new(features.clone())),
        coordinates: None,
        seeds: Seeds::new(5),
    }
}

fn class(mdp: &FiniteMdp, features: &Features, ridge: f64) -> LinearClass {
    LinearClass::new(&setting(mdp, features), ridge, 4.0, "test").unwrap()
}

/// Random steps, each from a random pair.
fn steps(mdp: &FiniteMdp, count: usize, seed: u64) -> Vec<(usize, usize, f64, usize)> {
    let mut rng = Seeds::new(seed).stream("steps");
    let mut step = || {
        let (state, action) = (rng.random_range(0..mdp.states()), rng.random_range(0..mdp.actions()));
        (state, action, mdp.reward(state, action), mdp.sample_next(state, action, &mut rng))
    };
    (0..count).map(|_| step()).collect()
}

fn sums(class: &LinearClass, steps: &[(usize, usize, f64, usize)]) -> LinearSums {
    let mut sums = class.sums();
    steps.iter().for_each(|&(state, action, reward, next)| class.add(&mut sums, state, action, reward, next));
    sums
}

/// The hypothesis that solves Bellman's equation, its weights by least squares on all pairs.
fn truth(class: &LinearClass, mdp: &FiniteMdp, features: &Features) -> LinearHypothesis {
    let solution = relative_value_iteration(mdp, 1e-12, 1_000_000).unwrap();
    let d = features.dimension();
    let matrix = DMatrix::from_fn(features.pairs(), d, |pair, i| features.of(pair)[i]);
    let right = DVector::from_fn(features.pairs(), |pair, _| {
        let (state, action) = (pair / mdp.actions(), pair % mdp.actions());
        mdp.reward(state, action) + mdp.expectation(state, action, &solution.bias) - solution.gain
    });
    let weights = matrix.clone().svd(true, true).solve(&right, 1e-12).unwrap();
    assert!((&matrix * &weights - &right).amax() < 1e-9, "the MDP is not linear in its features");
    let mut weights = weights.as_slice().to_vec();
    // Of all shifts the one that the ridge minds least; features add up to 1.
    let mean = weights.iter().sum::<f64>() / d as f64;
    weights.iter_mut().for_each(|weight| *weight -= mean);
    let hypothesis = class.hypothesis(solution.gain, weights);
    for (value, bias) in hypothesis.values.iter().zip(&solution.bias) {
        assert!((value - bias - hypothesis.values[0] + solution.bias[0]).abs() < 1e-9);
    }
    hypothesis
}

#[test]
fn excess_losses_are_those_of_sums_over_all_steps() {
    let (mdp, features) = mixture(6, 3, 4, 1).unwrap();
    let ridge = 0.7;
    let class = class(&mdp, &features, ridge);
    let steps = steps(&mdp, 60, 2);
    let sums = sums(&class, &steps);
    let gram = class.factor(&sums).unwrap();
    let mut rng = Seeds::new(3).stream("weights");
    for _ in 0..10 {
        let weights: Vec<f64> = (0..4).map(|_| rng.random_range(-1.0..1.0)).collect();
        let f = class.hypothesis(rng.random(), weights);
        for state in 0..6 {
            let q: Vec<f64> = (0..3).map(|action| dot(features.of(state * 3 + action), &f.weights)).collect();
            assert_eq!(f.values[state], q.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            assert_eq!(q[f.policy[state]], f.values[state]);
        }
        // L(f, g) with the ridge on g's weights.
        let loss = |gain: f64, weights: &[f64]| -> f64 {
            let residual = |&(state, action, reward, next): &(usize, usize, f64, usize)| {
                dot(features.of(state * 3 + action), weights) + gain - reward - f.values[next]
            };
            steps.iter().map(|step| residual(step).powi(2)).sum::<f64>() + ridge * dot(weights, weights)
        };
        // The best rival: least squares on rows (1, φ), and √λ e_i for the ridge.
        let rows = steps.len() + 4;
        let matrix = DMatrix::from_fn(rows, 5, |row, column| match steps.get(row) {
            Some(_) if column == 0 => 1.0,
            Some(step) => features.of(step.0 * 3 + step.1)[column - 1],
            None => f64::from(u8::from(row - steps.len() + 1 == column)) * ridge.sqrt(),
        });
        let right =
            DVector::from_fn(rows, |row, _| steps.get(row).map_or(0.0, |step| step.2 + f.values[step.3]));
        let rival = matrix.svd(true, true).solve(&right, 1e-12).unwrap();
        let least = loss(rival[0], &rival.as_slice()[1..]);
        let excess = loss(f.gain, &f.weights) - least;
        assert!((class.excess(&sums, &gram, &f) - excess).abs() < 1e-9);
        // The greatest gain that a radius allows has that excess.
        let judgement = class.judge(&sums, &gram, &f);
        let radius = judgement.least + 0.5;
        let gain = judgement.greatest_gain(radius).unwrap();
        assert!((loss(gain, &f.weights) - least - radius).abs() < 1e-9);
        assert!(gain > judgement.mean && judgement.greatest_gain(0.9 * judgement.least).is_none());
    }
}

/// Features that add up to 1 hold the constant: values may be shifted by it, and only by it.
#[test]
fn a_shift_of_all_values_changes_nothing() {
    let (mdp, features) = mixture(6, 3, 4, 1).unwrap();
    let class = class(&mdp, &features, 1e-9);
    let sums = sums(&class, &steps(&mdp, 60, 2));
    let gram = class.factor(&sums).unwrap();
    let excess = |weights: [f64; 4]| class.excess(&sums, &gram, &class.hypothesis(0.4, weights.to_vec()));
    let before = excess([0.1, -0.2, 0.3, 0.4]);
    assert!((excess([1.1, 0.8, 1.3, 1.4]) - before).abs() < 1e-6);
    assert!((excess([1.1, -0.2, 0.3, 0.4]) - before).abs() > 1e-3);
}

#[test]
fn the_truth_has_no_loss_in_a_deterministic_world() {
    let mdp = goal_grid(3).unwrap();
    let features = Features::one_hot(45);
    let class = class(&mdp, &features, 0.01);
    let truth = truth(&class, &mdp, &features);
    assert!((truth.gain - 0.2).abs() < 1e-9);
    let mut agent = LinearLoop::new(
        &setting(&mdp, &features),
        LinearLoopOptions { beta: 0.5, ridge: 0.01, ..LinearLoopOptions::default() },
    )
    .unwrap();
    live(&mut agent, &mdp, 0, 300, |agent: &LinearLoop| {
        if agent.sums().steps() > 0 {
            let gram = class.factor(agent.sums()).unwrap();
            // Nothing but the ridge.
            let least = 0.01 * dot(&truth.weights, &truth.weights);
            assert!(class.excess(agent.sums(), &gram, &truth) < least + 1e-9);
        }
    });
}

/// With its own data the truth stays within a radius of the theory's order, and far below what is false.
#[test]
fn the_truths_excess_loss_stays_small() {
    for seed in 0..5 {
        let (mdp, features) = mixture(20, 4, 5, seed).unwrap();
        let class = class(&mdp, &features, 1.0);
        let truth = truth(&class, &mdp, &features);
        let mut sums = class.sums();
        let mut greatest = 0.0_f64;
        for &(state, action, reward, next) in &steps(&mdp, 20_000, seed) {
            class.add(&mut sums, state, action, reward, next);
            let gram = class.factor(&sums).unwrap();
            greatest = greatest.max(class.excess(&sums, &gram, &truth));
        }
        let span = truth.values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
            - truth.values.iter().copied().fold(f64::INFINITY, f64::min);
        // d ln T times the square of the span, and the ridge's part.
        let bound = 5.0 * 20_000_f64.ln() * span.powi(2) + dot(&truth.weights, &truth.weights);
        assert!(greatest < bound, "seed {seed}: {greatest}, {bound}");
        let gram = class.factor(&sums).unwrap();
        let false_one = class.hypothesis(truth.gain + 0.1, truth.weights.clone());
        assert!(class.excess(&sums, &gram, &false_one) > 100.0);
    }
}

/// The search finds what a grid over two free weights does; the third only shifts.
#[test]
fn the_most_rewarding_values_are_found() {
    for seed in 0..4 {
        let (mdp, features) = mixture(5, 3, 3, seed).unwrap();
        let class = class(&mdp, &features, 1e-6);
        let sums = sums(&class, &steps(&mdp, 100, seed));
        let gram = class.factor(&sums).unwrap();
        for radius in [0.1, 0.5, 2.0] {
            let mut best = f64::NEG_INFINITY;
            for i in -150..=150 {
                for j in -150..=150 {
                    let weights = vec![0.0, f64::from(i) * 0.02, f64::from(j) * 0.02];
                    let f = class.hypothesis(0.0, weights);
                    let least = f.values.iter().copied().fold(f64::INFINITY, f64::min);
                    let span = f.values.iter().copied().fold(f64::NEG_INFINITY, f64::max) - least;
                    if let Some(gain) = class.judge(&sums, &gram, &f).greatest_gain(radius)
                        && span <= 4.0
                    {
                        best = best.max(gain);
                    }
                }
            }
            let mut rng = Seeds::new(seed).stream("restarts");
            let found = most_rewarding(&class, &sums, radius, &class.hopeful(), 8, &mut rng).unwrap();
            assert!(class.excess(&sums, &gram, &found) <= radius + 1e-6);
            assert!(
                found.gain > best.min(1.0) - 2e-3,
                "seed {seed}, radius {radius}: {} for {best}",
                found.gain
            );
        }
    }
}

/// J is at least J* whenever f is chosen while the truth is in the set.
#[test]
fn what_it_hopes_for_is_no_less_than_the_truth_it_allows() {
    for seed in 0..4 {
        let (mdp, features) = mixture(20, 4, 5, seed).unwrap();
        let class = class(&mdp, &features, 0.1);
        let truth = truth(&class, &mdp, &features);
        let options = LinearLoopOptions { updates: Updates::EveryStep, ..LinearLoopOptions::default() };
        let mut agent = LinearLoop::new(&setting(&mdp, &features), options).unwrap();
        let mut allowed = 0;
        live(&mut agent, &mdp, seed, 500, |agent: &LinearLoop| {
            if agent.sums().steps() > 0 {
                let gram = class.factor(agent.sums()).unwrap();
                if class.excess(agent.sums(), &gram, &truth) <= 2.0 {
                    allowed += 1;
                    let hope = agent.hypothesis().gain;
                    assert!(hope > truth.gain - 1e-6, "seed {seed}: {hope} for {}", truth.gain);
                }
            }
        });
        assert!(allowed > 100, "seed {seed}: {allowed}");
    }
}

#[test]
fn without_a_bound_the_greatest_hope_is_played_for_ever() {
    let (mdp, features) = mixture(6, 3, 4, 1).unwrap();
    let options = LinearLoopOptions { beta: 1e12, ..LinearLoopOptions::default() };
    let mut agent = LinearLoop::new(&setting(&mdp, &features), options).unwrap();
    live(&mut agent, &mdp, 2, 500, |agent| assert_eq!(agent.estimated_gain(), Some(1.0)));
    assert_eq!(agent.switches(), Some(0));
}

/// With enough steps of random play the best fit is the truth, up to the ridge.
#[test]
fn the_best_fit_comes_to_the_truth() {
    let (mdp, features) = mixture(8, 3, 4, 2).unwrap();
    let class = class(&mdp, &features, 1.0);
    let truth = truth(&class, &mdp, &features);
    let options = LinearBestFitOptions { epsilon: 1.0, ..LinearBestFitOptions::default() };
    let mut agent = LinearBestFit::new(&setting(&mdp, &features), options).unwrap();
    live(&mut agent, &mdp, 3, 30_000, |_| {});
    let gain = agent.estimated_gain().unwrap();
    assert!((gain - truth.gain).abs() < 0.01, "{gain} for {}", truth.gain);
}

#[test]
fn episodes_end_with_doubled_information() {
    let mdp = river_swim(6).unwrap();
    let mut agent = Fopo::new(&setting(&mdp, &Features::one_hot(12)), FopoOptions::default()).unwrap();
    live(&mut agent, &mdp, 3, 5_000, |_| {});
    // ln det of 13 dimensions and 5,000 steps doubles no more than 13 log2(5,001/1) times.
    assert!(agent.switches().unwrap() <= 159, "{:?}", agent.switches());
    let told = Setting { features: None, ..setting(&mdp, &Features::one_hot(12)) };
    for method in ["linear-loop", "fopo", "linear-best-fit"] {
        let entry = METHODS.iter().find(|entry| entry.name == method).unwrap();
        let refused = (entry.make.agent)(&told, &Default::default()).err().unwrap().to_string();
        assert!(refused.contains("linear in features"), "{refused}");
    }
}

#[test]
fn all_learn_on_the_problem() {
    let random = last("linear-mdp-5", "random-policy", &[], 3, 4_000)("regret");
    for method in ["linear-loop", "fopo", "linear-best-fit"] {
        let regret = last("linear-mdp-5", method, &[], 3, 4_000)("regret");
        assert!(regret < 0.5 * random, "{method}: {regret}, at random {random}");
    }
}

use nalgebra::{DMatrix, DVector};
use quire_core::{OptionMap, Rng, Seeds};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde_json::json;

use super::covariance::regularized_inverse;
use super::estimates::{dilate, inner, local_bonus, losses_to_go, magnitude_reduced, plain, squared_norms};
use super::run::walk;
use super::simulator_free::{SimulatorFreePo, SimulatorFreePoOptions};
use super::worlds::World;
use super::*;
use crate::finite::FiniteMdp;
use crate::linear::dot;

#[test]
fn with_one_feature_an_arm_the_estimate_is_importance_weighting() {
    let (policy, ridge, loss) = ([0.5, 0.3, 0.2], 0.01, 0.7);
    let covariance = DMatrix::from_diagonal(&DVector::from_row_slice(&policy));
    let inverse = regularized_inverse(covariance, ridge).unwrap();
    let features = Features::one_hot(3);
    for (arm, p) in policy.iter().enumerate() {
        let (mut along, mut q, mut reduced) = ([0.0; 3], [0.0; 3], [0.0; 3]);
        inner(&features, &inverse, arm, &mut along, &mut q);
        reduced.copy_from_slice(&q);
        plain(&mut q, loss);
        for (other, q) in q.iter().enumerate() {
            let expected = if other == arm { loss / (p + ridge) } else { 0.0 };
            assert!((q - expected).abs() < 1e-12);
        }
        assert!((dot(&policy, &q) - loss * p / (p + ridge)).abs() < 1e-12);
        // Nothing is negative, so that there is nothing to reduce.
        magnitude_reduced(&mut reduced, loss, 1, &[0.0; 3]);
        assert_eq!(reduced, q);
    }
}

/// Features, their chances, and the inverse covariance, in d = 5.
fn overlapping(ridge: f64, rng: &mut Rng) -> (Features, Vec<f64>, DMatrix<f64>, DMatrix<f64>) {
    let (pairs, d) = (12, 5);
    let mut values: Vec<f64> = (0..pairs * d).map(|_| rng.sample(StandardNormal)).collect();
    for phi in values.chunks_exact_mut(d) {
        let norm = dot(phi, phi).sqrt();
        phi.iter_mut().for_each(|x| *x /= norm);
    }
    let features = Features::new(d, values).unwrap();
    // Some directions are seldom met.
    let mut chances: Vec<f64> = (0..pairs).map(|pair| 0.5_f64.powi(pair as i32)).collect();
    let sum: f64 = chances.iter().sum();
    chances.iter_mut().for_each(|p| *p /= sum);
    let mut covariance = DMatrix::zeros(d, d);
    for (pair, &p) in chances.iter().enumerate() {
        covariance::add_outer(&mut covariance, features.of(pair), p);
    }
    let inverse = regularized_inverse(covariance.clone(), ridge).unwrap();
    (features, chances, covariance, inverse)
}

#[test]
fn both_estimates_have_the_same_mean_and_one_of_them_a_bound() {
    let (ridge, horizon, draws) = (0.01, 2, 100_000);
    let mut rng = Seeds::new(0).stream("draws");
    let (features, chances, covariance, inverse) = overlapping(ridge, &mut rng);
    let (pairs, d) = (features.pairs(), features.dimension());
    // Losses of an episode, between 0 and H, whose mean is linear: a coin of H φ·θ/H.
    let theta: Vec<f64> = {
        let raw: Vec<f64> = (0..d).map(|_| rng.sample(StandardNormal)).collect();
        let norm = dot(&raw, &raw).sqrt();
        raw.iter().map(|x| x / norm).collect()
    };
    let mean_loss = |pair: usize| 1.0 + dot(features.of(pair), &theta);
    let mut along = vec![0.0; d];
    let mut q = vec![0.0; pairs];
    // m, exactly.
    let mut mean = vec![0.0; pairs];
    for (pair, &p) in chances.iter().enumerate() {
        inner(&features, &inverse, pair, &mut along, &mut q);
        mean.iter_mut().zip(&q).for_each(|(sum, q)| *sum += p * q.min(0.0));
    }
    let mut norms = vec![0.0; pairs];
    squared_norms(&features, &inverse, &mut along, &mut norms);
    // What the sums come to in expectation: φᵀ Σ⁺ E φ L; with L = 1 + φ·θ that is φᵀ Σ⁺ (E φ + Σ θ).
    let mut first = DVector::zeros(d);
    for (pair, &p) in chances.iter().enumerate() {
        first += DVector::from_column_slice(features.of(pair)) * p;
    }
    let weights = &inverse * (first + &covariance * DVector::from_column_slice(&theta));
    let (mut sums, mut reduced_sums) = (vec![0.0; pairs], vec![0.0; pairs]);
    let (mut lowest, mut lowest_reduced) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..draws {
        let pair = crate::policy::draw(&chances, &mut rng);
        let loss = if rng.random::<f64>() < mean_loss(pair) / 2.0 { 2.0 } else { 0.0 };
        inner(&features, &inverse, pair, &mut along, &mut q);
        let mut reduced = q.clone();
        magnitude_reduced(&mut reduced, loss, horizon, &mean);
        plain(&mut q, loss);
        sums.iter_mut().zip(&q).for_each(|(sum, q)| *sum += q / f64::from(draws));
        reduced_sums.iter_mut().zip(&reduced).for_each(|(sum, q)| *sum += q / f64::from(draws));
        lowest = q.iter().copied().fold(lowest, f64::min);
        lowest_reduced = reduced.iter().copied().fold(lowest_reduced, f64::min);
        for ((reduced, mean), norm) in reduced.iter().zip(&mean).zip(&norms) {
            assert!(*reduced >= 2.0 * mean - 1e-9 && *mean >= -norm.sqrt() - 1e-9);
        }
    }
    for (pair, ((sum, reduced), norm)) in sums.iter().zip(&reduced_sums).zip(&norms).enumerate() {
        let expected = dot(features.of(pair), weights.as_slice());
        // The second moment of q is at most ‖φ‖², that of an estimate four times as much, of the reduced one sixteen times.
        let error = 5.0 * norm.sqrt() / f64::from(draws).sqrt();
        assert!((sum - expected).abs() < 2.0 * error, "{pair}: {sum} {expected}");
        assert!((reduced - expected).abs() < 4.0 * error);
    }
    let bound = -(horizon as f64) / ridge.sqrt();
    assert!(lowest_reduced >= bound, "{lowest_reduced} < {bound}");
    assert!(lowest < bound && lowest < 3.0 * lowest_reduced, "{lowest} {lowest_reduced}");
}

#[test]
fn bonuses_by_hand() {
    // Two stages of one state and two actions with norms 1 and 3, policy (1/4, 3/4): the mean norm is 2.5.
    let policy = [0.25, 0.75, 0.25, 0.75];
    let stay = FiniteMdp::from_dense(1, 2, &[1.0, 1.0], vec![0.0; 2], vec![1.0]).unwrap();
    let local = |scale: f64| {
        let mut bonus = vec![1.0, 3.0, 1.0, 3.0];
        bonus.chunks_exact_mut(2).for_each(|bonus| local_bonus(bonus, &policy[..2], 2, scale));
        bonus
    };
    let mut later = [0.0];
    let one = StagedMdp::new(vec![stay.clone()]).unwrap();
    let mut bonus = local(0.1)[..2].to_vec();
    dilate(&mut bonus, &policy[..2], &one, &mut later);
    assert_eq!(bonus, local(0.1)[..2]);
    let two = StagedMdp::new(vec![stay; 2]).unwrap();
    let mut bonus = local(0.1);
    assert!((bonus[0] - 0.35).abs() < 1e-15 && (bonus[1] - 0.55).abs() < 1e-15);
    dilate(&mut bonus, &policy, &two, &mut later);
    // The second stage's mean is 0.5, dilated by 1 + 1/2.
    assert!(
        (bonus[0] - 1.1).abs() < 1e-12 && (bonus[1] - 1.3).abs() < 1e-12 && (bonus[3] - 0.55).abs() < 1e-15
    );
    let mut none = local(0.0);
    dilate(&mut none, &policy, &two, &mut later);
    assert_eq!(none, [0.0; 4]);
}

#[test]
fn losses_to_go_by_hand() {
    let step = |loss| Step { state: 0, action: 0, loss };
    let mut to_go = [0.0; 3];
    losses_to_go(&[step(0.5), step(0.25), step(1.0)], &mut to_go);
    assert_eq!(to_go, [1.75, 1.25, 1.0]);
}

#[test]
fn the_least_loss_is_that_of_the_best_of_all_policies() {
    let world = World::one_hot(5).unwrap();
    let losses = world.total_losses(7, 8);
    let by_hand: Vec<f64> =
        (0..losses.len()).map(|at| 2.0 * world.losses(0, 8)[at] + 5.0 * world.losses(2, 8)[at]).collect();
    assert!(losses.iter().zip(&by_hand).all(|(a, b)| (a - b).abs() < 1e-12));
    let mut best = f64::INFINITY;
    for code in 0..4_usize.pow(6) {
        let mut policy = vec![0.0; losses.len()];
        (0..6).for_each(|row| policy[row * 4 + code / 4_usize.pow(row as u32) % 4] = 1.0);
        let mut occupancy = vec![0.0; losses.len()];
        world.transitions.occupancy(&policy, &mut occupancy);
        best = best.min(dot(&occupancy, &losses));
    }
    assert!((world.least_loss(&losses).unwrap() - best).abs() < 1e-12);
}

/// Q of `policy` for `losses`, both `[H, S, A]`.
fn action_values(world: &World, policy: &[f64], losses: &[f64]) -> Vec<f64> {
    let mdp = &world.transitions;
    let (states, actions) = (mdp.states(), mdp.actions());
    let pairs = states * actions;
    let mut q = losses.to_vec();
    for stage in (0..mdp.horizon() - 1).rev() {
        let next = |state: usize| {
            let rows = (stage + 1) * pairs + state * actions;
            dot(&q[rows..][..actions], &policy[rows..][..actions])
        };
        let later: Vec<f64> = (0..states).map(next).collect();
        for pair in 0..pairs {
            q[stage * pairs + pair] += mdp.stage(stage).expectation(pair / actions, pair % actions, &later);
        }
    }
    q
}

fn setting(world: &World, episodes: u64) -> Setting {
    Setting {
        states: world.transitions.states(),
        actions: world.transitions.actions(),
        horizon: world.transitions.horizon(),
        episodes,
        features: Arc::clone(&world.features),
        simulator: None,
        seeds: Seeds::new(3),
    }
}

#[test]
fn action_values_of_a_linear_mdp_are_linear() {
    for (world, d) in [(World::dense(1).unwrap(), 6), (World::linear(20, 5, 1).unwrap(), 5)] {
        let policy = setting(&world, 1).uniform();
        let q = action_values(&world, &policy, world.losses(0, 4));
        let pairs = world.features.pairs();
        let phi = DMatrix::from_fn(pairs, d, |pair, at| world.features.of(pair)[at]);
        for q in q.chunks_exact(pairs) {
            let q = DVector::from_column_slice(q);
            let fitted = &phi * phi.clone().svd(true, true).solve(&q, 1e-12).unwrap();
            assert!((fitted - q).amax() < 1e-9);
        }
        assert!(world.losses(0, 4).iter().all(|loss| (0.0..=1.0).contains(loss)));
        let lengths = (0..pairs).map(|pair| dot(world.features.of(pair), world.features.of(pair)));
        assert!(lengths.fold(0.0, f64::max) <= 1.0);
    }
}

#[test]
fn without_a_simulator_an_epochs_estimates_are_of_the_policy_that_stays() {
    // One long epoch, half of its episodes begun by the cover: the weights must make up for that.
    let world = World::dense(2).unwrap();
    let epoch = 60_000_u64;
    let options = SimulatorFreePoOptions {
        exploration: 50.0 / 60_050.0_f64.powf(2.0 / 3.0),
        epoch: epoch as f64 / 60_050.0_f64.cbrt(),
        cover: 0.5 * 60_050.0_f64.powf(0.25),
        bonus: 0.0,
        ..SimulatorFreePoOptions::default()
    };
    let setting = setting(&world, epoch + 50);
    let mut learner = SimulatorFreePo::new(&setting, options).unwrap();
    let (mut policy, mut steps, mut rng) = (setting.uniform(), Vec::new(), Seeds::new(0).stream("dynamics"));
    let losses = world.losses(0, 4);
    for _ in 0..epoch + 50 {
        learner.plan(&mut policy);
        walk(&world, losses, &policy, &mut rng, &mut steps);
        learner.observe(&steps).unwrap();
    }
    let expected = action_values(&world, &setting.uniform(), losses);
    let estimates = &learner.leaders().losses;
    let worst = estimates.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < 0.1, "{worst}");
}

#[test]
fn a_method_that_needs_a_simulator_says_so() {
    let world = World::one_hot(0).unwrap();
    let entry = METHODS.iter().find(|entry| entry.name == "log-barrier-po").unwrap();
    assert!((entry.make.learner)(&setting(&world, 10), &OptionMap::new()).is_err());
    let mut set = OptionMap::new();
    set.insert("covariance".to_owned(), json!({"name": "regularized-mean", "walks": 0}));
    let setting = Setting { simulator: Some(Arc::clone(&world.transitions)), ..setting(&world, 10) };
    let message = (entry.make.learner)(&setting, &set).err().unwrap().to_string();
    assert!(message.contains("covariance"), "{message}");
}

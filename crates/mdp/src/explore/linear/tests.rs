use nalgebra::DVector;
use quire_core::{Rng, Seeds};

use super::epsilon_greedy_lsvi::EpsilonGreedyLsvi;
use super::linear_rlsvi::{LinearRlsvi, LinearRlsviOptions};
use super::lmc_lsvi::{LmcLsvi, LmcLsviOptions, Precision, langevin, langevin_at_once};
use super::lsvi_ucb::LsviUcb;
use super::*;
use crate::explore::Method;
use crate::finite::FiniteMdp;
use crate::solve::{backward_induction, evaluate_episodic};
use crate::worlds::river_swim;

fn setting(mdp: &FiniteMdp, horizon: usize) -> Setting {
    Setting {
        states: mdp.states(),
        actions: mdp.actions(),
        horizon,
        rewards: mdp.rewards().to_vec(),
        features: None,
        seeds: Seeds::new(4),
    }
}

/// Mean and covariance of J steps by their closed forms: A^J w₀ + (I - A^J) ŵ and (I - A^{2J}) Λ⁻¹ (I + A)⁻¹/β.
#[test]
fn langevin_steps_have_the_closed_moments() {
    let gram = DMatrix::from_row_slice(2, 2, &[3.0, 1.0, 1.0, 2.0]);
    let (right, start) = (DVector::from_row_slice(&[2.0, -1.0]), DVector::from_row_slice(&[4.0, 3.0]));
    let beta = 0.7;
    let inverse = gram.clone().try_inverse().unwrap();
    let precision = Precision::Dense(gram.clone());
    let top = precision.largest_eigenvalue();
    assert!((top - (5.0 + 5.0_f64.sqrt()) / 2.0).abs() < 1e-12);
    for (eta, steps) in [(0.25 / top, 1), (0.25 / top, 7), (0.02 / top, 400)] {
        let one = DMatrix::identity(2, 2);
        let a = &one - &gram * (2.0 * eta);
        let power = (0..steps).fold(one.clone(), |power, _| power * &a);
        let mean = &power * &start + (&one - &power) * &inverse * &right;
        let covariance = (&one - &power * &power) * &inverse * (&one + &a).try_inverse().unwrap() / beta;
        let mut rng: Rng = Seeds::new(0).stream("noise");
        let draws = 20_000;
        let (mut sum, mut squares) = (DVector::zeros(2), DMatrix::zeros(2, 2));
        for _ in 0..draws {
            let mut weights = start.clone();
            langevin(&mut weights, &precision, &right, eta, beta, steps, &mut rng);
            squares += (&weights - &mean) * (&weights - &mean).transpose();
            sum += weights;
        }
        let share = 1.0 / f64::from(draws);
        for i in 0..2 {
            let error = (covariance[(i, i)] * share).sqrt();
            assert!((sum[i] * share - mean[i]).abs() < 5.0 * error, "mean, {steps} steps");
            for j in 0..2 {
                let spread = (covariance[(i, i)] * covariance[(j, j)]).sqrt();
                let off = (squares[(i, j)] * share - covariance[(i, j)]).abs();
                assert!(off < 5.0 * spread * (2.0 * share).sqrt(), "covariance, {steps} steps: {off}");
            }
        }
        if steps == 400 {
            // Nearly the posterior's (2 β Λ)⁻¹.
            assert!((&covariance - &inverse / (2.0 * beta)).amax() < 0.02 * inverse.amax());
        }
    }
    // One dimension, Λ = 1, η = 1/4, one step from 0: A = 1/2, mean ŵ/2, variance 1/2/β.
    let a: f64 = 1.0 - 2.0 * 0.25;
    assert_eq!(((1.0 - a), (1.0 - a * a) / (1.0 + a)), (0.5, 0.5));
    // In the long run with η = 1/(4 λ_max): 2/3/(β λ_max) along the largest direction in place of 1/2.
    assert!((1.0 / (1.0 + a) - 0.6667).abs() < 1e-4);
}

#[test]
fn without_noise_it_is_ridge_regression() {
    let gram = DMatrix::from_row_slice(2, 2, &[3.0, 1.0, 1.0, 2.0]);
    let right = DVector::from_row_slice(&[2.0, -1.0]);
    let mut weights = DVector::zeros(2);
    let mut rng = Seeds::new(0).stream("noise");
    let precision = Precision::Dense(gram.clone());
    langevin(&mut weights, &precision, &right, 0.25 / 3.7, 1e300, 300, &mut rng);
    assert!((&gram * weights - right).amax() < 1e-12);
}

#[test]
fn a_diagonal_takes_the_same_steps_as_its_matrix() {
    let diagonal = DVector::from_row_slice(&[3.0, 1.0, 0.5]);
    let right = DVector::from_row_slice(&[2.0, -1.0, 0.0]);
    let walk = |precision: Precision| {
        let mut weights = DVector::from_row_slice(&[1.0, 4.0, -2.0]);
        langevin(&mut weights, &precision, &right, 0.08, 2.0, 50, &mut Seeds::new(1).stream("noise"));
        weights
    };
    let dense = walk(Precision::Dense(DMatrix::from_diagonal(&diagonal)));
    assert!((walk(Precision::Diagonal(diagonal)) - dense).amax() < 1e-12);
}

/// Drawn at once they have the mean of the walk, which without noise is the walk, and its variance, here summed step by step.
#[test]
fn steps_at_once_have_the_law_of_the_walk() {
    let diagonal = DVector::from_row_slice(&[3.0, 1.0, 1.0, 0.5]);
    let right = DVector::from_row_slice(&[2.0, -1.0, 0.5, 0.0]);
    let start = DVector::from_row_slice(&[1.0, 4.0, 0.0, -2.0]);
    let precision = Precision::Diagonal(diagonal.clone());
    // The largest step makes 1 - 2 η λ negative for the first weight.
    for (eta, steps) in [(0.08, 50), (0.08, 1), (0.3, 3)] {
        let mut rng = Seeds::new(2).stream("noise");
        let (mut walked, mut drawn) = (start.clone(), start.clone());
        langevin(&mut walked, &precision, &right, eta, 1e300, steps, &mut rng);
        langevin_at_once(&mut drawn, &diagonal, &right, eta, 1e300, steps, &mut rng);
        assert!((&walked - drawn).amax() < 1e-12);
        let (draws, beta) = (20_000, 0.7);
        let mut squares = DVector::zeros(4);
        for _ in 0..draws {
            let mut weights = start.clone();
            langevin_at_once(&mut weights, &diagonal, &right, eta, beta, steps, &mut rng);
            squares += (weights - &walked).map(|error| error * error);
        }
        for (lambda, sum) in diagonal.iter().zip(&squares) {
            let a: f64 = 1.0 - 2.0 * eta * lambda;
            let variance = (0..steps).map(|step| a.powi(2 * step as i32)).sum::<f64>() * 2.0 * eta / beta;
            let error = sum / f64::from(draws) / variance - 1.0;
            assert!(
                error.abs() < 5.0 * (2.0 / f64::from(draws)).sqrt(),
                "{steps} steps, λ = {lambda}: {error}"
            );
        }
    }
}

#[test]
fn sums_are_those_of_the_past() {
    let mdp = river_swim(3).unwrap();
    let mut regressions = Regressions::new(&setting(&mdp, 2), 0.5);
    for (state, action, next) in [(0, 1, 1), (0, 1, 0), (2, 1, 2)] {
        regressions.record(1, state, action, next);
    }
    let matrix = regressions.matrix(1);
    assert_eq!(matrix.diagonal().as_slice(), [0.5, 2.5, 0.5, 0.5, 0.5, 1.5]);
    let diagonal = regressions.diagonal(1).unwrap();
    assert_eq!(DMatrix::from_diagonal(&diagonal), matrix);
    assert_eq!(Precision::Diagonal(diagonal).largest_eigenvalue(), 2.5);
    assert_eq!(regressions.matrix(0), DMatrix::from_diagonal_element(6, 6, 0.5));
    // Rewards 0 and 1; V = (4, 5, 6).
    assert_eq!(regressions.right(1, &[4.0, 5.0, 6.0]), [0.0, 9.0, 0.0, 0.0, 0.0, 7.0]);
    let mut policy = vec![9; 6];
    regressions.plan(&mut policy, |_, stage, later| {
        let expected = if stage == 1 { [0.0, 0.0, 0.0] } else { [1.0, 1.0, 0.0] };
        assert_eq!(later, expected);
        vec![-3.0, 7.0, 2.0, 1.0, -1.0, -2.0]
    });
    assert_eq!(policy, [1, 0, 0, 1, 0, 0]);
}

/// Regret of 2,000 episodes on RiverSwim with 4 states.
fn regret<M: Method>(options: M::Options, seeds: std::ops::Range<u64>) -> Vec<f64> {
    let mdp = river_swim(4).unwrap();
    let optimum = backward_induction(&mdp, 14).values[0];
    let one = |seed| {
        let setting = Setting { seeds: Seeds::new(seed), ..setting(&mdp, 14) };
        let mut explorer = M::new(&setting, options.clone()).unwrap();
        let mut rng = Seeds::new(seed).stream("dynamics");
        let (mut policy, mut scratch, mut regret) = (vec![0; 4 * 14], Vec::new(), 0.0);
        for _ in 0..2000 {
            explorer.plan(&mut policy);
            regret += optimum - evaluate_episodic(&mdp, &policy, &mut scratch);
            let mut state = 0;
            for stage in 0..14 {
                let action = policy[stage * 4 + state];
                let next = mdp.sample_next(state, action, &mut rng);
                explorer.observe(stage, state, action, next);
                state = next;
            }
        }
        regret
    };
    seeds.map(one).collect()
}

fn mean(values: Vec<f64>) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The figures of a pilot with another generator and three seeds: LMC with β = 0.2 1143 to 1491 at J = 60 and 931 to 1687 at
/// J = 20; the exact posterior 1169 to 1648 at β = 0.2, 2300 to 2870 at 0.05; ε-greedy 4092 to 5080, the bonus about 4260.
/// ε-greedy hangs on what is done with equal values: with the first action of equals it never leaves the left bank (6870 of
/// at most 6998); ours, with a random one, comes to about 2900, which is below the pilot's.
#[test]
fn sampling_explores_river_swim_and_dithering_does_not() {
    let lmc = |inner_steps| regret::<LmcLsvi>(LmcLsviOptions { inner_steps, ..Default::default() }, 0..3);
    let sixty = mean(lmc(60));
    assert!((1000.0..1700.0).contains(&sixty), "{sixty}");
    let twenty = mean(lmc(20));
    assert!((900.0..1900.0).contains(&twenty), "{twenty}");
    let posterior = |inverse_temperature| {
        let options = LinearRlsviOptions { inverse_temperature, ..Default::default() };
        mean(regret::<LinearRlsvi>(options, 0..3))
    };
    let (warm, hot) = (posterior(0.2), posterior(0.05));
    assert!((1000.0..1700.0).contains(&warm) && (2300.0..2900.0).contains(&hot), "{warm} {hot}");
    let greedy = mean(regret::<EpsilonGreedyLsvi>(Default::default(), 0..3));
    assert!((2200.0..5500.0).contains(&greedy), "{greedy}");
    let bonus = mean(regret::<LsviUcb>(Default::default(), 0..1));
    assert!((4000.0..4500.0).contains(&bonus), "{bonus}");
}

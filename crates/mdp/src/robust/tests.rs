use quire_core::options::parse_assignments;
use quire_core::{Progress, RunSpec, Trace};

use super::data::Step;
use super::fqi::Fqi;
use super::rfqi::{Rfqi, RfqiOptions, dual};
use super::rfzi::{Rfzi, RfziOptions};
use super::ring::{DISCOUNT, ring};
use super::risk_policy_gradient::{
    Parameterization, RiskPolicyGradient, RiskPolicyGradientOptions, Start, gradient, project_to_simplex,
};
use super::*;
use crate::solve::{
    evaluate, policy_iteration, risk_sensitive_evaluate, risk_sensitive_value_iteration, value_iteration,
};
use crate::worlds::garnet;

/// A log that has every transition of the ring as often as its probability says, in hundredths.
fn exact_log(slip: f64) -> Dataset {
    let mdp = ring(slip);
    let mut steps = Vec::new();
    for pair in 0..14 * 3 {
        let (next, probability) = mdp.row(pair / 3, pair % 3);
        for (&next, p) in next.iter().zip(probability) {
            let count = (100.0 * p).round() as usize;
            steps.extend(std::iter::repeat_n(Step { pair, next: Some(next as usize) }, count));
        }
    }
    Dataset::new(3, mdp.rewards().to_vec(), steps).unwrap()
}

fn setting(data: Dataset) -> Setting {
    Setting { discount: DISCOUNT, data: Arc::new(data), seeds: Seeds::new(5) }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn planned(mut planner: impl Planner, iterations: usize) -> (Vec<f64>, f64) {
    (0..iterations).for_each(|_| planner.iterate().unwrap());
    (planner.policy(), planner.estimated_value())
}

fn deployed(policy: &[f64]) -> Vec<f64> {
    [0.0, 0.05, 0.1, 0.15, 0.2].map(|slip| mean(&evaluate(&ring(slip), policy, DISCOUNT).unwrap())).to_vec()
}

/// Values by an independent program, to two decimals: with expectations in place of means RFZI is value iteration of the entropic
/// risk, and its policies earn this when the slip is 0, 0.05, 0.1, 0.15, 0.2. The code's β_c is β/γ.
#[test]
fn caution_pays_where_the_world_slips_more() {
    let expected = [
        (0.01, [76.50, 51.82, 27.23, 2.73, -21.68]),
        (0.05, [76.50, 51.82, 27.23, 2.73, -21.68]),
        (0.1, [62.32, 44.97, 27.67, 10.43, -6.74]),
        (0.2, [36.62, 27.95, 22.17, 16.83, 11.64]),
        (0.3, [36.62, 27.95, 22.17, 16.83, 11.64]),
    ];
    for (beta_c, expected) in expected {
        let options = RfziOptions { risk: DISCOUNT * beta_c };
        let (policy, estimate) = planned(Rfzi::new(&setting(exact_log(0.05)), options).unwrap(), 600);
        let values = deployed(&policy);
        assert!(values.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.006), "{beta_c}: {values:?}");
        let exact =
            risk_sensitive_value_iteration(&ring(0.05), DISCOUNT, DISCOUNT * beta_c, 1e-10, 10_000).unwrap();
        assert!((estimate - mean(&exact.values)).abs() < 1e-8);
    }
    let (policy, _) = planned(Fqi::new(&setting(exact_log(0.05)), options::NoOptions {}).unwrap(), 600);
    let values = deployed(&policy);
    assert!(values.iter().zip(expected[0].1).all(|(a, b)| (a - b).abs() < 0.006), "{values:?}");
    let best = policy_iteration(&ring(0.15), DISCOUNT).unwrap().policy;
    let values = deployed(&crate::finite::deterministic(&best, 3));
    let expected = [33.66, 27.05, 21.96, 16.91, 11.85];
    assert!(values.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.006), "{values:?}");
}

/// From samples RFZI is value iteration in the model of relative frequencies.
#[test]
fn regression_is_value_iteration_in_the_empirical_model() {
    let data = Dataset::uniform(&ring(0.05), 20_000, &mut Seeds::new(1).stream("log")).unwrap();
    let model = data.model().unwrap();
    let (_, estimate) = planned(Rfzi::new(&setting(data), RfziOptions::default()).unwrap(), 700);
    let exact = risk_sensitive_value_iteration(&model, DISCOUNT, 0.095, 1e-11, 10_000).unwrap();
    assert!((estimate - mean(&exact.values)).abs() < 1e-9);
}

/// A pair that the log lacks keeps Z = 1, and an end of the episode is worth 0: by hand, two states and one action.
#[test]
fn missing_pairs_and_ends_of_episodes() {
    let steps = vec![Step { pair: 0, next: None }, Step { pair: 0, next: Some(1) }];
    let data = Dataset::new(1, vec![1.0, 2.0], steps).unwrap();
    assert!(data.model().is_err());
    let one = Setting { discount: 0.5, data: Arc::new(data), seeds: Seeds::new(0) };
    let mut rfzi = Rfzi::new(&one, RfziOptions { risk: 1.0 }).unwrap();
    (0..5).for_each(|_| rfzi.iterate().unwrap());
    // V(1) = r = 2, Z(0) = (1 + e^-2)/2.
    let first = 1.0 - 0.5 * (0.5 + 0.5 * (-2.0_f64).exp()).ln();
    assert!((rfzi.estimated_value() - (first + 2.0) / 2.0).abs() < 1e-12);
    assert!(Dataset::new(1, vec![1.0], vec![Step { pair: 0, next: Some(1) }]).is_err());
    assert!(Dataset::new(1, vec![1.0], vec![]).is_err());
}

/// The objective of uniform starts, for finite differences: the policy is not normalized.
fn objective(mdp: &crate::FiniteMdp, policy: &[f64], risk: f64) -> f64 {
    let mut values = vec![0.0; mdp.states()];
    risk_sensitive_evaluate(mdp, policy, (0.9, risk), &mut values, 1e-13, 100_000).unwrap();
    mdp.start().iter().zip(&values).map(|(p, v)| p * v).sum()
}

/// The formula against finite differences; with the occupancy under P in place of P̂ it fails.
#[test]
fn the_gradient_is_taken_under_the_worst_model() {
    let mdp = garnet(5, 3, 3, 3).unwrap();
    let mdp = mdp.clone().with_rewards((0..15).map(|i| f64::from(i * i % 7) - 2.0).collect()).unwrap();
    let mut rng = Seeds::new(2).stream("policy");
    let mut policy: Vec<f64> = (0..15).map(|_| 0.1 + rand::RngExt::random::<f64>(&mut rng)).collect();
    for row in policy.chunks_exact_mut(3) {
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|p| *p /= sum);
    }
    let risk = 0.4;
    let mut values = vec![0.0; 5];
    let exact = gradient(&mdp, &policy, 0.9, risk, &mut values).unwrap();
    let q = crate::solve::risk_sensitive_action_values(&mdp, 0.9, risk, &values);
    let naive = crate::solve::discounted_occupancy(&mdp, &policy, 0.9).unwrap();
    let mut worst = 0.0_f64;
    for pair in 0..15 {
        let moved = |by: f64| {
            let mut policy = policy.clone();
            policy[pair] += by;
            objective(&mdp, &policy, risk)
        };
        let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        assert!((difference - exact.direct[pair]).abs() < 1e-5 * difference.abs().max(1.0), "{pair}");
        let wrong = naive[pair / 3 * 3..][..3].iter().sum::<f64>() / 0.1 * q[pair];
        worst = worst.max((difference - wrong).abs());
        // ∂π(b)/∂θ(a) = π(b)(1{a = b} - π(a)).
        let row = pair / 3 * 3;
        let through: f64 = (row..row + 3)
            .map(|other| {
                exact.direct[other] * policy[other] * (f64::from(u8::from(other == pair)) - policy[pair])
            })
            .sum();
        assert!((through - exact.softmax[pair]).abs() < 1e-10);
    }
    assert!(worst > 0.05, "{worst}");
}

/// From the uniform and from random policies the direct form reaches what value iteration in the same model reaches, and no more; the
/// softmax form climbs too, but its gradients vanish on the way.
#[test]
fn the_policy_gradient_climbs_to_the_optimum() {
    let exact = risk_sensitive_value_iteration(&ring(0.05), DISCOUNT, 0.095, 1e-10, 10_000).unwrap();
    let optimum = mean(&exact.values);
    let data = exact_log(0.05);
    for (seed, start) in [(0, Start::Uniform), (1, Start::Random), (2, Start::Random)] {
        let setting = Setting { seeds: Seeds::new(seed), ..setting(data.clone()) };
        let options =
            RiskPolicyGradientOptions { start, learning_rate: 0.1, ..RiskPolicyGradientOptions::default() };
        let (_, value) = planned(RiskPolicyGradient::new(&setting, options.clone()).unwrap(), 2_000);
        assert!((optimum - value).abs() < 1e-6, "{start:?}: {value} of {optimum}");
        let options = RiskPolicyGradientOptions {
            parameterization: Parameterization::Softmax,
            learning_rate: 0.05,
            ..options
        };
        let mut softmax = RiskPolicyGradient::new(&setting, options).unwrap();
        let mut before = f64::NEG_INFINITY;
        for _ in 0..300 {
            softmax.iterate().unwrap();
            let value = softmax.estimated_value();
            assert!(before - 1e-8 <= value && value <= optimum + 1e-8);
            before = value;
        }
        assert!(before > 15.0, "{before}");
    }
}

#[test]
fn projections_by_hand() {
    for (mut row, expected) in [
        (vec![0.2, 0.3, 0.5], vec![0.2, 0.3, 0.5]),
        (vec![1.0, 1.0], vec![0.5, 0.5]),
        (vec![2.0, 0.0, -5.0], vec![1.0, 0.0, 0.0]),
        (vec![0.6, 0.5, -0.5], vec![0.55, 0.45, 0.0]),
    ] {
        project_to_simplex(&mut row);
        assert!(row.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-15), "{row:?}");
    }
}

/// The dual against a grid of η, and against the primal: the mass ρ of the greatest values goes to 0.
#[test]
fn the_ball_in_total_variation() {
    let values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
    for radius in [0.05, 0.125, 0.3, 0.9, 1.0] {
        let robust = dual(&mut values.clone(), radius, 100.0);
        let objective = |eta: f64| {
            (1.0 - radius) * eta
                - values.iter().map(|v| (eta - v).max(0.0)).sum::<f64>() / values.len() as f64
        };
        let best = (0..100_000).map(|i| objective(f64::from(i) * 1e-3)).fold(f64::NEG_INFINITY, f64::max);
        assert!((robust - best).abs() < 1e-9);
        let mut sorted = values;
        sorted.sort_unstable_by(|a, b| b.total_cmp(a));
        let mut left = radius;
        let kept: f64 = sorted
            .iter()
            .map(|value| {
                let taken = left.min(0.125);
                left -= taken;
                value * (0.125 - taken)
            })
            .sum();
        assert!((robust - kept).abs() < 1e-12, "{robust} {kept}");
    }
    // η is cut off at the bound.
    assert!((dual(&mut [8.0, 8.0], 0.5, 2.0) - 1.0).abs() < 1e-15);
}

/// In the limit of no ball RFQI is value iteration.
#[test]
fn without_a_ball_robust_fitted_q_is_plain() {
    let options = RfqiOptions { radius: 1e-9 };
    let (_, estimate) = planned(Rfqi::new(&setting(exact_log(0.05)), options).unwrap(), 600);
    let exact = value_iteration(&ring(0.05), DISCOUNT, 1e-10, 10_000).unwrap();
    assert!((estimate - mean(&exact.values)).abs() < 1e-5);
}

/// The network comes to the values that the table has.
#[test]
fn the_network_comes_near_the_table() {
    let problem = &problems()[0];
    let estimate = |method: &str, set: &[&str], steps| {
        let mut spec = RunSpec::new("robust-ring", method, 0);
        (spec.options, spec.budget) = (parse_assignments(set).unwrap(), Some(steps));
        let mut run = problem.start(&spec).unwrap();
        let mut trace = Trace::new();
        while run.step(&mut trace).unwrap() == Progress::Continue {}
        trace.last("estimated_value").unwrap()
    };
    let set = [
        "hidden=[64, 32]",
        "optimizer={ name = \"adam\", learning_rate = 0.003 }",
        "risk=0.095",
        "batch_size=1000",
    ];
    let (network, table) = (estimate("rfzi-network", &set, 3_000), estimate("rfzi", &[], 1_000));
    assert!((network - table).abs() < 0.7, "{network} {table}");
}

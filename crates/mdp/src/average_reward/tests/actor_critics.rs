//! Multi-level estimates against exact means of a chain; updates by hand.

use quire_core::Seeds;

use super::super::actor_critic::{ActorCritic, Step, StepOptions, StepRule};
use super::super::mac::{Mac, MacOptions, Overflow, multi_level_weight, trajectory_length};
use super::super::ppgae::advantages;
use super::super::reinforce::returns_to_go;
use super::super::vanilla_actor_critic::{VanillaActorCritic, VanillaOptions};
use super::super::worlds::goal_grid;
use super::super::{Agent, Method, Setting};
use super::{curve, live};

fn setting(states: usize, actions: usize) -> Setting {
    Setting {
        states,
        actions,
        hypotheses: None,
        kernels: None,
        features: None,
        coordinates: None,
        seeds: Seeds::new(2),
    }
}

/// The expected state after step i, from 1, of a chain of two states that starts in 0 and flips with probability `flip`.
fn expected(flip: f64, step: usize) -> f64 {
    0.5 * (1.0 - (1.0 - 2.0 * flip).powi(step as i32))
}

/// The expected mean over the first `length` steps.
fn expected_mean(flip: f64, length: usize) -> f64 {
    (1..=length).map(|step| expected(flip, step)).sum::<f64>() / length as f64
}

/// The expected multi-level estimate and its expected cost, by conditioning on J.
fn multi_level(flip: f64, levels: u32, overflow: Overflow) -> (f64, f64) {
    let of_length = |length: usize| -> f64 {
        (0..length).map(|index| multi_level_weight(index, length) * expected(flip, index + 1)).sum()
    };
    let rest = 0.5_f64.powi(levels as i32);
    let (one_step, scale) = match overflow {
        Overflow::OneStep => (rest, 1.0),
        Overflow::Redraw => (0.0, 1.0 / (1.0 - rest)),
    };
    let mut sums = (one_step * of_length(1), one_step);
    for level in 1..=levels {
        let probability = scale * 0.5_f64.powi(level as i32);
        sums.0 += probability * of_length(1 << level);
        sums.1 += probability * f64::from(1 << level);
    }
    sums
}

#[test]
fn means_of_the_chain_are_the_closed_ones() {
    for (flip, length, mean) in [
        (0.05, 1, 0.05),
        (0.05, 2, 0.0725),
        (0.05, 16, 0.270866193),
        (0.05, 256, 0.482421875),
        (0.01, 2, 0.0149),
        (0.01, 16, 0.077065260),
        (0.01, 256, 0.404839877),
    ] {
        assert!((expected_mean(flip, length) - mean).abs() < 1e-9, "{flip} {length}");
    }
}

#[test]
fn multi_level_estimates_have_the_mean_of_the_longest_trajectory() {
    for flip in [0.05, 0.01] {
        for levels in [1, 4, 8] {
            let long = expected_mean(flip, 1 << levels);
            let rest = 0.5_f64.powi(levels as i32);
            let (mean, cost) = multi_level(flip, levels, Overflow::OneStep);
            assert!((mean - long).abs() < 1e-12, "{flip} {levels}: {mean} {long}");
            assert!((cost - (f64::from(levels) + rest)).abs() < 1e-12);
            let (mean, _) = multi_level(flip, levels, Overflow::Redraw);
            let first = expected(flip, 1);
            assert!((mean - (first + (long - first) / (1.0 - rest))).abs() < 1e-12);
        }
    }
}

/// x⁰ + 2^J (x^J - x^{J-1}) with the means written out.
#[test]
fn the_weights_are_those_of_the_telescope() {
    let steps: Vec<f64> = (0..16).map(|i| f64::from(i * i % 7)).collect();
    let mean = |length: usize| steps[..length].iter().sum::<f64>() / length as f64;
    for level in 1..=4 {
        let length = 1 << level;
        let weighted: f64 = (0..length).map(|i| multi_level_weight(i, length) * steps[i]).sum();
        let telescope = steps[0] + length as f64 * (mean(length) - mean(length / 2));
        assert!((weighted - telescope).abs() < 1e-12);
    }
    assert_eq!(multi_level_weight(0, 1), 1.0);
}

#[test]
fn lengths_are_geometric() {
    let mut rng = Seeds::new(1).stream("lengths");
    let draws = 100_000;
    for (overflow, mean) in [(Overflow::OneStep, 4.0625), (Overflow::Redraw, 4.0 / (1.0 - 1.0 / 16.0))] {
        let lengths: Vec<usize> = (0..draws).map(|_| trajectory_length(4, overflow, &mut rng)).collect();
        let measured = lengths.iter().sum::<usize>() as f64 / f64::from(draws);
        // Standard deviation of a length 3.8, of the mean 0.012.
        assert!((measured - mean).abs() < 0.05, "{measured}");
        let ones = lengths.iter().filter(|&&length| length == 1).count();
        assert_eq!(ones == 0, overflow == Overflow::Redraw);
        assert!(lengths.iter().all(|length| [1, 2, 4, 8, 16].contains(length)));
    }
    assert!((0..100).all(|_| trajectory_length(0, Overflow::Redraw, &mut rng) == 1));
}

#[test]
fn an_update_by_hand() {
    let options = StepOptions {
        rule: StepRule::Constant,
        gain_rule: StepRule::Constant,
        actor: 2.0,
        critic: 0.5,
        gain: 0.25,
        critic_radius: 100.0,
    };
    let mut learner = ActorCritic::new(&setting(2, 2));
    learner.values = vec![1.0, 3.0];
    learner.gain = 0.5;
    let steps = [
        Step { state: 0, action: 1, reward: 1.0, next: 1 }, // δ = 1 - 0.5 + 3 - 1 = 2.5
        Step { state: 1, action: 0, reward: 0.0, next: 0 }, // δ = 0 - 0.5 + 1 - 3 = -2.5
    ];
    learner.update(&options, &steps, |index| [1.0, 2.0][index]);
    // η: 0.5 + 0.25 (0.5 - 2 · 0.5); V: 1 + 0.5 · 2.5, 3 - 0.5 · 5; θ: ± 2 · 2.5/2 and ∓ 2 · 5/2.
    assert_eq!(learner.gain, 0.375);
    assert_eq!(learner.values, [2.25, 0.5]);
    assert_eq!(learner.logits, [-2.5, 2.5, -5.0, 5.0]);
    // Projection to the ball.
    let options = StepOptions { critic_radius: 1.0, ..options };
    learner.values = vec![3.0, 4.0];
    learner.move_critic(&options, &[0.0, 0.0]);
    assert!((learner.values[0] - 0.6).abs() < 1e-15 && (learner.values[1] - 0.8).abs() < 1e-15);
}

#[test]
fn the_first_step_of_adagrad_norm_is_as_long_as_its_size() {
    let options = StepOptions { actor: 0.7, ..StepOptions::default() };
    let mut learner = ActorCritic::new(&setting(2, 2));
    learner.move_actor(&options, &[3.0, 0.0, -4.0, 0.0]);
    let length = |logits: &[f64]| logits.iter().map(|x| x * x).sum::<f64>().sqrt();
    assert!((length(&learner.logits) - 0.7).abs() < 1e-15);
    // The second, of squared length 25 after 25: 0.7 · 5/√50 further.
    learner.move_actor(&options, &[3.0, 0.0, -4.0, 0.0]);
    assert!((length(&learner.logits) - 0.7 * (1.0 + 0.5_f64.sqrt())).abs() < 1e-15);
    learner.move_actor(&options, &[0.0; 4]);
    assert!(learner.logits.iter().all(|x| x.is_finite()));
}

/// The score is the derivative of ln π, by differences.
#[test]
fn the_score_is_a_derivative() {
    let mut learner = ActorCritic::new(&setting(2, 3));
    learner.logits = vec![0.3, -0.2, 0.9, 0.1, 0.4, -1.0];
    let step = Step { state: 1, action: 2, reward: 0.0, next: 0 };
    let mut score = Vec::new();
    learner.score([(step, 1.5)].into_iter(), &mut score, &mut Vec::new());
    for (index, measured) in score.iter().enumerate() {
        let log_at = |shift: f64| {
            let mut shifted = learner.clone();
            shifted.logits[index] += shift;
            shifted.policy()[5].ln()
        };
        let derivative = 1.5 * (log_at(1e-6) - log_at(-1e-6)) / 2e-6;
        assert!((measured - derivative).abs() < 1e-8, "{index}");
    }
}

/// With no levels MAC is the actor-critic that updates after every step.
#[test]
fn without_levels_mac_is_one_step_actor_critic() {
    let mdp = goal_grid(3).unwrap();
    let steps = StepOptions::default();
    let options = MacOptions { levels: 0, steps: steps.clone(), ..MacOptions::default() };
    let mut mac = Mac::new(&setting(9, 5), options).unwrap();
    let mut vanilla = VanillaActorCritic::new(&setting(9, 5), VanillaOptions { length: 1, steps }).unwrap();
    let paid = live(&mut mac, &mdp, 3, 2_000, |_| ());
    assert_eq!(paid, live(&mut vanilla, &mdp, 3, 2_000, |_| ()));
    assert_eq!(mac.policy(), vanilla.policy());
}

#[test]
fn windows_and_returns_by_hand() {
    let step = |state, action, reward| Step { state, action, reward, next: 0 };
    let life = [
        step(0, 0, 1.0),
        step(1, 0, 2.0),
        step(0, 1, 4.0),
        step(0, 1, 0.0),
        step(0, 1, 8.0),
        step(1, 1, 0.0),
        step(1, 0, 5.0),
    ];
    // Windows of 2: state 0 at 0 (1 + 2) and 4 (8 + 0); state 1 at 1 (2 + 4) and 5 (0 + 5).
    let measured = advantages(&life, 2, &[0.5, 0.5, 0.25, 0.75], 2);
    let expected = [3.0 / 1.0 - 5.5, 8.0 / 1.0 - 5.5, 6.0 / 0.5 - 5.5, 5.0 / 1.5 - 5.5];
    assert!(measured.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{measured:?}");
    let mut returns = Vec::new();
    returns_to_go(&life[..3], 0.5, &mut returns);
    assert_eq!(returns, [5.5, 5.0, 3.5]);
}

#[test]
fn every_actor_critic_learns_to_walk() {
    // The optimum is 0.2, random actions earn 0.025.
    for (method, least) in [
        ("mac", 0.17),
        ("vanilla-actor-critic", 0.19),
        ("average-reward-reinforce", 0.19),
        ("ppgae", 0.1),
        ("random-policy", 0.0),
    ] {
        let (mut paid, mut estimated) = (0.0, 0.0);
        for seed in 0..4 {
            let curve = curve("goal-grid-3x3", method, &[], seed, 40_000);
            let last = |metric| curve.iter().rfind(|point| point.metric == metric).map(|point| point.value);
            paid += last("average_reward").unwrap() / 4.0;
            estimated += last("estimated_gain").unwrap_or(0.0) / 4.0;
        }
        assert!(paid > least && paid < 0.21, "{method}: {paid}");
        if method == "random-policy" {
            assert!(paid < 0.05, "{paid}");
        } else {
            assert!((estimated - paid).abs() < 0.06, "{method}: {estimated} {paid}");
        }
    }
}

use quire_core::Seeds;
use rand::RngExt;

use super::cart_pole::{accelerations, cost, data, step};
use super::networks::NetworkLearner;
use super::*;

fn close(value: f64, expected: f64) {
    assert!((value - expected).abs() < 5e-8, "{value} for {expected}");
}

/// Upright at rest, pushed right in the foreground at 5 N.
#[test]
fn one_step_by_hand() {
    let (x, theta) = accelerations([0.0; 4], 1, 5.0);
    close(x, 4.878_048_8);
    close(theta, -7.317_073_2);
    let next = step([0.0; 4], 1, 5.0);
    assert_eq!((next[0], next[2]), (0.0, 0.0));
    close(next[1], 0.097_560_98);
    close(next[3], -0.146_341_46);
    // Without the force it is the classic step.
    close(step([0.0; 4], 1, 0.0)[1], 0.195_121_951);
}

#[test]
fn costs_of_states() {
    let degrees = |angle: f64| angle.to_radians();
    for (state, expected) in [
        ([0.0, 9.0, 0.0, 9.0], 0.0),
        ([2.3, 0.0, degrees(11.9), 0.0], 0.0),
        ([0.0, 0.0, degrees(-12.1), 0.0], 0.01),
        ([-2.5, 0.0, 0.0, 0.0], 1.0),
        ([0.0, 0.0, degrees(91.0), 0.0], 1.0),
        ([0.0, 0.0, degrees(89.0), 0.0], 0.01),
    ] {
        assert_eq!(cost(&state), expected, "{state:?}");
    }
}

#[test]
fn data_end_in_forbidden_states_and_not_at_the_time_limit() {
    let data = data([50, 30], 5.0, &mut Seeds::new(0).stream("data"));
    let (ends, failures): (usize, usize) = (0..data.len()).fold((0, 0), |(ends, failures), row| {
        let last = row + 1 == data.len() || data.states[4 * (row + 1)..][..4] != data.next[4 * row..][..4];
        (ends + usize::from(last), failures + usize::from(data.done[row]))
    });
    assert_eq!(ends, 80);
    assert!(failures > 40 && failures <= 80, "{failures}");
    assert!((0..data.len()).all(|row| data.done[row] == (data.costs[row] == 1.0)));
    let foreground = data.of_group(true);
    assert!(
        foreground.foreground.iter().all(|z| *z)
            && foreground.len() + data.of_group(false).len() == data.len()
    );
}

#[test]
fn targets_by_hand() {
    assert!((target(0.01, 0.95, false, [0.5, 0.2].into_iter()) - 0.2).abs() < 1e-15);
    assert_eq!(target(1.0, 0.95, true, [0.5, 0.2].into_iter()), 1.0);
    assert_eq!(inputs(&[1.0, 2.0, 3.0, 4.0], 2, [1, 0].into_iter()), [1.0, 2.0, 1.0, 3.0, 4.0, 0.0]);
    assert_eq!(inputs_of_all_actions(&[1.0, 2.0], 2, 2), [1.0, 2.0, 0.0, 1.0, 2.0, 1.0]);
}

fn setting(force_left: f64, budget: u64) -> Setting {
    let seeds = Seeds::new(4);
    Setting {
        data: data([20, 20], force_left, &mut seeds.stream("data")),
        budget,
        seeds: seeds.child("learner"),
    }
}

#[test]
fn stages_leave_the_other_part_alone() {
    let options = GroupOptions { successes: 0, ..GroupOptions::default() };
    let mut learner =
        NetworkLearner::new("nested-fqi", &nested_fqi::PLAN, setting(5.0, 40), options).unwrap();
    let weights = |learner: &NetworkLearner| {
        (learner.shared.params.data().to_vec(), learner.foreground.params.data().to_vec())
    };
    let start = weights(&learner);
    // Weights of the foreground's part are 0, its biases are not; the shared part lies within 1/2.
    assert_eq!(start.1.iter().filter(|w| **w == 0.0).count(), 5 * 10 + 10 * 5 + 5);
    assert!(start.0.iter().all(|w| w.abs() <= 0.5));
    (0..20).for_each(|_| learner.improve().unwrap());
    let middle = weights(&learner);
    assert_eq!(learner.clock.stage, 1);
    assert!(middle.0 != start.0 && middle.1 == start.1, "stage 1 moves g_s and nothing else");
    (0..20).for_each(|_| learner.improve().unwrap());
    let end = weights(&learner);
    assert!(end.0 == middle.0 && end.1 != middle.1, "stage 2 moves g_f and nothing else");
}

/// With weights and biases of the last layer that put g_f to 0, both groups act alike.
#[test]
fn a_foreground_part_of_zero_changes_nothing() {
    let options = GroupOptions { successes: 0, ..GroupOptions::default() };
    let mut learner =
        NetworkLearner::new("nested-fqi", &nested_fqi::PLAN, setting(5.0, 40), options).unwrap();
    (0..10).for_each(|_| learner.improve().unwrap());
    let last = learner.foreground.params.len() - 1;
    // sigmoid(-200) is 0 in single precision.
    learner.foreground.params.data_mut()[last] = -200.0;
    let mut rng = Seeds::new(9).stream("states");
    for _ in 0..200 {
        let state: Vec<f64> = (0..4).map(|_| rng.random_range(-1.0..1.0)).collect();
        assert_eq!(learner.act(&state, true), learner.act(&state, false));
    }
}

/// Between groups that are alike, what stage 2 adds next to nothing changes: greedy actions agree.
#[test]
fn groups_that_are_alike_act_alike() {
    let options =
        GroupOptions { model: Model::Trees, successes: 0, trees: small(), ..GroupOptions::default() };
    let mut setting = setting(0.0, 30);
    // The very same rows in both groups.
    let background = setting.data.of_group(false);
    setting.data = background.clone();
    for row in 0..background.len() {
        let state = 4 * row..4 * (row + 1);
        setting.data.states.extend_from_slice(&background.states[state.clone()]);
        setting.data.next.extend_from_slice(&background.next[state]);
        setting.data.chosen.push(background.chosen[row]);
        setting.data.costs.push(background.costs[row]);
        setting.data.done.push(background.done[row]);
        setting.data.foreground.push(true);
    }
    let mut learner =
        regressions::RegressionLearner::new("nested-fqi", &nested_fqi::PLAN, setting, options).unwrap();
    (0..30).for_each(|_| learner.improve().unwrap());
    // Where it matters: many states cost nothing for long, whatever is done.
    let (mut clear, mut alike) = (0, 0);
    for state in background.states.chunks_exact(4) {
        let mut q = |action, foreground| learner.value(state, action, foreground);
        let gap = q(0, false) - q(1, false);
        if gap.abs() > 0.01 {
            clear += 1;
            alike += usize::from(gap * (q(0, true) - q(1, true)) > 0.0);
        }
    }
    assert!(clear > 50 && alike as f64 > 0.95 * f64::from(clear as u32), "{alike} of {clear}");
}

fn small() -> TreeOptions {
    TreeOptions { trees: 10, min_split: 10, candidates: 0 }
}

/// Costs made from linear Q*_0 and Q*_1: the linear model finds both, stage after stage.
#[test]
fn linear_parts_are_recovered() {
    let shared = |s: &[f64], a: f64| 0.3 * s[0] - 0.2 * s[1] + 0.5 * a + 1.0;
    let added = |s: &[f64], a: f64| 0.1 * s[0] + 0.4 * s[1] - 0.9 * a - 0.5;
    for discount in [0.0, 0.5] {
        let mut rng = Seeds::new(2).stream("rows");
        let mut data = GroupData { dimensions: 2, actions: 2, ..GroupData::default() };
        for row in 0..400 {
            let foreground = row % 2 == 1;
            let q = |s: &[f64], a: f64| shared(s, a) + if foreground { added(s, a) } else { 0.0 };
            let s: Vec<f64> = (0..2).map(|_| rng.random_range(-1.0..1.0)).collect();
            let next: Vec<f64> = (0..2).map(|_| rng.random_range(-1.0..1.0)).collect();
            let action = rng.random_range(0..2_u32) as usize;
            data.costs.push(q(&s, action as f64) - discount * q(&next, 0.0).min(q(&next, 1.0)));
            data.states.extend(s);
            data.next.extend(next);
            data.chosen.push(action);
            data.done.push(false);
            data.foreground.push(foreground);
        }
        let options =
            GroupOptions { model: Model::Linear, discount, successes: 0, ..GroupOptions::default() };
        let setting = Setting { data, budget: 200, seeds: Seeds::new(0) };
        let mut learner =
            regressions::RegressionLearner::new("nested-fqi", &nested_fqi::PLAN, setting, options).unwrap();
        (0..200).for_each(|_| learner.improve().unwrap());
        let state = [0.7, -0.3];
        for action in [0.0, 1.0] {
            for foreground in [false, true] {
                let expected = shared(&state, action) + if foreground { added(&state, action) } else { 0.0 };
                let found = learner.value(&state, action as usize, foreground);
                assert!((found - expected).abs() < 1e-8, "discount {discount}: {found} for {expected}");
            }
        }
    }
}

#[test]
fn a_saved_learner_goes_on_as_if_it_had_not_stopped() {
    for model in [Model::Network, Model::Deep, Model::Linear, Model::Trees] {
        let options = || GroupOptions { model, successes: 0, trees: small(), ..GroupOptions::default() };
        let make = || nested_fqi::PLAN.learner("nested-fqi", setting(5.0, 8), options()).unwrap();
        let (mut whole, mut half) = (make(), make());
        (0..7).for_each(|_| whole.improve().unwrap());
        (0..5).for_each(|_| half.improve().unwrap());
        let mut resumed = make();
        resumed.restore(&half.save()).unwrap();
        (0..2).for_each(|_| resumed.improve().unwrap());
        assert_eq!(whole.save(), resumed.save(), "{model:?}");
    }
}

#[test]
fn the_clock_stops_after_three_in_a_row() {
    let mut clock = Clock::default();
    let plan = &nested_fqi::PLAN;
    for survived in [true, true, false, true, true] {
        assert!(!clock.hear(plan, survived, 3));
    }
    assert!(clock.hear(plan, true, 3) && clock.stage == 1 && !clock.finished);
    assert!(!clock.hear(plan, true, 3) && !clock.finished);
    assert!(!clock.hear(plan, true, 3) && !clock.hear(plan, true, 3) && clock.finished);
    let mut clock = Clock::default();
    assert!(!clock.tick(plan, 2) && clock.tick(plan, 2) && clock.stage == 1);
}

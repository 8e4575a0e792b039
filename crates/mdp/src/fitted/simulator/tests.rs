use quire_core::{Progress, Run, RunSpec, Seeds, Trace};

use super::problem::World;
use super::*;
use crate::fitted::regressor::RegressorKind;
use crate::solve::{backward_induction, effective_horizon, evaluate_episodic};
use crate::worlds::{garnet, trap};

fn setting(world: &World, horizon: usize) -> Setting {
    Setting {
        states: world.mdp.states(),
        actions: world.mdp.actions(),
        horizon,
        features: world.features.clone(),
        budget: 1_000_000,
        seeds: Seeds::new(3).child("learner"),
    }
}

/// Plays until the learner has finished; its policy `[T, S]`.
pub(super) fn learn(world: &World, horizon: usize, learner: &mut dyn Learner) -> Vec<usize> {
    let mut rng = Seeds::new(1).stream("dynamics");
    let mut spent = 0;
    while learner.finished().is_none() {
        let mut state = Some(world.mdp.sample_start(&mut rng));
        for stage in 0..horizon {
            let Some(at) = state else { break };
            let action = learner.act(stage, at);
            let (reward, next) = world.step(at, action, &mut rng);
            state = next.filter(|_| stage + 1 < horizon);
            spent += 1;
            learner.observe(Step { stage, state: at, action, reward, next: state }, spent).unwrap();
        }
    }
    let states = world.mdp.states();
    (0..horizon * states).map(|place| learner.policy(place / states, place % states).unwrap()).collect()
}

fn sqirl(world: &World, horizon: usize, lookahead: usize, episodes: usize) -> (f64, Vec<usize>) {
    let options = sqirl::SqirlOptions { lookahead, episodes, ..sqirl::SqirlOptions::default() };
    let mut learner = sqirl::Sqirl::new(&setting(world, horizon), options).unwrap();
    let policy = learn(world, horizon, &mut learner);
    (evaluate_episodic(&world.mdp, &policy, &mut Vec::new()), policy)
}

/// One look takes the sure 0.6, two walk on to 1. The same for longer traps.
#[test]
fn looks_ahead_get_out_of_a_trap() {
    for depth in 2..5 {
        let world = World::new(trap(depth).unwrap());
        for lookahead in 1..=depth {
            // With one look too few the chain looks worth 0.5, at a standard deviation of 0.02.
            let value = sqirl(&world, depth, lookahead, 4_000).0;
            assert_eq!(value, if lookahead < depth { 0.6 } else { 1.0 }, "depth {depth}, k = {lookahead}");
        }
    }
}

/// Random Garnets: with at least as many looks as the analysis asks for, the policy tends to the optimal one as episodes
/// grow; with a single one, where that is too few, it stays below.
#[test]
fn enough_looks_and_episodes_are_optimal() {
    let horizon = 5;
    let mut fewer = 0;
    for seed in 0..6 {
        let world = World::new(garnet(12, 3, 2, seed).unwrap());
        let found = effective_horizon(&world.mdp, horizon);
        let optimal = found.optimal_return;
        let enough = sqirl(&world, horizon, found.solvable_at, 20_000).0 / optimal;
        assert!(enough > 0.97, "seed {seed}: {enough} with {} looks", found.solvable_at);
        if found.solvable_at > 1 {
            fewer += 1;
            let one = sqirl(&world, horizon, 1, 20_000).0;
            assert!(one < optimal - 1e-9, "seed {seed}: {one} of {optimal}");
        }
    }
    assert!(fewer > 0);
}

/// With k = T the last stage is regressed and all others backed up: fitted Q-iteration over the whole episode.
#[test]
fn as_many_looks_as_stages_are_fitted_q_iteration() {
    let horizon = 4;
    let world = World::new(garnet(6, 2, 2, 4).unwrap());
    let (value, policy) = sqirl(&world, horizon, horizon, 40_000);
    let solution = backward_induction(&world.mdp, horizon);
    let optimal: f64 = world.mdp.start().iter().zip(&solution.values).map(|(p, v)| p * v).sum();
    assert!(value > 0.995 * optimal, "{value} of {optimal}");
    assert_eq!(policy.len(), horizon * 6);
}

/// Where nothing is random, one look with means of cells fixes the actions that GORP fixes.
#[test]
fn deterministic_worlds_reproduce_gorp() {
    let (horizon, mut start) = (6, vec![0.0; 30]);
    start[0] = 1.0;
    for seed in 0..4 {
        let world = World::new(garnet(30, 3, 1, seed).unwrap().with_start(start.clone()).unwrap());
        let (value, _) = sqirl(&world, horizon, 1, 30_000);
        let options = gorp::GorpOptions { episodes: 10_000, ..gorp::GorpOptions::default() };
        let mut learner = gorp::Gorp::new(&setting(&world, horizon), options).unwrap();
        let fixed = learn(&world, horizon, &mut learner);
        let gorp = evaluate_episodic(&world.mdp, &fixed, &mut Vec::new());
        assert!((value - gorp).abs() < 1e-9, "seed {seed}: {value}, {gorp}");
    }
}

/// A fixed sequence of actions pays for noise, a policy of states does not.
#[test]
fn sticky_actions_ruin_gorp() {
    let horizon = 10;
    let (mut blind, mut seeing) = (0.0, 0.0);
    for seed in 0..5 {
        let mut start = vec![0.0; 30];
        start[0] = 1.0;
        let base = World::new(garnet(30, 3, 1, seed).unwrap().with_start(start).unwrap());
        let world = base.sticky(0.25).unwrap();
        let optimal = effective_horizon(&world.mdp, horizon).optimal_return;
        seeing += sqirl(&world, horizon, 2, 1_000).0 / optimal / 5.0;
        let options = gorp::GorpOptions { episodes: 300, lookahead: 2, ..gorp::GorpOptions::default() };
        let mut learner = gorp::Gorp::new(&setting(&world, horizon), options).unwrap();
        let fixed = learn(&world, horizon, &mut learner);
        blind += evaluate_episodic(&world.mdp, &fixed, &mut Vec::new()) / optimal / 5.0;
    }
    assert!(seeing > blind + 0.1, "{seeing}, {blind}");
}

/// What is drawn has the mean and the next states that the model of pairs says.
#[test]
fn sticky_steps_follow_the_model() {
    let world = World::new(garnet(5, 3, 2, 2).unwrap()).sticky(0.25).unwrap();
    let ended = World::new(trap(2).unwrap()).sticky(0.25).unwrap();
    let mut rng = Seeds::new(5).stream("steps");
    for world in [world, ended] {
        let (state, action, draws) = (world.mdp.states() - 1, 1, 40_000);
        let (mut paid, mut counts) = (0.0, vec![0.0; world.mdp.states()]);
        for _ in 0..draws {
            let (reward, next) = world.step(state, action, &mut rng);
            paid += reward / f64::from(draws);
            if let Some(next) = next {
                counts[next] += 1.0 / f64::from(draws);
            }
        }
        // Rewards lie in [0, 1] and are worth 0.0025 of standard deviation, shares as well.
        assert!((paid - world.mdp.reward(state, action)).abs() < 0.0125);
        let (next, probability) = world.mdp.row(state, action);
        for (&next, p) in next.iter().zip(probability).filter(|(next, _)| !world.mdp.is_end(**next as usize))
        {
            assert!((counts[next as usize] - p).abs() < 0.0125);
        }
    }
}

/// Two actions by hand at the trap, in the order of the algorithm: the regression is of stage i+k-1.
#[test]
fn the_first_stage_of_a_trap_by_hand() {
    let world = World::new(trap(2).unwrap());
    let options = sqirl::SqirlOptions { lookahead: 2, episodes: 3, ..sqirl::SqirlOptions::default() };
    let mut learner = sqirl::Sqirl::new(&setting(&world, 2), options).unwrap();
    let mut see = |stage, state, action, reward, next| {
        learner.observe(Step { stage, state, action, reward, next }, 1).unwrap();
        learner.policy(0, 0)
    };
    assert_eq!(see(0, 0, 0, 0.6, None), None);
    see(0, 0, 1, 0.0, Some(1));
    assert_eq!(see(1, 1, 1, 0.0, None), None);
    see(0, 0, 1, 0.0, Some(1));
    // Means at s1: 1 and 0; at s0: 0.6 against the backed-up 1, where the mean return of action 1 is 0.5.
    assert_eq!(see(1, 1, 0, 1.0, None), Some(1));
}

#[test]
fn every_regressor_gets_out_of_a_trap() {
    for kind in
        [RegressorKind::CellMean, RegressorKind::Linear, RegressorKind::ExtraTrees, RegressorKind::Network]
    {
        let mut spec = RunSpec::new("trap-3", "sqirl", 0);
        spec.budget = Some(6_000);
        spec.options.insert("lookahead".into(), 3.into());
        let kind = serde_json::to_value(kind).unwrap();
        let regressor = serde_json::json!({ "kind": kind, "trees": { "trees": 5, "min_split": 20 }, "network": { "epochs": 40 } });
        spec.options.insert("regressor".into(), regressor);
        let problems = problems(&[]);
        let problem = problems.iter().find(|problem| problem.card().name == spec.problem).unwrap();
        let mut run: Box<dyn Run> = problem.start(&spec).unwrap();
        let mut trace = Trace::new();
        while run.step(&mut trace).unwrap() == Progress::Continue {}
        let last = trace.last("optimality").unwrap();
        assert_eq!(last, 1.0, "{kind}");
    }
}

#[test]
fn too_many_sequences_are_refused() {
    let world = World::new(garnet(5, 3, 2, 2).unwrap());
    let options = gorp::GorpOptions { lookahead: 20, ..gorp::GorpOptions::default() };
    let error = gorp::Gorp::new(&setting(&world, 30), options).err().unwrap().to_string();
    assert!(error.contains("`lookahead`"), "{error}");
}

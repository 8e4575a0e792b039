use quire_core::{Problem, RunSpec, Seeds, Trace};
use rand::RngExt;

use super::baselines::{TrueRewardRlsvi, TrueRewardRlsviOptions};
use super::comparisons::{Comparisons, difference, logistic};
use super::pbts::{Pbts, PbtsOptions, Posterior, mean_difference};
use super::pr_lsvi::{PrLsvi, PrLsviOptions, Truncation, share_known};
use super::query::{Query, expected_disagreement};
use super::worlds::{SHARPNESS, World, rewards};
use super::*;
use crate::finite::FiniteMdp;
use crate::linear::dot;

fn setting(world: &World, knows_rewards: bool) -> Setting {
    Setting {
        states: world.mdp.states(),
        actions: world.mdp.actions(),
        horizon: world.mdp.horizon(),
        rounds: 1_000,
        features: Arc::clone(&world.features),
        greatest_reward: SHARPNESS,
        rewards: knows_rewards.then(|| Arc::new(rewards(&world.mdp))),
        candidates: world.candidates.clone(),
        seeds: Seeds::new(1),
    }
}

/// A trajectory of uniformly random actions.
fn random_walk(mdp: &StagedMdp, rng: &mut quire_core::Rng) -> Vec<Step> {
    let mut state = mdp.sample_start(rng);
    let mut step = |stage: usize| {
        let action = rng.random_range(0..mdp.actions());
        let next = mdp.stage(stage).sample_next(state, action, rng);
        let step = Step { state, action, next };
        state = next;
        step
    };
    (0..mdp.horizon()).map(&mut step).collect()
}

fn paid(mdp: &StagedMdp, steps: &[Step]) -> f64 {
    steps.iter().enumerate().map(|(stage, step)| mdp.stage(stage).reward(step.state, step.action)).sum()
}

#[test]
fn equal_trajectories_are_never_asked_about_and_a_pair_never_grows_more_doubtful() {
    let world = World::tabular(0).unwrap();
    let setting = setting(&world, false);
    let mut rng = Seeds::new(0).stream("walks");
    let mut comparisons = Comparisons::new(18);
    let fixed = [random_walk(&world.mdp, &mut rng), random_walk(&world.mdp, &mut rng)];
    let mut x = vec![0.0; 18];
    difference(&world.features, 2, [&fixed[0], &fixed[0]], &mut x);
    assert!(x.iter().all(|x| *x == 0.0));
    for query in [Query::Disagreement { threshold: 0.0 }, Query::Always {}, Query::Random { labels: 1_000 }] {
        let options = PrLsviOptions { query, ..PrLsviOptions::default() };
        let mut learner = PrLsvi::new(&setting, options).unwrap();
        assert!(!learner.asks([&fixed[0], &fixed[0]]).unwrap());
        assert!(learner.asks([&fixed[0], &fixed[1]]).unwrap());
    }
    difference(&world.features, 2, [&fixed[0], &fixed[1]], &mut x);
    let mut last = f64::INFINITY;
    let (mut sum, mut other) = (0.0, vec![0.0; 18]);
    for count in 1..=300 {
        let statistic = expected_disagreement(0.3 * comparisons.covariance(1.0).unwrap().norm(&x));
        assert!(statistic <= last + 1e-12);
        last = statistic;
        let pair = [random_walk(&world.mdp, &mut rng), random_walk(&world.mdp, &mut rng)];
        difference(&world.features, 2, [&pair[0], &pair[1]], &mut other);
        sum += comparisons.covariance(1.0).unwrap().norm(&other).powi(2).min(1.0);
        comparisons.record(&other, true);
        // The elliptical potential, with H = 3, d = 18 and λ = 1.
        assert!(sum <= 2.0 * 18.0 * (1.0 + f64::from(count) * 9.0 / 18.0).ln());
    }
}

#[test]
fn a_constant_reward_of_a_stage_changes_no_likelihood() {
    let world = World::tabular(3).unwrap();
    let mut rng = Seeds::new(0).stream("walks");
    let mut comparisons = Comparisons::new(18);
    let mut x = vec![0.0; 18];
    for _ in 0..50 {
        let pair = [random_walk(&world.mdp, &mut rng), random_walk(&world.mdp, &mut rng)];
        difference(&world.features, 2, [&pair[0], &pair[1]], &mut x);
        comparisons.record(&x, rng.random());
    }
    let theta = rewards(&world.mdp);
    let shifted: Vec<f64> = theta.iter().enumerate().map(|(at, t)| t + [0.7, -2.0, 5.0][at / 6]).collect();
    let (a, b) = (comparisons.log_likelihood(&theta, 0.0), comparisons.log_likelihood(&shifted, 0.0));
    assert!((a - b).abs() < 1e-10);
}

/// Backward induction with rewards `[H, S, A]` and shrunken means of next values, as ridge regression with one feature a pair.
fn greedy(setting: &Setting, rewards: &[f64], followed: &[f64], ridge: f64) -> Vec<usize> {
    let Setting { states, actions, horizon, .. } = *setting;
    let mut policy = vec![0; horizon * states];
    let mut later = vec![0.0; states];
    for stage in (0..horizon).rev() {
        let mut now = vec![0.0; states];
        for (state, now) in now.iter_mut().enumerate() {
            let value = |action: usize| {
                let at = (stage * states + state) * actions + action;
                let counts = &followed[at * states..][..states];
                rewards[at] + dot(counts, &later) / (ridge + counts.iter().sum::<f64>())
            };
            let best =
                (0..actions).fold(0, |best, action| if value(action) > value(best) { action } else { best });
            policy[stage * states + state] = best;
            *now = value(best);
        }
        later = now;
    }
    policy
}

#[test]
fn without_noise_it_is_least_squares_value_iteration_on_the_learned_reward() {
    for told in [false, true] {
        let world = World::tabular(4).unwrap();
        let setting = setting(&world, told);
        let options = PrLsviOptions {
            reward_noise: 0.0,
            value_noise: 0.0,
            query: Query::Always {},
            // Cut off nowhere.
            truncation: Truncation::Smooth { known: 2.0, unknown: 3.0 },
            ..PrLsviOptions::default()
        };
        let mut learner = PrLsvi::new(&setting, options).unwrap();
        let mut rng = Seeds::new(0).stream("walks");
        let mut followed = vec![0.0; 18 * 3];
        let mut comparisons = Comparisons::new(18);
        let mut x = vec![0.0; 18];
        for _ in 0..3_000 {
            let pair = [random_walk(&world.mdp, &mut rng), random_walk(&world.mdp, &mut rng)];
            let pair = [pair[0].as_slice(), pair[1].as_slice()];
            for (stage, step) in pair.into_iter().flat_map(|steps| steps.iter().enumerate()) {
                followed[((stage * 3 + step.state) * 2 + step.action) * 3 + step.next] += 1.0;
            }
            let first = rng.random::<f64>() < logistic(paid(&world.mdp, pair[0]) - paid(&world.mdp, pair[1]));
            difference(&world.features, 2, pair, &mut x);
            let asks = learner.asks(pair).unwrap();
            assert_eq!(asks, !told && x.iter().any(|x| *x != 0.0));
            learner.observe(pair, asks.then_some(first)).unwrap();
            comparisons.record(&x, first);
        }
        comparisons.fit(0.1, 50).unwrap();
        let theta = if told { rewards(&world.mdp) } else { comparisons.estimate };
        let mut policies = [vec![9; 9], vec![9; 9]];
        let [first, second] = &mut policies;
        learner.plan([first, second]).unwrap();
        assert_eq!(policies[0], greedy(&setting, &theta, &followed, 1.0));
        // The labels suffice for a policy that is nearly optimal; one at random loses far more than 1.
        let optimum = world.mdp.evaluate(&world.mdp.backward_induction().policy);
        assert!(optimum - world.mdp.evaluate(&policies[0]) < 0.3);
    }
}

/// One state, two arms, one stage.
fn arms(rewards: [f64; 2], features: Features) -> World {
    let mdp = FiniteMdp::from_dense(1, 2, &[1.0, 1.0], rewards.to_vec(), vec![1.0]).unwrap();
    World {
        mdp: Arc::new(StagedMdp::new(vec![mdp]).unwrap()),
        features: Arc::new(features),
        candidates: None,
    }
}

#[test]
fn with_known_rewards_it_is_rlsvi() {
    // Values deviate by 0.3/√(n + 1) with n = 3 and 0: the better arm is greedy with probability Φ(0.2/(0.3 √1.25)) = 0.7244.
    let world = arms([0.5, 0.3], Features::one_hot(2));
    let mut learner =
        TrueRewardRlsvi::new(&setting(&world, true), TrueRewardRlsviOptions::default()).unwrap();
    let step = [Step { state: 0, action: 0, next: 0 }];
    learner.observe([&step, &step], None).unwrap();
    learner.observe([&step, &[]], None).unwrap();
    let (mut first, mut second) = ([0], [0]);
    let mut better = 0;
    for _ in 0..20_000 {
        learner.plan([&mut first, &mut second]).unwrap();
        better += i32::from(first[0] == 0);
    }
    assert!((f64::from(better) / 20_000.0 - 0.7244).abs() < 5.0 * 0.45 / 20_000.0_f64.sqrt());
}

#[test]
fn smooth_truncation_goes_from_the_noisy_value_to_optimism() {
    assert_eq!([0.5, 1.0, 1.5, 2.0, 9.0].map(|norm| share_known(norm, 1.0, 2.0)), [1.0, 1.0, 0.5, 0.0, 0.0]);
    let world = World::tabular(0).unwrap();
    let options = PrLsviOptions {
        truncation: Truncation::Smooth { known: 0.6, unknown: 0.5 },
        ..PrLsviOptions::default()
    };
    let message = PrLsvi::new(&setting(&world, false), options).err().unwrap().to_string();
    assert!(message.contains("truncation.unknown"), "{message}");
}

#[test]
fn the_mean_difference_by_hand() {
    let mean = mean_difference(&[0.0, 1.0, 3.0], &[0.5, 0.25, 0.25]);
    assert!((mean - 1.25).abs() < 1e-15);
    assert_eq!(mean_difference(&[2.0], &[1.0]), 0.0);
}

#[test]
fn a_prior_of_one_point_is_the_optimal_policy_and_asks_nothing() {
    let mut world = World::tabular(5).unwrap();
    world.candidates = Some(Arc::new(Candidates {
        models: vec![StagedMdp::clone(&world.mdp)],
        rewards: vec![rewards(&world.mdp)],
    }));
    let options = PbtsOptions { posterior: Posterior::Candidates, ..PbtsOptions::default() };
    let mut learner = Pbts::new(&setting(&world, false), options).unwrap();
    let optimal = world.mdp.backward_induction().policy;
    let mut rng = Seeds::new(0).stream("walks");
    for _ in 0..20 {
        let (mut first, mut second) = (vec![9; 9], vec![9; 9]);
        learner.plan([&mut first, &mut second]).unwrap();
        assert_eq!((&first, &second), (&optimal, &optimal));
        let pair = [random_walk(&world.mdp, &mut rng), random_walk(&world.mdp, &mut rng)];
        let pair = [pair[0].as_slice(), pair[1].as_slice()];
        assert!(!learner.asks(pair).unwrap());
        learner.observe(pair, None).unwrap();
    }
}

#[test]
fn answers_and_transitions_weigh_candidates_by_their_likelihood() {
    let mut world = arms([2.0, 0.0], Features::one_hot(2));
    let model = StagedMdp::clone(&world.mdp);
    world.candidates =
        Some(Arc::new(Candidates { models: vec![model], rewards: vec![vec![2.0, 0.0], vec![0.0, 2.0]] }));
    let options = PbtsOptions { posterior: Posterior::Candidates, ..PbtsOptions::default() };
    let mut learner = Pbts::new(&setting(&world, false), options).unwrap();
    let [first, second] = [0, 1].map(|action| [Step { state: 0, action, next: 0 }]);
    // Two rewards, equally likely, differ by 4: E |.| = 2 · 1/4 · 4.
    assert!(learner.asks([&first, &second]).unwrap());
    learner.observe([&first, &second], Some(true)).unwrap();
    let [models, rewards] = learner.weights();
    assert_eq!(models, [1.0]);
    assert!((rewards[0] / rewards[1] - 2.0_f64.exp()).abs() < 1e-9);
    // The truth of a world with candidates is one of them.
    let world = World::candidates(8).unwrap();
    let class = world.candidates.unwrap();
    assert!(class.models.contains(&world.mdp) && class.rewards.contains(&self::rewards(&world.mdp)));
    assert_eq!((class.models.len(), class.rewards.len()), (50, 50));
    let plain = setting(&World::tabular(0).unwrap(), false);
    let options = PbtsOptions { posterior: Posterior::Candidates, ..PbtsOptions::default() };
    assert!(Pbts::new(&plain, options).err().unwrap().to_string().contains("posterior"));
}

#[test]
fn a_run_counts_its_questions_and_never_gains_on_the_optimum() {
    let problems = problems();
    let problem: &Arc<dyn Problem> = &problems[0];
    let mut spec = RunSpec::new("preference-tabular", "pr-lsvi", 0);
    spec.budget = Some(100);
    let mut run = problem.start(&spec).unwrap();
    let mut trace = Trace::new();
    while run.step(&mut trace).unwrap() == quire_core::Progress::Continue {}
    let points = trace.points();
    let of =
        |name: &'static str| points.iter().filter(move |point| point.metric == name).map(|point| point.value);
    assert!(of("regret").zip(of("regret").skip(1)).all(|(a, b)| b >= a - 1e-12));
    let questions = of("queries").next_back().unwrap();
    assert!(questions > 0.0 && questions <= 100.0);
}

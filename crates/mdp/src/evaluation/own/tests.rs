use super::*;

fn row(state: f64, action: usize, reward: &[f64], next: Option<f64>, done: bool) -> Row {
    Row { state: vec![state], action, reward: reward.to_vec(), next: next.map(|s| vec![s]), done }
}

fn how(discount: Option<f64>, steps: u64) -> How {
    let set = options::parse_assignments(&[format!("steps={steps}")]).unwrap();
    How { discount, seed: 3, samples: 500, resamples: 0, set }
}

/// Episodes of one row each, half of them in state 0, whose follower 1 only the log's column knows, half in state 1, which
/// pays 1 and ends: values 1/2 and 1 at discount 1/2.
fn pairs() -> Episodes {
    let first = vec![row(0.0, 0, &[0.0], Some(1.0), false)];
    let second = vec![row(1.0, 0, &[1.0], None, true)];
    [first, second].iter().cycle().take(200).cloned().collect()
}

#[test]
fn an_endless_horizon_goes_by_the_logged_followers() {
    let found = evaluate(&pairs(), &Target::Uniform, &how(Some(0.5), 400)).unwrap();
    // 0.5^5 is the first power below 0.05.
    assert_eq!((found.episodes, found.transitions, found.fits, found.discount), (200, 200, 5, Some(0.5)));
    assert!((found.returns[0].mean - 0.75).abs() < 0.1, "{:?}", found.returns);
    assert_eq!(found.returns[0].interval, None);
    assert!(found.warnings.is_empty(), "{:?}", found.warnings);
    // With a horizon nothing follows a row that ends its episode: 0 and 1.
    let found = evaluate(&pairs(), &Target::Uniform, &how(None, 400)).unwrap();
    assert_eq!((found.fits, found.discount), (1, None));
    assert!((found.returns[0].mean - 0.5).abs() < 0.1, "{:?}", found.returns);
}

#[test]
fn a_reward_that_never_ends() {
    // 1 + 1/2 + 1/4 + 1/8 + 1/16 from five steps ahead.
    let log = vec![(0..5).map(|_| row(0.0, 0, &[1.0], Some(0.0), false)).collect::<Vec<_>>(); 40];
    let found = evaluate(&log, &Target::Always(0), &how(Some(0.5), 400)).unwrap();
    let law = &found.returns[0];
    assert!((law.mean - 1.9375).abs() < 0.1 && law.deviation < 0.2, "{law:?}");
    assert!(law.quantiles.is_sorted());
    // At discount 0 the first reward is all there is.
    let found = evaluate(&log, &Target::Always(0), &how(Some(0.0), 400)).unwrap();
    assert_eq!(found.fits, 1);
    assert!((found.returns[0].mean - 1.0).abs() < 0.05, "{:?}", found.returns);
    // A far horizon is cut after 30 steps, and the rest weighs 0.99^30.
    let found = evaluate(&log, &Target::Always(0), &how(Some(0.99), 1)).unwrap();
    assert_eq!(found.fits, 30);
    assert!(
        found.warnings.iter().any(|w| w.contains("only 30 steps") && w.contains("weighs 0.74")),
        "{:?}",
        found.warnings
    );
}

#[test]
fn rewards_of_two_numbers_have_two_laws() {
    let log: Episodes = (0..100).map(|_| vec![row(0.0, 0, &[1.0, -2.0], None, true)]).collect();
    let found = evaluate(&log, &Target::Uniform, &how(None, 600)).unwrap();
    let means: Vec<f64> = found.returns.iter().map(|law| law.mean).collect();
    assert!(means.len() == 2 && (means[0] - 1.0).abs() < 0.35 && (means[1] + 2.0).abs() < 0.35, "{means:?}");
    let three: Episodes = vec![vec![row(0.0, 0, &[1.0; 3], None, true)]];
    let error = evaluate(&three, &Target::Uniform, &how(None, 1)).unwrap_err().to_string();
    assert!(error.contains("rewards of 3 numbers"), "{error}");
}

/// Action 1 leads from state 0 to state 1, where only action 0 was ever logged.
#[test]
fn coverage_of_an_endless_horizon_by_hand() {
    let episode = vec![row(0.0, 1, &[0.0], Some(1.0), false), row(1.0, 0, &[0.0], Some(0.0), false)];
    let log = vec![episode; 20];
    let found = evaluate(&log, &Target::Always(1), &how(Some(0.5), 1)).unwrap();
    // Weights 1, 1/2, ..., 1/16; all but the first are at or after a pair that is not there.
    assert!((found.coverage.never - 0.9375 / 1.9375).abs() < 1e-12, "{:?}", found.coverage);
    assert_eq!((found.coverage.by, found.coverage.rarely), ("counts", 0.0));
    assert_eq!(found.coverage.effective_episodes, 0.0);
    assert!(found.warnings.iter().any(|w| w.contains("48 %")), "{:?}", found.warnings);
    // The log's own policy is covered, and all of its episodes count.
    let found = evaluate(&log, &Target::Logged, &how(Some(0.5), 1)).unwrap();
    assert_eq!((found.coverage.never, found.coverage.rarely), (0.0, 0.0));
    assert!((found.coverage.effective_episodes - 20.0).abs() < 1e-9);
}

#[test]
fn mistakes_are_named() {
    for discount in [1.0, -0.1, f64::NAN] {
        let error = evaluate(&pairs(), &Target::Uniform, &how(Some(discount), 1)).unwrap_err().to_string();
        assert!(error.contains("--discount must lie in [0, 1)"), "{error}");
    }
    let cut: Episodes = vec![vec![row(0.0, 0, &[1.0], None, false)]];
    let error = evaluate(&cut, &Target::Uniform, &how(Some(0.5), 1)).unwrap_err().to_string();
    assert!(error.contains("next state is known"), "{error}");
    let broken: Episodes = vec![vec![row(0.5, 0, &[1.0], None, true)]];
    let error = evaluate(&broken, &Target::Logged, &how(None, 1)).unwrap_err().to_string();
    assert!(error.contains("integer states"), "{error}");
    let table = Target::Table(vec![vec![1.0]]);
    let error = evaluate(&pairs(), &table, &how(None, 1)).unwrap_err().to_string();
    assert!(error.contains("says nothing of state 1"), "{error}");
}

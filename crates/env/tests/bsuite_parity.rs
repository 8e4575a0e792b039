//! DeepSea and Catch against episodes that bsuite played (see tests/data/README.md).

use quire_env::bsuite::{Catch, DeepSea};
use quire_env::{Action, Environment};
use serde::Deserialize;

#[derive(Deserialize)]
struct Recording {
    deep_sea: Vec<Sea>,
    catch: Vec<Episode>,
}

#[derive(Deserialize)]
struct Sea {
    size: usize,
    mapping: Vec<usize>,
    episodes: Vec<Episode>,
}

/// The cells that are on at the start, then action, reward, last, cells that are on.
#[derive(Deserialize)]
struct Episode {
    start: Vec<usize>,
    steps: Vec<(usize, f64, u8, Vec<usize>)>,
}

fn cells(observation: &[f32]) -> Vec<usize> {
    (0..observation.len()).filter(|&cell| observation[cell] == 1.0).collect()
}

/// Plays an episode on an environment that has just begun one, and returns its return.
fn follow<E: Environment>(environment: &mut E, episode: &Episode) -> f64 {
    let mut observation = vec![0.0; environment.observation_space().size()];
    let mut total = 0.0;
    for (action, reward, last, on) in &episode.steps {
        let step = environment.step(Action::Discrete(*action), &mut observation).unwrap();
        assert!((step.reward - reward).abs() < 1e-15, "{} for {reward}", step.reward);
        assert_eq!((step.terminated, step.truncated), (*last == 1, false));
        assert_eq!(cells(&observation), *on);
        total += step.reward;
    }
    total
}

fn recording() -> Recording {
    serde_json::from_str(include_str!("data/bsuite.json")).unwrap()
}

#[test]
fn deep_sea() {
    for sea in recording().deep_sea {
        let mut environment = DeepSea::with_mapping(sea.size, sea.mapping).unwrap();
        let mut observation = vec![0.0; sea.size * sea.size];
        let mut best = f64::NEG_INFINITY;
        for episode in &sea.episodes {
            environment.reset(None, &mut observation).unwrap();
            assert_eq!(cells(&observation), episode.start);
            best = best.max(follow(&mut environment, episode));
        }
        assert!((best - environment.optimum()).abs() < 1e-12, "always right is recorded");
    }
}

#[test]
fn catch() {
    let mut environment = Catch::new();
    let mut returns = Vec::new();
    for episode in &recording().catch {
        // The ball is in the top row, the paddle in the middle of the lowest one.
        assert_eq!(episode.start[1], 47);
        environment.start_with(episode.start[0]);
        returns.push(follow(&mut environment, episode));
    }
    assert!(returns.contains(&1.0) && returns.contains(&-1.0));
}

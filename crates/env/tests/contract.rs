//! What every environment in the registry must do.

use proptest::prelude::*;
use quire_core::{Error, Rng, Seeds};
use quire_env::wrappers::{
    ActionRepeat, FrameStack, NormalizeObservation, NormalizeReward, RescaleAction, StickyActions, TimeLimit,
};
use quire_env::{Action, Environment, Space, Step, list, make};

/// Every environment by name, and every wrapper around one of each kind.
fn everything() -> Vec<(String, Box<dyn Environment>)> {
    let mut all: Vec<(String, Box<dyn Environment>)> =
        list().iter().map(|card| (card.id.to_owned(), make(card.id).unwrap())).collect();
    for id in ["CartPole-v1", "Pendulum-v1", "MinAtar/Asterix-v1"] {
        let inner = || make(id).unwrap();
        let mut wrap =
            |name: &str, wrapped: Box<dyn Environment>| all.push((format!("{name}({id})"), wrapped));
        wrap("TimeLimit", Box::new(TimeLimit::new(inner(), 13).unwrap()));
        wrap("NormalizeObservation", Box::new(NormalizeObservation::new(inner())));
        wrap("NormalizeReward", Box::new(NormalizeReward::new(inner(), 0.99).unwrap()));
        wrap("FrameStack", Box::new(FrameStack::new(inner(), 4).unwrap()));
        wrap("StickyActions", Box::new(StickyActions::new(inner(), 0.25).unwrap()));
        wrap("ActionRepeat", Box::new(ActionRepeat::new(inner(), 4).unwrap()));
    }
    let typed = NormalizeReward::new(RescaleAction::new(make("Pendulum-v1").unwrap()).unwrap(), 0.9).unwrap();
    all.push(("NormalizeReward(RescaleAction(Pendulum-v1))".into(), Box::new(typed)));
    all
}

/// An agent that acts at random, resets when an episode ends, and checks what it sees.
struct Walk {
    environment: Box<dyn Environment>,
    rng: Rng,
    observation: Vec<f32>,
}

impl Walk {
    fn new(environment: Box<dyn Environment>, seed: u64) -> Self {
        let observation = vec![0.0; environment.observation_space().size()];
        let mut walk = Walk { environment, rng: Seeds::new(seed).stream("actions"), observation };
        walk.environment.reset(Some(seed), &mut walk.observation).unwrap();
        walk
    }

    fn step(&mut self, name: &str) -> (Step, Vec<f32>) {
        let action = self.environment.action_space().sample_action(&mut self.rng);
        assert!(self.environment.action_space().contains_action(action.borrow()));
        let step = self.environment.step(action.borrow(), &mut self.observation).unwrap();
        self.check(name);
        assert!(step.reward.is_finite(), "{name}");
        let seen = self.observation.clone();
        if step.ended() {
            self.environment.reset(None, &mut self.observation).unwrap();
            self.check(name);
        }
        (step, seen)
    }

    fn check(&self, name: &str) {
        let space = self.environment.observation_space();
        assert!(space.contains(&self.observation), "{name}: {:?} is not in {space}", self.observation);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    /// Saved at a random step and restored into a fresh copy, an environment goes on with the same bits; so does a
    /// clone; and what it saves afterwards is the same, too.
    #[test]
    fn saved_and_restored_is_never_stopped(seed in any::<u64>(), before in 0usize..700, after in 1usize..300) {
        for ((name, environment), (_, fresh)) in everything().into_iter().zip(everything()) {
            let mut walk = Walk::new(environment, seed);
            for _ in 0..before {
                walk.step(&name);
            }
            let mut restored =
                Walk { environment: fresh, rng: walk.rng.clone(), observation: walk.observation.clone() };
            restored.environment.restore(&walk.environment.save()).unwrap();
            let mut cloned = Walk {
                environment: walk.environment.clone_box(),
                rng: walk.rng.clone(),
                observation: walk.observation.clone(),
            };
            for _ in 0..after {
                let expected = walk.step(&name);
                prop_assert_eq!(&restored.step(&name), &expected, "{}", name);
                prop_assert_eq!(&cloned.step(&name), &expected, "{}", name);
            }
            prop_assert_eq!(restored.environment.save(), walk.environment.save(), "{}", name);
        }
    }

    /// The same seed gives the same trajectory, whatever happened before, apart from what a wrapper has learned.
    #[test]
    fn a_seed_makes_a_trajectory(seed in any::<u64>(), before in 0usize..100) {
        for card in list() {
            let mut fresh = Walk::new(make(card.id).unwrap(), seed);
            let mut used = Walk::new(make(card.id).unwrap(), seed ^ 1);
            for _ in 0..before {
                used.step(card.id);
            }
            used.rng = fresh.rng.clone();
            used.environment.reset(Some(seed), &mut used.observation).unwrap();
            prop_assert_eq!(&used.observation, &fresh.observation, "{}", card.id);
            for _ in 0..200 {
                prop_assert_eq!(used.step(card.id), fresh.step(card.id), "{}", card.id);
            }
        }
    }

    /// Damaged or foreign bytes are an error, never a panic, and the environment can still be reset and used.
    #[test]
    fn damaged_states_are_refused(at in any::<prop::sample::Index>(), flip in 1u8.., length in any::<prop::sample::Index>()) {
        for (name, mut environment) in everything() {
            let mut observation = vec![0.0; environment.observation_space().size()];
            environment.reset(Some(3), &mut observation).unwrap();
            let saved = environment.save();
            let mut damaged = saved.clone();
            damaged[at.index(saved.len())] ^= flip;
            for bytes in [&damaged[..], &saved[..length.index(saved.len())]] {
                let error = environment.restore(bytes).unwrap_err();
                prop_assert!(matches!(error, Error::Resume(_)), "{}: {}", name, error);
            }
            let mut walk = Walk { environment, rng: Seeds::new(1).stream("actions"), observation };
            walk.environment.reset(None, &mut walk.observation).unwrap();
            walk.step(&name);
        }
    }
}

#[test]
fn different_seeds_give_different_trajectories() {
    for card in list() {
        // In a deterministic task nothing depends on the seed; with the same actions the trajectories agree.
        let deterministic = card.id.starts_with("DeepSea") || card.id.starts_with("NChain");
        let trajectory = |seed| {
            let mut walk = Walk::new(make(card.id).unwrap(), seed);
            walk.rng = Seeds::new(0).stream("actions");
            (0..300).map(|_| walk.step(card.id)).collect::<Vec<_>>()
        };
        assert_eq!(trajectory(1) == trajectory(2), deterministic, "{}", card.id);
    }
}

#[test]
fn nonsense_is_an_error_and_changes_nothing() {
    for (name, mut environment) in everything() {
        let mut observation = vec![0.0; environment.observation_space().size()];
        let size = environment.action_space().size();
        let good = environment.action_space().sample_action(&mut Seeds::new(1).stream("action"));
        assert!(environment.step(good.borrow(), &mut observation).is_err(), "{name}: before the first reset");
        environment.reset(Some(1), &mut observation).unwrap();
        let before = environment.save();
        let long = vec![0.0; size + 1];
        let not_a_number = vec![f32::NAN; size];
        let mut bad =
            vec![Action::Continuous(&long), Action::Continuous(&not_a_number), Action::Continuous(&[])];
        bad.push(match environment.action_space() {
            Space::Discrete { n } => Action::Discrete(*n),
            Space::Box { .. } => Action::Discrete(0),
        });
        for action in bad {
            let error = environment.step(action, &mut observation).unwrap_err();
            assert!(matches!(error, Error::Failed(_)), "{name}");
            assert!(error.to_string().contains("action space"), "{name}: {error}");
        }
        assert_eq!(environment.save(), before, "{name}");
        // A step after the end is refused, too, and the episode that follows is a good one.
        let mut rng = Seeds::new(2).stream("actions");
        for _ in 0..3000 {
            let action = environment.action_space().sample_action(&mut rng);
            if environment.step(action.borrow(), &mut observation).unwrap().ended() {
                break;
            }
        }
        let ended = environment.save();
        if environment.step(good.borrow(), &mut observation).is_err() {
            assert_eq!(environment.save(), ended, "{name}");
            environment.reset(None, &mut observation).unwrap();
            environment.step(good.borrow(), &mut observation).unwrap();
        } else {
            panic!("{name}: no episode ended within 3000 steps, or a step after the end went through");
        }
    }
}

#[test]
fn the_published_time_limits_hold() {
    for card in list() {
        let Some(limit) = card.time_limit else { continue };
        let mut walk = Walk::new(make(card.id).unwrap(), 4);
        let mut length = 0;
        for _ in 0..5000 {
            let (step, _) = walk.step(card.id);
            length += 1;
            assert!(length <= limit, "{}", card.id);
            assert_eq!(step.truncated, length == limit, "{}", card.id);
            if step.ended() {
                length = 0;
            }
        }
    }
}

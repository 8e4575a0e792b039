//! Actions that stick.

use quire_core::{Error, Result, Rng, Seeds};
use rand::RngExt;

use crate::environment::{Action, Environment, OwnedAction, Step, check_action};
use crate::saved;
use crate::space::Space;

const NAME: &str = "StickyActions";

/// Carries out the previous step's action instead of the given one with a fixed probability, so that a sequence of
/// actions learned by heart fails.
///
/// "Previous" is what was carried out, so an action may stick for several steps. The first action of an episode
/// never sticks. Machado et al. 2018, "Revisiting the Arcade Learning Environment"; they use probability 0.25.
#[derive(Debug, Clone)]
pub struct StickyActions<E> {
    inner: E,
    probability: f64,
    /// What was carried out last, if anything was in this episode; kept as a buffer in any case.
    previous: OwnedAction,
    has_previous: bool,
    rng: Rng,
}

impl<E: Environment> StickyActions<E> {
    /// Makes the actions of `inner` stick with `probability`, from 0 up to but not including 1.
    ///
    /// # Errors
    /// [`Error::Option`] if the probability lies outside.
    pub fn new(inner: E, probability: f64) -> Result<Self> {
        if !(0.0..1.0).contains(&probability) {
            return Err(Error::option(
                "sticky_actions",
                format!("probability {probability} is not in [0, 1)"),
            ));
        }
        let previous = match inner.action_space() {
            Space::Discrete { .. } => OwnedAction::Discrete(0),
            Space::Box { low, .. } => OwnedAction::Continuous(vec![0.0; low.len()]),
        };
        Ok(StickyActions { inner, probability, previous, has_previous: false, rng: generator(0) })
    }

    /// The wrapped environment.
    pub fn inner(&self) -> &E {
        &self.inner
    }
}

fn generator(seed: u64) -> Rng {
    Seeds::new(seed).stream("sticky-actions")
}

impl<E: Environment + Clone + 'static> Environment for StickyActions<E> {
    fn observation_space(&self) -> &Space {
        self.inner.observation_space()
    }

    fn action_space(&self) -> &Space {
        self.inner.action_space()
    }

    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) -> Result<()> {
        self.inner.reset(seed, observation)?;
        if let Some(seed) = seed {
            self.rng = generator(seed);
        }
        self.has_previous = false;
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step> {
        // A bad action is reported also where it would have been replaced.
        check_action(NAME, action, self.inner.action_space())?;
        let mut rng = self.rng.clone();
        let stick = self.has_previous && rng.random::<f64>() < self.probability;
        let step = self.inner.step(if stick { self.previous.borrow() } else { action }, observation)?;
        self.rng = rng;
        if !stick {
            match (&mut self.previous, action) {
                (OwnedAction::Continuous(previous), Action::Continuous(values)) => {
                    previous.copy_from_slice(values);
                }
                (previous, action) => *previous = action.to_owned(),
            }
            self.has_previous = true;
        }
        Ok(step)
    }

    fn save(&self) -> Vec<u8> {
        saved::pack(NAME, &(&self.previous, self.has_previous, &self.rng, self.inner.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (previous, has_previous, rng, inner): (OwnedAction, bool, Rng, Vec<u8>) =
            saved::unpack(NAME, saved)?;
        self.inner.restore(&inner)?;
        (self.previous, self.has_previous, self.rng) = (previous, has_previous, rng);
        Ok(())
    }

    fn clone_box(&self) -> Box<dyn Environment> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic::Pendulum;

    /// How often the torque carried out differs from the given one, which changes at every step.
    fn replaced(probability: f64, steps: usize) -> usize {
        let mut sticky = StickyActions::new(Pendulum::new(), probability).unwrap();
        let mut observation = [0.0; 3];
        sticky.reset(Some(3), &mut observation).unwrap();
        (0..steps)
            .filter(|&time| {
                let given = [if time % 2 == 0 { 1.0 } else { -1.0 }];
                let mut plain = sticky.inner().clone();
                plain.step(Action::Continuous(&given), &mut observation).unwrap();
                sticky.step(Action::Continuous(&given), &mut observation).unwrap();
                sticky.inner().state() != plain.state()
            })
            .count()
    }

    #[test]
    fn actions_stick_as_often_as_they_should() {
        assert_eq!(replaced(0.0, 100), 0);
        // Given actions alternate. What is carried out equals the given action if it does not stick, or if the
        // previous one was of the same sign: the chance r of a difference obeys r = p (1 - r).
        let expected = 0.25 / 1.25 * 10_000.0;
        let count = replaced(0.25, 10_000) as f64;
        assert!((count - expected).abs() < 5.0 * 40.0, "{count} for {expected}");
    }

    #[test]
    fn the_first_action_does_not_stick_and_a_bad_one_is_refused() {
        let mut sticky = StickyActions::new(Pendulum::new(), 0.99).unwrap();
        let mut observation = [0.0; 3];
        for seed in 0..20 {
            sticky.reset(Some(seed), &mut observation).unwrap();
            let mut plain = sticky.inner().clone();
            plain.step(Action::Continuous(&[1.5]), &mut observation).unwrap();
            sticky.step(Action::Continuous(&[1.5]), &mut observation).unwrap();
            assert_eq!(sticky.inner().state(), plain.state());
            assert!(sticky.step(Action::Continuous(&[f32::NAN]), &mut observation).is_err());
        }
        assert!(StickyActions::new(Pendulum::new(), 1.0).is_err());
    }
}

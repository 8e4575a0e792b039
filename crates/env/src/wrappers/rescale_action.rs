//! Acting in \[-1, 1\]^d.

use quire_core::{Error, Result};

use crate::environment::{Action, Environment, Step, check_action};
use crate::saved;
use crate::space::Space;

const NAME: &str = "RescaleAction";

/// Lets the agent act in \[-1, 1\]^d, whatever the bounds of the wrapped environment: -1 becomes the lower bound, 1
/// the upper one, in between linearly. Numbers outside \[-1, 1\] are clipped to it.
#[derive(Debug, Clone)]
pub struct RescaleAction<E> {
    inner: E,
    low: Vec<f32>,
    high: Vec<f32>,
    scaled: Vec<f32>,
    action_space: Space,
}

impl<E: Environment> RescaleAction<E> {
    /// Rescales the actions of `inner`.
    ///
    /// # Errors
    /// [`Error::Usage`] if its actions are discrete or unbounded.
    pub fn new(inner: E) -> Result<Self> {
        let space = inner.action_space();
        let Some((low, high)) =
            space.bounds().filter(|(low, high)| low.iter().chain(*high).all(|bound| bound.is_finite()))
        else {
            return Err(Error::Usage(format!(
                "only bounded continuous actions can be rescaled, not {space}"
            )));
        };
        let action_space = Space::uniform(-1.0, 1.0, space.shape());
        let (low, high, scaled) = (low.to_vec(), high.to_vec(), vec![0.0; low.len()]);
        Ok(RescaleAction { inner, low, high, scaled, action_space })
    }

    /// The wrapped environment.
    pub fn inner(&self) -> &E {
        &self.inner
    }
}

impl<E: Environment + Clone + 'static> Environment for RescaleAction<E> {
    fn observation_space(&self) -> &Space {
        self.inner.observation_space()
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) -> Result<()> {
        self.inner.reset(seed, observation)
    }

    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step> {
        check_action(NAME, action, &self.action_space)?;
        if let Action::Continuous(values) = action {
            for (i, value) in values.iter().enumerate() {
                let (low, high) = (self.low[i], self.high[i]);
                let fraction = 0.5 * (value.clamp(-1.0, 1.0) + 1.0);
                // Exact at both ends, also where the width is not.
                self.scaled[i] = (1.0 - fraction) * low + fraction * high;
            }
        }
        self.inner.step(Action::Continuous(&self.scaled), observation)
    }

    fn save(&self) -> Vec<u8> {
        saved::pack(NAME, &self.inner.save())
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.inner.restore(&saved::unpack::<Vec<u8>>(NAME, saved)?)
    }

    fn clone_box(&self) -> Box<dyn Environment> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic::{CartPole, Pendulum};

    #[test]
    fn the_ends_and_the_middle_land_where_they_should() {
        let mut observation = [0.0; 3];
        for (given, torque) in [(-1.0, -2.0), (0.0, 0.0), (0.25, 0.5), (1.0, 2.0), (7.0, 2.0)] {
            let mut plain = Pendulum::new();
            plain.set_state([0.4, 0.1]);
            let mut rescaled = RescaleAction::new(plain.clone()).unwrap();
            plain.step(Action::Continuous(&[torque]), &mut observation).unwrap();
            rescaled.step(Action::Continuous(&[given]), &mut observation).unwrap();
            assert_eq!(rescaled.inner().state(), plain.state());
        }
    }

    #[test]
    fn discrete_actions_cannot_be_rescaled() {
        let message = RescaleAction::new(CartPole::new()).unwrap_err().to_string();
        assert_eq!(message, "only bounded continuous actions can be rescaled, not Discrete(2)");
    }
}

//! Each action several times.

use quire_core::{Error, Result};

use crate::environment::{Action, Environment, Step};
use crate::saved;
use crate::space::Space;

const NAME: &str = "ActionRepeat";

/// Carries out each action several times, or until the episode ends: the rewards are added up, the last
/// observation is handed out.
#[derive(Debug, Clone)]
pub struct ActionRepeat<E> {
    inner: E,
    times: u32,
}

impl<E> ActionRepeat<E> {
    /// Carries out each action of `inner` `times` times.
    ///
    /// # Errors
    /// [`Error::Option`] if `times` is 0.
    pub fn new(inner: E, times: u32) -> Result<Self> {
        if times == 0 {
            return Err(Error::option("action_repeat", "must be at least 1"));
        }
        Ok(ActionRepeat { inner, times })
    }

    /// The wrapped environment.
    pub fn inner(&self) -> &E {
        &self.inner
    }
}

impl<E: Environment + Clone + 'static> Environment for ActionRepeat<E> {
    fn observation_space(&self) -> &Space {
        self.inner.observation_space()
    }

    fn action_space(&self) -> &Space {
        self.inner.action_space()
    }

    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) -> Result<()> {
        self.inner.reset(seed, observation)
    }

    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step> {
        let mut total = self.inner.step(action, observation)?;
        for _ in 1..self.times {
            if total.ended() {
                break;
            }
            let step = self.inner.step(action, observation)?;
            total = Step { reward: total.reward + step.reward, ..step };
        }
        Ok(total)
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
    use crate::classic::CartPole;
    use crate::wrappers::TimeLimit;

    #[test]
    fn rewards_add_up_until_the_end() {
        let limited = TimeLimit::new(CartPole::new(), 7).unwrap();
        let mut repeated = ActionRepeat::new(limited.clone(), 3).unwrap();
        let mut single = limited;
        let (mut observation, mut expected) = ([0.0; 4], [0.0; 4]);
        repeated.reset(Some(1), &mut observation).unwrap();
        single.reset(Some(1), &mut expected).unwrap();
        for (action, times) in [(0, 3), (1, 3), (1, 1)] {
            let step = repeated.step(Action::Discrete(action), &mut observation).unwrap();
            for _ in 0..times {
                single.step(Action::Discrete(action), &mut expected).unwrap();
            }
            assert_eq!(step, Step { reward: f64::from(times), terminated: false, truncated: times == 1 });
            assert_eq!(observation, expected);
        }
        assert!(ActionRepeat::new(CartPole::new(), 0).is_err());
    }
}

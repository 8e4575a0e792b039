//! Cutting an episode off after so many steps.

use quire_core::{Error, Result};

use crate::environment::{Action, Environment, Step, not_in_an_episode};
use crate::saved;
use crate::space::Space;

const NAME: &str = "TimeLimit";

/// Truncates every episode at `limit` steps, as Gymnasium's wrapper of that name does: the step that reaches the
/// limit is marked `truncated`, also when it terminates by itself.
#[derive(Debug, Clone)]
pub struct TimeLimit<E> {
    inner: E,
    limit: u32,
    /// Steps taken in this episode; `None` outside an episode.
    elapsed: Option<u32>,
}

impl<E> TimeLimit<E> {
    /// Limits `inner` to `limit` steps an episode.
    ///
    /// # Errors
    /// [`Error::Option`] if the limit is 0.
    pub fn new(inner: E, limit: u32) -> Result<Self> {
        if limit == 0 {
            return Err(Error::option("time_limit", "must be at least 1 step"));
        }
        Ok(TimeLimit { inner, limit, elapsed: None })
    }

    /// The wrapped environment.
    pub fn inner(&self) -> &E {
        &self.inner
    }

    /// The most steps an episode has.
    pub fn limit(&self) -> u32 {
        self.limit
    }
}

impl<E: Environment + Clone + 'static> Environment for TimeLimit<E> {
    fn observation_space(&self) -> &Space {
        self.inner.observation_space()
    }

    fn action_space(&self) -> &Space {
        self.inner.action_space()
    }

    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) -> Result<()> {
        self.inner.reset(seed, observation)?;
        self.elapsed = Some(0);
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step> {
        let Some(elapsed) = self.elapsed else { return Err(not_in_an_episode(NAME)) };
        let mut step = self.inner.step(action, observation)?;
        step.truncated |= elapsed + 1 >= self.limit;
        self.elapsed = if step.ended() { None } else { Some(elapsed + 1) };
        Ok(step)
    }

    fn save(&self) -> Vec<u8> {
        saved::pack(NAME, &(self.limit, self.elapsed, self.inner.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (limit, elapsed, inner): (u32, Option<u32>, Vec<u8>) = saved::unpack(NAME, saved)?;
        if limit != self.limit {
            return Err(Error::Resume(format!("the saved time limit is {limit}, here it is {}", self.limit)));
        }
        self.inner.restore(&inner)?;
        self.elapsed = elapsed;
        Ok(())
    }

    fn clone_box(&self) -> Box<dyn Environment> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic::CartPole;

    #[test]
    fn the_last_step_is_truncated() {
        let mut limited = TimeLimit::new(CartPole::new(), 3).unwrap();
        let mut observation = [0.0; 4];
        for _ in 0..2 {
            limited.reset(Some(1), &mut observation).unwrap();
            for expected in [false, false, true] {
                let step = limited.step(Action::Discrete(0), &mut observation).unwrap();
                assert_eq!((step.truncated, step.terminated), (expected, false));
            }
            assert!(limited.step(Action::Discrete(0), &mut observation).is_err());
        }
        assert!(TimeLimit::new(CartPole::new(), 0).is_err());
        let mut other = TimeLimit::new(CartPole::new(), 4).unwrap();
        assert!(other.restore(&limited.save()).is_err());
    }
}

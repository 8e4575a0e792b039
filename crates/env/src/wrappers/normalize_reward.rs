//! Rewards scaled to returns of variance 1.

use quire_core::{Error, Result};

use crate::environment::{Action, Environment, Step};
use crate::saved;
use crate::space::Space;
use crate::wrappers::RunningMoments;

const NAME: &str = "NormalizeReward";
const EPSILON: f64 = 1e-8;

/// Divides rewards by the running standard deviation of the discounted return, `return <- discount return +
/// reward`, which starts from 0 in each episode: `reward / sqrt(variance + 1e-8)`. The mean is not subtracted, so a
/// reward keeps its sign.
///
/// This is the rule of OpenAI Baselines and Stable-Baselines3. (Gymnasium's wrapper of that name drops the return
/// one step earlier, before the reward of a terminating step is added.)
#[derive(Debug, Clone)]
pub struct NormalizeReward<E> {
    inner: E,
    discount: f64,
    discounted_return: f64,
    moments: RunningMoments,
    frozen: bool,
    raw_reward: f64,
}

impl<E> NormalizeReward<E> {
    /// Normalizes the rewards of `inner` under a discount in \[0, 1\]; 0.99 is customary.
    ///
    /// # Errors
    /// [`Error::Option`] if the discount lies outside.
    pub fn new(inner: E, discount: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&discount) {
            return Err(Error::option("discount", format!("{discount} is not in [0, 1]")));
        }
        let moments = RunningMoments::new(1);
        Ok(NormalizeReward {
            inner,
            discount,
            discounted_return: 0.0,
            moments,
            frozen: false,
            raw_reward: 0.0,
        })
    }

    /// The wrapped environment.
    pub fn inner(&self) -> &E {
        &self.inner
    }

    /// The statistics of the discounted return so far.
    pub fn moments(&self) -> &RunningMoments {
        &self.moments
    }

    /// The reward of the last step as the wrapped environment gave it: what a score adds up.
    pub fn raw_reward(&self) -> f64 {
        self.raw_reward
    }

    /// With `true`, keeps the statistics as they are from now on; with `false`, goes on updating them.
    pub fn freeze(&mut self, frozen: bool) {
        self.frozen = frozen;
    }
}

impl<E: Environment + Clone + 'static> Environment for NormalizeReward<E> {
    fn observation_space(&self) -> &Space {
        self.inner.observation_space()
    }

    fn action_space(&self) -> &Space {
        self.inner.action_space()
    }

    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) -> Result<()> {
        self.inner.reset(seed, observation)?;
        self.discounted_return = 0.0;
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step> {
        let mut step = self.inner.step(action, observation)?;
        self.raw_reward = step.reward;
        self.discounted_return = self.discount * self.discounted_return + step.reward;
        if !self.frozen {
            self.moments.update_scalar(self.discounted_return);
        }
        step.reward /= (self.moments.variance()[0] + EPSILON).sqrt();
        Ok(step)
    }

    fn save(&self) -> Vec<u8> {
        let own = (self.discounted_return, &self.moments, self.frozen, self.raw_reward);
        saved::pack(NAME, &(own, self.inner.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        type Own = (f64, RunningMoments, bool, f64);
        let ((discounted_return, moments, frozen, raw_reward), inner): (Own, Vec<u8>) =
            saved::unpack(NAME, saved)?;
        self.inner.restore(&inner)?;
        (self.discounted_return, self.moments) = (discounted_return, moments);
        (self.frozen, self.raw_reward) = (frozen, raw_reward);
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

    #[test]
    fn rewards_are_divided_by_the_deviation_of_returns() {
        let mut pendulum = Pendulum::new();
        pendulum.set_state([1.0, 0.5]);
        let mut plain = pendulum.clone();
        let mut normalized = NormalizeReward::new(pendulum, 0.9).unwrap();
        let mut observation = [0.0; 3];
        let (mut discounted, mut returns) = (0.0, Vec::new());
        for torque in [0.5, -1.0, 2.0, 0.0] {
            let action = [torque];
            let raw = plain.step(Action::Continuous(&action), &mut observation).unwrap().reward;
            discounted = 0.9 * discounted + raw;
            returns.push(discounted);
            // Population variance of the returns and of 1e-4 returns of mean 0 and variance 1.
            let n = returns.len() as f64 + 1e-4;
            let mean = returns.iter().sum::<f64>() / n;
            let variance = (returns.iter().map(|value| value * value).sum::<f64>() + 1e-4) / n - mean * mean;
            let step = normalized.step(Action::Continuous(&action), &mut observation).unwrap();
            assert!((step.reward - raw / (variance + 1e-8).sqrt()).abs() < 1e-9);
            assert_eq!(normalized.raw_reward(), raw);
        }
        normalized.freeze(true);
        let frozen = normalized.moments().clone();
        normalized.step(Action::Continuous(&[1.0]), &mut observation).unwrap();
        assert_eq!(*normalized.moments(), frozen);
        assert!(NormalizeReward::new(plain, 1.5).is_err());
    }
}

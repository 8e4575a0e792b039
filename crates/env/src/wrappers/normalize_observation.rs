//! Observations of mean 0 and variance 1.

use quire_core::{Error, Result};

use crate::environment::{Action, Environment, Step};
use crate::saved;
use crate::space::Space;
use crate::wrappers::RunningMoments;

const NAME: &str = "NormalizeObservation";
const EPSILON: f64 = 1e-8;

/// Standardizes observations by the running mean and variance of all seen so far, the present one included:
/// `(observation - mean) / sqrt(variance + 1e-8)`, as Gymnasium's wrapper of that name.
///
/// Train with it, then evaluate with the statistics [frozen](NormalizeObservation::freeze), or carry them over to
/// another copy by [`NormalizeObservation::with_moments`].
#[derive(Debug, Clone)]
pub struct NormalizeObservation<E> {
    inner: E,
    moments: RunningMoments,
    frozen: bool,
    observation_space: Space,
}

impl<E: Environment> NormalizeObservation<E> {
    /// Normalizes the observations of `inner`, from no statistics.
    pub fn new(inner: E) -> Self {
        let space = inner.observation_space();
        let (size, shape) = (space.size(), space.shape().to_vec());
        let observation_space = Space::Box {
            low: vec![f32::NEG_INFINITY; size],
            high: vec![f32::INFINITY; size],
            shape: if shape.is_empty() { vec![size] } else { shape },
        };
        NormalizeObservation { inner, moments: RunningMoments::new(size), frozen: false, observation_space }
    }

    /// Normalizes the observations of `inner` by given statistics, frozen: for evaluation.
    ///
    /// # Errors
    /// [`Error::Usage`] if the moments are of another size than the observations.
    pub fn with_moments(inner: E, moments: RunningMoments) -> Result<Self> {
        let size = inner.observation_space().size();
        if moments.size() != size {
            return Err(Error::Usage(format!(
                "statistics of {} numbers do not fit observations of {size}",
                moments.size()
            )));
        }
        Ok(NormalizeObservation { moments, frozen: true, ..NormalizeObservation::new(inner) })
    }

    /// The wrapped environment.
    pub fn inner(&self) -> &E {
        &self.inner
    }

    /// The statistics so far.
    pub fn moments(&self) -> &RunningMoments {
        &self.moments
    }

    /// With `true`, keeps the statistics as they are from now on; with `false`, goes on updating them.
    pub fn freeze(&mut self, frozen: bool) {
        self.frozen = frozen;
    }

    fn normalize(&mut self, observation: &mut [f32]) {
        if !self.frozen {
            self.moments.update(observation);
        }
        self.moments.standardize(observation, EPSILON);
    }
}

impl<E: Environment + Clone + 'static> Environment for NormalizeObservation<E> {
    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        self.inner.action_space()
    }

    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) -> Result<()> {
        self.inner.reset(seed, observation)?;
        self.normalize(observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step> {
        let step = self.inner.step(action, observation)?;
        self.normalize(observation);
        Ok(step)
    }

    fn save(&self) -> Vec<u8> {
        saved::pack(NAME, &(&self.moments, self.frozen, self.inner.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (moments, frozen, inner): (RunningMoments, bool, Vec<u8>) = saved::unpack(NAME, saved)?;
        if moments.size() != self.moments.size() {
            return Err(Error::Resume("the saved statistics are of another size".into()));
        }
        self.inner.restore(&inner)?;
        (self.moments, self.frozen) = (moments, frozen);
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
    fn the_first_steps_agree_with_gymnasium() {
        // NormalizeObservation(CartPoleEnv) of Gymnasium 1.4 (whose statistics are single precision), the cart
        // set to the state below before the first step, pushed right, left, right, right.
        let mut cart = CartPole::new();
        cart.set_state([0.01, -0.02, 0.03, 0.04]);
        let mut environment = NormalizeObservation::new(cart);
        let expected = [
            [9.6015e-5, 0.0017204, 0.00030794, -0.0023616],
            [0.239871, -0.997365, -0.324753, 0.998892],
            [0.148245, 0.701368, -0.135364, -0.641147],
            [0.593602, 1.411803, -0.690506, -1.390084],
        ];
        let mut observation = [0.0; 4];
        for (action, expected) in [1, 0, 1, 1].into_iter().zip(expected) {
            environment.step(Action::Discrete(action), &mut observation).unwrap();
            for (value, expected) in observation.into_iter().zip(expected) {
                assert!((value - expected).abs() < 2e-3 * expected.abs().max(0.1), "{value} for {expected}");
            }
        }
    }

    #[test]
    fn frozen_statistics_stay() {
        let mut training = NormalizeObservation::new(CartPole::new());
        let mut observation = [0.0; 4];
        training.reset(Some(1), &mut observation).unwrap();
        training.step(Action::Discrete(0), &mut observation).unwrap();
        let moments = training.moments().clone();
        assert!((moments.count() - 2.0001).abs() < 1e-12);
        let mut evaluation = NormalizeObservation::with_moments(CartPole::new(), moments.clone()).unwrap();
        evaluation.reset(Some(2), &mut observation).unwrap();
        assert_eq!(*evaluation.moments(), moments);
        assert!(NormalizeObservation::with_moments(CartPole::new(), RunningMoments::new(3)).is_err());
        evaluation.freeze(false);
        evaluation.reset(None, &mut observation).unwrap();
        assert_ne!(*evaluation.moments(), moments);
    }
}

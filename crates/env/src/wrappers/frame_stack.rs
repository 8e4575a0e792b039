//! The last few observations as one.

use quire_core::{Error, Result};

use crate::environment::{Action, Environment, Step};
use crate::saved;
use crate::space::Space;

const NAME: &str = "FrameStack";

/// Hands out the last `frames` observations together, oldest first; a reset fills all places with the first one.
///
/// A vector of `d` numbers becomes `[frames, d]`, an image `[channels, height, width]` becomes
/// `[frames * channels, height, width]`: a convolution takes it as it is.
#[derive(Debug, Clone)]
pub struct FrameStack<E> {
    inner: E,
    frames: usize,
    /// All frames, oldest first.
    stack: Vec<f32>,
    observation_space: Space,
}

impl<E: Environment> FrameStack<E> {
    /// Stacks the last `frames` observations of `inner`.
    ///
    /// # Errors
    /// [`Error::Option`] if `frames` is 0.
    pub fn new(inner: E, frames: usize) -> Result<Self> {
        if frames == 0 {
            return Err(Error::option("frames", "must be at least 1"));
        }
        let space = inner.observation_space();
        let (low, high) = match space {
            Space::Discrete { n } => (vec![0.0], vec![n.saturating_sub(1) as f32]),
            Space::Box { low, high, .. } => (low.clone(), high.clone()),
        };
        let shape = match space.shape() {
            &[channels, height, width] => vec![frames * channels, height, width],
            rest => std::iter::once(frames).chain(rest.iter().copied()).collect(),
        };
        let observation_space = Space::new_box(low.repeat(frames), high.repeat(frames), shape)?;
        let stack = vec![0.0; observation_space.size()];
        Ok(FrameStack { inner, frames, stack, observation_space })
    }

    /// The wrapped environment.
    pub fn inner(&self) -> &E {
        &self.inner
    }
}

impl<E: Environment + Clone + 'static> Environment for FrameStack<E> {
    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        self.inner.action_space()
    }

    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) -> Result<()> {
        let size = self.stack.len() / self.frames;
        self.inner.reset(seed, &mut self.stack[..size])?;
        for frame in 1..self.frames {
            self.stack.copy_within(..size, frame * size);
        }
        observation.copy_from_slice(&self.stack);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step> {
        let size = self.stack.len() / self.frames;
        let newest = self.stack.len() - size;
        // The newest frame goes to the caller's slice first: a refused action must not shift the stack.
        let step = self.inner.step(action, &mut observation[newest..])?;
        self.stack.copy_within(size.., 0);
        self.stack[newest..].copy_from_slice(&observation[newest..]);
        observation.copy_from_slice(&self.stack);
        Ok(step)
    }

    fn save(&self) -> Vec<u8> {
        saved::pack(NAME, &(&self.stack, self.inner.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (stack, inner): (Vec<f32>, Vec<u8>) = saved::unpack(NAME, saved)?;
        if stack.len() != self.stack.len() {
            return Err(Error::Resume("the saved stack has another number of frames".into()));
        }
        self.inner.restore(&inner)?;
        self.stack = stack;
        Ok(())
    }

    fn clone_box(&self) -> Box<dyn Environment> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic::MountainCar;

    #[test]
    fn frames_move_through_the_stack() {
        let mut car = MountainCar::new();
        let mut stacked = FrameStack::new(car.clone(), 3).unwrap();
        assert_eq!(stacked.observation_space().shape(), [3, 2]);
        let (mut frame, mut stack) = ([0.0; 2], [0.0; 6]);
        car.reset(Some(5), &mut frame).unwrap();
        stacked.reset(Some(5), &mut stack).unwrap();
        let mut history = vec![frame; 3];
        assert_eq!(stack.as_slice(), history.concat());
        for action in [2, 2, 0, 1] {
            car.step(Action::Discrete(action), &mut frame).unwrap();
            stacked.step(Action::Discrete(action), &mut stack).unwrap();
            history.push(frame);
            assert_eq!(stack.as_slice(), history[history.len() - 3..].concat());
        }
        assert!(stacked.step(Action::Discrete(3), &mut stack).is_err());
        assert_eq!(stacked.stack, history[history.len() - 3..].concat());
    }
}

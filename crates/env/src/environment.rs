//! The contract between an environment and whoever acts in it.

use quire_core::{Error, Result, Rng, Seeds};

use crate::space::Space;

/// What the agent does in one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action<'a> {
    /// One of the `n` actions of a [`Space::Discrete`], counted from 0.
    Discrete(usize),
    /// A point of a [`Space::Box`], row-major.
    Continuous(&'a [f32]),
}

impl Action<'_> {
    /// A copy that owns its numbers.
    pub fn to_owned(self) -> OwnedAction {
        match self {
            Action::Discrete(index) => OwnedAction::Discrete(index),
            Action::Continuous(values) => OwnedAction::Continuous(values.to_vec()),
        }
    }
}

/// An [`Action`] that owns its numbers.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum OwnedAction {
    /// One of the `n` actions of a [`Space::Discrete`], counted from 0.
    Discrete(usize),
    /// A point of a [`Space::Box`], row-major.
    Continuous(Vec<f32>),
}

impl OwnedAction {
    /// The action, borrowed, as [`Environment::step`] takes it.
    pub fn borrow(&self) -> Action<'_> {
        match self {
            OwnedAction::Discrete(index) => Action::Discrete(*index),
            OwnedAction::Continuous(values) => Action::Continuous(values),
        }
    }
}

/// What one step brought, beside the observation.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Step {
    /// The reward of this step.
    pub reward: f64,
    /// The episode ended in a terminal state: its value is 0, nothing is bootstrapped from it.
    pub terminated: bool,
    /// The episode was cut off, by a time limit for instance: the state has a value like any other, and a
    /// target bootstraps from the final observation. May be true together with `terminated`, which then rules.
    pub truncated: bool,
}

impl Step {
    /// True if the episode is over and the next call must be [`Environment::reset`].
    #[inline]
    pub fn ended(&self) -> bool {
        self.terminated || self.truncated
    }
}

/// Something to act in: a Markov decision process, possibly seen through an observation.
///
/// Observations are written in place into a slice of `observation_space().size()` numbers, row-major; a slice
/// of another length is a programming error and panics. The observation written by the last step of an episode
/// is the *final* one: nothing resets by itself ([`VectorEnv`](crate::VectorEnv)
/// does, and keeps it).
///
/// # Errors
/// `step` returns an error, and leaves the state as it was, when
/// - the episode is over, or none was begun (call `reset` first),
/// - the action is of the wrong kind, is not below `n`, has the wrong length or is not finite.
///
/// A finite continuous action outside its box is no error: as in Gymnasium, each environment documents that
/// it clips what it applies. An environment that stands for a foreign program passes that program's failures
/// on through `reset` and `step`.
///
/// # Randomness
/// An environment owns its generator. It starts out seeded with 0, never from the clock, so that a program
/// that forgets to seed still repeats itself. `reset(Some(seed), ..)` seeds it anew, `reset(None, ..)` goes on
/// with it: seed once at the first reset, then pass `None`.
pub trait Environment: Send {
    /// What observations look like. A [`Space::Discrete`] observation is written as one number, its index.
    fn observation_space(&self) -> &Space;

    /// What actions look like.
    fn action_space(&self) -> &Space;

    /// Begins an episode and writes its first observation; `Some(seed)` seeds the generator first.
    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) -> Result<()>;

    /// Advances by one step and writes the observation that follows.
    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step>;

    /// The whole state, generator included: an environment restored from it goes on with the same bits.
    fn save(&self) -> Vec<u8>;

    /// Takes over a state that [`Environment::save`] of the same kind of environment gave.
    ///
    /// # Errors
    /// [`Error::Resume`] if the bytes are damaged or belong to another environment; the state is then
    /// unspecified, but still safe to reset.
    fn restore(&mut self, saved: &[u8]) -> Result<()>;

    /// An independent copy in the same state.
    fn clone_box(&self) -> Box<dyn Environment>;
}

impl Clone for Box<dyn Environment> {
    fn clone(&self) -> Self {
        (**self).clone_box()
    }
}

impl Environment for Box<dyn Environment> {
    fn observation_space(&self) -> &Space {
        (**self).observation_space()
    }

    fn action_space(&self) -> &Space {
        (**self).action_space()
    }

    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) -> Result<()> {
        (**self).reset(seed, observation)
    }

    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step> {
        (**self).step(action, observation)
    }

    fn save(&self) -> Vec<u8> {
        (**self).save()
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (**self).restore(saved)
    }

    fn clone_box(&self) -> Box<dyn Environment> {
        (**self).clone_box()
    }
}

/// The generator of an environment seeded with `seed`.
pub(crate) fn generator(seed: u64) -> Rng {
    Seeds::new(seed).stream("environment")
}

/// The index of a discrete action below `n`.
#[inline]
pub(crate) fn discrete(name: &str, action: Action<'_>, n: usize) -> Result<usize> {
    match action {
        Action::Discrete(index) if index < n => Ok(index),
        other => Err(bad_action(name, other, &Space::Discrete { n })),
    }
}

/// The single number of a one-dimensional continuous action, which must be finite.
#[inline]
pub(crate) fn scalar(name: &str, action: Action<'_>, space: &Space) -> Result<f32> {
    match action {
        Action::Continuous(&[value]) if value.is_finite() => Ok(value),
        other => Err(bad_action(name, other, space)),
    }
}

/// Refuses an action that [`Environment::step`] calls an error: of the wrong kind, size, or not finite.
#[inline]
pub(crate) fn check_action(name: &str, action: Action<'_>, space: &Space) -> Result<()> {
    let good = match (space, action) {
        (Space::Discrete { n }, Action::Discrete(index)) => index < *n,
        (Space::Box { low, .. }, Action::Continuous(values)) => {
            values.len() == low.len() && values.iter().all(|value| value.is_finite())
        }
        _ => false,
    };
    if good { Ok(()) } else { Err(bad_action(name, action, space)) }
}

/// The error for an action that the environment `name` cannot carry out.
#[cold]
pub(crate) fn bad_action(name: &str, action: Action<'_>, space: &Space) -> Error {
    Error::Failed(format!("{name}: the action {action:?} is not in its action space {space}"))
}

/// The error for a step that no reset came before.
#[cold]
pub(crate) fn not_in_an_episode(name: &str) -> Error {
    Error::Failed(format!("{name}: step called outside an episode; call reset first, and after every end"))
}

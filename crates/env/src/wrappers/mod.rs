//! Changes laid around any environment.
//!
//! | wrapper | what it changes |
//! |---|---|
//! | [`TimeLimit`] | cuts an episode off after so many steps |
//! | [`NormalizeObservation`] | observations get mean 0 and variance 1, by running statistics |
//! | [`NormalizeReward`] | rewards are scaled to discounted returns of variance 1 |
//! | [`FrameStack`] | an observation is the last few ones together |
//! | [`StickyActions`] | the previous action is repeated now and then |
//! | [`ActionRepeat`] | each action is carried out several times |
//! | [`RescaleAction`] | the agent acts in \[-1, 1\]^d |
//!
//! A wrapper is generic over what it wraps, is itself an [`Environment`](crate::Environment), and saves its own
//! state together with the inner one. Wrap typed environments for speed, or the boxed ones of
//! [`make`](crate::make):
//!
//! ```
//! use quire_env::{Action, Environment, wrappers::{NormalizeObservation, RescaleAction}};
//!
//! let pendulum = RescaleAction::new(quire_env::make("Pendulum-v1")?)?;
//! let mut environment = NormalizeObservation::new(pendulum);
//! let mut observation = [0.0; 3];
//! environment.reset(Some(1), &mut observation)?;
//! environment.step(Action::Continuous(&[0.5]), &mut observation)?; // a torque of 1 N m
//! # Ok::<(), quire_core::Error>(())
//! ```

mod action_repeat;
mod frame_stack;
mod normalize_observation;
mod normalize_reward;
mod rescale_action;
mod running_moments;
mod sticky_actions;
mod time_limit;

pub use action_repeat::ActionRepeat;
pub use frame_stack::FrameStack;
pub use normalize_observation::NormalizeObservation;
pub use normalize_reward::NormalizeReward;
pub use rescale_action::RescaleAction;
pub use running_moments::RunningMoments;
pub use sticky_actions::StickyActions;
pub use time_limit::TimeLimit;

//! Environments to learn in, their wrappers, and a registry that makes them by name.
//!
//! | module | what is in it |
//! |---|---|
//! | [`environment`] | the contract: [`Environment`], [`Action`], [`Step`] |
//! | [`space`] | what observations and actions may be: [`Space`] |
//! | [`classic`] | Gymnasium's classic control: CartPole, Acrobot, MountainCar, Pendulum |
//! | [`bsuite`] | DeepSea and Catch |
//! | [`chain`] | NChain |
//! | [`minatar`] | five Atari games in miniature |
//! | [`wrappers`] | changes laid around any environment: a time limit, normalized observations ... |
//! | [`vector`] | [`VectorEnv`]: copies stepped together, reset by themselves |
//! | [`registry`] | [`list`] and [`make`]: every environment by its name |
//!
//! Every environment is used in two ways, with the same behavior. Typed, it is as fast as it gets:
//!
//! ```
//! use quire_env::{Action, Environment, classic::CartPole};
//!
//! let mut cart_pole = CartPole::new();
//! let mut observation = [0.0; 4];
//! cart_pole.reset(Some(7), &mut observation)?;
//! let step = cart_pole.step(Action::Discrete(1), &mut observation)?;
//! assert_eq!((step.reward, step.terminated), (1.0, false));
//! # Ok::<(), quire_core::Error>(())
//! ```
//!
//! By name, it comes boxed and with its published time limit:
//!
//! ```
//! let mut environment = quire_env::make("CartPole-v1")?;
//! let mut observation = vec![0.0; environment.observation_space().size()];
//! environment.reset(Some(7), &mut observation)?;
//! # Ok::<(), quire_core::Error>(())
//! ```

pub mod bsuite;
pub mod chain;
pub mod classic;
pub mod environment;
pub mod minatar;
pub mod registry;
pub mod space;
pub mod vector;
pub mod wrappers;

mod saved;

pub use environment::{Action, Environment, OwnedAction, Step};
pub use registry::{EnvCard, card, list, make};
pub use space::Space;
pub use vector::{Actions, VectorEnv};

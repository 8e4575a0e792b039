//! Reinforcement learning with function approximation.
//!
//! | module | what is in it |
//! |---|---|
//! | [`agent`] | the role: [`agent::Agent`] acts, observes, learns; [`agent::Learner`] makes it from typed options |
//! | [`value`] | family: value-based learners of discrete actions (`dqn`, `double-dqn`, `md-dqn`, `adam-lmcdqn`) |
//! | [`actor_critic`] | family: actor-critic learners (`redq`, `sac`, `ppo`) |
//! | [`estimation`] | family: estimators of a maximum, where every error can be computed |
//! | [`online`] | the run: learn in an environment, be examined in another |
//! | [`replay`] | experience replay |
//! | [`sum_tree`] | drawing in proportion to priorities |
//! | [`n_step`] | returns of several steps on their way into replay |
//! | [`exploration`] | exploration schedules |
//! | [`network`] | Q-networks for vectors and images |
//! | [`problem`] | every environment as a problem |
//! | [`simulator`] | learners of discrete actions in the finite MDPs of `mdp`, where their policy can be scored exactly |

pub mod actor_critic;
pub mod agent;
pub mod estimation;
pub mod exploration;
pub mod n_step;
pub mod network;
pub mod online;
pub mod problem;
pub mod replay;
pub mod simulator;
pub mod sum_tree;
pub mod value;

pub use problem::wing;

//! Optimizers over one flat parameter buffer: gradient in, step taken, state saved.
//!
//! All parameters of a model lie in one `&mut [f32]`; a [`Layout`] names the blocks in it and gives their shapes.
//! A learner embeds [`OptimizerOptions`] in its own options, calls [`OptimizerOptions::build`] once and
//! [`Optimizer::step`] after every backward pass:
//!
//! ```
//! use quire_optim::{Layout, OptimizerOptions, OptimizerSetting};
//!
//! let mut layout = Layout::default();
//! layout.push("weight", &[2, 1]);
//! let mut optimizer = OptimizerOptions::default().build(&layout, &OptimizerSetting::without_noise())?;
//! let mut params = vec![1.0, -1.0];
//! for _ in 0..2000 {
//!     // The gradient of half the squared distance to (3, 2).
//!     let mut gradient = vec![params[0] - 3.0, params[1] - 2.0];
//!     optimizer.step(&mut params, &mut gradient);
//! }
//! assert!((params[0] - 3.0).abs() < 0.5);
//! # Ok::<(), quire_core::Error>(())
//! ```
//!
//! # How the parts compose
//! One step is a chain, always in this order, so that two options never mean different things together:
//!
//! 1. **clipping** ([`clip`]) bounds the gradient as the model gave it, first by value, then by global norm;
//! 2. **weight decay**: *coupled* decay (`sgd`, `adam`, `rmsprop`) adds `weight_decay * params` to the clipped
//!    gradient, so that momentum and second moments see it; *decoupled* decay (`adamw`) never enters the
//!    gradient and shrinks the parameters by `1 - learning_rate * weight_decay` instead;
//! 3. **preconditioning and momentum** turn the gradient into a direction;
//! 4. the **schedule** ([`schedule`]) gives this step's learning rate, and the parameters move.
//!
//! Before all of it, an optimizer with `record_norms` writes down the norm of the gradient; [`refinement`] makes a schedule of them.
//!
//! A new optimizer is a [`Transform`] (gradient to direction, such as a Kronecker preconditioner) put before the
//! rule [`Descend`], or a [`Rule`] of its own where one fused pass over the buffers is worth it.
//!
//! # Speed and bits
//! Every loop is compiled for AVX-512, AVX2 and the baseline instruction set and picked once at start. The loops
//! multiply and add in separate instructions, on purpose: the passes are bound by memory, a fused multiply-add
//! would gain nothing, and without it the parameters have the same bits on every processor.

pub mod adam;
pub mod clip;
pub mod dog;
pub mod langevin;
mod layout;
pub mod muon;
mod norms;
mod optimizer;
mod options;
pub mod psgd;
pub mod refinement;
pub mod rmsprop;
pub mod schedule;
pub mod sgd;
mod symmetric;

pub use quire_kernels::{Float, pool::Pool};

pub use adam::{AdamOptions, AdamwOptions};
pub use clip::{absolute_sum, global_norm};
pub use dog::{ADogOptions, DogOptions, UDogOptions};
pub use langevin::{AdaptiveLangevin, LangevinAdam};
pub use layout::{Block, Layout};
pub use muon::{MuonOptions, TurboMuonOptions};
pub use norms::{GradientNorms, NORMS_FILE};
pub use optimizer::{Composed, Descend, Optimizer, Rule, StepInfo, Transform};
pub use options::{OptimizerOptions, OptimizerSetting};
pub use psgd::{Psgd, PsgdOptions};
pub use rmsprop::RmspropOptions;
pub use schedule::Schedule;
pub use sgd::SgdOptions;

//! Quire's networks: an eager tape on an arena, with coarse operations that carry their own derivatives.
//!
//! - [`Params`] hold the numbers of a model in one flat buffer with named views; they live outside the tape.
//! - [`Tape`] owns the memory and the threads of training steps; [`Tape::graph`] starts one; [`Tensor`] has the
//!   operations and [`Tensor::gradient`].
//! - Layers ([`Mlp`] and others) register parameters and know their forward pass. Ensembles are the first axis: weights are
//!   `[E, in, out]`, a single network is `E = 1`.
//! - Results do not depend on the number of threads, and after the first step nothing allocates.
//!
//! ```
//! use quire_core::Seeds;
//! use quire_nn::{Activation, Mlp, MlpConfig, Params, Tape};
//!
//! let mut rng = Seeds::new(1).stream("init");
//! let mut params = Params::<f32>::new();
//! let config = MlpConfig { sizes: vec![4, 120, 84, 2], activation: Activation::Relu, ..MlpConfig::default() };
//! let mlp = Mlp::new(&mut params, "q", &config, &mut rng);
//! let mut tape = Tape::new(1);
//! let mut gradient = vec![0.0; params.len()];
//!
//! let graph = tape.graph();
//! let observations = graph.constant(&[1, 2, 4], &[0.1; 8]);
//! let q = mlp.forward(graph, &params, observations); // [1, 2, 2]
//! let taken = q.gather(&[0usize, 1]); // [1, 2]
//! let loss = (taken - graph.constant(&[1, 2], &[1.0, 0.5])).huber(1.0).mean();
//! loss.gradient(&params, &mut gradient);
//! assert!(gradient.iter().any(|&g| g != 0.0));
//! ```

mod arena;
mod backward;
pub mod distributions;
mod init;
pub mod layers;
mod ops;
mod params;
mod shape;
mod tape;

pub use quire_kernels::{Float, pool::Pool, simd};
use quire_kernels::{compiled_once, gemm, loops, multiversion, pool};

pub use distributions::{Categorical, Normal, TanhCorrection, TanhNormal};
pub use init::Init;
pub use layers::{
    CausalTransformer, Conv2d, Embedding, KvCache, LayerNorm, Linear, Mlp, MlpConfig, NoisyLinear, NormKind,
    Positions, Scratch, TransformerConfig, UNet, UNetConfig, factor_noise,
};
pub use ops::{Activation, Attention, DropoutKey, Index, Rotary};
pub use params::{Params, View};
pub use shape::{MAX_RANK, Shape};
pub use tape::{Graph, Tape, Tensor};

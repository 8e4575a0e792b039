//! Layers: small structs that register parameters and know their forward pass.
//!
//! A layer holds [views](crate::View), not numbers: one layer serves an online network, its target copy and a
//! gradient in another precision, as long as their [`Params`](crate::Params) have the same layout.

mod conv;
mod embedding;
mod linear;
mod mlp;
mod noisy;
mod norm;
mod transformer;
mod u_net;

pub use conv::Conv2d;
pub use embedding::Embedding;
pub use linear::Linear;
pub use mlp::{Mlp, MlpConfig, Scratch};
pub use noisy::{NoisyLinear, factor_noise};
pub use norm::{LayerNorm, NormKind};
pub use transformer::{CausalTransformer, KvCache, Positions, TransformerConfig};
pub use u_net::{UNet, UNetConfig};

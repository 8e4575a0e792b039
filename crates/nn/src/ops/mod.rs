//! The operations, by kind. They are methods of [`Tensor`](crate::Tensor); this module has what they share.

mod arithmetic;
mod attention;
mod cached;
mod conv;
mod dropout;
pub(crate) mod elementwise;
mod index;
mod likelihood;
mod linear;
mod matmul;
mod norm;
mod quantile;
mod reduce;
mod rows;
mod scan;
mod shaping;
mod softmax;

pub use attention::{Attention, Rotary};
pub(crate) use cached::CachedLayer;
pub use dropout::DropoutKey;
pub(crate) use elementwise::{ActivationFunction, with_activation};
pub(crate) use linear::linear_without_tape;
pub(crate) use norm::normalize_rows;
pub(crate) use rows::OnRows;

use serde::{Deserialize, Serialize};

use crate::Float;
use crate::tape::Core;

/// What follows a linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// `max(x, 0)`.
    Relu,
    /// Hyperbolic tangent.
    Tanh,
    /// `x Phi(x)` with the normal distribution function, by the error function: PyTorch's `nn.GELU()`.
    Gelu,
    /// The approximation of `gelu` by tanh that GPT-2 uses: PyTorch's `nn.GELU("tanh")`.
    GeluTanh,
    /// `x sigmoid(x)`, also called swish.
    Silu,
    /// Logistic function.
    Sigmoid,
    /// `x` where positive, `0.01 x` elsewhere.
    LeakyRelu,
}

/// A number that can be an index.
pub trait Index: Copy {
    /// As an array index.
    fn index(self) -> usize;
}

impl Index for usize {
    #[inline(always)]
    fn index(self) -> usize {
        self
    }
}

impl Index for u32 {
    #[inline(always)]
    fn index(self) -> usize {
        self as usize
    }
}

/// Elements of one block of a parallel loop, and the least work that is worth cutting up.
const BLOCK: usize = 1 << 14;

impl<F: Float> Core<F> {
    /// Calls `f(start, len)` for consecutive parts of `0 .. len` that are multiples of `unit` long, in parallel if
    /// there is enough to do. For work whose result does not depend on where it is cut.
    #[inline]
    pub(crate) fn parts(&self, len: usize, unit: usize, f: impl Fn(usize, usize) + Sync) {
        if len < 4 * BLOCK || self.pool.threads() == 1 {
            return f(0, len);
        }
        let block = BLOCK.next_multiple_of(unit.max(1));
        self.pool.run(len.div_ceil(block), |i| f(i * block, block.min(len - i * block)));
    }
}

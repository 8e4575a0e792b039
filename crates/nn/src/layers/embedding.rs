//! A table of vectors.

use quire_core::Rng;

use crate::{Float, Graph, Index, Init, Params, Tensor, View};

/// A vector for every symbol.
#[derive(Debug, Clone, Copy)]
pub struct Embedding {
    /// `[symbols, width]`.
    pub weight: View,
}

impl Embedding {
    /// Registers `{name}.weight`.
    pub fn new<F: Float>(
        params: &mut Params<F>,
        name: &str,
        symbols: usize,
        width: usize,
        init: Init,
        rng: &mut Rng,
    ) -> Self {
        Embedding { weight: params.add(format!("{name}.weight"), &[symbols, width], init, rng) }
    }

    /// The vectors of these symbols: `[symbols.len(), width]`.
    pub fn forward<'g, F: Float, I: Index>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        symbols: &[I],
    ) -> Tensor<'g, F> {
        graph.param(params, self.weight).index_select(0, symbols)
    }
}

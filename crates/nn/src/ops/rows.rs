//! Operations that treat row after row, one after another: a thread takes its rows through several of them while they are
//! in its cache.

use super::{DropoutKey, dropout, linear, norm};
use crate::shape::Shape;
use crate::{Activation, Float, Tensor, compiled_once};

/// Operations whose results are under way at one time.
const AT_ONCE: usize = 12;

/// An operation on rows.
#[derive(Clone, Copy)]
pub(crate) enum OnRows<'g, F: Float> {
    /// See [`Tensor::linear`].
    Linear { weight: Tensor<'g, F>, bias: Option<Tensor<'g, F>>, activation: Activation },
    /// See [`Tensor::dropout`].
    Dropout { rate: f64, key: DropoutKey },
    /// See [`Tensor::layer_norm`].
    LayerNorm { weight: Tensor<'g, F>, bias: Tensor<'g, F>, epsilon: f64, activation: Activation },
}

/// The forward pass of an operation: what threads read, and where they write.
enum Forward<'g, F> {
    Linear(linear::Forward<'g, F>),
    Dropout(dropout::Forward<F>),
    LayerNorm(norm::Forward<'g, F>),
}

impl<'g, F: Float> Tensor<'g, F> {
    /// Operations one after another. The first is a linear layer, and all linear layers have the same members and rows.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub(crate) fn on_rows(self, mut operations: impl Iterator<Item = OnRows<'g, F>>) -> Self {
        on_rows(self, &mut operations)
    }
}

compiled_once! {
    fn on_rows<'g, F>(x: Tensor<'g, F>, operations: &mut dyn Iterator<Item = OnRows<'g, F>>) -> Tensor<'g, F> {
        let core = x.core;
        let mut x = x;
        loop {
            let mut chain = [const { None }; AT_ONCE];
            let mut forwards = [const { None }; AT_ONCE];
            let mut shape = Shape::new(x.shape);
            for ((place, forward), operation) in chain.iter_mut().zip(&mut forwards).zip(&mut *operations)
            {
                *forward = Some(match operation {
                    OnRows::Linear { weight, bias, activation } => {
                        let linear;
                        (linear, shape) = linear::Forward::new(core, &shape, weight, bias, activation);
                        Forward::Linear(linear)
                    }
                    OnRows::Dropout { rate, key } => {
                        Forward::Dropout(dropout::Forward::new(core, &shape, rate, key))
                    }
                    OnRows::LayerNorm { weight, bias, epsilon, activation } => {
                        let how = norm::How { epsilon, activation, center: true };
                        Forward::LayerNorm(norm::Forward::new(core, &shape, weight, bias, how))
                    }
                });
                *place = Some((operation, shape));
            }
            let forwards = forwards.iter().flatten();
            let linear = forwards.clone().filter_map(|forward| match forward {
                Forward::Linear(linear) => Some(linear),
                _ => None,
            });
            let Some(first_layer) = linear.clone().next() else { return x };
            let most = linear.max_by_key(|linear| linear.work()).unwrap_or(first_layer);
            let data = x.data;
            most.blocks(core, |member, first, count| {
                let mut rows = first_layer.input(data, member, first, count);
                for forward in forwards.clone() {
                    rows = match forward {
                        Forward::Linear(linear) => linear.run(rows, member, first, count),
                        Forward::Dropout(dropout) => dropout.run(rows, first),
                        Forward::LayerNorm(norm) => norm.run(rows, member, first),
                    };
                }
            });
            for ((operation, shape), forward) in chain.into_iter().flatten().zip(forwards) {
                x = forward.record(x, &shape, operation);
            }
        }
    }
}

impl<'g, F: Float> Forward<'g, F> {
    /// The result of the operation for `x`, on the tape, once all of it has been written.
    fn record(&self, x: Tensor<'g, F>, shape: &[usize], operation: OnRows<'g, F>) -> Tensor<'g, F> {
        match (self, operation) {
            (Forward::Linear(linear), OnRows::Linear { weight, bias, .. }) => {
                linear.record(x, shape, weight, bias)
            }
            (Forward::Dropout(dropout), _) => dropout.record(x),
            (Forward::LayerNorm(norm), OnRows::LayerNorm { weight, bias, .. }) => {
                norm.record(x, weight, bias)
            }
            _ => unreachable!("an operation has the forward pass of its own kind"),
        }
    }
}

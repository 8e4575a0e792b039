//! A network from images to images of the same size (Ronneberger, Fischer & Brox 2015, arXiv:1505.04597).

use quire_core::Rng;

use super::Conv2d;
use crate::{Float, Graph, Params, Tensor};

/// What a U-Net looks like.
#[derive(Debug, Clone, PartialEq)]
pub struct UNetConfig {
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Channels of the first level; every level below has twice as many as the one above.
    pub channels: usize,
    /// Height and width of a convolution's kernel, both odd.
    pub kernel: [usize; 2],
    /// What a level is finer by than the one below, in height and width; `[1, 2]` for signals of height 1.
    pub scale: [usize; 2],
    /// Levels, at least 1. The input's height and width must be multiples of `scale` to the power of `levels - 1`.
    pub levels: usize,
}

/// Two convolutions a level on the way down, with pooling in between; two a level on the way up, which also see what the level had on
/// the way down; tanh after each of them, and a last convolution without. Sizes are kept: images are padded with zeros.
#[derive(Debug, Clone)]
pub struct UNet {
    down: Vec<[Conv2d; 2]>,
    /// The lowest level has none.
    up: Vec<[Conv2d; 2]>,
    last: Conv2d,
    scale: [usize; 2],
}

impl UNet {
    /// Registers `{name}.down.0.0.weight`, ..., `{name}.up.0.0.weight`, ..., `{name}.last.weight`, `{name}.last.bias`, initial values as in PyTorch.
    ///
    /// # Panics
    /// If there is no level, or a size is 0 or a kernel's side even.
    pub fn new<F: Float>(params: &mut Params<F>, name: &str, config: &UNetConfig, rng: &mut Rng) -> Self {
        let UNetConfig { inputs, outputs, channels, kernel, scale, levels } = *config;
        assert!(
            levels > 0
                && [inputs, outputs, channels, scale[0], scale[1]].iter().all(|&size| size > 0)
                && kernel.iter().all(|side| side % 2 == 1),
            "a U-Net of the form {config:?}"
        );
        let padding = kernel.map(|side| side / 2);
        let mut conv =
            |name: String, channels| Conv2d::new(params, &name, channels, kernel, [1, 1], padding, rng);
        let mut double = |name: String, from, to| {
            [conv(format!("{name}.0"), [from, to]), conv(format!("{name}.1"), [to, to])]
        };
        let width = |level: usize| channels << level;
        let down = (0..levels)
            .map(|level| {
                let from = if level == 0 { inputs } else { width(level - 1) };
                double(format!("{name}.down.{level}"), from, width(level))
            })
            .collect();
        let up = (0..levels - 1)
            .map(|level| double(format!("{name}.up.{level}"), width(level) + width(level + 1), width(level)))
            .collect();
        let last = conv(format!("{name}.last"), [channels, outputs]);
        UNet { down, up, last, scale }
    }

    /// The last convolution.
    pub fn last(&self) -> Conv2d {
        self.last
    }

    /// The forward pass: `[B, inputs, height, width] -> [B, outputs, height, width]`.
    ///
    /// # Panics
    /// If the sizes do not fit.
    pub fn forward<'g, F: Float>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        x: Tensor<'g, F>,
    ) -> Tensor<'g, F> {
        let x = self.level_and_below(graph, params, x, 0);
        self.last.forward(graph, params, x)
    }

    /// What a level and all below it make of what comes from above.
    fn level_and_below<'g, F: Float>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        x: Tensor<'g, F>,
        level: usize,
    ) -> Tensor<'g, F> {
        let twice = |pair: &[Conv2d; 2], x| {
            pair.iter().fold(x, |x: Tensor<'g, F>, conv| conv.forward(graph, params, x).tanh())
        };
        let x = twice(&self.down[level], x);
        let Some(up) = self.up.get(level) else { return x };
        let below = self.level_and_below(graph, params, x.max_pool2d(self.scale, self.scale), level + 1);
        twice(up, graph.concat(&[below.upsample2d(self.scale), x], 1))
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::*;
    use crate::Tape;

    #[test]
    fn a_shift_by_the_coarsest_cell_shifts_the_output() {
        let mut rng = Seeds::new(3).stream("init");
        let mut params = Params::<f64>::new();
        let config =
            UNetConfig { inputs: 2, outputs: 1, channels: 2, kernel: [1, 3], scale: [1, 2], levels: 3 };
        let net = UNet::new(&mut params, "net", &config, &mut rng);
        // Per level in · out · 3 + out for each convolution: 2→2→2, 2→4→4, 4→8→8 down; 12→4→4, 6→2→2 up; 2→1.
        let count = |from: usize, to: usize| 3 * from * to + to;
        let down = count(2, 2) + count(2, 2) + count(2, 4) + count(4, 4) + count(4, 8) + count(8, 8);
        let up = count(12, 4) + count(4, 4) + count(6, 2) + count(2, 2);
        assert_eq!(params.len(), down + up + count(2, 1));
        let mut tape = Tape::new(1);
        let mut answer = |shift: usize| {
            let graph = tape.graph();
            // A bump far from the ends, where the padding is not felt.
            let mut input = vec![0.0; 2 * 128];
            for i in 0..5 {
                input[56 + shift + i] = 1.0 + i as f64;
                input[128 + 56 + shift + i] = 0.5 - i as f64;
            }
            let x = graph.constant(&[1, 2, 1, 128], &input);
            let y = net.forward(graph, &params, x);
            assert_eq!(y.shape(), [1, 1, 1, 128]);
            y.data().to_vec()
        };
        let (at, moved) = (answer(0), answer(4));
        assert!((40..88).all(|i| (at[i] - moved[i + 4]).abs() < 1e-14));
        assert!((40..88).any(|i| (at[i] - moved[i]).abs() > 1e-3));
    }
}

//! Linear layers whose weights are random: a learned mean and a learned deviation (Fortunato et al. 2018).

use quire_core::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::Linear;
use crate::{Activation, Float, Graph, Init, Params, Tensor};

/// `activation(x W + b)` with W = μ + σ ⊙ ε and b alike, where μ and σ are learned and ε is drawn.
///
/// The noise is factorised: ε of the weight between input i and output j is f(ξᵢ) f(ζⱼ), that of the bias f(ζⱼ), with
/// f(x) = sgn(x) √|x| of normal numbers; see [`factor_noise`]. Then
///
/// > x W + b = x μ + μ_b + ((x ⊙ f(ξ)) σ + σ_b) ⊙ f(ζ)
///
/// are two products, and no noisy weight is ever written down.
#[derive(Debug, Clone, Copy)]
pub struct NoisyLinear {
    /// μ, of weight and bias.
    pub mean: Linear,
    /// σ, of weight and bias.
    pub deviation: Linear,
    /// What follows the sum.
    pub activation: Activation,
}

/// Fills `noise` with f(x) = sgn(x) √|x| of standard normal numbers.
pub fn factor_noise<F: Float>(rng: &mut Rng, noise: &mut [F]) {
    for factor in noise {
        let normal: f64 = StandardNormal.sample(rng);
        *factor = F::from_f64(normal.signum() * normal.abs().sqrt());
    }
}

impl NoisyLinear {
    /// A layer without activation: means uniform on `+- 1 / sqrt(inputs)`, deviations all `scale / sqrt(inputs)`. Registers
    /// `{name}.mean.weight`, `{name}.mean.bias`, `{name}.deviation.weight` and `{name}.deviation.bias`.
    pub fn new<F: Float>(
        params: &mut Params<F>,
        name: &str,
        inputs: usize,
        outputs: usize,
        scale: f64,
        rng: &mut Rng,
    ) -> Self {
        let deviation = Init::Constant { value: scale / (inputs as f64).sqrt() };
        let shape = [1, inputs, outputs];
        let name_of = |part: &str| format!("{name}.{part}");
        NoisyLinear {
            mean: Linear::new(params, &name_of("mean"), 1, inputs, outputs, rng),
            deviation: Linear::with(params, &name_of("deviation"), shape, deviation, Some(deviation), rng),
            activation: Activation::None,
        }
    }

    /// The same layer, followed by an activation.
    pub fn activated(self, activation: Activation) -> Self {
        NoisyLinear { activation, ..self }
    }

    /// The number of inputs and of outputs.
    pub fn sizes(&self) -> [usize; 2] {
        [self.mean.weight.shape[1], self.mean.weight.shape[2]]
    }

    /// The forward pass `[..., in] -> [..., out]` with the factors f(ξ) `[in]` and f(ζ) `[out]`, or with the means alone.
    pub fn forward<'g, F: Float>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        x: Tensor<'g, F>,
        noise: Option<[Tensor<'g, F>; 2]>,
    ) -> Tensor<'g, F> {
        let mean = self.mean.forward(graph, params, x);
        let sum = match noise {
            Some([inputs, outputs]) => mean + self.deviation.forward(graph, params, x * inputs) * outputs,
            None => mean,
        };
        sum.activate(self.activation)
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::*;
    use crate::Tape;

    /// The noisy layer is a layer whose weights are written down with their noise.
    #[test]
    fn two_products_are_one_with_noisy_weights() {
        let mut rng = Seeds::new(3).stream("init");
        let mut params = Params::<f64>::new();
        let layer = NoisyLinear::new(&mut params, "n", 3, 2, 0.5, &mut rng).activated(Activation::Tanh);
        assert_eq!((layer.sizes(), params.len()), ([3, 2], 2 * (6 + 2)));
        let deviation = 0.5 / 3.0_f64.sqrt();
        assert!(params.data()[8..].iter().all(|&sigma| sigma == deviation));
        let (inputs, outputs) = ([0.3, -1.2, 0.8], [0.5, -0.7]);
        let x = [1.0, 2.0, -0.5];
        let mean = |i: usize, j: usize| params.view(layer.mean.weight)[2 * i + j];
        let expected = |noisy: f64, j: usize| {
            let weight = |i: usize| mean(i, j) + noisy * deviation * inputs[i] * outputs[j];
            let bias = params.view(layer.mean.bias.unwrap())[j] + noisy * deviation * outputs[j];
            ((0..3).map(|i| x[i] * weight(i)).sum::<f64>() + bias).tanh()
        };
        let mut tape = Tape::new(1);
        let graph = tape.graph();
        let x = graph.constant(&[1, 1, 3], &x);
        let noise = [graph.constant(&[3], &inputs), graph.constant(&[2], &outputs)];
        let noisy = layer.forward(graph, &params, x, Some(noise)).data();
        let quiet = layer.forward(graph, &params, x, None).data();
        for j in 0..2 {
            assert!(
                (noisy[j] - expected(1.0, j)).abs() < 1e-14 && (quiet[j] - expected(0.0, j)).abs() < 1e-14
            );
        }
    }

    /// E f² = E |x| = √(2/π), and f is odd.
    #[test]
    fn factors_have_their_moments() {
        let mut noise = vec![0.0_f64; 40_000];
        factor_noise(&mut Seeds::new(0).stream("noise"), &mut noise);
        let mean = noise.iter().sum::<f64>() / 40_000.0;
        let square = noise.iter().map(|f| f * f).sum::<f64>() / 40_000.0;
        // Standard errors: √(0.798/40,000) = 0.0045, and that of |x|, 0.603/200 = 0.0030.
        assert!(
            mean.abs() < 5.0 * 0.0045 && (square - (2.0 / std::f64::consts::PI).sqrt()).abs() < 5.0 * 0.003
        );
    }
}

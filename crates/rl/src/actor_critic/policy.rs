//! The squashed Gaussian policy of soft actor-critic learners: a = tanh(μ(s) + σ(s) ε), ε ~ N(0, I).

use quire_core::{Error, Result, Rng};
use quire_env::Space;
use quire_nn::{Graph, Init, Linear, Mlp, MlpConfig, Params, Scratch, Tensor};
use rand_distr::{Distribution, StandardNormal};

/// Bounds on the logarithm of σ.
const LOG_STD: (f64, f64) = (-20.0, 2.0);
/// Keeps the logarithm of 1 - a² finite, as in the official code.
const SQUASH_FLOOR: f64 = 1e-6;

/// The map between actions in [-1, 1]^d, which learners use, and the environment's box.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionScale {
    center: Vec<f32>,
    half_width: Vec<f32>,
}

impl ActionScale {
    /// The map for this action space.
    ///
    /// # Errors
    /// A space that is not a box with finite bounds.
    pub fn new(space: &Space) -> Result<Self> {
        let Some((low, high)) = space.bounds() else {
            return Err(Error::Usage(format!("a Gaussian policy needs continuous actions, not {space}")));
        };
        if low.iter().chain(high).any(|bound| !bound.is_finite()) {
            return Err(Error::Usage(format!(
                "a squashed policy needs actions with finite bounds, not {space}"
            )));
        }
        let pairs = || low.iter().zip(high);
        Ok(ActionScale {
            center: pairs().map(|(low, high)| 0.5 * (low + high)).collect(),
            half_width: pairs().map(|(low, high)| 0.5 * (high - low)).collect(),
        })
    }

    /// The number of dimensions d.
    pub fn dimensions(&self) -> usize {
        self.center.len()
    }

    /// From [-1, 1]^d into the box, in place.
    pub fn to_environment(&self, action: &mut [f32]) {
        for ((value, center), half_width) in action.iter_mut().zip(&self.center).zip(&self.half_width) {
            *value = center + half_width * *value;
        }
    }

    /// From the box into [-1, 1]^d.
    pub fn to_unit(&self, action: &[f32], unit: &mut [f32]) {
        for (((unit, value), center), half_width) in
            unit.iter_mut().zip(action).zip(&self.center).zip(&self.half_width)
        {
            *unit = if *half_width > 0.0 { (value - center) / half_width } else { 0.0 };
        }
    }
}

/// The shape of the policy network: hidden layers with ReLU, then two linear heads for μ and log σ in one layer.
#[derive(Debug, Clone)]
pub struct TanhGaussianPolicy {
    network: Mlp,
    dimensions: usize,
}

/// Actions drawn on the tape, with their log-densities.
pub struct Drawn<'g> {
    /// a in (-1, 1)^d, `[1, batch, d]`.
    pub actions: Tensor<'g, f32>,
    /// log π(a|s), `[1, batch]`.
    pub log_density: Tensor<'g, f32>,
}

impl TanhGaussianPolicy {
    /// Registers the weights in `params`: Xavier-uniform, biases 0.
    pub fn new(
        params: &mut Params<f32>,
        observation: usize,
        dimensions: usize,
        hidden: &[usize],
        rng: &mut Rng,
    ) -> Self {
        let network = Mlp::new(params, "policy", &xavier(observation, hidden, 2 * dimensions, 1), rng);
        TanhGaussianPolicy { network, dimensions }
    }

    /// Draws an action for every observation of a batch, reparameterized: `noise` is `[batch, d]`, standard normal.
    pub fn draw<'g>(
        &self,
        graph: Graph<'g, f32>,
        params: &'g Params<f32>,
        observations: &[f32],
        noise: &[f32],
    ) -> Drawn<'g> {
        let batch = noise.len() / self.dimensions;
        let x = graph.constant(&[1, batch, self.network.sizes()[0]], observations);
        let [mean, log_std] = self.network.forward(graph, params, x).split(-1);
        squash(mean, log_std.clamp(LOG_STD.0, LOG_STD.1), graph.constant(mean.shape(), noise))
    }

    /// One action in (-1, 1)^d: drawn with `noise`, or tanh(μ) without.
    pub fn act(
        &self,
        params: &Params<f32>,
        observation: &[f32],
        noise: Option<&mut Rng>,
        scratch: &mut Scratch<f32>,
        action: &mut [f32],
    ) {
        let (mean, log_std) = self.network.infer(params, observation, scratch).split_at(self.dimensions);
        action.copy_from_slice(mean);
        if let Some(rng) = noise {
            for (value, log_std) in action.iter_mut().zip(log_std) {
                let noise: f32 = StandardNormal.sample(rng);
                *value += log_std.clamp(LOG_STD.0 as f32, LOG_STD.1 as f32).exp() * noise;
            }
        }
        action.iter_mut().for_each(|value| *value = value.tanh());
    }
}

/// a = tanh(μ + σ ε) and log π(a|s) = Σ_j [ log N(u_j; μ_j, σ_j) - log(1 - a_j² + 10⁻⁶) ].
fn squash<'g>(mean: Tensor<'g, f32>, log_std: Tensor<'g, f32>, noise: Tensor<'g, f32>) -> Drawn<'g> {
    let actions = (mean + log_std.exp() * noise).tanh();
    let half_log_two_pi = 0.5 * (2.0 * std::f64::consts::PI).ln();
    let gaussian = noise.square().affine(-0.5, -half_log_two_pi) - log_std;
    let squashing = actions.square().affine(-1.0, 1.0 + SQUASH_FLOOR).log();
    Drawn { actions, log_density: (gaussian - squashing).sum_axis(-1, false) }
}

/// A perceptron, or an ensemble, as the official code of REDQ starts it: Xavier-uniform weights, biases 0.
pub fn xavier(inputs: usize, hidden: &[usize], outputs: usize, ensemble: usize) -> MlpConfig {
    let mut sizes = vec![inputs];
    sizes.extend(hidden);
    sizes.push(outputs);
    let init = Init::XavierUniform { gain: 1.0 };
    MlpConfig {
        sizes,
        ensemble,
        hidden_init: init,
        output_init: init,
        bias_init: Some(Init::Zeros),
        ..MlpConfig::default()
    }
}

/// One member of an ensemble: `[1, B, in] -> [1, B, out]`, at the cost of that member alone.
pub fn forward_member<'g>(
    network: &Mlp,
    member: usize,
    graph: Graph<'g, f32>,
    params: &'g Params<f32>,
    x: Tensor<'g, f32>,
) -> Tensor<'g, f32> {
    network.layers().iter().fold(x, |x, layer: &Linear| {
        let weight = graph.param(params, layer.weight).slice(0, member..member + 1);
        let bias = layer.bias.map(|bias| graph.param(params, bias).slice(0, member..member + 1));
        x.linear(weight, bias, layer.activation)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use quire_core::Seeds;
    use quire_nn::Tape;

    /// Integrates exp(log π) over (-1, 1) by the trapezoid rule in u, where da = (1 - tanh² u) du.
    #[test]
    fn the_density_integrates_to_one() {
        for (mean, log_std) in [(0.0, 0.0), (0.7, -1.0), (-1.2, 0.5)] {
            let steps = 20_001;
            let std = f32::exp(log_std);
            let noise: Vec<f32> = (0..steps).map(|i| -8.0 + 16.0 * i as f32 / (steps - 1) as f32).collect();
            let mut tape = Tape::new(1);
            let graph = tape.graph();
            let shape = [1, steps, 1];
            let full = |value: f32| graph.constant(&shape, &vec![value; steps]);
            let drawn = squash(full(mean), full(log_std), graph.constant(&shape, &noise));
            let du = f64::from(std) * 16.0 / (steps - 1) as f64;
            let pairs = drawn.actions.data().iter().zip(drawn.log_density.data());
            let integral: f64 = pairs
                .map(|(&a, &log_density)| f64::from(log_density).exp() * (1.0 - f64::from(a).powi(2)) * du)
                .sum();
            // The floor of 10⁻⁶ bends the density near the edges a little.
            assert!((integral - 1.0).abs() < 2e-3, "{mean} {log_std}: {integral}");
        }
    }

    #[test]
    fn acting_agrees_with_drawing() {
        let mut rng = Seeds::new(3).stream("policy");
        let mut params = Params::new();
        let policy = TanhGaussianPolicy::new(&mut params, 3, 2, &[8], &mut rng);
        let observation = [0.3, -0.2, 0.9];
        let mut action = [0.0; 2];
        policy.act(&params, &observation, None, &mut Scratch::new(), &mut action);
        let mut tape = Tape::new(1);
        let graph = tape.graph();
        let drawn = policy.draw(graph, &params, &observation, &[0.0, 0.0]);
        for (a, b) in action.iter().zip(drawn.actions.data()) {
            assert!((a - b).abs() < 1e-6);
        }
    }

    #[test]
    fn actions_map_into_the_box_and_back() {
        let scale = ActionScale::new(&Space::bounded(&[-2.0, 0.0], &[2.0, 1.0])).unwrap();
        let mut action = [-0.5, 1.0];
        scale.to_environment(&mut action);
        assert_eq!(action, [-1.0, 1.0]);
        let mut unit = [0.0; 2];
        scale.to_unit(&action, &mut unit);
        assert_eq!(unit, [-0.5, 1.0]);
        assert!(ActionScale::new(&Space::Discrete { n: 2 }).is_err());
        assert!(ActionScale::new(&Space::bounded(&[0.0], &[f32::INFINITY])).is_err());
    }
}

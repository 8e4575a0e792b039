//! Two spirals: a network of two hidden layers tells which of two arms of a spiral a point of the plane lies on.
//!
//! > f_i = ln(1 + e^{-y_i o(p_i)}),   o a perceptron of 2, 64, 64 and 1 units with tanh
//!
//! Arm y = ±1 has the points y (φ cos φ, φ sin φ)/(2 turns π), with φ² uniform so that the density is even, and noise. A linear model sees nothing here; a network needs to bend
//! around the center several times. Values and gradients are exact, products with the Hessian and third derivatives differences of gradients.

use std::f64::consts::PI;
use std::sync::{Mutex, PoisonError};

use quire_core::Rng;
use quire_nn::{Activation, Mlp, MlpConfig, Params, Tape};
use quire_optim::Layout;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::components::logistic_loss;
use super::{FiniteSum, differences};
use crate::vectors::add_scaled;

/// Units of a hidden layer.
const UNITS: usize = 64;

/// Points that are worked on together.
const TOGETHER: usize = 256;

/// The mean of f_i over points, a function of the network's parameters.
pub struct Spirals {
    /// x and y of each point.
    points: Vec<[f64; 2]>,
    labels: Vec<f64>,
    layout: Layout,
    mlp: Mlp,
    network: Mutex<Network>,
}

/// The network at some parameters, and its tape.
struct Network {
    params: Params<f64>,
    tape: Tape<f64>,
    gradient: Vec<f64>,
    inputs: Vec<f64>,
    labels: Vec<f64>,
}

impl Spirals {
    /// `count` points on two arms of so many turns, with normal noise of this size; and parameters to start from.
    pub fn draw(count: usize, turns: f64, noise: f64, rng: &mut Rng) -> (Self, Vec<f64>) {
        let mut points = Vec::with_capacity(count);
        let labels: Vec<f64> = (0..count).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        for y in &labels {
            let radius = rng.random::<f64>().sqrt();
            let angle = 2.0 * PI * turns * radius;
            let mut at = |x: f64| {
                let jitter: f64 = StandardNormal.sample(rng);
                y * radius * x + noise * jitter
            };
            points.push([at(angle.cos()), at(angle.sin())]);
        }
        let config = MlpConfig {
            sizes: vec![2, UNITS, UNITS, 1],
            activation: Activation::Tanh,
            ..MlpConfig::default()
        };
        let mut params = Params::new();
        let mlp = Mlp::new(&mut params, "spirals", &config, rng);
        let layout = params.iter().map(|(name, shape, _)| (name, shape)).collect();
        let start = params.data().to_vec();
        let network = Network {
            gradient: vec![0.0; params.len()],
            params,
            tape: Tape::new(1),
            inputs: Vec::new(),
            labels: Vec::new(),
        };
        (Spirals { points, labels, layout, mlp, network: Mutex::new(network) }, start)
    }

    /// Tells the output and the label of every point of a batch.
    fn each(&self, x: &[f64], batch: &[usize], mut tell: impl FnMut(f64, f64)) {
        // What a panic elsewhere left in it is overwritten before it is read.
        let mut network = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        let Network { params, tape, inputs, labels, .. } = &mut *network;
        params.data_mut().copy_from_slice(x);
        for part in batch.chunks(TOGETHER) {
            self.gather(part, inputs, labels);
            let graph = tape.graph();
            graph.no_grad(|| {
                let points = graph.constant(&[1, part.len(), 2], inputs);
                let outputs = self.mlp.forward(graph, params, points);
                outputs.data().iter().zip(&*labels).for_each(|(&output, &label)| tell(output, label));
            });
        }
    }

    fn gather(&self, batch: &[usize], inputs: &mut Vec<f64>, labels: &mut Vec<f64>) {
        inputs.clear();
        labels.clear();
        for &i in batch {
            inputs.extend_from_slice(&self.points[i]);
            labels.push(self.labels[i]);
        }
    }
}

impl FiniteSum for Spirals {
    fn len(&self) -> usize {
        self.points.len()
    }

    fn dimension(&self) -> usize {
        self.layout.len()
    }

    fn layout(&self) -> Layout {
        self.layout.clone()
    }

    fn value(&self, x: &[f64]) -> f64 {
        let mut sum = 0.0;
        let all: Vec<usize> = (0..self.points.len()).collect();
        self.each(x, &all, |output, label| sum += logistic_loss(output * label));
        sum / self.points.len() as f64
    }

    fn gradient(&self, x: &[f64], batch: &[usize], out: &mut [f64]) {
        out.fill(0.0);
        let mut network = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        let Network { params, tape, gradient, inputs, labels } = &mut *network;
        params.data_mut().copy_from_slice(x);
        for part in batch.chunks(TOGETHER) {
            self.gather(part, inputs, labels);
            let graph = tape.graph();
            let points = graph.constant(&[1, part.len(), 2], inputs);
            let outputs = self.mlp.forward(graph, params, points);
            let signs = graph.constant(outputs.shape(), labels);
            (-(outputs * signs)).softplus().sum().gradient(params, gradient);
            add_scaled(1.0 / batch.len() as f64, gradient, out);
        }
    }

    fn hessian_product(&self, x: &[f64], batch: &[usize], v: &[f64], out: &mut [f64]) {
        differences::hessian_product(|x, out| self.gradient(x, batch, out), x, v, out);
    }

    fn third_derivative(&self, x: &[f64], batch: &[usize], v: &[f64]) -> f64 {
        differences::third_derivative(|x, out| self.gradient(x, batch, out), x, v)
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::*;
    use crate::vectors::dot;

    #[test]
    fn the_arms_are_opposite_and_a_network_at_its_start_knows_nothing() {
        let (sum, start) = Spirals::draw(400, 1.5, 0.0, &mut Seeds::new(1).stream("points"));
        assert_eq!(start.len(), 2 * 64 + 64 + 64 * 64 + 64 + 64 + 1);
        for (point, label) in sum.points.iter().zip(&sum.labels) {
            let radius = point[0].hypot(point[1]);
            let angle = 3.0 * PI * radius;
            assert!((point[0] - label * radius * angle.cos()).abs() < 1e-12 && radius <= 1.0);
        }
        assert!((sum.value(&start) - 2.0_f64.ln()).abs() < 0.1);
        // ln(1 + e⁻³) and its mirror.
        assert!((logistic_loss(3.0) - 0.048_587_351_573_741_96).abs() < 1e-15);
        assert!((logistic_loss(-3.0) - 3.048_587_351_573_742).abs() < 1e-14);
    }

    #[test]
    fn gradients_are_those_of_the_value() {
        let mut rng = Seeds::new(2).stream("points");
        let (sum, start) = Spirals::draw(300, 1.5, 0.02, &mut rng);
        let all: Vec<usize> = (0..300).collect();
        let mut gradient = vec![0.0; start.len()];
        sum.gradient(&start, &all, &mut gradient);
        let v: Vec<f64> = (0..start.len()).map(|_| StandardNormal.sample(&mut rng)).collect();
        let value = |by: f64| {
            let mut moved = start.clone();
            add_scaled(by, &v, &mut moved);
            sum.value(&moved)
        };
        let quotient = (value(1e-5) - value(-1e-5)) / 2e-5;
        assert!((dot(&gradient, &v) - quotient).abs() < 1e-6 * quotient.abs().max(1.0));
        // A batch in two parts is the mean of both.
        let (mut one, mut other) = (vec![0.0; start.len()], vec![0.0; start.len()]);
        sum.gradient(&start, &all[..100], &mut one);
        sum.gradient(&start, &all[100..], &mut other);
        for ((one, other), whole) in one.iter().zip(&other).zip(&gradient) {
            assert!((one / 3.0 + other * 2.0 / 3.0 - whole).abs() < 1e-12);
        }
    }
}

//! Delayed XOR: a recurrent network reads a sequence of signs, two of which are marked, and has to say at its end whether the two differ.
//!
//! > h_{t+1} = tanh(W_xᵀ x_t + W_hᵀ h_t + b)      o = w·h_T + c      f_i = ln(1 + e^{-y o})
//!
//! The first mark lies in the first tenth of the sequence, the second between there and the middle; x_t is a sign, and 1 or 0 for the mark. Nothing is learnt
//! from either mark alone, so that gradient descent finds no slope for a long time: a function that preconditioners are compared on. W_h is orthogonal at the
//! start, other weights are 0.1 N(0, 1), biases 0. As in the example of X.-L. Li's code for arXiv:2402.04553, but for a fixed set of sequences in place of ever new
//! ones: many more than the network has parameters.
//!
//! Values and gradients come in single precision, as networks are trained; products with the Hessian and third derivatives are differences of gradients in
//! double precision, right to about ten and five digits.

use std::sync::{Mutex, MutexGuard, PoisonError};

use quire_core::Rng;
use quire_kernels::gemm::{self, Matrix};
use quire_kernels::{Float, multiversion};
use quire_nn::Init;
use quire_optim::Layout;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::{FiniteSum, differences};

/// Numbers that the network reads at a time: a sign and a mark.
const INPUTS: usize = 2;
/// Sequences that are worked on together.
const TOGETHER: usize = 128;

/// Signs, and which two of them are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence {
    /// Bit t is 1 where sign t is +1.
    pub signs: u64,
    /// Where the marks are; they may fall together.
    pub marks: [usize; 2],
}

impl Sequence {
    /// Of `length` signs, at most 64.
    pub fn draw(length: usize, rng: &mut Rng) -> Self {
        let (length, mut share) = (length as f64, || rng.random::<f64>());
        let marks = [share() * 0.1 * length, (share() * 0.4 + 0.1) * length].map(|mark| mark as usize);
        Sequence { signs: rng.random(), marks }
    }

    fn sign(&self, at: usize) -> f64 {
        if self.signs >> at & 1 == 1 { 1.0 } else { -1.0 }
    }

    /// y: 1 if the marked signs differ, else -1.
    pub fn label(&self) -> f64 {
        -self.sign(self.marks[0]) * self.sign(self.marks[1])
    }
}

/// The mean of f_i over sequences, a function of the network's parameters.
pub struct DelayedXor {
    sequences: Vec<Sequence>,
    layout: Layout,
    single: Mutex<Network<f32>>,
    double: Mutex<Network<f64>>,
}

impl DelayedXor {
    /// For these sequences of `length` signs, and a network of so many units.
    ///
    /// # Panics
    /// If there are no sequences, or signs, or more than 64 of them.
    pub fn new(sequences: Vec<Sequence>, length: usize, units: usize) -> Self {
        assert!(!sequences.is_empty() && (1..=64).contains(&length), "sequences of 1 to 64 signs");
        let layout = [
            ("input.weight", &[1, INPUTS, units][..]),
            ("recurrent.weight", &[1, units, units]),
            ("recurrent.bias", &[1, units]),
            ("readout.weight", &[1, units, 1]),
            ("readout.bias", &[1, 1]),
        ];
        DelayedXor {
            sequences,
            layout: layout.into_iter().collect(),
            single: Mutex::new(Network::new(length, units)),
            double: Mutex::new(Network::new(length, units)),
        }
    }

    /// `count` sequences.
    pub fn draw(count: usize, length: usize, units: usize, rng: &mut Rng) -> Self {
        DelayedXor::new((0..count).map(|_| Sequence::draw(length, rng)).collect(), length, units)
    }

    /// Parameters at a start.
    pub fn start(&self, rng: &mut Rng) -> Vec<f64> {
        let mut x = vec![0.0; self.layout.len()];
        for block in self.layout.blocks() {
            let values = &mut x[block.range()];
            match block.name.as_str() {
                "recurrent.weight" => Init::Orthogonal { gain: 1.0 }.fill(&block.shape, values, rng),
                "input.weight" | "readout.weight" => values.iter_mut().for_each(|x| {
                    let normal: f64 = StandardNormal.sample(rng);
                    *x = 0.1 * normal;
                }),
                _ => {}
            }
        }
        x
    }

    /// The gradient in double precision.
    fn exact_gradient(&self, x: &[f64], batch: &[usize], out: &mut [f64]) {
        lock(&self.double).gradient(x, &self.sequences, batch, out);
    }
}

/// The network; what a panic elsewhere left in it is overwritten before it is read.
fn lock<F>(network: &Mutex<Network<F>>) -> MutexGuard<'_, Network<F>> {
    network.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FiniteSum for DelayedXor {
    fn len(&self) -> usize {
        self.sequences.len()
    }

    fn dimension(&self) -> usize {
        self.layout.len()
    }

    fn layout(&self) -> Layout {
        self.layout.clone()
    }

    fn value(&self, x: &[f64]) -> f64 {
        let mut network = lock(&self.single);
        network.load(x);
        let losses = self.sequences.chunks(TOGETHER).map(|some| network.forward(some.iter().copied()));
        losses.sum::<f64>() / self.sequences.len() as f64
    }

    fn gradient(&self, x: &[f64], batch: &[usize], out: &mut [f64]) {
        lock(&self.single).gradient(x, &self.sequences, batch, out);
    }

    fn hessian_product(&self, x: &[f64], batch: &[usize], v: &[f64], out: &mut [f64]) {
        differences::hessian_product(|x, out| self.exact_gradient(x, batch, out), x, v, out);
    }

    fn third_derivative(&self, x: &[f64], batch: &[usize], v: &[f64]) -> f64 {
        differences::third_derivative(|x, out| self.exact_gradient(x, batch, out), x, v)
    }
}

/// Room for a forward and a backward pass of up to [`TOGETHER`] sequences.
struct Network<F> {
    length: usize,
    units: usize,
    /// W_x, W_h and b, which are one matrix of `row` rows; w; c.
    parameters: Vec<F>,
    /// The rows (x_t, h_t, 1), a time after the other; of the last time only h_T.
    states: Vec<F>,
    /// ∂/∂ of what goes into tanh, a time after the other.
    slopes: Vec<F>,
    /// ∂/∂h_t.
    back: Vec<F>,
    /// y of the sequences at hand, and ∂/∂o.
    labels: Vec<F>,
    outputs: Vec<F>,
    /// Of all parameters.
    gradient: Vec<F>,
}

multiversion! {
    /// `x <- tanh(x)`.
    fn tanh_in_place[F: Float](x: &mut [F]) |simd| {
        x.iter_mut().for_each(|x| *x = x.tanh());
    }
}

multiversion! {
    /// `slopes <- back (1 - h²)`, with h the numbers from `first` on of each row of `states`.
    fn through_tanh[F: Float](back: &[F], states: &[F], row: usize, first: usize, units: usize, slopes: &mut [F]) |simd| {
        let rows = back.chunks_exact(units).zip(states.chunks_exact(row)).zip(slopes.chunks_exact_mut(units));
        for ((back, state), slopes) in rows {
            for ((slope, &back), &h) in slopes.iter_mut().zip(back).zip(&state[first..first + units]) {
                *slope = back * (F::ONE - h * h);
            }
        }
    }
}

fn product<F: Float>(shape: [usize; 3], c: &mut [F], c_row: usize, a: Matrix<'_, F>, b: Matrix<'_, F>) {
    gemm::product(shape, c, c_row, false, a, b, |_, _, _, _, _| ());
}

impl<F: Float> Network<F> {
    fn new(length: usize, units: usize) -> Self {
        let row = INPUTS + units + 1;
        let zeros = |len| vec![F::ZERO; len];
        Network {
            length,
            units,
            parameters: zeros(row * units + units + 1),
            states: zeros((length + 1) * TOGETHER * row),
            slopes: zeros(length * TOGETHER * units),
            back: zeros(TOGETHER * units),
            labels: zeros(TOGETHER),
            outputs: zeros(TOGETHER),
            gradient: zeros(row * units + units + 1),
        }
    }

    fn load(&mut self, x: &[f64]) {
        self.parameters.iter_mut().zip(x).for_each(|(to, &x)| *to = F::from_f64(x));
    }

    /// The sum of the losses of some sequences; what [`Network::backward`] needs stays in the network.
    fn forward(&mut self, sequences: impl ExactSizeIterator<Item = Sequence> + Clone) -> f64 {
        let (count, units, row) = (sequences.len(), self.units, INPUTS + self.units + 1);
        let (matrix, readout) = self.parameters.split_at(row * units);
        for t in 0..=self.length {
            let (before, now) = self.states.split_at_mut(t * count * row);
            let now = &mut now[..count * row];
            if t == 0 {
                now.fill(F::ZERO);
            } else {
                let last = Matrix::new(&before[(t - 1) * count * row..], row);
                product([count, units, row], &mut now[INPUTS..], row, last, Matrix::new(matrix, units));
                // All of the rows, as whole registers are faster; what is not h is written below.
                tanh_in_place(now);
            }
            if t < self.length {
                for (state, sequence) in now.chunks_exact_mut(row).zip(sequences.clone()) {
                    let is_marked = sequence.marks.contains(&t);
                    state[0] = F::from_f64(sequence.sign(t));
                    state[1] = if is_marked { F::ONE } else { F::ZERO };
                    state[row - 1] = F::ONE;
                }
            }
        }
        let mut sum = 0.0;
        let last = self.states[self.length * count * row..].chunks_exact(row);
        for (k, (state, sequence)) in last.zip(sequences).enumerate() {
            let mut o = readout[units];
            for (&h, &w) in state[INPUTS..].iter().zip(&readout[..units]) {
                o += h * w;
            }
            let y = F::from_f64(sequence.label());
            (self.labels[k], self.outputs[k]) = (y, o);
            sum += (-y * o).softplus().to_f64();
        }
        sum
    }

    /// The gradient of that sum times `share`.
    fn backward(&mut self, count: usize, share: f64) {
        let (units, row) = (self.units, INPUTS + self.units + 1);
        let (matrix, readout) = self.parameters.split_at(row * units);
        let (recurrent, last) = (&matrix[INPUTS * units..], self.length * count * row);
        let (by_matrix, by_readout) = self.gradient.split_at_mut(row * units);
        by_readout.fill(F::ZERO);
        let share = F::from_f64(share);
        let states = self.states[last..].chunks_exact(row);
        for (k, (state, back)) in states.take(count).zip(self.back.chunks_exact_mut(units)).enumerate() {
            let (y, o) = (self.labels[k], self.outputs[k]);
            let slope = -share * y * (-y * o).sigmoid();
            by_readout[units] += slope;
            for u in 0..units {
                by_readout[u] += slope * state[INPUTS + u];
                back[u] = slope * readout[u];
            }
        }
        for t in (0..self.length).rev() {
            let slopes = &mut self.slopes[t * count * units..(t + 1) * count * units];
            let states = &self.states[(t + 1) * count * row..(t + 2) * count * row];
            let back = &mut self.back[..count * units];
            through_tanh(back, states, row, INPUTS, units, slopes);
            if t > 0 {
                let across = Matrix::new(recurrent, units).transposed();
                product([count, units, units], back, units, Matrix::new(slopes, units), across);
            }
        }
        let rows = self.length * count;
        let (states, slopes) = (Matrix::new(&self.states[..rows * row], row), &self.slopes[..rows * units]);
        product([row, units, rows], by_matrix, units, states.transposed(), Matrix::new(slopes, units));
    }

    /// `out <-` the mean gradient over a batch.
    fn gradient(&mut self, x: &[f64], sequences: &[Sequence], batch: &[usize], out: &mut [f64]) {
        self.load(x);
        out.fill(0.0);
        for some in batch.chunks(TOGETHER) {
            self.forward(some.iter().map(|&i| sequences[i]));
            self.backward(some.len(), 1.0 / batch.len() as f64);
            out.iter_mut().zip(&self.gradient).for_each(|(out, g)| *out += g.to_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::*;
    use crate::vectors::{add_scaled, dot, norm};

    /// Few units, and more sequences than are worked on together.
    fn small() -> (DelayedXor, Vec<f64>) {
        let mut rng = Seeds::new(5).stream("sequences");
        let sum = DelayedXor::draw(150, 6, 4, &mut rng);
        let start = sum.start(&mut rng);
        (sum, start)
    }

    #[test]
    fn marks_lie_where_the_example_has_them() {
        let mut rng = Seeds::new(1).stream("sequences");
        let drawn: Vec<Sequence> = (0..2000).map(|_| Sequence::draw(16, &mut rng)).collect();
        assert!(drawn.iter().all(|s| s.marks[0] <= 1 && (1..=7).contains(&s.marks[1])));
        // 0.1 * 16 = 1.6: the second place has six of sixteen parts.
        let later = drawn.iter().filter(|s| s.marks[0] == 1).count() as f64 / 2000.0;
        assert!((later - 0.375).abs() < 0.04, "{later}");
        assert_eq!(Sequence { signs: 0b101, marks: [0, 2] }.label(), -1.0);
        assert_eq!(Sequence { signs: 0b101, marks: [0, 1] }.label(), 1.0);
    }

    #[test]
    fn a_network_of_one_unit_by_hand() {
        // Signs +1, -1 with marks on both: h_1 = tanh(0.5 + 0.2 + 0.1), h_2 = tanh(-0.5 + 0.2 + 0.7 h_1 + 0.1), o = 2 h_2 - 0.3, y = 1.
        let sum = DelayedXor::new(vec![Sequence { signs: 0b01, marks: [0, 1] }], 2, 1);
        let x = [0.5, 0.2, 0.7, 0.1, 2.0, -0.3];
        let h_1 = 0.8_f64.tanh();
        let h_2 = (-0.2 + 0.7 * h_1).tanh();
        let o = 2.0 * h_2 - 0.3;
        assert!((sum.value(&x) - (-o).exp().ln_1p()).abs() < 1e-6);
        let mut gradient = [0.0; 6];
        sum.exact_gradient(&x, &[0], &mut gradient);
        let by_o = -1.0 / (1.0 + o.exp());
        let second = by_o * 2.0 * (1.0 - h_2 * h_2);
        let first = second * 0.7 * (1.0 - h_1 * h_1);
        let expected = [first - second, first + second, second * h_1, first + second, by_o * h_2, by_o];
        assert!(gradient.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-14), "{gradient:?}");
    }

    #[test]
    fn its_gradient_is_that_of_the_value_in_every_parameter() {
        let (sum, mut x) = small();
        let all: Vec<usize> = (0..sum.len()).collect();
        let mut gradient = vec![0.0; x.len()];
        sum.exact_gradient(&x, &all, &mut gradient);
        let value = |x: &[f64]| {
            let mut network = lock(&sum.double);
            network.load(x);
            let losses = sum.sequences.chunks(TOGETHER).map(|some| network.forward(some.iter().copied()));
            losses.sum::<f64>() / 150.0
        };
        for i in 0..x.len() {
            let at = x[i];
            let moved = [1e-5, -1e-5].map(|by| {
                x[i] = at + by;
                value(&x)
            });
            x[i] = at;
            assert!(((moved[0] - moved[1]) / 2e-5 - gradient[i]).abs() < 1e-9, "parameter {i}");
        }
        // Single precision is near.
        let mut single = vec![0.0; x.len()];
        sum.gradient(&x, &all, &mut single);
        assert!(single.iter().zip(&gradient).all(|(a, b)| (a - b).abs() < 1e-6));
        assert!((sum.value(&x) - value(&x)).abs() < 1e-6);
    }

    #[test]
    fn a_batch_is_the_mean_of_its_sequences_and_its_hessian_symmetric() {
        let (sum, x) = small();
        let (mut both, mut one, mut other) = (vec![0.0; x.len()], vec![0.0; x.len()], vec![0.0; x.len()]);
        sum.gradient(&x, &[3, 7], &mut both);
        sum.gradient(&x, &[3], &mut one);
        sum.gradient(&x, &[7], &mut other);
        assert!((0..x.len()).all(|i| (both[i] - 0.5 * (one[i] + other[i])).abs() < 1e-6));
        let mut rng = Seeds::new(2).stream("directions");
        let mut normal = || (0..x.len()).map(|_| StandardNormal.sample(&mut rng)).collect::<Vec<f64>>();
        let (v, w) = (normal(), normal());
        sum.hessian_product(&x, &[3, 7], &v, &mut one);
        sum.hessian_product(&x, &[3, 7], &w, &mut other);
        assert!((dot(&one, &w) - dot(&other, &v)).abs() < 1e-7);
        // The third derivative is that of the curvature along v.
        let mut curvature = |by: f64| {
            let mut moved = x.clone();
            add_scaled(by, &v, &mut moved);
            sum.hessian_product(&moved, &[3, 7], &v, &mut one);
            dot(&one, &v)
        };
        let third = (curvature(1e-4) - curvature(-1e-4)) / 2e-4;
        let told = sum.third_derivative(&x, &[3, 7], &v);
        assert!((third - told).abs() < 1e-3 * (1.0 + third.abs()), "{third} and {told}");
    }

    #[test]
    fn its_matrices_have_shapes_and_the_recurrent_one_is_orthogonal() {
        let mut rng = Seeds::new(3).stream("sequences");
        let sum = DelayedXor::draw(2, 16, 30, &mut rng);
        let x = sum.start(&mut rng);
        let (weights, rest) = sum.layout().split(|_| true);
        let shapes: Vec<[usize; 2]> = weights.iter().map(|(_, shape)| *shape).collect();
        assert_eq!((shapes, rest), (vec![[2, 30], [30, 30], [30, 1]], vec![960..990, 1020..1021]));
        assert!((norm(&x[60..960]) - 30.0_f64.sqrt()).abs() < 1e-12);
        // Without a slope for the marks there is nothing to tell the labels by: ln 2, or nearly.
        assert!((sum.value(&vec![0.0; x.len()]) - 2.0_f64.ln()).abs() < 1e-6);
    }
}

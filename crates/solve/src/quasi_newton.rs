//! The curvature that limited-memory BFGS (Liu & Nocedal 1989) remembers.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::vectors::dot;

/// The last steps and the changes of the gradient along them: an inverse Hessian in O(memory × unknowns).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curvature {
    memory: usize,
    /// Steps, changes, and one over their product.
    pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)>,
}

impl Curvature {
    /// Nothing yet, and `memory` pairs at most.
    pub fn new(memory: usize) -> Self {
        Curvature { memory, pairs: VecDeque::new() }
    }

    /// Takes in a step and the change of the gradient along it, unless they say that the curvature is not positive.
    pub fn push(&mut self, step: Vec<f64>, change: Vec<f64>) {
        let product = dot(&step, &change);
        if product > 1e-12 * dot(&change, &change) {
            if self.pairs.len() == self.memory {
                self.pairs.pop_front();
            }
            self.pairs.push_back((step, change, 1.0 / product));
        }
    }

    /// Forgets all pairs.
    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    /// H⁻¹ times the gradient, by the two loops. Without a pair, the gradient cut to a largest element of 1.
    pub fn times_inverse(&self, gradient: &[f64]) -> Vec<f64> {
        let mut direction = gradient.to_vec();
        let mut weights = Vec::with_capacity(self.pairs.len());
        for (step, change, over) in self.pairs.iter().rev() {
            let weight = over * dot(step, &direction);
            direction.iter_mut().zip(change).for_each(|(d, y)| *d -= weight * y);
            weights.push(weight);
        }
        match self.pairs.back() {
            Some((_, change, over)) => {
                let scale = 1.0 / (over * dot(change, change));
                direction.iter_mut().for_each(|d| *d *= scale);
            }
            None => {
                let size = direction.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
                direction.iter_mut().for_each(|d| *d /= size.max(1.0));
            }
        }
        for ((step, change, over), weight) in self.pairs.iter().zip(weights.into_iter().rev()) {
            let correction = weight - over * dot(change, &direction);
            direction.iter_mut().zip(step).for_each(|(d, s)| *d += correction * s);
        }
        direction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_as_many_conjugate_steps_as_unknowns_the_inverse_is_exact() {
        // H = diag(1, 4): along the axes the changes are 1 and 4 times the steps.
        let mut curvature = Curvature::new(5);
        assert_eq!(curvature.times_inverse(&[0.5, -4.0]), [0.125, -1.0]);
        curvature.push(vec![1.0, 0.0], vec![1.0, 0.0]);
        curvature.push(vec![0.0, 2.0], vec![0.0, 8.0]);
        // Negative curvature is not taken in.
        curvature.push(vec![1.0, 0.0], vec![-1.0, 0.0]);
        let direction = curvature.times_inverse(&[3.0, 8.0]);
        assert!((direction[0] - 3.0).abs() < 1e-15 && (direction[1] - 2.0).abs() < 1e-15);
    }
}

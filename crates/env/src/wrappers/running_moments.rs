//! Mean and variance of a stream of vectors.

use serde::{Deserialize, Serialize};

/// Running mean and population variance of a stream of vectors, each number by itself, in double precision.
///
/// It starts as if `1e-4` vectors of mean 0 and variance 1 had been seen, as in OpenAI Baselines and
/// Gymnasium, so that the first vector is not divided by nothing. The update is the one of Chan, Golub & LeVeque
/// (1979) for a batch of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunningMoments {
    mean: Vec<f64>,
    variance: Vec<f64>,
    count: f64,
}

impl RunningMoments {
    /// Moments of vectors of `size` numbers, before the first one.
    pub fn new(size: usize) -> Self {
        RunningMoments { mean: vec![0.0; size], variance: vec![1.0; size], count: 1e-4 }
    }

    /// Takes one vector in.
    ///
    /// # Panics
    /// If its length differs from the size of these moments.
    pub fn update(&mut self, vector: &[f32]) {
        assert_eq!(vector.len(), self.mean.len(), "a vector of the size of the moments");
        self.take(vector.iter().map(|&value| f64::from(value)));
    }

    /// Takes one number in, for moments of size 1.
    pub(crate) fn update_scalar(&mut self, value: f64) {
        self.take(std::iter::once(value));
    }

    fn take(&mut self, vector: impl Iterator<Item = f64>) {
        let total = self.count + 1.0;
        for ((value, mean), variance) in vector.zip(&mut self.mean).zip(&mut self.variance) {
            let delta = value - *mean;
            *mean += delta / total;
            *variance = (*variance * self.count + delta * delta * self.count / total) / total;
        }
        self.count = total;
    }

    /// The mean of each number.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The population variance of each number.
    pub fn variance(&self) -> &[f64] {
        &self.variance
    }

    /// How many vectors were seen, plus the `1e-4` of the start.
    pub fn count(&self) -> f64 {
        self.count
    }

    /// How many numbers a vector has.
    pub fn size(&self) -> usize {
        self.mean.len()
    }

    /// Standardizes a vector in place: `(value - mean) / sqrt(variance + epsilon)`.
    pub fn standardize(&self, vector: &mut [f32], epsilon: f64) {
        assert_eq!(vector.len(), self.mean.len(), "a vector of the size of the moments");
        for ((value, mean), variance) in vector.iter_mut().zip(&self.mean).zip(&self.variance) {
            *value = ((f64::from(*value) - mean) / (variance + epsilon).sqrt()) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_the_moments_of_the_sample() {
        let sample = [[1.0, -2.0], [2.5, 4.0], [-1.0, 4.0], [0.25, 1e6]];
        let mut moments = RunningMoments::new(2);
        sample.iter().for_each(|vector| moments.update(vector));
        for axis in 0..2 {
            let n = 4.0 + 1e-4;
            let values = sample.map(|vector| f64::from(vector[axis]));
            let mean = values.iter().sum::<f64>() / n;
            // The 1e-4 vectors of the start have mean 0 and variance 1.
            let squares = values.iter().map(|value| value * value).sum::<f64>() + 1e-4;
            let variance = squares / n - mean * mean;
            assert!((moments.mean()[axis] / mean - 1.0).abs() < 1e-12);
            assert!((moments.variance()[axis] / variance - 1.0).abs() < 1e-12);
        }
    }
}

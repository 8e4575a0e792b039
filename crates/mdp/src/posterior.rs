//! Gamma and Dirichlet variates for posteriors over next states.

use quire_core::Rng;
use rand::RngExt;
use rand::distr::Open01;
use rand_distr::{Distribution, Exp1, Gamma, StandardNormal};

/// Gamma(shape, 1) for shapes of at least 1 (Marsaglia & Tsang 2000): what [`Gamma`] draws, to the same bits, but small enough
/// to stand inside the loop that asks for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LargeGamma {
    d: f64,
    c: f64,
}

impl LargeGamma {
    /// # Panics
    /// If the shape is below 1, infinite or not a number.
    pub fn new(shape: f64) -> Self {
        assert!((1.0..f64::INFINITY).contains(&shape), "a finite shape of at least 1, not {shape}");
        let d = shape - 1.0 / 3.0;
        LargeGamma { d, c: 1.0 / (9.0 * d).sqrt() }
    }

    /// One variate.
    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> f64 {
        loop {
            let x: f64 = StandardNormal.sample(rng);
            let step = self.c * x;
            let root = 1.0 + step;
            if root <= 0.0 {
                continue;
            }
            let (v, square) = (root * root * root, x * x);
            let uniform: f64 = rng.sample(Open01);
            if uniform < surely_accepted(step, square) || self.accepts(uniform, square, v) {
                return v * self.d;
            }
        }
    }

    /// The exact test, which the cheap one leaves a draw in fifteen to at shape 1 and one in a thousand at shape 60.
    #[cold]
    fn accepts(&self, uniform: f64, square: f64, v: f64) -> bool {
        uniform.ln() < 0.5 * square + self.d * (1.0 - v + v.ln())
    }
}

/// What the exact test accepts without fail: 1 - 0.0221 x⁴/d for x = `step`/c, c² = 1/(9 d). Marsaglia and Tsang's 1 - 0.0331 x⁴ is
/// its least for any shape; as the acceptance rises with the shape, so does this.
#[inline]
fn surely_accepted(step: f64, square: f64) -> f64 {
    1.0 - 9.0 * 0.0221 * step * step * square
}

/// Draws Gamma(shape, 1) variates, remembering the set-up of small shapes, which posteriors use over and over: counts,
/// and counts plus one fraction, the prior's.
#[derive(Debug, Clone, Default)]
pub struct GammaTable {
    whole: Vec<LargeGamma>,
    /// By the whole part of the shape, with the shape itself; another fraction takes the place.
    fractional: Vec<Option<(f64, Gamma<f64>)>>,
}

impl GammaTable {
    /// Shapes up to this are remembered.
    const REMEMBERED: usize = 4096;

    /// One Gamma(shape, 1) variate; shape 0 gives exactly 0, and so may a tiny shape by underflow, which is right to
    /// within the smallest number.
    #[inline]
    pub fn draw(&mut self, shape: f64, rng: &mut Rng) -> f64 {
        if shape == 1.0 {
            return Exp1.sample(rng);
        }
        if shape <= 0.0 {
            return 0.0;
        }
        let whole = shape as usize;
        if shape.fract() == 0.0 && whole < Self::REMEMBERED {
            while self.whole.len() <= whole {
                let next = self.whole.len().max(1) as f64;
                self.whole.push(LargeGamma::new(next));
            }
            return self.whole[whole].draw(rng);
        }
        if whole >= Self::REMEMBERED {
            return gamma(shape).sample(rng);
        }
        if self.fractional.len() <= whole {
            self.fractional.resize(whole + 1, None);
        }
        let slot = &mut self.fractional[whole];
        if slot.is_none_or(|(remembered, _)| remembered != shape) {
            *slot = Some((shape, gamma(shape)));
        }
        let (_, remembered) = slot.as_ref().expect("filled above");
        remembered.sample(rng)
    }

    /// Turns concentrations into a draw from their Dirichlet distribution, in place.
    ///
    /// If every variate underflows, as only happens when all concentrations are tiny, the mass goes to the greatest
    /// concentration: in that limit a draw is a point mass.
    pub fn dirichlet(&mut self, concentration: &mut [f64], rng: &mut Rng) {
        let mut sum = 0.0;
        let mut greatest = 0;
        for index in 0..concentration.len() {
            if concentration[index] > concentration[greatest] {
                greatest = index;
            }
        }
        for weight in concentration.iter_mut() {
            *weight = self.draw(*weight, rng);
            sum += *weight;
        }
        if sum > 0.0 {
            concentration.iter_mut().for_each(|weight| *weight /= sum);
        } else {
            concentration[greatest] = 1.0;
        }
    }
}

fn gamma(shape: f64) -> Gamma<f64> {
    Gamma::new(shape, 1.0).expect("a positive finite shape")
}

#[cfg(test)]
mod tests {
    use super::*;
    use quire_core::Seeds;

    #[test]
    fn variates_have_the_moments_of_their_distribution() {
        let mut rng = Seeds::new(0).stream("gamma");
        let mut table = GammaTable::default();
        for shape in [0.3, 1.0, 2.0, 7.0, 7.5, 5000.0] {
            let draws = 40_000;
            let (mut sum, mut squares) = (0.0, 0.0);
            for _ in 0..draws {
                let x = table.draw(shape, &mut rng);
                sum += x;
                squares += x * x;
            }
            let mean = sum / f64::from(draws);
            let variance = squares / f64::from(draws) - mean * mean;
            // Mean and variance of Gamma(k, 1) are both k; five standard errors.
            assert!((mean - shape).abs() < 5.0 * (shape / f64::from(draws)).sqrt(), "{shape}: mean {mean}");
            let spread = (2.0 * shape * shape + 6.0 * shape) / f64::from(draws);
            assert!((variance - shape).abs() < 5.0 * spread.sqrt(), "{shape}: variance {variance}");
        }
    }

    #[test]
    fn large_shapes_are_drawn_as_the_library_draws_them() {
        for shape in [1.5, 2.0, 51.0, 1e6] {
            let (mut ours, mut theirs) = (Seeds::new(3).stream("gamma"), Seeds::new(3).stream("gamma"));
            for _ in 0..2000 {
                assert_eq!(LargeGamma::new(shape).draw(&mut ours), gamma(shape).sample(&mut theirs));
            }
        }
    }

    #[test]
    fn the_cheap_test_accepts_nothing_that_the_exact_one_rejects() {
        for shape in [1.0, 1.01, 1.5, 2.0, 3.0, 6.0, 51.0, 1000.0, 1e5] {
            let gamma = LargeGamma::new(shape);
            for index in 0..200_000 {
                let x = (f64::from(index) + 0.5) * 1e-4 - 10.0;
                let (step, square) = (gamma.c * x, x * x);
                if step <= -1.0 {
                    continue;
                }
                // ln of the density's ratio; near 0 its terms cancel, and their series is -d (3/4 step⁴ - ...).
                let exact = if step.abs() < 0.01 {
                    -gamma.d * step.powi(4) * (0.75 - 0.6 * step + 0.5 * step * step)
                } else {
                    0.5 * square + gamma.d * (1.0 - (1.0 + step).powi(3) + 3.0 * step.ln_1p())
                };
                let refused = -exact.exp_m1();
                let left = 1.0 - surely_accepted(step, square);
                assert!(left + f64::EPSILON >= refused, "shape {shape}, x {x}: {left} < {refused}");
            }
        }
    }

    #[test]
    fn zero_concentrations_stay_zero() {
        let mut rng = Seeds::new(0).stream("gamma");
        let mut row = [0.0, 2.0, 0.0, 1.0];
        GammaTable::default().dirichlet(&mut row, &mut rng);
        assert_eq!((row[0], row[2]), (0.0, 0.0));
        assert!((row[1] + row[3] - 1.0).abs() < 1e-15);
        let mut tiny = [0.0, 1e-300, 1e-301];
        GammaTable::default().dirichlet(&mut tiny, &mut rng);
        assert_eq!(tiny.iter().sum::<f64>(), 1.0);
    }
}

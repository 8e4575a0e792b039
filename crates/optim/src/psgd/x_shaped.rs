//! Q = diag(a) + adiag(b), the X-shaped group: (Q x)_i = a_i x_i + b_i x_{n+1-i}.
//!
//! With x' the reverse of x, y = a h + b h' and w = Q⁻ᵀ v = (a' v - b' v') / (a a' - b b'):
//!
//! > a ← a - μ (A a + B b'),  b ← b - μ (A b + B a'),  A = y² - w²,  B = y y' - w w' (0 in the middle of an odd n),
//!
//! ℓ = max(y² + w²), or the largest magnitude in A and B. P g = (a² + b'²) g + (a b + a' b') g'.

use quire_core::{Result, Rng};

use super::{Fit, Normalizer, Preconditioner, first_scale};
use crate::Float;
use crate::optimizer::{decode, encode, replace};

/// P = QᵀQ for an X-shaped Q.
#[derive(Debug, Clone)]
pub struct XShaped<F> {
    a: Vec<F>,
    b: Vec<F>,
    bound: f64,
    has_scale: bool,
    y: Vec<F>,
    w: Vec<F>,
}

impl<F: Float> XShaped<F> {
    /// The identity on `n` parameters until the first pair gives a scale.
    pub fn new(n: usize) -> Self {
        let zeros = vec![F::ZERO; n];
        XShaped {
            a: vec![F::ONE; n],
            b: zeros.clone(),
            bound: 0.0,
            has_scale: false,
            y: zeros.clone(),
            w: zeros,
        }
    }
}

impl<F: Float> Preconditioner<F> for XShaped<F> {
    fn fit(&mut self, v: &[F], h: &[F], fit: Fit, _: &mut Rng) {
        if !self.has_scale {
            self.has_scale = true;
            self.a.fill(first_scale(v, h));
        }
        let n = self.a.len();
        let (a, b) = (&mut self.a, &mut self.b);
        for i in 0..n {
            let mirror = n - 1 - i;
            self.y[i] = a[i] * h[i] + b[i] * h[mirror];
            let determinant = a[i] * a[mirror] - b[i] * b[mirror];
            self.w[i] = (a[mirror] * v[i] - b[mirror] * v[mirror]) / determinant;
        }
        let (y, w) = (&self.y, &self.w);
        let gradient = |i: usize| {
            let mirror = n - 1 - i;
            let cross = if mirror == i { F::ZERO } else { y[i] * y[mirror] - w[i] * w[mirror] };
            (y[i] * y[i] - w[i] * w[i], cross)
        };
        let latest = (0..n).fold(F::ZERO, |most, i| match fit.normalizer {
            Normalizer::Second => most.max(y[i] * y[i] + w[i] * w[i]),
            Normalizer::First => {
                let (straight, cross) = gradient(i);
                most.max(straight.abs()).max(cross.abs())
            }
        });
        let step = F::from_f64(fit.step_below(&mut self.bound, latest.to_f64()));
        // A parameter and its mirror change together, from their old values. B is the same for both.
        for i in 0..n.div_ceil(2) {
            let mirror = n - 1 - i;
            let (old_a, old_b) = ([a[i], a[mirror]], [b[i], b[mirror]]);
            for (side, at) in [i, mirror].into_iter().enumerate() {
                let (straight, cross) = gradient(at);
                a[at] = old_a[side] - step * (straight * old_a[side] + cross * old_b[1 - side]);
                b[at] = old_b[side] - step * (straight * old_b[side] + cross * old_a[1 - side]);
            }
        }
    }

    fn apply(&mut self, g: &[F], out: &mut [F]) {
        let n = self.a.len();
        let (a, b) = (&self.a, &self.b);
        for i in 0..n {
            let mirror = n - 1 - i;
            let straight = a[i] * a[i] + b[mirror] * b[mirror];
            out[i] = straight * g[i] + (a[i] * b[i] + a[mirror] * b[mirror]) * g[mirror];
        }
    }

    fn save(&self) -> Vec<u8> {
        encode(&(&self.a, &self.b, self.bound, self.has_scale))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (a, b, bound, has_scale) = decode(saved)?;
        (self.bound, self.has_scale) = (bound, has_scale);
        replace(&mut self.a, a, "diagonal")?;
        replace(&mut self.b, b, "anti-diagonal")
    }
}

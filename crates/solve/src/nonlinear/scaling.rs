//! Scaling vectors v(x) > 0 for bounds l < x < u and the gradient g of f.
//!
//! The scaled gradient direction is -diag(v) g; where g points to a bound, v goes to 0 with the distance to it. X_i is the distance
//! to the bound that -g_i points to, and 1 stands for a bound that is infinite:
//!
//! | vector | v_i |
//! |---|---|
//! | Coleman & Li | X_i |
//! | Heinkenschloss, Ulbrich & Ulbrich | X_i if \|g_i\| < m^q or m < \|g_i\|^q with m the distance to the nearer bound, else 1 |
//! | Kanzow & Klug | min( x_i - l_i + γ max(0, -g_i), u_i - x_i + γ max(0, g_i) ) |
//! | Hager, Mair & Zhang | X_i/(α X_i + \|g_i\|) |
//!
//! A convex combination of them vanishes where they do, v_i g_i = 0 at the first-order points of f over the box, and is positive inside:
//! that is the new class of arXiv:1904.09209. The definitions are written from memory of the standard literature.

use nalgebra::DVector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Weights of the four vectors in a combination; they are divided by their sum.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// Coleman & Li's.
    #[schemars(range(min = 0.0))]
    pub coleman_li: f64,
    /// Heinkenschloss, Ulbrich & Ulbrich's.
    #[schemars(range(min = 0.0))]
    pub heinkenschloss: f64,
    /// Kanzow & Klug's.
    #[schemars(range(min = 0.0))]
    pub kanzow_klug: f64,
    /// Hager, Mair & Zhang's.
    #[schemars(range(min = 0.0))]
    pub hager: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Weights { coleman_li: 0.5, heinkenschloss: 0.0, kanzow_klug: 0.0, hager: 0.5 }
    }
}

impl Weights {
    /// All on one: 0 is Coleman & Li's, 1 Heinkenschloss's, 2 Kanzow & Klug's, 3 Hager's.
    pub(super) fn only(which: usize) -> Self {
        let weight = |k| if k == which { 1.0 } else { 0.0 };
        Weights { coleman_li: weight(0), heinkenschloss: weight(1), kanzow_klug: weight(2), hager: weight(3) }
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        self.coleman_li + self.heinkenschloss + self.kanzow_klug + self.hager
    }
}

/// Power q of Heinkenschloss, Ulbrich & Ulbrich.
const POWER: i32 = 2;
/// γ of Kanzow & Klug.
const GAMMA: f64 = 1.0;
/// α of Hager, Mair & Zhang.
const ALPHA: f64 = 1.0;

/// Distances of one unknown from its bounds.
#[derive(Debug, Clone, Copy)]
struct Room {
    below: f64,
    above: f64,
}

impl Room {
    fn nearer(self) -> f64 {
        self.below.min(self.above)
    }

    /// X_i, infinite where there is no bound that way.
    fn ahead(self, g: f64) -> f64 {
        if g < 0.0 {
            self.above
        } else if g > 0.0 {
            self.below
        } else {
            self.nearer()
        }
    }
}

/// One component of a vector, from the distances to the bounds and g.
type Part = fn(Room, f64) -> f64;

fn coleman_li(room: Room, g: f64) -> f64 {
    let ahead = room.ahead(g);
    if ahead.is_finite() { ahead } else { 1.0 }
}

fn heinkenschloss(room: Room, g: f64) -> f64 {
    let (nearer, size) = (room.nearer(), g.abs());
    if size < nearer.powi(POWER) || nearer < size.powi(POWER) { coleman_li(room, g) } else { 1.0 }
}

fn kanzow_klug(room: Room, g: f64) -> f64 {
    let v = (room.below + GAMMA * (-g).max(0.0)).min(room.above + GAMMA * g.max(0.0));
    if v.is_finite() { v } else { 1.0 }
}

fn hager(room: Room, g: f64) -> f64 {
    let ahead = room.ahead(g);
    if ahead.is_finite() { ahead / (ALPHA * ahead + g.abs()) } else { 1.0 }
}

/// v at x with the gradient g.
pub fn scaling(
    weights: &Weights,
    x: &DVector<f64>,
    gradient: &DVector<f64>,
    lower: &DVector<f64>,
    upper: &DVector<f64>,
) -> DVector<f64> {
    let sum = weights.sum();
    let all: [(f64, Part); 4] = [
        (weights.coleman_li, coleman_li),
        (weights.heinkenschloss, heinkenschloss),
        (weights.kanzow_klug, kanzow_klug),
        (weights.hager, hager),
    ];
    DVector::from_fn(x.len(), |i, _| {
        let room = Room { below: x[i] - lower[i], above: upper[i] - x[i] };
        let parts = all.iter().filter(|(weight, _)| *weight > 0.0);
        parts.map(|(weight, v)| weight / sum * v(room, gradient[i])).sum()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(weights: &Weights, x: [f64; 2], g: [f64; 2]) -> [f64; 2] {
        let (zero, one) = (DVector::from_element(2, 0.0), DVector::from_element(2, 1.0));
        let v = scaling(weights, &DVector::from_row_slice(&x), &DVector::from_row_slice(&g), &zero, &one);
        [v[0], v[1]]
    }

    fn near(a: [f64; 2], b: [f64; 2]) {
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-15), "{a:?} {b:?}");
    }

    #[test]
    fn vectors_by_hand() {
        let (x, g) = ([0.2, 0.9], [1.0, -2.0]);
        near(at(&Weights::only(0), x, g), [0.2, 0.1]);
        near(at(&Weights::only(1), x, g), [0.2, 0.1]);
        near(at(&Weights::only(2), x, g), [0.2, 0.1]);
        near(at(&Weights::only(3), x, g), [0.2 / 1.2, 0.1 / 2.1]);
        near(at(&Weights::default(), x, g), [0.5 * (0.2 + 0.2 / 1.2), 0.5 * (0.1 + 0.1 / 2.1)]);
        // |g| = 0.3 is neither below 0.2² nor is 0.2 below 0.3².
        near(at(&Weights::only(1), [0.2, 0.5], [0.3, 0.0]), [1.0, 0.5]);
    }

    #[test]
    fn without_bounds_all_are_one() {
        let (x, g) = (DVector::from_element(2, 3.0), DVector::from_row_slice(&[1.0, -5.0]));
        let (lower, upper) =
            (DVector::from_element(2, f64::NEG_INFINITY), DVector::from_element(2, f64::INFINITY));
        for which in 0..4 {
            let v = scaling(&Weights::only(which), &x, &g, &lower, &upper);
            assert!(v.iter().all(|&v| v == 1.0), "{which}: {v}");
        }
    }

    proptest! {
        #[test]
        fn positive_inside_and_nothing_towards_an_active_bound(
            x in 0.001..0.999_f64, g in -5.0..5.0_f64, weights in prop::array::uniform4(0.0..1.0_f64)
        ) {
            let [coleman_li, heinkenschloss, kanzow_klug, hager] = weights;
            let weights = Weights { coleman_li: coleman_li + 0.01, heinkenschloss, kanzow_klug, hager };
            let v = at(&weights, [x, 0.5], [g, 0.0]);
            prop_assert!(v[0] > 0.0 && v[0].is_finite());
            // On the lower bound with the gradient pointing there (g > 0), and on the upper one.
            let v = at(&weights, [0.0, 1.0], [g.abs() + 0.1, -g.abs() - 0.1]);
            prop_assert_eq!(v, [0.0, 0.0]);
        }
    }
}

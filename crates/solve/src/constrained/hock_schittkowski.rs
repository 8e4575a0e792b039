//! Problems of Hock and Schittkowski's collection whose constraints are all equations, as it states them.
//!
//! Source: W. Hock & K. Schittkowski, Test Examples for Nonlinear Programming Codes, Lecture Notes in
//! Economics and Mathematical Systems 187, 1981. HS42 has its variable x_1 = 2 as an equation. HS47 has no
//! minimum: its (x_2 - x_3)³ falls for ever along the constraints; the listed point is only a stationary one.

use std::f64::consts::SQRT_2;

use super::Constrained;
use super::jet::{Formulas, Written};

/// A problem of the collection.
pub struct Listed {
    /// Its number there.
    pub number: u32,
    /// x_0, as published.
    pub start: &'static [f64],
    /// f at the listed solution.
    pub least: f64,
    /// f and c.
    pub make: fn() -> Box<dyn Constrained>,
}

/// A problem made of formulas.
pub(super) fn written<const N: usize>(formulas: Formulas<N>) -> Box<dyn Constrained> {
    Box::new(Written::new(formulas))
}

/// asin √(1/4.2).
const A: f64 = 0.509_739_678_831_507;
/// asin √(5/7.2).
const B: f64 = 0.985_110_783_337_745_7;

/// The problems.
pub const LISTED: &[Listed] = &[
    Listed {
        number: 6,
        start: &[-1.2, 1.0],
        least: 0.0,
        make: || written(|&[x, y]| ((1.0 - x).powi(2), vec![10.0 * (y - x * x)])),
    },
    Listed {
        number: 7,
        start: &[2.0, 2.0],
        least: -1.732_050_807_568_877_2,
        make: || written(|&[x, y]| ((x * x + 1.0).ln() - y, vec![(x * x + 1.0).powi(2) + y * y - 4.0])),
    },
    Listed {
        number: 28,
        start: &[-4.0, 1.0, 1.0],
        least: 0.0,
        make: || written(|&[x, y, z]| ((x + y).powi(2) + (y + z).powi(2), vec![x + 2.0 * y + 3.0 * z - 1.0])),
    },
    Listed {
        number: 40,
        start: &[0.8, 0.8, 0.8, 0.8],
        least: -0.25,
        make: || {
            written(|&[a, b, c, d]| {
                let equations = vec![a.powi(3) + b * b - 1.0, a * a * d - c, d * d - b];
                (-(a * b * c * d), equations)
            })
        },
    },
    Listed {
        number: 42,
        start: &[1.0, 1.0, 1.0, 1.0],
        least: 28.0 - 10.0 * SQRT_2,
        make: || {
            written(|&[a, b, c, d]| {
                let f = (a - 1.0).powi(2) + (b - 2.0).powi(2) + (c - 3.0).powi(2) + (d - 4.0).powi(2);
                (f, vec![a - 2.0, c * c + d * d - 2.0])
            })
        },
    },
    Listed {
        number: 47,
        start: &[2.0, SQRT_2, -1.0, 2.0 - SQRT_2, 0.5],
        least: 0.0,
        make: || {
            written(|&[a, b, c, d, e]| {
                let f = (a - b).powi(2) + (b - c).powi(3) + (c - d).powi(4) + (d - e).powi(4);
                (f, vec![a + b * b + c.powi(3) - 3.0, b - c * c + d - 1.0, a * e - 1.0])
            })
        },
    },
    Listed {
        number: 48,
        start: &[3.0, 5.0, -3.0, 2.0, -2.0],
        least: 0.0,
        make: || {
            written(|&[a, b, c, d, e]| {
                let f = (a - 1.0).powi(2) + (b - c).powi(2) + (d - e).powi(2);
                (f, vec![a + b + c + d + e - 5.0, c - 2.0 * (d + e) + 3.0])
            })
        },
    },
    Listed {
        number: 50,
        start: &[35.0, -31.0, 11.0, 5.0, -5.0],
        least: 0.0,
        make: || {
            written(|&[a, b, c, d, e]| {
                let f = (a - b).powi(2) + (b - c).powi(2) + (c - d).powi(4) + (d - e).powi(2);
                let equation = |a, b, c| a + 2.0 * b + 3.0 * c - 6.0;
                (f, vec![equation(a, b, c), equation(b, c, d), equation(c, d, e)])
            })
        },
    },
    Listed {
        number: 51,
        start: &[2.5, 0.5, 2.0, -1.0, 0.5],
        least: 0.0,
        make: || {
            written(|&[a, b, c, d, e]| {
                let f = (a - b).powi(2) + (b + c - 2.0).powi(2) + (d - 1.0).powi(2) + (e - 1.0).powi(2);
                (f, vec![a + 3.0 * b - 4.0, c + d - 2.0 * e, b - e])
            })
        },
    },
    Listed {
        number: 52,
        start: &[2.0, 2.0, 2.0, 2.0, 2.0],
        least: 1859.0 / 349.0,
        make: || {
            written(|&[a, b, c, d, e]| {
                let f = (4.0 * a - b).powi(2) + (b + c - 2.0).powi(2) + (d - 1.0).powi(2) + (e - 1.0).powi(2);
                (f, vec![a + 3.0 * b, c + d - 2.0 * e, b - e])
            })
        },
    },
    Listed {
        number: 56,
        start: &[1.0, 1.0, 1.0, A, A, A, B],
        least: -3.456,
        make: || {
            written(|&[a, b, c, p, q, r, s]| {
                let equations = vec![
                    a - 4.2 * p.sin().powi(2),
                    b - 4.2 * q.sin().powi(2),
                    c - 4.2 * r.sin().powi(2),
                    a + 2.0 * b + 2.0 * c - 7.2 * s.sin().powi(2),
                ];
                (-(a * b * c), equations)
            })
        },
    },
    Listed {
        number: 77,
        start: &[2.0, 2.0, 2.0, 2.0, 2.0],
        least: 0.241_505_128_8,
        make: || {
            written(|&[a, b, c, d, e]| {
                let f = (a - 1.0).powi(2)
                    + (a - b).powi(2)
                    + (c - 1.0).powi(2)
                    + (d - 1.0).powi(4)
                    + (e - 1.0).powi(6);
                let equations =
                    vec![a * a * d + (d - e).sin() - 2.0 * SQRT_2, b + c.powi(4) * d * d - 8.0 - SQRT_2];
                (f, equations)
            })
        },
    },
    Listed {
        number: 78,
        start: &[-2.0, 1.5, 2.0, -1.0, -1.0],
        least: -2.919_700_41,
        make: || {
            written(|&[a, b, c, d, e]| {
                let equations = vec![
                    a * a + b * b + c * c + d * d + e * e - 10.0,
                    b * c - 5.0 * d * e,
                    a.powi(3) + b.powi(3) + 1.0,
                ];
                (a * b * c * d * e, equations)
            })
        },
    },
    Listed {
        number: 79,
        start: &[2.0, 2.0, 2.0, 2.0, 2.0],
        least: 0.078_776_820_9,
        make: || {
            written(|&[a, b, c, d, e]| {
                let f =
                    (a - 1.0).powi(2) + (a - b).powi(2) + (b - c).powi(2) + (c - d).powi(4) + (d - e).powi(4);
                let equations = vec![
                    a + b * b + c.powi(3) - 2.0 - 3.0 * SQRT_2,
                    b - c * c + d + 2.0 - 2.0 * SQRT_2,
                    a * e - 2.0,
                ];
                (f, equations)
            })
        },
    },
];

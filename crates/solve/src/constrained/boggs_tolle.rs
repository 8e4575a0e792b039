//! Problems of Boggs and Tolle with equations, as CUTEst has them.
//!
//! Source: P. T. Boggs & J. W. Tolle, *A strategy for global convergence in a sequential quadratic programming algorithm*, SIAM J. Numer. Anal. 26(3), 1989. Their numbers 6 and 11 are
//! numbers 77 and 79 of Hock and Schittkowski, and 13 has a bound. In number 12 CUTEst has x_1 + x_2 where the article must mean x_1 x_2, and here it is as in CUTEst, on which methods are
//! compared. Numbers 4 and 7 have several minima: the one listed is that near the article's solution.

use std::f64::consts::SQRT_2;

use super::hock_schittkowski::{Listed, written};

/// The problems.
pub const LISTED: &[Listed] = &[
    Listed {
        number: 1,
        start: &[0.08, 0.06],
        least: -1.0,
        make: || written(|&[x, y]| (100.0 * x * x + 100.0 * y * y - x - 100.0, vec![x * x + y * y - 1.0])),
    },
    Listed {
        number: 2,
        start: &[10.0, 10.0, 10.0],
        least: 0.032_568_200_26,
        make: || {
            written(|&[x, y, z]| {
                let f = (x - 1.0).powi(2) + (x - y).powi(2) + (y - z).powi(4);
                (f, vec![x + x * y * y + z.powi(4) - 4.0 - 3.0 * SQRT_2])
            })
        },
    },
    Listed {
        number: 3,
        start: &[20.0, 20.0, 20.0, 20.0, 20.0],
        least: 176.0 / 43.0,
        make: || {
            written(|&[a, b, c, d, e]| {
                let f = (a - b).powi(2) + (b + c - 2.0).powi(2) + (d - 1.0).powi(2) + (e - 1.0).powi(2);
                (f, vec![a + 3.0 * b, c + d - 2.0 * e, b - e])
            })
        },
    },
    Listed {
        number: 4,
        start: &[4.0382, -2.9470, -0.09115],
        least: -18.6,
        make: || {
            written(|&[x, y, z]| (x - y + y.powi(3), vec![x * x + y * y + z * z - 25.0, x + y + z - 1.0]))
        },
    },
    Listed {
        number: 5,
        start: &[2.0, 2.0, 2.0],
        least: 961.715_172_1,
        make: || {
            written(|&[x, y, z]| {
                let f = -(x * x) - 2.0 * y * y - z * z - x * y - x * z + 1000.0;
                (f, vec![x * x + y * y + z * z - 25.0, 8.0 * x + 14.0 * y + 7.0 * z - 56.0])
            })
        },
    },
    Listed {
        number: 7,
        start: &[-2.0, 1.0, 1.0, 1.0, 1.0],
        least: 360.379_767,
        make: || {
            written(|&[a, b, c, d, e]| {
                let f = 100.0 * (b - a * a).powi(2) + (a - 1.0).powi(2);
                (f, vec![a * b - c * c - 1.0, b * b - d * d + a, a + e * e - 0.5])
            })
        },
    },
    Listed {
        number: 8,
        start: &[1.0, 1.0, 1.0, 0.0, 0.0],
        least: 1.0,
        make: || {
            written(|&[a, b, c, d, e]| {
                (a * a + b * b + c * c, vec![a - d * d + b * b - 1.0, a * a + b * b - e * e - 1.0])
            })
        },
    },
    Listed {
        number: 9,
        start: &[2.0, 2.0, 2.0, 2.0],
        least: -1.0,
        make: || written(|&[a, b, c, d]| (-a, vec![b - a.powi(3) - c * c, a * a - b - d * d])),
    },
    Listed {
        number: 10,
        start: &[2.0, 2.0],
        least: -1.0,
        make: || written(|&[x, y]| (-x, vec![y - x.powi(3), x * x - y])),
    },
    Listed {
        number: 12,
        start: &[2.0, 2.0, 2.0, 2.0, 2.0],
        least: 6.25 / 1.01,
        make: || {
            written(|&[a, b, c, d, e]| {
                let f = 0.01 * a * a + b * b;
                (f, vec![a + b - c * c - 25.0, a * a + b * b - d * d - 25.0, a - e * e - 2.0])
            })
        },
    },
];

//! The log-likelihood of the model, with its prior, as a function of s, ln ν and h; it is concave in them.
//!
//! > L = Σ_{i<j} [ (a_ij - a_ji) d/2 + t_ij (ln ν + ln 2) - n ln Z ] + p Σ_i [ s_i - 2 ln(1 + e^{s_i}) ]
//!
//! summed over pairs and venues, with n = a_ij + a_ji. Ties that count as half a win each have no term of their own.

use super::games::outcome;
use super::{League, Ties, beats_average};

/// The games of two players at one venue.
#[derive(Debug, Clone, Copy)]
struct Pair {
    i: u32,
    j: u32,
    venue: i8,
    own: f64,
    other: f64,
    ties: f64,
}

/// Second derivatives of one pair's term, with the sign of information.
#[derive(Debug, Clone, Copy, Default)]
struct Curvature {
    strength: f64,
    cross: f64,
}

/// The function, and what its second derivatives are at the last point.
pub struct Likelihood {
    pairs: Vec<Pair>,
    players: usize,
    prior: f64,
    /// Where ln ν is among the values, and h.
    ties: Option<usize>,
    home: Option<usize>,
    curvatures: Vec<Curvature>,
    /// Information of the prior on each s.
    prior_curvature: Vec<f64>,
    ties_curvature: f64,
}

impl Likelihood {
    /// Of these games.
    pub fn new(league: &League) -> Self {
        let mut pairs = Vec::new();
        league.games.pairs(|i, j, venue, own, other, ties| {
            pairs.push(Pair { i: i as u32, j: j as u32, venue, own, other, ties });
        });
        let players = league.games.players();
        let ties = (league.model.ties == Ties::Davidson).then_some(players);
        let home = league.model.home.then(|| players + usize::from(ties.is_some()));
        Likelihood {
            curvatures: vec![Curvature::default(); pairs.len()],
            prior_curvature: vec![0.0; players],
            ties_curvature: 0.0,
            prior: league.model.prior,
            pairs,
            players,
            ties,
            home,
        }
    }

    /// Pairs with a venue that have met.
    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }

    fn difference(&self, values: &[f64], pair: &Pair) -> f64 {
        let home = self.home.map_or(0.0, |home| values[home]);
        values[pair.i as usize] - values[pair.j as usize] + f64::from(pair.venue) * home
    }

    /// L, and its gradient into `gradient`.
    pub fn value_and_gradient(&self, values: &[f64], gradient: &mut [f64]) -> f64 {
        gradient.fill(0.0);
        let nu = self.ties.map_or(0.0, |ties| values[ties].exp());
        let (mut sum, mut by_ties, mut by_home) = (0.0, 0.0, 0.0);
        for pair in &self.pairs {
            let d = self.difference(values, pair);
            let found = outcome(d, nu);
            let n = pair.own + pair.other;
            sum += 0.5 * (pair.own - pair.other) * d - n * found.log_sum;
            if let Some(ties) = self.ties.filter(|_| pair.ties > 0.0) {
                sum += pair.ties * (values[ties] + std::f64::consts::LN_2);
            }
            let slope = pair.own - n * found.score;
            gradient[pair.i as usize] += slope;
            gradient[pair.j as usize] -= slope;
            by_home += f64::from(pair.venue) * slope;
            by_ties += pair.ties - n * found.tie;
        }
        if let Some(ties) = self.ties {
            gradient[ties] = by_ties;
        }
        if let Some(home) = self.home {
            gradient[home] = by_home;
        }
        if self.prior > 0.0 {
            for (s, slope) in values[..self.players].iter().zip(gradient) {
                // s - 2 ln(1 + e^s), symmetric in s.
                sum -= self.prior * (s.abs() + 2.0 * (-s.abs()).exp().ln_1p());
                *slope += self.prior * (1.0 - 2.0 * beats_average(*s));
            }
        }
        sum
    }

    /// Looks at the second derivatives at `values`, for [`Likelihood::product`] and the others.
    pub fn linearize(&mut self, values: &[f64]) {
        let nu = self.ties.map_or(0.0, |ties| values[ties].exp());
        self.ties_curvature = 0.0;
        for index in 0..self.pairs.len() {
            let pair = &self.pairs[index];
            let found = outcome(self.difference(values, pair), nu);
            let n = pair.own + pair.other;
            self.curvatures[index] = Curvature { strength: n * found.curvature, cross: n * found.cross };
            self.ties_curvature += n * found.tie * (1.0 - found.tie);
        }
        for (curvature, s) in self.prior_curvature.iter_mut().zip(values) {
            let average = beats_average(*s);
            *curvature = 2.0 * self.prior * average * (1.0 - average);
        }
    }

    /// The observed information times `vector`, into `out`.
    pub fn product(&self, vector: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        let home = self.home.map_or(0.0, |home| vector[home]);
        let ties = self.ties.map_or(0.0, |ties| vector[ties]);
        let (mut by_ties, mut by_home) = (self.ties_curvature * ties, 0.0);
        for (pair, curvature) in self.pairs.iter().zip(&self.curvatures) {
            let venue = f64::from(pair.venue);
            let d = vector[pair.i as usize] - vector[pair.j as usize] + venue * home;
            let slope = curvature.strength * d + curvature.cross * ties;
            out[pair.i as usize] += slope;
            out[pair.j as usize] -= slope;
            by_home += venue * slope;
            by_ties += curvature.cross * d;
        }
        if let Some(ties) = self.ties {
            out[ties] = by_ties;
        }
        if let Some(home) = self.home {
            out[home] = by_home;
        }
        out.iter_mut().zip(&self.prior_curvature).zip(vector).for_each(|((out, p), v)| *out += p * v);
    }

    /// The diagonal of the information.
    pub fn diagonal(&self) -> Vec<f64> {
        let mut diagonal = self.prior_curvature.clone();
        let mut home = 0.0;
        for (pair, curvature) in self.pairs.iter().zip(&self.curvatures) {
            diagonal[pair.i as usize] += curvature.strength;
            diagonal[pair.j as usize] += curvature.strength;
            home += f64::from(pair.venue).powi(2) * curvature.strength;
        }
        diagonal.extend(self.ties.map(|_| self.ties_curvature));
        diagonal.extend(self.home.map(|_| home));
        diagonal
    }

    /// The information as a dense matrix, by columns.
    pub fn dense(&self) -> nalgebra::DMatrix<f64> {
        let size = self.players + usize::from(self.ties.is_some()) + usize::from(self.home.is_some());
        let mut matrix = nalgebra::DMatrix::zeros(size, size);
        let mut add = |a: usize, b: usize, value: f64| {
            matrix[(a, b)] += value;
            if a != b {
                matrix[(b, a)] += value;
            }
        };
        for (pair, Curvature { strength, cross }) in self.pairs.iter().zip(&self.curvatures) {
            let (i, j, venue) = (pair.i as usize, pair.j as usize, f64::from(pair.venue));
            add(i, i, *strength);
            add(j, j, *strength);
            add(i, j, -strength);
            if let Some(home) = self.home {
                add(home, home, venue * venue * strength);
                add(i, home, venue * strength);
                add(j, home, -venue * strength);
            }
            if let Some(ties) = self.ties {
                add(i, ties, *cross);
                add(j, ties, -cross);
                if let Some(home) = self.home {
                    add(ties, home, venue * cross);
                }
            }
        }
        if let Some(ties) = self.ties {
            add(ties, ties, self.ties_curvature);
        }
        self.prior_curvature.iter().enumerate().for_each(|(i, &p)| add(i, i, p));
        matrix
    }
}

/// Conjugate gradients with the information's diagonal as preconditioner: `x` with `information x = right`, from 0. In a free
/// league the mean of `right` over players must be 0, and that of `x` is. Stops at a residual of `tolerance` times the first
/// one, or after `limit` products; returns how many it took.
pub fn conjugate_gradients(
    likelihood: &Likelihood,
    right: &[f64],
    tolerance: f64,
    limit: usize,
    x: &mut [f64],
) -> usize {
    let inverse: Vec<f64> =
        likelihood.diagonal().into_iter().map(|d| if d > 0.0 { 1.0 / d } else { 0.0 }).collect();
    x.fill(0.0);
    let mut residual = right.to_vec();
    let mut z: Vec<f64> = residual.iter().zip(&inverse).map(|(r, m)| r * m).collect();
    let mut direction = z.clone();
    let mut image = vec![0.0; x.len()];
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut along = dot(&residual, &z);
    let goal = tolerance * tolerance * along;
    let mut products = 0;
    while products < limit && along > goal && along > 0.0 {
        likelihood.product(&direction, &mut image);
        products += 1;
        let curvature = dot(&direction, &image);
        if curvature.is_nan() || curvature <= 0.0 {
            break;
        }
        let step = along / curvature;
        x.iter_mut().zip(&direction).for_each(|(x, d)| *x += step * d);
        residual.iter_mut().zip(&image).for_each(|(r, i)| *r -= step * i);
        z.iter_mut().zip(&residual).zip(&inverse).for_each(|((z, r), m)| *z = r * m);
        let next = dot(&residual, &z);
        let beta = next / along;
        direction.iter_mut().zip(&z).for_each(|(d, z)| *d = z + beta * *d);
        along = next;
    }
    if likelihood.prior == 0.0 {
        super::center(&mut x[..likelihood.players]);
    }
    products
}

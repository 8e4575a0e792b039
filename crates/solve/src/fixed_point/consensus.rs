//! Agreement without a centre: agents at the nodes of a graph have a ball each, and look for a point in all of them by PDHG, telling neighbours only.
//!
//! > x⁺_a = P_a(x_a - τ Σ ±u_e)      u⁺_e = u_e + σ ((2x⁺ - x)_a - (2x⁺ - x)_b)      for edges e = (a, b)
//!
//! u is the multiplier of B x = 0, B the graph's incidence matrix, and τ = σ = 0.9/sqrt(2 · largest degree) <= 0.9/‖B‖; T is half-averaged in
//! the norm of M = [[I/τ, -Bᵀ], [-B, I/σ]]. If the balls have no point in common, v = (0, -σ B x̄) with the x̄ of least ‖Bx‖ in the balls, and the
//! forces q = -Bᵀ v_u, which add up to 0, pull all agents apart at once: Σ_a min over ball a of q_aᵀ p > 0. That is exact, and every agent can
//! compute its term.

use quire_core::Rng;
use rand::RngExt;
use rand_distr::StandardNormal;

use super::Operator;
use crate::vectors::{add_scaled, dot, norm};

/// The operator, on z = (x, u).
#[derive(Debug, Clone)]
pub struct Consensus {
    /// Coordinates of a point.
    dimension: usize,
    /// Centres of the balls, one after another.
    centres: Vec<f64>,
    /// Their radii.
    radii: Vec<f64>,
    /// Which agents talk.
    edges: Vec<(usize, usize)>,
    /// τ = σ.
    step: f64,
}

impl Consensus {
    /// Agents with these balls, along these edges.
    pub fn new(dimension: usize, centres: Vec<f64>, radii: Vec<f64>, edges: Vec<(usize, usize)>) -> Self {
        let mut degrees = vec![0_usize; radii.len()];
        edges.iter().for_each(|&(a, b)| (degrees[a], degrees[b]) = (degrees[a] + 1, degrees[b] + 1));
        let most = degrees.into_iter().max().unwrap_or(0).max(1);
        Consensus { dimension, centres, radii, edges, step: 0.9 / (2.0 * most as f64).sqrt() }
    }

    /// Agents in a ring with half as many chords, with balls of radius 0.5 to 1; all of them hold a point if `feasible`, otherwise two of them
    /// are at least 0.2 apart.
    pub fn draw(agents: usize, dimension: usize, feasible: bool, rng: &mut Rng) -> Self {
        let mut centres = Vec::with_capacity(agents * dimension);
        let radii: Vec<f64> = (0..agents).map(|_| rng.random_range(0.5..1.0)).collect();
        for &radius in &radii {
            let first = centres.len();
            centres.extend((0..dimension).map(|_| rng.sample::<f64, _>(StandardNormal)));
            let length = norm(&centres[first..]);
            // In reach of the origin, or somewhere.
            let reach = if feasible { 0.9 * radius / length } else { 1.0 };
            centres[first..].iter_mut().for_each(|c| *c *= reach);
        }
        if !feasible {
            let far = agents / 2;
            let away: Vec<f64> = (0..dimension).map(|_| rng.sample(StandardNormal)).collect();
            let distance = radii[0] + radii[far] + rng.random_range(0.2..1.0);
            let (head, tail) = centres.split_at_mut(far * dimension);
            tail[..dimension].copy_from_slice(&head[..dimension]);
            add_scaled(distance / norm(&away), &away, &mut tail[..dimension]);
        }
        let mut edges: Vec<(usize, usize)> = (0..agents).map(|a| (a, (a + 1) % agents)).collect();
        for _ in 0..agents / 2 {
            let a = rng.random_range(0..agents);
            edges.push((a, (a + rng.random_range(2..agents - 1)) % agents));
        }
        Consensus::new(dimension, centres, radii, edges)
    }

    /// Numbers in x.
    fn split(&self) -> usize {
        self.centres.len()
    }

    fn agent(&self, a: usize) -> std::ops::Range<usize> {
        a * self.dimension..(a + 1) * self.dimension
    }

    /// x <- its projection on the balls.
    fn project(&self, x: &mut [f64]) {
        for ((x, centre), &radius) in
            x.chunks_exact_mut(self.dimension).zip(self.centres.chunks_exact(self.dimension)).zip(&self.radii)
        {
            let square: f64 = x.iter().zip(centre).map(|(x, c)| (x - c).powi(2)).sum();
            let distance = square.sqrt();
            if distance > radius {
                let scale = radius / distance;
                x.iter_mut().zip(centre).for_each(|(x, c)| *x = c + scale * (*x - c));
            }
        }
    }

    /// x += factor Bᵀ u.
    fn add_forces(&self, factor: f64, u: &[f64], x: &mut [f64]) {
        for (&(a, b), u) in self.edges.iter().zip(u.chunks_exact(self.dimension)) {
            add_scaled(factor, u, &mut x[self.agent(a)]);
            add_scaled(-factor, u, &mut x[self.agent(b)]);
        }
    }

    /// u += factor B x.
    fn add_differences(&self, factor: f64, x: &[f64], u: &mut [f64]) {
        for (&(a, b), u) in self.edges.iter().zip(u.chunks_exact_mut(self.dimension)) {
            add_scaled(factor, &x[self.agent(a)], u);
            add_scaled(-factor, &x[self.agent(b)], u);
        }
    }

    /// v, and the point (x̄, 0) where it is attained: projected gradients of ½‖Bx‖² with momentum, which use nothing of T.
    pub fn gap(&self, rounds: usize) -> (Vec<f64>, Vec<f64>) {
        let (n, all) = (self.split(), Operator::dimension(self));
        let (mut x, mut ahead) = (self.centres.clone(), self.centres.clone());
        let mut differences = vec![0.0; all - n];
        let mut momentum = 1.0_f64;
        for _ in 0..rounds {
            differences.fill(0.0);
            self.add_differences(1.0, &ahead, &mut differences);
            let before = x.clone();
            x.copy_from_slice(&ahead);
            self.add_forces(-self.step * self.step, &differences, &mut x);
            self.project(&mut x);
            let next = 0.5 * (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt());
            // Start again where the step turns back.
            let turned: f64 = (0..n).map(|i| (ahead[i] - x[i]) * (x[i] - before[i])).sum();
            let carry = if turned > 0.0 { 0.0 } else { (momentum - 1.0) / next };
            momentum = if turned > 0.0 { 1.0 } else { next };
            for i in 0..n {
                ahead[i] = x[i] + carry * (x[i] - before[i]);
            }
            if before == x {
                break;
            }
        }
        let mut v = vec![0.0; all];
        self.add_differences(-self.step, &x, &mut v[n..]);
        x.resize(all, 0.0);
        (v, x)
    }
}

impl Operator for Consensus {
    fn dimension(&self) -> usize {
        self.centres.len() + self.edges.len() * self.dimension
    }

    fn apply(&self, z: &[f64], out: &mut [f64]) {
        let (x, u) = z.split_at(self.split());
        let (new_x, new_u) = out.split_at_mut(x.len());
        new_x.copy_from_slice(x);
        self.add_forces(-self.step, u, new_x);
        self.project(new_x);
        new_u.copy_from_slice(u);
        self.add_differences(2.0 * self.step, new_x, new_u);
        self.add_differences(-self.step, x, new_u);
    }

    fn square(&self, z: &[f64]) -> f64 {
        let (x, u) = z.split_at(self.split());
        let mut cross = 0.0;
        for (&(a, b), u) in self.edges.iter().zip(u.chunks_exact(self.dimension)) {
            cross += dot(&x[self.agent(a)], u) - dot(&x[self.agent(b)], u);
        }
        (dot(x, x) + dot(u, u)) / self.step - 2.0 * cross
    }

    /// (0, v_u), scaled to length 1.
    fn certificate(&self, displacement: &[f64], vector: &mut [f64], scratch: &mut [f64]) -> f64 {
        let n = self.split();
        let length = norm(&displacement[n..]);
        vector[..n].fill(0.0);
        vector[n..].iter_mut().zip(&displacement[n..]).for_each(|(u, v)| *u = v / length);
        self.excluded_with(vector, scratch)
    }

    fn proof(&self, _vector: &[f64], _excluded: f64) -> String {
        "no point lies in the balls of all agents".to_owned()
    }

    fn excluded_with(&self, vector: &[f64], scratch: &mut [f64]) -> f64 {
        let n = self.split();
        let forces = &mut scratch[..n];
        forces.fill(0.0);
        self.add_forces(-1.0, &vector[n..], forces);
        let (mut least, mut size) = (0.0, 0.0);
        for (a, radius) in self.radii.iter().enumerate() {
            let (force, centre) = (&forces[self.agent(a)], &self.centres[self.agent(a)]);
            least += dot(force, centre) - radius * norm(force);
            size += norm(force) * (norm(centre) + radius);
        }
        // More than rounding.
        if least > 1e-12 * size { f64::INFINITY } else { 0.0 }
    }
}

//! The pressure of a flow through a channel.
//!
//! A fluid of density 1 and viscosity 0.01 enters the unit square on the left, with a velocity that changes in time and is drawn, and leaves it on the right. An explicit step of the
//! Navier-Stokes equations moves the velocity (u, v) by advection (upwind), the gradient of the pressure (central) and diffusion; before it the pressure is found from
//!
//! > Δp = (∂u/∂x + ∂v/∂y)/Δt - (∂u/∂x)² - 2 ∂u/∂y ∂v/∂x - (∂v/∂y)²,   p = 0 on the right, ∂p/∂n = 0 elsewhere
//!
//! and that is a task: it resembles the one before it, from whose pressure the solver starts.

use std::f64::consts::PI;

use quire_core::{Rng, Seeds};
use rand::RngExt;

use super::relaxation::{Relaxation, Sweep};
use super::{Fields, Task};

/// Points a side, the border included. The authors': 128.
pub const SIDE: usize = 32;

/// Steps from time 0 to 1. The authors': 1000.
const STEPS: usize = 250;

/// Steps that are tasks; the flow begins from rest, and the authors leave out the beginning and the end, too.
const USED: std::ops::Range<usize> = 25..238;

const VISCOSITY: f64 = 0.01;

/// A step is judged of so many.
const JUDGED: usize = 10;

/// Flows through a channel of 32 by 32 points, of 250 steps each; a task is to find the pressure of a step by SOR with the authors' factor 1.5, from that of the step before. A network
/// sees the right side, the pressure before, and how both have changed in the last step; all are scaled by the right side's root mean square, pressures once more by 1/h² of the grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Pressure {
    grid: Relaxation,
    flows: Vec<Vec<Moment>>,
    tests: Vec<Task>,
}

/// The right side of a step, b = -h² Δp, and its pressure.
#[derive(Debug, Clone, PartialEq)]
struct Moment {
    right: Vec<f64>,
    pressure: Vec<f64>,
}

impl Pressure {
    /// With so many flows to train on, and so many to be judged on.
    pub fn new(training: usize, tests: usize, seeds: Seeds) -> Self {
        let grid = Relaxation::channel(SIDE, Sweep::RedBlack, 1.5);
        let flows = |name, count| -> Vec<Vec<Moment>> {
            let mut rng = seeds.stream(name);
            (0..count).map(|_| flow(&grid, &mut rng)).collect()
        };
        let (own, judged) = (flows("flows", training), flows("tests", tests));
        let tests =
            judged.iter().flat_map(|flow| USED.step_by(JUDGED).map(|step| task(flow, step))).collect();
        Pressure { grid, flows: own, tests }
    }
}

/// The task of a step.
fn task(flow: &[Moment], step: usize) -> Task {
    let [older, before, now] = [&flow[step - 2], &flow[step - 1], &flow[step]];
    let square = now.right.iter().map(|b| b * b).sum::<f64>();
    let one = (square / now.right.len() as f64).sqrt().max(f64::MIN_POSITIVE);
    // The smoothest pressure is some (2 · 32/π)² times its right side; the roughest an eighth.
    let pressure = one * 100.0;
    let changed = |new: &[f64], old: &[f64], by: f64| -> Vec<f32> {
        new.iter().zip(old).map(|(new, old)| ((new - old) / by) as f32).collect()
    };
    let nothing = vec![0.0; now.right.len()];
    let features = [
        changed(&now.right, &nothing, one),
        changed(&now.right, &before.right, 0.1 * one),
        changed(&before.pressure, &nothing, pressure),
        changed(&before.pressure, &older.pressure, 0.1 * pressure),
    ]
    .concat();
    Task::new(now.right.clone(), before.pressure.clone(), now.pressure.clone(), features, 0.1 * pressure)
}

/// A flow, from rest.
fn flow(grid: &Relaxation, rng: &mut Rng) -> Vec<Moment> {
    let (h, dt) = (1.0 / (SIDE - 1) as f64, 1.0 / STEPS as f64);
    let inflow = Inflow::draw(rng);
    let size = SIDE * SIDE;
    let (mut u, mut v) = (vec![0.0; size], vec![0.0; size]);
    let mut mirrored = vec![0.0; size];
    (0..STEPS)
        .map(|step| {
            let right = right_side(grid, &u, &v, h, dt);
            let mut pressure = right.clone();
            grid.solve(&mut pressure);
            mirror(&pressure, &mut mirrored);
            [u, v] = advance(grid, [&u, &v], &mirrored, h, dt);
            inflow.at_borders(&mut u, &mut v, step as f64 / (STEPS - 1) as f64);
            Moment { right, pressure }
        })
        .collect()
}

/// The velocity at the left side.
struct Inflow {
    /// a, b, c, d, e of (1 + sin(π (a y - b t)))/2 · sin(πy) · sin(πt) in the direction sin(π (c t - d)) e.
    shape: [f64; 5],
}

impl Inflow {
    fn draw(rng: &mut Rng) -> Self {
        let ranges = [(0.0, 10.0), (-5.0, 5.0), (0.0, 5.0), (0.0, 2.0), (0.0, PI / 2.0)];
        Inflow { shape: ranges.map(|(low, high)| rng.random_range(low..high)) }
    }

    /// The inflow on the left, what leaves on the right, and rest at the walls.
    fn at_borders(&self, u: &mut [f64], v: &mut [f64], t: f64) {
        let [a, b, c, d, e] = self.shape;
        let angle = ((c * t - d) * PI).sin() * e;
        for row in 0..SIDE {
            let y = row as f64 / (SIDE - 1) as f64;
            let speed = (0.5 + 0.5 * ((a * y - b * t) * PI).sin()) * (PI * y).sin() * (PI * t).sin();
            let (left, right) = (row * SIDE, row * SIDE + SIDE - 1);
            let is_wall = row == 0 || row == SIDE - 1;
            let entering = [angle.cos(), angle.sin()];
            for (w, part) in [&mut *u, &mut *v].into_iter().zip(entering) {
                w[left] = if is_wall { 0.0 } else { speed * part };
                w[right] = w[right - 1];
                if is_wall {
                    w[row * SIDE..(row + 1) * SIDE].fill(0.0);
                }
            }
        }
    }
}

/// -h² Δp.
fn right_side(grid: &Relaxation, u: &[f64], v: &[f64], h: f64, dt: f64) -> Vec<f64> {
    let mut right = vec![0.0; u.len()];
    grid.inside(|i| {
        let along = |w: &[f64]| (w[i + 1] - w[i - 1]) / (2.0 * h);
        let across = |w: &[f64]| (w[i + SIDE] - w[i - SIDE]) / (2.0 * h);
        let (ux, uy, vx, vy) = (along(u), across(u), along(v), across(v));
        right[i] = -h * h * ((ux + vy) / dt - ux * ux - 2.0 * uy * vx - vy * vy);
    });
    right
}

/// The velocity after a step, inside.
fn advance(grid: &Relaxation, [u, v]: [&[f64]; 2], p: &[f64], h: f64, dt: f64) -> [Vec<f64>; 2] {
    let moved = |w: &[f64], apart: usize| {
        let mut next = w.to_vec();
        grid.inside(|i| {
            let advection = u[i] * (w[i] - w[i - 1]) + v[i] * (w[i] - w[i - SIDE]);
            let diffusion = w[i - 1] + w[i + 1] + w[i - SIDE] + w[i + SIDE] - 4.0 * w[i];
            let push = (p[i + apart] - p[i - apart]) / 2.0;
            next[i] = w[i] - dt / h * (advection + push) + VISCOSITY * dt / (h * h) * diffusion;
        });
        next
    };
    [moved(u, 1), moved(v, SIDE)]
}

/// The pressure with its values at the mirrors.
fn mirror(p: &[f64], out: &mut [f64]) {
    out.copy_from_slice(p);
    out.copy_within(SIDE..2 * SIDE, 0);
    out.copy_within((SIDE - 2) * SIDE..(SIDE - 1) * SIDE, (SIDE - 1) * SIDE);
    out.chunks_exact_mut(SIDE).for_each(|row| row[0] = row[1]);
}

impl Fields for Pressure {
    fn grid(&self) -> &Relaxation {
        &self.grid
    }

    fn channels(&self) -> usize {
        4
    }

    fn kernel(&self) -> usize {
        5
    }

    fn tolerances(&self) -> [f64; 3] {
        [1e-2, 1e-3, 1e-4]
    }

    fn draw(&self, rng: &mut Rng) -> Task {
        let flow = &self.flows[rng.random_range(0..self.flows.len())];
        task(flow, rng.random_range(USED))
    }

    fn tests(&self) -> &[Task] {
        &self.tests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_stays_finite_and_its_pressure_solves_its_equation() {
        let pressure = Pressure::new(1, 1, Seeds::new(2));
        let grid = pressure.grid();
        assert_eq!(pressure.tests().len(), USED.len().div_ceil(JUDGED));
        for task in pressure.tests() {
            assert!(task.right_size > 1e-9 && task.right_size.is_finite());
            assert!(grid.square(&task.right, &task.solution) < 1e-20 * task.right_size.powi(2));
            // It starts nearer than from nothing.
            assert!(task.error(&task.start) < 1.0, "{}", task.error(&task.start));
        }
    }

    #[test]
    fn at_rest_nothing_moves_and_a_push_is_the_pressures() {
        let grid = Relaxation::channel(SIDE, Sweep::RedBlack, 1.5);
        let still = vec![0.0; SIDE * SIDE];
        let slope: Vec<f64> = (0..SIDE * SIDE).map(|i| (i % SIDE) as f64).collect();
        assert_eq!(right_side(&grid, &still, &still, 0.5, 0.1), still);
        // p rises by 1 a cell: u loses dt/h inside, v nothing.
        let [u, v] = advance(&grid, [&still, &still], &slope, 0.5, 0.1);
        grid.inside(|i| assert!((u[i] + 0.2).abs() < 1e-15 && v[i] == 0.0));
        // u = x: Δp = (1/dt) - 1.
        let line: Vec<f64> = slope.iter().map(|x| 0.5 * x).collect();
        let right = right_side(&grid, &line, &still, 0.5, 0.1);
        grid.inside(|i| assert!((right[i] + 0.25 * 9.0).abs() < 1e-12));
    }
}

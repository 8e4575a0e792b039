//! A run of a relaxation, and the way back through it.
//!
//! With u_{k+1} = M u_k + c and residuals L_k = ‖b - A u_k‖/‖b‖, a loss Σ_k ℓ_k(L_k) has, by the guess u_0, the gradient λ_0 of
//!
//! > λ_k = Mᵀ λ_{k+1} + ℓ_k'(L_k) ∂L_k/∂u_k,   ∂L_k/∂u_k = -A r_k/(‖r_k‖ ‖b‖)
//!
//! from the last iteration to the first: one pass back for all of u_0, where the forward mode needs one for each of its values. What is kept of an iteration is A r_k.

use super::Task;
use super::meta_guess::Aim;
use super::relaxation::Relaxation;
use crate::learned::objective::term;

/// What a guess is worth, and the memory of the runs that tell.
#[derive(Debug, Clone, Default)]
pub struct Rollout {
    u: Vec<f64>,
    scratch: Vec<f64>,
    residual: Vec<f64>,
    /// ℓ_k' ∂L_k/∂u_k, iteration after iteration.
    pulls: Vec<f64>,
    /// The gradient by the guess, after [`Rollout::run`]; 0 on the border.
    pub gradient: Vec<f64>,
}

impl Rollout {
    /// The loss from this guess and the iterations run; the gradient is left in [`Rollout::gradient`].
    pub fn run(&mut self, grid: &Relaxation, task: &Task, guess: &[f64], aim: &Aim) -> (f64, u64) {
        let n = grid.len();
        for buffer in [&mut self.scratch, &mut self.residual, &mut self.gradient] {
            buffer.clear();
            buffer.resize(n, 0.0);
        }
        self.u.clear();
        self.u.extend_from_slice(guess);
        self.pulls.clear();
        match *aim {
            Aim::Error { horizon } => {
                (0..horizon).for_each(|_| grid.step(&task.right, &mut self.u, &mut self.scratch));
                let loss = task.error(&self.u);
                let by = 1.0 / (loss * task.size * task.size).max(f64::MIN_POSITIVE);
                grid.inside(|i| self.gradient[i] = by * (self.u[i] - task.solution[i]));
                (0..horizon).for_each(|_| grid.step_transposed(&mut self.gradient, &mut self.scratch));
                (loss, horizon)
            }
            Aim::Residual { horizon } => {
                (0..horizon).for_each(|_| grid.step(&task.right, &mut self.u, &mut self.scratch));
                let loss = self.pull(grid, task, |_| 1.0);
                self.back(grid);
                (0..horizon).for_each(|_| grid.step_transposed(&mut self.gradient, &mut self.scratch));
                (loss, horizon)
            }
            Aim::Iterations { log_tolerance, slope, penalty, cap, is_straight } => {
                let tolerance = log_tolerance.exp();
                let (mut loss, mut count) = (0.0, 0);
                loop {
                    let mut is_met = false;
                    self.pull(grid, task, |residual| {
                        is_met = residual <= tolerance;
                        let (value, slope) = if is_met {
                            (0.0, 0.0)
                        } else if count == cap {
                            (penalty * (residual - tolerance), penalty)
                        } else {
                            term(residual, log_tolerance, slope, is_straight)
                        };
                        loss += value;
                        slope
                    });
                    if is_met || count == cap {
                        break;
                    }
                    grid.step(&task.right, &mut self.u, &mut self.scratch);
                    count += 1;
                }
                self.back(grid);
                (loss, count)
            }
        }
    }

    /// Remembers ℓ'(L) ∂L/∂u where the run is, for the ℓ'(L) that `weigh` makes of L, and returns L.
    fn pull(&mut self, grid: &Relaxation, task: &Task, weigh: impl FnOnce(f64) -> f64) -> f64 {
        let norm = grid.residual(&task.right, &self.u, &mut self.residual).sqrt();
        let residual = norm / task.right_size;
        let weight = weigh(residual);
        let by = if norm > 0.0 { -weight / (norm * task.right_size) } else { 0.0 };
        let start = self.pulls.len();
        self.pulls.resize(start + grid.len(), 0.0);
        let pull = &mut self.pulls[start..];
        grid.times(&self.residual, pull);
        pull.iter_mut().for_each(|x| *x *= by);
        residual
    }

    /// From the last iteration to the first.
    fn back(&mut self, grid: &Relaxation) {
        let mut is_last = true;
        for pull in self.pulls.rchunks_exact(grid.len()) {
            if !is_last {
                grid.step_transposed(&mut self.gradient, &mut self.scratch);
            }
            is_last = false;
            self.gradient.iter_mut().zip(pull).for_each(|(sum, x)| *sum += x);
        }
    }
}

//! What all estimators do alike: go through the rows of one fit after the other in batches.

use quire_core::Rng;
use serde::{Deserialize, Serialize};

use super::{Batches, Setting};

/// Where the current fit stands; saved.
#[derive(Serialize, Deserialize)]
pub(super) struct Memory {
    /// What each row is regressed on, `[N, target]`.
    pub targets: Vec<f32>,
    batches: Batches,
    step: u64,
    /// The estimator's generator.
    pub rng: Rng,
}

/// The fits of a setting, of which one is under way.
pub(super) struct Fitting {
    /// Data and policy.
    pub setting: Setting,
    /// Where the current fit stands.
    pub memory: Memory,
    /// Inputs of the current fit, `[N, width + 1]`.
    inputs: Vec<f32>,
    /// Inputs of the batch drawn last, `[batch, width + 1]`.
    pub rows: Vec<f32>,
    /// Its targets, `[batch, target]`.
    pub row_targets: Vec<f32>,
}

impl Fitting {
    /// Before the first fit; the estimator's generator is the stream `name`.
    pub fn new(setting: Setting, name: &str) -> Self {
        let rng = setting.seeds.stream(name);
        Fitting {
            memory: Memory { targets: Vec::new(), batches: Batches::default(), step: 0, rng },
            inputs: Vec::new(),
            rows: Vec::new(),
            row_targets: Vec::new(),
            setting,
        }
    }

    /// Begins a fit whose targets are set.
    pub fn begin(&mut self, fit: usize) {
        self.inputs = self.setting.inputs(fit);
        self.memory.batches = Batches::new(self.setting.data[fit].len());
        self.memory.step = 0;
    }

    /// Draws the next batch of at most `size` rows with targets of `target` numbers, and counts it as a step.
    pub fn next_batch(&mut self, size: usize, target: usize) {
        let Memory { targets, batches, step, rng } = &mut self.memory;
        let width = self.setting.width + 1;
        self.rows.clear();
        self.row_targets.clear();
        for &row in batches.next(size, rng) {
            self.rows.extend_from_slice(&self.inputs[row as usize * width..][..width]);
            self.row_targets.extend_from_slice(&targets[row as usize * target..][..target]);
        }
        *step += 1;
    }

    /// Whether a fit of `steps` steps goes on.
    pub fn goes_on(&self, steps: u64) -> bool {
        self.memory.step < steps
    }

    /// Goes on from where a fit stood; `fits` were begun.
    pub fn restore(&mut self, memory: Memory, fits: usize) {
        self.memory = memory;
        if let Some(fit) = fits.checked_sub(1) {
            self.inputs = self.setting.inputs(fit);
        }
    }
}

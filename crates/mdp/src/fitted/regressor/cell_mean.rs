//! The mean of each cell: tabular regression.
//!
//! Inputs are one number a row, the cell's. A cell without data is predicted to be 0, which is ours: with rewards from 0 on
//! it is never preferred to one that has paid.

use quire_core::{Result, Rng};

use super::{Regressor, Rows};

/// The regressor.
#[derive(Debug, Clone, Default)]
pub struct CellMean {
    /// Mean of each cell seen so far, and how many rows it has.
    cells: Vec<(f64, f64)>,
}

impl CellMean {
    /// Without data.
    pub fn new() -> Self {
        CellMean::default()
    }
}

impl Regressor for CellMean {
    fn fit(&mut self, rows: &Rows, _rng: &mut Rng) -> Result<()> {
        debug_assert_eq!(rows.width, 1);
        self.cells.clear();
        for (&cell, target) in rows.inputs.iter().zip(&rows.targets) {
            let cell = cell as usize;
            if cell >= self.cells.len() {
                self.cells.resize(cell + 1, (0.0, 0.0));
            }
            let (mean, count) = &mut self.cells[cell];
            *count += 1.0;
            *mean += (target - *mean) / *count;
        }
        Ok(())
    }

    fn predict(&mut self, inputs: &[f64], outputs: &mut Vec<f64>) {
        outputs.clear();
        outputs.extend(inputs.iter().map(|&cell| self.cells.get(cell as usize).map_or(0.0, |cell| cell.0)));
    }
}

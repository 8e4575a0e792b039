//! What a game draws on.

/// Rows and columns of the grid.
pub const SIDE: usize = 10;

/// Rows of cells, one bit a column.
pub(super) type Cells = [u16; SIDE];

/// An observation of shape `[channels, 10, 10]` to draw on: channel-first, then row from the top, then column from
/// the left.
#[derive(Debug)]
pub struct Screen<'a>(&'a mut [f32]);

impl<'a> Screen<'a> {
    /// A screen with every cell off.
    ///
    /// # Panics
    /// If the slice has another length than `channels * 100`.
    pub fn blank(observation: &'a mut [f32], channels: usize) -> Self {
        assert_eq!(observation.len(), channels * SIDE * SIDE, "an observation of {channels} channels");
        observation.fill(0.0);
        Screen(observation)
    }

    /// Switches a cell on; one outside the grid is left out.
    #[inline]
    pub fn set(&mut self, channel: usize, x: i8, y: i8) {
        let (x, y) = (x as usize, y as usize);
        if x < SIDE && y < SIDE {
            self.0[(channel * SIDE + y) * SIDE + x] = 1.0;
        }
    }

    /// Switches on the cells whose bit is set.
    #[inline]
    pub(super) fn set_cells(&mut self, channel: usize, cells: &Cells) {
        let rows = self.0[channel * SIDE * SIDE..].chunks_exact_mut(SIDE);
        for (row, &bits) in rows.zip(cells).filter(|(_, bits)| **bits != 0) {
            for (x, value) in row.iter_mut().enumerate() {
                *value = f32::from(bits >> x & 1);
            }
        }
    }
}

//! Saved runs: small ones lie in the store, large ones (replay buffers) in files beside it.
//!
//! A large checkpoint is first written under a new name, then the store is told in the same transaction that
//! stores the points, then the old file is removed. A kill in between leaves a file too many, never one too few.

use std::path::PathBuf;

use quire_core::{Error, Result, files};
use rusqlite::{OptionalExtension, Transaction, params};

use super::write::WriteError;
use super::{Batch, RunId, Store, to_sql_integer};
use crate::export::crc32c;

/// A checkpoint larger than this (in bytes) becomes a file: a blob would be written twice, to the log and to the
/// store.
const INLINE_LIMIT: usize = 1 << 20;

/// A saved run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Work done when it was saved, in the problem's unit.
    pub steps: u64,
    /// What the run's `save` returned.
    pub state: Vec<u8>,
}

/// A checkpoint that is about to be recorded.
pub(super) struct Placed {
    number: i64,
    crc: u32,
    /// The name of its file, if it lies in one.
    pub(super) file: Option<String>,
}

impl Store {
    /// The run's checkpoint, if it has one.
    ///
    /// # Errors
    /// [`Error::Resume`] if it is damaged or its file is gone.
    pub fn checkpoint(&self, run: RunId) -> Result<Option<Checkpoint>> {
        type Columns = (u64, u32, Option<Vec<u8>>, Option<String>);
        let row: Option<Columns> = self
            .connection
            .query_row("SELECT steps, crc32c, state, file FROM checkpoint WHERE run_id = ?", [run.0], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()
            .map_err(|e| self.error(e))?;
        let Some((steps, crc, state, file)) = row else { return Ok(None) };
        let state = match (state, file) {
            (Some(state), _) => state,
            (None, file) => {
                let path = self.checkpoint_path(file.as_deref().unwrap_or_default());
                files::read(&path).map_err(|e| {
                    Error::Resume(format!(
                        "the checkpoint of run {run} is gone ({e}); the run has to start again"
                    ))
                })?
            }
        };
        if crc32c(&state) != crc {
            return Err(Error::Resume(format!(
                "the checkpoint of run {run} is damaged; the run has to start again"
            )));
        }
        Ok(Some(Checkpoint { steps, state }))
    }

    /// Writes the state to a file of its own if it is large.
    pub(super) fn place(&self, run: RunId, state: &[u8]) -> Result<Placed> {
        let last: Option<i64> = self
            .connection
            .query_row("SELECT number FROM checkpoint WHERE run_id = ?", [run.0], |row| row.get(0))
            .optional()
            .map_err(|e| self.error(e))?;
        let number = last.unwrap_or(0) + 1;
        let mut file = None;
        if state.len() > INLINE_LIMIT && self.path.is_some() {
            let name = format!("run-{run}-{number}");
            files::write_atomic(self.checkpoint_path(&name), state)?;
            file = Some(name);
        }
        Ok(Placed { number, crc: crc32c(state), file })
    }

    /// The name of the file that the run's checkpoint lies in, if it lies in one.
    pub(super) fn checkpoint_file(&self, run: RunId) -> Result<Option<String>> {
        let file = self
            .connection
            .query_row("SELECT file FROM checkpoint WHERE run_id = ?", [run.0], |row| row.get(0))
            .optional()
            .map_err(|e| self.error(e))?;
        Ok(file.flatten())
    }

    /// Removes a file that no run needs any more.
    pub(super) fn remove_checkpoint_file(&self, file: Option<String>) {
        if let Some(file) = file {
            // It costs space only; nothing refers to it, and the next checkpoint says if the disk is broken.
            let _ = std::fs::remove_file(self.checkpoint_path(&file));
        }
    }

    fn checkpoint_path(&self, file: &str) -> PathBuf {
        let store = self.path.as_deref().expect("only a store on disk has files");
        let mut folder = store.as_os_str().to_owned();
        folder.push(".checkpoints");
        PathBuf::from(folder).join(file)
    }
}

/// Tells the store where the checkpoint is.
pub(super) fn record(
    t: &Transaction<'_>,
    run: RunId,
    placed: &Placed,
    batch: &Batch<'_>,
) -> Result<(), WriteError> {
    let inline = if placed.file.is_none() { batch.checkpoint } else { None };
    t.execute(
        "INSERT OR REPLACE INTO checkpoint (run_id, number, steps, crc32c, state, file) VALUES (?, ?, ?, ?, ?, ?)",
        params![
            run.0,
            placed.number,
            to_sql_integer("the step", batch.steps)?,
            placed.crc,
            inline,
            placed.file
        ],
    )?;
    Ok(())
}

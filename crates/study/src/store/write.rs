//! Adding studies, doing their runs, deleting.

use quire_core::{Error, Point, Result};
use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};

use super::checkpoint::{self, Placed};
use super::records::direction_word;
use super::{
    Batch, MetricRecord, NewStudy, Outcome, RunId, RunRecord, RunStatus, Store, StudyId, StudyStatus,
};
use super::{sqlite_error, to_sql_integer};

const NOW: &str = "strftime('%Y-%m-%dT%H:%M:%SZ', 'now')";

impl Store {
    /// Adds a study with all its runs, as pending.
    ///
    /// # Errors
    /// [`Error::Usage`] if it has no run, a run of a problem that is not listed, or two runs with the same problem,
    /// label and seed; [`Error::File`] or [`Error::Io`] if the store can't be written.
    pub fn add_study(&mut self, study: &NewStudy) -> Result<StudyId> {
        check(study)?;
        let spec = study.spec.to_string();
        self.transaction(|t| {
            t.execute(
                "INSERT INTO study (name, spec_json, command, baseline, quire_version, quire_commit)
                 VALUES (?, ?, ?, ?, ?, ?)",
                params![study.name, spec, study.command, study.baseline, quire_core::VERSION, study.commit],
            )?;
            let id = t.last_insert_rowid();
            for (position, problem) in study.problems.iter().enumerate() {
                t.execute(
                    "INSERT INTO problem (study_id, position, name, summary, optimum, budget, budget_unit)
                     VALUES (?, ?, ?, ?, ?, ?, ?)",
                    params![
                        id,
                        position,
                        problem.name,
                        problem.summary,
                        problem.optimum,
                        to_sql_integer("the budget", problem.budget)?,
                        problem.budget_unit
                    ],
                )?;
                for (position, metric) in problem.metrics.iter().enumerate() {
                    insert_metric(t, id, &problem.name, position, metric)?;
                }
            }
            let mut insert = t.prepare(
                "INSERT INTO run (study_id, problem, method, label, options_json, seed, budget)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            )?;
            for run in &study.runs {
                let options = serde_json::Value::Object(run.spec.options.clone()).to_string();
                let budget = run.spec.budget.map(|b| to_sql_integer("the budget", b)).transpose()?;
                // The seed keeps its 64 bits; see the schema.
                let seed = run.spec.seed as i64;
                insert.execute(params![
                    id,
                    run.spec.problem,
                    run.spec.method,
                    run.label,
                    options,
                    seed,
                    budget
                ])?;
            }
            Ok(StudyId(id))
        })
    }

    /// Takes the next pending run of the study for this process, or `None` if there is none. Two processes never
    /// get the same run.
    ///
    /// # Errors
    /// If the store can't be written.
    pub fn claim(&mut self, study: StudyId, machine: &str) -> Result<Option<RunRecord>> {
        let claimed = self.transaction(|t| {
            let next: Option<i64> = t
                .query_row(
                    "SELECT id FROM run WHERE study_id = ? AND status = 'pending' ORDER BY id LIMIT 1",
                    [study.0],
                    |row| row.get(0),
                )
                .optional()?;
            if let Some(id) = next {
                begin(t, id, machine)?;
            }
            Ok(next)
        })?;
        claimed.map(|id| self.run(RunId(id))).transpose()
    }

    /// Marks one run as under way, whatever it was before.
    ///
    /// # Errors
    /// If there is no such run or the store can't be written.
    pub fn begin(&mut self, run: RunId, machine: &str) -> Result<RunRecord> {
        self.transaction(|t| begin(t, run.0, machine))?;
        self.run(run)
    }

    /// Stores what a run has done: points, progress and checkpoint together or, on an error or a kill, none of it.
    ///
    /// A metric that the problem did not declare is added as a neutral diagnostic without a unit.
    ///
    /// # Errors
    /// If there is no such run, a step is 2^63 or more, or the store can't be written.
    pub fn append(&mut self, run: RunId, batch: &Batch<'_>) -> Result<()> {
        let (placed, old) = self.place_checkpoint(run, batch)?;
        let stored = self.transaction(|t| {
            write_batch(t, run, batch)?;
            if let Some(placed) = &placed {
                checkpoint::record(t, run, placed, batch)?;
            }
            Ok(())
        });
        self.settle_checkpoint(stored, placed, old)
    }

    /// Stores a run's last points and how it ended, and drops its checkpoint. The study's status follows.
    ///
    /// # Errors
    /// As [`append`](Store::append); [`Error::Usage`] if the outcome's status is not an end.
    pub fn finish(&mut self, run: RunId, last: &Batch<'_>, outcome: &Outcome) -> Result<()> {
        if !matches!(outcome.status, RunStatus::Done | RunStatus::Failed) {
            return Err(Error::Usage(format!("a run cannot end as `{}`", outcome.status)));
        }
        let old = self.checkpoint_file(run)?;
        self.transaction(|t| {
            write_batch(t, run, last)?;
            t.execute("DELETE FROM checkpoint WHERE run_id = ?", [run.0])?;
            t.execute(
                &format!(
                    "UPDATE run SET status = ?, reason = ?, artefact_path = ?, finished = {NOW} WHERE id = ?"
                ),
                params![outcome.status.as_str(), outcome.reason, outcome.artefact, run.0],
            )?;
            end_study_of(t, run.0)
        })?;
        self.remove_checkpoint_file(old);
        Ok(())
    }

    /// Ends the pending runs of a study whose equals, of the same problem, method, options, seed and length, are done in the
    /// study `from`, with what was found there, and says how many there were. Both studies have to be by the same Quire: then
    /// doing them again would give the same numbers.
    ///
    /// # Errors
    /// If the store can't be written.
    pub fn take_over(&mut self, study: StudyId, from: StudyId) -> Result<usize> {
        self.transaction(|t| {
            let mut pairs = t.prepare(
                "SELECT r.id, o.id FROM run r JOIN run o
                     ON o.problem = r.problem AND o.method = r.method AND o.options_json = r.options_json
                     AND o.seed = r.seed AND o.budget IS r.budget
                 WHERE r.study_id = ? AND r.status = 'pending' AND r.steps = 0
                     AND o.study_id = ? AND o.status = 'done'
                 GROUP BY r.id",
            )?;
            let pairs = pairs.query_map([study.0, from.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let pairs: Vec<(i64, i64)> = pairs.collect::<Result<_, _>>()?;
            t.execute(
                "INSERT OR IGNORE INTO metric (study_id, problem, position, name, unit, direction, summary)
                 SELECT ?, problem, position, name, unit, direction, summary FROM metric o
                 WHERE study_id = ? AND problem IN (SELECT name FROM problem WHERE study_id = ?)",
                [study.0, from.0, study.0],
            )?;
            for &(run, other) in &pairs {
                t.execute(
                    "INSERT INTO point (run_id, metric_id, step, value)
                     SELECT r.id, m.id, p.step, p.value
                     FROM point p JOIN metric o ON o.id = p.metric_id
                     JOIN run r ON r.id = ?
                     JOIN metric m ON m.study_id = r.study_id AND m.problem = o.problem AND m.name = o.name
                     WHERE p.run_id = ?",
                    [run, other],
                )?;
                t.execute(
                    "UPDATE run SET (status, reason, steps, wall_s, started, updated, finished, artefact_path, machine) =
                         (SELECT status, reason, steps, wall_s, started, updated, finished, artefact_path, machine
                          FROM run WHERE id = ?)
                     WHERE id = ?",
                    [other, run],
                )?;
                end_study_of(t, run)?;
            }
            Ok(pairs.len())
        })
    }

    /// Makes every run of the study that is marked as under way pending again, so that it goes on from its
    /// checkpoint, and says how many there were. For a study whose process has died: while another process still
    /// works on it, both would do the same runs.
    ///
    /// # Errors
    /// If the store can't be written.
    pub fn requeue_interrupted(&mut self, study: StudyId) -> Result<usize> {
        self.transaction(|t| {
            Ok(t.execute(
                "UPDATE run SET status = 'pending' WHERE study_id = ? AND status = 'running'",
                [study.0],
            )?)
        })
    }

    /// Makes a run pending as if it had never begun: its points and its checkpoint are deleted.
    ///
    /// # Errors
    /// If there is no such run or the store can't be written.
    pub fn reset(&mut self, run: RunId) -> Result<()> {
        let old = self.checkpoint_file(run)?;
        self.transaction(|t| {
            t.execute("DELETE FROM point WHERE run_id = ?", [run.0])?;
            t.execute("DELETE FROM checkpoint WHERE run_id = ?", [run.0])?;
            let changed = t.execute(
                "UPDATE run SET status = 'pending', reason = NULL, steps = 0, wall_s = 0, started = NULL,
                     updated = NULL, finished = NULL, artefact_path = NULL, machine = NULL
                 WHERE id = ?",
                [run.0],
            )?;
            found(changed, "run", run.0)?;
            t.execute(
                "UPDATE study SET status = 'running' WHERE id = (SELECT study_id FROM run WHERE id = ?)",
                [run.0],
            )?;
            Ok(())
        })?;
        self.remove_checkpoint_file(old);
        Ok(())
    }

    /// Sets a study's status; the ends of its runs otherwise set it.
    ///
    /// # Errors
    /// If there is no such study or the store can't be written.
    pub fn set_study_status(&mut self, study: StudyId, status: StudyStatus) -> Result<()> {
        self.transaction(|t| {
            let changed =
                t.execute("UPDATE study SET status = ? WHERE id = ?", params![status.as_str(), study.0])?;
            found(changed, "study", study.0)
        })
    }

    /// Deletes a study with its runs, points and checkpoints, and gives the space back. Artefacts stay.
    ///
    /// # Errors
    /// If there is no such study or the store can't be written.
    pub fn delete_study(&mut self, study: StudyId) -> Result<()> {
        let mut files = Vec::new();
        for run in self.runs(study)? {
            files.push(self.checkpoint_file(run.id)?);
        }
        self.transaction(|t| {
            let changed = t.execute("DELETE FROM study WHERE id = ?", [study.0])?;
            found(changed, "study", study.0)
        })?;
        for file in files {
            self.remove_checkpoint_file(file);
        }
        self.connection.execute_batch("PRAGMA incremental_vacuum").map_err(|e| self.error(e))
    }

    /// Runs `work` in a transaction that takes the write lock at once: all of it is stored, or nothing.
    pub(super) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, WriteError>,
    ) -> Result<T> {
        let path = self.path.clone();
        let go = || -> Result<T, WriteError> {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let out = work(&transaction)?;
            transaction.commit()?;
            Ok(out)
        };
        go().map_err(|error| match error {
            WriteError::Sqlite(error) => sqlite_error(path.as_deref(), error),
            WriteError::Other(error) => error,
        })
    }

    fn place_checkpoint(&self, run: RunId, batch: &Batch<'_>) -> Result<(Option<Placed>, Option<String>)> {
        match batch.checkpoint {
            Some(state) => Ok((Some(self.place(run, state)?), self.checkpoint_file(run)?)),
            None => Ok((None, None)),
        }
    }

    /// Removes whichever checkpoint file is of no more use: the old one if the batch is stored, else the new one.
    fn settle_checkpoint(&self, stored: Result<()>, new: Option<Placed>, old: Option<String>) -> Result<()> {
        let useless = if stored.is_ok() { old } else { new.and_then(|placed| placed.file) };
        self.remove_checkpoint_file(useless);
        stored
    }
}

/// What can go wrong within a transaction.
pub(super) enum WriteError {
    /// SQLite refused.
    Sqlite(rusqlite::Error),
    /// The content is wrong.
    Other(Error),
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        WriteError::Sqlite(error)
    }
}

impl From<Error> for WriteError {
    fn from(error: Error) -> Self {
        WriteError::Other(error)
    }
}

fn begin(t: &Transaction<'_>, run: i64, machine: &str) -> Result<(), WriteError> {
    let changed = t.execute(
        &format!(
            "UPDATE run SET status = 'running', reason = NULL, finished = NULL, machine = ?,
                 started = coalesce(started, {NOW}), updated = {NOW}
             WHERE id = ?"
        ),
        params![machine, run],
    )?;
    found(changed, "run", run)?;
    t.execute(
        "UPDATE study SET status = 'running' WHERE id = (SELECT study_id FROM run WHERE id = ?)",
        [run],
    )?;
    Ok(())
}

/// Sets the status of a run's study if that was the last run to end.
fn end_study_of(t: &Transaction<'_>, run: i64) -> Result<(), WriteError> {
    t.execute(
        "UPDATE study SET status = CASE
             WHEN EXISTS (SELECT 1 FROM run WHERE study_id = study.id AND status = 'done')
             THEN 'done' ELSE 'failed' END
         WHERE id = (SELECT study_id FROM run WHERE id = ?) AND NOT EXISTS
             (SELECT 1 FROM run WHERE study_id = study.id AND status IN ('pending', 'running'))",
        [run],
    )?;
    Ok(())
}

fn write_batch(t: &Transaction<'_>, run: RunId, batch: &Batch<'_>) -> Result<(), WriteError> {
    let changed = t.execute(
        &format!("UPDATE run SET steps = ?, wall_s = ?, updated = {NOW} WHERE id = ?"),
        params![to_sql_integer("the step", batch.steps)?, batch.wall_s, run.0],
    )?;
    found(changed, "run", run.0)?;
    let mut known: Vec<(&str, i64)> = Vec::new();
    let mut insert = t.prepare_cached(
        "INSERT OR REPLACE INTO point (run_id, metric_id, step, value) VALUES (?, ?, ?, ?)",
    )?;
    for &Point { step, metric, value } in batch.points {
        let id = match known.iter().find(|(name, _)| *name == metric) {
            Some(&(_, id)) => id,
            None => {
                let id = metric_id(t, run, metric)?;
                known.push((metric, id));
                id
            }
        };
        // SQLite would turn a NaN into NULL by itself; this says that it is meant.
        let value = Some(value).filter(|value| !value.is_nan());
        insert.execute(params![run.0, id, to_sql_integer("the step", step)?, value])?;
    }
    Ok(())
}

fn metric_id(t: &Transaction<'_>, run: RunId, name: &str) -> Result<i64, WriteError> {
    let known = t
        .query_row(
            "SELECT m.id FROM metric m JOIN run r ON r.study_id = m.study_id AND r.problem = m.problem
             WHERE r.id = ? AND m.name = ?",
            params![run.0, name],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    let (study, problem, position): (i64, String, usize) = t.query_row(
        "SELECT r.study_id, r.problem, (SELECT count(*) FROM metric m
             WHERE m.study_id = r.study_id AND m.problem = r.problem)
         FROM run r WHERE r.id = ?",
        [run.0],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let diagnostic = MetricRecord {
        name: name.to_owned(),
        unit: String::new(),
        direction: quire_core::Direction::Neutral,
        summary: String::new(),
    };
    insert_metric(t, study, &problem, position, &diagnostic)?;
    Ok(t.last_insert_rowid())
}

fn insert_metric(
    t: &Transaction<'_>,
    study: i64,
    problem: &str,
    position: usize,
    metric: &MetricRecord,
) -> rusqlite::Result<usize> {
    t.execute(
        "INSERT INTO metric (study_id, problem, position, name, unit, direction, summary)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![
            study,
            problem,
            position,
            metric.name,
            metric.unit,
            direction_word(metric.direction),
            metric.summary
        ],
    )
}

/// An error unless a row was changed.
fn found(changed: usize, kind: &str, id: i64) -> Result<(), WriteError> {
    if changed > 0 { Ok(()) } else { Err(WriteError::Other(super::read::no_such(kind, id))) }
}

fn check(study: &NewStudy) -> Result<()> {
    if study.runs.is_empty() {
        return Err(Error::Usage(format!("the study `{}` has no run", study.name)));
    }
    let mut seen = std::collections::HashSet::new();
    for run in &study.runs {
        let spec = &run.spec;
        if !study.problems.iter().any(|problem| problem.name == spec.problem) {
            return Err(Error::Usage(format!(
                "the study does not list the problem `{}` of a run",
                spec.problem
            )));
        }
        if !seen.insert((&spec.problem, &run.label, spec.seed)) {
            return Err(Error::Usage(format!(
                "`{}` on {} with seed {} occurs twice; two option sets of one method need two labels",
                run.label, spec.problem, spec.seed
            )));
        }
    }
    if let Some(baseline) = &study.baseline
        && !study.runs.iter().any(|run| run.label == *baseline)
    {
        let labels = study.runs.iter().map(|run| run.label.as_str());
        return Err(Error::unknown("baseline", baseline, labels, ""));
    }
    Ok(())
}

//! Reading studies, runs and points.

use quire_core::{Error, OptionMap, Result, RunSpec};
use rusqlite::{OptionalExtension, Row, params};

use super::records::parse_direction;
use super::{
    MetricRecord, ProblemRecord, RunId, RunRecord, RunStatus, Store, StudyId, StudyRecord, StudyStatus,
};

/// The points of one metric of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunPoints {
    /// The run.
    pub run: RunId,
    /// Its label.
    pub label: String,
    /// Its seed.
    pub seed: u64,
    /// How far it is.
    pub status: RunStatus,
    /// Steps (ascending) and values.
    pub points: Vec<(u64, f64)>,
}

/// One point with everything that says where it belongs: a row of an export.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointRow<'a> {
    /// The study's name.
    pub study: &'a str,
    /// The run.
    pub run: RunId,
    /// The run's label.
    pub label: &'a str,
    /// The method's name.
    pub method: &'a str,
    /// The problem's name.
    pub problem: &'a str,
    /// The run's seed.
    pub seed: u64,
    /// The metric's name.
    pub metric: &'a str,
    /// Where in the run.
    pub step: u64,
    /// The value; NaN and infinities are possible.
    pub value: f64,
}

const STUDY: &str =
    "SELECT id, name, created, status, spec_json, command, baseline, quire_version, quire_commit,
    (SELECT count(*) FROM run WHERE study_id = study.id),
    (SELECT count(*) FROM run WHERE study_id = study.id AND status = 'done'),
    (SELECT count(*) FROM run WHERE study_id = study.id AND status = 'failed')
    FROM study";

const RUN: &str =
    "SELECT id, study_id, label, problem, method, options_json, seed, budget, status, reason, steps,
    wall_s, started, updated, finished, artefact_path, machine FROM run";

impl Store {
    /// All studies, the newest first.
    ///
    /// # Errors
    /// If the store can't be read.
    pub fn studies(&self) -> Result<Vec<StudyRecord>> {
        self.rows(&format!("{STUDY} ORDER BY id DESC"), [], study_from_row)
    }

    /// The study with this number.
    ///
    /// # Errors
    /// [`Error::Unknown`] if there is none.
    pub fn study(&self, id: StudyId) -> Result<StudyRecord> {
        let found = self.rows(&format!("{STUDY} WHERE id = ?"), [id.0], study_from_row)?;
        found.into_iter().next().ok_or_else(|| no_such("study", id.0))
    }

    /// The study that a user means: by number, or by name, the newest of that name.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest names if there is none.
    pub fn find_study(&self, name_or_number: &str) -> Result<StudyRecord> {
        let studies = self.studies()?;
        let by_name = studies.iter().find(|study| study.name == name_or_number);
        let number: Option<i64> = name_or_number.parse().ok();
        let by_number = || studies.iter().find(|study| Some(study.id.0) == number);
        by_name.or_else(by_number).cloned().ok_or_else(|| {
            Error::unknown("study", name_or_number, studies.iter().map(|study| study.name.as_str()), "")
        })
    }

    /// The problems of a study with their metrics, in the study's order.
    ///
    /// # Errors
    /// If the store can't be read.
    pub fn problems(&self, study: StudyId) -> Result<Vec<ProblemRecord>> {
        let mut problems = self.rows(
            "SELECT name, summary, optimum, budget, budget_unit FROM problem WHERE study_id = ? ORDER BY position",
            [study.0],
            |row| {
                Ok(ProblemRecord {
                    name: row.get(0)?,
                    summary: row.get(1)?,
                    metrics: Vec::new(),
                    optimum: row.get(2)?,
                    budget: unsigned(row, 3)?,
                    budget_unit: row.get(4)?,
                })
            },
        )?;
        for problem in &mut problems {
            problem.metrics = self.rows(
                "SELECT name, unit, direction, summary FROM metric WHERE study_id = ? AND problem = ?
                 ORDER BY position",
                params![study.0, problem.name],
                |row| {
                    Ok(MetricRecord {
                        name: row.get(0)?,
                        unit: row.get(1)?,
                        direction: parse_direction(row.get_ref(2)?.as_str()?)?,
                        summary: row.get(3)?,
                    })
                },
            )?;
        }
        Ok(problems)
    }

    /// All runs of a study, in its order.
    ///
    /// # Errors
    /// If the store can't be read.
    pub fn runs(&self, study: StudyId) -> Result<Vec<RunRecord>> {
        self.rows(&format!("{RUN} WHERE study_id = ? ORDER BY id"), [study.0], run_from_row)
    }

    /// The run with this number.
    ///
    /// # Errors
    /// [`Error::Unknown`] if there is none.
    pub fn run(&self, id: RunId) -> Result<RunRecord> {
        let found = self.rows(&format!("{RUN} WHERE id = ?"), [id.0], run_from_row)?;
        found.into_iter().next().ok_or_else(|| no_such("run", id.0))
    }

    /// One metric of one run, in order of steps; empty if the run has recorded none.
    ///
    /// # Errors
    /// If the store can't be read.
    pub fn points(&self, run: RunId, metric: &str) -> Result<Vec<(u64, f64)>> {
        self.rows(
            "SELECT p.step, p.value FROM point p JOIN metric m ON m.id = p.metric_id
             WHERE p.run_id = ? AND m.name = ? ORDER BY p.step",
            params![run.0, metric],
            |row| Ok((unsigned(row, 0)?, number(row, 1)?)),
        )
    }

    /// One metric of every run of a problem, in the order of the runs; runs without points are among them.
    ///
    /// # Errors
    /// If the store can't be read.
    pub fn curves(&self, study: StudyId, problem: &str, metric: &str) -> Result<Vec<RunPoints>> {
        let runs = self.runs(study)?.into_iter().filter(|run| run.spec.problem == problem);
        runs.map(|run| {
            Ok(RunPoints {
                run: run.id,
                points: self.points(run.id, metric)?,
                label: run.label,
                seed: run.spec.seed,
                status: run.status,
            })
        })
        .collect()
    }

    /// The last value of a metric for every run of a problem that has one, in the order of the runs.
    ///
    /// # Errors
    /// If the store can't be read.
    pub fn finals(&self, study: StudyId, problem: &str, metric: &str) -> Result<Vec<(RunRecord, u64, f64)>> {
        let runs = self.runs(study)?.into_iter().filter(|run| run.spec.problem == problem);
        let mut finals = Vec::new();
        for run in runs {
            let last = self.last_point(run.id, metric)?;
            finals.extend(last.map(|(step, value)| (run, step, value)));
        }
        Ok(finals)
    }

    /// The last point of a metric of a run.
    ///
    /// # Errors
    /// If the store can't be read.
    pub fn last_point(&self, run: RunId, metric: &str) -> Result<Option<(u64, f64)>> {
        self.connection
            .query_row(
                "SELECT p.step, p.value FROM point p JOIN metric m ON m.id = p.metric_id
                 WHERE p.run_id = ? AND m.name = ? ORDER BY p.step DESC LIMIT 1",
                params![run.0, metric],
                |row| Ok((unsigned(row, 0)?, number(row, 1)?)),
            )
            .optional()
            .map_err(|e| self.error(e))
    }

    /// Shows every point of a study to `visit`, ordered by run, metric and step, without holding them all.
    ///
    /// # Errors
    /// The first error of `visit`, or if the store can't be read.
    pub fn for_each_point(
        &self,
        study: StudyId,
        mut visit: impl FnMut(PointRow<'_>) -> Result<()>,
    ) -> Result<()> {
        let sql = "SELECT s.name, r.id, r.label, r.method, r.problem, r.seed, m.name, p.step, p.value
             FROM run r JOIN study s ON s.id = r.study_id JOIN point p ON p.run_id = r.id
             JOIN metric m ON m.id = p.metric_id
             WHERE r.study_id = ? ORDER BY r.id, m.position, p.step";
        let mut statement = self.connection.prepare(sql).map_err(|e| self.error(e))?;
        let mut rows = statement.query([study.0]).map_err(|e| self.error(e))?;
        while let Some(row) = rows.next().map_err(|e| self.error(e))? {
            visit(point_from_row(row).map_err(|e| self.error(e))?)?;
        }
        Ok(())
    }

    fn rows<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        convert: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let read = || -> rusqlite::Result<Vec<T>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_map(parameters, convert)?.collect()
        };
        read().map_err(|e| self.error(e))
    }
}

/// The error for a number that is not in the store.
pub(super) fn no_such(kind: &str, id: i64) -> Error {
    Error::unknown(kind, &id.to_string(), [], "")
}

fn study_from_row(row: &Row<'_>) -> rusqlite::Result<StudyRecord> {
    Ok(StudyRecord {
        id: StudyId(row.get(0)?),
        name: row.get(1)?,
        created: row.get(2)?,
        status: StudyStatus::parse(row.get_ref(3)?.as_str()?)?,
        spec: json(row, 4)?,
        command: row.get(5)?,
        baseline: row.get(6)?,
        quire_version: row.get(7)?,
        commit: row.get(8)?,
        runs: row.get(9)?,
        runs_done: row.get(10)?,
        runs_failed: row.get(11)?,
    })
}

fn run_from_row(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    let options: OptionMap = json(row, 5)?;
    let budget = row.get::<_, Option<i64>>(7)?.map(|_| unsigned(row, 7)).transpose()?;
    Ok(RunRecord {
        id: RunId(row.get(0)?),
        study: StudyId(row.get(1)?),
        label: row.get(2)?,
        spec: RunSpec {
            options,
            budget,
            ..RunSpec::new(row.get::<_, String>(3)?, row.get::<_, String>(4)?, seed(row, 6)?)
        },
        status: RunStatus::parse(row.get_ref(8)?.as_str()?)?,
        reason: row.get(9)?,
        steps: unsigned(row, 10)?,
        wall_s: row.get(11)?,
        started: row.get(12)?,
        updated: row.get(13)?,
        finished: row.get(14)?,
        artefact: row.get(15)?,
        machine: row.get(16)?,
    })
}

fn point_from_row<'a>(row: &'a Row<'_>) -> rusqlite::Result<PointRow<'a>> {
    Ok(PointRow {
        study: row.get_ref(0)?.as_str()?,
        run: RunId(row.get(1)?),
        label: row.get_ref(2)?.as_str()?,
        method: row.get_ref(3)?.as_str()?,
        problem: row.get_ref(4)?.as_str()?,
        seed: seed(row, 5)?,
        metric: row.get_ref(6)?.as_str()?,
        step: unsigned(row, 7)?,
        value: number(row, 8)?,
    })
}

/// A number, where NULL is not-a-number.
fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<f64> {
    Ok(row.get::<_, Option<f64>>(column)?.unwrap_or(f64::NAN))
}

/// A seed, whose 64 bits are stored as a signed number.
fn seed(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)? as u64)
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, e.into()))
}

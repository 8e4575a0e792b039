//! Evaluation: what a study says about a claim, never more than was measured.
//!
//! A reading of an expectation is one number a seed. Its value is the interquartile mean over seeds, which for fewer than
//! four seeds is the plain mean. The difference left - right of the two sides gets a 95 % bootstrap interval: seeds are
//! drawn anew, the same ones for every method, from a fixed generator. The expectation
//!
//! - **holds** if the interval lies wholly on the expected side of zero,
//! - **fails** if it lies wholly on the other side,
//! - is **not shown** otherwise; also if a run is missing or there are fewer than two seeds, which give no interval.
//!
//! Intervals from very few seeds are too narrow: they exclude zero whenever all seeds point the same way, which without any
//! difference happens to 3 seeds one time in four. A verdict from fewer than six seeds says so in its note.
//!
//! Two sides that are equal in every resample meet `<=` and `>=`. A claim holds if all its expectations do, fails if one
//! does, and is not shown otherwise.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use quire_core::Result;

use super::expression::Expectation;
use super::paper::Claim;
use super::verdict::{ClaimVerdict, Measured, ReadingValue, RunLength, Statistic, Values, Verdict};
use crate::statistics::{Bootstrap, Estimate, Pairing, interquartile_mean};
use crate::store::{ProblemRecord, RunRecord, RunStatus, Store, StudyId};

/// From this many seeds on, all of them point the same way by chance in less than 5 % of the cases.
const ENOUGH_SEEDS: usize = 6;

/// Judges a claim by its study in a store, finished or not.
///
/// # Errors
/// If the store can't be read or has no such study.
pub fn evaluate(claim: &Claim, store: &Store, study: StudyId) -> Result<ClaimVerdict> {
    let record = store.study(study)?;
    let runs = store.runs(study)?;
    let problems = store.problems(study)?;
    let mut expectations = Vec::new();
    for expectation in &claim.expectations {
        let about = |name: &str| expectation.problem.as_ref().is_none_or(|(_, only)| only == name);
        for name in claim.study.problems.iter().filter(|name| about(name)) {
            // The store has the registry's spelling of a name, whose letter case is free.
            let problem = problems.iter().find(|problem| problem.name.eq_ignore_ascii_case(name));
            expectations.push(measure(expectation, name, problem, &runs, store)?);
        }
    }
    let seeds = runs.iter().map(|run| run.spec.seed).collect::<BTreeSet<u64>>().len();
    // What was asked for is kept as it was written; a study without it is taken at its word about its length.
    let steps = record.spec.get("steps").map_or(claim.study.steps, serde_json::Value::as_u64);
    Ok(ClaimVerdict {
        id: claim.id.clone(),
        text: claim.text.clone(),
        source: claim.source.clone(),
        scaled_down: claim.scaled_down.clone(),
        verdict: Verdict::of_all(expectations.iter().map(|measured| measured.verdict)),
        quick: claim.is_shortened(seeds, steps),
        expectations,
        seeds,
        runs: runs.len(),
        lengths: problems.iter().map(RunLength::from).collect(),
        wall_s: runs.iter().map(|run| run.wall_s).sum(),
        measured: runs.iter().filter_map(|run| run.finished.clone()).max(),
        machines: runs
            .iter()
            .filter_map(|run| run.machine.clone())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        command: record.command,
        quire_version: record.quire_version,
        commit: record.commit,
        study,
        report: None,
    })
}

fn measure(
    expectation: &Expectation,
    name: &str,
    problem: Option<&ProblemRecord>,
    runs: &[RunRecord],
    store: &Store,
) -> Result<Measured> {
    let runs: Vec<&RunRecord> =
        runs.iter().filter(|run| run.spec.problem.eq_ignore_ascii_case(name)).collect();
    let budget = problem.map_or(0, |problem| problem.budget);
    let planned: BTreeSet<u64> = runs.iter().map(|run| run.spec.seed).collect();
    let mut curves: HashMap<(i64, &str), Vec<(u64, f64)>> = HashMap::new();
    let mut columns: Vec<Vec<f64>> = vec![Vec::new(); expectation.readings.len()];
    let mut missing: Vec<String> = Vec::new();
    for seed in planned {
        let mut row = Vec::new();
        for reading in &expectation.readings {
            let run = runs.iter().find(|run| run.label == reading.label && run.spec.seed == seed);
            let found = match run {
                None => Err("no such run".to_owned()),
                Some(run) => match trouble(run) {
                    Some(trouble) => Err(trouble),
                    None => {
                        let key = (run.id.0, reading.metric.as_str());
                        let points = match curves.entry(key) {
                            Entry::Occupied(known) => known.into_mut(),
                            Entry::Vacant(place) => place.insert(store.points(run.id, &reading.metric)?),
                        };
                        match reading.of(points, run.spec.budget.unwrap_or(budget)) {
                            Some(value) if value.is_finite() => Ok(value),
                            Some(value) => Err(format!("{reading} is {value}")),
                            None => Err(format!("no value for {reading}")),
                        }
                    }
                },
            };
            match found {
                Ok(value) => row.push(value),
                Err(why) => {
                    let what = format!("{} with seed {seed}: {why}", reading.label);
                    if !missing.contains(&what) {
                        missing.push(what);
                    }
                }
            }
        }
        // Seeds pair up across methods, so one counts only if it has every reading.
        if row.len() == columns.len() {
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
    }
    let seeds = columns[0].len();
    let values = compare(expectation, &columns);
    let note = match (&missing[..], seeds) {
        ([], 0) => Some("the study has no runs on this problem".to_owned()),
        ([], 1) => Some("one seed gives no interval; take at least two".to_owned()),
        ([], _) => None,
        ([first, rest @ ..], _) => {
            let others = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            Some(format!("missing: {first}{others}"))
        }
    };
    let [low, high] = values.interval;
    let verdict = match note {
        Some(_) => Verdict::NotShown,
        None => {
            Verdict::of_difference(expectation.relation, Estimate { value: values.difference, low, high })
        }
    };
    let note = note.or_else(|| (seeds < ENOUGH_SEEDS && low < high).then(|| caution(seeds)));
    Ok(Measured { expression: expectation.text.clone(), problem: name.to_owned(), verdict, values, note })
}

/// What has to be said about an interval from this few seeds.
fn caution(seeds: usize) -> String {
    let percent = 200.0 * 0.5_f64.powi(seeds as i32);
    format!(
        "{seeds} seeds are few: without any difference they all point the same way {percent:.0} % of the time; \
         take at least {ENOUGH_SEEDS}"
    )
}

/// Why a run's values don't count, if they don't.
fn trouble(run: &RunRecord) -> Option<String> {
    let reason = run.reason.as_deref().unwrap_or_default();
    match run.status {
        // A run that broke down on the way has a last value, but not one at the end of its budget.
        RunStatus::Done if reason.starts_with("diverged") => Some(reason.to_owned()),
        RunStatus::Done => None,
        RunStatus::Failed => Some(format!("failed: {reason}")),
        RunStatus::Pending | RunStatus::Running => Some("not finished".to_owned()),
    }
}

/// Both sides and the interval of their difference; `columns` is readings x seeds.
fn compare(expectation: &Expectation, columns: &[Vec<f64>]) -> Values {
    let means: Vec<f64> = columns.iter().map(|column| interquartile_mean(column)).collect();
    let tasks: Vec<[Vec<f64>; 1]> = columns.iter().map(|column| [column.clone()]).collect();
    let scores: Vec<&[Vec<f64>]> = tasks.iter().map(|task| &task[..]).collect();
    let mut drawn = vec![f64::NAN; columns.len()];
    let difference = Bootstrap::default().estimate_of(&scores, Pairing::Paired, |samples| {
        for (value, sample) in drawn.iter_mut().zip(samples) {
            *value = interquartile_mean(&sample[0]);
        }
        expectation.left.value(&drawn) - expectation.right.value(&drawn)
    });
    let readings = expectation.readings.iter().zip(&means).zip(columns);
    Values {
        left: expectation.left.value(&means),
        right: expectation.right.value(&means),
        difference: difference.value,
        interval: [difference.low, difference.high],
        statistic: if columns[0].len() < 4 { Statistic::Mean } else { Statistic::InterquartileMean },
        seeds: columns[0].len(),
        readings: readings
            .map(|((reading, &value), runs)| ReadingValue {
                reading: reading.to_string(),
                value,
                runs: runs.clone(),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests;

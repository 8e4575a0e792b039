//! A user's own log of transitions, read from CSV, Parquet or NPZ.
//!
//! CSV has a header and the columns `episode`, `step`, `state` or several `state_*` or `observation_*`, `action`, `reward` or
//! `reward_*`, `done`; `next_state`, `next_state_*` or `next_observation_*` where the next row is not what follows. Parquet
//! has the same columns; one that holds a list of numbers in every row stands for several. NPZ has the arrays of D4RL:
//! `observations` `[N, D]`, `actions` `[N]`, `rewards` `[N]` or `[N, d]`, `next_observations`, `terminals` `[N]` and perhaps
//! `timeouts` `[N]`.

use std::path::{Path, PathBuf};

use quire_core::{Error, Result};

use crate::file::{Array, read_npz};

/// The greatest number of an action or of an integer state.
pub const GREATEST: usize = 1000;

/// One transition.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// s.
    pub state: Vec<f64>,
    /// a.
    pub action: usize,
    /// r.
    pub reward: Vec<f64>,
    /// s', if it is known.
    pub next: Option<Vec<f64>>,
    /// Whether the world ended, so that nothing follows.
    pub done: bool,
}

/// Episodes in the order of the file, none empty.
pub type Episodes = Vec<Vec<Row>>;

/// Reads a log from a `.csv`, `.parquet` or `.npz` file.
///
/// # Errors
/// An unreadable or empty file, a missing column, a value that is no number: the message names file, line or row, and
/// column.
pub fn read(path: &Path) -> Result<Episodes> {
    let episodes = if Table::is_table(path) {
        from_table(path, &Table::read(path)?)?
    } else if path.to_string_lossy().to_ascii_lowercase().ends_with(".npz") {
        from_arrays(path).map_err(|error| match error {
            Error::Usage(problem) => Error::file(path, problem),
            other => other,
        })?
    } else {
        return Err(Error::file(path, "a log ends in .csv, .parquet or .npz; export other formats as CSV"));
    };
    if episodes.is_empty() {
        return Err(Error::file(path, "holds no transition"));
    }
    Ok(episodes)
}

/// A table of numbers with the place of each in its file.
pub(super) struct Table {
    path: PathBuf,
    header: Vec<String>,
    /// What rows are counted by: lines of a text, or rows from 0.
    lines: bool,
    /// Line or row, and values.
    pub rows: Vec<(usize, Vec<f64>)>,
}

impl Table {
    /// Whether `path` looks like a table's file: what [`Table::read`] opens.
    pub fn is_table(path: &Path) -> bool {
        let name = path.to_string_lossy().to_ascii_lowercase();
        name.ends_with(".csv") || name.ends_with(".parquet")
    }

    /// Reads all of a `.csv` or `.parquet` file; `true` and `false` are 1 and 0.
    pub fn read(path: &Path) -> Result<Table> {
        if path.to_string_lossy().to_ascii_lowercase().ends_with(".parquet") {
            Table::read_parquet(path)
        } else {
            Table::read_csv(path)
        }
    }

    /// Every column that a log or a policy may have, or as many as its lists are long.
    #[cfg(feature = "parquet")]
    fn read_parquet(path: &Path) -> Result<Table> {
        let columns = quire_parquet::read(path, is_known)?;
        let rows = columns.first().map_or(0, quire_parquet::Column::rows);
        let mut table = Table {
            path: path.to_owned(),
            header: Vec::new(),
            lines: false,
            rows: (0..rows).map(|row| (row, Vec::new())).collect(),
        };
        for column in columns {
            let first = table.header.len();
            let width = if rows == 0 { 1 } else { column.row(0).len() };
            if column.null.is_some() || width == 1 {
                table.header.push(column.name.clone());
            } else {
                table.header.extend((0..width).map(|index| format!("{}_{index}", column.name)));
            }
            if let Some(row) = column.null {
                return Err(table.wrong(row, first, "is null or empty; fill it in or leave the row out"));
            }
            for row in 0..rows {
                let values = column.row(row);
                if values.len() != width {
                    let problem = format!("is a list of {} numbers where row 0 has {width}", values.len());
                    return Err(table.wrong(row, first, &problem));
                }
                if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                    let problem = format!("{} is not a finite number", values[index]);
                    return Err(table.wrong(row, first + index, &problem));
                }
                table.rows[row].1.extend_from_slice(values);
            }
        }
        Ok(table)
    }

    #[cfg(not(feature = "parquet"))]
    fn read_parquet(path: &Path) -> Result<Table> {
        let problem =
            "this build does not read Parquet: build it with the feature `parquet`, or export the log as CSV";
        Err(Error::file(path, problem))
    }

    fn read_csv(path: &Path) -> Result<Table> {
        let broken = |e: csv::Error| Error::file(path, format!("is not a readable CSV file: {e}"));
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(broken)?;
        let header: Vec<String> =
            reader.headers().map_err(broken)?.iter().map(|name| name.to_ascii_lowercase()).collect();
        let mut table = Table { path: path.to_owned(), header, lines: true, rows: Vec::new() };
        for record in reader.records() {
            let record = record.map_err(broken)?;
            let line = record.position().map_or(0, |position| position.line() as usize);
            let mut values = Vec::with_capacity(record.len());
            for (column, text) in record.iter().enumerate() {
                let value = match text.to_ascii_lowercase().as_str() {
                    "true" => Some(1.0),
                    "false" => Some(0.0),
                    other => other.parse::<f64>().ok().filter(|value| value.is_finite()),
                };
                // Columns that nobody asks for may hold anything.
                match value {
                    Some(value) => values.push(value),
                    None if table.header.get(column).is_some_and(|name| !is_known(name)) => values.push(0.0),
                    None => {
                        return Err(table.wrong(line, column, &format!("`{text}` is not a finite number")));
                    }
                }
            }
            table.rows.push((line, values));
        }
        Ok(table)
    }

    /// The place of a column, if there is one.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    /// The place of a column.
    pub fn column(&self, name: &str) -> Result<usize> {
        self.find(name).ok_or_else(|| {
            let problem = format!("misses the column `{name}`; its header has {}", self.header.join(", "));
            Error::file(&self.path, problem)
        })
    }

    /// The columns named `name`, or those that begin with `name_`.
    fn group(&self, name: &str) -> Vec<usize> {
        match self.find(name) {
            Some(column) => vec![column],
            None => {
                let start = format!("{name}_");
                (0..self.header.len()).filter(|&column| self.header[column].starts_with(&start)).collect()
            }
        }
    }

    /// An error at a place.
    pub fn wrong(&self, line: usize, column: usize, problem: &str) -> Error {
        let name = self.header.get(column).map_or("", String::as_str);
        if !self.lines {
            return Error::file(&self.path, format!("row {line} of the column `{name}`: {problem}"));
        }
        let problem = format!("column {} (`{name}`): {problem}", column + 1);
        Error::Parse { path: self.path.clone(), line, column: column + 1, problem }
    }

    /// A whole number from 0 to [`GREATEST`].
    pub fn whole(&self, (line, values): &(usize, Vec<f64>), column: usize) -> Result<usize> {
        let value = values[column];
        if value >= 0.0 && value.fract() == 0.0 && value <= GREATEST as f64 {
            Ok(value as usize)
        } else {
            Err(self.wrong(
                *line,
                column,
                &format!("must be a whole number from 0 to {GREATEST}; got {value}"),
            ))
        }
    }
}

fn is_known(name: &str) -> bool {
    ["episode", "step", "state", "observation", "action", "reward", "done", "next_", "probability"]
        .iter()
        .any(|known| name.starts_with(known))
}

fn from_table(path: &Path, table: &Table) -> Result<Episodes> {
    let (episode, step) = (table.column("episode")?, table.column("step")?);
    let (action, done) = (table.column("action")?, table.column("done")?);
    let either =
        |a: &str, b: &str| Some(table.group(a)).filter(|c| !c.is_empty()).unwrap_or_else(|| table.group(b));
    let states = either("state", "observation");
    let next = either("next_state", "next_observation");
    let rewards = table.group("reward");
    for (columns, name) in [(&states, "state"), (&rewards, "reward")] {
        if columns.is_empty() {
            table.column(name)?;
        }
    }
    if !next.is_empty() && next.len() != states.len() {
        let problem = format!("has {} columns of a state but {} of the next one", states.len(), next.len());
        return Err(Error::file(path, problem));
    }
    let mut episodes: Episodes = Vec::new();
    let mut before: Option<(f64, f64)> = None;
    for row in &table.rows {
        let (line, values) = row;
        let pick = |columns: &[usize]| columns.iter().map(|&column| values[column]).collect::<Vec<_>>();
        let place = (values[episode], values[step]);
        let new = before.is_none_or(|before| before.0 != place.0);
        if let Some(before) = before.filter(|before| !new && place.1 != before.1 + 1.0) {
            let problem =
                format!("must be {} after {}; sort the log by episode and step", before.1 + 1.0, before.1);
            return Err(table.wrong(*line, step, &problem));
        }
        if values[done] != 0.0 && values[done] != 1.0 {
            return Err(table.wrong(*line, done, "must be 0, 1, true or false"));
        }
        before = Some(place);
        if new {
            episodes.push(Vec::new());
        }
        let current = episodes.last_mut().expect("one has begun");
        let row = Row {
            state: pick(&states),
            action: table.whole(row, action)?,
            reward: pick(&rewards),
            next: (!next.is_empty()).then(|| pick(&next)),
            done: values[done] == 1.0,
        };
        if let Some(last) = current.last_mut() {
            if last.done {
                return Err(table.wrong(
                    *line,
                    episode,
                    "the episode goes on after `done`; number the next one anew",
                ));
            }
            last.next.get_or_insert_with(|| row.state.clone());
        }
        current.push(row);
    }
    Ok(episodes)
}

fn from_arrays(path: &Path) -> Result<Episodes> {
    let mut arrays = read_npz(path)?;
    let mut take = |name: &str| -> Result<Array> {
        arrays.remove(name).ok_or_else(|| Error::Usage(format!("misses the array `{name}`")))
    };
    let (states, actions, rewards) = (take("observations")?, take("actions")?, take("rewards")?);
    let (next, terminals) = (take("next_observations")?, take("terminals")?);
    let timeouts = take("timeouts").ok();
    let rows = actions.values.len();
    let named = [
        ("observations", &states),
        ("rewards", &rewards),
        ("next_observations", &next),
        ("terminals", &terminals),
    ];
    for (name, array) in named.into_iter().chain(timeouts.iter().map(|array| ("timeouts", array))) {
        if array.shape.first() != Some(&rows) || array.shape.len() > 2 || array.values.is_empty() {
            return Err(Error::Usage(format!(
                "`{name}` has the shape {:?} where {rows} rows are expected",
                array.shape
            )));
        }
        if let Some(place) = array.values.iter().position(|value| !value.is_finite()) {
            return Err(Error::Usage(format!(
                "`{name}` row {} is not finite",
                place * rows / array.values.len()
            )));
        }
    }
    if next.shape != states.shape {
        return Err(Error::Usage("`next_observations` and `observations` differ in shape".into()));
    }
    let row = |array: &Array, row: usize| {
        let width = array.values.len() / rows;
        array.values[row * width..][..width].to_vec()
    };
    let mut episodes: Episodes = Vec::new();
    let mut new = true;
    for index in 0..rows {
        let action = actions.values[index];
        if !(action >= 0.0 && action.fract() == 0.0 && action <= GREATEST as f64) {
            return Err(Error::Usage(format!(
                "`actions` row {index} is {action}; actions are whole numbers from 0 to {GREATEST}, continuous ones are to be binned first"
            )));
        }
        if std::mem::take(&mut new) {
            episodes.push(Vec::new());
        }
        let done = terminals.values[index] != 0.0;
        episodes.last_mut().expect("one has begun").push(Row {
            state: row(&states, index),
            action: action as usize,
            reward: row(&rewards, index),
            next: Some(row(&next, index)),
            done,
        });
        new = done || timeouts.as_ref().is_some_and(|timeouts| timeouts.values[index] != 0.0);
    }
    Ok(episodes)
}

#[cfg(test)]
mod tests;

//! What can go wrong, said so that a user can mend it.

use std::path::{Path, PathBuf};

/// The result of everything in Quire that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error a user can act on: it names the thing, the place and the remedy.
///
/// [`Error::is_usage`] tells a wrong request (exit code 2) from a failure of something that was rightly asked
/// for (exit code 1).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A method, problem, option, metric ... that does not exist.
    #[error("unknown {kind} `{name}`{}", suggestion(.nearest, .kind, .list_with))]
    Unknown {
        /// What was looked for, as a singular noun: `method`, `problem`, `option of dqn`.
        kind: String,
        /// The name that was given.
        name: String,
        /// The nearest names that do exist, best first.
        nearest: Vec<String>,
        /// The command that lists the names that do exist, such as `quire list methods`.
        list_with: String,
    },
    /// An option with a value of the wrong type or outside its range.
    #[error("option `{option}`: {problem}")]
    Option {
        /// The option's name, dotted where it lies in a table: `optimizer.learning_rate`.
        option: String,
        /// What is wrong with the value and what is allowed.
        problem: String,
    },
    /// A request that makes no sense as a whole.
    #[error("{0}")]
    Usage(String),
    /// A text file that cannot be parsed or understood.
    #[error("{}:{line}:{column}: {problem}", .path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong and what is expected.
        problem: String,
    },
    /// A binary or structured file that is damaged, foreign or of another version.
    #[error("{}: {problem}", .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}{}", .path.display(), io_remedy(.source))]
    Io {
        /// What was tried, as a verb: `read`, `write`, `create`.
        action: &'static str,
        /// The path it was tried on.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A saved state that does not belong to this run or is damaged.
    #[error("cannot resume: {0}")]
    Resume(String),
    /// A method that broke down on its own, for instance on a non-finite loss: its run ends with this as the reason.
    #[error("diverged: {0}")]
    Diverged(String),
    /// Anything else that failed: an environment, an internal error.
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// An unknown name, with the nearest of `known` as suggestions.
    pub fn unknown<'a>(
        kind: impl Into<String>,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
        list_with: impl Into<String>,
    ) -> Self {
        Error::Unknown {
            kind: kind.into(),
            name: name.to_owned(),
            nearest: nearest(name, known),
            list_with: list_with.into(),
        }
    }

    /// A bad value for one option.
    pub fn option(option: impl Into<String>, problem: impl Into<String>) -> Self {
        Error::Option { option: option.into(), problem: problem.into() }
    }

    /// An operating-system error while doing `action` on `path`.
    pub fn io(action: &'static str, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Error::Io { action, path: path.as_ref().to_owned(), source }
    }

    /// A damaged or foreign file.
    pub fn file(path: impl AsRef<Path>, problem: impl Into<String>) -> Self {
        Error::File { path: path.as_ref().to_owned(), problem: problem.into() }
    }

    /// True if the request was wrong (exit code 2), false if carrying it out failed (exit code 1).
    pub fn is_usage(&self) -> bool {
        matches!(self, Error::Unknown { .. } | Error::Option { .. } | Error::Usage(_) | Error::Parse { .. })
    }

    /// The process exit code that goes with this error.
    pub fn exit_code(&self) -> u8 {
        if self.is_usage() { 2 } else { 1 }
    }
}

/// Turns a byte offset in a text into line and column, both from 1; columns count characters.
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}

/// The known names near enough to `name` to be what was meant, best first, at most three.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    nearest_of(name, known.into_iter().collect())
}

fn nearest_of(name: &str, known: Vec<&str>) -> Vec<String> {
    let simple = |s: &str| s.to_lowercase().replace(['_', ' ', '.'], "-");
    let wanted = simple(name);
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&wanted, &simple(candidate)), candidate))
        .filter(|&(score, candidate)| score > 0.75 || simple(candidate).contains(&wanted))
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(3).map(|(_, candidate)| candidate.to_owned()).collect()
}

fn suggestion(nearest: &[String], kind: &str, list_with: &str) -> String {
    // "method" of "method for CartPole-v1"; of "method, problem or study" no single noun will do.
    let what = match kind.split(' ').next() {
        Some(noun) if !kind.contains(" or ") => format!("every {noun}"),
        _ => "them".into(),
    };
    let list = if list_with.is_empty() { String::new() } else { format!(" `{list_with}` lists {what}.") };
    match nearest {
        [] => format!(".{list}"),
        [only] => format!("; did you mean `{only}`?{list}"),
        several => format!("; did you mean one of `{}`?{list}", several.join("`, `")),
    }
}

fn io_remedy(source: &std::io::Error) -> &'static str {
    use std::io::ErrorKind as Kind;
    match source.kind() {
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => "; choose a folder you may write to with --out",
        Kind::StorageFull | Kind::QuotaExceeded => "; free some space and run the command again",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_are_suggested() {
        let known = ["dqn", "double-dqn", "redq", "sac"];
        assert_eq!(nearest("double_dqn", known)[0], "double-dqn");
        assert_eq!(nearest("dobule-dqn", known)[0], "double-dqn");
        assert!(nearest("zzzz", known).is_empty());
        let message = Error::unknown("method", "dqm", known, "quire list methods").to_string();
        assert_eq!(
            message,
            "unknown method `dqm`; did you mean `dqn`? `quire list methods` lists every method."
        );
        let message = Error::unknown("method, problem or study", "zzzz", known, "quire list").to_string();
        assert_eq!(message, "unknown method, problem or study `zzzz`. `quire list` lists them.");
    }

    #[test]
    fn offsets_become_lines_and_columns() {
        assert_eq!(line_and_column("ab\ncde", 0), (1, 1));
        assert_eq!(line_and_column("ab\ncde", 4), (2, 2));
        assert_eq!(line_and_column("é\né", 99), (2, 2));
        assert_eq!(line_and_column("é", 1), (1, 1));
    }

    #[test]
    fn usage_and_failure_have_their_exit_codes() {
        assert_eq!(Error::Usage("x".into()).exit_code(), 2);
        assert_eq!(Error::Failed("x".into()).exit_code(), 1);
    }
}

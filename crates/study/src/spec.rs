//! What a study is: problems x methods x seeds, from the command line or a TOML file.
//!
//! ```toml
//! name = "two-widths"
//! problems = ["CartPole-v1"]
//! seeds = 5                     # 0, 1, 2, 3, 4; or a list: [3, 17]
//! steps = 50_000                # optional; the problem's own budget otherwise
//!
//! [[methods]]
//! method = "dqn"
//!
//! [[methods]]
//! method = "dqn"
//! label = "dqn-narrow"          # tells two option sets of one method apart
//! options = { hidden = [64] }
//! ```

use std::collections::HashSet;
use std::hash::Hash;
use std::path::Path;

use quire_core::error::line_and_column;
use quire_core::{Error, OptionMap, Registry, Result, RunSpec, options};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::store::{NewRun, NewStudy, ProblemRecord};

/// Seeds of a study that does not say how many.
const DEFAULT_SEEDS: u64 = 5;
/// Seeds that a study can have; nobody waits for more, and a slip of the pen must not fill the memory.
const MOST_SEEDS: u32 = 100_000;

/// A study: every method on every problem with every seed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StudySpec {
    /// The study's name, also the name of its folder.
    pub name: String,
    /// The problems' names.
    pub problems: Vec<String>,
    /// The methods, each with its options. The first is the one the others are held against.
    pub methods: Vec<Contestant>,
    /// The seeds; every method gets the same.
    pub seeds: Vec<u64>,
    /// Length of each run; `None` is each problem's own budget.
    pub steps: Option<u64>,
    /// Whether options tuned for a problem apply beneath the contestants' own.
    pub tuned: bool,
}

/// One side of the comparison: a method with options under a label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contestant {
    /// The method's name.
    pub method: String,
    /// What it is called in the study; the method's name unless two option sets of one method compete.
    pub label: String,
    /// Options that differ from the defaults.
    pub options: OptionMap,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Spanned<String>,
    problems: Spanned<Vec<String>>,
    #[serde(default)]
    seeds: Option<Spanned<SeedsEntry>>,
    steps: Option<Spanned<u64>>,
    #[serde(default = "yes")]
    tuned: bool,
    methods: Spanned<Vec<ContestantEntry>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "seeds is a whole number up to 100000 or a list of whole numbers")]
pub(crate) enum SeedsEntry {
    Count(SeedCount),
    List(Vec<u64>),
}

/// A number of seeds, up to [`MOST_SEEDS`].
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "u32")]
pub(crate) struct SeedCount(u32);

impl TryFrom<u32> for SeedCount {
    type Error = String;

    fn try_from(count: u32) -> Result<Self, String> {
        if count <= MOST_SEEDS { Ok(SeedCount(count)) } else { Err(format!("at most {MOST_SEEDS} seeds")) }
    }
}

impl SeedsEntry {
    /// The seeds that are meant, the usual number of them if nothing is said.
    pub(crate) fn seeds(entry: Option<&SeedsEntry>) -> Vec<u64> {
        match entry {
            None => (0..DEFAULT_SEEDS).collect(),
            Some(SeedsEntry::Count(SeedCount(count))) => (0..u64::from(*count)).collect(),
            Some(SeedsEntry::List(list)) => list.clone(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContestantEntry {
    method: String,
    label: Option<String>,
    #[serde(default)]
    options: toml::Table,
}

impl ContestantEntry {
    pub(crate) fn contestant(&self) -> Contestant {
        Contestant {
            label: self.label.clone().unwrap_or_else(|| self.method.clone()),
            method: self.method.clone(),
            options: options::from_toml(self.options.clone()),
        }
    }
}

fn yes() -> bool {
    true
}

impl StudySpec {
    /// Reads a study's TOML file; errors name line and column.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let error_at = |offset: usize, problem: String| {
            let (line, column) = line_and_column(text, offset);
            Error::Parse { path: path.to_owned(), line, column, problem }
        };
        let file: File = toml::from_str(text)
            .map_err(|e| error_at(e.span().map_or(0, |span| span.start), e.message().trim().to_owned()))?;
        let start = |field: &str| match field {
            "name" => file.name.span().start,
            "problems" => file.problems.span().start,
            "seeds" => file.seeds.as_ref().map_or(0, |seeds| seeds.span().start),
            "steps" => file.steps.as_ref().map_or(0, |steps| steps.span().start),
            _ => file.methods.span().start,
        };
        let spec = StudySpec {
            name: file.name.get_ref().clone(),
            problems: file.problems.get_ref().clone(),
            methods: file.methods.get_ref().iter().map(ContestantEntry::contestant).collect(),
            seeds: SeedsEntry::seeds(file.seeds.as_ref().map(Spanned::get_ref)),
            steps: file.steps.as_ref().map(|steps| *steps.get_ref()),
            tuned: file.tuned,
        };
        spec.check().map_err(|(field, problem)| error_at(start(field), problem))?;
        Ok(spec)
    }

    /// Checks what needs no registry: a usable name, something on every axis, nothing twice. An error comes with the
    /// field it is in.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        let refuse = |field: &'static str, problem: String| Err((field, problem));
        let fits_a_file_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | ' ');
        if self.name.is_empty() || !self.name.chars().all(fits_a_file_name) || self.name.starts_with('.') {
            let rule = "use letters, digits, and - _ . + or spaces, not beginning with a dot";
            return refuse("name", format!("`{}` cannot name a study: {rule}", self.name));
        }
        if self.problems.is_empty() {
            return refuse("problems", "a study needs at least one problem".into());
        }
        if self.methods.is_empty() {
            return refuse("methods", "a study needs at least one method".into());
        }
        if self.seeds.is_empty() {
            return refuse("seeds", "a study needs at least one seed".into());
        }
        if self.steps == Some(0) {
            return refuse(
                "steps",
                "a run needs at least one step; leave `steps` out for the problem's own budget".into(),
            );
        }
        if self.seeds.len() > MOST_SEEDS as usize {
            return refuse("seeds", format!("a study can have {MOST_SEEDS} seeds, not {}", self.seeds.len()));
        }
        if let Some(seed) = first_repeated(&self.seeds) {
            return refuse("seeds", format!("seed {seed} is given twice; its runs would be the same"));
        }
        if let Some(problem) = first_repeated(&self.problems) {
            return refuse("problems", format!("problem `{problem}` is given twice"));
        }
        let labels: Vec<&String> = self.methods.iter().map(|method| &method.label).collect();
        if let Some(label) = first_repeated(&labels) {
            let remedy = "give two option sets of one method different labels";
            return refuse("methods", format!("method `{label}` is given twice; {remedy}"));
        }
        Ok(())
    }

    /// The study as it is entered into a store, names and options checked against the registry: whatever is wrong is
    /// found before anything runs. Seeds come in the outer loop, so that a study cut short has something of every method.
    ///
    /// `command` is what a user types to get the same study again, `commit` that of the running Quire, if known.
    pub fn plan(&self, registry: &Registry, command: String, commit: Option<String>) -> Result<NewStudy> {
        self.check().map_err(|(_, problem)| Error::Usage(problem))?;
        let mut problems = Vec::new();
        let mut prototypes = Vec::new();
        for name in &self.problems {
            let problem = registry.problem(name)?;
            let card = problem.card();
            let budget = self.steps.unwrap_or(card.budget);
            problems.push(ProblemRecord { budget, ..ProblemRecord::from(card) });
            for contestant in &self.methods {
                registry.method(&contestant.method)?;
                let method = problem.method(&contestant.method)?;
                let tuned = if self.tuned { method.tuned_for(&card.name) } else { OptionMap::new() };
                let mut spec = RunSpec::new(&card.name, &contestant.method, 0);
                spec.options = method.options.with(&[&tuned, &contestant.options])?;
                spec.budget = Some(budget);
                problem.start(&spec)?; // relations between options, and what only the method knows
                prototypes.push(NewRun { label: contestant.label.clone(), spec });
            }
        }
        let with_seed = |seed: u64| {
            prototypes.iter().map(move |prototype| {
                let mut run = prototype.clone();
                run.spec.seed = seed;
                run
            })
        };
        Ok(NewStudy {
            name: self.name.clone(),
            spec: serde_json::to_value(self).expect("a study's spec is plain data, which always encodes"),
            command,
            baseline: Some(self.methods[0].label.clone()),
            commit,
            problems,
            runs: self.seeds.iter().flat_map(|&seed| with_seed(seed)).collect(),
        })
    }
}

fn first_repeated<T: Eq + Hash>(items: &[T]) -> Option<&T> {
    let mut seen = HashSet::with_capacity(items.len());
    items.iter().find(|item| !seen.insert(*item))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngSeed};

    use super::*;

    const GOOD: &str = "name = \"x\"\nproblems = [\"a\"]\nseeds = [3, 1]\n\n[[methods]]\nmethod = \"m\"\noptions = { k = 1 }\n";

    fn refused(text: &str) -> String {
        StudySpec::parse(Path::new("s.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn a_study_file_is_read() {
        let spec = StudySpec::parse(Path::new("s.toml"), GOOD).unwrap();
        assert_eq!(spec.seeds, [3, 1]);
        assert_eq!(spec.methods[0].label, "m");
        assert_eq!(spec.methods[0].options["k"], 1);
        assert!(spec.tuned);
        let counted = StudySpec::parse(Path::new("s.toml"), &GOOD.replace("[3, 1]", "2")).unwrap();
        assert_eq!(counted.seeds, [0, 1]);
    }

    #[test]
    fn errors_name_line_and_column() {
        assert!(
            refused("name = \"x\"\nproblems = [").starts_with("s.toml:2:"),
            "{}",
            refused("name = \"x\"\nproblems = [")
        );
        let unknown = refused(&GOOD.replace("seeds", "sedes"));
        assert!(unknown.starts_with("s.toml:3:1: ") && unknown.contains("sedes"), "{unknown}");
        let kind = refused(&GOOD.replace("[3, 1]", "\"five\""));
        assert!(kind.starts_with("s.toml:3:") && kind.contains("whole number"), "{kind}");
        assert!(refused(&GOOD.replace("[3, 1]", "[3, 3]")).contains("seed 3 is given twice"));
        assert!(refused(&GOOD.replace("\"x\"", "\"../x\"")).contains("cannot name a study"));
        assert!(
            refused(&GOOD.replace("[\"a\"]", "[]"))
                .starts_with("s.toml:2:12: a study needs at least one problem")
        );
        let twice = format!("{GOOD}[[methods]]\nmethod = \"m\"\n");
        assert!(refused(&twice).contains("given twice; give two option sets"));
    }

    #[test]
    fn a_study_with_more_seeds_than_memory_is_refused() {
        for seeds in ["4294967295", "100001", "99999999999999"] {
            let refused = refused(&GOOD.replace("[3, 1]", seeds));
            assert!(refused.starts_with("s.toml:3:") && refused.contains("up to 100000"), "{refused}");
        }
        assert_eq!(
            StudySpec::parse(Path::new("s.toml"), &GOOD.replace("[3, 1]", "100000")).unwrap().seeds.len(),
            100_000
        );
    }

    /// A text that `toml` reads back.
    fn quoted(text: &str) -> String {
        toml::Value::String(text.to_owned()).to_string()
    }

    proptest! {
        #![proptest_config(Config { cases: 300, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..Config::default() })]

        #[test]
        fn what_is_written_into_a_study_file_is_read(
            name in "[A-Za-z0-9+_][A-Za-z0-9é ._+-]{0,12}",
            problems in prop::collection::hash_set("\\PC{1,8}", 1..4),
            labels in prop::collection::hash_set("\\PC{1,8}", 1..4),
            seeds in prop::collection::hash_set(0..i64::MAX as u64, 1..5),
            steps in prop::option::of(1..i64::MAX as u64),
            tuned: bool,
        ) {
            let list = |words: &mut dyn Iterator<Item = String>| words.collect::<Vec<_>>().join(", ");
            let mut text = format!(
                "name = {}\nproblems = [{}]\nseeds = [{}]\ntuned = {tuned}\n",
                quoted(&name),
                list(&mut problems.iter().map(|problem| quoted(problem))),
                list(&mut seeds.iter().map(u64::to_string)),
            );
            if let Some(steps) = steps {
                text += &format!("steps = {steps}\n");
            }
            for label in &labels {
                text += &format!("[[methods]]\nmethod = \"m\"\nlabel = {}\n", quoted(label));
            }
            let spec = StudySpec::parse(Path::new("s.toml"), &text).unwrap();
            prop_assert_eq!((spec.name, spec.steps, spec.tuned), (name, steps, tuned));
            prop_assert_eq!(spec.problems.into_iter().collect::<HashSet<_>>(), problems);
            prop_assert_eq!(spec.seeds.into_iter().collect::<HashSet<_>>(), seeds);
            let read: HashSet<String> = spec.methods.into_iter().map(|method| method.label).collect();
            prop_assert_eq!(read, labels);
        }

        #[test]
        fn a_damaged_study_file_is_refused_in_its_place(at: prop::sample::Index, damage in "[\\[\\]{}=\"a-z0-9\n.-]{0,3}") {
            let at = at.index(GOOD.len());
            let text = format!("{}{damage}{}", &GOOD[..at], &GOOD[(at + damage.len()).min(GOOD.len())..]);
            match StudySpec::parse(Path::new("s.toml"), &text) {
                Ok(spec) => prop_assert!(spec.check().is_ok()),
                Err(Error::Parse { line, column, .. }) => {
                    prop_assert!((1..=text.matches('\n').count() + 1).contains(&line) && column >= 1);
                }
                Err(other) => prop_assert!(false, "an error without a place: {other}"),
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(?s).*") {
            let _ = StudySpec::parse(Path::new("s.toml"), &text);
        }
    }
}

//! Papers and their claims, read from TOML.

use std::path::Path;

use quire_core::error::line_and_column;
use quire_core::{Error, Registry, Result};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::expression::Expectation;
use super::verdict::ClaimVerdict;
use crate::spec::{ContestantEntry, SeedsEntry, StudySpec};
use crate::store::NewStudy;

/// A paper: what it gave and what it states.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Paper {
    /// Its short name: the name of its file.
    pub slug: String,
    /// Its title.
    pub title: String,
    /// Its arXiv identifier, or another locator where there is none.
    pub arxiv: String,
    /// The wing its methods belong to.
    pub wing: String,
    /// The methods it gave.
    pub methods: Vec<String>,
    /// What holds for all claims: settings that are the paper's, and those that are not.
    pub protocol: String,
    /// What it states.
    pub claims: Vec<Claim>,
}

/// A sentence of a paper, with the study that measures it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Claim {
    /// Its name within the paper.
    pub id: String,
    /// The slug of its paper.
    pub paper: String,
    /// What the paper states, in our words.
    pub text: String,
    /// Where: a table, a figure, a theorem.
    pub source: String,
    /// What was scaled down against the paper.
    pub scaled_down: String,
    /// What has to be found for the claim to hold.
    #[serde(serialize_with = "as_written")]
    pub expectations: Vec<Expectation>,
    /// The study at full length.
    pub study: StudySpec,
    /// What the quick study has fewer of.
    pub quick: Quick,
}

/// A shorter study; `None` is as the full one.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Quick {
    /// Its seeds.
    pub seeds: Option<Vec<u64>>,
    /// The length of its runs.
    pub steps: Option<u64>,
}

/// A paper in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PaperListing<'a> {
    /// Its short name.
    pub slug: &'a str,
    /// Its title.
    pub title: &'a str,
    /// Its arXiv identifier.
    pub arxiv: &'a str,
    /// The wing its methods belong to.
    pub wing: &'a str,
    /// The methods it gave.
    pub methods: &'a [String],
    /// Its claims.
    pub claims: Vec<ClaimListing<'a>>,
}

/// A claim in a list.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClaimListing<'a> {
    /// Its name within the paper.
    pub id: &'a str,
    /// What it says.
    pub text: &'a str,
}

fn as_written<S: serde::Serializer>(expectations: &[Expectation], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(expectations.iter().map(|expectation| &expectation.text))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    arxiv: String,
    wing: String,
    methods: Vec<String>,
    protocol: String,
    claims: Vec<ClaimEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimEntry {
    id: Spanned<String>,
    text: Spanned<String>,
    source: String,
    scaled_down: String,
    expectations: Spanned<Vec<Spanned<String>>>,
    study: StudyEntry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StudyEntry {
    problems: Spanned<Vec<String>>,
    seeds: Option<Spanned<SeedsEntry>>,
    steps: Option<Spanned<u64>>,
    #[serde(default = "yes")]
    tuned: bool,
    methods: Spanned<Vec<ContestantEntry>>,
    quick: Option<Spanned<QuickEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuickEntry {
    seeds: Option<SeedsEntry>,
    steps: Option<u64>,
}

fn yes() -> bool {
    true
}

/// An error at a byte of the file.
type At<T> = Result<T, (usize, String)>;

impl Paper {
    /// Reads a paper's file; its slug is the file's name.
    ///
    /// # Errors
    /// [`Error::Parse`] with line and column: of the TOML, of an expectation, of a study that makes no sense.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let error_at = |(offset, problem): (usize, String)| {
            let (line, column) = line_and_column(text, offset);
            Error::Parse { path: path.to_owned(), line, column, problem }
        };
        let file: File = toml::from_str(text)
            .map_err(|e| error_at((e.span().map_or(0, |span| span.start), e.message().trim().to_owned())))?;
        let slug = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let mut claims: Vec<Claim> = Vec::new();
        for entry in file.claims {
            let at = entry.id.span().start;
            let claim = entry.claim(&slug, text).map_err(error_at)?;
            if claims.iter().any(|known| known.id == claim.id) {
                return Err(error_at((at, format!("claim `{}` is given twice", claim.id))));
            }
            claims.push(claim);
        }
        if claims.is_empty() {
            return Err(error_at((0, "a paper needs at least one claim".into())));
        }
        Ok(Paper {
            slug,
            title: file.title,
            arxiv: file.arxiv,
            wing: file.wing,
            methods: file.methods,
            protocol: file.protocol.trim().to_owned(),
            claims,
        })
    }

    /// The claim with this id.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest ids if there is none.
    pub fn claim(&self, id: &str) -> Result<&Claim> {
        self.claims.iter().find(|claim| claim.id == id).ok_or_else(|| {
            Error::unknown(
                format!("claim of {}", self.slug),
                id,
                self.claims.iter().map(|claim| claim.id.as_str()),
                format!("quire show papers/{}", self.slug),
            )
        })
    }

    /// What a list of papers shows of it.
    pub fn listing(&self) -> PaperListing<'_> {
        PaperListing {
            slug: &self.slug,
            title: &self.title,
            arxiv: &self.arxiv,
            wing: &self.wing,
            methods: &self.methods,
            claims: self
                .claims
                .iter()
                .map(|claim| ClaimListing { id: &claim.id, text: &claim.text })
                .collect(),
        }
    }
}

impl ClaimEntry {
    fn claim(self, paper: &str, text: &str) -> At<Claim> {
        let id_at = self.id.span().start;
        let id = self.id.into_inner();
        if id.is_empty() || !id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
            let rule = "use small letters, digits and -";
            return Err((id_at, format!("`{id}` cannot name a claim: {rule}")));
        }
        if self.text.get_ref().trim().is_empty() {
            return Err((self.text.span().start, "a claim needs a text".into()));
        }
        let (study, quick) = self.study.study(format!("{paper}-{id}"), id_at)?;
        if self.expectations.get_ref().is_empty() {
            return Err((self.expectations.span().start, "a claim needs at least one expectation".into()));
        }
        let expectations = self.expectations.into_inner().into_iter().map(|entry| {
            let span = entry.span();
            let written = entry.into_inner();
            let place = |position| place_in_string(text, span.start, &written, position);
            let expectation =
                Expectation::parse(&written).map_err(|error| (place(error.position), error.problem))?;
            fits(&expectation, &study).map_err(|(position, problem)| (place(position), problem))?;
            Ok(expectation)
        });
        Ok(Claim {
            expectations: expectations.collect::<At<_>>()?,
            id,
            paper: paper.to_owned(),
            text: self.text.into_inner().trim().to_owned(),
            source: self.source,
            scaled_down: self.scaled_down,
            study,
            quick,
        })
    }
}

impl StudyEntry {
    /// The full study and what the quick one has fewer of. `elsewhere` is a place in the file for errors without one.
    fn study(self, name: String, elsewhere: usize) -> At<(StudySpec, Quick)> {
        let spec = StudySpec {
            name,
            problems: self.problems.get_ref().clone(),
            methods: self.methods.get_ref().iter().map(ContestantEntry::contestant).collect(),
            seeds: SeedsEntry::seeds(self.seeds.as_ref().map(Spanned::get_ref)),
            steps: self.steps.as_ref().map(|steps| *steps.get_ref()),
            tuned: self.tuned,
        };
        let start = |field: &str| match field {
            "problems" => self.problems.span().start,
            "seeds" => self.seeds.as_ref().map_or(elsewhere, |seeds| seeds.span().start),
            "steps" => self.steps.as_ref().map_or(elsewhere, |steps| steps.span().start),
            "methods" => self.methods.span().start,
            _ => elsewhere,
        };
        spec.check().map_err(|(field, problem)| (start(field), problem))?;
        let quick_at = self.quick.as_ref().map_or(elsewhere, |quick| quick.span().start);
        let quick = self.quick.map_or_else(Quick::default, |quick| {
            let QuickEntry { seeds, steps } = quick.into_inner();
            Quick { seeds: seeds.map(|seeds| SeedsEntry::seeds(Some(&seeds))), steps }
        });
        quick.applied_to(&spec).check().map_err(|(_, problem)| (quick_at, problem))?;
        Ok((spec, quick))
    }
}

impl Quick {
    fn applied_to(&self, study: &StudySpec) -> StudySpec {
        let mut spec = study.clone();
        spec.seeds = self.seeds.clone().unwrap_or(spec.seeds);
        spec.steps = self.steps.or(spec.steps);
        spec
    }
}

/// Checks that the methods and the problem of an expectation are in its study.
fn fits(expectation: &Expectation, study: &StudySpec) -> At<()> {
    for reading in &expectation.readings {
        let labels = || study.methods.iter().map(|method| method.label.as_str());
        if !labels().any(|label| label == reading.label) {
            let error = Error::unknown("method of this claim's study", &reading.label, labels(), "");
            return Err((reading.label_position, error.to_string()));
        }
    }
    match &expectation.problem {
        Some((at, name)) if !study.problems.contains(name) => {
            let known = study.problems.iter().map(String::as_str);
            Err((*at, Error::unknown("problem of this claim's study", name, known, "").to_string()))
        }
        _ => Ok(()),
    }
}

impl Claim {
    /// The study that measures the claim, at full length or the quick one; `seeds` replaces its seeds by 0, 1, 2, ...
    ///
    /// Its name is `<paper>-<claim>`.
    pub fn study_spec(&self, quick: bool, seeds: Option<u64>) -> StudySpec {
        let mut spec = if quick { self.quick.applied_to(&self.study) } else { self.study.clone() };
        if let Some(count) = seeds {
            spec.seeds = (0..count).collect();
        }
        spec
    }

    /// True if a study of so many seeds and of runs this long (`None` is the problem's own budget) falls short of what the
    /// claim asks for at full length.
    pub fn is_shortened(&self, seeds: usize, steps: Option<u64>) -> bool {
        let shorter_runs = match (steps, self.study.steps) {
            (Some(steps), Some(full)) => steps < full,
            (Some(_), None) => true,
            (None, _) => false,
        };
        shorter_runs || seeds < self.study.seeds.len()
    }

    /// True if a verdict is about the claim as it is stated now, not as it was stated once.
    pub fn is_answered_by(&self, verdict: &ClaimVerdict) -> bool {
        let mut judged: Vec<&str> =
            verdict.expectations.iter().map(|measured| measured.expression.as_str()).collect();
        judged.dedup(); // an expectation about several problems comes once for each
        let stated = self.expectations.iter().map(|expectation| expectation.text.as_str());
        verdict.id == self.id && judged.into_iter().eq(stated)
    }

    /// The study as it is entered into a store. Beyond [`StudySpec::plan`], it checks that the problems record what the
    /// expectations read.
    ///
    /// # Errors
    /// As [`StudySpec::plan`]; [`Error::Unknown`] for a metric that a problem does not have.
    pub fn plan(
        &self,
        registry: &Registry,
        quick: bool,
        seeds: Option<u64>,
        command: String,
        commit: Option<String>,
    ) -> Result<NewStudy> {
        let study = self.study_spec(quick, seeds).plan(registry, command, commit)?;
        for expectation in &self.expectations {
            let about = |name: &str| expectation.problem.as_ref().is_none_or(|(_, only)| only == name);
            for problem in study.problems.iter().filter(|problem| about(&problem.name)) {
                for reading in &expectation.readings {
                    let metrics = || problem.metrics.iter().map(|metric| metric.name.as_str());
                    if !metrics().any(|metric| metric == reading.metric) {
                        let kind = format!("metric of {}", problem.name);
                        return Err(Error::unknown(kind, &reading.metric, metrics(), ""));
                    }
                }
            }
        }
        Ok(study)
    }
}

/// The byte of the file where byte `position` of a string stands that was read from the literal beginning at `start`. A
/// literal with escapes does not stand there as it was read; then it is the literal's first byte.
fn place_in_string(file: &str, start: usize, read: &str, position: usize) -> usize {
    let literal = &file[start..];
    let quotes = if literal.starts_with("\"\"\"") || literal.starts_with("'''") { 3 } else { 1 };
    let mut inside = quotes;
    if quotes == 3 {
        // A line break right after the opening quotes is not part of the string.
        let rest = &literal[quotes..];
        inside += ["\r\n", "\n"].iter().find(|newline| rest.starts_with(**newline)).map_or(0, |n| n.len());
    }
    match literal.get(inside..).is_some_and(|written| written.starts_with(read)) {
        true => start + inside + position.min(read.len()),
        false => start,
    }
}

#[cfg(test)]
mod tests;

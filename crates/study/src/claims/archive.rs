//! Verdicts kept in files: one JSON file a paper, beside the studies that they come from.
//!
//! ```text
//! quire-out/
//!   quire.db
//!   studies/7-redq-fast-without-a-model/report.html
//!   papers/redq.json                                   verdicts on the claims of redq, the latest of each
//!   papers/redq.html                                   the same to read
//!   papers/index.html                                  all papers
//! ```

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use quire_core::{Error, Result, files};

use super::paper::Paper;
use super::verdict::{ClaimVerdict, PaperVerdict};

/// The verdicts kept in an output folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    out: PathBuf,
}

/// What became of a verdict that was to be kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Kept {
    /// It is kept, in place of an earlier one if there was one.
    Entered,
    /// A verdict at full length was there, and a quick one does not replace it.
    FullLengthStays(Box<ClaimVerdict>),
}

impl Archive {
    /// The archive in an output folder, the one with the store. Nothing is made before something is kept.
    pub fn new(out: impl Into<PathBuf>) -> Self {
        Archive { out: out.into() }
    }

    /// The folder of verdicts and of their pages.
    pub fn folder(&self) -> PathBuf {
        self.out.join("papers")
    }

    /// The page about a paper.
    pub fn page(&self, slug: &str) -> PathBuf {
        self.folder().join(format!("{slug}.html"))
    }

    /// The page about all papers.
    pub fn index(&self) -> PathBuf {
        self.folder().join("index.html")
    }

    /// The file of a paper's verdicts.
    pub fn file(&self, slug: &str) -> PathBuf {
        self.folder().join(format!("{slug}.json"))
    }

    /// The verdicts kept about a paper, in the order of its claims. Pages of studies that are gone are left out.
    ///
    /// # Errors
    /// [`Error::Io`] if the file can't be read, [`Error::File`] if it is damaged.
    pub fn read(&self, slug: &str) -> Result<Vec<ClaimVerdict>> {
        let path = self.file(slug);
        if !path.exists() {
            return Ok(Vec::new());
        }
        let kept: PaperVerdict = serde_json::from_str(&files::read_text(&path)?).map_err(|e| {
            let remedy = "move it away and measure the claims again";
            Error::file(&path, format!("is no file of verdicts ({e}); {remedy}"))
        })?;
        let there = |report: &String| self.out.join(report).exists();
        let claims = kept.claims.into_iter();
        Ok(claims.map(|claim| ClaimVerdict { report: claim.report.filter(there), ..claim }).collect())
    }

    /// Keeps a verdict. It replaces an earlier one on the same claim, and that one only; but a quick one does not replace
    /// one at full length, unless that one is about a claim that has been stated anew since.
    ///
    /// # Errors
    /// As [`read`](Archive::read); [`Error::Io`] if the folder can't be written.
    pub fn keep(&self, paper: &Paper, verdict: &ClaimVerdict) -> Result<Kept> {
        // Two processes may measure claims of one paper: reading, changing and writing must not interleave.
        let _lock = self.lock()?;
        let mut claims = self.read(&paper.slug)?;
        match claims.iter_mut().find(|known| known.id == verdict.id) {
            Some(known) => {
                let counts = paper.claim(&known.id).is_ok_and(|claim| claim.is_answered_by(known));
                if verdict.quick && !known.quick && counts {
                    return Ok(Kept::FullLengthStays(Box::new(known.clone())));
                }
                *known = verdict.clone();
            }
            None => claims.push(verdict.clone()),
        }
        let place = |id: &str| paper.claims.iter().position(|claim| claim.id == id).unwrap_or(usize::MAX);
        claims.sort_by_key(|claim| place(&claim.id));
        let text = serde_json::to_string_pretty(&PaperVerdict::of(paper, claims))
            .map_err(|e| Error::Failed(format!("the verdicts on {} cannot be encoded: {e}", paper.slug)))?;
        files::write_atomic(self.file(&paper.slug), format!("{text}\n").as_bytes())?;
        Ok(Kept::Entered)
    }

    /// Holds the folder's lock file as long as the result lives.
    pub(super) fn lock(&self) -> Result<File> {
        let folder = self.folder();
        fs::create_dir_all(&folder).map_err(|e| Error::io("create the folder", &folder, e))?;
        let path: &Path = &folder.join(".lock");
        let file = File::create(path).map_err(|e| Error::io("create", path, e))?;
        file.lock().map_err(|e| Error::io("lock", path, e))?;
        Ok(file)
    }
}

impl PaperVerdict {
    /// Verdicts on a paper's claims, with what the paper is.
    pub fn of(paper: &Paper, claims: Vec<ClaimVerdict>) -> Self {
        PaperVerdict {
            paper: paper.slug.clone(),
            title: paper.title.clone(),
            arxiv: paper.arxiv.clone(),
            protocol: paper.protocol.clone(),
            claims,
        }
    }
}

#[cfg(test)]
mod tests;

//! What a paper states beside what has been measured of it so far.

use serde::{Serialize, Serializer};

use super::paper::{Claim, Paper};
use super::verdict::{ClaimVerdict, Verdict};
use crate::spec::StudySpec;

/// Where a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It was measured.
    Measured(Verdict),
    /// Nothing has been measured, or only what was stated once and is stated otherwise now.
    NotMeasured,
}

impl Standing {
    /// All of them, in the order in which they are listed and counted.
    pub const ALL: [Standing; 4] = [
        Standing::Measured(Verdict::Holds),
        Standing::Measured(Verdict::Fails),
        Standing::Measured(Verdict::NotShown),
        Standing::NotMeasured,
    ];

    /// As users see it: `holds`, `fails`, `not shown`, `not measured`.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Measured(verdict) => verdict.as_str(),
            Standing::NotMeasured => "not measured",
        }
    }
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Standing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A paper and where its claims stand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PaperStanding<'a> {
    /// Its short name.
    pub slug: &'a str,
    /// Its title.
    pub title: &'a str,
    /// Its arXiv identifier, or another locator where there is none.
    pub arxiv: &'a str,
    /// The wing its methods belong to.
    pub wing: &'a str,
    /// The methods it gave.
    pub methods: &'a [String],
    /// What holds for all claims: settings that are the paper's, and those that are not.
    pub protocol: &'a str,
    /// Its claims.
    pub claims: Vec<ClaimStanding<'a>>,
}

/// A claim and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClaimStanding<'a> {
    /// Its name within the paper.
    pub id: &'a str,
    /// What the paper states, in our words.
    pub text: &'a str,
    /// Where: a table, a figure, a theorem.
    pub source: &'a str,
    /// What was scaled down against the paper.
    pub scaled_down: &'a str,
    /// What has to be found for the claim to hold.
    pub expectations: Vec<&'a str>,
    /// The study that measures it, at full length.
    pub study: &'a StudySpec,
    /// Where it stands.
    pub verdict: Standing,
    /// True if it stands on a quick measurement.
    pub quick: bool,
    /// True if it was measured when it was stated otherwise, which counts for nothing now.
    pub outdated: bool,
    /// What was measured of it.
    pub measurement: Option<ClaimVerdict>,
}

impl<'a> PaperStanding<'a> {
    /// A paper beside the verdicts that are kept about it. Verdicts on claims that it has no more are left out.
    pub fn new(paper: &'a Paper, mut kept: Vec<ClaimVerdict>) -> Self {
        let mut take = |id: &str| {
            let at = kept.iter().position(|verdict| verdict.id == id)?;
            Some(kept.swap_remove(at))
        };
        PaperStanding {
            slug: &paper.slug,
            title: &paper.title,
            arxiv: &paper.arxiv,
            wing: &paper.wing,
            methods: &paper.methods,
            protocol: &paper.protocol,
            claims: paper.claims.iter().map(|claim| ClaimStanding::new(claim, take(&claim.id))).collect(),
        }
    }

    /// Where the paper is to be found on the web, as far as its locator says: an arXiv identifier, a DOI or an address.
    pub fn link(&self) -> Option<String> {
        let is_doi = self.arxiv.starts_with("10.") && self.arxiv.contains('/');
        let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        let parts = self.arxiv.split_once('/').or_else(|| self.arxiv.split_once('.'));
        let (before, after) = parts.unwrap_or((self.arxiv, ""));
        let plain = before.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
        let after = after.split('v').next().unwrap_or(after);
        if is_doi {
            Some(format!("https://doi.org/{}", self.arxiv))
        } else if self.arxiv.starts_with("https://") || self.arxiv.starts_with("http://") {
            Some(self.arxiv.to_owned())
        } else if plain && after.len() >= 4 && is_number(after) {
            Some(format!("https://arxiv.org/abs/{}", self.arxiv))
        } else {
            None
        }
    }

    /// The locator as it is shown: `arXiv:2101.05982`, or as it is where it is no arXiv identifier.
    pub fn locator(&self) -> String {
        let is_arxiv = self.link().is_some_and(|link| link.starts_with("https://arxiv.org/abs/"));
        if is_arxiv { format!("arXiv:{}", self.arxiv) } else { self.arxiv.to_owned() }
    }
}

impl<'a> ClaimStanding<'a> {
    fn new(claim: &'a Claim, kept: Option<ClaimVerdict>) -> Self {
        let outdated = kept.as_ref().is_some_and(|verdict| !claim.is_answered_by(verdict));
        let measurement = kept.filter(|_| !outdated);
        ClaimStanding {
            id: &claim.id,
            text: &claim.text,
            source: &claim.source,
            scaled_down: &claim.scaled_down,
            expectations: claim.expectations.iter().map(|expectation| expectation.text.as_str()).collect(),
            study: &claim.study,
            verdict: measurement
                .as_ref()
                .map_or(Standing::NotMeasured, |verdict| Standing::Measured(verdict.verdict)),
            quick: measurement.as_ref().is_some_and(|verdict| verdict.quick),
            outdated,
            measurement,
        }
    }
}

#[cfg(test)]
mod tests;

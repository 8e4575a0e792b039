//! Claims: sentences of papers, each written as a study and expectations about it, measured and judged.
//!
//! A paper is one file, `papers/<slug>.toml`, compiled in:
//!
//! ```toml
//! title = "Deep Reinforcement Learning with Double Q-learning"
//! arxiv = "1509.06461"
//! wing = "rl"
//! methods = ["double-dqn"]
//! protocol = "What holds for all claims: which settings are the paper's and which are not."
//!
//! [[claims]]
//! id = "less-overestimation"
//! text = "Double DQN's values are nearer to the returns that follow than DQN's."
//! source = "Figure 3"
//! scaled_down = "CartPole-v1 in place of Atari; a network of two layers."
//! expectations = ["abs(value_bias(double-dqn)) < abs(value_bias(dqn))"]
//!
//! [claims.study]                  # as a study file, without a name
//! problems = ["CartPole-v1"]
//! seeds = 10
//! steps = 50_000
//! methods = [{ method = "dqn" }, { method = "double-dqn" }]
//! quick = { seeds = 3, steps = 10_000 }
//! ```
//!
//! [`expression`] says what an expectation may be, [`mod@evaluate`] how it is judged: *holds*, *fails* or *not shown*, never
//! more than was measured. Verdicts are kept beside the studies they come from, one file a paper.
//!
//! | file | what it holds |
//! |---|---|
//! | [`mod@paper`] | [`Paper`], [`Claim`]: the files and the studies in them |
//! | [`expression`] | expectations: a small language over metrics |
//! | [`mod@evaluate`] | [`evaluate()`]: a study in a store, judged |
//! | [`verdict`] | [`PaperVerdict`] and all in it: what was found, as plain values |
//! | [`contrast`] | an expectation's two sides as one number against a line, for figures |
//! | [`archive`] | [`Archive`]: verdicts kept in files |
//! | [`sitting`] | [`Sitting`]: what was begun and not ended, to go on with |
//! | [`standing`] | [`PaperStanding`]: what a paper states beside what was measured of it so far |

pub mod archive;
pub mod contrast;
pub mod evaluate;
pub mod expression;
pub mod paper;
pub mod sitting;
pub mod standing;
pub mod verdict;

use std::path::Path;

use quire_core::{Error, Result};

pub use archive::{Archive, Kept};
pub use contrast::Contrast;
pub use evaluate::evaluate;
pub use paper::{Claim, Paper, PaperListing};
pub use sitting::Sitting;
pub use standing::{ClaimStanding, PaperStanding, Standing};
pub use verdict::{ClaimVerdict, Measured, PaperVerdict, RunLength, Statistic, Values, Verdict};

/// File names and texts of all papers, in the order of their names.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/papers.rs"));

/// All papers, in the order of their slugs.
///
/// # Errors
/// [`Error::Parse`] if a compiled-in file is faulty, which a test rules out.
pub fn papers() -> Result<Vec<Paper>> {
    FILES.iter().map(|(name, text)| Paper::parse(&Path::new("papers").join(name), text)).collect()
}

/// The paper with this slug or arXiv identifier. `papers/redq`, `papers/redq.toml` and `arXiv:2101.05982` are understood
/// too: they cannot be mistaken for the method `redq`.
///
/// # Errors
/// [`Error::Unknown`] with the nearest slugs if there is none.
pub fn paper(slug: &str) -> Result<Paper> {
    let papers = papers()?;
    let number = slug.strip_prefix("arXiv:").unwrap_or(slug);
    let slug = slug.strip_prefix("papers/").map_or(slug, |file| file.strip_suffix(".toml").unwrap_or(file));
    let known: Vec<String> = papers.iter().map(|paper| paper.slug.clone()).collect();
    papers
        .into_iter()
        .find(|paper| paper.slug == slug || paper.arxiv == number)
        .ok_or_else(|| Error::unknown("paper", slug, known.iter().map(String::as_str), "quire list papers"))
}

//! Papers on one page: what they state, what was measured, how far it is from the line.
//!
//! [`index`] is the bibliography, every paper of the registry whether measured or not; [`paper`] is one of them by itself.
//!
//! | file | what it holds |
//! |---|---|
//! | here | the two pages, the overview, the filter |
//! | `card` | a paper with its claims |
//! | `claim` | a claim with its verdict, its numbers and how they were come by |
//! | `bibliography.css`, `bibliography.js` | looks, filter |

mod card;
mod claim;

use std::fmt::Write;
use std::path::Path;

use quire_core::{Result, files};

use self::claim::{badge, mark};
use super::figures::CHART_STYLE;
use super::{document, escape};
use crate::claims::{Archive, ClaimStanding, PaperStanding, Standing};
use crate::format::counted;

/// Writes the page about all papers.
///
/// # Errors
/// [`quire_core::Error::Io`] if the file can't be written.
pub fn write_index(papers: &[PaperStanding<'_>], path: impl AsRef<Path>) -> Result<()> {
    files::write_atomic(path, index(papers).as_bytes())
}

/// Writes the page about one paper into the archive.
///
/// # Errors
/// [`quire_core::Error::Io`] if the file can't be written.
pub fn write_paper(standing: &PaperStanding<'_>, archive: &Archive) -> Result<()> {
    files::write_atomic(archive.page(standing.slug), paper(standing).as_bytes())
}

/// The page about all papers. Links to studies are relative to a folder beside that of the studies.
pub fn index(papers: &[PaperStanding<'_>]) -> String {
    let mut body = String::new();
    let _ = write!(
        body,
        r#"<header><p class="kicker">Quire · papers and their claims</p><h1>What papers claim, measured</h1><p class="finding">{}</p><p class="protocol">{ABOUT}</p></header>"#,
        escape(&finding(papers))
    );
    filter(&mut body, papers);
    overview(&mut body, papers);
    for paper in papers {
        card::card(&mut body, paper, true);
    }
    body.push_str(HOW_TO_READ);
    page("What papers claim, measured", &body)
}

/// The page about one paper.
pub fn paper(standing: &PaperStanding<'_>) -> String {
    let mut body = String::new();
    let _ = write!(
        body,
        r#"<header><p class="kicker">Quire · a paper and its claims</p><h1>{}</h1><p class="finding">{}</p></header>"#,
        escape(standing.title),
        escape(&finding(std::slice::from_ref(standing)))
    );
    card::card(&mut body, standing, false);
    body.push_str(HOW_TO_READ);
    page(standing.title, &body)
}

fn page(title: &str, body: &str) -> String {
    let styles = [include_str!("../style.css"), CHART_STYLE, include_str!("bibliography.css")];
    document(title, quire_core::VERSION, &styles, body, include_str!("bibliography.js"))
}

/// How many claims of how many papers stand where, in a sentence or two.
pub fn finding(papers: &[PaperStanding<'_>]) -> String {
    let claims: Vec<&ClaimStanding<'_>> = papers.iter().flat_map(|paper| &paper.claims).collect();
    let measured: Vec<_> = claims.iter().filter(|claim| claim.verdict != Standing::NotMeasured).collect();
    let of = match papers {
        [_] => counted(claims.len(), "claim"),
        several => format!("{} of {}", counted(claims.len(), "claim"), counted(several.len(), "paper")),
    };
    if measured.is_empty() {
        return format!("Nothing has been measured yet of {of}.");
    }
    let count = |verdict: &str| measured.iter().filter(|claim| claim.verdict.as_str() == verdict).count();
    let plural =
        |count: usize, one: &str, more: &str| format!("{count} {}", if count == 1 { one } else { more });
    let quick = match measured.iter().filter(|claim| claim.quick).count() {
        0 => String::new(),
        quick => format!(" {} on a quick measurement only.", plural(quick, "rests", "rest")),
    };
    format!(
        "Of {of}, {}: {}, {}, {}.{quick}",
        plural(measured.len(), "was measured", "were measured"),
        plural(count("holds"), "holds", "hold"),
        plural(count("fails"), "fails", "fail"),
        plural(count("not shown"), "is not shown", "are not shown"),
    )
}

/// What the reader filters by; hidden unless there is a script to do it.
fn filter(out: &mut String, papers: &[PaperStanding<'_>]) {
    let mut wings: Vec<&str> = papers.iter().map(|paper| paper.wing).collect();
    wings.sort_unstable();
    wings.dedup();
    let options = |values: &mut dyn Iterator<Item = &str>| -> String {
        values.map(|value| format!("<option>{}</option>", escape(value))).collect()
    };
    let verdicts = Standing::ALL.map(Standing::as_str);
    let _ = write!(
        out,
        r#"<form class="filter" id="filter" role="search" hidden><label class="grow">Find<input type="search" name="text" placeholder="title, method, claim, problem" autocomplete="off"></label><label>Wing<select name="wing"><option value="">all</option>{}</select></label><label>Verdict<select name="verdict"><option value="">all</option>{}<option>quick</option></select></label><p class="shown" aria-live="polite"></p></form>"#,
        options(&mut wings.into_iter()),
        options(&mut verdicts.into_iter()),
    );
}

/// One row a paper.
fn overview(out: &mut String, papers: &[PaperStanding<'_>]) {
    out.push_str(
        r#"<section id="overview"><h2>Overview</h2><div class="scroll"><table class="overview"><thead><tr><th scope="col">Paper</th><th scope="col">Wing</th><th scope="col">Claims</th></tr></thead><tbody>"#,
    );
    for paper in papers {
        let marks: String = paper.claims.iter().map(|claim| mark(paper.slug, claim)).collect();
        let _ = write!(
            out,
            r##"<tr data-paper="{slug}"><th scope="row"><a href="#{slug}">{}</a></th><td>{}</td><td class="marks">{marks}</td></tr>"##,
            escape(paper.title),
            escape(paper.wing),
            slug = escape(paper.slug),
        );
    }
    out.push_str(r#"</tbody></table></div><p class="legend">"#);
    for standing in Standing::ALL {
        out.push_str(&badge(standing));
    }
    out.push_str("</p></section>");
}

const ABOUT: &str = "Each claim is written as a study and expectations about its numbers. It holds if every 95 % interval \
                     lies on the expected side of its line, fails if one lies on the other side, and is not shown \
                     otherwise. What was scaled down against the paper is said with each claim.";

const HOW_TO_READ: &str = r#"<details class="how"><summary>How to read this page</summary><dl class="terms">
<dt>holds, fails, not shown</dt><dd>The 95 % interval lies wholly on the expected side of the line, wholly on the other side, or across it. A claim holds if all its expectations do, and fails if one does. Not shown is no refutation: more seeds may decide it.</dd>
<dt>quick</dt><dd>Measured with fewer seeds or shorter runs than the claim asks for. A quick measurement never replaces a whole one.</dd>
<dt>The picture</dt><dd>The line in the middle of things is what the number is held against: the constant on the right of an expectation, or 0 for the difference of its two sides. The shaded side is the expected one. The bar is the interquartile mean, the box its 95 % interval, each dot one seed.</dd>
<dt>Interquartile mean</dt><dd>The mean of the seeds without the best and the worst quarter of them; the plain mean for fewer than four. Its interval is found by drawing the seeds anew many times, the same for every method.</dd>
</dl></details>"#;

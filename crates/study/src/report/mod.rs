//! A study on one page; a paper, or all of them, on one page.
//!
//! [`html`] gives a page about a study that needs nothing else: style, plots and script are inline, nothing is fetched.
//! Everything can be read without the script, which only adds a read-out under the pointer. [`curve_svg`] gives one plot
//! as a file of its own, [`forest_svg`] numbers with their intervals. [`bibliography`] gives pages about papers and their claims, made in the same way; their script
//! only adds a filter.
//!
//! | file | what it holds |
//! |---|---|
//! | `page` | the sections of a study's page |
//! | [`bibliography`] | the pages about papers |
//! | `figures` | from a summary to plots |
//! | `svg` | axes, lines, strips: a small plot library |
//! | `style.css`, `script.js` | looks, read-out |

pub mod bibliography;
mod figures;
mod page;
mod svg;

use std::path::Path;

use quire_core::{Result, files};

pub use figures::{CurveSvg, curve_svg, forest_html, forest_svg};
pub use page::html;
pub use svg::forest::{Forest, ForestRow};

use crate::StudySummary;

/// Writes the page of a study.
///
/// # Errors
/// [`quire_core::Error::Io`] if the file can't be written.
pub fn write_html(summary: &StudySummary, path: impl AsRef<Path>) -> Result<()> {
    files::write_atomic(path, html(summary).as_bytes())
}

/// A whole page: nothing outside it is needed to read it.
fn document(title: &str, version: &str, styles: &[&str], body: &str, script: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <meta name=\"generator\" content=\"Quire {}\">\n<title>{}</title>\n<style>\n{}</style>\n\
         </head>\n<body>\n<main>\n{body}</main>\n<script>\n{script}</script>\n</body>\n</html>\n",
        escape(version),
        escape(title),
        styles.concat(),
    )
}

/// Text within HTML or SVG.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

//! A study on one page.
//!
//! [`html`] gives a page that needs nothing else: style, plots and script are inline, nothing is fetched. Everything
//! can be read without the script, which only adds a read-out under the pointer. [`curve_svg`] gives one plot as a
//! file of its own.
//!
//! | file | what it holds |
//! |---|---|
//! | `page` | the page's sections |
//! | `figures` | from a summary to plots |
//! | `svg` | axes, lines, strips: a small plot library |
//! | `style.css`, `script.js` | looks, read-out |

mod figures;
mod page;
mod svg;

use std::path::Path;

use quire_core::{Result, files};

pub use figures::{CurveSvg, curve_svg};
pub use page::html;

use crate::StudySummary;

/// Writes the page of a study.
///
/// # Errors
/// [`quire_core::Error::Io`] if the file can't be written.
pub fn write_html(summary: &StudySummary, path: impl AsRef<Path>) -> Result<()> {
    files::write_atomic(path, html(summary).as_bytes())
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

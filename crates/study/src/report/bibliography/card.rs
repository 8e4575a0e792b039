//! A paper with its claims.

use std::fmt::Write;

use super::claim::claim;
use crate::claims::PaperStanding;
use crate::report::escape;

/// Writes a paper as a section; `titled` unless the page has its title already.
pub(super) fn card(out: &mut String, paper: &PaperStanding<'_>, titled: bool) {
    let _ = write!(
        out,
        r#"<section class="paper" id="{slug}" data-paper="{slug}" data-wing="{}">"#,
        escape(paper.wing),
        slug = escape(paper.slug),
    );
    if titled {
        let _ = write!(out, "<h2>{}</h2>", escape(paper.title));
    }
    let locator = escape(&paper.locator());
    let locator = match paper.link() {
        Some(link) => format!(r#"<a href="{}" rel="external">{locator}</a>"#, escape(&link)),
        None => locator,
    };
    let methods: Vec<String> =
        paper.methods.iter().map(|method| format!("<code>{}</code>", escape(method))).collect();
    let gave = if methods.is_empty() { String::new() } else { format!(" · gave {}", methods.join(", ")) };
    let _ = write!(
        out,
        r#"<p class="note meta">{locator} · wing <code>{}</code>{gave} · <code>quire show papers/{}</code></p>"#,
        escape(paper.wing),
        escape(paper.slug)
    );
    for each in &paper.claims {
        claim(out, paper.slug, each, if titled { "h3" } else { "h2" });
    }
    if !paper.protocol.is_empty() {
        let open = if titled { "" } else { " open" };
        let _ = write!(
            out,
            r#"<details{open}><summary>Protocol: what is the paper's and what is not</summary><p class="about">{}</p></details>"#,
            escape(paper.protocol)
        );
    }
    out.push_str("</section>\n");
}

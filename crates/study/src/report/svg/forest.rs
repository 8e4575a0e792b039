//! Numbers with their intervals, one row each, under one another.

use std::fmt::Write;

use super::scale::Scale;
use super::{at, text_width};
use crate::report::escape;

/// Size of the text, in units of the drawing.
const TEXT: f64 = 12.5;
/// Height of a row.
const ROW: f64 = 22.0;

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct ForestRow {
    /// What the number is of.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Its interval, if it has one.
    pub interval: Option<[f64; 2]>,
    /// What stands at the right end.
    pub note: String,
}

/// Rows that share an axis.
#[derive(Debug, Clone)]
pub struct Forest<'a> {
    /// The rows, from the top.
    pub rows: &'a [ForestRow],
    /// A heading.
    pub title: &'a str,
    /// What is along the axis.
    pub x_label: &'a str,
    /// What the notes are.
    pub note_label: &'a str,
    /// A value to mark with a dashed line.
    pub reference: Option<f64>,
    /// Width of the drawing.
    pub width: f64,
}

impl Forest<'_> {
    /// Height of the drawing.
    pub fn height(&self) -> f64 {
        64.0 + ROW * self.rows.len() as f64 + 46.0
    }

    /// The drawing: an `<svg>` element without the styles.
    pub fn svg(&self) -> String {
        let widest = |texts: &mut dyn Iterator<Item = &str>| texts.map(text_width).fold(0.0, f64::max) * TEXT;
        let names = self.rows.iter().map(|row| row.name.as_str());
        let most = 0.4 * self.width;
        let left = widest(&mut names.clone()).min(most) + 16.0;
        let notes = self.rows.iter().map(|row| row.note.as_str());
        let right = self.width - widest(&mut notes.chain([self.note_label])) - 20.0;
        let (top, bottom) = (64.0, 64.0 + ROW * self.rows.len() as f64);
        let ends = self.rows.iter().flat_map(|row| row.interval.into_iter().flatten().chain([row.value]));
        let scale = Scale::linear(ends.chain(self.reference), (left + 8.0, right - 8.0));
        let mut out = format!(
            r#"<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}"><text class="title" x="2" y="20">{}</text>"#,
            at(self.width),
            at(self.height()),
            escape(self.title),
            escape(self.title)
        );
        let _ = write!(
            out,
            r#"<text class="name" x="{}" y="{}" text-anchor="end">{}</text>"#,
            at(self.width - 2.0),
            at(top - 12.0),
            escape(self.note_label)
        );
        for (value, label) in scale.ticks(((right - left) / 95.0) as usize) {
            let _ = write!(
                out,
                r#"<line class="grid" x1="{p}" x2="{p}" y1="{}" y2="{}"/><text class="tick" x="{p}" y="{}" text-anchor="middle">{label}</text>"#,
                at(top - 4.0),
                at(bottom),
                at(bottom + 17.0),
                p = at(scale.place(value))
            );
        }
        if let Some(place) = self.reference.map(|reference| scale.place(reference)) {
            let _ = write!(
                out,
                r#"<line class="reference" x1="{p}" x2="{p}" y1="{}" y2="{}"/>"#,
                at(top - 4.0),
                at(bottom),
                p = at(place)
            );
        }
        out.push_str(r#"<g class="c0">"#);
        for (index, row) in self.rows.iter().enumerate() {
            let middle = top + ROW * (index as f64 + 0.5);
            if let Some([low, high]) = row.interval.filter(|ends| ends.iter().all(|end| end.is_finite())) {
                let _ = write!(
                    out,
                    r#"<line class="line" x1="{}" x2="{}" y1="{m}" y2="{m}"/>"#,
                    at(scale.place(low)),
                    at(scale.place(high)),
                    m = at(middle)
                );
            }
            if row.value.is_finite() {
                let place = at(scale.place(row.value));
                let _ = write!(out, r#"<circle class="dot" cx="{place}" cy="{}" r="4"/>"#, at(middle));
            }
        }
        out.push_str("</g>");
        for (index, row) in self.rows.iter().enumerate() {
            let line = at(top + ROW * (index as f64 + 0.5) + 4.3);
            let _ = write!(
                out,
                r#"<text class="tick" x="{}" y="{line}" text-anchor="end">{}</text><text class="tick" x="{}" y="{line}" text-anchor="end">{}</text>"#,
                at(left - 8.0),
                escape(&shortened(&row.name, most)),
                at(self.width - 2.0),
                escape(&row.note)
            );
        }
        let _ = write!(
            out,
            r#"<text class="name" x="{}" y="{}" text-anchor="middle">{}</text></svg>"#,
            at((left + right) / 2.0),
            at(bottom + 38.0),
            escape(self.x_label)
        );
        out
    }
}

/// A name that fits into `room`, cut at its end if need be.
fn shortened(name: &str, room: f64) -> String {
    if text_width(name) * TEXT <= room {
        return name.to_owned();
    }
    let mut short = String::new();
    for c in name.chars() {
        if text_width(&format!("{short}{c}…")) * TEXT > room {
            break;
        }
        short.push(c);
    }
    short + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_lie_on_one_axis_and_odd_names_do_no_harm() {
        let row = |name: &str, value, interval| ForestRow {
            name: name.into(),
            value,
            interval,
            note: "1–2".into(),
        };
        let rows = [
            row("<b>", 1.0, Some([0.5, 1.5])),
            row(&"long ".repeat(60), -1.0, None),
            row("", f64::NAN, Some([f64::NEG_INFINITY, 0.0])),
        ];
        let forest = Forest {
            rows: &rows,
            title: "Strengths",
            x_label: "ln π",
            note_label: "ranks",
            reference: Some(0.0),
            width: 600.0,
        };
        let svg = forest.svg();
        assert_eq!((svg.matches("<circle").count(), svg.matches("class=\"line\"").count()), (2, 1));
        assert!(
            svg.contains("&lt;b&gt;") && svg.contains('…') && !svg.contains("NaN") && !svg.contains("inf")
        );
        assert!(svg.contains("class=\"reference\"") && svg.contains("ranks"));
        assert!(shortened(&"m".repeat(99), 100.0).chars().count() < 12);
    }
}

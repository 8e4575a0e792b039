//! A small plot library: what a report needs, drawn as SVG text.
//!
//! Colors are CSS classes `c0` .. `c7` (strokes and fills of a series); the style that gives them their values, in
//! light and in dark, is [`COLORS`].

pub mod forest;
pub mod interval;
pub mod labels;
pub mod lines;
pub mod scale;
pub mod strip;

/// Distinct colors; further series repeat them with dashes.
pub const COLOR_COUNT: usize = 8;

/// The series' colors: Okabe & Ito's palette, which people of every color vision can tell apart, darkened where it
/// would be faint on white, lightened where it would sink into black; its yellow is a brown here.
pub const COLORS: &str = include_str!("colors.css");

/// The class of a series' color.
pub fn color(position: usize) -> String {
    format!("c{}", position % COLOR_COUNT)
}

/// The dashes of a series' line: none until the colors repeat.
pub fn dashes(position: usize) -> &'static str {
    match position / COLOR_COUNT {
        0 => "",
        1 => r#" stroke-dasharray="6 3""#,
        _ => r#" stroke-dasharray="2 3""#,
    }
}

/// About how wide a text in the page's sans-serif is, in units of its size: on the generous side, since fonts differ.
pub fn text_width(text: &str) -> f64 {
    text.chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | 't' | 'f' | 'r' | '.' | ',' | ':' | '|' | ' ' | '(' | ')' => 0.36,
            'm' | 'w' | 'M' | 'W' | '@' => 0.92,
            'A'..='Z' => 0.70,
            _ => 0.60,
        })
        .sum()
}

/// A coordinate, to a tenth of a unit.
pub fn at(x: f64) -> String {
    let text = format!("{x:.1}");
    match text.strip_suffix(".0") {
        Some("-0") => "0".into(),
        Some(whole) => whole.into(),
        None => text,
    }
}

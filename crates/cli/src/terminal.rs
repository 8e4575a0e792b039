//! What is printed for people: tables, headings, errors. Colors are left out in a pipe and under `NO_COLOR`.

use std::io::{IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table, presets};
use quire_core::{Error, Result};
use quire_study::format;
use serde::Serialize;

pub use quire_study::format::{count, duration};

/// Bold, for headings and names.
pub const STRONG: Style = Style::new().bold();
/// Faint, for what matters less.
pub const FAINT: Style = Style::new().dimmed();
/// For good news.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// For errors.
pub const BAD: Style = AnsiColor::Red.on_default().bold();

/// Wraps `text` in a style; whoever prints it strips the style where it does not belong.
pub fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Prints to standard output. A reader that has closed the pipe, such as `head`, is no error.
pub fn print(text: impl std::fmt::Display) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// Prints to standard error: progress and notices, so that standard output holds results only.
pub fn notice(text: impl std::fmt::Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints an error.
pub fn error(error: &Error) {
    notice(format!("{} {error}", styled(BAD, "error:")));
}

/// A value as JSON, for a command that has to add to it.
pub fn value<T: Serialize>(value: &T) -> Result<serde_json::Value> {
    serde_json::to_value(value)
        .map_err(|e| Error::Failed(format!("the result cannot be written as JSON: {e}")))
}

/// Prints a value as JSON.
pub fn json<T: Serialize>(value: &T) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| Error::Failed(format!("the result cannot be written as JSON: {e}")))?;
    print(text);
    Ok(())
}

/// A table as wide as the terminal allows; the first column stands out, columns named in `right` hold numbers.
pub fn table(header: &[&str], right: &[usize], rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if anstream::AutoStream::choice(&std::io::stdout()) == anstream::ColorChoice::Never {
        table.force_no_tty();
    }
    if !std::io::stdout().is_terminal() {
        table.set_width(160);
    }
    table.set_header(header.iter().map(|title| title.to_uppercase()));
    for row in rows {
        let bold = |(index, text): (usize, String)| {
            let cell = Cell::new(text);
            if index == 0 { cell.add_attribute(Attribute::Bold) } else { cell }
        };
        table.add_row(row.into_iter().enumerate().map(bold));
    }
    for &index in right {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A number on its own, with about three significant digits.
pub fn number(value: f64) -> String {
    format::number(value, format::decimals([value]))
}

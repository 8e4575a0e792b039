//! Options as words of a command line and as TOML.

use serde_json::Value;

use super::OptionMap;
use crate::{Error, Result};

/// Reads `name=value` words, as in `--set discount=0.9`. A value is written as in TOML; a bare word is a string.
pub fn parse_assignments<S: AsRef<str>>(words: &[S]) -> Result<OptionMap> {
    let mut map = OptionMap::new();
    for word in words {
        let word = word.as_ref();
        let (name, value) =
            word.split_once('=').filter(|(name, _)| !name.trim().is_empty()).ok_or_else(|| {
                Error::Usage(format!("`{word}` is not of the form name=value, as in discount=0.9"))
            })?;
        map.insert(name.trim().to_owned(), parse_value(value.trim()));
    }
    Ok(map)
}

fn parse_value(text: &str) -> Value {
    let parsed = toml::from_str::<toml::Table>(&format!("value = {text}"));
    // A text of several lines could hold more than the value; then it is no value, and nothing of it is dropped.
    match parsed.ok().filter(|table| table.len() == 1).and_then(|mut table| table.remove("value")) {
        Some(value) => toml_to_json(value),
        None => Value::String(text.to_owned()),
    }
}

/// Option values as a TOML table. TOML has no null: an option that is absent is written `"none"`, which
/// [`OptionSchema::with`](super::OptionSchema::with) understands.
pub fn to_toml(options: &OptionMap) -> toml::Table {
    options.iter().map(|(name, value)| (name.clone(), json_to_toml(value))).collect()
}

/// Option values from a TOML table.
pub fn from_toml(table: toml::Table) -> OptionMap {
    table.into_iter().map(|(name, value)| (name, toml_to_json(value))).collect()
}

/// The tables of a file of tuned options that is compiled in: one table a problem, in the file's order.
///
/// # Panics
/// If the file is not such a TOML file. The files are part of the source, and a test over the whole registry
/// lays every table over its method's defaults.
pub fn tuned_tables(text: &str) -> Vec<(String, OptionMap)> {
    let file: toml::Table = toml::from_str(text).expect("tuned options are valid TOML");
    let table = |value| match value {
        toml::Value::Table(table) => from_toml(table),
        other => panic!("tuned options are tables by problem, found {other}"),
    };
    file.into_iter().map(|(problem, value)| (problem, table(value))).collect()
}

fn toml_to_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        // JSON has no nan and inf: they go on as text, which no numeric option accepts.
        toml::Value::Float(number) => serde_json::Number::from_f64(number)
            .map_or_else(|| Value::String(number.to_string()), Value::Number),
        toml::Value::Boolean(flag) => Value::Bool(flag),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => Value::Array(items.into_iter().map(toml_to_json).collect()),
        toml::Value::Table(table) => Value::Object(from_toml(table)),
    }
}

fn json_to_toml(value: &Value) -> toml::Value {
    match value {
        Value::Null => toml::Value::String("none".to_owned()),
        Value::Bool(flag) => toml::Value::Boolean(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => toml::Value::Integer(integer),
            // Beyond 2^63 the nearest float; no option is that large.
            None => toml::Value::Float(number.as_f64().unwrap_or(f64::INFINITY)),
        },
        Value::String(text) => toml::Value::String(text.clone()),
        Value::Array(items) => toml::Value::Array(items.iter().map(json_to_toml).collect()),
        Value::Object(map) => toml::Value::Table(to_toml(map)),
    }
}

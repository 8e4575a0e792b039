//! Laying values over the defaults, with every name, type and range checked.

use std::collections::BTreeSet;

use serde_json::Value;

use super::OptionMap;
use super::schema::{
    collect_fields, describe_kind, is_nullable, range_text, tagged_variants, types, word_choices,
};
use crate::{Error, Result};

/// Lays a table of values, names dotted or nested, over `target`.
pub(super) fn overlay_table(
    target: &mut Value,
    layer: &OptionMap,
    schema: &Value,
    prefix: &str,
) -> Result<()> {
    let properties = schema["properties"].as_object();
    for (name, value) in layer {
        let (head, tail) = match name.split_once('.') {
            Some((head, tail)) => (head, Some(tail)),
            None => (name.as_str(), None),
        };
        let path = format!("{prefix}{head}");
        let Some(field) = properties.and_then(|properties| properties.get(head)) else {
            return Err(Error::Unknown {
                kind: "option".into(),
                name: path,
                nearest: nearest_options(head, target, schema, prefix),
                list_with: "quire show <method>".into(),
            });
        };
        let slot = &mut target[head];
        match tail {
            Some(tail) => {
                let nested = OptionMap::from_iter([(tail.to_owned(), value.clone())]);
                overlay_field(slot, &Value::Object(nested), field, &path)?;
            }
            None => overlay_field(slot, value, field, &path)?,
        }
    }
    Ok(())
}

/// The options whose own names are nearest to `name`, also those in the tables of this one: who writes `learning_rate` may
/// mean `optimizer.learning_rate`.
fn nearest_options(name: &str, values: &Value, schema: &Value, prefix: &str) -> Vec<String> {
    fn own(path: &str) -> &str {
        path.rsplit('.').next().unwrap_or(path)
    }
    let mut fields = Vec::new();
    collect_fields(schema, values, prefix, &mut fields);
    let tables = schema["properties"].as_object().into_iter().flat_map(|properties| properties.keys());
    let tables = tables.map(|table| format!("{prefix}{table}"));
    let known: BTreeSet<String> = tables.chain(fields.into_iter().map(|field| field.name)).collect();
    let nearest = crate::error::nearest(name, known.iter().map(|path| own(path)));
    let named = |near: &String| known.iter().filter(|path| own(path) == near).cloned().collect::<Vec<_>>();
    nearest.iter().flat_map(named).take(3).collect()
}

fn overlay_field(slot: &mut Value, value: &Value, schema: &Value, path: &str) -> Result<()> {
    if let Some(variants) = tagged_variants(schema) {
        return overlay_variant(slot, value, schema, &variants, path);
    }
    if schema.get("properties").is_some() {
        return match value {
            value if is_none(value, schema) => {
                *slot = Value::Null;
                Ok(())
            }
            Value::Object(layer) => {
                if slot.is_null() {
                    // A table that is none by default: what is not set comes from its own defaults.
                    *slot = serde_json::json!({});
                }
                overlay_table(slot, layer, schema, &format!("{path}."))
            }
            other => Err(Error::option(path, format!("is a table of options, got {}", show(other)))),
        };
    }
    *slot = check_value(value, schema, path)?;
    Ok(())
}

/// True if the value is `none` or null, and may be.
fn is_none(value: &Value, schema: &Value) -> bool {
    is_nullable(schema) && (value.is_null() || value.as_str() == Some("none"))
}

/// A choice among tables: a word chooses the variant with its defaults, a table also sets its options.
fn overlay_variant(
    slot: &mut Value,
    value: &Value,
    schema: &Value,
    variants: &[(&str, &Value)],
    path: &str,
) -> Result<()> {
    if is_none(value, schema) {
        *slot = Value::Null;
        return Ok(());
    }
    let current = slot["name"].as_str().map(str::to_owned);
    let (name, layer) = match value {
        Value::String(name) => (Some(name.clone()), OptionMap::new()),
        Value::Object(layer) => {
            let mut layer = layer.clone();
            let name = match layer.shift_remove("name") {
                None => current.clone(),
                Some(Value::String(name)) => Some(name),
                Some(other) => {
                    return Err(Error::option(
                        format!("{path}.name"),
                        format!("is a name, got {}", show(&other)),
                    ));
                }
            };
            (name, layer)
        }
        other => {
            return Err(Error::option(
                path,
                format!("is a name or a table with a name, got {}", show(other)),
            ));
        }
    };
    let choices: Vec<&str> = variants.iter().map(|(tag, _)| *tag).collect();
    let Some(name) = name else {
        let problem = format!("needs a name first, one of {}", choices.join(", "));
        return Err(Error::option(path, problem));
    };
    let Some((_, variant)) = variants.iter().find(|(tag, _)| *tag == name) else {
        return Err(not_a_choice(path, &name, &choices));
    };
    if current.as_deref() != Some(&name) {
        *slot = serde_json::json!({ "name": name });
    }
    overlay_table(slot, &layer, variant, &format!("{path}."))
}

fn not_a_choice(path: &str, name: &str, choices: &[&str]) -> Error {
    let hint = match crate::error::nearest(name, choices.iter().copied()).first() {
        Some(near) => format!(" (did you mean `{near}`?)"),
        None => String::new(),
    };
    Error::option(path, format!("must be one of {}; got `{name}`{hint}", choices.join(", ")))
}

fn check_value(value: &Value, schema: &Value, path: &str) -> Result<Value> {
    if is_none(value, schema) {
        return Ok(Value::Null);
    }
    if let Some(choices) = word_choices(schema) {
        return match value.as_str() {
            Some(word) if choices.contains(&word) => Ok(value.clone()),
            Some(word) => Err(not_a_choice(path, word, &choices)),
            None => Err(wrong_kind(value, schema, path)),
        };
    }
    let kinds = types(schema);
    let allowed = |kind: &str| kinds.contains(&kind);
    match value {
        Value::Number(number) => {
            let real = number.as_f64().unwrap_or(f64::NAN);
            let integral = real.fract() == 0.0 && real.abs() < 9e15;
            let fits = allowed("number") || (allowed("integer") && integral);
            if !fits {
                return Err(wrong_kind(value, schema, path));
            }
            check_range(real, value, schema, path)?;
            // `replay_capacity=1e6` means the whole number 1,000,000.
            let whole = allowed("integer") && number.is_f64();
            Ok(if whole { (real as i64).into() } else { value.clone() })
        }
        Value::Bool(_) if allowed("boolean") => Ok(value.clone()),
        Value::String(_) if allowed("string") => Ok(value.clone()),
        Value::Object(fields) if schema.get("properties").is_some() => check_item(fields, schema, path),
        Value::Object(_) if allowed("object") => Ok(value.clone()),
        Value::Array(items) if allowed("array") => {
            let array = array_schema(schema);
            let least = array["minItems"].as_u64().unwrap_or(0) as usize;
            let most = array["maxItems"].as_u64().map_or(usize::MAX, |most| most as usize);
            if items.len() < least || items.len() > most {
                let range = if least == most { format!("{least}") } else { format!("at least {least}") };
                return Err(Error::option(path, format!("needs {range} values, got {}", items.len())));
            }
            let check = |(index, item)| check_value(item, &array["items"], &format!("{path}[{index}]"));
            items.iter().enumerate().map(check).collect::<Result<Vec<_>>>().map(Value::Array)
        }
        _ => Err(wrong_kind(value, schema, path)),
    }
}

/// A table inside a list: all its fields at once, nothing to lay over.
fn check_item(fields: &OptionMap, schema: &Value, path: &str) -> Result<Value> {
    let mut item = Value::Object(OptionMap::new());
    overlay_table(&mut item, fields, schema, &format!("{path}."))?;
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    match required.into_iter().find(|name| item.get(name).is_none()) {
        Some(missing) => Err(Error::option(path, format!("needs `{missing}`"))),
        None => Ok(item),
    }
}

fn array_schema(schema: &Value) -> &Value {
    let variants = schema["anyOf"].as_array().into_iter().flatten();
    variants.into_iter().find(|variant| variant["type"] == "array").unwrap_or(schema)
}

fn check_range(number: f64, value: &Value, schema: &Value, path: &str) -> Result<()> {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let inside = bound("minimum").is_none_or(|low| number >= low)
        && bound("maximum").is_none_or(|high| number <= high)
        && bound("exclusiveMinimum").is_none_or(|low| number > low)
        && bound("exclusiveMaximum").is_none_or(|high| number < high);
    if inside {
        return Ok(());
    }
    let range = range_text(schema);
    let rule = match range.strip_prefix(" in ") {
        Some(interval) => format!("must lie in {interval}"),
        None => format!("must be{}", range.replacen(" of at", " at", 1)),
    };
    Err(Error::option(path, format!("{rule}; got {}", show(value))))
}

fn wrong_kind(value: &Value, schema: &Value, path: &str) -> Error {
    Error::option(path, format!("takes a {}, got {}", describe_kind(schema), show(value)))
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        other => other.to_string(),
    }
}

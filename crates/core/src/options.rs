//! One definition of a method's options.
//!
//! A method declares a plain struct with serde and schemars; its field docs, ranges and `Default` are the single
//! source for the Rust API, `--set name=value`, TOML studies, Python keyword arguments and `quire show`:
//!
//! ```
//! use quire_core::options::{self, OptionMap, Options};
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! /// Options of a method.
//! #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
//! #[serde(default, deny_unknown_fields)]
//! struct WalkOptions {
//!     /// Discount factor per step. Paper: 0.99.
//!     #[schemars(range(min = 0.0, max = 1.0))]
//!     discount: f64,
//! }
//! impl Default for WalkOptions {
//!     fn default() -> Self {
//!         WalkOptions { discount: 0.99 }
//!     }
//! }
//! impl Options for WalkOptions {}
//!
//! let set = options::parse_assignments(&["discount=0.9"]).unwrap();
//! assert_eq!(options::resolve::<WalkOptions>(&[&set]).unwrap().discount, 0.9);
//! let bad = options::parse_assignments(&["discount=1.5"]).unwrap();
//! assert_eq!(
//!     options::resolve::<WalkOptions>(&[&bad]).unwrap_err().to_string(),
//!     "option `discount`: must lie in [0, 1]; got 1.5"
//! );
//! ```

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Error, Result};

/// Option values by name. A dotted name reaches into a table: `optimizer.learning_rate`.
pub type OptionMap = serde_json::Map<String, Value>;

/// A method's options: one struct, whose `Default` holds the paper's values.
pub trait Options:
    Serialize + DeserializeOwned + JsonSchema + Default + Clone + PartialEq + Send + Sync + 'static
{
    /// Checks what a range on one field can't say: relations between fields.
    fn validate(&self) -> Result<()> {
        Ok(())
    }
}

/// The options of methods that have none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoOptions {}

impl Options for NoOptions {}

/// Lays `layers` over the defaults, later layers winning, and checks names, types, ranges and relations.
pub fn resolve<O: Options>(layers: &[&OptionMap]) -> Result<O> {
    let options: O =
        serde_json::from_value(known_schema::<O>().laid_over(layers)?).map_err(not_understood)?;
    check(&options)?;
    Ok(options)
}

fn not_understood(error: serde_json::Error) -> Error {
    Error::Usage(format!("the options cannot be understood: {error}"))
}

/// Checks ranges and relations of options made in Rust. Every method's `new` calls it.
pub fn check<O: Options>(options: &O) -> Result<()> {
    known_schema::<O>().check(to_map(options))?;
    options.validate()
}

// A wing has dozens of options structs: what does not depend on their type is compiled once.

/// The schema of `O`, written once: that takes longer than some small problem that is solved a million times.
fn known_schema<O: Options>() -> Arc<OptionSchema> {
    known_or(TypeId::of::<O>(), OptionSchema::of::<O>)
}

fn known_or(of: TypeId, make: fn() -> OptionSchema) -> Arc<OptionSchema> {
    static KNOWN: LazyLock<Mutex<HashMap<TypeId, Arc<OptionSchema>>>> = LazyLock::new(Mutex::default);
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(schema) = known().get(&of) {
        return schema.clone();
    }
    // Written without the lock, since defaults may be made by looking at other options.
    let schema = Arc::new(make());
    known().insert(of, schema.clone());
    schema
}

/// All options with their values, for logs, manifests and stores.
pub fn to_map<O: Options>(options: &O) -> OptionMap {
    into_map(serde_json::to_value(options))
}

fn into_map(options: serde_json::Result<Value>) -> OptionMap {
    match options.expect("options are plain data, which always encodes") {
        Value::Object(map) => map,
        _ => unreachable!("options are a struct"),
    }
}

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
/// [`OptionSchema::with`] understands.
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

/// One option, for people to read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OptionField {
    /// The name, dotted where it lies in a table.
    pub name: String,
    /// What values it takes: `number in [0, 1]`, `one of adam, sgd`, ...
    pub kind: String,
    /// Its value; `null` is written `none`.
    pub value: Value,
    /// What it does.
    pub description: String,
}

/// The names, types, ranges, defaults and descriptions of a method's options.
#[derive(Debug, Clone, Serialize)]
pub struct OptionSchema {
    schema: Value,
    defaults: OptionMap,
    /// [`resolve`] of the options struct. Only the typed options know what a layer that changes `name` in a choice, such as
    /// the optimizer, leaves at the defaults of the new one.
    #[serde(skip)]
    resolve: fn(&[&OptionMap]) -> Result<OptionMap>,
}

impl OptionSchema {
    /// The schema of the options struct `O`.
    pub fn of<O: Options>() -> Self {
        OptionSchema {
            schema: schema_generator().into_root_schema_for::<O>().to_value(),
            defaults: to_map(&O::default()),
            resolve: |layers| resolve::<O>(layers).map(|options| to_map(&options)),
        }
    }

    /// The JSON schema.
    pub fn json_schema(&self) -> &Value {
        &self.schema
    }

    /// The default of every option.
    pub fn defaults(&self) -> &OptionMap {
        &self.defaults
    }

    /// Every option with its default, those in tables under their dotted names.
    pub fn fields(&self) -> Vec<OptionField> {
        self.fields_of(&self.defaults)
    }

    /// Every option with its value in `options` in place of the default.
    pub fn fields_of(&self, options: &OptionMap) -> Vec<OptionField> {
        let mut fields = Vec::new();
        collect_fields(&self.schema, &Value::Object(options.clone()), "", &mut fields);
        fields
    }

    /// The defaults with `layers` laid over them, names, types, ranges and relations checked: what a run will use.
    pub fn with(&self, layers: &[&OptionMap]) -> Result<OptionMap> {
        (self.resolve)(layers)
    }

    /// The defaults with `layers` laid over them, names, types and ranges checked.
    fn laid_over(&self, layers: &[&OptionMap]) -> Result<Value> {
        let mut fields = self.defaults.clone();
        for layer in layers {
            self.overlay(&mut fields, layer)?;
        }
        Ok(Value::Object(fields))
    }

    /// Checks names, types and ranges of all options.
    fn check(&self, mut fields: OptionMap) -> Result<()> {
        let copy = fields.clone();
        self.overlay(&mut fields, &copy)
    }

    fn overlay(&self, fields: &mut OptionMap, layer: &OptionMap) -> Result<()> {
        let mut value = Value::Object(std::mem::take(fields));
        let result = overlay_table(&mut value, layer, &self.schema, "");
        if let Value::Object(map) = value {
            *fields = map;
        }
        result
    }
}

fn schema_generator() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings.into_generator()
}

fn collect_fields(schema: &Value, values: &Value, prefix: &str, fields: &mut Vec<OptionField>) {
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, field) in properties {
        if prefix.ends_with('.') && field.get("const").is_some() {
            continue; // the tag of a variant, already listed as the option that holds it
        }
        let value = values.get(name).cloned().unwrap_or(Value::Null);
        let description = field["description"].as_str().unwrap_or_default().to_owned();
        let path = format!("{prefix}{name}");
        if let Some(variants) = tagged_variants(field) {
            let choices: Vec<&str> = variants.iter().map(|(tag, _)| *tag).collect();
            let chosen = value["name"].as_str().unwrap_or_default().to_owned();
            fields.push(OptionField {
                name: path.clone(),
                kind: format!("one of {}", choices.join(", ")),
                value: Value::String(chosen.clone()),
                description,
            });
            if let Some((_, variant)) = variants.iter().find(|(tag, _)| *tag == chosen) {
                collect_fields(variant, &value, &format!("{path}."), fields);
            }
        } else if field.get("properties").is_some() {
            if value.is_null() {
                let kind = "a table, or none".to_owned();
                fields.push(OptionField { name: path.clone(), kind, value: Value::Null, description });
            }
            collect_fields(field, &value, &format!("{path}."), fields);
        } else {
            fields.push(OptionField { name: path, kind: describe_kind(field), value, description });
        }
    }
}

/// The variants of an option that is a choice among tables, each told by its `name`.
fn tagged_variants(schema: &Value) -> Option<Vec<(&str, &Value)>> {
    let variants = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array())?;
    let tagged: Vec<(&str, &Value)> = variants
        .iter()
        .filter_map(|variant| Some((variant["properties"]["name"]["const"].as_str()?, variant)))
        .collect();
    (!tagged.is_empty()).then_some(tagged)
}

/// The words an option may take, if it is a choice among words.
fn word_choices(schema: &Value) -> Option<Vec<&str>> {
    if let Some(words) = schema["enum"].as_array() {
        return Some(words.iter().filter_map(Value::as_str).collect());
    }
    let variants = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array())?;
    let mut words = Vec::new();
    for variant in variants {
        match (variant["const"].as_str(), variant["enum"].as_array(), variant["type"].as_str()) {
            (Some(word), _, _) => words.push(word),
            (_, Some(several), _) => words.extend(several.iter().filter_map(Value::as_str)),
            (_, _, Some("null")) => {}
            _ => return None,
        }
    }
    (!words.is_empty()).then_some(words)
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => schema["anyOf"].as_array().into_iter().flatten().flat_map(types).collect(),
    }
}

fn is_nullable(schema: &Value) -> bool {
    types(schema).contains(&"null")
}

/// True if the value is `none` or null, and may be.
fn is_none(value: &Value, schema: &Value) -> bool {
    is_nullable(schema) && (value.is_null() || value.as_str() == Some("none"))
}

fn describe_kind(schema: &Value) -> String {
    let mut kind = if let Some(words) = word_choices(schema) {
        format!("one of {}", words.join(", "))
    } else {
        let names: Vec<&str> = types(schema).into_iter().filter(|name| *name != "null").collect();
        match (names.as_slice(), range_text(schema)) {
            (["integer"], range) => format!("whole number{range}"),
            (["number"], range) => format!("number{range}"),
            (["boolean"], _) => "true or false".to_owned(),
            (["string"], _) => "text".to_owned(),
            (["array"], _) => {
                let item = describe_kind(&schema["items"]);
                let word = if item.starts_with("list") { "list" } else { "number" };
                format!("list of {}", item.replacen(word, &format!("{word}s"), 1))
            }
            (["object"], _) => match schema["properties"].as_object() {
                Some(fields) => {
                    format!("{{{}}}", fields.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
                }
                None => "table".to_owned(),
            },
            _ => "value".to_owned(),
        }
    };
    if is_nullable(schema) {
        kind.push_str(", or none");
    }
    kind
}

/// The range of a number, such as ` in (0, 1]`; empty if there is none.
fn range_text(schema: &Value) -> String {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let low = bound("exclusiveMinimum").map(|b| (b, '(')).or(bound("minimum").map(|b| (b, '[')));
    let high = bound("exclusiveMaximum").map(|b| (b, ')')).or(bound("maximum").map(|b| (b, ']')));
    match (low, high) {
        (None, None) => String::new(),
        (Some((low, open)), Some((high, close))) => format!(" in {open}{low}, {high}{close}"),
        (Some((low, '(')), None) => format!(" above {low}"),
        (Some((low, _)), None) => format!(" of at least {low}"),
        (None, Some((high, ')'))) => format!(" below {high}"),
        (None, Some((high, _))) => format!(" of at most {high}"),
    }
}

fn overlay_table(target: &mut Value, layer: &OptionMap, schema: &Value, prefix: &str) -> Result<()> {
    let properties = schema["properties"].as_object();
    for (name, value) in layer {
        let (head, tail) = match name.split_once('.') {
            Some((head, tail)) => (head, Some(tail)),
            None => (name.as_str(), None),
        };
        let path = format!("{prefix}{head}");
        let Some(field) = properties.and_then(|properties| properties.get(head)) else {
            let known = properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str));
            let nearest =
                crate::error::nearest(head, known).into_iter().map(|name| format!("{prefix}{name}"));
            return Err(Error::Unknown {
                kind: "option".into(),
                name: path,
                nearest: nearest.collect(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(tag = "name", rename_all = "kebab-case")]
    enum Optimizer {
        /// Stochastic gradient descent.
        Sgd(Sgd),
        /// Adaptive moments.
        Adam(Adam),
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(default)]
    struct Sgd {
        /// Step size.
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        learning_rate: f64,
    }
    impl Default for Sgd {
        fn default() -> Self {
            Sgd { learning_rate: 0.1 }
        }
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(default)]
    struct Adam {
        /// Step size.
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        learning_rate: f64,
        /// Decay of the first moment.
        #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
        beta1: f64,
    }
    impl Default for Adam {
        fn default() -> Self {
            Adam { learning_rate: 1e-3, beta1: 0.9 }
        }
    }

    #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    enum Mode {
        /// One way.
        MeanOfAll,
        /// Another way.
        Minimum,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Layer {
        /// Width.
        #[schemars(range(min = 1))]
        width: usize,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Noise {
        /// Its size.
        #[schemars(range(min = 0.0))]
        scale: f64,
        /// Its mean.
        mean: f64,
    }
    impl Default for Noise {
        fn default() -> Self {
            Noise { scale: 0.5, mean: 1.0 }
        }
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Example {
        /// Layers.
        layers: Vec<Layer>,
        /// Discount factor.
        #[schemars(range(min = 0.0, max = 1.0))]
        discount: f64,
        /// How many transitions are kept.
        #[schemars(range(min = 1))]
        replay_capacity: usize,
        /// Hidden layer widths.
        hidden: Vec<usize>,
        /// Gradient norm bound.
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        clip: Option<f64>,
        /// How noisy actions are.
        noise: Option<Noise>,
        /// How targets are combined.
        mode: Mode,
        /// What moves the weights.
        optimizer: Optimizer,
    }
    impl Default for Example {
        fn default() -> Self {
            Example {
                layers: Vec::new(),
                discount: 0.99,
                replay_capacity: 1000,
                hidden: vec![64],
                clip: None,
                noise: None,
                mode: Mode::Minimum,
                optimizer: Optimizer::Adam(Adam::default()),
            }
        }
    }
    impl Options for Example {
        fn validate(&self) -> Result<()> {
            if self.hidden.is_empty() && self.mode == Mode::MeanOfAll {
                return Err(Error::option("hidden", "must not be empty with mode=mean-of-all"));
            }
            Ok(())
        }
    }

    fn set(words: &[&str]) -> Result<Example> {
        resolve::<Example>(&[&parse_assignments(words)?])
    }
    fn refused(words: &[&str]) -> String {
        set(words).unwrap_err().to_string()
    }

    #[test]
    fn values_are_laid_over_the_defaults() {
        let options =
            set(&["discount=0.5", "replay_capacity=1e6", "hidden=[8, 8]", "mode=mean-of-all", "clip=10"])
                .unwrap();
        assert_eq!(options.discount, 0.5);
        assert_eq!(options.replay_capacity, 1_000_000);
        assert_eq!(options.hidden, [8, 8]);
        assert_eq!(options.mode, Mode::MeanOfAll);
        assert_eq!(options.clip, Some(10.0));
        assert_eq!(set(&["clip=none"]).unwrap().clip, None);
        assert_eq!(set(&[]).unwrap(), Example::default());
    }

    #[test]
    fn a_table_that_is_none_by_default_has_defaults_of_its_own() {
        assert_eq!(set(&["noise.scale=2"]).unwrap().noise, Some(Noise { scale: 2.0, mean: 1.0 }));
        assert_eq!(set(&["noise={}"]).unwrap().noise, Some(Noise::default()));
        let set_twice = |last: &str| {
            resolve::<Example>(&[
                &parse_assignments(&["noise.scale=2"]).unwrap(),
                &parse_assignments(&[last]).unwrap(),
            ])
        };
        assert_eq!(set_twice("noise.mean=3").unwrap().noise, Some(Noise { scale: 2.0, mean: 3.0 }));
        assert_eq!(set_twice("noise=none").unwrap().noise, None);
        assert!(refused(&["noise.scale=-1"]).contains("noise.scale"));
        assert!(refused(&["noise=3"]).contains("table of options"));
        let names: Vec<String> = OptionSchema::of::<Example>().fields().into_iter().map(|f| f.name).collect();
        assert!(["noise", "noise.scale", "noise.mean"].iter().all(|name| names.iter().any(|n| n == name)));
        let options = set(&["noise.scale=2"]).unwrap();
        let back = resolve::<Example>(&[&from_toml(to_toml(&to_map(&options)))]).unwrap();
        assert_eq!(back, options);
    }

    #[test]
    fn a_choice_among_tables_takes_a_word_or_its_options() {
        assert_eq!(set(&["optimizer=sgd"]).unwrap().optimizer, Optimizer::Sgd(Sgd::default()));
        let tuned = set(&["optimizer.beta1=0.5"]).unwrap().optimizer;
        assert_eq!(tuned, Optimizer::Adam(Adam { beta1: 0.5, ..Adam::default() }));
        let both = set(&["optimizer=sgd", "optimizer.learning_rate=1"]).unwrap().optimizer;
        assert_eq!(both, Optimizer::Sgd(Sgd { learning_rate: 1.0 }));
        let table = set(&["optimizer={name = \"sgd\", learning_rate = 2.0}"]).unwrap().optimizer;
        assert_eq!(table, Optimizer::Sgd(Sgd { learning_rate: 2.0 }));
    }

    #[test]
    fn bad_values_name_the_option_and_what_is_allowed() {
        assert_eq!(refused(&["discount=2"]), "option `discount`: must lie in [0, 1]; got 2");
        assert_eq!(refused(&["discount=high"]), "option `discount`: takes a number in [0, 1], got `high`");
        assert_eq!(refused(&["discount=nan"]), "option `discount`: takes a number in [0, 1], got `NaN`");
        assert_eq!(refused(&["replay_capacity=0"]), "option `replay_capacity`: must be at least 1; got 0");
        assert_eq!(
            refused(&["replay_capacity=1.5"]),
            "option `replay_capacity`: takes a whole number of at least 1, got 1.5"
        );
        assert_eq!(refused(&["hidden=[8, -1]"]), "option `hidden[1]`: must be at least 0; got -1");
        assert_eq!(refused(&["clip=0"]), "option `clip`: must be above 0; got 0");
        assert_eq!(
            refused(&["mode=minmum"]),
            "option `mode`: must be one of mean-of-all, minimum; got `minmum` (did you mean `minimum`?)"
        );
        assert_eq!(refused(&["optimizer.beta1=1"]), "option `optimizer.beta1`: must lie in [0, 1); got 1");
        assert_eq!(
            refused(&["optimizer=adm"]),
            "option `optimizer`: must be one of sgd, adam; got `adm` (did you mean `adam`?)"
        );
        assert_eq!(
            refused(&["hidden=[]", "mode=mean-of-all"]),
            "option `hidden`: must not be empty with mode=mean-of-all"
        );
        assert_eq!(set(&["layers=[{width = 2}]"]).unwrap().layers, [Layer { width: 2 }]);
        assert_eq!(refused(&["layers=[{}]"]), "option `layers[0]`: needs `width`");
        assert_eq!(refused(&["layers=[{width = 0}]"]), "option `layers[0].width`: must be at least 1; got 0");
        assert!(refused(&["layers=[{widht = 1}]"]).contains("did you mean `layers[0].width`"));
        assert!(refused(&["discount"]).contains("not of the form name=value"));
    }

    #[test]
    fn unknown_names_suggest_the_nearest() {
        assert_eq!(
            refused(&["discuont=0.9"]),
            "unknown option `discuont`; did you mean `discount`? `quire show <method>` lists every option."
        );
        assert!(refused(&["optimizer.learning-rate=1"]).contains("did you mean `optimizer.learning_rate`"));
    }

    #[test]
    fn options_made_in_rust_are_checked_too() {
        let bad = Example { discount: -1.0, ..Example::default() };
        assert!(check(&bad).unwrap_err().to_string().contains("discount"));
        let bad = Example { optimizer: Optimizer::Sgd(Sgd { learning_rate: 0.0 }), ..Example::default() };
        assert!(check(&bad).unwrap_err().to_string().contains("optimizer.learning_rate"));
        check(&Example::default()).unwrap();
    }

    #[test]
    fn options_survive_toml() {
        for clip in [Some(0.5), None] {
            let options = Example { hidden: vec![3], clip, ..Example::default() };
            let text = toml::to_string(&to_toml(&to_map(&options))).unwrap();
            let back = from_toml(toml::from_str(&text).unwrap());
            assert_eq!(resolve::<Example>(&[&back]).unwrap(), options);
        }
    }

    #[test]
    fn fields_are_described_for_people() {
        let fields = OptionSchema::of::<Example>().fields();
        let line = |name: &str| {
            let field = fields.iter().find(|field| field.name == name).unwrap();
            format!("{} | {} | {}", field.kind, field.value, field.description)
        };
        assert_eq!(line("discount"), "number in [0, 1] | 0.99 | Discount factor.");
        assert_eq!(
            line("replay_capacity"),
            "whole number of at least 1 | 1000 | How many transitions are kept."
        );
        assert_eq!(line("hidden"), "list of whole numbers of at least 0 | [64] | Hidden layer widths.");
        let rows = serde_json::json!({ "type": "array", "items": { "type": "array", "items": { "type": "number" } } });
        assert_eq!(describe_kind(&rows), "list of lists of numbers");
        assert_eq!(line("clip"), "number above 0, or none | null | Gradient norm bound.");
        assert_eq!(line("mode"), "one of mean-of-all, minimum | \"minimum\" | How targets are combined.");
        assert_eq!(line("optimizer"), "one of sgd, adam | \"adam\" | What moves the weights.");
        assert_eq!(line("optimizer.beta1"), "number in [0, 1) | 0.9 | Decay of the first moment.");
    }
}

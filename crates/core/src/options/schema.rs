//! What options there are: names, types, ranges, defaults and descriptions.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::overlay::overlay_table;
use super::{OptionMap, Options, described, resolve, to_map};
use crate::Result;

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
///
/// They are written down when first asked for, once in a process: there are thousands, and most programs want a few.
#[derive(Debug, Clone, Copy)]
pub struct OptionSchema {
    described: fn() -> &'static Described,
    /// [`resolve`] of the options struct. Only the typed options know what a layer that changes `name` in a choice, such as
    /// the optimizer, leaves at the defaults of the new one.
    resolve: fn(&[&OptionMap]) -> Result<OptionMap>,
}

impl OptionSchema {
    /// The schema of the options struct `O`.
    pub fn of<O: Options>() -> Self {
        OptionSchema {
            described: described::<O>,
            resolve: |layers| resolve::<O>(layers).map(|options| to_map(&options)),
        }
    }

    /// The JSON schema.
    pub fn json_schema(&self) -> &'static Value {
        &(self.described)().schema
    }

    /// The default of every option.
    pub fn defaults(&self) -> &'static OptionMap {
        &(self.described)().defaults
    }

    /// Every option with its default, those in tables under their dotted names.
    pub fn fields(&self) -> Vec<OptionField> {
        self.fields_of(self.defaults())
    }

    /// Every option with its value in `options` in place of the default.
    pub fn fields_of(&self, options: &OptionMap) -> Vec<OptionField> {
        let mut fields = Vec::new();
        collect_fields(self.json_schema(), &Value::Object(options.clone()), "", &mut fields);
        fields
    }

    /// The defaults with `layers` laid over them, names, types, ranges and relations checked: what a run will use.
    pub fn with(&self, layers: &[&OptionMap]) -> Result<OptionMap> {
        (self.resolve)(layers)
    }
}

impl Serialize for OptionSchema {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        (self.described)().serialize(serializer)
    }
}

/// What an options struct says of itself.
#[derive(Debug, Serialize)]
pub(super) struct Described {
    schema: Value,
    defaults: OptionMap,
}

impl Described {
    pub(super) fn of<O: Options>() -> Self {
        Described {
            schema: schema_generator().into_root_schema_for::<O>().to_value(),
            defaults: to_map(&O::default()),
        }
    }

    /// The defaults with `layers` laid over them, names, types and ranges checked.
    pub(super) fn laid_over(&self, layers: &[&OptionMap]) -> Result<Value> {
        let mut fields = self.defaults.clone();
        for layer in layers {
            self.overlay(&mut fields, layer)?;
        }
        Ok(Value::Object(fields))
    }

    /// Checks names, types and ranges of all options.
    pub(super) fn check(&self, mut fields: OptionMap) -> Result<()> {
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

pub(super) fn collect_fields(schema: &Value, values: &Value, prefix: &str, fields: &mut Vec<OptionField>) {
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
pub(super) fn tagged_variants(schema: &Value) -> Option<Vec<(&str, &Value)>> {
    let variants = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array())?;
    let tagged: Vec<(&str, &Value)> = variants
        .iter()
        .filter_map(|variant| Some((variant["properties"]["name"]["const"].as_str()?, variant)))
        .collect();
    (!tagged.is_empty()).then_some(tagged)
}

/// The words an option may take, if it is a choice among words.
pub(super) fn word_choices(schema: &Value) -> Option<Vec<&str>> {
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

pub(super) fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => schema["anyOf"].as_array().into_iter().flatten().flat_map(types).collect(),
    }
}

pub(super) fn is_nullable(schema: &Value) -> bool {
    types(schema).contains(&"null")
}

pub(super) fn describe_kind(schema: &Value) -> String {
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
pub(super) fn range_text(schema: &Value) -> String {
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

//! Properties of what reads a user's text and files: what was written comes back, and no bytes make it panic.

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use quire_core::artefact::MANIFEST;
use quire_core::error::line_and_column;
use quire_core::{Artefact, Error, OptionMap, Options, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

fn config(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(11), failure_persistence: None, ..Config::default() }
}

/// Options of every shape that methods use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct EveryShape {
    /// A number in a range.
    #[schemars(range(min = 0.0, max = 1.0))]
    discount: f64,
    /// A count.
    #[schemars(range(min = 1))]
    batch_size: usize,
    /// A number or nothing.
    clip: Option<f64>,
    /// A list.
    hidden: Vec<usize>,
    /// A word.
    rule: Word,
    /// A choice among tables.
    schedule: Schedule,
    /// A choice among tables, or nothing.
    noise: Option<Schedule>,
    /// A table.
    inner: Inner,
    /// A list of tables.
    layers: Vec<Layer>,
    /// A flag.
    centered: bool,
    /// A text.
    note: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Word {
    First,
    SecondOne,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case")]
enum Schedule {
    Constant,
    Linear(Linear),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Linear {
    /// Where it ends.
    last: f64,
}

impl Default for Linear {
    fn default() -> Self {
        Linear { last: 0.1 }
    }
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Inner {
    /// A number.
    depth: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Layer {
    /// A count.
    width: usize,
}

impl Default for EveryShape {
    fn default() -> Self {
        EveryShape {
            discount: 0.99,
            batch_size: 32,
            clip: None,
            hidden: vec![64, 64],
            rule: Word::First,
            schedule: Schedule::Linear(Linear::default()),
            noise: None,
            inner: Inner { depth: 3 },
            layers: vec![Layer { width: 4 }],
            centered: false,
            note: String::new(),
        }
    }
}

impl Options for EveryShape {}

/// Any option values, right and wrong ones.
fn value() -> impl Strategy<Value = Value> {
    let words = ["none", "first", "second-one", "linear", "constant", "", "x"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-2.0..2.0_f64).prop_map(Value::from),
        prop::sample::select(words.to_vec()).prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((name(), inner), 0..4)
                .prop_map(|fields| Value::Object(OptionMap::from_iter(fields))),
        ]
    })
}

/// Names of options, right and wrong ones.
fn name() -> impl Strategy<Value = String> {
    let known = "discount batch_size clip hidden rule schedule schedule.last schedule.name noise noise.last noise.name \
                 inner inner.depth layers width last name depth centered note . inner. hidden.0 layers.width clip.x";
    let known: Vec<&str> = known.split(' ').collect();
    prop_oneof![4 => prop::sample::select(known).prop_map(str::to_owned), 1 => "[a-z.]{0,8}"]
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn assignments_come_back_as_written(
        fields in prop::collection::btree_map("[a-z_]{1,8}", -1e9..1e9_f64, 0..5),
        flag: bool,
        list in prop::collection::vec(any::<i64>(), 0..4),
    ) {
        let mut words: Vec<String> = fields.iter().map(|(name, value)| format!("{name} = {value:?}")).collect();
        words.push(format!("FLAG={flag}"));
        words.push(format!("LIST={list:?}"));
        let map = options::parse_assignments(&words).unwrap();
        prop_assert_eq!(map.len(), fields.len() + 2);
        for (name, value) in &fields {
            prop_assert_eq!(map[name].as_f64(), Some(*value));
        }
        prop_assert_eq!(&map["FLAG"], &json!(flag));
        prop_assert_eq!(&map["LIST"], &json!(list));
    }

    #[test]
    fn a_value_takes_nothing_else_along(first in 0..100_i64, name in "[a-z]{1,5}", second in 0..100_i64) {
        let text = format!("{first}\n{name} = {second}");
        let map = options::parse_assignments(&[format!("a={text}")]).unwrap();
        prop_assert_eq!(&map["a"], &Value::String(text));
    }

    #[test]
    fn no_assignment_makes_the_parser_panic(word in "\\PC*=\\PC*", garbage in "(?s).*") {
        let _ = options::parse_assignments(&[&word]);
        let _ = options::parse_assignments(&[garbage]);
    }

    #[test]
    fn whatever_is_laid_over_options_is_taken_whole_or_refused(
        layers in prop::collection::vec(
            prop::collection::vec((name(), value()), 0..4).prop_map(OptionMap::from_iter), 0..3,
        ),
    ) {
        let layers: Vec<&OptionMap> = layers.iter().collect();
        if let Ok(options) = options::resolve::<EveryShape>(&layers) {
            // What was accepted is in range, and survives being written down.
            prop_assert!((0.0..=1.0).contains(&options.discount) && options.batch_size >= 1);
            let all = options::to_map(&options);
            let text = toml::to_string(&options::to_toml(&all)).unwrap();
            let back = options::from_toml(toml::from_str(&text).unwrap());
            prop_assert_eq!(options::resolve::<EveryShape>(&[&back]).unwrap(), options);
        }
    }

    #[test]
    fn places_in_a_text_are_those_an_editor_shows(text in "[a-zé\n]{0,40}", offset in 0..60_usize) {
        let mut place = (1, 1);
        for (at, character) in text.char_indices() {
            if at + character.len_utf8() > offset {
                break;
            }
            place = if character == '\n' { (place.0 + 1, 1) } else { (place.0, place.1 + 1) };
        }
        prop_assert_eq!(line_and_column(&text, offset), place);
    }

    #[test]
    fn states_come_back_and_no_other_bytes_pass_for_one(
        numbers in prop::collection::vec(any::<u64>(), 0..20),
        kind in "\\PC{0,12}",
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let saved = state::encode(&kind, &numbers);
        prop_assert_eq!(&state::decode::<Vec<u64>>(&kind, &saved).unwrap(), &numbers);
        let other = kind.clone() + "x";
        prop_assert!(state::decode::<Vec<u64>>(&other, &saved).is_err());
        prop_assert!(state::decode::<Vec<u64>>(&kind, &bytes).is_err());
        let foreign = [&saved[..12 + kind.len()], &bytes].concat();
        prop_assert!(foreign == saved || state::decode::<Vec<u64>>(&kind, &foreign).is_err());
    }
}

fn sample() -> Artefact {
    Artefact {
        kind: "policy".into(),
        problem: "CartPole-v1".into(),
        method: "dqn".into(),
        options: OptionMap::from_iter([("discount".to_owned(), json!(0.99))]),
        seed: u64::MAX,
        steps: 50_000,
        files: BTreeMap::from([("model.safetensors".to_owned(), vec![1, 2, 3, 4])]),
    }
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn an_artefact_comes_back_from_its_folder(
        seed: u64,
        steps in 0..i64::MAX as u64,
        kind in "\\PC{0,10}",
        method in "\\PC{0,10}",
        files in prop::collection::btree_map(
            "[a-z][a-z0-9 _é.-]{0,12}", prop::collection::vec(any::<u8>(), 0..50), 0..3,
        ),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("artefact");
        let artefact = Artefact { seed, steps, kind, method, files, ..sample() };
        artefact.save(&path).unwrap();
        prop_assert_eq!(Artefact::load(&path).unwrap(), artefact);
    }

    #[test]
    fn a_damaged_manifest_is_told_by_its_place_or_the_file_it_names(at: prop::sample::Index, byte: u8, cut: bool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("artefact");
        sample().save(&path).unwrap();
        let manifest = path.join(MANIFEST);
        let mut text = fs::read(&manifest).unwrap();
        let at = at.index(text.len());
        if cut {
            text.truncate(at);
        } else {
            text[at] = byte;
        }
        fs::write(&manifest, &text).unwrap();
        match Artefact::load(&path) {
            // What the files hold is never another thing than what was saved.
            Ok(artefact) => prop_assert!(artefact.files.values().all(|bytes| bytes == &[1, 2, 3, 4])),
            Err(Error::Parse { line, column, path, .. }) => {
                prop_assert!(path.ends_with(MANIFEST) && column >= 1);
                prop_assert!((1..=text.split(|&byte| byte == b'\n').count()).contains(&line));
            }
            Err(Error::File { path: named, .. } | Error::Io { path: named, .. }) => {
                prop_assert!(named.starts_with(&path));
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}

#[test]
fn a_choice_is_named_by_a_text() {
    let refused = |set: Value| {
        let layer = OptionMap::from_iter([("schedule".to_owned(), set)]);
        options::resolve::<EveryShape>(&[&layer]).unwrap_err().to_string()
    };
    assert_eq!(refused(json!({ "name": 5 })), "option `schedule.name`: is a name, got 5");
    assert_eq!(
        refused(json!({ "name": "linaer" })),
        "option `schedule`: must be one of constant, linear; got `linaer` (did you mean `linear`?)"
    );
}

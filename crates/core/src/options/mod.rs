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

mod overlay;
mod schema;
mod text;

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use schema::{OptionField, OptionSchema};
pub use text::{from_toml, parse_assignments, to_toml, tuned_tables};

use crate::{Error, Result};
use schema::Described;

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
    let options: O = serde_json::from_value(described::<O>().laid_over(layers)?).map_err(not_understood)?;
    check(&options)?;
    Ok(options)
}

fn not_understood(error: serde_json::Error) -> Error {
    Error::Usage(format!("the options cannot be understood: {error}"))
}

/// Checks ranges and relations of options made in Rust. Every method's `new` calls it.
pub fn check<O: Options>(options: &O) -> Result<()> {
    described::<O>().check(to_map(options))?;
    options.validate()
}

// A wing has dozens of options structs: what does not depend on their type is compiled once.

/// What `O` says of itself, written once: that takes longer than some small problem that is solved a million times.
fn described<O: Options>() -> &'static Described {
    known_or(TypeId::of::<O>(), Described::of::<O>)
}

fn known_or(of: TypeId, make: fn() -> Described) -> &'static Described {
    static KNOWN: LazyLock<Mutex<HashMap<TypeId, &'static Described>>> = LazyLock::new(Mutex::default);
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(described) = known().get(&of) {
        return described;
    }
    // Written without the lock, since defaults may be made by looking at other options. There are as many as types, for good.
    let described = Box::leak(Box::new(make()));
    known().entry(of).or_insert(described)
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

#[cfg(test)]
mod tests {
    use super::schema::describe_kind;
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
        assert!(refused(&["learning_rat=1"]).contains("did you mean `optimizer.learning_rate`"));
        assert!(refused(&["optimiser=sgd"]).contains("did you mean `optimizer`"));
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

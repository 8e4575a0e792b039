//! A user's own model, read from JSON or from NPZ.
//!
//! | field | shape | meaning |
//! |---|---|---|
//! | `transitions` | `[S, A, S]` | probabilities; or, as integers of shape `[S, A]`, the next states of a deterministic model, -1 for the end |
//! | or `state`, `action`, `next`, `probability` | `[N]` each | the same, sparse: one number an entry |
//! | `rewards` | `[S, A]`, `[S, A, S]` or `[S]` | rewards of a state and action, of a transition, or of the state acted in |
//! | `start` | `[S]`, optional | probabilities of the first state; without it episodes start in state 0 |
//! | `terminal` | `[K]`, optional | states where an episode ends: absorbing, without reward |
//! | `horizon` | a number, optional | steps of an episode |
//! | `discount` | a number, optional | discount factor per step |
//!
//! In JSON arrays are nested lists; in NPZ they are arrays of any real or integer type. The integer form is that of the
//! files `consolidated.npz` of the BRIDGE data set (Laidlaw et al. 2023), which are read as they are: -1 leads to an extra
//! absorbing state behind the last one, episodes start in state 0, and what else the files hold about the emulator's
//! screens and states is passed over.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use npyz::{NpyFile, Order, TypeChar};
use quire_core::{Error, Result};
use serde_json::Value;
use zip::ZipArchive;

use crate::finite::FiniteMdp;

/// The greatest number of values in one array of a file: 2 GiB of them.
const MOST_VALUES: u64 = 1 << 28;
/// The fields that a file may have.
const FIELDS: [&str; 10] = [
    "transitions",
    "state",
    "action",
    "next",
    "probability",
    "rewards",
    "start",
    "terminal",
    "horizon",
    "discount",
];

/// What a BRIDGE file holds besides the model: screens and states of the emulator.
const BRIDGE_EXTRAS: [&str; 4] = ["screens", "screen_mapping", "states", "state_lengths"];

/// A model with what its file says about how to use it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFile {
    /// The model.
    pub mdp: FiniteMdp,
    /// Steps of an episode.
    pub horizon: Option<usize>,
    /// Discount factor per step.
    pub discount: Option<f64>,
}

/// An array as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
    /// Whether the file holds integers.
    integers: bool,
}

/// Whether `name` looks like a model's file: what [`read`] opens.
pub fn is_model(name: &str) -> bool {
    [".json", ".npz"].iter().any(|ending| name.to_ascii_lowercase().ends_with(ending))
}

/// Reads a model from a `.json` or `.npz` file.
///
/// # Errors
/// An unreadable file, a broken format, a missing or unknown field, a shape that does not fit, a row that is no
/// distribution, a terminal state that can never be reached: the message names file, field, state and action.
pub fn read(path: &Path) -> Result<ModelFile> {
    let name = path.to_string_lossy().to_ascii_lowercase();
    let arrays = if name.ends_with(".npz") {
        read_npz(path)
    } else if name.ends_with(".json") {
        read_json(path)
    } else {
        Err(Error::Usage("a model's file ends in .json or .npz".into()))
    };
    arrays.and_then(model).map_err(|error| match error {
        // Shapes and sums are found without knowing the file.
        Error::Usage(problem) => Error::file(path, problem),
        other => other,
    })
}

fn read_json(path: &Path) -> Result<BTreeMap<String, Array>> {
    let text =
        std::fs::read_to_string(path).map_err(|e| Error::file(path, format!("cannot be read: {e}")))?;
    let usage = |problem: String| Error::Usage(problem);
    let value: Value = serde_json::from_str(&text).map_err(|e| usage(format!("is not valid JSON: {e}")))?;
    let Value::Object(fields) = value else {
        return Err(usage("must hold one JSON object with `transitions` and `rewards`".into()));
    };
    fields.iter().map(|(name, value)| Ok((name.clone(), array(name, value)?))).collect()
}

/// A nested list as an array.
fn array(name: &str, value: &Value) -> Result<Array> {
    let mut shape = Vec::new();
    let mut at = value;
    while let Value::Array(list) = at {
        shape.push(list.len());
        match list.first() {
            Some(first) => at = first,
            None => return Err(Error::Usage(format!("`{name}` has an empty list"))),
        }
    }
    let mut array = Array { shape, values: Vec::new(), integers: true };
    let mut place = Vec::new();
    fill(name, value, &mut place, &mut array)?;
    Ok(array)
}

fn fill(name: &str, value: &Value, place: &mut Vec<usize>, array: &mut Array) -> Result<()> {
    let here = || place.iter().map(|index| format!("[{index}]")).collect::<String>();
    let depth = place.len();
    match value {
        Value::Array(list) if array.shape.get(depth) == Some(&list.len()) => {
            for (index, item) in list.iter().enumerate() {
                place.push(index);
                fill(name, item, place, array)?;
                place.pop();
            }
            Ok(())
        }
        Value::Array(list) => match array.shape.get(depth) {
            Some(expected) => Err(Error::Usage(format!(
                "`{name}`{} has {} items where the first list has {expected}",
                here(),
                list.len()
            ))),
            None => Err(Error::Usage(format!("`{name}`{} is a list where a number is expected", here()))),
        },
        Value::Number(number) if depth == array.shape.len() => {
            array.integers &= number.is_i64();
            array.values.push(number.as_f64().unwrap_or(f64::NAN));
            Ok(())
        }
        other => Err(Error::Usage(format!("`{name}`{} is {other}, not a number", here()))),
    }
}

/// The arrays of an NPZ file by their names.
pub(crate) fn read_npz(path: &Path) -> Result<BTreeMap<String, Array>> {
    let file = File::open(path).map_err(|e| Error::file(path, format!("cannot be read: {e}")))?;
    let broken = |e: zip::result::ZipError| Error::Usage(format!("is not an NPZ archive: {e}"));
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(broken)?;
    let mut arrays = BTreeMap::new();
    for index in 0..archive.len() {
        let member = archive.by_index(index).map_err(broken)?;
        let member_name = member.name().map_err(broken)?.into_owned();
        let Some(name) = member_name.strip_suffix(".npy").map(str::to_owned) else {
            return Err(Error::Usage(format!("holds `{member_name}`, which is no NumPy array")));
        };
        if BRIDGE_EXTRAS.contains(&name.as_str()) {
            continue;
        }
        let array = npy(&name, member)?;
        arrays.insert(name, array);
    }
    Ok(arrays)
}

/// One array of an NPZ archive.
fn npy(name: &str, bytes: impl Read) -> Result<Array> {
    let broken = |e: std::io::Error| Error::Usage(format!("`{name}` is a damaged array: {e}"));
    let file = NpyFile::new(bytes).map_err(broken)?;
    if file.len() > MOST_VALUES {
        return Err(Error::Usage(format!("`{name}` has {} values, more than {MOST_VALUES}", file.len())));
    }
    let by_columns = file.order() == Order::Fortran && file.shape().len() > 1;
    let shape: Vec<usize> = file.shape().iter().map(|&size| size as usize).collect();
    let npyz::DType::Plain(kind) = file.dtype() else {
        return Err(Error::Usage(format!("`{name}` is an array of records, not of numbers")));
    };
    macro_rules! values {
        ($type:ty) => {
            file.into_vec::<$type>().map_err(broken)?.into_iter().map(|value| value as f64).collect()
        };
    }
    let (values, integers): (Vec<f64>, bool) = match (kind.type_char(), kind.size_field()) {
        (TypeChar::Float, 8) => (values!(f64), false),
        (TypeChar::Float, 4) => (values!(f32), false),
        (TypeChar::Int, 8) => (values!(i64), true),
        (TypeChar::Int, 4) => (values!(i32), true),
        (TypeChar::Int, 2) => (values!(i16), true),
        (TypeChar::Int, 1) => (values!(i8), true),
        (TypeChar::Uint, 8) => (values!(u64), true),
        (TypeChar::Uint, 4) => (values!(u32), true),
        (TypeChar::Uint, 2) => (values!(u16), true),
        (TypeChar::Uint, 1) => (values!(u8), true),
        (TypeChar::Bool, 1) => {
            let flags = file.into_vec::<bool>().map_err(broken)?;
            (flags.into_iter().map(f64::from).collect(), true)
        }
        _ => {
            return Err(Error::Usage(format!(
                "`{name}` has the type {kind}; give it real or integer numbers"
            )));
        }
    };
    let values = if by_columns { row_major(&shape, &values) } else { values };
    Ok(Array { shape, values, integers })
}

/// `values` of an array whose first index varies fastest, with the last index varying fastest.
fn row_major(shape: &[usize], values: &[f64]) -> Vec<f64> {
    let mut index = vec![0; shape.len()];
    let mut ordered = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        let place = index.iter().zip(shape).rev().fold(0, |place, (&index, &size)| place * size + index);
        ordered.push(values[place]);
        for (index, &size) in index.iter_mut().zip(shape).rev() {
            *index += 1;
            if *index < size {
                break;
            }
            *index = 0;
        }
    }
    ordered
}

/// The model that the fields of a file make.
fn model(mut fields: BTreeMap<String, Array>) -> Result<ModelFile> {
    if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(Error::Usage(format!(
            "has the unknown field `{unknown}`; it may have {}",
            FIELDS.join(", ")
        )));
    }
    let horizon = scalar(&mut fields, "horizon")?.map(|value| whole("horizon", value)).transpose()?;
    if horizon == Some(0) {
        return Err(Error::Usage("`horizon` must be at least 1".into()));
    }
    let discount = scalar(&mut fields, "discount")?;
    if let Some(discount) = discount.filter(|discount| !(0.0..=1.0).contains(discount)) {
        return Err(Error::Usage(format!("`discount` must lie in [0, 1]; got {discount}")));
    }
    let rewards =
        fields.remove("rewards").ok_or_else(|| Error::Usage("misses the field `rewards`".into()))?;
    let terminal = indices(&mut fields, "terminal")?;
    let start = fields.remove("start");
    let table =
        if fields.contains_key("transitions") { dense(&mut fields)? } else { sparse(&mut fields, &rewards)? };
    let Table { states, actions, mut rows, ends } = table;

    let mut rewards = expected_rewards(rewards, states - usize::from(ends), actions, &rows)?;
    rewards.resize(states * actions, 0.0);
    for &state in &terminal {
        if state >= states {
            return Err(Error::Usage(format!("`terminal` names state {state}, but there are only {states}")));
        }
        for action in 0..actions {
            let row = &mut rows[state * actions + action];
            if row.iter().any(|&(next, p)| p != 0.0 && next != state) {
                return Err(Error::Usage(format!(
                    "state {state} is terminal, but its action {action} leads away from it"
                )));
            }
            if rewards[state * actions + action] != 0.0 {
                return Err(Error::Usage(format!(
                    "state {state} is terminal, but its action {action} has a reward"
                )));
            }
            *row = vec![(state, 1.0)];
        }
    }
    let start = match start {
        None => (0..states).map(|state| f64::from(u8::from(state == 0))).collect(),
        Some(start) => {
            let wanted = states - usize::from(ends);
            if start.shape != [wanted] {
                return Err(Error::Usage(format!("`start` has the shape {:?}, not [{wanted}]", start.shape)));
            }
            let mut values = start.values;
            values.resize(states, 0.0);
            values
        }
    };
    let mdp = FiniteMdp::from_rows(states, actions, rows, rewards, start)?;
    let reached = reachable(&mdp);
    if let Some(state) = terminal.iter().find(|&&state| !reached[state]) {
        return Err(Error::Usage(format!("the terminal state {state} can never be reached from the start")));
    }
    Ok(ModelFile { mdp, horizon, discount })
}

/// Transitions as sparse rows.
struct Table {
    states: usize,
    actions: usize,
    rows: Vec<Vec<(usize, f64)>>,
    /// Whether the last state was added, as the end of a deterministic model.
    ends: bool,
}

fn dense(fields: &mut BTreeMap<String, Array>) -> Result<Table> {
    let transitions = fields.remove("transitions").expect("the caller has seen it");
    if let Some(other) = fields.keys().next() {
        return Err(Error::Usage(format!(
            "has `transitions` and `{other}`; give dense or sparse transitions, not both"
        )));
    }
    match *transitions.shape {
        [states, actions, next] if states == next => {
            let row = |row: &[f64]| {
                let nonzero = |(next, &p): (usize, &f64)| (p != 0.0).then_some((next, p));
                row.iter().enumerate().filter_map(nonzero).collect()
            };
            let rows = transitions.values.chunks(states.max(1)).map(row).collect();
            Ok(Table { states, actions, rows, ends: false })
        }
        [states, actions] if transitions.integers => {
            let ends = transitions.values.contains(&-1.0);
            let row = |(pair, &next): (usize, &f64)| match next {
                -1.0 => Ok(vec![(states, 1.0)]),
                next if next >= 0.0 && next < states as f64 => Ok(vec![(next as usize, 1.0)]),
                next => Err(Error::Usage(format!(
                    "action {} in state {} leads to state {next}, but there are only {states} states",
                    pair % actions,
                    pair / actions
                ))),
            };
            let mut rows = transitions.values.iter().enumerate().map(row).collect::<Result<Vec<_>>>()?;
            rows.extend((0..actions).filter(|_| ends).map(|_| vec![(states, 1.0)]));
            Ok(Table { states: states + usize::from(ends), actions, rows, ends })
        }
        _ => Err(Error::Usage(format!(
            "`transitions` has the shape {:?}; give probabilities of shape [S, A, S] or integer next states of shape [S, A]",
            transitions.shape
        ))),
    }
}

fn sparse(fields: &mut BTreeMap<String, Array>, rewards: &Array) -> Result<Table> {
    if fields.is_empty() {
        let message = "misses the field `transitions`, or `state`, `action`, `next` and `probability`";
        return Err(Error::Usage(message.into()));
    }
    let [states, actions] = rewards.shape[..] else {
        let message = format!("sparse transitions need `rewards` of shape [S, A], not {:?}", rewards.shape);
        return Err(Error::Usage(message));
    };
    let mut column = |name: &str| {
        fields
            .remove(name)
            .ok_or_else(|| Error::Usage(format!("misses the field `{name}` of sparse transitions")))
    };
    let (state, action, next, probability) =
        (column("state")?, column("action")?, column("next")?, column("probability")?);
    for (name, array) in [("state", &state), ("action", &action), ("next", &next)] {
        if array.shape != probability.shape || array.shape.len() != 1 {
            return Err(Error::Usage(format!(
                "`{name}` has the shape {:?} and `probability` {:?}; both must be lists of one length",
                array.shape, probability.shape
            )));
        }
    }
    let mut rows = vec![Vec::new(); states * actions];
    for entry in 0..probability.values.len() {
        let index = |name: &str, array: &Array, limit: usize| {
            let index = whole(name, array.values[entry])?;
            if index < limit {
                return Ok(index);
            }
            Err(Error::Usage(format!(
                "entry {entry} has `{name}` {index}, but `rewards` allows only {limit}"
            )))
        };
        let (s, a, next) = (
            index("state", &state, states)?,
            index("action", &action, actions)?,
            index("next", &next, states)?,
        );
        rows[s * actions + a].push((next, probability.values[entry]));
    }
    Ok(Table { states, actions, rows, ends: false })
}

/// Rewards `[S, A]` from any of the shapes they may have.
fn expected_rewards(
    rewards: Array,
    states: usize,
    actions: usize,
    rows: &[Vec<(usize, f64)>],
) -> Result<Vec<f64>> {
    let shape = rewards.shape;
    if shape == [states, actions] {
        Ok(rewards.values)
    } else if shape == [states] {
        Ok(rewards.values.iter().flat_map(|&reward| std::iter::repeat_n(reward, actions)).collect())
    } else if shape == [states, actions, states] {
        let expected = |(pair, rewards): (usize, &[f64])| {
            rows[pair].iter().map(|&(next, p)| p * rewards.get(next).copied().unwrap_or(0.0)).sum()
        };
        Ok(rewards.values.chunks(states).enumerate().map(expected).collect())
    } else {
        Err(Error::Usage(format!(
            "`rewards` has the shape {shape:?}; {states} states and {actions} actions need [{states}, {actions}], [{states}, {actions}, {states}] or [{states}]"
        )))
    }
}

fn scalar(fields: &mut BTreeMap<String, Array>, name: &str) -> Result<Option<f64>> {
    match fields.remove(name) {
        None => Ok(None),
        Some(array) if array.values.len() == 1 => Ok(Some(array.values[0])),
        Some(array) => {
            Err(Error::Usage(format!("`{name}` has the shape {:?}; it is one number", array.shape)))
        }
    }
}

fn indices(fields: &mut BTreeMap<String, Array>, name: &str) -> Result<Vec<usize>> {
    match fields.remove(name) {
        None => Ok(Vec::new()),
        Some(array) => array.values.iter().map(|&value| whole(name, value)).collect(),
    }
}

fn whole(name: &str, value: f64) -> Result<usize> {
    if value >= 0.0 && value.fract() == 0.0 && value < f64::from(u32::MAX) {
        Ok(value as usize)
    } else {
        Err(Error::Usage(format!("`{name}` must be a whole number from 0 on; got {value}")))
    }
}

/// Which states can ever be reached.
fn reachable(mdp: &FiniteMdp) -> Vec<bool> {
    let mut reached: Vec<bool> = mdp.start().iter().map(|&p| p > 0.0).collect();
    let mut open: Vec<usize> = (0..mdp.states()).filter(|&state| reached[state]).collect();
    while let Some(state) = open.pop() {
        for action in 0..mdp.actions() {
            let (next, probability) = mdp.row(state, action);
            for (&next, &p) in next.iter().zip(probability) {
                if p > 0.0 && !std::mem::replace(&mut reached[next as usize], true) {
                    open.push(next as usize);
                }
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use npyz::WriterBuilder;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn from_json(text: &str) -> Result<ModelFile> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.json");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    /// Two states, two actions: stay or go.
    const DENSE: &str = r#"{
        "transitions": [[[1, 0], [0.25, 0.75]], [[0, 1], [1, 0]]],
        "rewards": [[0, 0.5], [1, 0]],
        "start": [0.5, 0.5], "horizon": 4, "discount": 0.9
    }"#;

    #[test]
    fn dense_and_sparse_json_are_one_model() {
        let dense = from_json(DENSE).unwrap();
        assert_eq!((dense.horizon, dense.discount), (Some(4), Some(0.9)));
        assert_eq!(dense.mdp.row(0, 1), ([0, 1].as_slice(), [0.25, 0.75].as_slice()));
        let sparse = from_json(
            r#"{"state": [0, 0, 0, 1, 1], "action": [0, 1, 1, 0, 1], "next": [0, 1, 0, 1, 0],
                "probability": [1, 0.75, 0.25, 1, 1], "rewards": [[0, 0.5], [1, 0]], "start": [0.5, 0.5]}"#,
        );
        assert_eq!(sparse.unwrap().mdp, dense.mdp);
        let by_transition = DENSE.replace("[[0, 0.5], [1, 0]]", "[[[0, 9], [2, 0]], [[7, 1], [0, 3]]]");
        assert_eq!(from_json(&by_transition).unwrap().mdp, dense.mdp);
    }

    #[test]
    fn the_end_of_a_deterministic_model_is_a_state_of_its_own() {
        let model =
            from_json(r#"{"transitions": [[1, -1], [0, 1]], "rewards": [[0, 0.6], [0, 0]]}"#).unwrap();
        assert_eq!(model.mdp.states(), 3);
        assert_eq!(model.mdp.row(0, 1).0, [2]);
        assert_eq!((model.mdp.row(2, 0).0, model.mdp.reward(2, 1)), ([2].as_slice(), 0.0));
        assert_eq!(model.mdp.start(), [1.0, 0.0, 0.0]);
    }

    #[test]
    fn numpy_arrays_of_several_types() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.npz");
        let mut archive = zip::ZipWriter::new(File::create(&path).unwrap());
        let mut add = |name: &str, bytes: Vec<u8>| {
            archive.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
            archive.write_all(&bytes).unwrap();
        };
        fn npy<T: npyz::AutoSerialize + Copy>(shape: &[u64], values: &[T]) -> Vec<u8> {
            array_bytes(Order::C, shape, values)
        }
        add("transitions", npy(&[2, 2, 2], &[1.0_f32, 0.0, 0.25, 0.75, 0.0, 1.0, 1.0, 0.0]));
        add("rewards", npy(&[2, 2], &[0.0_f64, 0.5, 1.0, 0.0]));
        add("start", npy(&[2], &[0.5_f64, 0.5]));
        add("horizon", npy(&[], &[4_i64]));
        add("discount", npy(&[], &[0.9_f64]));
        archive.finish().unwrap();
        assert_eq!(read(&path).unwrap(), from_json(DENSE).unwrap());
        // Cut short, it is an error and no panic.
        let bytes = std::fs::read(&path).unwrap();
        for length in [0, 10, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert!(read(&path).unwrap_err().to_string().contains("model.npz"), "{length}");
        }
    }

    fn array_bytes<T: npyz::AutoSerialize + Copy>(order: Order, shape: &[u64], values: &[T]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let builder = npyz::WriteOptions::new().default_dtype().shape(shape).order(order).writer(&mut bytes);
        let mut writer = builder.begin_nd().unwrap();
        values.iter().for_each(|value| writer.push(value).unwrap());
        writer.finish().unwrap();
        bytes
    }

    /// The form of BRIDGE's files: integers and rewards by columns, screens and states beside them.
    #[test]
    fn a_file_of_the_bridge_data_set() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("consolidated.npz");
        let mut archive = zip::ZipWriter::new(File::create(&path).unwrap());
        for (name, bytes) in [
            // The trap: in state 0 action 0 pays 0.6 and ends, action 1 leads to state 1, where action 0 pays 1.
            ("transitions", array_bytes(Order::Fortran, &[2, 2], &[-1_i64, -1, 1, -1])),
            ("rewards", array_bytes(Order::Fortran, &[2, 2], &[0.6_f32, 1.0, 0.0, 0.0])),
            ("screens", array_bytes(Order::C, &[1, 2, 2, 3], &[0_u8; 12])),
            ("screen_mapping", array_bytes(Order::C, &[2], &[0_i64, 0])),
            ("states", array_bytes(Order::C, &[2, 3], &[7_u8; 6])),
            ("state_lengths", array_bytes(Order::C, &[2], &[3_u64, 3])),
        ] {
            archive.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
            archive.write_all(&bytes).unwrap();
        }
        archive.finish().unwrap();
        let model = read(&path).unwrap();
        let json =
            from_json(r#"{"transitions": [[-1, 1], [-1, -1]], "rewards": [[0.6, 0], [1, 0]]}"#).unwrap();
        assert_eq!(
            model.mdp.rewards(),
            json.mdp.rewards().iter().map(|&r| f64::from(r as f32)).collect::<Vec<_>>()
        );
        assert_eq!(model.mdp.with_rewards(json.mdp.rewards().to_vec()).unwrap(), json.mdp);
    }

    #[test]
    fn columns_become_rows() {
        // [2, 3, 2]: the value of index (i, j, k) is 100 i + 10 j + k.
        let by_columns: Vec<f64> = (0..12).map(|n| f64::from(n % 2 * 100 + n / 2 % 3 * 10 + n / 6)).collect();
        let by_rows: Vec<f64> = (0..12).map(|n| f64::from(n / 6 * 100 + n / 2 % 3 * 10 + n % 2)).collect();
        assert_eq!(row_major(&[2, 3, 2], &by_columns), by_rows);
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            ("{", "JSON"),
            ("[1]", "one JSON object"),
            (r#"{"transitions": [[[1]]]}"#, "`rewards`"),
            (r#"{"rewards": [[1]]}"#, "`transitions`"),
            (r#"{"transitions": [[[1]]], "rewards": [[1]], "reward": 1}"#, "unknown field `reward`"),
            (
                r#"{"transitions": [[[0.5, 0.4]], [[0, 1]]], "rewards": [[0], [0]]}"#,
                "action 0 in state 0 sum to 0.9",
            ),
            (
                r#"{"transitions": [[[1, 0]], [[0, 1, 0]]], "rewards": [[0], [0]]}"#,
                "`transitions`[1][0] has 3 items",
            ),
            (
                r#"{"transitions": [[[1, "x"]], [[0, 1]]], "rewards": [[0], [0]]}"#,
                "`transitions`[0][0][1] is \"x\"",
            ),
            (r#"{"transitions": [[[1, 0]], [[0, 1]]], "rewards": [[0]]}"#, "`rewards` has the shape [1, 1]"),
            (r#"{"transitions": [[5]], "rewards": [[0]]}"#, "action 0 in state 0 leads to state 5"),
            (
                r#"{"transitions": [[[1, 0]], [[0, 1]]], "rewards": [[0], [0]], "terminal": [1]}"#,
                "terminal state 1 can never",
            ),
            (
                r#"{"transitions": [[[0, 1]], [[1, 0]]], "rewards": [[0], [0]], "terminal": [1]}"#,
                "leads away",
            ),
            (
                r#"{"transitions": [[[0, 1]], [[0, 1]]], "rewards": [[0], [2]], "terminal": [1]}"#,
                "has a reward",
            ),
            (r#"{"transitions": [[[1]]], "rewards": [[1]], "horizon": 0}"#, "`horizon`"),
            (r#"{"transitions": [[[1]]], "rewards": [[1]], "discount": 1.5}"#, "`discount`"),
            (r#"{"transitions": [[[1]]], "rewards": [[1]], "start": [0.5]}"#, "starting probabilities"),
            (
                r#"{"state": [0], "action": [0], "next": [3], "probability": [1], "rewards": [[1]]}"#,
                "entry 0 has `next` 3",
            ),
        ];
        for (text, expected) in cases {
            let error = from_json(text).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("model.json"), "{text}: {error}");
        }
    }
}

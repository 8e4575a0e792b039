use std::io::{Cursor, Write};

use npyz::WriterBuilder;
use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::super::own::Target;
use super::*;

/// Reads `contents` as a file of this name.
fn read_as(name: &str, contents: &[u8]) -> Result<Episodes> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, contents).unwrap();
    read(&path)
}

fn csv(text: &str) -> Result<Episodes> {
    read_as("log.csv", text.as_bytes())
}

/// A NumPy array of doubles.
fn npy(shape: &[u64], values: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut bytes).begin_nd().unwrap();
    values.iter().for_each(|value| writer.push(value).unwrap());
    writer.finish().unwrap();
    bytes
}

fn npz(arrays: &[(&str, &[u64], &[f64])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, shape, values) in arrays {
        archive.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        archive.write_all(&npy(shape, values)).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn row(state: &[f64], action: usize, reward: &[f64], next: Option<&[f64]>, done: bool) -> Row {
    Row { state: state.to_vec(), action, reward: reward.to_vec(), next: next.map(<[f64]>::to_vec), done }
}

#[test]
fn what_follows_a_row_is_the_next_one_unless_it_is_said() {
    let log =
        csv("episode,step,state,action,reward,done\n4,7,0,1,0.5,0\n4,8,3,0,-1,TRUE\n9,0,2,1,1e2,false\n")
            .unwrap();
    assert_eq!(
        log,
        [
            vec![row(&[0.0], 1, &[0.5], Some(&[3.0]), false), row(&[3.0], 0, &[-1.0], None, true)],
            vec![row(&[2.0], 1, &[100.0], None, false)],
        ]
    );
    // A sampler that was moved between the rows: the column says where each led.
    let log =
        csv("done,next_state,reward,action,state,step,episode\n0,5,0.5,1,0,0,0\n0,6,1,0,3,1,0\n").unwrap();
    assert_eq!(
        log,
        [[row(&[0.0], 1, &[0.5], Some(&[5.0]), false), row(&[3.0], 0, &[1.0], Some(&[6.0]), false)]]
    );
}

#[test]
fn states_and_rewards_may_be_several_numbers() {
    let text = "episode,step,observation_x,observation_y,action,reward_a,reward_b,done,next_observation_x,next_observation_y,note\n\
                0,0,0.5,1,2,1,-1,0,0.25,2,first try\n0,1,0.25,2,0,0,3,1,9,9,\n";
    let expected = [[
        row(&[0.5, 1.0], 2, &[1.0, -1.0], Some(&[0.25, 2.0]), false),
        row(&[0.25, 2.0], 0, &[0.0, 3.0], Some(&[9.0, 9.0]), true),
    ]];
    assert_eq!(csv(text).unwrap(), expected);
    // A column named `state` alone is the state, whatever else begins with it.
    let log = csv("episode,step,state,state_before,action,reward,done\n0,0,1,7,0,0,1\n").unwrap();
    assert_eq!(log[0][0].state, [1.0]);
}

#[test]
fn arrays_of_d4rl() {
    let observations: (&str, &[u64], &[f64]) =
        ("observations", &[4, 2], &[0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]);
    let next: (&str, &[u64], &[f64]) =
        ("next_observations", &[4, 2], &[1.0, 1.5, 9.0, 9.5, 3.0, 3.5, 8.0, 8.5]);
    let actions: (&str, &[u64], &[f64]) = ("actions", &[4], &[1.0, 0.0, 2.0, 1.0]);
    let terminals: (&str, &[u64], &[f64]) = ("terminals", &[4], &[0.0, 1.0, 0.0, 0.0]);
    let rewards: (&str, &[u64], &[f64]) = ("rewards", &[4, 2], &[1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 4.0, -4.0]);
    let all = [observations, next, actions, terminals, rewards];
    let rows = [
        row(&[0.0, 0.5], 1, &[1.0, -1.0], Some(&[1.0, 1.5]), false),
        row(&[1.0, 1.5], 0, &[2.0, -2.0], Some(&[9.0, 9.5]), true),
        row(&[2.0, 2.5], 2, &[3.0, -3.0], Some(&[3.0, 3.5]), false),
        row(&[3.0, 3.5], 1, &[4.0, -4.0], Some(&[8.0, 8.5]), false),
    ];
    assert_eq!(read_as("log.npz", &npz(&all)).unwrap(), [&rows[..2], &rows[2..]]);
    // A timeout ends an episode, not the world; arrays beside the known ones are passed over.
    let more =
        [all.as_slice(), &[("timeouts", &[4], &[0.0, 0.0, 1.0, 0.0]), ("infos", &[1], &[7.0])]].concat();
    let log = read_as("LOG.NPZ", &npz(&more)).unwrap();
    assert_eq!(log, [&rows[..2], &rows[2..3], &rows[3..]]);
    // One number a reward, one a state, as columns or as matrices.
    for shape in [&[2_u64][..], &[2, 1]] {
        let bytes = npz(&[
            ("observations", shape, &[0.0, 1.0]),
            ("next_observations", shape, &[1.0, 0.0]),
            ("rewards", shape, &[0.5, 0.25]),
            ("actions", &[2], &[0.0, 1.0]),
            ("terminals", &[2], &[0.0, 0.0]),
        ]);
        let log = read_as("log.npz", &bytes).unwrap();
        assert_eq!(log[0][1], row(&[1.0], 1, &[0.25], Some(&[0.0]), false));
    }
}

#[test]
fn what_is_wrong_with_arrays_is_said() {
    type Named<'a> = (&'a str, &'a [u64], &'a [f64]);
    let good: [Named; 5] = [
        ("observations", &[2, 2], &[0.0, 0.5, 1.0, 1.5]),
        ("next_observations", &[2, 2], &[1.0, 1.5, 0.0, 0.5]),
        ("actions", &[2], &[1.0, 0.0]),
        ("terminals", &[2], &[0.0, 1.0]),
        ("rewards", &[2], &[1.0, 2.0]),
    ];
    assert!(read_as("log.npz", &npz(&good)).is_ok());
    for missing in 0..good.len() {
        let rest: Vec<Named> =
            good.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, named)| *named).collect();
        let error = read_as("log.npz", &npz(&rest)).unwrap_err().to_string();
        assert!(error.contains("log.npz") && error.contains(&format!("`{}`", good[missing].0)), "{error}");
    }
    let cases: [(Named, &str); 9] = [
        (("rewards", &[2], &[1.0, f64::NAN]), "`rewards` row 1 is not finite"),
        (("observations", &[2, 2], &[0.0, 0.5, f64::INFINITY, 0.0]), "`observations` row 1"),
        (("rewards", &[3], &[1.0, 2.0, 3.0]), "`rewards` has the shape [3] where 2 rows"),
        (("terminals", &[2, 1, 1], &[0.0, 0.0]), "`terminals` has the shape [2, 1, 1]"),
        (("observations", &[2, 1], &[0.0, 0.5]), "differ in shape"),
        (("actions", &[2], &[0.5, 0.0]), "`actions` row 0 is 0.5"),
        (("actions", &[2], &[0.0, 1001.0]), "`actions` row 1 is 1001"),
        (("actions", &[2], &[0.0, f64::NAN]), "`actions` row 1 is NaN"),
        (("timeouts", &[1], &[1.0]), "`timeouts` has the shape [1]"),
    ];
    for (changed, expected) in cases {
        let mut arrays: Vec<Named> = good.iter().copied().filter(|named| named.0 != changed.0).collect();
        arrays.push(changed);
        let error = read_as("log.npz", &npz(&arrays)).unwrap_err().to_string();
        assert!(error.contains("log.npz") && error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn a_missing_column_is_named() {
    let columns = ["episode", "step", "state", "action", "reward", "done"];
    for missing in columns {
        let rest: Vec<&str> = columns.iter().copied().filter(|name| *name != missing).collect();
        let error = csv(&format!("{}\n0,0,0,0,0\n", rest.join(","))).unwrap_err().to_string();
        let expected = format!("misses the column `{missing}`; its header has {}", rest.join(", "));
        assert!(error.contains("log.csv") && error.contains(&expected), "{error}");
    }
    assert!(csv("").unwrap_err().to_string().contains("`episode`"));
    let error =
        csv("episode,step,state_x,state_y,action,reward,done,next_state\n0,0,0,0,0,0,1,0\n").unwrap_err();
    assert!(error.to_string().contains("has 2 columns of a state but 1 of the next one"), "{error}");
}

#[test]
fn a_bad_cell_is_named_by_line_and_column() {
    for (rows, expected) in [
        ("0,0,x,0,1,1", "log.csv:2:3: column 3 (`state`): `x` is not a finite number"),
        ("0,0,0,0,1,0\n0,1,0,0,,1", "log.csv:3:5: column 5 (`reward`): `` is not a finite number"),
        ("0,0,0,0,inf,1", "log.csv:2:5"),
        ("0,0,0,0.5,1,1", "log.csv:2:4: column 4 (`action`): must be a whole number from 0 to 1000; got 0.5"),
        ("0,0,0,1001,1,1", "log.csv:2:4"),
        ("0,0,0,0,1,2", "log.csv:2:6: column 6 (`done`): must be 0, 1, true or false"),
        ("0,0,0,0,1,0\n0,0,0,0,1,1", "log.csv:3:2: column 2 (`step`): must be 1 after 0"),
        ("0,0,0,0,1,1\n0,1,0,0,1,1", "log.csv:3:1: column 1 (`episode`): the episode goes on after `done`"),
    ] {
        let error = csv(&format!("episode,step,state,action,reward,done\n{rows}\n")).unwrap_err().to_string();
        assert!(error.contains(expected), "{rows}: {error}");
    }
    let error = csv("episode,step,state,action,reward,done\n\n").unwrap_err().to_string();
    assert!(error.contains("holds no transition"), "{error}");
    let error = read_as("log.json", b"{}").unwrap_err().to_string();
    assert!(error.contains("log.json") && error.contains("export other formats as CSV"), "{error}");
}

#[test]
fn a_policy_is_read_and_its_mistakes_named() {
    let policy = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.csv");
        std::fs::write(&path, text).unwrap();
        Target::parse(&path.to_string_lossy()).map_err(|error| error.to_string())
    };
    // State 1 is left out; a state may have its actions in any order, and without probabilities one.
    let rows = vec![vec![0.25, 0.0, 0.75], vec![], vec![0.0, 1.0]];
    assert_eq!(policy("probability,action,state\n0.75,2,0\n1,1,2\n0.25,0,0\n"), Ok(Target::Table(rows)));
    assert_eq!(policy("state,action\n0,1\n"), Ok(Target::Table(vec![vec![0.0, 1.0]])));
    for (text, expected) in [
        ("state,probability\n0,1\n", "misses the column `action`"),
        ("state,action\n0,x\n", "policy.csv:2:2"),
        (
            "state,action\n0,1\n1001,0\n",
            "policy.csv:3:1: column 1 (`state`): must be a whole number from 0 to 1000",
        ),
        (
            "state,action,probability\n0,0,1.5\n",
            "policy.csv:2:3: column 3 (`probability`): must lie in [0, 1]; got 1.5",
        ),
        ("state,action,probability\n0,0,0.5\n0,1,0.4\n", "the probabilities of state 0 sum to 0.9"),
    ] {
        let error = policy(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
    assert_eq!(Target::parse("uniform").unwrap(), Target::Uniform);
    assert_eq!(Target::parse("7").unwrap(), Target::Always(7));
    assert!(Target::parse("1001").unwrap_err().to_string().contains("--policy"));
}

/// Episodes of one shape: numbers in a state and in a reward, whether followers are given.
fn episodes() -> impl Strategy<Value = Episodes> {
    let number = || prop_oneof![-1e6..1e6, Just(0.0), Just(-0.25), Just(1e-300)];
    (1..4_usize, 1..3_usize).prop_flat_map(move |(width, dimensions)| {
        let numbers = move |count| proptest::collection::vec(number(), count);
        let row = (numbers(width), 0..=GREATEST, numbers(dimensions), numbers(width), any::<bool>());
        let row = row.prop_map(|(state, action, reward, next, done)| Row {
            state,
            action,
            reward,
            next: Some(next),
            done,
        });
        proptest::collection::vec(proptest::collection::vec(row, 1..6), 1..5).prop_map(|mut log: Episodes| {
            for rows in &mut log {
                let last = rows.len() - 1;
                rows[..last].iter_mut().for_each(|row| row.done = false);
            }
            log
        })
    })
}

/// The columns of a log with their names, in the order of a table.
fn columns(log: &Episodes) -> Vec<(String, Vec<f64>)> {
    let first = &log[0][0];
    let mut names: Vec<String> = vec!["episode".into(), "step".into(), "action".into(), "done".into()];
    names.extend((0..first.state.len()).map(|i| format!("observation_{i}")));
    names.extend((0..first.reward.len()).map(|i| format!("reward_{i}")));
    names.extend((0..first.state.len()).map(|i| format!("next_observation_{i}")));
    let mut columns: Vec<(String, Vec<f64>)> = names.into_iter().map(|name| (name, Vec::new())).collect();
    for (episode, rows) in log.iter().enumerate() {
        for (step, row) in rows.iter().enumerate() {
            let mut values =
                vec![episode as f64, step as f64, row.action as f64, f64::from(u8::from(row.done))];
            values.extend(row.state.iter().chain(&row.reward).chain(row.next.as_ref().unwrap()));
            columns.iter_mut().zip(values).for_each(|(column, value)| column.1.push(value));
        }
    }
    columns
}

fn as_csv(log: &Episodes) -> String {
    let columns = columns(log);
    let line = |cells: Vec<String>| cells.join(",") + "\n";
    let mut text = line(columns.iter().map(|column| column.0.clone()).collect());
    for row in 0..columns[0].1.len() {
        text += &line(columns.iter().map(|column| column.1[row].to_string()).collect());
    }
    text
}

fn as_npz(log: &Episodes) -> Vec<u8> {
    let rows: Vec<&Row> = log.iter().flatten().collect();
    let count = rows.len() as u64;
    let (width, dimensions) = (rows[0].state.len() as u64, rows[0].reward.len() as u64);
    let flat = |f: &dyn Fn(&Row) -> Vec<f64>| rows.iter().flat_map(|row| f(row)).collect::<Vec<f64>>();
    let timeouts: Vec<f64> = log
        .iter()
        .flat_map(|rows| {
            (0..rows.len()).map(|step| f64::from(u8::from(step + 1 == rows.len() && !rows[step].done)))
        })
        .collect();
    npz(&[
        ("observations", &[count, width], &flat(&|row| row.state.clone())),
        ("next_observations", &[count, width], &flat(&|row| row.next.clone().unwrap())),
        ("rewards", &[count, dimensions], &flat(&|row| row.reward.clone())),
        ("actions", &[count], &flat(&|row| vec![row.action as f64])),
        ("terminals", &[count], &flat(&|row| vec![f64::from(u8::from(row.done))])),
        ("timeouts", &[count], &timeouts),
    ])
}

/// Changes bytes at places, and cuts.
fn damaged(mut bytes: Vec<u8>, edits: &[(usize, u8)], length: usize) -> Vec<u8> {
    for &(place, value) in edits {
        let place = place % bytes.len();
        bytes[place] = value;
    }
    bytes.truncate(length.max(1));
    bytes
}

/// A damaged file is read or refused by its name; it never panics.
fn is_read_or_named(name: &str, bytes: &[u8]) -> std::result::Result<(), TestCaseError> {
    match read_as(name, bytes) {
        Ok(log) => prop_assert!(!log.is_empty() && log.iter().all(|rows| !rows.is_empty())),
        Err(error) => prop_assert!(error.to_string().contains(name), "{}", error),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_written_comes_back(log in episodes()) {
        prop_assert_eq!(&csv(&as_csv(&log)).unwrap(), &log);
        prop_assert_eq!(&read_as("log.npz", &as_npz(&log)).unwrap(), &log);
        #[cfg(feature = "parquet")]
        prop_assert_eq!(&read_as("log.parquet", &in_parquet::written(&columns(&log), 3)).unwrap(), &log);
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in "(episode|step|state|action|reward|done|[0-9.,\\-\n\"e]|\\PC){0,80}") {
        is_read_or_named("log.csv", text.as_bytes())?;
        let header = "episode,step,state,action,reward,done\n0,0,0,0,0,0\n";
        is_read_or_named("log.csv", format!("{header}{text}").as_bytes())?;
    }

    #[test]
    fn no_damage_makes_a_reader_panic(
        log in episodes(),
        edits in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..6),
        cut in any::<usize>(),
    ) {
        let mut bytes = as_csv(&log).into_bytes();
        is_read_or_named("log.csv", &damaged(bytes.clone(), &edits, bytes.len()))?;
        bytes = as_npz(&log);
        is_read_or_named("log.npz", &damaged(bytes.clone(), &edits, bytes.len()))?;
        is_read_or_named("log.npz", &damaged(bytes.clone(), &edits, cut % bytes.len()))?;
        #[cfg(feature = "parquet")]
        {
            bytes = in_parquet::written(&columns(&log), 3);
            is_read_or_named("log.parquet", &damaged(bytes.clone(), &edits, bytes.len()))?;
            is_read_or_named("log.parquet", &damaged(bytes.clone(), &edits, cut % bytes.len()))?;
        }
    }
}

#[cfg(not(feature = "parquet"))]
#[test]
fn without_its_reader_parquet_is_refused_with_the_remedy() {
    let error = read_as("log.parquet", b"PAR1").unwrap_err().to_string();
    assert!(error.contains("log.parquet") && error.contains("feature `parquet`"), "{error}");
}

#[cfg(feature = "parquet")]
mod in_parquet {
    use std::sync::Arc;

    use parquet::data_type::{DoubleType, Int32Type, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    /// A file of columns of doubles, `group` rows in a group.
    pub fn written(columns: &[(String, Vec<f64>)], group: usize) -> Vec<u8> {
        let fields: String = columns.iter().map(|(name, _)| format!("required double {name}; ")).collect();
        let schema = Arc::new(parse_message_type(&format!("message log {{ {fields} }}")).unwrap());
        let mut writer =
            SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::new())).unwrap();
        let rows = columns[0].1.len();
        for from in (0..rows).step_by(group) {
            let mut rows_at = writer.next_row_group().unwrap();
            for (_, values) in columns {
                let mut column = rows_at.next_column().unwrap().unwrap();
                let values = &values[from..rows.min(from + group)];
                column.typed::<DoubleType>().write_batch(values, None, None).unwrap();
                column.close().unwrap();
            }
            rows_at.close().unwrap();
        }
        writer.into_inner().unwrap()
    }

    fn log_of(values: [[f64; 2]; 6]) -> Vec<u8> {
        let names = ["episode", "step", "state", "action", "reward", "done"];
        written(&names.map(String::from).into_iter().zip(values.map(|v| v.to_vec())).collect::<Vec<_>>(), 10)
    }

    /// The same log by three writers: snappy, zstd and gzip; optional columns; lists; text beside it; two groups of rows.
    #[test]
    fn files_of_pandas_polars_and_pyarrow() {
        let steps = [
            vec![(0.0, 1, 0.5, 1.0, false), (1.0, 0, -1.25, 0.0, false), (0.0, 1, 2.0, 2.0, true)],
            vec![(2.0, 0, 0.0, 1.0, false), (1.0, 1, 0.75, 1.0, true)],
            vec![(1.0, 1, 1.5, 0.0, true)],
        ];
        let expected = |encode: fn(f64) -> Vec<f64>| -> Episodes {
            let make = |&(s, a, r, next, done): &(f64, usize, f64, f64, bool)| {
                row(&encode(s), a, &[r], Some(&encode(next)), done)
            };
            steps.iter().map(|rows| rows.iter().map(make).collect()).collect()
        };
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        assert_eq!(read(&data.join("log-pandas.parquet")).unwrap(), expected(|s| vec![s]));
        assert_eq!(read(&data.join("log-pyarrow.parquet")).unwrap(), expected(|s| vec![s]));
        assert_eq!(read(&data.join("log-polars.parquet")).unwrap(), expected(|s| vec![s, s / 4.0]));
    }

    #[test]
    fn what_is_wrong_is_named_by_row_and_column() {
        let good = [[0.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [0.5, 0.25], [0.0, 1.0]];
        assert_eq!(read_as("log.parquet", &log_of(good)).unwrap()[0].len(), 2);
        for (column, value, expected) in [
            (4, f64::NAN, "row 1 of the column `reward`: NaN is not a finite number"),
            (3, 0.5, "row 1 of the column `action`: must be a whole number"),
            (5, 2.0, "row 1 of the column `done`"),
            (1, 2.0, "row 1 of the column `step`: must be 1 after 0"),
        ] {
            let mut bad = good;
            bad[column][1] = value;
            let error = read_as("log.parquet", &log_of(bad)).unwrap_err().to_string();
            assert!(error.contains("log.parquet") && error.contains(expected), "{expected}: {error}");
        }
        let error =
            read_as("log.parquet", &written(&[("episode".into(), vec![0.0])], 10)).unwrap_err().to_string();
        assert!(error.contains("misses the column `step`"), "{error}");
        let error = read_as("log.parquet", b"PAR1 and more").unwrap_err().to_string();
        assert!(error.contains("log.parquet: is not a readable Parquet file"), "{error}");
    }

    /// One column by hand, with definition and repetition levels.
    fn one(
        field: &str,
        write: impl FnOnce(&mut parquet::file::writer::SerializedColumnWriter<'_>),
    ) -> String {
        let schema = Arc::new(parse_message_type(&format!("message log {{ {field} }}")).unwrap());
        let mut writer =
            SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::new())).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        write(&mut column);
        column.close().unwrap();
        group.close().unwrap();
        read_as("log.parquet", &writer.into_inner().unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn nulls_ragged_lists_and_types_that_are_no_numbers() {
        let error = one("optional double reward;", |column| {
            column.typed::<DoubleType>().write_batch(&[1.0, 2.0], Some(&[1, 0, 1]), None).unwrap();
        });
        assert!(error.contains("row 1 of the column `reward`: is null"), "{error}");
        let list = "required group state (LIST) { repeated group list { required double element; } }";
        let error = one(list, |column| {
            column
                .typed::<DoubleType>()
                .write_batch(&[1.0, 2.0, 3.0], Some(&[1, 1, 1]), Some(&[0, 1, 0]))
                .unwrap();
        });
        assert!(
            error.contains("row 1 of the column `state_0`: is a list of 1 numbers where row 0 has 2"),
            "{error}"
        );
        let error = one("required int64 action (TIMESTAMP(MILLIS,true));", |column| {
            column.typed::<Int64Type>().write_batch(&[1], None, None).unwrap();
        });
        assert!(error.contains("the column `action` has the type Timestamp"), "{error}");
        let error = one("required int32 reward (DECIMAL(5,2));", |column| {
            column.typed::<Int32Type>().write_batch(&[1], None, None).unwrap();
        });
        assert!(error.contains("the column `reward` has the type Decimal"), "{error}");
        let error = one("required group state { required double x; }", |column| {
            column.typed::<DoubleType>().write_batch(&[1.0], None, None).unwrap();
        });
        assert!(error.contains("the column `state` is nested"), "{error}");
    }
}

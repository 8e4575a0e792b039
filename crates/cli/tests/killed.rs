//! What survives: a study whose process is killed at fifty random moments, a full disk, two processes at one study.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use quire_core::Seeds;
use quire_study::{RunStatus, Store, StudyRecord};
use rand::RngExt;
use tempfile::tempdir;

/// Moments at which the process is killed.
const KILLS: usize = 50;

/// Four runs of well under a second. Breakout's memory makes checkpoints too large for the store, which become files.
const STUDY: &str = r#"
name = "killed"
problems = ["CartPole-v1", "MinAtar/Breakout-v1"]
seeds = 1
steps = 1500
tuned = false

[[methods]]
method = "dqn"
options = { learning_starts = 300, learn_period = 8, target_period = 100, batch_size = 8, replay_capacity = 5000, network = { hidden = [16], convolutions = [{ channels = 4, kernel = 3, stride = 1 }] } }

[[methods]]
method = "double-dqn"
options = { learning_starts = 300, learn_period = 8, target_period = 100, batch_size = 8, replay_capacity = 5000, network = { hidden = [16], convolutions = [{ channels = 4, kernel = 3, stride = 1 }] } }
"#;

/// The binary, writing into `out`, with checkpoints so often that little is lost between two kills.
fn quire(out: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quire"));
    command.args(words).args(["--quiet", "--threads", "2", "--out"]).arg(out);
    command.env_remove("QUIRE_OUT").env("QUIRE_CHECKPOINT_S", "0.02").env("NO_COLOR", "1");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Label, problem, seed, options, status, reason and length of a run.
type RunEnd = (String, String, u64, String, RunStatus, Option<String>, u64);

/// Everything that a study leaves: its runs with their ends, every number's bits, every byte of every artefact.
#[derive(Debug, PartialEq)]
struct Left {
    runs: Vec<RunEnd>,
    points: Vec<(i64, String, u64, u64)>,
    artefacts: BTreeMap<String, Vec<u8>>,
}

fn left(out: &Path) -> Left {
    let store = Store::open(out.join("quire.db")).unwrap();
    let studies = store.studies().unwrap();
    assert_eq!(studies.len(), 1, "the study was entered more than once");
    let study = studies[0].id;
    let mut found = Left { runs: Vec::new(), points: Vec::new(), artefacts: BTreeMap::new() };
    for run in store.runs(study).unwrap() {
        assert!(store.checkpoint(run.id).unwrap().is_none(), "a finished run keeps a checkpoint");
        // The path begins with the folder, which differs.
        let folder = Path::new(run.artefact.as_deref().expect("every run leaves an artefact"));
        for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = file.strip_prefix(folder.parent().unwrap()).unwrap().display().to_string();
            found.artefacts.insert(name, fs::read(file).unwrap());
        }
        let options = serde_json::to_string(&run.spec.options).unwrap();
        found.runs.push((
            run.label,
            run.spec.problem,
            run.spec.seed,
            options,
            run.status,
            run.reason,
            run.steps,
        ));
    }
    store
        .for_each_point(study, |point| {
            found.points.push((point.run.0, point.metric.to_owned(), point.step, point.value.to_bits()));
            Ok(())
        })
        .unwrap();
    found
}

#[test]
fn a_study_killed_at_fifty_random_moments_ends_as_one_never_killed() {
    let files = tempdir().unwrap();
    let file = files.path().join("study.toml");
    fs::write(&file, STUDY).unwrap();
    let begin = ["run", file.to_str().unwrap()];

    let undisturbed = tempdir().unwrap();
    let began = Instant::now();
    assert!(quire(undisturbed.path(), &begin).status().unwrap().success());
    let mut lasts = began.elapsed().as_secs_f64();
    let expected = left(undisturbed.path());
    assert_eq!((expected.runs.len(), expected.artefacts.len()), (4, 8));

    let mut rng = Seeds::new(20).stream("moments");
    let mut kills = 0;
    while kills < KILLS {
        let out = tempdir().unwrap();
        let mut disturbed = false;
        loop {
            let words = match entered(out.path()) {
                // A kill before the study was entered leaves nothing to resume.
                None => &begin[..],
                Some(study) if study.runs_done < study.runs => &["resume"],
                // The kill came after the last run, while the report was written.
                Some(_) => break,
            };
            let began = Instant::now();
            let mut child = quire(out.path(), words).spawn().unwrap();
            let moment = if kills < KILLS { lasts * rng.random::<f64>() } else { f64::INFINITY };
            if ends_by_itself(&mut child, moment) {
                if !disturbed {
                    // The machine may be busier or idler than before; moments beyond the end kill nobody.
                    lasts = lasts.min(began.elapsed().as_secs_f64());
                }
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            (kills, disturbed) = (kills + 1, true);
        }
        assert!(
            left(out.path()) == expected,
            "after {kills} kills the study differs from the undisturbed one"
        );
    }
}

/// The study in the store, if one was entered.
fn entered(out: &Path) -> Option<StudyRecord> {
    let store = Store::open(out.join("quire.db")).ok()?;
    store.studies().unwrap().pop()
}

/// Waits for the end of a process, at most until `moment`, in seconds.
fn ends_by_itself(child: &mut Child, moment: f64) -> bool {
    let began = Instant::now();
    while began.elapsed().as_secs_f64() < moment {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "a study that nobody killed failed: {status}");
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

/// A shell that limits the size of files to `blocks` of 512 bytes, lets a write beyond it fail instead of ending the
/// process, and becomes Quire.
#[cfg(unix)]
fn with_little_space(blocks: u32, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""), "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

#[cfg(unix)]
#[test]
fn a_full_disk_ends_with_a_clear_error_and_the_study_goes_on_once_there_is_room() {
    let files = tempdir().unwrap();
    let file = files.path().join("study.toml");
    fs::write(&file, STUDY).unwrap();
    let begin = ["run", file.to_str().unwrap()];
    let undisturbed = tempdir().unwrap();
    assert!(quire(undisturbed.path(), &begin).status().unwrap().success());

    let out = tempdir().unwrap();
    let output = with_little_space(600, &quire(out.path(), &begin)).stdout(Stdio::null()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    // What does not fit may be the store itself or a checkpoint beside it.
    assert!(error.contains("quire.db"), "{error}");
    assert!(error.contains("cannot write") || error.contains("cannot be read or written"), "{error}");
    assert!(!error.contains("panicked"), "{error}");

    assert!(quire(out.path(), &["resume"]).status().unwrap().success());
    assert_eq!(left(out.path()), left(undisturbed.path()));
}

#[cfg(target_os = "linux")]
#[test]
fn an_export_into_a_full_device_says_so_and_leaves_the_device() {
    let out = tempdir().unwrap();
    let small = ["compare", "q-learning", "--on", "maximization-bias", "--seeds", "2", "--steps", "50"];
    assert!(quire(out.path(), &small).status().unwrap().success());
    for format in ["csv", "jsonl"] {
        let words = ["export", "--format", format, "--to", "/dev/full"];
        let output = quire(out.path(), &words).stderr(Stdio::piped()).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("cannot write /dev/full") && error.contains("No space left"), "{error}");
        assert!(!Path::new("/dev/full").is_file(), "the device was replaced by a file");
        let words = ["export", "--format", format, "--to", "/dev/stdout", "--json"];
        let output = quire(out.path(), &words).stdout(Stdio::piped()).output().unwrap();
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("q-learning"));
    }
}

#[test]
fn two_processes_do_not_work_on_one_study() {
    let out = tempdir().unwrap();
    let long = ["compare", "dqn", "--on", "CartPole-v1", "--seeds", "2", "--steps", "20000"];
    let mut first = quire(out.path(), &long).spawn().unwrap();
    while !out.path().join("studies").exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(200));
    let second = quire(out.path(), &["resume"]).stderr(Stdio::piped()).output().unwrap();
    let at_work = first.try_wait().unwrap().is_none();
    first.kill().unwrap();
    first.wait().unwrap();
    let error = String::from_utf8_lossy(&second.stderr);
    assert!(at_work, "the first process ended too early to test anything");
    assert_eq!(second.status.code(), Some(1), "{error}");
    assert!(error.contains("another process is working on this study"), "{error}");
}

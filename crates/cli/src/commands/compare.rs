//! `quire compare`, `quire run` and `quire resume`: studies.

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quire::optim::refinement::read_schedule;
use quire_core::{Error, OptionMap, Registry, Result, files, options};
use quire_study::driver::{CHECKPOINT_EVERY, Driver, Ending, file_name};
use quire_study::store::NewStudy;
use quire_study::{Contestant, Store, StudyRecord, StudySpec};

use serde_json::Value;

use crate::args::{Compare, Global, Resume, RunFlags, RunStudy};
use crate::commands::report::print_summary;
use crate::commands::{find_study, has_extension, open_store, study_folder};
use crate::progress;
use crate::terminal::{BAD, STRONG, count, notice, styled};

/// Exit code of a study that the user stopped: 128 + the number of the interrupt signal, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// `quire compare`
pub fn run(args: &Compare, global: &Global) -> Result<ExitCode> {
    let seeds = (0..args.seeds).collect();
    let registry = quire::registry();
    let spec = spec(&args.methods, &args.run, seeds, "-vs-")?;
    let (store, study, ending) = start(&spec, &registry, global)?;
    conclude(&store, &study, ending, global)
}

/// `quire run`
pub fn run_file(args: &RunStudy, global: &Global) -> Result<ExitCode> {
    let mut spec = StudySpec::parse(&args.file, &files::read_text(&args.file)?)?;
    let folder = args.file.parent().unwrap_or(Path::new(""));
    spec.methods.iter_mut().try_for_each(|contestant| read_schedules(&mut contestant.options, folder))?;
    let registry = quire::registry();
    let (store, study, ending) = start(&spec, &registry, global)?;
    conclude(&store, &study, ending, global)
}

/// `quire resume`
pub fn resume(args: &Resume, global: &Global) -> Result<ExitCode> {
    let (mut store, study) = match &args.study {
        Some(name) => find_study(global, Some(name))?,
        None => {
            let (store, _) = find_study(global, None)?;
            let unfinished =
                store.studies()?.into_iter().find(|study| study.runs_done + study.runs_failed < study.runs);
            let nothing = || Error::Usage("every study is finished; there is nothing to resume".into());
            (store, unfinished.ok_or_else(nothing)?)
        }
    };
    let ending = drive(&mut store, &study, &quire::registry(), global)?;
    conclude(&store, &study, ending, global)
}

/// The study that the flags describe.
pub fn spec(methods: &[String], flags: &RunFlags, seeds: Vec<u64>, joined_by: &str) -> Result<StudySpec> {
    let name = match &flags.name {
        Some(name) => name.clone(),
        None => format!("{}-on-{}", methods.join(joined_by), file_name(&flags.on)),
    };
    let contestant = |method: &String| {
        Ok(Contestant {
            method: method.clone(),
            label: method.clone(),
            options: options_for(method, methods, &flags.set)?,
        })
    };
    Ok(StudySpec {
        name,
        problems: vec![flags.on.clone()],
        methods: methods.iter().map(contestant).collect::<Result<_>>()?,
        seeds,
        steps: flags.steps,
        tuned: !flags.defaults,
    })
}

/// The assignments that concern one method: those without a prefix, then those with its own.
fn options_for(method: &str, methods: &[String], set: &[String]) -> Result<OptionMap> {
    let prefix_of = |word: &str| {
        let (prefix, _) = word.split_once('=')?.0.split_once(':')?;
        Some(prefix.to_owned())
    };
    let mut own = Vec::new();
    let mut common = Vec::new();
    for word in set {
        match prefix_of(word) {
            Some(prefix) if prefix == method => own.push(&word[prefix.len() + 1..]),
            Some(prefix) if methods.contains(&prefix) => {}
            Some(prefix) => {
                let known = methods.iter().map(String::as_str);
                return Err(Error::unknown(format!("method in --set {word}:"), &prefix, known, ""));
            }
            None => common.push(word.as_str()),
        }
    }
    common.extend(own);
    let mut set = options::parse_assignments(&common)?;
    read_schedules(&mut set, Path::new(""))?;
    Ok(set)
}

/// Puts the factors of a file in the place of its name, where the option `schedule` of an optimizer is the name of a .csv
/// file: so the options of a run hold all that it depends on. Names are relative to `folder`.
fn read_schedules(options: &mut OptionMap, folder: &Path) -> Result<()> {
    for (name, value) in options {
        if let Value::Object(table) = value {
            read_schedules(table, folder)?;
        }
        let is_schedule = name == "schedule" || name.ends_with(".schedule");
        if let Some(file) = value.as_str().filter(|text| is_schedule && has_extension(Path::new(text), "csv"))
        {
            let factors = read_schedule(&folder.join(file))?;
            *value = serde_json::json!({ "name": "points", "factors": factors });
        }
    }
    Ok(())
}

/// Says what is missing for a result, with the exit code that goes with it; `None` if some run is done and none is left.
pub fn incomplete(study: &StudyRecord, ending: Ending) -> Option<ExitCode> {
    if ending.unfinished > 0 {
        let how = format!("quire resume {}", shell_word(&study.name));
        notice(format!("Stopped; {} runs are left. {} goes on.", ending.unfinished, styled(STRONG, how)));
        return Some(ExitCode::from(INTERRUPTED));
    }
    if ending.done == 0 {
        notice(styled(BAD, "Every run failed; there is nothing to show."));
        return Some(ExitCode::FAILURE);
    }
    None
}

/// Plans a study, enters it into the store and runs it.
pub fn start(spec: &StudySpec, registry: &Registry, global: &Global) -> Result<(Store, StudyRecord, Ending)> {
    enter(&spec.plan(registry, command_line(), commit())?, registry, global)
}

/// Enters a planned study into the store and runs it.
pub fn enter(plan: &NewStudy, registry: &Registry, global: &Global) -> Result<(Store, StudyRecord, Ending)> {
    let mut store = open_store(global)?;
    let id = store.add_study(plan)?;
    let study = store.study(id)?;
    let ending = drive(&mut store, &study, registry, global)?;
    Ok((store, study, ending))
}

/// The commit that this binary was built from, where git knew it.
pub fn commit() -> Option<String> {
    option_env!("QUIRE_COMMIT").map(str::to_owned)
}

/// What the user typed, as it can be typed again.
pub fn command_line() -> String {
    let words = std::env::args().skip(1).map(|word| shell_word(&word));
    std::iter::once("quire".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// Prints the comparison, or what is missing for one.
fn conclude(store: &Store, study: &StudyRecord, ending: Ending, global: &Global) -> Result<ExitCode> {
    if let Some(code) = incomplete(study, ending) {
        return Ok(code);
    }
    print_summary(store, study, global)?;
    Ok(if ending.failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Does what is left of a study.
pub fn drive(store: &mut Store, study: &StudyRecord, registry: &Registry, global: &Global) -> Result<Ending> {
    let problems = store.problems(study.id)?;
    let problem =
        problems.first().ok_or_else(|| Error::Failed(format!("the study {} has no problem", study.name)))?;
    let driver = Driver {
        registry,
        folder: &study_folder(global, study),
        threads: threads(global),
        checkpoint_every: checkpoint_every()?,
        stop: stop_on_interrupt()?,
    };
    let left = study.runs - study.runs_done - study.runs_failed;
    if !global.quiet {
        let length = format!("{left} runs of {} {}", count(problem.budget), problem.budget_unit);
        let threads =
            if driver.threads == 1 { "1 thread".into() } else { format!("{} threads", driver.threads) };
        notice(format!("{}: {length} on {threads}", styled(STRONG, &study.name)));
    }
    let mut observer = progress::observer(global, &problem.metrics[0].name, left);
    driver.drive(store, study.id, observer.as_mut())
}

fn threads(global: &Global) -> usize {
    let available = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    global.threads.map_or_else(available, |threads| threads as usize)
}

/// How often runs are saved: every ten seconds, or what `QUIRE_CHECKPOINT_S` says.
fn checkpoint_every() -> Result<Duration> {
    let Ok(text) = std::env::var("QUIRE_CHECKPOINT_S") else { return Ok(CHECKPOINT_EVERY) };
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| Error::Usage(format!("QUIRE_CHECKPOINT_S is a number of seconds; got `{text}`")))
}

/// A word as a shell reads it back.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// A flag that Ctrl-C sets; a second Ctrl-C ends the process at once, which loses nothing but the work since the last
/// checkpoints.
fn stop_on_interrupt() -> Result<&'static AtomicBool> {
    static STOP: AtomicBool = AtomicBool::new(false);
    static LISTENING: AtomicBool = AtomicBool::new(false);
    // One command may drive several studies; a handler can be set once.
    if LISTENING.swap(true, Ordering::Relaxed) {
        return Ok(&STOP);
    }
    ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        notice("\nStopping after the checkpoints are written; press Ctrl-C again to stop at once.");
    })
    .map_err(|e| Error::Failed(format!("cannot listen for Ctrl-C: {e}")))?;
    Ok(&STOP)
}

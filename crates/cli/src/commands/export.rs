//! `quire export`: a study's numbers for other programs.

use std::path::Path;
use std::process::ExitCode;

use quire_core::{Result, files};
use quire_study::driver::file_name;
use quire_study::report::{CurveSvg, curve_svg};
use quire_study::{Store, StudyRecord, StudySummary, export};

use crate::args::{Export, Format, Global};
use crate::commands::{find_study, study_folder};
use crate::terminal::{self, STRONG, print, styled};

/// Runs the command.
pub fn run(args: &Export, global: &Global) -> Result<ExitCode> {
    let (store, study) = find_study(global, args.study.as_deref())?;
    let name = match args.format {
        Format::Jsonl => "points.jsonl",
        Format::Csv => "points.csv",
        Format::Tensorboard => "tensorboard",
        Format::Svg => "curves",
    };
    let path = args.to.clone().unwrap_or_else(|| study_folder(global, &study).join(name));
    match args.format {
        Format::Jsonl => export::write_jsonl(&store, study.id, &path),
        Format::Csv => export::write_csv(&store, study.id, &path),
        Format::Tensorboard => export::write_tensorboard(&store, study.id, &path),
        Format::Svg => write_curves(&store, &study, &path),
    }?;
    if !path.is_file() && !path.is_dir() {
        // A pipe or a device, as /dev/stdout: what it was given is all that may stand there.
        return Ok(ExitCode::SUCCESS);
    }
    if global.json {
        terminal::json(&serde_json::json!({ "study": study.name, "path": path }))?;
    } else {
        print(format!("{} to {}", study.name, styled(STRONG, path.display())));
    }
    Ok(ExitCode::SUCCESS)
}

/// The compared metric's curves of every problem, one picture each in `folder`.
fn write_curves(store: &Store, study: &StudyRecord, folder: &Path) -> Result<()> {
    let summary = StudySummary::from_store(store, study.id)?;
    for problem in &summary.problems {
        let Some(curves) = problem.curves.first() else { continue };
        let title = Some(format!("{}: {}", problem.problem, problem.metric));
        let picture = curve_svg(curves, &CurveSvg { title, optimum: problem.optimum, ..CurveSvg::default() });
        files::write_atomic(folder.join(format!("{}.svg", file_name(&problem.problem))), picture.as_bytes())?;
    }
    Ok(())
}

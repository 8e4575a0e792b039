//! `quire export`: a study's numbers for other programs.

use std::process::ExitCode;

use quire_core::Result;
use quire_study::export;

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
    };
    let path = args.to.clone().unwrap_or_else(|| study_folder(global, &study).join(name));
    match args.format {
        Format::Jsonl => export::write_jsonl(&store, study.id, &path),
        Format::Csv => export::write_csv(&store, study.id, &path),
        Format::Tensorboard => export::write_tensorboard(&store, study.id, &path),
    }?;
    if global.json {
        terminal::json(&serde_json::json!({ "study": study.name, "path": path }))?;
    } else {
        print(format!("{} to {}", study.name, styled(STRONG, path.display())));
    }
    Ok(ExitCode::SUCCESS)
}

//! One file a command (or a few that share everything).

pub mod compare;
pub mod completions;
pub mod eval;
pub mod evaluate_policy;
pub mod export;
pub mod list;
pub mod paper;
pub mod rank;
pub mod refine_schedule;
pub mod report;
pub mod reproduce;
pub mod show;
pub mod solve;
pub mod solve_mdp;
pub mod train;

use std::path::{Path, PathBuf};

use quire_core::{Error, Result};
use quire_study::{Store, StudyRecord};

use crate::args::Global;

/// The store's file in the folder given with `--out`.
const STORE: &str = "quire.db";

/// Opens the store, making it if there is none.
pub fn open_store(global: &Global) -> Result<Store> {
    Store::create_or_open(global.out.join(STORE))
}

/// Opens the store if there is one.
pub fn open_existing_store(global: &Global) -> Result<Option<Store>> {
    let path = global.out.join(STORE);
    if path.exists() { Store::open(path).map(Some) } else { Ok(None) }
}

/// The study with this name or number, or the newest.
pub fn find_study(global: &Global, name: Option<&str>) -> Result<(Store, StudyRecord)> {
    let nothing =
        || Error::Usage(format!("no study has been run in {}; try `quire compare`", global.out.display()));
    let store = open_existing_store(global)?.ok_or_else(nothing)?;
    let study = match name {
        Some(name) => store.find_study(name)?,
        None => store.studies()?.into_iter().next().ok_or_else(nothing)?,
    };
    Ok((store, study))
}

/// Whether a file's name ends so, in letters of either case.
pub fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// Where a study's report, artefacts and exports go.
pub fn study_folder(global: &Global, study: &StudyRecord) -> PathBuf {
    global.out.join("studies").join(format!("{}-{}", study.id, study.name))
}

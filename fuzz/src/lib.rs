//! What several fuzz targets share: getting past checksums, so that a fuzzer reaches what lies behind them.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use quire_core::{OptionMap, Problem, Registry, RunSpec, options};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    // In memory where there is such a place: the disk would be the bottleneck.
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
});

static REGISTRY: LazyLock<Registry> = LazyLock::new(quire_study::registry);

/// The registry, made once: making it takes longer than all that is done with one input.
pub fn registry() -> &'static Registry {
    &REGISTRY
}

/// The path of this name in a folder of this process.
pub fn scratch(name: &str) -> PathBuf {
    FOLDER.path().join(name)
}

/// Does with a user's model what can be done with it, if it is one.
pub fn use_model(file: &Path) {
    match quire_mdp::file::read(file) {
        Ok(model) => {
            // What was read can be planned in.
            let _ = (model.mdp.states(), model.mdp.actions(), model.horizon, model.discount);
            let problem = registry().problem(&file.to_string_lossy());
            assert!(
                problem.map_or_else(
                    |error| !error.to_string().is_empty(),
                    |problem| !problem.methods().is_empty()
                )
            );
        }
        Err(error) => assert!(error.to_string().contains(&*file.to_string_lossy()), "{error}"),
    }
}

/// A genuine run's problem, spec and saved state for every method, from the presets of the contract tests.
pub fn saved_runs() -> Vec<(Arc<dyn Problem>, RunSpec, Vec<u8>)> {
    let file: toml::Table = toml::from_str(include_str!("../../crates/study/tests/presets.toml")).unwrap();
    file.iter()
        .map(|(method, preset)| {
            let problem = registry().problem(preset["problem"].as_str().unwrap()).unwrap();
            let mut spec = RunSpec::new(&problem.card().name, method, 7);
            spec.budget = Some(preset["steps"].as_integer().unwrap() as u64);
            spec.options = preset
                .get("options")
                .map_or_else(OptionMap::new, |set| options::from_toml(set.as_table().unwrap().clone()));
            let saved = problem.start(&spec).unwrap().save();
            (problem, spec, saved)
        })
        .collect()
}

/// The length of the frame around a saved state: magic, length of the kind, kind, checksum.
pub fn frame_length(saved: &[u8]) -> usize {
    let kind = u32::from_le_bytes(saved[8..12].try_into().unwrap()) as usize;
    8 + 4 + kind + 4
}

/// Makes the checksum of a saved state right again after its body was changed.
pub fn reseal(saved: &mut [u8]) {
    let body_at = frame_length(saved);
    let checksum = crc32fast::hash(&saved[body_at..]).to_le_bytes();
    saved[body_at - 4..body_at].copy_from_slice(&checksum);
}

/// Changes `bytes` as `edits` say: groups of five bytes, a place (four, little-endian, modulo the length) and a value;
/// the value 255 cuts the bytes there, what is left over is appended.
pub fn edit(bytes: &mut Vec<u8>, edits: &[u8]) {
    let mut groups = edits.chunks_exact(5);
    for group in &mut groups {
        if bytes.is_empty() {
            break;
        }
        let place = u32::from_le_bytes(group[..4].try_into().unwrap()) as usize % bytes.len();
        match group[4] {
            255 => bytes.truncate(place),
            value => bytes[place] = value,
        }
    }
    bytes.extend_from_slice(groups.remainder());
}

/// An array of double-precision numbers as NumPy writes it.
pub fn npy(shape: &str, values: &[f64]) -> Vec<u8> {
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({shape}), }}");
    let padded = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((padded.len() as u16).to_le_bytes());
    bytes.extend(padded.as_bytes());
    values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
    bytes
}

/// An NPZ archive of arrays with their names.
pub fn pack(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        archive.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

//! A run's saved state: the first byte picks the method, the others change a genuine state whose checksum is then made
//! right again, as the worst of damages.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use quire_core::{Problem, RunSpec};

static RUNS: LazyLock<Vec<(Arc<dyn Problem>, RunSpec, Vec<u8>)>> = LazyLock::new(quire_fuzz::saved_runs);

fuzz_target!(|bytes: &[u8]| {
    let Some((&pick, edits)) = bytes.split_first() else { return };
    let (problem, spec, genuine) = &RUNS[pick as usize % RUNS.len()];
    let mut saved = genuine.clone();
    let frame = quire_fuzz::frame_length(&saved);
    let mut body = saved.split_off(frame);
    quire_fuzz::edit(&mut body, edits);
    saved.extend(body);
    quire_fuzz::reseal(&mut saved);
    if let Ok(run) = problem.resume(spec, &saved) {
        let _ = (run.progress(), run.save());
    }
});

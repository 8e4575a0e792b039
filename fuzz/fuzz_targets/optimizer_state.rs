//! An optimizer's saved state: the first byte picks the rule, the others change a genuine state.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use quire_optim::{Layout, Optimizer, OptimizerOptions, OptimizerSetting};

const RULES: &[&str] = OptimizerOptions::NAMES;

fn make(rule: &str) -> Box<dyn Optimizer> {
    OptimizerOptions::named(rule)
        .unwrap()
        .build(&Layout::flat(3), &OptimizerSetting::without_noise().with_steps(10))
        .unwrap()
}

static SAVED: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let save = |rule: &&str| {
        let mut optimizer = make(rule);
        optimizer.step(&mut [1.0, 2.0, 3.0], &mut [0.1, 0.2, -0.3]);
        optimizer.save()
    };
    RULES.iter().map(save).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let Some((&pick, edits)) = bytes.split_first() else { return };
    let pick = pick as usize % RULES.len();
    let mut changed = SAVED[pick].clone();
    quire_fuzz::edit(&mut changed, edits);
    for saved in [edits, &changed] {
        let mut optimizer = make(RULES[pick]);
        if optimizer.restore(saved).is_ok() {
            optimizer.step(&mut [1.0, 2.0, 3.0], &mut [0.1, 0.2, -0.3]);
            let _ = optimizer.save();
        }
    }
});

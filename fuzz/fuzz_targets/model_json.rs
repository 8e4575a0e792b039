//! A user's model in JSON: the text as it is, and a genuine one with changes.
#![no_main]

use libfuzzer_sys::fuzz_target;

const GENUINE: &[&str] = &[
    r#"{"transitions":[[[0.5,0.5],[0,1]],[[0,1],[0,1]]],"rewards":[[0,1],[0,0]],"terminal":[1],"horizon":3,"discount":0.9}"#,
    r#"{"state":[0,0,1],"action":[0,1,0],"next":[1,0,1],"probability":[1,1,1],"rewards":[[0,1],[0,0]],"start":[1,0]}"#,
    r#"{"transitions":[[1,-1],[0,1]],"rewards":[[0,1],[0.5,0]]}"#,
];

fuzz_target!(|bytes: &[u8]| {
    let file = quire_fuzz::scratch("model.json");
    let read = |contents: &[u8]| {
        std::fs::write(&file, contents).unwrap();
        quire_fuzz::use_model(&file);
    };
    read(bytes);
    if let Some((&pick, edits)) = bytes.split_first() {
        let mut changed = GENUINE[pick as usize % GENUINE.len()].as_bytes().to_vec();
        quire_fuzz::edit(&mut changed, edits);
        read(&changed);
    }
});

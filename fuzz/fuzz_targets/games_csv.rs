//! A user's games for `rank`: the text as it is, below a header, and a genuine file with changes.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use quire_solve::ranking::file::parse;
use quire_solve::ranking::own::{How, rank};

const GENUINE: &[u8] =
    b"winner,loser,weight,tie,home\na,b,1,0,a\nb,c,2.5,true,\nc,a,1,,loser\na,\"d, e\",1,,\n";

fuzz_target!(|bytes: &[u8]| {
    let read = |contents: &[u8]| match parse(Path::new("games.csv"), contents) {
        Ok(played) => {
            // What was read can be ranked, or is refused with a reason.
            let how = How { iterations: 20, ..How::default() };
            match rank(&played, &how) {
                Ok(found) => assert_eq!(found.ranking.len(), played.names.len()),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
        Err(error) => assert!(error.to_string().contains("games.csv"), "{error}"),
    };
    read(bytes);
    read(&[b"winner,loser,weight,tie,home\n", bytes].concat());
    let mut changed = GENUINE.to_vec();
    quire_fuzz::edit(&mut changed, bytes);
    read(&changed);
});

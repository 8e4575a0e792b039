//! An expectation: an error has a place in the text; what parses has a value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quire_study::claims::expression::Expectation;

fuzz_target!(|text: &str| {
    match Expectation::parse(text) {
        Ok(expectation) => {
            let values = vec![1.5; expectation.readings.len()];
            let _ = (expectation.left.value(&values), expectation.right.value(&values));
            for reading in &expectation.readings {
                assert!(
                    text.is_char_boundary(reading.position) && text.is_char_boundary(reading.label_position)
                );
                let _ = (reading.to_string(), reading.of(&[(3, 1.0), (7, 2.0)], 9));
            }
        }
        Err(error) => assert!(text.is_char_boundary(error.position)),
    }
});

//! Methods on finite sums, on a user's own rows, as a user meets them.

mod user;

use std::fmt::Write;

use user::{fail, folder, json, succeed};

/// Rows whose label is mostly the sign of the first feature.
fn rows() -> String {
    let mut text = String::new();
    for i in 0..60 {
        let (a, b) = ((f64::from(i) * 1.7).sin(), (f64::from(i) * 0.9).cos());
        let label = if a + 0.4 * b > 0.0 { "+1" } else { "-1" };
        let _ = writeln!(text, "{label} 1:{a} 4:{b}");
    }
    text
}

#[test]
fn methods_compete_on_rows_and_the_weights_are_kept() {
    let out = folder();
    let path = out.path().join("rows.libsvm");
    std::fs::write(&path, rows()).unwrap();
    let on = path.to_str().unwrap();
    let words = ["compare", "ai-sarah", "svrg", "--on", on, "--seeds", "2", "--steps", "10", "--quiet"];
    let summary = json(out.path(), &words);
    assert_eq!(summary["metric"], "gap");
    assert_eq!(summary["methods"].as_array().unwrap().len(), 2);
    let shown = succeed(out.path(), &["show", on]);
    assert!(shown.contains("60 of 4 features") && shown.contains("misclassified"), "{shown}");
    succeed(out.path(), &["train", "ai-sarah", "--on", on, "--steps", "5", "--quiet"]);
}

#[test]
fn a_bad_file_is_an_error_that_names_the_place() {
    let out = folder();
    let path = out.path().join("rows.svm");
    std::fs::write(&path, "1 1:0.5\n-1 2:x\n").unwrap();
    let on = path.to_str().unwrap();
    assert!(fail(out.path(), &["train", "svrg", "--on", on], 1).contains("rows.svm:2:6: the value `x`"));
    std::fs::write(&path, "1 1:0.5\n1 2:1\n").unwrap();
    assert!(fail(out.path(), &["train", "svrg", "--on", on], 1).contains("rows.svm: has the label 1 alone"));
    assert!(fail(out.path(), &["train", "svrg", "--on", "no-such.libsvm"], 1).contains("no-such.libsvm"));
}

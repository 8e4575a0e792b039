//! `quire solve` on a user's own system, as a user meets it.

mod user;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use user::{fail, folder, json, quire, succeed, text};

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// The second difference on `n` points, by its lower triangle.
fn second_difference(n: usize) -> String {
    let mut text = format!("%%MatrixMarket matrix coordinate real symmetric\n{n} {n} {}\n", 2 * n - 1);
    for i in 1..=n {
        writeln!(text, "{i} {i} 2").unwrap();
        if i > 1 {
            writeln!(text, "{i} {} -1", i - 1).unwrap();
        }
    }
    text
}

#[test]
fn a_definite_system_is_solved_and_written() {
    let out = folder();
    let matrix = write(out.path(), "a.mtx", &second_difference(50));
    let matrix = matrix.to_str().unwrap();
    let printed = succeed(out.path(), &["solve", matrix]);
    for part in [
        "50 unknowns",
        "symmetric positive definite",
        "conjugate-gradient solved",
        "largest error",
        "40 more",
    ] {
        assert!(printed.contains(part), "the output lacks {part}: {printed}");
    }
    // b = 1: x_i = i (n + 1 - i)/2.
    let right = write(
        out.path(),
        "b.mtx",
        &format!("%%MatrixMarket matrix array real general\n50 1\n{}", "1\n".repeat(50)),
    );
    let to = out.path().join("x.mtx");
    let words = [
        "solve",
        matrix,
        right.to_str().unwrap(),
        "--method",
        "sor",
        "--set",
        "relaxation=1.88",
        "--to",
        to.to_str().unwrap(),
    ];
    let found = json(out.path(), &words);
    let x = found["solution"].as_array().unwrap();
    for (index, x) in x.iter().enumerate() {
        let i = (index + 1) as f64;
        assert!((x.as_f64().unwrap() - i * (51.0 - i) / 2.0).abs() < 1e-3);
    }
    assert_eq!(
        (found["attempts"][0]["method"].as_str(), found["right"].as_str()),
        (Some("sor"), Some("given"))
    );
    assert!(found["attempts"][0]["residuals"].as_array().unwrap().len() > 10 && found["error"].is_null());
    let written = std::fs::read_to_string(to).unwrap();
    assert_eq!(written.lines().nth(1), Some("50 1"));
}

#[test]
fn failure_tells_what_remains() {
    let out = folder();
    let matrix = write(out.path(), "a.mtx", "%%MatrixMarket matrix array real general\n2 2\n1\n3\n3\n1\n");
    let matrix = matrix.to_str().unwrap();
    let output = quire(out.path(), &["solve", matrix, "--method", "jacobi"]).output().unwrap();
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    for part in
        ["jacobi", "failed", "These remain", "gmres", "dense-lu", "the matrix is not positive definite"]
    {
        assert!(printed.contains(part), "the output lacks {part}: {printed}");
    }
    assert!(succeed(out.path(), &["solve", matrix]).contains("gmres"));
    let singular =
        write(out.path(), "s.mtx", "%%MatrixMarket matrix coordinate real general\n2 2 1\n1 1 1\n");
    let output = quire(out.path(), &["solve", singular.to_str().unwrap()]).output().unwrap();
    assert!(text(&output.stdout).contains("no method here solves this system"));
}

#[test]
fn mistakes_are_named() {
    let out = folder();
    let matrix = write(out.path(), "a.mtx", &second_difference(3));
    let matrix = matrix.to_str().unwrap();
    let bad = write(out.path(), "bad.mtx", "%%MatrixMarket matrix coordinate real general\n2 2 1\n1 3 1\n");
    assert!(fail(out.path(), &["solve", bad.to_str().unwrap()], 2).contains("bad.mtx:3:3: `3`"));
    assert!(fail(out.path(), &["solve", matrix, matrix], 1).contains("where a vector is expected"));
    assert!(fail(out.path(), &["solve", matrix, "--method", "jacoby"], 2).contains("did you mean `jacobi`"));
    assert!(fail(out.path(), &["solve", matrix, "--set", "relaxation=1"], 2).contains("--method"));
    assert!(
        fail(out.path(), &["solve", matrix, "--method", "sor", "--set", "relaxation=3"], 2)
            .contains("relaxation")
    );
    let wide = write(out.path(), "w.mtx", "%%MatrixMarket matrix array real general\n1 2\n1\n3\n");
    assert!(fail(out.path(), &["solve", wide.to_str().unwrap()], 2).contains("1 x 2"));
}

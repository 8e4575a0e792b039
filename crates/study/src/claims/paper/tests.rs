use super::*;

const GOOD: &str = r#"title = "On m"
arxiv = "0000.00001"
wing = "rl"
methods = ["m"]
protocol = "None."

[[claims]]
id = "better"
text = "M is better."
source = "Table 1"
scaled_down = "Nothing."
expectations = [
    "loss(m) < loss(n)",
    "loss(m) at 50% < 2 on p",
]

[claims.study]
problems = ["p", "q"]
seeds = 4
methods = [{ method = "m" }, { method = "m", label = "n" }]
quick = { seeds = [7, 9], steps = 10 }
"#;

fn read(text: &str) -> Result<Paper> {
    Paper::parse(Path::new("papers/on-m.toml"), text)
}

#[test]
fn a_paper_is_read() {
    let paper = read(GOOD).unwrap();
    assert_eq!((paper.slug.as_str(), paper.claims.len()), ("on-m", 1));
    let claim = paper.claim("better").unwrap();
    let full = claim.study_spec(false, None);
    assert_eq!((full.name.as_str(), &full.seeds[..], full.steps), ("on-m-better", &[0, 1, 2, 3][..], None));
    let quick = claim.study_spec(true, None);
    assert_eq!((&quick.seeds[..], quick.steps), (&[7, 9][..], Some(10)));
    assert_eq!(claim.study_spec(true, Some(3)).seeds, [0, 1, 2]);
    let listing = serde_json::to_value(paper.listing()).unwrap();
    let expected = serde_json::json!({
        "slug": "on-m", "title": "On m", "arxiv": "0000.00001", "wing": "rl", "methods": ["m"],
        "claims": [{"id": "better", "text": "M is better."}],
    });
    assert_eq!(listing, expected);
    let whole = serde_json::to_value(&paper).unwrap();
    assert_eq!(whole["claims"][0]["expectations"][0], "loss(m) < loss(n)");
    let message = paper.claim("beter").unwrap_err().to_string();
    assert!(message.contains("did you mean `better`"), "{message}");
}

#[test]
fn errors_name_line_and_column() {
    let refused = |from: &str, to: &str, place: &str, what: &str| {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD);
        let message = read(&text).unwrap_err().to_string();
        assert!(message.starts_with(&format!("papers/on-m.toml:{place}: ")), "{message}");
        assert!(message.contains(what), "{message}");
    };
    refused("loss(m) < loss(n)", "loss(m) = loss(n)", "13:14", "found `=`");
    refused(
        "\"loss(m) < loss(n)\"",
        "'''\nloss(m) < loss(k)'''",
        "14:16",
        "unknown method of this claim's study `k`",
    );
    // An escape moves what follows; the string's beginning is named.
    refused("loss(m) < loss(n)", "loss(m)\\u0020= loss(n)", "13:5", "found `=`");
    refused("on p", "on r", "14:28", "unknown problem of this claim's study `r`");
    refused("\"better\"", "\"Better!\"", "8:6", "cannot name a claim");
    refused("\"M is better.\"", "\"\"", "9:8", "needs a text");
    refused("seeds = 4", "seeds = []", "19:9", "at least one seed");
    refused("[7, 9]", "[7, 7]", "21:9", "seed 7 is given twice");
    refused(", label = \"n\"", "", "20:11", "method `m` is given twice");
    refused("steps = 10", "stepz = 10", "21:27", "stepz");
    let twice = format!("{GOOD}\n{}", &GOOD[GOOD.find("[[claims]]").unwrap()..]);
    let message = read(&twice).unwrap_err().to_string();
    assert!(message.contains(":24:6: claim `better` is given twice"), "{message}");
    let none = read("title = \"\"\narxiv = \"\"\nwing = \"\"\nmethods = []\nprotocol = \"\"\nclaims = []\n");
    assert!(none.unwrap_err().to_string().contains("at least one claim"));
}

//! What is asked of every page.

/// Leaves a page to be looked at in the folder that `QUIRE_REPORTS` names.
pub fn keep(name: &str, text: &str) {
    if let Ok(folder) = std::env::var("QUIRE_REPORTS") {
        std::fs::write(std::path::Path::new(&folder).join(name), text).unwrap();
    }
}

/// Every element that is opened is closed, in order.
pub fn assert_well_formed(page: &str) {
    let void = ["meta", "br", "!doctype", "link", "img", "hr", "input"];
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        // A comparison in the script is no element.
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!') {
            continue;
        }
        let end = rest.find('>').expect("an element ends");
        let (tag, closed) = (&rest[..end], rest[..end].ends_with('/'));
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "…{}", &rest[..rest.len().min(80)]);
        } else if !closed && !void.contains(&name) {
            open.push(name);
            if name == "script" || name == "style" {
                rest = &rest[rest.find(&format!("</{name}")).unwrap()..];
                continue;
            }
        }
        rest = &rest[end..];
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

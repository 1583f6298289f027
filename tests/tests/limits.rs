//! What docs/limits.md says is shown by tests that exist.

use std::path::Path;

/// A test by its file and its name, as they stand in code font.
fn named(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('`').skip(1).step_by(2).filter_map(|code| code.split_once(".rs::"))
}

#[test]
fn every_test_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join("docs/limits.md")).expect("docs/limits.md");
    let (mut missing, mut count) = (Vec::new(), 0);
    for (file, name) in named(&text) {
        count += 1;
        let source =
            std::fs::read_to_string(root.join("crates").join(format!("{file}.rs"))).unwrap_or_default();
        let is_test = source.split("#[").any(|part| {
            let attribute = part.split_once(']').map_or("", |(attribute, _)| attribute);
            attribute.contains("test") && part.contains(&format!("fn {name}("))
        });
        if !is_test {
            missing.push(format!("{file}.rs::{name}"));
        }
    }
    assert!(missing.is_empty(), "docs/limits.md names tests that are not there: {missing:#?}");
    assert!(count > 80, "{count} tests are named");
}

#[test]
fn every_row_names_one() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/limits.md"));
    let text = text.expect("docs/limits.md");
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Bound ") && !line.starts_with("|---"));
    let bare: Vec<_> = rows.filter(|row| named(row).next().is_none()).collect();
    assert!(bare.is_empty(), "rows without a test: {bare:#?}");
}

//! What `cargo metadata` does not tell of a `Cargo.toml`: comments and lint tables.

/// One dependency line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// A comment stands above it, or above the line before it of the same family (`serde`, `serde_json`).
    pub(crate) has_reason: bool,
}

/// The lines of the tables for which `wanted` holds, given the table's name.
///
/// Reads one dependency a line, which is how ours are written.
pub(crate) fn lines(manifest: &str, wanted: impl Fn(&str) -> bool) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut inside = false;
    let mut comment = false;
    let mut above: Option<usize> = None;
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            inside = wanted(table);
            (comment, above) = (false, None);
        } else if line.starts_with('#') {
            comment = true;
        } else if let Some(key) = line.split(['=', '.', ' ']).next().filter(|key| !key.is_empty()) {
            if inside {
                let inherited = above
                    .and_then(|at| lines.get(at))
                    .is_some_and(|line: &Line| line.has_reason && family(&line.name) == family(key));
                above = Some(lines.len());
                lines.push(Line { name: key.trim_matches('"').into(), has_reason: comment || inherited });
            }
            comment = false;
        } else {
            (comment, above) = (false, None);
        }
    }
    lines
}

/// The manifest takes the workspace's lints.
pub(crate) fn inherits_lints(manifest: &str) -> bool {
    lines(manifest, |table| table == "lints").iter().any(|line| line.name == "workspace")
}

/// Tables of what a user of the crate has to compile.
pub(crate) fn is_shipped(table: &str) -> bool {
    let last = table.rsplit('.').next().unwrap_or(table);
    matches!(last, "dependencies" | "build-dependencies") && table != "workspace.dependencies"
}

fn family(name: &str) -> &str {
    name.split(['-', '_']).next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
[package]
name = "x"

[lints]
workspace = true

[dependencies]
bare.workspace = true
# Reason.
serde.workspace = true
serde_json.workspace = true
stranger = { version = "1", features = ["a"] }

# A comment over nothing.

late = "1"

[target.'cfg(unix)'.dependencies]
# Reason.
rustix = { workspace = true }

[dev-dependencies]
proptest.workspace = true
"#;

    #[test]
    fn finds_each_line_and_its_reason() {
        let seen: Vec<_> =
            lines(MANIFEST, is_shipped).into_iter().map(|line| (line.name, line.has_reason)).collect();
        let wanted = [
            ("bare", false),
            ("serde", true),
            ("serde_json", true),
            ("stranger", false),
            ("late", false),
            ("rustix", true),
        ];
        assert_eq!(seen, wanted.map(|(name, reason)| (name.to_owned(), reason)));
    }

    #[test]
    fn sees_the_lint_table() {
        assert!(inherits_lints(MANIFEST));
        assert!(!inherits_lints("[package]\nworkspace = true\n"));
    }
}

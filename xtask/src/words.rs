//! `words`: what no tracked file may hold.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::workspace::Workspace;
use crate::{Outcome, findings};

/// Text, where it is looked for, and what is wrong with it.
///
/// Each is written in two halves, so that this file passes too.
const WORDS: &[(&str, Where, &str)] = &[
    (concat!("/wo", "rk/"), Where::Anywhere, "a path of one machine"),
    (concat!("/ro", "ot/"), Where::Anywhere, "a path of one machine"),
    (concat!("/ho", "me/"), Where::Anywhere, "a path of one machine"),
    (concat!("../sha", "red/"), Where::Anywhere, "a path outside the repository"),
    (concat!("/tm", "p/"), Where::OutsideTests, "a path of one machine"),
    (concat!("crates", ".io"), Where::OutsideCargoLock, "a registry's host"),
    (concat!("npm", "js."), Where::Anywhere, "a registry's host"),
    (concat!("pypi", ".org"), Where::Anywhere, "a registry's host"),
    (concat!("python", "hosted"), Where::Anywhere, "a registry's host"),
    (concat!("to", "do!"), Where::Rust, "unfinished"),
    (concat!("unimple", "mented!"), Where::Rust, "unfinished"),
    (concat!("db", "g!("), Where::Rust, "left from debugging"),
    (concat!("#[ig", "nore"), Where::Rust, "a test that does not run"),
];

/// Which files a word is looked for in.
#[derive(Debug, Clone, Copy)]
enum Where {
    Anywhere,
    /// Test data may name a directory that is everywhere.
    OutsideTests,
    /// Cargo names its default registry there.
    OutsideCargoLock,
    Rust,
}

impl Where {
    fn includes(self, path: &Path) -> bool {
        match self {
            Self::Anywhere => true,
            Self::OutsideTests => {
                !path.components().any(|part| part.as_os_str() == "tests") && !path.ends_with("tests.rs")
            }
            Self::OutsideCargoLock => !path.ends_with("Cargo.lock"),
            Self::Rust => path.extension().is_some_and(|extension| extension == "rs"),
        }
    }
}

pub(crate) fn run() -> Outcome {
    let workspace = Workspace::load()?;
    // Also what is about to be added, so that the check speaks before the commit.
    let output = Command::new("git")
        .current_dir(&workspace.root)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let names = String::from_utf8(output.stdout)?;
    let mut found = Vec::new();
    let mut files = 0;
    for name in names.split_terminator('\0') {
        // A file that was removed and is still in the index is no longer ours to judge.
        if let Ok(bytes) = fs::read(workspace.root.join(name)) {
            files += 1;
            found.extend(faults(Path::new(name), &String::from_utf8_lossy(&bytes)));
        }
    }
    findings("words that do not belong here", &found)?;
    println!("words: {files} files");
    Ok(())
}

/// What `text`, the content of `path`, may not hold.
fn faults(path: &Path, text: &str) -> Vec<String> {
    let words: Vec<_> = WORDS.iter().filter(|(_, files, _)| files.includes(path)).collect();
    let mut faults = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for (word, _, what) in words.iter().filter(|(word, ..)| line.contains(word)) {
            faults.push(format!("{}:{number}: {word} is {what}", path.display()));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_where_it_counts() {
        let unfinished = concat!("fn f() { to", "do!() }");
        let scratch = concat!("open(\"/tm", "p/x\")");
        let registry = concat!("source = \"registry+crates", ".io-index\"");
        let table = [
            ("src/lib.rs", unfinished, 1),
            ("docs/a.md", unfinished, 0),
            ("src/lib.rs", scratch, 1),
            ("crates/a/tests/b.rs", scratch, 0),
            ("src/proto/tests.rs", scratch, 0),
            ("Cargo.lock", registry, 0),
            ("deny.toml", registry, 1),
            ("src/lib.rs", "fn f() {}", 0),
        ];
        for (path, text, count) in table {
            let seen = faults(Path::new(path), text);
            assert_eq!(seen.len(), count, "{path}: {seen:?}");
        }
    }
}

//! Which variables of our environment a child gets.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Names of the variables that a child inherits by default.
///
/// The list of the other MCP SDKs: enough to find programs and a home directory, and none of
/// the tokens and keys that a host's environment tends to hold.
pub const DEFAULT_ENV: [&str; 6] = ["HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"];

/// What a child's environment is made of.
#[derive(Clone)]
pub(super) struct Environment {
    inherit: Inherit,
    /// The user's own entries, which win over inherited ones; the last of a name wins.
    own: Vec<(OsString, OsString)>,
}

#[derive(Clone)]
enum Inherit {
    All,
    Named(Vec<OsString>),
}

impl Default for Environment {
    fn default() -> Self {
        Self { inherit: Inherit::Named(DEFAULT_ENV.map(OsString::from).into()), own: Vec::new() }
    }
}

/// Names only: values are where the secrets are.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inherit: &dyn std::fmt::Debug = match &self.inherit {
            Inherit::All => &"all",
            Inherit::Named(names) => names,
        };
        let own: Vec<_> = self.own.iter().map(|(name, _)| name).collect();
        f.debug_struct("Environment").field("inherit", inherit).field("own", &own).finish()
    }
}

impl Environment {
    pub(super) fn set(&mut self, name: OsString, value: OsString) {
        self.own.push((name, value));
    }

    pub(super) fn allow(&mut self, names: impl Iterator<Item = OsString>) {
        match &mut self.inherit {
            Inherit::All => self.inherit = Inherit::Named(names.collect()),
            Inherit::Named(list) => list.extend(names),
        }
    }

    pub(super) fn inherit_all(&mut self) {
        self.inherit = Inherit::All;
    }

    pub(super) fn inherit_none(&mut self) {
        self.inherit = Inherit::Named(Vec::new());
    }

    /// The entries for a child of a process whose environment is `ours`.
    pub(super) fn resolve(
        &self,
        ours: impl Iterator<Item = (OsString, OsString)>,
    ) -> Vec<(OsString, OsString)> {
        let inherited = ours.filter(|(name, value)| self.inherits(name, value));
        inherited.chain(self.own.iter().cloned()).collect()
    }

    fn inherits(&self, name: &OsStr, value: &OsStr) -> bool {
        match &self.inherit {
            Inherit::All => true,
            // Old shells export functions as values that start like this, and run them
            // (CVE-2014-6271).
            Inherit::Named(list) => {
                list.iter().any(|one| one == name) && !value.as_bytes().starts_with(b"()")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(environment: &Environment, ours: &[(&str, &str)]) -> Vec<String> {
        let ours = ours.iter().map(|(name, value)| (name.into(), value.into()));
        let entries = environment.resolve(ours).into_iter();
        entries.map(|(name, value)| format!("{}={}", name.display(), value.display())).collect()
    }

    const OURS: &[(&str, &str)] =
        &[("HOME", "/h"), ("TOKEN", "secret"), ("TERM", "() { :; }; echo"), ("PATH", "/bin")];

    #[test]
    fn the_default_is_a_short_list_without_functions() {
        let environment = Environment::default();
        assert_eq!(resolve(&environment, OURS), ["HOME=/h", "PATH=/bin"]);
    }

    #[test]
    fn names_are_added_and_own_entries_come_last() {
        let mut environment = Environment::default();
        environment.allow(["TOKEN".into()].into_iter());
        environment.set("HOME".into(), "/mine".into());
        let expected = ["HOME=/h", "TOKEN=secret", "PATH=/bin", "HOME=/mine"];
        assert_eq!(resolve(&environment, OURS), expected);
    }

    #[test]
    fn nothing_and_everything() {
        let mut environment = Environment::default();
        environment.inherit_none();
        assert!(resolve(&environment, OURS).is_empty());
        environment.allow(["HOME".into()].into_iter());
        assert_eq!(resolve(&environment, OURS), ["HOME=/h"]);
        environment.inherit_all();
        assert_eq!(resolve(&environment, OURS).len(), OURS.len());
    }

    #[test]
    fn debug_shows_no_value() {
        let mut environment = Environment::default();
        environment.set("TOKEN".into(), "hunter2".into());
        let debug = format!("{environment:?}");
        assert!(debug.contains("TOKEN") && !debug.contains("hunter2"), "{debug}");
    }
}

//! What is said on stderr, without ever standing still because nobody reads it.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::log::Format;

/// Bytes that wait to be written; one longer line passes alone.
const ROOM: usize = 256 * 1024;
/// How long a full queue is waited for before lines are dropped. A reader that lives is faster.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);
/// For who has others to serve meanwhile.
pub(crate) const NO_PATIENCE: Duration = Duration::ZERO;
/// How long the last lines may take to be written.
const LAST: Duration = Duration::from_secs(2);

/// The way to stderr: a bounded queue, and a thread that empties it.
///
/// Whoever speaks also drives the connection, so it must not be stopped for long by a terminal that is held or a pipe
/// that nobody reads: the call would outlive its time-out, and signals would not be heard.
#[derive(Clone, Debug)]
pub(crate) struct Report(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Whether each line is a JSON object.
    json: bool,
    patience: Duration,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<String>,
    bytes: usize,
    writing: bool,
    /// The queue was full for as long as patience lasts; nobody waits until there is room again.
    stuck: bool,
    dropped: u64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Report {
    pub(crate) fn start(format: Format, patience: Duration) -> io::Result<Self> {
        let json = format == Format::Json;
        let shared = Arc::new(Shared { json, patience, ..Shared::default() });
        let theirs = Arc::clone(&shared);
        thread::Builder::new().name("stderr".into()).spawn(move || write_all(&theirs))?;
        Ok(Self(shared))
    }

    /// Says one line; control characters are escaped, since a terminal would obey them.
    pub(crate) fn say(&self, line: &str) {
        self.push(self.line(line));
    }

    fn line(&self, line: &str) -> String {
        let json = || serde_json::json!({ "message": line }).to_string();
        let line = if self.0.json { json() } else { printable(line) };
        line + "\n"
    }

    /// The line by which the program says that something is wrong.
    pub(crate) fn complain(&self, line: &str) {
        self.say(&format!("mcp-bridge: {line}"));
    }

    fn push(&self, text: String) {
        let mut state = self.0.lock();
        let full = |state: &mut State| !state.lines.is_empty() && state.bytes + text.len() > ROOM;
        if full(&mut state) && !state.stuck {
            let waited = self.0.changed.wait_timeout_while(state, self.0.patience, full);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if full(&mut state) {
            state.stuck = true;
            state.dropped += 1;
            return;
        }
        state.stuck = false;
        if let Some(line) = self.dropped(&mut state) {
            state.bytes += line.len();
            state.lines.push_back(line);
        }
        state.bytes += text.len();
        state.lines.push_back(text);
        drop(state);
        self.0.changed.notify_all();
    }

    /// What there is to say about lines that were dropped since it was last said.
    fn dropped(&self, state: &mut State) -> Option<String> {
        let dropped = std::mem::take(&mut state.dropped);
        (dropped > 0).then(|| {
            self.line(&format!("mcp-bridge: {dropped} lines were dropped: stderr was not read in time"))
        })
    }

    /// Waits until everything is written, for a while.
    pub(crate) fn finish(&self) {
        let dropped = self.dropped(&mut self.0.lock());
        if let Some(line) = dropped {
            self.push(line);
        }
        let state = self.0.lock();
        let busy = |state: &mut State| state.writing || !state.lines.is_empty();
        drop(self.0.changed.wait_timeout_while(state, LAST, busy));
    }
}

/// The thread; it ends with the process.
fn write_all(shared: &Shared) {
    loop {
        let mut state = shared.lock();
        state.writing = false;
        shared.changed.notify_all();
        let idle = |state: &mut State| state.lines.is_empty();
        state = shared.changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<String> = state.lines.drain(..).collect();
        state.bytes = 0;
        state.writing = true;
        drop(state);
        // Nobody can be told that stderr is gone.
        let _ = io::stderr().write_all(lines.concat().as_bytes());
    }
}

/// The log goes the same way.
impl Write for Report {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(String::from_utf8_lossy(bytes).into_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A text with its control characters as JSON would escape them, tabs excepted: a JSON text stays the same value.
pub(crate) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        if character.is_control() && character != '\t' {
            // Writing to a string cannot fail.
            let _ = write!(safe, "\\u{:04x}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("a\tb\u{1b}[31m\u{9b}c\u{7f}é"), "a\tb\\u001b[31m\\u009bc\\u007fé");
    }
}

//! The output of a program, read as it comes.

use std::io::Read;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// Most bytes kept of one output: a table of tools is 20 KB.
const KEPT: usize = 1 << 20;

/// Lines of an output that a failure shows.
const LINES: usize = 30;

/// One output, read by a thread of its own, which a descendant that keeps the pipe may hold for ever.
#[derive(Debug)]
pub(super) struct Capture {
    kept: Arc<Mutex<Vec<u8>>>,
    end: Receiver<()>,
}

impl Capture {
    /// Each time that something came, `news` holds a token; a full channel holds one already.
    pub(super) fn start(pipe: Option<impl Read + Send + 'static>, news: SyncSender<()>) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (sender, end) = mpsc::channel();
        if let Some(mut pipe) = pipe {
            let kept = Arc::clone(&kept);
            thread::spawn(move || {
                let mut chunk = [0; 16 << 10];
                while let Ok(length @ 1..) = pipe.read(&mut chunk) {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.extend_from_slice(chunk.get(..length).unwrap_or_default());
                    let excess = kept.len().saturating_sub(KEPT);
                    kept.drain(..excess);
                    let _ = news.try_send(());
                }
                drop(sender);
            });
        }
        Self { kept, end }
    }

    /// Waits for its end, at most until then.
    pub(super) fn finished(&self, until: Instant) {
        // Nothing is ever sent: the sender's end is the pipe's.
        let _ = self.end.recv_timeout(until.saturating_duration_since(Instant::now()));
    }

    /// What has come so far.
    pub(super) fn text(&self) -> String {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept).into_owned()
    }
}

/// The last lines of `text`, indented.
pub(super) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LINES);
    let mut shown = String::new();
    for line in lines.get(from..).unwrap_or_default() {
        shown.push_str("  ");
        shown.extend(line.chars().take(400));
        shown.push('\n');
    }
    shown
}

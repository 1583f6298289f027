//! Secrets, and everything that is said where they must not be.

use std::collections::hash_map::RandomState;
use std::error::Error as StdError;
use std::fmt::{Debug, Display};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::format::FmtSpan;

/// What every secret of ours begins with, and nothing else does.
const START: &str = "canary-";

/// What was logged, what was said by panics, and what was shown.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    said: Arc<Mutex<Vec<u8>>>,
    /// Secrets that others have made.
    kept: Arc<Mutex<Vec<String>>>,
}

impl Secrets {
    /// From here on everything that this process logs is kept, of every target and level.
    pub(crate) fn start() -> Self {
        let this = Self::default();
        let writer = this.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(FmtSpan::FULL)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        log::set_boxed_logger(Box::new(this.clone())).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
        let (hears, says) = (this.clone(), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| {
            hears.say(&format!("panic: {panic}"));
            // Handlers are to panic here, and nobody else.
            if std::thread::current().name() != Some("tokio-rt-worker") {
                says(panic);
            }
        }));
        this
    }

    /// A new secret.
    pub(crate) fn make(&self, name: &str) -> String {
        format!("{START}{name}-{:016x}", RandomState::new().build_hasher().finish())
    }

    /// Somebody else's secret.
    pub(crate) fn keep(&self, secret: &str) {
        self.kept.lock().unwrap().push(secret.to_owned());
    }

    /// The id of a session, of which the first characters may be logged.
    pub(crate) fn keep_session(&self, id: &str) {
        self.keep(&id[..12]);
    }

    /// Shows a value as a program would that logs it.
    pub(crate) fn show(&self, value: &impl Debug) {
        self.say(&format!("{value:?}\n{value:#?}"));
    }

    /// Shows an error and everything behind it.
    pub(crate) fn show_error(&self, error: &(impl StdError + 'static)) {
        let mut next: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(error) = next {
            self.say(&format!("{error}\n{error:?}\n{error:#?}"));
            next = error.source();
        }
    }

    pub(crate) fn say(&self, text: &dyn Display) {
        self.said.lock().unwrap().extend(format!("{text}\n").into_bytes());
    }

    /// Whether something was said at all.
    pub(crate) fn has_said(&self, text: &str) -> bool {
        let said = String::from_utf8_lossy(&self.said.lock().unwrap()).into_owned();
        said.contains(text)
    }

    /// Where a secret was said, or the start of one, with what follows.
    pub(crate) fn found(&self) -> Vec<String> {
        let said = String::from_utf8_lossy(&self.said.lock().unwrap()).into_owned();
        let kept = self.kept.lock().unwrap().clone();
        let forms = kept.iter().map(String::as_str).chain([START]).flat_map(forms);
        let found = forms.filter_map(|form| {
            let at = said.find(&form)?;
            let line = said[..at].rfind('\n').map_or(0, |end| end + 1);
            Some(said[line..].chars().take(600).collect())
        });
        found.collect()
    }
}

/// As it is, and as others would write its bytes.
fn forms(secret: &str) -> [String; 3] {
    let numbers: Vec<_> = secret.bytes().map(|byte| byte.to_string()).collect();
    let hexadecimal: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    [secret.to_owned(), numbers.join(", "), hexadecimal]
}

impl Write for Secrets {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.said.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// rustls logs by another crate.
impl log::Log for Secrets {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.say(&format!("{} {}: {}", record.level(), record.target(), record.args()));
    }

    fn flush(&self) {}
}

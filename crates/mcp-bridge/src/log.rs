//! `--log`: the libraries' tracing, on stderr.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Checks a filter on the command line.
pub(crate) fn filter(text: &str) -> Result<String, String> {
    match EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Starts to log.
pub(crate) fn start<W>(filter: &str, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let started = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_ansi(false)
        .with_writer(writer)
        .try_init();
    // Only a second start fails, and there is none.
    debug_assert!(started.is_ok(), "the log was started twice");
}

/// Starts to log where nothing else writes to stderr.
pub(crate) fn start_plain(filter: &str) {
    start(filter, io::stderr);
}

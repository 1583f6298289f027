//! `--log`: the libraries' tracing and our own, on stderr.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::report::Report;

/// What is logged, and how.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// What to log on stderr, such as `debug` or `mcp.message=trace` [default: warn; for `serve` also its sessions]
    #[arg(long, global = true, value_name = "FILTER", value_parser = filter)]
    log: Option<String>,
    /// How to log it; `json` also makes an object of every other line on stderr
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    log_format: Format,
}

/// How lines on stderr look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// Checks a filter on the command line.
fn filter(text: &str) -> Result<String, String> {
    match EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl Args {
    pub(crate) fn format(&self) -> Format {
        self.log_format
    }

    /// Starts to log.
    pub(crate) fn start(&self, default: &str, report: &Report) {
        let writer = report.clone();
        let builder = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(self.log.as_deref().unwrap_or(default)))
            .with_ansi(false)
            .with_writer(move || writer.clone());
        let started = match self.log_format {
            Format::Text => builder.try_init(),
            Format::Json => builder.json().try_init(),
        };
        // Only a second start fails, and there is none.
        debug_assert!(started.is_ok(), "the log was started twice");
    }
}

/// What is logged where nobody says what.
pub(crate) const QUIET: &str = "warn";

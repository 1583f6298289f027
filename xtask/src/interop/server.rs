//! A server that has to listen before a row's program starts, and ends after it.

use std::process::Command;
use std::time::{Duration, Instant};

use super::family;
use super::process::Process;
use super::stage::Stage;

/// How long a server may take to end once it was asked to; by then it has no client.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a server listens, up to the number of its port.
const ORIGINS: [&str; 2] = ["http://127.0.0.1:", "https://127.0.0.1:"];

#[derive(Debug)]
pub(super) struct Listener {
    /// It takes a port that is free, and says on a line of its output which.
    pub(super) command: fn(&Stage) -> Command,
    /// Where on that port.
    pub(super) path: &'static str,
    pub(super) manners: Manners,
}

/// What is expected of a server at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manners {
    /// The children of its sessions end with them, and SIGTERM is exit 0.
    Ours,
    /// The same, but one child may stay, which those have in common who have no session.
    Sharing,
    /// None.
    Theirs,
}

/// A server that listens.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) url: String,
    process: Process,
    manners: Manners,
}

impl Listener {
    /// Starts it and waits until it says where it listens; else what is wrong, and what was captured.
    pub(super) fn start(&self, stage: &Stage, until: Instant) -> Result<Listening, (String, String)> {
        let process = Process::start((self.command)(stage))
            .map_err(|error| (format!("the server does not start: {error}"), String::new()))?;
        match process.said(until, |line| url(line, self.path)) {
            Some(url) => Ok(Listening { url, process, manners: self.manners }),
            None => {
                let captured = process.end(Instant::now()).map(|seen| seen.report()).unwrap_or_default();
                Err(("the server does not say where it listens".into(), captured))
            }
        }
    }
}

impl Listening {
    /// Ends it; whether it was alive until then and ended as expected, and what was captured.
    pub(super) fn stop(mut self) -> (Result<(), String>, String) {
        let died = self.process.has_ended(Instant::now());
        let stays = usize::from(self.manners == Manners::Sharing);
        let left = match self.manners {
            Manners::Ours | Manners::Sharing if !died => family::remaining(self.process.pid()),
            _ => Vec::new(),
        };
        self.process.terminate();
        let seen = match self.process.end(Instant::now() + PATIENCE) {
            Ok(seen) => seen,
            Err(error) => return (Err(format!("the server: {error}")), String::new()),
        };
        let outcome = if died {
            Err(format!("the server ended before its time: {}", seen.status))
        } else if left.len() > stays {
            let left: Vec<_> = left.into_iter().map(|(_, command)| command).collect();
            Err(format!("children without a session: {}", left.join("; ")))
        } else if self.manners != Manners::Theirs {
            let orderly = seen.orderly().map_err(|error| format!("the server, after SIGTERM: {error}"));
            orderly.and_then(|()| match seen.status.success() {
                true => Ok(()),
                false => Err(format!("the server, after SIGTERM: {}", seen.status)),
            })
        } else {
            Ok(())
        };
        (outcome, seen.report())
    }
}

/// The URL of `path`, from a line that says where the server listens.
fn url(line: &str, path: &str) -> Option<String> {
    let (origin, rest) = ORIGINS.iter().find_map(|origin| Some((origin, line.split_once(origin)?.1)))?;
    let length = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    let port: u16 = rest.get(..length)?.parse().ok().filter(|port| *port != 0)?;
    Some(format!("{origin}{port}{path}"))
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn a_line_says_where_a_server_listens() {
        let wanted = Some("http://127.0.0.1:8808/mcp".to_owned());
        assert_eq!(
            url("listening on http://127.0.0.1:8808/mcp and http://127.0.0.1:8808/sse", "/mcp"),
            wanted
        );
        assert_eq!(url("INFO listening url=\"http://127.0.0.1:8808\" sessions=0", "/mcp"), wanted);
        assert_eq!(url("http://127.0.0.1:8808", "/mcp"), wanted);
        assert_eq!(url("https://127.0.0.1:1/", "/mcp"), Some("https://127.0.0.1:1/mcp".to_owned()));
        assert_eq!(url("http://127.0.0.1:0/mcp", "/mcp"), None);
        assert_eq!(url("http://127.0.0.1:88080/mcp", "/mcp"), None);
        assert_eq!(url("starting", "/mcp"), None);
    }
}

//! Servers that listen while the suite asks.

use std::path::Path;
use std::time::{Duration, Instant};

use super::Stage;
use super::runs::Link;
use super::traces;
use crate::interop::process::Process;

/// How long a server may take to say where it listens.
const START: Duration = Duration::from_secs(20);

/// How long a server may take to end once it was asked to; by then it has no client.
const END: Duration = Duration::from_secs(5);

/// Where a server listens, up to the number of its port.
const ORIGIN: &str = "http://127.0.0.1:";

/// A chain of them. Whatever happens, none of them lives on.
#[derive(Debug)]
pub(super) struct Servers {
    processes: Vec<Process>,
    url: String,
}

pub(super) fn start(links: &[Link], stage: &Stage, traces: &Path) -> Result<Servers, String> {
    let mut servers = Servers { processes: Vec::new(), url: String::new() };
    for link in links {
        let mut command = (link.command)(stage, &servers.url);
        command.env(traces::DIRECTORY, traces);
        let process = Process::start(command).map_err(|error| format!("a server does not start: {error}"))?;
        let found = process.said(Instant::now() + START, origin);
        servers.processes.push(process);
        match found {
            Some(origin) => servers.url = format!("{origin}{}", link.path),
            None => return Err(format!("a server does not say where it listens\n{}", servers.end())),
        }
    }
    Ok(servers)
}

impl Servers {
    /// Where the last of them is asked.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Ends them; whether all were there until then, or else what was seen of them.
    pub(super) fn stop(mut self) -> Result<(), String> {
        let died = self.processes.iter_mut().any(|process| process.has_ended(Instant::now()));
        let seen = self.end();
        if died { Err(format!("a server ended before its time\n{seen}")) } else { Ok(()) }
    }

    /// Ends them, the last one first, and says what was seen of them.
    fn end(&mut self) -> String {
        let mut seen = String::new();
        while let Some(mut process) = self.processes.pop() {
            process.terminate();
            match process.end(Instant::now() + END) {
                Ok(end) => seen.push_str(&end.report()),
                Err(error) => seen.push_str(&error.to_string()),
            }
        }
        seen
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.end();
    }
}

/// The origin, from a line that says where a server listens.
fn origin(line: &str) -> Option<String> {
    let (_, rest) = line.split_once(ORIGIN)?;
    let length = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    let port: u16 = rest.get(..length)?.parse().ok().filter(|port| *port != 0)?;
    Some(format!("{ORIGIN}{port}"))
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn a_line_says_where_a_server_listens() {
        let wanted = Some("http://127.0.0.1:8808".to_owned());
        assert_eq!(origin("http://127.0.0.1:8808/mcp"), wanted);
        assert_eq!(origin("INFO listening url=\"http://127.0.0.1:8808\" sessions=0"), wanted);
        assert_eq!(origin("http://127.0.0.1:0/mcp"), None);
        assert_eq!(origin("starting"), None);
    }
}

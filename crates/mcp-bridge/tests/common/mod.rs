//! Runs the program, and scripted servers for it to ask.

#![allow(dead_code, reason = "each test file uses what it needs")]

pub(crate) mod bridge;

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// A program that hangs is a failed test, and not a test that hangs.
const TOO_LONG: Duration = Duration::from_secs(60);

pub(crate) const WELCOME: &str =
    r#"{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}"#;
pub(crate) const DISCOVERED: &str = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{},"ttlMs":0,"cacheScope":"public"}"#;

pub(crate) fn bridge() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-bridge"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Seen {
    /// The one line that the program complains with.
    pub(crate) fn complaint(&self) -> &str {
        let mut lines = self.stderr.lines().filter(|line| line.starts_with("mcp-bridge: "));
        let line = lines.next().unwrap_or_else(|| panic!("no complaint in {self:?}"));
        assert_eq!(lines.next(), None, "more than one complaint");
        line
    }

    /// Asserts that nothing could be asked, and that the line says why.
    pub(crate) fn failed(&self, words: &[&str]) -> &Self {
        assert_eq!((self.code, self.stdout.as_str()), (Some(2), ""), "{self:?}");
        let line = self.complaint();
        for word in words {
            assert!(line.contains(word), "no {word:?} in {line:?}");
        }
        self
    }

    /// Asserts an answer on exactly one line.
    pub(crate) fn answered(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        let line = self.stdout.strip_suffix('\n').unwrap_or_else(|| panic!("no line: {self:?}"));
        assert!(!line.contains(['\n', '\r']), "{line:?}");
        line
    }

    pub(crate) fn value(&self) -> serde_json::Value {
        serde_json::from_str(self.answered()).unwrap()
    }
}

pub(crate) fn run(command: &mut Command) -> Seen {
    let started = Instant::now();
    let output = output(command.spawn().unwrap());
    Seen {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        took: started.elapsed(),
    }
}

/// `mcp-bridge call ARGS`
pub(crate) fn call(args: &[&str]) -> Seen {
    run(bridge().arg("call").args(args))
}

/// `mcp-bridge call ARGS -- a server that acts as the script says`
pub(crate) fn ask(args: &[&str], script: &str) -> Seen {
    call(&[args, &["--", "sh", "-c", &server(script)]].concat())
}

/// A server that goes through `script`, the arms of a `case` on each line that comes in.
pub(crate) fn server(script: &str) -> String {
    format!(
        r#"
        id=0
        result() {{ printf '{{"jsonrpc":"2.0","id":%s,"result":%s}}\n' "$id" "$1"; }}
        error() {{ printf '{{"jsonrpc":"2.0","id":%s,"error":{{"code":%s,"message":"no"}}}}\n' "$id" "$1"; }}
        welcome() {{ result '{WELCOME}'; }}
        discovered() {{ result '{DISCOVERED}'; }}
        while IFS= read -r line; do
            id=${{line#*\"id\":}}; id=${{id%%[,\}}]*}}
            case $line in
                {script}
            esac
        done
        "#
    )
}

/// A legacy server that does as `arm` says when it is asked `ask/me`.
pub(crate) fn legacy(arm: &str) -> String {
    format!(
        r#"*'"method":"server/discover"'*) error -32601;;
        *'"method":"initialize"'*) welcome;;
        *'"method":"ask/me"'*) {arm};;"#
    )
}

/// Waits for a process, reading what it says.
pub(crate) fn output(mut child: Child) -> Output {
    let reader = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                pipe.read_to_end(&mut bytes).unwrap();
            }
            bytes
        })
    };
    let stdout = reader(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let stderr = reader(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let status = status(child);
    Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// Waits for a process, and kills it when it takes too long.
pub(crate) fn status(mut child: Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if started.elapsed() > TOO_LONG {
            child.kill().unwrap();
            panic!("the program did not end: {:?}", child.wait());
        }
        // A pause between two looks: the standard library has no wait with a time-out.
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether a process is there, zombies excepted where that can be told.
pub(crate) fn lives(pid: &str) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => !stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")),
        Err(_) if std::path::Path::new("/proc/self/stat").exists() => false,
        Err(_) => Command::new("sh").args(["-c", &format!("kill -0 {pid} 2>&-")]).status().unwrap().success(),
    }
}

pub(crate) fn kill(signal: &str, pid: u32) {
    let script = format!("kill -{signal} {pid}");
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
}

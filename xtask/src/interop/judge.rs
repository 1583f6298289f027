//! What a row's output must be.

use serde_json::Value;

use super::process::Seen;

/// The bridge answered: exit 0 and one JSON value on stdout.
pub(super) fn answered(seen: &Seen) -> Result<Value, String> {
    exited(seen, 0)?;
    serde_json::from_str(&seen.stdout).map_err(|error| format!("stdout is no JSON value: {error}"))
}

/// The server answered with an error: exit 1, nothing on stdout, its code on stderr.
pub(super) fn refused(seen: &Seen, code: &str) -> Result<String, String> {
    exited(seen, 1)?;
    if !seen.stdout.is_empty() {
        return Err("stdout is not empty".into());
    }
    let line = seen.stderr.lines().find(|line| line.contains(code));
    Ok(line.ok_or_else(|| format!("no {code} on stderr"))?.to_owned())
}

/// The list has a tool of this name.
pub(super) fn has_tool(result: &Value, name: &str) -> Result<String, String> {
    let tools = result["tools"].as_array().ok_or("the result has no `tools`")?;
    if !tools.iter().any(|tool| tool["name"] == name) {
        return Err(format!("no tool {name:?} among {}", tools.len()));
    }
    Ok(format!("{} tools", tools.len()))
}

/// The result is one text block that says exactly this.
pub(super) fn text_is(result: &Value, wanted: &str) -> Result<String, String> {
    let text = result["content"][0]["text"].as_str().ok_or("the result has no text")?;
    if text != wanted {
        return Err(format!("the text is {text:?}, expected {wanted:?}"));
    }
    Ok(format!("{text:?}"))
}

/// A client script's last line says that all its checks held.
pub(super) fn verdict(seen: &Seen) -> Result<String, String> {
    let line = seen.stdout.lines().last().ok_or_else(|| ended(seen))?;
    let verdict: Value = serde_json::from_str(line).map_err(|_| ended(seen))?;
    if let Some(error) = verdict["error"].as_str() {
        return Err(error.into());
    }
    let checks = verdict["checks"].as_array().map_or(0, Vec::len);
    if verdict["ok"] != true || checks == 0 {
        return Err(format!("the verdict is {verdict}"));
    }
    exited(seen, 0)?;
    let detail = verdict["detail"].as_str().map(|detail| format!(", {detail}"));
    Ok(format!("{checks} checks{}", detail.unwrap_or_default()))
}

fn exited(seen: &Seen, code: i32) -> Result<(), String> {
    if seen.status.code() == Some(code) {
        return Ok(());
    }
    let last = seen.stderr.lines().rfind(|line| !line.trim().is_empty());
    Err(format!("{}, expected exit {code}: {}", seen.status, last.unwrap_or("nothing on stderr")))
}

fn ended(seen: &Seen) -> String {
    format!("no verdict; {}", seen.status)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn seen(code: i32, stdout: &str, stderr: &str) -> Seen {
        Seen::ended(ExitStatus::from_raw(code << 8), stdout, stderr)
    }

    #[test]
    fn an_answer_is_exit_0_and_json() {
        assert!(answered(&seen(0, "{\"tools\":[]}\n", "")).is_ok());
        assert!(answered(&seen(2, "", "mcp-bridge: no such command\n")).is_err());
        assert!(answered(&seen(0, "", "")).is_err());
    }

    #[test]
    fn a_refusal_is_exit_1_and_its_code() {
        assert!(refused(&seen(1, "", "error -32601: no\n"), "-32601").is_ok());
        assert!(refused(&seen(0, "", "error -32601: no\n"), "-32601").is_err());
        assert!(refused(&seen(1, "", "gone\n"), "-32601").is_err());
        assert!(refused(&seen(1, "{}", "error -32601\n"), "-32601").is_err());
    }

    #[test]
    fn a_verdict_is_the_last_line() {
        assert!(verdict(&seen(0, "noise\n{\"ok\":true,\"checks\":[\"a\"]}\n", "")).is_ok());
        assert!(verdict(&seen(0, "{\"ok\":true,\"checks\":[]}\n", "")).is_err());
        assert!(verdict(&seen(1, "{\"ok\":true,\"checks\":[\"a\"]}\n", "")).is_err());
        assert!(verdict(&seen(0, "{\"ok\":true,\"checks\":[\"a\"]}\nnoise\n", "")).is_err());
        let failed = verdict(&seen(1, "{\"ok\":false,\"error\":\"echo: lost\",\"checks\":[]}\n", ""));
        assert_eq!(failed, Err("echo: lost".into()));
        assert!(verdict(&seen(1, "", "")).is_err());
    }
}

//! Children: how they start, what they may do to us, and how they end.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use mcp_stdio::io::{Child, ChildExit, ChildStatus, CommandSpec, DEFAULT_ENV, Ladder, StderrMode};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::runtime::Runtime;

/// For everything that should take no time at all.
const DEADLINE: Duration = Duration::from_secs(20);

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let limit = async { tokio::time::timeout(3 * DEADLINE, test).await };
    runtime().block_on(limit).expect("in time")
}

fn shell(script: &str) -> CommandSpec {
    CommandSpec::new("sh").args(["-c", script])
}

/// Waits that no test gets to the end of.
fn patient() -> Ladder {
    Ladder::default().after_eof(DEADLINE).after_term(DEADLINE)
}

fn short() -> Ladder {
    let wait = Duration::from_millis(50);
    Ladder::default().after_eof(wait).after_term(wait)
}

async fn line(from: &mut BufReader<pipe::Receiver>) -> String {
    let mut line = String::new();
    from.read_line(&mut line).await.unwrap();
    line.trim_end().to_owned()
}

fn stdout(child: &mut Child) -> BufReader<pipe::Receiver> {
    BufReader::new(child.take_stdout().unwrap())
}

async fn exit(child: &mut Child) -> ChildStatus {
    poll_fn(|cx| child.poll_exit(cx)).await
}

/// State, parent and group of a process, from `/proc`.
fn process(pid: u32) -> Option<(char, u32, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit(") ").next()?.split(' ');
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    Some((state, parent, fields.next()?.parse().ok()?))
}

/// Processes of a group that still run.
fn living(group: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| process(*pid).is_some_and(|(state, _, of)| of == group && state != 'Z')).collect()
}

fn is_zombie_of_ours(pid: u32) -> bool {
    process(pid).is_some_and(|(state, parent, _)| state == 'Z' && parent == std::process::id())
}

/// Looks until it is so. The kernel tells nobody, so this is the way to wait for it.
fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < DEADLINE, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn assert_all_gone(group: u32) {
    eventually("the group to be gone", || living(group).is_empty());
    eventually("the child to be reaped", || !is_zombie_of_ours(group));
}

#[test]
fn status_and_signal() {
    run(async {
        let cases = [
            ("exit 0", Some(0), None, "exited with status 0"),
            ("exit 3", Some(3), None, "exited with status 3"),
            ("kill -9 $$", None, Some(9), "killed by signal 9"),
        ];
        for (script, code, signal, text) in cases {
            let mut child = Child::spawn(&shell(script)).unwrap();
            for _ in 0..2 {
                let status = exit(&mut child).await;
                assert_eq!((status.code(), status.signal()), (code, signal));
                assert_eq!(status.success(), code == Some(0));
                // Unreaped, so that its group id stays its own.
                assert!(is_zombie_of_ours(child.id()));
            }
            for _ in 0..2 {
                let exit = child.shutdown().await;
                assert_eq!((exit.code(), exit.signal()), (code, signal));
                assert_eq!(exit.to_string(), text);
                assert_eq!(process(child.id()), None);
            }
            assert_eq!(exit(&mut child).await.code(), code);
        }
    });
}

#[test]
fn a_child_that_ends_with_its_input_is_sent_no_signal() {
    run(async {
        let mut child = Child::spawn(&CommandSpec::new("cat").ladder(patient())).unwrap();
        let mut to = child.take_stdin().unwrap();
        let mut from = stdout(&mut child);
        assert!(child.take_stdin().is_none() && child.take_stdout().is_none());
        to.write_all(b"hello\n").await.unwrap();
        assert_eq!(line(&mut from).await, "hello");
        drop(to);
        assert_eq!(child.shutdown().await.code(), Some(0));
        // And when stdin was never taken.
        let mut child = Child::spawn(&CommandSpec::new("cat").ladder(patient())).unwrap();
        assert_eq!(child.shutdown().await.code(), Some(0));
    });
}

#[test]
fn the_ladder_sends_term() {
    run(async {
        let ladder = short().after_term(DEADLINE);
        let script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done";
        let mut child = Child::spawn(&shell(script).ladder(ladder)).unwrap();
        assert_eq!(line(&mut stdout(&mut child)).await, "ready");
        assert_eq!(child.shutdown().await.code(), Some(5));
        assert_all_gone(child.id());
    });
}

const STUBBORN: &str = "trap '' TERM; echo ready; while :; do sleep 1000; done";

#[test]
fn the_ladder_ends_with_kill() {
    run(async {
        let mut child = Child::spawn(&shell(STUBBORN).ladder(short())).unwrap();
        assert_eq!(line(&mut stdout(&mut child)).await, "ready");
        let start = Instant::now();
        assert_eq!(child.shutdown().await.signal(), Some(9));
        assert!(start.elapsed() >= Duration::from_millis(100));
        assert_all_gone(child.id());
    });
}

#[test]
fn a_shutdown_can_be_left_and_taken_up() {
    run(async {
        let mut child = Child::spawn(&shell(STUBBORN).ladder(short())).unwrap();
        let mut from = stdout(&mut child);
        assert_eq!(line(&mut from).await, "ready");
        let mut polls = 0;
        let exit = loop {
            // One poll, then the future is dropped at its await.
            let mut shutdown = Box::pin(child.shutdown());
            match poll_fn(|cx| Poll::Ready(shutdown.as_mut().poll(cx))).await {
                Poll::Ready(exit) => break exit,
                Poll::Pending => drop(shutdown),
            }
            polls += 1;
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        assert!(polls > 3, "{polls}");
        assert_eq!(exit.signal(), Some(9));
        assert_all_gone(child.id());
    });
}

#[test]
fn the_leader_is_killed_and_a_grandchild_holds_the_pipes() {
    run(async {
        let script = "sleep 1000 & echo $!; wait";
        let mut child = Child::spawn(&shell(script).ladder(patient())).unwrap();
        let mut from = stdout(&mut child);
        let grandchild: u32 = line(&mut from).await.parse().unwrap();
        let leader = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
        let start = Instant::now();
        kill_process(leader, Signal::KILL).unwrap();
        assert_eq!(exit(&mut child).await.signal(), Some(9));
        assert!(start.elapsed() < Duration::from_secs(1), "at once");
        assert_eq!(living(child.id()), [grandchild], "not ended yet");
        // The grandchild keeps stdout open; the linger bounds the wait for it.
        let mut rest = Vec::new();
        let mut read = Box::pin(from.read_to_end(&mut rest));
        poll_fn(|cx| {
            assert!(read.as_mut().poll(cx).is_pending());
            child.poll_linger(cx)
        })
        .await;
        drop(read);
        assert!(child.shutdown().await.signal() == Some(9));
        assert_all_gone(child.id());
        eventually("the grandchild to be gone", || {
            process(grandchild).is_none_or(|(state, ..)| state == 'Z')
        });
        assert_eq!(from.read_to_end(&mut rest).await.unwrap(), 0);
    });
}

#[test]
fn what_is_left_of_the_group_hears_term_first() {
    run(async {
        let script = "(trap 'echo graceful; exit' TERM; echo ready; while :; do sleep 0.01; done) & \
                      read line; exit 4";
        let ladder = patient().linger(DEADLINE);
        let mut child = Child::spawn(&shell(script).ladder(ladder)).unwrap();
        let mut from = stdout(&mut child);
        assert_eq!(line(&mut from).await, "ready");
        let start = Instant::now();
        assert_eq!(child.shutdown().await.code(), Some(4));
        assert!(start.elapsed() < DEADLINE, "the end of stderr ends the linger");
        assert_eq!(line(&mut from).await, "graceful");
        assert_all_gone(child.id());
    });
}

#[test]
fn a_descendant_out_of_reach_delays_the_end_by_the_linger_only() {
    run(async {
        let script = "setsid sleep 1000 & echo $!; echo last >&2; printf part >&2; exit 0";
        for linger in [Ladder::default().linger, Duration::ZERO] {
            let mut child = Child::spawn(&shell(script).ladder(patient().linger(linger))).unwrap();
            let mut from = stdout(&mut child);
            let stray: i32 = line(&mut from).await.parse().unwrap();
            let start = Instant::now();
            let exit = child.shutdown().await;
            assert!(start.elapsed() < DEADLINE / 2);
            let _ = kill_process(Pid::from_raw(stray).unwrap(), Signal::KILL);
            assert_eq!(exit.code(), Some(0));
            assert_eq!(exit.stderr_tail(), ["last", "part"]);
        }
    });
}

#[test]
fn drop_kills_the_group_with_and_without_a_runtime() {
    let script = "trap '' TERM HUP; sleep 1000 & echo ready; wait; wait";
    let start = |runtime: &Runtime| {
        runtime.block_on(async {
            let mut child = Child::spawn(&shell(script)).unwrap();
            assert_eq!(line(&mut stdout(&mut child)).await, "ready");
            assert_eq!(living(child.id()).len(), 2);
            child
        })
    };
    let within = runtime();
    let child = start(&within);
    let group = child.id();
    within.block_on(async move { drop(child) });
    assert_all_gone(group);

    let before = runtime();
    let child = start(&before);
    drop(before);
    let group = child.id();
    drop(child);
    assert_all_gone(group);
}

#[test]
fn drop_after_the_exit_ends_the_rest() {
    run(async {
        let mut child = Child::spawn(&shell("sleep 1000 & exit 1")).unwrap();
        assert_eq!(exit(&mut child).await.code(), Some(1));
        let group = child.id();
        drop(child);
        assert_all_gone(group);
    });
}

#[test]
fn kill_is_at_once() {
    run(async {
        let mut child = Child::spawn(&shell(STUBBORN).ladder(patient())).unwrap();
        assert_eq!(line(&mut stdout(&mut child)).await, "ready");
        child.kill();
        assert_eq!(exit(&mut child).await.signal(), Some(9));
        assert_eq!(child.shutdown().await.signal(), Some(9));
        child.kill();
        assert_all_gone(child.id());
    });
}

#[test]
fn a_flood_on_stderr_blocks_nobody() {
    run(async {
        let floods = [
            "head -c 100000000 /dev/zero >&2; echo done",
            "yes 'a line of a flood' | head -c 100000000 >&2; echo done",
        ];
        for script in floods {
            let mut child = Child::spawn(&shell(script).ladder(patient())).unwrap();
            let mut from = child.take_stdout().unwrap();
            assert_eq!(exit(&mut child).await.code(), Some(0));
            let exit = child.shutdown().await;
            let mut text = String::new();
            from.read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "done\n");
            assert!((1..=20).contains(&exit.stderr_tail().len()));
            assert!(exit.stderr_tail().iter().all(|line| line.len() <= 1024));
        }
    });
}

#[test]
fn the_last_words_are_never_lost() {
    run(async {
        for round in 0..50 {
            let script = format!("echo out; echo first >&2; printf 'last {round}' >&2; exit 3");
            let mut child = Child::spawn(&shell(&script)).unwrap();
            let mut from = child.take_stdout().unwrap();
            let exit = child.shutdown().await;
            assert_eq!(exit.code(), Some(3));
            assert_eq!(exit.stderr_tail(), ["first", &format!("last {round}")]);
            let mut text = String::new();
            from.read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "out\n");
        }
    });
}

#[test]
fn the_last_words_are_complete_when_a_grandchild_holds_stderr() {
    run(async {
        let script = "sleep 1000 & echo whole >&2; printf part >&2; exit 3";
        let mut child = Child::spawn(&shell(script)).unwrap();
        let exit: ChildExit = child.shutdown().await;
        assert_eq!(exit.stderr_tail(), ["whole", "part"]);
        let debug = format!("{exit:?} {exit}");
        assert!(!debug.contains("whole"), "{debug}");
        assert_all_gone(child.id());
    });
}

#[test]
fn stderr_lines_are_handed_over_and_bounded() {
    run(async {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&seen);
        let mode = StderrMode::Lines(Arc::new(move |line| {
            theirs.lock().unwrap().push(line.to_owned());
        }));
        let spec = shell("for n in 1 2 3 4; do echo $n >&2; done").stderr(mode);
        let mut child = Child::spawn(&spec.stderr_tail_lines(2)).unwrap();
        poll_fn(|cx| child.poll_stderr(cx)).await;
        assert_eq!(child.stderr_tail(), ["3", "4"]);
        assert_eq!(child.shutdown().await.stderr_tail(), ["3", "4"]);
        assert_eq!(*seen.lock().unwrap(), ["1", "2", "3", "4"]);

        let spec = shell("echo from a test, to be ignored >&2").stderr(StderrMode::Inherit);
        let mut child = Child::spawn(&spec).unwrap();
        assert!(child.shutdown().await.stderr_tail().is_empty());
    });
}

async fn environment(spec: CommandSpec) -> BTreeSet<String> {
    let mut child = Child::spawn(&spec.ladder(patient())).unwrap();
    let mut text = String::new();
    let mut from = child.take_stdout().unwrap();
    from.read_to_string(&mut text).await.unwrap();
    assert_eq!(child.shutdown().await.code(), Some(0));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_environment_is_an_allow_list() {
    // Cargo gives it to us.
    let kept_back = "CARGO_MANIFEST_DIR";
    assert!(std::env::var_os(kept_back).is_some());
    let has = |set: &BTreeSet<String>, name: &str| {
        let start = format!("{name}=");
        set.iter().any(|entry| entry.starts_with(&start))
    };
    run(async {
        let env = || CommandSpec::new("/usr/bin/env");
        let set = environment(env().env("MINE", "1").env("HOME", "/mine")).await;
        for entry in &set {
            let name = entry.split('=').next().unwrap();
            assert!(name == "MINE" || DEFAULT_ENV.contains(&name), "{entry}");
        }
        assert!(has(&set, "PATH") && set.contains("MINE=1") && set.contains("HOME=/mine"));

        let set = environment(env().env_allow([kept_back])).await;
        assert!(has(&set, kept_back) && has(&set, "PATH"));

        let set = environment(env().env_inherit_all()).await;
        assert!(has(&set, kept_back));

        let set = environment(env().env("ONLY", "this").env_clear()).await;
        assert_eq!(set, BTreeSet::from(["ONLY=this".to_owned()]));
    });
}

#[test]
fn what_could_not_be_started_is_told_apart() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = here.join("Cargo.toml");
    let script = std::env::temp_dir().join(format!("mcp-stdio-script-{}", std::process::id()));
    std::fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, executable).unwrap();
    let secret = "--token=hunter2";
    let cases = [
        (CommandSpec::new("no-such-program"), "no such program in PATH"),
        (CommandSpec::new("/no/such/program"), "no such program"),
        (CommandSpec::new(&file), "not executable"),
        (CommandSpec::new(&script), "its interpreter"),
        (
            CommandSpec::new("cat").current_dir("/no/such/directory"),
            "working directory `/no/such/directory` does not exist",
        ),
        (CommandSpec::new("cat").current_dir(&file), "is not a directory"),
    ];
    run(async {
        for (spec, expected) in cases {
            let spec = spec.arg(secret);
            let error = Child::spawn(&spec).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(expected), "{expected:?} in {text:?}");
            let program = spec.program().to_str().unwrap();
            assert!(text.contains(program), "{program:?} in {text:?}");
            let debug = format!("{error:?} {spec:?}");
            assert!(!debug.contains("hunter2"), "{debug}");
            assert!(std::error::Error::source(error.get_ref().unwrap()).is_some());
        }
    });
    std::fs::remove_file(script).unwrap();
}

#[test]
fn without_a_runtime_nothing_is_started() {
    let marker = std::env::temp_dir().join(format!("mcp-stdio-marker-{}", std::process::id()));
    let spec = CommandSpec::new("touch").arg(&marker);
    assert!(Child::spawn(&spec).is_err());
    assert!(!marker.exists());
}

#[test]
fn handles_can_be_sent() {
    fn sent<T: Send + 'static>() {}
    fn checked<T: Send>(_: &T) {}
    sent::<Child>();
    sent::<CommandSpec>();
    sent::<mcp_stdio::io::OwnStdio>();
    sent::<mcp_stdio::io::OwnReader>();
    sent::<mcp_stdio::io::OwnWriter>();
    run(async {
        let mut child = Child::spawn(&shell("exit 0")).unwrap();
        let shutdown = child.shutdown();
        checked(&shutdown);
        shutdown.await;
    });
}

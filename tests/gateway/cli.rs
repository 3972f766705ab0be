//! The command line of the real program.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The program in `dir`, without this process's environment variables.
fn warmgate(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warmgate"));
    command.current_dir(dir).args(args).env_clear().stdin(Stdio::null());
    command
}

fn output(dir: &TempDir, args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = warmgate(dir.path(), args).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn with_file(name: &str, text: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(name), text).unwrap();
    dir
}

#[test]
fn a_lineup_is_shown_without_its_passwords() {
    let list = "#EXTM3U\n#EXTINF:-1 tvg-id=\"one\" tvg-chno=\"1\" group-title=\"News\",One\nhttp://127.0.0.1:9981/ch/1.ts\n\
        #EXTINF:-1,Two\nhttp://me:secret@tv/live/secret/2.ts\n#EXTINF:-1,Three\nplugin://x/\n";
    let dir = with_file("list.m3u", list);
    let config = "upstream: {url: http://tv}\nlineup:\n  - file: list.m3u\n    channels: {one: {number: 7}, nobody: {skip: true}}\n";
    fs::write(dir.path().join("gateway.yaml"), config).unwrap();
    let (code, said, complained) = output(&dir, &["lineup"]);
    assert_eq!((code, complained.as_str()), (Some(0), ""));
    for part in [
        "     7  One   News   f91bdbcf108c4e49092c20cd88e22af1  http://127.0.0.1:9981/…\n",
        "http://tv/…",
        "list.m3u: line 7: Three: the gateway pulls http",
        "list.m3u: nobody: this override matches no channel of the playlist",
        "2 channels from 1 playlists\n",
    ] {
        assert!(said.contains(part), "{said}\n{part}");
    }
    let (_, document, _) = output(&dir, &["lineup", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["channels"][0]["media_sources"][0], "f91bdbcf108c4e49092c20cd88e22af1");
    assert_eq!(document["playlists"][0]["complaints"][0]["line"], 7);
    assert!(!format!("{said}{document}").contains("secret"));

    let (code, said, complained) = output(&dir, &["check"]);
    assert_eq!((code, said.as_str()), (Some(0), "gateway.yaml: ok\n"));
    assert!(complained.starts_with("list.m3u: line 7: Three"), "{complained}");
    fs::remove_file(dir.path().join("list.m3u")).unwrap();
    let (code, said, _) = output(&dir, &["lineup"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("list.m3u: it cannot be read: No such file"), "{said}");
}

#[test]
fn check_says_ok() {
    let dir = with_file("gateway.yaml", include_str!("../../gateway.yaml"));
    assert_eq!(output(&dir, &["check"]), (Some(0), "gateway.yaml: ok\n".to_owned(), String::new()));
    let dir = with_file("tv.yaml", "upstream: {url: http://tv}");
    assert_eq!(output(&dir, &["check", "--config", "tv.yaml"]).1, "tv.yaml: ok\n");
}

#[test]
fn check_tells_all_errors_and_so_does_run() {
    let dir = with_file("gateway.yaml", "upstream:\n  url: tv\npool:\n  slots: x\n");
    for args in [&["check"][..], &["run"][..], &[][..]] {
        let (code, stdout, stderr) = output(&dir, args);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{args:?}");
        let lines: Vec<_> = stderr.lines().collect();
        assert!(lines[0].starts_with("gateway.yaml:2: upstream.url: "), "{stderr}");
        assert!(lines[1].starts_with("gateway.yaml:4: pool.slots: "), "{stderr}");
        assert_eq!(lines.len(), 2);
    }
}

#[test]
fn check_explains_a_request() {
    let config = "upstream: {url: http://tv}\ntrusted_proxies: [10.0.0.1]\nclients:\n  rules:\n    \
        - {match: {user: kids}, set: {streams: 1}}\n    \
        - {match: {network: [192.168.0.0/16], header: {X-Room: kitchen}}, set: {linger: 1m, max_bitrate: 4Mbit/s}}\n    \
        - {match: {device: tv}, set: {mode: bypass}}\n";
    let dir = with_file("gateway.yaml", config);
    let head = "GET /videos/1/live.m3u8?DeviceId=tv&ApiKey=s3cr3t HTTP/1.1\r\nHost: tv\r\nX-Room: kitchen\r\n\
        X-Forwarded-For: 192.168.7.7\r\nWarmgate-Linger: 5\r\nWarmgate-Max-Bitrate: 9000000\r\nWarmgate-Mode: warm\r\n\r\nbody";
    fs::write(dir.path().join("request"), head).unwrap();
    let (code, said, complained) = output(&dir, &["check", "--explain", "request", "--peer", "10.0.0.1"]);
    assert_eq!((code, complained.as_str()), (Some(0), ""));
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "from 192.168.7.7, over a trusted proxy: its wishes count (clients.headers: trusted)",
            "clients.rules[0]: does not match: user",
            "clients.rules[1]: matches and applies",
            "clients.rules[2]: matches too, but an earlier one applies",
            "max_bitrate: 4000000bit/s, by clients.rules[1]",
            "linger: 5s, by the request",
            "warmgate-mode is ignored: unknown-value",
        ]
    );
    let by_user = ["check", "--explain", "request", "--user", "Kids"];
    let (_, said, _) = output(&dir, &by_user);
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "from 127.0.0.1, over no trusted proxy: its wishes do not count (clients.headers: trusted)",
            "clients.rules[0]: matches and applies",
            "clients.rules[1]: does not match: network",
            "clients.rules[2]: matches too, but an earlier one applies",
            "streams: 1, by clients.rules[0]",
        ]
    );
    for (head, complaint) in
        [("", "line 1: write a method"), ("GET /x HTTP/1.1\nnonsense\n", "line 2: write a name")]
    {
        fs::write(dir.path().join("request"), head).unwrap();
        let (code, _, complained) = output(&dir, &["check", "--explain", "request"]);
        assert_eq!(code, Some(1));
        assert!(complained.contains(complaint), "{complained}");
    }
}

#[test]
fn without_a_file_it_says_what_to_write() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, stderr) = output(&dir, &[]);
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("gateway.yaml: there is no such file."), "{stderr}");
    assert!(stderr.contains("\nupstream:\n  url: http://127.0.0.1:8096\n"), "{stderr}");
    assert!(stderr.contains("WARMGATE__UPSTREAM__URL"), "{stderr}");
}

#[test]
fn the_environment_is_enough_and_its_mistakes_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = warmgate(dir.path(), &["check"]);
    command.env("WARMGATE__UPSTREAM__URL", "http://tv");
    assert!(command.output().unwrap().status.success());
    let stderr = command.env("WARMGATE__POOL__SLOTS", "x").output().unwrap().stderr;
    assert!(stderr.starts_with(b"WARMGATE__POOL__SLOTS: "), "{}", String::from_utf8_lossy(&stderr));
}

#[test]
fn a_bad_command_line_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(output(&dir, &["chekc"]).0, Some(2));
    assert!(output(&dir, &["--help"]).1.contains("demo"));
    assert!(output(&dir, &["--version"]).1.starts_with("warmgate "));
}

#[test]
fn it_runs_until_it_is_asked_to_stop() {
    for signal in [Signal::TERM, Signal::INT] {
        let dir = with_file("gateway.yaml", "listen: 127.0.0.1:0\nupstream:\n  url: http://127.0.0.1:9\n");
        let mut child = warmgate(dir.path(), &[]).stderr(Stdio::piped()).spawn().unwrap();
        let _bounded = Bounded::new(&child);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("listening")), "it did not start");
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert!(lines.any(|line| line.unwrap().contains("stopping")), "the signal was not noticed");
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn it_says_so_where_nothing_can_be_kept_for_after_a_crash() {
    let dir = with_file("gateway.yaml", "listen: 127.0.0.1:0\nupstream:\n  url: http://127.0.0.1:9\n");
    for (variable, warnings) in [("NOT_HOME", 1), ("HOME", 0)] {
        let mut command = warmgate(dir.path(), &[]);
        let mut child = command.env(variable, dir.path()).stderr(Stdio::piped()).spawn().unwrap();
        let _bounded = Bounded::new(&child);
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let before: Vec<_> =
            lines.map(Result::unwrap).take_while(|line| !line.contains("listening")).collect();
        let told = before.iter().filter(|line| line.contains("no state directory")).count();
        assert_eq!(told, warnings, "{before:?}");
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn too_few_open_files_are_told_of_once_and_the_rest_is_raised() {
    let dir = with_file("gateway.yaml", "listen: 127.0.0.1:0\nupstream:\n  url: http://127.0.0.1:9\n");
    for (limits, warned) in [("ulimit -n 1024", true), ("ulimit -Sn 256; ulimit -Hn 16384", false)] {
        let script = format!("{limits}; exec \"$0\"");
        let mut command = Command::new("sh");
        command.current_dir(dir.path()).args(["-c", &script, env!("CARGO_BIN_EXE_warmgate")]).env_clear();
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let _bounded = Bounded::new(&child);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let before: Vec<_> =
            lines.by_ref().map(Result::unwrap).take_while(|line| !line.contains("listening")).collect();
        let told = before.iter().filter(|line| line.contains("too few open files")).count();
        assert_eq!(told, usize::from(warned), "{before:?}");
        if warned {
            assert!(before.iter().any(|line| line.contains("fit=448")), "{before:?}");
        }
        let raised = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
        let soft = raised.lines().find(|line| line.starts_with("Max open files")).unwrap();
        let soft = soft.split_whitespace().nth(3).unwrap().to_owned();
        assert_eq!(soft, if warned { "1024" } else { "16384" });
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn it_stops_even_if_nobody_reads_its_log() {
    let dir = with_file("gateway.yaml", "listen: 127.0.0.1:0\nupstream:\n  url: http://127.0.0.1:9\n");
    let mut child = warmgate(dir.path(), &[]).stderr(Stdio::piped()).spawn().unwrap();
    let _bounded = Bounded::new(&child);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("listening")), "it did not start");
    drop(lines);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// What the machine decides, as the folder for its state and how many connections fit, is no change.
#[test]
fn a_file_that_is_as_it_was_needs_no_restart() {
    let dir = with_file("gateway.yaml", "listen: 127.0.0.1:0\nupstream:\n  url: http://127.0.0.1:9\n");
    let mut command = Command::new("sh");
    command.current_dir(dir.path()).args([
        "-c",
        "ulimit -n 1024; exec \"$0\"",
        env!("CARGO_BIN_EXE_warmgate"),
    ]);
    command.env_clear().env("HOME", dir.path()).stdin(Stdio::null());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let _bounded = Bounded::new(&child);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("listening")), "it did not start");
    kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
    assert!(lines.any(|line| line.contains("was read again")), "the signal was not noticed");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let rest: Vec<_> = lines.collect();
    assert!(!rest.iter().any(|line| line.contains("restart")), "{rest:?}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// Kills a child that has not ended in time, or whose test has failed.
struct Bounded {
    watch: Option<JoinHandle<()>>,
    ended: Option<Sender<()>>,
}

impl Bounded {
    fn new(child: &Child) -> Self {
        let (ended, end) = mpsc::channel();
        let pid = Pid::from_child(child);
        let watch = thread::spawn(move || {
            // An error means that it has ended already.
            if end.recv_timeout(Duration::from_secs(20)) != Ok(()) {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        Self { watch: Some(watch), ended: Some(ended) }
    }
}

impl Drop for Bounded {
    fn drop(&mut self) {
        let ended = self.ended.take().filter(|_| !thread::panicking());
        ended.map(|ended| ended.send(()));
        self.watch.take().map(JoinHandle::join);
    }
}

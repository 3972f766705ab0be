//! The house rules, read from the sources: layers, sizes, names. What clippy can hold is held there.
#![allow(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

mod circles;
mod page;
mod paths;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_yaml::Value;

/// The layer of each module; a module may name only lower ones, and itself.
const RANKS: [(&str, u8); 35] = [
    ("domain", 1),
    ("jellyfin-alike", 1),
    ("body", 1),
    ("memory", 1),
    ("wire", 1),
    ("background", 2),
    ("config", 2),
    ("cpu", 2),
    ("fetch", 2),
    ("file_stamp", 2),
    ("shutdown", 2),
    ("telemetry", 2),
    ("access_log", 3),
    ("feed", 3),
    ("spool", 3),
    ("ffmpeg", 3),
    ("handover", 3),
    ("history", 3),
    ("lineup", 3),
    ("server", 3),
    ("service_manager", 3),
    ("upstream", 3),
    ("webhooks", 3),
    ("supervisor", 4),
    ("admin", 5),
    ("proxy", 5),
    ("app", 6),
    ("demo", 7),
    ("channels", 8),
    ("healthcheck", 8),
    ("running", 7),
    ("status", 8),
    ("simulate", 8),
    ("main", 8),
    ("lib", 8),
];

/// Crates that do IO or tell the time: the domain's manifest may not ask for them. Paths of the standard library are denied
/// there by clippy.toml.
const NOT_IN_DOMAIN: [&str; 8] =
    ["hyper", "hyper-util", "libc", "memmap2", "rustix", "tokio", "tower", "tracing"];

/// Files that spawn what they do not wait for, and who notices its death.
const NOTICED: [(&str, &str); 23] = [
    ("src/access_log/mod.rs", "the thread survives, and the line is lost"),
    ("src/app/resources.rs", "the blocking part survives and is awaited"),
    ("src/body/mod.rs", "the client sees a reset instead of an early answer"),
    ("src/feed/mod.rs", "the feed's channels close, and its input ends"),
    ("src/ffmpeg/launcher.rs", "the thread survives, and the start fails"),
    ("src/ffmpeg/mod.rs", "the process's channel closes: Failure::Panicked"),
    ("src/handover/successor.rs", "who starts the process waits for its end"),
    ("src/history/mod.rs", "the thread survives, and what it was to write is lost"),
    ("src/lineup/mod.rs", "noted and begun anew"),
    ("src/lineup/guide.rs", "awaited"),
    ("src/proxy/forward.rs", "the tunnel is noted, and its end told"),
    ("src/server/mod.rs", "the connection is noted, and its end told"),
    ("src/server/tunnels.rs", "what it runs is noted"),
    ("src/shutdown.rs", "its end stops the gateway"),
    ("src/spool/mod.rs", "the thread survives, and the piece is lost"),
    ("src/supervisor/driver.rs", "the pool is told by a guard, or of a measurement without a result"),
    ("src/supervisor/ending.rs", "the grace period ends the gateway"),
    ("src/supervisor/generation/mod.rs", "Failure::Panicked"),
    (
        "src/supervisor/held/client_openings.rs",
        "the pool is told by a guard, and the next renewal begins anew",
    ),
    ("src/supervisor/held/hold.rs", "its part() is false, so the ledger keeps the entry"),
    ("src/supervisor/inputs/mod.rs", "the pool is told by a guard, or of Failure::Panicked"),
    ("src/supervisor/vital_tasks.rs", "it ends the gateway"),
    ("src/upstream/state_file.rs", "the thread survives, and the file keeps its last content"),
];

const LONGEST: usize = 400;

/// The most lines that a file of tests may have.
const LONGEST_TESTS: usize = 600;

/// A source file: its path below the repository's root, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The top-level module it belongs to, or the crate.
    fn module(&self) -> &str {
        let path = self.path.trim_start_matches("src/").trim_start_matches("crates/");
        path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    fn is_tests(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// The file without its tests: nothing of it, if it is all tests.
    fn code(&self) -> &str {
        let end = if self.is_tests() { Some(0) } else { self.text.find("#[cfg(test)]") };
        &self.text[..end.unwrap_or(self.text.len())]
    }

    /// Lines that are not comments, without indentation.
    fn statements(&self) -> impl Iterator<Item = &str> {
        self.text.lines().map(str::trim).filter(|line| !line.starts_with("//"))
    }
}

/// What each rule says about `source`.
fn complaints(source: &Source) -> Vec<String> {
    let mut said = Vec::new();
    layers(source, &mut said);
    names_in_full(source, &mut said);
    shape(source, &mut said);
    unfinished(source, &mut said);
    printing(source, &mut said);
    unnoticed(source, &mut said);
    said.into_iter().map(|what| format!("{}: {what}", source.path)).collect()
}

fn layers(source: &Source, said: &mut Vec<String>) {
    let ranks = BTreeMap::from(RANKS);
    let own = source.module();
    let Some(rank) = ranks.get(own) else {
        return said.push(format!("{own} has no rank in tests/tidy/main.rs"));
    };
    for name in source
        .statements()
        .flat_map(|line| named_after(line, "crate::").chain(named_after(line, "warmgate::")))
        .filter(|_| source.path.starts_with("src/"))
    {
        if name != own && ranks.get(name).is_some_and(|other| other >= rank) {
            said.push(format!("names {name}, which is not below {own}"));
        }
    }
}

/// The identifiers that follow `path` in `line`, wherever `path` is not the end of a longer name.
fn named_after<'a>(line: &'a str, path: &'a str) -> impl Iterator<Item = &'a str> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(path)
        .filter(move |(at, _)| !line[..*at].ends_with([':', '$']) && !line[..*at].ends_with(word))
        .map(move |(at, _)| {
            let rest = &line[at + path.len()..];
            &rest[..rest.find(|c| !word(c)).unwrap_or(rest.len())]
        })
}

fn names_in_full(source: &Source, said: &mut Vec<String>) {
    for hidden in ["crate::{", "super::super"] {
        if source.statements().any(|line| line.contains(hidden)) {
            said.push(format!("{hidden} hides what is named"));
        }
    }
}

fn shape(source: &Source, said: &mut Vec<String>) {
    if !source.text.starts_with("//! ") {
        said.push("does not begin with //! and what it is for".to_owned());
    }
    let lines = source.code().lines().count();
    if lines > LONGEST {
        said.push(format!("{lines} lines without its tests, more than {LONGEST}"));
    }
    if Path::new(&source.path).parent().is_some_and(|dir| dir.with_extension("rs").exists()) {
        said.push("has both x.rs and x/".to_owned());
    }
}

fn unfinished(source: &Source, said: &mut Vec<String>) {
    for mark in ["todo!", "unimplemented!", "TODO", "FIXME", "XXX"] {
        if source.text.contains(mark) {
            said.push(format!("{mark}: finish it or write an issue"));
        }
    }
}

/// The command line and the demonstration talk to a person; everything else logs.
fn printing(source: &Source, said: &mut Vec<String>) {
    let talks = ["main", "channels", "demo", "simulate", "status"].contains(&source.module());
    let prints = |line: &str| ["println!", "print!", "dbg!"].iter().any(|mark| line.contains(mark));
    if !talks && source.statements().any(prints) {
        said.push("prints; use tracing".to_owned());
    }
}

/// A task or thread that nobody waits for may die, and nobody would notice what is missing from then on.
fn unnoticed(source: &Source, said: &mut Vec<String>) {
    let is_noticed = |line: &str| {
        ["noted(", "kept(", ".await", "fn spawn"].iter().any(|how| line.contains(how))
            || NOTICED.iter().any(|(path, _)| *path == source.path)
    };
    let is_no_gateway =
        ["demo", "jellyfin-alike"].contains(&source.module()) || source.path.ends_with("/fake.rs");
    let code = source.code().lines().map(str::trim).filter(|line| !line.starts_with("//"));
    for line in code.filter(|line| line.contains("spawn(") && !is_noticed(line) && !is_no_gateway) {
        said.push(format!("who notices the death? use background, or say so in NOTICED: {line}"));
    }
}

/// Modules of `paths` that the tree in `architecture` does not name. A directory's line names its files and
/// directories; what lies deeper is the business of that directory's own documentation.
fn unnamed(architecture: &str, paths: &[&str]) -> Vec<String> {
    let word = |c: char| !(c.is_alphanumeric() || c == '_');
    let mut tree: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut dir = "";
    for line in architecture.lines().skip_while(|line| line.trim() != "src/").skip(1) {
        let (indent, content) = (line.len() - line.trim_start().len(), line.trim());
        let first = content.split_whitespace().next().unwrap_or_default();
        dir = match first.strip_suffix('/') {
            Some(name) if indent == 6 => name.rsplit('/').next().unwrap_or(name),
            _ if indent == 6 => "",
            _ => dir,
        };
        let words = content.split(word).filter(|word| !word.is_empty());
        tree.entry(dir).or_default().extend(words);
    }
    let mut missing = Vec::new();
    for path in paths.iter().map(|path| path.trim_start_matches("src/")) {
        let parts: Vec<_> = path.trim_end_matches(".rs").split('/').collect();
        let (dir, name) = match parts[..] {
            [file] => ("", file),
            [dir, "mod" | "tests"] => (dir, dir),
            ["crates", member, "src", name, ..] => (member, name),
            [dir, name, ..] => (dir, name),
            [] => continue,
        };
        if !tree.get(dir).is_some_and(|words| words.contains(&name)) {
            missing.push(format!("src/{path} is not in the tree of src/ARCHITECTURE.md"));
        }
    }
    missing
}

/// Make targets and configuration keys in `readme` that `makefile` and `manual` do not have.
fn unknown_in_readme(readme: &str, makefile: &str, manual: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let code = readme.split('`').skip(1).step_by(2).chain(fences(readme, "sh").flat_map(str::lines));
    for words in code.map(|code| code.split_whitespace().collect::<Vec<_>>()) {
        if let ["make", target, ..] = words[..]
            && !makefile.lines().any(|line| line.starts_with(&format!("{target}:")))
        {
            said.push(format!("make {target} is no target"));
        }
    }
    for key in readme.split('`').filter(|code| is_key(code, manual)) {
        let found = key.split('.').try_fold(manual, |section, key| section.get(key));
        if found.is_none() {
            said.push(format!("{key} is no key"));
        }
    }
    for block in fences(readme, "yaml") {
        let example: Value = serde_yaml::from_str(block).expect("an example is YAML");
        keys_beside(&example, manual, "", &mut said);
    }
    for variable in named_after_all(readme, "WARMGATE__") {
        let path = variable.to_lowercase();
        if path.split("__").try_fold(manual, |section, key| section.get(key)).is_none() {
            said.push(format!("WARMGATE__{variable} is no variable"));
        }
    }
    said
}

/// Whether `code` looks like a key: names with dots, beginning with one of the manual's.
fn is_key(code: &str, manual: &Value) -> bool {
    let name = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    code.contains('.')
        && code.split('.').all(name)
        && code.split('.').next().is_some_and(|key| manual.get(key).is_some())
}

fn keys_beside(example: &Value, manual: &Value, around: &str, said: &mut Vec<String>) {
    for (key, value) in example.as_mapping().into_iter().flatten() {
        let path = format!("{around}{}", key.as_str().unwrap_or_default());
        match manual.get(key) {
            Some(known) => keys_beside(value, known, &format!("{path}."), said),
            None => said.push(format!("{path} is no key")),
        }
    }
}

/// The blocks of `text` that are fenced as `language`.
fn fences<'a>(text: &'a str, language: &str) -> impl Iterator<Item = &'a str> {
    let opening = format!("```{language}\n");
    let starts: Vec<_> = text.match_indices(&opening).map(|(at, opening)| at + opening.len()).collect();
    starts.into_iter().map(|start| text[start..].split("```").next().unwrap_or_default())
}

fn named_after_all<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().flat_map(move |line| named_after(line, prefix))
}

/// The Rust files below `dir`, if there is one.
fn collect(dir: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let name = path.to_str().unwrap().to_owned();
            found.push(Source { path: name, text: fs::read_to_string(&path).unwrap() });
        }
    }
}

/// The Rust files of `folder` in each member of the workspace.
fn sources_in(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(Path::new(folder), &mut found);
    for member in fs::read_dir("crates").unwrap() {
        collect(&member.unwrap().path().join(folder), &mut found);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn sources() -> Vec<Source> {
    sources_in("src")
}

#[track_caller]
fn nothing_said(said: &[String]) {
    assert!(said.is_empty(), "\n{}\n", said.join("\n"));
}

#[test]
fn every_file_keeps_the_rules() {
    nothing_said(&sources().iter().flat_map(complaints).collect::<Vec<_>>());
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let sources = sources();
    let texts = sources.iter().map(|source| (source.path.as_str(), source.text.as_str())).collect();
    let circles = circles::circles(&texts);
    nothing_said(&circles.values().map(|way| way.join(" → ")).collect::<Vec<_>>());
}

#[test]
fn no_file_of_tests_is_too_long() {
    let sources = sources().into_iter().filter(Source::is_tests).chain(sources_in("tests"));
    let lengths = sources.map(|source| (source.text.lines().count(), source.path));
    let long = lengths.filter(|(lines, _)| *lines > LONGEST_TESTS);
    let said = long.map(|(lines, path)| format!("{path}: {lines} lines of tests, more than {LONGEST_TESTS}"));
    nothing_said(&said.collect::<Vec<_>>());
}

#[test]
fn the_domain_asks_for_no_crate_that_does_io() {
    let manifest = fs::read_to_string("crates/domain/Cargo.toml").unwrap();
    for name in NOT_IN_DOMAIN {
        assert!(!manifest.lines().any(|line| line.starts_with(&format!("{name} ="))), "{name}");
    }
}

#[test]
fn the_jellyfin_alike_shares_no_code_with_the_gateway() {
    let manifest = fs::read_to_string("crates/jellyfin-alike/Cargo.toml").unwrap();
    assert!(!manifest.lines().any(|line| line.contains("path =")));
}

#[test]
fn the_architecture_names_every_module() {
    let sources = sources();
    let paths: Vec<_> = sources.iter().map(|source| source.path.as_str()).collect();
    nothing_said(&unnamed(&fs::read_to_string("src/ARCHITECTURE.md").unwrap(), &paths));
}

#[test]
fn the_readme_names_only_what_there_is() {
    let manual = serde_yaml::from_str(&fs::read_to_string("gateway.yaml").unwrap()).unwrap();
    let (readme, makefile) =
        (fs::read_to_string("README.md").unwrap(), fs::read_to_string("Makefile").unwrap());
    nothing_said(&unknown_in_readme(&readme, &makefile, &manual));
}

/// No test can build the image.
#[test]
fn the_image_is_made_of_what_there_is() {
    let dockerfile = fs::read_to_string("deploy/Dockerfile").unwrap();
    let copies = dockerfile.lines().filter_map(|line| line.strip_prefix("COPY "));
    let copies = copies.filter(|paths| !paths.starts_with("--from")).map(str::split_whitespace);
    let mut sources: Vec<_> = copies.flat_map(|paths| paths.rev().skip(1)).collect();
    sources.retain(|path| !Path::new(path).exists());
    nothing_said(&sources.iter().map(|path| format!("{path} is missing")).collect::<Vec<_>>());
}

/// No test makes the package.
#[test]
fn the_package_is_made_of_what_there_is() {
    let manifest = fs::read_to_string("Cargo.toml").unwrap();
    let (_, metadata) = manifest.split_once("[package.metadata.deb]").unwrap();
    let (metadata, _) = metadata.split_once("\n\n").unwrap();
    let assets = metadata.lines().filter_map(|line| line.trim().strip_prefix('[')).map(|line| {
        let [from, to, _] = line.split('"').skip(1).step_by(2).collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        (from, format!("/{to}"))
    });
    let assets: BTreeMap<_, _> = assets.collect();
    let is_missing = |path: &&&str| !path.starts_with("target/release/") && !Path::new(path).exists();
    let missing = assets.keys().filter(is_missing).map(|path| format!("{path} is missing"));
    nothing_said(&missing.collect::<Vec<_>>());
    let configuration = &assets["gateway.yaml"];
    assert!(metadata.contains(&format!("conf-files = [\"{configuration}\"]")), "an upgrade would replace it");
    let unit = fs::read_to_string("deploy/warmgate.service").unwrap();
    assert!(unit.contains(&format!("ExecStart=warmgate run --config {configuration}\n")));
}

#[test]
fn tidy_sees_what_is_wrong() {
    for (path, text, complaint) in [
        ("src/body.rs", "//! x\nfn f() { crate::server::bind() }", "names server"),
        ("src/demo/mod.rs", "//! x\nuse crate::main::x;", "names main"),
        ("src/new/mod.rs", "//! x\n", "new has no rank"),
        ("src/proxy/mod.rs", "//! x\nuse crate::{body, config};", "crate::{ hides"),
        ("src/proxy/hls.rs", "//! x\nuse super::super::body;", "super::super hides"),
        ("src/proxy/mod.rs", "// no doc\n", "does not begin with //!"),
        ("src/proxy/mod.rs", "//! x\nfn f() { todo!() }", "todo!"),
        ("src/proxy/mod.rs", "//! x\n// FIXME later\n", "FIXME"),
        ("src/proxy/mod.rs", "//! x\nfn f() { println!() }", "prints"),
        ("src/memory/x.rs", "//! x\n", "has both"),
        ("src/proxy/mod.rs", "//! x\nfn f() { tokio::spawn(work()); }", "who notices"),
    ] {
        let said = complaints(&Source { path: path.to_owned(), text: text.to_owned() });
        assert!(said.len() == 1 && said[0].contains(complaint), "{text}: {said:?}");
    }
    let long = format!("//! x\n{}", "fn f() {}\n".repeat(LONGEST));
    assert_eq!(complaints(&Source { path: "src/body.rs".to_owned(), text: long.clone() }).len(), 1);
    let tests = long.replacen("fn f", "#[cfg(test)]\nfn f", 1);
    assert_eq!(complaints(&Source { path: "src/body.rs".to_owned(), text: tests }).len(), 0);
}

#[test]
fn tidy_lets_pass_what_is_right() {
    for (path, text) in [
        ("src/main.rs", "//! x\nuse warmgate::{app, demo};\nfn f() { println!() }"),
        ("src/proxy/mod.rs", "//! x\nuse other_crate::demo::X;\nuse some::demo::X;"),
        ("src/app.rs", "//! x\nuse crate::proxy::X;"),
        ("src/proxy/mod.rs", "//! x\nfn f() { tokio::spawn(noted(\"it\", work())); }"),
    ] {
        nothing_said(&complaints(&Source { path: path.to_owned(), text: text.to_owned() }));
    }
}

#[test]
fn tidy_sees_what_the_documents_lack() {
    let tree = "text\n    src/\n      main.rs app.rs\n      proxy/   route\n               hls origin/\n      body.rs\n";
    let known = ["main.rs", "body.rs", "proxy/mod.rs", "proxy/route.rs", "proxy/hls.rs", "proxy/origin/x.rs"];
    assert_eq!(unnamed(tree, &known), [""; 0]);
    assert_eq!(unnamed(tree, &["route.rs", "proxy/body.rs", "demo/mod.rs"]).len(), 3);

    let manual = serde_yaml::from_str("pool: {slots: 4}\nname: x").unwrap();
    let unknown = |readme: &str| unknown_in_readme(readme, "test: x\n\tcargo test\n", &manual);
    assert_eq!(
        unknown("`make test` `pool.slots` `README.md` WARMGATE__POOL__SLOTS\n```yaml\nname: y\n```"),
        [""; 0]
    );
    assert_eq!(unknown("`make bench`"), ["make bench is no target"]);
    assert_eq!(unknown("```sh\nmake bench   # x\n```"), ["make bench is no target"]);
    assert_eq!(unknown("`pool.slotz`"), ["pool.slotz is no key"]);
    assert_eq!(unknown("`WARMGATE__POOL__SLOTZ`"), ["WARMGATE__POOL__SLOTZ is no variable"]);
    assert_eq!(unknown("```yaml\npool:\n  slotz: 1\n```"), ["pool.slotz is no key"]);
}

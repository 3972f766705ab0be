//! The dashboard's page is built from the sources that are here: the build notes their fingerprint (`ui/sources.mjs`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const FILES: [&str; 3] = ["index.html", "package-lock.json", "vite.config.js"];

#[test]
fn the_page_is_built_from_its_sources() {
    let built = fs::read_to_string(folder().join("dist/sources")).unwrap();
    assert_eq!(built.trim(), format!("{:016x}", fingerprint()), "build it anew: make ui");
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ui")
}

/// 64 bits of FNV-1a over the path and the content of each file.
fn fingerprint() -> u64 {
    let mut files: BTreeMap<String, PathBuf> =
        FILES.iter().map(|name| ((*name).to_owned(), folder().join(name))).collect();
    add_all(&folder().join("src"), "src", &mut files);
    let bytes = files.iter().flat_map(|(name, path)| {
        let content = fs::read(path).unwrap();
        name.bytes().chain([0]).chain(content).chain([0]).collect::<Vec<_>>()
    });
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn add_all(folder: &Path, name: &str, files: &mut BTreeMap<String, PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{name}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            add_all(&entry.path(), &name, files);
        } else {
            files.insert(name, entry.path());
        }
    }
}

//! Finds circles of imports among source files.
//!
//! A path counts as an import of the file that holds the last module on it: `crate::a::b::Item` imports `a/b.rs`, and so does
//! `super::b::Item` in `a/c.rs`. Whoever names a re-export imports the `mod.rs` that re-exports it, which imports the child.
//! `mod child;` alone imports nothing, so a child may add to its parent's type as long as the parent names nothing of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::paths::Names;

/// A module of some crate: its path, crate first.
type Module = Vec<String>;

/// The non-test modules of all crates, by path, and what each declares and names.
struct Tree<'a> {
    texts: &'a BTreeMap<&'a str, &'a str>,
    files: BTreeMap<Module, (&'a str, Names)>,
}

/// Each circle among `texts`, by file: the shortest way from a file back to itself. The files of `texts` are below `src` and
/// `crates/*/src`.
pub(crate) fn circles<'a>(texts: &'a BTreeMap<&'a str, &'a str>) -> BTreeMap<&'a str, Vec<&'a str>> {
    let imports = Tree::of(texts).imports();
    imports.keys().filter_map(|file| Some((*file, way_back(&imports, file)?))).collect()
}

impl<'a> Tree<'a> {
    fn of(texts: &'a BTreeMap<&'a str, &'a str>) -> Self {
        let mut tree = Self { texts, files: BTreeMap::new() };
        for file in texts.keys() {
            match file.split('/').collect::<Vec<_>>()[..] {
                ["src", "lib.rs"] => tree.add(vec!["warmgate".to_owned()], file),
                ["src", "main.rs"] => tree.add(vec!["main".to_owned()], file),
                ["crates", member, "src", "lib.rs" | "main.rs"] => {
                    tree.add(vec![member.replace('-', "_")], file)
                }
                _ => {}
            }
        }
        tree
    }

    fn add(&mut self, module: Module, file: &'a str) {
        let Some(text) = self.texts.get(file) else { return };
        let names = Names::read(text);
        let (dir, stem) = file.trim_end_matches(".rs").rsplit_once('/').unwrap_or_default();
        let dir =
            if ["lib", "main", "mod"].contains(&stem) { dir.to_owned() } else { format!("{dir}/{stem}") };
        for name in &names.modules {
            let child = below(&module, name);
            let places = [format!("{dir}/{name}.rs"), format!("{dir}/{name}/mod.rs")];
            if let Some((file, _)) = places.iter().find_map(|place| self.texts.get_key_value(place.as_str()))
            {
                self.add(child, file);
            }
        }
        self.files.insert(module, (file, names));
    }

    /// The files that each file imports.
    fn imports(&self) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
        let imported = |module: &Module, names: &Names| {
            let found = names.paths.iter().filter_map(|path| self.resolved(module, names, path));
            found.map(|(module, _)| self.files[&module].0).collect()
        };
        self.files.iter().map(|(module, (file, names))| (*file, imported(module, names))).collect()
    }

    /// The last module on `path` as named in `module`, and whether the path ends with it. `None` for a path that leaves the
    /// repository or begins with an item.
    fn resolved(&self, module: &Module, names: &Names, path: &[String]) -> Option<(Module, bool)> {
        let (first, rest) = path.split_first()?;
        let child = below(module, first);
        let start = match first.as_str() {
            "crate" => module[..1].to_vec(),
            "self" => module.clone(),
            "super" => module[..module.len() - 1].to_vec(),
            _ if self.files.contains_key(&child) => child,
            _ if self.files.contains_key(std::slice::from_ref(first)) => vec![first.clone()],
            _ => names.uses.iter().find(|(name, used)| name == first && used[0] != *first).and_then(
                |(_, used)| {
                    let (module, is_whole) = self.resolved(module, names, used)?;
                    is_whole.then_some(module)
                },
            )?,
        };
        let mut end = start;
        for segment in rest {
            let next = if segment == "super" { end[..end.len() - 1].to_vec() } else { below(&end, segment) };
            if !self.files.contains_key(&next) {
                return Some((end, false));
            }
            end = next;
        }
        Some((end, true))
    }
}

fn below(module: &[String], name: &str) -> Module {
    let mut path = module.to_vec();
    path.push(name.to_owned());
    path
}

/// The shortest way along `imports` from `file` back to it, both ends included.
fn way_back<'a>(imports: &BTreeMap<&'a str, BTreeSet<&'a str>>, file: &'a str) -> Option<Vec<&'a str>> {
    let mut from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut waiting = VecDeque::from([file]);
    while let Some(here) = waiting.pop_front() {
        for next in imports.get(here).into_iter().flatten().filter(|next| **next != here) {
            if *next == file {
                let mut way = vec![file, here];
                while way[way.len() - 1] != file {
                    way.push(from[way[way.len() - 1]]);
                }
                way.reverse();
                return Some(way);
            }
            if !from.contains_key(next) {
                from.insert(next, here);
                waiting.push_back(next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let texts: BTreeMap<_, _> = files.iter().copied().collect();
        circles(&texts).values().map(|way| way.join(" ")).collect()
    }

    #[test]
    fn files_that_name_each_other_are_a_circle() {
        let lib = ("src/lib.rs", "mod a; mod b;");
        let circle = ["src/a.rs src/b.rs src/a.rs", "src/b.rs src/a.rs src/b.rs"];
        for (a, b) in [
            ("use crate::b::B;", "use super::a::A;"),
            ("fn f(b: crate::b::B) {}", "use crate::{a::{self, A}, c};"),
            ("use crate::b; fn f() { b::g() }", "use crate::a as other; fn f() -> other::A {}"),
            ("pub use crate::b::*;", "fn f() { '\\''; \"\\\"\"; r#\"\"\"#; vec![super::a::C] }"),
        ] {
            assert_eq!(found(&[lib, ("src/a.rs", a), ("src/b.rs", b)]), circle, "{a} {b}");
        }
    }

    #[test]
    fn longer_circles_are_found_and_the_shortest_is_shown() {
        let files = [
            ("crates/x/src/lib.rs", "mod a; mod b; mod c;"),
            ("crates/x/src/a/mod.rs", "mod d; pub use d::D;"),
            ("crates/x/src/a/d.rs", "use crate::b::B; use crate::c::C;"),
            ("crates/x/src/b.rs", "use crate::c::C;"),
            ("crates/x/src/c.rs", "use crate::a::D;"),
        ];
        let shown = found(&files);
        assert_eq!(shown.len(), 4);
        assert_eq!(
            shown[1],
            "crates/x/src/a/mod.rs crates/x/src/a/d.rs crates/x/src/c.rs crates/x/src/a/mod.rs"
        );
    }

    #[test]
    fn a_parent_and_a_child_that_name_each_other_are_a_circle() {
        let lib = ("src/lib.rs", "mod a;");
        let child = ("src/a/b.rs", "use super::A; impl A {}");
        let none = [""; 0];
        assert_eq!(found(&[lib, ("src/a/mod.rs", "mod b; struct A;"), child]), none);
        assert_eq!(found(&[lib, ("src/a/mod.rs", "mod b; struct A(b::B);"), child]).len(), 2);
        assert_eq!(found(&[lib, ("src/a/mod.rs", "mod b; use b::B;"), child]).len(), 2);
        assert_eq!(found(&[lib, ("src/a/mod.rs", "mod b; use b::B;"), ("src/a/b.rs", "")]), none);
    }

    #[test]
    fn tests_comments_and_other_crates_are_in_no_circle() {
        let files = [
            ("src/lib.rs", "mod a; mod b; #[cfg(test)] mod c; use std::a::X;"),
            ("src/a.rs", "use crate::b::B; #[cfg(test)] mod tests; // crate::c"),
            ("src/a/tests.rs", "use super::*;"),
            (
                "src/b.rs",
                "#[cfg(test)] mod tests { use crate::a::A; } /* crate::a::A */ const A: &str = \"crate::a::A\";",
            ),
            ("src/c.rs", "use crate::a::A;"),
        ];
        assert_eq!(found(&files), [""; 0]);
    }
}

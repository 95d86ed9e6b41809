//! Which file of a crate imports which, read from the sources, and circles among them.
//!
//! A file is known by its module path (`images::decode`). Names are followed through re-exports to the file that defines
//! them; a re-export is no arrow of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Arrows from each file to the files that it imports from.
pub type Arrows = BTreeMap<String, BTreeSet<String>>;

/// A path of the language, cut at `::`.
type Segments = Vec<String>;

struct Crate {
    /// Text of each file, without comments and tests.
    texts: BTreeMap<String, String>,
    /// Paths that a file re-exports, by the file and the name.
    exports: BTreeMap<(String, String), Segments>,
}

/// The arrows between the files of a crate; `files` are those of its `src` folder.
pub fn arrows(src: &Path, files: &[PathBuf]) -> Arrows {
    let mut of_crate = Crate { texts: BTreeMap::new(), exports: BTreeMap::new() };
    for path in files {
        let text = std::fs::read_to_string(path).unwrap();
        let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = before_tests.lines().map(|line| line.split("//").next().unwrap_or_default());
        of_crate.texts.insert(module_of(src, path), lines.collect::<Vec<_>>().join("\n"));
    }
    for (module, text) in of_crate.texts.clone() {
        for (is_export, path) in divided(&text).0 {
            if is_export && let (Some(name), Some(path)) = (path.last(), of_crate.absolute(&module, &path)) {
                of_crate.exports.insert((module.clone(), name.clone()), path);
            }
        }
    }
    let modules = of_crate.texts.keys().filter(|module| !module.is_empty());
    modules.map(|module| (module.clone(), of_crate.imports(module))).collect()
}

/// Files that import each other, directly or through others: each circle with all of its files.
pub fn circles(arrows: &Arrows) -> Vec<Vec<String>> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        arrows.keys().map(|file| (file, reachable(arrows, file))).collect();
    let circle = |file: &String| -> Vec<String> {
        let others = reached[file].iter().filter(|other| reached.get(*other).is_some_and(|back| back.contains(file)));
        others.map(|other| (*other).clone()).collect()
    };
    let found: BTreeSet<Vec<String>> = arrows.keys().map(circle).filter(|circle| !circle.is_empty()).collect();
    found.into_iter().collect()
}

/// The arrows between folders; a file that lies in none counts as a folder of its own.
pub fn between_folders(arrows: &Arrows) -> Arrows {
    let folder = |module: &String| module.split("::").next().unwrap_or_default().to_owned();
    let mut folders = Arrows::new();
    for (from, to) in arrows {
        let others = to.iter().map(folder).filter(|other| *other != folder(from));
        folders.entry(folder(from)).or_default().extend(others);
    }
    folders
}

fn reachable<'a>(arrows: &'a Arrows, start: &String) -> BTreeSet<&'a String> {
    let (mut seen, mut pending) = (BTreeSet::new(), vec![start]);
    while let Some(file) = pending.pop() {
        for other in arrows.get(file).into_iter().flatten() {
            if seen.insert(other) {
                pending.push(other);
            }
        }
    }
    seen
}

fn module_of(src: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(src).unwrap().with_extension("");
    let mut parts: Segments = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if ["mod", "lib"].contains(&parts.last().map_or("", String::as_str)) {
        parts.pop();
    }
    parts.join("::")
}

impl Crate {
    fn imports(&self, module: &str) -> BTreeSet<String> {
        let (declared, others) = divided(&self.texts[module]);
        let imported = declared.into_iter().filter(|(is_export, _)| !is_export).map(|(_, path)| path);
        let paths = imported.chain(inline_paths(&others));
        let found = paths.filter_map(|path| self.absolute(module, &path)).filter_map(|path| self.file_of(&path, 0));
        found.filter(|other| other != module).collect()
    }

    /// A path from the root of the crate on; none for what is in another crate.
    fn absolute(&self, module: &str, path: &[String]) -> Option<Segments> {
        let mut base: Segments = module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => (base, rest) = (Vec::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {}
            first => {
                let child = [&base[..], &[first.to_owned()]].concat().join("::");
                self.texts.get(&child)?;
            }
        }
        while rest.first().is_some_and(|first| first == "super") {
            base.pop();
            rest = &rest[1..];
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }

    /// The file that defines what a path names.
    fn file_of(&self, path: &[String], depth: usize) -> Option<String> {
        const MAX_DEPTH: usize = 9;
        let mut module = String::new();
        for (index, part) in path.iter().enumerate() {
            let child = if module.is_empty() { part.clone() } else { format!("{module}::{part}") };
            if self.texts.contains_key(&child) {
                module = child;
            } else if let Some(target) = self.exports.get(&(module.clone(), part.clone())).filter(|_| depth < MAX_DEPTH)
            {
                return self.file_of(&[&target[..], &path[index + 1..]].concat(), depth + 1);
            } else {
                break;
            }
        }
        (!module.is_empty()).then_some(module)
    }
}

/// The paths of all `use` declarations, and whether they are re-exports; and the other lines.
fn divided(text: &str) -> (Vec<(bool, Segments)>, String) {
    let (mut found, mut others, mut declaration) = (Vec::new(), String::new(), String::new());
    for line in text.lines().map(str::trim) {
        let begins = line.starts_with("use ") || (line.starts_with("pub") && line.contains(" use "));
        if !begins && declaration.is_empty() {
            others = others + line + "\n";
            continue;
        }
        declaration += line;
        if let Some((before, tree)) =
            declaration.trim_end_matches(';').split_once("use ").filter(|_| line.ends_with(';'))
        {
            let mut paths = Vec::new();
            expand(tree, &[], &mut paths);
            found.extend(paths.into_iter().map(|path| (before.starts_with("pub"), path)));
            declaration.clear();
        }
    }
    (found, others)
}

/// The paths of a tree such as `crate::a::{self, b::C, d as e}`.
fn expand(tree: &str, prefix: &[String], paths: &mut Vec<Segments>) {
    match tree.split_once('{') {
        Some((before, group)) => {
            let names = before.split("::").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
            let prefix: Segments = prefix.iter().cloned().chain(names).collect();
            let group = group.trim_end().strip_suffix('}').unwrap_or(group);
            let (mut depth, mut start) = (0, 0);
            for (at, letter) in group.char_indices().chain([(group.len(), ',')]) {
                match letter {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        if !group[start..at].trim().is_empty() {
                            expand(group[start..at].trim(), &prefix, paths);
                        }
                        start = at + 1;
                    }
                    _ => {}
                }
            }
        }
        None => {
            let name = tree.split(" as ").next().unwrap_or_default();
            let names =
                name.split("::").map(str::trim).filter(|name| !["self", "*", ""].contains(name) || prefix.is_empty());
            paths.push(prefix.iter().cloned().chain(names.map(str::to_owned)).collect());
        }
    }
}

/// Paths in the midst of code: `crate::a::B`, `super::c()`, and `d::e()` where `d` may be a module below this one.
fn inline_paths(text: &str) -> Vec<Segments> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let words = text.split(|letter: char| !is_part(letter)).filter(|word| word.contains("::"));
    words.map(|word| word.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect()).collect()
}

//! What may know what: the arrows between the crates and inside them, and who may open the test split.

#[path = "support/imports.rs"]
mod imports;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use toml::Table;

/// Each crate and all crates of this workspace that it uses.
const ARROWS: [(&str, &[&str]); 14] = [
    ("core", &[]),
    ("files", &[]),
    ("ensemble", &["core"]),
    ("targets", &["core", "files"]),
    ("glyphs", &["core"]),
    ("data", &["core", "files", "glyphs"]),
    ("ops", &[]),
    ("models", &["core", "files", "ops"]),
    ("export", &["core", "files", "models"]),
    ("train", &["core", "data", "files", "models", "ops", "targets"]),
    ("report", &[]),
    ("experiment", &["core", "data", "ensemble", "export", "files", "models", "report", "targets", "train"]),
    ("launch", &[]),
    ("cli", &["experiment", "launch"]),
];

/// The only places that open the test split, to measure on it.
const TEST_SPLIT_USERS: [&str; 2] = ["experiment/src/commands/evaluate.rs", "experiment/src/steps/evaluation/mod.rs"];

fn crates() -> PathBuf {
    support::repository().join("crates")
}

fn internal_dependencies(manifest: &Path) -> BTreeSet<String> {
    let table: Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
    let empty = Table::new();
    let in_table = |table: &Table| -> Vec<String> {
        let dependencies = table.get("dependencies").and_then(toml::Value::as_table).unwrap_or(&empty);
        dependencies.keys().filter_map(|name| name.strip_prefix("stillhouse-")).map(str::to_owned).collect()
    };
    let targets = table.get("target").and_then(toml::Value::as_table).unwrap_or(&empty);
    let of_targets = targets.values().filter_map(toml::Value::as_table).flat_map(in_table);
    in_table(&table).into_iter().chain(of_targets).collect()
}

#[test]
fn the_arrows_between_the_crates_are_these() {
    let found: BTreeMap<String, BTreeSet<String>> = std::fs::read_dir(crates())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("Cargo.toml").exists())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, internal_dependencies(&path.join("Cargo.toml")))
        })
        .collect();
    let expected = ARROWS.map(|(name, uses)| (name.to_owned(), uses.iter().map(|name| (*name).to_owned()).collect()));
    assert_eq!(found, BTreeMap::from(expected));
}

#[test]
fn the_program_never_sees_a_tensor() {
    for name in ["cli", "launch", "core", "ensemble", "report", "targets"] {
        let manifest = std::fs::read_to_string(crates().join(name).join("Cargo.toml")).unwrap();
        assert!(!manifest.contains("candle"), "{name} depends on candle");
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_test = name == "tests" || name == "tests.rs";
        if path.is_dir() && !is_test {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") && !is_test {
            found.push(path);
        }
    }
    found
}

#[test]
fn only_the_evaluation_opens_the_test_split() {
    let mut users = BTreeSet::new();
    for entry in std::fs::read_dir(crates()).unwrap() {
        let folder = entry.unwrap().path().join("src");
        for path in sources(&folder) {
            let text = std::fs::read_to_string(&path).unwrap();
            let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            // data that is loaded to measure a model on has its test examples open
            if before_tests.contains(".unseal") || before_tests.contains(".load_measured(") {
                users.insert(path.strip_prefix(crates()).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    assert_eq!(users, BTreeSet::from(TEST_SPLIT_USERS.map(str::to_owned)));
}

/// Circles of files, and of folders, that import each other in a crate, of whose files some import `known`.
fn circles_in(name: &str, known: &str) -> Vec<Vec<String>> {
    let folder = crates().join(name).join("src");
    let arrows = imports::arrows(&folder, &sources(&folder));
    assert!(arrows.values().any(|others| others.contains(known)), "some file of {name} imports {known}");
    [imports::circles(&arrows), imports::circles(&imports::between_folders(&arrows))].concat()
}

#[test]
fn imports_inside_data_run_one_way() {
    assert_eq!(circles_in("data", "error"), Vec::<Vec<String>>::new());
}

#[test]
fn imports_inside_experiment_run_one_way() {
    assert_eq!(circles_in("experiment", "error"), Vec::<Vec<String>>::new());
}

#[test]
fn imports_inside_report_run_one_way() {
    assert_eq!(circles_in("report", "contract"), Vec::<Vec<String>>::new());
}

#[test]
fn circles_are_found_through_re_exports() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("a")).unwrap();
    let files = [
        ("lib.rs", "mod a;\nmod b;\n#[cfg(test)]\nmod tests;\npub use a::{Deep, Other};\n"),
        ("a/mod.rs", "mod deep;\npub use deep::Deep;\npub struct Other;\n"),
        ("a/deep.rs", "pub struct Deep; // crate::a::Other\nfn f() { crate::b::g() }\n"),
        ("b.rs", "use crate::{\n    Deep,\n    a::{Other as Another},\n};\npub fn g() {}\n"),
    ];
    let paths: Vec<PathBuf> = files.iter().map(|(name, _)| at(name)).collect();
    for ((_, text), path) in files.iter().zip(&paths) {
        std::fs::write(path, text).unwrap();
    }
    let arrows = imports::arrows(folder.path(), &paths);
    let of_b: Vec<&String> = arrows["b"].iter().collect();
    assert_eq!(of_b, ["a", "a::deep"]);
    assert_eq!(imports::circles(&arrows), [["a::deep", "b"]]);
    assert_eq!(imports::circles(&imports::between_folders(&arrows)), [["a", "b"]]);
}

//! Paths in a config's file are relative to the file's folder; those of a `--set` to the working directory, as a shell
//! completes them. Inside the program all of them are relative to the working directory.

use super::type_schema::type_schema;
use std::path::{Component, Path, PathBuf};
use stillhouse_data::is_builtin;
use toml::{Table, Value};

/// Rewrites the paths of a config's file, which stands in `folder`. A path that leads nowhere from there, but somewhere
/// from the working directory, is taken from there; the key of each such path gets a note.
pub(super) fn from_folder(config: &mut Table, folder: &Path) -> Vec<(String, String)> {
    let mut notes = Vec::new();
    rewrite(config, |key, path| {
        let (taken, note) = taken(path, folder);
        notes.extend(note.map(|text| (key.to_owned(), text)));
        taken
    });
    notes
}

/// The file or folder that a path of a config in `folder` means, with a note where it is taken from the working directory.
fn taken(path: &Path, folder: &Path) -> (PathBuf, Option<String>) {
    let meant = plain(&folder.join(path));
    if meant.exists() || !path.exists() {
        return (meant, None);
    }
    let note = format!(
        "there is no {}, so {} in the working directory is taken; a config's paths are relative to its folder",
        meant.display(),
        path.display()
    );
    (path.to_owned(), Some(note))
}

/// Rewrites paths that are relative to the working directory for a file in `folder`, which exists.
pub(super) fn for_folder(config: &mut Table, folder: &Path) {
    let Some(back) = way_back(folder) else { return };
    rewrite(config, |_, path| back.join(path));
}

/// A value of a key as [`from_folder`] rewrites it; none where the key holds no path.
pub(super) fn value_from_folder(key: &str, text: &str, folder: &Path) -> Option<String> {
    let path = Path::new(text);
    let is_moved = type_schema().is_path(key) && is_movable(path);
    is_moved.then(|| taken(path, folder).0).and_then(|taken| taken.to_str().map(str::to_owned))
}

/// Whether a path depends on the folder that it starts from.
fn is_movable(path: &Path) -> bool {
    path.is_relative() && !path.as_os_str().is_empty() && !is_builtin(path)
}

/// The relative paths of a config's text, each with its key, and as a file in `folder`, which exists, has to have it.
pub(crate) fn paths_for_folder(text: &str, folder: &Path) -> Vec<(String, PathBuf, PathBuf)> {
    let (Some(back), Ok(mut table)) = (way_back(folder), text.parse::<Table>()) else { return Vec::new() };
    let mut paths = Vec::new();
    rewrite(&mut table, |key, path| {
        paths.push((key.to_owned(), path.to_owned(), back.join(path)));
        path.to_owned()
    });
    paths
}

/// Replaces every relative path.
fn rewrite(config: &mut Table, mut other: impl FnMut(&str, &Path) -> PathBuf) {
    let mut value = Value::Table(std::mem::take(config));
    type_schema().visit_paths(&mut value, &mut |key, text| {
        let path = Path::new(text.as_str());
        if is_movable(path) {
            // paths that are no Unicode cannot come from a config
            if let Some(new) = other(key, path).to_str() {
                *text = new.to_owned();
            }
        }
    });
    if let Value::Table(table) = value {
        *config = table;
    }
}

/// A path without `a/..`, where that leads to the same place; links may lead elsewhere.
fn plain(path: &Path) -> PathBuf {
    let mut short = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(short.components().next_back(), Some(Component::Normal(_))) => {
                short.pop();
            }
            other => short.push(other),
        }
    }
    let leads_elsewhere = path.exists() && path.canonicalize().ok() != short.canonicalize().ok();
    if leads_elsewhere || short.as_os_str().is_empty() { path.to_owned() } else { short }
}

/// The way from a folder to the working directory; absolute where only the root is common to both.
fn way_back(folder: &Path) -> Option<PathBuf> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let (from, to) = (folder.canonicalize().ok()?, std::env::current_dir().ok()?.canonicalize().ok()?);
    let n_common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    if n_common <= 1 {
        return Some(to);
    }
    let up = from.components().skip(n_common).map(|_| Component::ParentDir);
    Some(up.chain(to.components().skip(n_common)).collect())
}

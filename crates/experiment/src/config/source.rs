//! Where a config comes from, and its `[sweep]` table.

use super::ConfigProblems;
use super::origin::Origin;
use super::overrides::{is_within, key_of, override_keys};
use super::paths;
use std::path::{Path, PathBuf};
use stillhouse_core::Problem;
use toml::{Table, Value};

/// The config that runs without any file: 200 languages, the whole pipeline.
pub const QUICKSTART: &str = include_str!("../../../../configs/quickstart.toml");

/// Where a config comes from.
#[derive(Clone, Debug)]
pub enum ConfigSource {
    /// The embedded quickstart.
    Quickstart,
    /// A TOML file.
    File(PathBuf),
}

impl ConfigSource {
    /// The name of the source in messages.
    pub fn display_name(&self) -> String {
        match self {
            Self::Quickstart => "built-in quickstart".into(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// Default name of the experiment.
    pub(super) fn stem(&self) -> String {
        match self {
            Self::Quickstart => "quickstart".into(),
            Self::File(path) => path.file_stem().map_or("run".into(), |stem| stem.to_string_lossy().into_owned()),
        }
    }

    /// Whether the config has a `[sweep]` table; no for a file that cannot be read.
    pub fn has_sweep(&self) -> bool {
        self.read().is_ok_and(|(table, _)| table.contains_key(SWEEP))
    }

    /// The folder of the file, to which its paths are relative.
    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Quickstart => None,
            Self::File(path) => path.parent(),
        }
    }

    /// The table of the source, without its `[sweep]` table and with overrides, `a.b=c` each.
    ///
    /// # Errors
    /// A source that cannot be read or is not TOML, or an override of another form.
    pub(super) fn table(&self, overrides: &[String]) -> Result<(Table, Origin), ConfigProblems> {
        let (mut table, mut origin) = self.read()?;
        table.remove(SWEEP);
        rename_kind(&mut table);
        let notes = self.folder().map_or_else(Vec::new, |folder| paths::from_folder(&mut table, folder));
        let is_set = |key: &str| overrides.iter().any(|text| is_within(key, key_of(text)));
        origin.notes =
            notes.into_iter().filter(|(key, _)| !is_set(key)).map(|(key, text)| format!("{key}: {text}")).collect();
        overridden(&mut table, overrides)?;
        origin.overrides = overrides.to_vec();
        Ok((table, origin))
    }

    pub(super) fn read(&self) -> Result<(Table, Origin), ConfigProblems> {
        let text = match self {
            Self::Quickstart => QUICKSTART.to_owned(),
            Self::File(path) => std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?,
        };
        parsed(&text, &self.display_name())
    }
}

/// The table that a config's text is.
///
/// # Errors
/// A text that is not TOML.
pub(super) fn parsed(text: &str, source_name: &str) -> Result<(Table, Origin), ConfigProblems> {
    let table = text.parse().map_err(|error| ConfigProblems::not_toml(source_name, text, &error))?;
    Ok((table, Origin { text: Some(text.into()), ..Origin::default() }))
}

/// Applies overrides, `a.b=c` each.
///
/// # Errors
/// The first that cannot be applied.
pub(super) fn overridden(table: &mut Table, overrides: &[String]) -> Result<(), ConfigProblems> {
    override_keys(table, overrides)
        .map_err(|(text, message)| ConfigProblems::whole(&format!("--set {text}"), Problem::new("", message)))
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConfigProblems {
    let problem = Problem::new("", format!("cannot be read ({error})"));
    let is_absent = error.kind() == std::io::ErrorKind::NotFound;
    let hint = is_absent.then(|| "`stillhouse init` writes a commented config".to_owned());
    ConfigProblems::whole(&path.display().to_string(), Problem { hint, ..problem })
}

/// `hub_table`, the name under which other programs know tables in parquet files, becomes `table`.
pub(super) fn rename_kind(config: &mut Table) {
    let kind = config.get_mut("data").and_then(|data| data.as_table_mut()?.get_mut("kind"));
    if let Some(kind) = kind.filter(|kind| kind.as_str() == Some("hub_table")) {
        *kind = Value::String("table".into());
    }
}

/// The table of a sweep, which a run leaves aside.
pub(super) const SWEEP: &str = "sweep";

//! Where a config comes from, what `--set` changes in it, and its `[sweep]` table.

use super::ConfigProblems;
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

    /// The table of the source, without its `[sweep]` table and with overrides, `a.b=c` each.
    ///
    /// # Errors
    /// A source that cannot be read or is not TOML, or an override of another form.
    pub(super) fn table(&self, overrides: &[String]) -> Result<Table, ConfigProblems> {
        let mut table = self.read()?;
        table.remove(SWEEP);
        override_keys(&mut table, overrides)?;
        Ok(table)
    }

    fn read(&self) -> Result<Table, ConfigProblems> {
        let text = match self {
            Self::Quickstart => QUICKSTART.to_owned(),
            Self::File(path) => std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?,
        };
        text.parse().map_err(|error: toml::de::Error| {
            ConfigProblems::whole(&self.display_name(), format!("not valid TOML\n{}", error.to_string().trim_end()))
        })
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConfigProblems {
    let mut problems = ConfigProblems::whole(&path.display().to_string(), format!("cannot be read ({error})"));
    if error.kind() == std::io::ErrorKind::NotFound {
        problems.problems[0].hint = Some("`stillhouse init` writes a commented config".into());
    }
    problems
}

const SWEEP: &str = "sweep";

/// Axes of a config's `[sweep]` table, in the file's order: the dotted key and its values.
///
/// # Errors
/// An unreadable file, no `[sweep]` table, or one whose leaves are not lists.
pub fn load_sweep_axes(source: &ConfigSource) -> Result<Vec<(String, Vec<Value>)>, ConfigProblems> {
    let problem = |key: String, message: &str| {
        let problem = Problem::new(key, message).hint("write `[sweep]` with lines such as `seed = [0, 1, 2]`");
        ConfigProblems { source_name: source.display_name(), problems: vec![problem] }
    };
    let table = source.read()?;
    let Some(Value::Table(sweep)) = table.get(SWEEP) else {
        return Err(problem(SWEEP.into(), "a sweep needs a [sweep] table"));
    };
    let mut axes = Vec::new();
    collect_axes("", sweep, &mut axes)
        .map_err(|path| problem(format!("{SWEEP}.{path}"), "must be a list of at least one value"))?;
    if axes.is_empty() {
        return Err(problem(SWEEP.into(), "holds no key to vary"));
    }
    Ok(axes)
}

fn collect_axes(prefix: &str, table: &Table, axes: &mut Vec<(String, Vec<Value>)>) -> Result<(), String> {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) => collect_axes(&path, inner, axes)?,
            Value::Array(values) if !values.is_empty() => axes.push((path, values.clone())),
            _ => return Err(path),
        }
    }
    Ok(())
}

/// Applies overrides, `a.b=c` each.
pub(super) fn override_keys(table: &mut Table, overrides: &[String]) -> Result<(), ConfigProblems> {
    let apply = |text: &String| {
        apply_override(table, text).map_err(|message| ConfigProblems::whole(&format!("--set {text}"), message))
    };
    overrides.iter().try_for_each(apply)
}

/// Applies one `a.b=c`; the value is TOML where it parses as such, otherwise a plain string.
fn apply_override(table: &mut Table, text: &str) -> Result<(), String> {
    let (path, value) = text.split_once('=').ok_or("must have the form a.b=value")?;
    let parsed = format!("value = {value}").parse::<Table>().ok().and_then(|mut parsed| parsed.remove("value"));
    let value = parsed.unwrap_or_else(|| Value::String(value.to_owned()));
    let keys: Vec<&str> = path.trim().split('.').collect();
    if keys.iter().any(|key| key.is_empty()) {
        return Err(format!("`{path}` is not a key path"));
    }
    let (last, parents) = keys.split_last().ok_or("must have the form a.b=value")?;
    let mut place = table;
    for key in parents {
        let entry = place.entry(*key).or_insert_with(|| Value::Table(Table::new()));
        place = entry.as_table_mut().ok_or_else(|| format!("`{key}` in `{path}` holds a value, not a table"))?;
    }
    place.insert((*last).to_owned(), value);
    Ok(())
}

//! Which files a command may write: none that it reads.

use crate::config::Experiment;
use crate::error::{ExperimentError, Result, system_error};
use crate::files::check_output;
use std::path::{Path, PathBuf};
use stillhouse_files::is_same_file;

/// Refuses a folder in which files of these names would take the place of what an experiment reads: its config, and the
/// files that the config names.
pub(crate) fn check_outputs(experiment: &Experiment, folder: &Path, names: &[&str]) -> Result<()> {
    let named = named_paths(experiment);
    let inputs = || experiment.source().into_iter().chain(named.iter().map(AsRef::as_ref));
    names.iter().try_for_each(|name| check_output(&folder.join(name), inputs()))
}

/// Refuses to write the resolved config over the config that was given, comments and all. If the given config is one that
/// this program resolved, and would be written again as it is, nothing is lost.
pub(crate) fn check_config_output(experiment: &Experiment, place: &Path) -> Result<()> {
    let Some(source) = experiment.source().filter(|source| is_same_file(source, place)) else { return Ok(()) };
    let text = std::fs::read_to_string(source).map_err(|error| system_error(source, "cannot be read", &error))?;
    if text == experiment.to_toml() {
        return Ok(());
    }
    Err(ExperimentError::Usage(format!(
        "{}: the resolved config would be written over the config that was given\n  \
         hint: give another folder with --out",
        source.display()
    )))
}

/// Refuses a page in place of the config, a file that it names, or an example in a folder that it names.
pub(crate) fn check_preview_output(experiment: &Experiment, out: &Path) -> Result<()> {
    let named = named_paths(experiment);
    check_output(out, experiment.source().into_iter().chain(named.iter().map(AsRef::as_ref)))?;
    match named.iter().find(|folder| is_example_below(folder, out)) {
        None => Ok(()),
        Some(folder) => Err(ExperimentError::Usage(format!(
            "{}: exists already among the data in {}\n  hint: give another place with --out",
            out.display(),
            folder.display()
        ))),
    }
}

/// Whether a file lies below a folder of data. An earlier page directly in that folder may be replaced.
fn is_example_below(folder: &Path, file: &Path) -> bool {
    let (Ok(folder), Ok(file)) = (folder.canonicalize(), file.canonicalize()) else { return false };
    let is_page = file.extension().is_some_and(|ending| ending == "html");
    let is_directly_below = file.parent() == Some(&*folder);
    folder.is_dir() && file.is_file() && file.starts_with(&folder) && !(is_page && is_directly_below)
}

/// What the config names that exists.
fn named_paths(experiment: &Experiment) -> Vec<PathBuf> {
    experiment.texts().into_iter().map(PathBuf::from).filter(|path| path.exists()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigSource;
    use std::fs;

    const GLYPHS: &str = include_str!("../../../configs/glyphs.toml");

    fn experiment(folder: &Path, overrides: &[String]) -> Experiment {
        let path = folder.join("config.toml");
        fs::write(&path, GLYPHS).unwrap();
        Experiment::load(&ConfigSource::File(path), overrides).unwrap()
    }

    #[test]
    fn the_given_config_is_kept_unless_it_is_the_resolved_one() {
        let folder = tempfile::tempdir().unwrap();
        let given = experiment(folder.path(), &[]);
        let place = folder.path().join("config.toml");
        let error = check_config_output(&given, &place).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(check_config_output(&given, &folder.path().join("other.toml")).is_ok());
        fs::write(&place, given.to_toml()).unwrap();
        assert!(check_config_output(&given, &place).is_ok(), "a run goes on from the config in its own folder");
    }

    #[test]
    fn no_output_replaces_a_file_that_the_config_names() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("train/cat")).unwrap();
        for name in ["report.md", "train/cat/1.png", "train/page.html"] {
            fs::write(at(name), "x").unwrap();
        }
        let data = |kind: &str, paths: &str| vec![format!("data={{kind=\"{kind}\",{paths}}}")];
        let of_table = data("table", &format!("train=\"{}\",test=\"b\"", at("report.md").display()));
        let table = experiment(folder.path(), &of_table);
        assert!(check_outputs(&table, folder.path(), &["page.json", "report.md"]).is_err());
        assert!(check_outputs(&table, folder.path(), &["page.json", "report.html"]).is_ok());
        assert!(check_preview_output(&table, &at("config.toml")).is_err());
        let images = experiment(folder.path(), &data("image_folder", &format!("path=\"{}\"", at("train").display())));
        assert!(check_preview_output(&images, &at("train/cat/1.png")).is_err());
        assert!(check_preview_output(&images, &at("train/cat/2.png")).is_ok(), "nothing is there");
        assert!(check_preview_output(&images, &at("train/page.html")).is_ok(), "an earlier page");
    }
}

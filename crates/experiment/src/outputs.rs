//! Which files a command may write: none that it reads.

use crate::config::Experiment;
use crate::error::{ExperimentError, Result, system_error};
use crate::files::check_output;
use std::path::{Path, PathBuf};
use stillhouse_files::{is_same_file, is_special};

/// Refuses a folder in which files of these names would take the place of what an experiment reads (its config, and the
/// files that the config names), of what is no file, or, in a folder that is not `ours`, of what somebody else wrote.
pub(crate) fn check_outputs(experiment: &Experiment, folder: &Path, names: &[&str], is_ours: bool) -> Result<()> {
    let named = named_paths(experiment);
    let inputs = || experiment.source().into_iter().chain(named.iter().map(AsRef::as_ref));
    names.iter().try_for_each(|name| {
        let path = folder.join(name);
        check_output(&path, inputs())?;
        check_absent(&path, is_ours)
    })
}

/// Refuses a place where something is that this program did not write.
pub(crate) fn check_absent(path: &Path, is_ours: bool) -> Result<()> {
    let what = match () {
        () if path.is_dir() => "a folder is in the place of this file",
        () if is_special(path) => "it is a pipe, a socket or a device",
        () if !is_ours && path.is_file() => "exists already, and this program did not write it",
        () => return Ok(()),
    };
    let hint = "give another folder with --out";
    Err(ExperimentError::Usage(format!("{}: {what}\n  hint: {hint}", path.display())))
}

/// Refuses to write the resolved config over the config that was given, comments and all. If the given config is one that
/// this program resolved, and would be written again as it is, nothing is lost.
pub(crate) fn check_config_output(experiment: &Experiment, place: &Path) -> Result<()> {
    let Some(source) = experiment.source().filter(|source| is_same_file(source, place)) else { return Ok(()) };
    let text = std::fs::read_to_string(source).map_err(|error| system_error(source, "cannot be read", &error))?;
    let folder = place.parent().unwrap_or(Path::new("."));
    if text == experiment.to_toml_in(folder) {
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
    fn what_others_wrote_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("report.html")).unwrap();
        fs::write(folder.path().join("report.md"), "notes of mine").unwrap();
        let given = experiment(folder.path(), &[]);
        let check = |name, is_ours| check_outputs(&given, folder.path(), &[name], is_ours).map_err(|e| e.exit_code());
        assert_eq!((check("report.md", true), check("report.md", false)), (Ok(()), Err(2)));
        assert_eq!((check("report.html", true), check("page.json", false)), (Err(2), Ok(())));
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
        assert!(check_outputs(&table, folder.path(), &["page.json", "report.md"], true).is_err());
        assert!(check_outputs(&table, folder.path(), &["page.json", "report.html"], true).is_ok());
        assert!(check_preview_output(&table, &at("config.toml")).is_err());
        let images = experiment(folder.path(), &data("image_folder", &format!("path=\"{}\"", at("train").display())));
        assert!(check_preview_output(&images, &at("train/cat/1.png")).is_err());
        assert!(check_preview_output(&images, &at("train/cat/2.png")).is_ok(), "nothing is there");
        assert!(check_preview_output(&images, &at("train/page.html")).is_ok(), "an earlier page");
    }
}

//! Which files of a folder are the images of which class and split.

use super::passed_over::is_system_name;
use super::split_name::{Divided, SplitName, divide};
use crate::images::{EncodedImages, HEAD_BYTES, Kind, has_image_ending, kind};
use crate::labels::{ClassNames, Spelled};
use crate::words::{counted, listed};
use crate::{DataError, LoadContext};
use std::io::Read;
use std::path::{Path, PathBuf};
use stillhouse_core::ClassId;

/// The images of one split.
pub(crate) struct Listed {
    pub(crate) split: &'static str,
    pub(crate) classes: Vec<ClassId>,
    pub(crate) images: EncodedImages,
}

/// The names of the classes, and the splits that there are, the training split first.
///
/// # Errors
/// A folder of another layout, classes that no training image has, a class without an image.
pub(crate) fn list_splits(root: &Path, context: &LoadContext<'_>) -> Result<(Vec<String>, Vec<Listed>), DataError> {
    if !root.is_dir() {
        return Err(DataError::invalid(root, "no such folder", "a folder with `train/<class>/*`"));
    }
    let mut passed_over = PassedOver::default();
    let listed = match split_folders(root, &mut passed_over, context)? {
        Some(splits) => list_of_splits(&splits, &mut passed_over, context),
        None => list_of_classes(root, &mut passed_over, context),
    }?;
    passed_over.note(root, context);
    Ok(listed)
}

/// The folders of the splits.
struct SplitFolders {
    train: PathBuf,
    valid: Option<PathBuf>,
    test: Option<PathBuf>,
}

/// The folders of the splits, or nothing where no folder is one. `train` and `test` may be names of classes too, so one of them
/// has to have folders in it.
fn split_folders(
    root: &Path,
    passed_over: &mut PassedOver,
    context: &LoadContext<'_>,
) -> Result<Option<SplitFolders>, DataError> {
    let entries = list(root, passed_over)?;
    let folders: Vec<PathBuf> = entries.iter().filter(|path| path.is_dir()).cloned().collect();
    let Divided { train, valid, test, others, eval } =
        divide(folders.clone(), |folder: &PathBuf| vec![name_of(folder)]);
    let is_split = train.iter().chain(&valid).chain(&test).any(|folder| has_folders(folder));
    let others_have_images = || folders.iter().any(|folder| !train.contains(folder) && has_images(folder));
    if !is_split && (train.is_empty() || others_have_images()) {
        return Ok(None);
    }
    let one = |folders: Vec<PathBuf>, split: SplitName| match &folders[..] {
        [] => Ok(None),
        [folder] => Ok(Some(folder.clone())),
        _ => Err(DataError::invalid(
            root,
            format!("several folders of the {} split: {}", split.name(), listed(&names_of(&folders))),
            "one folder for each split",
        )
        .hint("put their images together, or move one of them away")),
    };
    let (train, valid, test) =
        (one(train, SplitName::Train)?, one(valid, SplitName::Valid)?, one(test, SplitName::Test)?);
    // whoever measures a model may have nothing but test images
    let only = [&test, &valid].into_iter().find_map(|folder| folder.clone()).filter(|_| context.is_measured);
    if let (None, Some(train)) = (&train, only) {
        return Ok(Some(SplitFolders { train, valid: None, test: None }));
    }
    let Some(train) = train else {
        let found = [valid, test].into_iter().flatten().collect::<Vec<_>>();
        let found = format!("no folder `train` next to {}", listed(&names_of(&found)));
        return Err(DataError::invalid(root, found, "`train/<class>/*`")
            .hint("move the folders of the training classes into a folder named `train`"));
    };
    let place = root.display();
    if let Some(split) = eval {
        context.note(format!("{place}: the folder `eval` is taken for the {} split", split.name()));
    }
    if !others.is_empty() {
        let names = listed(&names_of(&others));
        context.note(format!("{place}: left out, because the name says no split that is still free: {names}"));
    }
    let stray: Vec<PathBuf> = entries.into_iter().filter(|path| !path.is_dir() && is_image(path)).collect();
    if !stray.is_empty() {
        context.note(format!(
            "{place}: {} in no split left out: {}",
            counted(stray.len(), "image"),
            listed(&names_of(&stray))
        ));
    }
    Ok(Some(SplitFolders { train, valid, test }))
}

fn list_of_splits(
    folders: &SplitFolders,
    passed_over: &mut PassedOver,
    context: &LoadContext<'_>,
) -> Result<(Vec<String>, Vec<Listed>), DataError> {
    let (known, train) = list_train(&folders.train, list(&folders.train, passed_over)?, passed_over, context)?;
    let mut splits = vec![train];
    for (split, folder) in [("valid", &folders.valid), ("test", &folders.test)] {
        let Some(folder) = folder else { continue };
        let (mut classes, mut images, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for class_folder in class_folders(folder, list(folder, passed_over)?, passed_over)? {
            let name = class_name(&class_folder)?;
            let class = known.class(&name).ok_or_else(|| unknown_class(&class_folder))?;
            let found = list_class(&class_folder, &name, passed_over)?;
            classes.extend(found.iter().map(|_| class));
            names.push((name, found.len()));
            images.extend(found);
        }
        known.tell_others(&spelled(&names), folder, context);
        splits.push(Listed { split, classes, images: EncodedImages::Files(images) });
    }
    Ok((known.names().to_vec(), splits))
}

/// Names of classes, each with its number of images.
fn spelled(names: &[(String, usize)]) -> Vec<Spelled<'_>> {
    names.iter().map(|(label, n_rows)| Spelled { label, n_rows: *n_rows }).collect()
}

/// Folders of classes without a folder of a split around them.
fn list_of_classes(
    root: &Path,
    passed_over: &mut PassedOver,
    context: &LoadContext<'_>,
) -> Result<(Vec<String>, Vec<Listed>), DataError> {
    let entries = list(root, passed_over)?;
    let folders: Vec<&PathBuf> = entries.iter().filter(|path| path.is_dir()).collect();
    if !folders.iter().any(|folder| has_images(folder)) {
        let is_train = |path: &PathBuf| path.is_dir() && SplitName::in_text(&name_of(path)) == Some(SplitName::Train);
        let inner = folders
            .iter()
            .find(|folder| stillhouse_files::entries(folder).is_ok_and(|paths| paths.iter().any(is_train)));
        let hint = match inner {
            Some(inner) => format!("give the folder `{}`, which has one", inner.display()),
            None => "move the folders of the classes into a folder named `train`".to_owned(),
        };
        return Err(DataError::invalid(root, "no folder `train`", "`train/<class>/*`, or `<class>/*`").hint(hint));
    }
    let (classes, train) = list_train(root, entries, passed_over, context)?;
    if !context.is_measured {
        context.note(format!(
            "{}: no folder is that of a split, so each folder is one of {} classes, and all splits are carved",
            root.display(),
            classes.names().len()
        ));
    }
    Ok((classes.names().to_vec(), vec![train]))
}

/// The classes of a folder of training images, in the order of their names, and their images.
fn list_train(
    folder: &Path,
    entries: Vec<PathBuf>,
    passed_over: &mut PassedOver,
    context: &LoadContext<'_>,
) -> Result<(ClassNames, Listed), DataError> {
    let (mut names, mut images) = (Vec::new(), Vec::new());
    for class_folder in class_folders(folder, entries, passed_over)? {
        let name = class_name(&class_folder)?;
        let found = list_class(&class_folder, &name, passed_over)?;
        names.push((name, found.len()));
        images.extend(found);
    }
    if names.is_empty() {
        return Err(no_class(folder));
    }
    let place = |index: usize| format!("a folder of {} images", names[index].1);
    let known = ClassNames::in_order(&spelled(&names), folder, context)
        .map_err(|alike| alike.error(folder, |index| &names[index].0, place))?;
    let class = |name: &str| known.class(name).expect("each folder is a spelling of its class");
    let classes = names.iter().flat_map(|(name, n_images)| std::iter::repeat_n(class(name), *n_images)).collect();
    Ok((known, Listed { split: "train", classes, images: EncodedImages::Files(images) }))
}

/// The folders of classes; an image next to them has no class.
fn class_folders(
    folder: &Path,
    entries: Vec<PathBuf>,
    passed_over: &mut PassedOver,
) -> Result<Vec<PathBuf>, DataError> {
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.into_iter().partition(|path| path.is_dir());
    if let Some(stray) = files.iter().find(|path| is_image(path)) {
        let expected = format!("only folders, one per class, in `{}`", name_of(folder));
        return Err(DataError::invalid(stray, "an image in no folder of a class", expected)
            .hint("move it into the folder of its class, or out of the data"));
    }
    passed_over.files.extend(files);
    Ok(folders)
}

fn list_class(folder: &Path, name: &str, passed_over: &mut PassedOver) -> Result<Vec<PathBuf>, DataError> {
    let mut images = Vec::new();
    for path in list(folder, passed_over)? {
        if path.is_dir() {
            if count_images(&path) > 0 {
                return Err(DataError::invalid(&path, "a folder", "only image files in the folder of a class").hint(
                    "move its images into the folder of the class, or make it the folder of a class of its own",
                ));
            }
            passed_over.files.push(path);
        } else if is_image(&path) {
            images.push(path);
        } else {
            passed_over.files.push(path);
        }
    }
    if images.is_empty() {
        return Err(DataError::invalid(folder, format!("class `{name}` without an image"), "at least one image")
            .hint("add images, or remove the empty folder"));
    }
    Ok(images)
}

/// All images of a folder and of the folders in it, in the order of their paths; or the one file that the path is.
///
/// # Errors
/// A folder that is absent or cannot be listed.
pub(crate) fn list_all(path: &Path, context: &LoadContext<'_>) -> Result<Vec<PathBuf>, DataError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let (mut passed_over, mut images, mut folders) = (PassedOver::default(), Vec::new(), vec![path.to_owned()]);
    while let Some(folder) = folders.pop() {
        context.check_interrupted()?;
        for entry in list(&folder, &mut passed_over)? {
            if entry.is_dir() {
                folders.push(entry);
            } else if is_image(&entry) {
                images.push(entry);
            } else {
                passed_over.files.push(entry);
            }
        }
    }
    images.sort();
    passed_over.note(path, context);
    Ok(images)
}

/// What is left out of the lists and has to be told.
#[derive(Default)]
struct PassedOver {
    files: Vec<PathBuf>,
    /// Hidden images, and hidden folders with the number of their images.
    hidden: Vec<(PathBuf, usize)>,
}

impl PassedOver {
    fn note(&self, root: &Path, context: &LoadContext<'_>) {
        let below = |path: &PathBuf| path.strip_prefix(root).unwrap_or(path).display().to_string();
        if !self.files.is_empty() {
            let names: Vec<String> = self.files.iter().map(below).collect();
            context.note(format!(
                "{}: {} without an image left out: {}",
                root.display(),
                counted(names.len(), "file"),
                listed(&names)
            ));
        }
        if !self.hidden.is_empty() {
            let n_images: usize = self.hidden.iter().map(|(_, n_images)| n_images).sum();
            let names: Vec<String> = self.hidden.iter().map(|(path, _)| below(path)).collect();
            context.note(format!(
                "{}: {} left out, because a name begins with a dot: {}; rename it if they are meant",
                root.display(),
                counted(n_images, "image"),
                listed(&names)
            ));
        }
    }
}

/// Entries in the order of their names, without hidden ones and those of systems.
fn list(folder: &Path, passed_over: &mut PassedOver) -> Result<Vec<PathBuf>, DataError> {
    let entries = stillhouse_files::entries(folder).map_err(DataError::io(folder, "list"))?;
    let (hidden, visible): (Vec<PathBuf>, Vec<PathBuf>) = entries
        .into_iter()
        .filter(|path| !is_system_name(&name_of(path)))
        .partition(|path| name_of(path).starts_with('.'));
    for path in hidden {
        let n_images = count_images(&path);
        // a split is looked at twice where no folder says one
        if n_images > 0 && !passed_over.hidden.iter().any(|(known, _)| *known == path) {
            passed_over.hidden.push((path, n_images));
        }
    }
    Ok(visible)
}

/// The images of a folder and the folders in it, or the file itself.
fn count_images(path: &Path) -> usize {
    match path.is_dir() {
        true => {
            stillhouse_files::files_below(path).map_or(0, |files| files.iter().filter(|file| is_image(file)).count())
        }
        false => usize::from(is_image(path)),
    }
}

/// Whether a file is meant as an image: by its ending, or by its content where the ending is no image's.
fn is_image(path: &Path) -> bool {
    if has_image_ending(path) {
        return !path.is_dir();
    }
    let mut head = Vec::new();
    let read = stillhouse_files::open(path).and_then(|file| file.take(HEAD_BYTES as u64).read_to_end(&mut head));
    read.is_ok() && kind(&head) == Kind::Readable
}

fn has_images(folder: &Path) -> bool {
    stillhouse_files::entries(folder).is_ok_and(|paths| paths.iter().any(|path| is_image(path)))
}

fn has_folders(folder: &Path) -> bool {
    let is_class = |path: &PathBuf| path.is_dir() && !name_of(path).starts_with('.') && !is_system_name(&name_of(path));
    stillhouse_files::entries(folder).is_ok_and(|paths| paths.iter().any(is_class))
}

fn no_class(folder: &Path) -> DataError {
    DataError::invalid(folder, "no folder of a class", "a folder of images for each class")
}

fn unknown_class(folder: &Path) -> DataError {
    DataError::invalid(folder, "a class without training examples", "one of the classes in `train`")
}

fn class_name(path: &Path) -> Result<String, DataError> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| DataError::invalid(path, "a name that is not UTF-8", "a class name in UTF-8"))
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn names_of(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| name_of(path)).collect()
}

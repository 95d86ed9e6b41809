//! The cache on disk, in the layout that the hub's own clients share: `blobs`, `snapshots/<commit>/<file>` pointing
//! into them, `refs/<revision>` holding a commit. One folder is our own: `listings/<commit>.json`,
//! so that offline a file that was never fetched differs from one that the repository does not have.

use super::RepoKind;
use super::error::HubErrorKind;
use std::fs::File;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Length of a commit in hexadecimal digits.
const COMMIT_LEN: usize = 40;
/// Characters of a tag in a file's name; names of files have a limit.
const MAX_TAG_LEN: usize = 128;

/// The cached files of one repository.
pub(super) struct RepoCache {
    folder: PathBuf,
}

impl RepoCache {
    pub(super) fn new(cache_dir: &Path, name: &str, kind: RepoKind) -> Self {
        Self { folder: cache_dir.join(format!("{}--{}", kind.plural(), name.replace('/', "--"))) }
    }

    /// The folder with the files of a commit.
    fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// The commit of a revision when the hub was last asked.
    pub(super) fn commit(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let commit = std::fs::read_to_string(self.folder.join("refs").join(revision)).ok()?;
        Some(commit.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    /// All files of a commit, as the hub listed them; without a listing (another client filled the cache), those that
    /// are there.
    pub(super) fn files(&self, commit: &str) -> Option<Vec<String>> {
        self.listing(commit).or_else(|| {
            let files = stillhouse_files::names_below(&self.snapshot(commit)).ok()?;
            Some(files).filter(|files| !files.is_empty())
        })
    }

    /// The files of a commit, as the hub listed them.
    pub(super) fn listing(&self, commit: &str) -> Option<Vec<String>> {
        let listing = std::fs::read(self.listing_path(commit)).ok()?;
        serde_json::from_slice(&listing).ok()
    }

    /// Records the commit of a revision and its files.
    pub(super) fn remember(&self, revision: &str, commit: &str, files: &[String]) -> Result<(), HubErrorKind> {
        let listing = serde_json::to_vec(files).expect("a list of strings is JSON");
        write_whole(&self.listing_path(commit), &listing)?;
        if is_commit(revision) {
            Ok(())
        } else {
            write_whole(&self.folder.join("refs").join(revision), commit.as_bytes())
        }
    }

    /// Where a file is, if it is there.
    pub(super) fn file(&self, commit: &str, file: &str) -> Option<PathBuf> {
        let path = self.snapshot(commit).join(file);
        path.is_file().then_some(path)
    }

    /// Where the content with this tag and length is kept. A hub may give one tag to two files: content of another length
    /// is another one.
    pub(super) fn blob(&self, etag: &str, size: u64) -> PathBuf {
        let etag = etag.trim_start_matches("W/");
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let mut name = etag.replace(|c| !is_plain(c), "_");
        if name.len() > MAX_TAG_LEN {
            name = blake3::hash(etag.as_bytes()).to_hex().to_string();
        }
        let blob = self.folder.join("blobs").join(&name);
        let is_other = blob.metadata().is_ok_and(|found| found.len() != size);
        if is_other { blob.with_file_name(format!("{name}-{size}")) } else { blob }
    }

    /// Lets the commit's file point to a blob; appears whole or not at all.
    pub(super) fn point(&self, commit: &str, file: &str, blob: &Path) -> Result<PathBuf, HubErrorKind> {
        let pointer = self.snapshot(commit).join(file);
        let folder = pointer.parent().expect("a pointer lies in a snapshot");
        create_folder(folder)?;
        // threads of one program fetch side by side too, so the process alone does not make the name its own
        let serial = N_POINTERS.fetch_add(1, Ordering::Relaxed);
        let temporary = folder.join(format!(".{}.{serial}.pointer", std::process::id()));
        let depth = file.split('/').count() + 1;
        let target = Path::new(&"../".repeat(depth)).join("blobs").join(blob.file_name().unwrap_or_default());
        link(&target, blob, &temporary)
            .and_then(|()| std::fs::rename(&temporary, &pointer))
            .map_err(cache_error(&pointer))?;
        Ok(pointer)
    }

    fn listing_path(&self, commit: &str) -> PathBuf {
        self.folder.join("listings").join(format!("{commit}.json"))
    }
}

/// Pointers made by this program so far.
static N_POINTERS: AtomicU64 = AtomicU64::new(0);

/// Whether a revision is itself a commit, which never changes.
pub(super) fn is_commit(revision: &str) -> bool {
    revision.len() == COMMIT_LEN && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a relative path from a hub stays inside the folder that it is joined to.
pub(super) fn is_safe_path(file: &str) -> bool {
    !file.is_empty() && Path::new(file).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(unix)]
fn link(target: &Path, _blob: &Path, pointer: &Path) -> std::io::Result<()> {
    match std::os::unix::fs::symlink(target, pointer) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(pointer)?;
            std::os::unix::fs::symlink(target, pointer)
        }
        result => result,
    }
}

#[cfg(not(unix))]
fn link(_target: &Path, blob: &Path, pointer: &Path) -> std::io::Result<()> {
    // Symbolic links need a privilege on some systems; a second name for the same file does not.
    std::fs::remove_file(pointer).ok();
    std::fs::hard_link(blob, pointer)
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), HubErrorKind> {
    stillhouse_files::write_whole(path, bytes).map_err(cache_error(path))
}

/// Opens a file that is being filled, to go on behind what it holds.
pub(super) fn open_part(path: &Path) -> Result<File, HubErrorKind> {
    create_folder(path.parent().expect("a part lies in a folder"))?;
    File::options().create(true).append(true).read(true).open(path).map_err(cache_error(path))
}

fn create_folder(folder: &Path) -> Result<(), HubErrorKind> {
    std::fs::create_dir_all(folder).map_err(cache_error(folder))
}

pub(super) fn cache_error(path: &Path) -> impl FnOnce(std::io::Error) -> HubErrorKind {
    let path = path.to_owned();
    move |source| HubErrorKind::Cache { path, source }
}

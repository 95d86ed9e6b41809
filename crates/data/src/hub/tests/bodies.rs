//! Bodies that do not end, stall, or are not what was announced.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

impl Setting {
    fn impatient_hub(&self) -> Hub {
        let mut options = HubOptions::new(&self.server.endpoint, self.home.path().join("hub"));
        (options.n_attempts, options.stall_limit) = (1, Duration::from_millis(300));
        Hub::new(options)
    }

    /// Bytes of all files in the cache of contents.
    fn n_blob_bytes(&self) -> u64 {
        let blobs = self.home.path().join("hub/datasets--owner--name/blobs");
        stillhouse_files::files_below(&blobs).unwrap().iter().map(|path| path.metadata().unwrap().len()).sum()
    }
}

#[test]
fn no_more_is_kept_than_was_announced() {
    let setting = Setting::new();
    setting.server.behave(Manners { surplus: 1 << 20, ..Manners::default() });
    let text = setting.fetch(&setting.hub(), FILE).unwrap_err();
    assert!(text.contains("more than the 5000 bytes") && text.contains(FILE), "{text}");
    assert_eq!((setting.n_blob_bytes(), setting.finished().len()), (0, 0));
    assert_eq!(setting.server.n_requests(), 3, "asking again does not help");
}

#[test]
fn a_body_that_stalls_is_given_up_and_goes_on_later() {
    let setting = Setting::new();
    setting.server.behave(Manners { stall_after: Some(600), ..Manners::default() });
    let text = setting.fetch(&setting.impatient_hub(), FILE).unwrap_err();
    assert!(text.contains("stalled") && text.contains("found 600 bytes, expected 5000"), "{text}");
    setting.server.behave(Manners::default());
    assert_eq!(setting.fetch(&setting.hub(), FILE).unwrap(), content());
}

#[test]
fn an_interruption_ends_a_body_that_stalls() {
    /// Stops once bytes have come.
    #[derive(Default)]
    struct Stop(AtomicUsize);
    impl DataProgress for Stop {
        fn advance(&self, amount: u64) {
            self.0.fetch_add(amount as usize, Ordering::Relaxed);
        }

        fn is_interrupted(&self) -> bool {
            self.0.load(Ordering::Relaxed) > 0
        }
    }
    let setting = Setting::new();
    let hub = setting.hub();
    let snapshot = hub.snapshot(RepoKind::Dataset, "owner/name", None, &NoProgress).unwrap();
    setting.server.behave(Manners { stall_after: Some(600), ..Manners::default() });
    let start = Instant::now();
    let error = snapshot.download(FILE, &Stop::default()).unwrap_err();
    assert!(matches!(error.kind, HubErrorKind::Interrupted));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn files_of_one_tag_are_told_apart_by_their_length() {
    let setting = Setting::new();
    setting.server.behave(Manners { tag: Some("same".into()), ..Manners::default() });
    for _ in 0..2 {
        assert_eq!(setting.fetch(&setting.hub(), FILE).unwrap(), content());
        assert_eq!(setting.fetch(&setting.hub(), "README.md").unwrap(), b"hello");
    }
    assert_eq!(setting.n_blob_bytes(), 5005);
}

#[test]
fn a_file_of_another_commit_is_refused() {
    let setting = Setting::new();
    let other = "f".repeat(40);
    setting.server.behave(Manners { commit: Some(other.clone()), ..Manners::default() });
    let text = setting.fetch(&setting.hub(), FILE).unwrap_err();
    assert!(text.contains(&format!("a file of commit {other}, expected {COMMIT}")), "{text}");
}

#[test]
fn a_file_of_git_lfs_is_compared_with_its_hash() {
    let setting = Setting::new();
    let hash_of_hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    setting.server.behave(Manners { sha256: Some(hash_of_hello.to_uppercase()), ..Manners::default() });
    assert_eq!(setting.fetch(&setting.hub(), "README.md").unwrap(), b"hello");
    let text = setting.fetch(&setting.hub(), FILE).unwrap_err();
    assert!(text.contains(&format!("expected {hash_of_hello}")) && text.contains("hint:"), "{text}");
    assert_eq!(setting.finished().len(), 1);
}

#[test]
fn any_name_can_be_asked_for() {
    let names = ["straße/été #1?.csv", "100%/a+b&c.csv", "日本語.csv"];
    let files = names.map(|name| (name, name.as_bytes().to_vec()));
    let setting = Setting { server: Server::start(&files), home: tempfile::tempdir().unwrap() };
    for name in names {
        assert_eq!(setting.fetch(&setting.hub(), name).unwrap(), name.as_bytes());
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_the_machines_failure() {
    let setting = Setting::new();
    std::fs::write(setting.home.path().join("hub"), "a file").unwrap();
    let hub = setting.hub();
    let error = hub.snapshot(RepoKind::Dataset, "owner/name", None, &NoProgress).err().unwrap();
    assert!(matches!(&error.kind, HubErrorKind::Cache { .. }));
    let full = HubErrorKind::Cache { path: "x".into(), source: std::io::ErrorKind::StorageFull.into() };
    assert!(crate::DataError::from(hub.error("owner/name", None, full)).is_of_the_machine());
}

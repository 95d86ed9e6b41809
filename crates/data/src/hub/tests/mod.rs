//! The client against a loopback hub that behaves, and one that does not.

mod bodies;

use super::test_server::{COMMIT, Manners, Server};
use super::*;
use crate::NoProgress;
use std::net::TcpListener;
use std::time::Duration;

fn content() -> Vec<u8> {
    (0..5000u32).map(|i| (i * i % 251) as u8).collect()
}

struct Setting {
    server: Server,
    home: tempfile::TempDir,
}

impl Setting {
    fn new() -> Self {
        let server = Server::start(&[("data/train 1.parquet", content()), ("README.md", b"hello".to_vec())]);
        Self { server, home: tempfile::tempdir().unwrap() }
    }

    fn hub(&self) -> Hub {
        let mut options = HubOptions::new(&self.server.endpoint, self.home.path().join("hub"));
        options.first_pause = Duration::from_millis(1);
        Hub::new(options)
    }

    fn offline(&self) -> Hub {
        let mut options = HubOptions::new("http://127.0.0.1:1", self.home.path().join("hub"));
        options.offline = true;
        Hub::new(options)
    }

    /// Fetches a file, or says why not.
    fn fetch(&self, hub: &Hub, file: &str) -> Result<Vec<u8>, String> {
        let snapshot = hub.snapshot(RepoKind::Dataset, "owner/name", None, &NoProgress).map_err(|e| e.to_string())?;
        let path = snapshot.download(file, &NoProgress).map_err(|e| e.to_string())?;
        Ok(std::fs::read(path).unwrap())
    }

    /// Names of finished files anywhere in the cache.
    fn finished(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.home.path().join("hub/datasets--owner--name")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.to_string_lossy().contains("/snapshots/") {
                    found.push(path);
                }
            }
        }
        found
    }
}

const FILE: &str = "data/train 1.parquet";

#[test]
fn a_file_is_fetched_once_and_found_offline() {
    let setting = Setting::new();
    assert_eq!(setting.fetch(&setting.hub(), FILE).unwrap(), content());
    setting.server.behave(Manners { status: Some(500), ..Manners::default() });
    assert_eq!(setting.fetch(&setting.offline(), FILE).unwrap(), content());
    let hub = setting.hub();
    let pinned = hub.snapshot(RepoKind::Dataset, "owner/name", Some(COMMIT), &NoProgress).unwrap();
    assert_eq!(pinned.commit(), COMMIT);
    assert!(pinned.download(FILE, &NoProgress).is_ok());
    assert_eq!(setting.server.n_requests(), 0, "a commit that is in the cache is not asked for again");
}

#[test]
fn offline_tells_what_is_missing() {
    let setting = Setting::new();
    let text = setting.fetch(&setting.offline(), FILE).unwrap_err();
    assert!(text.contains("`owner/name`") && text.contains("HF_HUB_OFFLINE"), "{text}");
    setting.fetch(&setting.hub(), "README.md").unwrap();
    let hub = setting.offline();
    let snapshot = hub.snapshot(RepoKind::Dataset, "owner/name", None, &NoProgress).unwrap();
    assert_eq!(snapshot.files().len(), 2, "files that were never fetched are still listed");
    let text = snapshot.download(FILE, &NoProgress).unwrap_err().to_string();
    assert!(text.contains(FILE) && text.contains("not in the cache") && text.contains("hint:"), "{text}");
}

#[test]
fn what_is_not_there_is_named() {
    let setting = Setting::new();
    let hub = setting.hub();
    let text = hub.snapshot(RepoKind::Dataset, "owner/other", None, &NoProgress).err().unwrap().to_string();
    assert!(
        text.contains("`owner/other`") && text.contains("404") && text.contains(&setting.server.endpoint),
        "{text}"
    );
    let text = setting.fetch(&hub, "absent.bin").unwrap_err();
    assert!(text.contains("`absent.bin`") && text.contains("404"), "{text}");
    for name in ["", "../up", "a/b/c", "a//b", "a b"] {
        let error = hub.snapshot(RepoKind::Dataset, name, None, &NoProgress).err().unwrap();
        assert!(matches!(error.kind, HubErrorKind::BadName), "{name}");
    }
}

#[test]
fn a_server_error_is_asked_again_and_then_told() {
    let setting = Setting::new();
    setting.server.behave(Manners { fail_first: 2, ..Manners::default() });
    assert_eq!(setting.fetch(&setting.hub(), "README.md").unwrap(), b"hello");
    setting.server.behave(Manners { status: Some(500), ..Manners::default() });
    let text = setting.fetch(&setting.hub(), FILE).unwrap_err();
    assert!(text.contains("status 500") && text.contains("hint:"), "{text}");
    assert_eq!(setting.server.n_requests(), 5);
    setting.server.behave(Manners { status: Some(401), ..Manners::default() });
    assert!(setting.fetch(&setting.hub(), FILE).unwrap_err().contains("HF_TOKEN"));
    assert_eq!(setting.server.n_requests(), 1, "asking again does not help");
}

#[test]
fn a_cut_off_body_is_continued_or_told_but_never_taken_for_whole() {
    let setting = Setting::new();
    setting.server.behave(Manners { cut_after: Some(600), ..Manners::default() });
    let text = setting.fetch(&setting.hub(), FILE).unwrap_err();
    assert!(text.contains("found 3000 bytes, expected 5000") && text.contains(FILE), "{text}");
    assert!(setting.finished().is_empty());
    // Five pieces lie there; the next run needs four more.
    assert_eq!(setting.fetch(&setting.hub(), FILE).unwrap(), content());
}

#[test]
fn a_server_without_ranges_starts_again() {
    let setting = Setting::new();
    setting.server.behave(Manners { cut_after: Some(600), ..Manners::default() });
    setting.fetch(&setting.hub(), FILE).unwrap_err();
    setting.server.behave(Manners { ignores_ranges: true, ..Manners::default() });
    assert_eq!(setting.fetch(&setting.hub(), FILE).unwrap(), content());
}

#[test]
fn a_part_that_a_killed_run_left_is_used() {
    let setting = Setting::new();
    let blobs = setting.home.path().join("hub/datasets--owner--name/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let part = blobs.join(format!("tag-{}.{}.incomplete", FILE.len(), content().len()));
    for left in [content(), content()[..7].to_vec(), vec![0; 9000]] {
        std::fs::remove_dir_all(setting.home.path().join("hub/datasets--owner--name/snapshots")).ok();
        std::fs::remove_file(blobs.join(format!("tag-{}", FILE.len()))).ok();
        std::fs::write(&part, left).unwrap();
        assert_eq!(setting.fetch(&setting.hub(), FILE).unwrap(), content());
        assert!(!part.exists());
    }
}

#[test]
fn an_absent_hub_is_named() {
    let home = tempfile::tempdir().unwrap();
    // A port that was free a moment ago: nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut options = HubOptions::new(format!("http://127.0.0.1:{port}"), home.path());
    options.first_pause = Duration::from_millis(1);
    let hub = Hub::new(options);
    let text = hub.snapshot(RepoKind::Model, "owner/name", None, &NoProgress).err().unwrap().to_string();
    assert!(text.contains("cannot be reached") && text.contains(&port.to_string()), "{text}");
    assert!(text.contains("hint: check the network"), "{text}");
}

#[test]
fn an_interruption_ends_the_attempts() {
    struct Stop;
    impl DataProgress for Stop {
        fn is_interrupted(&self) -> bool {
            true
        }
    }
    let setting = Setting::new();
    setting.server.behave(Manners { status: Some(500), ..Manners::default() });
    let error = setting.hub().snapshot(RepoKind::Dataset, "owner/name", None, &Stop).err().unwrap();
    assert!(matches!(error.kind, HubErrorKind::Interrupted));
}

#[test]
fn two_at_once_do_not_disturb_each_other() {
    let setting = Setting::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| setting.fetch(&setting.hub(), FILE))).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap().unwrap(), content());
        }
    });
}

impl Setting {
    fn hub_with_token(&self) -> Hub {
        let mut options = HubOptions::new(&self.server.endpoint, self.home.path().join("hub"));
        options.first_pause = Duration::from_millis(1);
        options.token = Some("hf_secret".to_owned());
        Hub::new(options)
    }

    fn redirect_to(&self, address: &str) {
        self.server.behave(Manners { redirect_files_to: Some(address.to_owned()), ..Manners::default() });
    }
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let elsewhere = Setting::new();
    let port = elsewhere.server.endpoint.rsplit_once(':').unwrap().1;
    // another port of the same host, and another host
    for address in [elsewhere.server.endpoint.clone(), format!("http://localhost:{port}")] {
        let setting = Setting::new();
        setting.redirect_to(&address);
        assert_eq!(setting.fetch(&setting.hub_with_token(), FILE).unwrap(), content());
        assert!(setting.server.authorizations().iter().all(|found| found == "bearer hf_secret"));
        assert_eq!(setting.server.authorizations().len(), 3, "description, head and body");
        assert_eq!(elsewhere.server.authorizations(), [] as [String; 0], "{address}");
        // what the hub says of a file counts, not what the place says where it lies
        assert!(setting.home.path().join("hub/datasets--owner--name/blobs/tag-of-the-hub").is_file());
    }
}

#[test]
fn a_token_that_left_the_hub_does_not_come_back() {
    let (setting, elsewhere) = (Setting::new(), Setting::new());
    setting.redirect_to(&elsewhere.server.endpoint);
    elsewhere.redirect_to(&setting.server.endpoint);
    let text = setting.fetch(&setting.hub_with_token(), FILE).unwrap_err();
    assert!(text.contains("more than 10 redirects"), "{text}");
    assert_eq!(setting.server.authorizations().len(), 2, "description, and head before the first redirect");
    assert_eq!(elsewhere.server.authorizations(), [] as [String; 0]);
}

#[test]
fn a_redirect_to_itself_ends() {
    let setting = Setting::new();
    setting.redirect_to("");
    let text = setting.fetch(&setting.hub(), FILE).unwrap_err();
    assert!(text.contains("more than 10 redirects") && text.contains(FILE), "{text}");
    assert!(setting.server.n_requests() < 20, "{}", setting.server.n_requests());
}

#[test]
fn a_login_in_the_address_is_used_and_never_told() {
    let setting = Setting::new();
    let address = setting.server.endpoint.replace("//", "//me:secret@");
    let mut options = HubOptions::new(address, setting.home.path().join("hub"));
    options.first_pause = Duration::from_millis(1);
    let hub = Hub::new(options);
    assert_eq!(setting.fetch(&hub, FILE).unwrap(), content());
    assert!(setting.server.authorizations().iter().all(|found| found.starts_with("basic ")));
    assert_eq!(setting.server.authorizations().len(), 3);
    assert_eq!(hub.endpoint(), setting.server.endpoint);
    let text = setting.fetch(&hub, "absent.bin").unwrap_err();
    assert!(!text.contains("secret"), "{text}");
}

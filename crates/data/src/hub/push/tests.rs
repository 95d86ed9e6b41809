//! Uploads to a hub on loopback that holds them to the protocol.

use super::super::HubOptions;
use super::test_server::{TOKEN, UploadServer};
use super::*;
use crate::NoProgress;
use std::time::Duration;

struct Setting {
    server: UploadServer,
    folder: tempfile::TempDir,
}

/// A file that is large to the test's hub.
fn weights() -> Vec<u8> {
    (0..300_000u64).map(|i| (i * i % 251) as u8).collect()
}

const FILES: [&str; 3] = ["README.md", "onnx/model ä.onnx", "empty.txt"];

impl Setting {
    fn new() -> Self {
        let setting = Self { server: UploadServer::start(), folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(setting.folder.path().join("onnx")).unwrap();
        for (file, bytes) in FILES.into_iter().zip([b"# card\n".to_vec(), weights(), Vec::new()]) {
            std::fs::write(setting.folder.path().join(file), bytes).unwrap();
        }
        setting
    }

    fn hub(&self, token: Option<&str>) -> Hub {
        let mut options = HubOptions::new(&self.server.endpoint, self.folder.path().join("cache"));
        options.first_pause = Duration::from_millis(1);
        options.token = token.map(str::to_owned);
        Hub::new(options)
    }

    fn push(&self, files: &[&str], is_private: bool) -> Result<Pushed, String> {
        let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
        let push =
            Push { kind: RepoKind::Model, repo: "owner/name", revision: None, is_private, message: "a \"model\"" };
        self.hub(Some(TOKEN)).push(self.folder.path(), &files, &push, &NoProgress).map_err(|error| error.to_string())
    }

    fn n_puts(&self) -> usize {
        self.server.state().requests.iter().filter(|line| line.starts_with("PUT ")).count()
    }
}

fn fates(pushed: &Pushed) -> Vec<Fate> {
    pushed.files.iter().map(|file| file.fate).collect()
}

#[test]
fn a_folder_becomes_one_commit() {
    let setting = Setting::new();
    let pushed = setting.push(&FILES, true).unwrap();
    assert_eq!(pushed.address, format!("{}/owner/name", setting.server.endpoint));
    assert_eq!(pushed.commit, format!("{:040x}", 1));
    assert_eq!(fates(&pushed), [Fate::Committed, Fate::Sent, Fate::Committed]);
    let state = setting.server.state();
    assert_eq!(state.repos["owner/name"]["visibility"], "private");
    let [(message, files)] = &state.commits[..] else { panic!("{:?}", state.requests) };
    assert_eq!(message, "a \"model\"");
    let expected = FILES.map(str::to_owned).into_iter().zip([b"# card\n".to_vec(), weights(), Vec::new()]);
    assert_eq!(*files, expected.collect());
}

#[test]
fn what_the_hub_has_is_not_sent_again() {
    let setting = Setting::new();
    setting.push(&FILES, false).unwrap();
    let again = setting.push(&FILES[..2], false).unwrap();
    assert_eq!(fates(&again), [Fate::Committed, Fate::Known]);
    assert_eq!((setting.n_puts(), setting.server.state().commits.len()), (1, 2));
    assert_eq!(setting.server.state().commits[1].1[FILES[1]], weights());
}

#[test]
fn what_the_repository_ignores_is_left_out() {
    let setting = Setting::new();
    std::fs::write(setting.folder.path().join("ignored.txt"), "x").unwrap();
    let pushed = setting.push(&["README.md", "ignored.txt"], false).unwrap();
    assert_eq!(fates(&pushed), [Fate::Committed, Fate::Ignored]);
    assert_eq!(setting.server.state().commits[0].1.len(), 1);
}

#[test]
fn a_broken_connection_is_tried_again_and_commits_nothing_by_itself() {
    let setting = Setting::new();
    setting.server.state().n_cuts = 2;
    setting.push(&FILES, false).unwrap();
    assert_eq!(setting.n_puts(), 3);
    let setting = Setting::new();
    setting.server.state().n_cuts = usize::MAX;
    let text = setting.push(&FILES, false).unwrap_err();
    assert!(text.contains("onnx/model ä.onnx") && text.contains("hint: "), "{text}");
    assert!(setting.server.state().commits.is_empty());
}

#[test]
fn too_many_requests_are_waited_for_and_a_commit_is_sent_once() {
    let setting = Setting::new();
    setting.server.state().refuse = vec![("POST /api/models/owner/name/commit/", 429, 2)];
    setting.push(&FILES, false).unwrap();
    assert_eq!(setting.server.state().commits.len(), 1);
    setting.server.state().refuse = vec![("POST /api/models/owner/name/commit/", 500, 1)];
    let text = setting.push(&FILES, false).unwrap_err();
    assert!(text.contains("the commit was not made") && text.contains("500"), "{text}");
    assert_eq!(setting.server.state().commits.len(), 1);
}

#[test]
fn a_token_that_may_write_but_not_create_is_enough() {
    let setting = Setting::new();
    setting.push(&FILES, false).unwrap();
    setting.server.state().refuse = vec![("POST /api/repos/create", 403, 1)];
    setting.push(&FILES, false).unwrap();
    let setting = Setting::new();
    setting.server.state().refuse = vec![("POST /api/repos/create", 403, 1)];
    let text = setting.push(&FILES, false).unwrap_err();
    assert!(
        text.contains("may not write") && text.contains("as the test wants it") && text.contains("HF_TOKEN"),
        "{text}"
    );
    assert!(setting.server.state().commits.is_empty());
}

#[test]
fn what_cannot_be_pushed_is_refused_before_anything_is_sent() {
    let setting = Setting::new();
    let push = |hub: &Hub, repo: &str, file: &str| {
        let push = Push { kind: RepoKind::Model, repo, revision: None, is_private: false, message: "m" };
        hub.push(setting.folder.path(), &[file.to_owned()], &push, &NoProgress).unwrap_err().to_string()
    };
    assert!(push(&setting.hub(None), "owner/name", "README.md").contains("HF_TOKEN"));
    assert!(push(&setting.hub(Some(TOKEN)), "name", "README.md").contains("owner/name"));
    assert!(push(&setting.hub(Some(TOKEN)), "owner/name", "absent").contains("absent cannot be read"));
    assert!(setting.server.state().requests.is_empty());
    assert!(push(&setting.hub(Some("wrong")), "owner/name", "README.md").contains("Invalid username"));
    assert!(setting.server.state().repos.is_empty());
}

#[test]
#[ignore = "serves for two minutes, for clients of other programs; prints its address"]
fn a_hub_for_other_clients() {
    let server = UploadServer::start();
    println!("{} {TOKEN}", server.endpoint);
    std::thread::sleep(Duration::from_secs(120));
    let state = server.state();
    println!(
        "{:?}\n{:?}",
        state.requests,
        state.commits.iter().map(|(m, f)| (m, f.keys().collect::<Vec<_>>())).collect::<Vec<_>>()
    );
}

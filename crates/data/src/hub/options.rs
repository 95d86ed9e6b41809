//! Where the hub is, where its files are kept, and whether it may be asked at all.

use std::path::PathBuf;
use std::time::Duration;

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";
/// Pause before the second attempt; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const N_ATTEMPTS: usize = 5;
/// All attempts together then end after little more than a minute.
const STALL_LIMIT: Duration = Duration::from_secs(15);

/// Settings of a hub client.
#[derive(Clone, Debug)]
pub struct HubOptions {
    /// address of the hub, without a slash at the end and without a login, so that it can be shown in reports
    pub endpoint: String,
    /// `user:password` of an address such as `http://user:password@host`
    pub login: Option<String>,
    /// folder of the cache, laid out as the hub's own clients do
    pub cache_dir: PathBuf,
    /// for private and gated repositories
    pub token: Option<String>,
    /// whether to use the cache alone
    pub offline: bool,
    /// how often to ask before giving up, at least once
    pub n_attempts: usize,
    /// how long a body may bring next to nothing before it is given up
    pub stall_limit: Duration,
    /// pause before the second attempt, doubled with each further one
    pub first_pause: Duration,
}

impl HubOptions {
    /// Settings with a cache folder and an endpoint, online and without a token.
    pub fn new(endpoint: impl Into<String>, cache_dir: impl Into<PathBuf>) -> Self {
        let (endpoint, login) = split_login(endpoint.into().trim_end_matches('/'));
        Self {
            endpoint,
            login,
            cache_dir: cache_dir.into(),
            token: None,
            offline: false,
            n_attempts: N_ATTEMPTS,
            stall_limit: STALL_LIMIT,
            first_pause: FIRST_PAUSE,
        }
    }

    /// The settings of the environment: `HF_ENDPOINT`, `HF_HOME`, `HF_TOKEN` (or the token file in `HF_HOME`) and
    /// `HF_HUB_OFFLINE`.
    pub fn from_env() -> Self {
        Self::from_variables(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let home = variable("HF_HOME").map_or_else(default_home, PathBuf::from);
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        let mut options = Self::new(endpoint, home.join("hub"));
        options.token = variable("HF_TOKEN").or_else(|| stillhouse_files::read_text(&home.join("token")).ok());
        options.token = options.token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
        options.offline = variable("HF_HUB_OFFLINE").is_some_and(|value| is_true(&value));
        options
    }
}

/// An address without its login, and the login.
fn split_login(address: &str) -> (String, Option<String>) {
    let start = address.find("://").map_or(0, |place| place + 3);
    let end = address[start..].find(['/', '?', '#']).map_or(address.len(), |place| start + place);
    match address[start..end].rsplit_once('@') {
        Some((login, host)) => (format!("{}{host}{}", &address[..start], &address[end..]), Some(login.to_owned())),
        None => (address.to_owned(), None),
    }
}

/// The hub's own clients keep their files here.
fn default_home() -> PathBuf {
    std::env::home_dir().unwrap_or_default().join(".cache").join("huggingface")
}

fn is_true(value: &str) -> bool {
    ["1", "true", "yes", "on"].contains(&value.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> HubOptions {
        HubOptions::from_variables(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_is_heard() {
        let options = with(&[
            ("HF_ENDPOINT", "http://127.0.0.1:9/"),
            ("HF_HOME", "/somewhere"),
            ("HF_TOKEN", " secret\n"),
            ("HF_HUB_OFFLINE", "1"),
        ]);
        assert_eq!(options.endpoint, "http://127.0.0.1:9");
        assert_eq!(options.cache_dir, PathBuf::from("/somewhere/hub"));
        assert_eq!(options.token.as_deref(), Some("secret"));
        assert!(options.offline);
    }

    #[test]
    fn a_login_is_no_part_of_the_address() {
        let options = HubOptions::new("http://me:secret@p@hub:8/a@b/", "/cache");
        assert_eq!(options.endpoint, "http://hub:8/a@b");
        assert_eq!(options.login.as_deref(), Some("me:secret@p"));
        assert_eq!(HubOptions::new("http://hub/a@b", "/cache").login, None);
    }

    #[test]
    fn online_unless_told_otherwise() {
        assert!(!with(&[("HF_HUB_OFFLINE", "0"), ("HF_HOME", "/nowhere")]).offline);
        assert_eq!(with(&[("HF_HOME", "/nowhere")]).endpoint, DEFAULT_ENDPOINT);
    }
}

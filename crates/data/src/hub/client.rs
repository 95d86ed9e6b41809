//! Requests to one hub: who is asked, how often, and who gets to know the token.
//!
//! Redirects are followed here and not by the HTTP client, because the token is for the origin (scheme, host and port) of
//! the hub alone, while the client compares hosts only. Once a chain of redirects has left that origin, the token does not
//! come back. The login in `http://user:password@host` is kept in the same way.

use super::error::HubErrorKind;
use std::io::Read;
use std::time::Duration;
use ureq::Body;
use ureq::http::{Response, StatusCode, Uri};

/// Redirects in a row; the hub itself needs two.
const MAX_REDIRECTS: usize = 10;
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const RESPONSE_LIMIT: Duration = Duration::from_secs(60);

/// A client of one hub.
#[derive(Clone)]
pub(super) struct Client {
    agent: ureq::Agent,
    /// Address of the hub, with the login if there is one.
    base: String,
    login: Option<String>,
    token: Option<String>,
}

/// What the hub says about a file without sending it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileHead {
    /// Tag of the content.
    pub(super) etag: String,
    /// Length in bytes.
    pub(super) size: u64,
    /// The commit that it belongs to, where the hub says so.
    pub(super) commit: Option<String>,
    /// SHA-256 of the content in small hexadecimal digits: known of files that are kept by Git LFS.
    pub(super) sha256: Option<String>,
}

/// What the hub says about a repository.
#[derive(serde::Deserialize)]
pub(super) struct RepoInfo {
    pub(super) sha: String,
    pub(super) siblings: Vec<Sibling>,
}

/// A file of a repository.
#[derive(serde::Deserialize)]
pub(super) struct Sibling {
    pub(super) rfilename: String,
}

impl Client {
    /// A client for `endpoint`, which has no login in it; that is `user:password`.
    pub(super) fn new(endpoint: &str, login: Option<&str>, token: Option<&str>) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT_LIMIT))
            .timeout_recv_response(Some(RESPONSE_LIMIT))
            .max_redirects(0);
        let base = match (login, endpoint.split_once("://")) {
            (Some(login), Some((scheme, rest))) => format!("{scheme}://{login}@{rest}"),
            _ => endpoint.to_owned(),
        };
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self { agent: config.build().into(), base, login: owned(login), token: owned(token) }
    }

    /// The commit and the files of a revision; `repo` is `datasets/owner/name` or `models/owner/name`.
    pub(super) fn info(&self, repo: &str, revision: &str) -> Result<RepoInfo, HubErrorKind> {
        let path = format!("/api/{repo}/revision/{}", percent_encode(revision).replace('/', "%2F"));
        let mut answer = self.get(&path, &[], |_| {})?;
        answer.body_mut().read_json().map_err(|error| self.without_login(from_ureq(&error)))
    }

    /// Tag and length of the file at a path. The tag is that of the hub's answer, before it redirects to the content.
    pub(super) fn head(&self, path: &str) -> Result<FileHead, HubErrorKind> {
        let owned = |answer: &Response<Body>, name| header(answer, name).map(str::to_owned);
        let said = |answer: &Response<Body>| (etag(answer), owned(answer, "x-repo-commit"), sha256(answer));
        let mut before_leaving = None;
        let answer = self.get(path, &[("Range", "bytes=0-0")], |redirect| {
            before_leaving.get_or_insert_with(|| said(redirect));
        })?;
        let missing = |what: &str| HubErrorKind::BadReply(format!("no {what} of the file"));
        let (tag, commit, sha256) = before_leaving.unwrap_or_else(|| said(&answer));
        let etag = tag.or_else(|| etag(&answer)).ok_or_else(|| missing("tag"))?;
        let size = size(&answer).ok_or_else(|| missing("length"))?;
        Ok(FileHead { etag, size, commit, sha256 })
    }

    /// The answer to a GET of a path of the hub, after all redirects; each that leaves the hub is shown to the caller.
    pub(super) fn get(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        mut leaves: impl FnMut(&Response<Body>),
    ) -> Result<Response<Body>, HubErrorKind> {
        let mut url = format!("{}{path}", self.base);
        let hub = parse(&url).map_err(|kind| self.without_login(kind))?;
        let mut is_at_hub = true;
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.ask(&url, headers, is_at_hub)?;
            if !is_redirect(answer.status()) {
                return Ok(answer);
            }
            let target = redirect_target(&url, &answer).map_err(|kind| self.without_login(kind))?;
            let stays = is_at_hub && is_same_origin(&hub, &target);
            if is_at_hub && !stays {
                leaves(&answer);
            }
            is_at_hub = stays;
            let path = target.path_and_query().map_or("/", |path| path.as_str());
            url = if stays { format!("{}{path}", self.origin()) } else { target.to_string() };
        }
        Err(HubErrorKind::BadReply(format!("more than {MAX_REDIRECTS} redirects, one behind the other")))
    }

    fn ask(&self, url: &str, headers: &[(&str, &str)], is_at_hub: bool) -> Result<Response<Body>, HubErrorKind> {
        let mut get = self.agent.get(url);
        for (name, value) in headers {
            get = get.header(*name, *value);
        }
        if let (true, Some(token)) = (is_at_hub, &self.token) {
            get = get.header("Authorization", format!("Bearer {token}"));
        }
        get.call().map_err(|error| self.without_login(from_ureq(&error)))
    }

    /// The JSON that answers a POST to a path of the hub, or to an address; the token is for the hub alone.
    pub(super) fn post(&self, place: &str, content_type: &str, body: &[u8]) -> Result<serde_json::Value, HubErrorKind> {
        let is_path = place.starts_with('/');
        let url = if is_path { format!("{}{place}", self.base) } else { place.to_owned() };
        let hub = parse(&self.base).map_err(|kind| self.without_login(kind))?;
        let is_at_hub = is_path || is_same_origin(&hub, &parse(&url)?);
        let post = self.agent.post(&url).config().http_status_as_error(false).build();
        let mut post = post.header("Content-Type", content_type).header("Accept", content_type_of_answer(content_type));
        if let (true, Some(token)) = (is_at_hub, &self.token) {
            post = post.header("Authorization", format!("Bearer {token}"));
        }
        let answer = post.send(body).map_err(|error| self.without_login(from_ureq(&error)))?;
        let mut answer = written(answer)?;
        let text = answer.body_mut().read_to_string().map_err(|error| self.without_login(from_ureq(&error)))?;
        // a verified file is answered by nothing, or by a word
        Ok(serde_json::from_str(&text).unwrap_or(serde_json::Value::Null))
    }

    /// Sends a body of so many bytes to the storage of large files, whose address has its own permission: it gets no token.
    pub(super) fn put(&self, url: &str, body: impl Read + 'static, n_bytes: u64) -> Result<(), HubErrorKind> {
        let put = self.agent.put(url).config().http_status_as_error(false).build();
        let put = put.header("Content-Length", n_bytes.to_string());
        let answer = put.send(ureq::SendBody::from_owned_reader(body));
        written(answer.map_err(|error| self.without_login(from_ureq(&error)))?).map(drop)
    }

    /// Scheme, login, host and port of the hub: the endpoint without its path, if it has one.
    fn origin(&self) -> &str {
        let start = self.base.find("://").map_or(0, |place| place + 3);
        let end = self.base[start..].find('/').map_or(self.base.len(), |place| start + place);
        &self.base[..end]
    }

    /// Messages quote addresses; the login does not belong into any.
    fn without_login(&self, kind: HubErrorKind) -> HubErrorKind {
        let hide = |text: String| match &self.login {
            Some(login) => text.replace(&format!("{login}@"), ""),
            None => text,
        };
        match kind {
            HubErrorKind::BadReply(text) => HubErrorKind::BadReply(hide(text)),
            HubErrorKind::Unreachable(text) => HubErrorKind::Unreachable(hide(text)),
            other => other,
        }
    }
}

/// The type that a question of this type is answered by.
fn content_type_of_answer(content_type: &str) -> &str {
    if content_type.ends_with("+json") { content_type } else { "application/json" }
}

/// The answer to what was written, unless it says that it was not.
fn written(mut answer: Response<Body>) -> Result<Response<Body>, HubErrorKind> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    if is_redirect(status) {
        let place = header(&answer, "location").unwrap_or("nowhere").to_owned();
        return Err(HubErrorKind::BadReply(format!("what should be written is sent on to {place}")));
    }
    let seconds = header(&answer, "retry-after").and_then(|seconds| seconds.trim().parse().ok());
    let said = header(&answer, "x-error-message").map(str::to_owned);
    let message = said.unwrap_or_else(|| said_in_body(&answer.body_mut().read_to_string().unwrap_or_default()));
    Err(match status.as_u16() {
        404 => HubErrorKind::NotFound,
        429 => HubErrorKind::RateLimited { seconds: seconds.unwrap_or(1) },
        status @ (401 | 403) => HubErrorKind::MayNotWrite { status, message },
        status @ 400..=499 => HubErrorKind::Declined { status, message },
        status => HubErrorKind::Status(status),
    })
}

/// The hub's own words in the body of a refusal.
fn said_in_body(body: &str) -> String {
    const MAX_CHARS: usize = 300;
    let json: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let said = json.as_ref().and_then(|json| json["error"].as_str().or(json["message"].as_str()));
    said.unwrap_or(body).chars().take(MAX_CHARS).collect()
}

/// Encodes a path for an address.
pub(super) fn percent_encode(file: &str) -> String {
    let mut encoded = String::with_capacity(file.len());
    for byte in file.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn is_redirect(status: StatusCode) -> bool {
    use StatusCode as Status;
    [
        Status::MOVED_PERMANENTLY,
        Status::FOUND,
        Status::SEE_OTHER,
        Status::TEMPORARY_REDIRECT,
        Status::PERMANENT_REDIRECT,
    ]
    .contains(&status)
}

fn parse(url: &str) -> Result<Uri, HubErrorKind> {
    url.parse().map_err(|error| HubErrorKind::BadReply(format!("`{url}` is no address ({error})")))
}

/// Where a redirect leads, as an address with scheme and host.
fn redirect_target(from: &str, answer: &Response<Body>) -> Result<Uri, HubErrorKind> {
    let location = header(answer, "location").ok_or_else(|| HubErrorKind::BadReply("a redirect to nowhere".into()))?;
    let base = parse(from)?;
    let (scheme, host) = (base.scheme_str().unwrap_or_default(), base.authority().map_or("", |host| host.as_str()));
    let has_scheme = location.split(['/', '?', '#']).next().is_some_and(|start| start.ends_with(':'));
    let target = if has_scheme {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{host}{location}")
    } else if location.starts_with('?') {
        format!("{scheme}://{host}{}{location}", base.path())
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{host}{folder}/{location}")
    };
    let target = parse(&target)?;
    match (target.scheme_str(), target.host()) {
        (Some("http" | "https"), Some(_)) => Ok(target),
        _ => Err(HubErrorKind::BadReply(format!("a redirect to `{location}`"))),
    }
}

/// Whether two addresses have the scheme, the host and the port in common.
fn is_same_origin(a: &Uri, b: &Uri) -> bool {
    origin_of(a).is_some() && origin_of(a) == origin_of(b)
}

fn origin_of(uri: &Uri) -> Option<(String, String, u16)> {
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let port = uri.port_u16().or(match scheme.as_str() {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    })?;
    Some((scheme, uri.host()?.to_ascii_lowercase(), port))
}

fn header<'a>(answer: &'a Response<Body>, name: &str) -> Option<&'a str> {
    answer.headers().get(name)?.to_str().ok()
}

/// The tag of a large file is that of what it is linked to.
fn etag(answer: &Response<Body>) -> Option<String> {
    let tag = header(answer, "x-linked-etag").or_else(|| header(answer, "etag"))?;
    Some(tag.replace('"', "")).filter(|tag| !tag.is_empty())
}

/// The linked tag of a file in Git LFS is the SHA-256 of its content.
fn sha256(answer: &Response<Body>) -> Option<String> {
    const N_DIGITS: usize = 64;
    let tag = header(answer, "x-linked-etag")?.replace('"', "").to_ascii_lowercase();
    (tag.len() == N_DIGITS && tag.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(tag)
}

/// The length of the whole file, of which one byte was asked for.
fn size(answer: &Response<Body>) -> Option<u64> {
    match answer.status() {
        StatusCode::PARTIAL_CONTENT => header(answer, "content-range")?.rsplit_once('/')?.1.trim().parse().ok(),
        _ => header(answer, "content-length")?.trim().parse().ok(),
    }
}

/// What an error of the HTTP client means.
fn from_ureq(error: &ureq::Error) -> HubErrorKind {
    match error {
        ureq::Error::StatusCode(404) => HubErrorKind::NotFound,
        ureq::Error::StatusCode(status @ (401 | 403)) => HubErrorKind::Refused(*status),
        ureq::Error::StatusCode(status) => HubErrorKind::Status(*status),
        ureq::Error::Json(error) => HubErrorKind::BadReply(error.to_string()),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => HubErrorKind::BadReply(error.to_string()),
        other => HubErrorKind::Unreachable(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let hub = uri("https://hub.example/api");
        for same in ["https://hub.example/else", "https://HUB.example:443", "https://me:secret@hub.example/"] {
            assert!(is_same_origin(&hub, &uri(same)), "{same}");
        }
        for other in [
            "http://hub.example/",
            "https://hub.example:444/",
            "https://cdn.hub.example/",
            "https://hub.example.evil/",
            "https://hub.example@evil/",
            "https://hub.example:443@evil/",
        ] {
            assert!(!is_same_origin(&hub, &uri(other)), "{other}");
        }
    }

    #[test]
    fn a_redirect_leads_where_browsers_go() {
        let target = |location: &str| {
            let answer = Response::builder().status(302).header("Location", location);
            let answer = answer.body(Body::builder().data("")).unwrap();
            redirect_target("http://hub:8/a/b?c", &answer).map(|uri| uri.to_string()).ok()
        };
        for (location, expected) in [
            ("/x?y", "http://hub:8/x?y"),
            ("x", "http://hub:8/a/x"),
            ("x?next=http://z/", "http://hub:8/a/x?next=http://z/"),
            ("?y", "http://hub:8/a/b?y"),
            ("//other/x", "http://other/x"),
            ("https://other:9/x", "https://other:9/x"),
        ] {
            assert_eq!(target(location).as_deref(), Some(expected), "{location}");
        }
        assert_eq!(target("file:///etc/passwd"), None);
        assert_eq!(target("ftp://other/x"), None);
    }

    #[test]
    fn the_login_is_for_the_hub_and_for_no_message() {
        let client = Client::new("http://hub:8/path", Some("me:secret"), None);
        assert_eq!(client.origin(), "http://me:secret@hub:8");
        let kind = client.without_login(HubErrorKind::BadReply("http://me:secret@hub:8/x".into()));
        assert_eq!(kind.to_string(), "the hub's answer makes no sense: http://hub:8/x");
    }
}

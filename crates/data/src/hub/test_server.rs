//! A hub on loopback for tests, with good manners or bad ones.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The only commit.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// How the server treats requests.
#[derive(Clone, Default)]
pub(crate) struct Manners {
    /// Send questions for files on to this address, followed by the path.
    pub(crate) redirect_files_to: Option<String>,
    /// Answer everything with this status.
    pub(crate) status: Option<u16>,
    /// Close the connection after so many bytes of a body.
    pub(crate) cut_after: Option<usize>,
    /// Send whole bodies whatever range is asked for.
    pub(crate) ignores_ranges: bool,
    /// Send so many bytes behind the end of a body.
    pub(crate) surplus: usize,
    /// Send so many bytes of a body, and nothing for a while.
    pub(crate) stall_after: Option<usize>,
    /// Give files this tag and this commit.
    pub(crate) tag: Option<String>,
    pub(crate) commit: Option<String>,
    /// Say that files are in Git LFS, with this SHA-256.
    pub(crate) sha256: Option<String>,
    /// Fail so many requests first.
    pub(crate) fail_first: usize,
}

/// A hub with one dataset repository, `owner/name`, on a free port. Its thread ends with the test process.
pub(crate) struct Server {
    pub(crate) endpoint: String,
    manners: Arc<Mutex<Manners>>,
    n_requests: Arc<AtomicUsize>,
    authorizations: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start(files: &[(&str, Vec<u8>)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let files: HashMap<String, Vec<u8>> =
            files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect();
        let manners = Arc::new(Mutex::new(Manners::default()));
        let n_requests = Arc::new(AtomicUsize::new(0));
        let (shared, count) = (manners.clone(), n_requests.clone());
        let authorizations = Arc::new(Mutex::new(Vec::new()));
        let heard = authorizations.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let manners = shared.lock().unwrap().clone();
                // A client that hangs up early is the point of some tests.
                answer(stream.unwrap(), &files, &manners, number, &heard).ok();
            }
        });
        Self { endpoint, manners, n_requests, authorizations }
    }

    pub(crate) fn behave(&self, manners: Manners) {
        self.n_requests.store(0, Ordering::SeqCst);
        *self.manners.lock().unwrap() = manners;
    }

    /// The authorizations that came with requests so far.
    pub(crate) fn authorizations(&self) -> Vec<String> {
        self.authorizations.lock().unwrap().clone()
    }

    pub(crate) fn n_requests(&self) -> usize {
        self.n_requests.load(Ordering::SeqCst)
    }
}

/// Answers one request and closes the connection.
fn answer(
    mut stream: TcpStream,
    files: &HashMap<String, Vec<u8>>,
    manners: &Manners,
    number: usize,
    authorizations: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let Request { path, range, authorization } = read_request(&stream)?;
    authorizations.lock().unwrap().extend(authorization);
    if let Some(status) = if number < manners.fail_first { Some(503) } else { manners.status } {
        return refuse(stream, status);
    }
    if path.starts_with("/api/datasets/owner/name/revision/") {
        let siblings: Vec<_> = files.keys().map(|name| serde_json::json!({ "rfilename": name })).collect();
        let body = serde_json::json!({"sha": COMMIT, "siblings": siblings}).to_string();
        let length = body.len();
        return write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    }
    if let Some(target) = &manners.redirect_files_to {
        let head = format!("HTTP/1.1 302 Found\r\nLocation: {target}{path}\r\nETag: \"tag-of-the-hub\"\r\n");
        return write!(stream, "{head}X-Repo-Commit: {COMMIT}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    let file = path.strip_prefix(&format!("/datasets/owner/name/resolve/{COMMIT}/"));
    match file.and_then(|file| files.get_key_value(&decoded(file))) {
        Some((name, bytes)) => send_file(stream, name, bytes, range, manners),
        None => refuse(stream, 404),
    }
}

/// How long a body stalls.
const STALL: std::time::Duration = std::time::Duration::from_secs(2);

/// A path of an address, as it was before it was encoded.
fn decoded(path: &str) -> String {
    let mut parts = path.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(part[2..].bytes());
    }
    String::from_utf8(bytes).unwrap()
}

/// First byte, and last byte where it is given.
type ByteRange = (usize, Option<usize>);

struct Request {
    path: String,
    range: Option<ByteRange>,
    authorization: Option<String>,
}

fn read_request(stream: &TcpStream) -> std::io::Result<Request> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut range, mut authorization) = (None, None);
    for line in lines {
        let line = line?.to_ascii_lowercase();
        authorization = authorization.or(line.strip_prefix("authorization: ").map(str::to_owned));
        if line.is_empty() {
            break;
        }
        if let Some((from, to)) = line.strip_prefix("range: bytes=").and_then(|range| range.split_once('-')) {
            range = Some((from.parse().unwrap(), to.parse().ok()));
        }
    }
    Ok(Request { path, range, authorization })
}

fn refuse(mut stream: TcpStream, status: u16) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

fn send_file(
    mut stream: TcpStream,
    name: &str,
    bytes: &[u8],
    range: Option<ByteRange>,
    manners: &Manners,
) -> std::io::Result<()> {
    // The client's first question, for a single byte, is always answered by the rules.
    let range = range.filter(|range| !manners.ignores_ranges || *range == (0, Some(0)));
    let (from, to) = range.unwrap_or((0, None));
    let to = to.unwrap_or(bytes.len() - 1);
    write!(stream, "HTTP/1.1 {}\r\n", if range.is_some() { "206 Partial" } else { "200 OK" })?;
    let surplus = if range == Some((0, Some(0))) { 0 } else { manners.surplus };
    let n_bytes = to + 1 - from + surplus;
    write!(stream, "Content-Length: {n_bytes}\r\nContent-Range: bytes {from}-{to}/{}\r\n", bytes.len())?;
    let tag = manners.tag.clone().unwrap_or_else(|| format!("tag-{}", name.len()));
    let commit = manners.commit.as_deref().unwrap_or(COMMIT);
    let linked = manners.sha256.iter().map(|hash| format!("X-Linked-ETag: \"{hash}\"\r\n")).collect::<String>();
    write!(stream, "ETag: \"{tag}\"\r\nX-Repo-Commit: {commit}\r\n{linked}Connection: close\r\n\r\n")?;
    let body = &bytes[from..=to];
    let is_probe = range == Some((0, Some(0)));
    let n_sent = manners.stall_after.filter(|_| !is_probe).or(manners.cut_after).unwrap_or(usize::MAX);
    stream.write_all(&body[..body.len().min(n_sent)])?;
    if !is_probe {
        stream.write_all(&vec![0; manners.surplus])?;
        if manners.stall_after.is_some() {
            stream.flush()?;
            std::thread::sleep(STALL);
        }
    }
    Ok(())
}

//! A hub on loopback that takes uploads, and holds them to the protocol: what does not follow it is refused with status 400.

use super::local::digits;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

/// The token that may write.
pub(super) const TOKEN: &str = "secret";
/// Files of more bytes are large.
const MAX_REGULAR: u64 = 1000;

/// What the hub holds, and how it behaves.
#[derive(Default)]
pub(super) struct State {
    /// repositories with the descriptions that they were created by
    pub(super) repos: BTreeMap<String, Value>,
    /// large files by their hashes
    pub(super) objects: HashMap<String, Vec<u8>>,
    /// files of each commit, and its message
    pub(super) commits: Vec<(String, BTreeMap<String, Vec<u8>>)>,
    /// methods and paths so far
    pub(super) requests: Vec<String>,
    /// refusals: a request that begins so is answered by this status, so many times
    pub(super) refuse: Vec<(&'static str, u16, usize)>,
    /// break the connection off while a large file is received, so many times
    pub(super) n_cuts: usize,
}

/// The hub. Its thread ends with the test process.
pub(super) struct UploadServer {
    pub(super) endpoint: String,
    state: Arc<Mutex<State>>,
}

struct Request {
    method: String,
    path: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl UploadServer {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, own) = (state.clone(), endpoint.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &mut shared.lock().unwrap(), &own).ok();
            }
        });
        Self { endpoint, state }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

fn serve(mut stream: TcpStream, state: &mut State, endpoint: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let Some(mut request) = read_head(&mut reader)? else { return Ok(()) };
    let n_bytes = request.headers.get("content-length").and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    let line = format!("{} {}", request.method, request.path);
    state.requests.push(line.clone());
    if request.method == "PUT" && state.n_cuts > 0 {
        state.n_cuts -= 1;
        return Ok(());
    }
    reader.take(n_bytes).read_to_end(&mut request.body)?;
    let refusal = state.refuse.iter_mut().find(|(start, _, n)| *n > 0 && line.starts_with(*start));
    let (status, answer) = match refusal {
        Some((_, status, n)) => {
            *n -= 1;
            (*status, json!({"error": "as the test wants it"}))
        }
        None => answer(&request, state, endpoint).unwrap_or_else(|problem| (400, json!({ "error": problem }))),
    };
    let body = answer.to_string();
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nRetry-After: 0\r\n");
    write!(stream, "{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn read_head(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(None) };
    let path = path.split('?').next().unwrap_or_default().to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    Ok(Some(Request { method, path, headers, body: Vec::new() }))
}

type Answer = Result<(u16, Value), String>;

fn answer(request: &Request, state: &mut State, endpoint: &str) -> Answer {
    let has_token = request.headers.get("authorization").is_some_and(|word| word == &format!("Bearer {TOKEN}"));
    if let Some(oid) = request.path.strip_prefix("/storage/") {
        return if has_token { Err("the storage must not see the token".into()) } else { store(oid, request, state) };
    }
    if !has_token {
        return Ok((401, json!({"error": "Invalid username or password."})));
    }
    let words: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
    let question = || serde_json::from_slice::<Value>(&request.body).map_err(|error| error.to_string());
    match (request.method.as_str(), &words[..]) {
        // the Python client shows its cards to the hub first
        ("POST", ["api", "validate-yaml"]) => Ok((200, json!({"errors": [], "warnings": []}))),
        ("POST", ["api", "repos", "create"]) => create(&question()?, state, endpoint),
        ("GET", ["api", "models", owner, name]) => {
            let repo = format!("{owner}/{name}");
            Ok(if state.repos.contains_key(&repo) { (200, json!({"id": repo})) } else { (404, json!({})) })
        }
        ("POST", ["api", "models" | "datasets", _, _, "preupload", "main"]) => preupload(&question()?),
        ("POST", [.., "info", "lfs", "objects", "batch"]) => batch(&question()?, request, state, endpoint),
        ("POST", ["verify"]) => {
            let asked = question()?;
            let found = state.objects.get(asked["oid"].as_str().unwrap_or_default());
            let is_right = found.is_some_and(|bytes| asked["size"] == bytes.len());
            if is_right { Ok((200, json!({}))) } else { Err(format!("not there: {asked}")) }
        }
        ("POST", ["api", kind @ ("models" | "datasets"), owner, name, "commit", "main"]) => {
            let repo = if *kind == "models" { format!("{owner}/{name}") } else { format!("datasets/{owner}/{name}") };
            if !state.repos.contains_key(&repo) {
                return Ok((404, json!({"error": "Repository not found"})));
            }
            commit(request, state, &format!("{endpoint}/{repo}"))
        }
        _ => Ok((404, json!({"error": "Not found"}))),
    }
}

fn create(asked: &Value, state: &mut State, endpoint: &str) -> Answer {
    let [owner, name] = ["organization", "name"].map(|key| asked[key].as_str().unwrap_or_default());
    let prefix = if asked["type"] == "dataset" { "datasets/" } else { "" };
    let repo = format!("{prefix}{owner}/{name}");
    let url = format!("{endpoint}/{repo}");
    if state.repos.contains_key(&repo) {
        return Ok((409, json!({"error": "You already created this model repo", "url": url})));
    }
    state.repos.insert(repo, asked.clone());
    Ok((200, json!({ "url": url })))
}

fn preupload(asked: &Value) -> Answer {
    let files = asked["files"].as_array().ok_or("no files")?.iter().map(|file| {
        let sample = STANDARD.decode(file["sample"].as_str().unwrap_or("?")).map_err(|error| error.to_string())?;
        let (path, size) = (file["path"].as_str().ok_or("no path")?, file["size"].as_u64().ok_or("no size")?);
        if sample.len() as u64 != size.min(512) {
            return Err(format!("a sample of {} bytes of {size}", sample.len()));
        }
        let mode = if size > MAX_REGULAR { "lfs" } else { "regular" };
        Ok(json!({"path": path, "uploadMode": mode, "shouldIgnore": path == "ignored.txt", "oid": null}))
    });
    Ok((200, json!({"files": files.collect::<Result<Vec<_>, String>>()?})))
}

fn batch(asked: &Value, request: &Request, state: &State, endpoint: &str) -> Answer {
    let kind = request.headers.get("content-type").cloned().unwrap_or_default();
    if !kind.starts_with("application/vnd.git-lfs+json") && !kind.starts_with("application/json") {
        return Err(format!("a question of type {kind}"));
    }
    if asked["operation"] != "upload" || asked["hash_algo"] != "sha256" {
        return Err(asked.to_string());
    }
    let objects = asked["objects"].as_array().ok_or("no objects")?.iter().map(|object| {
        let oid = object["oid"].as_str().unwrap_or_default();
        let upload = json!({"upload": {"href": format!("{endpoint}/storage/{oid}")}, "verify": {"href": format!("{endpoint}/verify")}});
        match state.objects.contains_key(oid) {
            true => json!({"oid": oid, "size": object["size"]}),
            false => json!({"oid": oid, "size": object["size"], "actions": upload}),
        }
    });
    Ok((200, json!({"transfer": "basic", "objects": objects.collect::<Vec<_>>()})))
}

fn store(oid: &str, request: &Request, state: &mut State) -> Answer {
    if digits(&Sha256::digest(&request.body)) != oid {
        return Err(format!("{} bytes of another hash", request.body.len()));
    }
    state.objects.insert(oid.to_owned(), request.body.clone());
    Ok((200, json!({})))
}

fn commit(request: &Request, state: &mut State, url: &str) -> Answer {
    if request.headers.get("content-type").is_none_or(|kind| kind != "application/x-ndjson") {
        return Err("a commit is a JSON object a line".into());
    }
    let (mut message, mut files) = (None, BTreeMap::new());
    for line in request.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let value = &line["value"];
        let path = || value["path"].as_str().map(str::to_owned).ok_or("no path");
        match line["key"].as_str() {
            Some("header") => message = value["summary"].as_str().map(str::to_owned),
            Some("file") if value["encoding"] == "base64" => {
                let content = STANDARD.decode(value["content"].as_str().unwrap_or("?"));
                files.insert(path()?, content.map_err(|error| error.to_string())?);
            }
            Some("lfsFile") if value["algo"] == "sha256" => {
                let object = state.objects.get(value["oid"].as_str().unwrap_or_default());
                files.insert(path()?, object.ok_or("a large file that was not sent")?.clone());
            }
            _ => return Err(format!("a line {line}")),
        }
    }
    state.commits.push((message.ok_or("no header")?, files));
    let commit = format!("{:040x}", state.commits.len());
    Ok((
        200,
        json!({"success": true, "commitOid": commit, "commitUrl": format!("{url}/commit/{commit}"), "hookOutput": ""}),
    ))
}

//! A receiver in place of what analytics are sent to, which keeps what arrives; and requests that were recorded.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use flate2::read::GzDecoder;
use serde_json::Value as Json;

/// A request, decoded.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    /// By their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// Nothing where there is none.
    pub(crate) body: Json,
}

impl Request {
    pub(crate) fn events(&self) -> &[Json] {
        self.body["batch"].as_array().unwrap()
    }

    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What is answered to the request of that number, counted from 0: a status and a body.
type Answer = dyn Fn(usize, &Request) -> (u16, String) + Send + Sync;

pub(crate) struct Receiver {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    /// One that takes everything, and says so in both protocols.
    pub(crate) fn start() -> Self {
        Self::answering(|_, _| (200, "{\"status\":1,\"results\":{}}".to_owned()))
    }

    pub(crate) fn answering(
        answer: impl Fn(usize, &Request) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::default();
        let (arriving, answer): (_, Arc<Answer>) = (Arc::clone(&requests), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (arriving, answer) = (Arc::clone(&arriving), Arc::clone(&answer));
                // Clients keep connections, and may have several.
                std::thread::spawn(move || serve(&stream.unwrap(), &arriving, &*answer));
            }
        });
        Self { url, requests }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// All events of all requests.
    pub(crate) fn events(&self) -> Vec<Json> {
        self.requests().iter().flat_map(Request::events).cloned().collect()
    }
}

/// Answers until the client goes away.
fn serve(mut stream: &TcpStream, requests: &Mutex<Vec<Request>>, answer: &Answer) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let (status, said) = {
            let mut requests = requests.lock().unwrap();
            let answer = answer(requests.len(), &request);
            requests.push(request);
            answer
        };
        let length = said.len();
        let head = format!("HTTP/1.1 {status} Said\r\nContent-Length: {length}\r\n\r\n");
        if stream.write_all((head + &said).as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    if headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip") {
        let packed = std::mem::take(&mut body);
        GzDecoder::new(packed.as_slice()).read_to_end(&mut body).unwrap();
    }
    // A GET has none.
    let body = if body.is_empty() { Json::Null } else { serde_json::from_slice(&body).unwrap() };
    Some(Request { path, headers, body })
}

/// The requests of a file in `tests/data`, one for each line.
pub(crate) fn recorded(name: &str) -> Vec<Request> {
    let text = crate::tidy::read(format!("tests/data/{name}.jsonl"));
    let requests = text.lines().map(|line| {
        let line: Json = serde_json::from_str(line).unwrap();
        let headers = line["headers"].as_object().unwrap().iter();
        Request {
            path: line["path"].as_str().unwrap().to_owned(),
            headers: headers
                .map(|(name, value)| {
                    (name.to_ascii_lowercase(), value.as_str().unwrap().to_owned())
                })
                .collect(),
            body: line["body"].clone(),
        }
    });
    requests.collect()
}

//! A door before a target: it asks for one format, whatever Prometheus asks for, and notes what came back.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::DEADLINE;

pub(super) struct Door {
    pub(super) address: String,
    content_types: Arc<Mutex<Vec<String>>>,
}

impl Door {
    /// Opens before the target. `accept` takes the place of what Prometheus accepts; `None` leaves it.
    pub(super) fn open(target: &str, accept: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let content_types: Arc<Mutex<Vec<String>>> = Arc::default();
        let (target, seen) = (target.to_owned(), content_types.clone());
        // It ends with the process: an open door waits for nothing else.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A scrape that is given up is Prometheus' business.
                if let Ok(Some(content_type)) = pass(&stream, &target, accept) {
                    seen.lock().unwrap().push(content_type);
                }
            }
        });
        Self { address, content_types }
    }

    /// The format of every page until now, and that there was one.
    pub(super) fn assert_only(&self, content_type: &str) {
        let seen = self.content_types.lock().unwrap();
        assert!(!seen.is_empty(), "nobody has scraped");
        assert!(seen.iter().all(|seen| seen.starts_with(content_type)), "{seen:?}");
    }
}

/// Passes one request on, and its answer back; gives the answer's content type.
fn pass(mut stream: &TcpStream, target: &str, accept: Option<&str>) -> io::Result<Option<String>> {
    stream.set_read_timeout(Some(DEADLINE))?;
    let mut request = String::new();
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        match (name.as_str(), accept) {
            ("", _) => break,
            ("connection", _) => {}
            ("accept", Some(accept)) => request += &format!("accept: {accept}\r\n"),
            _ => request += &format!("{line}\r\n"),
        }
    }
    let mut server = TcpStream::connect(target)?;
    server.set_read_timeout(Some(Duration::from_secs(10)))?;
    server.write_all(format!("{request}connection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    stream.write_all(&answer)?;
    let head = String::from_utf8_lossy(&answer[..answer.len().min(4_096)]).into_owned();
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    Ok(found.map(|(_, value)| value.to_owned()))
}

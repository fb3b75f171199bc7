//! A server on this machine that misbehaves in every way that a sink can. The tests of the workspace have it, too, so that it
//! needs nothing but the standard library.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What is done with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// None: it is taken.
    Well,
    /// It is answered with this status and, maybe, this `Retry-After`.
    Status(u16, Option<String>),
    /// It is taken, and the answer never comes: the connection is closed.
    LostAnswer,
    /// The connection is closed before anything is read.
    Down,
    /// The connection is reset while the body is on its way.
    Reset,
    /// The server's half of the connection is closed, and its other half is left open.
    HalfClosed,
    /// The answer is not HTTP.
    Garbage,
    /// The answer takes its time, byte by byte.
    Slow,
    /// There is never an answer, and the connection stays open.
    Silent,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Request line and headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The records of a body that has one a line.
    pub(crate) fn lines(&self) -> Vec<String> {
        String::from_utf8(self.body.clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

/// Does to each request what the next fault says; when there is none left, all is well.
pub(crate) struct Loopback {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    faults: VecDeque<Fault>,
    /// Requests that were read as a whole.
    seen: Vec<Seen>,
    /// Those that were taken.
    taken: Vec<Seen>,
    open: Vec<TcpStream>,
}

impl Loopback {
    pub(crate) fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State { faults: faults.into_iter().collect(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let weak = Arc::downgrade(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Some(state) = weak.upgrade() else { return };
                serve(stream.unwrap(), &state);
            }
        });
        Self { url, state }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    pub(crate) fn taken(&self) -> Vec<Seen> {
        self.state.lock().unwrap().taken.clone()
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let fault = state.lock().unwrap().faults.pop_front().unwrap_or(Fault::Well);
    match fault {
        Fault::Down => return,
        Fault::Reset => {
            // What is closed with something unread is reset: nearly all of the body is.
            let (mut read, mut byte) = (Vec::new(), [0]);
            while !read.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|it| it == 1) {
                read.extend(byte);
            }
            let _ = stream.read(&mut byte);
            return;
        }
        Fault::HalfClosed => {
            // The client may be gone already.
            let _ = stream.shutdown(Shutdown::Write);
            state.lock().unwrap().open.push(stream);
            return;
        }
        _ => {}
    }
    let Some(seen) = read_request(&mut stream) else { return };
    let mut state = state.lock().unwrap();
    state.seen.push(seen.clone());
    if matches!(fault, Fault::Well | Fault::Slow | Fault::LostAnswer) {
        state.taken.push(seen);
    }
    let answer = match &fault {
        Fault::Well | Fault::Slow => {
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".to_owned()
        }
        Fault::Status(status, after) => {
            let after =
                after.as_ref().map(|after| format!("Retry-After: {after}\r\n")).unwrap_or_default();
            format!("HTTP/1.1 {status} No\r\n{after}Content-Length: 0\r\nConnection: close\r\n\r\n")
        }
        Fault::Garbage => "\0\u{1} garbage\r\n\r\n".to_owned(),
        Fault::Silent => {
            state.open.push(stream);
            return;
        }
        Fault::LostAnswer | Fault::Down | Fault::Reset | Fault::HalfClosed => return,
    };
    drop(state);
    let pieces = if fault == Fault::Slow { 1 } else { answer.len() };
    for piece in answer.as_bytes().chunks(pieces) {
        // Who does not wait for the answer does not get it.
        if stream.write_all(piece).is_err() {
            return;
        }
    }
}

/// Reads one request, if it is one.
pub(crate) fn read_request(stream: &mut impl Read) -> Option<Seen> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut seen = Seen { head, body: Vec::new() };
    let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    seen.body.resize(length, 0);
    reader.read_exact(&mut seen.body).ok()?;
    Some(seen)
}

//! Requests over connections that stay open, from one thread that does as little as it can.
//!
//! Each connection has one request under way. The thread takes the connections in turn: it reads
//! the answer of one, and sends the next request on it before it looks at another. So the server
//! always finds something to do, and the thread needs neither a runtime nor a parser.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::memory::ECHOED;

/// How many requests are under way.
pub(crate) const CONNECTIONS: usize = 16;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Traffic {
    /// Half of the connections ask for a small text, and half have a KiB echoed.
    Texts,
    /// All ask for an order, which is in a database.
    Orders,
}

impl Traffic {
    /// What the connection of that number asks for.
    fn request(self, connection: usize) -> Vec<u8> {
        match self {
            Self::Texts if connection.is_multiple_of(2) => get("/users/17"),
            Self::Texts => echo(),
            Self::Orders => get("/orders/17"),
        }
    }
}

/// Connections to a server.
#[derive(Debug)]
pub(crate) struct Load {
    connections: Vec<Connection>,
    answer: Vec<u8>,
    scrapes: Option<TcpStream>,
    /// The requests so far, without scrapes.
    pub(crate) made: u64,
}

/// A connection on which one request is made again and again.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    /// How long its answer is, head and body: it does not vary.
    length: usize,
    sent: Instant,
}

/// What a round of requests took.
#[derive(Clone, Debug)]
pub(crate) struct Took {
    pub(crate) elapsed: Duration,
    /// Of each request.
    pub(crate) latencies: Vec<Duration>,
}

impl Load {
    /// Connects, and makes a first request on every connection.
    pub(crate) fn new(address: SocketAddr, traffic: Traffic) -> Result<Self, Box<dyn Error>> {
        let connections = (0..CONNECTIONS)
            .map(|number| Connection::new(address, traffic.request(number)))
            .collect::<Result<Vec<_>, _>>()?;
        let made = connections.len() as u64;
        // Without a page there is no scrape.
        let mut scrapes = TcpStream::connect(address)?;
        let is_there = ask(&mut scrapes, &scrape())?.0.starts_with(GOOD);
        let scrapes = is_there.then_some(scrapes);
        let longest = connections.iter().map(|connection| connection.length).max();
        Ok(Self { connections, answer: vec![0; longest.unwrap_or(0)], scrapes, made })
    }

    /// Makes so many requests, and reads the page once.
    pub(crate) fn round(&mut self, requests: usize) -> Result<Took, Box<dyn Error>> {
        let mut latencies = Vec::with_capacity(requests);
        let start = Instant::now();
        let first = requests.min(self.connections.len());
        self.connections.iter_mut().take(first).try_for_each(Connection::send)?;
        for number in 0..requests {
            let place = number % self.connections.len();
            let connection = &mut self.connections[place];
            let answer = &mut self.answer[..connection.length];
            connection.stream.read_exact(answer)?;
            latencies.push(connection.sent.elapsed());
            if !answer.starts_with(GOOD.as_bytes()) {
                let answer = String::from_utf8_lossy(answer);
                return Err(format!("the service answered `{answer}`").into());
            }
            if number + first < requests {
                connection.send()?;
            }
        }
        if let Some(scrapes) = &mut self.scrapes {
            ask(scrapes, &scrape())?;
        }
        self.made += requests as u64;
        Ok(Took { elapsed: start.elapsed(), latencies })
    }
}

impl Connection {
    fn new(address: SocketAddr, request: Vec<u8>) -> Result<Self, Box<dyn Error>> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let (head, length) = ask(&mut stream, &request)?;
        if !head.starts_with(GOOD) {
            return Err(format!("the service answered `{head}`").into());
        }
        Ok(Self { stream, request, length, sent: Instant::now() })
    }

    fn send(&mut self) -> std::io::Result<()> {
        self.sent = Instant::now();
        self.stream.write_all(&self.request)
    }
}

const GOOD: &str = "HTTP/1.1 200 OK\r\n";

/// What a client sends besides.
const HEADERS: &str = "host: 127.0.0.1\r\nuser-agent: load/1.0\r\naccept: */*\r\n";

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\n{HEADERS}\r\n").into_bytes()
}

fn scrape() -> Vec<u8> {
    get("/metrics")
}

fn echo() -> Vec<u8> {
    let length = ECHOED.len();
    let head = format!(
        "POST /echo HTTP/1.1\r\n{HEADERS}content-type: application/octet-stream\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), &ECHOED].concat()
}

/// Makes a request and reads the whole answer: its head, and the length of both.
fn ask(stream: &mut TcpStream, request: &[u8]) -> Result<(String, usize), Box<dyn Error>> {
    stream.write_all(request)?;
    let mut answer = Vec::new();
    let mut part = [0; 4_096];
    loop {
        let read = stream.read(&mut part)?;
        if read == 0 {
            return Err("the service hung up".into());
        }
        answer.extend_from_slice(&part[..read]);
        if let Some((head, length)) = head(&answer)
            && answer.len() >= length
        {
            return Ok((head, length));
        }
    }
}

/// The head, once it is there, and how long it and the body are.
fn head(answer: &[u8]) -> Option<(String, usize)> {
    const END: &[u8] = b"\r\n\r\n";
    let end = answer.windows(END.len()).position(|window| window == END)? + END.len();
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let body = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Some((head, end + body.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn the_length_of_an_answer_is_that_of_its_head_and_body() {
        let start = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n";
        assert_eq!(head(start.as_bytes()), None);
        let whole = format!("{start}\r\nhello");
        assert_eq!(head(whole.as_bytes()), Some((format!("{start}\r\n"), whole.len())));
        assert_eq!(head(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().1, 27);
    }

    /// Answers `answers` in turn on every connection, and then with the last again and again.
    fn server(answers: &'static [&'static str]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut part = [0; 4_096];
                    let mut next =
                        answers.iter().chain(std::iter::repeat(&answers[answers.len() - 1]));
                    while stream.read(&mut part).is_ok_and(|read| read > 0) {
                        stream.write_all(next.next().unwrap().as_bytes()).unwrap();
                    }
                });
            }
        });
        address
    }

    #[test]
    fn every_request_of_a_round_has_an_answer() {
        let address = server(&["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"]);
        let mut load = Load::new(address, Traffic::Texts).unwrap();
        for requests in [1, CONNECTIONS, 3 * CONNECTIONS + 1] {
            assert_eq!(load.round(requests).unwrap().latencies.len(), requests);
        }
        assert_eq!(load.made as usize, 5 * CONNECTIONS + 2);
    }

    #[test]
    fn an_answer_that_is_not_good_is_an_error() {
        let address = server(&[
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
            "HTTP/1.1 500 NO\r\ncontent-length: 2\r\n\r\nno",
        ]);
        let error = Load::new(address, Traffic::Texts).unwrap().round(1).unwrap_err();
        assert!(error.to_string().contains("500 NO"), "{error}");
    }
}

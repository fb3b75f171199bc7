//! A sink on this machine: it takes whatever is posted, or accepts connections and says nothing.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

use super::client::NAME;

/// What the sink does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Every request is read and answered with 200, over connections that stay open.
    Takes,
    /// Nothing is read, and nothing answered.
    Silent,
}

/// A running sink; its threads end with the process.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) url: String,
    /// Only kept while the clock runs, and looked into afterwards.
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Sink {
    pub(crate) fn start(manner: Manner) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let bodies = Arc::<Mutex<Vec<_>>>::default();
        let sink = Self { url, bodies: Arc::clone(&bodies) };
        thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming().flatten() {
                let bodies = Arc::clone(&bodies);
                match manner {
                    Manner::Takes => drop(thread::spawn(move || serve(&stream, &bodies))),
                    Manner::Silent => silent.push(stream),
                }
            }
        });
        Ok(sink)
    }

    /// How many events it was sent.
    pub(crate) fn events(&self) -> usize {
        self.bodies.lock().iter().map(|body| count(body)).sum()
    }

    pub(crate) fn requests(&self) -> usize {
        self.bodies.lock().len()
    }
}

fn count(body: &[u8]) -> usize {
    body.windows(NAME.len()).filter(|window| *window == NAME.as_bytes()).count()
}

/// Takes the requests of a connection, until the client hangs up.
fn serve(stream: &TcpStream, bodies: &Mutex<Vec<Vec<u8>>>) -> io::Result<()> {
    const ANSWER: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"status\":1}";
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = (BufReader::with_capacity(1 << 16, stream), stream);
    let mut line = String::new();
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        bodies.lock().push(body);
        writer.write_all(ANSWER)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_counted_over_requests_of_one_connection() {
        let sink = Sink::start(Manner::Takes).unwrap();
        let mut stream = TcpStream::connect(sink.url.strip_prefix("http://").unwrap()).unwrap();
        for body in ["preview_upload,preview_upload", "preview_upload"] {
            let length = body.len();
            write!(stream, "POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
            let mut answer = [0; 83];
            stream.read_exact(&mut answer).unwrap();
            assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n") && answer.ends_with(b"}"));
        }
        assert_eq!((sink.events(), sink.requests()), (3, 2));
    }
}

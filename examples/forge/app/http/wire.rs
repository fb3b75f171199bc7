//! HTTP/1.1 on a socket, as much of it as the client needs: one request out, one answer in.

use std::fmt::Write;
use std::io;

use bytes::{Buf, Bytes, BytesMut};
use hyper::{Method, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer whose head is longer is refused.
const LONGEST_HEAD: usize = 16 << 10;

/// What a request comes back with, its body read to the end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// What the head of an answer says about the rest.
struct Head {
    status: u16,
    /// Bytes of the head.
    length: usize,
    /// Bytes of the body, where that is said.
    body: Option<usize>,
    is_last: bool,
}

/// Writes a request. It is out of this program's hands when this returns, and perhaps not yet at the server.
pub(super) async fn send(
    stream: &mut TcpStream,
    host: &str,
    request: &Request<Bytes>,
) -> io::Result<()> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let body = request.body();
    let mut head = format!("{} {path} HTTP/1.1\r\nhost: {host}\r\n", request.method());
    for (name, value) in request.headers() {
        let value = value.to_str().map_err(io::Error::other)?;
        // Writing to a string cannot fail.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = write!(head, "content-length: {}\r\n\r\n", body.len());
    let mut bytes = Bytes::from(head).chain(body.clone());
    stream.write_all_buf(&mut bytes).await
}

/// Reads the answer to a request, and says whether the connection can take another one.
pub(super) async fn receive(stream: &mut TcpStream, method: &Method) -> io::Result<(Answer, bool)> {
    let mut bytes = BytesMut::new();
    let head = loop {
        if let Some(head) = parse(&bytes)? {
            break head;
        }
        if bytes.len() > LONGEST_HEAD {
            return Err(io::Error::other("the answer's head is too long"));
        }
        read(stream, &mut bytes).await?;
    };
    let body_length = match head.body {
        // Where there can be no body, the length is that of another answer's.
        _ if method == Method::HEAD || matches!(head.status, 204 | 304) => 0,
        Some(length) => length,
        None => return Err(io::Error::other("the answer does not say how long it is")),
    };
    bytes.advance(head.length);
    bytes.reserve(body_length.saturating_sub(bytes.len()));
    while bytes.len() < body_length {
        read(stream, &mut bytes).await?;
    }
    let reusable = !head.is_last && bytes.len() == body_length;
    let answer = Answer { status: head.status, body: bytes.split_to(body_length).freeze() };
    Ok((answer, reusable))
}

async fn read(stream: &mut TcpStream, bytes: &mut BytesMut) -> io::Result<()> {
    match stream.read_buf(bytes).await? {
        0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up")),
        _ => Ok(()),
    }
}

/// The head of an answer; `None` until it is there to its end.
fn parse(bytes: &[u8]) -> io::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(bytes).map_err(io::Error::other)?
    else {
        return Ok(None);
    };
    let status = response.code.unwrap_or_default();
    let header = |name: &str| {
        let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| String::from_utf8_lossy(header.value))
    };
    let body = header("content-length").map(|length| length.parse());
    let body = body.transpose().map_err(io::Error::other)?;
    let is_last = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Ok(Some(Head { status, length, body, is_last }))
}

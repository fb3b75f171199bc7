//! One connection to the database: a line out, a line back.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

pub(super) struct Connection {
    stream: BufReader<TcpStream>,
    opened: Instant,
}

impl Connection {
    /// It is open once the database has greeted.
    pub(super) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut connection = Self { stream: BufReader::new(stream), opened: Instant::now() };
        connection.read().await?;
        Ok(connection)
    }

    pub(super) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    pub(super) async fn query(&mut self, text: &str) -> io::Result<u64> {
        self.say(text).await?;
        let answer = self.read().await?;
        answer.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, answer))
    }

    /// Takes leave, which the database hears before this returns; one that has gone already need not hear it.
    pub(super) async fn close(mut self) {
        if self.say("bye").await.is_ok() {
            let _ = self.read().await;
        }
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        // A connection that broke is a connection that ended, however the system puts it.
        let written = self.stream.get_mut().write_all(format!("{text}\n").as_bytes()).await;
        written.map_err(|error| io::Error::new(io::ErrorKind::UnexpectedEof, error))
    }

    async fn read(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line).await {
            Ok(length) if length > 0 => Ok(line.trim_end().to_owned()),
            _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the database hung up")),
        }
    }
}

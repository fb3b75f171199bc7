//! One connection to the database: a line out, a line back. And how the pool opens one.

use std::io;
use std::net::SocketAddr;

use bb8::ManageConnection;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Where the database is.
pub(super) struct Database(pub(super) SocketAddr);

pub(super) struct Connection {
    stream: BufReader<TcpStream>,
    /// A query has been sent whose answer has not been read: by nobody, if its future was dropped.
    owes_answer: bool,
}

impl ManageConnection for Database {
    type Connection = Connection;
    type Error = io::Error;

    /// It is open once the database has greeted.
    async fn connect(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect(self.0).await?;
        stream.set_nodelay(true)?;
        let mut connection = Connection { stream: BufReader::new(stream), owes_answer: false };
        connection.read().await?;
        Ok(connection)
    }

    /// A connection that the database has closed is found out by the query, which is then tried again.
    async fn is_valid(&self, _: &mut Connection) -> io::Result<()> {
        Ok(())
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.owes_answer
    }
}

impl Connection {
    pub(super) async fn query(&mut self, statement: &str) -> io::Result<u64> {
        self.owes_answer = true;
        // A connection that broke is a connection that ended, however the system puts it.
        let written = self.stream.get_mut().write_all(format!("{statement}\n").as_bytes()).await;
        written.map_err(|error| io::Error::new(io::ErrorKind::UnexpectedEof, error))?;
        let answer = self.read().await?;
        self.owes_answer = false;
        answer.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, answer))
    }

    async fn read(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line).await {
            Ok(length) if length > 0 => Ok(line.trim_end().to_owned()),
            _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the database hung up")),
        }
    }
}

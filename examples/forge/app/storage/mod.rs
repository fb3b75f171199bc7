//! Where artifacts and previews are kept: an object store behind HTTP, as S3 is.
//!
//! The server looks things up itself. Contents go past it: it signs URLs, with which others upload and download.

pub(crate) mod events;
mod signed_url;

use std::error::Error;
use std::fmt;
use std::time::Instant;

use hyper::Method;
use radiosonde::execute;
use radiosonde_hyper_client::{Client, Error as TransportError};

use super::http::{self, Answer};

/// How often a request is made before its caller hears of the failure.
const ATTEMPTS: usize = 5;

pub(crate) struct Storage {
    /// Where the store answers the server.
    pub(crate) base: String,
    /// Where the store answers those who come with a signed URL.
    pub(crate) public_base: String,
    pub(crate) signing_key: &'static str,
    pub(crate) client: Client,
}

impl Storage {
    /// # Errors
    /// When the store does not answer, or has no such object.
    pub(crate) async fn object_size(&self, object_key: &str) -> Result<u64, StorageError> {
        let started = Instant::now();
        let answer = self.persist(Method::GET, &format!("objects/{object_key}?attributes")).await?;
        let size: u64 = text(&answer).parse().map_err(|_| StorageError::Refused(answer.status))?;
        let duration = started.elapsed();
        execute!(events::GET_OBJECT_SIZE, { duration, size }, { object_key });
        Ok(size)
    }

    /// # Errors
    /// When the store does not answer, or has no such object.
    pub(crate) async fn object_as_string(&self, object_key: &str) -> Result<String, StorageError> {
        let started = Instant::now();
        let answer = self.persist(Method::GET, &format!("objects/{object_key}")).await?;
        execute!(events::GET_OBJECT_AS_STRING, { duration: started.elapsed() }, { object_key });
        Ok(text(&answer))
    }

    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn object_exists(&self, object_key: &str) -> Result<bool, StorageError> {
        let started = Instant::now();
        let exists = match self.persist(Method::HEAD, &format!("objects/{object_key}")).await {
            Err(StorageError::Refused(404)) => false,
            other => other.map(|_| true)?,
        };
        execute!(events::CHECK_OBJECT_EXISTENCE, { duration: started.elapsed() }, { object_key });
        Ok(exists)
    }

    /// Removes what a project has stored. It is not tried again: that is its job's business.
    ///
    /// # Errors
    /// When the store does not answer, or refuses.
    pub(crate) async fn delete_all_objects(&self, project_slug: &str) -> Result<(), StorageError> {
        let started = Instant::now();
        self.request(Method::DELETE, &format!("objects/{project_slug}")).await?;
        execute!(events::DELETE_ALL_OBJECTS, { duration: started.elapsed() }, { project_slug });
        Ok(())
    }

    /// A URL with which anybody may download the object for a while.
    pub(crate) fn download_url(&self, object_key: &str) -> String {
        let started = Instant::now();
        let url = self.sign("GET", &format!("objects/{object_key}"), "");
        execute!(events::GENERATE_DOWNLOAD_URL, { duration: started.elapsed() }, { object_key });
        url
    }

    /// Opens an upload in parts, and gives its id.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn start_upload(&self, object_key: &str) -> Result<String, StorageError> {
        let started = Instant::now();
        let answer = self.persist(Method::POST, &format!("objects/{object_key}?uploads")).await?;
        execute!(events::START_UPLOAD, { duration: started.elapsed() }, { object_key });
        Ok(text(&answer))
    }

    /// A URL with which anybody may upload this part for a while.
    pub(crate) fn upload_part_url(
        &self,
        object_key: &str,
        upload_id: &str,
        part_number: u32,
    ) -> String {
        let started = Instant::now();
        let part = format!("uploadId={upload_id}&partNumber={part_number}&");
        let url = self.sign("PUT", &format!("objects/{object_key}"), &part);
        let duration = started.elapsed();
        execute!(events::GENERATE_UPLOAD_PART_URL, { duration }, { object_key, upload_id, part_number });
        url
    }

    /// Makes an object of the parts that were uploaded.
    ///
    /// # Errors
    /// When the store does not answer, or lacks a part.
    pub(crate) async fn complete_upload(
        &self,
        object_key: &str,
        upload_id: &str,
        parts: u32,
    ) -> Result<(), StorageError> {
        let started = Instant::now();
        let path = format!("objects/{object_key}?uploadId={upload_id}&parts={parts}");
        self.persist(Method::POST, &path).await?;
        execute!(events::COMPLETE_UPLOAD, { duration: started.elapsed() }, { object_key, upload_id });
        Ok(())
    }

    fn sign(&self, method: &str, path: &str, query: &str) -> String {
        let query = signed_url::sign(self.signing_key, method, path, query);
        format!("{}/{path}?{query}", self.public_base)
    }

    /// Asks again when the store is overloaded or hangs up.
    async fn persist(&self, method: Method, path: &str) -> Result<Answer, StorageError> {
        for _ in 1..ATTEMPTS {
            match self.request(method.clone(), path).await {
                Err(StorageError::Refused(503) | StorageError::Transport(_)) => {}
                other => return other,
            }
        }
        self.request(method, path).await
    }

    async fn request(&self, method: Method, path: &str) -> Result<Answer, StorageError> {
        let request = http::request(&method, &format!("{}/{path}", self.base), "");
        let answer = http::call(&self.client, request).await.map_err(StorageError::Transport)?;
        if answer.status < 400 { Ok(answer) } else { Err(StorageError::Refused(answer.status)) }
    }
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

/// Why an operation did not come to its end.
#[derive(Debug)]
pub(crate) enum StorageError {
    /// With this status.
    Refused(u16),
    Transport(TransportError),
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status) => write!(f, "the store answered {status}"),
            Self::Transport(error) => error.fmt(f),
        }
    }
}

impl Error for StorageError {}

//! A stub object store: keeps what is uploaded, in parts, and counts what it is asked for.
//!
//! It has two doors. At the inner one is the server, which looks things up; now and then the store is overloaded there, or
//! hangs up. At the public one are those who come with a signed URL.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use parking_lot::Mutex;

use super::canaries;
use super::server::{HungUp, response, serve, serve_and_count};
use super::signature;
use super::tally::{Series, Tally};
use crate::chaos::{injected, services};

/// Objects with this in their key are there without having been uploaded.
const CACHED: &str = "/cas/";

/// Uploads after which one that is not complete is given up.
const OPEN_UPLOADS: u64 = 5_000;

#[derive(Debug)]
pub(crate) struct ObjectStore {
    tally: Arc<Tally>,
    chaos: bool,
    requests: AtomicU64,
    /// How many uploads were ever opened.
    opened: AtomicU64,
    uploads: Mutex<HashMap<String, BTreeMap<u32, Bytes>>>,
    objects: Mutex<HashMap<String, Bytes>>,
}

/// Where the store is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doors {
    pub(crate) inner: SocketAddr,
    pub(crate) public: SocketAddr,
}

impl ObjectStore {
    /// # Errors
    /// When no port can be had.
    pub(crate) async fn start(tally: Arc<Tally>, chaos: bool) -> io::Result<Doors> {
        let store = Arc::new(Self {
            tally: tally.clone(),
            chaos,
            requests: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            uploads: Mutex::default(),
            objects: Mutex::default(),
        });
        let public = store.clone();
        let inner = move |request| {
            let store = store.clone();
            async move { store.answer_server(request).await }
        };
        let connected = move || {
            tally.add("tuist_http_connection_count", &[], 1);
            tally.add("tuist_http_connection_duration_nanoseconds_count", &[], 1);
        };
        let inner = serve_and_count(inner, connected).await?;
        let public = serve(move |request| {
            let store = public.clone();
            async move { store.answer_bearer(request).await }
        });
        Ok(Doors { inner, public: public.await? })
    }

    async fn answer_server(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, HungUp> {
        let started = Instant::now();
        let number = self.requests.fetch_add(1, Relaxed);
        self.count_request(&request);
        tokio::time::sleep(Duration::from_millis(1 + number % 7)).await;
        let (hangs_up, overloaded) = if self.chaos { (30, 8) } else { (90, 40) };
        let fate = if number % hangs_up == 13 {
            injected(&self.tally, services::STORE_HANGS_UP);
            Err(HungUp)
        } else if number % overloaded == 7 {
            injected(&self.tally, services::STORE_OVERLOADED);
            Ok(response(503, "slow down"))
        } else {
            Ok(self.answer(&request))
        };
        self.count_fate(&request, fate.as_ref().ok());
        let took = started.elapsed().as_nanos() as u64;
        self.tally.add("forge_object_store_nanoseconds", &[], took);
        fate
    }

    /// Every request to the inner door went through each of the client's phases, also if nothing comes of it. One that comes again
    /// has its connection already.
    fn count_request(&self, request: &Request<Incoming>) {
        let phases = match self.tally.comes_again(request) {
            false => &["request", "queue", "send", "receive"][..],
            true => {
                self.tally.add("tuist_http_request_retries", &[], 1);
                &["send", "receive"]
            }
        };
        for phase in phases {
            self.tally.add(&format!("tuist_http_{phase}_count"), &[], 1);
            let durations = match *phase {
                "request" => &["request_duration_nanosecond"][..],
                "queue" => &["queue_duration_nanoseconds", "queue_idle_time_nanoseconds"],
                "send" => &["send_duration_nanoseconds"],
                _ => &["receive_duration_nanoseconds"],
            };
            for duration in durations {
                self.tally.add(&format!("tuist_http_{duration}_count"), &[], 1);
            }
        }
    }

    /// Whoever deletes does so in a job, each request being an attempt at it.
    fn count_fate<B>(&self, request: &Request<Incoming>, answer: Option<&Response<B>>) {
        let attempt = |state| {
            let attempts = Series::new("tuist_jobs_attempts_total", &[("state", state)]);
            vec![attempts, Series::new("tuist_jobs_queue_time_milliseconds_count", &[])]
        };
        let is_deletion = request.method() == Method::DELETE;
        let Some(answer) = answer else {
            let failed = if is_deletion { attempt("exception") } else { vec![] };
            return self.tally.hung_up(request, failed);
        };
        if is_deletion {
            let state = if answer.status().is_success() { "stop" } else { "exception" };
            attempt(state).into_iter().for_each(|series| self.tally.add_to(series, 1));
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let uri = request.uri();
        let key = uri.path().trim_start_matches("/objects/");
        let query = uri.query().unwrap_or_default();
        let object_key = [("object_key", key)];
        match (request.method(), query) {
            (&Method::GET, "attributes") => {
                let Some(object) = self.object(key) else { return response(404, "") };
                let size = object.len() as u64;
                self.count("get_object_size", &object_key);
                let sizes = "tuist_storage_get_object_size_size_bytes";
                self.tally.add(&format!("{sizes}_sum"), &object_key, size);
                self.tally.add(&format!("{sizes}_count"), &object_key, 1);
                response(200, size.to_string())
            }
            (&Method::GET, _) => {
                let Some(object) = self.object(key) else { return response(404, "") };
                self.count("get_object_as_string", &object_key);
                response(200, object)
            }
            (&Method::HEAD, _) => {
                self.count("check_object_existence", &object_key);
                response(if self.object(key).is_some() { 200 } else { 404 }, "")
            }
            (&Method::DELETE, _) => {
                let prefix = format!("{key}/");
                self.objects.lock().retain(|stored, _| !stored.starts_with(&prefix));
                self.count("delete_all_objects", &[("project_slug", key)]);
                response(200, "")
            }
            (&Method::POST, "uploads") => {
                let number = self.opened.fetch_add(1, Relaxed);
                let id = format!("upload-{number}");
                let mut uploads = self.uploads.lock();
                uploads.insert(id.clone(), BTreeMap::new());
                if let Some(abandoned) = number.checked_sub(OPEN_UPLOADS) {
                    uploads.remove(&format!("upload-{abandoned}"));
                }
                drop(uploads);
                self.count("multipart_start_upload", &object_key);
                response(200, id)
            }
            (&Method::POST, _) => self.complete(key, query),
            _ => response(405, ""),
        }
    }

    /// Makes an object of an upload's parts, if all are there.
    fn complete(&self, key: &str, query: &str) -> Response<Full<Bytes>> {
        let upload_id = parameter(query, "uploadId");
        let expected: usize = parameter(query, "parts").parse().unwrap_or_default();
        let mut uploads = self.uploads.lock();
        if uploads.get(upload_id).is_none_or(|parts| parts.len() != expected) {
            return response(400, "");
        }
        let parts = uploads.remove(upload_id).unwrap_or_default();
        let object: Vec<u8> = parts.into_values().flatten().collect();
        self.objects.lock().insert(key.to_owned(), object.into());
        let labels = [("object_key", key), ("upload_id", upload_id)];
        self.count("multipart_complete_upload", &labels);
        response(200, "")
    }

    /// Answers those whose URL is signed, and no others.
    async fn answer_bearer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let path = head.uri.path().trim_start_matches('/');
        let query = head.uri.query().unwrap_or_default();
        if !signature::is_good(canaries::SIGNING_KEY, head.method.as_str(), path, query) {
            return Ok(response(403, ""));
        }
        canaries::planted(&self.tally, canaries::SIGNING_KEY, 1);
        let key = path.trim_start_matches("objects/");
        if head.method == Method::GET {
            self.count("generate_download_presigned_url", &[("object_key", key)]);
            return Ok(self
                .object(key)
                .map_or_else(|| response(404, ""), |body| response(200, body)));
        }
        let [upload_id, part] = ["uploadId", "partNumber"].map(|name| parameter(query, name));
        let labels = [("object_key", key), ("part_number", part), ("upload_id", upload_id)];
        self.count("multipart_generate_upload_part_presigned_url", &labels);
        let number = part.parse().unwrap_or_default();
        let stored = self.uploads.lock().get_mut(upload_id).map(|parts| parts.insert(number, body));
        Ok(response(if stored.is_some() { 200 } else { 404 }, ""))
    }

    fn object(&self, key: &str) -> Option<Bytes> {
        let cached = || key.contains(CACHED).then(|| Bytes::from(key.repeat(1 + key.len() % 50)));
        self.objects.lock().get(key).cloned().or_else(cached)
    }

    /// Counts an operation under the names of its metrics, some of which do not follow the others' rule.
    fn count(&self, operation: &str, labels: &[(&str, &str)]) {
        let count = match operation {
            "multipart_start_upload" => "duration_count",
            _ => "count",
        };
        let duration = match operation {
            "get_object_size" => "duration_miliseconds",
            _ => "duration_milliseconds",
        };
        self.tally.add(&format!("tuist_storage_{operation}_{count}"), labels, 1);
        self.tally.add(&format!("tuist_storage_{operation}_{duration}_count"), labels, 1);
    }
}

/// The value of a parameter of a query, empty if it is not there.
fn parameter<'q>(query: &'q str, name: &str) -> &'q str {
    let mut parameters = query.split('&').filter_map(|parameter| parameter.split_once('='));
    parameters.find(|(found, _)| *found == name).map_or("", |(_, value)| value)
}

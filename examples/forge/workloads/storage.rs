//! Workloads of the storage: lookups, downloads, uploads in parts, and the removal of whole projects.

use std::sync::Arc;

use bytes::Bytes;
use fastrand::Rng;
use hyper::Method;
use radiosonde_hyper_client::Client;

use super::pace::panic_on;
use super::{Pace, rng};
use crate::app::http;
use crate::app::jobs::Jobs;
use crate::app::storage::{Storage, StorageError};

/// Projects that store something. As many slugs as this are few enough to have a series each.
const PROJECTS: u32 = 20;

#[derive(Clone)]
pub(crate) struct Uploaders {
    pub(crate) storage: Arc<Storage>,
    /// With which builders use the URLs that they are given; it is not the server's.
    pub(crate) client: Client,
    pub(crate) seed: u64,
}

impl Uploaders {
    /// W8: objects are looked up, downloaded and uploaded, ever new ones.
    pub(crate) async fn operations(self, pace: Pace) {
        let operation = move |turn| {
            let uploaders = self.clone();
            // What the store did not do, it has not counted either.
            async move { drop(uploaders.one_operation(turn).await) }
        };
        pace.turns(16, 300.0, operation).await;
    }

    async fn one_operation(&self, turn: u64) -> Result<(), StorageError> {
        let mut rng = rng(self.seed, 8, turn);
        let project = project(rng.u32(..));
        let key = format!("{project}/cas/{:03}", rng.u32(..400));
        match rng.u32(..10) {
            0..2 => drop(self.storage.object_size(&key).await?),
            2..4 => drop(self.storage.object_as_string(&key).await?),
            4 => drop(self.storage.object_exists(&key).await?),
            5 => drop(self.storage.object_exists(&key.replace("cas", "missing")).await?),
            6..8 => self.use_url(Method::GET, &self.storage.download_url(&key), Bytes::new()).await,
            _ => self.upload(&format!("{project}/previews/{turn}"), &mut rng).await?,
        }
        Ok(())
    }

    async fn upload(&self, key: &str, rng: &mut Rng) -> Result<(), StorageError> {
        let upload_id = self.storage.start_upload(key).await?;
        let parts = rng.u32(1..=8);
        for part in 1..=parts {
            let url = self.storage.upload_part_url(key, &upload_id, part);
            self.use_url(Method::PUT, &url, vec![0; rng.usize(1_024..16_384)].into()).await;
        }
        self.storage.complete_upload(key, &upload_id, parts).await
    }

    /// Every URL is used once, so that the store sees how many there were.
    async fn use_url(&self, method: Method, url: &str, body: Bytes) {
        // A URL that does not arrive is missing from the store's count, and the checks will say so.
        let _ = http::call(&self.client, http::request(&method, url, body)).await;
    }

    /// W11: projects are removed by jobs, which are tried again when the store is overloaded.
    pub(crate) async fn removals(self, pace: Pace, jobs: Jobs) {
        let mut workers = jobs.start(&self.storage);
        let remove = move |turn| {
            let jobs = jobs.clone();
            async move { jobs.delete_project(project(turn as u32)).await }
        };
        pace.turns(8, 50.0, remove).await;
        while let Some(ended) = workers.join_next().await {
            ended.unwrap_or_else(panic_on);
        }
    }
}

fn project(number: u32) -> String {
    format!("project-{:02}", number % PROJECTS)
}

//! The storage's metrics, under the names that Tuist documents.
//!
//! Their tags are keys of objects and ids of uploads, of which there is no end. So each of them has a series limit: the
//! first keys have a series each, and what comes after them is in one more, so that no total is ever short.

use radiosonde::EventName;
use radiosonde_metrics::Unit::{Byte, Millisecond, Nanosecond};
use radiosonde_metrics::{Metric, counter, distribution};

use super::buckets;
use crate::app::storage::events;

/// Series per metric.
const SERIES_LIMIT: usize = 20;

/// An operation, and what is called after it.
pub(crate) struct Operation {
    event: &'static EventName,
    count: &'static str,
    duration: &'static str,
    tags: &'static [&'static str],
    pub(crate) what: &'static str,
}

pub(super) fn metrics() -> Vec<Metric> {
    let mut metrics: Vec<_> = operations().iter().flat_map(Operation::metrics).collect();
    metrics.push(object_size());
    metrics
}

pub(crate) fn object_size() -> Metric {
    distribution("tuist.storage.get_object_size.size.bytes")
        .event(events::GET_OBJECT_SIZE.name())
        .measurement("size")
        .unit(Byte, Byte)
        .tags(["object_key"])
        .series_limit(SERIES_LIMIT)
        .buckets(buckets())
        .description("Size of the objects that were looked up.")
}

/// All names are Tuist's to the letter, also where one does not follow the others.
pub(crate) fn operations() -> [Operation; 8] {
    [
        Operation {
            event: events::GET_OBJECT_SIZE.name(),
            count: "tuist.storage.get_object_size.count",
            duration: "tuist.storage.get_object_size.duration.miliseconds",
            tags: &["object_key"],
            what: "looking up an object's size",
        },
        Operation {
            event: events::DELETE_ALL_OBJECTS.name(),
            count: "tuist.storage.delete_all_objects.count",
            duration: "tuist.storage.delete_all_objects.duration.milliseconds",
            tags: &["project_slug"],
            what: "removing every object of a project",
        },
        Operation {
            event: events::START_UPLOAD.name(),
            count: "tuist.storage.multipart.start_upload.duration.count",
            duration: "tuist.storage.multipart.start_upload.duration.milliseconds",
            tags: &["object_key"],
            what: "opening a multipart upload",
        },
        Operation {
            event: events::GET_OBJECT_AS_STRING.name(),
            count: "tuist.storage.get_object_as_string.count",
            duration: "tuist.storage.get_object_as_string.duration.milliseconds",
            tags: &["object_key"],
            what: "reading a whole object as text",
        },
        Operation {
            event: events::CHECK_OBJECT_EXISTENCE.name(),
            count: "tuist.storage.check_object_existence.count",
            duration: "tuist.storage.check_object_existence.duration.milliseconds",
            tags: &["object_key"],
            what: "looking up whether an object exists",
        },
        Operation {
            event: events::GENERATE_DOWNLOAD_URL.name(),
            count: "tuist.storage.generate_download_presigned_url.count",
            duration: "tuist.storage.generate_download_presigned_url.duration.milliseconds",
            tags: &["object_key"],
            what: "signing a download URL",
        },
        Operation {
            event: events::GENERATE_UPLOAD_PART_URL.name(),
            count: "tuist.storage.multipart.generate_upload_part_presigned_url.count",
            duration: "tuist.storage.multipart.generate_upload_part_presigned_url.duration.milliseconds",
            tags: &["object_key", "part_number", "upload_id"],
            what: "signing the URL of an upload's part",
        },
        Operation {
            event: events::COMPLETE_UPLOAD.name(),
            count: "tuist.storage.multipart.complete_upload.count",
            duration: "tuist.storage.multipart.complete_upload.duration.milliseconds",
            tags: &["object_key", "upload_id"],
            what: "finishing a multipart upload",
        },
    ]
}

impl Operation {
    /// How often, and how long.
    pub(crate) fn metrics(&self) -> [Metric; 2] {
        let Self { event, count, duration, tags, what } = *self;
        let tags = || tags.iter().copied();
        let count = counter(count)
            .event(event)
            .tags(tags())
            .series_limit(SERIES_LIMIT)
            .description(format!("How often it came to {what}."));
        let duration = distribution(duration)
            .event(event)
            .measurement("duration")
            .unit(Nanosecond, Millisecond)
            .tags(tags())
            .series_limit(SERIES_LIMIT)
            .buckets(buckets())
            .description(format!("How long {what} took."));
        [count, duration]
    }
}

//! The event of the bus that both reporters have a rule for.

use std::time::Duration;

use radiosonde::execute;

use crate::delivery::client::Upload;

radiosonde::declare! {
    /// The events of this benchmark.
    static EVENTS;

    /// A preview was uploaded.
    event UPLOAD = "analytics.preview.upload" {
        measurements: {
            /// How large it is.
            size: "byte",
            /// How long it took.
            duration: "second",
        },
        metadata: {
            /// Who uploaded it.
            user_id,
            /// Where it is.
            path,
            /// What it is.
            format,
            /// Whether it was known already.
            is_cached,
        },
    }
}

/// What the bus knows it by.
pub(crate) const NAME_OF_UPLOAD: &str = "analytics.preview.upload";

/// What of it leaves, beside the user.
pub(crate) const PROPERTIES: [&str; 5] = ["path", "format", "size", "duration", "is_cached"];

/// Longer than anything here takes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// One event.
#[inline]
pub(crate) fn execute_upload(upload: &Upload) {
    execute!(
        UPLOAD,
        { size: upload.size, duration: upload.seconds },
        {
            user_id: upload.user.as_str(),
            path: upload.path.as_str(),
            format: upload.format,
            is_cached: upload.is_cached,
        }
    );
}

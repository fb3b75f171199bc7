//! What the storage says: one event for each operation that came to its end.

radiosonde::declare! {
    /// Every event of the storage.
    pub(crate) static EVENTS;

    /// The size of an object was looked up.
    pub(crate) event GET_OBJECT_SIZE = "tuist.storage.get_object_size" {
        measurements: {
            /// How long it took, retries included.
            duration: "nanosecond",
            /// Size of the object.
            size: "byte",
        },
        metadata: {
            /// The object's key.
            object_key,
        },
    }

    /// Everything that a project had stored was removed.
    pub(crate) event DELETE_ALL_OBJECTS = "tuist.storage.delete_all_objects" {
        measurements: {
            /// How long it took.
            duration: "nanosecond",
        },
        metadata: {
            /// The project.
            project_slug,
        },
    }

    /// A whole object was read as text.
    pub(crate) event GET_OBJECT_AS_STRING = "tuist.storage.get_object_as_string" {
        measurements: {
            /// How long it took, retries included.
            duration: "nanosecond",
        },
        metadata: {
            /// The object's key.
            object_key,
        },
    }

    /// It was looked up whether an object exists.
    pub(crate) event CHECK_OBJECT_EXISTENCE = "tuist.storage.check_object_existence" {
        measurements: {
            /// How long it took, retries included.
            duration: "nanosecond",
        },
        metadata: {
            /// The object's key.
            object_key,
        },
    }

    /// A URL was signed with which somebody may download an object.
    pub(crate) event GENERATE_DOWNLOAD_URL = "tuist.storage.generate_download_presigned_url" {
        measurements: {
            /// How long it took.
            duration: "nanosecond",
        },
        metadata: {
            /// The object's key.
            object_key,
        },
    }

    /// An upload in several parts was opened.
    pub(crate) event START_UPLOAD = "tuist.storage.multipart.start_upload" {
        measurements: {
            /// How long it took, retries included.
            duration: "nanosecond",
        },
        metadata: {
            /// The object's key.
            object_key,
        },
    }

    /// A URL was signed with which somebody may upload one part.
    pub(crate) event GENERATE_UPLOAD_PART_URL = "tuist.storage.multipart.generate_upload_part_presigned_url" {
        measurements: {
            /// How long it took.
            duration: "nanosecond",
        },
        metadata: {
            /// The object's key.
            object_key,
            /// The part's number, from 1.
            part_number,
            /// The upload that the part is of.
            upload_id,
        },
    }

    /// The parts of an upload were made into an object.
    pub(crate) event COMPLETE_UPLOAD = "tuist.storage.multipart.complete_upload" {
        measurements: {
            /// How long it took, retries included.
            duration: "nanosecond",
        },
        metadata: {
            /// The object's key.
            object_key,
            /// The upload.
            upload_id,
        },
    }
}

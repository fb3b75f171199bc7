//! Every event that the application executes.

radiosonde::declare! {
    /// What the deployer (`ex_atlas`) and the build server (`tuist`, `analytics`) say.
    pub(crate) static EVENTS;

    /// An attempt at a call to a compute provider was answered.
    pub(crate) family PROVIDER_REQUEST = "ex_atlas.<provider>.request" {
        measurements: {
            /// HTTP status code.
            status,
            /// From the first attempt to get a connection to the last byte of the answer.
            duration: "nanosecond",
        },
        metadata: {
            /// `management`, `runtime` or `graphql`.
            api,
            /// HTTP method, in lower case.
            method,
            /// Which attempt at the call it was, from 1.
            attempt,
            /// The full URL; the GraphQL API wants its key in the query string.
            url: secret,
        },
    }

    /// An attempt at a call to a compute provider was not answered.
    pub(crate) family PROVIDER_TRANSPORT_ERROR = "ex_atlas.<provider>.transport_error" {
        measurements: {
            /// Until the error was known.
            duration: "nanosecond",
        },
        metadata: {
            /// `management`, `runtime` or `graphql`.
            api,
            /// HTTP method, in lower case.
            method,
            /// Which attempt at the call it was, from 1.
            attempt,
            /// The full URL.
            url: secret,
            /// What kind of error it was, as the HTTP client calls it.
            error,
        },
    }

    /// One call to a compute provider, with all its attempts. Ends as an exception if the last of them was not answered.
    pub(crate) span PROVIDER_CALL = "ex_atlas.call" {
        measurements: {
            /// How often it was tried.
            attempts: "attempt",
        },
        metadata: {
            /// The provider.
            provider,
            /// `management`, `runtime` or `graphql`.
            api,
            /// HTTP method, in lower case.
            method,
            /// What the last attempt came to: the class of its status, such as `2xx`, or what kind of error it was.
            outcome,
        },
    }

    /// One call to obtain a Fly token for an app. The token itself is never in an event.
    pub(crate) span TOKEN_ACQUIRE = "ex_atlas.fly.token.acquire" {
        measurements: {},
        metadata: {
            /// The app that the token is for.
            app: identifier,
            /// Where the token was found: `ets` (the cache), `storage`, `config`, `cli`, `manual` or `none`.
            source,
            /// Who found it: `facade` (the caller) or `app_server` (the app's actor).
            acquirer,
        },
    }

    /// One fetch of a page of an app's log. No line of it is ever in an event.
    pub(crate) span LOGS_FETCH = "ex_atlas.fly.logs.fetch" {
        measurements: {},
        metadata: {
            /// The app whose log it is.
            app: identifier,
            /// `ok`, or `http_` and the status code.
            status,
            /// Entries fetched.
            count,
        },
    }

    /// One non-empty output line of a streamed deploy. Its content is not in the event.
    pub(crate) event DEPLOY_LINE = "ex_atlas.fly.deploy.line" {
        measurements: {
            /// Always 1.
            count: "line",
        },
        metadata: {
            /// The deploy's ticket.
            ticket_id: identifier,
        },
    }

    /// The end of a streamed deploy.
    pub(crate) event DEPLOY_EXIT = "ex_atlas.fly.deploy.exit" {
        measurements: {
            /// From the start of the child to its end.
            duration: "nanosecond",
        },
        metadata: {
            /// The deploy's ticket.
            ticket_id: identifier,
            /// `ok`, `timeout`, or `exit_code_` and the code.
            result,
        },
    }

    /// A command run was reported to the build server.
    pub(crate) event RUN_COMMAND = "tuist.run.command" {
        measurements: {
            /// How long the command took, by its own account.
            duration: "nanosecond",
        },
        metadata: {
            /// The command, such as `build` or `test`.
            name,
            /// Whether it ran on a build machine.
            is_ci,
            /// `0` for success, `1` for failure.
            status,
            /// Whose run it was.
            user_id: identifier,
            /// Whether they have asked that nothing is said of them elsewhere.
            do_not_track,
        },
    }

    /// Binary-cache lookups of one run with one outcome; executed for every outcome, also with count 0.
    pub(crate) event CACHE_EVENT = "tuist.cache.event" {
        measurements: {
            /// Lookups.
            count: "lookup",
        },
        metadata: {
            /// `local_hit`, `remote_hit` or `miss`.
            event_type,
        },
    }

    /// An artifact was sent to the binary cache.
    pub(crate) event CACHE_UPLOAD = "analytics.cache_artifact.upload" {
        measurements: {
            /// Size of the artifact.
            size: "byte",
        },
        metadata: {},
    }

    /// An artifact was fetched from the binary cache.
    pub(crate) event CACHE_DOWNLOAD = "analytics.cache_artifact.download" {
        measurements: {
            /// Size of the artifact.
            size: "byte",
        },
        metadata: {},
    }

    /// A preview of an app was uploaded.
    pub(crate) event PREVIEW_UPLOAD = "analytics.preview.upload" {
        measurements: {
            /// Always 1.
            count: "preview",
        },
        metadata: {
            /// Who uploaded it.
            user_id: identifier,
        },
    }

    /// A preview of an app was downloaded.
    pub(crate) event PREVIEW_DOWNLOAD = "analytics.preview.download" {
        measurements: {
            /// Always 1.
            count: "preview",
        },
        metadata: {
            /// Who downloaded it.
            user_id: identifier,
        },
    }

    /// A token could not be refreshed.
    pub(crate) event TOKEN_REFRESH_ERROR = "analytics.authentication.token_refresh.error" {
        measurements: {},
        metadata: {
            /// Version of the client that tried.
            cli_version,
            /// `invalid_token`, or `invalid_token_type` if it was a token of another kind.
            reason,
        },
    }

    /// How many projects there are, asked by a poller.
    pub(crate) event PROJECTS = "tuist.projects.count" {
        measurements: {
            /// Projects.
            total: "project",
        },
        metadata: {},
    }

    /// How many organizations there are, asked by a poller.
    pub(crate) event ORGANIZATIONS = "tuist.accounts.organizations.count" {
        measurements: {
            /// Organizations.
            total: "organization",
        },
        metadata: {},
    }

    /// How many users there are, asked by a poller.
    pub(crate) event USERS = "tuist.accounts.users.count" {
        measurements: {
            /// Users.
            total: "user",
        },
        metadata: {},
    }
}

#[cfg(test)]
mod tests {
    use radiosonde::DeclarationKind;
    use serde_json::Value;

    use super::EVENTS;

    #[test]
    fn the_events_of_ex_atlas_are_declared_with_all_their_keys() {
        let original: Value = serde_json::from_str(include_str!("ex_atlas_events.json")).unwrap();
        for event in original.as_array().unwrap() {
            let declaration = EVENTS.iter().find(|ours| event["event"] == *ours.name()).unwrap();
            let is_span = declaration.kind() == DeclarationKind::Span;
            assert_eq!(event["type"] == "span", is_span, "{event}");
            for key in event["measurements"].as_array().unwrap() {
                assert!(
                    declaration.measurements().iter().any(|field| *key == *field.key()),
                    "{key}"
                );
            }
            for key in event["metadata"].as_array().unwrap() {
                assert!(declaration.metadata().iter().any(|field| *key == *field.key()), "{key}");
            }
        }
    }
}

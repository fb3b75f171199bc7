//! Product analytics, by PostHog and by Snowplow: of everything that happens three kinds of event leave.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use radiosonde_posthog::{Backoff, Options as Sending, PostHog, Report, Status as PostHogStatus};
use radiosonde_snowplow::{Field, Snowplow, Status as SnowplowStatus};

use crate::options::Options;

/// How long a batch waits for more.
const BATCH_DELAY: Duration = Duration::from_secs(1);
/// Records that wait where sinks fail: few, so that there is no room for all of them.
const SMALL_QUEUE: usize = 150;

pub(crate) struct Analytics {
    posthog: PostHog,
    posthog_goes: Goes,
    snowplow: Snowplow,
    snowplow_goes: Goes,
}

/// Where events go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goes {
    /// To the receiver of this program, which can then be asked what has arrived.
    Here(SocketAddr),
    /// To where the environment says.
    Elsewhere,
    /// Nowhere, because the environment says so.
    Nowhere,
}

impl Analytics {
    /// To where the environment says, or else to the receiver.
    ///
    /// # Errors
    /// When a variable cannot be used.
    pub(super) fn start(
        options: &Options,
        receiver: SocketAddr,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let is_patient = options.chaos;
        let sending = move |sending: Sending| {
            let sending = sending.batch_delay(BATCH_DELAY);
            if is_patient { patient(sending) } else { sending }
        };
        let here = format!("http://{receiver}");
        let named = PostHog::from_env("TUIST")?;
        let posthog_is_named = named.is_some();
        let posthog = named
            .unwrap_or_else(|| PostHog::builder("phc_forge", &here))
            .options(sending)
            .rules(posthog_rules())
            .start()?;
        let named = Snowplow::from_env("TUIST")?;
        let snowplow_is_named = named.is_some();
        let snowplow = named
            .unwrap_or_else(|| Snowplow::builder(&here, "forge"))
            .options(sending)
            // So that the receiver finds in the text whatever is in it.
            .base64(false)
            .rules(snowplow_rules())
            .start()?;
        let goes = |is_on, is_named| match (is_on, is_named) {
            (false, _) => Goes::Nowhere,
            (true, true) => Goes::Elsewhere,
            (true, false) => Goes::Here(receiver),
        };
        Ok(Self {
            posthog_goes: goes(posthog.status() == PostHogStatus::On, posthog_is_named),
            snowplow_goes: goes(snowplow.status() == SnowplowStatus::On, snowplow_is_named),
            posthog,
            snowplow,
        })
    }

    /// Where the events of PostHog and of Snowplow go.
    pub(crate) fn goes(&self) -> [Goes; 2] {
        [self.posthog_goes, self.snowplow_goes]
    }

    /// What has become of the events for PostHog and for Snowplow.
    pub(crate) fn reports(&self) -> [Report; 2] {
        [self.posthog.stats(), self.snowplow.stats()]
    }

    pub(super) fn flush(&self, deadline: Duration) {
        // What is not done in time has not arrived, and the checks will say so.
        let _ = self.posthog.flush(deadline);
        let _ = self.snowplow.flush(deadline);
    }
}

impl Goes {
    /// For people; the variable is the one that says where else.
    pub(super) fn describe(self, variable: &str) -> String {
        match self {
            Self::Here(receiver) => format!("http://{receiver}, a receiver of this program"),
            Self::Elsewhere => format!("to where {variable} says"),
            Self::Nowhere => "off, because `DO_NOT_TRACK` is set".to_owned(),
        }
    }
}

/// Never gives up, and keeps little: what is lost is lost because there was no room for it.
fn patient(sending: Sending) -> Sending {
    let backoff = Backoff::new().initial(Duration::from_millis(50)).attempts(1_000);
    sending
        .queue_records(SMALL_QUEUE)
        .request_timeout(Duration::from_secs(1))
        .backoff(backoff.maximum(Duration::from_millis(500)))
}

/// What leaves, and of it these keys alone.
fn posthog_rules() -> [radiosonde_posthog::Rule; 3] {
    use radiosonde_posthog::Rule;
    [
        Rule::event("tuist.run.command")
            .name("run")
            .distinct_id("user_id")
            .properties(["name", "is_ci", "status", "duration"]),
        Rule::event("analytics.preview.upload").name("preview_upload").distinct_id("user_id"),
        Rule::event("analytics.preview.download").name("preview_download").distinct_id("user_id"),
    ]
}

/// The same for Snowplow.
fn snowplow_rules() -> [radiosonde_snowplow::Rule; 3] {
    use radiosonde_snowplow::Rule;
    let preview = |action| {
        Rule::event(format!("analytics.preview.{action}"))
            .structured("preview", action)
            .field(Field::UserId, "user_id")
    };
    [
        Rule::event("tuist.run.command")
            .self_describing("iglu:com.example.forge/run/jsonschema/1-0-0")
            .properties(["name", "is_ci", "status", "duration"])
            .field(Field::UserId, "user_id"),
        preview("upload"),
        preview("download"),
    ]
}

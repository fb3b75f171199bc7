//! Product analytics, by PostHog and by Snowplow: of everything that happens three kinds of event leave.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use radiosonde_posthog::{PostHog, Status as PostHogStatus};
use radiosonde_snowplow::{Field, Snowplow, Status as SnowplowStatus};

/// How long a batch waits for more.
const BATCH_DELAY: Duration = Duration::from_secs(1);

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
    pub(super) fn start(receiver: SocketAddr) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let here = format!("http://{receiver}");
        let named = PostHog::from_env("TUIST")?;
        let posthog_is_named = named.is_some();
        let posthog = named
            .unwrap_or_else(|| PostHog::builder("phc_forge", &here))
            .options(|options| options.batch_delay(BATCH_DELAY))
            .rules(posthog_rules())
            .start()?;
        let named = Snowplow::from_env("TUIST")?;
        let snowplow_is_named = named.is_some();
        let snowplow = named
            .unwrap_or_else(|| Snowplow::builder(&here, "forge"))
            .options(|options| options.batch_delay(BATCH_DELAY))
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

    pub(crate) fn posthog_goes(&self) -> Goes {
        self.posthog_goes
    }

    pub(crate) fn snowplow_goes(&self) -> Goes {
        self.snowplow_goes
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

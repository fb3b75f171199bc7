//! What an operator puts in place beside the application: dashboards for Grafana, and rules for Prometheus. Both are made of
//! the definitions, and of nothing else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use radiosonde_grafana::{Alert, Rules, Series, provider};
use radiosonde_metrics::Definitions;

use crate::dashboard::dashboard;
use crate::definitions::ready_made::Group;
use crate::definitions::{self, atlas};

const MINUTE: Duration = Duration::from_secs(60);

/// Where they are.
#[derive(Debug)]
pub(crate) struct Files {
    /// Grafana's directory `provisioning`, whose dashboards are in the directory beside it.
    pub(crate) provisioning: PathBuf,
    /// One of Prometheus' `rule_files`.
    pub(crate) rules: PathBuf,
}

impl Files {
    /// # Errors
    /// When they cannot be written.
    pub(crate) fn write(directory: &Path, groups: &[Group]) -> io::Result<Self> {
        // Grafana looks from its own directory.
        let directory = std::path::absolute(directory.join("operator"))?;
        let dashboards = directory.join("dashboards");
        dashboard().write(&dashboards)?;
        for Group { metrics, dashboard } in groups {
            let dashboard = dashboard(metrics);
            // Another application may have one of the same crate, with other definitions.
            let uid = dashboard.uid().replace("radiosonde", "forge");
            let title = format!("Forge: {}", dashboard.title());
            dashboard.named(&uid, title).write(&dashboards)?;
        }
        let provisioning = directory.join("provisioning");
        fs::create_dir_all(provisioning.join("dashboards"))?;
        let provider = provider("Forge", &dashboards.display().to_string());
        fs::write(provisioning.join("dashboards/forge.yaml"), provider)?;

        let own = definitions::metrics();
        let mut rules = Rules::new("forge").recordings(&own);
        for group in groups {
            rules = rules.recordings(&group.metrics);
        }
        let all = own.into_iter().chain(groups.iter().flat_map(|group| group.metrics.clone()));
        let rules = rules.alerts(alerts(&all.collect())?).write(directory)?;
        Ok(Self { provisioning, rules })
    }
}

/// What somebody has to be told.
fn alerts(metrics: &Definitions) -> io::Result<Vec<Alert>> {
    let series = |name: &str| {
        let metric = metrics.iter().find(|metric| metric.name() == name);
        let missing =
            || io::Error::other(format!("an alert is about `{name}`, which is not defined"));
        metric.map(Series::of).ok_or_else(missing)
    };
    let [tokens, _, _, lost] = atlas::tokens().map(|metric| Series::of(&metric));
    let lost = lost.rate(&[]).over(tokens.rate(&[]));

    let requests = series("http.server.requests.total")?;
    let failed = requests.clone().matching("status_class", "5xx|none").rate(&["route"]);
    let slow = series("http.server.request.duration.seconds")?.quantile(0.99, &["route"]);

    let attempts = series("job.run.total")?;
    let discarded = attempts.clone().matching("state", "discarded").rate(&["job"]);
    let queued = series("job.queue_time.seconds")?.quantile(0.9, &["queue"]);

    let timeouts = series("database.pool.checkout.timeouts.total")?.rate(&["pool"]);

    // The storage's metrics run out of series, as they are meant to.
    let [_, skipped] = Alert::about_store();
    Ok(vec![
        Alert::new("ForgeIsGone", series("process.uptime.seconds")?.absent())
            .lasting(MINUTE)
            .label("severity", "page")
            .summary("Nothing is heard of forge"),
        Alert::new("TokensAreLost", lost.above(0.01))
            .lasting(MINUTE)
            .label("severity", "page")
            .summary("{{ $value | humanizePercentage }} of the tokens that were asked for are not obtained"),
        Alert::new("RequestsFail", failed.over(requests.rate(&["route"])).above(0.05))
            .lasting(MINUTE)
            .label("severity", "page")
            .summary("{{ $value | humanizePercentage }} of the requests to {{ $labels.route }} fail"),
        Alert::new("RequestsAreSlow", slow.above(5.0))
            .lasting(MINUTE)
            .label("severity", "ticket")
            .summary("One in a hundred requests to {{ $labels.route }} takes {{ $value | humanizeDuration }}"),
        Alert::new("JobsAreGivenUp", discarded.over(attempts.rate(&["job"])).above(0.01))
            .label("severity", "ticket")
            .summary("{{ $labels.job }} is not done, whatever is tried"),
        Alert::new("JobsWait", queued.above(300.0))
            .lasting(MINUTE)
            .label("severity", "ticket")
            .summary("Jobs of {{ $labels.queue }} wait for {{ $value | humanizeDuration }}: more workers?"),
        Alert::new("DatabasePoolIsTooSmall", timeouts.above(0.1))
            .lasting(MINUTE)
            .label("severity", "ticket")
            .summary("There are no connections to be had from {{ $labels.pool }}"),
        skipped,
    ])
}

//! A run, from start to self-check.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use radiosonde_hyper_client::Client;
use radiosonde_poller::Poller;
use tokio::sync::watch;

use crate::app::http::POOL_SIZE;
use crate::app::logs::Logs;
use crate::app::parts::Parts;
use crate::app::polls;
use crate::app::providers::Provider;
use crate::app::repo;
use crate::app::storage::Storage;
use crate::app::token_chain::Chain;
use crate::app::tokens::{Token, Tokens};
use crate::app::tuist;
use crate::chaos::{self, Chaos, tokens};
use crate::options::Options;
use crate::reporters::Reporters;
use crate::summary;
use crate::workloads::atlas::{CONFIGURED_APP, Deployer, MANUAL_APP, STORED_APP};
use crate::workloads::churn::Churn;
use crate::workloads::memory::{self, Memory};
use crate::workloads::scrapers::{Scrapes, scrapes};
use crate::workloads::storage::Uploaders;
use crate::workloads::tuist::Builders;
use crate::workloads::{Pace, database, panic_on, rng};
use crate::world::database::Database;
use crate::world::fly_logs::FlyLogs;
use crate::world::object_store::{Doors, ObjectStore};
use crate::world::receiver::Receiver;
use crate::world::tally::Tally;
use crate::world::{canaries, children, providers};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What the summary is made of, beside the reporters.
pub(crate) struct World {
    pub(crate) tally: Arc<Tally>,
    pub(crate) fly_logs: Arc<FlyLogs>,
    pub(crate) receiver: Arc<Receiver>,
    pub(crate) cli_ledger: PathBuf,
    pub(crate) deploy_ledger: PathBuf,
    providers: Vec<(&'static str, SocketAddr)>,
    tuist: SocketAddr,
    object_store: Doors,
    database: Arc<Database>,
    pub(crate) churn: Arc<Churn>,
    pub(crate) scrapes: Arc<Mutex<Scrapes>>,
    pub(crate) memory: Arc<Mutex<Memory>>,
    /// `None`: nothing fails but what fails in every run.
    pub(crate) chaos: Option<Chaos>,
}

/// Works, and says whether every check held.
///
/// # Errors
/// When something cannot be started.
pub(crate) async fn run(options: Options) -> Result<bool> {
    make_directory(&options.directory)?;
    let (receiver, address) = Receiver::start().await?;
    let chaos = match options.chaos {
        true => Some(Chaos::start(&options, address).await?),
        false => None,
    };
    let analytics = chaos.as_ref().map_or(address, Chaos::receiver);
    let (world, parts) = World::start(&options, receiver, chaos).await?;
    // Before anything happens.
    let reporters = Reporters::start(&options, &parts, analytics)?;

    let mut out = io::stdout();
    let seconds = options.length.as_secs();
    let how = if options.chaos { ", in chaos" } else { "" };
    writeln!(
        out,
        "forge works for {seconds} s with seed {}{how}; Ctrl-C ends it early",
        options.seed
    )?;
    for (what, place) in reporters.places() {
        writeln!(out, "  {what:<10} {place}")?;
    }

    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        // Without a handler, Ctrl-C ends the process, which is all that can be done then.
        while tokio::signal::ctrl_c().await.is_ok() {
            stop.send_replace(true);
        }
    });
    let started = Instant::now();
    let pace = Pace::start(options.length, stopped.clone());
    world.work(&options, parts, &reporters, pace).await?;
    let holds = summary::print(&mut out, &options, &world, &reporters, started.elapsed()).await?;
    if options.serve {
        writeln!(out, "serving until Ctrl-C")?;
        tokio::signal::ctrl_c().await?;
    }
    Ok(holds)
}

/// How long the command line tool may take.
const TOOL_TIMEOUT: Duration = Duration::from_secs(15);

/// Where the deployer keeps the tokens that it was issued.
fn token_storage(options: &Options) -> PathBuf {
    options.directory.join("tokens")
}

/// Makes the directory, without what an earlier process of the same number has left in it.
fn make_directory(directory: &Path) -> Result<()> {
    let made = match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(directory.join("tokens")),
    };
    let place = directory.display();
    made.map_err(|error| {
        format!(
            "cannot make the directory `{place}` ({error}); give another place with `--directory`"
        )
        .into()
    })
}

impl World {
    async fn start(
        options: &Options,
        receiver: Arc<Receiver>,
        chaos: Option<Chaos>,
    ) -> Result<(Self, Parts)> {
        let tally = Arc::new(Tally::default());
        let fly_logs = Arc::new(FlyLogs::new(tally.clone(), options.chaos));
        let mut started = Vec::new();
        for (number, name) in providers::NAMES.into_iter().enumerate() {
            let logs = (name == "fly").then(|| fly_logs.clone());
            let rng = rng(options.seed, 0, number as u64);
            started.push((
                name,
                providers::start(name, tally.clone(), rng, logs, options.chaos).await?,
            ));
        }
        let object_store = ObjectStore::start(tally.clone(), options.chaos).await?;
        let database = Database::start(tally.clone(), options.chaos).await?;
        let parts = Parts::new(database.1);
        let world = Self {
            tally,
            fly_logs,
            receiver,
            cli_ledger: options.directory.join("cli.ledger"),
            deploy_ledger: options.directory.join("deploys.ledger"),
            providers: started,
            tuist: tuist::start(parts.server.clone()).await?,
            object_store,
            database: database.0,
            churn: Churn::start()?,
            scrapes: Arc::default(),
            memory: Arc::default(),
            chaos,
        };
        Ok((world, parts))
    }

    /// All workloads at once, until each has had its turns.
    async fn work(
        &self,
        options: &Options,
        parts: Parts,
        reporters: &Reporters,
        pace: Pace,
    ) -> Result<()> {
        let Parts { deployer_client, client, server_client, repo, jobs, .. } = parts;
        let lifetime = (options.length / 6).clamp(Duration::from_secs(1), Duration::from_secs(5));
        let deployer = self.deployer(options, &deployer_client, lifetime)?;
        let builders = Builders {
            base: format!("http://{}", self.tuist),
            client: client.clone(),
            tally: self.tally.clone(),
            seed: options.seed,
        };
        let uploaders = Uploaders {
            storage: Arc::new(self.storage(server_client.clone())),
            client,
            seed: options.seed,
        };
        let pollers = database::poll(&repo, &server_client)?;
        let deploys_per_second = 12.0 / options.length.as_secs_f64();
        let trouble = self
            .chaos
            .as_ref()
            .map(|chaos| chaos.workloads(&deployer, token_storage(options), reporters, &pace));
        let workloads = [
            tokio::spawn(deployer.clone().token_herds(pace.clone(), lifetime)),
            tokio::spawn(deployer.clone().token_reads(pace.clone())),
            tokio::spawn(deployer.clone().provider_calls(pace.clone())),
            tokio::spawn(deployer.clone().log_fetches(pace.clone())),
            tokio::spawn(deployer.deploys(pace.clone(), deploys_per_second)),
            tokio::spawn(builders.clone().runs(pace.clone())),
            tokio::spawn(builders.clone().transfers(pace.clone())),
            tokio::spawn(uploaders.clone().operations(pace.clone())),
            tokio::spawn(database::bursts(repo.clone(), pace.clone())),
            tokio::spawn(builders.refreshes(pace.clone())),
            tokio::spawn(uploaders.removals(pace.clone(), jobs)),
            tokio::spawn(self.churn.clone().come_and_go(pace.clone())),
            tokio::spawn(memory::watch(self.memory.clone(), pace.clone())),
            tokio::spawn(scrapes(reporters.metrics_url(), self.scrapes.clone(), pace)),
        ];
        for workload in workloads.into_iter().chain(trouble.unwrap_or_default()) {
            workload.await.unwrap_or_else(panic_on);
        }
        // A poller waits for what it is measuring, and that for this runtime.
        tokio::task::spawn_blocking(|| pollers.map(Poller::shutdown))
            .await
            .unwrap_or_else(panic_on)
            .into_iter()
            .collect::<std::result::Result<(), _>>()?;
        // Now that all is quiet, it is known what the last values have to be.
        polls::accounts(&repo).await?;
        database::settle(&repo, &self.database, &self.tally).await?;
        repo.watcher().execute();
        server_client.execute_pool_events();
        Ok(())
    }

    fn storage(&self, client: Client) -> Storage {
        Storage {
            base: format!("http://{}", self.object_store.inner),
            public_base: format!("http://{}", self.object_store.public),
            signing_key: canaries::SIGNING_KEY,
            client,
        }
    }

    fn deployer(&self, options: &Options, client: &Client, lifetime: Duration) -> Result<Deployer> {
        let program = std::env::current_exe()?;
        let tokens = Arc::new(Tokens::new(self.token_chain(options, lifetime, program.clone())?));
        let provider = |&(name, address)| {
            Provider::new(name, format!("http://{address}"), canaries::API_KEY, client.clone())
        };
        let providers =
            self.providers.iter().map(provider).collect::<std::result::Result<_, _>>()?;
        let fly = self.providers.iter().find(|(name, _)| *name == "fly");
        let (_, fly) = fly.ok_or("`fly` is not among the providers")?;
        let logs = Logs { base: format!("http://{fly}"), client: client.clone() };
        Ok(Deployer {
            tokens,
            logs: Arc::new(logs),
            providers,
            tally: self.tally.clone(),
            seed: options.seed,
            program,
            deploy_ledger: self.deploy_ledger.clone(),
        })
    }

    fn token_chain(&self, options: &Options, lifetime: Duration, cli: PathBuf) -> Result<Chain> {
        let storage = token_storage(options);
        let token = |app: &str| format!("{}-{app}", canaries::TOKEN);
        let tomorrow = SystemTime::now().duration_since(UNIX_EPOCH)? + Duration::from_secs(86_400);
        fs::write(
            storage.join(STORED_APP),
            format!("{} {}", token(STORED_APP), tomorrow.as_nanos()),
        )?;
        let entered = |app: &str| HashMap::from([(app.to_owned(), Token::new(&token(app)))]);
        let delay = rng(options.seed, 1, 0).u64(50..=300);
        let arguments = vec![
            "--fake-cli".to_owned(),
            format!("--ledger={}", self.cli_ledger.display()),
            format!("--lifetime={}", lifetime.as_millis()),
            format!("--delay={delay}"),
        ];
        Ok(Chain {
            storage,
            config: entered(CONFIGURED_APP),
            cli: (cli, arguments),
            cli_timeout: if options.chaos { tokens::TOOL_TIMEOUT } else { TOOL_TIMEOUT },
            manual: [MANUAL_APP, tokens::RENEWED_APP].into_iter().flat_map(entered).collect(),
        })
    }

    /// Adds what the children wrote down to what the servers counted.
    pub(crate) fn count_children(&self) {
        for (lines, result) in children::read_deploys(&self.deploy_ledger) {
            chaos::deploys::wrote(&self.tally, lines, &result);
            self.tally.add("atlas_deploy_lines", &[], lines);
            self.tally.add("atlas_deploy_exit_total", &[("result", &result)], 1);
            canaries::planted(&self.tally, canaries::DEPLOY_BEARER, lines.div_ceil(6));
        }
        for failure in children::read_failures(&self.cli_ledger) {
            chaos::injected(&self.tally, &failure);
        }
        let said = children::read_endless(&self.deploy_ledger);
        self.tally.add(chaos::deploys::SAID, &[], said);
        canaries::planted(&self.tally, canaries::DEPLOY_BEARER, said);
        let issued = children::read_issued(&self.cli_ledger).len() as u64;
        canaries::planted(&self.tally, canaries::TOKEN, issued);
    }

    /// Adds what there is to be seen now that all is quiet: what the stubs hold, and nobody waiting or being served.
    pub(crate) fn count_what_is_left(&self) {
        let database = &self.database;
        let connections = database.connections();
        let pool = &[("pool", repo::NAME)][..];
        let left: [(_, &[_], _); 12] = [
            ("tuist_projects_total", &[], database.rows("projects")),
            ("tuist_accounts_organizations_total", &[], database.rows("organizations")),
            ("tuist_accounts_users_total", &[], database.rows("users")),
            ("tuist_repo_pool_ready_conn_count", &[], connections),
            ("tuist_repo_pool_checkout_queue_length", &[], 0),
            ("tuist_http_queue_available_connections", &[], POOL_SIZE as u64),
            ("tuist_http_queue_in_use_connections", &[], 0),
            ("http_server_requests_in_flight", &[], 0),
            ("database_pool_size", pool, connections),
            ("database_pool_connections_ready", pool, connections),
            ("database_pool_connections_in_use", pool, 0),
            ("database_pool_checkout_queue_length", pool, 0),
        ];
        for (metric, labels, amount) in left {
            self.tally.add(metric, labels, amount);
        }
    }
}

//! A service in a process of its own, which the driver sends requests to.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::contenders::Contender;
use super::service::Recorded;

/// The child's side: serves until standard input tells how many requests there were, and fails
/// unless the contender has counted as many.
///
/// One thread serves: a second would have the CPU that the driver needs.
pub(crate) fn serve(contender: Contender) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let service = (contender.start)()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        writeln!(io::stdout(), "{}", listener.local_addr()?)?;
        tokio::spawn(axum::serve(listener, service.router.clone()).into_future());
        let (tell, told) = oneshot::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            // Without a driver there is no line, and the process ends as well.
            let _ = io::stdin().lock().read_line(&mut line);
            tell.send(line)
        });
        let requests = told.await?.trim().parse()?;
        match service.recorded() {
            Some(recorded) if recorded != (Recorded { requests, durations: requests }) => {
                Err(format!("`{}` had {requests} requests: {recorded:?}", contender.name).into())
            }
            _ => Ok(()),
        }
    })
}

/// The driver's side of such a process.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    requests: ChildStdin,
    pub(crate) address: SocketAddr,
    clock: ClockId,
}

impl Server {
    pub(crate) fn start(contender: Contender) -> Result<Self, Box<dyn Error>> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--serve", contender.name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(requests), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("a child without pipes".into());
        };
        let mut line = String::new();
        BufReader::new(answers).read_line(&mut line)?;
        let address = line.trim().parse()?;
        let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(process.id())?))?;
        Ok(Self { process, requests, address, clock })
    }

    /// The time of all threads of the process so far, in the kernel as well.
    pub(crate) fn cpu_time(&self) -> Result<Duration, Box<dyn Error>> {
        Ok(self.clock.now()?.into())
    }

    /// Lets the process end, and checks that it has counted so many requests.
    pub(crate) fn stop(self, made: u64) -> Result<(), Box<dyn Error>> {
        let Self { mut process, mut requests, .. } = self;
        writeln!(requests, "{made}")?;
        drop(requests);
        let status = process.wait()?;
        if status.success() { Ok(()) } else { Err(format!("a child ended with {status}").into()) }
    }
}

//! The command line: `warmgate [run]`, `warmgate check`, `warmgate lineup`, `warmgate healthcheck`,
//! `warmgate status`, `warmgate top`, `warmgate demo`, `warmgate simulate`.

mod channels;
mod healthcheck;
mod running;
mod simulate;
mod status;

use std::ffi::OsString;
use std::future::Future;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;
use std::{fs, io};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use warmgate::config::{Config, LogFormat};
use warmgate::ffmpeg::launcher;
use warmgate::proxy::explain::{Sender, explain};
use warmgate::service_manager::Sockets;
use warmgate::{app, demo, telemetry};

/// It gives memory back to the system when a crowd has left (docs/decisions/38-peers-that-do-not-read.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The exit code for a configuration with errors, the same as clap's for a command line with errors.
const BAD_CONFIG: u8 = 2;

/// Live TV that changes channel at once, in front of a Jellyfin nobody had to modify.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    file: File,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway (so does `warmgate` alone)
    Run(File),
    /// Check the configuration and report all errors
    Check {
        #[command(flatten)]
        file: File,
        /// Show which of clients.rules match a request, and what applies to its client: a file with its first line and its
        /// header fields, or - for standard input
        #[arg(long, value_name = "REQUEST")]
        explain: Option<PathBuf>,
        /// The address that the request to explain comes from
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", requires = "explain")]
        peer: IpAddr,
        /// The name or id of the user who sends it
        #[arg(long, value_name = "USER", requires = "explain")]
        user: Option<String>,
    },
    /// Show the channels of the provider's playlists, and the problems of the playlists
    Lineup {
        #[command(flatten)]
        file: File,
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Ask the gateway that runs with this configuration whether it works: it does even while Jellyfin is down
    Healthcheck(File),
    /// Show what the gateway that runs with this configuration does: streams, viewers, tuners and the last zaps
    Status {
        #[command(flatten)]
        file: File,
        /// Print the state as JSON instead
        #[arg(long)]
        json: bool,
    },
    /// The same, again every second
    Top(File),
    /// Run the demonstration: test channels, the gateway, and a page with a player
    Demo(demo::Args),
    /// Try the gateway's rules on generated and recorded viewers
    #[command(subcommand)]
    Simulate(simulate::Simulation),
    /// Become FFmpeg, and end with the process that started it
    #[command(name = launcher::SUBCOMMAND, hide = true, disable_help_flag = true)]
    Ffmpeg {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

#[derive(clap::Args)]
struct File {
    /// The configuration file; environment variables such as WARMGATE__UPSTREAM__URL override its keys
    #[arg(long, value_name = "FILE", default_value = "gateway.yaml")]
    config: PathBuf,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command.unwrap_or(Command::Run(cli.file)) {
        Command::Run(file) => with_config(&file, |config| report(run(&file, config))),
        Command::Check { file, explain, peer, user } => with_config(&file, |config| match explain {
            Some(request) => report(explained(&config, &request, &Sender { peer, user })),
            None => check(&file, &config),
        }),
        Command::Lineup { file, json } => {
            with_config(&file, |config| exit(block_on(async { Ok(channels::show(&config, json).await) })))
        }
        Command::Healthcheck(file) => with_config(&file, |config| report(say_health(&config))),
        Command::Status { file, json } => {
            with_config(&file, |config| report(block_on(async { status::show(&config, json).await })))
        }
        Command::Top(file) => {
            with_config(&file, |config| report(block_on(async { status::follow(&config).await })))
        }
        Command::Demo(args) => report(demonstrate(args)),
        Command::Simulate(simulation) => report(simulate::run(simulation)),
        // The gateway that started it reads this message from standard error, as it reads FFmpeg's.
        Command::Ffmpeg { arguments } => report(Err(launcher::become_ffmpeg(&arguments).into())),
    }
}

fn with_config(file: &File, then: impl FnOnce(Config) -> ExitCode) -> ExitCode {
    match Config::load(&file.config) {
        Ok(config) => then(config),
        Err(errors) => {
            eprintln!("{errors}");
            ExitCode::from(BAD_CONFIG)
        }
    }
}

fn check(file: &File, config: &Config) -> ExitCode {
    exit(block_on(async {
        let said = channels::check(config).await;
        said.iter().for_each(|said| eprintln!("{said}"));
        if let Some(files) = &config.tls {
            let tls = app::tls(files)?;
            if tls.expires_soon(SystemTime::now()) {
                eprintln!("{}: expires within two weeks, or has expired", files.certificate.display());
            }
        }
        app::upstream_tls(&config.upstream)?;
        println!("{}: ok", file.config.display());
        Ok(ExitCode::SUCCESS)
    }))
}

fn explained(config: &Config, request: &Path, sender: &Sender) -> anyhow::Result<()> {
    let head = if request == Path::new("-") {
        io::read_to_string(io::stdin()).context("standard input")?
    } else {
        fs::read_to_string(request).with_context(|| request.display().to_string())?
    };
    for said in explain(config, &head, sender).with_context(|| request.display().to_string())? {
        println!("{said}");
    }
    Ok(())
}

fn say_health(config: &Config) -> anyhow::Result<()> {
    println!("{}", block_on(healthcheck::ask(config))?);
    Ok(())
}

fn run(file: &File, config: Config) -> anyhow::Result<()> {
    // Before there is any other thread.
    let sockets = Sockets::inherited()?;
    let format = match config.log.format {
        LogFormat::Text => telemetry::Format::Text,
        LogFormat::Json => telemetry::Format::Json,
    };
    let level = telemetry::init(&config.log.level, format)?;
    block_on(async { Ok(app::run(config, file.config.clone(), level, sockets).await?) })
}

fn demonstrate(args: demo::Args) -> anyhow::Result<()> {
    telemetry::init("warn", telemetry::Format::Text)?;
    block_on(async { Ok(demo::run(args).await?) })
}

fn block_on<T>(task: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("the runtime cannot be started")?.block_on(task)
}

fn report(result: anyhow::Result<()>) -> ExitCode {
    exit(result.map(|()| ExitCode::SUCCESS))
}

fn exit(result: anyhow::Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("warmgate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

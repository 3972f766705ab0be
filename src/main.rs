//! The command line: `warmgate [run]`, `warmgate check`, `warmgate demo`, `warmgate simulate`.

mod simulate;

use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use warmgate::config::{Config, LogFormat};
use warmgate::ffmpeg::launcher;
use warmgate::{app, demo, telemetry};

/// Exit code for a configuration with errors, as for a command line with errors.
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
    /// Tell everything that is wrong with the configuration
    Check(File),
    /// Show a zap: test channels, the gateway, and a page with a player
    Demo(demo::Args),
    /// Try the gateway's rules on simulated and recorded viewers
    #[command(subcommand)]
    Simulate(simulate::Simulation),
    /// Become FFmpeg, and end with whoever started it
    #[command(name = launcher::SUBCOMMAND, hide = true, disable_help_flag = true)]
    Ffmpeg {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

#[derive(clap::Args)]
struct File {
    /// The configuration; each of its keys can be set in the environment too (WARMGATE__UPSTREAM__URL)
    #[arg(long, value_name = "FILE", default_value = "gateway.yaml")]
    config: PathBuf,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command.unwrap_or(Command::Run(cli.file)) {
        Command::Run(file) => with_config(&file, run),
        Command::Check(file) => with_config(&file, |_| {
            println!("{}: ok", file.config.display());
            ExitCode::SUCCESS
        }),
        Command::Demo(args) => report(demonstrate(args)),
        Command::Simulate(simulation) => report(simulate::run(simulation)),
        // The gateway that started it reads this as FFmpeg's own words.
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

fn run(config: Config) -> ExitCode {
    let format = match config.log.format {
        LogFormat::Text => telemetry::Format::Text,
        LogFormat::Json => telemetry::Format::Json,
    };
    let logging = telemetry::init(&config.log.level, format).map_err(anyhow::Error::from);
    report(logging.and_then(|()| block_on(async { Ok(app::run(config).await?) })))
}

fn demonstrate(args: demo::Args) -> anyhow::Result<()> {
    telemetry::init("warn", telemetry::Format::Text)?;
    block_on(async { Ok(demo::run(args).await?) })
}

fn block_on(task: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("the runtime cannot be started")?.block_on(task)
}

fn report(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("warmgate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

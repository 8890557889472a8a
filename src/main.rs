//! The program: reads its arguments and its configuration, then does what it is told.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use backstop::app::{self, Stopped, files};
use backstop::cli::{self, Cli, Command, ServeArgs};
use backstop::config::{self, Environment, Faults, FoundServer, Loaded, Source, presets};
use backstop::upstream::discovery;
use backstop::{demo, explain, telemetry, timers};
use clap::Parser as _;
use tokio::runtime::Builder;

/// Gives back what a load has taken, within seconds; glibc keeps it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What a shell says of a program that was interrupted.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let environment = config::environment();
    match Cli::parse().into_command() {
        Command::Serve(arguments) => serve(&arguments, &environment),
        Command::Check(arguments) => tell_and_exit(cli::check(&arguments, &environment)),
        Command::Explain(arguments) => tell_and_exit(explain::explain(&arguments, &environment)),
        Command::Demo(arguments) => with_runtime(async move || match demo::run(&arguments).await {
            Ok(demo::Ended::Shown) => ExitCode::SUCCESS,
            Ok(demo::Ended::Interrupted) => INTERRUPTED.into(),
            Err(error) => could_not_start(&error),
        }),
        Command::Schema => {
            print(config::schema());
            ExitCode::SUCCESS
        }
        Command::Health(arguments) => match cli::health(&arguments, &environment) {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => could_not_start(&reason),
        },
    }
}

fn serve(arguments: &ServeArgs, environment: &Environment) -> ExitCode {
    let log = telemetry::init();
    files::allow_many();
    with_runtime(async || {
        let loaded = match load(arguments, environment).await {
            Ok(loaded) => loaded,
            Err(faults) => {
                log.flush();
                eprint!("{faults}");
                return cli::BAD_CONFIG.into();
            }
        };
        tell(&loaded);
        match app::serve(Arc::new(loaded.runtime)).await {
            Ok(Stopped::Drained(_)) => ExitCode::SUCCESS,
            Ok(Stopped::AtOnce) => INTERRUPTED.into(),
            Err(error) => {
                log.flush();
                could_not_start(&error)
            }
        }
    })
}

async fn load(arguments: &ServeArgs, environment: &Environment) -> Result<Loaded, Faults> {
    let overrides = arguments.overrides();
    if let Some(source) = Source::locate(arguments.config.as_deref(), environment) {
        return config::load(&source, environment, &overrides);
    }
    let local: Vec<_> = presets::local_servers().map(|preset| (preset.name, preset.base_url)).collect();
    let found = discovery::local_servers(&local).await;
    let found: Vec<_> =
        found.into_iter().map(|server| FoundServer { preset: server.name, models: server.models }).collect();
    config::without_file(environment, &overrides, Some(&found))
}

/// Says what the configuration is and what is odd about it.
fn tell(loaded: &Loaded) {
    if let Some(path) = &loaded.path {
        tracing::info!("configuration: {}", path.display());
    }
    for note in &loaded.notes {
        tracing::info!("{note}");
    }
    for warning in &loaded.warnings {
        tracing::warn!(place = warning.place, hint = warning.hint, "{}", warning.message);
    }
}

fn with_runtime(main: impl AsyncFnOnce() -> ExitCode) -> ExitCode {
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let code = timers::block_on(&runtime, main());
            // A name look-up that hangs has a thread of its own, and nobody waits for it any more.
            runtime.shutdown_background();
            code
        }
        Err(error) => could_not_start(&error),
    }
}

/// Prints a report, or what is wrong where the code is not 0.
fn tell_and_exit((report, code): (String, u8)) -> ExitCode {
    if code == 0 {
        print(&report);
    } else {
        eprint!("{report}");
    }
    code.into()
}

/// Prints what was asked for. A reader that has seen enough, like `head`, is no failure.
fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

fn could_not_start(error: &dyn Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

//! What a request costs, compared with nginx in front of the same provider: `cargo bench`.
//!
//! ```text
//! cargo bench -- [--short] [--rounds N] [--seconds N] [--only NAME,…] [--against ADDRESS[,PID]]
//! ```
//!
//! The provider, the load and whoever is measured share this machine. Each measure is taken in rounds, in each
//! of them from every proxy in turn, so that what disturbs the machine disturbs all of them; the table has the
//! medians. `--short` only shows that everything works. The README beside it says what the figures mean.

#![expect(clippy::cast_precision_loss, reason = "they are figures for people")]

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

mod client;
mod load;
mod measures;
mod proc;
mod proxies;
mod table;
mod tls;
mod upstream;

use measures::{Measure, Scale};
use proxies::{Kind, Proxy};
use table::Table;

struct Arguments {
    rounds: usize,
    only: Vec<String>,
    scale: Scale,
    against: Vec<Kind>,
}

fn main() -> ExitCode {
    let arguments = match arguments(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!(
                "{problem}\nusage: cargo bench -- [--short] [--rounds N] [--seconds N] [--only NAME,…] [--against ADDRESS[,PID]]"
            );
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(bench(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let full = Scale { time: Duration::from_secs(5), streams: 4500, waiting: 10_000 };
    let mut arguments = Arguments { rounds: 5, only: Vec::new(), scale: full, against: Vec::new() };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` wants a value"));
        match word.as_str() {
            // What cargo adds.
            "--bench" => {}
            "--short" => {
                arguments.rounds = 1;
                arguments.scale = Scale { time: Duration::from_millis(300), streams: 200, waiting: 200 };
            }
            "--rounds" => arguments.rounds = value()?.parse().map_err(|_| "`--rounds` wants a number")?,
            "--seconds" => {
                let seconds = value()?.parse().map_err(|_| "`--seconds` wants a number")?;
                arguments.scale.time = Duration::from_secs(seconds);
            }
            "--only" => arguments.only = value()?.split(',').map(str::to_owned).collect(),
            "--against" => {
                let value = value()?;
                let (address, pid) = value
                    .split_once(',')
                    .map_or((value.as_str(), None), |(address, pid)| (address, pid.parse().ok()));
                let address: SocketAddr = address.parse().map_err(|_| "`--against` wants an address")?;
                arguments.against.push(Kind::Other(address, pid));
            }
            other => return Err(format!("unknown argument `{other}`")),
        }
    }
    Ok(arguments)
}

async fn bench(arguments: &Arguments) -> std::io::Result<()> {
    let binary = proxies::binary();
    let upstream = upstream::start()?;
    let folder = tempfile::tempdir()?;
    let mut kinds = vec![Kind::Direct];
    if proxies::nginx_binary().is_some() {
        kinds.push(Kind::Nginx);
    } else {
        eprintln!("nginx is not here, so nothing is compared with it; `apt-get install nginx` brings it");
    }
    kinds.push(Kind::Backstop);
    kinds.extend(arguments.against.iter().cloned());
    let mut table = Table::default();
    let chosen = |measure: &Measure| arguments.only.is_empty() || arguments.only.contains(&measure.name());
    for measure in Measure::ALL.into_iter().filter(chosen) {
        for round in 0..arguments.rounds {
            for kind in kinds.iter().filter(|kind| measure.fits(kind)) {
                let proxy = Proxy::start(
                    kind,
                    measure.setup(),
                    &measure.models(&arguments.scale),
                    upstream,
                    folder.path(),
                )?;
                let sample = measure.run(&arguments.scale, &proxy).await;
                let figures: Vec<_> =
                    sample.iter().map(|(name, value)| format!("{name} {value:.2}")).collect();
                eprintln!(
                    "{} {}/{} {}: {}",
                    measure.name(),
                    round + 1,
                    arguments.rounds,
                    kind.name(),
                    figures.join(", ")
                );
                table.note(&measure.name(), &kind.name(), sample);
            }
        }
    }
    let size = std::fs::metadata(binary)?.len();
    let names: Vec<_> = kinds.iter().map(Kind::name).collect();
    println!("{}\nbinary: {:.1} MB", table.markdown(&names), size as f64 / 1e6);
    Ok(())
}

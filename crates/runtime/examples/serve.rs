//! A runtime of its own, confined: `cargo run -p runtime --example serve -- MODEL SOCKET [EXAMPLES]`.
//!
//! With `FREE=1` in the environment it is not confined; with `WEIGHTS_SHA256` the model must have that digest;
//! `N_THREADS` are the threads of one call. Log lines go to standard error.

use std::process::ExitCode;

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    let mut arguments = std::env::args_os().skip(1);
    let (Some(model), Some(socket)) = (arguments.next(), arguments.next()) else {
        return ExitCode::from(2);
    };
    let mut settings = runtime::Settings::new(model.into(), socket.into());
    settings.examples = arguments.next().map(Into::into);
    settings.weights_sha256 = std::env::var("WEIGHTS_SHA256").ok().and_then(|digest| digest.parse().ok());
    settings.n_threads =
        std::env::var("N_THREADS").ok().and_then(|n| n.parse().ok()).unwrap_or(settings.n_threads);
    let policy = sandbox::Policy::for_runtime(settings.files_read(), 8 << 30);
    let confine = || -> Result<(), sandbox::Error> {
        if std::env::var_os("FREE").is_none() {
            let report = sandbox::confine(&policy)?;
            report.layers().iter().for_each(|(layer, standing)| tracing::info!("{layer}: {standing}"));
        }
        Ok(())
    };
    let Err(error) = runtime::run(&settings, confine) else { return ExitCode::SUCCESS };
    let mut causes = vec![error.to_string()];
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        causes.push(next.to_string());
        cause = next.source();
    }
    tracing::error!(hint = error.hint(), "{}", causes.join(": "));
    ExitCode::FAILURE
}

//! `reenact runtime`: the process of one endpoint. It confines itself before it looks at the model.
//!
//! Invariant: no thread is started before the process is confined, since a thread would stay free.

use runtime::{Search, Settings};
use sandbox::Policy;

use crate::args::local::Runtime;
use crate::commands::ExitStatus;
use crate::environment;
use crate::error::Error;
use crate::logging::{self, Format};

pub fn run(args: Runtime) -> anyhow::Result<ExitStatus> {
    logging::start("info,ort=warn", Format::Text)?;
    let settings = Settings {
        n_threads: args.threads,
        examples: args.examples,
        external_data: args.external_data,
        weights_sha256: args.weights_sha256,
        onnxruntime: Search { library: args.onnxruntime, site_packages: environment::site_packages() },
        ..Settings::new(args.model, args.socket)
    };
    let policy = Policy::for_runtime(settings.files_read(), args.memory_bytes);
    let allow_unsandboxed = args.allow_unsandboxed;
    runtime::run(&settings, || confine(&policy, allow_unsandboxed))?;
    Ok(ExitStatus::Success)
}

fn confine(policy: &Policy, allow_unsandboxed: bool) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let report = sandbox::confine(policy)?;
    let gaps: Vec<String> = report.gaps().map(|(layer, standing)| format!("{layer} is {standing}")).collect();
    for gap in &gaps {
        tracing::info!("sandbox: {gap}");
    }
    match report.holds_foreign_code() || allow_unsandboxed {
        true => Ok(()),
        false => Err(Error::Unconfined(gaps.join("; ")).into()),
    }
}

//! A runtime of a handler, whose worker is not confined: `serve_python HANDLER SOCKET ROW|ROWS [EXAMPLES]`.
//!
//! The handler takes rows of two FP32 numbers and gives an FP64 number. `PYTHON` is the interpreter, and
//! `MEMORY_BYTES` what a worker may hold; a call has three seconds.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use runtime::{Python, Settings};
use spec::handler::Takes;
use spec::schema::Schema;
use spec::tensor::{Datatype, TensorSpec};

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    let mut arguments = std::env::args_os().skip(1);
    let (Some(handler), Some(socket)) = (arguments.next(), arguments.next()) else {
        return ExitCode::from(2);
    };
    let handler = PathBuf::from(handler);
    let takes = if arguments.next().is_some_and(|word| word == "rows") { Takes::Rows } else { Takes::Row };
    let tensor =
        |name: &str, datatype, shape: &[i64]| TensorSpec { name: name.into(), datatype, shape: shape.into() };
    let python = Python {
        folder: handler.parent().unwrap_or(Path::new("/")).to_owned(),
        object: "predict".into(),
        takes,
        schema: Schema {
            inputs: vec![tensor("numbers", Datatype::Fp32, &[-1, 2])],
            outputs: vec![tensor("output", Datatype::Fp64, &[-1])],
            ..Schema::default()
        },
        launcher: vec![std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into())],
        call_timeout: Duration::from_secs(3),
        load_timeout: Duration::from_secs(60),
        memory_bytes: std::env::var("MEMORY_BYTES")
            .ok()
            .and_then(|bytes| bytes.parse().ok())
            .unwrap_or(4 << 30),
        scratch: std::env::temp_dir(),
    };
    let mut settings = Settings::new(handler, socket.into());
    settings.python = Some(python);
    settings.examples = arguments.next().map(Into::into);
    let Err(error) = runtime::run(&settings, || Ok::<_, std::io::Error>(())) else {
        return ExitCode::SUCCESS;
    };
    let mut causes = vec![error.to_string()];
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        causes.push(next.to_string());
        cause = next.source();
    }
    tracing::error!("{}", causes.join(": "));
    ExitCode::FAILURE
}

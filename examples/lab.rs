//! Runs a command (default: a shell) beside a private systemd manager: `lab [COMMAND [ARGS…]]`.

use std::error::Error;
use std::process::ExitCode;

use rollctl::lab::Lab;

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("lab: {error}");
        ExitCode::FAILURE
    })
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let lab = Lab::start()?;
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().unwrap_or_else(|| "sh".into());
    eprintln!(
        "lab: units go to {}; output to {}",
        lab.unit_dir().display(),
        lab.log_dir().display()
    );
    let status = lab.command(program).args(arguments).env("LAB", lab.dir()).status();
    let code = status?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

//! `rollctl`: restarts systemd services one by one, without losing a request.

fn main() -> std::process::ExitCode {
    rollctl::ctl::cli::main()
}

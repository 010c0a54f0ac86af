//! `sshctl config`: asks the daemon's program about the configuration, so that both always agree on what is right.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::json;
use sshmcp_proto::endpoint::{DAEMON_VARIABLE, Paths};
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;
use tokio::process::Command;

use crate::args::ConfigVerb;
use crate::context::Context;
use crate::error::{Failure, exit_code};

/// Does what the verb says.
pub(crate) async fn run(verb: ConfigVerb, context: &Context) -> Result<u8, Failure> {
    let path = Paths::find(context.global.config.as_deref(), None)?.config;
    let out = &context.out;
    match verb {
        ConfigVerb::Import(args) => super::import::run(args, context).await,
        ConfigVerb::Path => {
            if out.is_json() {
                out.json(&json!({"path": path.to_string_lossy(), "exists": path.exists()}))?;
            } else {
                out.line(&path.to_string_lossy())?;
            }
            Ok(0)
        }
        ConfigVerb::Schema => {
            let (good, text) = ask_program(&["--config-schema".into()]).await?;
            if !good {
                return Err(
                    Fault::new(Reason::Internal, format!("sshmcpd told no schema: {text}"))
                        .hint("install sshctl and sshmcpd of one version")
                        .into(),
                );
            }
            // A schema is JSON already.
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(text.as_bytes())?;
            Ok(0)
        }
        ConfigVerb::Check => {
            let mut question: Vec<OsString> = vec!["--check-config".into()];
            // A file that nobody named need not be there.
            if let Some(named) = &context.global.config {
                question.extend(["--config".into(), named.into()]);
            }
            let (good, text) = ask_program(&question).await?;
            if out.is_json() {
                let problems: Vec<&str> = if good { Vec::new() } else { text.lines().collect() };
                out.json(&json!({"path": path.to_string_lossy(), "valid": good, "problems": problems}))?;
            } else {
                out.text(&text)?;
            }
            Ok(if good { 0 } else { exit_code(Reason::ConfigInvalid) })
        }
    }
}

/// Runs the daemon's program with a question; tells whether it succeeded, and what it printed.
pub(super) async fn ask_program(question: &[OsString]) -> Result<(bool, String), Failure> {
    let program = program();
    let output = Command::new(&program)
        .args(question)
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|error| {
            Fault::new(
                Reason::DaemonUnavailable,
                format!("{} could not be run: {error}", program.display()),
            )
            .hint(format!(
                "install sshmcpd beside sshctl or in PATH, or name it by {DAEMON_VARIABLE}"
            ))
        })?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        text.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    Ok((output.status.success(), text))
}

/// The daemon's executable: as named, else beside ours, else in PATH; as `client::connect` finds it.
fn program() -> PathBuf {
    if let Some(named) = std::env::var_os(DAEMON_VARIABLE).filter(|named| !named.is_empty()) {
        return named.into();
    }
    std::env::current_exe()
        .ok()
        .and_then(|own| own.canonicalize().ok())
        .map(|own| own.with_file_name("sshmcpd"))
        .filter(|beside| beside.is_file())
        .unwrap_or_else(|| PathBuf::from("sshmcpd"))
}

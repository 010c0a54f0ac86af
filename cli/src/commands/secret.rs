//! `sshctl secret`: puts a person's secrets into the system's keyring, where the configuration names them. Shows none.

use std::io::{self, IsTerminal as _, Read as _};

use serde_json::json;
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;

use crate::args::SecretVerb;
use crate::context::Context;
use crate::error::{Failure, exit_code};
use crate::{keyring, sanitise, terminal};

/// Longest secret that is read from a pipe.
const SECRET_MAX: u64 = 64 << 10; // 64 KiB

/// Stores, removes, or looks whether there is one.
pub(crate) async fn run(verb: SecretVerb, context: &Context) -> Result<u8, Failure> {
    let out = &context.out;
    let (SecretVerb::Set { name } | SecretVerb::Remove { name } | SecretVerb::Check { name }) = &verb;
    keyring::check(name)?;
    let shown = sanitise::line(name);
    let (is_there, words) = match &verb {
        SecretVerb::Set { name } => {
            let secret = read(&shown).await?;
            if secret.is_empty() {
                return Err(
                    Fault::new(Reason::InvalidArgument, "nothing was typed; nothing was stored").into(),
                );
            }
            keyring::store(name, &secret)?;
            (true, format!("stored; use it as {{ keyring = \"{shown}\" }}"))
        }
        SecretVerb::Remove { name } => {
            let words = if keyring::remove(name)? {
                format!("{shown} is removed")
            } else {
                format!("there is no {shown}")
            };
            (false, words)
        }
        SecretVerb::Check { name } if keyring::is_there(name)? => (true, format!("{shown} is there")),
        SecretVerb::Check { .. } => (false, format!("there is no {shown}")),
    };
    if out.is_json() {
        out.json(&json!({"name": name, "stored": is_there}))?;
    } else {
        out.line(&words)?;
    }
    let is_missed = matches!(verb, SecretVerb::Check { .. }) && !is_there;
    Ok(if is_missed { exit_code(Reason::NotFound) } else { 0 })
}

/// From the person's terminal, or the first line of what is piped in.
async fn read(name: &str) -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        return terminal::ask_secret(&format!("secret {name}: ")).await;
    }
    let mut text = String::new();
    io::stdin().take(SECRET_MAX).read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

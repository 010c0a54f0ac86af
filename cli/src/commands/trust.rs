//! `sshctl trust`: shows a host's key to a person, who compares it and says yes. Nothing else says yes.

use serde_json::json;
use sshmcp_proto::client::Daemon;
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::{
    HostKey, HostRef, Reason, ScanHostKeyRequest, ScanHostKeyResponse, TrustHostKeyRequest,
    TrustHostKeyResponse,
};

use crate::args::TrustArgs;
use crate::context::{Context, host_ref};
use crate::error::{Failure, exit_code};
use crate::output::{Entry, Output, Tone};
use crate::{randomart, sanitise, terminal};

/// Looks at the key, asks, and has it written down.
pub(crate) async fn run(args: TrustArgs, context: &Context) -> Result<u8, Failure> {
    let out = &context.out;
    let daemon = context.daemon().await?;
    let host = host_ref(&args.host, &args.login);
    let request = ScanHostKeyRequest {
        host: Some(host.clone()),
    };
    let scan = daemon.hosts().scan_host_key(request).await?.into_inner();
    let key = scan
        .key
        .clone()
        .ok_or_else(|| Fault::new(Reason::Internal, "the daemon answered without a key"))?;
    match scan.state.as_str() {
        "trusted" => {
            if out.is_json() {
                out.json(&json!({"host": args.host, "state": "trusted", "fingerprint": key.fingerprint, "added": false}))?;
            } else {
                show(&scan, &key, out)?;
                out.line("This key is trusted already.")?;
            }
            return Ok(0);
        }
        "unknown" => {}
        // What is remembered alone gives way to what a person says; a file's does not.
        "changed" if scan.known_hosts_file.is_empty() => {}
        _ => return Err(refuse(&args.host, &scan, &key).into()),
    }
    if let Some(expected) = &args.fingerprint {
        if *expected != key.fingerprint {
            return Err(Fault::new(
                Reason::HostKeyChanged,
                format!(
                    "{} answered with {}, not with {expected}",
                    args.host, key.fingerprint
                ),
            )
            .hint("ask the host's owner which one is right; nothing was trusted")
            .into());
        }
    } else if out.is_json() {
        return Err(Fault::new(
            Reason::HostKeyUnknown,
            format!(
                "the {} key of {} is not known: {}",
                key.algorithm, scan.known_hosts_name, key.fingerprint
            ),
        )
        .hint("compare it with the host's owner, then give it by --fingerprint")
        .into());
    } else {
        show(&scan, &key, out)?;
        if !asked(&key.fingerprint).await? {
            out.line("Nothing was trusted.")?;
            return Ok(exit_code(Reason::HostKeyUnknown));
        }
    }
    accept(&daemon, host, &key, &args.host, out).await
}

async fn accept(
    daemon: &Daemon,
    host: HostRef,
    key: &HostKey,
    name: &str,
    out: &Output,
) -> Result<u8, Failure> {
    let request = TrustHostKeyRequest {
        host: Some(host),
        fingerprint: key.fingerprint.clone(),
    };
    let TrustHostKeyResponse {
        known_hosts_file,
        added,
    } = daemon.hosts().trust_host_key(request).await?.into_inner();
    if out.is_json() {
        out.json(&json!({
            "host": name, "state": "trusted", "fingerprint": key.fingerprint, "added": added,
            "known_hosts_file": known_hosts_file,
        }))?;
    } else if added && known_hosts_file.is_empty() {
        out.line("Trusted until the daemon ends: ssh_config has no file for its key.")?;
    } else if added {
        out.line(&format!("Trusted; written to {known_hosts_file}."))?;
    } else {
        out.line("It was trusted already.")?;
    }
    Ok(0)
}

fn show(scan: &ScanHostKeyResponse, key: &HostKey, out: &Output) -> Result<(), Failure> {
    out.pairs(vec![
        ("host", Entry(scan.known_hosts_name.clone(), Tone::Strong)),
        ("algorithm", key.algorithm.clone().into()),
        ("fingerprint", Entry(key.fingerprint.clone(), Tone::Strong)),
    ])?;
    if scan.state == "changed" {
        out.line(&format!("ANOTHER KEY WAS KNOWN: {}", scan.known))?;
    }
    let title = randomart::title(&key.openssh).unwrap_or_else(|| "HOST KEY".to_owned());
    if let Some(picture) = randomart::picture(&key.fingerprint, &title) {
        out.text(&picture)?;
    }
    Ok(())
}

/// The person's answer: yes, no, or the fingerprint itself, as ssh has it.
async fn asked(fingerprint: &str) -> Result<bool, Failure> {
    let mut question = "\
Compare this with what the host's owner says (there: `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`).
Trust this key (yes/no/fingerprint)? "
        .to_owned();
    loop {
        let answer = terminal::ask(&question).await?;
        let answer = answer.trim();
        if answer.eq_ignore_ascii_case("yes") || answer == fingerprint {
            return Ok(true);
        }
        if answer.is_empty() || answer.eq_ignore_ascii_case("no") {
            return Ok(false);
        }
        "Please type 'yes', 'no' or the fingerprint: ".clone_into(&mut question);
    }
}

/// A key that is not the known one: what to do, and nothing to say yes to.
fn refuse(host: &str, scan: &ScanHostKeyResponse, key: &HostKey) -> Fault {
    let name = sanitise::line(&scan.known_hosts_name);
    if scan.state == "revoked" {
        return Fault::new(
            Reason::HostKeyChanged,
            format!(
                "the {} key of {name}, {}, is revoked in {}",
                key.algorithm, key.fingerprint, scan.known
            ),
        )
        .hint(format!(
            "do not log in to {host}; ask its owner why it still uses a revoked key"
        ));
    }
    Fault::new(
        Reason::HostKeyChanged,
        format!(
            "{name} answers with the {} key {}, but {}",
            key.algorithm, key.fingerprint, scan.known
        ),
    )
    .hint(format!(
        "if its owner confirms the new key, remove the old one with `ssh-keygen -R '{name}'` and run this again"
    ))
}

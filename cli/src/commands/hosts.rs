//! `sshctl hosts`: what can be named, and what its owner says about it.

use serde_json::{Value, json};
use sshmcp_proto::v1::{Host, ListHostsRequest, ListHostsResponse};

use crate::args::HostsArgs;
use crate::commands::status::problems;
use crate::context::Context;
use crate::error::Failure;
use crate::output::{Entry, Output, Tone};
use crate::view;

/// Lists the hosts, or shows one.
pub(crate) async fn run(args: HostsArgs, context: &Context) -> Result<u8, Failure> {
    let one = args.host.is_some();
    let request = ListHostsRequest { host: args.host };
    let answer = context.daemon().await?.hosts().list_hosts(request).await?;
    let ListHostsResponse {
        hosts,
        config_problems,
        config_path,
    } = answer.into_inner();
    let out = &context.out;
    if out.is_json() {
        out.json(&json!({
            "hosts": hosts.iter().map(view::host_json).collect::<Vec<Value>>(),
            "config_problems": config_problems, "config_path": config_path,
        }))?;
        return Ok(0);
    }
    match hosts.first() {
        Some(host) if one => show(host, out)?,
        _ => {
            let rows = hosts.iter().map(row).collect();
            let empty =
                format!("no hosts yet: add one to {config_path} or ~/.ssh/config, or just name user@host");
            out.table(
                &["NAME", "ADDRESS", "JUMP", "SOURCE", "TAGS", "DESCRIPTION"],
                rows,
                &empty,
            )?;
        }
    }
    problems(&config_problems, out)?;
    Ok(0)
}

fn row(host: &Host) -> Vec<Entry> {
    let about = if host.problem.is_empty() {
        Entry(view::short(&host.description, 80), Tone::Plain)
    } else {
        Entry(host.problem.clone(), Tone::Bad)
    };
    vec![
        Entry(host.name.clone(), Tone::Strong),
        address(host).into(),
        host.jump.join(", ").into(),
        Entry(host.source.clone(), Tone::Faint),
        host.tags.join(", ").into(),
        about,
    ]
}

fn address(host: &Host) -> String {
    let user = if host.user.is_empty() {
        String::new()
    } else {
        format!("{}@", host.user)
    };
    let port = if host.port == 22 || host.port == 0 {
        String::new()
    } else {
        format!(":{}", host.port)
    };
    format!("{user}{}{port}", host.hostname)
}

/// Who read ssh_config for it.
fn resolver(host: &Host) -> String {
    match host.resolved_by.as_str() {
        "built-in" => "read by the built-in parser: no OpenSSH client is installed".to_owned(),
        "none" => "there is none".to_owned(),
        "" => String::new(),
        program => format!("read by {program}"),
    }
}

fn show(host: &Host, out: &Output) -> Result<(), Failure> {
    out.pairs(vec![
        ("name", Entry(host.name.clone(), Tone::Strong)),
        ("address", address(host).into()),
        ("jump", host.jump.join(", ").into()),
        ("description", host.description.clone().into()),
        ("tags", host.tags.join(", ").into()),
        ("policy", host.policy.clone().into()),
        ("source", host.source.clone().into()),
        ("ssh_config", resolver(host).into()),
        ("problem", Entry(host.problem.clone(), Tone::Bad)),
    ])?;
    if !host.notes.is_empty() {
        out.line("")?;
        out.text(&host.notes)?;
    }
    Ok(())
}

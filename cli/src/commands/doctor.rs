//! `sshctl doctor`: what is missing, slow or unsafe here and on hosts, with what to do. Changes nothing.

use serde_json::json;
use sshmcp_proto::endpoint::home;
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::ExamineHostRequest;

use crate::args::DoctorArgs;
use crate::context::{Context, host_ref};
use crate::doctor::{Findings, Level, clients, files, here, host, tools};
use crate::error::Failure;

/// Looks, and exits by the worst that was found.
pub(crate) async fn run(args: DoctorArgs, context: &Context) -> Result<u8, Failure> {
    let out = &context.out;
    let mut local = Findings::default();
    let daemon = here::look(context, &mut local).await;
    if let Ok(home) = home() {
        files::look(&home, &mut local);
        clients::look(&home, &mut local);
    }
    tools::look(&mut local).await;
    let mut worst = local.worst();
    let mut all = local.json(None);
    if !out.is_json() {
        local.show(out)?;
    }
    if let (Some(name), Some(daemon)) = (&args.host, &daemon) {
        if !out.is_json() {
            out.line("")?;
            out.note(&format!("looking at {name}; this takes some seconds"))?;
        }
        let mut findings = Findings::default();
        let request = ExamineHostRequest {
            host: Some(host_ref(name, &args.login)),
        };
        match daemon.hosts().examine_host(request).await {
            Ok(answer) => host::judge(name, &answer.into_inner(), &mut findings),
            Err(status) => {
                let fault = Fault::from(status).for_people();
                findings.problem("reached", fault.message, fault.hint);
            }
        }
        worst = worst.max(findings.worst());
        all.extend(findings.json(Some(name)));
        if !out.is_json() {
            findings.show(out)?;
        }
    }
    if out.is_json() {
        out.json(&json!({"worst": worst.word(), "findings": all}))?;
    } else if worst == Level::Ok {
        out.line("Nothing is wrong.")?;
    }
    Ok(worst.exit_code())
}

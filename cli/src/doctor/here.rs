//! This machine: the daemon, its socket, state and configuration.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use sshmcp_proto::client::Daemon;
use sshmcp_proto::endpoint::{Paths, SOCKET_PATH_MAX, Socket};
use sshmcp_proto::v1::{GetStatusRequest, GetStatusResponse, ReloadRequest};

use super::{Findings, files};
use crate::context::Context;
use crate::view;

/// Free bytes below which the state directory soon has no room for output, and below which it has none.
const FREE_LOW: u64 = 2 << 30; // 2 GiB, what all output may take unless configured otherwise
const FREE_NONE: u64 = 64 << 20; // 64 MiB, what one command's output may take

/// Looks at everything here; the daemon comes back where it can be talked to.
pub(crate) async fn look(context: &Context, findings: &mut Findings) -> Option<Daemon> {
    let daemon = match context.daemon().await {
        Ok(daemon) => Some(daemon),
        Err(fault) => {
            let fault = fault.for_people();
            findings.problem("daemon", fault.message, fault.hint);
            None
        }
    };
    let mut status = None;
    if let Some(daemon) = &daemon {
        // What was written a moment ago is looked at, too; its problems come with the status.
        let _read = daemon.daemon().reload(ReloadRequest {}).await;
        match daemon.daemon().get_status(GetStatusRequest {}).await {
            Ok(answer) => status = Some(answer.into_inner()),
            Err(error) => findings.problem("daemon", error.message(), "sshctl daemon restart"),
        }
    }
    if let Some(status) = &status {
        running(status, findings);
    }
    socket(context, findings);
    if let Ok(paths) = Paths::find(context.global.config.as_deref(), None) {
        config(&paths.config, status.as_ref(), findings);
        let state = status
            .as_ref()
            .map_or(paths.state, |status| status.state_dir.clone().into());
        self::state(&state, findings);
    }
    clock(findings);
    super::tools::agent(
        status.as_ref().map(|status| status.agent_socket.as_str()),
        findings,
    )
    .await;
    daemon
}

fn running(status: &GetStatusResponse, findings: &mut Findings) {
    let own = env!("CARGO_PKG_VERSION");
    let words = format!(
        "sshmcpd {} runs as process {}, up {}",
        status.version,
        status.pid,
        view::duration(status.uptime_seconds.max(1).saturating_mul(1000))
    );
    if status.version == own {
        findings.ok("daemon", words);
    } else {
        findings.warning(
            "daemon",
            format!("{words}; this sshctl is {own}"),
            "install one version of all three programs, then `sshctl daemon restart` (it ends open sessions)",
        );
    }
}

fn socket(context: &Context, findings: &mut Findings) {
    let socket = match Socket::find(context.global.socket.as_deref()) {
        Ok(socket) => socket,
        Err(fault) => return findings.problem("socket", fault.message, fault.hint),
    };
    let path = socket.path();
    let length = path.as_os_str().len();
    let directory = path.parent().unwrap_or(Path::new("/"));
    let of_directory = |bits| files::not_ours(directory, bits);
    if let Some((seen, todo)) = of_directory(0o022).or_else(|| files::not_ours(path, 0o177)) {
        findings.problem("socket", seen, todo);
    } else if let Some((seen, todo)) = of_directory(0o077) {
        findings.warning("socket", seen, todo);
    } else {
        findings.ok(
            "socket",
            format!(
                "{} (ours alone; {length} of {SOCKET_PATH_MAX} bytes)",
                path.display()
            ),
        );
    }
}

fn config(path: &Path, status: Option<&GetStatusResponse>, findings: &mut Findings) {
    let mut good = true;
    for problem in status.iter().flat_map(|status| &status.config_problems) {
        findings.problem("configuration", problem, "sshctl config check");
        good = false;
    }
    if let Some((seen, todo)) = files::others_may(path, 0o022, "change") {
        findings.problem("configuration", seen, todo);
    } else if let Some((seen, todo)) = files::others_may(path, 0o044, "read") {
        findings.warning("configuration", seen, todo);
    } else if good {
        let there = if path.exists() {
            ""
        } else {
            " (not there, and not needed)"
        };
        findings.ok("configuration", format!("{}{there}", path.display()));
    }
}

fn state(path: &Path, findings: &mut Findings) {
    if !path.exists() {
        return findings.ok("state", format!("{} is not there yet", path.display()));
    }
    if let Some((seen, todo)) = files::not_ours(path, 0o077) {
        findings.problem("state", seen, todo);
    }
    let Ok(room) = rustix::fs::statvfs(path) else {
        return findings.problem(
            "state",
            format!("the disk of {} cannot be looked at", path.display()),
            format!("look at it with `df {}`", path.display()),
        );
    };
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let seen = format!("{} free for output in {}", view::bytes(free), path.display());
    let todo = "make room, or name another place by SSHMCP_STATE_DIR; output that finds no room is dropped and counted";
    match free {
        0..FREE_NONE => findings.problem("disk", seen, todo),
        FREE_NONE..FREE_LOW => findings.warning("disk", seen, todo),
        FREE_LOW.. => findings.ok("disk", seen),
    }
}

/// Nothing here is younger than now.
fn clock(findings: &mut Findings) {
    let built = std::env::current_exe()
        .and_then(fs::metadata)
        .map(|found| SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(found.mtime()).unwrap_or(0)));
    let now = SystemTime::now();
    if built.is_ok_and(|built| built > now + Duration::from_secs(60)) {
        findings.problem(
            "clock",
            "this machine's clock is behind the time at which sshctl was installed",
            "set it; certificates and logs need it right",
        );
    } else {
        findings.ok("clock", "not before the time at which sshctl was installed");
    }
}

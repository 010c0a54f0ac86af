//! Stub of the resolved host; replaced by the configuration's.
#![allow(missing_docs)]
use std::{fmt, path::PathBuf, time::Duration};

use sshmcp_proto::error::Fault;

use crate::secret::Secret;

#[derive(Clone, Debug)]
pub enum AgentSource {
    Default,
    None,
    Path(PathBuf),
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKeyPolicy {
    Ask,
    AcceptNew,
    Strict,
}
#[derive(Clone, Debug)]
pub enum SecretSource {
    Literal(Secret),
}
impl SecretSource {
    pub async fn resolve(&self) -> Result<Secret, Fault> {
        let Self::Literal(secret) = self;
        Ok(secret.clone())
    }
}
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TargetKey(String);
impl fmt::Display for TargetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
#[derive(Clone, Debug)]
pub struct Target {
    pub alias: String,
    pub user: String,
    pub hostname: String,
    pub port: u16,
    pub jump: Vec<Target>,
    pub identities: Vec<PathBuf>,
    pub identities_only: bool,
    pub identity_agent: AgentSource,
    pub password: Option<SecretSource>,
    pub host_key_policy: HostKeyPolicy,
    pub host_key_alias: Option<String>,
    pub user_known_hosts: Vec<PathBuf>,
    pub global_known_hosts: Vec<PathBuf>,
    pub connect_timeout: Duration,
    pub keepalive: Option<(Duration, u32)>,
}
impl Target {
    pub fn key(&self) -> TargetKey {
        let mut key = format!("{}@{}:{}", self.user, self.hostname, self.port);
        for hop in self.jump.iter().rev() {
            key.push_str(&format!(" via {}@{}:{}", hop.user, hop.hostname, hop.port));
        }
        TargetKey(key)
    }
}

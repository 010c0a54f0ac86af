//! Stub of the configuration; replaced by the real one.
#![allow(missing_docs)]
use sshmcp_proto::error::Fault;

use crate::secret::Secret;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKeyPolicy {
    Ask,
    AcceptNew,
    Strict,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Auto,
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

//! Remembers what names were resolved to for a short time: asking `ssh -G` costs more than a command.

use std::{
    collections::HashMap,
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use sshmcp_proto::error::Fault;

use super::HostCall;
use crate::{
    config::{Config, ConfigStore},
    host::{self, Target},
};

/// An included file or a `Match exec` may change without notice; no answer is older than this.
const KEPT: Duration = Duration::from_secs(20);
/// Names remembered; more are asked for again.
const NAMES_MAX: usize = 512;

type Query = (
    String,
    Option<String>,
    Option<u32>,
    Option<String>,
    Option<String>,
);

struct Answer {
    target: Target,
    config: Arc<Config>,
    changed: Option<SystemTime>,
    at: Instant,
}

#[derive(Default)]
pub(super) struct Resolved(Mutex<HashMap<Query, Answer>>);

impl Resolved {
    pub(super) async fn get(&self, store: &Arc<ConfigStore>, call: &HostCall) -> Result<Target, Fault> {
        let overrides = &call.overrides;
        let config = &store.current();
        let query = (
            call.host.clone(),
            overrides.username.clone(),
            overrides.port,
            overrides.key_filename.clone(),
            overrides.hostname.clone(),
        );
        let changed = fs::metadata(config.home.join(".ssh").join("config"))
            .and_then(|metadata| metadata.modified())
            .ok();
        let plain = overrides.password.is_none();
        if plain {
            let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(answer) = answers.get(&query)
                && answer.at.elapsed() < KEPT
                && answer.changed == changed
                && Arc::ptr_eq(&answer.config, config)
            {
                return Ok(answer.target.clone());
            }
        }
        store.refresh().await;
        let config = &store.current();
        let target = host::resolve(config, &call.host, overrides).await?;
        if plain {
            let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if answers.len() >= NAMES_MAX {
                answers.clear();
            }
            let answer = Answer {
                target: target.clone(),
                config: config.clone(),
                changed,
                at: Instant::now(),
            };
            answers.insert(query, answer);
        }
        Ok(target)
    }
}

//! `Debug` of the messages that carry secrets: names and sizes, never what they hold.

use std::fmt;

use crate::v1::{ExecuteRequest, FileAccess, FileContent, FileEdit, HostRef, SendInputRequest};

impl fmt::Debug for HostRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostRef")
            .field("host", &self.host)
            .field("username", &self.username)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ExecuteRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecuteRequest")
            .field("host", &self.host)
            .field("session", &self.session)
            .field("command_bytes", &self.command.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SendInputRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendInputRequest").finish_non_exhaustive()
    }
}

impl fmt::Debug for FileAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileAccess")
            .field("host", &self.host)
            .field("path", &self.path)
            .field("sudo", &self.sudo)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for FileContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileContent")
            .field("bytes", &self.data.len())
            .field("mode", &self.mode)
            .finish()
    }
}

impl fmt::Debug for FileEdit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileEdit")
            .field("old_bytes", &self.old_text.len())
            .field("new_bytes", &self.new_text.len())
            .field("all", &self.all)
            .finish()
    }
}

//! `read_file`: a file of a host, or a piece of it.

use schemars::JsonSchema;
use serde::Deserialize;
use sshmcp_proto::{
    error::Fault,
    v1::{FileAccess, ReadFileRequest},
};

use super::{Effect, Tool, target::Hidden};
use crate::{
    arguments::{self, invalid},
    call::Call,
    daemon::Connected,
    encoding::{Encoding, Errors, guess},
    render::{self, Reply},
    schema,
};

/// Bytes of the longest character.
const CHARACTER_MAX: u64 = 4;

pub(super) const TOOL: Tool = Tool {
    name: "read_file",
    title: "Read file",
    description: "Reads a file on a host by SFTP, up to 2 MiB a call: text if it is UTF-8, else base64. Returns content, size, mode, \
                  sha256 (of a file read whole), next_offset.",
    effect: Effect::Reads,
    input: schema::input::<Arguments>,
    output: || {
        schema::output(&[
            ("path", schema::field("string", "on the host, from / on")),
            (
                "content",
                schema::field("string", "text, or base64 as encoding says"),
            ),
            (
                "encoding",
                schema::field("string", "utf-8, base64, or what was asked for"),
            ),
            ("size", schema::field("integer", "bytes of the whole file")),
            ("offset", schema::field("integer", "where content begins")),
            ("next_offset", schema::field("integer", "where to go on")),
            ("eof", schema::field("boolean", "nothing follows")),
            ("mode", schema::maybe("string or null: 0644")),
            ("uid", schema::maybe("integer or null: owner")),
            ("gid", schema::maybe("integer or null: group")),
            ("modified", schema::maybe("integer or null: seconds since 1970")),
            (
                "sha256",
                schema::maybe("string or null: if the whole file was read"),
            ),
            ("notice", schema::maybe("string or null")),
        ])
    },
    run: |call, given| Box::pin(async move { run(call, arguments::decode(given)?).await }),
};

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    host: String,
    /// Absolute or from home
    path: String,
    offset: Option<u64>,
    /// Bytes
    limit: Option<u64>,
    /// utf-8, base64, latin-1, ascii, utf-16
    encoding: Option<String>,
    /// As root
    sudo: Option<bool>,
    #[schemars(extend("x-hidden" = true))]
    errors: Option<String>,
    #[serde(flatten)]
    hidden: Hidden,
}

async fn run(call: &Call<'_>, arguments: Arguments) -> Result<Reply, Fault> {
    let Arguments {
        host,
        path,
        offset,
        limit,
        encoding,
        sudo,
        errors,
        hidden,
    } = arguments;
    let encoding = encoding.as_deref().map(Encoding::named).transpose()?;
    let errors = errors.as_deref().map(Errors::named).transpose()?;
    if limit == Some(0) {
        return Err(invalid("`limit` is 0, and at least one byte is read")
            .hint("call again with 1 to 2097152, or without it for as much as a call reads"));
    }
    let offset = offset.unwrap_or(0);
    let has_secret = hidden.has_secret();
    let mut request = ReadFileRequest {
        access: Some(hidden.access(host, path, sudo)),
        offset,
        limit: limit.unwrap_or(0),
    };
    let read = async |request: &ReadFileRequest| {
        let send = |daemon: Connected| {
            let request = request.clone();
            async move { daemon.files().read_file(request).await }
        };
        let reading = async {
            if has_secret {
                call.rpc_apart(send).await
            } else {
                call.rpc(send).await
            }
        };
        call.patiently("reading", reading).await
    };
    let decode = |data: &[u8], more: bool| match (encoding, errors) {
        (None, None) => guess(data, offset > 0, more),
        (encoding, errors) => {
            let (encoding, errors) = (
                encoding.unwrap_or(Encoding::Utf8),
                errors.unwrap_or(Errors::Replace),
            );
            encoding.decode(data, errors, offset > 0, more)
        }
    };
    let mut response = read(&request).await?;
    let mut decoded = decode(&response.data, !response.eof)?;
    if !response.eof && decoded.left > 0 && decoded.left == response.data.len() {
        // Who reads on by `next_offset` would come here for ever: one character is given, however long it is.
        request.limit = CHARACTER_MAX;
        response = read(&request).await?;
        let least = (1..response.data.len()).find_map(|length| {
            let decoded = decode(response.data.get(..length)?, true).ok()?;
            (!decoded.text.is_empty() && !decoded.is_damaged).then_some((length, decoded))
        });
        decoded = match least {
            Some((length, decoded)) => {
                response.data.truncate(length);
                response.eof = false;
                response.sha256.clear();
                decoded
            }
            None => decode(&response.data, !response.eof)?,
        };
    }
    Ok(render::file::read(&response, offset, decoded))
}

impl Hidden {
    pub(super) fn access(self, host: String, path: String, sudo: Option<bool>) -> FileAccess {
        let (login, sudo_password) = self.split();
        FileAccess {
            host: Some(login.host(host)),
            path,
            // A password for it means it, too.
            sudo: sudo.unwrap_or(false) || sudo_password.is_some(),
            sudo_password,
        }
    }
}

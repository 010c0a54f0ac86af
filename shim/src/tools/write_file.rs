//! `write_file`: a file of a host gets new content, an addition, or another text in it.

use schemars::JsonSchema;
use serde::Deserialize;
use sshmcp_proto::{
    error::Fault,
    v1::{FileContent, FileEdit, Reason, WriteFileRequest, WriteMode, write_file_request::What},
};

use super::{Effect, Tool, target::Hidden};
use crate::{
    arguments::{self, invalid},
    call::Call,
    daemon::Connected,
    encoding::{Encoding, Errors},
    render::{self, Reply},
    schema,
};

pub(super) const TOOL: Tool = Tool {
    name: "write_file",
    title: "Write file",
    description: "Writes a file on a host: `content` (up to 2 MiB) replaces it atomically, keeping permissions and owner. Or edits it: \
                  `old_text`, occurring exactly once, becomes `new_text`; returns a diff. `if_sha256` refuses a file changed \
                  meanwhile.",
    effect: Effect::Acts,
    input: schema::input::<Arguments>,
    output: || {
        schema::output(&[
            ("path", schema::field("string", "on the host, links followed")),
            ("size", schema::field("integer", "bytes that it has now")),
            ("sha256", schema::maybe("string or null: of the whole file")),
            ("mode", schema::maybe("string or null: 0644")),
            ("created", schema::field("boolean", "it was not there")),
            ("replacements", schema::field("integer", "texts replaced")),
            ("diff", schema::maybe("string or null: what an edit changed")),
            ("notice", schema::maybe("string or null: what you must know")),
        ])
    },
    run: |call, given| Box::pin(async move { run(call, arguments::decode(given)?).await }),
};

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    host: String,
    path: String,
    content: Option<String>,
    /// Default overwrite
    #[schemars(extend("enum" = ["overwrite", "append", "create"]))]
    mode: Option<String>,
    old_text: Option<String>,
    new_text: Option<String>,
    /// Every occurrence
    all: Option<bool>,
    if_sha256: Option<String>,
    /// As in read_file
    encoding: Option<String>,
    /// As root
    sudo: Option<bool>,
    #[schemars(extend("x-hidden" = true))]
    errors: Option<String>,
    #[schemars(extend("x-hidden" = true))]
    append: Option<bool>,
    #[schemars(extend("x-hidden" = true))]
    make_dirs: Option<bool>,
    #[schemars(extend("x-hidden" = true))]
    permissions: Option<u32>,
    #[schemars(extend("x-hidden" = true))]
    max_bytes: Option<u64>,
    #[serde(flatten)]
    hidden: Hidden,
}

async fn run(call: &Call<'_>, arguments: Arguments) -> Result<Reply, Fault> {
    let (request, has_secret) = request(arguments)?;
    let send = |daemon: Connected| {
        let request = request.clone();
        async move { daemon.files().write_file(request).await }
    };
    let response = call
        .patiently("writing", async {
            if has_secret {
                call.rpc_apart(send).await
            } else {
                call.rpc(send).await
            }
        })
        .await;
    match response {
        Ok(response) => Ok(render::file::written(&response)),
        // What stands in this hint is about commands.
        Err(fault) if fault.reason == Reason::DaemonUnavailable && !fault.retryable => Err(fault
            .hint("whether it was written is not known: read it with read_file before you repeat anything")),
        Err(fault) => Err(fault),
    }
}

/// The request, and whether it carries a secret.
fn request(arguments: Arguments) -> Result<(WriteFileRequest, bool), Fault> {
    let Arguments {
        host,
        path,
        content,
        mode,
        old_text,
        new_text,
        all,
        if_sha256,
        encoding,
        sudo,
        errors,
        append,
        make_dirs,
        permissions,
        max_bytes,
        hidden,
    } = arguments;
    let encoding = encoding.as_deref().map_or(Ok(Encoding::Utf8), Encoding::named)?;
    let errors = errors.as_deref().map_or(Ok(Errors::Strict), Errors::named)?;
    let bytes = |text: &str| encoding.encode(text, errors);
    let what = match (content, old_text, new_text) {
        (Some(content), None, None) => {
            if all.is_some() {
                return Err(invalid("`all` belongs to `old_text`").hint("call again without it"));
            }
            let data = bytes(&content)?;
            let most = max_bytes.unwrap_or(u64::MAX);
            if u64::try_from(data.len()).unwrap_or(u64::MAX) > most {
                return Err(Fault::new(
                    Reason::TooLarge,
                    format!(
                        "the content has {} bytes, more than `max_bytes`; nothing was done",
                        data.len()
                    ),
                )
                .hint("raise `max_bytes`, or leave it out"));
            }
            What::Content(FileContent {
                data,
                mode: write_mode(mode.as_deref(), append)?.into(),
            })
        }
        (None, Some(old_text), Some(new_text)) => {
            if mode.is_some() || append == Some(true) {
                return Err(
                    invalid("`mode` belongs to `content`, not to `old_text`").hint("call again without it")
                );
            }
            What::Edit(FileEdit {
                old_text: bytes(&old_text)?,
                new_text: bytes(&new_text)?,
                all: all.unwrap_or(false),
            })
        }
        _ => {
            return Err(invalid(
                "exactly one of `content`, and `old_text` with `new_text`, says what to write",
            )
            .hint("give `content` for a whole file, or both texts to edit it (`new_text` may be empty)"));
        }
    };
    let has_secret = hidden.has_secret();
    let request = WriteFileRequest {
        access: Some(hidden.access(host, path, sudo)),
        what: Some(what),
        if_sha256,
        make_dirs: make_dirs.unwrap_or(false),
        permissions,
    };
    Ok((request, has_secret))
}

fn write_mode(mode: Option<&str>, append: Option<bool>) -> Result<WriteMode, Fault> {
    match (mode, append) {
        (None | Some("append"), Some(true)) | (Some("append"), None) => Ok(WriteMode::Append),
        (Some("create"), None | Some(false)) => Ok(WriteMode::Create),
        (None | Some("overwrite"), None | Some(false)) => Ok(WriteMode::Overwrite),
        (Some(_), _) => Err(invalid("`mode` and `append` contradict each other").hint("give `mode` alone")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn planned(mut given: Value) -> Result<WriteFileRequest, Fault> {
        given["host"] = json!("h");
        given["path"] = json!("/f");
        let arguments = serde_json::from_value(given).expect("fits");
        request(arguments).map(|(request, _)| request)
    }

    /// One way to write at a time, and what belongs to another is refused.
    #[test]
    fn one_way_at_a_time() {
        for (given, mode) in [
            (json!({"content": "x"}), WriteMode::Overwrite),
            (json!({"content": "x", "mode": "create"}), WriteMode::Create),
            (json!({"content": "x", "append": true}), WriteMode::Append),
            (
                json!({"content": "x", "append": false, "mode": "overwrite"}),
                WriteMode::Overwrite,
            ),
        ] {
            let Some(What::Content(content)) = planned(given.clone()).expect("a request").what else {
                panic!("no content: {given}");
            };
            assert_eq!((content.mode(), &*content.data), (mode, &b"x"[..]), "{given}");
        }
        for given in [
            json!({}),
            json!({"old_text": "a"}),
            json!({"content": "x", "old_text": "a", "new_text": "b"}),
            json!({"content": "x", "all": true}),
            json!({"content": "x", "mode": "create", "append": true}),
            json!({"content": "x", "mode": "append", "append": false}),
            json!({"old_text": "a", "new_text": "b", "mode": "append"}),
            json!({"content": "ü", "encoding": "ascii"}),
            json!({"content": "x", "encoding": "klingon"}),
        ] {
            let fault = planned(given.clone()).expect_err("refused");
            assert_eq!(fault.reason, Reason::InvalidArgument, "{given}");
            assert!(!fault.hint.is_empty(), "{given}");
        }
        let fault = planned(json!({"content": "xyz", "max_bytes": 2})).expect_err("refused");
        assert_eq!(fault.reason, Reason::TooLarge);
    }

    /// Texts are bytes in the encoding that is named; a password for sudo means sudo.
    #[test]
    fn bytes_and_sudo() {
        let request = planned(json!({"content": "AP8=", "encoding": "base64", "sudo_password": "s"}))
            .expect("a request");
        let Some(What::Content(content)) = request.what else {
            panic!("no content");
        };
        assert_eq!(content.data, [0, 255]);
        let access = request.access.expect("a file");
        assert!(access.sudo && access.sudo_password.is_some());
        assert!(!format!("{access:?}").contains("\"s\""));
    }
}

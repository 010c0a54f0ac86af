//! Files: what was read, and what was written.

use serde_json::json;
use sshmcp_proto::v1::{ReadFileResponse, WriteFileResponse};

use super::{Reply, known, line, thousands};
use crate::encoding::Decoded;

/// A file's content with what is known of it; `offset` is where the bytes begin that were read.
pub(crate) fn read(response: &ReadFileResponse, offset: u64, decoded: Decoded) -> Reply {
    let ReadFileResponse {
        path,
        data,
        size,
        eof,
        mode,
        uid,
        gid,
        modified,
        sha256,
    } = response;
    let bytes = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let begin = offset.saturating_add(bytes(decoded.skipped));
    let end = offset.saturating_add(bytes(data.len().saturating_sub(decoded.left)));
    let notice = decoded.is_damaged.then(|| {
        format!(
            "not all of it is {}: what is not was replaced or left out",
            decoded.encoding.name()
        )
    });
    let structured = json!({
        "path": path, "content": decoded.text, "encoding": decoded.encoding.name(), "size": size.max(&end), "offset": begin,
        "next_offset": end, "eof": eof, "mode": mode.map(octal), "uid": uid, "gid": gid, "modified": modified,
        "sha256": known(sha256), "notice": notice,
    });
    let mut facts = vec![line(path)];
    if *eof && begin == 0 {
        facts.push(format!("{} bytes", thousands(end)));
    } else if *eof {
        facts.push(format!(
            "bytes {} to the end at {}",
            thousands(begin),
            thousands(end)
        ));
    } else {
        facts.push(format!(
            "bytes {} to {} of {}; go on with offset: {end}",
            thousands(begin),
            thousands(end),
            thousands(*size.max(&end)),
        ));
    }
    facts.extend(mode.map(octal));
    if !sha256.is_empty() {
        facts.push(format!("sha256 {}", line(sha256)));
    }
    if decoded.encoding != crate::encoding::Encoding::Utf8 {
        facts.push(decoded.encoding.name().to_owned());
    }
    facts.extend(notice);
    let mut text = decoded.text;
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&format!("[{}]", facts.join(", ")));
    Reply::new(structured, text)
}

/// What a write did.
pub(crate) fn written(response: &WriteFileResponse) -> Reply {
    let WriteFileResponse {
        path,
        size,
        sha256,
        mode,
        created,
        replacements,
        diff,
        notice,
    } = response;
    let structured = json!({
        "path": path, "size": size, "sha256": known(sha256), "mode": mode.map(octal), "created": created,
        "replacements": replacements, "diff": known(diff), "notice": known(notice),
    });
    let done = match (created, replacements) {
        (true, _) => "made".to_owned(),
        (false, 0) => "written".to_owned(),
        (false, 1) => "1 text replaced".to_owned(),
        (false, many) => format!("{} texts replaced", thousands(u64::from(*many))),
    };
    let mut facts = vec![line(path), done, format!("{} bytes", thousands(*size))];
    facts.extend(mode.map(octal));
    if !sha256.is_empty() {
        facts.push(format!("sha256 {}", line(sha256)));
    }
    if !notice.is_empty() {
        facts.push(line(notice));
    }
    Reply::new(structured, format!("{diff}[{}]", facts.join(", ")))
}

/// Permission bits as `chmod` takes them.
fn octal(mode: u32) -> String {
    format!("{mode:04o}")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::encoding::guess;

    fn reply(data: &[u8], offset: u64, size: u64, eof: bool) -> Reply {
        let response = ReadFileResponse {
            path: "/etc/x".to_owned(),
            data: data.to_vec(),
            size,
            eof,
            mode: Some(0o644),
            sha256: if eof && offset == 0 {
                "ab".to_owned()
            } else {
                String::new()
            },
            ..ReadFileResponse::default()
        };
        let decoded = guess(data, offset > 0, !eof).expect("text");
        read(&response, offset, decoded)
    }

    /// The content, then one line that says all that is known of it.
    #[test]
    fn what_was_read() {
        let whole = reply(b"one\ntwo", 0, 7, true);
        assert_eq!(whole.text, "one\ntwo\n[/etc/x, 7 bytes, 0644, sha256 ab]");
        let piece = reply("a€".as_bytes().split_at(3).0, 10, 5000, false);
        assert_eq!(piece.structured.get("next_offset"), Some(&json!(11)));
        assert_eq!(
            piece.text,
            "a\n[/etc/x, bytes 10 to 11 of 5,000; go on with offset: 11, 0644]"
        );
        let data = reply(b"\xff", 0, 0, true);
        assert_eq!(data.structured.get("encoding"), Some(&json!("base64")));
        assert_eq!(
            data.structured.get("size"),
            Some(&json!(1)),
            "what the host did not know"
        );
        let empty = reply(b"", 0, 0, true);
        assert_eq!(empty.text, "[/etc/x, 0 bytes, 0644, sha256 ab]");
    }

    /// A diff, and a line of what was done.
    #[test]
    fn what_was_written() {
        let mut response = WriteFileResponse {
            path: "/etc/x".to_owned(),
            size: 1234,
            sha256: "ab".to_owned(),
            mode: Some(0o600),
            replacements: 1,
            diff: "@@ -1,1 +1,1 @@\n-a\n+b\n".to_owned(),
            ..WriteFileResponse::default()
        };
        let edited = written(&response);
        assert_eq!(
            edited.text,
            "@@ -1,1 +1,1 @@\n-a\n+b\n[/etc/x, 1 text replaced, 1,234 bytes, 0600, sha256 ab]"
        );
        assert_eq!(edited.structured.get("notice"), Some(&Value::Null));
        response.diff.clear();
        response.replacements = 0;
        response.created = true;
        assert!(written(&response).text.starts_with("[/etc/x, made, 1,234 bytes"));
    }
}

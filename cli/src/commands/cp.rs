//! `sshctl cp`: one file from a host or to it, by the calls that agents have for files.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use sshmcp_proto::client::Daemon;
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::upload_file_request::Part;
use sshmcp_proto::v1::write_file_request::What;
use sshmcp_proto::v1::{
    FileAccess, FileContent, HostRef, ReadFileRequest, Reason, UploadBegin, UploadFileRequest,
    WriteFileRequest, WriteFileResponse, WriteMode,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::args::CpArgs;
use crate::context::{Context, host_ref};
use crate::error::Failure;

/// What one call takes.
const PIECE: u64 = 2 << 20; // 2 MiB
/// The same in memory.
const PIECE_BYTES: usize = 2 << 20; // 2 MiB
/// Names a pipe.
const PIPE: &str = "-";

/// One end of a copy.
#[derive(Debug, PartialEq, Eq)]
enum End<'a> {
    Here(&'a str),
    /// A host, and a path there.
    There(&'a str, &'a str),
}

/// As scp has it: a colon before any slash ends a host's name.
fn end(text: &str) -> End<'_> {
    let bracket = text
        .find(['[', '/', ':'])
        .filter(|at| text.split_at(*at).1.starts_with('['));
    let from = bracket.and_then(|_| text.find(']')).unwrap_or(0);
    let rest = text.split_at(from).1;
    match rest.find([':', '/']) {
        Some(at) if from + at > 0 && rest.split_at(at).1.starts_with(':') => {
            let (host, path) = text.split_at(from + at);
            let path = path.split_at(1).1;
            // HOST:PORT:PATH, as a host is named everywhere else.
            match path.split_once(':') {
                Some((port, path)) if is_port(port) => {
                    End::There(text.split_at(from + at + 1 + port.len()).0, path)
                }
                _ => End::There(host, path),
            }
        }
        _ => End::Here(text),
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse().is_ok_and(|port: u16| port > 0)
}

/// Copies.
pub(crate) async fn run(args: CpArgs, context: &Context) -> Result<u8, Failure> {
    let access = |host: &str, path: &str| {
        let path = if path.is_empty() { "." } else { path };
        access(host_ref(host, &args.login), path, args.sudo)
    };
    match (end(&args.from), end(&args.to)) {
        (End::There(host, path), End::Here(to)) => download(access(host, path), path, to, context).await,
        (End::Here(from), End::There(host, path)) => {
            let path = if path.is_empty() || path.ends_with('/') {
                format!("{path}{}", name_of(from)?)
            } else {
                path.to_owned()
            };
            upload(from, access(host, &path), context).await
        }
        (End::Here(_), End::Here(_)) | (End::There(..), End::There(..)) => Err(Fault::new(
            Reason::InvalidArgument,
            "one of both is a file on a host (HOST:PATH), and one is here",
        )
        .hint("sshctl cp web1:/etc/hosts . copies from a host; ./a:b is a file here")
        .into()),
    }
}

fn access(host: HostRef, path: &str, sudo: bool) -> FileAccess {
    FileAccess {
        host: Some(host),
        path: path.to_owned(),
        sudo,
        sudo_password: None,
    }
}

fn name_of(path: &str) -> Result<String, Fault> {
    let name = Path::new(path).file_name().filter(|_| path != PIPE);
    name.map(|name| name.to_string_lossy().into_owned())
        .ok_or_else(|| {
            Fault::new(Reason::InvalidArgument, "the copy has no name")
                .hint("give it one: sshctl cp - web1:notes.txt")
        })
}

/// A failure with a file of this machine.
fn here(path: &Path, error: &io::Error) -> Failure {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => Reason::NotFound,
        io::ErrorKind::StorageFull => Reason::LimitReached,
        _ => Reason::PermissionDenied,
    };
    Fault::new(reason, format!("{}: {error}", path.display())).into()
}

async fn download(access: FileAccess, from: &str, to: &str, context: &Context) -> Result<u8, Failure> {
    let out = &context.out;
    let mut to_file = None;
    if to != PIPE {
        let mut path = PathBuf::from(to);
        if path.is_dir() || to.ends_with('/') {
            path.push(name_of(from)?);
        }
        to_file = Some(path);
    }
    let daemon = context.daemon().await?;
    let mut copy = None;
    let (mut offset, mut first) = (0, None);
    loop {
        let request = ReadFileRequest {
            access: Some(access.clone()),
            offset,
            limit: PIECE,
        };
        let read = daemon.files().read_file(request).await?.into_inner();
        let state = (read.size, read.modified);
        if *first.get_or_insert(state) != state {
            return Err(
                Fault::new(Reason::Conflict, "the file was changed while it was copied")
                    .hint("copy it again; a log that grows is copied with `sshctl exec HOST -- cat FILE`")
                    .into(),
            );
        }
        match &to_file {
            None => io::stdout().write_all(&read.data)?,
            Some(path) => {
                let copy = match &mut copy {
                    Some(copy) => copy,
                    none => none.insert(beside(path, read.mode)?),
                };
                copy.write_all(&read.data).map_err(|error| here(path, &error))?;
            }
        }
        offset += u64::try_from(read.data.len()).unwrap_or_default();
        if read.eof {
            break;
        }
    }
    if let (Some(path), Some(copy)) = (&to_file, copy) {
        copy.persist(path).map_err(|error| here(path, &error.error))?;
        if out.is_json() {
            out.json(&json!({"path": path, "bytes": offset}))?;
        } else {
            out.note(&format!("{}: {offset} bytes", path.display()))?;
        }
    } else {
        io::stdout().flush()?;
    }
    Ok(0)
}

/// What will have this name; it has the permissions of what is there, else those of the original that the umask leaves.
fn beside(path: &Path, mode: Option<u32>) -> Result<tempfile::NamedTempFile, Failure> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let there = fs::metadata(path).ok();
    let mode = mode.unwrap_or(0o644) & 0o777;
    let mut builder = tempfile::Builder::new();
    builder
        .prefix(".sshctl-")
        .permissions(Permissions::from_mode(mode | 0o600));
    let made = builder.tempfile_in(directory.unwrap_or(Path::new(".")));
    let made = made.map_err(|error| here(path, &error))?;
    if let Some(there) = there {
        let kept = made.as_file().set_permissions(there.permissions());
        kept.map_err(|error| here(path, &error))?;
    }
    Ok(made)
}

async fn upload(from: &str, access: FileAccess, context: &Context) -> Result<u8, Failure> {
    let path = Path::new(from);
    let (mut source, mode): (Box<dyn io::Read + Send>, _) = if from == PIPE {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(path).map_err(|error| here(path, &error))?;
        let there = file.metadata().map_err(|error| here(path, &error))?;
        if there.is_dir() {
            return Err(
                Fault::new(Reason::InvalidArgument, format!("{from} is a directory"))
                    .hint("one file is copied at a time")
                    .into(),
            );
        }
        (Box::new(file), Some(there.permissions().mode() & 0o777))
    };
    let mut first = Vec::new();
    let read = source.by_ref().take(PIECE + 1).read_to_end(&mut first);
    read.map_err(|error| here(path, &error))?;
    let daemon = context.daemon().await?;
    let (written, sent) = if length(&first) <= PIECE {
        let sent = length(&first);
        (begin(&daemon, &access, first, mode).await?, sent)
    } else {
        let pieces = Pieces { path, first, source };
        pieces.upload(&daemon, access, mode).await?
    };
    let out = &context.out;
    if out.is_json() {
        out.json(&json!({"path": written.path, "bytes": sent, "created": written.created, "notice": written.notice}))?;
        return Ok(0);
    }
    out.note(&format!("{}: {sent} bytes", written.path))?;
    if !written.notice.is_empty() {
        out.note(&written.notice)?;
    }
    Ok(0)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// A file that is more than one call takes.
struct Pieces<'p> {
    path: &'p Path,
    first: Vec<u8>,
    source: Box<dyn io::Read + Send>,
}

impl Pieces<'_> {
    /// Sends it; the file on the host is the old one until all of it is there.
    async fn upload(
        self,
        daemon: &Daemon,
        access: FileAccess,
        permissions: Option<u32>,
    ) -> Result<(WriteFileResponse, u64), Failure> {
        let Self { path, first, source } = self;
        let begin = Part::Begin(UploadBegin {
            access: Some(access),
            permissions,
        });
        // One piece is read while one is on its way.
        let (sender, parts) = mpsc::channel(1);
        let reading = tokio::task::spawn_blocking(move || send(begin, first, source, &sender));
        let uploaded = daemon.files().upload_file(ReceiverStream::new(parts)).await;
        // A file that cannot be read is why the daemon has not got its end.
        let sent = match reading.await {
            Ok(Ok(sent)) => sent,
            Ok(Err(error)) => return Err(here(path, &error)),
            Err(_) => return Err(Fault::new(Reason::Internal, "reading the file failed within").into()),
        };
        Ok((uploaded?.into_inner(), sent))
    }
}

/// Reads and sends until the end, or until nobody takes it any more; how much that was.
fn send(
    begin: Part,
    first: Vec<u8>,
    mut source: impl io::Read,
    to: &mpsc::Sender<UploadFileRequest>,
) -> io::Result<u64> {
    let mut sent = 0;
    let give = |part| to.blocking_send(UploadFileRequest { part: Some(part) }).is_ok();
    let mut goes = give(begin);
    let mut rest = first;
    while goes && !rest.is_empty() {
        let piece: Vec<u8> = rest.drain(..rest.len().min(PIECE_BYTES)).collect();
        sent += length(&piece);
        goes = give(Part::Data(piece));
        if rest.is_empty() {
            source.by_ref().take(PIECE).read_to_end(&mut rest)?;
        }
    }
    if goes {
        give(Part::End(sent));
    }
    Ok(sent)
}

/// All of it. A file that is made gets the original's permissions; one that is there keeps its own.
async fn begin(
    daemon: &Daemon,
    access: &FileAccess,
    piece: Vec<u8>,
    mode: Option<u32>,
) -> Result<WriteFileResponse, Failure> {
    match mode {
        None => write(daemon, access, piece, WriteMode::Overwrite, None).await,
        Some(_) => match write(daemon, access, piece.clone(), WriteMode::Create, mode).await {
            Err(Failure::Fault(fault)) if fault.reason == Reason::Conflict => {
                write(daemon, access, piece, WriteMode::Overwrite, None).await
            }
            written => written,
        },
    }
}

async fn write(
    daemon: &Daemon,
    access: &FileAccess,
    data: Vec<u8>,
    mode: WriteMode,
    permissions: Option<u32>,
) -> Result<WriteFileResponse, Failure> {
    let request = WriteFileRequest {
        access: Some(access.clone()),
        what: Some(What::Content(FileContent {
            data,
            mode: mode.into(),
        })),
        if_sha256: None,
        make_dirs: false,
        permissions,
    };
    Ok(daemon.files().write_file(request).await?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All of it is sent in pieces, and its end; nothing behind a failure to read.
    #[test]
    fn pieces() {
        struct Broken;
        impl io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        let given = |source: Box<dyn io::Read>| {
            let (sender, mut parts) = mpsc::channel(9);
            let sent = send(
                Part::Begin(UploadBegin::default()),
                vec![1; PIECE_BYTES + 1],
                source,
                &sender,
            );
            drop(sender);
            let mut told = Vec::new();
            while let Ok(part) = parts.try_recv() {
                told.push(match part.part {
                    Some(Part::Begin(_)) => 0,
                    Some(Part::Data(data)) => length(&data),
                    Some(Part::End(size)) => size * 10,
                    None => 1,
                });
            }
            (sent.ok(), told)
        };
        let all = PIECE + 4;
        assert_eq!(
            given(Box::new(&b"abc"[..])),
            (Some(all), vec![0, PIECE, 1, 3, all * 10])
        );
        assert_eq!(given(Box::new(Broken)), (None, vec![0, PIECE, 1]));
    }

    /// Which end is on a host.
    #[test]
    fn ends() {
        for (text, wanted) in [
            ("web1:/etc/x", End::There("web1", "/etc/x")),
            ("u@web1:x:y", End::There("u@web1", "x:y")),
            ("web1:", End::There("web1", "")),
            ("u@web1:2222:/x", End::There("u@web1:2222", "/x")),
            ("[::1]:2222:x", End::There("[::1]:2222", "x")),
            ("web1:65536:x", End::There("web1", "65536:x")),
            ("web1:./22:x", End::There("web1", "./22:x")),
            ("[::1]:/x", End::There("[::1]", "/x")),
            ("u@[::1]:/x", End::There("u@[::1]", "/x")),
            ("./a:b", End::Here("./a:b")),
            ("/a:b", End::Here("/a:b")),
            (":x", End::Here(":x")),
            ("x", End::Here("x")),
            ("-", End::Here("-")),
        ] {
            assert_eq!(end(text), wanted, "{text}");
        }
    }
}

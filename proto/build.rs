//! Compiles the .proto files without a `protoc`, and keeps the descriptor set for reflection.
use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

const FILES: [&str; 8] = [
    "sshmcp/v1/error.proto",
    "sshmcp/v1/daemon.proto",
    "sshmcp/v1/host.proto",
    "sshmcp/v1/session.proto",
    "sshmcp/v1/command.proto",
    "sshmcp/v1/terminal.proto",
    "sshmcp/v1/log.proto",
    "sshmcp/v1/file.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=sshmcp");
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?).join("sshmcp.bin");
    fs::write(out, descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_server(env::var_os("CARGO_FEATURE_SERVER").is_some())
        .build_client(true)
        .skip_debug([
            ".sshmcp.v1.HostRef",
            ".sshmcp.v1.ExecuteRequest",
            ".sshmcp.v1.SendInputRequest",
            ".sshmcp.v1.FileAccess",
            ".sshmcp.v1.FileContent",
            ".sshmcp.v1.FileEdit",
        ])
        .compile_fds(descriptors)?;
    Ok(())
}

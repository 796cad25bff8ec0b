//! Compiles `proto/` without a `protoc`: the compiler is a Rust library, so that nothing has to be installed.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use prost::Message as _;

/// What is compiled, relative to `proto/`; what these import comes along.
const FILES: &[&str] = &["attempt/v1/attempt.proto", "observer/observer.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run this through cargo")?);
    // For gRPC reflection; the record in a flow's extension is a Struct, which no file imports.
    let reflected = FILES.iter().chain(&["google/protobuf/struct.proto"]);
    let reflected = protox::compile(reflected, ["proto"])?;
    fs::write(out.join("descriptors.bin"), reflected.encode_to_vec())?;
    tonic_prost_build::configure()
        // It is ten times the size of what else a response may be.
        .boxed("observer.GetFlowsResponse.response_types.flow")
        .compile_fds(descriptors)?;
    Ok(())
}

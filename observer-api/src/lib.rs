//! The gRPC interface: messages and services made from `proto/` when this is built. Nothing is written by hand here.

/// What the observer knows of an attempt beyond what a flow can say.
pub mod attempt {
    /// The first version.
    pub mod v1 {
        tonic::include_proto!("attempt.v1");
    }
}

/// The descriptors of everything here, for gRPC reflection: an encoded `FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

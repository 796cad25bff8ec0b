//! The gRPC interface: messages and services made from `proto/` when this is built. Nothing is written by hand here.
#![expect(
    missing_docs,
    unused_qualifications,
    clippy::allow_attributes_without_reason,
    reason = "generated: what there is to say is in proto/, and comes from there"
)]

/// What the observer knows of an attempt beyond what a flow can say.
pub mod attempt {
    /// The first version.
    pub mod v1 {
        tonic::include_proto!("attempt.v1");
    }
}

/// An attempt as Hubble's clients know it.
pub mod flow {
    tonic::include_proto!("flow");
}

/// The service that Hubble's clients talk to.
pub mod observer {
    tonic::include_proto!("observer");
}

/// What a stream says of the nodes behind it.
pub mod relay {
    tonic::include_proto!("relay");
}

/// The descriptors of everything here, for gRPC reflection: an encoded `FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

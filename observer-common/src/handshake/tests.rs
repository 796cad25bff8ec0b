//! Tables and properties of the handshake.

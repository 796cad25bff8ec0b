//! Tables and properties of the packet.

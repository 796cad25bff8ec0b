//! What the ring keeps and gives up, and what is chosen of it.

mod ring;

//! A diagnosed attempt as one line, a table row, a block or JSON.

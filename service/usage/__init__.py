"""What was used: queries over the hourly rollups, and the formats they and the ledger are exported in."""

"""What a study will need before any of it trains: memory, time, disk, and where its packs are placed."""
